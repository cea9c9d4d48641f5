//! Checked settings of S3 delivery. Values only; the defaults stand here with their reasons.

use std::path::PathBuf;
use std::time::Duration;

use aws_sdk_s3::types::ObjectCannedAcl;
use secrecy::SecretString;

use std::net::SocketAddr;

/// Which server to talk to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// Amazon's, or whatever `AWS_ENDPOINT_URL_S3` and the profile say.
    Aws,
    /// This URL.
    Url(String),
    /// A server inside this process.
    Embedded {
        /// Folder of buckets; created when missing.
        directory: PathBuf,
        /// Loopback address to serve on; port 0 takes a free one.
        listen: SocketAddr,
    },
}

/// When the SDK adds its own checksum to uploads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksums {
    /// Only where S3 insists. Bodies are covered by the signature's SHA-256 anyway.
    WhenRequired,
    /// Always. Some S3-compatible servers refuse it.
    WhenSupported,
}

/// A fixed key pair, instead of the SDK's environment and profile chain.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// Access key id.
    pub access_key_id: String,
    /// Secret access key.
    pub secret_access_key: SecretString,
}

/// How to talk to S3. One client serves the whole host.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Server.
    pub endpoint: Endpoint,
    /// Region requests are signed for.
    pub region: String,
    /// `host/bucket/key` instead of `bucket.host/key`; most S3-compatible servers need it.
    pub path_style: bool,
    /// `http://` endpoints are allowed.
    pub plaintext: bool,
    /// PEM certificates trusted beside the system's roots.
    pub roots_pem: Option<Vec<u8>>,
    /// `None`: the SDK's own chain (environment, profile, web identity, container, instance).
    pub credentials: Option<Credentials>,
    /// Objects are written with the access control list `bucket-owner-full-control`, for buckets of other accounts.
    pub bucket_owner_full_control: bool,
    /// Checksums beside the signature.
    pub checksums: Checksums,
    /// Limit of one TCP and TLS handshake.
    pub connect_timeout: Duration,
    /// Time any request may take before its body's size is considered.
    pub attempt_timeout: Duration,
    /// Slowest upload still waited for; each attempt gets `attempt_timeout` plus body size at this rate.
    pub slowest_bytes_per_second: u64,
    /// Bodies of this size and more are uploaded in parts.
    pub multipart_threshold_bytes: usize,
    /// Size of a part; S3 wants 5 MiB at least.
    pub part_bytes: usize,
    /// Attempts of one part before the whole upload is abandoned and begun anew by the retry wrapper.
    pub part_attempts: u32,
}

impl Settings {
    /// The defaults, for `endpoint`.
    pub fn new(endpoint: Endpoint, region: &str) -> Self {
        Self {
            path_style: endpoint != Endpoint::Aws,
            plaintext: matches!(endpoint, Endpoint::Embedded { .. }),
            endpoint,
            region: region.to_owned(),
            roots_pem: None,
            credentials: None,
            bucket_owner_full_control: false,
            // The stored Content-Encoding stays exactly ours: trailing checksums bring `aws-chunked`, which some
            // servers keep and others refuse.
            checksums: Checksums::WhenRequired,
            connect_timeout: Duration::from_secs(5),
            // S3 answers within a few seconds even when slow; half a minute tells slow from dead.
            attempt_timeout: Duration::from_secs(30),
            // A 64 MiB object over a bad 2 Mbit/s line still arrives.
            slowest_bytes_per_second: 256 * 1024,
            // Parts cost about 1.5 times the CPU of one put (benches/upload.rs: hashed once more, four requests more);
            // above this size what a failure repeats weighs more.
            multipart_threshold_bytes: 64 << 20,
            part_bytes: 8 << 20,
            part_attempts: 4,
        }
    }

    /// The access control list of new objects; none leaves the header out.
    pub(super) fn acl(&self) -> Option<ObjectCannedAcl> {
        self.bucket_owner_full_control.then_some(ObjectCannedAcl::BucketOwnerFullControl)
    }

    /// Time one request with a body of `bytes` may take.
    pub(super) fn limit_for(&self, bytes: usize) -> Duration {
        let seconds = u64::try_from(bytes).unwrap_or(u64::MAX) / self.slowest_bytes_per_second.max(1);
        self.attempt_timeout.saturating_add(Duration::from_secs(seconds))
    }
}
