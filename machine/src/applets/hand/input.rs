//! Reading a file, or standard input, in pieces or by lines, never as a whole.

use crate::{
    Ctx, Errno,
    files::Open,
    kernel::{Fd, Memory},
};

/// How much is read at once.
const PIECE: usize = 16 << 10;
/// In what steps a long line is accounted.
const ACCOUNTED: usize = 64 << 10;

/// An open file that is read from its beginning to its end.
#[derive(Debug)]
pub(crate) struct Input {
    ctx: Ctx,
    fd: Fd,
    ours: bool,
    buffer: Vec<u8>,
    at: usize,
    memory: Vec<Memory>,
    /// What lines cost that is not accounted yet, in quarters of a step.
    owed: u32,
}

impl Input {
    /// Opens a file; `-` is standard input.
    pub(crate) async fn open(ctx: &Ctx, file: &str) -> Result<Self, Errno> {
        let ours = file != "-";
        let fd = if ours { ctx.open(file, Open::READ).await? } else { 0 };
        Ok(Self { ctx: ctx.clone(), fd, ours, buffer: Vec::new(), at: 0, memory: Vec::new(), owed: 0 })
    }

    /// Takes over a descriptor, which it closes.
    pub(crate) fn own(ctx: &Ctx, fd: Fd) -> Self {
        Self { ctx: ctx.clone(), fd, ours: true, buffer: Vec::new(), at: 0, memory: Vec::new(), owed: 0 }
    }

    /// Its descriptor.
    pub(crate) fn fd(&self) -> Fd {
        self.fd
    }

    /// Some bytes, at most `most`; none: the end.
    pub(crate) async fn piece(&mut self, most: usize) -> Result<Vec<u8>, Errno> {
        if self.at < self.buffer.len() {
            let end = self.buffer.len().min(self.at.saturating_add(most));
            let piece = self.buffer[self.at..end].to_vec();
            self.at = end;
            return Ok(piece);
        }
        self.ctx.read(self.fd, most.min(PIECE)).await
    }

    /// Accounts that each of so many bytes was looked at.
    pub(crate) async fn looked_at(&self, bytes: usize) {
        self.ctx.step(1 + u32::try_from(bytes / 256).unwrap_or(u32::MAX)).await;
    }

    /// Exactly so many bytes; fewer: the end.
    pub(crate) async fn exactly(&mut self, count: usize) -> Result<Vec<u8>, Errno> {
        let mut bytes = Vec::new();
        while bytes.len() < count {
            let piece = self.piece(count - bytes.len()).await?;
            if piece.is_empty() {
                break;
            }
            bytes.extend(piece);
        }
        Ok(bytes)
    }

    /// The next line with its end, which the last may lack.
    pub(crate) async fn line(&mut self) -> Result<Option<Vec<u8>>, Errno> {
        self.until(b'\n').await
    }

    /// The same with another byte that ends lines.
    pub(crate) async fn until(&mut self, end: u8) -> Result<Option<Vec<u8>>, Errno> {
        let mut searched = self.at;
        loop {
            if let Some(found) = self.buffer[searched..].iter().position(|byte| *byte == end) {
                let line = self.buffer[self.at..=searched + found].to_vec();
                self.at = searched + found + 1;
                self.owed += 1 + u32::try_from(line.len() / 256).unwrap_or(u32::MAX / 2);
                if self.owed >= 4 {
                    self.ctx.step(self.owed / 4).await;
                    self.owed %= 4;
                }
                return Ok(Some(line));
            }
            if self.at > 0 {
                self.buffer.drain(..self.at);
                self.at = 0;
            }
            searched = self.buffer.len();
            if searched / ACCOUNTED > self.memory.len() {
                self.memory.push(self.ctx.allocate(ACCOUNTED as u64)?);
            }
            let piece = self.ctx.read(self.fd, PIECE).await?;
            if piece.is_empty() {
                let rest = std::mem::take(&mut self.buffer);
                return Ok(Some(rest).filter(|rest| !rest.is_empty()));
            }
            self.buffer.extend(piece);
        }
    }
}

/// Opens a file; if that fails, says why as most programs do (`name: file: why`), or with `can't open 'file'`.
pub(crate) async fn open_or_complain(ctx: &Ctx, file: &str, cannot_open: bool) -> Option<Input> {
    match Input::open(ctx, file).await {
        Ok(input) => Some(input),
        Err(errno) if cannot_open => {
            super::complain(ctx, format!("can't open '{file}': {errno}")).await;
            None
        }
        Err(errno) => {
            super::complain(ctx, format!("{file}: {errno}")).await;
            None
        }
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        if self.ours {
            let _ = self.ctx.close(self.fd);
        }
    }
}
