//! How long after its deadline is a plugin that never ends stopped? As many calls at once as the host has processors,
//! and one thread more that works at the priority of an encoder, as on a busy host. Prints milliseconds from the deadline
//! until the call's answer, by what the guest is at; an answer's making and the instance's end are part of it.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a benchmark prints, and stops when something is amiss"
)]

#[path = "../src/process/plugin/guests.rs"]
mod guests;

use std::fs;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hydrant::definition::{Definition, OnFailure, Processor, testing};
use hydrant::process::Chain;
use hydrant::process::plugin::{PluginHost, Settings};
use hydrant::record::{Batch, Epoch, Records, StreamId};
use hydrant::runtime::SystemClock;
use hydrant::telemetry::Telemetry;

/// Name, the hostile guest's settings, the deadline, and how often.
type Attack = (&'static str, &'static [(&'static str, &'static str)], Duration, usize);

const ATTACKS: [Attack; 6] = [
    ("loop", &[("do", "spin")], SOON, 1_000),
    ("loop of bulk operations, 8 MiB", &[("do", "spin-bulk")], SOON, 1_000),
    // One instruction over nearly as much as an instance may have.
    ("loop of bulk operations, 240 MiB", &[("do", "spin-bulk"), ("bytes", "251658240")], SOON, 200),
    ("recursion that works", &[("do", "spin-deep")], SOON, 1_000),
    ("loop while being configured", &[("do", "configure-spin")], SOON, 1_000),
    ("loop, long deadline", &[("do", "spin")], Duration::from_secs(5), 8),
];
/// A few ticks of the clock that ends calls, and no whole number of them.
const SOON: Duration = Duration::from_millis(22);
/// What encoding threads add to their nice value.
const ENCODER_NICE: i32 = 5;

fn main() {
    // Cargo's test runner starts benches too, with other arguments.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let stop = Arc::new(AtomicBool::new(false));
    let encoder = thread::spawn({
        let stop = Arc::clone(&stop);
        move || {
            rustix::process::nice(ENCODER_NICE).unwrap();
            while !stop.load(Ordering::Relaxed) {
                black_box(());
            }
        }
    });
    println!(
        "{:<36}{:>6}{:>10}{:>10}{:>10}{:>10}{:>10}",
        "ms after the deadline", "runs", "least", "p50", "p99", "p99.9", "most"
    );
    let mut all = Vec::new();
    for (name, settings, deadline, count) in ATTACKS {
        let late = attack(settings, deadline, count);
        row(name, &late);
        all.extend(late);
    }
    all.sort_by(f64::total_cmp);
    row("all; goal: p99.9 <= 20", &all);
    stop.store(true, Ordering::Relaxed);
    encoder.join().unwrap();
}

fn row(name: &str, sorted: &[f64]) {
    // In thousandths, rounded up: of few runs the 99.9th percentile is the worst one.
    let at = |thousandths: usize| sorted[(sorted.len() * thousandths).div_ceil(1_000).max(1) - 1];
    let figures = [at(0), at(500), at(990), at(999), at(1_000)].map(|figure| format!("{figure:>10.2}"));
    println!("{name:<36}{:>6}{}", sorted.len(), figures.concat());
}

/// Milliseconds that each of so many calls took beyond its deadline, rising.
fn attack(settings: &[(&str, &str)], deadline: Duration, count: usize) -> Vec<f64> {
    let folder = tempfile::tempdir().unwrap();
    let mut host = Settings::new(folder.path().join("plugins"), folder.path().join("store"));
    host.limits.deadline = deadline;
    let settings = settings.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
    host.plugin_settings.insert("hostile".to_owned(), settings);
    fs::create_dir(&host.plugin_dir).unwrap();
    fs::copy(guests::guest("hostile"), host.plugin_dir.join("hostile.wasm")).unwrap();
    let host = PluginHost::start(host, Telemetry::new(), Arc::new(SystemClock)).unwrap();
    let chain = chain(&host, "hostile");
    let left = AtomicUsize::new(count);
    let take = || left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok();
    let mut late = thread::scope(|scope| {
        let threads = thread::available_parallelism().unwrap().get().min(count);
        let work = || {
            let mut late = Vec::new();
            while take() {
                let began = Instant::now();
                let made = chain.apply(batch());
                late.push((began.elapsed().as_secs_f64() - deadline.as_secs_f64()) * 1_000.0);
                let stopped = made.rejected.first().expect("the record is refused");
                assert!(stopped.message.contains("took longer than its"), "{}", stopped.message);
            }
            late
        };
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect::<Vec<f64>>()
    });
    late.sort_by(f64::total_cmp);
    late
}

fn batch() -> Batch {
    let records = Records::new(Bytes::from_static(b"x"), vec![1], Vec::new()).unwrap();
    Batch { stream: StreamId(1), first: 0, arrived_ms: vec![0], records, course: hydrant::record::Course::Put }
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
