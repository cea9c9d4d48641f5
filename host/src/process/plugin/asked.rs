//! What an operator asks for a version that is not to rule yet: the one place that knows the words, their ranges and what
//! holds where nothing is said. Refuses to judge by it.

use serde::Serialize;

/// How a version is tried beside the one that rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// It gets some batches as well, and nothing of what it makes is delivered.
    Shadow,
    /// It rules for a share of the time.
    Canary,
}

/// What an operator asks for a candidate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Asked {
    /// Beside or in turn.
    pub kind: Kind,
    /// Of batches (shadow) or of time (canary), percent.
    pub share: u64,
    /// When a canary ends.
    pub bounds: Option<Bounds>,
}

/// When a canary ends, well or badly.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Bounds {
    /// Failures of a hundred records, above those of the ruling version.
    pub most_failures: f64,
    /// Time per record, as a multiple of the ruling version's.
    pub most_latency: f64,
    /// Records that either version must have had before a bound decides.
    pub after: u64,
    /// Records after which a canary within its bounds rules; none: it stays a canary.
    pub promote_after: Option<u64>,
}

/// A wish that cannot be granted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// No such name.
    #[error("\"{0}\" is nothing that a candidate is asked")]
    Name(String),
    /// No such value.
    #[error("{name} is {range}, not \"{value}\"")]
    Value {
        /// What was asked.
        name: &'static str,
        /// What it was asked to be.
        value: String,
        /// What it may be.
        range: &'static str,
    },
    /// Both, or bounds without a canary.
    #[error("a candidate is a shadow or a canary, and only a canary has bounds")]
    Kind,
}

impl Asked {
    /// Reads `shadow=PERCENT` or `canary=PERCENT` with `most-failures`, `most-latency`, `after` and `promote-after`;
    /// nothing is no candidate.
    ///
    /// # Errors
    /// What cannot be granted.
    pub fn read<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Option<Self>, AskError> {
        let mut kinds = Vec::new();
        let mut bounds = Bounds { most_failures: 5.0, most_latency: 2.0, after: AFTER, promote_after: None };
        let mut has_bounds = false;
        for (name, value) in pairs {
            has_bounds |= !matches!(name, "shadow" | "canary");
            match name {
                "shadow" => kinds.push((Kind::Shadow, whole("shadow", value, 1, 100, "1 to 100 percent")?)),
                // The other version is what it is measured against.
                "canary" => kinds.push((Kind::Canary, whole("canary", value, 1, 99, "1 to 99 percent")?)),
                "most-failures" => {
                    bounds.most_failures = real("most-failures", value, 0.0, 100.0, "0 to 100 percent")?;
                }
                "most-latency" => {
                    bounds.most_latency = real("most-latency", value, 1.0, 1_000.0, "a factor of 1 to 1000")?;
                }
                "after" => bounds.after = whole("after", value, 1, MOST_RECORDS, "a number of records")?,
                "promote-after" => {
                    bounds.promote_after = Some(whole("promote-after", value, 1, MOST_RECORDS, "a number of records")?);
                }
                other => return Err(AskError::Name(other.to_owned())),
            }
        }
        match kinds.as_slice() {
            [] if !has_bounds => Ok(None),
            [(Kind::Shadow, share)] if !has_bounds => {
                Ok(Some(Self { kind: Kind::Shadow, share: *share, bounds: None }))
            }
            [(Kind::Canary, share)] => Ok(Some(Self { kind: Kind::Canary, share: *share, bounds: Some(bounds) })),
            _ => Err(AskError::Kind),
        }
    }
}

fn whole(name: &'static str, text: &str, least: u64, most: u64, range: &'static str) -> Result<u64, AskError> {
    let value = text.parse().ok().filter(|value| (least..=most).contains(value));
    value.ok_or_else(|| AskError::Value { name, value: text.to_owned(), range })
}

fn real(name: &'static str, text: &str, least: f64, most: f64, range: &'static str) -> Result<f64, AskError> {
    let value = text.parse().ok().filter(|value| (least..=most).contains(value));
    value.ok_or_else(|| AskError::Value { name, value: text.to_owned(), range })
}

/// A bad record more or less is no verdict below this.
const AFTER: u64 = 1_000;
/// A bound nobody reaches is a mistake.
const MOST_RECORDS: u64 = 1 << 50;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Option<Asked>, AskError> {
        Asked::read(text.split('&').filter_map(|pair| pair.split_once('=')))
    }

    #[test]
    fn a_wish_is_read_or_refused() {
        assert_eq!(read(""), Ok(None));
        assert_eq!(read("shadow=10"), Ok(Some(Asked { kind: Kind::Shadow, share: 10, bounds: None })));
        let bounds = Bounds { most_failures: 0.5, most_latency: 3.0, after: 7, promote_after: Some(9) };
        assert_eq!(
            read("canary=5&most-failures=0.5&most-latency=3&after=7&promote-after=9"),
            Ok(Some(Asked { kind: Kind::Canary, share: 5, bounds: Some(bounds) }))
        );
        let wrong = [
            "shadow=0",
            "shadow=101",
            "canary=100",
            "canary=x",
            "canary=5&shadow=5",
            "shadow=5&after=7",
            "after=7",
            "canary=5&most-latency=0.5",
            "canary=5&most-failures=NaN",
            "canary=5&after=0",
            "colour=blue",
        ];
        for text in wrong {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
