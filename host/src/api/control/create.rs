//! CreateDeliveryStream: from its input to the first version of a definition.

use serde_json::{Map, Value};

use super::kind::{KINDS, Kind};
use super::tags::merged;
use crate::api::error::{Fault, invalid_argument};
use crate::api::model::{self, Node};
use crate::api::settings::Rules;
use crate::definition::{Compression, Definition, S3Destination, Target};

/// Where and when a stream is made.
#[derive(Clone, Copy, Debug)]
pub(in crate::api) struct Place<'p> {
    /// Region of the ARN.
    pub(in crate::api) region: &'p str,
    /// Owner.
    pub(in crate::api) account: &'p str,
    /// Milliseconds since 1970.
    pub(in crate::api) now_ms: u64,
    /// Rules borrowed from other stages.
    pub(in crate::api) rules: Rules,
}

/// Makes the definition that a document (checked against the model) asks for.
///
/// # Errors
/// `InvalidArgumentException` for a broken rule or for something this host does not offer.
pub(in crate::api) fn create(document: &Node<'_>, place: &Place<'_>) -> Result<Definition, Fault> {
    let (kind, node) = the_destination(document)?;
    check_source(document)?;
    if document.member("DeliveryStreamEncryptionConfigurationInput").is_some() {
        return Err(not_offered("DeliveryStreamEncryptionConfigurationInput"));
    }
    let Value::Object(given) = model::to_value(kind.configuration, node) else {
        return Err(invalid_argument(EXACTLY_ONE));
    };
    let mut definition = blank(document.text("DeliveryStreamName").unwrap_or_default(), place);
    kind.settle_into(&mut definition, given, &place.rules)?;
    if let Some(source) = document.member("DirectPutSourceConfiguration") {
        let source = model::to_value(&model::DIRECT_PUT_SOURCE_CONFIGURATION, source);
        definition.document["DirectPutSourceDescription"] = source;
    }
    let tags = document.list("Tags");
    if !tags.is_empty() {
        definition.document["Tags"] = merged(&Value::Null, tags)?;
    }
    Ok(definition)
}

/// A first version that a destination is then laid over.
fn blank(name: &str, place: &Place<'_>) -> Definition {
    let Place { region, account, .. } = place;
    Definition {
        arn: format!("arn:aws:firehose:{region}:{account}:deliverystream/{name}"),
        account_id: (*account).to_owned(),
        name: name.to_owned(),
        version: 1,
        created_ms: place.now_ms,
        updated_ms: None,
        s3: S3Destination {
            bucket: String::new(),
            prefix: String::new(),
            error_output_prefix: String::new(),
            buffer_bytes: 0,
            buffer_seconds: 0,
            compression: Compression::Uncompressed,
            file_extension: String::new(),
            time_zone: String::new(),
            kms_key_arn: None,
            sizes_compressed: false,
        },
        target: Target::S3,
        source_backup: None,
        partitioning: None,
        conversion: None,
        processors: Vec::new(),
        document: Value::Object(Map::new()),
    }
}

/// The one wording for everything that Firehose has and this host does not.
pub(super) fn not_offered(what: &str) -> Fault {
    invalid_argument(format!("{what} is not offered by this host."))
}

pub(super) const EXACTLY_ONE: &str = "Exactly one destination configuration is supported for a Firehose";

fn the_destination<'n>(document: &'n Node<'n>) -> Result<(&'static Kind, &'n Node<'n>), Fault> {
    let Node::Map(members) = document else { return Err(invalid_argument(EXACTLY_ONE)) };
    let mut given = members.iter().filter_map(|(name, value)| {
        let stem = name.strip_suffix("DestinationConfiguration")?;
        (*value != Node::Null).then_some((stem, value))
    });
    let (Some((stem, node)), None) = (given.next(), given.next()) else { return Err(invalid_argument(EXACTLY_ONE)) };
    let kind = KINDS.iter().find(|kind| kind.stem == stem);
    kind.map(|kind| (kind, node)).ok_or_else(|| invalid_argument(EXACTLY_ONE))
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
