//! The one table of keys: name, default, reason. `check` prints it and the reader obeys it, so they cannot disagree.
//! Names and defaults are promises: add, never rename.

/// One key of the file.
#[derive(Debug)]
pub(super) struct Key {
    /// Dotted path.
    pub(super) path: &'static str,
    /// Value when the file says nothing.
    pub(super) default: Default,
    /// Why that default, shown by `check`.
    pub(super) reason: &'static str,
}

/// What holds when the file says nothing.
#[derive(Debug)]
pub(super) enum Default {
    /// A text.
    Text(&'static str),
    /// A number, and the range that the file may choose from.
    Number { value: u64, least: u64, most: u64 },
    /// A choice of on and off.
    Flag(bool),
    /// Nothing; shown as this.
    Unset(&'static str),
}

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const TIB: u64 = 1 << 40;

const fn text(path: &'static str, value: &'static str, reason: &'static str) -> Key {
    Key { path, default: Default::Text(value), reason }
}

const fn number(path: &'static str, value: u64, least: u64, most: u64, reason: &'static str) -> Key {
    Key { path, default: Default::Number { value, least, most }, reason }
}

const fn flag(path: &'static str, value: bool, reason: &'static str) -> Key {
    Key { path, default: Default::Flag(value), reason }
}

const fn unset(path: &'static str, shown: &'static str, reason: &'static str) -> Key {
    Key { path, default: Default::Unset(shown), reason }
}

pub(super) const DATA_DIR: Key = text("data_dir", "data", "beside the configuration file");
pub(super) const PLUGIN_DIR: Key = text("plugin_dir", "plugins", "beside the configuration file");
pub(super) const REGION: Key = text("region", "us-east-1", "the region most tools assume");
pub(super) const ACCOUNT_ID: Key = text("account_id", "000000000000", "the account local AWS tools assume");

pub(super) const API_LISTEN: Key =
    text("api.listen", "127.0.0.1:4573", "reachable from this machine only, on the port local Firehose tools use");
pub(super) const API_AUTHENTICATION: Key = text("api.authentication", "sigv4", "nobody calls without a key");
pub(super) const API_CREDENTIALS: Key = unset("api.credentials", "none", "no key is built in");

pub(super) const ADMIN_LISTEN: Key = text("admin.listen", "127.0.0.1:9573", "reachable from this machine only");

pub(super) const S3_ENDPOINT: Key = unset("s3.endpoint", "AWS", "the AWS SDK's own environment and profile chain");
pub(super) const S3_PATH_STYLE: Key = flag("s3.path_style", true, "every S3-compatible server understands it");
pub(super) const S3_LISTEN: Key = text("s3.listen", "127.0.0.1:0", "any free port; only for the embedded server");
pub(super) const S3_TIMEOUT_SECONDS: Key =
    number("s3.timeout_seconds", 60, 1, 3600, "a part of 16 MiB passes at 2.2 Mbit/s; a hung request is retried");
pub(super) const S3_PART_BYTES: Key =
    number("s3.part_bytes", 16 * MIB, 5 * MIB, 512 * MIB, "10,000 parts of it hold any object that a batch can become");

pub(super) const S3_BUCKET_OWNER_FULL_CONTROL: Key = flag(
    "s3.bucket_owner_full_control",
    false,
    "needs s3:PutObjectAcl, which few roles have; for buckets of other accounts",
);

pub(super) const EGRESS_ALLOW: Key = unset("egress.allow", "public addresses only", "a tenant must not reach inside");
pub(super) const EGRESS_PLAINTEXT: Key = flag("egress.plaintext", false, "records leave encrypted or not at all");
pub(super) const EGRESS_CA_FILE: Key = unset("egress.ca_file", "none", "the system's roots are trusted");
pub(super) const EGRESS_RESOLVE: Key = unset("egress.resolve", "none", "names are resolved by DNS");

pub(super) const CATALOG_DIR: Key = unset("catalog.dir", "none", "no format conversion without tables");
pub(super) const CATALOG_ENDPOINT: Key = unset("catalog.endpoint", "none", "no format conversion without tables");

pub(super) const REDSHIFT_RETRY_SECONDS: Key = number(
    "redshift.retry_seconds",
    300,
    1,
    7_200,
    "Firehose's own: a COPY that failed is tried again every five minutes",
);
pub(super) const SECRETS_DIR: Key = unset("secrets.dir", "none", "no destination logs in with a stored secret");
pub(super) const OPENSEARCH_CREDENTIALS: Key =
    unset("opensearch.credentials", "none", "Amazon's search domains get AWS signatures, other clusters no login");

pub(super) const JOURNAL_CAPACITY_BYTES: Key =
    number("journal.capacity_bytes", 16 * GIB, 256 * MIB, 64 * TIB, "four hours of a dead destination at 1 MiB/s");
pub(super) const JOURNAL_SEGMENT_BYTES: Key =
    number("journal.segment_bytes", 64 * MIB, 16 * MIB, GIB, "space comes back in small steps, files stay few");
pub(super) const JOURNAL_CACHE_BYTES: Key =
    number("journal.cache_bytes", 32 * MIB, MIB, 16 * GIB, "a stream that keeps up is never read back from disk");

pub(super) const MEMORY_BUDGET_BYTES: Key =
    number("memory.budget_bytes", 512 * MIB, 8 * MIB, TIB, "fits a small machine; open batches above it wait in files");

pub(super) const PARTITIONS_ACTIVE_COUNT: Key =
    number("partitions.active_count", 500, 1, 100_000, "Firehose's own quota");
pub(super) const PARTITIONS_OVERFLOW: Key =
    text("partitions.overflow", "refuse", "as Firehose does: what is beyond goes to the error output, with a name");

pub(super) const PLUGINS_MEMORY_BYTES: Key =
    number("plugins.memory_bytes", 256 * MIB, MIB, 4 * GIB, "enough for a Python guest, of which few run at once");
pub(super) const PLUGINS_DEADLINE_MILLISECONDS: Key =
    number("plugins.deadline_milliseconds", 10_000, 10, 900_000, "a slow guest finishes, a spinning one is stopped");
pub(super) const PLUGINS_OUTPUT_BYTES: Key =
    number("plugins.output_bytes", 64 * MIB, MIB, GIB, "sixteen times the largest batch a put can bring");
pub(super) const PLUGINS_LOG_BYTES: Key =
    number("plugins.log_bytes", 64 * KIB, 0, 16 * MIB, "a stack trace per batch fits, a flood does not");
pub(super) const PLUGINS_TRIAL_RECORDS: Key =
    number("plugins.trial_records", 100, 0, 10_000, "recent records of each stream that a new version is tried with");
pub(super) const PLUGINS_DOUBLE_RUN_SECONDS: Key =
    number("plugins.double_run_seconds", 10, 0, 86_400, "one batch in so long is run twice and compared; 0 is never");
pub(super) const PLUGINS_CANARY_PERIOD_SECONDS: Key = number(
    "plugins.canary_period_seconds",
    30,
    1,
    3_600,
    "a canary has its share once in it; each turn cuts an object",
);
pub(super) const PLUGINS_SETTINGS: Key = unset("plugins.settings", "none", "what plugins are configured with");
pub(super) const PLUGINS_GRANTS: Key = unset("plugins.grants", "none", "a plugin has its records and its settings");
pub(super) const PLUGINS_COMPILE_SECONDS: Key =
    number("plugins.compile_seconds", 120, 1, 3_600, "ten times what a JavaScript component takes");
pub(super) const PLUGINS_COMPILE_MEMORY_BYTES: Key =
    number("plugins.compile_memory_bytes", 4 * GIB, 256 * MIB, 64 * GIB, "address space, of which little is used");

pub(super) const SHUTDOWN_GRACE_SECONDS: Key =
    number("shutdown.grace_seconds", 25, 0, 3600, "below the 30 s that orchestrators wait before they kill");

pub(super) const LOG_FORMAT: Key = text("log.format", "human", "most logs are first read on a terminal");
pub(super) const LOG_LEVEL: Key = text("log.level", "info", "lifecycle, nothing per record");

/// Every key, in the order `check` shows them.
pub(super) const ALL: &[&Key] = &[
    &DATA_DIR,
    &PLUGIN_DIR,
    &REGION,
    &ACCOUNT_ID,
    &API_LISTEN,
    &API_AUTHENTICATION,
    &API_CREDENTIALS,
    &ADMIN_LISTEN,
    &S3_ENDPOINT,
    &S3_PATH_STYLE,
    &S3_LISTEN,
    &S3_TIMEOUT_SECONDS,
    &S3_PART_BYTES,
    &S3_BUCKET_OWNER_FULL_CONTROL,
    &EGRESS_ALLOW,
    &EGRESS_PLAINTEXT,
    &EGRESS_CA_FILE,
    &EGRESS_RESOLVE,
    &CATALOG_DIR,
    &CATALOG_ENDPOINT,
    &REDSHIFT_RETRY_SECONDS,
    &SECRETS_DIR,
    &OPENSEARCH_CREDENTIALS,
    &JOURNAL_CAPACITY_BYTES,
    &JOURNAL_SEGMENT_BYTES,
    &JOURNAL_CACHE_BYTES,
    &MEMORY_BUDGET_BYTES,
    &PARTITIONS_ACTIVE_COUNT,
    &PARTITIONS_OVERFLOW,
    &PLUGINS_MEMORY_BYTES,
    &PLUGINS_DEADLINE_MILLISECONDS,
    &PLUGINS_OUTPUT_BYTES,
    &PLUGINS_LOG_BYTES,
    &PLUGINS_TRIAL_RECORDS,
    &PLUGINS_DOUBLE_RUN_SECONDS,
    &PLUGINS_CANARY_PERIOD_SECONDS,
    &PLUGINS_SETTINGS,
    &PLUGINS_GRANTS,
    &PLUGINS_COMPILE_SECONDS,
    &PLUGINS_COMPILE_MEMORY_BYTES,
    &SHUTDOWN_GRACE_SECONDS,
    &LOG_FORMAT,
    &LOG_LEVEL,
];
