//! Terminals: the line discipline between who types and the programs that read, and back.
//!
//! Knows nothing of processes but the number of the group in the foreground. What is typed comes in, what shall be shown goes
//! out; which signal a key means is answered and sent by who drives it.

use std::{
    collections::VecDeque,
    task::{Context, Poll},
};

use parking_lot::Mutex;

use super::Pid;
use crate::{Errno, Signal, wakers::Wakers};

/// How much may be typed ahead.
const MOST_INPUT: usize = 4096;
/// How much may wait to be shown.
const MOST_OUTPUT: usize = 64 << 10;

/// What the line discipline does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Modes {
    /// Lines are edited and given as a whole (ICANON).
    pub canonical: bool,
    /// What is typed is shown (ECHO).
    pub echo: bool,
    /// ^C, ^\ are signals (ISIG).
    pub signals: bool,
    /// A carriage return that is typed is a new line (ICRNL).
    pub input_newline: bool,
    /// A new line that is written is shown as carriage return and new line (OPOST, ONLCR).
    pub output_newline: bool,
}

impl Modes {
    /// As a terminal begins.
    pub const COOKED: Self = Self { canonical: true, echo: true, signals: true, input_newline: true, output_newline: true };
    /// As `stty raw -echo` leaves it.
    pub const RAW: Self = Self { canonical: false, echo: false, signals: false, input_newline: false, output_newline: false };
}

/// How large a terminal is, in characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Lines.
    pub rows: u16,
    /// Characters of a line.
    pub columns: u16,
}

/// A terminal.
pub(crate) struct Terminal {
    state: Mutex<Discipline>,
    readers: Wakers,
    writers: Wakers,
    /// Who carries what is shown.
    driver: Wakers,
}

/// The line discipline: pure, byte by byte.
struct Discipline {
    modes: Modes,
    size: Size,
    foreground: Pid,
    /// The line that is being typed.
    line: Vec<u8>,
    /// What may be read: in canonical mode line by line, an empty one for ^D.
    ready: VecDeque<Vec<u8>>,
    shown: VecDeque<u8>,
    /// Nobody will type any more, and nothing more is shown.
    hung_up: bool,
    /// All that was shown has gone out.
    carried: bool,
}

impl Terminal {
    pub(crate) fn new(size: Size) -> Self {
        let state = Discipline {
            modes: Modes::COOKED,
            size,
            foreground: 0,
            line: Vec::new(),
            ready: VecDeque::new(),
            shown: VecDeque::new(),
            hung_up: false,
            carried: false,
        };
        Self { state: Mutex::new(state), readers: Wakers::default(), writers: Wakers::default(), driver: Wakers::default() }
    }

    pub(crate) fn modes(&self) -> Modes {
        self.state.lock().modes
    }

    /// Changes the modes; a line that was begun can be read at once if lines are no longer edited.
    pub(crate) fn set_modes(&self, modes: Modes) {
        let mut state = self.state.lock();
        state.modes = modes;
        if !modes.canonical && !state.line.is_empty() {
            let line = std::mem::take(&mut state.line);
            state.ready.push_back(line);
        }
        drop(state);
        self.readers.wake();
    }

    pub(crate) fn size(&self) -> Size {
        self.state.lock().size
    }

    /// Changes the size; whether it was another.
    pub(crate) fn resize(&self, size: Size) -> bool {
        std::mem::replace(&mut self.state.lock().size, size) != size
    }

    pub(crate) fn foreground(&self) -> Pid {
        self.state.lock().foreground
    }

    pub(crate) fn set_foreground(&self, group: Pid) {
        self.state.lock().foreground = group;
        self.readers.wake();
    }

    /// Waits until a group is in the foreground: others may not read.
    pub(crate) fn poll_foreground(&self, cx: &Context<'_>, group: Pid) -> Poll<()> {
        self.readers.add(cx.waker());
        let state = self.state.lock();
        if state.hung_up || state.foreground == group { Poll::Ready(()) } else { Poll::Pending }
    }

    /// What was typed. Empty: ^D, or nobody types any more.
    pub(crate) fn poll_read(&self, cx: &Context<'_>, most: usize, line: bool) -> Poll<Vec<u8>> {
        self.readers.add(cx.waker());
        let mut state = self.state.lock();
        let Some(first) = state.ready.front_mut() else {
            return if state.hung_up { Poll::Ready(Vec::new()) } else { Poll::Pending };
        };
        let most = most.min(first.len());
        let count = first[..most].iter().position(|byte| line && *byte == b'\n').map_or(most, |at| at + 1);
        let rest = first.split_off(count);
        let taken = std::mem::replace(first, rest);
        if first.is_empty() {
            state.ready.pop_front();
        }
        Poll::Ready(taken)
    }

    /// Shows bytes that a program writes. EIO: it was hung up.
    pub(crate) fn poll_write(&self, cx: &Context<'_>, bytes: &[u8]) -> Poll<Result<usize, Errno>> {
        self.writers.add(cx.waker());
        let mut state = self.state.lock();
        if state.hung_up {
            return Poll::Ready(Err(Errno::EIO));
        }
        let room = MOST_OUTPUT.saturating_sub(state.shown.len()) / 2;
        if room == 0 && !bytes.is_empty() {
            return Poll::Pending;
        }
        let count = room.min(bytes.len());
        state.show(&bytes[..count]);
        drop(state);
        self.driver.wake();
        Poll::Ready(Ok(count))
    }

    /// Takes what was typed; answers the signals that it means, with the group they go to.
    pub(crate) fn typed(&self, bytes: &[u8]) -> Vec<(Pid, Signal)> {
        let mut state = self.state.lock();
        let foreground = state.foreground;
        let signals = bytes.iter().filter_map(|byte| state.key(*byte)).map(|signal| (foreground, signal)).collect();
        drop(state);
        self.readers.wake();
        self.driver.wake();
        signals
    }

    /// What shall be shown, to be carried to who looks; once it is hung up and empty: `None`.
    pub(crate) fn poll_shown(&self, cx: &Context<'_>) -> Poll<Option<Vec<u8>>> {
        self.driver.add(cx.waker());
        let mut state = self.state.lock();
        if state.shown.is_empty() {
            return if state.hung_up { Poll::Ready(None) } else { Poll::Pending };
        }
        let bytes: Vec<u8> = std::mem::take(&mut state.shown).into();
        drop(state);
        self.writers.wake();
        Poll::Ready(Some(bytes))
    }

    /// All that was shown has gone out, and no more will.
    pub(crate) fn set_carried(&self) {
        self.state.lock().carried = true;
        self.readers.wake();
    }

    /// Waits for that.
    pub(crate) fn poll_carried(&self, cx: &Context<'_>) -> Poll<()> {
        self.readers.add(cx.waker());
        if self.state.lock().carried { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Nobody is there any more.
    pub(crate) fn hang_up(&self) {
        self.state.lock().hung_up = true;
        self.readers.wake();
        self.writers.wake();
        self.driver.wake();
    }
}

impl Discipline {
    fn show(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if *byte == b'\n' && self.modes.output_newline {
                self.shown.push_back(b'\r');
            }
            self.shown.push_back(*byte);
        }
    }

    /// Shows what was typed; of control keys their name.
    fn echo(&mut self, byte: u8) {
        if !self.modes.echo || self.shown.len() >= MOST_OUTPUT {
            return;
        }
        match byte {
            b'\n' | b'\t' => self.show(&[byte]),
            0..0x20 | 0x7f => self.show(&[b'^', byte ^ 0x40]),
            _ => self.show(&[byte]),
        }
    }

    /// Takes the last character of the line away.
    fn erase(&mut self) {
        while let Some(byte) = self.line.pop() {
            // The rest of a character of several bytes takes no place of its own.
            if byte & 0xc0 == 0x80 {
                continue;
            }
            let width = if byte < 0x20 || byte == 0x7f { 2 } else { 1 };
            if self.modes.echo {
                self.show(&b"\x08 \x08".repeat(width));
            }
            return;
        }
    }

    fn key(&mut self, byte: u8) -> Option<Signal> {
        const INTERRUPT: u8 = 0x03;
        const END: u8 = 0x04;
        const KILL_LINE: u8 = 0x15;
        const ERASE_WORD: u8 = 0x17;
        const SUSPEND: u8 = 0x1a;
        const QUIT: u8 = 0x1c;
        let byte = if byte == b'\r' && self.modes.input_newline { b'\n' } else { byte };
        if self.modes.signals && matches!(byte, INTERRUPT | QUIT) {
            self.echo(byte);
            self.line.clear();
            self.ready.clear();
            return Some(if byte == INTERRUPT { Signal::INT } else { Signal::QUIT });
        }
        if self.modes.signals && byte == SUSPEND {
            // Nothing here can be suspended: there would be nobody to resume it.
            return None;
        }
        if !self.modes.canonical {
            self.echo(byte);
            let waiting: usize = self.ready.iter().map(Vec::len).sum();
            if waiting < MOST_INPUT {
                match self.ready.back_mut().filter(|last| !last.is_empty()) {
                    Some(last) => last.push(byte),
                    None => self.ready.push_back(vec![byte]),
                }
            }
            return None;
        }
        match byte {
            0x08 | 0x7f => self.erase(),
            KILL_LINE => {
                while !self.line.is_empty() {
                    self.erase();
                }
            }
            ERASE_WORD => {
                while self.line.last().is_some_and(u8::is_ascii_whitespace) {
                    self.erase();
                }
                while self.line.last().is_some_and(|byte| !byte.is_ascii_whitespace()) {
                    self.erase();
                }
            }
            END => self.finish(),
            b'\n' => {
                self.echo(byte);
                self.line.push(byte);
                self.finish();
            }
            _ => self.take(byte),
        }
        None
    }

    /// Gives the line to who reads.
    fn finish(&mut self) {
        let line = std::mem::take(&mut self.line);
        if self.ready.len() < MOST_INPUT {
            self.ready.push_back(line);
        }
    }

    fn take(&mut self, byte: u8) {
        let waiting: usize = self.ready.iter().map(Vec::len).sum();
        if waiting + self.line.len() + 1 < MOST_INPUT {
            self.echo(byte);
            self.line.push(byte);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    /// Types, and answers what can be read (a `|` between reads) and what is shown.
    fn session(modes: Modes, typed: &[u8]) -> (String, String, Vec<Signal>) {
        let cx = Context::from_waker(Waker::noop());
        let terminal = Terminal::new(Size::default());
        terminal.set_modes(modes);
        let signals = terminal.typed(typed).into_iter().map(|(_, signal)| signal).collect();
        let mut read = Vec::new();
        while let Poll::Ready(bytes) = terminal.poll_read(&cx, 100, false) {
            read.push(String::from_utf8(bytes).unwrap());
        }
        let shown = match terminal.poll_shown(&cx) {
            Poll::Ready(Some(bytes)) => String::from_utf8(bytes).unwrap(),
            _ => String::new(),
        };
        (read.join("|"), shown, signals)
    }

    #[test]
    fn lines_are_edited() {
        for (typed, read, shown) in [
            ("ls\r", "ls\n", "ls\r\n"),
            ("lz\x7fs\r", "ls\n", "lz\x08 \x08s\r\n"),
            ("\x7f\x7fa\n", "a\n", "a\r\n"),
            ("ö\x7fo\n", "o\n", "ö\x08 \x08o\r\n"),
            ("abc\x15d\n", "d\n", "abc\x08 \x08\x08 \x08\x08 \x08d\r\n"),
            ("a bc \x17d\n", "a d\n", "a bc \x08 \x08\x08 \x08\x08 \x08d\r\n"),
            ("\x01\x7f\n", "\n", "^A\x08 \x08\x08 \x08\r\n"),
            ("one\ntwo\n", "one\n|two\n", "one\r\ntwo\r\n"),
            ("begun", "", "begun"),
            ("\x04", "", ""),
            ("par\x04t\n", "par|t\n", "part\r\n"),
            ("a\x1ab\n", "ab\n", "ab\r\n"),
        ] {
            let got = session(Modes::COOKED, typed.as_bytes());
            assert_eq!((got.0.as_str(), got.1.as_str(), got.2.as_slice()), (read, shown, [].as_slice()), "{typed:?}");
        }
    }

    #[test]
    fn keys_are_signals_and_drop_what_was_typed() {
        assert_eq!(session(Modes::COOKED, b"sleep 9\x03ls\n"), ("ls\n".into(), "sleep 9^Cls\r\n".into(), vec![Signal::INT]));
        assert_eq!(session(Modes::COOKED, b"\x1c").2, [Signal::QUIT]);
        assert_eq!(session(Modes::RAW, b"a\x03\r\x7f"), ("a\x03\r\x7f".into(), String::new(), Vec::new()));
        let silent = Modes { echo: false, ..Modes::COOKED };
        assert_eq!(session(silent, b"secret\r"), ("secret\n".into(), String::new(), Vec::new()));
    }

    #[test]
    fn it_is_bounded_and_hung_up() {
        let cx = Context::from_waker(Waker::noop());
        let terminal = Terminal::new(Size::default());
        terminal.typed(&[b'x'; 10_000]);
        terminal.typed(b"\n");
        assert_eq!(terminal.poll_read(&cx, 100_000, false).map(|line| line.len()), Poll::Ready(MOST_INPUT));
        while terminal.poll_write(&cx, &[b'\n'; 1000]).is_ready() {}
        let Poll::Ready(Some(shown)) = terminal.poll_shown(&cx) else { panic!("much is shown") };
        assert!(shown.len() <= MOST_OUTPUT + MOST_INPUT, "{}", shown.len());
        assert_eq!(terminal.poll_write(&cx, b"x\n"), Poll::Ready(Ok(2)));
        terminal.hang_up();
        assert_eq!(terminal.poll_write(&cx, b"x"), Poll::Ready(Err(Errno::EIO)));
        assert_eq!(terminal.poll_read(&cx, 1, false), Poll::Ready(Vec::new()));
        assert_eq!(terminal.poll_shown(&cx), Poll::Ready(Some(b"x\r\n".to_vec())));
        assert_eq!(terminal.poll_shown(&cx), Poll::Ready(None));
    }
}
