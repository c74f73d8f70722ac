//! The conversions of printf(3): `%-5.2f` and the like.

/// The widest a conversion may make a value; C has no bound, our memory has.
const WIDEST: usize = 1 << 20;

/// One conversion without its letter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Conversion {
    minus: bool,
    plus: bool,
    space: bool,
    zero: bool,
    alternative: bool,
    width: Option<usize>,
    precision: Option<usize>,
    /// Whether flags, width or precision were given at all.
    pub(crate) plain: bool,
}

impl Conversion {
    /// Reads what is behind a `%`; answers how many bytes it was. `star` gives the numbers that `*` stands for.
    pub(crate) fn read(text: &[u8], mut star: impl FnMut() -> i64) -> (Self, usize) {
        let mut conversion = Self::default();
        let mut at = 0;
        while let Some(flag) = text.get(at) {
            match flag {
                b'-' => conversion.minus = true,
                b'+' => conversion.plus = true,
                b' ' => conversion.space = true,
                b'0' => conversion.zero = true,
                b'#' => conversion.alternative = true,
                _ => break,
            }
            at += 1;
        }
        let mut number = |at: &mut usize| -> Option<i64> {
            if text.get(*at) == Some(&b'*') {
                *at += 1;
                return Some(star());
            }
            let begin = *at;
            let mut value: i64 = 0;
            while let Some(digit) = text.get(*at).filter(|byte| byte.is_ascii_digit()) {
                value = (value * 10 + i64::from(digit - b'0')).min(WIDEST as i64);
                *at += 1;
            }
            (*at > begin).then_some(value)
        };
        if let Some(width) = number(&mut at) {
            conversion.minus |= width < 0;
            conversion.width = Some((width.unsigned_abs() as usize).min(WIDEST));
        }
        if text.get(at) == Some(&b'.') {
            at += 1;
            conversion.precision = usize::try_from(number(&mut at).unwrap_or(0)).ok().map(|precision| precision.min(WIDEST));
        }
        conversion.plain = at == 0;
        (conversion, at)
    }

    fn pad(&self, text: Vec<u8>, sign: usize, zeros: bool) -> Vec<u8> {
        let missing = self.width.unwrap_or(0).saturating_sub(text.len());
        if missing == 0 {
            text
        } else if self.minus {
            [text, vec![b' '; missing]].concat()
        } else if zeros {
            [&text[..sign], &vec![b'0'; missing], &text[sign..]].concat()
        } else {
            [vec![b' '; missing], text].concat()
        }
    }

    /// `%s`, and `%c` of one byte.
    pub(crate) fn text(&self, text: &[u8]) -> Vec<u8> {
        let text = &text[..text.len().min(self.precision.unwrap_or(usize::MAX))];
        self.pad(text.to_vec(), 0, false)
    }

    fn sign(&self, negative: bool) -> &'static str {
        match (negative, self.plus, self.space) {
            (true, ..) => "-",
            (_, true, _) => "+",
            (_, _, true) => " ",
            _ => "",
        }
    }

    fn digits(&self, prefix: &str, digits: String) -> Vec<u8> {
        let digits = if self.precision == Some(0) && digits == "0" { String::new() } else { digits };
        let zeros = "0".repeat(self.precision.unwrap_or(0).saturating_sub(digits.len()));
        self.pad(format!("{prefix}{zeros}{digits}").into_bytes(), prefix.len(), self.zero && self.precision.is_none())
    }

    /// `%d`
    pub(crate) fn signed(&self, value: i64) -> Vec<u8> {
        self.digits(self.sign(value < 0), value.unsigned_abs().to_string())
    }

    /// `%u %o %x %X`, by the letter.
    pub(crate) fn unsigned(&self, value: u64, letter: u8) -> Vec<u8> {
        let alternative = self.alternative && value != 0;
        match letter {
            b'o' => self.digits(if alternative { "0" } else { "" }, format!("{value:o}")),
            b'x' => self.digits(if alternative { "0x" } else { "" }, format!("{value:x}")),
            b'X' => self.digits(if alternative { "0X" } else { "" }, format!("{value:X}")),
            _ => self.digits("", value.to_string()),
        }
    }

    /// `%f %e %g` and their capitals, by the letter.
    pub(crate) fn float(&self, value: f64, letter: u8) -> Vec<u8> {
        let sign = self.sign(value.is_sign_negative() && !value.is_nan());
        let size = value.abs();
        let precision = self.precision.unwrap_or(6);
        let body = if size.is_nan() {
            "nan".to_owned()
        } else if size.is_infinite() {
            "inf".to_owned()
        } else {
            match letter.to_ascii_lowercase() {
                b'e' => exponential(size, precision),
                b'g' => general(size, precision, self.alternative),
                _ => format!("{size:.precision$}"),
            }
        };
        let body = if letter.is_ascii_uppercase() { body.to_ascii_uppercase() } else { body };
        self.pad(format!("{sign}{body}").into_bytes(), sign.len(), self.zero && size.is_finite())
    }
}

fn exponential(size: f64, precision: usize) -> String {
    let text = format!("{size:.precision$e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |exponent| ('-', exponent));
    format!("{digits}e{sign}{exponent:0>2}")
}

fn general(size: f64, precision: usize, keep_zeros: bool) -> String {
    let precision = precision.max(1);
    let rounded = format!("{size:.*e}", precision - 1);
    let exponent: i32 = rounded.split_once('e').and_then(|(_, exponent)| exponent.parse().ok()).unwrap_or(0);
    let trim = |text: &str| {
        if keep_zeros || !text.contains('.') { text.to_owned() } else { text.trim_end_matches('0').trim_end_matches('.').to_owned() }
    };
    if exponent < -4 || exponent >= precision as i32 {
        let text = exponential(size, precision - 1);
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, ""));
        format!("{}e{exponent}", trim(digits))
    } else {
        let decimals = (precision as i32 - 1 - exponent).max(0) as usize;
        trim(&format!("{size:.decimals$}"))
    }
}

/// A number as `%.*g` writes it.
pub(crate) fn shortest(value: f64, precision: usize) -> String {
    let conversion = Conversion { precision: Some(precision), ..Conversion::default() };
    String::from_utf8_lossy(&conversion.float(value, b'g')).into_owned()
}
