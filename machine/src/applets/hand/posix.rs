//! Regular expressions and wildcards of POSIX, as the `regex` crate reads them.
//!
//! Two things differ, and cannot be had from an engine that is safe against every pattern: of alternatives the first that fits is taken,
//! not the longest, and a pattern cannot refer to what a group of it has matched.

use regex::bytes::{Regex, RegexBuilder};

/// The largest a compiled pattern may be.
const MOST: usize = 1 << 20;

/// How a pattern is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// As `grep` and `sed` read it.
    Basic,
    /// The same with `-E`.
    Extended,
    /// As text.
    Fixed,
}

struct Translator<'a> {
    rest: std::iter::Peekable<std::str::Chars<'a>>,
    out: String,
    extended: bool,
    /// Where in `out` begins what a `*` would repeat.
    atom: Option<usize>,
    /// Whether that is a repetition already.
    repeated: bool,
    /// Where groups that are open began.
    open: Vec<usize>,
}

/// Compiles a pattern; else says what is wrong with it.
pub(crate) fn compile(pattern: &str, dialect: Dialect, ignore_case: bool, lines: bool) -> Result<Regex, String> {
    let translated = translate(pattern, dialect)?;
    RegexBuilder::new(&translated)
        .case_insensitive(ignore_case)
        .dot_matches_new_line(true)
        .multi_line(lines)
        .size_limit(MOST)
        .dfa_size_limit(MOST)
        .build()
        .map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => "Regular expression too big".to_owned(),
            _ => "Invalid regular expression".to_owned(),
        })
}

/// The pattern as the `regex` crate reads it.
pub(crate) fn translate(pattern: &str, dialect: Dialect) -> Result<String, String> {
    if dialect == Dialect::Fixed {
        return Ok(regex::escape(pattern));
    }
    let mut translator = Translator {
        rest: pattern.chars().peekable(),
        out: String::new(),
        extended: dialect == Dialect::Extended,
        atom: None,
        repeated: false,
        open: Vec::new(),
    };
    while let Some(c) = translator.rest.next() {
        translator.take(c)?;
    }
    if translator.open.is_empty() { Ok(translator.out) } else { Err("Unmatched ( or \\(".to_owned()) }
}

impl Translator<'_> {
    fn atom(&mut self, text: &str) {
        self.atom = Some(self.out.len());
        self.repeated = false;
        self.out.push_str(text);
    }

    fn literal(&mut self, c: char) {
        self.atom(&regex::escape(c.encode_utf8(&mut [0; 4])));
    }

    fn take(&mut self, c: char) -> Result<(), String> {
        let (extended, begins) = (self.extended, self.atom.is_none());
        match c {
            '\\' => return self.escaped(),
            '[' => {
                let set = bracket(&mut self.rest)?;
                self.atom(&set);
            }
            '.' => self.atom("."),
            '*' if begins && !extended => self.literal('*'),
            '*' | '+' | '?' if begins && extended => {}
            '*' => self.repeat("*"),
            '+' | '?' if extended => self.repeat(c.encode_utf8(&mut [0; 4])),
            '{' if extended && !begins && self.rest.peek().is_some_and(|c| c.is_ascii_digit() || *c == ',') => return self.interval(),
            '|' if extended => self.alternative(),
            '(' if extended => self.begin_group(),
            ')' if extended => return self.end_group(),
            '^' if extended || begins => {
                self.out.push('^');
                self.atom = None;
            }
            '$' if extended || self.ends() => self.atom("$"),
            c => self.literal(c),
        }
        Ok(())
    }

    /// Whether a `$` here is at the end of a basic pattern or of a group in it.
    fn ends(&self) -> bool {
        let mut ahead = self.rest.clone();
        match ahead.next() {
            None => true,
            Some('\\') => matches!(ahead.next(), Some(')' | '|')),
            Some(_) => false,
        }
    }

    fn repeat(&mut self, how: &str) {
        let Some(atom) = self.atom else { return };
        if self.repeated {
            self.out.insert_str(atom, "(?:");
            self.out.push(')');
        }
        self.out.push_str(how);
        self.repeated = true;
    }

    fn begin_group(&mut self) {
        self.open.push(self.out.len());
        self.out.push('(');
        self.atom = None;
    }

    fn end_group(&mut self) -> Result<(), String> {
        let begin = self.open.pop().ok_or("Unmatched ) or \\)")?;
        self.out.push(')');
        self.atom = Some(begin);
        self.repeated = false;
        Ok(())
    }

    fn alternative(&mut self) {
        self.out.push('|');
        self.atom = None;
    }

    fn interval(&mut self) -> Result<(), String> {
        let mut text = String::new();
        loop {
            match self.rest.next() {
                Some('}') if self.extended => break,
                Some('\\') if !self.extended && self.rest.next() == Some('}') => break,
                Some(c) if c.is_ascii_digit() || c == ',' => text.push(c),
                Some(_) => return Err("Invalid content of \\{\\}".to_owned()),
                None => return Err("Unmatched { or \\{".to_owned()),
            }
        }
        let text = if let Some(most) = text.strip_prefix(',') { format!("0,{most}") } else { text };
        let (least, most) = text.split_once(',').unwrap_or((&text, &text));
        let (least, most) = (least.parse::<u16>(), if most.is_empty() { Ok(u16::MAX) } else { most.parse::<u16>() });
        match (least, most) {
            (Ok(least), Ok(most)) if least <= most && least <= 32767 => {
                self.repeat(&format!("{{{text}}}"));
                Ok(())
            }
            _ => Err("Invalid content of \\{\\}".to_owned()),
        }
    }

    fn escaped(&mut self) -> Result<(), String> {
        let Some(c) = self.rest.next() else { return Err("Trailing backslash".to_owned()) };
        let basic = !self.extended;
        match c {
            '(' if basic => self.begin_group(),
            ')' if basic => return self.end_group(),
            '{' if basic && self.atom.is_none() => return Err("Invalid preceding regular expression".to_owned()),
            '{' if basic => return self.interval(),
            '|' if basic => self.alternative(),
            '+' | '?' if basic && self.atom.is_some() => self.repeat(c.encode_utf8(&mut [0; 4])),
            '1'..='9' => return Err("back references in patterns are not simulated".to_owned()),
            '<' => self.atom(r"\b{start}"),
            '>' => self.atom(r"\b{end}"),
            '`' => self.atom(r"\A"),
            '\'' => self.atom(r"\z"),
            'b' | 'B' | 'w' | 'W' | 's' | 'S' => self.atom(&format!("\\{c}")),
            'n' => self.literal('\n'),
            't' => self.literal('\t'),
            c => self.literal(c),
        }
        Ok(())
    }
}

/// Reads a bracket expression behind its `[`.
fn bracket(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<String, String> {
    let unmatched = || "Unmatched [, [^, [:, [., or [=".to_owned();
    let mut out = String::from("[");
    if rest.next_if_eq(&'^').is_some() {
        out.push('^');
    }
    let mut first = true;
    loop {
        let c = rest.next().ok_or_else(unmatched)?;
        if c == ']' && !first {
            break;
        }
        first = false;
        let from = match (c, rest.peek().copied()) {
            ('[', Some(kind @ (':' | '=' | '.'))) => {
                rest.next();
                let mut name = String::new();
                loop {
                    let c = rest.next().ok_or_else(unmatched)?;
                    if c == kind && rest.next_if_eq(&']').is_some() {
                        break;
                    }
                    name.push(c);
                }
                if kind == ':' {
                    const CLASSES: &[&str] =
                        &["alnum", "alpha", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper", "xdigit"];
                    if !CLASSES.contains(&name.as_str()) {
                        return Err("Invalid character class name".to_owned());
                    }
                    out.push_str(&format!("[:{name}:]"));
                    continue;
                }
                let mut chars = name.chars();
                match (chars.next(), chars.next()) {
                    (Some(c), None) => c,
                    _ => return Err("Invalid collation character".to_owned()),
                }
            }
            // As sed has it, also in brackets.
            ('\\', Some('n')) => {
                rest.next();
                '\n'
            }
            ('\\', Some('t')) => {
                rest.next();
                '\t'
            }
            (c, _) => c,
        };
        out.push_str(&member(from));
        let mut ahead = rest.clone();
        if ahead.next() == Some('-') && ahead.next().is_some_and(|to| to != ']') {
            rest.next();
            let to = rest.next().ok_or_else(unmatched)?;
            if to < from {
                return Err("Invalid range end".to_owned());
            }
            out.push('-');
            out.push_str(&member(to));
        }
    }
    out.push(']');
    Ok(out)
}

fn member(c: char) -> String {
    if c.is_ascii_punctuation() { format!("\\{c}") } else { c.to_string() }
}

/// A wildcard pattern as a regular expression: `*`, `?`, `[…]`; with `path` neither matches a slash.
pub(crate) fn wildcard(pattern: &str, ignore_case: bool, path: bool) -> Result<Regex, String> {
    let mut out = String::from(r"\A");
    let mut rest = pattern.chars().peekable();
    let any = if path { "[^/]" } else { "." };
    while let Some(c) = rest.next() {
        match c {
            '*' if !out.ends_with(&format!("{any}*")) => out.push_str(&format!("{any}*")),
            '*' => {}
            '?' => out.push_str(any),
            '[' => {
                let mut ahead = rest.clone();
                let others = ahead.next_if_eq(&'!').is_some();
                match bracket(&mut ahead) {
                    Ok(set) => {
                        out.push_str(&if others { format!("[^{}", &set[1..]) } else { set });
                        rest = ahead;
                    }
                    Err(_) => out.push_str(r"\["),
                }
            }
            '\\' => out.push_str(&regex::escape(rest.next().unwrap_or('\\').encode_utf8(&mut [0; 4]))),
            c => out.push_str(&regex::escape(c.encode_utf8(&mut [0; 4]))),
        }
    }
    out.push_str(r"\z");
    RegexBuilder::new(&out)
        .case_insensitive(ignore_case)
        .dot_matches_new_line(true)
        .size_limit(MOST)
        .build()
        .map_err(|_| "bad pattern".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_translated() {
        for (pattern, dialect, expected) in [
            ("a+b", Dialect::Basic, Ok(r"a\+b")),
            (r"a\+b\{2,3\}", Dialect::Basic, Ok("a+b{2,3}")),
            (r"\(a\|b\)*c", Dialect::Basic, Ok("(a|b)*c")),
            ("*a", Dialect::Basic, Ok(r"\*a")),
            ("a^b$c", Dialect::Basic, Ok(r"a\^b\$c")),
            ("^a$", Dialect::Basic, Ok("^a$")),
            (r"\(^a$\)", Dialect::Basic, Ok("(^a$)")),
            ("a{2}(b|c)?", Dialect::Extended, Ok("a{2}(b|c)?")),
            ("a**", Dialect::Extended, Ok("(?:a*)*")),
            ("a*?", Dialect::Extended, Ok("(?:a*)?")),
            ("a{", Dialect::Extended, Ok(r"a\{")),
            ("[]a]", Dialect::Extended, Ok(r"[\]a]")),
            ("[^[:space:]-]", Dialect::Basic, Ok(r"[^[:space:]\-]")),
            ("[a-z.]", Dialect::Basic, Ok(r"[a-z\.]")),
            ("a.c", Dialect::Fixed, Ok(r"a\.c")),
            ("(a", Dialect::Extended, Err("Unmatched ( or \\(")),
            ("a)", Dialect::Extended, Err("Unmatched ) or \\)")),
            ("[a", Dialect::Basic, Err("Unmatched [, [^, [:, [., or [=")),
            ("[z-a]", Dialect::Basic, Err("Invalid range end")),
            ("a\\", Dialect::Basic, Err("Trailing backslash")),
        ] {
            assert_eq!(translate(pattern, dialect).as_deref().map_err(String::as_str), expected, "{pattern}");
        }
    }

    #[test]
    fn wildcards_match_whole_names() {
        for (pattern, name, expected) in [
            ("*.txt", "a.txt", true),
            ("*.txt", "a.txt.gz", false),
            ("?b", "ab", true),
            ("[!a]b", "ab", false),
            ("[a-c]b", "bb", true),
            ("a[", "a[", true),
            (r"a\*", "a*", true),
            ("*", "", true),
        ] {
            assert_eq!(wildcard(pattern, false, false).unwrap().is_match(name.as_bytes()), expected, "{pattern} {name}");
        }
        assert!(!wildcard("*", false, true).unwrap().is_match(b"a/b"));
    }
}
