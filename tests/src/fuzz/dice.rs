//! Choices made by the bytes of an input.

use arbitrary::Unstructured;

/// The choices an input makes. When it has run out, it chooses what comes first, which should be what is simplest.
pub(super) struct Dice<'a>(Unstructured<'a>);

/// Characters that text handling gets wrong.
const ODD: [char; 16] =
    ['\0', ' ', '\n', '\t', '"', '\\', '/', '%', '\u{7f}', 'é', 'ß', '\u{2028}', '\u{202e}', '\u{feff}', '\u{fffd}', '😀'];

impl<'a> Dice<'a> {
    pub(super) fn of(input: &'a [u8]) -> Self {
        Self(Unstructured::new(input))
    }

    /// A number below `end`.
    pub(super) fn below(&mut self, end: usize) -> usize {
        self.0.int_in_range(0..=end.saturating_sub(1)).unwrap_or(0)
    }

    /// One of them.
    pub(super) fn pick<'t, T>(&mut self, from: &'t [T]) -> &'t T {
        &from[self.below(from.len())]
    }

    /// True in `times` of `of` cases; false when the input has run out.
    pub(super) fn chance(&mut self, times: usize, of: usize) -> bool {
        self.below(of) >= of - times
    }

    /// Any bytes, at most so many.
    pub(super) fn bytes(&mut self, most: usize) -> Vec<u8> {
        let length = self.below(most + 1).min(self.0.len());
        self.0.bytes(length).unwrap_or_default().to_vec()
    }

    /// Some of the words in a row, now and then a character that is hard to handle.
    pub(super) fn text(&mut self, words: &[&str], most: usize) -> String {
        let mut text = String::new();
        for _ in 0..self.below(most + 1) {
            if self.chance(1, 16) {
                text.push(*self.pick(&ODD));
            } else {
                let word = *self.pick(words);
                text.push_str(word);
            }
        }
        text
    }
}
