//! Backslash escapes as `echo -e`, `printf`, `tr` and others read them.

/// What an escape stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Escaped {
    /// A byte, and how many bytes behind the backslash said it.
    Byte(u8, usize),
    /// `\c`: nothing more is to be written.
    End,
    /// Nothing: the backslash is itself.
    None,
}

fn digits(text: &[u8], base: u32, most: usize) -> (u32, usize) {
    let mut value = 0;
    let mut count = 0;
    while let Some(digit) = text.get(count).and_then(|byte| char::from(*byte).to_digit(base)).filter(|_| count < most) {
        if value * base + digit > 255 {
            break;
        }
        value = value * base + digit;
        count += 1;
    }
    (value, count)
}

/// Reads what is behind a backslash.
pub(crate) fn escape(rest: &[u8]) -> Escaped {
    let Some(first) = rest.first() else { return Escaped::None };
    let byte = match first {
        b'a' => 7,
        b'b' => 8,
        b'e' => 27,
        b'f' => 12,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 11,
        b'\\' => b'\\',
        b'c' => return Escaped::End,
        b'x' => {
            let (value, count) = digits(&rest[1..], 16, 2);
            return if count == 0 { Escaped::None } else { Escaped::Byte(value as u8, count + 1) };
        }
        b'0'..=b'7' => {
            let (value, count) = digits(rest, 8, 3);
            return Escaped::Byte(value as u8, count);
        }
        _ => return Escaped::None,
    };
    Escaped::Byte(byte, 1)
}

/// Resolves all escapes of a text as `echo -e` does, where an octal number has a 0 before its three digits; and whether `\c` ended it.
pub(crate) fn unescape(text: &[u8]) -> (Vec<u8>, bool) {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, more)) = rest.split_first() {
        rest = more;
        if *first != b'\\' {
            plain.push(*first);
            continue;
        }
        let zero = usize::from(rest.first() == Some(&b'0') && rest.get(1).is_some_and(|next| (b'0'..=b'7').contains(next)));
        match escape(&rest[zero..]) {
            Escaped::Byte(byte, used) => {
                plain.push(byte);
                rest = &rest[zero + used..];
            }
            Escaped::End => return (plain, true),
            Escaped::None => plain.push(b'\\'),
        }
    }
    (plain, false)
}
