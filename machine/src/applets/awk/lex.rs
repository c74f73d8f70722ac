//! From text to words.

/// What is wrong: the line, and the words for it.
pub(super) type Wrong = (usize, String);

/// A word.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Number(f64),
    Text(String),
    Pattern(String),
    Name(String),
    /// A name with a bracket right behind it.
    Call(String),
    /// Keywords, builtins and signs.
    Sign(&'static str),
    Line,
    End,
}

const KEYWORDS: &[&str] = &[
    "BEGIN", "END", "function", "func", "if", "else", "while", "for", "do", "break", "continue", "next", "nextfile", "exit", "return",
    "delete", "in", "getline", "print", "printf",
];

/// The functions there are.
pub(super) const BUILTINS: &[&str] = &[
    "length", "substr", "index", "split", "sub", "gsub", "match", "sprintf", "tolower", "toupper", "int", "sqrt", "exp", "log", "sin",
    "cos", "atan2", "rand", "srand", "system", "close", "fflush", "systime", "strftime", "and", "or", "xor", "compl", "lshift", "rshift",
];

const SIGNS: &[&str] = &[
    "**=", "&&", "||", "++", "--", "+=", "-=", "*=", "/=", "%=", "^=", "**", "==", "<=", ">=", "!=", ">>", "{", "}", "(", ")", "[", "]",
    ";", ",", "+", "-", "*", "/", "%", "^", "!", ">", "<", "|", "?", ":", "~", "$", "=",
];

/// The words of a program, each with its line.
pub(super) fn words(text: &str) -> Result<Vec<(Token, usize)>, Wrong> {
    let mut lexer = Lexer { rest: text, line: 1 };
    let mut words: Vec<(Token, usize)> = Vec::new();
    loop {
        lexer.blanks();
        let line = lexer.line;
        let divides = match words.last() {
            Some((Token::Number(_) | Token::Text(_) | Token::Name(_), _)) => true,
            Some((Token::Sign(sign), _)) => matches!(*sign, ")" | "]" | "$" | "++" | "--" | "length"),
            _ => false,
        };
        let token = lexer.next(divides)?;
        let ends = token == Token::End;
        words.push((token, line));
        if ends {
            return Ok(words);
        }
    }
}

struct Lexer<'a> {
    rest: &'a str,
    line: usize,
}

impl Lexer<'_> {
    fn blanks(&mut self) {
        loop {
            let before = self.rest.len();
            self.rest = self.rest.trim_start_matches([' ', '\t', '\r']);
            if let Some(rest) = self.rest.strip_prefix("\\\n").or_else(|| self.rest.strip_prefix("\\\r\n")) {
                self.rest = rest;
                self.line += 1;
            }
            if self.rest.starts_with('#') {
                self.rest = &self.rest[self.rest.find('\n').unwrap_or(self.rest.len())..];
            }
            if self.rest.len() == before {
                return;
            }
        }
    }

    fn next(&mut self, divides: bool) -> Result<Token, Wrong> {
        let Some(first) = self.rest.chars().next() else { return Ok(Token::End) };
        match first {
            '\n' => {
                self.rest = &self.rest[1..];
                self.line += 1;
                Ok(Token::Line)
            }
            '"' => self.text(),
            '/' if !divides => self.pattern(),
            '0'..='9' | '.' if first != '.' || self.rest[1..].starts_with(|c: char| c.is_ascii_digit()) => Ok(self.number()),
            'a'..='z' | 'A'..='Z' | '_' => Ok(self.name()),
            _ => match SIGNS.iter().find(|sign| self.rest.starts_with(**sign)) {
                Some(sign) => {
                    self.rest = &self.rest[sign.len()..];
                    Ok(Token::Sign(match *sign {
                        "**" => "^",
                        "**=" => "^=",
                        sign => sign,
                    }))
                }
                None => Err((self.line, "Unexpected token".to_owned())),
            },
        }
    }

    fn number(&mut self) -> Token {
        let text = self.rest;
        if let Some(digits) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
            let end = digits.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(digits.len());
            if end > 0 {
                self.rest = &digits[end..];
                return Token::Number(u64::from_str_radix(&digits[..end], 16).unwrap_or(u64::MAX) as f64);
            }
        }
        let bytes = text.as_bytes();
        let mut end = 0;
        while bytes.get(end).is_some_and(|byte| byte.is_ascii_digit() || *byte == b'.') {
            end += 1;
        }
        if matches!(bytes.get(end), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
            if bytes.get(end + 1 + sign).is_some_and(u8::is_ascii_digit) {
                end += 1 + sign;
                while bytes.get(end).is_some_and(u8::is_ascii_digit) {
                    end += 1;
                }
            }
        }
        self.rest = &text[end..];
        Token::Number(super::value::number(&text[..end]))
    }

    fn name(&mut self) -> Token {
        let end = self.rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest;
        if let Some(word) = KEYWORDS.iter().chain(BUILTINS).find(|word| **word == name) {
            return Token::Sign(if *word == "func" { "function" } else { word });
        }
        if rest.starts_with('(') { Token::Call(name.to_owned()) } else { Token::Name(name.to_owned()) }
    }

    fn text(&mut self) -> Result<Token, Wrong> {
        let mut text = String::new();
        let mut rest = self.rest[1..].char_indices();
        while let Some((at, c)) = rest.next() {
            match c {
                '"' => {
                    self.rest = &self.rest[at + 2..];
                    return Ok(Token::Text(text));
                }
                '\n' => break,
                '\\' => match rest.next().map(|(_, c)| c) {
                    Some('n') => text.push('\n'),
                    Some('t') => text.push('\t'),
                    Some('r') => text.push('\r'),
                    Some('a') => text.push('\u{7}'),
                    Some('b') => text.push('\u{8}'),
                    Some('f') => text.push('\u{c}'),
                    Some('v') => text.push('\u{b}'),
                    Some('/') => text.push('/'),
                    Some('"') => text.push('"'),
                    Some('\\') => text.push('\\'),
                    Some('\n') => self.line += 1,
                    Some(digit @ '0'..='7') => {
                        let mut value = digit as u32 - '0' as u32;
                        for _ in 0..2 {
                            match rest.clone().next() {
                                Some((_, digit @ '0'..='7')) => {
                                    value = value * 8 + (digit as u32 - '0' as u32);
                                    rest.next();
                                }
                                _ => break,
                            }
                        }
                        text.extend(char::from_u32(value & 255));
                    }
                    // Whatever else stays as it is, for patterns.
                    Some(c) => text.extend(['\\', c]),
                    None => break,
                },
                c => text.push(c),
            }
        }
        Err((self.line, "Unexpected end of string".to_owned()))
    }

    fn pattern(&mut self) -> Result<Token, Wrong> {
        let mut text = String::new();
        let mut bracket = false;
        let mut rest = self.rest[1..].char_indices();
        while let Some((at, c)) = rest.next() {
            match c {
                '/' if !bracket => {
                    self.rest = &self.rest[at + 2..];
                    return Ok(Token::Pattern(text));
                }
                '\n' => break,
                '\\' => match rest.next().map(|(_, c)| c) {
                    Some('/') => text.push('/'),
                    Some(c) => text.extend(['\\', c]),
                    None => break,
                },
                '[' if !bracket => {
                    bracket = true;
                    text.push('[');
                    let mut ahead = rest.clone();
                    for first in ['^', ']'] {
                        if ahead.clone().next().is_some_and(|(_, c)| c == first) {
                            text.push(first);
                            ahead.next();
                        }
                    }
                    rest = ahead;
                }
                ']' => {
                    bracket = false;
                    text.push(']');
                }
                c => text.push(c),
            }
        }
        Err((self.line, "Unexpected end of regexp".to_owned()))
    }
}
