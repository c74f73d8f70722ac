//! `find`: files below directories, by what they are.

mod parse;

use super::hand::{Follow, Out, Outcome, Stop, Visit, Walk, complain, confirmed, fail, started};
use crate::{
    Ctx,
    files::Kind,
    kernel::{Spawn, Waiting},
};
use parse::{Expression, Node, Test};

struct Finder<'a> {
    ctx: &'a Ctx,
    out: Out,
    now: i64,
    /// Of each `-exec … +` what it waits for.
    gathered: Vec<Vec<String>>,
    quit: bool,
    failed: bool,
}

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let args = ctx.args().get(1..).unwrap_or_default();
    let expression = match parse::read(&ctx, args) {
        Ok(expression) => expression,
        Err(why) => return Err(fail(&ctx, why).await),
    };
    let mut finder = Finder {
        ctx: &ctx,
        out: Out::new(&ctx),
        now: ctx.now().as_second(),
        gathered: vec![Vec::new(); expression.gathering.len()],
        quit: false,
        failed: false,
    };
    for path in &expression.paths {
        finder.below(path, &expression).await?;
        if finder.quit {
            break;
        }
    }
    for (at, command) in expression.gathering.iter().enumerate() {
        finder.flush(at, command).await?;
    }
    let code = i32::from(finder.failed);
    finder.out.end(code).await
}

/// Something that was found, with what the tests ask.
struct Here {
    path: String,
    name: String,
    depth: usize,
    stat: crate::files::Stat,
}

impl Finder<'_> {
    async fn below(&mut self, path: &str, expression: &Expression) -> Result<(), Stop> {
        let follow = if expression.follow { Follow::Always } else { Follow::Never };
        let mut walk = Walk::new(self.ctx, path, follow);
        while let Some(visit) = walk.next().await {
            let (found, after) = match visit {
                Visit::Before(found) => (found, false),
                Visit::After(found) => (found, true),
                Visit::Lost(path, errno) => {
                    self.out.flush().await?;
                    complain(self.ctx, format!("{path}: {errno}")).await;
                    self.failed = true;
                    continue;
                }
                Visit::Closed(found, errno) => {
                    self.out.flush().await?;
                    complain(self.ctx, format!("{}: {errno}", found.path)).await;
                    self.failed = true;
                    continue;
                }
            };
            let directory = found.is_directory();
            let deep = found.depth >= expression.most;
            let here = Here { name: found.name().to_owned(), path: found.path, depth: found.depth, stat: found.stat };
            let mine = if expression.depth { after || !directory || deep } else { !after };
            if deep && directory && !after {
                walk.skip();
            }
            if !mine || here.depth < expression.least {
                continue;
            }
            let mut prune = false;
            self.decide(&expression.root, &here, &mut prune).await?;
            if prune && !after && !deep {
                walk.skip();
            }
            if self.quit {
                break;
            }
        }
        Ok(())
    }

    /// Whether an expression is true here; what it does is done.
    fn decide<'b>(&'b mut self, node: &'b Node, here: &'b Here, prune: &'b mut bool) -> futures::future::BoxFuture<'b, Result<bool, Stop>> {
        Box::pin(async move {
            self.ctx.step(1).await;
            Ok(match node {
                Node::And(parts) => {
                    for part in parts {
                        if !self.decide(part, here, prune).await? || self.quit {
                            return Ok(false);
                        }
                    }
                    true
                }
                Node::Or(parts) => {
                    for part in parts {
                        if self.decide(part, here, prune).await? {
                            return Ok(true);
                        }
                    }
                    false
                }
                Node::Not(inner) => !self.decide(inner, here, prune).await?,
                Node::Test(test) => self.test(test, here, prune).await?,
            })
        })
    }

    async fn test(&mut self, test: &Test, here: &Here, prune: &mut bool) -> Result<bool, Stop> {
        let stat = &here.stat;
        Ok(match test {
            Test::Name(pattern) => pattern.is_match(here.name.as_bytes()),
            Test::Path(pattern) => pattern.is_match(here.path.as_bytes()),
            Test::Kind(letters) => letters.contains(match stat.kind {
                Kind::File => 'f',
                Kind::Directory => 'd',
                Kind::Symlink => 'l',
                Kind::Device(_) => 'c',
                Kind::Fifo | Kind::Pipe => 'p',
            }),
            Test::Age(range, unit) => range.fits(u64::try_from((self.now - stat.modified.as_second()).max(0) / unit).unwrap_or(0)),
            Test::Size(range, unit) => range.fits(stat.size.div_ceil(*unit)),
            Test::Newer(time) => stat.modified > *time,
            Test::Empty => match stat.kind {
                Kind::Directory => self.ctx.list(&here.path).is_ok_and(|entries| entries.is_empty()),
                _ => stat.size == 0,
            },
            Test::Mode(how, mode) => match how {
                '-' => stat.mode & mode == *mode,
                '/' => *mode == 0 || stat.mode & mode != 0,
                _ => stat.mode == *mode,
            },
            Test::User(uid) => stat.uid == *uid,
            Test::Group(gid) => stat.gid == *gid,
            Test::Links(range) => range.fits(u64::from(stat.links)),
            Test::Inode(inode) => stat.inode == *inode,
            Test::Print(end) => {
                self.out.put(format!("{}{end}", here.path)).await?;
                true
            }
            Test::Prune => {
                *prune = true;
                true
            }
            Test::Quit => {
                self.quit = true;
                true
            }
            Test::Delete => self.delete(here).await?,
            Test::True => true,
            Test::False => false,
            Test::Exec(command, asks) => {
                let args: Vec<String> = command.iter().map(|arg| arg.replace("{}", &here.path)).collect();
                self.out.flush().await?;
                if *asks && !confirmed(self.ctx, &format!("{} ?", args.join(" "))).await {
                    return Ok(false);
                }
                self.run(args).await? == 0
            }
            Test::Gather(at, command) => {
                self.gathered[*at].push(here.path.clone());
                if self.gathered[*at].len() >= 500 {
                    self.flush(*at, command).await?;
                }
                true
            }
        })
    }

    async fn delete(&mut self, here: &Here) -> Result<bool, Stop> {
        if here.path == "." {
            return Ok(true);
        }
        let removed = if here.stat.kind == Kind::Directory { self.ctx.rmdir(&here.path) } else { self.ctx.unlink(&here.path) };
        if let Err(errno) = removed {
            complain(self.ctx, format!("{}: {errno}", here.path)).await;
            self.failed = true;
        }
        Ok(removed.is_ok())
    }

    async fn run(&mut self, args: Vec<String>) -> Result<i32, Stop> {
        let spawn = Spawn { file: args.first().cloned().unwrap_or_default(), args, ..Spawn::default() };
        match started(self.ctx, spawn).await {
            Ok(pid) => Ok(self.ctx.wait(Waiting::Pid(pid)).await.map_or(1, |(_, status)| status.code())),
            Err(_) => {
                self.failed = true;
                Ok(127)
            }
        }
    }

    async fn flush(&mut self, at: usize, command: &[String]) -> Result<(), Stop> {
        let paths = std::mem::take(&mut self.gathered[at]);
        if paths.is_empty() {
            return Ok(());
        }
        self.out.flush().await?;
        let place = command.iter().position(|arg| arg == "{}").unwrap_or(command.len());
        let args = [&command[..place], &paths, command.get(place + 1..).unwrap_or_default()].concat();
        if self.run(args).await? != 0 {
            self.failed = true;
        }
        Ok(())
    }
}
