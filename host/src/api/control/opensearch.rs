//! OpenSearch Service, Elasticsearch and OpenSearch Serverless: three shapes of one destination.
//!
//! This host looks no domain up, so the address has to be given.

use serde_json::{Map, Value, json};

use super::create::not_offered;
use super::kind::Settled;
use super::members::{Hints, buffering, fill, given_text, logging, retry_seconds, text, text_within};
use super::processing::{self, Context};
use super::{endpoint, s3};
use crate::api::error::{Fault, invalid_argument};
use crate::api::settings::Rules;
use crate::definition::{IndexRotation, OpenSearch, SearchFlavour, Target};

/// Seconds, unless given.
const RETRY_SECONDS: u32 = 300;

/// Bytes of an index name, rotation included; the server's limit.
const INDEX_BYTES: usize = 255;

/// Longest ending that rotation adds: `-yyyy-MM-dd-HH`.
const ROTATION_BYTES: usize = 14;

/// As [`settle`], for `AmazonopensearchserviceDestinationConfiguration`.
pub(super) fn settle_opensearch(given: Map<String, Value>, rules: &Rules) -> Result<Settled, Fault> {
    settle(given, SearchFlavour::OpenSearch, rules)
}

/// As [`settle`], for `ElasticsearchDestinationConfiguration`.
pub(super) fn settle_elasticsearch(given: Map<String, Value>, rules: &Rules) -> Result<Settled, Fault> {
    settle(given, SearchFlavour::Elasticsearch, rules)
}

/// As [`settle`], for `AmazonOpenSearchServerlessDestinationConfiguration`.
pub(super) fn settle_serverless(given: Map<String, Value>, rules: &Rules) -> Result<Settled, Fault> {
    settle(given, SearchFlavour::Serverless, rules)
}

/// Checks the configuration and fills its defaults in.
fn settle(mut given: Map<String, Value>, flavour: SearchFlavour, rules: &Rules) -> Result<Settled, Fault> {
    if given.contains_key("VpcConfiguration") {
        return Err(not_offered("VpcConfiguration"));
    }
    let endpoint = address(&given, flavour, rules)?;
    let index = text(&given, "IndexName").to_owned();
    check_index(&index)?;
    let buffering = buffering(&mut given, Hints { size_mb: 5, seconds: 300 })?;
    logging(&mut given)?;
    let role = text(&given, "RoleARN").to_owned();
    let steps = processing::settle(&mut given, &Context { role: &role, lambda_size: "1", rules })?;
    let processors = steps.without_partitions()?.without_endpoint()?.without_backup()?;
    let retry_seconds = retry_seconds(&mut given, RETRY_SECONDS);
    fill(&mut given, "S3BackupMode", json!("FailedDocumentsOnly"));
    let is_serverless = flavour == SearchFlavour::Serverless;
    if !is_serverless {
        fill(&mut given, "IndexRotationPeriod", json!("OneDay"));
    }
    let s3 = s3::nested(&mut given, rules)?;
    let format = text_within(&given, "DocumentIdOptions", "DefaultDocumentIdFormat");
    let search = OpenSearch {
        flavour,
        endpoint,
        index,
        type_name: text(&given, "TypeName").to_owned(),
        rotation: match text(&given, "IndexRotationPeriod") {
            "OneHour" => IndexRotation::OneHour,
            "OneDay" => IndexRotation::OneDay,
            "OneWeek" => IndexRotation::OneWeek,
            "OneMonth" => IndexRotation::OneMonth,
            _ => IndexRotation::NoRotation,
        },
        has_document_ids: format != "NO_DOCUMENT_ID",
        buffering,
        retry_seconds,
        backs_up_all: text(&given, "S3BackupMode") == "AllDocuments",
    };
    Ok(Settled {
        members: given,
        s3,
        target: Target::OpenSearch(search),
        source_backup: None,
        partitioning: None,
        conversion: None,
        processors,
    })
}

fn address(given: &Map<String, Value>, flavour: SearchFlavour, rules: &Rules) -> Result<String, Fault> {
    let member = if flavour == SearchFlavour::Serverless { "CollectionEndpoint" } else { "ClusterEndpoint" };
    let has_domain = given_text(given, "DomainARN").is_some();
    match given_text(given, member) {
        Some(_) if has_domain => {
            Err(invalid_argument("Exactly one of DomainARN or ClusterEndpoint must be specified."))
        }
        Some(endpoint) => endpoint::base(&endpoint, member, rules),
        None if has_domain => Err(invalid_argument(
            "DomainARN is not offered by this host, which cannot look a domain up; specify ClusterEndpoint instead.",
        )),
        None => Err(invalid_argument(format!("{member} must not be null"))),
    }
}

/// The rules of OpenSearch for index names; a name that breaks one would fail with every record.
fn check_index(index: &str) -> Result<(), Fault> {
    let is_forbidden = |letter: char| letter.is_whitespace() || letter.is_control() || "\\/*?\"<>|,#:".contains(letter);
    let rule = if index.contains(is_forbidden) {
        "must not contain spaces or any of \\ / * ? \" < > | , # :"
    } else if index.chars().any(char::is_uppercase) {
        "must be lower case"
    } else if index.starts_with(['_', '-', '+']) {
        "must not begin with _, - or +"
    } else if matches!(index, "." | "..") {
        "must not be . or .."
    } else if index.len() > INDEX_BYTES - ROTATION_BYTES {
        "must not be longer than 241 bytes"
    } else {
        return Ok(());
    };
    Err(invalid_argument(format!("IndexName {rule}.")))
}
