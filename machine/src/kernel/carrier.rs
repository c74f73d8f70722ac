//! Carries bytes between a terminal and its owner, and signals from the keyboard to processes.

use std::{
    sync::Arc,
    task::{Context, Poll, ready},
};

use futures::future::BoxFuture;
use tokio::io::ReadBuf;

use super::{
    descriptor::{Input, Output},
    process::Process,
    terminal::Terminal,
};

/// How often input is taken before others get a turn.
const MOST_TURNS: u32 = 16;

/// Runs until the session that has the terminal is over and all was shown.
pub(crate) fn carry(
    leader: Arc<Process>,
    terminal: Arc<Terminal>,
    (input, output): (Option<Input>, Option<Output>),
) -> BoxFuture<'static, ()> {
    let mut carrier = Carrier { leader, terminal, input, output, showing: Vec::new() };
    Box::pin(async move {
        std::future::poll_fn(|cx| carrier.poll(cx)).await;
        carrier.terminal.set_carried();
    })
}

struct Carrier {
    leader: Arc<Process>,
    terminal: Arc<Terminal>,
    /// `None` once nobody types any more.
    input: Option<Input>,
    /// `None` if nobody looks.
    output: Option<Output>,
    /// What is on its way.
    showing: Vec<u8>,
}

impl Carrier {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // What is typed is first, for its echo is shown.
        for turn in 0.. {
            let Some(input) = &mut self.input else { break };
            if turn == MOST_TURNS {
                cx.waker().wake_by_ref();
                break;
            }
            let mut space = [0; 1024];
            let mut buffer = ReadBuf::new(&mut space);
            match input.as_mut().poll_read(cx, &mut buffer) {
                Poll::Pending => break,
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    for (group, signal) in self.terminal.typed(buffer.filled()) {
                        self.leader.core.namespace.signal_group(group, signal);
                    }
                }
                Poll::Ready(_) => self.input = None,
            }
        }
        loop {
            while !self.showing.is_empty() {
                let Some(output) = &mut self.output else {
                    self.showing.clear();
                    break;
                };
                match ready!(output.as_mut().poll_write(cx, &self.showing)) {
                    Ok(count) if count > 0 => drop(self.showing.drain(..count)),
                    _ => self.output = None,
                }
            }
            if let Some(output) = &mut self.output {
                // What fails will fail again at the next write.
                let _ = output.as_mut().poll_flush(cx);
            }
            match ready!(self.terminal.poll_shown(cx)) {
                Some(bytes) => self.showing = bytes,
                None => return Poll::Ready(()),
            }
        }
    }
}
