//! What quotes, `$` and backquotes in a word mean.

use super::{
    Syntax,
    lex::Lexer,
    node::{Ask, Piece, Word},
};
use crate::applets::hand::{Escaped, escape};

/// Where characters are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// Outside quotes; with `assignment` a `~` after a `:` counts too.
    Bare { assignment: bool },
    /// In double quotes; also an expression.
    Double,
    /// In a here-document, where a double quote is a character.
    Here,
}

impl Mode {
    fn quoted(self) -> bool {
        !matches!(self, Self::Bare { .. })
    }
}

/// Reads a word.
pub(super) fn parse(text: &str, line: usize) -> Result<Word, Syntax> {
    Reader::new(text, line).word(Mode::Bare { assignment: false }, &[])
}

/// Reads what is assigned.
pub(super) fn parse_value(text: &str, line: usize) -> Result<Word, Syntax> {
    Reader::new(text, line).word(Mode::Bare { assignment: true }, &[])
}

/// Reads the text of a here-document.
pub(super) fn parse_here(text: &str, line: usize) -> Result<Word, Syntax> {
    Reader::new(text, line).word(Mode::Here, &[])
}

/// Reads text as if it stood in double quotes, such as a prompt.
pub(in crate::shell) fn parse_double(text: &str) -> Result<Word, Syntax> {
    Reader::new(text, 1).word(Mode::Here, &[])
}

/// A word without its quotes, nothing else in it read.
pub(super) fn unquote(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    let mut quote = None;
    while let Some(next) = chars.next() {
        match (quote, next) {
            (Some(open), close) if open == close => quote = None,
            (None, '\'' | '"') => quote = Some(next),
            (None | Some('"'), '\\') => out.extend(chars.next()),
            _ => out.push(next),
        }
    }
    out
}

struct Reader<'a> {
    text: &'a str,
    lexer: Lexer<'a>,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str, line: usize) -> Self {
        Self { text, lexer: Lexer::new(text, 0, line) }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.lexer.pos..]
    }

    fn next_char(&mut self) -> Option<char> {
        let next = self.rest().chars().next()?;
        self.lexer.pos += next.len_utf8();
        self.lexer.line += usize::from(next == '\n');
        Some(next)
    }

    /// Takes a byte if it is the next.
    fn eat(&mut self, byte: u8) -> bool {
        let found = self.rest().as_bytes().first() == Some(&byte);
        self.lexer.pos += usize::from(found);
        found
    }

    /// What the lexer reads as one piece, as written.
    fn raw(&mut self, read: impl FnOnce(&mut Lexer<'a>, &mut String) -> Result<(), Syntax>) -> Result<String, Syntax> {
        let mut raw = String::new();
        read(&mut self.lexer, &mut raw)?;
        Ok(raw)
    }

    /// Reads to one of the bytes of `stop`, which is not taken, or to the end.
    fn word(&mut self, mode: Mode, stop: &[u8]) -> Result<Word, Syntax> {
        let mut pieces = Pieces::default();
        while let Some(next) = self.rest().chars().next() {
            if u8::try_from(next).is_ok_and(|byte| stop.contains(&byte)) {
                break;
            }
            match next {
                '\\' => self.backslash(mode, stop, &mut pieces),
                '\'' if !mode.quoted() => {
                    self.next_char();
                    let rest = self.rest();
                    let text = rest.split('\'').next().unwrap_or_default();
                    pieces.text(text, true);
                    self.skip(text.len() + 1);
                }
                '"' if mode != Mode::Here => {
                    self.next_char();
                    let inner = self.word(Mode::Double, b"\"")?;
                    self.eat(b'"');
                    if inner.0.is_empty() {
                        pieces.text("", true);
                    }
                    pieces.extend(inner);
                }
                '`' => {
                    let line = self.lexer.line;
                    let raw = self.raw(|lexer, out| lexer.piece(out, mode.quoted()))?;
                    let script = backquoted(&raw, mode == Mode::Double);
                    pieces.push(Piece::Command { script: script.into(), line, quoted: mode.quoted() });
                }
                '$' => self.dollar(mode, &mut pieces)?,
                '~' if self.tilde_counts(mode, &pieces) => self.tilde(mode, stop, &mut pieces),
                _ => {
                    self.next_char();
                    pieces.char(next, mode.quoted());
                }
            }
        }
        Ok(Word(pieces.0))
    }

    fn skip(&mut self, bytes: usize) {
        let end = (self.lexer.pos + bytes).min(self.text.len());
        self.lexer.line += self.text[self.lexer.pos..end].matches('\n').count();
        self.lexer.pos = end;
    }

    fn backslash(&mut self, mode: Mode, stop: &[u8], pieces: &mut Pieces) {
        self.next_char();
        let Some(next) = self.rest().chars().next() else {
            pieces.char('\\', true);
            return;
        };
        let escapes = match mode {
            Mode::Bare { .. } => true,
            Mode::Double => matches!(next, '$' | '`' | '"' | '\\' | '\n') || (next == '}' && stop.contains(&b'}')),
            Mode::Here => matches!(next, '$' | '`' | '\\' | '\n'),
        };
        if !escapes {
            pieces.char('\\', true);
            return;
        }
        self.next_char();
        if next != '\n' {
            pieces.char(next, true);
        }
    }

    fn tilde_counts(&self, mode: Mode, pieces: &Pieces) -> bool {
        match (mode, pieces.0.last()) {
            (Mode::Bare { .. }, None) => true,
            (Mode::Bare { assignment: true }, Some(Piece::Text { text, quoted: false })) => text.ends_with(':'),
            _ => false,
        }
    }

    fn tilde(&mut self, mode: Mode, stop: &[u8], pieces: &mut Pieces) {
        let rest = &self.rest()[1..];
        let ends = |c: char| {
            c == '/' || (c == ':' && mode == Mode::Bare { assignment: true }) || u8::try_from(c).is_ok_and(|byte| stop.contains(&byte))
        };
        let name = rest.split(ends).next().unwrap_or(rest);
        self.lexer.pos += 1;
        if name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')) {
            self.lexer.pos += name.len();
            pieces.push(Piece::Tilde(name.to_owned()));
        } else {
            pieces.char('~', false);
        }
    }

    fn dollar(&mut self, mode: Mode, pieces: &mut Pieces) -> Result<(), Syntax> {
        let (rest, line, quoted) = (self.rest(), self.lexer.line, mode.quoted());
        if rest.starts_with("$((") {
            let raw = self.raw(|lexer, out| lexer.dollar(out, quoted))?;
            let inner = raw.strip_prefix("$((").and_then(|raw| raw.strip_suffix("))")).unwrap_or_default();
            let expression = Reader::new(inner, line).word(Mode::Double, &[])?;
            pieces.push(Piece::Arithmetic { expression, quoted });
        } else if rest.starts_with("$(") {
            let raw = self.raw(|lexer, out| lexer.dollar(out, quoted))?;
            let script = raw.strip_prefix("$(").and_then(|raw| raw.strip_suffix(')')).unwrap_or_default();
            pieces.push(Piece::Command { script: script.into(), line, quoted });
        } else if rest.starts_with("${") {
            self.lexer.pos += 2;
            let piece = self.braces(mode)?;
            pieces.push(piece);
        } else if rest.starts_with("$'") && !quoted {
            let raw = self.raw(|lexer, out| lexer.dollar(out, false))?;
            let inner = raw.strip_prefix("$'").and_then(|raw| raw.strip_suffix('\'')).unwrap_or_default();
            pieces.text(&escapes(inner), true);
        } else {
            self.lexer.pos += 1;
            let name = plain_name(self.rest());
            if name.is_empty() {
                pieces.char('$', true);
            } else {
                self.lexer.pos += name.len();
                pieces.push(Piece::Parameter { name: name.to_owned(), what: Ask::Value, quoted });
            }
        }
        Ok(())
    }

    /// `${…}` after the brace.
    fn braces(&mut self, mode: Mode) -> Result<Piece, Syntax> {
        let quoted = mode.quoted();
        let rest = self.rest();
        if let Some(after) = rest.strip_prefix('#') {
            let name = long_name(after);
            if !name.is_empty() && after[name.len()..].starts_with('}') {
                self.lexer.pos += 1 + name.len() + 1;
                return Ok(Piece::Parameter { name: name.to_owned(), what: Ask::Length, quoted });
            }
        }
        let name = long_name(rest).to_owned();
        self.lexer.pos += name.len();
        let what = if name.is_empty() { Ask::Bad } else { self.ask(mode)? };
        if !self.eat(b'}') || what == Ask::Bad {
            // The rest is skipped; what it is cannot be told.
            self.word(if quoted { Mode::Double } else { mode }, b"}")?;
            self.eat(b'}');
            return Ok(Piece::Parameter { name, what: Ask::Bad, quoted });
        }
        Ok(Piece::Parameter { name, what, quoted })
    }

    fn ask(&mut self, mode: Mode) -> Result<Ask, Syntax> {
        let bare = Mode::Bare { assignment: false };
        let same = if mode.quoted() { Mode::Double } else { bare };
        let rest = self.rest().as_bytes();
        match (rest.first().copied(), rest.get(1).copied()) {
            (Some(b'}'), _) => Ok(Ask::Value),
            (Some(b':'), Some(kind @ (b'-' | b'=' | b'?' | b'+'))) => {
                self.lexer.pos += 2;
                Ok(Ask::Otherwise { kind, empty: true, word: self.word(same, b"}")? })
            }
            (Some(kind @ (b'-' | b'=' | b'?' | b'+')), _) => {
                self.lexer.pos += 1;
                Ok(Ask::Otherwise { kind, empty: false, word: self.word(same, b"}")? })
            }
            (Some(sign @ (b'#' | b'%')), second) => {
                let most = second == Some(sign);
                self.lexer.pos += 1 + usize::from(most);
                Ok(Ask::Trim { end: sign == b'%', most, pattern: self.word(bare, b"}")? })
            }
            (Some(b'/'), second) => {
                let all = second == Some(b'/');
                self.lexer.pos += 1 + usize::from(all);
                let pattern = self.word(bare, b"/}")?;
                let with = if self.eat(b'/') { self.word(bare, b"}")? } else { Word::default() };
                Ok(Ask::Replace { all, pattern, with })
            }
            (Some(b':'), _) => {
                self.lexer.pos += 1;
                let from = self.word(Mode::Double, b":}")?;
                let length = if self.eat(b':') { Some(self.word(Mode::Double, b"}")?) } else { None };
                Ok(Ask::Part { from, length })
            }
            _ => Ok(Ask::Bad),
        }
    }
}

/// Pieces, texts of one kind joined.
#[derive(Default)]
struct Pieces(Vec<Piece>);

impl Pieces {
    fn push(&mut self, piece: Piece) {
        self.0.push(piece);
    }

    fn char(&mut self, char: char, quoted: bool) {
        self.text(char.encode_utf8(&mut [0; 4]), quoted);
    }

    fn text(&mut self, more: &str, quoted: bool) {
        match self.0.last_mut() {
            Some(Piece::Text { text, quoted: last }) if *last == quoted => text.push_str(more),
            _ => self.0.push(Piece::Text { text: more.to_owned(), quoted }),
        }
    }

    fn extend(&mut self, word: Word) {
        for piece in word.0 {
            match piece {
                Piece::Text { text, quoted } => self.text(&text, quoted),
                other => self.push(other),
            }
        }
    }
}

/// The name after a `$` without braces.
fn plain_name(text: &str) -> &str {
    match text.as_bytes().first() {
        Some(b'0'..=b'9') => &text[..1],
        _ => long_name(text),
    }
}

/// The name after `${`.
fn long_name(text: &str) -> &str {
    let length = match text.as_bytes().first() {
        Some(b'0'..=b'9') => text.bytes().take_while(u8::is_ascii_digit).count(),
        Some(b'@' | b'*' | b'#' | b'?' | b'$' | b'!' | b'-') => 1,
        _ => text.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count(),
    };
    &text[..length]
}

/// The commands between backquotes.
fn backquoted(raw: &str, in_double: bool) -> String {
    let inner = raw.strip_prefix('`').and_then(|raw| raw.strip_suffix('`')).unwrap_or_default();
    let mut out = String::new();
    let mut chars = inner.chars().peekable();
    while let Some(next) = chars.next() {
        let escapes = next == '\\' && chars.peek().is_some_and(|after| matches!(after, '$' | '`' | '\\') || (in_double && *after == '"'));
        if escapes { out.extend(chars.next()) } else { out.push(next) }
    }
    out
}

/// The characters between `$'` and `'`.
fn escapes(text: &str) -> String {
    let mut out = Vec::new();
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at).copied() {
        at += 1;
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        let rest = &bytes[at..];
        if rest.first() == Some(&b'\'') {
            out.push(b'\'');
            at += 1;
            continue;
        }
        // Unlike `echo -e`, ash does not know `\e` here.
        match escape(rest) {
            Escaped::Byte(byte, length) if rest.first() != Some(&b'e') => {
                out.push(byte);
                at += length;
            }
            _ => out.push(b'\\'),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
