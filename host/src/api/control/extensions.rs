//! The processor `Hydrant`: it does nothing, and carries extensions of ours. SDKs do not check the words of an enum, so
//! they send it.
//!
//! Refuses every parameter that it does not know by name: a misspelt extension must not be passed over.

use serde_json::Value;

use super::processing::{parameter, parameters, unescaped};
use crate::api::error::{Fault, invalid_argument};
use crate::definition::{EndpointBody, KeySource, PartitionKey};

/// `Type` of the processor.
pub(super) const KIND: &str = "Hydrant";

/// The extension that Firehose lacks most: source records are backed up without anything between them there.
const BACKUP_DELIMITER: &str = "SourceBackupDelimiter";

/// Webhooks take one message, not Firehose's requests.
const ENDPOINT_BODY: &str = "EndpointBody";

/// Timestamps of the prefix are the records' own.
const EVENT_TIME: &str = "EventTime";

/// The size hint is about objects as they are stored.
const COMPRESSED_SIZE: &str = "CompressedSizeHint";

/// All parameters, as refusals list them.
const PARAMETERS: [&str; 4] = [COMPRESSED_SIZE, ENDPOINT_BODY, EVENT_TIME, BACKUP_DELIMITER];

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Extensions {
    /// What stands after each record of the source backup.
    pub(super) backup_delimiter: Option<String>,
    /// What a request to an HTTP endpoint holds.
    pub(super) endpoint_body: Option<EndpointBody>,
    /// The key whose values are the records' own time.
    pub(super) event_key: Option<PartitionKey>,
    /// The size hint is about objects as they are stored.
    pub(super) sizes_compressed: bool,
}

impl Extensions {
    /// Of a stream without a source backup.
    ///
    /// # Errors
    /// `InvalidArgumentException` when a delimiter was given for it.
    pub(super) fn refuse_backup_delimiter(&self) -> Result<(), Fault> {
        match self.backup_delimiter {
            None => Ok(()),
            Some(_) => {
                Err(invalid_argument(format!("{BACKUP_DELIMITER} can only be used when S3BackupMode is Enabled.")))
            }
        }
    }

    /// Of a stream to something else.
    ///
    /// # Errors
    /// `InvalidArgumentException` when it was said what an endpoint gets.
    pub(super) fn refuse_endpoint_body(&self) -> Result<(), Fault> {
        match self.endpoint_body {
            None => Ok(()),
            Some(_) => Err(invalid_argument(format!(
                "{ENDPOINT_BODY} can only be used with HttpEndpointDestinationConfiguration."
            ))),
        }
    }
}

/// Reads the processor's parameters.
///
/// # Errors
/// `InvalidArgumentException`.
pub(super) fn settle(processor: &Value) -> Result<Extensions, Fault> {
    if let Some((unknown, _)) = parameters(processor).find(|(name, _)| !PARAMETERS.contains(name)) {
        let known = PARAMETERS.join(", ");
        return Err(invalid_argument(format!("Processor type {KIND} has no parameter {unknown}; it has {known}.")));
    }
    let endpoint_body = parameter(processor, ENDPOINT_BODY).map(|word| {
        let found = EndpointBody::ALL.into_iter().find(|body| body.as_str() == word);
        let words = EndpointBody::ALL.map(EndpointBody::as_str).join(" or ");
        found.ok_or_else(|| invalid_argument(format!("{ENDPOINT_BODY} must be {words} for {KIND} processor.")))
    });
    Ok(Extensions {
        backup_delimiter: parameter(processor, BACKUP_DELIMITER).map(unescaped),
        endpoint_body: endpoint_body.transpose()?,
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
