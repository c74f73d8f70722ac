//! Permission bits as people write them.

use crate::files::{Kind, Mode};

/// A mode as `ls -l` shows it.
pub(crate) fn mode_letters(kind: Kind, mode: Mode) -> String {
    let first = match kind {
        Kind::File => '-',
        Kind::Directory => 'd',
        Kind::Symlink => 'l',
        Kind::Device(_) => 'c',
        Kind::Fifo | Kind::Pipe => 'p',
    };
    let mut letters = vec![first];
    for (shift, special, set, unset) in [(6, 0o4000, 's', 'S'), (3, 0o2000, 's', 'S'), (0, 0o1000, 't', 'T')] {
        let bits = mode >> shift;
        letters.push(if bits & 4 != 0 { 'r' } else { '-' });
        letters.push(if bits & 2 != 0 { 'w' } else { '-' });
        letters.push(match (mode & special != 0, bits & 1 != 0) {
            (true, true) => set,
            (true, false) => unset,
            (false, true) => 'x',
            (false, false) => '-',
        });
    }
    letters.into_iter().collect()
}

/// The mode that `u+x,go-w` or `755` makes of another. `None`: it is no mode.
pub(crate) fn apply_mode(text: &str, before: Mode, is_directory: bool, umask: Mode) -> Option<Mode> {
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        return Mode::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o7777);
    }
    let mut mode = before;
    for clause in text.split(',') {
        let at = clause.find(['+', '-', '='])?;
        let (mut who, mut rest) = (0, &clause[at..]);
        for letter in clause[..at].chars() {
            who |= match letter {
                'u' => 0o4700,
                'g' => 0o2070,
                'o' => 0o1007,
                'a' => 0o7777,
                _ => return None,
            };
        }
        let allowed = if who == 0 { 0o7777 & !umask } else { who };
        while let Some(operation) = rest.chars().next() {
            if !"+-=".contains(operation) {
                return None;
            }
            rest = &rest[1..];
            let end = rest.find(['+', '-', '=']).unwrap_or(rest.len());
            let bits = bits(&rest[..end], mode, is_directory)? & allowed;
            rest = &rest[end..];
            mode = match operation {
                '+' => mode | bits,
                '-' => mode & !bits,
                _ => mode & !(if who == 0 { 0o777 } else { who & !0o1000 | who & 0o1000 }) | bits,
            };
        }
    }
    Some(mode)
}

fn bits(letters: &str, mode: Mode, is_directory: bool) -> Option<Mode> {
    letters.chars().try_fold(0, |bits, letter| {
        Some(
            bits | match letter {
                'r' => 0o444,
                'w' => 0o222,
                'x' => 0o111,
                'X' if is_directory || mode & 0o111 != 0 => 0o111,
                'X' => 0,
                's' => 0o6000,
                't' => 0o1000,
                'u' => (mode >> 6 & 7) * 0o111,
                'g' => (mode >> 3 & 7) * 0o111,
                'o' => (mode & 7) * 0o111,
                _ => return None,
            },
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_as_people_write_them() {
        for (text, before, expected) in [
            ("755", 0, Some(0o755)),
            ("u+x", 0o644, Some(0o744)),
            ("+x", 0o644, Some(0o755)),
            ("go-w,u=rw", 0o777, Some(0o655)),
            ("a=r", 0o777, Some(0o444)),
            ("u+s", 0o755, Some(0o4755)),
            ("+t", 0o777, Some(0o1777)),
            ("g=u", 0o640, Some(0o660)),
            ("a+X", 0o644, Some(0o644)),
            ("8", 0, None),
            ("u+q", 0, None),
            ("rw", 0, None),
        ] {
            assert_eq!(apply_mode(text, before, false, 0o022), expected, "{text}");
        }
        assert_eq!(mode_letters(Kind::Directory, 0o1777), "drwxrwxrwt");
        assert_eq!(mode_letters(Kind::File, 0o4644), "-rwSr--r--");
    }
}
