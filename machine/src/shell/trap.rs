//! What a shell does about signals, and at its end.

use std::collections::{BTreeMap, VecDeque};

use super::{Flow, Shell, syntax::Script};
use crate::{Ctx, Signal, SignalSet, kernel::Disposition};

/// The number that stands for the end of the shell.
const EXIT: i32 = 0;

/// What is to be done about signals.
#[derive(Clone, Debug, Default)]
pub(super) struct Traps {
    /// Commands by the number of the signal; an empty text: nothing.
    actions: BTreeMap<i32, String>,
    /// Signals that were ignored when the shell began, and stay so.
    ignored: SignalSet,
    /// Signals about which an interactive shell does something of its own.
    own: SignalSet,
    /// What has come, while a command ran.
    pending: VecDeque<Signal>,
}

/// The signal of a name or number, or `EXIT`.
pub(super) fn number(name: &str) -> Option<i32> {
    if name == "0" || name.eq_ignore_ascii_case("EXIT") {
        return Some(EXIT);
    }
    Signal::parse(name).map(Signal::number)
}

impl Traps {
    /// Whether nothing is to be done.
    pub(super) fn is_empty(&self) -> bool {
        self.actions.is_empty()
    }

    /// What `trap` prints.
    pub(super) fn listing(&self) -> String {
        let name = |number: i32| Signal::new(number).map_or_else(|| "EXIT".to_owned(), Signal::name);
        self.actions.iter().map(|(number, action)| format!("trap -- {} {}\n", super::simple::quote(action), name(*number))).collect()
    }

    /// Says what is to be done about a signal or at the end; `None`: what is usual.
    pub(super) fn set(&mut self, ctx: &Ctx, number: i32, action: Option<String>) {
        let signal = Signal::new(number);
        if let Some(signal) = signal {
            if self.ignored.contains(signal) {
                return;
            }
            let disposition = match &action {
                None if self.own.contains(signal) => own(signal),
                None => Disposition::Default,
                Some(action) if action.is_empty() => Disposition::Ignore,
                Some(_) => Disposition::Catch,
            };
            let before = ctx.set_disposition(signal, disposition);
            let fresh = !self.actions.contains_key(&number) && !self.own.contains(signal);
            if fresh && before == Ok(Disposition::Ignore) {
                self.ignore_for_good(ctx, &[signal]);
                return;
            }
        }
        match action {
            Some(action) => self.actions.insert(number, action),
            None => self.actions.remove(&number),
        };
    }

    /// Ignores signals whatever is said later.
    pub(super) fn ignore_for_good(&mut self, ctx: &Ctx, signals: &[Signal]) {
        for signal in signals {
            let _ = ctx.set_disposition(*signal, Disposition::Ignore);
            self.ignored.insert(*signal);
        }
    }

    /// A person is there: what ^C and `kill` do is no longer what they do to a program.
    pub(super) fn interactive(&mut self, ctx: &Ctx) {
        for signal in [Signal::INT, Signal::TERM, Signal::QUIT] {
            self.own.insert(signal);
            let _ = ctx.set_disposition(signal, own(signal));
        }
    }

    /// A child process begins: what was to be done in the parent is not done in it.
    pub(super) fn reset(&mut self, ctx: &Ctx) {
        let caught = self.actions.iter().filter(|(_, action)| !action.is_empty()).filter_map(|(number, _)| Signal::new(*number));
        for signal in caught.chain(Signal::named().filter(|signal| self.own.contains(*signal))) {
            let _ = ctx.set_disposition(signal, Disposition::Default);
        }
        self.actions.retain(|_, action| action.is_empty());
        self.own = SignalSet::default();
        self.pending.clear();
    }

    /// What is to be done at the end; once.
    pub(super) fn take_exit(&mut self) -> Option<String> {
        self.actions.remove(&EXIT).filter(|action| !action.is_empty())
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.actions.clear();
    }
}

/// What an interactive shell does about a signal.
fn own(signal: Signal) -> Disposition {
    if signal == Signal::INT { Disposition::Catch } else { Disposition::Ignore }
}

impl Shell {
    /// Keeps the signals that have come until they can be seen to.
    pub(super) fn collect(&mut self) {
        while let Some(signal) = self.ctx.take_signal() {
            if !self.traps.pending.contains(&signal) {
                self.traps.pending.push_back(signal);
            }
        }
    }

    /// Does what is to be done about signals that have come. Answers the first of them.
    pub(super) async fn signalled(&mut self) -> Result<Option<Signal>, Flow> {
        let mut first = None;
        self.collect();
        while let Some(signal) = self.traps.pending.pop_front() {
            first = first.or(Some(signal));
            match self.traps.actions.get(&signal.number()).cloned() {
                Some(action) => {
                    let status = self.status;
                    let ctx = self.ctx.clone();
                    let mut script = Script::new(action.into(), 0);
                    match ctx.deeper(self.script(&mut script, false)).await {
                        Ok(result) => result?,
                        Err(_) => return Err(Flow::Exit),
                    }
                    self.status = status;
                }
                None if self.traps.own.contains(signal) => {
                    self.status = 128 + signal.number();
                    return Err(Flow::Error);
                }
                None => {}
            }
            self.collect();
        }
        Ok(first)
    }

    /// The same, where nobody asks which.
    pub(super) async fn signals(&mut self) -> Result<(), Flow> {
        self.signalled().await.map(|_| ())
    }
}
