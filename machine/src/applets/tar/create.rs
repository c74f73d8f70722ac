//! Making an archive.

use std::collections::BTreeMap;

use super::{
    Choice,
    header::{BLOCK, Header},
    squeeze::Sink,
};
use crate::{
    Ctx,
    applets::hand::{Follow, Found, Given, Input, Outcome, People, Stop, Visit, Walk, complain, fail},
    files::{Kind, Open},
};

struct Maker<'a> {
    ctx: &'a Ctx,
    given: &'a Given,
    people: People,
    sink: Sink,
    /// The archive itself, which is not put into itself.
    own: Option<(u64, u64)>,
    /// Names under which files of several names were first put in.
    links: BTreeMap<(u64, u64), String>,
    to_stdout: bool,
    told_of_slash: bool,
    failed: bool,
}

/// Makes an archive of what is named.
pub(super) async fn run(ctx: &Ctx, given: &Given, names: Vec<String>, choice: &Choice) -> Outcome {
    if names.is_empty() {
        return Err(fail(ctx, "empty archive").await);
    }
    let file = given.value('f').unwrap_or("-");
    let to_stdout = file == "-";
    let fd = if to_stdout {
        1
    } else {
        match ctx.open(file, Open::WRITE).await {
            Ok(fd) => fd,
            Err(errno) => return Err(fail(ctx, format!("can't open '{file}': {errno}")).await),
        }
    };
    if let Some(folder) = given.value('C')
        && let Err(errno) = ctx.chdir(folder)
    {
        return Err(fail(ctx, format!("can't change directory to '{folder}': {errno}")).await);
    }
    let own = ctx.fstat(fd).ok().filter(|stat| stat.kind == Kind::File).map(|stat| (stat.device, stat.inode));
    let gzip = given.has('z') || given.has('a') && (file.ends_with("gz"));
    let people = People::read(ctx).await;
    let mut maker = Maker {
        ctx,
        given,
        people,
        sink: Sink::new(ctx, fd, gzip),
        own,
        links: BTreeMap::new(),
        to_stdout,
        told_of_slash: false,
        failed: false,
    };
    for name in names {
        maker.all(&name, choice).await?;
    }
    // Two empty blocks, and as many as fill a record.
    maker.sink.put(&[0; 2 * BLOCK]).await.map_err(Stop::Output)?;
    let failed = maker.failed;
    maker.sink.finish().await.map_err(Stop::Output)?;
    if failed {
        complain(ctx, "error exit delayed from previous errors").await;
    }
    Ok(i32::from(failed))
}

impl Maker<'_> {
    async fn all(&mut self, name: &str, choice: &Choice) -> Result<(), Stop> {
        let name = if name.len() > 1 { name.trim_end_matches('/') } else { name };
        let mut walk =
            Walk::new(self.ctx, if name.is_empty() { "/" } else { name }, if self.given.has('h') { Follow::Always } else { Follow::Never });
        while let Some(visit) = walk.next().await {
            match visit {
                Visit::Before(found) => {
                    if !choice.takes(found.path.trim_start_matches('/')) {
                        walk.skip();
                        continue;
                    }
                    if self.own != Some((found.stat.device, found.stat.inode)) {
                        self.one(&found).await?;
                    }
                }
                Visit::After(_) => {}
                Visit::Lost(path, errno) => self.trouble(format!("{path}: {errno}")).await,
                Visit::Closed(found, errno) => self.trouble(format!("can't open '{}': {errno}", found.path)).await,
            }
        }
        Ok(())
    }

    async fn trouble(&mut self, text: String) {
        complain(self.ctx, text).await;
        self.failed = true;
    }

    async fn one(&mut self, found: &Found) -> Result<(), Stop> {
        let stat = &found.stat;
        let mut name = found.path.trim_start_matches('/').to_owned();
        if name.len() != found.path.len() && !self.told_of_slash {
            complain(self.ctx, "removing leading '/' from member names").await;
            self.told_of_slash = true;
        }
        if name.is_empty() {
            return Ok(());
        }
        let linked = self.links.get(&(stat.device, stat.inode)).cloned();
        let (kind, target) = match stat.kind {
            Kind::File if linked.is_some() => (b'1', linked.unwrap_or_default()),
            Kind::File => (b'0', String::new()),
            Kind::Directory => {
                name.push('/');
                (b'5', String::new())
            }
            Kind::Symlink => (b'2', self.ctx.readlink(&found.path).unwrap_or_default()),
            Kind::Device(_) => (b'3', String::new()),
            Kind::Fifo | Kind::Pipe => (b'6', String::new()),
        };
        let mut input = None;
        if kind == b'0' {
            match Input::open(self.ctx, &format!("{}{}", if found.path == "-" { "./" } else { "" }, found.path)).await {
                Ok(opened) => input = Some(opened),
                Err(errno) => {
                    self.trouble(format!("can't open '{}': {errno}", found.path)).await;
                    return Ok(());
                }
            }
            if stat.links > 1 {
                self.links.insert((stat.device, stat.inode), name.clone());
            }
        }
        if self.given.has('v') {
            let line = format!("{name}\n");
            if self.to_stdout { self.ctx.err(line).await } else { self.ctx.out(line).await.map_err(Stop::Output)? }
        }
        let header = Header {
            name,
            mode: u32::from(stat.mode),
            uid: stat.uid,
            gid: stat.gid,
            size: if kind == b'0' { stat.size } else { 0 },
            modified: stat.modified.as_second(),
            kind,
            target,
            user: self.people.user_name(stat.uid).unwrap_or_default().to_owned(),
            group: self.people.group_name(stat.gid).unwrap_or_default().to_owned(),
        };
        self.sink.put(&header.write()).await.map_err(Stop::Output)?;
        if let Some(input) = &mut input {
            self.content(input, stat.size).await?;
        }
        Ok(())
    }

    /// Exactly as many bytes as were announced, whatever becomes of the file meanwhile.
    async fn content(&mut self, input: &mut Input, size: u64) -> Result<(), Stop> {
        let mut left = size;
        while left > 0 {
            let mut piece = input.piece(usize::try_from(left).unwrap_or(usize::MAX)).await.map_err(Stop::Input)?;
            if piece.is_empty() {
                piece = vec![0; usize::try_from(left).unwrap_or(usize::MAX).min(64 << 10)];
            }
            left -= piece.len() as u64;
            self.sink.put(&piece).await.map_err(Stop::Output)?;
        }
        let used = usize::try_from(size % BLOCK as u64).unwrap_or(0);
        let padding = if used == 0 { 0 } else { BLOCK - used };
        self.sink.put(&vec![0; padding]).await.map_err(Stop::Output)
    }
}
