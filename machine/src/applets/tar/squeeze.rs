//! gzip on the way to and from a descriptor, in pieces.

use std::io::Write;

use flate2::{Compression, write::GzEncoder, write::MultiGzDecoder};

use crate::{Ctx, Errno, applets::hand::Input, kernel::Fd};

/// The most that is taken out of one piece that came: more is a bomb, and is accounted as work.
const STEP: usize = 4096;

/// Where an archive goes.
pub(super) struct Sink {
    ctx: Ctx,
    fd: Fd,
    squeezed: Option<GzEncoder<Vec<u8>>>,
    plain: Vec<u8>,
}

impl Sink {
    pub(super) fn new(ctx: &Ctx, fd: Fd, gzip: bool) -> Self {
        let squeezed = gzip.then(|| GzEncoder::new(Vec::new(), Compression::default()));
        Self { ctx: ctx.clone(), fd, squeezed, plain: Vec::new() }
    }

    pub(super) async fn put(&mut self, bytes: &[u8]) -> Result<(), Errno> {
        let ready = match &mut self.squeezed {
            Some(encoder) => {
                encoder.write_all(bytes)?;
                std::mem::take(encoder.get_mut())
            }
            None => {
                self.plain.extend_from_slice(bytes);
                if self.plain.len() < 10 << 10 { Vec::new() } else { std::mem::take(&mut self.plain) }
            }
        };
        self.ctx.step(1 + u32::try_from(bytes.len() / STEP).unwrap_or(0)).await;
        self.ctx.write_all(self.fd, &ready).await
    }

    pub(super) async fn finish(mut self) -> Result<(), Errno> {
        let rest = match self.squeezed.take() {
            Some(encoder) => encoder.finish()?,
            None => std::mem::take(&mut self.plain),
        };
        self.ctx.write_all(self.fd, &rest).await
    }
}

/// Where an archive comes from.
pub(super) struct Source {
    ctx: Ctx,
    input: Input,
    decoder: Option<MultiGzDecoder<Vec<u8>>>,
    ready: Vec<u8>,
    at: usize,
    begun: bool,
    ended: bool,
}

impl Source {
    /// gzip is noticed by its first bytes.
    pub(super) fn new(ctx: &Ctx, input: Input) -> Self {
        Self { ctx: ctx.clone(), input, decoder: None, ready: Vec::new(), at: 0, begun: false, ended: false }
    }

    /// Gets more; whether there is more.
    async fn fill(&mut self) -> Result<bool, Errno> {
        while !self.ended && self.at == self.ready.len() {
            self.at = 0;
            let mut piece = self.input.piece(STEP).await?;
            if !self.begun {
                while piece.len() < 2 {
                    let more = self.input.piece(STEP).await?;
                    if more.is_empty() {
                        break;
                    }
                    piece.extend(more);
                }
                self.begun = true;
                if piece.starts_with(&[0x1f, 0x8b]) {
                    self.decoder = Some(MultiGzDecoder::new(Vec::new()));
                }
            }
            self.ended = piece.is_empty();
            self.ready = match &mut self.decoder {
                Some(decoder) => {
                    if self.ended {
                        decoder.try_finish()?;
                    } else {
                        decoder.write_all(&piece)?;
                    }
                    std::mem::take(decoder.get_mut())
                }
                None => piece,
            };
            self.ctx.step(1 + u32::try_from(self.ready.len() / STEP).unwrap_or(0)).await;
        }
        Ok(self.at < self.ready.len())
    }

    /// Some bytes, at most `most`; none: the end.
    pub(super) async fn some(&mut self, most: usize) -> Result<Vec<u8>, Errno> {
        if most == 0 || !self.fill().await? {
            return Ok(Vec::new());
        }
        let end = self.ready.len().min(self.at + most);
        let bytes = self.ready[self.at..end].to_vec();
        self.at = end;
        Ok(bytes)
    }

    /// Exactly so many; fewer: the end.
    pub(super) async fn exactly(&mut self, count: usize) -> Result<Vec<u8>, Errno> {
        let mut bytes = Vec::new();
        while bytes.len() < count {
            let more = self.some(count - bytes.len()).await?;
            if more.is_empty() {
                break;
            }
            bytes.extend(more);
        }
        Ok(bytes)
    }
}
