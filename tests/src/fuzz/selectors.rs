//! A selector selects the same after it has been written and read again.

use std::collections::BTreeMap;

use mini_api::selector::{FieldSelector, Selector};

use super::dice::Dice;

const WORDS: [&str; 26] = [
    "a",
    "b",
    "=",
    ",",
    "!",
    "==",
    "!=",
    " in ",
    " notin ",
    "(",
    ")",
    "(a,b)",
    " ",
    ">",
    "<",
    "1",
    "-7",
    "x.y/a",
    "example.com/",
    "in",
    "notin",
    ".",
    "_",
    "-",
    "\\",
    "()",
];

pub(super) fn run(input: &[u8]) {
    let mut dice = Dice::of(input);
    let text = dice.text(&WORDS, 12);
    let labels: BTreeMap<String, String> = (0..dice.below(4))
        .map(|_| ((*dice.pick(&["a", "b", "x.y/a"])).to_owned(), (*dice.pick(&["a", "b", "1", "", "-7"])).to_owned()))
        .collect();
    if let Ok(selector) = Selector::parse(&text) {
        let written = selector.to_string();
        let read = Selector::parse(&written).unwrap_or_else(|error| panic!("{text:?} became {written:?}: {error}"));
        assert_eq!(read.to_string(), written, "{text:?}");
        assert_eq!(read.matches(&labels), selector.matches(&labels), "{text:?} became {written:?}; {labels:?}");
    }
    if let Ok(selector) = FieldSelector::parse(&text) {
        let written = selector.to_string();
        let read = FieldSelector::parse(&written).unwrap_or_else(|error| panic!("{text:?} became {written:?}: {error}"));
        let field = |field: &str| labels.get(field).map(String::as_str);
        assert_eq!(read.matches(field), selector.matches(field), "{text:?} became {written:?}; {labels:?}");
        assert_eq!(FieldSelector::parse(&read.to_string()), Ok(read), "{text:?} became {written:?}");
    }
}
