//! Taking an archive apart, or telling what is in it.

use jiff::Timestamp;

use super::{
    Choice,
    header::{BLOCK, Bad, Header, pax},
    squeeze::Source,
};
use crate::{
    Ctx, Errno,
    applets::hand::{Clock, Given, Input, Outcome, Stop, complain, fail, mode_letters, parent},
    files::{Kind, Mode, Open},
};

/// The most that is read about a member.
const MOST: u64 = 64 << 10;

struct Taker<'a> {
    ctx: &'a Ctx,
    given: &'a Given,
    source: Source,
    told_of: String,
    /// Directories get their modes and times at last.
    directories: Vec<Header>,
    failed: bool,
}

/// Takes apart, or lists, what `-f` names.
pub(super) async fn run(ctx: &Ctx, given: &Given, choice: &Choice) -> Outcome {
    let file = given.value('f').unwrap_or("-");
    let input = match Input::open(ctx, file).await {
        Ok(input) => input,
        Err(errno) => return Err(fail(ctx, format!("can't open '{file}': {errno}")).await),
    };
    if let Some(folder) = given.value('C')
        && let Err(errno) = ctx.chdir(folder)
    {
        return Err(fail(ctx, format!("can't change directory to '{folder}': {errno}")).await);
    }
    let mut taker = Taker { ctx, given, source: Source::new(ctx, input), told_of: String::new(), directories: Vec::new(), failed: false };
    while let Some(header) = taker.next().await? {
        taker.member(header, choice).await?;
    }
    taker.finish().await;
    Ok(i32::from(taker.failed))
}

impl Taker<'_> {
    async fn broken(&self) -> Stop {
        fail(self.ctx, "short read").await
    }

    /// The next member, with what was said about it before it.
    async fn next(&mut self) -> Result<Option<Header>, Stop> {
        let (mut name, mut target) = (None, None);
        loop {
            let block = match self.source.exactly(BLOCK).await {
                Ok(block) => block,
                Err(_) => return Err(fail(self.ctx, "corrupted data").await),
            };
            if block.is_empty() {
                return Ok(None);
            }
            if block.len() < BLOCK {
                return Err(self.broken().await);
            }
            let mut header = match Header::read(&block) {
                Ok(header) => header,
                Err(Bad::Empty) => return Ok(None),
                Err(Bad::Magic) => return Err(fail(self.ctx, "invalid tar magic").await),
                Err(Bad::Checksum) => return Err(fail(self.ctx, "invalid tar header checksum").await),
            };
            match header.kind {
                b'L' | b'K' | b'x' | b'g' => {
                    let bytes = self.about(header.size).await?;
                    let text = || String::from_utf8_lossy(&bytes).trim_end_matches('\0').to_owned();
                    match header.kind {
                        b'L' => name = Some(text()),
                        b'K' => target = Some(text()),
                        b'x' => {
                            for (key, value) in pax(&bytes) {
                                match key.as_str() {
                                    "path" => name = Some(value),
                                    "linkpath" => target = Some(value),
                                    _ => {}
                                }
                            }
                        }
                        _ => {}
                    }
                }
                _ => {
                    if let Some(name) = name {
                        header.name = name;
                    }
                    if let Some(target) = target {
                        header.target = target;
                    }
                    return Ok(Some(header));
                }
            }
        }
    }

    async fn about(&mut self, size: u64) -> Result<Vec<u8>, Stop> {
        if size > MOST {
            return Err(fail(self.ctx, "invalid tar header").await);
        }
        let size = usize::try_from(size).unwrap_or(0);
        let mut bytes = self.source.exactly(size.next_multiple_of(BLOCK)).await.map_err(Stop::Input)?;
        bytes.truncate(size);
        Ok(bytes)
    }

    /// A name without what leads out of here.
    async fn safe(&mut self, name: &str) -> String {
        let mut rest = name;
        for (at, c) in name.char_indices() {
            // Everything through the last `../` and the first slashes goes.
            if c == '/' && (at == 0 || name[..at].ends_with("..") && (at == 2 || name[..at - 2].ends_with('/'))) {
                rest = &name[at + 1..];
            }
        }
        rest = rest.trim_start_matches('/');
        let prefix = &name[..name.len() - rest.len()];
        if !prefix.is_empty() && self.told_of != prefix {
            complain(self.ctx, format!("removing leading '{prefix}' from member names")).await;
            prefix.clone_into(&mut self.told_of);
        }
        if rest == ".." { String::new() } else { rest.to_owned() }
    }

    async fn member(&mut self, mut header: Header, choice: &Choice) -> Result<(), Stop> {
        let padded = header.size.next_multiple_of(BLOCK as u64);
        header.name = self.safe(&header.name).await;
        if let Some(count) = self.given.value('S').and_then(|count| count.parse::<usize>().ok()) {
            let stripped: Vec<&str> = header.name.splitn(count + 1, '/').collect();
            header.name = if stripped.len() > count { stripped[count].to_owned() } else { String::new() };
        }
        if header.name.trim_end_matches('/').is_empty() || !choice.takes(&header.name) {
            return self.skip(padded).await;
        }
        let verbose = self.given.has('v');
        if self.given.has('t') {
            let line = if verbose { self.line(&header) } else { header.name.clone() };
            self.ctx.out(format!("{line}\n")).await.map_err(Stop::Output)?;
            return self.skip(padded).await;
        }
        if verbose {
            let line = format!("{}\n", header.name);
            if self.given.has('O') { self.ctx.err(line).await } else { self.ctx.out(line).await.map_err(Stop::Output)? }
        }
        if self.given.has('O') {
            if header.kind == b'0' {
                self.pour(1, header.size).await?;
                return self.skip(padded - header.size).await;
            }
            return self.skip(padded).await;
        }
        self.make(header, padded).await
    }

    async fn make(&mut self, header: Header, padded: u64) -> Result<(), Stop> {
        let name = header.name.trim_end_matches('/').to_owned();
        self.parents(&name);
        if header.kind != b'5' {
            let there = self.ctx.lstat(&name).ok();
            if there.is_some() && self.given.has('k') {
                return self.skip(padded).await;
            }
            if there.is_some_and(|stat| stat.kind != Kind::Directory) && self.ctx.unlink(&name).is_err() {
                return Err(fail(self.ctx, format!("can't remove old file {name}")).await);
            }
        }
        let made = match header.kind {
            b'5' => match self.ctx.mkdir(&name, (header.mode | 0o700) as Mode & 0o7777) {
                Err(Errno::EEXIST) if self.ctx.stat(&name).is_ok_and(|stat| stat.kind == Kind::Directory) => Ok(()),
                made => made,
            },
            b'1' => {
                let target = self.safe(&header.target).await;
                self.ctx.link(&target, &name)
            }
            b'2' => self.ctx.symlink(&header.target, &name),
            b'6' => self.ctx.mkfifo(&name, header.mode as Mode),
            b'0' => {
                let open = Open { create: Some(header.mode as Mode & 0o777), ..Open::WRITE };
                let fd = match self.ctx.open(&name, open).await {
                    Ok(fd) => fd,
                    Err(errno) => return Err(fail(self.ctx, format!("can't open '{name}': {errno}")).await),
                };
                self.pour(fd, header.size).await?;
                let _ = self.ctx.close(fd);
                self.skip(padded - header.size).await?;
                self.attributes(&header, &name);
                return Ok(());
            }
            _ => Err(Errno::EPERM),
        };
        match made {
            Ok(()) if header.kind == b'5' => self.directories.push(header.clone()),
            Ok(()) => {}
            Err(errno) => {
                complain(self.ctx, format!("can't create '{name}': {errno}")).await;
                self.failed = true;
            }
        }
        self.skip(padded).await
    }

    fn parents(&self, name: &str) {
        let above = parent(name);
        let mut ends: Vec<usize> = above.match_indices('/').map(|(at, _)| at).filter(|at| *at > 0).collect();
        ends.push(above.len());
        for end in ends {
            // What cannot be made will be missed by what is to be put there.
            let _ = self.ctx.mkdir(&above[..end], 0o777);
        }
    }

    fn attributes(&self, header: &Header, name: &str) {
        let mut mode = header.mode as Mode;
        if !self.given.has('o') && self.ctx.credentials().uid == 0 {
            // Whoever is not user 0 owns what it makes, and that is that.
            let _ = self.ctx.chown(name, Some(header.uid), Some(header.gid), false);
        } else {
            mode &= !self.ctx.umask();
        }
        let _ = self.ctx.chmod(name, mode);
        if !self.given.has('m')
            && let Ok(time) = Timestamp::from_second(header.modified)
        {
            let _ = self.ctx.touch(name, time);
        }
    }

    async fn finish(&mut self) {
        for header in std::mem::take(&mut self.directories).into_iter().rev() {
            self.attributes(&header, header.name.trim_end_matches('/'));
        }
    }

    async fn pour(&mut self, fd: crate::kernel::Fd, size: u64) -> Result<(), Stop> {
        let mut left = size;
        while left > 0 {
            let piece = self.source.some(usize::try_from(left).unwrap_or(usize::MAX).min(64 << 10)).await.map_err(Stop::Input)?;
            if piece.is_empty() {
                return Err(self.broken().await);
            }
            left -= piece.len() as u64;
            self.ctx.write_all(fd, &piece).await.map_err(Stop::Output)?;
        }
        Ok(())
    }

    async fn skip(&mut self, count: u64) -> Result<(), Stop> {
        let mut left = count;
        while left > 0 {
            let piece = self.source.some(usize::try_from(left).unwrap_or(usize::MAX).min(64 << 10)).await.map_err(Stop::Input)?;
            if piece.is_empty() {
                return Err(self.broken().await);
            }
            left -= piece.len() as u64;
        }
        Ok(())
    }

    fn line(&self, header: &Header) -> String {
        let kind = match header.kind {
            b'5' => Kind::Directory,
            b'2' => Kind::Symlink,
            b'6' => Kind::Fifo,
            _ => Kind::File,
        };
        let time = Timestamp::from_second(header.modified).unwrap_or_default();
        let name_or = |name: &str, number: u32| if name.is_empty() { number.to_string() } else { name.to_owned() };
        let target = match header.kind {
            b'2' => format!(" -> {}", header.target),
            b'1' => format!(" link to {}", header.target),
            _ => String::new(),
        };
        format!(
            "{} {}/{} {:9} {} {}{target}",
            mode_letters(kind, header.mode as Mode),
            name_or(&header.user, header.uid),
            name_or(&header.group, header.gid),
            header.size,
            Clock::of(self.ctx).format(time, "%Y-%m-%d %H:%M:%S"),
            header.name
        )
    }
}
