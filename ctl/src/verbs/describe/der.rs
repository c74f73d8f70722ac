//! A reader of DER, the binary form of certificates and of requests for them. It knows lengths and tags, and no certificate.

/// The tags that a reader of requests meets.
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;
pub(super) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(super) const OCTET_STRING: u8 = 0x04;

/// What is left to be read.
#[derive(Clone, Copy)]
pub(super) struct Der<'a>(pub(super) &'a [u8]);

impl<'a> Der<'a> {
    /// The next element, whatever its tag.
    fn element(&mut self) -> Option<(u8, &'a [u8])> {
        let [tag, length, rest @ ..] = self.0 else { return None };
        let (length, rest) = match *length {
            short @ ..0x80 => (usize::from(short), rest),
            long => {
                let (bytes, rest) = rest.split_at_checked(usize::from(long & 0x7f))?;
                let bits = usize::BITS as usize / 8;
                (bytes.len() <= bits).then_some(())?;
                (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
            }
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((*tag, content))
    }

    /// The content of the next element, which must have this tag.
    pub(super) fn within(&mut self, tag: u8) -> Option<Self> {
        let (found, content) = self.element()?;
        (found == tag).then_some(Self(content))
    }
}

impl<'a> Iterator for Der<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        self.element()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_taken_one_by_one() {
        let mut der = Der(&[SEQUENCE, 5, 0x02, 1, 7, OCTET_STRING, 0, SET, 0x81, 1, 9]);
        let mut inner = der.within(SEQUENCE).unwrap();
        assert_eq!(inner.next(), Some((0x02, &[7][..])));
        assert_eq!(inner.next(), Some((OCTET_STRING, &[][..])));
        assert_eq!(inner.next(), None);
        assert_eq!(der.next(), Some((SET, &[9][..])), "a length may have a length");
    }

    #[test]
    fn what_is_cut_off_is_nothing() {
        for cut in [&[SEQUENCE][..], &[SEQUENCE, 2, 0], &[SEQUENCE, 0x82, 1], &[SEQUENCE, 0xff, 1, 1]] {
            assert_eq!(Der(cut).next(), None, "{cut:?}");
        }
        assert!(Der(&[SET, 0]).within(SEQUENCE).is_none());
    }
}
