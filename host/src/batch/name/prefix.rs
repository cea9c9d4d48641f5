//! Prefixes: parsed once into literal text and expressions, checked, evaluated per object.
//!
//! Refuses every `!{` that is not one of Firehose's expressions; the words of a refusal are what the API answers
//! with `InvalidArgumentException`.

use std::fmt;

use jiff::Zoned;

use super::pattern::{Pattern, PatternError};
use crate::definition::{KeySource, PartitionKey};
use crate::record::ErrorOutput;
use crate::runtime::Random;

/// Which of a destination's prefixes a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// `Prefix`.
    Data,
    /// `ErrorOutputPrefix`.
    Error,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Data => "Prefix",
            Self::Error => "ErrorOutputPrefix",
        })
    }
}

/// Why a destination's prefixes are refused. `Display` is the message of the `InvalidArgumentException`. Those of
/// namespaces, partition keys, error types in data and evaluated length are what infrastructure tools check the
/// service for; the others are ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PrefixError {
    /// `!{` without `}`, or without a namespace.
    #[error("{0} contains '!{{' outside an expression of the form !{{namespace:value}}.")]
    Misuse(Place),
    /// A namespace nobody knows.
    #[error("Namespace to the left of colon ({1}) is an invalid keyword!")]
    Namespace(Place, String),
    /// A value the firehose namespace does not have.
    #[error("{0} contains the unknown expression !{{firehose:{1}}}.")]
    Value(Place, String),
    /// A partition key where none can be.
    #[error("{}", dynamic_partitioning(*.0))]
    DynamicPartitioning(Place),
    /// The type of an error stands in the prefix for data.
    #[error("Prefix must not contain any occurrence of !{{firehose:error-output-type}}")]
    ErrorTypeInData,
    /// Two kinds of errors could meet under one prefix.
    #[error("ErrorOutputPrefix must contain !{{firehose:error-output-type}} when it contains expressions.")]
    ErrorTypeMissing,
    /// Errors and data could not be told apart.
    #[error("ErrorOutputPrefix cannot be null or empty when Prefix contains expressions.")]
    ErrorPrefixMissing,
    /// A timestamp pattern that Java would refuse.
    #[error("{0} contains an invalid timestamp pattern '{1}': {2}.")]
    Pattern(Place, String, PatternError),
    /// As configured.
    #[error("{0} must not be longer than 1024 characters.")]
    Configured(Place),
    /// As evaluated, at its widest.
    #[error("Length of evaluated {} cannot be greater than 512", evaluated(*.0))]
    Evaluated(Place),
    /// S3 clients resolve such keys to others, and so do file systems.
    #[error("{0} must not contain the path segments '.' or '..'.")]
    Dots(Place),
    /// Keys with control characters cannot be listed as XML.
    #[error("{0} must not contain control characters.")]
    Control(Place),
    /// Dynamic partitioning without a key.
    #[error(
        "At least one Dynamic Partitioning Namespace must be part of the Prefix when Dynamic Partitioning is enabled."
    )]
    NoKey,
    /// Event time where nothing of the prefix is made of it.
    #[error("Prefix must contain a timestamp expression when EventTime is set.")]
    NoTimestamp,
    /// A partition key without a name.
    #[error("{0} contains the dynamic partitioning expression !{{{1}:}} without a key.")]
    EmptyKey(Place, String),
    /// `CustomTimeZone` names no zone.
    #[error("CustomTimeZone '{0}' is not a known time zone.")]
    TimeZone(String),
}

fn dynamic_partitioning(place: Place) -> &'static str {
    match place {
        Place::Data => {
            "Dynamic Partitioning Namespaces can only be part of a prefix expression when Dynamic Partitioning is enabled."
        }
        Place::Error => "Dynamic Partitioning Namespaces can't be part of an error prefix expression",
    }
}

fn evaluated(place: Place) -> &'static str {
    match place {
        Place::Data => "prefix",
        Place::Error => "ErrorOutputPrefix",
    }
}

/// A pattern that is legal and usually a mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Warning {
    /// `Y` without a week.
    #[error("{0} uses Y, the year of the week: around New Year it differs from yyyy")]
    WeekYear(Place),
    /// `D` beside a month.
    #[error("{0} uses D, the day of the year: for the day of the month write dd")]
    DayOfYear(Place),
}

/// A checked prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefix(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(String),
    /// With the text it was parsed from.
    Timestamp(String, Pattern),
    RandomString,
    ErrorOutputType,
    Key(KeySource, String),
}

/// Length of `!{firehose:random-string}`.
const RANDOM_LENGTH: usize = 11;

/// Alphabet of `!{firehose:random-string}`.
const ALPHANUMERIC: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Firehose's limit of a prefix as configured.
const CONFIGURED_CHARS: usize = 1024;

/// The longest value of `!{firehose:error-output-type}` of any destination, AmazonOpenSearchService-failed, fits.
const ERROR_TYPE_BYTES: usize = 32;

impl Prefix {
    /// Parses and checks one prefix.
    ///
    /// # Errors
    /// The first rule that it breaks; those that take both prefixes to see are
    /// [`check`](super::check)'s.
    pub fn parse(text: &str, place: Place, is_partitioned: bool) -> Result<Self, PrefixError> {
        if text.chars().count() > CONFIGURED_CHARS {
            return Err(PrefixError::Configured(place));
        }
        if text.chars().any(char::is_control) {
            return Err(PrefixError::Control(place));
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find("!{") {
            let misuse = PrefixError::Misuse(place);
            let Some(length) = rest[at..].find('}') else { return Err(misuse) };
            let Some((namespace, value)) = rest[at + 2..at + length].split_once(':') else { return Err(misuse) };
            if at > 0 {
                parts.push(Part::Literal(rest[..at].to_owned()));
            }
            parts.push(expression(namespace, value, place, is_partitioned)?);
            rest = &rest[at + length + 1..];
        }
        if !rest.is_empty() {
            parts.push(Part::Literal(rest.to_owned()));
        }
        let prefix = Self(parts);
        if place == Place::Error && prefix.has_expressions() && !prefix.0.contains(&Part::ErrorOutputType) {
            return Err(PrefixError::ErrorTypeMissing);
        }
        Ok(prefix)
    }

    /// True when anything is not literal: then nothing is appended to it.
    pub fn has_expressions(&self) -> bool {
        self.0.iter().any(|part| !matches!(part, Part::Literal(_)))
    }

    /// The keys of dynamic partitioning, each once, in the order of their first use.
    pub(super) fn keys(&self) -> Vec<PartitionKey> {
        let mut keys: Vec<PartitionKey> = Vec::new();
        for part in &self.0 {
            let Part::Key(source, name) = part else { continue };
            match keys.iter_mut().find(|key| key.source == *source && key.name == *name) {
                Some(known) => known.uses += 1,
                None => keys.push(PartitionKey { source: *source, name: name.clone(), uses: 1 }),
            }
        }
        keys
    }

    /// What is probably not meant.
    pub fn warnings(&self, place: Place) -> Vec<Warning> {
        let mut warnings = Vec::new();
        let used = |letter| self.patterns().any(|pattern| pattern.has(letter));
        if used('Y') && !used('w') {
            warnings.push(Warning::WeekYear(place));
        }
        if used('D') && (used('M') || used('L')) {
            warnings.push(Warning::DayOfYear(place));
        }
        warnings
    }

    /// The patterns of its timestamp expressions.
    pub(super) fn timestamps(&self) -> Vec<String> {
        let text = |part: &Part| match part {
            Part::Timestamp(text, _) => Some(text.clone()),
            _ => None,
        };
        self.0.iter().filter_map(text).collect()
    }

    /// Appends the prefix for an object whose oldest record arrived `at`. Every random string is a fresh one.
    /// `values` are those of [`Self::keys`]; what follows them stands for the timestamp expressions.
    pub(super) fn evaluate(
        &self,
        at: &Zoned,
        output: Option<ErrorOutput>,
        values: &[String],
        random: &Random,
        out: &mut String,
    ) {
        let keys = self.keys();
        let mut times = values.get(keys.len()..).unwrap_or_default().iter();
        for part in &self.0 {
            match part {
                Part::Literal(text) => out.push_str(text),
                Part::Timestamp(_, pattern) => match times.next() {
                    Some(time) => out.push_str(time),
                    None => pattern.print(at, out),
                },
                Part::RandomString => out.extend((0..RANDOM_LENGTH).map(|_| random_letter(random))),
                Part::ErrorOutputType => out.push_str(output.map_or("", ErrorOutput::as_str)),
                Part::Key(source, name) => {
                    let known = keys.iter().position(|key| key.source == *source && key.name == *name);
                    out.push_str(known.and_then(|at| values.get(at)).map_or("", String::as_str));
                }
            }
        }
    }

    /// The most bytes [`Self::evaluate`] ever appends beside the values of keys.
    pub(super) fn widest(&self) -> usize {
        let width = |part: &Part| match part {
            Part::Literal(text) => text.len(),
            Part::Timestamp(_, pattern) => pattern.widest(),
            Part::RandomString => RANDOM_LENGTH,
            Part::ErrorOutputType => ERROR_TYPE_BYTES,
            Part::Key(..) => 0,
        };
        self.0.iter().map(width).sum()
    }

    fn patterns(&self) -> impl Iterator<Item = &Pattern> {
        self.0.iter().filter_map(|part| match part {
            Part::Timestamp(_, pattern) => Some(pattern),
            _ => None,
        })
    }
}

fn expression(namespace: &str, value: &str, place: Place, is_partitioned: bool) -> Result<Part, PrefixError> {
    let is_partitioned = is_partitioned && place == Place::Data;
    match (namespace, value) {
        ("timestamp", pattern) => match Pattern::parse(pattern) {
            Ok(parsed) => Ok(Part::Timestamp(pattern.to_owned(), parsed)),
            Err(error) => Err(PrefixError::Pattern(place, pattern.to_owned(), error)),
        },
        ("firehose", "random-string") => Ok(Part::RandomString),
        ("firehose", "error-output-type") if place == Place::Data => Err(PrefixError::ErrorTypeInData),
        ("firehose", "error-output-type") => Ok(Part::ErrorOutputType),
        ("firehose", other) => Err(PrefixError::Value(place, other.to_owned())),
        ("partitionKeyFromQuery" | "partitionKeyFromLambda", "") if is_partitioned => {
            Err(PrefixError::EmptyKey(place, namespace.to_owned()))
        }
        ("partitionKeyFromQuery", key) if is_partitioned => Ok(Part::Key(KeySource::Query, key.to_owned())),
        ("partitionKeyFromLambda", key) if is_partitioned => Ok(Part::Key(KeySource::Plugin, key.to_owned())),
        ("partitionKeyFromQuery" | "partitionKeyFromLambda", _) => Err(PrefixError::DynamicPartitioning(place)),
        ("", _) => Err(PrefixError::Misuse(place)),
        (other, _) => Err(PrefixError::Namespace(place, other.to_owned())),
    }
}

fn random_letter(random: &Random) -> char {
    let at = usize::try_from(random.up_to(ALPHANUMERIC.len() as u64 - 1)).unwrap_or(0);
    char::from(ALPHANUMERIC.get(at).copied().unwrap_or(b'0'))
}
