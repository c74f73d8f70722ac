//! The one task of a container, which polls its processes while there are any with a program.

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use futures::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::{
    Status,
    core::Core,
    process::{Next, Process},
};
use crate::Signal;

/// How many futures may end one after the other before others of the whole program run.
const MOST_ENDS: u32 = 32;

/// What waits to be polled, and whether somebody polls.
#[derive(Default)]
pub(crate) struct Runner(Mutex<State>);

#[derive(Default)]
struct State {
    running: bool,
    new: Vec<Work>,
    waker: Option<Waker>,
}

/// Something that the task of a container polls.
enum Work {
    Thread(Thread),
    /// What carries bytes between a terminal and its owner.
    Carrier(BoxFuture<'static, ()>),
}

/// A future of a process: its program, or a part of it.
struct Thread {
    process: Arc<Process>,
    /// Whether the process ends with it.
    is_program: bool,
    future: Option<BoxFuture<'static, i32>>,
}

impl Core {
    /// Runs a process's program.
    pub(crate) fn run_program(self: &Arc<Self>, process: &Arc<Process>, future: BoxFuture<'static, i32>) {
        self.run(Work::Thread(Thread { process: process.clone(), is_program: true, future: Some(future) }));
    }

    /// Runs something beside a process's program, that goes with it.
    pub(crate) fn run_beside(self: &Arc<Self>, process: &Arc<Process>, future: BoxFuture<'static, ()>) {
        let future: BoxFuture<'static, i32> = Box::pin(async move {
            future.await;
            0
        });
        self.run(Work::Thread(Thread { process: process.clone(), is_program: false, future: Some(future) }));
    }

    /// Runs what carries a terminal's bytes.
    pub(crate) fn run_carrier(self: &Arc<Self>, future: BoxFuture<'static, ()>) {
        self.run(Work::Carrier(future));
    }

    fn run(self: &Arc<Self>, work: Work) {
        let mut state = self.runner.0.lock();
        state.new.push(work);
        if state.running {
            let waker = state.waker.take();
            drop(state);
            waker.into_iter().for_each(Waker::wake);
            return;
        }
        state.running = true;
        drop(state);
        (self.sandbox.machine.spawn)("container", Box::pin(drive(self.clone())));
    }

    /// Takes what is new; whether there is nothing at all to do any more, and so the task shall end.
    fn take_new(&self, into: &FuturesUnordered<Work>, waker: &Waker) -> bool {
        let mut state = self.runner.0.lock();
        state.waker = Some(waker.clone());
        state.new.drain(..).for_each(|work| into.push(work));
        if into.is_empty() {
            state.running = false;
            state.waker = None;
            // What a burst needed is not kept.
            state.new = Vec::new();
        }
        into.is_empty()
    }
}

/// What has become of one look at the futures.
enum Round {
    /// There is no future any more.
    Over,
    /// One has ended.
    Ended,
    /// There are no steps left.
    Spent,
}

async fn drive(core: Arc<Core>) {
    let mut work = FuturesUnordered::new();
    let mut ends = 0;
    loop {
        if let Some(wait) = core.budget.refill(Instant::now()) {
            tokio::time::sleep(wait).await;
            continue;
        }
        let round = std::future::poll_fn(|cx| {
            if core.take_new(&work, cx.waker()) {
                return Poll::Ready(Round::Over);
            }
            core.budget.refill(Instant::now());
            match work.poll_next_unpin(cx) {
                Poll::Ready(_) => Poll::Ready(Round::Ended),
                Poll::Pending if !core.budget.has_steps() => Poll::Ready(Round::Spent),
                Poll::Pending => Poll::Pending,
            }
        });
        match round.await {
            Round::Over => return,
            Round::Ended => ends += 1,
            Round::Spent => {}
        }
        if ends >= MOST_ENDS {
            ends = 0;
            tokio::task::yield_now().await;
        }
    }
}

impl Future for Work {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match self.get_mut() {
            Self::Thread(thread) => thread.poll(cx),
            Self::Carrier(future) => future.as_mut().poll(cx),
        }
    }
}

impl Thread {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            // First the waker and then the look, or a signal in between would be missed.
            self.process.wakers.add(cx.waker());
            if self.process.is_dead() {
                self.future = None;
                return Poll::Ready(());
            }
            if self.process.is_stopped() {
                return Poll::Pending;
            }
            let Some(future) = &mut self.future else { return Poll::Ready(()) };
            // A program that panics is one that crashes. Others, and the whole, go on.
            let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx)));
            let next = if self.is_program { self.process.next.lock().take() } else { None };
            match (polled, next) {
                (Ok(Poll::Pending), None) if self.process.is_dead() => {}
                (Ok(Poll::Pending), None) => return Poll::Pending,
                (Ok(Poll::Pending), Some(Next::Program(program))) => self.future = Some(program),
                (Ok(Poll::Pending), Some(Next::Resident)) => {
                    self.future = None;
                    return Poll::Ready(());
                }
                (Ok(Poll::Ready(code)), _) => return self.finish(Status::Exited((code & 0xff) as u8)),
                (Err(_), _) => return self.finish(Status::Killed(Signal::SEGV)),
            }
        }
    }

    fn finish(&mut self, status: Status) -> Poll<()> {
        self.future = None;
        if self.is_program || matches!(status, Status::Killed(_)) {
            self.process.core.namespace.end(self.process.pid, status);
        }
        Poll::Ready(())
    }
}
