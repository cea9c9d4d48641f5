//! Passwords, keys and tokens: read out of a configuration, kept out of everything that is shown.
//!
//! The definition's `target` is the only place that holds them. Refuses to look a stored secret up.

use serde_json::{Map, Value, json};

use super::members::{is_enabled, text, text_within};
use crate::api::error::{Fault, invalid_argument};
use crate::definition::{Login, Secret, Target};

/// How to log in: with what was given, or with a stored secret, but not with both.
///
/// # Errors
/// `InvalidArgumentException`, which names `given_names` for what was given.
pub(super) fn login(members: &Map<String, Value>, given: Option<Login>, given_names: &str) -> Result<Login, Fault> {
    if !is_enabled(members, SECRETS_MANAGER) {
        return Ok(given.unwrap_or(Login::None));
    }
    if given.is_some() {
        return Err(invalid_argument(format!(
            "{given_names} must not be specified when {SECRETS_MANAGER} is enabled."
        )));
    }
    match text_within(members, SECRETS_MANAGER, "SecretARN") {
        "" => Err(invalid_argument(format!("{SECRETS_MANAGER}.SecretARN must not be null when it is enabled."))),
        arn => Ok(Login::Stored(arn.to_owned())),
    }
}

/// A key or token without a user.
pub(super) fn key(secret: &str) -> Option<Login> {
    let secret = Some(secret).filter(|secret| !secret.is_empty())?;
    Some(Login::Given { user: String::new(), secret: Secret::new(secret) })
}

/// Takes the secrets out of a configuration.
pub(super) fn hide(members: &mut Map<String, Value>) {
    members.remove(PASSWORD);
    members.remove(TOKEN);
    if let Some(Value::Object(endpoint)) = members.get_mut(ENDPOINT) {
        endpoint.remove(ACCESS_KEY);
    }
}

/// Takes out everything that was given to log in with, for an update to a stored secret.
pub(super) fn forget(members: &mut Map<String, Value>) {
    hide(members);
    members.remove("Username");
}

/// Puts the secrets of a target back where [`hide`] took them from.
pub(super) fn restore(members: &mut Map<String, Value>, target: &Target) {
    let (login, place) = match target {
        Target::Redshift(redshift) => (&redshift.login, PASSWORD),
        Target::Splunk(splunk) => (&splunk.token, TOKEN),
        Target::HttpEndpoint(endpoint) => (&endpoint.access_key, ACCESS_KEY),
        Target::S3 | Target::OpenSearch(_) => return,
    };
    let Login::Given { secret, .. } = login else { return };
    let members = match members.get_mut(ENDPOINT) {
        Some(Value::Object(endpoint)) if place == ACCESS_KEY => endpoint,
        _ => members,
    };
    members.insert(place.to_owned(), json!(secret.expose()));
}

/// Lays `EndpointConfiguration` over the one in force. It is replaced whole, except that the key, which Describe does
/// not show, stays for the same address; another address never gets it.
pub(super) fn replace_endpoint(members: &mut Map<String, Value>, mut endpoint: Value) {
    if let (Some(Value::Object(old)), Value::Object(new)) = (members.get(ENDPOINT), &mut endpoint)
        && text(old, "Url") == text(new, "Url")
        && !new.contains_key(ACCESS_KEY)
        && let Some(kept) = old.get(ACCESS_KEY)
    {
        new.insert(ACCESS_KEY.to_owned(), kept.clone());
    }
    members.insert(ENDPOINT.to_owned(), endpoint);
}

/// Whether the text can stand in an HTTP header.
pub(super) fn fits_a_header(text: &str) -> bool {
    hyper::header::HeaderValue::from_str(text).is_ok() && text.is_ascii()
}

pub(super) const SECRETS_MANAGER: &str = "SecretsManagerConfiguration";
pub(super) const ENDPOINT: &str = "EndpointConfiguration";
const PASSWORD: &str = "Password";
const TOKEN: &str = "HECToken";
const ACCESS_KEY: &str = "AccessKey";
