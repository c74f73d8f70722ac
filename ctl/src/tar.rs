//! Archives as `tar` makes and reads them: what `cp` sends and gets. It knows bytes, and where nothing lies.
//!
//! Written is POSIX's ustar, with GNU's way for names that are too long for it; read are both, and the names of POSIX's pax.

use std::io::{self, Read, Write};

/// Everything comes in blocks of so many bytes.
const BLOCK: usize = 512;
/// The longest name that is read, in bytes.
const MOST_NAME: u64 = 64 * 1024;

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A file with so many bytes.
    File(u64),
    /// A folder.
    Folder,
    /// A symbolic link, and where it leads.
    Link(String),
    /// Something else, with so many bytes.
    Other(u64),
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its path in the archive.
    pub(crate) name: String,
    /// What it is.
    pub(crate) kind: Kind,
    /// Who may do what with it.
    pub(crate) mode: u32,
    /// When it was changed, in seconds since 1970.
    pub(crate) changed: u64,
    /// Whose it is: user and group.
    pub(crate) owner: (u32, u32),
}

/// Writes an archive.
pub(crate) struct Writer<W>(W);

/// Reads an archive.
pub(crate) struct Reader<R> {
    from: R,
    /// What is left of the entry's bytes, and of its last block.
    left: u64,
    padding: u64,
}

impl<W: Write> Writer<W> {
    pub(crate) fn new(to: W) -> Self {
        Self(to)
    }

    /// Adds an entry; the bytes of a file are read from `content`, which must have them.
    pub(crate) fn add(&mut self, entry: &Entry, content: &mut dyn Read) -> io::Result<()> {
        let (kind, size, link) = match &entry.kind {
            Kind::File(size) | Kind::Other(size) => (b'0', *size, ""),
            Kind::Folder => (b'5', 0, ""),
            Kind::Link(link) => (b'2', 0, link.as_str()),
        };
        let name = if kind == b'5' { format!("{}/", entry.name) } else { entry.name.clone() };
        if link.len() > 100 {
            self.long(b'K', link)?;
        }
        let (prefix, short) = match split(&name) {
            Some(fits) => fits,
            None => {
                self.long(b'L', &name)?;
                ("", name.as_str())
            }
        };
        self.0.write_all(&header(kind, short, prefix, link, size, entry))?;
        if io::copy(&mut content.take(size), &mut self.0)? < size {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("{}: it has become shorter", entry.name)));
        }
        self.pad(size)
    }

    /// Ends it.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.0.write_all(&[0; 2 * BLOCK])?;
        self.0.flush()?;
        Ok(self.0)
    }

    /// A name, or where a link leads, that does not fit into the header that follows.
    fn long(&mut self, kind: u8, text: &str) -> io::Result<()> {
        let bytes = [text.as_bytes(), &[0]].concat();
        let size = bytes.len() as u64;
        let nobody = Entry { name: String::new(), kind: Kind::Folder, mode: 0, changed: 0, owner: (0, 0) };
        self.0.write_all(&header(kind, "././@LongLink", "", "", size, &nobody))?;
        self.0.write_all(&bytes)?;
        self.pad(size)
    }

    fn pad(&mut self, size: u64) -> io::Result<()> {
        let zeros = [0; BLOCK];
        self.0.write_all(&zeros[..usize::try_from(padding(size)).unwrap_or_default()])
    }
}

fn padding(size: u64) -> u64 {
    size.next_multiple_of(BLOCK as u64) - size
}

/// Prefix and rest of a name, if it can be cut so that both fit.
fn split(name: &str) -> Option<(&str, &str)> {
    if name.len() <= 100 {
        return Some(("", name));
    }
    let fits = |at: &usize| *at <= 155 && name.len() - at - 1 <= 100 && name.len() > at + 1;
    let at = name.match_indices('/').map(|(at, _)| at).find(fits)?;
    Some((&name[..at], &name[at + 1..]))
}

fn header(kind: u8, name: &str, prefix: &str, link: &str, size: u64, entry: &Entry) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    let mut put = |at: usize, room: usize, text: &[u8]| {
        let count = text.len().min(room);
        block[at..at + count].copy_from_slice(&text[..count]);
    };
    put(0, 100, name.as_bytes());
    put(100, 8, &number(entry.mode.into(), 8));
    put(108, 8, &number(entry.owner.0.into(), 8));
    put(116, 8, &number(entry.owner.1.into(), 8));
    put(124, 12, &number(size, 12));
    put(136, 12, &number(entry.changed, 12));
    put(148, 8, b"        ");
    put(156, 1, &[kind]);
    put(157, 100, link.as_bytes());
    put(257, 8, b"ustar\x0000");
    put(345, 155, prefix.as_bytes());
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

/// Digits in base 8; what has too many for its field is written in base 256.
fn number(value: u64, room: usize) -> Vec<u8> {
    let digits = format!("{value:0width$o}\0", width = room - 1);
    if digits.len() <= room {
        return digits.into_bytes();
    }
    let mut bytes = vec![0; room];
    bytes[room - 8..].copy_from_slice(&value.to_be_bytes());
    bytes[0] = 0x80;
    bytes
}

impl<R: Read> Reader<R> {
    pub(crate) fn new(from: R) -> Self {
        Self { from, left: 0, padding: 0 }
    }

    /// What follows the archive.
    pub(crate) fn into_inner(self) -> R {
        self.from
    }

    /// The next entry; what is left of the one before is passed over. Its bytes are read from `self`.
    ///
    /// # Errors
    /// When there is no archive, or it breaks off.
    pub(crate) fn next(&mut self) -> io::Result<Option<Entry>> {
        let (mut long_name, mut long_link) = (None, None);
        loop {
            self.skip(self.left + self.padding)?;
            (self.left, self.padding) = (0, 0);
            let mut block = [0; BLOCK];
            match self.from.read(&mut block)? {
                0 => return Ok(None),
                count => self.from.read_exact(&mut block[count..])?,
            }
            if block.iter().all(|byte| *byte == 0) {
                return Ok(None);
            }
            let size = check(&block)?;
            (self.left, self.padding) = (size, padding(size));
            match block[156] {
                b'L' => long_name = Some(self.text(size)?),
                b'K' => long_link = Some(self.text(size)?),
                b'x' => {
                    let records = self.text(size)?;
                    long_name = record(&records, "path").or(long_name);
                    long_link = record(&records, "linkpath").or(long_link);
                }
                b'g' => {}
                kind => {
                    let name = long_name.unwrap_or_else(|| name(&block));
                    let link = long_link.unwrap_or_else(|| field(&block[157..257]));
                    return Ok(Some(entry(kind, name, link, size, &block)));
                }
            }
        }
    }

    fn text(&mut self, size: u64) -> io::Result<String> {
        if size > MOST_NAME {
            return Err(wrong("a name that is too long"));
        }
        let mut bytes = Vec::new();
        self.read_to_end(&mut bytes)?;
        bytes.truncate(bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1));
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn skip(&mut self, count: u64) -> io::Result<()> {
        let skipped = io::copy(&mut (&mut self.from).take(count), &mut io::sink())?;
        if skipped < count { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }
}

/// The bytes of the entry that was read last.
impl<R: Read> Read for Reader<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = (&mut self.from).take(self.left).read(into)?;
        if count == 0 && self.left > 0 && !into.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= count as u64;
        Ok(count)
    }
}

fn wrong(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("archive/tar: invalid tar header: {what}"))
}

/// The size an entry says it has, if its checksum is right.
fn check(block: &[u8; BLOCK]) -> io::Result<u64> {
    let sum = block.iter().enumerate().map(|(at, byte)| if (148..156).contains(&at) { 32 } else { u64::from(*byte) }).sum();
    if read_number(&block[148..156]) != Some(sum) {
        return Err(wrong("a checksum that is not right"));
    }
    let kind = block[156];
    let size = read_number(&block[124..136]).ok_or_else(|| wrong("no size"))?;
    // Links and folders have none, whatever is said.
    Ok(if matches!(kind, b'1'..=b'6') { 0 } else { size })
}

fn read_number(bytes: &[u8]) -> Option<u64> {
    if bytes.first()? & 0x80 != 0 {
        let (high, low) = bytes.split_last_chunk::<8>()?;
        return high.iter().skip(1).all(|byte| *byte == 0).then(|| u64::from_be_bytes(*low));
    }
    let text = field(bytes);
    let digits = text.trim();
    if digits.is_empty() { Some(0) } else { u64::from_str_radix(digits, 8).ok() }
}

/// The text of a field, which ends at the first zero.
fn field(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

/// A name and what POSIX, and only POSIX, has in front of it.
fn name(block: &[u8; BLOCK]) -> String {
    let (name, prefix) = (field(&block[..100]), field(&block[345..500]));
    if prefix.is_empty() || &block[257..263] != b"ustar\0" { name } else { format!("{prefix}/{name}") }
}

/// A value of pax: records are `LENGTH KEY=VALUE` and a new line.
fn record(records: &str, key: &str) -> Option<String> {
    let mut rest = records;
    let mut found = None;
    while let Some((length, _)) = rest.split_once(' ') {
        let record = length.parse().ok().and_then(|length: usize| rest.get(..length));
        let Some(record) = record.filter(|record| record.len() > length.len() + 1) else { break };
        let pair = record[length.len() + 1..].trim_end_matches('\n').split_once('=');
        found = pair.filter(|(known, _)| *known == key).map(|(_, value)| value.to_owned()).or(found);
        rest = &rest[record.len()..];
    }
    found
}

fn entry(kind: u8, name: String, link: String, size: u64, block: &[u8; BLOCK]) -> Entry {
    let small = |bytes: &[u8]| read_number(bytes).and_then(|number| u32::try_from(number).ok()).unwrap_or_default();
    let kind = match kind {
        b'0' | 0 if name.ends_with('/') => Kind::Folder,
        b'0' | 0 | b'7' => Kind::File(size),
        b'5' => Kind::Folder,
        b'2' => Kind::Link(link),
        _ => Kind::Other(size),
    };
    let owner = (small(&block[108..116]), small(&block[116..124]));
    let changed = read_number(&block[136..148]).unwrap_or_default();
    Entry { name, kind, mode: small(&block[100..108]) & 0o7777, changed, owner }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, size: u64) -> Entry {
        Entry { name: name.to_owned(), kind: Kind::File(size), mode: 0o640, changed: 1_600_000_000, owner: (1000, 100) }
    }

    fn archive(entries: &[(Entry, &[u8])]) -> Vec<u8> {
        let mut writer = Writer::new(Vec::new());
        for (entry, mut content) in entries.iter().cloned() {
            writer.add(&entry, &mut content).unwrap();
        }
        writer.finish().unwrap()
    }

    fn unpack(bytes: &[u8]) -> io::Result<Vec<(Entry, Vec<u8>)>> {
        let mut reader = Reader::new(bytes);
        let mut entries = Vec::new();
        while let Some(entry) = reader.next()? {
            let mut content = Vec::new();
            reader.read_to_end(&mut content)?;
            entries.push((entry, content));
        }
        Ok(entries)
    }

    #[test]
    fn what_is_written_is_read() {
        let long = format!("{}/{}", "d".repeat(120), "f".repeat(90));
        let longer = "x".repeat(300);
        let folder = Entry { kind: Kind::Folder, ..file("a", 0) };
        let link = Entry { kind: Kind::Link("y".repeat(200)), ..file("l", 0) };
        let entries = [(folder, &b""[..]), (file("a/b", 5), b"hello"), (file(&long, 600), &[7; 600]), (file(&longer, 0), b""), (link, b"")];
        let read = unpack(&archive(&entries)).unwrap();
        let expected: Vec<(Entry, Vec<u8>)> = entries.iter().map(|(entry, content)| (entry.clone(), content.to_vec())).collect();
        assert_eq!(read[0].0.name, "a/", "a folder is told by its name too");
        assert_eq!(read[1..], expected[1..]);
    }

    #[test]
    fn the_real_tar_agrees() {
        use std::process::Command;
        let Ok(version) = Command::new("tar").arg("--version").output() else { return };
        assert!(version.status.success());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let long = "n".repeat(160);
        std::fs::create_dir(path.join("in")).unwrap();
        std::fs::write(path.join("in/a"), "hello").unwrap();
        std::fs::write(path.join("in").join(&long), "long").unwrap();
        std::os::unix::fs::symlink("a", path.join("in/l")).unwrap();
        for format in ["ustar", "gnu", "posix"] {
            let format = format!("--format={format}");
            // The long name does not fit into ustar.
            let without = format!("--exclude={}", if format.ends_with("ustar") { long.as_str() } else { "nothing" });
            let made = Command::new("tar").current_dir(path).args([&format, &without, "-cf", "-", "in"]).output().unwrap();
            let mut names: Vec<(String, Kind)> =
                unpack(&made.stdout).unwrap().into_iter().map(|(entry, _)| (entry.name, entry.kind)).collect();
            names.sort_by(|one, other| one.0.cmp(&other.0));
            let mut expected = vec![
                ("in/".to_owned(), Kind::Folder),
                ("in/a".to_owned(), Kind::File(5)),
                ("in/l".to_owned(), Kind::Link("a".to_owned())),
                (format!("in/{long}"), Kind::File(4)),
            ];
            if format.ends_with("ustar") {
                expected.pop();
            }
            assert_eq!(names, expected, "{format}");
        }
        let ours = archive(&[(file(&format!("out/{long}"), 3), b"abc"), (file("out/b", 2), b"xy")]);
        std::fs::write(path.join("ours.tar"), ours).unwrap();
        assert!(Command::new("tar").current_dir(path).args(["-xf", "ours.tar"]).status().unwrap().success());
        assert_eq!(std::fs::read(path.join("out").join(&long)).unwrap(), b"abc");
        assert_eq!(std::fs::read(path.join("out/b")).unwrap(), b"xy");
    }

    #[test]
    fn what_is_no_archive_is_refused() {
        let whole = archive(&[(file("a", 600), &[1; 600])]);
        assert!(unpack(&whole[..700]).is_err(), "it breaks off");
        assert!(unpack(&whole[..100]).is_err(), "in its header");
        let mut wrong = whole.clone();
        wrong[0] = b'b';
        assert!(unpack(&wrong).is_err(), "a checksum");
        assert!(unpack(&[b'x'; 2 * BLOCK]).is_err(), "no archive");
        assert_eq!(unpack(b"").unwrap(), []);
        let short = Writer::new(Vec::new()).add(&file("a", 5), &mut &b"hi"[..]);
        assert!(short.is_err(), "a file that has become shorter");
    }
}
