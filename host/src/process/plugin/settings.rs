//! Limits of plugins and where they lie. Values are checked already; refuses to read files or the environment.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use super::needs::Capability;

/// Where plugins lie and what bounds them.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Watched: `NAME.wasm` is plugin NAME.
    pub plugin_dir: PathBuf,
    /// Holds a durable copy of every version that ever ruled, `DIGEST.wasm`.
    pub store_dir: PathBuf,
    /// Bounds of every plugin.
    pub limits: Limits,
    /// Keeps compiled components; none: they are compiled at every start.
    pub compiled_dir: Option<PathBuf>,
    /// Compiles when it is run as `PROGRAM plugin compile`; none: the process itself does.
    pub compiler: Option<PathBuf>,
    /// Recent records that a new version is tried with; 0: none are kept.
    pub trial_records: usize,
    /// One batch of each plugin in this time is run twice and compared; none: no batch is.
    pub double_run: Option<Duration>,
    /// Time in which a canary has its share once.
    pub canary_period: Duration,
    /// What `configure` is told, by plugin name: names and values.
    pub plugin_settings: BTreeMap<String, Vec<(String, String)>>,
    /// What each may have beside its records, if it declares that it needs it, by plugin name.
    pub grants: BTreeMap<String, BTreeSet<Capability>>,
}

impl Settings {
    /// Default limits and no plugin settings.
    pub fn new(plugin_dir: PathBuf, store_dir: PathBuf) -> Self {
        Self {
            plugin_dir,
            store_dir,
            limits: Limits::default(),
            compiled_dir: None,
            compiler: None,
            trial_records: 100,
            // A batch in ten seconds costs nothing that could be measured, and finds what differs often within minutes.
            double_run: Some(Duration::from_secs(10)),
            // Each turn cuts an object; two in half a minute are few beside the objects of a busy stream.
            canary_period: Duration::from_secs(30),
            plugin_settings: BTreeMap::new(),
            grants: BTreeMap::new(),
        }
    }
}

/// What bounds one plugin. Each is on by default and proven by a hostile guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Linear memory of one instance. Growing beyond it traps. At most 4 GiB, the engine's own bound.
    pub memory_bytes: usize,
    /// Elements of one table.
    pub table_elements: usize,
    /// Wall time of one call: instantiate, configure, apply. The guest is trapped soon after.
    pub deadline: Duration,
    /// Wall time of all further calls that find out which records of a failed batch are at fault.
    pub recovery: Duration,
    /// Bytes that one batch may be transformed to. At most 1 GiB.
    pub output_bytes: usize,
    /// How many times longer than its input an output may be; short inputs may always become a megabyte.
    pub amplification: usize,
    /// Records that one batch may be transformed to.
    pub output_records: usize,
    /// Bytes of one output record.
    pub record_bytes: usize,
    /// Log bytes of one call; the rest is counted and thrown away.
    pub log_bytes: usize,
    /// Log bytes of one plugin in a minute, all streams together.
    pub log_bytes_per_minute: usize,
    /// Size of a component file.
    pub component_bytes: u64,
    /// Processor time of compiling one.
    pub compile: Duration,
    /// Address space of compiling one.
    pub compile_memory_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // A Python guest needs some 60 MiB, a JavaScript one up to 105; few run at once.
            memory_bytes: 256 * MIB,
            // JavaScript engines have some 10,000 functions.
            table_elements: 50_000,
            // A batch of 4,000 records in a slow guest takes 0.2 s; a busy machine may stretch that tenfold.
            deadline: Duration::from_secs(10),
            // As long as three deadlines: a spinning record is tried alone at least once.
            recovery: Duration::from_secs(30),
            // Sixteen times the largest batch that a put can bring.
            output_bytes: 64 * MIB,
            // CloudWatch Logs' gzip expands about tenfold; nothing honest expands sixty-fourfold.
            amplification: 64,
            // Firehose's largest buffer of Firehose's smallest useful records.
            output_records: 1 << 18,
            // Lambda answers at most 6 MB; nothing downstream takes larger records.
            record_bytes: 16 * MIB,
            // A stack trace for some records fits, a flood does not.
            log_bytes: 64 * 1024,
            // A line of 100 bytes every 12 ms: enough to find a fault with, too little to fill a disk unnoticed.
            log_bytes_per_minute: 512 * 1024,
            // Python components have 18 MiB.
            component_bytes: 64 * MIB as u64,
            // A JavaScript component takes some 12 s.
            compile: Duration::from_secs(120),
            // A JavaScript component takes some 700 MiB of it.
            compile_memory_bytes: 4 << 30,
        }
    }
}

const MIB: usize = 1 << 20;

/// What even an empty batch may answer: a template or a summary.
pub(super) const AMPLIFICATION_FLOOR_BYTES: usize = MIB;

/// Columns of one answer: Firehose allows 50 dynamic partition keys, and four reserved ones are ours.
pub(super) const COLUMNS: usize = 54;

/// Length of a column's name.
pub(super) const COLUMN_NAME_BYTES: usize = 128;

/// Length of a failure's code; Firehose's longest has 58 bytes.
pub(super) const CODE_BYTES: usize = 64;

/// Length of a reason as it is kept; Firehose's own messages are shorter.
pub(super) const REASON_BYTES: usize = 1_024;
