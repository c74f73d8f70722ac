//! Writing to standard output as stdio does: by lines to a terminal, else in blocks.

use super::Stop;
use crate::{Ctx, kernel::Fd};

/// How much is gathered; a pipe takes as much in one piece.
const BLOCK: usize = 4096;

/// Text on its way to a descriptor. What has not been flushed when it is dropped is lost, as when a process is killed.
#[derive(Debug)]
pub(crate) struct Out {
    ctx: Ctx,
    fd: Fd,
    by_line: bool,
    buffer: Vec<u8>,
}

impl Out {
    /// Standard output.
    pub(crate) fn new(ctx: &Ctx) -> Self {
        Self::to(ctx, 1)
    }

    /// A descriptor.
    pub(crate) fn to(ctx: &Ctx, fd: Fd) -> Self {
        Self { ctx: ctx.clone(), fd, by_line: ctx.is_terminal(fd), buffer: Vec::new() }
    }

    /// Writes.
    pub(crate) async fn put(&mut self, bytes: impl AsRef<[u8]>) -> Result<(), Stop> {
        self.buffer.extend_from_slice(bytes.as_ref());
        if self.buffer.len() >= BLOCK || self.by_line && self.buffer.contains(&b'\n') { self.flush().await } else { Ok(()) }
    }

    /// Writes a line.
    pub(crate) async fn line(&mut self, line: impl AsRef<[u8]>) -> Result<(), Stop> {
        self.buffer.extend_from_slice(line.as_ref());
        self.put(b"\n").await
    }

    /// Writes what was gathered.
    pub(crate) async fn flush(&mut self) -> Result<(), Stop> {
        let buffer = std::mem::take(&mut self.buffer);
        if buffer.is_empty() {
            return Ok(());
        }
        self.ctx.write_all(self.fd, &buffer).await.map_err(Stop::Output)
    }

    /// Writes what was gathered, and answers an exit code.
    pub(crate) async fn end(&mut self, code: i32) -> super::Outcome {
        self.flush().await?;
        Ok(code)
    }
}
