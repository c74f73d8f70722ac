//! `resource.Quantity`: exact numbers with suffixes, such as `500m`, `2Gi` and `1e3`.
//!
//! Never a floating point number: a whole count of nanos, which is upstream's smallest step, so that sums and
//! comparisons are exact. Remembers which family of suffixes it was written with, and writes itself in that family.

use std::cmp::Ordering;
use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Neg, Sub, SubAssign};

use k8s_openapi::apimachinery::pkg::api::resource::Quantity as ApiQuantity;

const NANOS_PER_UNIT: i128 = 1_000_000_000;
const NANOS_PER_MILLI: i128 = 1_000_000;
/// Above this, upstream caps binary quantities.
const BINARY_CAP: i128 = i64::MAX as i128 * NANOS_PER_UNIT;

/// Suffixes and the power of ten they stand for.
const DECIMAL_SUFFIXES: [(&str, i32); 10] =
    [("n", -9), ("u", -6), ("m", -3), ("", 0), ("k", 3), ("M", 6), ("G", 9), ("T", 12), ("P", 15), ("E", 18)];
/// Suffixes in order: the first stands for 2¹⁰, each next one for 2¹⁰ times more.
const BINARY_SUFFIXES: [&str; 6] = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];

/// Why a text is no quantity. Texts are upstream's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Not a number followed by letters and an exponent.
    #[error("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")]
    Format,
    /// The number is followed by the right letters in the wrong order.
    #[error("unable to parse quantity's suffix")]
    Suffix,
}

/// The family of suffixes a quantity is written with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Format {
    /// `n u m k M G T P E`: powers of 1000.
    #[default]
    DecimalSi,
    /// `Ki Mi Gi Ti Pi Ei`: powers of 1024.
    BinarySi,
    /// `e3`, `e-6`: powers of ten, in steps of three.
    DecimalExponent,
}

/// An exact number. Equality and order are of the number alone: `1Ki` equals `1024`.
///
/// The range is ±1.7·10²⁹ in steps of 10⁻⁹; arithmetic saturates.
#[derive(Debug, Clone, Copy, Default)]
pub struct Quantity {
    nanos: i128,
    format: Format,
}

impl Quantity {
    /// Nothing.
    pub const ZERO: Self = Self { nanos: 0, format: Format::DecimalSi };

    /// Reads what users write: `[+-]digits[.digits][suffix]`. More than nine decimals are rounded up (away from
    /// zero), so that who asks for something gets something.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        Ok(Literal::scan(text)?.quantity())
    }

    /// `milli` thousandths.
    pub const fn from_milli(milli: i128, format: Format) -> Self {
        Self { nanos: milli.saturating_mul(NANOS_PER_MILLI), format }
    }

    /// `value` whole units.
    pub const fn from_value(value: i64, format: Format) -> Self {
        Self { nanos: value as i128 * NANOS_PER_UNIT, format }
    }

    /// The number in thousandths, rounded up (away from zero).
    pub const fn milli(self) -> i128 {
        divide_up(self.nanos, NANOS_PER_MILLI)
    }

    /// The number in whole units, rounded up (away from zero), saturating.
    pub fn value(self) -> i64 {
        let value = divide_up(self.nanos, NANOS_PER_UNIT);
        i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX })
    }

    /// The number, as near as a float comes to it. For ratios only.
    pub fn as_f64(self) -> f64 {
        self.nanos as f64 / NANOS_PER_UNIT as f64
    }

    /// The family of suffixes it is written with.
    pub const fn format(self) -> Format {
        self.format
    }

    /// Whether it is nothing.
    pub const fn is_zero(self) -> bool {
        self.nanos == 0
    }

    /// -1, 0 or 1.
    pub const fn signum(self) -> i32 {
        self.nanos.signum() as i32
    }

    /// Like upstream, a sum that starts from nothing takes the format of what is added.
    const fn sum_format(self, other: Self) -> Format {
        if self.is_zero() { other.format } else { self.format }
    }
}

/// The quantity in a Kubernetes object; zero if it cannot be read (the API server lets no such thing in).
pub fn of(quantity: &ApiQuantity) -> Quantity {
    Quantity::parse(&quantity.0).unwrap_or_default()
}

/// What upstream stores and answers for `text`: the canonical form. For speed it keeps the text when a quick look says
/// "canonical", so `1.250`, `+1` and `1E3` stay as they are while `0.5` becomes `500m`.
pub fn canonical(text: &str) -> Result<String, ParseError> {
    let literal = Literal::scan(text)?;
    let quantity = literal.quantity();
    // What is out of our range is passed on as it is, not made smaller.
    let keep = literal.passes_for_canonical() || quantity.nanos.abs() == i128::MAX;
    Ok(if keep { text.to_owned() } else { quantity.to_string() })
}

impl From<&ApiQuantity> for Quantity {
    fn from(quantity: &ApiQuantity) -> Self {
        of(quantity)
    }
}

impl From<Quantity> for ApiQuantity {
    fn from(quantity: Quantity) -> Self {
        Self(quantity.to_string())
    }
}

impl std::str::FromStr for Quantity {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::parse(text)
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.nanos == other.nanos
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        self.nanos.cmp(&other.nanos)
    }
}

impl Add for Quantity {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { nanos: self.nanos.saturating_add(other.nanos), format: self.sum_format(other) }
    }
}

impl Sub for Quantity {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self { nanos: self.nanos.saturating_sub(other.nanos), format: self.sum_format(other) }
    }
}

impl AddAssign for Quantity {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl SubAssign for Quantity {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

impl Neg for Quantity {
    type Output = Self;

    fn neg(self) -> Self {
        Self { nanos: self.nanos.saturating_neg(), format: self.format }
    }
}

impl Sum for Quantity {
    fn sum<I: Iterator<Item = Self>>(quantities: I) -> Self {
        quantities.fold(Self::ZERO, Add::add)
    }
}

/// The canonical form: a whole number with the largest suffix that loses nothing.
///
/// Binary quantities below 1 Ki or with a fraction are written in decimal. Beyond `E` upstream drops the suffix and
/// with it the magnitude (`1000E` becomes `1`); we write `1000E`.
impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_zero() {
            return f.write_str("0");
        }
        let (units, fraction) = (self.nanos / NANOS_PER_UNIT, self.nanos % NANOS_PER_UNIT);
        if self.format == Format::BinarySi && fraction == 0 && units.abs() >= 1024 {
            let (number, power) = strip_factors(units, 1024, BINARY_SUFFIXES.len());
            let suffix = power.checked_sub(1).map_or("", |index| BINARY_SUFFIXES[index]);
            return write!(f, "{number}{suffix}");
        }
        if self.format == Format::DecimalExponent {
            let (number, power) = strip_factors(self.nanos, 1000, usize::MAX);
            return match 3 * power as i32 - 9 {
                0 => write!(f, "{number}"),
                exponent => write!(f, "{number}e{exponent}"),
            };
        }
        let (number, power) = strip_factors(self.nanos, 1000, DECIMAL_SUFFIXES.len() - 1);
        write!(f, "{number}{}", DECIMAL_SUFFIXES[power].0)
    }
}

/// Divides by `factor` while nothing is lost, at most `limit` times; the rest and how many times.
fn strip_factors(mut number: i128, factor: i128, limit: usize) -> (i128, usize) {
    let mut times = 0;
    while times < limit && number != 0 && number % factor == 0 {
        number /= factor;
        times += 1;
    }
    (number, times)
}

/// Division that rounds away from zero.
const fn divide_up(number: i128, by: i128) -> i128 {
    let quotient = number / by;
    if number % by == 0 { quotient } else { quotient + number.signum() }
}

/// A quantity as written, taken apart.
struct Literal<'a> {
    negative: bool,
    /// Digits before the point, without leading zeros, but never empty.
    whole: &'a str,
    /// Digits after the point.
    fraction: &'a str,
    /// 10 to the first, times 2 to the second.
    powers: (i32, u32),
    format: Format,
}

impl<'a> Literal<'a> {
    /// Upstream's scanner: looser than the expression in its error text (`-`, `.` and `m` are all zero).
    fn scan(text: &'a str) -> Result<Self, ParseError> {
        if text.is_empty() {
            return Err(ParseError::Format);
        }
        let (negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (whole, rest) = split_digits(rest.trim_start_matches('0'));
        let (fraction, suffix) = rest.strip_prefix('.').map_or(("", rest), split_digits);
        let exponent = suffix.trim_start_matches(|c| "eEinumkKMGTP".contains(c));
        if !split_digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)).1.is_empty() {
            return Err(ParseError::Format);
        }
        let (powers, format) = interpret(suffix).ok_or(ParseError::Suffix)?;
        Ok(Self { negative, whole: if whole.is_empty() { "0" } else { whole }, fraction, powers, format })
    }

    fn quantity(&self) -> Quantity {
        let mut nanos = self.magnitude();
        let mut format = self.format;
        if format == Format::BinarySi {
            nanos = nanos.min(BINARY_CAP);
            if nanos < NANOS_PER_UNIT && nanos != 0 {
                format = Format::DecimalSi;
            }
        }
        Quantity { nanos: if self.negative { -nanos } else { nanos }, format }
    }

    /// The number without its sign, in nanos, rounded up.
    fn magnitude(&self) -> i128 {
        let unit = NANOS_PER_UNIT << self.powers.1;
        let digits = || self.whole.bytes().chain(self.fraction.bytes()).map(|digit| i128::from(digit - b'0'));
        let length = self.whole.len() + self.fraction.len();
        let point = self.whole.len() as i64 + i64::from(self.powers.0);
        let split = usize::try_from(point).unwrap_or(0).min(length);

        let mut whole = digits().take(split).fold(0i128, |sum, digit| sum.saturating_mul(10).saturating_add(digit));
        for _ in split as i64..point {
            if whole == 0 || whole == i128::MAX {
                break;
            }
            whole = whole.saturating_mul(10);
        }
        // From the last digit to the first; rounding up at each step equals rounding up once.
        let mut part = digits().rev().take(length - split).fold(0, |part, digit| divide_up(digit * unit + part, 10));
        for _ in point..0 {
            if part <= 1 {
                break;
            }
            part = divide_up(part, 10);
        }
        whole.saturating_mul(unit).saturating_add(part)
    }

    /// Upstream's quick look: short enough for its fast path, and no zeros to move into the suffix.
    fn passes_for_canonical(&self) -> bool {
        let length = self.whole.len() + self.fraction.len();
        if self.format == Format::BinarySi {
            let digits_of_suffix = self.powers.1 as usize * 3 / 10;
            let low_bits = self.whole.parse::<u64>().unwrap_or(0) & 7;
            return self.fraction.is_empty() && length + digits_of_suffix < 15 && low_bits != 0;
        }
        let scale = i64::from(self.powers.0) - self.fraction.len() as i64;
        let trailing = |text: &str| text.len() - text.trim_end_matches('0').len();
        let mut zeros = trailing(self.fraction);
        if zeros == self.fraction.len() {
            zeros += trailing(self.whole);
        }
        length <= 18 && scale >= -9 && scale % 3 == 0 && zeros < 3 && !self.whole.starts_with('0')
    }
}

/// The powers of ten and of two a suffix stands for.
fn interpret(suffix: &str) -> Option<((i32, u32), Format)> {
    if let Some((_, power)) = DECIMAL_SUFFIXES.iter().find(|(known, _)| *known == suffix) {
        return Some(((*power, 0), Format::DecimalSi));
    }
    if let Some(index) = BINARY_SUFFIXES.iter().position(|known| *known == suffix) {
        return Some(((0, 10 * (index as u32 + 1)), Format::BinarySi));
    }
    let exponent: i64 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
    // Far outside the range either way.
    Some(((exponent.clamp(-1000, 1000) as i32, 0), Format::DecimalExponent))
}

/// The leading ASCII digits, and the rest.
fn split_digits(text: &str) -> (&str, &str) {
    text.split_at(text.bytes().take_while(u8::is_ascii_digit).count())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Quantity {
        Quantity::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    /// As `kubectl set resources --local` writes them.
    #[test]
    fn canonical_is_what_kubectl_answers() {
        for (text, want) in [
            ("0.5", "500m"),
            ("1024Mi", "1Gi"),
            ("1500m", "1500m"),
            ("1e3", "1e3"),
            ("1E3", "1E3"),
            ("1e+3", "1e+3"),
            ("1e1", "10"),
            ("12e2", "1200"),
            ("1e5", "100e3"),
            ("1e-4", "100e-6"),
            ("1e20", "100e18"),
            ("1e28", "10e27"),
            ("100000e-3", "100"),
            ("0.1e-12", "1e-9"),
            ("0.0001", "100u"),
            ("0.00000000015", "1n"),
            ("-0.00000000015", "-1n"),
            ("1.0000000001", "1000000001n"),
            ("1E", "1E"),
            ("100E", "100E"),
            ("1.5E", "1500P"),
            ("1000", "1k"),
            ("1000k", "1M"),
            ("1024", "1024"),
            ("-1", "-1"),
            ("+1", "+1"),
            ("01", "01"),
            ("-", "0"),
            (".", "0"),
            ("m", "0"),
            ("0Mi", "0"),
            ("1.125", "1.125"),
            ("1.500", "1.500"),
            ("0.125", "125m"),
            ("1.5Gi", "1536Mi"),
            ("-1.5Gi", "-1536Mi"),
            ("0.5Mi", "512Ki"),
            ("-0.5Ki", "-512"),
            ("0.1Ki", "102400m"),
            ("1.1Ki", "1126400m"),
            ("-1.1Ki", "-1126400m"),
            ("0.0001Ki", "102400u"),
            ("1.1Ei", "1268213655067531673600m"),
            ("1.23456789012Mi", "1294538259950470n"),
            ("10Ei", "9223372036854775807"),
            ("99999999999999999999Ki", "9223372036854775807"),
            ("9223372036854775808", "9223372036854775808"),
            ("12345678901234567890", "12345678901234567890"),
            ("123456789123456789", "123456789123456789"),
            ("1536Ki", "1536Ki"),
            ("1048576Ki", "1Gi"),
            ("1023Ki", "1023Ki"),
            ("-1024Mi", "-1Gi"),
            ("012Ki", "012Ki"),
            ("1e99", "1e99"),
        ] {
            assert_eq!(canonical(text).as_deref(), Ok(want), "{text}");
        }
    }

    #[test]
    fn display_is_canonical_even_where_upstream_keeps_the_text() {
        for (text, want) in [
            ("+1", "1"),
            ("01", "1"),
            ("1E3", "1e3"),
            ("1.250", "1250m"),
            ("1000E", "1000E"),
            ("1e99999999999", "170141183460469231731687303715884105727e-9"),
        ] {
            assert_eq!(parse(text).to_string(), want, "{text}");
        }
    }

    #[test]
    fn errors_are_worded_as_upstream() {
        for text in ["", "abc", "1.2.3", "1KiB", "0x", "1_0", " 1", "1 ", "é", "1Ki-"] {
            let want = if text == "1Ki-" { ParseError::Suffix } else { ParseError::Format };
            assert_eq!(Quantity::parse(text).err(), Some(want), "{text:?}");
        }
        for text in ["1e", "1i", "1Kie", "1K", "1mm", "1KM", "1Ki3"] {
            assert_eq!(Quantity::parse(text), Err(ParseError::Suffix), "{text}");
        }
        assert_eq!(
            ParseError::Format.to_string(),
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
        );
    }

    #[test]
    fn whole_numbers_round_away_from_zero() {
        for (text, milli, value) in [
            ("1500m", 1500, 2),
            ("-1500m", -1500, -2),
            ("100u", 1, 1),
            ("1n", 1, 1),
            ("2Gi", 2_147_483_648_000, 2_147_483_648),
            ("100E", 100_000_000_000_000_000_000_000, i64::MAX),
            ("-100E", -100_000_000_000_000_000_000_000, i64::MIN),
        ] {
            assert_eq!((parse(text).milli(), parse(text).value()), (milli, value), "{text}");
        }
    }

    #[test]
    fn sums_keep_the_format_of_the_first_that_is_something() {
        let sum = |texts: &[&str]| texts.iter().map(|text| parse(text)).sum::<Quantity>().to_string();
        assert_eq!(sum(&["1Gi", "512Mi"]), "1536Mi");
        assert_eq!(sum(&["0", "1Gi", "1G"]), "2073741824");
        assert_eq!(sum(&["100m", "1"]), "1100m");
        assert_eq!((parse("1") - parse("1500m")).to_string(), "-500m");
        assert_eq!((-parse("2Ki")).to_string(), "-2Ki");
        assert_eq!(parse("1Ki"), parse("1024"));
        assert!(parse("1G") < parse("1Gi"));
    }

    proptest! {
        /// What we write, we read back as the same number, and writing it again changes nothing.
        #[test]
        fn display_reads_back(milli in -1i128 << 80..1i128 << 80, format in 0..3) {
            let format = [Format::DecimalSi, Format::BinarySi, Format::DecimalExponent][format as usize];
            let quantity = Quantity::from_milli(milli, format);
            let text = quantity.to_string();
            let again = parse(&text);
            prop_assert_eq!(again, quantity);
            prop_assert_eq!(again.to_string(), text);
        }

        /// Nothing a user can type makes the scanner panic; what it accepts has a canonical form it accepts.
        #[test]
        fn any_text_is_a_number_or_an_error(text in "[+-]?[0-9]{0,25}(\\.[0-9]{0,15})?[eEinumkKMGTP]{0,2}[-+]?[0-9]{0,3}") {
            if let Ok(quantity) = Quantity::parse(&text) {
                prop_assert_eq!(parse(&quantity.to_string()), quantity);
                prop_assert_eq!(parse(&canonical(&text).unwrap()), quantity);
            }
        }
    }
}
