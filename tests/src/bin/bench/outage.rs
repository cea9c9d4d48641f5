//! A destination that is away while records come in, and comes back: what that costs in memory, and how soon
//! everything is delivered.
//!
//! Refuses to guess: memory is read from the kernel all along, and the drain is over when the host itself counts every
//! acknowledged record as delivered.

use std::time::{Duration, Instant};

use hydrant_tests::host::{Host, Setup};
use hydrant_tests::metrics::sum;
use hydrant_tests::process;
use hydrant_tests::wait::until;
use serde_json::{Value, json};

use crate::chain::{TABLES, load};
use crate::destinations::partitioned;
use crate::store::Store;
use crate::table::{Row, load_average, mib, row, thousands};

/// Records per second of the outage.
const RATE: u64 = 10_000;
/// Seconds at the same rate before it, against which memory is held: longer than buffers wait, which are then cut at once.
const HEALTHY_SECONDS: u64 = 75;
/// An hour's backlog drains within minutes; this only bounds a host that hangs.
const LIMIT: Duration = Duration::from_secs(3_600);

/// One stream whose S3 is away for so many seconds; then one of 500 partitions. Of both those whose name contains `case`.
pub(crate) async fn measure(seconds: u64, case: &str) -> Vec<Row> {
    let plain = json!({"CompressionFormat": "GZIP", "BufferingHints": {"SizeInMBs": 5, "IntervalInSeconds": 10}});
    let mut rows = vec![row("load average of the machine, before", load_average(), "")];
    let mut partitions = partitioned("{service: .service}");
    partitions["BufferingHints"] = json!({"SizeInMBs": 64, "IntervalInSeconds": 60});
    for (name, destination) in [("S3", plain), ("500 partitions", partitions)] {
        if name.contains(case) {
            rows.extend(run(name, destination, seconds).await);
        }
    }
    rows.push(row("load average of the machine, after", load_average(), ""));
    rows
}

async fn run(name: &str, destination: Value, seconds: u64) -> Vec<Row> {
    let interval = destination["BufferingHints"]["IntervalInSeconds"].as_u64().unwrap_or_default();
    let mut store = Store::start().await;
    let tables = format!("{TABLES}\n[journal]\ncapacity_bytes = {}\n", (seconds * RATE * 512).max(16 << 30));
    let setup = Setup { s3_endpoint: store.endpoint(), tables, environment: store.environment(), ..Setup::default() };
    let host = Host::start(setup).await;
    host.client().create_stream("load", destination).await;
    let paced =
        |seconds: u64| [format!("--records={}", RATE * seconds), format!("--rate={RATE}"), "--keys=500".to_owned()];
    let (healthy, healthy_peak) = load(&host, &paced(HEALTHY_SECONDS)).await;
    delivered(&host, healthy.acknowledged_records as f64).await;
    store.kill();
    let cpu_before = process::cpu_time(host.pid()).unwrap_or_default();
    let (away, peak) = load(&host, &paced(seconds)).await;
    let cpu = process::cpu_time(host.pid()).unwrap_or_default() - cpu_before;
    let all = (healthy.acknowledged_records + away.acknowledged_records) as f64;
    let done_before = done(&host).await;
    let left = all - done_before;
    store.up().await;
    let back = Instant::now();
    let cpu_before = process::cpu_time(host.pid()).unwrap_or_default();
    // The host asks now and then, after a pause of at most 30 s, which no length of the outage changes.
    delivered(&host, done_before + 1.0).await;
    let noticed = back.elapsed().as_secs_f64();
    // What came last is not due yet, whatever the destination does.
    let due = left - (RATE * interval) as f64;
    delivered(&host, done_before + due).await;
    let drain = back.elapsed().as_secs_f64() - noticed;
    delivered(&host, all).await;
    let drain_cpu = (process::cpu_time(host.pid()).unwrap_or_default() - cpu_before).as_secs_f64();
    let peak_drained = peak.max(process::peak_resident_bytes(host.pid()).unwrap_or_default());
    vec![
        row(format!("{name}: seconds without destination"), thousands(seconds as f64), ""),
        row(format!("{name}: records refused meanwhile"), thousands(away.refused_records as f64), "0"),
        row(format!("{name}: peak memory while all was well"), mib(healthy_peak), ""),
        row(format!("{name}: peak memory while it was away"), mib(peak), "flat"),
        row(format!("{name}: peak memory, drain included"), mib(peak_drained), ""),
        row(
            format!("{name}: CPU seconds of the host per second of it"),
            format!("{:.2}", cpu.as_secs_f64() / away.seconds),
            "",
        ),
        row(format!("{name}: records left when it came back"), thousands(left), ""),
        row(format!("{name}: of them due"), thousands(due), ""),
        row(format!("{name}: seconds until that was noticed"), format!("{noticed:.1}"), "<= 30"),
        row(format!("{name}: records/s of the drain, from then on"), thousands(due / drain), ">= 50,000"),
        row(format!("{name}: drain against intake"), format!("{:.1} x", due / drain / RATE as f64), ">= 5 x"),
        row(format!("{name}: records per CPU-second of the drain"), thousands(left / drain_cpu), ""),
    ]
}

async fn done(host: &Host) -> f64 {
    sum(&host.metrics().await, "hydrant_deliver_delivered_records_total", &[])
}

async fn delivered(host: &Host, wanted: f64) {
    let delivered = until("every record's delivery", LIMIT, async || (done(host).await >= wanted).then_some(()));
    delivered.await.unwrap_or_else(|error| panic!("{error}:\n{}", host.log_tail()));
}
