//! What a Redshift destination is made of, checked once: after that every statement can be built.

use std::time::Duration;

use jiff::tz::TimeZone;

use crate::definition::{Login, Redshift, RedshiftTextError, S3Destination};
use crate::record::StreamId;

/// How one stream loads into Redshift. One destination serves one stream.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Cluster, table and login.
    pub redshift: Redshift,
    /// Where objects and manifests are staged.
    pub staging: S3Destination,
    /// The stream.
    pub stream: StreamId,
    /// Its name, for the ledger's readers.
    pub stream_name: String,
    /// Least wait before a batch is delivered again.
    pub retry_interval: Duration,
    /// Limit for connection, TLS and login together.
    pub connect_timeout: Duration,
    /// Limit of one statement; the cluster is asked to keep it, too.
    pub statement_timeout: Duration,
    /// A connection without TLS is made where the server has none.
    pub plaintext: bool,
    /// PEM certificates trusted beside the system's roots.
    pub ca_pem: Option<Vec<u8>>,
}

/// Why there can be no destination with these settings.
#[derive(Debug, thiserror::Error)]
pub enum SetUpError {
    /// A text that would be more than its part of a statement.
    #[error(transparent)]
    Text(#[from] RedshiftTextError),
    /// It stands between quotes in a statement.
    #[error("{0} must not hold quotes, backslashes, semicolons or control characters")]
    Literal(&'static str),
    /// Not in the IANA database.
    #[error("there is no time zone {0}")]
    TimeZone(String),
    /// Neither a password nor a secret.
    #[error("Redshift needs Username and Password, or a secret that holds them")]
    NoLogin,
    /// The PEM file holds no certificate, or the system has none.
    #[error("no certificate can be trusted: {0}")]
    Roots(String),
}

impl Settings {
    /// The defaults.
    pub fn new(redshift: Redshift, staging: S3Destination, stream: StreamId, stream_name: &str) -> Self {
        Self {
            redshift,
            staging,
            stream,
            stream_name: stream_name.to_owned(),
            // Firehose's own.
            retry_interval: Duration::from_secs(300),
            // A resumed serverless work group lets callers wait for some seconds.
            connect_timeout: Duration::from_secs(30),
            // A COPY of a thousand objects on a small, busy cluster takes minutes; an hour tells slow from dead.
            statement_timeout: Duration::from_secs(3600),
            plaintext: false,
            ca_pem: None,
        }
    }

    /// Checks all that stands in statements; the time zone of names.
    pub(super) fn check(&self) -> Result<TimeZone, SetUpError> {
        let Redshift { table, columns, copy_options, role_arn, login, .. } = &self.redshift;
        Redshift::check_table(table)?;
        Redshift::check_columns(columns)?;
        Redshift::check_copy_options(copy_options)?;
        let literals = [
            ("RoleARN", role_arn),
            ("BucketARN", &self.staging.bucket),
            ("Prefix", &self.staging.prefix),
            ("DeliveryStreamName", &self.stream_name),
        ];
        for (name, text) in literals {
            // A semicolon separates the parts of CREDENTIALS; a backslash is read in two ways.
            if text.contains(['\'', '"', '\\', ';']) || text.chars().any(char::is_control) {
                return Err(SetUpError::Literal(name));
            }
        }
        if *login == Login::None {
            return Err(SetUpError::NoLogin);
        }
        let zone = if self.staging.time_zone.is_empty() { "UTC" } else { &self.staging.time_zone };
        TimeZone::get(zone).map_err(|_| SetUpError::TimeZone(zone.to_owned()))
    }
}
