//! One JSON value to one value of a type that is not nested, by the rules of a deserializer.
//!
//! Refuses to lose anything silently: numbers that do not fit, text longer than its `varchar`, and instants out of
//! range are mismatches. Only digits of a decimal beyond its scale are rounded, half up, as Hive does.

use super::instant;
use super::joda::Format;
use super::json::{Cursor, Kind};
use super::reader::Problem;
use super::schema::Type;
use super::table::Values;

/// What a deserializer makes of single values.
#[derive(Clone, Debug)]
pub(super) enum Rules {
    /// Numbers and booleans may be strings; nested values may become text.
    OpenX,
    /// Strict types; timestamps by these formats, by `java.sql.Timestamp.valueOf` when there are none.
    Hive(Vec<Format>),
}

impl Rules {
    /// Reads the value that comes next into `values`. True when there is one, false for null.
    pub(super) fn read(&self, kind: &Type, cursor: &mut Cursor<'_>, values: &mut Values) -> Result<bool, Problem> {
        let token = cursor.peek()?;
        let is_read = match token {
            Kind::Null => {
                cursor.word(token)?;
                return Ok(false);
            }
            Kind::String => self.text(kind, &cursor.string()?, values),
            Kind::Number => self.number(kind, cursor.number()?, values),
            Kind::True | Kind::False => {
                cursor.word(token)?;
                boolean(kind, token == Kind::True, values)
            }
            Kind::Object | Kind::Array => {
                let text = cursor.skip()?;
                matches!(self, Self::OpenX) && string(kind, text, values)
            }
        };
        if is_read { Ok(true) } else { Err(Problem::mismatch(kind, token.as_str())) }
    }

    /// A value of `kind` from the key of a map, which is always text.
    pub(super) fn key(&self, kind: &Type, text: &str, values: &mut Values) -> Result<(), Problem> {
        // A strict deserializer has no other way to a number either.
        let is_read = Self::OpenX.text(kind, text, values) || self.text(kind, text, values);
        if is_read { Ok(()) } else { Err(Problem::mismatch(kind, "a key")) }
    }

    fn text(&self, kind: &Type, text: &str, values: &mut Values) -> bool {
        match (kind, self) {
            (Type::String | Type::Char(_) | Type::Varchar(_), _) => string(kind, text, values),
            (Type::Binary, _) => match (base64_simd::STANDARD.decode_to_vec(text), values) {
                (Ok(bytes), Values::Bytes(texts)) => {
                    texts.push(&bytes);
                    true
                }
                _ => false,
            },
            (Type::Date, _) => put_int(values, instant::date(text)),
            (Type::Timestamp, _) => put_big_int(values, self.timestamp(text)),
            (_, Self::Hive(_)) => false,
            (Type::Boolean, _) if text.eq_ignore_ascii_case("true") => boolean(kind, true, values),
            (Type::Boolean, _) if text.eq_ignore_ascii_case("false") => boolean(kind, false, values),
            (Type::Float | Type::Double, _) if matches!(text, "NaN" | "Infinity" | "-Infinity") => {
                float(kind, text, Bound::Any, values)
            }
            _ => match hexadecimal(text) {
                Some(number) => self.number(kind, &number, values),
                None => number_of_text(kind, text.trim(), values),
            },
        }
    }

    fn number(&self, kind: &Type, text: &str, values: &mut Values) -> bool {
        match kind {
            Type::Timestamp => put_big_int(values, self.timestamp(text)),
            Type::String | Type::Char(_) | Type::Varchar(_) => string(kind, text, values),
            _ => number_of_text(kind, text, values),
        }
    }

    fn timestamp(&self, text: &str) -> Option<i64> {
        match self {
            Self::OpenX => instant::open_x(text),
            Self::Hive(formats) if formats.is_empty() => instant::java_sql(text),
            Self::Hive(formats) => formats.iter().find_map(|format| format.read(text)),
        }
    }
}

fn number_of_text(kind: &Type, text: &str, values: &mut Values) -> bool {
    match kind {
        Type::TinyInt => put_int(values, text.parse::<i8>().ok().map(i32::from)),
        Type::SmallInt => put_int(values, text.parse::<i16>().ok().map(i32::from)),
        Type::Int => put_int(values, text.parse().ok()),
        Type::BigInt => put_big_int(values, text.parse().ok()),
        Type::Float | Type::Double => float(kind, text, Bound::Finite, values),
        Type::Decimal { precision, scale } => match (decimal(text, *precision, *scale), values) {
            (Some(number), Values::Decimal(values)) => {
                values.push(number);
                true
            }
            _ => false,
        },
        _ => false,
    }
}

/// Whole numbers of the OpenX deserializer may be written like this.
fn hexadecimal(text: &str) -> Option<String> {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"))?;
    i64::from_str_radix(digits, 16).ok().map(|number| number.to_string())
}

fn boolean(kind: &Type, value: bool, values: &mut Values) -> bool {
    match (kind, values) {
        (Type::Boolean, Values::Boolean(values)) => {
            values.push(value);
            true
        }
        (_, values) => string(kind, if value { "true" } else { "false" }, values),
    }
}

fn string(kind: &Type, text: &str, values: &mut Values) -> bool {
    let most = match kind {
        Type::Char(most) | Type::Varchar(most) => usize::from(*most),
        Type::String => usize::MAX,
        _ => return false,
    };
    match values {
        // A character has at least one byte, so most text needs no counting.
        Values::Bytes(texts) if text.len() <= most || text.chars().count() <= most => {
            texts.push(text.as_bytes());
            true
        }
        _ => false,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Bound {
    Finite,
    Any,
}

fn float(kind: &Type, text: &str, bound: Bound, values: &mut Values) -> bool {
    // The library reads words that no JSON number is made of.
    let is_number =
        bound == Bound::Any || text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
    if !is_number {
        return false;
    }
    match (kind, values) {
        (Type::Float, Values::Float(values)) => match text.parse::<f32>() {
            Ok(number) if bound == Bound::Any || number.is_finite() => values.push(number),
            _ => return false,
        },
        (Type::Double, Values::Double(values)) => match text.parse::<f64>() {
            Ok(number) if bound == Bound::Any || number.is_finite() => values.push(number),
            _ => return false,
        },
        _ => return false,
    }
    true
}

fn put_int(values: &mut Values, number: Option<i32>) -> bool {
    match (number, values) {
        (Some(number), Values::Int(values)) => {
            values.push(number);
            true
        }
        _ => false,
    }
}

fn put_big_int(values: &mut Values, number: Option<i64>) -> bool {
    match (number, values) {
        (Some(number), Values::BigInt(values)) => {
            values.push(number);
            true
        }
        _ => false,
    }
}

/// The number without its point at `scale` digits behind it, rounded half up; none when it needs more than `precision`
/// digits or is no number.
fn decimal(text: &str, precision: u8, scale: u8) -> Option<i128> {
    let (is_negative, text) = match text.strip_prefix('-') {
        Some(text) => (true, text),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = || whole.bytes().chain(fraction.bytes());
    if digits().next().is_none() || !digits().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // How many of the digits stand before the place to which is rounded.
    let kept = i64::try_from(whole.len()).ok()? + i64::from(exponent) + i64::from(scale);
    let limit = 10_i128.checked_pow(u32::from(precision))?;
    let mut number = 0_i128;
    for (at, digit) in (0_i64..).zip(digits()) {
        if at > kept {
            break;
        }
        let digit = i128::from(digit - b'0');
        if at == kept {
            number += i128::from(digit >= 5);
        } else {
            number = number * 10 + digit;
        }
        if number > limit {
            return None;
        }
    }
    let count = i64::try_from(whole.len() + fraction.len()).ok()?;
    if number != 0 {
        for _ in count..kept {
            number = number.checked_mul(10).filter(|number| *number < limit)?;
        }
    }
    if number >= limit {
        return None;
    }
    Some(if is_negative { -number } else { number })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_keep_their_digits_and_are_rounded_half_up() {
        let cases = [
            ("0", 5, 2, Some(0)),
            ("1", 5, 2, Some(100)),
            ("-1.25", 5, 2, Some(-125)),
            ("1.005", 5, 2, Some(101)),
            ("1.0049", 5, 2, Some(100)),
            ("999.99", 5, 2, Some(99_999)),
            ("999.995", 5, 2, None),
            ("1000", 5, 2, None),
            ("0.004", 5, 2, Some(0)),
            ("0.005", 5, 2, Some(1)),
            ("0.0005e2", 5, 2, Some(5)),
            ("5e-3", 5, 2, Some(1)),
            ("5e-4", 5, 2, Some(0)),
            ("5e-40", 5, 2, Some(0)),
            ("1e2", 5, 2, Some(10_000)),
            ("1e3", 5, 2, None),
            ("1e400", 5, 2, None),
            ("0e400", 5, 2, Some(0)),
            ("1e99999999999", 5, 2, None),
            ("00012.5", 5, 1, Some(125)),
            ("12345678901234567890123456789012345678", 38, 0, Some(12_345_678_901_234_567_890_123_456_789_012_345_678)),
            ("99999999999999999999999999999999999999.5", 38, 0, None),
            ("123456789012345678901234567890123456789", 38, 0, None),
            ("", 5, 2, None),
            (".", 5, 2, None),
            ("1.2.3", 5, 2, None),
            ("x", 5, 2, None),
            ("+1", 5, 2, Some(100)),
        ];
        for (text, precision, scale, number) in cases {
            assert_eq!(decimal(text, precision, scale), number, "{text} as decimal({precision},{scale})");
        }
        // Billions of zeros to append must not take their time.
        assert_eq!(decimal("0e2000000000", 38, 0), Some(0));
    }
}
