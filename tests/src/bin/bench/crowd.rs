//! Figures about many plugins: 1,000 that the host knows, 200 that work, each for a stream of its own.
//!
//! Every plugin is the same guest with another constant, so that each has a digest and code of its own and each record
//! tells which plugin made it.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use hydrant_tests::checker::read_bucket;
use hydrant_tests::client::{get, through_plugin};
use hydrant_tests::host::{Host, Setup};
use hydrant_tests::metrics::sum;
use hydrant_tests::process;
use hydrant_tests::stamp::stamped;
use hydrant_tests::wait::until;
use serde_json::{Value, json};

use crate::chain::TABLES;
use crate::table::{Row, mib, row, thousands};

const KNOWN: usize = 1_000;
const ACTIVE: usize = 200;
/// Records of a put; each stream has some of them, and again after the restart.
const BATCH: usize = 500;
/// Batches of each stream before the restart.
const ROUNDS: usize = 10;
/// Compiling takes minutes on two cores; this only bounds a host that hangs.
const LIMIT: Duration = Duration::from_secs(3_600);

/// What a part of the run showed.
struct Seen {
    ready: Duration,
    when_ready_bytes: u64,
    /// From the first put to the last record's delivery.
    delivered: Duration,
    peak_bytes: u64,
}

/// The constant of a plugin: as long as the one that it replaces.
fn stamp(number: usize) -> String {
    format!("pl-{number:04}")
}

/// The plugin of a stream: spread over all that are known.
fn of_stream(stream: usize) -> usize {
    stream * (KNOWN / ACTIVE)
}

/// Starts the host with all of them twice: the first start compiles, the second one does not.
pub(crate) async fn measure() -> Vec<Row> {
    let mut host = Host::prepare(Setup { tables: TABLES.to_owned(), ..Setup::default() });
    for number in 0..KNOWN {
        let file = host.plugin_dir().join(format!("{}.wasm", stamp(number)));
        fs::write(file, stamped(&stamp(number))).expect("room for plugins");
    }
    let first = run(&mut host, ROUNDS, true).await;
    let second = run(&mut host, 1, false).await;
    let expected = (ROUNDS + 1) * BATCH;
    let mut made: BTreeMap<(String, usize), usize> = BTreeMap::new();
    for object in read_bucket(&host.bucket()) {
        for line in object.body.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
            let line: Value = serde_json::from_slice(line).expect("JSON lines");
            let stream = line["stream"].as_u64().and_then(|stream| usize::try_from(stream).ok()).expect("a number");
            *made.entry((line["pipeline"].as_str().unwrap_or_default().to_owned(), stream)).or_default() += 1;
        }
    }
    let right = (0..ACTIVE).filter(|&at| made.get(&(stamp(of_stream(at)), at)) == Some(&expected)).count();
    let records = made.values().sum::<usize>();
    let seconds = |time: Duration| format!("{:.1} s", time.as_secs_f64());
    vec![
        row("first start to ready: all are compiled", seconds(first.ready), ""),
        row("second start to ready: from the cache", seconds(second.ready), ""),
        row("resident memory when ready, first start", mib(first.when_ready_bytes), ""),
        row("resident memory when ready, second start", mib(second.when_ready_bytes), ""),
        row("put to delivered, 1,000,000 records", seconds(first.delivered), ""),
        row("put to delivered, 100,000 records after restart", seconds(second.delivered), ""),
        row("peak resident memory, first start", mib(first.peak_bytes), "<= 512 MiB"),
        row("peak resident memory, second start", mib(second.peak_bytes), "<= 512 MiB"),
        row("streams with every record once, by their own plugin", thousands(right as f64), "200"),
        row("records delivered", thousands(records as f64), "1,100,000"),
    ]
}

async fn run(host: &mut Host, rounds: usize, is_first: bool) -> Seen {
    let started = Instant::now();
    host.spawn();
    let admin = host.admin_address();
    let ready = until("/readyz", LIMIT, async || {
        assert!(host.is_running(), "the host ended:\n{}", host.log_tail());
        get(admin, "/readyz").await.ok().filter(|answer| answer.status.is_success())
    });
    ready.await.unwrap_or_else(|error| panic!("{error}:\n{}", host.log_tail()));
    let ready = started.elapsed();
    let ruling = sum(&host.metrics().await, "hydrant_plugin_version", &[]);
    assert_eq!(ruling, KNOWN as f64, "plugins rule:\n{}", host.log_tail());
    let when_ready_bytes = process::resident_bytes(host.pid()).unwrap_or_default();
    let client = host.client();
    if is_first {
        for stream in 0..ACTIVE {
            let hints = json!({"SizeInMBs": 1, "IntervalInSeconds": 1});
            let processing = through_plugin(&stamp(of_stream(stream)));
            let destination = json!({"BufferingHints": hints, "ProcessingConfiguration": processing});
            client.create_stream(&format!("crowd-{stream}"), destination).await;
        }
    }
    let began = Instant::now();
    for round in 0..rounds {
        for stream in 0..ACTIVE {
            let line = |number: usize| {
                let text = "m".repeat(180);
                format!(
                    "{{\"level\":\"info\",\"stream\":{stream},\"round\":{round},\"n\":{number},\"message\":\"{text}\"}}\n"
                )
            };
            let lines: Vec<String> = (0..BATCH).map(line).collect();
            let lines: Vec<&[u8]> = lines.iter().map(String::as_bytes).collect();
            client.put(&format!("crowd-{stream}"), &lines).await;
        }
    }
    let wanted = (rounds * ACTIVE * BATCH) as f64;
    let delivered = until("every record's delivery", LIMIT, async || {
        let delivered = sum(&host.metrics().await, "hydrant_deliver_delivered_records_total", &[]);
        (delivered >= wanted).then_some(())
    });
    delivered.await.unwrap_or_else(|error| panic!("{error}:\n{}", host.log_tail()));
    let delivered = began.elapsed();
    let peak_bytes = process::peak_resident_bytes(host.pid()).unwrap_or_default();
    assert_eq!(host.terminate().await.code(), Some(0), "the drain failed:\n{}", host.log_tail());
    Seen { ready, when_ready_bytes, delivered, peak_bytes }
}
