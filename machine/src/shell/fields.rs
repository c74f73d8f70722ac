//! Words as they come out of expansion: split where unquoted blanks are, with what was quoted still known.

use crate::kernel::Memory;

/// A word that has been expanded: its texts, each with whether it was quoted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Field(pub(super) Vec<(String, bool)>);

impl Field {
    /// Its characters, each with whether it was quoted.
    pub(super) fn chars(&self) -> impl Iterator<Item = (char, bool)> {
        self.0.iter().flat_map(|(text, quoted)| text.chars().map(|c| (c, *quoted)))
    }

    /// Its text.
    pub(super) fn text(self) -> String {
        let mut texts = self.0.into_iter().map(|(text, _)| text);
        let first = texts.next().unwrap_or_default();
        texts.fold(first, |all, next| all + &next)
    }

    /// Whether a name of a file might be meant by it.
    pub(super) fn has_pattern(&self) -> bool {
        self.0.iter().any(|(text, quoted)| !quoted && text.contains(['*', '?', '[']))
    }

    fn push(&mut self, more: &str, quoted: bool) {
        match self.0.last_mut() {
            Some((text, last)) if *last == quoted => text.push_str(more),
            _ => self.0.push((more.to_owned(), quoted)),
        }
    }
}

/// How the field before the next character ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Ended {
    #[default]
    Not,
    /// By blanks, which another separator may still follow.
    Blank,
    /// By a separator.
    Separator,
}

/// Fields that are being made.
#[derive(Debug, Default)]
pub(super) struct Fields {
    /// `IFS`; `None`: everything is one field.
    separators: Option<String>,
    done: Vec<Field>,
    current: Option<Field>,
    ended: Ended,
    /// Bytes, and for how many of them memory is held.
    size: usize,
    held: (usize, Vec<Memory>),
}

impl Fields {
    /// Fields that are split at these characters.
    pub(super) fn split_at(separators: &str) -> Self {
        Self { separators: Some(separators.to_owned()), ..Self::default() }
    }

    /// One field whatever comes.
    pub(super) fn joined() -> Self {
        Self::default()
    }

    /// Whether everything is one field.
    pub(super) fn is_joined(&self) -> bool {
        self.separators.is_none()
    }

    /// Bytes for which memory should be taken, if they are worth it.
    pub(super) fn unaccounted(&self) -> Option<u64> {
        let more = self.size.saturating_sub(self.held.0);
        (more >= 32 << 10).then_some(more as u64)
    }

    /// Keeps memory for what is unaccounted.
    pub(super) fn hold(&mut self, memory: Memory) {
        self.held.0 = self.size;
        self.held.1.push(memory);
    }

    /// Adds a text that is not split.
    pub(super) fn add(&mut self, text: &str, quoted: bool) {
        if text.is_empty() && !quoted {
            return;
        }
        self.size += text.len();
        self.current.get_or_insert_default().push(text, quoted);
        self.ended = Ended::Not;
    }

    /// Adds what an unquoted expansion brought.
    pub(super) fn expand(&mut self, text: &str) {
        let Some(separators) = self.separators.clone().filter(|separators| !separators.is_empty()) else {
            self.add(text, false);
            return;
        };
        let mut rest = text;
        while let Some(at) = rest.find(|c| separators.contains(c)) {
            self.add(&rest[..at], false);
            let mut chars = rest[at..].chars();
            if let Some(separator) = chars.next() {
                self.separate(matches!(separator, ' ' | '\t' | '\n'));
            }
            rest = chars.as_str();
        }
        self.add(rest, false);
    }

    fn separate(&mut self, blank: bool) {
        self.size += 24;
        match self.current.take() {
            Some(field) => {
                self.done.push(field);
                self.ended = if blank { Ended::Blank } else { Ended::Separator };
            }
            None if blank => {}
            None if self.ended == Ended::Blank => self.ended = Ended::Separator,
            None => {
                self.done.push(Field::default());
                self.ended = Ended::Separator;
            }
        }
    }

    /// Ends a field, if one has begun: what comes is another word.
    pub(super) fn end(&mut self) {
        self.size += 24;
        self.done.extend(self.current.take());
        self.ended = Ended::Not;
    }

    /// All fields, and the memory held for them.
    pub(super) fn finish(mut self) -> (Vec<Field>, Vec<Memory>) {
        self.end();
        (self.done, self.held.1)
    }

    /// Its only field.
    pub(super) fn single(self) -> (Field, Vec<Memory>) {
        let (fields, memory) = self.finish();
        (fields.into_iter().next().unwrap_or_default(), memory)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(separators: &str, text: &str) -> Vec<String> {
        let mut fields = Fields::split_at(separators);
        fields.expand(text);
        fields.finish().0.into_iter().map(Field::text).collect()
    }

    #[test]
    fn a_text_is_split_as_posix_says() {
        let cases: &[(&str, &str, &[&str])] = &[
            (" \t\n", "  a b\n\tc ", &["a", "b", "c"]),
            (" \t\n", "   ", &[]),
            (":", "a:b::c", &["a", "b", "", "c"]),
            (":", ":a:", &["", "a"]),
            (":", "::", &["", ""]),
            (" :", " a : b  c::d ", &["a", "b", "c", "", "d"]),
            (" :", " :a", &["", "a"]),
            ("", "a b", &["a b"]),
            (":", "", &[]),
        ];
        for (separators, text, expected) in cases {
            assert_eq!(split(separators, text), *expected, "{separators:?} {text:?}");
        }
    }

    #[test]
    fn what_is_quoted_holds_together() {
        let mut fields = Fields::split_at(" ");
        fields.add("a b", true);
        fields.expand("c d ");
        fields.add("e", false);
        fields.end();
        fields.add("", true);
        let texts: Vec<String> = fields.finish().0.into_iter().map(Field::text).collect();
        assert_eq!(texts, ["a bc", "d", "e", ""]);
    }
}
