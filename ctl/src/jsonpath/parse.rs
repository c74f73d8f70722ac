//! From the text of a template to its nodes. Source: the grammar of client-go's `util/jsonpath`, quirks included.

use super::{Array, Bound, Node};
use crate::golang::unquote;

/// What stands where no character is left.
const END: char = '\0';

/// Reads a whole template: text, and actions in braces.
pub(super) fn template(text: &str) -> Result<Vec<Node>, String> {
    let mut nodes = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        if !before.is_empty() {
            nodes.push(Node::Text(before.to_owned()));
        }
        let mut reader = Reader { rest: after };
        nodes.push(Node::List(reader.action()?));
        rest = reader.rest;
    }
    if !rest.is_empty() {
        nodes.push(Node::Text(rest.to_owned()));
    }
    Ok(nodes)
}

/// Reads what may stand between braces, given without them.
fn action(text: &str) -> Result<Vec<Node>, String> {
    let text = format!("{text}}}");
    Reader { rest: &text }.action()
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> char {
        self.rest.chars().next().unwrap_or(END)
    }

    fn next(&mut self) -> char {
        let c = self.peek();
        self.rest = &self.rest[if self.rest.is_empty() { 0 } else { c.len_utf8() }..];
        c
    }

    fn skip(&mut self, prefix: &str) -> bool {
        let rest = self.rest.strip_prefix(prefix);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// The nodes up to the closing brace, which is taken too.
    fn action(&mut self) -> Result<Vec<Node>, String> {
        let mut nodes = Vec::new();
        loop {
            if self.skip("}") {
                return Ok(nodes);
            }
            if self.skip("[?(") {
                nodes.push(self.filter()?);
            } else if self.skip("..") {
                if matches!(nodes.last(), Some(Node::Recursive)) {
                    return Err("invalid multiple recursive descent".into());
                }
                nodes.push(Node::Recursive);
                if is_alphanumeric(self.peek()) {
                    nodes.push(self.field());
                }
            } else {
                self.simple(&mut nodes)?;
            }
        }
    }

    fn simple(&mut self, nodes: &mut Vec<Node>) -> Result<(), String> {
        let before = self.rest;
        match self.next() {
            END | '\n' | '\r' => return Err("unclosed action".into()),
            ' ' | '@' | '$' => {}
            '[' => self.subscript(nodes)?,
            quote @ ('"' | '\'') => nodes.push(self.quoted(quote)?),
            '.' => nodes.push(self.field()),
            c if c == '+' || c == '-' || c.is_numeric() => {
                self.rest = before;
                nodes.push(self.number()?);
            }
            c if is_alphanumeric(c) => {
                self.rest = before;
                nodes.push(match self.until(is_terminator) {
                    "true" => Node::Bool(true),
                    "false" => Node::Bool(false),
                    word => Node::Word(word.to_owned()),
                });
            }
            c => return Err(format!("unrecognized character in action: U+{:04X} '{c}'", u32::from(c))),
        }
        Ok(())
    }

    /// The text up to the first character that ends it, which is left.
    fn until(&mut self, ends: impl Fn(char) -> bool) -> &'a str {
        let (text, rest) = self.rest.split_at(self.rest.find(ends).unwrap_or(self.rest.len()));
        self.rest = rest;
        text
    }

    /// A field's name, in which a backslash takes the next character as it is.
    fn field(&mut self) -> Node {
        let start = self.rest;
        while !self.rest.is_empty() && !is_terminator(self.peek()) {
            if self.next() == '\\' {
                self.next();
            }
        }
        match &start[..start.len() - self.rest.len()] {
            "*" => Node::Wildcard,
            name => Node::Field(name.replace('\\', "")),
        }
    }

    fn number(&mut self) -> Result<Node, String> {
        let start = self.rest;
        self.next();
        self.until(|c| c != '.' && !c.is_numeric());
        let text = &start[..start.len() - self.rest.len()];
        if let Ok(int) = text.parse() {
            return Ok(Node::Int(int));
        }
        text.parse().map(Node::Float).map_err(|_| format!("cannot parse number {text}"))
    }

    /// A quoted text; the opening quote is taken already.
    fn quoted(&mut self, quote: char) -> Result<Node, String> {
        let start = self.rest;
        let mut last = quote;
        loop {
            let c = self.next();
            match c {
                END | '\n' => return Err("unterminated quoted string".into()),
                c if c == quote && last != '\\' => break,
                _ => last = c,
            }
        }
        let inner = &start[..start.len() - self.rest.len() - 1];
        unquote(inner, quote).map(Node::Text).ok_or_else(|| format!("unquote string {quote}{inner}{quote} error invalid syntax"))
    }

    /// What is in brackets; the opening one is taken already.
    fn subscript(&mut self, nodes: &mut Vec<Node>) -> Result<(), String> {
        let text = self.until(|c| c == ']' || c == '\n');
        if self.next() != ']' {
            return Err("unterminated array".into());
        }
        let parts: Vec<&str> = text.split(',').collect();
        if parts.len() > 1 {
            let parts: Result<_, String> = parts.iter().map(|part| action(&format!("[{}]", part.trim_matches(' ')))).collect();
            nodes.push(Node::Union(parts?));
        } else if let Some(key) = text.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')).filter(|key| !key.contains('\'')) {
            nodes.extend(action(&format!(".{key}"))?);
        } else {
            nodes.push(Node::Array(array(if text == "*" { ":" } else { text })?));
        }
        Ok(())
    }

    /// A filter; `[?(` is taken already.
    fn filter(&mut self) -> Result<Node, String> {
        let start = self.rest;
        let (mut begun, mut ended, mut pair, mut last) = (false, false, END, END);
        loop {
            let c = self.next();
            match c {
                END | '\n' => return Err("unterminated filter".into()),
                '"' | '\'' if !begun => (begun, pair) = (true, c),
                '"' | '\'' if last != '\\' && c == pair => ended = true,
                ')' if begun == ended => break,
                _ => {}
            }
            last = c;
        }
        if self.next() != ']' {
            return Err("unclosed array expect ]".into());
        }
        let text = &start[..start.len() - self.rest.len() - 2];
        match comparison(text) {
            Some((left, operator, right)) => Ok(Node::Filter(action(left)?, operator.to_owned(), action(right)?)),
            None => Ok(Node::Filter(action(text)?, "exists".into(), Vec::new())),
        }
    }
}

/// `left operator right`, none of them empty; the operator is made of `!<>=`.
fn comparison(text: &str) -> Option<(&str, &str, &str)> {
    let is_sign = |c: char| "!<>=".contains(c);
    let (left, rest) = text.split_at(text.find(is_sign)?);
    let mut end = rest.find(|c| !is_sign(c)).unwrap_or(rest.len());
    if end == rest.len() {
        // Something must be left to compare with.
        end = end.checked_sub(1)?;
    }
    let (operator, right) = rest.split_at(end);
    (!left.is_empty() && !operator.is_empty()).then_some((left, operator, right))
}

/// `1`, `1:3`, `-1:`, `::2`.
fn array(text: &str) -> Result<Array, String> {
    let wrong = || format!("invalid array index {text}");
    let parts: Vec<&str> = text.split(':').collect();
    let is_number = |part: &&str| part.strip_prefix('-').unwrap_or(part).chars().all(|c| c.is_ascii_digit());
    if parts.len() > 3 || !parts.iter().all(is_number) {
        return Err(wrong());
    }
    let number = |at: usize| match parts.get(at) {
        None | Some(&"") => Ok(None),
        Some(part) => part.parse::<i64>().map(Some).map_err(|_| format!("array index {part} is not a number")),
    };
    let start = number(0)?;
    let end = match (parts.len(), number(1)?) {
        (1, _) => Bound::Next,
        (_, Some(end)) => Bound::At(end),
        (_, None) => Bound::Last,
    };
    Ok(Array { start, end, step: number(2)? })
}

fn is_terminator(c: char) -> bool {
    " \t\r\n.,[]$@{}".contains(c)
}

fn is_alphanumeric(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}
