//! The user's terminal, given over to a program elsewhere: every key goes there, and what comes back is shown as it is.

use std::{
    io::{IsTerminal, Read},
    thread,
};

use futures::{StreamExt, stream, stream::BoxStream};
use rustix::{
    stdio::{stdin, stdout},
    termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr},
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};

use crate::error::{Result, usage};

/// As much as is read at once, in bytes.
const CHUNK: usize = 32 * 1024;

/// How big it is: columns and rows.
pub(crate) type Size = (u16, u16);

/// Whether keys are typed into it.
pub(crate) fn is_there() -> bool {
    std::io::stdin().is_terminal()
}

/// While this lives, keys are neither shown nor interpreted here.
pub(crate) struct Raw(Termios);

impl Raw {
    /// # Errors
    /// When there is no terminal.
    pub(crate) fn begin() -> Result<Self> {
        let complain = |error: rustix::io::Errno| usage(format!("set up the terminal: {error}"));
        let before = tcgetattr(stdin()).map_err(complain)?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(stdin(), OptionalActions::Now, &raw).map_err(complain)?;
        Ok(Self(before))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // There is nobody left to tell.
        let _ = tcsetattr(stdin(), OptionalActions::Now, &self.0);
    }
}

/// How big it is; `None` where there is none.
pub(crate) fn size() -> Option<Size> {
    let size = tcgetwinsize(stdout()).or_else(|_| tcgetwinsize(stdin())).ok()?;
    Some((size.ws_col, size.ws_row)).filter(|(width, height)| *width > 0 && *height > 0)
}

/// Its size, whenever that changes.
pub(crate) fn sizes() -> BoxStream<'static, Size> {
    let Ok(changes) = signal(SignalKind::window_change()) else { return stream::pending().boxed() };
    stream::unfold(changes, |mut changes| async { changes.recv().await.map(|()| (size(), changes)) })
        .filter_map(futures::future::ready)
        .boxed()
}

/// What is typed, or comes from a pipe, to its end. It is read by a thread that ends with the program: waiting for keys cannot be
/// given up.
pub(crate) fn input() -> mpsc::Receiver<Vec<u8>> {
    let (typed, keys) = mpsc::channel(1);
    thread::spawn(move || {
        let mut chunk = vec![0; CHUNK];
        while let Ok(count @ 1..) = std::io::stdin().read(&mut chunk) {
            if typed.blocking_send(chunk[..count].to_vec()).is_err() {
                break;
            }
        }
    });
    keys
}
