//! A peer that takes nothing of what it is sent does not hold what it is sent for ever.
//!
//! Writing to a peer that does not read waits, and with it waits all that is still to be written: a large answer, the objects a
//! watch began with. Who takes nothing for so long is given up. Streams that nobody can take up again are spared: somebody may
//! just have stopped a terminal.

use std::{
    future::Future,
    io::{self, IoSlice},
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep},
};

use super::account::Caller;

/// A connection whose peer must take something now and then.
pub(super) struct Impatient<S> {
    stream: S,
    caller: Arc<Caller>,
    patience: Duration,
    /// When patience ends; kept, as making one takes time.
    end: Pin<Box<Sleep>>,
    waiting: bool,
}

impl<S> Impatient<S> {
    /// Gives up a peer that takes nothing for as long as `patience`.
    pub(super) fn new(stream: S, caller: Arc<Caller>, patience: Duration) -> Self {
        Self { stream, caller, patience, end: Box::pin(tokio::time::sleep(patience)), waiting: false }
    }

    /// What to make of a write that had this result.
    fn judge<T>(&mut self, written: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.waiting = false;
            return written;
        }
        if !std::mem::replace(&mut self.waiting, true) {
            self.end.as_mut().reset(Instant::now() + self.patience);
        }
        while self.end.as_mut().poll(context).is_ready() {
            if self.caller.tunnels.load(Ordering::Relaxed) == 0 {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            self.end.as_mut().reset(Instant::now() + self.patience);
        }
        Poll::Pending
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Impatient<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Impatient<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.judge(written, context)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.judge(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

    fn pair() -> (Impatient<tokio::io::DuplexStream>, tokio::io::DuplexStream, Arc<Caller>) {
        let (ours, theirs) = tokio::io::duplex(8);
        let caller = Arc::new(Caller::new(IpAddr::from([127, 0, 0, 1])));
        (Impatient::new(ours, caller.clone(), PATIENCE), theirs, caller)
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_nothing_is_given_up() {
        let (mut ours, _theirs, _) = pair();
        let began = Instant::now();
        let error = ours.write_all(&[0; 9]).await.unwrap_err();
        assert_eq!((error.kind(), began.elapsed().as_secs()), (io::ErrorKind::TimedOut, 60));
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_a_little_now_and_then_is_not() {
        let (mut ours, mut theirs, _) = pair();
        let reads = async {
            for _ in 0..20 {
                tokio::time::sleep(PATIENCE / 2).await;
                theirs.read_exact(&mut [0; 4]).await.unwrap();
            }
        };
        let (written, ()) = tokio::join!(ours.write_all(&[0; 80]), reads);
        written.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_cannot_be_taken_up_again_is_spared() {
        let (mut ours, _theirs, caller) = pair();
        caller.tunnels.store(1, Ordering::Relaxed);
        let waited = tokio::time::timeout(PATIENCE * 10, ours.write_all(&[0; 9])).await;
        assert!(waited.is_err(), "it was given up");
    }
}
