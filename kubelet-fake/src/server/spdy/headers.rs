//! The headers of SPDY streams: compressed with zlib, each block going on where the one before ended, and from a dictionary that
//! both sides know. Source: the draft of SPDY/3, 2.6.10.
//!
//! Must not know: frames.

use std::{io, sync::LazyLock};

use flate2::{Decompress, FlushDecompress, Status};

use super::super::streams::Headers;

/// The longest a block of headers may become, in bytes.
const MOST_BYTES: usize = 16 * 1024;
/// The most headers a block may have.
const MOST_HEADERS: usize = 64;

/// The words of the dictionary, each of which it has with its length in front.
const WORDS: &str = "options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age \
    allow authorization cache-control connection content-base content-encoding content-language content-length content-location \
    content-md5 content-range content-type date etag expect expires from host if-match if-modified-since if-none-match if-range \
    if-unmodified-since last-modified location max-forwards pragma proxy-authenticate proxy-authorization range referer \
    retry-after server te trailer transfer-encoding upgrade user-agent vary via warning www-authenticate method get status 200_OK \
    version HTTP/1.1 url public set-cookie keep-alive origin";
/// What follows them.
const TAIL: &str = "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505203 \
    Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 Not Found500 \
    Internal Server Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, \
    Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,\
    text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.";

/// The dictionary.
pub(super) static DICTIONARY: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut bytes = Vec::new();
    for word in WORDS.split_whitespace() {
        bytes.extend([0, 0, 0, u8::try_from(word.len()).unwrap_or_default()]);
        bytes.extend(word.bytes().map(|byte| if byte == b'_' { b' ' } else { byte }));
    }
    bytes.extend(TAIL.bytes());
    bytes
});

/// How what we compress begins: zlib's own header, and which dictionary is meant.
pub(super) const OPENING: [u8; 6] = [0x78, 0x20, 0xe3, 0xc6, 0xa7, 0xc2];
/// A block without any header, the number 0, as zlib has it without compressing it, and the mark that ends a block. We never say
/// more, and so need no compressor.
pub(super) const NONE: [u8; 14] = [0, 4, 0, 0xfb, 0xff, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

/// Reads the blocks of a client, in their order.
pub(super) struct Inflater(Decompress);

impl Inflater {
    pub(super) fn new() -> Self {
        Self(Decompress::new(true))
    }

    /// One block.
    ///
    /// # Errors
    /// When it is none, or too much.
    pub(super) fn block(&mut self, compressed: &[u8]) -> io::Result<Headers> {
        parse(&self.inflate(compressed)?).ok_or_else(|| io::Error::other("headers that are none"))
    }

    fn inflate(&mut self, mut compressed: &[u8]) -> io::Result<Vec<u8>> {
        let mut plain = Vec::with_capacity(MOST_BYTES);
        while !compressed.is_empty() {
            let (read, written) = (self.0.total_in(), plain.len());
            match self.0.decompress_vec(compressed, &mut plain, FlushDecompress::Sync) {
                Ok(Status::StreamEnd) => return Err(io::Error::other("headers after which there can be none")),
                Ok(_) => {}
                Err(error) if error.needs_dictionary().is_some() => {
                    self.0.set_dictionary(&DICTIONARY).map_err(io::Error::other)?;
                }
                Err(error) => return Err(io::Error::other(error)),
            }
            let taken = usize::try_from(self.0.total_in() - read).unwrap_or(usize::MAX).min(compressed.len());
            compressed = &compressed[taken..];
            if plain.len() == plain.capacity() || (taken == 0 && plain.len() == written) {
                return Err(io::Error::other("headers that are too long"));
            }
        }
        Ok(plain)
    }
}

/// A number of pairs, each a name and a value with their lengths in front.
fn parse(mut bytes: &[u8]) -> Option<Headers> {
    let count = usize::try_from(number(&mut bytes)?).ok().filter(|count| *count <= MOST_HEADERS)?;
    let mut headers = Vec::new();
    for _ in 0..count {
        headers.push((text(&mut bytes)?, text(&mut bytes)?));
    }
    bytes.is_empty().then_some(Headers(headers))
}

fn number(bytes: &mut &[u8]) -> Option<u32> {
    let (first, rest) = bytes.split_first_chunk::<4>()?;
    *bytes = rest;
    Some(u32::from_be_bytes(*first))
}

fn text(bytes: &mut &[u8]) -> Option<String> {
    let length = usize::try_from(number(bytes)?).ok()?;
    let (text, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    String::from_utf8(text.to_vec()).ok()
}

#[cfg(test)]
pub(super) mod tests {
    use flate2::{Compress, Compression, FlushCompress};

    use super::*;

    /// What a client compresses with.
    pub(in super::super) struct Deflater(Compress);

    impl Deflater {
        pub(in super::super) fn new() -> Self {
            let mut compress = Compress::new(Compression::best(), true);
            let checksum = compress.set_dictionary(&DICTIONARY).unwrap();
            assert_eq!(checksum, 0xe3c6_a7c2, "the checksum that all implementations of SPDY/3 have");
            Self(compress)
        }

        pub(in super::super) fn block(&mut self, headers: &[(&str, &str)]) -> Vec<u8> {
            let mut plain = u32::try_from(headers.len()).unwrap().to_be_bytes().to_vec();
            for text in headers.iter().flat_map(|(name, value)| [name, value]) {
                plain.extend(u32::try_from(text.len()).unwrap().to_be_bytes());
                plain.extend(text.bytes());
            }
            self.raw(&plain)
        }

        pub(in super::super) fn raw(&mut self, plain: &[u8]) -> Vec<u8> {
            let mut compressed = Vec::with_capacity(plain.len() + 1024);
            self.0.compress_vec(plain, &mut compressed, FlushCompress::Sync).unwrap();
            compressed
        }
    }

    fn headers(pairs: &[(&str, &str)]) -> Headers {
        Headers(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn blocks_go_on_where_the_one_before_ended() {
        let (mut deflater, mut inflater) = (Deflater::new(), Inflater::new());
        for pairs in [&[("streamtype", "error"), ("port", "80")][..], &[("streamtype", "data"), ("port", "80")], &[]] {
            assert_eq!(inflater.block(&deflater.block(pairs)).unwrap(), headers(pairs));
        }
    }

    #[test]
    fn what_we_say_can_be_read() {
        let mut inflater = Inflater::new();
        assert_eq!(inflater.block(&[&OPENING[..], &NONE].concat()).unwrap(), headers(&[]));
        assert_eq!(inflater.block(&NONE).unwrap(), headers(&[]));
    }

    #[test]
    fn what_is_no_block_is_refused() {
        for (what, plain) in [
            ("a name that is not there", vec![0, 0, 0, 1, 0, 0, 0, 9, b'x']),
            ("more than was said", vec![0, 0, 0, 0, 0]),
            ("more headers than there may be", vec![0, 1, 0, 0]),
            ("a bomb", vec![0; MOST_BYTES + 1]),
        ] {
            assert!(Inflater::new().block(&Deflater::new().raw(&plain)).is_err(), "{what}");
        }
        for garbage in [&b"\x78\x20nope"[..], &[0xff; 40], &[]] {
            assert!(Inflater::new().block(garbage).is_err(), "{garbage:?}");
        }
    }
}
