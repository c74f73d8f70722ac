//! Calls about time, work and memory.

use std::{
    future::{Future, pending, poll_fn},
    pin::{Pin, pin},
    sync::atomic::Ordering,
    task::{Context, Poll},
    time::Duration,
};

use futures::future::{BoxFuture, Either, select};

use crate::{
    Ctx, Errno,
    kernel::{Memory, process::Process},
};

/// Where the stack is made longer: if less than this is left.
const LEAST_STACK: usize = 256 << 10;
/// By how much.
const MORE_STACK: usize = 2 << 20;

/// How many zeros are written in a step.
const ZEROS_A_STEP: u64 = 16 << 10;

/// Time, work and memory.
impl Ctx {
    /// Waits. EINTR: a caught signal came.
    pub async fn sleep(&self, time: Duration) -> Result<(), Errno> {
        self.step(1).await;
        match select(pin!(tokio::time::sleep(time)), pin!(self.signalled())).await {
            Either::Left(_) => Ok(()),
            Either::Right(_) => Err(Errno::EINTR),
        }
    }

    /// Accounts work: a loop that calls nothing else of this must call it each time, or nobody else runs.
    /// A step stands for about a microsecond of real work; every call here accounts its own.
    pub async fn step(&self, steps: u32) {
        let mut gives_way = self.process.spend(steps);
        poll_fn(|cx| {
            if std::mem::take(&mut gives_way) {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            // Who is dead goes no further: its future is about to be dropped.
            if self.process.is_dead() { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
    }

    /// Accounts work of a call that does not wait; the next that does gives way for it.
    pub(crate) fn charge_steps(&self, steps: u32) {
        self.process.owe(steps);
    }

    /// Accounts the work of filling with zeros.
    pub(crate) fn charge_zeros(&self, bytes: u64) {
        let most = self.core().view.root().space().bytes;
        self.charge_steps(u32::try_from(bytes.min(most) / ZEROS_A_STEP).unwrap_or(u32::MAX));
    }

    /// Takes memory that is really held. ENOMEM: the process has just been killed for it.
    pub fn allocate(&self, bytes: u64) -> Result<Memory, Errno> {
        self.hold(bytes, true)
    }

    /// Takes memory that is only pretended, as `stress` does.
    pub fn pretend(&self, bytes: u64) -> Result<Memory, Errno> {
        self.hold(bytes, false)
    }

    fn hold(&self, bytes: u64, real: bool) -> Result<Memory, Errno> {
        self.core().charge(&self.process, bytes, real)?;
        Ok(Memory { process: self.process.clone(), bytes, real })
    }

    /// Runs a future one level deeper, on more stack if need be, with its size accounted. ENOMEM: too deep, or the process has been killed for it.
    pub async fn deeper<T: Send>(&self, inner: BoxFuture<'_, T>) -> Result<T, Errno> {
        self.step(1).await;
        let level = Level { process: &self.process };
        if self.process.depth.fetch_add(1, Ordering::Relaxed) >= self.core().budget.limits.depth {
            return Err(Errno::ENOMEM);
        }
        let held = self.allocate(size_of_val::<dyn Future<Output = T> + Send>(&*inner) as u64)?;
        let done = Deep { inner: Some(inner) }.await;
        drop((level, held));
        Ok(done)
    }

    /// Never ends; for who only serves.
    pub async fn idle(&self) {
        pending().await
    }
}

/// One level of depth, until dropped.
struct Level<'a> {
    process: &'a Process,
}

impl Drop for Level<'_> {
    fn drop(&mut self) {
        self.process.depth.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A future that is polled and dropped on as much stack as it needs.
struct Deep<'a, T> {
    inner: Option<BoxFuture<'a, T>>,
}

/// A future that nests others, on as much stack as it needs. How deep it may be is for whoever nests to say: see [`Ctx::deeper`].
pub(crate) fn on_enough_stack<'a, T: Send + 'a>(inner: BoxFuture<'a, T>) -> BoxFuture<'a, T> {
    Box::pin(Deep { inner: Some(inner) })
}

impl<T> Future for Deep<'_, T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let Some(inner) = &mut self.inner else { return Poll::Pending };
        stacker::maybe_grow(LEAST_STACK, MORE_STACK, || inner.as_mut().poll(cx))
    }
}

impl<T> Drop for Deep<'_, T> {
    fn drop(&mut self) {
        let inner = self.inner.take();
        stacker::maybe_grow(LEAST_STACK, MORE_STACK, || drop(inner));
    }
}
