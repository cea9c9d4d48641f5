//! Names of indices: the configured one with its rotation, and what may be one at all. Refuses to look at a clock: the
//! instant is the record's arrival, in UTC.

use std::fmt::Write as _;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

use crate::definition::IndexRotation;

/// Every rotation changes at a full hour.
const HOUR_MS: u64 = 3_600_000;

/// Longest name that OpenSearch takes, in bytes.
const LONGEST_NAME_BYTES: usize = 255;

/// Index names of one batch; remembers the last, because neighbours arrived in the same hour.
#[derive(Debug)]
pub(super) struct Names<'a> {
    base: &'a str,
    rotation: IndexRotation,
    hour: Option<u64>,
    name: String,
}

impl<'a> Names<'a> {
    pub(super) fn new(base: &'a str, rotation: IndexRotation) -> Self {
        Self { base, rotation, hour: None, name: String::new() }
    }

    /// The index of a record that arrived then, milliseconds since 1970.
    pub(super) fn at(&mut self, arrived_ms: u64) -> &str {
        let hour = arrived_ms / HOUR_MS;
        if self.hour != Some(hour) {
            self.hour = Some(hour);
            self.name.clear();
            self.name.push_str(self.base);
            append_period(&mut self.name, self.rotation, arrived_ms);
        }
        &self.name
    }
}

fn append_period(name: &mut String, rotation: IndexRotation, arrived_ms: u64) {
    let arrival = i64::try_from(arrived_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    let time: DateTime = TimeZone::UTC.to_datetime(arrival.unwrap_or(Timestamp::MAX));
    let (year, month, day) = (time.year(), time.month(), time.day());
    // A String takes everything.
    let _written = match rotation {
        IndexRotation::NoRotation => Ok(()),
        IndexRotation::OneHour => write!(name, "-{year:04}-{month:02}-{day:02}-{:02}", time.hour()),
        IndexRotation::OneDay => write!(name, "-{year:04}-{month:02}-{day:02}"),
        IndexRotation::OneWeek => {
            let (year, week) = week(time.date());
            write!(name, "-{year:04}-w{week:02}")
        }
        IndexRotation::OneMonth => write!(name, "-{year:04}-{month:02}"),
    };
}

/// Year and number of a week. Weeks start on Sunday and the first one of a year is the first that has a Saturday in it;
/// so a week belongs to the year of its Saturday, and its number counts the Saturdays until then.
fn week(date: Date) -> (i16, i16) {
    let to_saturday = 6 - date.weekday().to_sunday_zero_offset();
    let saturday = date.saturating_add(Span::new().days(to_saturday));
    (saturday.year(), (saturday.day_of_year() - 1) / 7 + 1)
}

/// Whether OpenSearch takes `name` for an index; what is wrong with it otherwise.
///
/// # Errors
/// What is wrong, for people.
pub fn legal_index(name: &str) -> Result<(), &'static str> {
    const FORBIDDEN: [char; 12] = ['\\', '/', '*', '?', '"', '<', '>', '|', ' ', ',', '#', ':'];
    if name.is_empty() {
        return Err("is empty");
    }
    if name.len() > LONGEST_NAME_BYTES {
        return Err("is longer than 255 bytes");
    }
    if name.starts_with(['-', '_', '+', '.']) {
        return Err("begins with -, _, + or .");
    }
    if name.contains(|letter: char| FORBIDDEN.contains(&letter) || letter.is_control()) {
        return Err("holds a space, a control character or one of \\ / * ? \" < > | , # :");
    }
    if name.chars().any(char::is_uppercase) {
        return Err("is not in lower case");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(rotation: IndexRotation, text: &str) -> String {
        let arrived: Timestamp = text.parse().unwrap();
        Names::new("idx", rotation).at(u64::try_from(arrived.as_millisecond()).unwrap()).to_owned()
    }

    #[test]
    fn each_rotation_appends_its_part_of_the_arrival() {
        let arrival = "2016-02-25T13:00:00Z";
        for (rotation, expected) in [
            (IndexRotation::NoRotation, "idx"),
            (IndexRotation::OneHour, "idx-2016-02-25-13"),
            (IndexRotation::OneDay, "idx-2016-02-25"),
            (IndexRotation::OneMonth, "idx-2016-02"),
        ] {
            assert_eq!(name(rotation, arrival), expected);
        }
    }

    #[test]
    fn weeks_start_on_sunday_and_belong_to_the_year_of_their_saturday() {
        for (arrival, expected) in [
            ("2016-01-01T00:00:00Z", "idx-2016-w01"),
            ("2016-01-02T23:59:59Z", "idx-2016-w01"),
            ("2016-01-03T00:00:00Z", "idx-2016-w02"),
            ("2016-02-20T23:59:59Z", "idx-2016-w08"),
            ("2016-02-21T00:00:00Z", "idx-2016-w09"),
            ("2017-01-01T00:00:00Z", "idx-2017-w01"),
            ("2017-12-30T12:00:00Z", "idx-2017-w52"),
            ("2017-12-31T12:00:00Z", "idx-2018-w01"),
            ("2020-08-12T12:00:00Z", "idx-2020-w33"),
            ("2022-12-31T12:00:00Z", "idx-2022-w53"),
            ("2023-01-01T12:00:00Z", "idx-2023-w01"),
        ] {
            assert_eq!(name(IndexRotation::OneWeek, arrival), expected, "{arrival}");
        }
    }

    #[test]
    fn names_follow_the_arrival_of_each_record() {
        let mut names = Names::new("idx", IndexRotation::OneHour);
        assert_eq!(names.at(HOUR_MS - 1), "idx-1970-01-01-00");
        assert_eq!(names.at(HOUR_MS), "idx-1970-01-01-01");
        assert_eq!(names.at(0), "idx-1970-01-01-00");
        assert_eq!(names.at(u64::MAX), "idx-9999-12-30-22");
    }

    #[test]
    fn names_that_no_index_may_have_are_refused() {
        for legal in ["orders", "orders-2016", "o.r+d_e-rs", "börse", &"x".repeat(255)] {
            assert_eq!(legal_index(legal), Ok(()), "{legal}");
        }
        let long = "x".repeat(256);
        for illegal in
            ["", "Orders", "a b", "a/b", "a:b", "a,b", "a*", "_all", "-a", "+a", ".", "..", ".system", "a\n", &long]
        {
            assert!(legal_index(illegal).is_err(), "{illegal:?}");
        }
    }
}
