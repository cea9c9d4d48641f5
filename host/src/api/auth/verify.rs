//! Decides whether a signature holds, in the same steps for a known and an unknown key.

use std::collections::HashMap;
use std::fmt;
use std::sync::Mutex;

use hmac::{Hmac, KeyInit, Mac};
use hyper::header::{HOST, HeaderMap};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use super::canonical::{canonical_request, hex};
use super::header::{ALGORITHM, Claim, MISMATCH, X_AMZ_DATE, claim, invalid, stamp_of};
use crate::api::error::{Fault, authentication};
use crate::api::settings::{Authentication, Credential};

/// Knows the credentials, and checks requests against them.
pub(in crate::api) struct Verifier {
    region: String,
    mode: Mode,
}

enum Mode {
    Open { account_id: String },
    Signed { keys: HashMap<String, Key>, nobody: Key },
}

/// A credential with its signing key of the day.
struct Key {
    secret: SecretString,
    account_id: String,
    derived: Mutex<Option<(String, [u8; 32])>>,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").finish_non_exhaustive()
    }
}

impl Verifier {
    pub(in crate::api) fn new(authentication: &Authentication, region: &str) -> Self {
        let mode = match authentication {
            Authentication::None { account_id } => Mode::Open { account_id: account_id.clone() },
            Authentication::Sigv4(credentials) => Mode::Signed {
                keys: credentials
                    .iter()
                    .map(|credential| (credential.access_key_id.clone(), Key::new(credential)))
                    .collect(),
                nobody: Key {
                    secret: SecretString::from("an unknown key is checked against this, and refused anyway"),
                    account_id: String::new(),
                    derived: Mutex::default(),
                },
            },
        };
        Self { region: region.to_owned(), mode }
    }

    /// The account that a `POST /` with these headers, query and body comes from.
    ///
    /// # Errors
    /// The service's exception for what is missing, stale or wrong.
    pub(in crate::api) fn account(
        &self,
        headers: &HeaderMap,
        query: Option<&str>,
        body: &[u8],
        now_ms: u64,
    ) -> Result<&str, Fault> {
        match &self.mode {
            Mode::Open { account_id } => Ok(account_id),
            Mode::Signed { keys, nobody } => {
                let claim = claim(headers, query)?;
                self.check_scope(&claim)?;
                check_clock(&claim, now_ms)?;
                let known = keys.get(claim.access_key_id);
                let key = known.unwrap_or(nobody);
                let holds = query.is_none() && key.holds(&claim, headers, body);
                if known.is_none() || headers.contains_key("x-amz-security-token") {
                    return Err(authentication(
                        "UnrecognizedClientException",
                        "The security token included in the request is invalid.",
                    ));
                }
                if holds { Ok(&key.account_id) } else { Err(invalid(MISMATCH)) }
            }
        }
    }

    /// Row A7: the scope must be today's, ours and complete.
    fn check_scope(&self, claim: &Claim<'_>) -> Result<(), Fault> {
        let Claim { date, region, service, terminator, stamp, .. } = claim;
        if *region != self.region {
            return Err(invalid(format!("Credential should be scoped to a valid region, not '{region}'. ")));
        }
        if *service != SERVICE {
            return Err(invalid(format!("Credential should be scoped to correct service: '{SERVICE}'. ")));
        }
        if *terminator != TERMINATOR {
            let text =
                format!("Credential should be scoped with a valid terminator: '{TERMINATOR}', not '{terminator}'. ");
            return Err(invalid(text));
        }
        let day = &stamp[..8];
        if *date != day {
            return Err(invalid(format!(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: \
                 '{date}' != '{day}', from '{stamp}'."
            )));
        }
        Ok(())
    }
}

const SERVICE: &str = "firehose";
const TERMINATOR: &str = "aws4_request";

/// The service's window, either way.
const WINDOW_MINUTES: i64 = 5;

fn check_clock(claim: &Claim<'_>, now_ms: u64) -> Result<(), Fault> {
    let now = i64::try_from(now_ms / 1000).unwrap_or(i64::MAX);
    let stamp_at = |seconds: i64| jiff::Timestamp::from_second(seconds).map(stamp_of).unwrap_or_default();
    let window = WINDOW_MINUTES * 60;
    let (stamp, now_stamp) = (&claim.stamp, stamp_at(now));
    if claim.signed_seconds < now.saturating_sub(window) {
        let limit = stamp_at(now.saturating_sub(window));
        return Err(invalid(format!(
            "Signature expired: {stamp} is now earlier than {limit} ({now_stamp} - {WINDOW_MINUTES} min.)"
        )));
    }
    if claim.signed_seconds > now.saturating_add(window) {
        let limit = stamp_at(now.saturating_add(window));
        return Err(invalid(format!(
            "Signature not yet current: {stamp} is still later than {limit} ({now_stamp} + {WINDOW_MINUTES} min.)"
        )));
    }
    Ok(())
}

impl Key {
    fn new(credential: &Credential) -> Self {
        Self { secret: credential.secret.clone(), account_id: credential.account_id.clone(), derived: Mutex::default() }
    }

    /// Whether the request is the one that was signed with this key.
    fn holds(&self, claim: &Claim<'_>, headers: &HeaderMap, body: &[u8]) -> bool {
        let body_hash = hex(&Sha256::digest(body));
        let mut stated = headers.get_all("x-amz-content-sha256").iter();
        if stated.any(|stated| stated.as_bytes() != body_hash.as_bytes()) {
            return false;
        }
        // A doubled header could be read one way here and another way by whoever sits in front.
        let doubled = |name| headers.get_all(name).iter().nth(1).is_some();
        if doubled(HOST.as_str()) || doubled("content-type") || doubled("x-amz-target") || doubled("x-amz-date") {
            return false;
        }
        let date_header = if headers.contains_key(&X_AMZ_DATE) { "x-amz-date" } else { "date" };
        if !claim.signed_headers.split(';').any(|name| name == date_header) {
            return false;
        }
        let Some(request) = canonical_request(headers, claim.signed_headers, &body_hash) else { return false };
        let Claim { stamp, date, region, .. } = claim;
        let request_hash = hex(&Sha256::digest(&request));
        let text = format!("{ALGORITHM}\n{stamp}\n{date}/{region}/{SERVICE}/{TERMINATOR}\n{request_hash}");
        let signature = hex(&hmac(&self.signing_key(date, region), text.as_bytes()));
        let same: Choice = signature.as_bytes().ct_eq(claim.signature.as_bytes());
        same.into()
    }

    /// The key of the day; derived once a day, because the scope's other parts never change.
    fn signing_key(&self, date: &str, region: &str) -> [u8; 32] {
        let mut derived = self.derived.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some((_, key)) = derived.as_ref().filter(|(of, _)| of == date) {
            return *key;
        }
        let key = derive(self.secret.expose_secret(), date, region, SERVICE);
        *derived = Some((date.to_owned(), key));
        key
    }
}

/// The signing key of a day, region and service.
pub(super) fn derive(secret: &str, date: &str, region: &str, service: &str) -> [u8; 32] {
    let dated = hmac(format!("AWS4{secret}").as_bytes(), date.as_bytes());
    [region, service, TERMINATOR].iter().fold(dated, |key, part| hmac(&key, part.as_bytes()))
}

fn hmac(key: &[u8], text: &[u8]) -> [u8; 32] {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of every length")]
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of every length");
    mac.update(text);
    mac.finalize().into_bytes().into()
}
