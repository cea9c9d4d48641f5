//! What we add to ProcessingConfiguration: a processor of a type of our own that does nothing and holds parameters.
//!
//! SDKs do not check the words of an enum, so they send it as it is. Refuses parameters that it does not have, by name.

use serde_json::Value;

use super::processing::{parameter, parameters};
use crate::api::error::{Fault, invalid_argument};
use crate::definition::{KeySource, PartitionKey};

/// What our own processor asks for.
#[derive(Clone, Debug, Default)]
pub(super) struct Extensions {
    /// What stands after each record of the source backup.
    pub(super) backup_delimiter: Option<String>,
    /// The key whose values are the records' own time.
    pub(super) event_key: Option<PartitionKey>,
    /// The size hint is about objects as they are stored.
    pub(super) sizes_compressed: bool,
}

/// Type of the processor.
pub(super) const HYDRANT: &str = "Hydrant";

/// The extension that Firehose lacks most: source records are backed up without anything between them there.
pub(super) const BACKUP_DELIMITER: &str = "SourceBackupDelimiter";

/// Timestamps of the prefix are the records' own.
const EVENT_TIME: &str = "EventTime";

/// The size hint is about objects as they are stored.
const COMPRESSED_SIZE: &str = "CompressedSizeHint";

/// All parameters, as refusals list them.
const PARAMETERS: [&str; 3] = [BACKUP_DELIMITER, EVENT_TIME, COMPRESSED_SIZE];

/// Reads the processor's parameters.
///
/// # Errors
/// `InvalidArgumentException`.
pub(super) fn settle(processor: &Value) -> Result<Extensions, Fault> {
    if let Some((unknown, _)) = parameters(processor).find(|(name, _)| !PARAMETERS.contains(name)) {
        let known = PARAMETERS.join(", ");
        return Err(invalid_argument(format!("Processor type {HYDRANT} has no parameter {unknown}; it has {known}.")));
    }
    Ok(Extensions {
        backup_delimiter: parameter(processor, BACKUP_DELIMITER).map(unescaped),
        event_key: parameter(processor, EVENT_TIME).map(event_key).transpose()?,
        sizes_compressed: match parameter(processor, COMPRESSED_SIZE) {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => return Err(invalid_argument(format!("{COMPRESSED_SIZE} must be true or false."))),
        },
    })
}

/// The refusal of what is about objects where the destination takes none, or takes them by its own rules.
pub(super) fn compressed_size_only_with_s3() -> Fault {
    invalid_argument(format!("{COMPRESSED_SIZE} can only be used when records are delivered to S3."))
}

/// The key that an expression names, written as in a prefix.
fn event_key(given: &str) -> Result<PartitionKey, Fault> {
    let expression = given.strip_prefix("!{").and_then(|rest| rest.strip_suffix('}'));
    let key = match expression.and_then(|expression| expression.split_once(':')) {
        Some(("partitionKeyFromQuery", name)) => Some((KeySource::Query, name)),
        Some(("partitionKeyFromLambda", name)) => Some((KeySource::Plugin, name)),
        _ => None,
    };
    let key =
        key.filter(|(_, name)| !name.is_empty() && !name.contains(['{', '}']) && !name.chars().any(char::is_control));
    let (source, name) = key.ok_or_else(|| {
        invalid_argument(format!(
            "{EVENT_TIME} must be !{{partitionKeyFromQuery:key}} or !{{partitionKeyFromLambda:key}}."
        ))
    })?;
    Ok(PartitionKey { source, name: name.to_owned(), uses: 0 })
}

/// A delimiter comes as text with backslash escapes: the two characters `\n` mean a newline.
pub(super) fn unescaped(given: &str) -> String {
    let mut delimiter = String::new();
    let mut letters = given.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            delimiter.push(letter);
            continue;
        }
        match letters.next() {
            Some('n') => delimiter.push('\n'),
            Some('r') => delimiter.push('\r'),
            Some('t') => delimiter.push('\t'),
            Some('\\') => {
                // `\\n` is how `\n` looks after one escaping too many, a frequent sight; it means a newline, too.
                let rest = letters.as_str();
                if !rest.starts_with(['n', 'r', 't']) {
                    delimiter.push('\\');
                    continue;
                }
                delimiter.push(match letters.next() {
                    Some('r') => '\r',
                    Some('t') => '\t',
                    _ => '\n',
                });
            }
            Some(other) => delimiter.extend(['\\', other]),
            None => delimiter.push('\\'),
        }
    }
    delimiter
}
