//! Go's `text/template`, as far as kubectl's users use it: what `-o go-template` takes. Names no field and no kind.
//! Source: Go's documentation of the package; complaints recorded from kubectl 1.32.

mod eval;
mod format;
mod functions;
mod lex;
mod parse;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{
    error::{Result, usage},
    golang::{json, quote, sprint},
    print::print,
};

/// A parsed template.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Template {
    text: String,
    nodes: Vec<Node>,
    /// What `define` gave a name.
    defined: BTreeMap<String, Vec<Node>>,
    /// Whether a field that is not there is an error.
    strict: bool,
}

#[derive(Clone, Debug, PartialEq)]
enum Node {
    Text(String),
    Action(Pipe),
    If(Pipe, Vec<Node>, Vec<Node>),
    With(Pipe, Vec<Node>, Vec<Node>),
    Range(Pipe, Vec<Node>, Vec<Node>),
    Call(String, Option<Pipe>, usize),
    Break,
    Continue,
}

/// `$a, $b := first | second`.
#[derive(Clone, Debug, Default, PartialEq)]
struct Pipe {
    at: usize,
    variables: Vec<String>,
    /// Whether the variables are there already.
    assigns: bool,
    commands: Vec<Command>,
}

/// A word and what it is given.
#[derive(Clone, Debug, PartialEq)]
struct Command {
    at: usize,
    words: Vec<Word>,
}

/// One operand, and where it stands.
#[derive(Clone, Debug, PartialEq)]
struct Word {
    at: usize,
    what: What,
}

#[derive(Clone, Debug, PartialEq)]
enum What {
    Dot,
    Nil,
    Bool(bool),
    Int(i64, String),
    Float(f64, String),
    /// The text, and how it is written.
    Text(String, String),
    Field(Vec<String>),
    Variable(String, Vec<String>),
    Function(String),
    Pipe(Pipe, Vec<String>),
}

impl Template {
    /// Parses a template, in which fields have to be there if `strict`.
    ///
    /// # Errors
    /// What is no template.
    pub(crate) fn parse(text: &str, strict: bool) -> Result<Self> {
        let (nodes, defined) = parse::template(text)
            .map_err(|(line, why)| usage(format!("error parsing template {text}, template: output:{line}: {why}\n")))?;
        Ok(Self { text: text.to_owned(), nodes, defined, strict })
    }

    /// What the template makes of an object. What was made before something did not fit is printed, with what may help to see why.
    ///
    /// # Errors
    /// What does not fit the object.
    pub(crate) fn render(&self, value: &Value) -> Result<String> {
        let (text, outcome) = eval::run(self, value);
        let Err(why) = outcome else { return Ok(text) };
        print(&format!(
            "{text}Error executing template: {why}. Printing more information for debugging the template:\n\
             \ttemplate was:\n\t\t{}\n\traw data was:\n\t\t{}\n\tobject given to template engine was:\n\t\t{}\n\n",
            self.text,
            json(value),
            sprint(value)
        ))?;
        Err(usage(format!("error executing template {}: {why}", quote(&self.text))))
    }
}

impl Word {
    /// The word as it stands in a template.
    fn text(&self) -> String {
        let fields = |fields: &[String]| fields.iter().map(|field| format!(".{field}")).collect::<String>();
        match &self.what {
            What::Dot => ".".into(),
            What::Nil => "nil".into(),
            What::Bool(value) => value.to_string(),
            What::Int(_, text) | What::Float(_, text) | What::Text(_, text) | What::Function(text) => text.clone(),
            What::Field(names) => fields(names),
            What::Variable(name, names) => format!("{name}{}", fields(names)),
            What::Pipe(pipe, names) => {
                let commands: Vec<String> = pipe.commands.iter().map(Command::text).collect();
                format!("({}){}", commands.join(" | "), fields(names))
            }
        }
    }
}

impl Command {
    /// The command as it stands in a template.
    fn text(&self) -> String {
        self.words.iter().map(Word::text).collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests;
