//! Patterns: `*`, `?`, `[…]`.
//!
//! A match costs at most the length of the text times that of the pattern, whatever they are; and who asks says how much it may cost.

/// A pattern is too long for the text, or the text for the pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooCostly;

/// A part of a pattern.
#[derive(Clone, Debug)]
enum Part {
    /// This character.
    Char(char),
    /// `?`
    Any,
    /// `*`
    Star,
    /// `[…]`: whether all others, ranges, classes.
    Set(bool, Vec<(char, char)>, Vec<Class>),
}

/// Whether a character is of a class.
type Class = fn(char) -> bool;

impl Part {
    fn takes(&self, c: char) -> bool {
        match self {
            Self::Char(known) => *known == c,
            Self::Any => true,
            Self::Star => false,
            Self::Set(others, ranges, classes) => {
                let inside = ranges.iter().any(|(from, to)| (*from..=*to).contains(&c)) || classes.iter().any(|class| class(c));
                inside != *others
            }
        }
    }
}

/// A pattern.
#[derive(Clone, Debug)]
pub(super) struct Pattern(Vec<Part>);

/// Which states of a pattern a text has reached.
struct Walk<'a> {
    parts: &'a [Part],
    now: Vec<bool>,
    next: Vec<bool>,
}

impl<'a> Walk<'a> {
    fn new(parts: &'a [Part]) -> Self {
        let mut now = vec![false; parts.len() + 1];
        now[0] = true;
        let mut walk = Self { parts, now, next: vec![false; parts.len() + 1] };
        walk.skip_stars();
        walk
    }

    /// A `*` may stand for nothing.
    fn skip_stars(&mut self) {
        for (at, part) in self.parts.iter().enumerate() {
            if self.now[at] && matches!(part, Part::Star) {
                self.now[at + 1] = true;
            }
        }
    }

    fn step(&mut self, c: char) {
        self.next.fill(false);
        for (at, part) in self.parts.iter().enumerate() {
            if !self.now[at] {
                continue;
            }
            if matches!(part, Part::Star) {
                self.next[at] = true;
            } else if part.takes(c) {
                self.next[at + 1] = true;
            }
        }
        std::mem::swap(&mut self.now, &mut self.next);
        self.skip_stars();
    }

    fn matches(&self) -> bool {
        self.now.last() == Some(&true)
    }

    fn dead(&self) -> bool {
        !self.now.contains(&true)
    }
}

impl Pattern {
    /// Reads a pattern from characters, each with whether it was quoted.
    pub(super) fn new(text: impl IntoIterator<Item = (char, bool)>) -> Self {
        let text: Vec<(char, bool)> = text.into_iter().collect();
        let mut parts = Vec::new();
        let mut at = 0;
        while let Some((c, quoted)) = text.get(at).copied() {
            at += 1;
            match c {
                _ if quoted => parts.push(Part::Char(c)),
                '*' if matches!(parts.last(), Some(Part::Star)) => {}
                '*' => parts.push(Part::Star),
                '?' => parts.push(Part::Any),
                '\\' => {
                    // What an expansion brought: the next character stands for itself.
                    let next = text.get(at).map_or('\\', |next| next.0);
                    at += 1;
                    parts.push(Part::Char(next));
                }
                '[' => match set(&text[at..]) {
                    Some((part, length)) => {
                        parts.push(part);
                        at += length;
                    }
                    None => parts.push(Part::Char('[')),
                },
                _ => parts.push(Part::Char(c)),
            }
        }
        Self(parts)
    }

    /// A pattern all of whose characters stand for themselves: what they are.
    pub(super) fn literal(&self) -> Option<String> {
        self.0.iter().map(|part| if let Part::Char(c) = part { Some(*c) } else { None }).collect()
    }

    /// Whether it begins with this character itself.
    pub(super) fn begins_with(&self, c: char) -> bool {
        matches!(self.0.first(), Some(Part::Char(first)) if *first == c)
    }

    /// Whether it matches all of a text.
    pub(super) fn matches(&self, text: &str, budget: &mut u64) -> Result<bool, TooCostly> {
        self.spend(text, budget)?;
        let mut walk = Walk::new(&self.0);
        for c in text.chars() {
            walk.step(c);
            if walk.dead() {
                return Ok(false);
            }
        }
        Ok(walk.matches())
    }

    /// How many bytes of the beginning it matches.
    pub(super) fn prefix(&self, text: &str, most: bool, budget: &mut u64) -> Result<Option<usize>, TooCostly> {
        let mut found = None;
        let mut walk = Walk::new(&self.0);
        let cost = self.0.len() as u64 + 1;
        if walk.matches() {
            found = Some(0);
        }
        for (at, c) in text.char_indices() {
            if walk.dead() || (found.is_some() && !most) {
                break;
            }
            *budget = budget.checked_sub(cost).ok_or(TooCostly)?;
            walk.step(c);
            if walk.matches() {
                found = Some(at + c.len_utf8());
            }
        }
        Ok(found)
    }

    /// How many bytes of the end it matches.
    pub(super) fn suffix(&self, text: &str, most: bool, budget: &mut u64) -> Result<Option<usize>, TooCostly> {
        let backwards = Self(self.0.iter().rev().cloned().collect());
        // Characters are as long one way as the other.
        let reversed: String = text.chars().rev().collect();
        backwards.prefix(&reversed, most, budget)
    }

    /// A text with `with` for the first thing it matches, or for all.
    pub(super) fn replace(&self, text: &str, with: &str, all: bool, budget: &mut u64) -> Result<String, TooCostly> {
        let mut out = String::new();
        let mut rest = text;
        while !rest.is_empty() {
            match self.prefix(rest, true, budget)?.filter(|length| *length > 0) {
                Some(length) => {
                    *budget = budget.checked_sub(with.len() as u64).ok_or(TooCostly)?;
                    out.push_str(with);
                    rest = &rest[length..];
                    if !all {
                        break;
                    }
                }
                None => {
                    *budget = budget.checked_sub(1).ok_or(TooCostly)?;
                    let mut chars = rest.chars();
                    out.extend(chars.next());
                    rest = chars.as_str();
                }
            }
        }
        out.push_str(rest);
        Ok(out)
    }

    fn spend(&self, text: &str, budget: &mut u64) -> Result<(), TooCostly> {
        let cost = (self.0.len() as u64 + 1).saturating_mul(text.len() as u64 + 1);
        *budget = budget.checked_sub(cost).ok_or(TooCostly)?;
        Ok(())
    }
}

/// Reads what follows `[`; answers how many characters that is.
fn set(text: &[(char, bool)]) -> Option<(Part, usize)> {
    let mut at = 0;
    let others = matches!(text.first(), Some(('!' | '^', false)));
    at += usize::from(others);
    let (mut ranges, mut classes) = (Vec::new(), Vec::new());
    let start = at;
    loop {
        let (c, quoted) = text.get(at).copied()?;
        if c == ']' && !quoted && at > start {
            return Some((Part::Set(others, ranges, classes), at + 1));
        }
        if c == '[' && !quoted && text.get(at + 1) == Some(&(':', false)) {
            let name: String = text[at + 2..].iter().map(|(c, _)| *c).take_while(char::is_ascii_lowercase).collect();
            let end = at + 2 + name.len();
            if text.get(end).map(|c| c.0) == Some(':') && text.get(end + 1).map(|c| c.0) == Some(']') {
                classes.push(class(&name)?);
                at = end + 2;
                continue;
            }
        }
        let escaped = c == '\\' && !quoted && at + 1 < text.len();
        at += usize::from(escaped);
        let c = text.get(at)?.0;
        at += 1;
        match (text.get(at), text.get(at + 1)) {
            (Some(('-', false)), Some((end, ended))) if *end != ']' || *ended => {
                ranges.push((c, *end));
                at += 2;
            }
            _ => ranges.push((c, c)),
        }
    }
}

fn class(name: &str) -> Option<Class> {
    let test: Class = match name {
        "alpha" => |c| c.is_ascii_alphabetic(),
        "digit" => |c| c.is_ascii_digit(),
        "alnum" => |c| c.is_ascii_alphanumeric(),
        "upper" => |c| c.is_ascii_uppercase(),
        "lower" => |c| c.is_ascii_lowercase(),
        "space" => |c| c.is_ascii_whitespace() || c == '\x0b',
        "blank" => |c| c == ' ' || c == '\t',
        "punct" => |c| c.is_ascii_punctuation(),
        "print" => |c| c.is_ascii_graphic() || c == ' ',
        "graph" => |c| c.is_ascii_graphic(),
        "cntrl" => |c| c.is_ascii_control(),
        "xdigit" => |c| c.is_ascii_hexdigit(),
        _ => return None,
    };
    Some(test)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::new(text.chars().map(|c| (c, false)))
    }

    #[test]
    fn a_pattern_matches_all_of_a_text() {
        let cases = [
            ("*", "", true),
            ("*", "abc", true),
            ("a*c", "abc", true),
            ("a*c", "abd", false),
            ("?", "", false),
            ("?", "é", true),
            ("[a-c]", "b", true),
            ("[!a-c]", "b", false),
            ("[^a-c]", "d", true),
            ("[]]", "]", true),
            ("[a-]", "-", true),
            ("[", "[", true),
            ("[a", "[a", true),
            ("[[:digit:]]x", "7x", true),
            ("[[:nosuch:]]", "x", false),
            ("\\*", "*", true),
            ("\\*", "a", false),
            ("[\\]]", "]", true),
            ("**a**", "bab", true),
            ("a?c*", "abcdef", true),
        ];
        for (glob, text, expected) in cases {
            assert_eq!(pattern(glob).matches(text, &mut 10_000), Ok(expected), "{glob} {text}");
        }
        assert_eq!(Pattern::new([('*', true)]).matches("a", &mut 100), Ok(false));
        assert_eq!(Pattern::new([('*', true)]).literal().as_deref(), Some("*"));
    }

    #[test]
    fn a_pattern_matches_as_little_or_as_much_as_asked() {
        let path = "/usr/lib/foo.tar.gz";
        let mut budget = 100_000;
        assert_eq!(pattern("*/").prefix(path, false, &mut budget), Ok(Some(1)));
        assert_eq!(pattern("*/").prefix(path, true, &mut budget), Ok(Some(9)));
        assert_eq!(pattern(".*").suffix(path, false, &mut budget), Ok(Some(3)));
        assert_eq!(pattern(".*").suffix(path, true, &mut budget), Ok(Some(7)));
        assert_eq!(pattern("x").suffix(path, true, &mut budget), Ok(None));
        assert_eq!(pattern("b").replace("abcabc", "X", false, &mut budget).as_deref(), Ok("aXcabc"));
        assert_eq!(pattern("[ac]").replace("abcabc", "", true, &mut budget).as_deref(), Ok("bb"));
    }

    #[test]
    fn what_costs_too_much_is_refused() {
        let text = "a".repeat(10_000);
        assert_eq!(pattern("*a*a*a*b").matches(&text, &mut 1_000), Err(TooCostly));
        assert_eq!(pattern("*b").replace(&text, "", true, &mut 1_000_000), Err(TooCostly));
    }
}
