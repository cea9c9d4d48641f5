//! Everything the API can be told: who may call, from where in the world, and how much is too much.
//!
//! Values are checked by `config`; defaults of limits live here, each with its reason. Reads no file and no environment.

use std::time::Duration;

use secrecy::SecretString;

use crate::definition::{PartitionKey, Partitioning, S3Destination};

/// Settings of the API.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Who may call.
    pub authentication: Authentication,
    /// Region in ARNs and in credential scopes.
    pub region: String,
    /// Streams an account may have; Firehose's own quota in its large regions is 5,000.
    pub stream_quota: usize,
    /// Rules for texts whose meaning belongs to later stages.
    pub names: NameRules,
    /// Compiles a query of a MetadataExtraction processor and returns the keys it says, none where they depend on the
    /// record; the error is the message of the `InvalidArgumentException`.
    pub check_query: fn(&str) -> Result<Vec<String>, String>,
    /// Whether destinations may have `http://` addresses.
    pub plaintext: bool,
    /// Bounds on what a caller can make the host hold.
    pub limits: Limits,
}

impl Settings {
    /// What the control plane needs of them.
    pub(super) fn rules(&self) -> Rules {
        Rules { names: self.names, check_query: self.check_query, plaintext: self.plaintext }
    }
}

/// Rules of other stages, and of the operator, for what a destination may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// As in [`Settings`].
    pub(super) names: NameRules,
    /// As in [`Settings`].
    pub(super) check_query: fn(&str) -> Result<Vec<String>, String>,
    /// As in [`Settings`].
    pub(super) plaintext: bool,
}

/// How callers prove who they are.
#[derive(Clone, Debug)]
pub enum Authentication {
    /// Signature Version 4 with these credentials.
    Sigv4(Vec<Credential>),
    /// Everybody is this account. Only safe on loopback; `config` refuses it elsewhere.
    None {
        /// Twelve digits.
        account_id: String,
    },
}

/// A static key pair. It has no session token: a request that carries `X-Amz-Security-Token` uses temporary
/// credentials that nobody issued here, and is refused as the service refuses a token it does not know.
#[derive(Clone, Debug)]
pub struct Credential {
    /// Public half.
    pub access_key_id: String,
    /// Secret half.
    pub secret: SecretString,
    /// Account whose streams it opens, twelve digits.
    pub account_id: String,
}

/// Which member a prefix stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrefixPlace {
    /// `Prefix`.
    Data,
    /// `ErrorOutputPrefix`.
    Error,
}

/// Checks borrowed from the stage that evaluates prefixes; the API may not import it.
#[derive(Clone, Copy, Debug)]
pub struct NameRules {
    /// Checks a prefix expression, which may hold keys of dynamic partitioning when the flag is set; the error is the message of the `InvalidArgumentException`.
    pub prefix: fn(&str, PrefixPlace, bool) -> Result<(), String>,
    /// Checks all names of a destination together, after each alone; the error is a message as above.
    pub destination: fn(&S3Destination, bool) -> Result<(), String>,
    /// What dynamic partitioning by the destination's prefix means, with the key of event time where there is one; the
    /// error is a message as above.
    pub partitioning: fn(&S3Destination, Option<&PartitionKey>) -> Result<Partitioning, String>,
    /// Whether this is the IANA name of a time zone.
    pub time_zone: fn(&str) -> bool,
}

/// Bounds on what callers can make the host hold or wait for (rows A1, A2, A9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one request's header block. SDKs send about 1 KiB, more with session tokens and proxies in front.
    pub header_bytes: usize,
    /// Headers of one request; SDKs send about ten.
    pub header_count: usize,
    /// From the first moment of waiting for a request until its last header byte. Also ends idle connections.
    pub header_deadline: Duration,
    /// Bytes of one body. The service answers 413 above 7 MiB; 4 MiB of data is 5.6 MiB of base64.
    pub body_bytes: usize,
    /// A body may take this long however small it is.
    pub body_grace: Duration,
    /// Beyond the grace, a body must have come in at this average rate.
    pub body_bytes_per_second: u32,
    /// Bytes of all bodies held at once (their decoded records come on top, three quarters of it at most); beyond it
    /// callers get 503 at once. Never less than one body is admitted.
    pub in_flight_bytes: usize,
    /// Connections open at once.
    pub connections: usize,
    /// Connections open at once from one address.
    pub connections_per_address: usize,
    /// On shutdown, requests under way may take this long.
    pub shutdown_grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            header_bytes: 16 << 10,
            header_count: 64,
            header_deadline: Duration::from_secs(30),
            body_bytes: 7 << 20,
            body_grace: Duration::from_secs(10),
            body_bytes_per_second: 64 << 10,
            in_flight_bytes: 64 << 20,
            connections: 1024,
            connections_per_address: 512,
            shutdown_grace: Duration::from_secs(10),
        }
    }
}
