//! From the text of a template to its tokens.

use crate::golang::unquote;

/// A piece of a template.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// What stands outside of braces.
    Text(String),
    /// The opening braces.
    Open,
    Close,
    Space,
    /// `.name`, without the dot.
    Field(String),
    /// `$` or `$name`.
    Variable(String),
    Dot,
    Word(String),
    Int(i64, String),
    Float(f64, String),
    /// The text, and how it is written.
    Quoted(String, String),
    Pipe,
    Comma,
    Declare,
    Assign,
    LeftParen,
    RightParen,
}

/// The tokens with their places, and the end of the text.
pub(super) type Tokens = Vec<(usize, Token)>;

/// What is wrong, and where.
pub(super) type Wrong = (usize, String);

/// Takes a template apart; comments and the space that dashes eat are gone.
pub(super) fn tokens(text: &str) -> Result<Tokens, Wrong> {
    let mut tokens = Vec::new();
    let mut at = 0;
    let mut eats = false;
    loop {
        let open = text[at..].find("{{").map(|found| at + found);
        let mut outside = &text[at..open.unwrap_or(text.len())];
        let inner = open.map(|open| open + 2);
        let dashed = inner.is_some_and(|inner| text[inner..].starts_with('-') && text[inner + 1..].starts_with(is_space));
        if eats {
            outside = outside.trim_start_matches(is_space);
        }
        if dashed {
            outside = outside.trim_end_matches(is_space);
        }
        if !outside.is_empty() {
            tokens.push((at, Token::Text(outside.to_owned())));
        }
        let (Some(open), Some(inner)) = (open, inner) else { return Ok(tokens) };
        let start = inner + if dashed { 2 } else { 0 };
        if text[start..].starts_with("/*") {
            let end = text[start..].find("*/").ok_or((start, "unclosed comment".to_owned()))? + start + 2;
            let rest = &text[end..];
            (at, eats) = match (rest.strip_prefix("}}"), rest.strip_prefix(" -}}")) {
                (Some(_), _) => (end + 2, false),
                (_, Some(_)) => (end + 4, true),
                _ => return Err((end, "comment ends before closing delimiter".to_owned())),
            };
            continue;
        }
        tokens.push((open, Token::Open));
        (at, eats) = inside(text, start, &mut tokens)?;
    }
}

/// Reads up to the closing braces; gives the place after them, and whether they eat the space that follows.
fn inside(text: &str, start: usize, tokens: &mut Tokens) -> Result<(usize, bool), Wrong> {
    let mut at = start;
    let mut depth = 0;
    loop {
        let rest = &text[at..];
        let eats = rest.starts_with(is_space) && rest[1..].starts_with("-}}");
        if eats || rest.starts_with("}}") {
            if depth > 0 {
                return Err((at, "unclosed left paren".into()));
            }
            tokens.push((at, Token::Close));
            return Ok((at + if eats { 4 } else { 2 }, eats));
        }
        let (token, length) = token(rest).map_err(|why| (at, why))?;
        match token {
            Token::LeftParen => depth += 1,
            Token::RightParen if depth == 0 => return Err((at, "unexpected right paren".into())),
            Token::RightParen => depth -= 1,
            _ => {}
        }
        tokens.push((at, token));
        at += length;
    }
}

fn token(rest: &str) -> Result<(Token, usize), String> {
    let Some(first) = rest.chars().next() else { return Err("unclosed action".into()) };
    let length_of = |fits: fn(char) -> bool, from: usize| rest[from..].find(|c| !fits(c)).map_or(rest.len(), |end| from + end);
    Ok(match first {
        c if is_space(c) => (Token::Space, length_of(is_space, 0)),
        ':' if rest.starts_with(":=") => (Token::Declare, 2),
        ':' => return Err("expected :=".into()),
        '=' => (Token::Assign, 1),
        '|' => (Token::Pipe, 1),
        ',' => (Token::Comma, 1),
        '(' => (Token::LeftParen, 1),
        ')' => (Token::RightParen, 1),
        '"' | '`' | '\'' => quoted(rest, first)?,
        '$' => {
            let end = length_of(is_alphanumeric, 1);
            (Token::Variable(rest[..end].to_owned()), ended(rest, end)?)
        }
        '.' if !rest[1..].starts_with(|c: char| c.is_ascii_digit()) => {
            let end = length_of(is_alphanumeric, 1);
            let token = if end == 1 { Token::Dot } else { Token::Field(rest[1..end].to_owned()) };
            (token, ended(rest, end)?)
        }
        c if c.is_ascii_digit() || "+-.".contains(c) => number(rest)?,
        c if is_alphanumeric(c) => {
            let end = length_of(is_alphanumeric, 0);
            (Token::Word(rest[..end].to_owned()), ended(rest, end)?)
        }
        c => return Err(format!("unrecognized character in action: U+{:04X} '{c}'", u32::from(c))),
    })
}

/// The end of a name, if what follows may follow one.
fn ended(rest: &str, end: usize) -> Result<usize, String> {
    match rest[end..].chars().next() {
        Some(c) if !is_space(c) && !".,|:()=}$".contains(c) => Err(format!("bad character U+{:04X} '{c}'", u32::from(c))),
        _ => Ok(end),
    }
}

fn quoted(rest: &str, quote: char) -> Result<(Token, usize), String> {
    let what = match quote {
        '`' => "raw quoted string",
        '"' => "quoted string",
        _ => "character constant",
    };
    let mut last_escapes = false;
    for (at, c) in rest.char_indices().skip(1) {
        if c == quote && !last_escapes {
            let (inner, all) = (&rest[1..at], rest[..=at].to_owned());
            if quote == '`' {
                return Ok((Token::Quoted(inner.to_owned(), all), at + 1));
            }
            let text = unquote(inner, quote).ok_or("invalid syntax")?;
            return match (quote, text.chars().next()) {
                ('\'', Some(c)) => Ok((Token::Int(u32::from(c).into(), all), at + 1)),
                ('\'', None) => Err(format!("malformed character constant: {all}")),
                _ => Ok((Token::Quoted(text, all), at + 1)),
            };
        }
        if c == '\n' && quote != '`' {
            break;
        }
        last_escapes = c == '\\' && !last_escapes && quote != '`';
    }
    Err(format!("unterminated {what}"))
}

fn number(rest: &str) -> Result<(Token, usize), String> {
    let mut end = 0;
    let mut last = ' ';
    for (at, c) in rest.char_indices() {
        let fits = c.is_ascii_alphanumeric() || c == '.' || c == '_' || ("+-".contains(c) && (at == 0 || "eE".contains(last)));
        if !fits {
            break;
        }
        (end, last) = (at + 1, c);
    }
    let text = &rest[..end];
    let digits = text.replace('_', "");
    let int = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(hex) => i64::from_str_radix(hex, 16).ok(),
        None => digits.parse().ok(),
    };
    if let Some(int) = int {
        return Ok((Token::Int(int, text.to_owned()), end));
    }
    match digits.parse::<f64>() {
        Ok(float) if digits.contains(|c: char| c.is_ascii_digit()) => Ok((Token::Float(float, text.to_owned()), end)),
        _ => Err(format!("bad number syntax: {}", crate::golang::quote(text))),
    }
}

fn is_space(c: char) -> bool {
    " \t\r\n".contains(c)
}

fn is_alphanumeric(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}
