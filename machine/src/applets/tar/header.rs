//! The 512 bytes before each member. Pure.

/// The size of a block.
pub(super) const BLOCK: usize = 512;

/// What a member is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) name: String,
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) size: u64,
    pub(super) modified: i64,
    /// `0` file, `1` link, `2` symlink, `3` device, `5` directory, `6` pipe; `L`, `K`, `x`, `g`: about the next.
    pub(super) kind: u8,
    pub(super) target: String,
    pub(super) user: String,
    pub(super) group: String,
}

/// Why a block is no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bad {
    /// It is empty: the end.
    Empty,
    /// It is something else.
    Magic,
    /// Its checksum is wrong.
    Checksum,
}

fn octal(field: &mut [u8], value: u64) {
    let width = field.len() - 1;
    let text = format!("{value:0width$o}");
    if text.len() <= width {
        field[..width].copy_from_slice(text.as_bytes());
    } else {
        // Too large for digits: binary, as GNU has it.
        let bytes = value.to_be_bytes();
        let at = field.len() - bytes.len();
        field[at..].copy_from_slice(&bytes);
        field[0] = 0x80;
    }
}

fn number(field: &[u8]) -> u64 {
    if field.first().is_some_and(|first| first & 0x80 != 0) {
        return field[1..].iter().fold(0, |value: u64, byte| value << 8 | u64::from(*byte));
    }
    field
        .iter()
        .skip_while(|byte| **byte == b' ')
        .take_while(|byte| (b'0'..=b'7').contains(byte))
        .fold(0, |value, byte| value << 3 | u64::from(byte - b'0'))
}

fn text(field: &[u8]) -> String {
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    String::from_utf8_lossy(&field[..end]).into_owned()
}

fn put(field: &mut [u8], text: &str) {
    let count = text.len().min(field.len());
    field[..count].copy_from_slice(&text.as_bytes()[..count]);
}

fn checksum(block: &[u8]) -> u64 {
    block.iter().enumerate().map(|(at, byte)| u64::from(if (148..156).contains(&at) { b' ' } else { *byte })).sum()
}

impl Header {
    /// The block, before it those that say what does not fit.
    pub(super) fn write(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for (kind, long) in [(b'K', &self.target), (b'L', &self.name)] {
            if long.len() > 100 {
                let size = long.len() as u64 + 1;
                let about = Self { name: "././@LongLink".to_owned(), kind, size, ..Self::default() };
                out.extend(about.block());
                out.extend(long.as_bytes());
                out.push(0);
                out.resize(out.len().next_multiple_of(BLOCK), 0);
            }
        }
        out.extend(self.block());
        out
    }

    fn block(&self) -> Vec<u8> {
        let mut block = vec![0; BLOCK];
        put(&mut block[..100], &self.name);
        octal(&mut block[100..108], u64::from(self.mode));
        octal(&mut block[108..116], u64::from(self.uid));
        octal(&mut block[116..124], u64::from(self.gid));
        octal(&mut block[124..136], self.size);
        octal(&mut block[136..148], u64::try_from(self.modified).unwrap_or(0));
        block[156] = self.kind;
        put(&mut block[157..257], &self.target);
        put(&mut block[257..265], "ustar  ");
        put(&mut block[265..296], &self.user);
        put(&mut block[297..328], &self.group);
        let sum = format!("{:06o}\0 ", checksum(&block));
        put(&mut block[148..156], &sum);
        block
    }

    /// Reads a block.
    pub(super) fn read(block: &[u8]) -> Result<Self, Bad> {
        if block.iter().all(|byte| *byte == 0) {
            return Err(Bad::Empty);
        }
        if &block[257..262] != b"ustar" && block[257] != 0 {
            return Err(Bad::Magic);
        }
        if number(&block[148..156]) != checksum(block) {
            return Err(Bad::Checksum);
        }
        let mut name = text(&block[..100]);
        // POSIX has the beginning of long names elsewhere; GNU has something else there.
        if &block[257..263] == b"ustar\0" && block[345] != 0 {
            name = format!("{}/{name}", text(&block[345..500]));
        }
        let kind = match block[156] {
            0 | b'7' if name.ends_with('/') => b'5',
            0 | b'7' => b'0',
            kind => kind,
        };
        Ok(Self {
            name,
            mode: number(&block[100..108]) as u32 & 0o7777,
            uid: number(&block[108..116]) as u32,
            gid: number(&block[116..124]) as u32,
            size: if matches!(kind, b'1' | b'2' | b'3' | b'4' | b'5' | b'6') { 0 } else { number(&block[124..136]) },
            modified: i64::try_from(number(&block[136..148])).unwrap_or(0),
            kind,
            target: text(&block[157..257]),
            user: text(&block[265..297]),
            group: text(&block[297..329]),
        })
    }
}

/// What PAX lines say: `LENGTH NAME=VALUE\n` each.
pub(super) fn pax(bytes: &[u8]) -> Vec<(String, String)> {
    let mut rest = bytes;
    let mut found = Vec::new();
    while let Some(space) = rest.iter().position(|byte| *byte == b' ') {
        let Some(length) = std::str::from_utf8(&rest[..space]).ok().and_then(|digits| digits.parse::<usize>().ok()) else { break };
        if length <= space + 1 || length > rest.len() {
            break;
        }
        let line = String::from_utf8_lossy(&rest[space + 1..length]);
        if let Some((name, value)) = line.trim_end_matches('\n').split_once('=') {
            found.push((name.to_owned(), value.to_owned()));
        }
        rest = &rest[length..];
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let header = Header {
            name: "a/b".into(),
            mode: 0o644,
            uid: 1,
            gid: 2,
            size: 12345,
            modified: 1_704_164_645,
            kind: b'0',
            target: String::new(),
            user: "root".into(),
            group: "wheel".into(),
        };
        let block = header.write();
        assert_eq!(block.len(), BLOCK);
        assert_eq!(Header::read(&block), Ok(header.clone()));
        let large = Header { size: 1 << 40, ..header.clone() };
        assert_eq!(Header::read(&large.write()).map(|header| header.size), Ok(1 << 40));
        assert_eq!(Header { name: "x".repeat(150), ..header }.write().len(), 3 * BLOCK);
        assert_eq!(Header::read(&[0; BLOCK]), Err(Bad::Empty));
        let mut wrong = block.clone();
        wrong[0] = b'z';
        assert_eq!(Header::read(&wrong), Err(Bad::Checksum));
        assert_eq!(Header::read(&[b'x'; BLOCK]), Err(Bad::Magic));
        assert_eq!(pax(b"12 path=abc\n11 size=42\nrubbish"), [("path".into(), "abc".into()), ("size".into(), "42".into())]);
    }
}
