//! What words stand for.

use futures::future::BoxFuture;

use super::{
    Flow, Shell, arith,
    fields::{Field, Fields},
    glob,
    pattern::Pattern,
    syntax::{Ask, Piece, Word},
};
use crate::kernel::Memory;

/// How much a pattern may cost, in characters compared.
const PATTERN_BUDGET: u64 = 5_000_000;

/// What a parameter is.
enum Value {
    Unset,
    Text(String),
    /// `$@`, or with `true` `$*`.
    All(Vec<String>, bool),
}

/// Words that have been expanded. While it lives, the memory they take is held.
#[derive(Debug, Default)]
pub(super) struct Expanded {
    /// The words.
    pub(super) words: Vec<String>,
    _memory: Vec<Memory>,
}

impl Shell {
    /// The words that words stand for, split and with names of files for patterns.
    /// Of those in `whole` each is one word whatever it is.
    pub(super) async fn expand_words(&mut self, words: &[Word], whole: &[usize]) -> Result<Expanded, Flow> {
        let mut fields = Fields::split_at(self.vars.get("IFS").unwrap_or(" \t\n"));
        for (at, word) in words.iter().enumerate() {
            if whole.contains(&at) {
                fields.add(&self.expand_text(word).await?, true);
            } else {
                self.pieces(word, false, &mut fields).await?;
            }
            fields.end();
        }
        let (fields, memory) = fields.finish();
        let mut expanded = Expanded { words: Vec::new(), _memory: memory };
        for field in fields {
            if self.options.noglob || !field.has_pattern() {
                expanded.words.push(field.text());
                continue;
            }
            let found = glob::expand(&self.ctx, &field).await;
            if found.is_empty() {
                expanded.words.push(field.text());
            }
            expanded.words.extend(found);
        }
        Ok(expanded)
    }

    /// The text that a word stands for where nothing is split.
    pub(super) async fn expand_text(&mut self, word: &Word) -> Result<String, Flow> {
        Ok(self.expand_field(word).await?.0.text())
    }

    /// The pattern that a word stands for.
    pub(super) async fn expand_pattern(&mut self, word: &Word) -> Result<Pattern, Flow> {
        let (field, _memory) = self.expand_field(word).await?;
        Ok(Pattern::new(field.chars()))
    }

    async fn expand_field(&mut self, word: &Word) -> Result<(Field, Vec<Memory>), Flow> {
        let mut fields = Fields::joined();
        self.pieces(word, false, &mut fields).await?;
        Ok(fields.single())
    }

    /// Adds what a word stands for. `inner`: the word is the something else of `${name:-…}`, so that unquoted text in it is split.
    fn pieces<'a>(&'a mut self, word: &'a Word, inner: bool, out: &'a mut Fields) -> BoxFuture<'a, Result<(), Flow>> {
        Box::pin(async move {
            for piece in &word.0 {
                match piece {
                    Piece::Text { text, quoted: false } if inner => out.expand(text),
                    Piece::Text { text, quoted } => out.add(text, *quoted),
                    Piece::Tilde(name) => {
                        let directory = self.home(name).await;
                        out.add(&directory, true);
                    }
                    Piece::Parameter { name, what, quoted } => self.parameter(name, what, *quoted, out).await?,
                    Piece::Command { script, line, quoted } => {
                        let output = self.substitute(script.clone(), *line).await?;
                        add(out, &output, *quoted);
                    }
                    Piece::Arithmetic { expression, quoted } => {
                        let value = self.arithmetic(expression).await?.to_string();
                        add(out, &value, *quoted);
                    }
                }
                if let Some(bytes) = out.unaccounted() {
                    let memory = self.ctx.allocate(bytes).map_err(|_| Flow::Exit)?;
                    out.hold(memory);
                }
            }
            Ok(())
        })
    }

    /// The directory that `~name` stands for: of a user other than oneself from `/etc/passwd`.
    async fn home(&self, name: &str) -> String {
        let known = if name.is_empty() { self.vars.get("HOME").map(str::to_owned) } else { self.home_of(name).await };
        known.unwrap_or_else(|| format!("~{name}"))
    }

    async fn home_of(&self, name: &str) -> Option<String> {
        let users = self.read_file("/etc/passwd").await.ok()?;
        let fields = |line: &str| line.split(':').map(str::to_owned).collect::<Vec<_>>();
        let known = users.lines().map(fields).find(|fields| fields.first().is_some_and(|first| first == name))?;
        known.get(5).cloned()
    }

    /// The value of an expression.
    pub(super) async fn arithmetic(&mut self, expression: &Word) -> Result<i64, Flow> {
        let text = self.expand_text(expression).await?;
        self.evaluate(&text).await
    }

    /// The value of an expression that has been expanded.
    pub(super) async fn evaluate(&mut self, text: &str) -> Result<i64, Flow> {
        match arith::evaluate(text, self) {
            Ok(value) => Ok(value),
            Err(message) => Err(self.raise(2, &message).await),
        }
    }

    async fn parameter(&mut self, name: &str, what: &Ask, quoted: bool, out: &mut Fields) -> Result<(), Flow> {
        let value = if *what == Ask::Bad { Value::Unset } else { self.value(name) };
        let checked = !matches!(what, Ask::Otherwise { .. } | Ask::Bad);
        if checked && self.options.nounset && matches!(value, Value::Unset) {
            return Err(self.raise(2, &format!("{name}: parameter not set")).await);
        }
        let budget = &mut PATTERN_BUDGET.clone();
        match what {
            Ask::Bad => return Err(self.raise(2, "syntax error: bad substitution").await),
            Ask::Value => self.add_value(value, quoted, out),
            Ask::Length => add(out, &self.joined(value).len().to_string(), quoted),
            Ask::Otherwise { kind, empty, word } => self.otherwise(name, value, (*kind, *empty), word, quoted, out).await?,
            Ask::Trim { end, most, pattern } => {
                let pattern = self.expand_pattern(pattern).await?;
                let text = self.joined(value);
                let length = if *end { pattern.suffix(&text, *most, budget) } else { pattern.prefix(&text, *most, budget) };
                self.ctx.step(steps(PATTERN_BUDGET - *budget)).await;
                let Ok(length) = length else { return Err(self.raise(2, "pattern too long").await) };
                let length = length.unwrap_or(0);
                add(out, if *end { &text[..text.len() - length] } else { &text[length..] }, quoted);
            }
            Ask::Replace { all, pattern, with } => {
                let pattern = self.expand_pattern(pattern).await?;
                let with = self.expand_text(with).await?;
                let text = self.joined(value);
                let replaced = pattern.replace(&text, &with, *all, budget);
                self.ctx.step(steps(PATTERN_BUDGET - *budget)).await;
                let Ok(replaced) = replaced else { return Err(self.raise(2, "pattern too long").await) };
                add(out, &replaced, quoted);
            }
            Ask::Part { from, length } => {
                let from = self.arithmetic(from).await?;
                let length = match length {
                    Some(length) => Some(self.arithmetic(length).await?),
                    None => None,
                };
                add(out, part(&self.joined(value), from, length), quoted);
            }
        }
        Ok(())
    }

    /// `${name:-word}` and the like.
    async fn otherwise(
        &mut self,
        name: &str,
        value: Value,
        (kind, empty): (u8, bool),
        word: &Word,
        quoted: bool,
        out: &mut Fields,
    ) -> Result<(), Flow> {
        let missing = match &value {
            Value::Unset => true,
            Value::Text(text) => empty && text.is_empty(),
            Value::All(all, _) => all.is_empty() || (empty && all.iter().all(String::is_empty)),
        };
        match (kind, missing) {
            (b'+', true) => {
                if quoted {
                    out.add("", true);
                }
            }
            (b'+', false) | (b'-', true) => {
                if quoted {
                    out.add("", true);
                }
                self.pieces(word, !quoted, out).await?;
            }
            (b'=', true) => {
                let text = self.expand_text(word).await?;
                if !super::syntax::is_name(name) {
                    return Err(self.raise(2, &format!("{name}: bad variable name")).await);
                }
                self.assign(name, text.clone()).await?;
                add(out, &text, quoted);
            }
            (b'?', true) => {
                let message = if word.0.is_empty() {
                    if empty { "parameter not set or null".to_owned() } else { "parameter not set".to_owned() }
                } else {
                    self.expand_text(word).await?
                };
                return Err(self.raise(2, &format!("{name}: {message}")).await);
            }
            _ => self.add_value(value, quoted, out),
        }
        Ok(())
    }

    fn add_value(&self, value: Value, quoted: bool, out: &mut Fields) {
        match value {
            Value::Unset => add(out, "", quoted),
            Value::Text(text) => add(out, &text, quoted),
            Value::All(all, true) if quoted => {
                let text = self.joined(Value::All(all, true));
                out.add(&text, true);
            }
            Value::All(all, _) => {
                for (at, text) in all.iter().enumerate() {
                    if at > 0 && out.is_joined() {
                        out.add(" ", quoted);
                    } else if at > 0 {
                        out.end();
                    }
                    add(out, text, quoted);
                }
            }
        }
    }

    /// A value as one text.
    fn joined(&self, value: Value) -> String {
        match value {
            Value::Unset => String::new(),
            Value::Text(text) => text,
            Value::All(all, star) => {
                let ifs = self.vars.get("IFS").unwrap_or(" ");
                let separator = if star { ifs.chars().next().map(String::from).unwrap_or_default() } else { " ".to_owned() };
                all.join(&separator)
            }
        }
    }

    fn value(&mut self, name: &str) -> Value {
        let text = match name {
            "@" | "*" => return Value::All(self.args.clone(), name == "*"),
            "#" => self.args.len().to_string(),
            "?" => self.status.to_string(),
            "$" => self.root.to_string(),
            "!" => match self.jobs.last {
                Some(pid) => pid.to_string(),
                None => String::new(),
            },
            "-" => self.options.letters(),
            "0" => self.name.clone(),
            _ if name.starts_with(|c: char| c.is_ascii_digit()) => {
                let number = name.parse::<usize>().ok().and_then(|number| self.args.get(number.checked_sub(1)?));
                return number.cloned().map_or(Value::Unset, Value::Text);
            }
            "RANDOM" if self.vars.find("RANDOM").is_none() => (self.ctx.random() % 32768).to_string(),
            "LINENO" => self.line.to_string(),
            _ => return self.vars.get(name).map_or(Value::Unset, |value| Value::Text(value.to_owned())),
        };
        Value::Text(text)
    }
}

impl arith::Names for Shell {
    fn get(&mut self, name: &str) -> Result<String, String> {
        match self.value(name) {
            Value::Text(text) => Ok(text),
            _ => Ok(String::new()),
        }
    }

    fn set(&mut self, name: &str, value: i64) -> Result<(), String> {
        self.vars.set(name, value.to_string()).map_err(|_| format!("{name}: is read only"))
    }
}

fn add(out: &mut Fields, text: &str, quoted: bool) {
    if quoted { out.add(text, true) } else { out.expand(text) }
}

/// What a pattern cost, in steps.
fn steps(cost: u64) -> u32 {
    u32::try_from(cost / 1_000).unwrap_or(u32::MAX)
}

/// Some of a text, by bytes; from the end if negative.
fn part(text: &str, from: i64, length: Option<i64>) -> &str {
    let size = i64::try_from(text.len()).unwrap_or(i64::MAX);
    let from = if from < 0 { from.saturating_add(size) } else { from };
    if from < 0 || from > size {
        return "";
    }
    let to = match length {
        None => size,
        Some(length) if length < 0 => size.saturating_add(length),
        Some(length) => from.saturating_add(length).min(size),
    };
    let index = |at: i64| usize::try_from(at).unwrap_or(0);
    text.get(index(from)..index(to)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::part;

    #[test]
    fn a_part_is_taken_by_position() {
        let cases = [
            (1, None, "bc"),
            (1, Some(1), "b"),
            (-2, None, "bc"),
            (-9, Some(2), ""),
            (0, Some(-1), "ab"),
            (2, Some(-2), ""),
            (5, None, ""),
            (3, Some(9), ""),
            (0, Some(i64::MAX), "abc"),
        ];
        for (from, length, expected) in cases {
            assert_eq!(part("abc", from, length), expected, "{from} {length:?}");
        }
    }
}
