//! Many partitions at once: whether memory stays within the budget, and whether objects become as large as was asked
//! for although memory has no room for them.
//!
//! Records go into every partition evenly until all of them are in flight at once; then the host is told to stop, and
//! delivers what each partition has. Sizes are counted before compression. Refuses to wait for time: the interval is
//! the longest there is, so that size and the end alone cut a batch.

use std::collections::BTreeMap;
use std::time::Instant;

use hydrant_tests::checker::read_bucket;
use hydrant_tests::host::{Host, Setup};
use hydrant_tests::process;
use serde_json::json;

use crate::chain::{TABLES, drained, load};
use crate::destinations::partitioned;
use crate::store::Store;
use crate::table::{Row, load_average, mib, row, thousands};

/// Size hint of every partition, MiB: the largest there is.
const HINT: u32 = 128;
/// Bytes of a record: as few records as show it, so that most of the time goes into what is measured.
const RECORD_BYTES: u64 = 1_024;
/// `[memory] budget_bytes`, its default.
const BUDGET: u64 = 512 << 20;

/// Fills `partitions` of one stream with `bytes` in all.
pub(crate) async fn measure(partitions: u32, bytes: u64) -> Vec<Row> {
    let store = Store::start().await;
    let before = load_average();
    let tables = format!(
        "{TABLES}\n[memory]\nbudget_bytes = {BUDGET}\n\n[partitions]\nactive_count = {partitions}\n\n[journal]\ncapacity_bytes = {}\n",
        (2 * bytes).max(16 << 30)
    );
    let setup = Setup { s3_endpoint: store.endpoint(), tables, environment: store.environment(), ..Setup::default() };
    let mut host = Host::start(setup).await;
    let mut destination = partitioned("{service: .service}");
    destination["BufferingHints"] = json!({"SizeInMBs": HINT, "IntervalInSeconds": 900});
    host.client().create_stream("load", destination).await;
    let idle = process::resident_bytes(host.pid()).unwrap_or_default();
    let records = bytes / RECORD_BYTES;
    let arguments =
        [format!("--records={records}"), format!("--record-bytes={RECORD_BYTES}"), format!("--keys={partitions}")];
    let cpu_before = process::cpu_time(host.pid()).unwrap_or_default();
    let (summary, peak_loaded) = load(&host, &arguments).await;
    let draining = Instant::now();
    host.signal_term();
    let (cpu, peak) = drained(&mut host).await;
    let drain = draining.elapsed();
    let mut sizes: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for object in read_bucket(&store.bucket()) {
        let folder = object.key.rsplit_once('/').map_or_else(String::new, |(folder, _)| folder.to_owned());
        sizes.entry(folder).or_default().push(object.body.len() as u64);
    }
    let objects: usize = sizes.values().map(Vec::len).sum();
    let delivered: u64 = sizes.values().flatten().sum();
    let per_partition = bytes / u64::from(partitions);
    let expected = per_partition.div_ceil(u64::from(HINT) << 20) * u64::from(partitions);
    let acknowledged = summary.acknowledged_records * RECORD_BYTES;
    vec![
        row("bytes in flight at once", mib(acknowledged), ""),
        row("resident memory before", mib(idle), ""),
        row("peak resident memory while it came", mib(peak_loaded), "<= 512 MiB"),
        row("peak resident memory, drain included", mib(peak.max(peak_loaded)), "<= 512 MiB"),
        row("partitions with objects", thousands(sizes.len() as f64), ""),
        row("objects", thousands(objects as f64), ""),
        row("objects, if every one is as large as asked for", thousands(expected as f64), ""),
        row("mean object before compression", mib(delivered / (objects as u64).max(1)), ""),
        row("bytes delivered that were acknowledged", percent(delivered, acknowledged), "100 %"),
        row("records refused", thousands(summary.refused_records as f64), "0"),
        row("CPU of the host", format!("{:.2} us/KiB", us_per_record(cpu - cpu_before, records)), ""),
        row("seconds of the drain", format!("{:.1}", drain.as_secs_f64()), ""),
        row("load average of the machine", format!("{before} to {}", load_average()), ""),
    ]
}

fn percent(part: u64, whole: u64) -> String {
    format!("{:.3} %", 100.0 * part as f64 / whole as f64)
}

fn us_per_record(cpu: std::time::Duration, records: u64) -> f64 {
    cpu.as_secs_f64() * 1e6 / records as f64
}
