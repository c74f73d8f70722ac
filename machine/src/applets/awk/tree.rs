//! A program as it was understood.

/// What can be given a value.
#[derive(Clone, Debug)]
pub(super) enum Place {
    Variable(String),
    Element(String, Vec<Expr>),
    Field(Box<Expr>),
}

/// Something with a value.
#[derive(Clone, Debug)]
pub(super) enum Expr {
    Number(f64),
    Text(String),
    Pattern(String),
    Place(Place),
    /// The operator before `=`; nothing: plain.
    Assign(Place, Option<char>, Box<Expr>),
    /// By how much, and whether the old value is meant.
    Step(Place, f64, bool),
    Binary(char, Box<Expr>, Box<Expr>),
    Compare(&'static str, Box<Expr>, Box<Expr>),
    Match(bool, Box<Expr>, Box<Expr>),
    Concat(Box<Expr>, Box<Expr>),
    In(Vec<Expr>, String),
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    Not(Box<Expr>),
    Minus(Box<Expr>),
    Plus(Box<Expr>),
    Choice(Box<Expr>, Box<Expr>, Box<Expr>),
    Call(String, Vec<Expr>),
    Builtin(&'static str, Vec<Expr>),
    Getline(Source, Option<Place>),
    /// Several in brackets, before `in`.
    Group(Vec<Expr>),
}

/// From where `getline` reads.
#[derive(Clone, Debug)]
pub(super) enum Source {
    Main,
    File(Box<Expr>),
    Command(Box<Expr>),
}

/// Where `print` writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Redirect {
    None,
    Write,
    Append,
    Pipe,
}

/// Something to be done.
#[derive(Clone, Debug)]
pub(super) enum Stmt {
    Expr(Expr),
    Print(Vec<Expr>, Redirect, Option<Expr>),
    Printf(Vec<Expr>, Redirect, Option<Expr>),
    If(Expr, Box<Stmt>, Option<Box<Stmt>>),
    While(Expr, Box<Stmt>),
    Do(Box<Stmt>, Expr),
    For(Option<Box<Stmt>>, Option<Expr>, Option<Box<Stmt>>, Box<Stmt>),
    ForIn(String, String, Box<Stmt>),
    Block(Vec<Stmt>),
    Break,
    Continue,
    Next,
    NextFile,
    Exit(Option<Expr>),
    Return(Option<Expr>),
    Delete(String, Option<Vec<Expr>>),
}

/// When something is done.
#[derive(Clone, Debug)]
pub(super) enum When {
    Begin,
    End,
    Always,
    If(Expr),
    Between(Expr, Expr),
}

/// A rule; without a statement the record is printed.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) when: When,
    pub(super) body: Option<Stmt>,
}

/// A function.
#[derive(Clone, Debug)]
pub(super) struct Function {
    pub(super) name: String,
    pub(super) parameters: Vec<String>,
    pub(super) body: Stmt,
}

/// A program.
#[derive(Clone, Debug, Default)]
pub(super) struct Tree {
    pub(super) rules: Vec<Rule>,
    pub(super) functions: Vec<Function>,
}
