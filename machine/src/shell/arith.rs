//! Arithmetic: `$(( ))` and `let`.

/// The variables of an expression.
pub(super) trait Names {
    /// The value of a variable; empty if it has none.
    fn get(&mut self, name: &str) -> Result<String, String>;
    /// Gives a variable a value.
    fn set(&mut self, name: &str, value: i64) -> Result<(), String>;
}

/// How deep parentheses, operators and variables whose values are expressions may nest.
const NESTING: usize = 100;

const SYNTAX: &str = "arithmetic syntax error";

/// The value of an expression; of nothing 0. An error is told in busybox's words.
pub(super) fn evaluate(text: &str, names: &mut dyn Names) -> Result<i64, String> {
    Evaluation { text: text.as_bytes(), pos: 0, names, depth: 0, live: true, visiting: Vec::new() }.all()
}

/// Binary operators, longest first, and how tightly each binds; all but `**` from the left.
const OPERATORS: &[(&str, u8)] = &[
    ("||", 1),
    ("&&", 2),
    ("==", 6),
    ("!=", 6),
    ("<=", 7),
    (">=", 7),
    ("<<", 8),
    (">>", 8),
    ("**", 11),
    ("|", 3),
    ("^", 4),
    ("&", 5),
    ("<", 7),
    (">", 7),
    ("+", 9),
    ("-", 9),
    ("*", 10),
    ("/", 10),
    ("%", 10),
];

/// What a `=` may follow at once.
const ASSIGNING: &[&str] = &["<<", ">>", "+", "-", "*", "/", "%", "&", "^", "|", ""];

struct Evaluation<'a> {
    text: &'a [u8],
    pos: usize,
    names: &'a mut dyn Names,
    depth: usize,
    /// Whether what is read counts; not so behind a decided `&&`, `||`, `?:`.
    live: bool,
    /// The variables whose values are being evaluated.
    visiting: Vec<String>,
}

/// A value, and the variable that it is.
type Operand = (i64, Option<String>);

impl Evaluation<'_> {
    fn all(&mut self) -> Result<i64, String> {
        self.blanks();
        if self.pos == self.text.len() {
            return Ok(0);
        }
        let value = self.comma()?;
        if self.pos < self.text.len() { Err(SYNTAX.to_owned()) } else { Ok(value) }
    }

    fn blanks(&mut self) {
        while self.text.get(self.pos).is_some_and(u8::is_ascii_whitespace) {
            self.pos += 1;
        }
    }

    fn rest(&self) -> &[u8] {
        &self.text[self.pos..]
    }

    fn eat(&mut self, what: &str) -> bool {
        let found = self.rest().starts_with(what.as_bytes());
        if found {
            self.pos += what.len();
            self.blanks();
        }
        found
    }

    fn deeper<T>(&mut self, inner: impl FnOnce(&mut Self) -> Result<T, String>) -> Result<T, String> {
        if self.depth >= NESTING {
            return Err(SYNTAX.to_owned());
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    fn comma(&mut self) -> Result<i64, String> {
        loop {
            let value = self.deeper(Self::assignment)?;
            if !self.eat(",") {
                return Ok(value);
            }
        }
    }

    fn assignment(&mut self) -> Result<i64, String> {
        let start = self.pos;
        let name = self.name();
        if !name.is_empty() {
            self.blanks();
            for operator in ASSIGNING {
                let rest = self.rest();
                let Some(after) = rest.strip_prefix(operator.as_bytes()).and_then(|rest| rest.strip_prefix(b"=")) else { continue };
                if operator.is_empty() && after.starts_with(b"=") {
                    continue;
                }
                self.eat(&format!("{operator}="));
                let right = self.deeper(Self::assignment)?;
                let value = if operator.is_empty() {
                    right
                } else {
                    let left = self.value(&name)?;
                    self.apply(operator, left, right)?
                };
                return self.store(&name, value);
            }
        }
        self.pos = start;
        self.conditional()
    }

    fn conditional(&mut self) -> Result<i64, String> {
        let condition = self.binary(0)?.0;
        if !self.eat("?") {
            return Ok(condition);
        }
        let live = self.live;
        self.live = live && condition != 0;
        let yes = self.deeper(Self::comma)?;
        if !self.eat(":") {
            return Err("malformed ?: operator".to_owned());
        }
        self.live = live && condition == 0;
        let no = self.deeper(Self::assignment)?;
        self.live = live;
        Ok(if condition != 0 { yes } else { no })
    }

    /// Operands joined by operators that bind at least so tightly.
    fn binary(&mut self, least: u8) -> Result<Operand, String> {
        let mut left = self.unary()?;
        loop {
            let rest = self.rest();
            let known = OPERATORS.iter().find(|(operator, _)| rest.starts_with(operator.as_bytes()));
            let Some((operator, binds)) = known.copied().filter(|(_, binds)| *binds >= least) else { return Ok(left) };
            self.eat(operator);
            let live = self.live;
            match operator {
                "&&" => self.live = live && left.0 != 0,
                "||" => self.live = live && left.0 == 0,
                _ => {}
            }
            let right = self.deeper(|this| this.binary(binds + u8::from(operator != "**")))?.0;
            self.live = live;
            left = (self.apply(operator, left.0, right)?, None);
        }
    }

    fn apply(&self, operator: &str, left: i64, right: i64) -> Result<i64, String> {
        let shift = (right & 63) as u32;
        Ok(match operator {
            _ if !self.live => 0,
            "||" => i64::from(left != 0 || right != 0),
            "&&" => i64::from(left != 0 && right != 0),
            "|" => left | right,
            "^" => left ^ right,
            "&" => left & right,
            "==" => i64::from(left == right),
            "!=" => i64::from(left != right),
            "<=" => i64::from(left <= right),
            ">=" => i64::from(left >= right),
            "<" => i64::from(left < right),
            ">" => i64::from(left > right),
            "<<" => left.wrapping_shl(shift),
            ">>" => left.wrapping_shr(shift),
            "+" => left.wrapping_add(right),
            "-" => left.wrapping_sub(right),
            "*" => left.wrapping_mul(right),
            "/" | "%" if right == 0 => return Err("divide by zero".to_owned()),
            "/" => left.wrapping_div(right),
            "%" => left.wrapping_rem(right),
            _ => {
                let power = u64::try_from(right).map_err(|_| "exponent less than 0".to_owned())?;
                power_of(left, power)
            }
        })
    }

    fn unary(&mut self) -> Result<Operand, String> {
        self.deeper(|this| {
            for operator in ["++", "--"] {
                if this.eat(operator) {
                    let (value, name) = this.unary()?;
                    let by = if operator == "++" { 1 } else { -1 };
                    return match name {
                        Some(name) => Ok((this.store(&name, value.wrapping_add(by))?, None)),
                        // Twice the same sign.
                        None => Ok((value, None)),
                    };
                }
            }
            for operator in ["+", "-", "!", "~"] {
                if this.eat(operator) {
                    let value = this.unary()?.0;
                    let value = match operator {
                        "+" => value,
                        "-" => value.wrapping_neg(),
                        "!" => i64::from(value == 0),
                        _ => !value,
                    };
                    return Ok((value, None));
                }
            }
            this.primary()
        })
    }

    fn primary(&mut self) -> Result<Operand, String> {
        if self.eat("(") {
            let value = self.comma()?;
            return if self.eat(")") { Ok((value, None)) } else { Err(SYNTAX.to_owned()) };
        }
        if self.rest().first().is_some_and(u8::is_ascii_digit) {
            return Ok((self.number()?, None));
        }
        let name = self.name();
        if name.is_empty() {
            return Err(SYNTAX.to_owned());
        }
        self.blanks();
        let value = self.value(&name)?;
        for operator in ["++", "--"] {
            if self.eat(operator) {
                let by = if operator == "++" { 1 } else { -1 };
                self.store(&name, value.wrapping_add(by))?;
                return Ok((value, None));
            }
        }
        Ok((value, Some(name)))
    }

    fn name(&mut self) -> String {
        let rest = self.rest();
        let length = match rest.first() {
            Some(first) if first.is_ascii_alphabetic() || *first == b'_' => {
                rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count()
            }
            _ => 0,
        };
        let name = String::from_utf8_lossy(&rest[..length]).into_owned();
        self.pos += length;
        name
    }

    fn number(&mut self) -> Result<i64, String> {
        let take = |this: &mut Self, wanted: fn(&u8) -> bool| {
            let length = this.rest().iter().take_while(|byte| wanted(byte)).count();
            let digits = String::from_utf8_lossy(&this.rest()[..length]).into_owned();
            this.pos += length;
            digits
        };
        let rest = self.rest();
        let value = if rest.starts_with(b"0x") || rest.starts_with(b"0X") {
            self.pos += 2;
            let digits = take(self, u8::is_ascii_hexdigit);
            if digits.is_empty() {
                return Err(SYNTAX.to_owned());
            }
            u64::from_str_radix(&digits, 16)
        } else if rest.starts_with(b"0") {
            u64::from_str_radix(&take(self, |byte| matches!(byte, b'0'..=b'7')), 8)
        } else {
            let digits = take(self, u8::is_ascii_digit);
            if self.rest().first() == Some(&b'#') {
                self.pos += 1;
                return self.based(&digits);
            }
            digits.parse()
        };
        self.blanks();
        // Too large a number is none.
        Ok(value.map_or(0, u64::cast_signed))
    }

    /// The digits after `base#`.
    fn based(&mut self, base: &str) -> Result<i64, String> {
        let base: u64 = base.parse().ok().filter(|base| (2..=64).contains(base)).ok_or(SYNTAX)?;
        let mut value = 0_u64;
        let mut any = false;
        while let Some(byte) = self.rest().first().copied() {
            let digit = match byte {
                b'0'..=b'9' => byte - b'0',
                b'a'..=b'z' => byte - b'a' + 10,
                b'A'..=b'Z' if base > 36 => byte - b'A' + 36,
                b'A'..=b'Z' => byte - b'A' + 10,
                b'@' => 62,
                b'_' => 63,
                _ => break,
            };
            if u64::from(digit) >= base {
                return Err(SYNTAX.to_owned());
            }
            value = value.wrapping_mul(base).wrapping_add(u64::from(digit));
            any = true;
            self.pos += 1;
        }
        self.blanks();
        if any { Ok(value.cast_signed()) } else { Err(SYNTAX.to_owned()) }
    }

    fn value(&mut self, name: &str) -> Result<i64, String> {
        if !self.live {
            return Ok(0);
        }
        let text = self.names.get(name)?;
        if let Ok(number) = text.trim().parse()
            && (!text.trim().trim_start_matches('-').starts_with('0') || text.trim() == "0")
        {
            return Ok(number);
        }
        if self.visiting.iter().any(|known| known == name) || self.visiting.len() >= NESTING {
            return Err("expression recursion loop detected".to_owned());
        }
        self.visiting.push(name.to_owned());
        let depth = self.depth + 1;
        if depth >= NESTING {
            return Err(SYNTAX.to_owned());
        }
        let visiting = std::mem::take(&mut self.visiting);
        let mut inner = Evaluation { text: text.as_bytes(), pos: 0, names: &mut *self.names, depth, live: true, visiting };
        let value = inner.all();
        self.visiting = std::mem::take(&mut inner.visiting);
        self.visiting.pop();
        value
    }

    fn store(&mut self, name: &str, value: i64) -> Result<i64, String> {
        if self.live {
            self.names.set(name, value)?;
        }
        Ok(value)
    }
}

fn power_of(mut base: i64, mut power: u64) -> i64 {
    let mut value = 1_i64;
    while power > 0 {
        if power & 1 == 1 {
            value = value.wrapping_mul(base);
        }
        base = base.wrapping_mul(base);
        power >>= 1;
    }
    value
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    impl Names for BTreeMap<String, String> {
        fn get(&mut self, name: &str) -> Result<String, String> {
            Ok(BTreeMap::get(self, name).cloned().unwrap_or_default())
        }

        fn set(&mut self, name: &str, value: i64) -> Result<(), String> {
            self.insert(name.to_owned(), value.to_string());
            Ok(())
        }
    }

    fn value(text: &str) -> Result<i64, String> {
        let names = [("x", "5"), ("y", "1+2"), ("same", "same"), ("one", "other"), ("other", "one"), ("octal", "010")];
        let mut names: BTreeMap<String, String> = names.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        evaluate(text, &mut names)
    }

    #[test]
    fn an_expression_has_a_value() {
        let cases = [
            ("", 0),
            ("1 + 2*3", 7),
            ("(1+2)*3", 9),
            ("2**3**2", 512),
            ("-2**2", 4),
            ("7/2", 3),
            ("-7/2", -3),
            ("-7%3", -1),
            ("1<<4|1", 17),
            ("3&6|1^2", 3),
            ("1<2", 1),
            ("2<=1", 0),
            ("1==1 && 2!=3", 1),
            ("0||0", 0),
            ("1?2:3?4:5", 2),
            ("0?2:3?4:5", 4),
            ("16#ff", 255),
            ("36#Zz", 1295),
            ("0x1F", 31),
            ("017", 15),
            ("y*3", 9),
            ("octal", 8),
            ("x++ + x", 11),
            ("++x", 6),
            ("x--, x", 4),
            ("x=7, x*2", 14),
            ("x+=3", 8),
            ("x<<=2", 20),
            ("nosuch=x=2", 2),
            ("!x", 0),
            ("~x", -6),
            ("- -x", 5),
            ("--3", 3),
            ("1||(x=9),x", 5),
            ("0&&1/0", 0),
            ("9223372036854775807+1", i64::MIN),
            ("99999999999999999999", 0),
            ("-9223372036854775808/-1", i64::MIN),
        ];
        for (text, expected) in cases {
            assert_eq!(value(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_expression_is_refused() {
        for text in ["1+", "08", "a b", "1=2", "(1", "1)", "0x", "2#3", "99#1", "*", "'1'", "x[0]"] {
            assert_eq!(value(text), Err(SYNTAX.to_owned()), "{text}");
        }
        assert_eq!(value("1/0"), Err("divide by zero".to_owned()));
        assert_eq!(value("1?2"), Err("malformed ?: operator".to_owned()));
        assert_eq!(value("2**-1"), Err("exponent less than 0".to_owned()));
        assert_eq!(value("same"), Err("expression recursion loop detected".to_owned()));
        assert_eq!(value("one"), Err("expression recursion loop detected".to_owned()));
        assert_eq!(value(&"(".repeat(100_000)), Err(SYNTAX.to_owned()));
        assert_eq!(value(&"-".repeat(100_001)), Err(SYNTAX.to_owned()));
    }
}
