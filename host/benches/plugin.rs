//! What does a plugin cost per record? Keep-all shows the boundary, the JSON edit shows the guest; native Rust beside
//! them. Prints nanoseconds per record at batches of 1, 50, 500 and 4,000; one thread, medians of several runs.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a benchmark prints, and stops when something is amiss"
)]

#[path = "../src/process/plugin/guests.rs"]
mod guests;

use std::collections::BTreeMap;
use std::fs;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use hydrant::definition::{Definition, OnFailure, Processor, testing};
use hydrant::process::Chain;
use hydrant::process::plugin::{PluginHost, Settings};
use hydrant::record::{Batch, Epoch, Records, StreamId};
use hydrant::runtime::SystemClock;
use hydrant::telemetry::Telemetry;

const BATCHES: [usize; 4] = [1, 50, 500, 4_000];
const RECORDS_PER_RUN: usize = 100_000;
const RUNS: usize = 5;

fn main() {
    // Cargo's test runner starts benches too, with other arguments.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut settings = Settings::new(folder.path().join("plugins"), folder.path().join("store"));
    fs::create_dir(&settings.plugin_dir).unwrap();
    let parser = vec![("parser".to_owned(), "serde_json".to_owned())];
    settings.plugin_settings.insert("edit-serde".to_owned(), parser);
    for (name, guest) in [("keep", "hostile"), ("edit", "bench"), ("edit-serde", "bench")] {
        fs::copy(guests::guest(guest), settings.plugin_dir.join(name).with_extension("wasm")).unwrap();
    }
    let host = PluginHost::start(settings, Telemetry::new(), Arc::new(SystemClock)).unwrap();
    let chains = BTreeMap::from(["keep", "edit", "edit-serde"].map(|name| (name, chain(&host, name))));

    println!(
        "{:<24}{:>12}{:>12}{:>12}{:>12}",
        "ns per record, batch of", BATCHES[0], BATCHES[1], BATCHES[2], BATCHES[3]
    );
    row("keep all, plugin", |batch| drop(black_box(chains["keep"].apply(batch))));
    let edited = row("JSON edit, SDK's view", |batch| drop(black_box(chains["edit"].apply(batch))));
    row("JSON edit, serde_json", |batch| drop(black_box(chains["edit-serde"].apply(batch))));
    let native = row("JSON edit, native", |batch| drop(black_box(edit(&batch))));
    println!("the SDK's view is {:.2} times native at {}; goal: 2", edited[2] / native[2], BATCHES[2]);
    println!(r#"{{"stage":"plugin","nanoseconds_per_record":{:.1}}}"#, edited[2]);
}

/// Prints and gives the medians, in the order of [`BATCHES`].
fn row(name: &str, work: impl Fn(Batch)) -> [f64; BATCHES.len()] {
    print!("{name:<24}");
    let medians = BATCHES.map(|count| {
        let batch = batch(count);
        let mut runs: Vec<f64> = (0..=RUNS).map(|_| run(&batch, &work)).collect();
        runs.remove(0);
        runs.sort_by(f64::total_cmp);
        print!("{:>12.0}", runs[RUNS / 2]);
        runs[RUNS / 2]
    });
    println!();
    medians
}

fn run(batch: &Batch, work: &impl Fn(Batch)) -> f64 {
    let rounds = (RECORDS_PER_RUN / batch.records.len()).clamp(1, 20_000);
    let batches = vec![batch.clone(); rounds];
    let began = Instant::now();
    for batch in batches {
        work(batch);
    }
    began.elapsed().as_nanos() as f64 / (rounds * batch.records.len()) as f64
}

/// The same work as the guest's, in the host, by `serde_json`.
fn edit(batch: &Batch) -> (Vec<u8>, Vec<u32>) {
    #[derive(serde::Deserialize)]
    struct Line<'a> {
        #[serde(borrow)]
        level: std::borrow::Cow<'a, str>,
    }
    let mut payload = Vec::with_capacity(batch.records.payload().len() * 5 / 4);
    let mut ends = Vec::with_capacity(batch.records.len());
    for record in batch.records.iter() {
        let data = record.trim_ascii_end();
        let Ok(line) = serde_json::from_slice::<Line<'_>>(data) else { continue };
        if line.level == "debug" {
            continue;
        }
        payload.extend_from_slice(&data[..data.len() - 1]);
        payload.extend_from_slice(br#","pipeline":"hydrant"}"#);
        payload.extend_from_slice(&record[data.len()..]);
        ends.push(u32::try_from(payload.len()).unwrap());
    }
    (payload, ends)
}

/// Records of 256 bytes as workload W1 has them, one in ten of level `debug`.
fn batch(count: usize) -> Batch {
    let mut payload = Vec::new();
    let mut ends = Vec::new();
    for at in 0..count {
        let level = if at % 10 == 9 { "debug" } else { "info" };
        let head = format!(
            r#"{{"time":"2026-11-21T05:00:{:02}.123Z","level":"{level}","service":"checkout","host":"10.0.1.7","request":"{at:016x}","method":"GET","path":"/v1/items/{at}","status":200,"ms":{},"message":""#,
            at % 60,
            at % 2_000,
        );
        let line = format!("{head}{}\"}}\n", "m".repeat(253 - head.len()));
        payload.extend_from_slice(line.as_bytes());
        ends.push(u32::try_from(payload.len()).unwrap());
    }
    let records = Records::new(Bytes::from(payload), ends, Vec::new()).unwrap();
    Batch { stream: StreamId(1), first: 0, arrived_ms: vec![0; count], records, course: hydrant::record::Course::Put }
}

fn chain(host: &PluginHost, name: &str) -> Chain {
    let processor = Processor::Plugin {
        name: name.to_owned(),
        lambda_arn: String::new(),
        retries: 0,
        on_failure: OnFailure::default(),
    };
    let definition = Definition { processors: vec![processor], ..testing::definition("bench") };
    let plugins = vec![host.current(name).expect("the guest is a plugin")];
    Chain::new(&definition, &Epoch { stream: StreamId(1), from: 0, definition_version: 1, plugins }, host).unwrap()
}
