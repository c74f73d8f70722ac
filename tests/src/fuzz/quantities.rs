//! A quantity is what it was after it has been written and read again.

use mini_api::quantity::{Quantity, canonical};

use super::dice::Dice;

const WORDS: [&str; 28] = [
    "1",
    "0",
    "9",
    "5",
    "00",
    "1024",
    "1000",
    "999999999",
    "18446744073709551616",
    ".",
    "-",
    "+",
    "e",
    "E",
    "e3",
    "E-9",
    "n",
    "u",
    "m",
    "k",
    "M",
    "G",
    "T",
    "P",
    "Ki",
    "Mi",
    "Ei",
    "i",
];

pub(super) fn run(input: &[u8]) {
    let mut dice = Dice::of(input);
    let text = dice.text(&WORDS, 8);
    let Ok(quantity) = Quantity::parse(&text) else {
        assert!(canonical(&text).is_err(), "{text:?} is a quantity only sometimes");
        return;
    };
    let written = quantity.to_string();
    let read = Quantity::parse(&written).unwrap_or_else(|error| panic!("{text:?} became {written:?}: {error}"));
    assert_eq!((read, read.to_string()), (quantity, written.clone()), "{text:?} became {written:?}");
    let kept = canonical(&text).unwrap_or_else(|error| panic!("{text:?}: {error}"));
    assert_eq!(Quantity::parse(&kept), Ok(quantity), "{text:?} became {kept:?}");
    assert_eq!(canonical(&kept), Ok(kept.clone()), "the canonical form {kept:?} of {text:?} is not canonical");

    let other = Quantity::parse(&dice.text(&WORDS, 8)).unwrap_or_default();
    assert_eq!(quantity + other, other + quantity);
    assert_eq!(quantity - read, Quantity::ZERO);
    assert_eq!(quantity.cmp(&other), other.cmp(&quantity).reverse());
    let _ = (quantity.value(), quantity.milli(), quantity.as_f64(), -quantity);
}
