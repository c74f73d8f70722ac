//! What a program is compiled to: operations on a stack of values.

use std::sync::Arc;

use regex::bytes::Regex;

use super::{tree::Redirect, value::Value};

/// Where a variable is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    Global(usize),
    Local(usize),
}

/// What can be given a value; on the stack is the key of an element, or the number of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Variable(Slot),
    Element(Slot),
    Field,
}

impl Target {
    /// Whether something on the stack says which.
    pub(super) fn has_address(self) -> bool {
        !matches!(self, Self::Variable(_))
    }
}

/// An argument of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Argument {
    /// On the stack.
    Value,
    /// A variable, which may be an array.
    Variable(Slot),
}

/// From where `getline` reads; a name is on the stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    Main,
    File,
    Command,
}

/// An operation.
#[derive(Clone, Debug)]
pub(super) enum Op {
    Push(Value),
    Pop,
    Dup,
    Get(Target),
    Set(Target),
    Step(Target, f64, bool),
    /// Joins so many values to a key.
    Key(usize),
    Binary(char),
    Compare(&'static str),
    Concat,
    Not,
    Minus,
    ToNumber,
    ToBool,
    /// The record, or what is on the stack, against a fixed pattern.
    MatchRecord(Arc<Regex>),
    MatchFixed(Arc<Regex>, bool),
    MatchAny(bool),
    In(Slot),
    Jump(usize),
    JumpIf(usize, bool),
    Print(usize, Redirect),
    Printf(usize, Redirect),
    Next,
    NextFile,
    Exit(bool),
    Call(usize, Vec<Argument>),
    Return,
    Delete(Slot, bool),
    Begin(Slot),
    Each(Slot, usize),
    Finish,
    Builtin(&'static str, usize, Option<Arc<Regex>>, Option<Slot>, Option<Target>),
    Getline(From, Option<Target>),
    /// A range: its number, and where its end is tried once it has begun.
    Range(usize, usize),
    RangeOpen(usize),
    RangeClose(usize),
    Stop,
}

/// A function.
#[derive(Clone, Debug)]
pub(super) struct Routine {
    pub(super) entry: usize,
    pub(super) parameters: usize,
}

/// A compiled program.
#[derive(Clone, Debug, Default)]
pub(super) struct Code {
    pub(super) ops: Vec<Op>,
    pub(super) begin: usize,
    pub(super) main: usize,
    pub(super) end: usize,
    pub(super) has_main: bool,
    pub(super) has_end: bool,
    pub(super) globals: Vec<String>,
    pub(super) routines: Vec<Routine>,
    pub(super) ranges: usize,
}
