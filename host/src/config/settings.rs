//! Checked settings: every value in here is legal. Plain values only; refuses to carry components or to check again.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use super::AddressRange;

/// Everything the host obeys.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Journal, spool, plugin cache. One process at a time.
    pub data_dir: PathBuf,
    /// Watched: `NAME.wasm` in here is plugin `NAME`.
    pub plugin_dir: PathBuf,
    /// Region in ARNs and in signatures.
    pub region: String,
    /// Account of requests when authentication is off: twelve digits.
    pub account_id: String,
    /// The Firehose API.
    pub api: Api,
    /// Health and metrics.
    pub admin: Admin,
    /// S3 destinations.
    pub s3: S3,
    /// Where tenants' destinations may point.
    pub egress: Egress,
    /// Tables for format conversion.
    pub catalog: Option<Catalog>,
    /// Loading into Redshift.
    pub redshift: Redshift,
    /// What destinations log in with.
    pub secrets: Secrets,
    /// Search destinations.
    pub opensearch: OpenSearch,
    /// The durable buffer.
    pub journal: Journal,
    /// Memory shared by all streams.
    pub memory: Memory,
    /// Dynamic partitioning.
    pub partitions: Partitions,
    /// Ceilings of every plugin.
    pub plugins: Plugins,
    /// What happens on SIGTERM.
    pub shutdown: Shutdown,
    /// Logs on standard error.
    pub log: Log,
}

/// The Firehose API.
#[derive(Clone, Debug)]
pub struct Api {
    /// Address to listen on; port 0 takes any free one.
    pub listen: SocketAddr,
    /// Who may call.
    pub authentication: Authentication,
}

/// Who may call the API.
#[derive(Clone, Debug)]
pub enum Authentication {
    /// Anybody who reaches the (loopback) address; requests belong to [`Settings::account_id`].
    None,
    /// Holders of one of these credentials, proven by Signature Version 4. Never empty.
    Sigv4(Vec<Credential>),
}

/// One access key.
#[derive(Clone, Debug)]
pub struct Credential {
    /// Public half.
    pub access_key_id: String,
    /// Secret half; `Debug` hides it.
    pub secret_access_key: SecretString,
    /// Account whose streams it may use.
    pub account_id: String,
}

/// Health and metrics.
#[derive(Clone, Debug)]
pub struct Admin {
    /// Address to listen on; port 0 takes any free one.
    pub listen: SocketAddr,
}

/// S3 destinations.
#[derive(Clone, Debug)]
pub struct S3 {
    /// Where buckets are.
    pub endpoint: S3Endpoint,
    /// Bucket in the path instead of in the host name.
    pub path_style: bool,
    /// Address of the embedded server; always loopback.
    pub listen: SocketAddr,
    /// Longest time one request to S3 may take.
    pub timeout: Duration,
    /// Objects above this size are uploaded in parts of it.
    pub part_bytes: u64,
    /// Objects belong to the bucket's owner, whoever that is.
    pub bucket_owner_full_control: bool,
}

/// Where buckets are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum S3Endpoint {
    /// A server inside this process, files under `data_dir/s3`.
    Embedded,
    /// An S3-compatible server.
    Url(String),
    /// AWS, or whatever the SDK's own environment and profile say.
    Aws,
}

/// Where tenants' destinations may point.
#[derive(Clone, Debug, Default)]
pub struct Egress {
    /// Ranges allowed beside public addresses.
    pub allow: Vec<AddressRange>,
    /// Whether `http://` endpoints are allowed.
    pub plaintext: bool,
    /// Certificates trusted beside the system's roots, PEM.
    pub ca_file: Option<PathBuf>,
    /// Names answered from here instead of from DNS.
    pub resolve: BTreeMap<String, IpAddr>,
}

/// Tables for format conversion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Catalog {
    /// `DATABASE/TABLE.json` in the shape of Glue's `GetTable` answer.
    Directory(PathBuf),
    /// A Glue-compatible URL.
    Endpoint(String),
}

/// Loading into Redshift.
#[derive(Clone, Debug)]
pub struct Redshift {
    /// Least wait before a batch is loaded again.
    pub retry: Duration,
}

/// What destinations log in with.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    /// `NAME.json` in here is the secret that streams name by an ARN that ends in `:secret:NAME`.
    pub dir: Option<PathBuf>,
}

/// Search destinations.
#[derive(Clone, Debug, Default)]
pub struct OpenSearch {
    /// How to log in, at most once for each endpoint and account.
    pub credentials: Vec<SearchCredential>,
}

/// How to log in at one search endpoint.
#[derive(Clone, Debug)]
pub struct SearchCredential {
    /// Scheme, host and port; no final slash.
    pub endpoint: String,
    /// Account whose streams log in so, twelve digits: a login that anybody could use by naming the endpoint would be
    /// anybody's (row X11).
    pub account_id: String,
    /// What is shown to it.
    pub access: SearchAccess,
}

/// What a search endpoint is shown.
#[derive(Clone, Debug)]
pub enum SearchAccess {
    /// A user with a password.
    Basic {
        /// User name.
        username: String,
        /// Password; `Debug` hides it.
        password: SecretString,
    },
    /// A signature with the host's own AWS credentials.
    Sigv4,
}

/// The durable buffer.
#[derive(Clone, Debug)]
pub struct Journal {
    /// Most bytes of all segments; puts are refused before that.
    pub capacity_bytes: u64,
    /// Bytes of one preallocated segment.
    pub segment_bytes: u64,
    /// Most bytes of recent frames kept in memory for readers.
    pub cache_bytes: u64,
}

/// Dynamic partitioning.
#[derive(Clone, Debug)]
pub struct Partitions {
    /// Partitions that a stream fills at once.
    pub active_count: u64,
    /// What becomes of one more.
    pub overflow: Overflow,
}

/// What becomes of a partition too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// Its records go to the error output.
    Refuse,
    /// The partition that is due first is cut early.
    Cut,
}

/// Memory shared by all streams.
#[derive(Clone, Debug)]
pub struct Memory {
    /// Most bytes of records held in memory between socket and object.
    pub budget_bytes: u64,
}

/// Ceilings of every plugin.
#[derive(Clone, Debug)]
pub struct Plugins {
    /// Most linear memory of one instance.
    pub memory_bytes: u64,
    /// Longest wall time of one batch.
    pub deadline: Duration,
    /// Most output bytes of one batch.
    pub output_bytes: u64,
    /// Most bytes of log lines of one batch.
    pub log_bytes: u64,
    /// Recent records of each stream that a new version is tried with.
    pub trial_records: u64,
    /// One batch of each plugin in this time is run twice and compared; zero: none is.
    pub double_run: Duration,
    /// Time in which a canary has its share once.
    pub canary_period: Duration,
    /// What each is configured with, by its name: names and values.
    pub settings: BTreeMap<String, Vec<(String, String)>>,
    /// What each may have if it declares that it needs it, by its name.
    pub grants: BTreeMap<String, BTreeSet<Capability>>,
    /// Most processor time of compiling one.
    pub compile: Duration,
    /// Most address space of compiling one.
    pub compile_memory_bytes: u64,
}

/// Something that a plugin may be granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Capability {
    /// Its settings are its environment, too.
    Environment,
}

/// What happens on SIGTERM.
#[derive(Clone, Debug)]
pub struct Shutdown {
    /// Longest time given to deliver what is sealed. The rest stays in the journal.
    pub grace: Duration,
}

/// Logs on standard error.
#[derive(Clone, Copy, Debug)]
pub struct Log {
    /// For people or for machines.
    pub format: LogFormat,
    /// Least severe level that is written.
    pub level: Level,
}

/// Shape of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One readable line.
    Human,
    /// One JSON object.
    Json,
}

/// Severity of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Someone must act, or data is gone.
    Error,
    /// Odd but safe.
    Warn,
    /// Lifecycle.
    Info,
    /// For who debugs a stream.
    Debug,
    /// For who debugs Hydrant.
    Trace,
}
