//! HTTP endpoints: where requests go, what stands in their headers, and what becomes of those that fail.
//!
//! No request is made here; whether anybody listens shows with the first delivery, as with the service.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::kind::Settled;
use super::login::{self, ENDPOINT, fits_a_header};
use super::members::{Hints, buffering, fill, fill_member, given_text, logging, retry_seconds, text, text_within};
use super::processing::{self, Context};
use super::{endpoint, s3};
use crate::api::error::{Fault, invalid_argument};
use crate::api::settings::Rules;
use crate::definition::{HttpEndpoint, Target};

/// Seconds, unless given.
const RETRY_SECONDS: u32 = 300;

/// Checks the configuration and fills its defaults in.
///
/// # Errors
/// `InvalidArgumentException`.
pub(super) fn settle(mut given: Map<String, Value>, rules: &Rules) -> Result<Settled, Fault> {
    let member = |name: &str| text_within(&given, ENDPOINT, name).to_owned();
    let (url, access_key) = (member("Url"), member("AccessKey"));
    endpoint::check(&url, "EndpointConfiguration.Url", rules)?;
    if !fits_a_header(&access_key) {
        return Err(invalid_argument("EndpointConfiguration.AccessKey must fit into an HTTP header."));
    }
    let access_key = login::login(&given, login::key(&access_key), "EndpointConfiguration.AccessKey")?;
    let attributes = attributes(&given)?;
    let buffering = buffering(&mut given, Hints { size_mb: 5, seconds: 300 })?;
    logging(&mut given)?;
    fill_member(&mut given, REQUEST, "ContentEncoding", json!("NONE"));
    let of_s3 = || text_within(&given, "S3Configuration", "RoleARN").to_owned();
    let role = given_text(&given, "RoleARN").unwrap_or_else(of_s3);
    let steps = processing::settle(&mut given, &Context { role: &role, lambda_size: "1", rules })?;
    let steps = steps.without_partitions()?;
    let body = steps.extensions.endpoint_body.unwrap_or_default();
    let processors = steps.without_backup()?;
    let retry_seconds = retry_seconds(&mut given, RETRY_SECONDS);
    fill(&mut given, "S3BackupMode", json!("FailedDataOnly"));
    let s3 = s3::nested(&mut given, rules)?;
    let http = HttpEndpoint {
        url,
        access_key,
        is_compressed: text_within(&given, REQUEST, "ContentEncoding") == "GZIP",
        body,
        attributes,
        buffering,
        retry_seconds,
        backs_up_all: text(&given, "S3BackupMode") == "AllData",
    };
    Ok(Settled {
        members: given,
        s3,
        target: Target::HttpEndpoint(http),
        source_backup: None,
        partitioning: None,
        conversion: None,
        processors,
    })
}

const REQUEST: &str = "RequestConfiguration";

/// They travel as one JSON object in a header, where a name can stand once.
fn attributes(given: &Map<String, Value>) -> Result<Vec<(String, String)>, Fault> {
    let list = given.get(REQUEST).and_then(|request| request["CommonAttributes"].as_array());
    let text = |attribute: &Value, member: &str| attribute[member].as_str().unwrap_or_default().to_owned();
    let attributes: Vec<(String, String)> = list
        .into_iter()
        .flatten()
        .map(|attribute| (text(attribute, "AttributeName"), text(attribute, "AttributeValue")))
        .collect();
    let mut seen = HashSet::new();
    match attributes.iter().find(|(name, _)| !seen.insert(name.as_str())) {
        Some((name, _)) => Err(invalid_argument(format!("Duplicate AttributeName {name} in CommonAttributes."))),
        None => Ok(attributes),
    }
}
