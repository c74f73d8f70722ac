//! Where words and operators of a script begin and end.
//!
//! The tokens are those of the parser crate, whose own tokenizer is bash's and takes the `)` of a `case` inside `$( )` for the end of it. Text of
//! words stays as written: what quotes and `$` mean is read by [`super::word`], which asks here where a nested piece ends.

use std::sync::Arc;

use brush_parser::{SourcePosition, Token, TokenLocation};

use super::{Syntax, shape::Shape};

/// How deep `$( )`, `${ }`, `$(( ))` and quotes may nest in one word.
const NESTING: usize = 60;

/// The operators, longest first.
const OPERATORS: &[&str] = &["<<-", "&&", "||", ";;", "<<", ">>", "<&", ">&", "<>", ">|", "&>", ";", "&", "|", "<", ">", "(", ")"];

/// A here-document whose body comes with the next new line.
#[derive(Debug)]
struct Pending {
    /// Where in the tokens its body is to be put.
    at: usize,
    end: String,
    quoted: bool,
    tabs: bool,
}

/// Reads tokens from a text.
#[derive(Debug)]
pub(super) struct Lexer<'a> {
    text: &'a str,
    /// The byte that is read next.
    pub(super) pos: usize,
    /// The line it is on, from 1.
    pub(super) line: usize,
    depth: usize,
    pending: Vec<Pending>,
}

impl<'a> Lexer<'a> {
    /// A reader that begins at a byte, on a line.
    pub(super) fn new(text: &'a str, pos: usize, line: usize) -> Self {
        Self { text, pos, line, depth: 0, pending: Vec::new() }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.pos).copied()
    }

    fn starts_with(&self, what: &str) -> bool {
        self.text.as_bytes()[self.pos..].starts_with(what.as_bytes())
    }

    /// Takes the next character into `out`.
    fn take(&mut self, out: &mut String) {
        if let Some(next) = self.text[self.pos..].chars().next() {
            out.push(next);
            self.pos += next.len_utf8();
            self.line += usize::from(next == '\n');
        }
    }

    /// Takes bytes that are no new lines.
    fn take_bytes(&mut self, count: usize, out: &mut String) {
        out.push_str(&self.text[self.pos..self.pos + count]);
        self.pos += count;
    }

    /// Takes a line continuation away, if there is one.
    fn continuation(&mut self) -> bool {
        let found = self.starts_with("\\\n");
        if found {
            self.pos += 2;
            self.line += 1;
        }
        found
    }

    fn deeper<T>(&mut self, inner: impl FnOnce(&mut Self) -> Result<T, Syntax>) -> Result<T, Syntax> {
        if self.depth >= NESTING {
            return Err(Syntax::bad("too deeply nested", self.line));
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    /// Where a token is. The parser crate takes a word of digits that touches a redirection for the number of a descriptor, so only those touch.
    fn location(&self, from: (usize, usize), touches: bool) -> TokenLocation {
        let position = |index, line| Arc::new(SourcePosition { index, line, column: 1 });
        TokenLocation { start: position(2 * from.0, from.1), end: position(2 * self.pos - usize::from(!touches), self.line) }
    }

    /// Reads tokens until the shape says that a command is complete, or to the end. Answers whether the text ended.
    pub(super) fn command(&mut self, shape: &mut Shape) -> Result<bool, Syntax> {
        loop {
            while matches!(self.peek(), Some(b' ' | b'\t')) || self.continuation() {
                self.pos += usize::from(matches!(self.peek(), Some(b' ' | b'\t')));
            }
            if self.peek() == Some(b'#') {
                self.pos += self.text[self.pos..].find('\n').unwrap_or(self.text.len() - self.pos);
            }
            let from = (self.pos, self.line);
            let Some(next) = self.peek() else {
                shape.end(self.line)?;
                return Ok(true);
            };
            if next == b'\n' {
                self.pos += 1;
                self.line += 1;
                shape.operator("\n", self.location(from, false))?;
                self.bodies(shape);
                if shape.complete() {
                    return Ok(false);
                }
                continue;
            }
            if let Some(operator) = OPERATORS.iter().find(|operator| self.starts_with(operator)) {
                self.pos += operator.len();
                if *operator == ")" && shape.closes_substitution() {
                    return Ok(false);
                }
                shape.operator(operator, self.location(from, false))?;
                continue;
            }
            let mut word = String::new();
            self.word(&mut word)?;
            self.emit_word(word, from, shape)?;
        }
    }

    fn emit_word(&mut self, word: String, from: (usize, usize), shape: &mut Shape) -> Result<(), Syntax> {
        let number = matches!(self.peek(), Some(b'<' | b'>')) && word.len() < 10 && word.bytes().all(|byte| byte.is_ascii_digit());
        let location = self.location(from, number);
        if number {
            shape.tokens.push(Token::Word(word, location));
            return Ok(());
        }
        let Some(tabs) = shape.here_document() else {
            return shape.word(word, location);
        };
        let quoted = word.contains(['\'', '"', '\\']);
        let end = super::word::unquote(&word);
        shape.word(word.clone(), location.clone())?;
        self.pending.push(Pending { at: shape.tokens.len(), end, quoted, tabs });
        shape.tokens.push(Token::Word(String::new(), location.clone()));
        shape.tokens.push(Token::Word(word, location));
        Ok(())
    }

    /// Reads the bodies of the here-documents of the line that has just ended. The end of the text ends them too.
    fn bodies(&mut self, shape: &mut Shape) {
        for pending in std::mem::take(&mut self.pending) {
            let mut body = String::new();
            let mut continued = false;
            while self.pos < self.text.len() {
                let rest = &self.text[self.pos..];
                let mut line = rest.split_inclusive('\n').next().unwrap_or(rest);
                self.pos += line.len();
                self.line += usize::from(line.ends_with('\n'));
                if pending.tabs {
                    line = line.trim_start_matches('\t');
                }
                let bare = line.strip_suffix('\n').unwrap_or(line);
                if bare == pending.end && !continued {
                    break;
                }
                body.push_str(line);
                let slashes = bare.len() - bare.trim_end_matches('\\').len();
                continued = !pending.quoted && slashes % 2 == 1;
            }
            if let Some(Token::Word(text, _)) = shape.tokens.get_mut(pending.at) {
                *text = body;
            }
        }
    }

    /// Reads a word, as written.
    pub(super) fn word(&mut self, out: &mut String) -> Result<(), Syntax> {
        while let Some(next) = self.peek() {
            match next {
                b' ' | b'\t' | b'\n' | b';' | b'&' | b'|' | b'<' | b'>' | b'(' | b')' => break,
                _ => self.piece(out, false)?,
            }
        }
        Ok(())
    }

    /// Reads one character of a word, or all of what it begins.
    pub(super) fn piece(&mut self, out: &mut String, in_double: bool) -> Result<(), Syntax> {
        if self.continuation() {
            return Ok(());
        }
        match self.peek() {
            Some(b'\\') => {
                self.take(out);
                self.take(out);
                Ok(())
            }
            Some(b'\'') if !in_double => self.single(out),
            Some(b'"') => self.deeper(|lexer| lexer.double(out)),
            Some(b'`') => self.backquote(out),
            Some(b'$') => self.deeper(|lexer| lexer.dollar(out, in_double)),
            _ => {
                self.take(out);
                Ok(())
            }
        }
    }

    fn single(&mut self, out: &mut String) -> Result<(), Syntax> {
        self.take(out);
        while let Some(next) = self.peek() {
            self.take(out);
            if next == b'\'' {
                return Ok(());
            }
        }
        Err(Syntax::more("unterminated quoted string", self.line))
    }

    fn double(&mut self, out: &mut String) -> Result<(), Syntax> {
        self.take(out);
        while let Some(next) = self.peek() {
            if next == b'"' {
                self.take(out);
                return Ok(());
            }
            self.piece(out, true)?;
        }
        Err(Syntax::more("unterminated quoted string", self.line))
    }

    fn backquote(&mut self, out: &mut String) -> Result<(), Syntax> {
        self.take(out);
        while let Some(next) = self.peek() {
            self.take(out);
            match next {
                b'`' => return Ok(()),
                b'\\' => self.take(out),
                _ => {}
            }
        }
        Err(Syntax::more("EOF in backquote substitution", self.line))
    }

    /// Reads what a `$` begins.
    pub(super) fn dollar(&mut self, out: &mut String, in_double: bool) -> Result<(), Syntax> {
        if self.starts_with("$((") {
            return self.arithmetic(out);
        }
        if self.starts_with("$(") {
            return self.substitution(out);
        }
        if self.starts_with("${") {
            return self.braces(out, in_double);
        }
        if self.starts_with("$'") && !in_double {
            return self.escaped(out);
        }
        self.take(out);
        Ok(())
    }

    /// `$'…'`
    fn escaped(&mut self, out: &mut String) -> Result<(), Syntax> {
        self.take_bytes(2, out);
        while let Some(next) = self.peek() {
            self.take(out);
            match next {
                b'\'' => return Ok(()),
                b'\\' => self.take(out),
                _ => {}
            }
        }
        Err(Syntax::more("unterminated quoted string", self.line))
    }

    /// `$((…))`. A single `)` too many stands for itself.
    fn arithmetic(&mut self, out: &mut String) -> Result<(), Syntax> {
        self.take_bytes(3, out);
        let mut open = 0_usize;
        while let Some(next) = self.peek() {
            match next {
                b'(' => open += 1,
                b')' if open > 0 => open -= 1,
                b')' if self.starts_with("))") => {
                    self.take_bytes(2, out);
                    return Ok(());
                }
                b'\\' | b'"' | b'`' | b'$' => {
                    self.piece(out, true)?;
                    continue;
                }
                _ => {}
            }
            self.take(out);
        }
        Err(Syntax::more("missing '))'", self.line))
    }

    /// `${…}`. Inside double quotes a single quote is one only in a pattern.
    fn braces(&mut self, out: &mut String, in_double: bool) -> Result<(), Syntax> {
        self.take_bytes(2, out);
        let rest = &self.text[self.pos..];
        let name = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_').len();
        let pattern = matches!(rest.as_bytes().get(name), Some(b'#' | b'%' | b'/')) && name > 0;
        if name == 0 && rest.starts_with(['#', '?', '$', '!', '-', '@', '*']) {
            self.take(out);
        }
        let in_double = in_double && !pattern;
        while let Some(next) = self.peek() {
            if next == b'}' {
                self.take(out);
                return Ok(());
            }
            self.piece(out, in_double)?;
        }
        Err(Syntax::more("missing '}'", self.line))
    }

    /// `$(…)`, whose end is found by reading the commands in it.
    fn substitution(&mut self, out: &mut String) -> Result<(), Syntax> {
        let from = self.pos;
        self.pos += 2;
        let pending = std::mem::take(&mut self.pending);
        let mut shape = Shape::substitution();
        while !shape.closed {
            self.command(&mut shape)?;
            shape.tokens.clear();
        }
        self.pending = pending;
        out.push_str(&self.text[from..self.pos]);
        Ok(())
    }
}
