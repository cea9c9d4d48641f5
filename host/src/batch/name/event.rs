//! Timestamps of a prefix that are the records' own.
//!
//! Prints them; refuses to judge a record's time, which processing did.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::key::time_zone;
use super::pattern::Pattern;
use crate::definition::{EventTime, instant_ms};

/// The timestamp expressions of one prefix.
#[derive(Clone, Debug)]
pub(in crate::batch) struct EventStamps {
    patterns: Vec<Pattern>,
    zone: TimeZone,
}

impl EventStamps {
    /// Of a checked definition: its patterns are legal and its zone is known.
    pub(in crate::batch) fn new(event_time: &EventTime) -> Self {
        let patterns = event_time.patterns.iter().filter_map(|text| Pattern::parse(text).ok()).collect();
        Self { patterns, zone: time_zone(&event_time.time_zone).unwrap_or(TimeZone::UTC) }
    }

    /// What each expression prints for a record whose time is `text`; empty texts for one that has none.
    pub(in crate::batch) fn print(&self, text: &str) -> Vec<String> {
        let ms = instant_ms(text).and_then(|ms| i64::try_from(ms).ok());
        let at = ms.and_then(|ms| Timestamp::from_millisecond(ms).ok()).map(|at| at.to_zoned(self.zone.clone()));
        let print = |pattern: &Pattern| {
            let mut printed = String::new();
            at.iter().for_each(|at| pattern.print(at, &mut printed));
            printed
        };
        self.patterns.iter().map(print).collect()
    }
}
