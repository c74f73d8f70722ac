//! `ls`: what is in directories.

use jiff::Timestamp;

use super::hand::{Clock, Given, Out, Outcome, People, Stop, Usage, complain, human, join, mode_letters};
use crate::{
    Ctx,
    files::{Kind, Stat},
};

const USAGE: Usage = Usage {
    syntax: "[-1AaCxdLHRFplinshrSXvctu] [-w WIDTH] [FILE]...",
    short: "CAd1alisrtSXvLHhRFpxnkcuw:gofQN\u{1}\u{2}",
    long: &[
        ("full-time", '\u{1}'),
        ("group-directories-first", '\u{2}'),
        ("all", 'a'),
        ("almost-all", 'A'),
        ("recursive", 'R'),
        ("human-readable", 'h'),
        ("reverse", 'r'),
    ],
};

/// Half a year, after which the year is shown instead of the time.
const LONG_AGO: i64 = 3600 * 24 * 365 / 2;

struct Listed {
    name: String,
    path: String,
    stat: Stat,
    target: Option<String>,
}

struct Lister<'a> {
    ctx: &'a Ctx,
    given: &'a Given,
    people: People,
    clock: Clock,
    now: Timestamp,
    colors: bool,
    long: bool,
    out: Out,
    code: i32,
    /// Whether something was shown before.
    begun: bool,
}

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    // `--color` may have a value, which getopt's short options cannot say here.
    let (mut color, mut args) = (None, Vec::new());
    for arg in ctx.args() {
        match arg.strip_prefix("--color") {
            Some("") => color = Some("always".to_owned()),
            Some(value) if value.starts_with('=') => color = Some(value[1..].to_owned()),
            _ => args.push(arg.clone()),
        }
    }
    let ctx = ctx.with_args(args);
    let given = USAGE.parse(&ctx).await?;
    let colors = match color.as_deref() {
        Some("never" | "no") => false,
        Some("always" | "yes" | "force") => true,
        _ => ctx.is_terminal(1),
    };
    let long = given.has('l') || given.has('n') || given.has('g') || given.has('o') || given.has('\u{1}');
    let people = if long && !given.has('n') { People::read(&ctx).await } else { People::default() };
    let (clock, now, out) = (Clock::of(&ctx), ctx.now(), Out::new(&ctx));
    let mut lister = Lister { ctx: &ctx, given: &given, people, clock, now, colors, long, out, code: 0, begun: false };
    lister.run().await?;
    let code = lister.code;
    lister.out.end(code).await
}

impl Lister<'_> {
    fn has(&self, option: char) -> bool {
        self.given.has(option)
    }

    /// Looks at one path; what is wrong with it is told.
    async fn look(&mut self, name: String, path: String, follow: bool) -> Option<Listed> {
        let stat = if follow || self.has('L') {
            self.ctx.stat(&path).or_else(|errno| if self.has('L') { Err(errno) } else { self.ctx.lstat(&path) })
        } else {
            self.ctx.lstat(&path)
        };
        match stat {
            Ok(stat) => {
                let target = if stat.kind == Kind::Symlink { self.ctx.readlink(&path).ok() } else { None };
                Some(Listed { name, path, stat, target })
            }
            Err(errno) => {
                complain(self.ctx, format!("{path}: {errno}")).await;
                self.code = 1;
                None
            }
        }
    }

    async fn run(&mut self) -> Result<(), Stop> {
        let operands = if self.given.operands.is_empty() { vec![".".to_owned()] } else { self.given.operands.clone() };
        let (mut files, mut directories) = (Vec::new(), Vec::new());
        for operand in &operands {
            // With -l a symlink that is named is shown itself.
            let follow = self.has('H') || !self.long && !self.has('F') && !self.has('d');
            let Some(found) = self.look(operand.clone(), operand.clone(), follow).await else { continue };
            if found.stat.kind == Kind::Directory && !self.has('d') { directories.push(found) } else { files.push(found) }
        }
        self.sort(&mut files);
        self.sort(&mut directories);
        if !files.is_empty() {
            self.show(&files).await?;
            self.begun = true;
        }
        let headers = operands.len() > 1 || self.has('R');
        let mut waiting: Vec<Listed> = directories.into_iter().rev().collect();
        while let Some(directory) = waiting.pop() {
            let below = self.directory(&directory, headers).await?;
            if self.has('R') {
                waiting.extend(
                    below.into_iter().filter(|entry| entry.stat.kind == Kind::Directory && entry.name != "." && entry.name != "..").rev(),
                );
            }
        }
        Ok(())
    }

    async fn directory(&mut self, directory: &Listed, headers: bool) -> Result<Vec<Listed>, Stop> {
        let entries = match self.ctx.list(&directory.path) {
            Ok(entries) => entries,
            Err(errno) => {
                self.out.flush().await?;
                complain(self.ctx, format!("can't open '{}': {errno}", directory.path)).await;
                self.code = 1;
                return Ok(Vec::new());
            }
        };
        let mut names: Vec<String> = if self.has('a') || self.has('f') { vec![".".to_owned(), "..".to_owned()] } else { Vec::new() };
        let hidden = self.has('a') || self.has('A') || self.has('f');
        names.extend(entries.into_iter().map(|entry| entry.name).filter(|name| hidden || !name.starts_with('.')));
        let mut found = Vec::with_capacity(names.len());
        for name in names {
            let path = join(&directory.path, &name);
            found.extend(self.look(name, path, false).await);
        }
        self.sort(&mut found);
        if self.begun && headers {
            self.out.put("\n").await?;
        }
        self.begun = true;
        if headers {
            self.out.line(format!("{}:", directory.path)).await?;
        }
        if self.long || self.has('s') {
            let blocks: u64 = found.iter().map(|entry| blocks(&entry.stat)).sum();
            self.out.line(format!("total {}", if self.has('h') { human(blocks * 1024) } else { blocks.to_string() })).await?;
        }
        self.show(&found).await?;
        Ok(found)
    }

    fn sort(&self, found: &mut [Listed]) {
        if self.has('f') {
            return;
        }
        let extension = |name: &str| name.rfind('.').map_or(String::new(), |at| name[at..].to_owned());
        match self.given.last_of("tSXvcu") {
            Some('t' | 'c' | 'u') => found.sort_by(|a, b| b.stat.modified.cmp(&a.stat.modified).then_with(|| a.name.cmp(&b.name))),
            Some('S') => found.sort_by(|a, b| b.stat.size.cmp(&a.stat.size).then_with(|| a.name.cmp(&b.name))),
            Some('X') => found.sort_by(|a, b| extension(&a.name).cmp(&extension(&b.name)).then_with(|| a.name.cmp(&b.name))),
            _ => found.sort_by(|a, b| a.name.cmp(&b.name)),
        }
        if self.has('r') {
            found.reverse();
        }
        if self.has('\u{2}') {
            found.sort_by_key(|entry| entry.stat.kind != Kind::Directory);
        }
    }

    /// What is before and behind a name, and how wide all of it is.
    fn decorated(&self, entry: &Listed) -> (String, usize) {
        let mode = entry.stat.mode;
        let kind = entry.stat.kind;
        let mut before = String::new();
        if self.has('i') {
            before += &format!("{:7} ", entry.stat.inode);
        }
        if self.has('s') {
            before += &format!("{:6} ", blocks(&entry.stat));
        }
        let sign = match kind {
            Kind::Directory if self.has('F') || self.has('p') => "/",
            Kind::Symlink if self.has('F') && !self.long => "@",
            Kind::Fifo if self.has('F') => "|",
            Kind::File if self.has('F') && mode & 0o111 != 0 => "*",
            _ => "",
        };
        let width = before.chars().count() + entry.name.chars().count() + sign.len();
        let name = self.colored(&entry.name, kind, mode);
        (format!("{before}{name}{sign}"), width)
    }

    fn colored(&self, name: &str, kind: Kind, mode: u16) -> String {
        if !self.colors {
            return name.to_owned();
        }
        let color = match kind {
            Kind::Directory => "1;34",
            Kind::Symlink => "1;36",
            Kind::Device(_) => "1;33",
            Kind::Fifo | Kind::Pipe => "0;33",
            Kind::File if mode & 0o111 != 0 => "1;32",
            Kind::File => "0;0",
        };
        format!("\x1b[{color}m{name}\x1b[m")
    }

    async fn show(&mut self, found: &[Listed]) -> Result<(), Stop> {
        let columns = !self.long && !self.has('1') && (self.ctx.is_terminal(1) || self.has('C') || self.has('x'));
        if !columns {
            for entry in found {
                let line = if self.long { self.details(entry) } else { self.decorated(entry).0 };
                self.out.line(line).await?;
            }
            return Ok(());
        }
        let screen = self
            .given
            .value('w')
            .and_then(|width| width.parse().ok())
            .or_else(|| self.ctx.size(1).ok().map(|size| usize::from(size.columns)));
        let screen = screen.filter(|width| *width > 0).unwrap_or(80);
        let cells: Vec<(String, usize)> = found.iter().map(|entry| self.decorated(entry)).collect();
        let width = cells.iter().map(|(_, width)| *width).max().unwrap_or(0) + 2;
        let per_row = (screen / width).max(1);
        let rows = cells.len().div_ceil(per_row);
        for row in 0..rows {
            let mut line = String::new();
            let mut missing = 0;
            for column in 0..per_row {
                let at = if self.has('x') { row * per_row + column } else { column * rows + row };
                let Some((text, long)) = cells.get(at) else { continue };
                line += &" ".repeat(missing);
                line += text;
                missing = width - long;
            }
            self.out.line(line).await?;
        }
        Ok(())
    }

    fn details(&self, entry: &Listed) -> String {
        let stat = &entry.stat;
        let (user, group) = if self.has('n') {
            (stat.uid.to_string(), stat.gid.to_string())
        } else {
            (self.people.user(stat.uid), self.people.group(stat.gid))
        };
        let size = match stat.kind {
            Kind::Device(device) => {
                let (major, minor) = super::stat::numbers(device);
                format!("{major:4}, {minor:3} ")
            }
            _ if self.has('h') => format!("{:>9} ", human(stat.size)),
            _ => format!("{:9} ", stat.size),
        };
        let age = self.now.as_second() - stat.modified.as_second();
        let time = if self.has('\u{1}') {
            self.clock.format(stat.modified, "%Y-%m-%d %H:%M:%S %z")
        } else if age < LONG_AGO && age > -15 * 60 {
            self.clock.format(stat.modified, "%b %e %H:%M")
        } else {
            self.clock.format(stat.modified, "%b %e  %Y")
        };
        let inode = if self.has('i') { format!("{:7} ", stat.inode) } else { String::new() };
        let own = if self.has('s') { format!("{:6} ", blocks(stat)) } else { String::new() };
        let name = self.colored(&entry.name, stat.kind, stat.mode);
        let sign = if self.has('F') && stat.kind == Kind::File && stat.mode & 0o111 != 0 {
            "*"
        } else if (self.has('F') || self.has('p')) && stat.kind == Kind::Directory {
            "/"
        } else {
            ""
        };
        let target = entry.target.as_ref().map_or(String::new(), |target| {
            let leads = self.ctx.stat(&entry.path).ok();
            format!(" -> {}", leads.map_or_else(|| target.clone(), |stat| self.colored(target, stat.kind, stat.mode)))
        });
        let letters = mode_letters(stat.kind, stat.mode);
        format!("{inode}{own}{letters:<10} {:4} {user:<8.8} {group:<8.8} {size}{time} {name}{sign}{target}", stat.links)
    }
}

/// How many kilobytes it takes on disk.
fn blocks(stat: &Stat) -> u64 {
    match stat.kind {
        Kind::File => stat.size.div_ceil(4096) * 4,
        Kind::Directory => 4,
        _ => 0,
    }
}
