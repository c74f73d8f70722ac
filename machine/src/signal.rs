//! Signals: their numbers on Linux, their names, and what they do to a process that has said nothing about them.
//!
//! Knows nothing of processes: what a signal does is looked up here and done by the kernel.

use std::fmt;

/// A signal, by its number, 1 to 64.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signal(u8);

/// Declares the named signals.
macro_rules! signals {
    ($($name:ident = $number:literal $words:literal),+ $(,)?) => {
        #[allow(missing_docs, reason = "the words of each are beside it")]
        impl Signal {
            $(pub const $name: Self = Self($number);)+
        }

        /// Number, name and words of every named signal.
        const NAMED: &[(u8, &str, &str)] = &[$(($number, stringify!($name), $words)),+];
    };
}

signals! {
    HUP = 1 "Hangup",
    INT = 2 "Interrupt",
    QUIT = 3 "Quit",
    ILL = 4 "Illegal instruction",
    TRAP = 5 "Trace/breakpoint trap",
    ABRT = 6 "Aborted",
    BUS = 7 "Bus error",
    FPE = 8 "Floating point exception",
    KILL = 9 "Killed",
    USR1 = 10 "User defined signal 1",
    SEGV = 11 "Segmentation fault",
    USR2 = 12 "User defined signal 2",
    PIPE = 13 "Broken pipe",
    ALRM = 14 "Alarm clock",
    TERM = 15 "Terminated",
    STKFLT = 16 "Stack fault",
    CHLD = 17 "Child exited",
    CONT = 18 "Continued",
    STOP = 19 "Stopped (signal)",
    TSTP = 20 "Stopped",
    TTIN = 21 "Stopped (tty input)",
    TTOU = 22 "Stopped (tty output)",
    URG = 23 "Urgent I/O condition",
    XCPU = 24 "CPU time limit exceeded",
    XFSZ = 25 "File size limit exceeded",
    VTALRM = 26 "Virtual timer expired",
    PROF = 27 "Profiling timer expired",
    WINCH = 28 "Window changed",
    POLL = 29 "I/O possible",
    PWR = 30 "Power failure",
    SYS = 31 "Bad system call",
}

/// What a signal does to a process that has said nothing about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultAction {
    /// It ends, killed by the signal.
    End,
    /// Nothing.
    Nothing,
    /// It is stopped until `CONT`.
    Stop,
    /// It goes on if it was stopped.
    Go,
}

impl Signal {
    /// The signal of a number, if there is one.
    pub fn new(number: i32) -> Option<Self> {
        u8::try_from(number).ok().filter(|number| (1..=64).contains(number)).map(Self)
    }

    /// The signal that somebody names: `TERM`, `SIGTERM`, `sigterm` or `15`. `EXIT` and 0 are no signals.
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(number) = text.parse() {
            return Self::new(number);
        }
        let upper = text.to_ascii_uppercase();
        let name = upper.strip_prefix("SIG").unwrap_or(&upper);
        let name = match name {
            "IOT" => "ABRT",
            "CLD" => "CHLD",
            "IO" => "POLL",
            name => name,
        };
        NAMED.iter().find(|(_, known, _)| *known == name).map(|(number, ..)| Self(*number))
    }

    /// Its number.
    pub fn number(self) -> i32 {
        i32::from(self.0)
    }

    /// Its name without `SIG`; `RTMIN+2` and the like where it has no other.
    pub fn name(self) -> String {
        match NAMED.iter().find(|(number, ..)| *number == self.0) {
            Some((_, name, _)) => (*name).to_owned(),
            None if self.0 < 34 => self.0.to_string(),
            None if self.0 == 34 => "RTMIN".to_owned(),
            None => format!("RTMIN+{}", self.0 - 34),
        }
    }

    /// What a shell says of a process that it ended: `Terminated`, `Killed`.
    pub fn words(self) -> String {
        match NAMED.iter().find(|(number, ..)| *number == self.0) {
            Some((.., words)) => (*words).to_owned(),
            None => format!("Real-time signal {}", i32::from(self.0) - 34),
        }
    }

    /// All that have a name, in the order of their numbers.
    pub fn named() -> impl Iterator<Item = Self> {
        NAMED.iter().map(|(number, ..)| Self(*number))
    }

    /// What it does by default.
    pub fn default_action(self) -> DefaultAction {
        match self {
            Self::CHLD | Self::URG | Self::WINCH => DefaultAction::Nothing,
            Self::STOP | Self::TSTP | Self::TTIN | Self::TTOU => DefaultAction::Stop,
            Self::CONT => DefaultAction::Go,
            _ => DefaultAction::End,
        }
    }

    /// Whether a process may ignore or catch it.
    pub fn may_be_caught(self) -> bool {
        !matches!(self, Self::KILL | Self::STOP)
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SIG{}", self.name())
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SIG{}", self.name())
    }
}

/// A set of signals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SignalSet(u64);

impl SignalSet {
    fn bit(signal: Signal) -> u64 {
        1 << (signal.0 - 1)
    }

    /// Whether the signal is in it.
    pub fn contains(self, signal: Signal) -> bool {
        self.0 & Self::bit(signal) != 0
    }

    /// Puts a signal in; whether it was not there before.
    pub fn insert(&mut self, signal: Signal) -> bool {
        let new = !self.contains(signal);
        self.0 |= Self::bit(signal);
        new
    }

    /// Takes a signal out.
    pub fn remove(&mut self, signal: Signal) {
        self.0 &= !Self::bit(signal);
    }

    /// Takes out the signal with the lowest number.
    pub fn take(&mut self) -> Option<Signal> {
        let first = Signal::new(i32::try_from(self.0.trailing_zeros()).ok()? + 1)?;
        self.remove(first);
        Some(first)
    }

    /// Whether it holds none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// As `/proc/PID/status` shows it.
    pub fn bits(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers() {
        for (text, number) in [("TERM", 15), ("sigkill", 9), ("SIGHUP", 1), ("9", 9), ("Usr1", 10), ("CLD", 17)] {
            assert_eq!(Signal::parse(text).map(Signal::number), Some(number), "{text}");
        }
        for text in ["", "0", "65", "-1", "EXIT", "SIG", "NOSUCH"] {
            assert_eq!(Signal::parse(text), None, "{text}");
        }
        for signal in Signal::named() {
            assert_eq!(Signal::parse(&signal.name()), Some(signal));
        }
    }

    #[test]
    fn a_set_gives_its_lowest_first_and_ends() {
        let mut set = SignalSet::default();
        for signal in [Signal::TERM, Signal::HUP, Signal(64)] {
            assert!(set.insert(signal));
            assert!(!set.insert(signal));
        }
        assert_eq!([set.take(), set.take(), set.take(), set.take()], [Some(Signal::HUP), Some(Signal::TERM), Some(Signal(64)), None]);
    }
}
