//! What a template makes of an object.

use std::borrow::Cow;

use serde_json::Value;

use super::{Command, Node, Pipe, Template, What, Word, format::spaced, functions};
use crate::golang::{quote, sprint, type_name};

/// How deep templates may call templates.
const DEPTH: usize = 1000;

/// A value in a template: from the object, or a number that was written or counted. Nothing is what is not there.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Val<'a> {
    Nothing,
    Data(Cow<'a, Value>),
    Int(i64),
}

impl<'a> Val<'a> {
    /// A value that may be missing, or be null, which is the same.
    pub(super) fn of(value: Option<Cow<'a, Value>>) -> Self {
        value.filter(|value| !value.is_null()).map_or(Self::Nothing, Self::Data)
    }

    /// As JSON.
    pub(super) fn to_value(&self) -> Value {
        match self {
            Self::Nothing => Value::Null,
            Self::Data(data) => data.clone().into_owned(),
            Self::Int(int) => (*int).into(),
        }
    }

    /// What `%T` says.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Int(_) => "int",
            Self::Nothing => "<nil>",
            Self::Data(data) => type_name(data),
        }
    }

    /// Whether `if` takes it for true: what is not empty and not zero.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Nothing => false,
            Self::Int(int) => *int != 0,
            Self::Data(data) => match &**data {
                Value::Null => false,
                Value::Bool(value) => *value,
                Value::Number(number) => number.as_f64() != Some(0.0),
                Value::String(text) => !text.is_empty(),
                Value::Array(list) => !list.is_empty(),
                Value::Object(map) => !map.is_empty(),
            },
        }
    }
}

/// What is wrong, and the place and text it is wrong at.
struct Wrong {
    at: usize,
    context: String,
    why: String,
}

/// How a list of nodes ended.
#[derive(PartialEq)]
enum Flow {
    On,
    Break,
    Continue,
}

/// Runs the template; gives what was made in any case, and what was wrong then.
pub(super) fn run(template: &Template, value: &Value) -> (String, Result<(), String>) {
    let root = Val::Data(Cow::Borrowed(value));
    let mut run = Run { template, out: String::new(), variables: vec![("$".to_owned(), root.clone())], name: "output".into(), depth: 0 };
    let outcome = run.nodes(&template.nodes, &root);
    let name = run.name.clone();
    let outcome = outcome.map(|_| ()).map_err(|wrong| {
        let before = &template.text[..wrong.at.min(template.text.len())];
        let line = 1 + before.matches('\n').count();
        let column = wrong.at - before.rfind('\n').map_or(0, |newline| newline + 1);
        format!("template: output:{line}:{column}: executing {} at <{}>: {}", quote(&name), wrong.context, wrong.why)
    });
    (run.out, outcome)
}

struct Run<'t, 'a> {
    template: &'t Template,
    out: String,
    variables: Vec<(String, Val<'a>)>,
    /// Of the template that runs.
    name: String,
    depth: usize,
}

impl<'a> Run<'_, 'a> {
    fn nodes(&mut self, nodes: &[Node], dot: &Val<'a>) -> Result<Flow, Wrong> {
        for node in nodes {
            let known = self.variables.len();
            let flow = match node {
                Node::Text(text) => {
                    self.out.push_str(text);
                    Flow::On
                }
                Node::Action(pipe) => {
                    let value = self.pipe(pipe, dot)?;
                    if pipe.variables.is_empty() {
                        let text = if value == Val::Nothing { "<no value>".to_owned() } else { spaced(&[value], false) };
                        self.out.push_str(&text);
                    }
                    continue;
                }
                Node::If(pipe, then, otherwise) => {
                    let value = self.pipe(pipe, dot)?;
                    self.nodes(if value.is_true() { then } else { otherwise }, dot)?
                }
                Node::With(pipe, then, otherwise) => {
                    let value = self.pipe(pipe, dot)?;
                    if value.is_true() { self.nodes(then, &value)? } else { self.nodes(otherwise, dot)? }
                }
                Node::Range(pipe, then, otherwise) => self.range(pipe, then, otherwise, dot)?,
                Node::Call(name, pipe, at) => self.call_template(name, pipe.as_ref(), *at, dot)?,
                Node::Break => Flow::Break,
                Node::Continue => Flow::Continue,
            };
            self.variables.truncate(known);
            if flow != Flow::On {
                return Ok(flow);
            }
        }
        Ok(Flow::On)
    }

    fn call_template(&mut self, name: &str, pipe: Option<&Pipe>, at: usize, dot: &Val<'a>) -> Result<Flow, Wrong> {
        let context = || format!("{{{{template {}}}}}", quote(name));
        let Some(nodes) = self.template.defined.get(name) else {
            return Err(Wrong { at, context: context(), why: format!("template {} not defined", quote(name)) });
        };
        if self.depth == DEPTH {
            return Err(Wrong { at, context: context(), why: format!("exceeded maximum template depth ({DEPTH})") });
        }
        let value = pipe.map_or(Ok(Val::Nothing), |pipe| self.pipe(pipe, dot))?;
        let outer = std::mem::replace(&mut self.variables, vec![("$".to_owned(), value.clone())]);
        let outer_name = std::mem::replace(&mut self.name, name.to_owned());
        self.depth += 1;
        let outcome = self.nodes(nodes, &value);
        self.depth -= 1;
        if outcome.is_ok() {
            self.name = outer_name;
        }
        self.variables = outer;
        outcome.map(|_| Flow::On)
    }

    fn range(&mut self, pipe: &Pipe, then: &[Node], otherwise: &[Node], dot: &Val<'a>) -> Result<Flow, Wrong> {
        let value = self.pipe(pipe, dot)?;
        let int = |at: usize| Val::Int(i64::try_from(at).unwrap_or(i64::MAX));
        let key = |key: String| Val::Data(Cow::Owned(Value::String(key)));
        let entries: Vec<(Val<'a>, Val<'a>)> = match value {
            Val::Nothing => Vec::new(),
            Val::Data(Cow::Borrowed(Value::Array(list))) => {
                list.iter().enumerate().map(|(at, value)| (int(at), Val::of(Some(Cow::Borrowed(value))))).collect()
            }
            Val::Data(Cow::Owned(Value::Array(list))) => {
                list.into_iter().enumerate().map(|(at, value)| (int(at), Val::of(Some(Cow::Owned(value))))).collect()
            }
            Val::Data(Cow::Borrowed(Value::Object(map))) => {
                map.iter().map(|(name, value)| (key(name.clone()), Val::of(Some(Cow::Borrowed(value))))).collect()
            }
            Val::Data(Cow::Owned(Value::Object(map))) => {
                map.into_iter().map(|(name, value)| (key(name), Val::of(Some(Cow::Owned(value))))).collect()
            }
            other => {
                let last = pipe.commands.last().and_then(|command| command.words.first());
                let (at, context) = last.map_or((pipe.at, String::new()), |word| (word.at, word.text()));
                return Err(Wrong { at, context, why: format!("range can't iterate over {}", sprint(&other.to_value())) });
            }
        };
        if entries.is_empty() {
            return self.nodes(otherwise, dot);
        }
        let known = self.variables.len();
        for (place, element) in entries {
            match pipe.variables.as_slice() {
                [] => {}
                [one] => self.set(one, element.clone(), pipe.assigns),
                [first, second, ..] => {
                    self.set(first, place, pipe.assigns);
                    self.set(second, element.clone(), pipe.assigns);
                }
            }
            let flow = self.nodes(then, &element)?;
            self.variables.truncate(known);
            if flow == Flow::Break {
                break;
            }
        }
        Ok(Flow::On)
    }

    fn set(&mut self, name: &str, value: Val<'a>, assigns: bool) {
        match self.variables.iter_mut().rev().find(|(known, _)| assigns && known == name) {
            Some((_, old)) => *old = value,
            None => self.variables.push((name.to_owned(), value)),
        }
    }

    fn pipe(&mut self, pipe: &Pipe, dot: &Val<'a>) -> Result<Val<'a>, Wrong> {
        let mut last = None;
        for command in &pipe.commands {
            last = Some(self.command(command, dot, last)?);
        }
        let value = last.unwrap_or(Val::Nothing);
        // A loop gives its variables one element after the other.
        if let [name] = pipe.variables.as_slice() {
            self.set(name, value.clone(), pipe.assigns);
        }
        Ok(value)
    }

    fn command(&mut self, command: &Command, dot: &Val<'a>, last: Option<Val<'a>>) -> Result<Val<'a>, Wrong> {
        let (first, rest) = (&command.words[0], &command.words[1..]);
        let wrong = |why: String| Wrong { at: first.at, context: first.text(), why };
        match &first.what {
            What::Function(name) => self.function(command, name, dot, last),
            What::Nil => Err(wrong("nil is not a command".into())),
            What::Field(names) | What::Variable(_, names) | What::Pipe(_, names) if !rest.is_empty() || last.is_some() => {
                self.word(first, dot)?;
                Err(wrong(match (&first.what, names.last()) {
                    (What::Field(_), Some(name)) | (_, Some(name)) => format!("{name} is not a method but has arguments"),
                    _ => format!("can't give argument to non-function {}", first.text()),
                }))
            }
            _ if !rest.is_empty() || last.is_some() => Err(wrong(format!("can't give argument to non-function {}", first.text()))),
            _ => self.word(first, dot),
        }
    }

    fn function(&mut self, command: &Command, name: &str, dot: &Val<'a>, last: Option<Val<'a>>) -> Result<Val<'a>, Wrong> {
        let first = &command.words[0];
        let words = &command.words[1..];
        if let Some(why) = functions::wrong_count(name, words.len() + usize::from(last.is_some())) {
            return Err(Wrong { at: first.at, context: first.text(), why });
        }
        if name == "and" || name == "or" {
            // What need not be looked at is not.
            let mut value = Val::Nothing;
            for word in words {
                value = self.word(word, dot)?;
                if value.is_true() == (name == "or") {
                    return Ok(value);
                }
            }
            return Ok(last.unwrap_or(value));
        }
        let mut arguments = words.iter().map(|word| self.word(word, dot)).collect::<Result<Vec<_>, _>>()?;
        arguments.extend(last);
        functions::call(name, &arguments).map_err(|why| Wrong {
            at: command.at,
            context: command.text(),
            why: format!("error calling {name}: {why}"),
        })
    }

    fn word(&mut self, word: &Word, dot: &Val<'a>) -> Result<Val<'a>, Wrong> {
        let data = |value: Value| Ok(Val::Data(Cow::Owned(value)));
        match &word.what {
            What::Dot => Ok(dot.clone()),
            What::Nil => Ok(Val::Nothing),
            What::Bool(value) => data((*value).into()),
            What::Int(value, _) => Ok(Val::Int(*value)),
            What::Float(value, _) => data((*value).into()),
            What::Text(text, _) => data(text.as_str().into()),
            What::Field(names) => self.fields(word, dot.clone(), names),
            What::Variable(name, names) => {
                let value = self.variables.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.clone());
                self.fields(word, value.unwrap_or(Val::Nothing), names)
            }
            What::Pipe(pipe, names) => {
                let value = self.pipe(pipe, dot)?;
                self.fields(word, value, names)
            }
            What::Function(name) => {
                let command = Command { at: word.at, words: vec![word.clone()] };
                self.function(&command, name, dot, None)
            }
        }
    }

    fn fields(&self, word: &Word, value: Val<'a>, names: &[String]) -> Result<Val<'a>, Wrong> {
        let mut value = match value {
            Val::Data(data) => Some(data),
            Val::Int(_) if !names.is_empty() => {
                let why = format!("can't evaluate field {} in type int", names[0]);
                return Err(Wrong { at: word.at, context: word.text(), why });
            }
            Val::Int(_) => return Ok(value),
            Val::Nothing => None,
        };
        for name in names {
            let wrong = |why: String| Err(Wrong { at: word.at, context: word.text(), why });
            value = match value {
                Some(Cow::Borrowed(Value::Object(map))) => map.get(name).map(Cow::Borrowed),
                Some(Cow::Owned(Value::Object(mut map))) => map.remove(name).map(Cow::Owned),
                Some(data) if data.is_null() => return wrong(format!("nil pointer evaluating interface {{}}.{name}")),
                Some(_) => return wrong(format!("can't evaluate field {name} in type interface {{}}")),
                None if self.template.strict => return wrong(format!("nil data; no entry for key {}", quote(name))),
                None => None,
            };
            if value.is_none() && self.template.strict {
                return wrong(format!("map has no entry for key {}", quote(name)));
            }
        }
        Ok(Val::of(value))
    }
}
