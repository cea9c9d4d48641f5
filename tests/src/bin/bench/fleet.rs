//! Figures about many streams and about a long backlog.

use std::time::{Duration, Instant};

use hydrant_tests::host::{Host, Setup, free_address};
use hydrant_tests::metrics::sum;
use hydrant_tests::process;
use hydrant_tests::wait::until;
use serde_json::json;

use crate::chain::{TABLES, load};
use crate::table::{Row, mib, row, thousands};

/// Bytes of a backlog's record: large, so that building the backlog does not take the afternoon.
const BACKLOG_RECORD_BYTES: u64 = 4_096;
/// How long the memory of a restarted host is watched.
const WATCHED: Duration = Duration::from_secs(20);
const IDLE_STREAMS: usize = 2_000;
const SPREAD_STREAMS: usize = 500;
const SPREAD_RATE: u64 = 50_000;
const SPREAD_SECONDS: u64 = 30;
/// Records of a spread request: small producers, 2,500 requests a second.
const SPREAD_BATCH: u64 = 20;

fn setup(s3_endpoint: String) -> Setup {
    Setup { s3_endpoint, tables: TABLES.to_owned(), ..Setup::default() }
}

/// Fills the journal while S3 is away, kills the host, and starts it again.
pub(crate) async fn backlog(bytes: u64) -> Vec<Row> {
    let mut host = Host::start(setup(format!("http://{}", free_address()))).await;
    let hints = json!({"SizeInMBs": 128, "IntervalInSeconds": 900});
    host.client().create_stream("load", json!({"BufferingHints": hints})).await;
    let records = bytes / BACKLOG_RECORD_BYTES;
    let arguments = [format!("--records={records}"), format!("--record-bytes={BACKLOG_RECORD_BYTES}")];
    let (summary, peak_before) = load(&host, &arguments).await;
    host.kill();
    let started = Instant::now();
    host.launch().await;
    let ready = started.elapsed();
    let at_ready = process::resident_bytes(host.pid()).unwrap_or_default();
    let ended = until("its end", WATCHED, async || (!host.is_running()).then_some(())).await;
    assert!(ended.is_err(), "the host ended by itself:\n{}", host.log_tail());
    let peak = process::peak_resident_bytes(host.pid()).unwrap_or_default();
    host.kill();
    let journal = summary.acknowledged_records * BACKLOG_RECORD_BYTES;
    vec![
        row("backlog", mib(journal), ""),
        row("kill to ready", format!("{:.2} s", ready.as_secs_f64()), "<= 5 s"),
        row("resident memory when ready", mib(at_ready), ""),
        row("peak resident memory in the 20 s after", mib(peak), "flat"),
        row("peak resident memory while it grew", mib(peak_before), ""),
        row("records refused while it grew", thousands(summary.refused_records as f64), "0"),
    ]
}

/// Memory of streams that nobody writes to.
pub(crate) async fn idle() -> Vec<Row> {
    let host = Host::start(setup("embedded".into())).await;
    let client = host.client();
    let before = process::resident_bytes(host.pid()).unwrap_or_default();
    let started = Instant::now();
    for at in 0..IDLE_STREAMS {
        client.create_stream(&format!("idle-{at}"), json!({"CompressionFormat": "GZIP"})).await;
    }
    let seconds = started.elapsed().as_secs_f64();
    let after = process::resident_bytes(host.pid()).unwrap_or_default();
    vec![
        row("resident memory for all of them", mib(after.saturating_sub(before)), "< 100 MiB"),
        row("streams created per second", thousands(IDLE_STREAMS as f64 / seconds), ""),
    ]
}

/// How far fdatasync is shared when many streams write a little each.
pub(crate) async fn spread() -> Vec<Row> {
    let host = Host::start(setup("embedded".into())).await;
    let client = host.client();
    for at in 0..SPREAD_STREAMS {
        client.create_stream(&format!("load-{at}"), json!({"CompressionFormat": "GZIP"})).await;
    }
    let before = host.metrics().await;
    let cpu_before = process::cpu_time(host.pid()).unwrap_or_default();
    let arguments = [
        format!("--streams={SPREAD_STREAMS}"),
        format!("--rate={SPREAD_RATE}"),
        format!("--records={}", SPREAD_RATE * SPREAD_SECONDS),
        format!("--batch={SPREAD_BATCH}"),
    ];
    let (summary, peak) = load(&host, &arguments).await;
    let cpu = process::cpu_time(host.pid()).unwrap_or_default().saturating_sub(cpu_before);
    let after = host.metrics().await;
    let grown = |name: &str| sum(&after, name, &[]) - sum(&before, name, &[]);
    let fsyncs = grown("hydrant_journal_fsync_seconds_count");
    let requests = grown("hydrant_journal_group_requests_sum");
    vec![
        row("records/s acknowledged", thousands(summary.records_per_second), "50,000"),
        row("fdatasyncs per second", thousands(fsyncs / summary.seconds), ""),
        row("requests per fdatasync", format!("{:.1}", requests / fsyncs), "> 1: groups"),
        row("acknowledgement p50", format!("{:.2} ms", summary.p50_ms), ""),
        row("acknowledgement p99", format!("{:.2} ms", summary.p99_ms), ""),
        row("CPU seconds of the host per second", format!("{:.2}", cpu.as_secs_f64() / summary.seconds), ""),
        row("peak resident memory", mib(peak), ""),
        row("records refused", thousands(summary.refused_records as f64), "0"),
    ]
}
