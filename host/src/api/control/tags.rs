//! Tags of a stream: kept in its document, in the order in which their keys first came.

use serde_json::{Value, json};

use crate::api::error::{Fault, invalid_argument, limit_exceeded};
use crate::api::model::Node;
use crate::definition::Definition;

/// Tags of one stream; the service's quota.
const TAGS: usize = 50;

/// Lays tags over those there are. A key that comes twice in one call is an error.
///
/// # Errors
/// `InvalidArgumentException` or `LimitExceededException`.
pub(super) fn merged(current: &Value, given: &[Node<'_>]) -> Result<Value, Fault> {
    let mut tags = current.as_array().cloned().unwrap_or_default();
    for (at, tag) in given.iter().enumerate() {
        let key = tag.text("Key").unwrap_or_default();
        if given[..at].iter().any(|earlier| earlier.text("Key") == Some(key)) {
            return Err(invalid_argument(format!("Duplicate tag key {key} in the request.")));
        }
        let mut entry = json!({"Key": key});
        if let Some(value) = tag.text("Value") {
            entry["Value"] = json!(value);
        }
        match tags.iter_mut().find(|tag| tag["Key"] == key) {
            Some(old) => *old = entry,
            None => tags.push(entry),
        }
    }
    if tags.len() > TAGS {
        return Err(limit_exceeded(format!("A delivery stream can have at most {TAGS} tags.")));
    }
    Ok(Value::Array(tags))
}

/// TagDeliveryStream. The version stays: tags are no part of the destination.
///
/// # Errors
/// As [`merged`].
pub(in crate::api) fn tag(current: &Definition, document: &Node<'_>) -> Result<Definition, Fault> {
    let mut next = current.clone();
    next.document["Tags"] = merged(&current.document["Tags"], document.list("Tags"))?;
    Ok(next)
}

/// UntagDeliveryStream. Keys that are not there are ignored.
pub(in crate::api) fn untag(current: &Definition, document: &Node<'_>) -> Definition {
    let mut next = current.clone();
    let keys = document.list("TagKeys");
    let named = |tag: &Value| keys.iter().any(|key| matches!(key, Node::Text(key) if tag["Key"] == key.as_ref()));
    if let Some(tags) = next.document.get_mut("Tags").and_then(Value::as_array_mut) {
        tags.retain(|tag| !named(tag));
    }
    next
}

/// Answer of ListTagsForDeliveryStream.
pub(in crate::api) fn list_tags_answer(definition: &Definition, document: &Node<'_>) -> Value {
    let limit = document.integer("Limit").and_then(|limit| usize::try_from(limit).ok()).unwrap_or(TAGS);
    let all = definition.document["Tags"].as_array().map(Vec::as_slice).unwrap_or_default();
    let start = match document.text("ExclusiveStartTagKey") {
        None => 0,
        Some(key) => all.iter().position(|tag| tag["Key"] == key).map_or(all.len(), |at| at + 1),
    };
    let rest = &all[start..];
    let page = &rest[..rest.len().min(limit)];
    json!({"Tags": page, "HasMoreTags": page.len() < rest.len()})
}
