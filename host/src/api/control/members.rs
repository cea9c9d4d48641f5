//! Reading and completing configurations that are still JSON: the rules that several destinations share.
//!
//! Knows members by name only; what a member means is the business of the destination that has it.

use serde_json::{Map, Value, json};

use crate::api::error::{Fault, invalid_argument};
use crate::api::model::Shape;
use crate::definition::Buffering;

/// The text of a member; empty when there is none.
pub(super) fn text<'v>(given: &'v Map<String, Value>, name: &str) -> &'v str {
    given.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// The text of a member of a block; empty when there is none.
pub(super) fn text_within<'v>(given: &'v Map<String, Value>, block: &str, member: &str) -> &'v str {
    given.get(block).and_then(|block| block[member].as_str()).unwrap_or_default()
}

/// The text of a member that may be missing or empty.
pub(super) fn given_text(given: &Map<String, Value>, name: &str) -> Option<String> {
    Some(text(given, name)).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// Gives a member a value unless it has one.
pub(super) fn fill(given: &mut Map<String, Value>, name: &str, default: Value) {
    given.entry(name).or_insert(default);
}

/// Gives a member of a block a value unless it has one; no block, no value.
pub(super) fn fill_member(given: &mut Map<String, Value>, block: &str, member: &str, default: Value) {
    if let Some(Value::Object(block)) = given.get_mut(block) {
        fill(block, member, default);
    }
}

/// Whether a block is there and says `Enabled`.
pub(super) fn is_enabled(given: &Map<String, Value>, block: &str) -> bool {
    given.get(block).is_some_and(|block| block["Enabled"] == true)
}

/// Fills `RetryOptions` in and returns its seconds. The model bounds them.
pub(super) fn retry_seconds(given: &mut Map<String, Value>, default: u32) -> u32 {
    fill(given, "RetryOptions", json!({}));
    fill_member(given, "RetryOptions", "DurationInSeconds", json!(default));
    whole(&given["RetryOptions"]["DurationInSeconds"]).unwrap_or(default)
}

/// Checks and fills `BufferingHints`: both members or neither. The model bounds them.
///
/// # Errors
/// `InvalidArgumentException`.
pub(super) fn buffering(given: &mut Map<String, Value>, default: Hints) -> Result<Buffering, Fault> {
    if let Some(hints) = given.get("BufferingHints")
        && hints["SizeInMBs"].is_null() != hints["IntervalInSeconds"].is_null()
    {
        return Err(invalid_argument("Both SizeInMBs and IntervalInSeconds are required to configure BufferingHints."));
    }
    fill(given, "BufferingHints", json!({}));
    fill_member(given, "BufferingHints", "SizeInMBs", json!(default.size_mb));
    fill_member(given, "BufferingHints", "IntervalInSeconds", json!(default.seconds));
    let hints = &given["BufferingHints"];
    Ok(Buffering {
        bytes: u64::from(whole(&hints["SizeInMBs"]).unwrap_or(default.size_mb)) << 20,
        seconds: whole(&hints["IntervalInSeconds"]).unwrap_or(default.seconds),
    })
}

/// Defaults of `BufferingHints`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hints {
    /// `SizeInMBs`, MiB.
    pub(super) size_mb: u32,
    /// `IntervalInSeconds`.
    pub(super) seconds: u32,
}

/// Checks and fills `CloudWatchLoggingOptions`.
///
/// # Errors
/// `InvalidArgumentException`.
pub(super) fn logging(given: &mut Map<String, Value>) -> Result<(), Fault> {
    if is_enabled(given, "CloudWatchLoggingOptions") && given["CloudWatchLoggingOptions"]["LogGroupName"].is_null() {
        return Err(invalid_argument("CloudWatch Log Group Name is required if CloudWatch Logging is enabled"));
    }
    fill(given, "CloudWatchLoggingOptions", json!({}));
    fill_member(given, "CloudWatchLoggingOptions", "Enabled", json!(false));
    Ok(())
}

/// A number that the model has bounded to what fits.
pub(super) fn whole(value: &Value) -> Option<u32> {
    value.as_u64().and_then(|number| u32::try_from(number).ok())
}

/// The members in the order in which the model has them; others are left out.
pub(super) fn arranged(shape: &Shape, value: Value) -> Value {
    match (shape, value) {
        (Shape::Structure(members), Value::Object(mut given)) => {
            let arrange = |member: &crate::api::model::Member| {
                let value = given.remove(member.name)?;
                Some((member.name.to_owned(), arranged(member.shape, value)))
            };
            Value::Object(members.iter().filter_map(arrange).collect())
        }
        (Shape::List { member, .. }, Value::Array(items)) => {
            Value::Array(items.into_iter().map(|item| arranged(member, item)).collect())
        }
        (_, value) => value,
    }
}
