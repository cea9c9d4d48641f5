//! Event time: the instant at which a record says it happened, and which parts of a prefix are made of it.
//!
//! Knows what texts are instants. Refuses to guess: a text of another form has none, and an instant before 1970 or after
//! 9999 is far more often a mistake than a date.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::PartitionKey;

/// A prefix whose `!{timestamp:…}` are the record's own time, not its arrival.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventTime {
    /// Whose values are instants; [`PartitionKey::uses`] is 0, because the prefix does not hold the value itself.
    pub key: PartitionKey,
    /// Patterns of the prefix's timestamp expressions, in their order.
    pub patterns: Vec<String>,
    /// Zone in which they are printed; empty means UTC.
    pub time_zone: String,
}

/// The instant that `text` is, in milliseconds since 1970: RFC 3339 or ISO 8601 (UTC where it names no offset), a day, or
/// a number since 1970 of seconds, milliseconds, microseconds or nanoseconds, told apart by its size.
pub fn instant_ms(text: &str) -> Option<u64> {
    let text = text.trim();
    let is_number =
        !text.is_empty() && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+'));
    let ms = if is_number { of_number(text)? } else { of_text(text)? };
    u64::try_from(ms).ok().filter(|&ms| ms <= LAST_MS)
}

fn of_text(text: &str) -> Option<i64> {
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Some(instant.as_millisecond());
    }
    let civil = text.parse::<DateTime>().or_else(|_| text.parse::<Date>().map(Date::into)).ok()?;
    civil.to_zoned(TimeZone::UTC).ok().map(|instant| instant.timestamp().as_millisecond())
}

fn of_number(text: &str) -> Option<i64> {
    if let Ok(whole) = text.parse::<i64>() {
        return Some(match whole {
            ..SECONDS_BELOW => whole * 1000,
            SECONDS_BELOW..MILLISECONDS_BELOW => whole,
            MILLISECONDS_BELOW..MICROSECONDS_BELOW => whole / 1000,
            _ => whole / 1_000_000,
        });
    }
    let number: f64 = text.parse().ok()?;
    let ms = match number {
        _ if !(0.0..9.3e18).contains(&number) => return None,
        _ if number < SECONDS_BELOW as f64 => number * 1000.0,
        _ if number < MILLISECONDS_BELOW as f64 => number,
        _ if number < MICROSECONDS_BELOW as f64 => number / 1000.0,
        _ => number / 1_000_000.0,
    };
    #[expect(clippy::cast_possible_truncation, reason = "it is below 2^63, and its fraction is what is cut off")]
    let ms = ms as i64;
    Some(ms)
}

/// As seconds it is the year 5138, as milliseconds 1973.
const SECONDS_BELOW: i64 = 100_000_000_000;
/// As milliseconds it is the year 5138, as microseconds 1973.
const MILLISECONDS_BELOW: i64 = 100_000_000_000_000;
/// As microseconds it is the year 5138, as nanoseconds 1973.
const MICROSECONDS_BELOW: i64 = 100_000_000_000_000_000;

/// 30 December 9999 22:00 UTC and not quite a second: the last that can be printed in every zone, with a year of the four
/// digits that prefixes have room for.
const LAST_MS: u64 = 253_402_207_200_999;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_have_many_forms() {
        const AT: u64 = 1_535_365_800_000;
        for (text, expected) in [
            ("2018-08-27T10:30:00Z", Some(AT)),
            ("2018-08-27T10:30:00.250Z", Some(AT + 250)),
            ("2018-08-27T12:30:00+02:00", Some(AT)),
            ("2018-08-27T12:30:00+0200", Some(AT)),
            ("2018-08-27 10:30:00Z", Some(AT)),
            ("2018-08-27T10:30:00", Some(AT)),
            ("2018-08-27 10:30:00", Some(AT)),
            (" 2018-08-27T10:30Z ", Some(AT)),
            ("2018-08-27", Some(AT - 37_800_000)),
            ("1535365800", Some(AT)),
            ("1535365800.25", Some(AT + 250)),
            ("1535365800000", Some(AT)),
            ("1535365800000000", Some(AT)),
            ("1535365800000000000", Some(AT)),
            ("1.5353658e9", Some(AT)),
            ("1.5353658e+18", Some(AT)),
            ("0", Some(0)),
            ("9999-12-30T22:00:00Z", Some(LAST_MS - 999)),
            ("9999-12-31", None),
            ("1969-12-31T23:59:59Z", None),
            ("-1", None),
            ("", None),
            ("e", None),
            ("1e300", None),
            ("99999999999999999999", None),
            ("yesterday", None),
            ("2018-13-01", None),
            ("2018-08-27T25:00:00Z", None),
            ("NaN", None),
            ("{}", None),
        ] {
            assert_eq!(instant_ms(text), expected, "{text}");
        }
    }
}
