//! What Describe and List show.

use serde_json::{Map, Value, json};

use super::destination::PLAIN_MEMBERS;
use crate::api::backend::StreamStatus;
use crate::api::model::Node;
use crate::definition::Definition;

/// The only destination a stream can have.
pub(super) const DESTINATION_ID: &str = "destinationId-000000000001";

/// `DeliveryStreamDescription` of a stream, with its one destination.
pub fn describe(definition: &Definition, status: StreamStatus) -> Value {
    let mut description = Map::new();
    let mut add = |name: &str, value: Value| {
        description.insert(name.to_owned(), value);
    };
    add("DeliveryStreamName", json!(definition.name));
    add("DeliveryStreamARN", json!(definition.arn));
    add("DeliveryStreamStatus", json!(status.as_str()));
    add("DeliveryStreamEncryptionConfiguration", json!({"Status": "DISABLED"}));
    add("DeliveryStreamType", json!("DirectPut"));
    add("VersionId", json!(definition.version.to_string()));
    add("CreateTimestamp", epoch_seconds(definition.created_ms));
    if let Some(updated_ms) = definition.updated_ms {
        add("LastUpdateTimestamp", epoch_seconds(updated_ms));
    }
    let document = &definition.document;
    if let Some(source) = document.get("DirectPutSourceDescription") {
        add("Source", json!({"DirectPutSourceDescription": source}));
    }
    let extended = &document["ExtendedS3DestinationDescription"];
    let plain: Map<String, Value> =
        PLAIN_MEMBERS.iter().filter_map(|name| Some(((*name).to_owned(), extended.get(*name)?.clone()))).collect();
    add(
        "Destinations",
        json!([{
            "DestinationId": DESTINATION_ID,
            "S3DestinationDescription": plain,
            "ExtendedS3DestinationDescription": extended,
        }]),
    );
    add("HasMoreDestinations", json!(false));
    Value::Object(description)
}

/// Answer of DescribeDeliveryStream.
pub(in crate::api) fn describe_answer(document: &Node<'_>, definition: &Definition, status: StreamStatus) -> Value {
    let mut description = describe(definition, status);
    // Destinations are paged like everything else, although there is only ever one.
    if document.text("ExclusiveStartDestinationId").is_some_and(|start| start >= DESTINATION_ID) {
        description["Destinations"] = json!([]);
    }
    json!({"DeliveryStreamDescription": description})
}

/// Answer of ListDeliveryStreams; `names` are sorted.
pub(in crate::api) fn list_answer(document: &Node<'_>, names: &[String]) -> Value {
    let limit = document.integer("Limit").and_then(|limit| usize::try_from(limit).ok()).unwrap_or(LIST_DEFAULT);
    let start = document.text("ExclusiveStartDeliveryStreamName").unwrap_or_default();
    let names = match document.text("DeliveryStreamType") {
        None | Some("DirectPut") => &names[names.partition_point(|name| name.as_str() <= start)..],
        Some(_) => &[],
    };
    let page = &names[..names.len().min(limit)];
    json!({"DeliveryStreamNames": page, "HasMoreDeliveryStreams": page.len() < names.len()})
}

const LIST_DEFAULT: usize = 10;

/// A number with a fraction, as SDKs other than boto need it.
fn epoch_seconds(milliseconds: u64) -> Value {
    json!(milliseconds as f64 / 1000.0)
}
