//! A command, as the interpreter runs it: what the parser crate read, with its words read too.

use std::sync::Arc;

/// Commands, one after the other.
pub(in crate::shell) type List = Vec<Item>;

/// A list of `&&` and `||`.
#[derive(Debug)]
pub(in crate::shell) struct Item {
    /// What is run.
    pub(in crate::shell) chain: Arc<Chain>,
    /// Whether nobody waits for it.
    pub(in crate::shell) background: bool,
    /// How it is written, if nobody waits for it.
    pub(in crate::shell) text: String,
}

/// Pipelines joined by `&&` and `||`.
#[derive(Debug)]
pub(in crate::shell) struct Chain {
    /// The first.
    pub(in crate::shell) first: Pipeline,
    /// The others; whether each is run after a success (`&&`).
    pub(in crate::shell) rest: Vec<(bool, Pipeline)>,
}

/// Commands joined by `|`.
#[derive(Debug)]
pub(in crate::shell) struct Pipeline {
    /// `!`
    pub(in crate::shell) not: bool,
    /// The commands.
    pub(in crate::shell) stages: Vec<Arc<Command>>,
}

/// A command.
#[derive(Debug)]
pub(in crate::shell) enum Command {
    /// A program, builtin or function with its arguments.
    Simple(Simple),
    /// One that holds others.
    Compound(Compound, Vec<Redirect>),
    /// The definition of a function: its name, its body, about how many bytes that takes.
    Function(String, Arc<Command>, usize),
}

/// A program, builtin or function with its arguments.
#[derive(Debug)]
pub(in crate::shell) struct Simple {
    /// The line it begins on.
    pub(in crate::shell) line: usize,
    /// Variables given a value.
    pub(in crate::shell) assignments: Vec<(String, Word)>,
    /// Name and arguments.
    pub(in crate::shell) words: Vec<Word>,
    /// Which of the words are not split, because they declare a variable.
    pub(in crate::shell) whole: Vec<usize>,
    /// Redirections, in order.
    pub(in crate::shell) redirects: Vec<Redirect>,
}

/// A command that holds others.
#[derive(Debug)]
pub(in crate::shell) enum Compound {
    /// `{ }`
    Group(List),
    /// `( )`
    Subshell(Arc<List>),
    /// `if`, with each condition and what follows from it, and `else`.
    If(Vec<(List, List)>, Option<List>),
    /// `while`; with `true` `until`.
    Loop(bool, List, List),
    /// `for`; without words over the arguments.
    For(String, Option<Vec<Word>>, List),
    /// `case`
    Case(Word, Vec<(Vec<Word>, List)>),
}

/// What becomes of a descriptor.
#[derive(Debug)]
pub(in crate::shell) struct Redirect {
    /// The descriptor.
    pub(in crate::shell) fd: u32,
    /// To what it leads.
    pub(in crate::shell) to: To,
    /// The word after the operator; of a here-document its text.
    pub(in crate::shell) word: Word,
}

/// To what a descriptor leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::shell) enum To {
    /// `<`
    Read,
    /// `>`
    Write,
    /// `>>`
    Append,
    /// `<>`
    ReadWrite,
    /// `>|`
    Clobber,
    /// `<&`, `>&`; with `true` a word that is no number is a file for both outputs.
    Duplicate(bool),
    /// `<<`
    Here,
}

/// A word, in pieces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::shell) struct Word(pub(in crate::shell) Vec<Piece>);

/// A piece of a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::shell) enum Piece {
    /// Itself.
    Text {
        /// The characters.
        text: String,
        /// Whether in quotes, so that they mean nothing more.
        quoted: bool,
    },
    /// `~` or `~name`, unquoted, where it may stand for a directory.
    Tilde(String),
    /// `$name`, `${name…}`
    Parameter {
        /// Its name.
        name: String,
        /// What is asked of it.
        what: Ask,
        /// Whether in double quotes.
        quoted: bool,
    },
    /// `$(…)`
    Command {
        /// The commands.
        script: Arc<str>,
        /// The line they begin on.
        line: usize,
        /// Whether in double quotes.
        quoted: bool,
    },
    /// `$((…))`
    Arithmetic {
        /// The expression.
        expression: Word,
        /// Whether in double quotes.
        quoted: bool,
    },
}

/// What is asked of a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::shell) enum Ask {
    /// Its value.
    Value,
    /// How long that is.
    Length,
    /// The value or something else.
    Otherwise {
        /// `-`, `=`, `?`, `+`
        kind: u8,
        /// Whether an empty value is none (`:`).
        empty: bool,
        /// The something else.
        word: Word,
    },
    /// The value without what a pattern matches.
    Trim {
        /// At the end (`%`).
        end: bool,
        /// As much as possible.
        most: bool,
        /// The pattern.
        pattern: Word,
    },
    /// A part, by position.
    Part {
        /// Where it begins.
        from: Word,
        /// How long it is.
        length: Option<Word>,
    },
    /// The value with something else for what a pattern matches.
    Replace {
        /// Everywhere.
        all: bool,
        /// The pattern.
        pattern: Word,
        /// The something else.
        with: Word,
    },
    /// An error: the text between the braces is nothing known.
    Bad,
}
