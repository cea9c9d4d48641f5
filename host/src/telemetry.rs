//! What is counted, and how it is shown to Prometheus.
//!
//! Accepted, durable and delivered are counted apart, because counting one for another is how delivery metrics lie.
//! Names are a promise: `hydrant_<stage>_<noun>_<unit>[_total]`. Labels come from small sets only: stream, plugin,
//! and words fixed in this code. Refuses to log, to aggregate over time, and to be read by a stage.

mod breakers;
mod gates;
mod swaps;

use std::fmt;
use std::sync::Arc;

use prometheus_client::encoding::{EncodeLabelSet, text::encode};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

pub use breakers::{BreakerMetrics, StreamBreaker};
pub use gates::{DeliveryState, GateMetrics, Place, StreamGates};
pub use swaps::SwapMetrics;

use breakers::Breakers;
use gates::Gates;

/// Label of everything counted per stream.
#[derive(Clone, Debug, Default, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct StreamLabel {
    /// Account that owns the stream.
    pub account: String,
    /// Stream name.
    pub stream: String,
}

/// Label of everything counted per plugin.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct PluginLabel {
    /// Plugin name.
    pub plugin: String,
}

/// Label of a plugin's faults.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct FaultLabel {
    /// Plugin name.
    pub plugin: String,
    /// One of [`FAULT_KINDS`].
    pub kind: &'static str,
}

/// Label of the version that rules.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct VersionLabel {
    /// Plugin name.
    pub plugin: String,
    /// SHA-256 of its file.
    pub digest: String,
}

/// How a call of a plugin can end badly.
pub const FAULT_KINDS: [&str; 8] =
    ["trap", "deadline", "memory", "output", "configuration", "answer", "call", "host-panic"];

/// Records and their bytes.
#[derive(Clone, Debug, Default)]
pub struct Volume {
    /// Records.
    pub records: Counter,
    /// Bytes before encoding.
    pub bytes: Counter,
}

impl Volume {
    /// Counts `records` records of `bytes` bytes together.
    pub fn add(&self, records: u64, bytes: u64) {
        self.records.inc_by(records);
        self.bytes.inc_by(bytes);
    }
}

/// One stream's counters: fetched once per stream, then plain atomics.
#[derive(Clone, Debug, Default)]
pub struct StreamMetrics {
    /// Parsed and within limits.
    pub accepted: Volume,
    /// Covered by a finished fdatasync, hence acknowledged.
    pub durable: Volume,
    /// Came out of processing.
    pub transformed: Volume,
    /// Dropped by a plugin on purpose (bytes are input bytes).
    pub dropped: Volume,
    /// Sent to the error output (bytes are input bytes).
    pub failed: Volume,
    /// In a durable seal, error output apart.
    pub sealed: Volume,
    /// Stored by the destination, error output apart.
    pub delivered: Volume,
    /// Not taken by the destination and sent to the error output.
    pub undelivered: Volume,
    /// Objects stored by the destination.
    pub delivered_objects: Counter,
    /// Delivery attempts that failed and will be repeated.
    pub delivery_retries: Counter,
    /// Reads of the journal to make sealed batches again.
    pub remade_reads: Counter,
    /// Partitions of dynamic partitioning that are being filled.
    pub active_partitions: Gauge<i64>,
    /// Records of partitions for which there was no room, sent to the error output.
    pub exceeding_records: Counter,
    /// Age of the oldest record not yet delivered, milliseconds; 0 when there is none.
    pub freshness_ms: Gauge<i64>,
    /// The breaker of its plugin.
    pub breaker: StreamBreaker,
    /// The places it delivers to.
    pub gates: StreamGates,
    /// Its changes of versions, counted together with those of all other streams.
    pub swap: SwapMetrics,
}

/// One plugin's counters.
#[derive(Clone, Debug)]
pub struct PluginMetrics {
    /// Calls of `apply`.
    pub calls: Counter,
    /// Records given to it, each once however often it was tried.
    pub input: Volume,
    /// Records it leaves for delivery, kept ones included.
    pub output: Volume,
    /// Records it dropped on purpose.
    pub dropped_records: Counter,
    /// Records it failed, or that failed with it.
    pub failed_records: Counter,
    /// Calls that trapped, broke a limit, or answered nonsense, in the order of [`FAULT_KINDS`].
    pub faults: [Counter; FAULT_KINDS.len()],
    /// Most linear memory that one instance had, bytes.
    pub memory_peak_bytes: Gauge<i64>,
    /// Lines the plugin logged.
    pub log_lines: Counter,
    /// Log bytes thrown away because of the limit.
    pub log_dropped_bytes: Counter,
    /// Second answers to the same records that were not the first.
    pub nondeterministic: Counter,
    /// Canaries that broke a bound.
    pub canary_rollbacks: Counter,
    /// Time of one call, seconds.
    pub seconds: Histogram,
}

impl Default for PluginMetrics {
    fn default() -> Self {
        Self {
            calls: Counter::default(),
            input: Volume::default(),
            output: Volume::default(),
            dropped_records: Counter::default(),
            failed_records: Counter::default(),
            faults: std::array::from_fn(|_| Counter::default()),
            memory_peak_bytes: Gauge::default(),
            log_lines: Counter::default(),
            log_dropped_bytes: Counter::default(),
            nondeterministic: Counter::default(),
            canary_rollbacks: Counter::default(),
            seconds: Histogram::new(exponential_buckets(0.000_05, 2.0, 18)),
        }
    }
}

/// The journal's counters.
#[derive(Clone, Debug)]
pub struct JournalMetrics {
    /// Bytes of all segments on disk.
    pub bytes: Gauge<i64>,
    /// Bytes appended, framing included.
    pub appended_bytes: Counter,
    /// Time of one fdatasync, seconds.
    pub fsync_seconds: Histogram,
    /// Requests that shared one fdatasync.
    pub group_size: Histogram,
    /// Frames found damaged.
    pub corrupt_frames: Counter,
    /// Puts refused because the journal is full or overloaded.
    pub refused: Counter,
}

impl Default for JournalMetrics {
    fn default() -> Self {
        Self {
            bytes: Gauge::default(),
            appended_bytes: Counter::default(),
            fsync_seconds: Histogram::new(exponential_buckets(0.000_1, 2.0, 17)),
            group_size: Histogram::new(exponential_buckets(1.0, 2.0, 12)),
            corrupt_frames: Counter::default(),
            refused: Counter::default(),
        }
    }
}

/// Everything that is counted.
pub struct Telemetry {
    registry: Registry,
    streams: Streams,
    plugins: Plugins,
    breakers: Breakers,
    gates: Gates,
    swaps: SwapMetrics,
    /// The journal's counters.
    pub journal: JournalMetrics,
}

/// A pair of families for one [`Volume`].
type VolumeFamily = (Family<StreamLabel, Counter>, Family<StreamLabel, Counter>);

struct Streams {
    volumes: [VolumeFamily; 8],
    delivered_objects: Family<StreamLabel, Counter>,
    delivery_retries: Family<StreamLabel, Counter>,
    remade_reads: Family<StreamLabel, Counter>,
    active_partitions: Family<StreamLabel, Gauge<i64>>,
    exceeding_records: Family<StreamLabel, Counter>,
    freshness_ms: Family<StreamLabel, Gauge<i64>>,
}

struct Plugins {
    versions: Family<VersionLabel, Gauge<i64>>,
    calls: Family<PluginLabel, Counter>,
    /// Records and bytes, in and out.
    volumes: [Family<PluginLabel, Counter>; 4],
    dropped_records: Family<PluginLabel, Counter>,
    failed_records: Family<PluginLabel, Counter>,
    faults: Family<FaultLabel, Counter>,
    memory_peak_bytes: Family<PluginLabel, Gauge<i64>>,
    log_lines: Family<PluginLabel, Counter>,
    log_dropped_bytes: Family<PluginLabel, Counter>,
    nondeterministic: Family<PluginLabel, Counter>,
    canary_rollbacks: Family<PluginLabel, Counter>,
    seconds: Family<PluginLabel, Histogram, fn() -> Histogram>,
}

impl fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telemetry").finish_non_exhaustive()
    }
}

impl Telemetry {
    /// Registers everything.
    pub fn new() -> Arc<Self> {
        let mut registry = Registry::with_prefix("hydrant");
        let journal = JournalMetrics::default();
        registry.register("journal_bytes", "Bytes of all journal segments", journal.bytes.clone());
        registry.register("journal_appended_bytes", "Bytes appended to the journal", journal.appended_bytes.clone());
        registry.register("journal_fsync_seconds", "Time of one fdatasync", journal.fsync_seconds.clone());
        registry.register("journal_group_requests", "Requests sharing one fdatasync", journal.group_size.clone());
        registry.register("journal_corrupt_frames", "Damaged frames found", journal.corrupt_frames.clone());
        registry.register("journal_refused_requests", "Puts refused for want of room", journal.refused.clone());
        let streams = Streams::register(&mut registry);
        let plugins = Plugins::register(&mut registry);
        let breakers = Breakers::register(&mut registry);
        let gates = Gates::register(&mut registry);
        let swaps = swaps::register(&mut registry);
        Arc::new(Self { registry, streams, plugins, breakers, gates, swaps, journal })
    }

    /// The counters of one stream. Fetch once, keep.
    pub fn stream(&self, account: &str, stream: &str) -> StreamMetrics {
        let label = StreamLabel { account: account.to_owned(), stream: stream.to_owned() };
        let volume = |at: usize| {
            let (records, bytes) = &self.streams.volumes[at];
            Volume { records: records.get_or_create_owned(&label), bytes: bytes.get_or_create_owned(&label) }
        };
        StreamMetrics {
            accepted: volume(0),
            durable: volume(1),
            transformed: volume(2),
            dropped: volume(3),
            failed: volume(4),
            sealed: volume(5),
            delivered: volume(6),
            undelivered: volume(7),
            delivered_objects: self.streams.delivered_objects.get_or_create_owned(&label),
            delivery_retries: self.streams.delivery_retries.get_or_create_owned(&label),
            remade_reads: self.streams.remade_reads.get_or_create_owned(&label),
            active_partitions: self.streams.active_partitions.get_or_create_owned(&label),
            exceeding_records: self.streams.exceeding_records.get_or_create_owned(&label),
            freshness_ms: self.streams.freshness_ms.get_or_create_owned(&label),
            gates: self.gates.of(label.clone()),
            breaker: self.breakers.of(label),
            swap: self.swaps.clone(),
        }
    }

    /// Forgets a deleted stream, so that labels stay bounded by what exists. Its breaker is forgotten where it
    /// is held.
    pub fn forget_stream(&self, account: &str, stream: &str) {
        let label = StreamLabel { account: account.to_owned(), stream: stream.to_owned() };
        for (records, bytes) in &self.streams.volumes {
            records.remove(&label);
            bytes.remove(&label);
        }
        self.streams.delivered_objects.remove(&label);
        self.streams.delivery_retries.remove(&label);
        self.streams.remade_reads.remove(&label);
        self.streams.active_partitions.remove(&label);
        self.streams.exceeding_records.remove(&label);
        self.streams.freshness_ms.remove(&label);
        self.gates.forget(&label);
    }

    /// The counters of one plugin. Fetch once, keep.
    pub fn plugin(&self, plugin: &str) -> PluginMetrics {
        let label = PluginLabel { plugin: plugin.to_owned() };
        let volume = |at: usize| Volume {
            records: self.plugins.volumes[at].get_or_create_owned(&label),
            bytes: self.plugins.volumes[at + 1].get_or_create_owned(&label),
        };
        let fault = |kind| self.plugins.faults.get_or_create_owned(&FaultLabel { plugin: plugin.to_owned(), kind });
        PluginMetrics {
            calls: self.plugins.calls.get_or_create_owned(&label),
            input: volume(0),
            output: volume(2),
            dropped_records: self.plugins.dropped_records.get_or_create_owned(&label),
            failed_records: self.plugins.failed_records.get_or_create_owned(&label),
            faults: FAULT_KINDS.map(fault),
            memory_peak_bytes: self.plugins.memory_peak_bytes.get_or_create_owned(&label),
            log_lines: self.plugins.log_lines.get_or_create_owned(&label),
            log_dropped_bytes: self.plugins.log_dropped_bytes.get_or_create_owned(&label),
            nondeterministic: self.plugins.nondeterministic.get_or_create_owned(&label),
            canary_rollbacks: self.plugins.canary_rollbacks.get_or_create_owned(&label),
            seconds: self.plugins.seconds.get_or_create_owned(&label),
        }
    }

    /// Shows which version of a plugin rules, in place of the one before it.
    pub fn plugin_rules(&self, plugin: &str, digest: &str, before: Option<&str>) {
        let label = |digest: &str| VersionLabel { plugin: plugin.to_owned(), digest: digest.to_owned() };
        if let Some(before) = before {
            self.plugins.versions.remove(&label(before));
        }
        self.plugins.versions.get_or_create_owned(&label(digest)).set(1);
    }

    /// The text that `/metrics` answers.
    pub fn render(&self) -> String {
        let mut text = String::new();
        // Writing into a String cannot fail.
        let _infallible = encode(&mut text, &self.registry);
        text
    }
}

impl Streams {
    fn register(registry: &mut Registry) -> Self {
        let words = [
            ("api_accepted", "parsed and within limits"),
            ("journal_durable", "acknowledged, covered by a finished fdatasync"),
            ("process_transformed", "that came out of processing"),
            ("process_dropped", "dropped by a plugin on purpose"),
            ("process_failed", "sent to the error output"),
            ("batch_sealed", "in a durable seal"),
            ("deliver_delivered", "stored by the destination"),
            ("deliver_undelivered", "not taken by the destination and sent to the error output"),
        ];
        let volumes = words.map(|(name, help)| {
            let family = VolumeFamily::default();
            registry.register(format!("{name}_records"), format!("Records {help}"), family.0.clone());
            registry.register(format!("{name}_bytes"), format!("Bytes {help}"), family.1.clone());
            family
        });
        let streams = Self {
            volumes,
            delivered_objects: Family::default(),
            delivery_retries: Family::default(),
            remade_reads: Family::default(),
            active_partitions: Family::default(),
            exceeding_records: Family::default(),
            freshness_ms: Family::default(),
        };
        let (objects, retries) = (streams.delivered_objects.clone(), streams.delivery_retries.clone());
        registry.register("deliver_objects", "Objects stored by the destination", objects);
        registry.register("deliver_retries", "Delivery attempts that failed and are repeated", retries);
        let help = "Reads of the journal to make sealed batches again";
        registry.register("deliver_remade_reads", help, streams.remade_reads.clone());
        let active = streams.active_partitions.clone();
        registry.register("batch_active_partitions", "Partitions that are being filled", active);
        let help = "Records of partitions beyond the active ones, sent to the error output";
        registry.register("batch_exceeding_records", help, streams.exceeding_records.clone());
        let freshness = streams.freshness_ms.clone();
        registry.register("deliver_freshness_milliseconds", "Age of the oldest undelivered record", freshness);
        streams
    }
}

impl Plugins {
    fn register(registry: &mut Registry) -> Self {
        let words = ["input_records", "input_bytes", "output_records", "output_bytes"];
        let volumes = words.map(|name| {
            let family = Family::<PluginLabel, Counter>::default();
            let help = format!("{} of a plugin", name.replace('_', " "));
            registry.register(format!("plugin_{name}"), help, family.clone());
            family
        });
        let plugins = Self {
            versions: Family::default(),
            calls: Family::default(),
            volumes,
            dropped_records: Family::default(),
            failed_records: Family::default(),
            faults: Family::default(),
            memory_peak_bytes: Family::default(),
            log_lines: Family::default(),
            log_dropped_bytes: Family::default(),
            nondeterministic: Family::default(),
            canary_rollbacks: Family::default(),
            seconds: Family::new_with_constructor(|| PluginMetrics::default().seconds),
        };
        registry.register("plugin_calls", "Calls of a plugin", plugins.calls.clone());
        registry.register("plugin_version", "1 for the version that rules", plugins.versions.clone());
        registry.register("plugin_dropped_records", "Records dropped by a plugin", plugins.dropped_records.clone());
        registry.register("plugin_failed_records", "Records failed by a plugin", plugins.failed_records.clone());
        registry.register("plugin_faults", "Calls that trapped or broke a limit", plugins.faults.clone());
        let peak = plugins.memory_peak_bytes.clone();
        registry.register("plugin_memory_peak_bytes", "Most memory that one instance had", peak);
        registry.register("plugin_log_lines", "Lines a plugin logged", plugins.log_lines.clone());
        registry.register("plugin_log_dropped_bytes", "Log bytes over the limit", plugins.log_dropped_bytes.clone());
        let (doubles, rollbacks) = (plugins.nondeterministic.clone(), plugins.canary_rollbacks.clone());
        registry.register("plugin_nondeterministic", "Second answers to the same records that differed", doubles);
        registry.register("plugin_canary_rollbacks", "Canaries that broke a bound", rollbacks);
        registry.register("plugin_seconds", "Time of one call", plugins.seconds.clone());
        plugins
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_appear_under_their_promised_names() {
        let telemetry = Telemetry::new();
        telemetry.stream("000000000000", "orders").durable.add(3, 30);
        telemetry.plugin("clean").calls.inc();
        let text = telemetry.render();
        assert!(text.contains(r#"hydrant_journal_durable_records_total{account="000000000000",stream="orders"} 3"#));
        assert!(text.contains(r#"hydrant_plugin_calls_total{plugin="clean"} 1"#));
        telemetry.forget_stream("000000000000", "orders");
        assert!(!telemetry.render().contains("orders"));
    }
}
