//! UpdateDestination: the rules by which a new configuration goes over the one in force.

use serde_json::{Map, Value};

use super::create::{EXACTLY_ONE, not_offered};
use super::describe::DESTINATION_ID;
use super::destination::{check_hints, settle};
use crate::api::error::{Fault, concurrent_modification, invalid_argument};
use crate::api::model::{self, Node};
use crate::api::settings::NameRules;
use crate::definition::Definition;

/// The next version of a definition.
///
/// # Errors
/// `ConcurrentModificationException` or `InvalidArgumentException`.
pub(in crate::api) fn update(
    current: &Definition,
    document: &Node<'_>,
    now_ms: u64,
    names: NameRules,
) -> Result<Definition, Fault> {
    let version = document.text("CurrentDeliveryStreamVersionId").unwrap_or_default();
    if version != current.version.to_string() {
        return Err(concurrent_modification(format!(
            "Cannot update firehose: {} since the current version id: {} and specified version id: {version} do not \
             match",
            current.name, current.version
        )));
    }
    let destination_id = document.text("DestinationId").unwrap_or_default();
    if destination_id != DESTINATION_ID {
        return Err(invalid_argument(format!("Destination Id {destination_id} not found")));
    }
    let given = the_update(document)?;
    check_hints(&given)?;
    let mut merged = match &current.document["ExtendedS3DestinationDescription"] {
        Value::Object(description) => description.clone(),
        _ => Map::new(),
    };
    for (name, value) in given {
        match (name.as_str(), value) {
            ("DataFormatConversionConfiguration", value) => {
                merge(merged.entry(name).or_insert_with(|| Value::Object(Map::new())), value);
            }
            // Everything else goes over whole: hints as a pair, processing with all its processors.
            (_, value) => {
                merged.insert(name, value);
            }
        }
    }
    let settled = settle(merged, names)?;
    let mut next = current.clone();
    next.version += 1;
    next.updated_ms = Some(now_ms);
    next.s3 = settled.destination;
    next.processors = settled.processors;
    next.document["ExtendedS3DestinationDescription"] = Value::Object(settled.description);
    Ok(next)
}

/// Member by member, and so within a schema, too.
fn merge(into: &mut Value, from: Value) {
    let (Value::Object(into), Value::Object(from)) = (into, from) else { return };
    for (name, value) in from {
        match into.get_mut(&name) {
            Some(old) if name == "SchemaConfiguration" => merge(old, value),
            _ => {
                into.insert(name, value);
            }
        }
    }
}

fn the_update(document: &Node<'_>) -> Result<Map<String, Value>, Fault> {
    let mut given = UPDATES.iter().filter_map(|name| Some((*name, document.member(name)?)));
    let (Some((name, node)), None) = (given.next(), given.next()) else { return Err(invalid_argument(EXACTLY_ONE)) };
    let shape = match name {
        "S3DestinationUpdate" => &model::S3_DESTINATION_UPDATE,
        "ExtendedS3DestinationUpdate" => &model::EXTENDED_S3_DESTINATION_UPDATE,
        other => return Err(other_kind(other)),
    };
    match model::to_value(shape, node) {
        Value::Object(given) => Ok(given),
        _ => Err(invalid_argument(EXACTLY_ONE)),
    }
}

const UPDATES: [&str; 10] = [
    "S3DestinationUpdate",
    "ExtendedS3DestinationUpdate",
    "RedshiftDestinationUpdate",
    "ElasticsearchDestinationUpdate",
    "AmazonopensearchserviceDestinationUpdate",
    "SplunkDestinationUpdate",
    "HttpEndpointDestinationUpdate",
    "AmazonOpenSearchServerlessDestinationUpdate",
    "SnowflakeDestinationUpdate",
    "IcebergDestinationUpdate",
];

fn other_kind(update: &str) -> Fault {
    let kind = update.trim_end_matches("DestinationUpdate");
    match kind {
        "Elasticsearch" | "Amazonopensearchservice" | "AmazonOpenSearchServerless" | "HttpEndpoint" => {
            invalid_argument(format!("Changing the destination type to or from {kind} is not supported at this time."))
        }
        _ => not_offered(update),
    }
}
