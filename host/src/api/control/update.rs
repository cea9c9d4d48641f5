//! UpdateDestination: the rules by which a new configuration goes over the one in force.

use serde_json::{Map, Value};

use super::create::EXACTLY_ONE;
use super::describe::DESTINATION_ID;
use super::kind::{EXTENDED_S3, KINDS, Kind};
use super::login::{self, ENDPOINT, SECRETS_MANAGER};
use super::members::text;
use crate::api::error::{Fault, concurrent_modification, invalid_argument};
use crate::api::model::{self, Node};
use crate::api::settings::Rules;
use crate::definition::Definition;

/// The next version of a definition.
///
/// # Errors
/// `ConcurrentModificationException` or `InvalidArgumentException`.
pub(in crate::api) fn update(
    current: &Definition,
    document: &Node<'_>,
    now_ms: u64,
    rules: &Rules,
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
    let (kind, given) = the_update(document)?;
    let in_force = Kind::of(&current.document).filter(|in_force| in_force.described == kind.described);
    let in_force = in_force.ok_or_else(|| other_kind(current, kind))?;
    let merged = overlaid(in_force.in_force(current), given);
    check_backup_mode(text(&in_force.in_force(current), MODE), text(&merged, MODE))?;
    let mut next = current.clone();
    in_force.settle_into(&mut next, merged, rules)?;
    next.version += 1;
    next.updated_ms = Some(now_ms);
    Ok(next)
}

const MODE: &str = "S3BackupMode";

/// The configuration in force with an update over it: each member whole, except where the service goes deeper.
fn overlaid(mut members: Map<String, Value>, given: Map<String, Value>) -> Map<String, Value> {
    if given.get(SECRETS_MANAGER).is_some_and(|block| block["Enabled"] == true) {
        login::forget(&mut members);
    }
    for (name, value) in given {
        match name.as_str() {
            "DataFormatConversionConfiguration" => merge(members.entry(name).or_insert_with(empty), value),
            "S3Update" => merge(members.entry("S3Configuration").or_insert_with(empty), value),
            "S3BackupUpdate" => merge(members.entry("S3BackupConfiguration").or_insert_with(empty), value),
            ENDPOINT => login::replace_endpoint(&mut members, value),
            // Hints as a pair, processing with all its processors.
            _ => {
                members.insert(name, value);
            }
        }
    }
    members
}

fn empty() -> Value {
    Value::Object(Map::new())
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

/// More may be backed up than before, never less.
fn check_backup_mode(current: &str, next: &str) -> Result<(), Fault> {
    let is_final = matches!(current, "Enabled" | "AllData" | "AllEvents" | "AllDocuments");
    if is_final && next != current {
        return Err(invalid_argument(format!("{MODE} cannot be changed from {current} to {next}.")));
    }
    Ok(())
}

fn the_update(document: &Node<'_>) -> Result<(&'static Kind, Map<String, Value>), Fault> {
    let mut given = KINDS.iter().filter_map(|kind| {
        let node = document.member(&format!("{}DestinationUpdate", kind.stem))?;
        Some((kind, model::to_value(kind.update, node)))
    });
    match (given.next(), given.next()) {
        (Some((kind, Value::Object(given))), None) => Ok((kind, given)),
        _ => Err(invalid_argument(EXACTLY_ONE)),
    }
}

/// Says which of the two kinds is in the way; changing from or to S3 is not what is refused.
fn other_kind(current: &Definition, given: &Kind) -> Fault {
    let current = Kind::of(&current.document).map_or(EXTENDED_S3, |kind| kind.stem);
    let told = if given.described == EXTENDED_S3 { current } else { given.stem };
    invalid_argument(format!("Changing the destination type to or from {told} is not supported at this time."))
}
