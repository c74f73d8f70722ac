//! What Go says about malformed JSON, word for word.
//!
//! Only reached once parsing has failed, so it may scan the body again, slowly. It follows the grammar, not Go's
//! state machine; the two differ in nothing a client can see.

/// The message Go's `encoding/json` has for `body`, which `error` already found malformed.
pub(super) fn message(body: &[u8], error: &serde_json::Error) -> String {
    // serde_json gives up at 128 levels, Go at 10,000; both protect the stack.
    if error.to_string().starts_with("recursion limit exceeded") {
        return "exceeded max depth".to_owned();
    }
    let mut scan = Scan { rest: body };
    match scan.document() {
        Err(Fault::End) => "unexpected end of JSON input".to_owned(),
        Err(Fault::Unexpected(byte, context)) => format!("invalid character {} {context}", quote(byte)),
        // Go accepts what serde_json does not, for example a lone surrogate.
        Ok(()) => error.to_string(),
    }
}

enum Fault {
    End,
    Unexpected(u8, &'static str),
}

/// Brackets that are open, innermost last. A list, not recursion: this must survive any depth.
enum Open {
    Array,
    Object,
}

struct Scan<'a> {
    rest: &'a [u8],
}

impl Scan<'_> {
    fn document(&mut self) -> Result<(), Fault> {
        let mut open = Vec::new();
        loop {
            self.value(&mut open)?;
            // After a value: close brackets until the next value begins.
            loop {
                let Some(innermost) = open.last() else { return self.end() };
                let (close, context) = match innermost {
                    Open::Array => (b']', "after array element"),
                    Open::Object => (b'}', "after object key:value pair"),
                };
                match self.next()? {
                    b',' => break,
                    byte if byte == close => {
                        open.pop();
                    }
                    byte => return Err(Fault::Unexpected(byte, context)),
                }
            }
            if let Some(Open::Object) = open.last() {
                let first = self.next()?;
                self.key(first)?;
            }
        }
    }

    /// One scalar, or all the brackets up to and including the first scalar or empty bracket.
    fn value(&mut self, open: &mut Vec<Open>) -> Result<(), Fault> {
        loop {
            match self.next()? {
                b'{' => match self.next()? {
                    b'}' => return Ok(()),
                    first => {
                        self.key(first)?;
                        open.push(Open::Object);
                    }
                },
                b'[' => {
                    if self.peek()? == b']' {
                        self.next()?;
                        return Ok(());
                    }
                    open.push(Open::Array);
                }
                first => return self.scalar(first),
            }
        }
    }

    fn key(&mut self, first: u8) -> Result<(), Fault> {
        if first != b'"' {
            return Err(Fault::Unexpected(first, "looking for beginning of object key string"));
        }
        self.string()?;
        match self.next()? {
            b':' => Ok(()),
            byte => Err(Fault::Unexpected(byte, "after object key")),
        }
    }

    fn scalar(&mut self, first: u8) -> Result<(), Fault> {
        match first {
            b'"' => self.string(),
            b't' => {
                self.word(b"rue", ["in literal true (expecting 'r')", "in literal true (expecting 'u')", "in literal true (expecting 'e')"])
            }
            b'n' => {
                self.word(b"ull", ["in literal null (expecting 'u')", "in literal null (expecting 'l')", "in literal null (expecting 'l')"])
            }
            b'f' => {
                self.expect(b'a', "in literal false (expecting 'a')")?;
                self.word(
                    b"lse",
                    ["in literal false (expecting 'l')", "in literal false (expecting 's')", "in literal false (expecting 'e')"],
                )
            }
            b'-' => match self.take()? {
                digit @ b'0'..=b'9' => self.number(digit),
                byte => Err(Fault::Unexpected(byte, "in numeric literal")),
            },
            digit @ b'0'..=b'9' => self.number(digit),
            byte => Err(Fault::Unexpected(byte, "looking for beginning of value")),
        }
    }

    fn word(&mut self, letters: &[u8; 3], contexts: [&'static str; 3]) -> Result<(), Fault> {
        letters.iter().zip(contexts).try_for_each(|(letter, context)| self.expect(*letter, context))
    }

    fn expect(&mut self, byte: u8, context: &'static str) -> Result<(), Fault> {
        match self.take()? {
            found if found == byte => Ok(()),
            found => Err(Fault::Unexpected(found, context)),
        }
    }

    fn number(&mut self, first: u8) -> Result<(), Fault> {
        if first != b'0' {
            self.digits();
        }
        if self.rest.first() == Some(&b'.') {
            self.take()?;
            self.some_digits("after decimal point in numeric literal")?;
        }
        if let Some(b'e' | b'E') = self.rest.first() {
            self.take()?;
            if let Some(b'+' | b'-') = self.rest.first() {
                self.take()?;
            }
            self.some_digits("in exponent of numeric literal")?;
        }
        Ok(())
    }

    fn some_digits(&mut self, context: &'static str) -> Result<(), Fault> {
        match self.take()? {
            b'0'..=b'9' => {
                self.digits();
                Ok(())
            }
            byte => Err(Fault::Unexpected(byte, context)),
        }
    }

    fn digits(&mut self) {
        let count = self.rest.iter().take_while(|b| b.is_ascii_digit()).count();
        self.rest = &self.rest[count..];
    }

    /// The rest of a string, after its opening quote.
    fn string(&mut self) -> Result<(), Fault> {
        loop {
            match self.take()? {
                b'"' => return Ok(()),
                b'\\' => match self.take()? {
                    b'b' | b'f' | b'n' | b'r' | b't' | b'\\' | b'/' | b'"' => {}
                    b'u' => {
                        for _ in 0..4 {
                            match self.take()? {
                                byte if byte.is_ascii_hexdigit() => {}
                                byte => return Err(Fault::Unexpected(byte, "in \\u hexadecimal character escape")),
                            }
                        }
                    }
                    byte => return Err(Fault::Unexpected(byte, "in string escape code")),
                },
                byte if byte < 0x20 => return Err(Fault::Unexpected(byte, "in string literal")),
                _ => {}
            }
        }
    }

    fn end(&mut self) -> Result<(), Fault> {
        match self.next() {
            Ok(byte) => Err(Fault::Unexpected(byte, "after top-level value")),
            Err(_) => Ok(()),
        }
    }

    /// The next byte that is not white space.
    fn next(&mut self) -> Result<u8, Fault> {
        self.peek()?;
        self.take()
    }

    fn peek(&mut self) -> Result<u8, Fault> {
        let blanks = self.rest.iter().take_while(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n')).count();
        self.rest = &self.rest[blanks..];
        self.rest.first().copied().ok_or(Fault::End)
    }

    fn take(&mut self) -> Result<u8, Fault> {
        let (byte, rest) = self.rest.split_first().ok_or(Fault::End)?;
        self.rest = rest;
        Ok(*byte)
    }
}

/// Go's `strconv.Quote` of one character, in single quotes.
fn quote(byte: u8) -> String {
    match byte {
        b'\'' => r"'\''".to_owned(),
        b'"' => "'\"'".to_owned(),
        b'\n' => r"'\n'".to_owned(),
        b'\r' => r"'\r'".to_owned(),
        b'\t' => r"'\t'".to_owned(),
        b'\\' => r"'\\'".to_owned(),
        0x20..=0x7e => format!("'{}'", char::from(byte)),
        // Go prints the byte as the rune of that number.
        0xa1..=0xff => format!("'{}'", char::from(byte)),
        _ => format!("'\\x{byte:02x}'"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(body: &str) -> String {
        let error = serde_json::from_str::<serde_json::Value>(body).expect_err("malformed");
        message(body.as_bytes(), &error)
    }

    #[test]
    fn go_words() {
        let cases = [
            ("", "unexpected end of JSON input"),
            ("{\"apiVersion\":", "unexpected end of JSON input"),
            ("{", "unexpected end of JSON input"),
            ("[1,", "unexpected end of JSON input"),
            ("{a: 1}", "invalid character 'a' looking for beginning of object key string"),
            ("{\"a\" 1}", "invalid character '1' after object key"),
            ("{\"a\":1 \"b\":2}", "invalid character '\"' after object key:value pair"),
            ("{\"a\":1,}", "invalid character '}' looking for beginning of object key string"),
            ("[1 2]", "invalid character '2' after array element"),
            ("[1,]", "invalid character ']' looking for beginning of value"),
            ("{} x", "invalid character 'x' after top-level value"),
            ("apiVersion: v1", "invalid character 'a' looking for beginning of value"),
            ("{\"a\": tru}", "invalid character '}' in literal true (expecting 'e')"),
            ("{\"a\": \"\\q\"}", "invalid character 'q' in string escape code"),
            ("{\"a\": 1.x}", "invalid character 'x' after decimal point in numeric literal"),
            ("{\"a\": \"\n\"}", "invalid character '\\n' in string literal"),
            ("{\"a\": [{\"b\": [1}]}", "invalid character '}' after array element"),
        ];
        for (body, want) in cases {
            assert_eq!(of(body), want, "{body}");
        }
    }

    #[test]
    fn depth_is_an_error_not_a_crash() {
        assert_eq!(of(&"[".repeat(100_000)), "exceeded max depth");
        assert_eq!(of(&"{\"a\":".repeat(100_000)), "exceeded max depth");
    }
}
