//! What Describe and List show.

use std::sync::atomic::Ordering;

use serde_json::{Map, Value, json};

use super::kind::{EXTENDED_S3, Kind};
use super::members::arranged;
use crate::api::backend::{Stream, StreamStatus};
use crate::api::model::{self, Node};
use crate::definition::{Definition, Processor};

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
    add("Destinations", json!([destination(definition)]));
    add("HasMoreDestinations", json!(false));
    Value::Object(description)
}

/// The one destination; S3 is shown in both of its shapes.
fn destination(definition: &Definition) -> Value {
    let mut shown = json!({"DestinationId": DESTINATION_ID});
    let Some(kind) = Kind::of(&definition.document) else { return shown };
    if kind.stem == EXTENDED_S3 {
        let extended = definition.document[kind.description()].clone();
        shown["S3DestinationDescription"] = arranged(&model::S3_DESTINATION_CONFIGURATION, extended);
    }
    shown[kind.description()] = kind.shown(definition);
    shown
}

/// Answer of DescribeDeliveryStream. Who asks with our own members `IncludePluginState` and `IncludeDeliveryState` gets
/// others of ours beside the description; nobody else finds anything there that the service does not know.
pub(in crate::api) fn describe_answer(document: &Node<'_>, stream: &Stream) -> Value {
    let mut description = describe(&stream.definition, stream.status);
    // Destinations are paged like everything else, although there is only ever one.
    if document.text("ExclusiveStartDestinationId").is_some_and(|start| start >= DESTINATION_ID) {
        description["Destinations"] = json!([]);
    }
    let mut answer = json!({"DeliveryStreamDescription": description});
    if document.member("IncludePluginState") == Some(&Node::Boolean(true))
        && let Some(state) = plugin_state(stream)
    {
        answer["PluginState"] = state;
    }
    if document.member("IncludeDeliveryState") == Some(&Node::Boolean(true)) {
        answer["DeliveryState"] = json!({"State": stream.metrics.gates.state().as_str()});
    }
    answer
}

/// The stream's plugin, what happens while it keeps failing, and whether it does.
fn plugin_state(stream: &Stream) -> Option<Value> {
    stream.definition.processors.iter().find_map(|processor| match processor {
        Processor::Plugin { name, on_failure, .. } => {
            let breaker = if stream.breaker_open.load(Ordering::Relaxed) { "open" } else { "closed" };
            let mut state = json!({"Plugin": name, "OnPluginFailure": on_failure.as_str(), "Breaker": breaker});
            if let Some(reason) = &*stream.held.borrow() {
                state["Held"] = json!(reason);
            }
            Some(state)
        }
        _ => None,
    })
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
