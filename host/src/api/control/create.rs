//! CreateDeliveryStream: from its input to the first version of a definition.

use serde_json::{Map, Value};

use super::destination::{check_hints, settle};
use super::tags::merged;
use crate::api::error::{Fault, invalid_argument};
use crate::api::model::{self, Node};
use crate::api::settings::NameRules;
use crate::definition::{Definition, Target};

/// Where and when a stream is made.
#[derive(Clone, Copy, Debug)]
pub(in crate::api) struct Place<'p> {
    /// Region of the ARN.
    pub(in crate::api) region: &'p str,
    /// Owner.
    pub(in crate::api) account: &'p str,
    /// Milliseconds since 1970.
    pub(in crate::api) now_ms: u64,
    /// Rules for prefixes and time zones.
    pub(in crate::api) names: NameRules,
}

/// Makes the definition that a document (checked against the model) asks for.
///
/// # Errors
/// `InvalidArgumentException` for a broken rule or for something this host does not offer.
pub(in crate::api) fn create(document: &Node<'_>, place: &Place<'_>) -> Result<Definition, Fault> {
    let destination = the_destination(document)?;
    check_source(document)?;
    if document.member("DeliveryStreamEncryptionConfigurationInput").is_some() {
        return Err(not_offered("DeliveryStreamEncryptionConfigurationInput"));
    }
    let shape = match destination {
        "ExtendedS3DestinationConfiguration" => &model::EXTENDED_S3_DESTINATION_CONFIGURATION,
        "S3DestinationConfiguration" => &model::S3_DESTINATION_CONFIGURATION,
        other => return Err(not_offered(other)),
    };
    let given = document.member(destination).map(|node| model::to_value(shape, node));
    let Some(Value::Object(given)) = given else { return Err(invalid_argument(EXACTLY_ONE)) };
    check_hints(&given)?;
    let settled = settle(given, place.names)?;

    let mut description = Map::new();
    description.insert("ExtendedS3DestinationDescription".to_owned(), Value::Object(settled.description));
    if let Some(source) = document.member("DirectPutSourceConfiguration") {
        let source = model::to_value(&model::DIRECT_PUT_SOURCE_CONFIGURATION, source);
        description.insert("DirectPutSourceDescription".to_owned(), source);
    }
    let tags = document.list("Tags");
    if !tags.is_empty() {
        description.insert("Tags".to_owned(), merged(&Value::Null, tags)?);
    }

    let name = document.text("DeliveryStreamName").unwrap_or_default().to_owned();
    let Place { region, account, .. } = place;
    Ok(Definition {
        arn: format!("arn:aws:firehose:{region}:{account}:deliverystream/{name}"),
        account_id: (*account).to_owned(),
        name,
        version: 1,
        created_ms: place.now_ms,
        updated_ms: None,
        s3: settled.destination,
        target: Target::S3,
        source_backup: None,
        partitioning: None,
        conversion: None,
        processors: settled.processors,
        document: Value::Object(description),
    })
}

/// The one wording for everything that Firehose has and this host does not.
pub(super) fn not_offered(what: &str) -> Fault {
    invalid_argument(format!("{what} is not offered by this host."))
}

pub(super) const EXACTLY_ONE: &str = "Exactly one destination configuration is supported for a Firehose";

fn the_destination<'n>(document: &'n Node<'_>) -> Result<&'n str, Fault> {
    let Node::Map(members) = document else { return Err(invalid_argument(EXACTLY_ONE)) };
    let mut given =
        members.iter().filter(|(name, value)| name.ends_with("DestinationConfiguration") && *value != Node::Null);
    match (given.next(), given.next()) {
        (Some((name, _)), None) if is_destination(name) => Ok(name),
        _ => Err(invalid_argument(EXACTLY_ONE)),
    }
}

fn is_destination(name: &str) -> bool {
    match &model::CREATE_DELIVERY_STREAM_INPUT {
        model::Shape::Structure(members) => members.iter().any(|member| member.name == name),
        _ => false,
    }
}

fn check_source(document: &Node<'_>) -> Result<(), Fault> {
    let kind = document.text("DeliveryStreamType").unwrap_or("DirectPut");
    if kind != "DirectPut" {
        return Err(not_offered(&format!("DeliveryStreamType {kind}")));
    }
    if document.member("KinesisStreamSourceConfiguration").is_some() {
        return Err(invalid_argument(
            "KinesisStreamSourceConfig is only applicable for KinesisStreamAsSource stream type",
        ));
    }
    for source in ["MSKSourceConfiguration", "DatabaseSourceConfiguration"] {
        if document.member(source).is_some() {
            return Err(not_offered(source));
        }
    }
    Ok(())
}
