//! Whole object keys: which prefix rules, what is appended to it, and the object's own name.
//!
//! A destination that passed [`check`] always gets a key; what [`object_key`] refuses then cannot happen.

use std::fmt::Write;

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use uuid::Uuid;

use super::pattern::Pattern;
use super::prefix::{Place, Prefix, PrefixError, Warning};
use crate::definition::{Compression, Definition, EventTime, PartitionKey, Partitioning, S3Destination, Serializer};
use crate::record::{ErrorOutput, Partition};
use crate::runtime::Random;

/// Firehose's limit of an evaluated prefix.
const EVALUATED_BYTES: usize = 512;

/// S3's limit of a key.
const KEY_BYTES: usize = 1024;

/// What is appended to prefixes without expressions.
const DEFAULT_PATTERN: &str = "yyyy/MM/dd/HH/";

/// The instant in an object's name.
const NAME_PATTERN: &str = "yyyy-MM-dd-HH-mm-ss";

/// Why an object cannot be named.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The destination's prefixes would not pass [`check`].
    #[error("prefix is not legal")]
    Prefix(#[from] PrefixError),
    /// Longer than S3 stores, or the prefix longer than Firehose evaluates.
    #[error("object key of {0} bytes is too long")]
    Long(usize),
    /// A path segment that clients and file systems resolve to another key.
    #[error("object key holds a path segment of dots")]
    Dots,
}

/// Checks all that names objects: both prefixes, alone and together, and the time zone. What it lets pass never
/// evaluates to more than Firehose's 512 bytes, whatever the instant.
///
/// # Errors
/// The first rule broken; its text is the answer of Create and Update.
pub fn check(destination: &S3Destination, is_partitioned: bool) -> Result<Vec<Warning>, PrefixError> {
    let data = Prefix::parse(&destination.prefix, Place::Data, is_partitioned)?;
    let error = Prefix::parse(&destination.error_output_prefix, Place::Error, false)?;
    if data.has_expressions() && destination.error_output_prefix.is_empty() {
        return Err(PrefixError::ErrorPrefixMissing);
    }
    time_zone(&destination.time_zone)?;
    let any = Zoned::new(Timestamp::UNIX_EPOCH, TimeZone::UTC);
    let processing_failed = Partition::Error(ErrorOutput::ProcessingFailed);
    for (place, prefix, partition) in [(Place::Data, &data, Partition::Main), (Place::Error, &error, processing_failed)]
    {
        let below = match &partition {
            Partition::Error(output) => output.as_str().len() + 1,
            _ => 0,
        };
        let appended = if prefix.has_expressions() { 0 } else { below + DEFAULT_PATTERN.len() };
        let inherited = place == Place::Error && destination.error_output_prefix.is_empty();
        let width = if inherited { data.widest() } else { prefix.widest() };
        if width + appended > EVALUATED_BYTES {
            return Err(PrefixError::Evaluated(if inherited { Place::Data } else { place }));
        }
        // Nothing that is evaluated prints dots of its own, so any instant shows whether a segment is made of them.
        let values: Vec<String> = data.keys().iter().map(|_| "value".to_owned()).collect();
        let partition = if values.is_empty() || place == Place::Error { partition } else { Partition::Keyed(values) };
        let sample = prefix_of(destination, &partition, &any, &Random::seeded(0))?;
        if has_dot_segment(&sample) {
            return Err(PrefixError::Dots(if inherited { Place::Data } else { place }));
        }
    }
    Ok([data.warnings(Place::Data), error.warnings(Place::Error)].concat())
}

/// What dynamic partitioning by this destination's prefix means, whose timestamps are made of `event_key` where that is
/// given.
///
/// # Errors
/// The prefix would not pass [`check`], or uses no key, or no timestamp where it should.
pub fn partitioning(
    destination: &S3Destination,
    event_key: Option<&PartitionKey>,
) -> Result<Partitioning, PrefixError> {
    check(destination, true)?;
    let prefix = Prefix::parse(&destination.prefix, Place::Data, true)?;
    let keys = prefix.keys();
    let event_time = event_key.map(|key| EventTime {
        key: key.clone(),
        patterns: prefix.timestamps(),
        time_zone: destination.time_zone.clone(),
    });
    match &event_time {
        None if keys.is_empty() => return Err(PrefixError::NoKey),
        Some(event_time) if event_time.patterns.is_empty() => return Err(PrefixError::NoTimestamp),
        _ => {}
    }
    let room_bytes = u32::try_from(EVALUATED_BYTES.saturating_sub(prefix.widest())).unwrap_or(0);
    Ok(Partitioning { keys, room_bytes, event_time })
}

/// The zone of a `CustomTimeZone`: empty means UTC, otherwise the exact name of a zone of the IANA database.
///
/// # Errors
/// [`PrefixError::TimeZone`] when there is no such zone.
pub fn time_zone(name: &str) -> Result<TimeZone, PrefixError> {
    let zone = if name.is_empty() { "UTC" } else { name };
    // The database's look-up ignores case; Java's, and so Firehose's, does not.
    let found = TimeZone::get(zone).ok().filter(|found| found.iana_name() == Some(zone));
    found.ok_or_else(|| PrefixError::TimeZone(name.to_owned()))
}

/// Key of the object that holds a batch of `partition` whose oldest record arrived at `instant_ms`:
/// `<prefix><stream>-<version>-<yyyy-MM-dd-HH-mm-ss>-<uuid><extension>`.
///
/// # Errors
/// When the destination would not pass [`check`].
pub fn object_key(
    definition: &Definition,
    partition: &Partition,
    instant_ms: u64,
    id: Uuid,
    random: &Random,
) -> Result<String, NameError> {
    let destination = definition.s3_of(partition);
    // Past the year 9999 an object gets the last instant there is rather than no name.
    let instant = i64::try_from(instant_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    let at = instant.unwrap_or(Timestamp::MAX).to_zoned(time_zone(&destination.time_zone)?);
    let mut key = prefix_of(destination, partition, &at, random)?;
    if key.len() > EVALUATED_BYTES {
        return Err(NameError::Long(key.len()));
    }
    key.push_str(&definition.name);
    key.push('-');
    key.push_str(&definition.version.to_string());
    key.push('-');
    print(NAME_PATTERN, &at, &mut key);
    // Writing to a string cannot fail.
    write!(key, "-{id}{}", extension(definition, partition)).unwrap_or_default();
    if key.len() > KEY_BYTES {
        return Err(NameError::Long(key.len()));
    }
    if !has_dot_segment(&key) {
        return Ok(key);
    }
    match partition {
        // Values of keys come with the data, and so do their dots.
        Partition::Keyed(_) => Ok(without_dot_segments(&key)),
        _ => Err(NameError::Dots),
    }
}

/// Firehose's rules: a prefix without expressions gets the hour appended, one with any gets nothing; an error prefix
/// without expressions gets the error type before that, and a missing one stands on the data prefix.
fn prefix_of(
    destination: &S3Destination,
    partition: &Partition,
    at: &Zoned,
    random: &Random,
) -> Result<String, PrefixError> {
    let no_values = Vec::new();
    let values = match partition {
        Partition::Keyed(values) => values,
        _ => &no_values,
    };
    let data = Prefix::parse(&destination.prefix, Place::Data, true)?;
    let (prefix, output) = match partition {
        Partition::Main | Partition::Keyed(_) | Partition::Source => (data, None),
        Partition::Error(output) if destination.error_output_prefix.is_empty() => {
            if data.has_expressions() {
                return Err(PrefixError::ErrorPrefixMissing);
            }
            (data, Some(*output))
        }
        Partition::Error(output) => {
            (Prefix::parse(&destination.error_output_prefix, Place::Error, false)?, Some(*output))
        }
    };
    let mut evaluated = String::new();
    prefix.evaluate(at, output, values, random, &mut evaluated);
    if !prefix.has_expressions() {
        if let Some(output) = output {
            evaluated.push_str(output.as_str());
            evaluated.push('/');
        }
        print(DEFAULT_PATTERN, at, &mut evaluated);
    }
    Ok(evaluated)
}

/// `FileExtension` replaces the format's or the compression's own; objects of the error output have none.
fn extension<'a>(definition: &'a Definition, partition: &Partition) -> &'a str {
    let destination = definition.s3_of(partition);
    // What is backed up is as it came.
    let conversion = definition.conversion.as_ref().filter(|_| *partition != Partition::Source);
    match (partition, conversion.map(|conversion| &conversion.output), destination.compression) {
        (Partition::Error(_), _, _) => "",
        _ if !destination.file_extension.is_empty() => &destination.file_extension,
        (_, Some(Serializer::Parquet(_)), _) => ".parquet",
        (_, Some(Serializer::Orc(_)), _) => ".orc",
        (_, _, Compression::Uncompressed) => "",
        (_, _, Compression::Gzip) => ".gz",
        (_, _, Compression::Zip) => ".zip",
        (_, _, Compression::Snappy | Compression::HadoopSnappy) => ".snappy",
        (_, _, Compression::Zstd) => ".zst",
    }
}

fn print(pattern: &str, at: &Zoned, out: &mut String) {
    if let Ok(pattern) = Pattern::parse(pattern) {
        pattern.print(at, out);
    }
}

fn has_dot_segment(key: &str) -> bool {
    key.split('/').any(|segment| matches!(segment, "." | ".."))
}

/// The key with segments of dots written as clients write letters that mean something.
fn without_dot_segments(key: &str) -> String {
    let segments = key.split('/').map(|segment| match segment {
        "." => "%2E",
        ".." => "%2E%2E",
        other => other,
    });
    segments.collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests;
