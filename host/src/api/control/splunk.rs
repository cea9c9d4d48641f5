//! Splunk: the event collector, its token, and how long an acknowledgement is waited for.
//!
//! Nothing is sent here; a wrong token shows with the first delivery, as with the service.

use serde_json::{Map, Value, json};

use super::kind::Settled;
use super::login::{self, SECRETS_MANAGER, fits_a_header};
use super::members::{Hints, buffering, fill, is_enabled, logging, retry_seconds, text, text_within, whole};
use super::processing::{self, Context};
use super::{endpoint, s3};
use crate::api::error::{Fault, invalid_argument};
use crate::api::settings::Rules;
use crate::definition::{Login, Splunk, Target};

/// Seconds, unless given.
const RETRY_SECONDS: u32 = 300;

/// Seconds, unless given; the model bounds what is given to 180 to 600.
const ACKNOWLEDGEMENT_SECONDS: u32 = 180;

const ACKNOWLEDGEMENT: &str = "HECAcknowledgmentTimeoutInSeconds";

/// Checks the configuration and fills its defaults in.
///
/// # Errors
/// `InvalidArgumentException`.
pub(super) fn settle(mut given: Map<String, Value>, rules: &Rules) -> Result<Settled, Fault> {
    let endpoint = endpoint::base(text(&given, "HECEndpoint"), "HECEndpoint", rules)?;
    let token = token(&given)?;
    let buffering = buffering(&mut given, Hints { size_mb: 5, seconds: 60 })?;
    logging(&mut given)?;
    let role = text_within(&given, "S3Configuration", "RoleARN").to_owned();
    let steps = processing::settle(&mut given, &Context { role: &role, lambda_size: "0.25", rules })?;
    let processors = steps.without_partitions()?.without_endpoint()?.without_backup()?;
    let retry_seconds = retry_seconds(&mut given, RETRY_SECONDS);
    fill(&mut given, ACKNOWLEDGEMENT, json!(ACKNOWLEDGEMENT_SECONDS));
    fill(&mut given, "S3BackupMode", json!("FailedEventsOnly"));
    let s3 = s3::nested(&mut given, rules)?;
    let splunk = Splunk {
        endpoint,
        is_raw: text(&given, "HECEndpointType") == "Raw",
        token,
        acknowledgement_seconds: whole(&given[ACKNOWLEDGEMENT]).unwrap_or(ACKNOWLEDGEMENT_SECONDS),
        buffering,
        retry_seconds,
        backs_up_all: text(&given, "S3BackupMode") == "AllEvents",
    };
    Ok(Settled {
        members: given,
        s3,
        target: Target::Splunk(splunk),
        source_backup: None,
        partitioning: None,
        conversion: None,
        processors,
    })
}

fn token(given: &Map<String, Value>) -> Result<Login, Fault> {
    let token = text(given, "HECToken");
    if !fits_a_header(token) {
        return Err(invalid_argument("HECToken must fit into an HTTP header."));
    }
    // There is no role of the destination that it could fall back to.
    if is_enabled(given, SECRETS_MANAGER) && text_within(given, SECRETS_MANAGER, "RoleARN").is_empty() {
        return Err(invalid_argument("SecretsManagerConfiguration.RoleARN must not be null for a Splunk destination."));
    }
    match login::login(given, login::key(token), "HECToken")? {
        Login::None => {
            Err(invalid_argument("HECToken, or SecretsManagerConfiguration with Enabled true, must be specified."))
        }
        login => Ok(login),
    }
}
