//! Times of log lines, as ISO 8601 in UTC. Refuses a clock: a year that a line does not say is the one that brings it
//! nearest to the record's arrival.

use hydrant_plugin::Output;

use crate::line::number;

/// What a line without year and zone is read by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    pub(crate) arrived_ms: u64,
    /// Seconds east of Greenwich.
    pub(crate) utc_offset: i64,
}

/// A moment, with the digits of its fraction as the line has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment<'a> {
    /// Since 1970.
    seconds: i64,
    fraction: &'a [u8],
}

const DAY: i64 = 86_400;
const MONTHS: &[u8; 36] = b"JanFebMarAprMayJunJulAugSepOctNovDec";

impl<'a> Moment<'a> {
    /// `10/Oct/2000:13:55:36 -0700`, as web servers write it.
    pub(crate) fn of_access(text: &'a [u8]) -> Option<Self> {
        let (date, rest) = text.split_at_checked(11)?;
        let [b':', time @ ..] = rest else { return None };
        let (time, zone) = time.split_at_checked(8)?;
        if date[2] != b'/' || date[6] != b'/' {
            return None;
        }
        let days = days(number(&date[7..])?, month(&date[3..6])?, number(&date[..2])?)?;
        let offset = offset(zone.strip_prefix(b" ")?)?;
        Self { seconds: days * DAY + clock_time(time)? - offset, fraction: &[] }.checked()
    }

    /// `2003-10-11T22:14:15.003+02:00`, as RFC 3339 has it.
    pub(crate) fn of_iso(text: &'a [u8]) -> Option<Self> {
        let (date, rest) = text.split_at_checked(10)?;
        let [b'T' | b't', time @ ..] = rest else { return None };
        let (time, rest) = time.split_at_checked(8)?;
        if date[4] != b'-' || date[7] != b'-' {
            return None;
        }
        let days = days(number(&date[..4])?, number(&date[5..7])?, number(&date[8..])?)?;
        let (fraction, zone) = fraction(rest);
        Self { seconds: days * DAY + clock_time(time)? - offset(zone)?, fraction }.checked()
    }

    /// `Oct 11 22:14:15` or `Oct  1 2003 22:14:15.003`, as RFC 3164 has it, and what follows it.
    pub(crate) fn of_bsd(text: &'a [u8], clock: Clock) -> Option<(Self, &'a [u8])> {
        let month = month(text.get(..3)?)?;
        let rest = text.get(3..)?.trim_ascii_start();
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (day, rest) = rest.split_at(digits);
        let day = number(day).filter(|_| digits <= 2)?;
        let rest = rest.strip_prefix(b" ")?;
        let (year, rest) = match rest {
            [a, b, c, d, b' ', rest @ ..] if [a, b, c, d].iter().all(|byte| byte.is_ascii_digit()) => {
                (Some(number(&[*a, *b, *c, *d])?), rest)
            }
            _ => (None, rest),
        };
        let (time, rest) = rest.split_at_checked(8)?;
        let (fraction, rest) = fraction(rest);
        let within_year = clock_time(time)? - clock.utc_offset;
        let seconds = |year: u64| Some(days(year, month, day)? * DAY + within_year);
        let seconds = match year {
            Some(year) => seconds(year)?,
            None => {
                let arrived = i64::try_from(clock.arrived_ms / 1_000).ok()?;
                let (this_year, ..) = date(arrived.div_euclid(DAY));
                let this_year = u64::try_from(this_year).ok()?;
                let years = [this_year.checked_sub(1)?, this_year, this_year + 1];
                years.into_iter().filter_map(seconds).min_by_key(|seconds| (seconds - arrived).abs())?
            }
        };
        Some((Self { seconds, fraction }.checked()?, rest))
    }

    /// A year of four digits.
    fn checked(self) -> Option<Self> {
        let first = days(0, 1, 1)? * DAY;
        let last = days(9999, 12, 31)? * DAY + DAY - 1;
        (first..=last).contains(&self.seconds).then_some(self)
    }

    /// Writes `"2003-10-11T20:14:15.003Z"`.
    pub(crate) fn write(self, output: &mut Output) {
        let (year, month, day) = date(self.seconds.div_euclid(DAY));
        let time = self.seconds.rem_euclid(DAY);
        let pairs = [year / 100, year % 100, month, day, time / 3_600, time / 60 % 60, time % 60];
        let mut written = *b"\"0000-00-00T00:00:00";
        for (place, pair) in [1, 3, 6, 9, 12, 15, 18].into_iter().zip(pairs) {
            written[place] = digit(pair / 10);
            written[place + 1] = digit(pair % 10);
        }
        output.push(&written);
        if !self.fraction.is_empty() {
            output.push(b".");
            output.push(self.fraction);
        }
        output.push(b"Z\"");
    }
}

fn digit(number: i64) -> u8 {
    b'0' + u8::try_from(number).unwrap_or_default()
}

/// `Z`, `+01:00` or `+0100`, in seconds.
pub(crate) fn offset(text: &[u8]) -> Option<i64> {
    let (sign, hours, minutes) = match text {
        [b'Z' | b'z'] => return Some(0),
        [sign, a, b, b':', c, d] | [sign, a, b, c, d] => (sign, [*a, *b], [*c, *d]),
        _ => return None,
    };
    let sign = match sign {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = (within(number(&hours)?, 23)?, within(number(&minutes)?, 59)?);
    Some(sign * (hours * 3_600 + minutes * 60))
}

/// `13:55:36`, in seconds; a leap second is the first one of the next minute.
fn clock_time(text: &[u8]) -> Option<i64> {
    let [a, b, b':', c, d, b':', e, f] = text else { return None };
    let hours = within(number(&[*a, *b])?, 23)?;
    let minutes = within(number(&[*c, *d])?, 59)?;
    Some(hours * 3_600 + minutes * 60 + within(number(&[*e, *f])?, 60)?)
}

/// The digits behind a point, nine at most, and what follows.
fn fraction(text: &[u8]) -> (&[u8], &[u8]) {
    let [b'.', digits @ ..] = text else { return (&[], text) };
    let count = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if count == 0 { (&[], text) } else { (&digits[..count.min(9)], &digits[count..]) }
}

fn within(number: u64, most: i64) -> Option<i64> {
    i64::try_from(number).ok().filter(|&number| number <= most)
}

fn month(name: &[u8]) -> Option<u64> {
    (1..).zip(MONTHS.chunks(3)).find(|(_, known)| *known == name).map(|(month, _)| month)
}

/// Days since 1970 of a date of the Gregorian calendar; nothing for a day that its month does not have.
fn days(year: u64, month: u64, day: u64) -> Option<i64> {
    let (year, month, day) = (within(year, 9_999)?, within(month, 12)?, within(day, 31)?);
    if month == 0 || day == 0 {
        return None;
    }
    // Years begin in March here, so that a leap day is the last one.
    let shifted = if month > 2 { year } else { year - 1 };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = 365 * shifted + shifted.div_euclid(4) - shifted.div_euclid(100) + shifted.div_euclid(400);
    let days = days + day_of_year - 719_468;
    (date(days) == (year, month, day)).then_some(days)
}

/// Year, month and day of days since 1970.
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = (shifted_month + 2) % 12 + 1;
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use hydrant_plugin::testing::run;
    use hydrant_plugin::{Outcome, Record};

    use super::*;

    /// The time without its quotes.
    fn shown(moment: Moment<'_>) -> String {
        let write = |mut record: Record<'_>| {
            moment.write(record.output());
            Outcome::Replace
        };
        run(write, &[""])[0].text().concat().trim_matches('"').to_owned()
    }

    fn access(text: &str) -> Option<String> {
        Moment::of_access(text.as_bytes()).map(shown)
    }

    fn iso(text: &str) -> Option<String> {
        Moment::of_iso(text.as_bytes()).map(shown)
    }

    #[test]
    fn days_and_dates_agree() {
        assert_eq!(days(1970, 1, 1), Some(0));
        assert_eq!(days(2000, 3, 1), Some(11_017));
        assert_eq!(days(2026, 11, 21), Some(20_778));
        for day in (-719_528..2_932_896).step_by(13) {
            let (year, month, day_of_month) = date(day);
            let number = |number: i64| u64::try_from(number).unwrap();
            assert_eq!(days(number(year), number(month), number(day_of_month)), Some(day));
        }
        for (year, month, day) in [(2023, 2, 29), (1900, 2, 29), (2024, 4, 31), (2024, 13, 1), (2024, 0, 1)] {
            assert_eq!(days(year, month, day), None);
        }
    }

    #[test]
    fn times_become_utc() {
        assert_eq!(access("10/Oct/2000:13:55:36 -0700").unwrap(), "2000-10-10T20:55:36Z");
        assert_eq!(access("01/Jan/2026:00:30:00 +0130").unwrap(), "2025-12-31T23:00:00Z");
        assert_eq!(access("29/Feb/2024:23:59:60 +0000").unwrap(), "2024-03-01T00:00:00Z");
        for wrong in [
            "10/Okt/2000:13:55:36 -0700",
            "10/Oct/2000:24:55:36 -0700",
            "31/Feb/2000:13:55:36 -0700",
            "",
            "10/Oct/2000",
        ] {
            assert_eq!(access(wrong), None, "{wrong}");
        }
        assert_eq!(iso("2003-10-11T22:14:15.003Z").unwrap(), "2003-10-11T22:14:15.003Z");
        assert_eq!(iso("2003-08-24T05:14:15.000003-07:00").unwrap(), "2003-08-24T12:14:15.000003Z");
        for wrong in
            ["2003-10-11 22:14:15Z", "2003-10-11T22:14:15", "0000-01-01T00:00:00+01:00", "2003-10-11T22:14:15.Z"]
        {
            assert_eq!(iso(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_missing_year_is_the_nearest_one() {
        let bsd = |text: &'static str, arrived: &str, utc_offset| {
            let arrived_ms = u64::try_from(Moment::of_iso(arrived.as_bytes()).unwrap().seconds * 1_000).unwrap();
            let found = Moment::of_bsd(text.as_bytes(), Clock { arrived_ms, utc_offset });
            found.map(|(moment, rest)| (shown(moment), std::str::from_utf8(rest).unwrap()))
        };
        let said = |moment: &str, rest: &'static str| Some((moment.to_owned(), rest));
        assert_eq!(bsd("Oct 11 22:14:15 host", "2026-11-21T08:00:00Z", 0), said("2026-10-11T22:14:15Z", " host"));
        assert_eq!(bsd("Dec 31 23:59:59", "2026-01-01T00:00:05Z", 0), said("2025-12-31T23:59:59Z", ""));
        assert_eq!(bsd("Jan  1 00:00:05", "2025-12-31T23:59:59Z", 0), said("2026-01-01T00:00:05Z", ""));
        assert_eq!(bsd("Feb 29 12:00:00", "2025-02-01T00:00:00Z", 0), said("2024-02-29T12:00:00Z", ""));
        assert_eq!(bsd("Feb 29 12:00:00", "2022-02-01T00:00:00Z", 0), None);
        assert_eq!(bsd("Nov 21 09:00:00.5 x", "2026-11-21T08:00:00Z", 3_600), said("2026-11-21T08:00:00.5Z", " x"));
        assert_eq!(bsd("Oct 1 2003 22:14:15: x", "2026-11-21T08:00:00Z", 0), said("2003-10-01T22:14:15Z", ": x"));
        assert_eq!(bsd("Oct x 22:14:15", "2026-11-21T08:00:00Z", 0), None);
    }

    #[test]
    fn offsets_are_checked() {
        assert_eq!(offset(b"+05:30"), Some(19_800));
        assert_eq!(offset(b"-0800"), Some(-28_800));
        assert_eq!(offset(b"Z"), Some(0));
        for wrong in ["+24:00", "01:00", "+1:00", "", "+01:60", "CET"] {
            assert_eq!(offset(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
