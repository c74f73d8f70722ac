//! Reads label selectors. A hand-written scanner and recursive descent, so that errors name the word upstream names.

use super::label::{Operator, Requirement, SelectorError, key_error};

/// `app=web,tier in (a,b),!old` taken apart; no requirements from an empty text.
pub(super) fn requirements(text: &str) -> Result<Vec<Requirement>, SelectorError> {
    let mut words = Words { rest: text, peeked: None };
    let mut requirements = Vec::new();
    loop {
        match words.peek() {
            Word::End if requirements.is_empty() => return Ok(requirements),
            Word::Name(_) | Word::Symbol("!") => {}
            word => return Err(unexpected(word, "!, identifier, or 'end of string'")),
        }
        requirements.push(requirement(&mut words).map_err(|error| SelectorError::Requirement(Box::new(error)))?);
        match words.next() {
            Word::End => return Ok(requirements),
            Word::Symbol(",") => {}
            word => return Err(unexpected(word, "',' or 'end of string'")),
        }
        if !matches!(words.peek(), Word::Name(_) | Word::Symbol("!")) {
            return Err(unexpected(words.peek(), "identifier after ','"));
        }
    }
}

fn requirement(words: &mut Words<'_>) -> Result<Requirement, SelectorError> {
    let negated = words.peek() == Word::Symbol("!");
    if negated {
        words.next();
    }
    let key = match words.next() {
        Word::Name(key) => key,
        word => return Err(unexpected(word, "identifier")),
    };
    // Upstream gives the key no field path here, and prints that as Go prints a missing pointer.
    if let Some(error) = key_error("<nil>", key) {
        return Err(error);
    }
    if negated {
        return Requirement::new(key, Operator::DoesNotExist, []);
    }
    if matches!(words.peek(), Word::End | Word::Symbol(",")) {
        return Requirement::new(key, Operator::Exists, []);
    }
    let operator = operator(words.next())?;
    let values = match operator {
        Operator::In | Operator::NotIn => set(words)?,
        _ => vec![exact_value(words)?],
    };
    Requirement::new(key, operator, values)
}

fn operator(word: Word<'_>) -> Result<Operator, SelectorError> {
    Ok(match word {
        Word::Name("in") => Operator::In,
        Word::Name("notin") => Operator::NotIn,
        Word::Symbol("=") => Operator::Equals,
        Word::Symbol("==") => Operator::DoubleEquals,
        Word::Symbol("!=") => Operator::NotEquals,
        Word::Symbol(">") => Operator::GreaterThan,
        Word::Symbol("<") => Operator::LessThan,
        word => return Err(unexpected(word, "in, notin, =, ==, !=, gt, lt")),
    })
}

/// A single value; nothing at all means the empty string.
fn exact_value(words: &mut Words<'_>) -> Result<String, SelectorError> {
    if matches!(words.peek(), Word::End | Word::Symbol(",")) {
        return Ok(String::new());
    }
    match words.next() {
        Word::Name(value) => Ok(value.to_owned()),
        word => Err(unexpected(word, "identifier")),
    }
}

/// `(a,b)`. An empty place between commas or parentheses is the empty string.
fn set(words: &mut Words<'_>) -> Result<Vec<String>, SelectorError> {
    match words.next() {
        Word::Symbol("(") => {}
        word => return Err(SelectorError::NoSet(word.text().to_owned())),
    }
    let mut values = Vec::new();
    loop {
        match words.peek() {
            Word::Name(value) => {
                words.next();
                values.push(value.to_owned());
            }
            Word::Symbol("," | ")") => values.push(String::new()),
            word if values.is_empty() => return Err(unexpected(word, "',', ')' or identifier")),
            word => return Err(unexpected(word, "',', or identifier")),
        }
        match words.next() {
            Word::Symbol(",") => {}
            Word::Symbol(")") => break,
            word => return Err(unexpected(word, "',' or ')'")),
        }
    }
    // Before they are checked, because errors tell their places.
    values.sort_unstable();
    values.dedup();
    Ok(values)
}

fn unexpected(word: Word<'_>, expected: &'static str) -> SelectorError {
    SelectorError::Unexpected { found: word.text().to_owned(), expected }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word<'a> {
    /// A key, a value, `in` or `notin`: which one, the place decides.
    Name(&'a str),
    Symbol(&'a str),
    End,
}

impl<'a> Word<'a> {
    fn text(self) -> &'a str {
        match self {
            Self::Name(text) | Self::Symbol(text) => text,
            Self::End => "",
        }
    }
}

struct Words<'a> {
    rest: &'a str,
    peeked: Option<Word<'a>>,
}

impl<'a> Words<'a> {
    fn peek(&mut self) -> Word<'a> {
        let word = self.next();
        self.peeked = Some(word);
        word
    }

    /// The next word; at the end, the end again and again.
    fn next(&mut self) -> Word<'a> {
        if let Some(word) = self.peeked.take() {
            return word;
        }
        let rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n']);
        let length = match rest.as_bytes() {
            [] => 0,
            [b'=', b'=', ..] | [b'!', b'=', ..] => 2,
            [b'=' | b'!' | b'(' | b')' | b',' | b'<' | b'>', ..] => 1,
            _ => rest.find([' ', '\t', '\r', '\n', '=', '!', '(', ')', ',', '<', '>']).unwrap_or(rest.len()),
        };
        let (word, rest) = rest.split_at(length);
        self.rest = rest;
        match word.as_bytes() {
            [] => Word::End,
            [b'=' | b'!' | b'(' | b')' | b',' | b'<' | b'>', ..] => Word::Symbol(word),
            _ => Word::Name(word),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::selector::Selector;

    #[test]
    fn canonical_form() {
        for (text, want) in [
            ("", ""),
            ("  ", ""),
            ("a", "a"),
            ("! a", "!a"),
            ("b=2 , a = 1", "a=1,b=2"),
            ("a==1", "a==1"),
            ("a!=1", "a!=1"),
            ("a=", "a="),
            ("a=,b", "a=,b"),
            ("a in (y, x,y)", "a in (x,y)"),
            ("a in ()", "a in ()"),
            ("a in (,)", "a in ()"),
            ("a in (b,)", "a in (,b)"),
            ("a in (,,b)", "a in (,b)"),
            ("a in (b,,c)", "a in (,b,c)"),
            ("a notin(x)", "a notin (x)"),
            ("in in (in,notin)", "in in (in,notin)"),
            ("notin", "notin"),
            ("a>5,b<1", "a>5,b<1"),
            ("example.com/a=1", "example.com/a=1"),
        ] {
            assert_eq!(Selector::parse(text).map(|s| s.to_string()).as_deref(), Ok(want), "{text}");
        }
    }

    /// As `kubectl create pdb --selector` says them.
    #[test]
    fn errors_are_worded_as_upstream() {
        for (text, want) in [
            ("a===b", "unable to parse requirement: found '=', expected: identifier"),
            ("a=!b", "unable to parse requirement: found '!', expected: identifier"),
            ("a=(b)", "unable to parse requirement: found '(', expected: identifier"),
            ("a<>5", "unable to parse requirement: found '>', expected: identifier"),
            ("!", "unable to parse requirement: found '', expected: identifier"),
            ("!!a", "unable to parse requirement: found '!', expected: identifier"),
            ("a in (b", "unable to parse requirement: found '', expected: ',' or ')'"),
            ("a in (b=c)", "unable to parse requirement: found '=', expected: ',' or ')'"),
            ("a in (b c)", "unable to parse requirement: found 'c', expected: ',' or ')'"),
            ("a in b", "unable to parse requirement: found 'b' expected: '('"),
            ("a in", "unable to parse requirement: found '' expected: '('"),
            ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
            ("a!", "unable to parse requirement: found '!', expected: in, notin, =, ==, !=, gt, lt"),
            ("a)", "unable to parse requirement: found ')', expected: in, notin, =, ==, !=, gt, lt"),
            ("a=b c", "found 'c', expected: ',' or 'end of string'"),
            ("!a=b", "found '=', expected: ',' or 'end of string'"),
            ("a==b==c", "found '==', expected: ',' or 'end of string'"),
            ("a,,b", "found ',', expected: identifier after ','"),
            ("a=b,", "found '', expected: identifier after ','"),
            (",", "found ',', expected: !, identifier, or 'end of string'"),
            ("=", "found '=', expected: !, identifier, or 'end of string'"),
            ("(a)", "found '(', expected: !, identifier, or 'end of string'"),
            ("/a", "unable to parse requirement: <nil>: Invalid value: \"/a\": prefix part must be non-empty"),
            ("a>x", "unable to parse requirement: values[0]: Invalid value: \"x\": for 'Gt', 'Lt' operators, the value must be an integer"),
            (
                "a=-x-",
                "unable to parse requirement: values[0][a]: Invalid value: \"-x-\": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
            ),
        ] {
            assert_eq!(Selector::parse(text).unwrap_err().to_string(), want, "{text}");
        }
    }

    fn requirement() -> impl Strategy<Value = String> {
        let key = "(p\\.q/)?[a-c]([-_.a-c1]{0,3}[a-c1])?";
        let value = "[a-c1]([-_.a-c1]{0,3}[a-c1])?";
        prop_oneof![
            (key, value, prop::sample::select(vec!["=", "==", "!="])).prop_map(|(k, v, op)| format!("{k}{op}{v}")),
            (key, prop::collection::vec(value, 1..4), prop::sample::select(vec!["in", "notin"]))
                .prop_map(|(k, v, op)| format!("{k} {op} ({})", v.join(","))),
            (key, any::<i64>(), prop::sample::select(vec!["<", ">"]))
                .prop_filter("labels do not start with a dash", |(_, number, _)| *number >= 0)
                .prop_map(|(k, v, op)| format!("{k}{op}{v}")),
            key.prop_map(|k| k.to_string()),
            key.prop_map(|k| format!("!{k}")),
        ]
    }

    proptest! {
        #[test]
        fn display_reads_back(parts in prop::collection::vec(requirement(), 0..5)) {
            let selector = Selector::parse(&parts.join(",")).unwrap();
            prop_assert_eq!(Selector::parse(&selector.to_string()), Ok(selector));
        }

        #[test]
        fn any_text_is_a_selector_or_an_error(text in "[a-b1-2=!<>(), é/.-]{0,12}|(a|in|notin|=|!|,|\\(|\\)| ){0,9}") {
            if let Ok(selector) = Selector::parse(&text) {
                prop_assert_eq!(Selector::parse(&selector.to_string()), Ok(selector));
            }
        }
    }
}
