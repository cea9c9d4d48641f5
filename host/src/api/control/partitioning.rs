//! DynamicPartitioningConfiguration: what it needs of the rest of the configuration, and the keys it means.
//!
//! Unlike with the service it may be switched on and off at any time; the rules are the same every time.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::members::{fill_member, is_enabled, text};
use super::processing::Steps;
use crate::api::error::{Fault, invalid_argument};
use crate::api::settings::Rules;
use crate::definition::{KeySource, Partitioning, Processor, S3Destination};

/// Name of the block.
pub(super) const BLOCK: &str = "DynamicPartitioningConfiguration";

/// Least `SizeInMBs`.
const LEAST_MB: u64 = 64;
/// Least `IntervalInSeconds`.
const LEAST_SECONDS: u64 = 60;
/// How long failures of partitions are retried, unless given; Describe shows it.
const RETRY_SECONDS: u32 = 300;
/// Keys of one query; the service's quota.
const QUERY_KEYS: usize = 50;

/// Checks what does not need the prefix to be understood. The block is enabled.
///
/// # Errors
/// `InvalidArgumentException`.
pub(super) fn check(given: &Map<String, Value>, steps: &Steps) -> Result<(), Fault> {
    let least = |member: &str, least: u64| {
        let value = given.get("BufferingHints").and_then(|hints| hints[member].as_u64());
        value.is_none_or(|value| value >= least)
    };
    let broken = if !least("SizeInMBs", LEAST_MB) {
        "BufferingHints.SizeInMBs must be at least 64 when Dynamic Partitioning is enabled."
    } else if !least("IntervalInSeconds", LEAST_SECONDS) {
        "BufferingHints.IntervalInSeconds must be at least 60 seconds when Dynamic Partitioning is enabled."
    } else if !text(given, "Prefix").contains("!{partitionKeyFrom") && steps.extensions.event_key.is_none() {
        "S3 Prefix should contain Dynamic Partitioning namespaces when Dynamic Partitioning is enabled"
    } else if !steps.is_enabled {
        "Processing Configuration is not enabled when DataPartitioning is enabled"
    } else {
        return Ok(());
    };
    Err(invalid_argument(broken))
}

/// The keys of the prefix, and whether the processors say them all. None while the block is not enabled.
///
/// # Errors
/// `InvalidArgumentException`.
pub(super) fn settle(
    given: &mut Map<String, Value>,
    s3: &S3Destination,
    steps: &Steps,
    rules: &Rules,
) -> Result<Option<Partitioning>, Fault> {
    let extracts = steps.processors.iter().any(|step| matches!(step, Processor::ExtractMetadata { .. }));
    fill_member(given, BLOCK, "Enabled", json!(false));
    if !is_enabled(given, BLOCK) {
        if steps.extensions.event_key.is_some() {
            return Err(event_time_only_with_partitions());
        }
        if extracts {
            return Err(only_with_partitions());
        }
        return Ok(None);
    }
    let Some(Value::Object(block)) = given.get_mut(BLOCK) else { return Ok(None) };
    super::members::retry_seconds(block, RETRY_SECONDS);

    let partitioning = (rules.names.partitioning)(s3, steps.extensions.event_key.as_ref()).map_err(invalid_argument)?;
    let uses = |source: KeySource| partitioning.said_keys().any(|key| key.source == source);
    let runs_plugin = steps.processors.iter().any(|step| matches!(step, Processor::Plugin { .. }));
    if uses(KeySource::Plugin) && !runs_plugin {
        return Err(invalid_argument(
            "Lambda should be present when S3 Prefix contains keys from partitionKeyFromLambda namespace",
        ));
    }
    if uses(KeySource::Query) && !extracts {
        return Err(invalid_argument(
            "MetadataExtraction processor should be present when S3 Prefix has partitionKeyFromQuery namespace.",
        ));
    }
    check_query_keys(&partitioning, steps.query_keys.as_deref())?;
    Ok(Some(partitioning))
}

/// What a query says and what the prefix uses are the same keys. Nothing is known of a query whose keys depend on the
/// record.
fn check_query_keys(partitioning: &Partitioning, said: Option<&[String]>) -> Result<(), Fault> {
    let Some(said) = said.filter(|said| !said.is_empty()) else { return Ok(()) };
    if said.len() > QUERY_KEYS {
        return Err(invalid_argument(format!("MetadataExtractionQuery must not have more than {QUERY_KEYS} keys.")));
    }
    let said: BTreeSet<&str> = said.iter().map(String::as_str).collect();
    let used: BTreeSet<&str> =
        partitioning.said_keys().filter(|key| key.source == KeySource::Query).map(|key| key.name.as_str()).collect();
    if let Some(key) = used.difference(&said).next() {
        return Err(invalid_argument(format!(
            "S3 Prefix contains !{{partitionKeyFromQuery:{key}}}, but MetadataExtractionQuery has no key {key}."
        )));
    }
    if let Some(key) = said.difference(&used).next() {
        return Err(invalid_argument(format!(
            "MetadataExtractionQuery has the key {key}, but S3 Prefix does not contain !{{partitionKeyFromQuery:{key}}}."
        )));
    }
    Ok(())
}

/// The refusal of event time where there are no partitions.
pub(super) fn event_time_only_with_partitions() -> Fault {
    invalid_argument("EventTime can only be used when Dynamic Partitioning is enabled.")
}

/// The refusal of a query where there is nothing to partition.
pub(super) fn only_with_partitions() -> Fault {
    invalid_argument("MetadataExtraction processor can only be used when Dynamic Partitioning is enabled.")
}
