//! Timestamp formats of the Hive deserializer: Joda-Time patterns, and the word `millis`.
//!
//! Refuses, when a stream is created, patterns with letters that are not offered (week years, eras, half days without
//! an hour), instead of failing every record later. A zone that text does not name is UTC.

use super::instant::{Fields, millis};

/// Bytes of one pattern; Firehose's own limit is 1,024.
const MOST_PATTERN_BYTES: usize = 1_024;

/// One of `TimestampFormats`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// `millis`: milliseconds since 1970.
    Millis,
    /// A pattern.
    Pattern(Vec<Part>),
}

/// A run of equal letters, or text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Letters { letter: char, count: usize },
    Text(String),
}

/// What is wrong with a timestamp format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// Joda-Time knows it, or not; this conversion does not.
    #[error("letter {letter} of timestamp format {format} is not offered")]
    Letter {
        /// The letter.
        letter: char,
        /// The whole format.
        format: String,
    },
    /// A quote is not closed.
    #[error("timestamp format {0} has a quote without an end")]
    Quote(String),
    /// Nothing to read, or too much.
    #[error("timestamp format of {0} bytes: 1 to 1024 are legal")]
    Length(usize),
}

const LETTERS: &str = "yYMdHhKkmsSaEZz";
const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

impl Format {
    /// Reads a format.
    ///
    /// # Errors
    /// It has something that is not offered.
    pub(super) fn parse(text: &str) -> Result<Self, FormatError> {
        if text == "millis" {
            return Ok(Self::Millis);
        }
        if text.is_empty() || text.len() > MOST_PATTERN_BYTES {
            return Err(FormatError::Length(text.len()));
        }
        let mut parts = Vec::new();
        let mut letters = text.chars().peekable();
        while let Some(letter) = letters.next() {
            if letter == '\'' {
                push_text(&mut parts, &quoted(&mut letters).ok_or_else(|| FormatError::Quote(text.to_owned()))?);
            } else if !letter.is_ascii_alphabetic() {
                push_text(&mut parts, letter.encode_utf8(&mut [0; 4]));
            } else if !LETTERS.contains(letter) {
                return Err(FormatError::Letter { letter, format: text.to_owned() });
            } else {
                let mut count = 1;
                while letters.next_if_eq(&letter).is_some() {
                    count += 1;
                }
                parts.push(Part::Letters { letter, count });
            }
        }
        Ok(Self::Pattern(parts))
    }

    /// Nanoseconds since 1970 of `text`, when it is of this format.
    pub(super) fn read(&self, text: &str) -> Option<i64> {
        match self {
            Self::Millis => millis(text.parse().ok()?),
            Self::Pattern(parts) => pattern(parts, text),
        }
    }
}

/// The text behind an opening quote; two quotes are one.
fn quoted(letters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<String> {
    if letters.next_if_eq(&'\'').is_some() {
        return Some("'".to_owned());
    }
    let mut text = String::new();
    loop {
        match letters.next()? {
            '\'' if letters.next_if_eq(&'\'').is_none() => return Some(text),
            letter => text.push(letter),
        }
    }
}

fn push_text(parts: &mut Vec<Part>, text: &str) {
    match parts.last_mut() {
        Some(Part::Text(known)) => known.push_str(text),
        _ => parts.push(Part::Text(text.to_owned())),
    }
}

fn pattern(parts: &[Part], text: &str) -> Option<i64> {
    let mut fields = Fields::EPOCH;
    // Noon and midnight are told apart at the end, because the half of the day may come before the hour.
    let (mut half_hour, mut is_afternoon) = (None, None);
    let mut rest = text;
    for (at, part) in parts.iter().enumerate() {
        let (letter, count) = match part {
            Part::Text(text) => {
                rest = rest.strip_prefix(text.as_str())?;
                continue;
            }
            Part::Letters { letter, count } => (*letter, *count),
        };
        let next_is_number = matches!(parts.get(at + 1), Some(Part::Letters { letter, count })
            if "yYdHhKkmsS".contains(*letter) || (*letter == 'M' && *count < 3));
        let mut number = |most: usize| digits(&mut rest, if next_is_number { count } else { most.max(count) });
        match letter {
            'y' | 'Y' => fields.year = year(&mut number, count)?,
            'M' if count > 2 => fields.month = name(&mut rest, &MONTHS)?,
            'M' => fields.month = number(2)?,
            'd' => fields.day = number(2)?,
            'H' => fields.hour = number(2)?,
            // Hours of this clock run from 1 to 24.
            'k' => fields.hour = number(2).filter(|hour| (1..=24).contains(hour))? % 24,
            'h' => half_hour = Some(number(2).filter(|hour| (1..=12).contains(hour))? % 12),
            'K' => half_hour = Some(number(2).filter(|hour| (0..=11).contains(hour))?),
            'm' => fields.minute = number(2)?,
            's' => fields.second = number(2)?,
            'S' => fields.nanos = fraction(&mut rest, count)?,
            'a' => is_afternoon = Some(name(&mut rest, &["am", "pm"])? == 2),
            'E' => drop(name(&mut rest, &WEEKDAYS)?),
            'Z' => fields.offset = offset(&mut rest)?,
            // `z`: names of zones differ from place to place; these two do not.
            _ => rest = rest.strip_prefix("UTC").or_else(|| rest.strip_prefix("GMT"))?,
        }
    }
    if let Some(hour) = half_hour {
        fields.hour = hour + if is_afternoon == Some(true) { 12 } else { 0 };
    }
    if rest.is_empty() { fields.nanos() } else { None }
}

/// Two digits are a year from 1970 to 2069, whatever year it is: a replay must read the same.
fn year(number: &mut impl FnMut(usize) -> Option<i64>, count: usize) -> Option<i64> {
    let year = number(4)?;
    Some(match (count, year) {
        (2, 0..=69) => year + 2000,
        (2, 70..=99) => year + 1900,
        _ => year,
    })
}

fn digits(rest: &mut &str, most: usize) -> Option<i64> {
    let length = rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
    let (digits, left) = rest.split_at(length);
    *rest = left;
    digits.parse().ok()
}

fn fraction(rest: &mut &str, most: usize) -> Option<i64> {
    let length = rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
    let (digits, left) = rest.split_at(length);
    *rest = left;
    if length == 0 {
        return None;
    }
    let padded = digits.bytes().chain(std::iter::repeat(b'0')).take(9);
    Some(padded.fold(0, |number, digit| number * 10 + i64::from(digit - b'0')))
}

/// Number from 1 of the name, in full or of three letters, in any case.
fn name(rest: &mut &str, names: &[&str]) -> Option<i64> {
    let length = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
    let (word, left) = rest.split_at(length);
    let word = word.to_ascii_lowercase();
    let at = names.iter().position(|name| *name == word || (length == 3 && name.starts_with(&word)))?;
    *rest = left;
    i64::try_from(at + 1).ok()
}

/// `+hhmm`, `+hh:mm`, or `Z`.
fn offset(rest: &mut &str) -> Option<i64> {
    if let Some(left) = rest.strip_prefix('Z') {
        *rest = left;
        return Some(0);
    }
    let sign = if rest.starts_with('-') { -1 } else { 1 };
    *rest = rest.strip_prefix(['+', '-'])?;
    let hours = digits(rest, 2)?;
    *rest = rest.strip_prefix(':').unwrap_or(rest);
    let minutes = digits(rest, 2)?;
    if hours > 23 || minutes > 59 { None } else { Some(sign * (hours * 3600 + minutes * 60)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_read_what_joda_reads() {
        let second = 1_454_612_111_i64 * 1_000_000_000;
        let cases = [
            ("millis", "1454612111000", Some(second)),
            ("millis", "-1", Some(-1_000_000)),
            ("millis", "1.5", None),
            ("yyyy-MM-dd HH:mm:ss", "2016-02-04 18:55:11", Some(second)),
            ("yyyy-MM-dd'T'HH:mm:ss.SSSZ", "2016-02-04T19:55:11.250+01:00", Some(second + 250_000_000)),
            ("yyyy-MM-dd'T'HH:mm:ssZZ", "2016-02-04T13:55:11-0500", Some(second)),
            ("yyyy-MM-dd'T'HH:mm:ssZ", "2016-02-04T18:55:11Z", Some(second)),
            ("yyyyMMddHHmmss", "20160204185511", Some(second)),
            ("yyyyMMddHHmmssSSS", "20160204185511005", Some(second + 5_000_000)),
            ("EEE, d MMM yyyy HH:mm:ss z", "Thu, 4 Feb 2016 18:55:11 GMT", Some(second)),
            ("EEEE d MMMM yyyy h:mm:ss a", "Thursday 4 February 2016 6:55:11 PM", Some(second)),
            ("M/d/yy h:mm:ss a", "2/4/16 6:55:11 pm", Some(second)),
            (
                "a hh 'o''clock' dd/MM/yyyy",
                "AM 12 o'clock 04/02/2016",
                Some(second - (18 * 3600 + 55 * 60 + 11) * 1_000_000_000),
            ),
            ("yyyy-MM-dd kk:mm", "1970-01-01 24:00", Some(0)),
            ("yyyy-MM-dd KK:mm a", "1970-01-01 00:00 AM", Some(0)),
            ("yyyy", "1971", Some(365 * 86_400 * 1_000_000_000)),
            ("yyyy-MM-dd", "2016-02-30", None),
            ("yyyy-MM-dd", "2016-02-04 ", None),
            ("yyyy-MM-dd", "2016-02", None),
            ("HH:mm", "25:00", None),
            ("hh a", "13 PM", None),
            ("Z", "+2500", None),
            ("MMM", "Feb", Some(31 * 86_400 * 1_000_000_000)),
            ("MMM", "Fe", None),
            ("yyyy", "3000", None),
        ];
        for (format, text, nanos) in cases {
            assert_eq!(Format::parse(format).unwrap().read(text), nanos, "{text} by {format}");
        }
    }

    #[test]
    fn patterns_that_are_not_offered_are_refused() {
        let check = |text: &str| Format::parse(text).unwrap_err().to_string();
        assert_eq!(check("xxxx-'W'ww"), "letter x of timestamp format xxxx-'W'ww is not offered");
        assert_eq!(check("yyyy'T"), "timestamp format yyyy'T has a quote without an end");
        assert_eq!(check(""), "timestamp format of 0 bytes: 1 to 1024 are legal");
        assert_eq!(check(&"y".repeat(1_025)), "timestamp format of 1025 bytes: 1 to 1024 are legal");
        assert!(Format::parse(&"y".repeat(1_024)).is_ok());
    }
}
