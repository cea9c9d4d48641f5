//! Timestamp patterns: Java's `DateTimeFormatter` letters, parsed once, printed in US English.
//!
//! Prints what Java 17 prints for `Locale.US` (weeks begin on Sunday, week 1 holds 1 January), error texts included.
//! It refuses letters that Firehose's documentation does not list.

use std::fmt::{self, Write};

use jiff::Zoned;
use jiff::civil::{Date, Weekday};

/// A checked pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern(Vec<Item>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Item {
    Literal(String),
    /// A letter and how often it stands there.
    Field(char, usize),
}

/// Why a pattern is refused, in Java's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// A quote without its partner.
    #[error("Pattern ends with an incomplete string literal: {0}")]
    Quote(String),
    /// `]` without `[`.
    #[error("Pattern invalid as it contains ] without previous [")]
    Bracket,
    /// `{`, `}` or `#`.
    #[error("Pattern includes reserved character: '{0}'")]
    Reserved(char),
    /// A letter without a meaning.
    #[error("Unknown pattern letter: {0}")]
    Letter(char),
    /// A letter with a meaning for Java that is not supported here.
    #[error("Unsupported pattern letters: {0}")]
    Unsupported(String),
    /// The letter may not stand there that often.
    #[error("Too many pattern letters: {0}")]
    Count(char),
    /// `V` stands for a zone's name when there are two.
    #[error("Pattern letter count must be 2: V")]
    Zone,
    /// `O` stands once or four times.
    #[error("Pattern letter count must be 1 or 4: O")]
    Offset,
    /// `cc` means nothing.
    #[error("Invalid pattern \"cc\"")]
    TwoC,
    /// Nothing at all.
    #[error("Pattern is empty")]
    Empty,
}

impl Pattern {
    pub(super) fn parse(text: &str) -> Result<Self, PatternError> {
        let mut items = Vec::new();
        let mut depth = 0_usize;
        let mut rest = text;
        while let Some(letter) = rest.chars().next() {
            match letter {
                'a'..='z' | 'A'..='Z' => {
                    let count = rest.bytes().take_while(|&byte| char::from(byte) == letter).count();
                    items.push(field(letter, count)?);
                    rest = &rest[count..];
                    continue;
                }
                '\'' => {
                    let (literal, length) = quoted(rest).ok_or_else(|| PatternError::Quote(text.to_owned()))?;
                    push_literal(&mut items, &literal);
                    rest = &rest[length..];
                    continue;
                }
                '[' => depth += 1,
                ']' => depth = depth.checked_sub(1).ok_or(PatternError::Bracket)?,
                '{' | '}' | '#' => return Err(PatternError::Reserved(letter)),
                _ => push_literal(&mut items, letter.encode_utf8(&mut [0; 4])),
            }
            rest = &rest[letter.len_utf8()..];
        }
        if text.is_empty() { Err(PatternError::Empty) } else { Ok(Self(items)) }
    }

    /// Appends what the pattern prints for `at`. Optional sections always print: an instant in a zone has every field.
    pub(super) fn print(&self, at: &Zoned, out: &mut String) {
        for item in &self.0 {
            match item {
                Item::Literal(text) => out.push_str(text),
                Item::Field(letter, count) => print_field(*letter, *count, at, out),
            }
        }
    }

    /// The most bytes it ever prints.
    pub(super) fn widest(&self) -> usize {
        let width = |item: &Item| match item {
            Item::Literal(text) => text.len(),
            Item::Field(letter, count) => widest_field(*letter, *count),
        };
        self.0.iter().map(width).sum()
    }

    pub(super) fn has(&self, letter: char) -> bool {
        self.0.iter().any(|item| matches!(item, Item::Field(own, _) if *own == letter))
    }
}

/// Literal text at the quote that `text` begins with, and how many bytes it takes; `None` when it never ends.
fn quoted(text: &str) -> Option<(String, usize)> {
    let mut literal = String::new();
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, letter)) = chars.next() {
        if letter != '\'' {
            literal.push(letter);
        } else if chars.next_if(|(_, next)| *next == '\'').is_some() {
            literal.push('\'');
        } else {
            // Two quotes with nothing between them are one quote.
            let literal = if literal.is_empty() { "'".to_owned() } else { literal };
            return Some((literal, at + 1));
        }
    }
    None
}

fn push_literal(items: &mut Vec<Item>, text: &str) {
    if let Some(Item::Literal(last)) = items.last_mut() {
        last.push_str(text);
    } else {
        items.push(Item::Literal(text.to_owned()));
    }
}

fn field(letter: char, count: usize) -> Result<Item, PatternError> {
    let most = match letter {
        'y' | 'u' | 'A' | 'n' | 'N' => 19,
        'Y' => usize::MAX,
        'S' => 9,
        'M' | 'L' | 'Q' | 'q' | 'E' | 'e' | 'c' | 'Z' | 'X' | 'x' => 5,
        'O' => 4,
        'D' => 3,
        'd' | 'w' | 'H' | 'k' | 'h' | 'K' | 'm' | 's' | 'V' => 2,
        'W' | 'a' => 1,
        'z' => 3,
        'G' | 'F' | 'g' | 'B' | 'v' | 'p' => {
            return Err(PatternError::Unsupported(String::from(letter).repeat(count)));
        }
        _ => return Err(PatternError::Letter(letter)),
    };
    match (letter, count) {
        ('V', 1) | ('V', 3..) => Err(PatternError::Zone),
        ('O', 2 | 3 | 5..) => Err(PatternError::Offset),
        ('c', 2) => Err(PatternError::TwoC),
        ('z', 4) => Err(PatternError::Unsupported("zzzz".to_owned())),
        _ if count > most => Err(PatternError::Count(letter)),
        _ => Ok(Item::Field(letter, count)),
    }
}

fn print_field(letter: char, count: usize, at: &Zoned, out: &mut String) {
    let date = at.date();
    let nanos = i64::from(at.subsec_nanosecond());
    let hour = i64::from(at.hour());
    let second_of_day = (hour * 60 + i64::from(at.minute())) * 60 + i64::from(at.second());
    match letter {
        'y' | 'u' => year(i64::from(date.year()), count, out),
        'Y' => year(i64::from(week(date).0), count, out),
        'M' | 'L' => named(i64::from(date.month()), count, &MONTHS, out),
        'Q' | 'q' => quarter(i64::from((date.month() - 1) / 3 + 1), count, out),
        'E' => named(day_of_week(date), count.max(3), &WEEKDAYS, out),
        'e' | 'c' => named(day_of_week(date), count, &WEEKDAYS, out),
        'd' => number(i64::from(date.day()), count, out),
        'D' => number(i64::from(date.day_of_year()), count, out),
        'w' => number(week(date).1, count, out),
        'W' => number(week_of_month(date), count, out),
        'a' => out.push_str(if hour < 12 { "AM" } else { "PM" }),
        'H' => number(hour, count, out),
        'k' => number((hour + 23) % 24 + 1, count, out),
        'h' => number((hour + 11) % 12 + 1, count, out),
        'K' => number(hour % 12, count, out),
        'm' => number(i64::from(at.minute()), count, out),
        's' => number(i64::from(at.second()), count, out),
        'S' => number(nanos / 10_i64.pow(9 - u32::try_from(count).unwrap_or(9).min(9)), count, out),
        'A' => number(second_of_day * 1000 + nanos / 1_000_000, count, out),
        'n' => number(nanos, count, out),
        'N' => number(second_of_day * 1_000_000_000 + nanos, count, out),
        'V' => out.push_str(at.time_zone().iana_name().unwrap_or("UTC")),
        'z' => out.push_str(at.time_zone().to_offset_info(at.timestamp()).abbreviation()),
        _ => offset(at.offset().seconds(), letter, count, out),
    }
}

/// The most bytes [`print_field`] appends; zone names are bounded by the length of `CustomTimeZone`.
fn widest_field(letter: char, count: usize) -> usize {
    match letter {
        'V' => 50,
        'Q' | 'q' => 11,
        'M' | 'L' | 'E' | 'e' | 'c' | 'n' | 'S' => count.max(9),
        'A' => count.max(8),
        'N' => count.max(14),
        'y' | 'u' | 'Y' => count.max(5),
        'z' | 'Z' | 'O' | 'X' | 'x' => 16,
        _ => count.max(3),
    }
}

fn number(value: i64, width: usize, out: &mut String) {
    append(out, format_args!("{value:0width$}"));
}

fn append(out: &mut String, text: fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    out.write_fmt(text).unwrap_or_default();
}

/// Two letters stand for the last two digits, any other number of them for a least width.
fn year(value: i64, count: usize, out: &mut String) {
    number(if count == 2 { value % 100 } else { value }, count, out);
}

/// One or two letters are a number, three the short name, four the name, five its first letter.
fn named(value: i64, count: usize, names: &[&str], out: &mut String) {
    let name = usize::try_from(value - 1).ok().and_then(|at| names.get(at)).copied().unwrap_or_default();
    match count {
        0..=2 => number(value, count, out),
        3 => out.push_str(&name[..3.min(name.len())]),
        4 => out.push_str(name),
        _ => out.push_str(&name[..1.min(name.len())]),
    }
}

fn quarter(value: i64, count: usize, out: &mut String) {
    match count {
        0..=2 => number(value, count, out),
        3 => append(out, format_args!("Q{value}")),
        4 => {
            let ordinal = ["1st", "2nd", "3rd"].get(usize::try_from(value - 1).unwrap_or(3)).unwrap_or(&"4th");
            append(out, format_args!("{ordinal} quarter"));
        }
        _ => number(value, 1, out),
    }
}

/// Offsets from UTC: `Z`, `O`, `X` and `x`. Seconds print only where the zone has them.
fn offset(seconds: i32, letter: char, count: usize, out: &mut String) {
    let sign = if seconds < 0 { '-' } else { '+' };
    let total = seconds.unsigned_abs();
    let (hours, minutes, seconds) = (total / 3600, total / 60 % 60, total % 60);
    let zero = total == 0 || (hours, minutes) == (0, 0) && !shows_seconds(letter, count);
    match (letter, count) {
        ('O', _) | ('Z', 4) => {
            out.push_str("GMT");
            if total == 0 {
                return;
            }
            match (count, minutes, seconds) {
                (1, 0, 0) => append(out, format_args!("{sign}{hours}")),
                (1, _, 0) => append(out, format_args!("{sign}{hours}:{minutes:02}")),
                (1, ..) => append(out, format_args!("{sign}{hours}:{minutes:02}:{seconds:02}")),
                (_, _, 0) => append(out, format_args!("{sign}{hours:02}:{minutes:02}")),
                _ => append(out, format_args!("{sign}{hours:02}:{minutes:02}:{seconds:02}")),
            }
        }
        ('X', _) | ('Z', 5) if zero => out.push('Z'),
        ('x', 1) if zero => out.push_str("+00"),
        ('x', 3 | 5) if zero => out.push_str("+00:00"),
        _ if zero => out.push_str("+0000"),
        ('X' | 'x', 1) if minutes == 0 => append(out, format_args!("{sign}{hours:02}")),
        (_, 3 | 5) if letter != 'Z' || count == 5 => {
            append(out, format_args!("{sign}{hours:02}:{minutes:02}"));
            if count == 5 && seconds != 0 {
                append(out, format_args!(":{seconds:02}"));
            }
        }
        _ => {
            append(out, format_args!("{sign}{hours:02}{minutes:02}"));
            if letter != 'Z' && count == 4 && seconds != 0 {
                append(out, format_args!("{seconds:02}"));
            }
        }
    }
}

fn shows_seconds(letter: char, count: usize) -> bool {
    matches!((letter, count), ('X' | 'x', 4 | 5) | ('Z', 4 | 5) | ('O', _))
}

/// 1 for Sunday to 7 for Saturday.
fn day_of_week(date: Date) -> i64 {
    i64::from(date.weekday().to_sunday_one_offset())
}

/// Week-based year and its week: week 1 holds 1 January, so the last days of December may be in next year's.
fn week(date: Date) -> (i16, i64) {
    let days_to_saturday = 7 - day_of_week(date);
    let left_in_year = i64::from(date.days_in_year() - date.day_of_year());
    if left_in_year < days_to_saturday {
        return (date.year() + 1, 1);
    }
    (date.year(), weeks(i64::from(date.day_of_year()), date.first_of_year().weekday()))
}

fn week_of_month(date: Date) -> i64 {
    weeks(i64::from(date.day()), date.first_of_month().weekday())
}

/// Which week day `day` is in, when day 1 is a `first` in week 1.
fn weeks(day: i64, first: Weekday) -> i64 {
    (day - 1 + i64::from(first.to_sunday_zero_offset())) / 7 + 1
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

#[cfg(test)]
mod tests {
    use super::*;

    /// Pattern, zone, milliseconds since 1970 and text, tab-separated, written by OpenJDK 17.0.15:
    /// `DateTimeFormatter.ofPattern(pattern, Locale.US).format(Instant.ofEpochMilli(ms).atZone(ZoneId.of(zone)))`.
    const PRINTED: &str = include_str!("printed_by_java.tsv");

    /// Pattern and the message of the `IllegalArgumentException` that the same call throws, tab-separated.
    const REFUSED: &str = include_str!("refused_by_java.tsv");

    #[test]
    fn prints_what_java_prints() {
        let mut count = 0;
        for line in PRINTED.lines() {
            let [pattern, zone, instant, expected] = line.split('\t').collect::<Vec<_>>().try_into().unwrap();
            let instant = jiff::Timestamp::from_millisecond(instant.parse().unwrap()).unwrap();
            let zoned = instant.to_zoned(jiff::tz::TimeZone::get(zone).unwrap());
            let pattern = Pattern::parse(pattern).unwrap();
            let mut printed = String::new();
            pattern.print(&zoned, &mut printed);
            assert_eq!(printed, expected, "{line}");
            assert!(printed.len() <= pattern.widest(), "{line}");
            count += 1;
        }
        assert!(count >= 500, "{count} lines");
    }

    #[test]
    fn refuses_what_java_refuses() {
        for line in REFUSED.lines() {
            let (pattern, message) = line.split_once('\t').unwrap();
            assert!(Pattern::parse(pattern).is_err(), "{line}");
            // Java words a count above its number formats' width in another way.
            if !message.contains("inimum width") {
                assert_eq!(Pattern::parse(pattern).unwrap_err().to_string(), message, "{line}");
            }
        }
    }

    #[test]
    fn refuses_letters_outside_the_reference() {
        for pattern in ["G", "F", "g", "B", "v", "ppH", "zzzz", ""] {
            assert!(Pattern::parse(pattern).is_err(), "{pattern}");
        }
    }

    /// `z` prints the abbreviation of the time zone database; Java has names of its own for such zones.
    #[test]
    fn a_zone_without_letters_prints_its_offset() {
        let zoned = jiff::Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::TimeZone::get("America/Sao_Paulo").unwrap());
        let mut printed = String::new();
        Pattern::parse("z").unwrap().print(&zoned, &mut printed);
        assert_eq!(printed, "-03");
    }
}
