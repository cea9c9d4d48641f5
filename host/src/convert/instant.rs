//! Text and numbers to days and nanoseconds since 1970, by the forms that Firehose's deserializers know.
//!
//! Refuses what 64 bits of nanoseconds do not hold (before 1677 and after 2262), days that no calendar has, and
//! everything that is not of one of these forms: Firehose's own writer wraps such instants silently, and nobody finds
//! them again.

const DAY_SECONDS: i64 = 86_400;
const SECOND_NANOS: i64 = 1_000_000_000;

/// Fields of an instant in UTC, as text has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fields {
    pub(super) year: i64,
    pub(super) month: i64,
    pub(super) day: i64,
    pub(super) hour: i64,
    pub(super) minute: i64,
    pub(super) second: i64,
    pub(super) nanos: i64,
    /// Seconds east of Greenwich.
    pub(super) offset: i64,
}

impl Fields {
    /// Midnight of the first day of 1970.
    pub(super) const EPOCH: Self =
        Self { year: 1970, month: 1, day: 1, hour: 0, minute: 0, second: 0, nanos: 0, offset: 0 };

    /// Nanoseconds since 1970.
    pub(super) fn nanos(self) -> Option<i64> {
        if !(0..24).contains(&self.hour) || !(0..60).contains(&self.minute) || !(0..60).contains(&self.second) {
            return None;
        }
        let days = i64::from(days(self.year, self.month, self.day)?);
        let seconds = days * DAY_SECONDS + self.hour * 3600 + self.minute * 60 + self.second - self.offset;
        at(seconds, self.nanos)
    }
}

/// Nanoseconds of an instant; the check is exact at both ends of the range.
fn at(seconds: i64, nanos: i64) -> Option<i64> {
    i64::try_from(i128::from(seconds) * i128::from(SECOND_NANOS) + i128::from(nanos)).ok()
}

/// Days since 1970 of a day of the Gregorian calendar, years 0 to 9999.
pub(super) fn days(year: i64, month: i64, day: i64) -> Option<i32> {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(0..=9999).contains(&year) || !(1..=length).contains(&day) {
        return None;
    }
    // Years that begin in March have their leap day at the end.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * month + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    i32::try_from(days).ok()
}

/// `yyyy-[M]M-[d]d`, as `java.sql.Date.valueOf` reads it.
pub(super) fn date(text: &str) -> Option<i32> {
    let mut scan = Scan(text.as_bytes());
    let (year, month, day) = scan.date(1)?;
    if scan.0.is_empty() { days(year, month, day) } else { None }
}

/// `yyyy-[M]M-[d]d [H]H:[m]m:[s]s[.fraction]`, as `java.sql.Timestamp.valueOf` reads it.
pub(super) fn java_sql(text: &str) -> Option<i64> {
    let mut scan = Scan(text.trim().as_bytes());
    let fields = scan.instant(b' ', 1)?;
    if scan.0.is_empty() { fields.nanos() } else { None }
}

/// What the OpenX deserializer takes for an instant: ISO 8601 in UTC, [`java_sql`]'s form, or a number since 1970 of
/// seconds, of milliseconds when it has thirteen characters or more, or of seconds with a fraction.
pub(super) fn open_x(text: &str) -> Option<i64> {
    if !text.contains(':') {
        return epoch(text);
    }
    match text.strip_suffix('Z') {
        Some(text) => {
            let mut scan = Scan(text.as_bytes());
            let fields = scan.instant(b'T', 2)?;
            if scan.0.is_empty() { fields.nanos() } else { None }
        }
        None => java_sql(text),
    }
}

/// Characters from which on a whole number is one of milliseconds.
const MILLIS_LENGTH: usize = 13;

fn epoch(text: &str) -> Option<i64> {
    if text.bytes().any(|byte| matches!(byte, b'e' | b'E')) {
        return floating(text);
    }
    let (whole, fraction) = text.split_once('.').map_or((text, None), |(whole, fraction)| (whole, Some(fraction)));
    let number: i64 = whole.parse().ok()?;
    match fraction {
        None if text.len() >= MILLIS_LENGTH => millis(number),
        None => at(number, 0),
        Some(fraction) => {
            let mut scan = Scan(fraction.as_bytes());
            // Digits beyond the ninth say nothing.
            let nanos = scan.fraction(usize::MAX)?;
            let nanos = if whole.starts_with('-') { -nanos } else { nanos };
            if scan.0.is_empty() { at(number, nanos) } else { None }
        }
    }
}

/// Milliseconds to nanoseconds since 1970.
pub(super) fn millis(millis: i64) -> Option<i64> {
    millis.checked_mul(1_000_000)
}

/// Seconds written with an exponent: as exact as a float is, which is to a few hundred nanoseconds.
fn floating(text: &str) -> Option<i64> {
    let seconds: f64 = text.parse().ok()?;
    let whole = seconds.trunc();
    // Beyond the range anyway; within, the conversions below are exact or rounded.
    if !whole.is_finite() || whole.abs() >= 1e11 {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "below 10^11, as was just checked")]
    let (whole, nanos) = (whole as i64, ((seconds - whole) * 1e9).round() as i64);
    at(whole, nanos)
}

/// Text that is left to read.
struct Scan<'a>(&'a [u8]);

impl Scan<'_> {
    fn instant(&mut self, separator: u8, least: usize) -> Option<Fields> {
        let (year, month, day) = self.date(least)?;
        self.sign(separator)?;
        let hour = self.number(least, 2)?;
        self.sign(b':')?;
        let minute = self.number(least, 2)?;
        self.sign(b':')?;
        let second = self.number(least, 2)?;
        let nanos = if self.sign(b'.').is_some() { self.fraction(9)? } else { 0 };
        Some(Fields { year, month, day, hour, minute, second, nanos, offset: 0 })
    }

    fn date(&mut self, least: usize) -> Option<(i64, i64, i64)> {
        let year = self.number(4, 4)?;
        self.sign(b'-')?;
        let month = self.number(least, 2)?;
        self.sign(b'-')?;
        Some((year, month, self.number(least, 2)?))
    }

    fn number(&mut self, least: usize, most: usize) -> Option<i64> {
        let length = self.0.iter().take(most).take_while(|byte| byte.is_ascii_digit()).count();
        if length < least {
            return None;
        }
        let (digits, rest) = self.0.split_at(length);
        self.0 = rest;
        Some(digits.iter().fold(0, |number, digit| number * 10 + i64::from(digit - b'0')))
    }

    /// Nanoseconds of one to `most` digits behind the point.
    fn fraction(&mut self, most: usize) -> Option<i64> {
        let length = self.0.iter().take(most).take_while(|byte| byte.is_ascii_digit()).count();
        if length == 0 {
            return None;
        }
        let (digits, rest) = self.0.split_at(length);
        self.0 = rest;
        let padded = digits.iter().copied().chain(std::iter::repeat(b'0')).take(9);
        Some(padded.fold(0, |number, digit| number * 10 + i64::from(digit - b'0')))
    }

    fn sign(&mut self, sign: u8) -> Option<()> {
        let rest = self.0.strip_prefix(&[sign])?;
        self.0 = rest;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil;

    use super::*;

    #[test]
    fn every_day_is_where_another_calendar_has_it() {
        let mut day = civil::date(0, 1, 1);
        let first = days(0, 1, 1).unwrap();
        assert_eq!(days(1970, 1, 1), Some(0));
        for count in 0.. {
            assert_eq!(days(day.year().into(), day.month().into(), day.day().into()), Some(first + count), "{day}");
            let Ok(next) = day.tomorrow() else { break };
            day = next;
        }
        for (year, month, day) in
            [(2023, 2, 29), (2024, 2, 30), (2023, 4, 31), (2023, 13, 1), (2023, 0, 1), (2023, 1, 0)]
        {
            assert_eq!(days(year, month, day), None);
        }
    }

    #[test]
    fn instants_of_open_x_have_these_forms() {
        let second = 1_454_612_111_i64;
        let cases = [
            ("2016-02-04T18:55:11Z", Some(second * SECOND_NANOS)),
            ("2016-02-04T18:55:11.123456789Z", Some(second * SECOND_NANOS + 123_456_789)),
            ("2016-02-04T18:55:11.5Z", Some(second * SECOND_NANOS + 500_000_000)),
            ("2016-02-04 18:55:11", Some(second * SECOND_NANOS)),
            ("2016-2-4 18:55:11.25", Some(second * SECOND_NANOS + 250_000_000)),
            ("1454612111", Some(second * SECOND_NANOS)),
            ("1454612111000", Some(second * SECOND_NANOS)),
            ("1454612111.000000001", Some(second * SECOND_NANOS + 1)),
            ("-1.5", Some(-1_500_000_000)),
            ("-0.5", Some(-500_000_000)),
            ("1.454612111E9", Some(second * SECOND_NANOS)),
            ("0", Some(0)),
            ("9223372036854", Some(9_223_372_036_854_000_000)),
            ("9223372036855", None),
            ("9223372037.0", None),
            ("2262-04-11T23:47:16.854775807Z", Some(i64::MAX)),
            ("2262-04-11T23:47:16.854775808Z", None),
            ("1677-09-21T00:12:43.145224192Z", Some(i64::MIN)),
            ("1677-09-21T00:12:43.145224191Z", None),
            ("2016-2-4T18:55:11Z", None),
            ("2016-02-04T18:55:11.1234567890Z", None),
            ("2016-02-04T18:55:11", None),
            ("2016-02-04T18:55:11+01:00", None),
            ("2016-02-04 24:00:00", None),
            ("2016-02-30 00:00:00", None),
            ("2016-02-04 18:55:11.", None),
            ("2016-02-04", None),
            ("yesterday", None),
            ("1e300", None),
            ("1.", None),
            ("", None),
        ];
        for (text, nanos) in cases {
            assert_eq!(open_x(text), nanos, "{text}");
        }
    }

    #[test]
    fn dates_have_one_form() {
        assert_eq!(date("1970-01-02"), Some(1));
        assert_eq!(date("1969-12-31"), Some(-1));
        assert_eq!(date("2024-2-9"), Some(19_762));
        for text in ["2024-02-30", "24-02-01", "2024-02-01 ", "2024/02/01", "2024-02-011", ""] {
            assert_eq!(date(text), None, "{text}");
        }
    }
}
