//! Workload W1: JSON log records of a fixed size in signed batches over kept-alive connections.
//!
//! Cheap on purpose, because it shares the machine with the host it measures: bodies are encoded and hashed before
//! the clock starts, each request is only signed and sent. Refuses to retry: what is refused is counted as refused.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use tokio::time::{Interval, MissedTickBehavior};

use crate::client::{Client, Connection, Payload};
use crate::process;

/// Bodies that are encoded ahead, over all streams: enough that compression sees no repetition within its window,
/// few enough to stay below 100 MB.
const BODIES: usize = 128;
/// Microseconds; longer latencies are counted as this.
const LONGEST: u64 = 120_000_000;

/// What to send.
#[derive(Clone, Debug)]
pub struct Work {
    /// Streams, written to in turn.
    pub streams: Vec<String>,
    /// Records in all.
    pub records: u64,
    /// Bytes of a record, newline included.
    pub record_bytes: usize,
    /// Records of one request.
    pub batch: usize,
    /// Connections, each with one request in flight.
    pub connections: usize,
    /// Records per second in all; unset means as fast as answers come. With a rate, latency counts from the instant a
    /// request was due, so a stalled host cannot hide its stall by slowing the generator.
    pub rate: Option<u64>,
    /// Values that `service` has over all records, each as often: what dynamic partitioning is measured with. Unset
    /// means six names of services.
    pub keys: Option<u32>,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Records answered with a record id.
    pub acknowledged_records: u64,
    /// Records refused or without an answer.
    pub refused_records: u64,
    /// From the first request to the last answer.
    pub seconds: f64,
    /// Acknowledged records per second.
    pub records_per_second: f64,
    /// Acknowledged megabytes (10^6) of record bytes per second.
    pub megabytes_per_second: f64,
    /// Median latency of acknowledgement, milliseconds.
    pub p50_ms: f64,
    /// 99th percentile.
    pub p99_ms: f64,
    /// 99.9th percentile.
    pub p999_ms: f64,
    /// Highest.
    pub max_ms: f64,
    /// Processor time of the generator itself.
    pub generator_cpu_seconds: f64,
}

/// Runs the work against one host.
///
/// # Panics
/// When a connection cannot be opened: a load test without a host has no result.
pub async fn run(client: &Client, work: &Work) -> Summary {
    let per_stream = (BODIES / work.streams.len()).max(1);
    let bodies: Vec<Vec<Payload>> = (0..work.connections).map(|at| bodies_of(work, at, per_stream)).collect();
    let requests = work.records.div_ceil(work.batch as u64);
    let mut connections = Vec::new();
    for _ in 0..work.connections {
        connections.push(client.connect().await.expect("the host accepts connections"));
    }
    let cpu_before = process::cpu_time(std::process::id()).unwrap_or_default();
    let started = Instant::now();
    let mut tasks = JoinSet::new();
    for (at, (connection, bodies)) in (0..).zip(connections.into_iter().zip(bodies)) {
        let share = share(requests, work.connections as u64, at);
        // Producers do not keep step: each begins a little later, so that a period is filled evenly.
        let ticks = pace(work).map(|period| {
            let offset = period.mul_f64(at as f64 / work.connections as f64);
            tokio::time::interval_at(tokio::time::Instant::now() + offset, period)
        });
        tasks.spawn(send(connection, bodies, share, ticks, work.batch as u64));
    }
    let mut total = Tally::new();
    while let Some(tally) = tasks.join_next().await {
        total.add(&tally.expect("no sender panics"));
    }
    let cpu = process::cpu_time(std::process::id()).unwrap_or_default().saturating_sub(cpu_before);
    summarise(work, &total, started.elapsed(), cpu)
}

/// How much of `all` goes to worker `at` of `workers`.
fn share(all: u64, workers: u64, at: u64) -> u64 {
    all / workers + u64::from(at < all % workers)
}

/// Time between two requests of one connection.
fn pace(work: &Work) -> Option<Duration> {
    let rate = work.rate?.max(1);
    let per_connection = (work.batch * work.connections) as f64;
    Some(Duration::from_secs_f64(per_connection / rate as f64))
}

/// The bodies that one connection sends in turn: its share of the streams, or all when there are fewer streams.
fn bodies_of(work: &Work, connection: usize, per_stream: usize) -> Vec<Payload> {
    let mine = work
        .streams
        .iter()
        .enumerate()
        .filter(|(place, _)| work.streams.len() < work.connections || place % work.connections == connection);
    let each = if work.streams.len() < work.connections { per_stream.div_ceil(work.connections) } else { per_stream };
    let mut bodies = Vec::new();
    for turn in 0..each {
        for (place, stream) in mine.clone() {
            let seed = ((place as u64) << 32) | ((connection as u64) << 16) | turn as u64;
            let records = log_records(seed, work.batch, work.record_bytes, work.keys);
            bodies.push(Payload::put_record_batch(stream, records.iter().map(String::as_bytes)));
        }
    }
    bodies
}

async fn send(
    mut connection: Connection,
    bodies: Vec<Payload>,
    requests: u64,
    mut ticks: Option<Interval>,
    batch: u64,
) -> Tally {
    let mut tally = Tally::new();
    if let Some(ticks) = &mut ticks {
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    }
    for (_, body) in (0..requests).zip(bodies.iter().cycle()) {
        let due = match ticks.as_mut() {
            Some(ticks) => ticks.tick().await.into_std(),
            None => Instant::now(),
        };
        let answer = connection.call("PutRecordBatch", body).await;
        let refused = match &answer {
            Ok(answer) if answer.status.is_success() => failed_count(&answer.body).min(batch),
            _ => batch,
        };
        tally.note(due.elapsed(), batch - refused, refused);
        if answer.is_err() {
            // The rest of this connection's share cannot be sent any more; it counts as refused.
            tally.refused += batch * (requests - tally.requests);
            break;
        }
    }
    tally
}

/// `FailedPutCount`, read without parsing 500 record ids.
fn failed_count(body: &[u8]) -> u64 {
    const KEY: &[u8] = br#""FailedPutCount":"#;
    let at = body.windows(KEY.len()).position(|window| window == KEY);
    let digits = at.map_or(&[][..], |at| &body[at + KEY.len()..]);
    let text: String =
        digits.trim_ascii_start().iter().take_while(|byte| byte.is_ascii_digit()).map(|&byte| byte as char).collect();
    text.parse().unwrap_or(u64::MAX)
}

struct Tally {
    latencies: Histogram<u64>,
    acknowledged: u64,
    refused: u64,
    requests: u64,
}

impl Tally {
    fn new() -> Self {
        let latencies = Histogram::new_with_max(LONGEST, 3).expect("3 digits up to two minutes is a legal histogram");
        Self { latencies, acknowledged: 0, refused: 0, requests: 0 }
    }

    fn note(&mut self, latency: Duration, acknowledged: u64, refused: u64) {
        self.latencies.saturating_record(u64::try_from(latency.as_micros()).unwrap_or(LONGEST));
        self.acknowledged += acknowledged;
        self.refused += refused;
        self.requests += 1;
    }

    fn add(&mut self, other: &Self) {
        self.latencies.add(&other.latencies).expect("both have the same bounds");
        self.acknowledged += other.acknowledged;
        self.refused += other.refused;
        self.requests += other.requests;
    }
}

fn summarise(work: &Work, total: &Tally, elapsed: Duration, cpu: Duration) -> Summary {
    let seconds = elapsed.as_secs_f64();
    let milliseconds = |quantile: f64| total.latencies.value_at_quantile(quantile) as f64 / 1_000.0;
    Summary {
        acknowledged_records: total.acknowledged,
        refused_records: total.refused,
        seconds,
        records_per_second: total.acknowledged as f64 / seconds,
        megabytes_per_second: (total.acknowledged * work.record_bytes as u64) as f64 / seconds / 1e6,
        p50_ms: milliseconds(0.5),
        p99_ms: milliseconds(0.99),
        p999_ms: milliseconds(0.999),
        max_ms: total.latencies.max() as f64 / 1_000.0,
        generator_cpu_seconds: cpu.as_secs_f64(),
    }
}

/// Log records of an imaginary shop, each exactly `bytes` long with its newline; one in ten is of level `debug`. With
/// `keys`, the service is one of that many, evenly.
///
/// # Panics
/// When `bytes` is less than a record without its message.
pub fn log_records(seed: u64, count: usize, bytes: usize, keys: Option<u32>) -> Vec<String> {
    const SERVICES: [&str; 6] = ["checkout", "catalog", "search", "basket", "payment", "shipping"];
    const METHODS: [&str; 4] = ["GET", "GET", "POST", "PUT"];
    const LEVELS: [&str; 9] = ["info", "info", "info", "info", "info", "info", "info", "warn", "error"];
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut record = |at: usize| {
        let level = if at.is_multiple_of(10) { "debug" } else { LEVELS[rng.usize(0..LEVELS.len())] };
        let named = SERVICES[rng.usize(0..SERVICES.len())];
        let service = keys.map_or_else(|| named.into(), |keys| format!("shop-{:05}", rng.u32(0..keys.max(1))).into());
        let service: Cow<'_, str> = service;
        let mut line = format!(
            r#"{{"time":"2026-11-21T05:{:02}:{:02}.{:03}Z","level":"{level}","service":"{}","host":"10.0.{}.{}","request":"{:016x}","method":"{}","path":"/v1/items/{}","status":{},"ms":{},"message":""#,
            rng.u8(0..60),
            rng.u8(0..60),
            rng.u16(0..1000),
            service,
            rng.u8(0..8),
            rng.u8(1..=254),
            rng.u64(..),
            METHODS[rng.usize(0..METHODS.len())],
            rng.u32(1..100_000),
            [200, 200, 200, 201, 304, 404, 500][rng.usize(0..7)],
            rng.u16(1..2_000),
        );
        pad(&mut line, bytes.checked_sub(3).expect("a record has room for its end"), &mut rng);
        line.push_str("\"}\n");
        line
    };
    (0..count).map(&mut record).collect()
}

/// Fills up to `length` with words.
fn pad(line: &mut String, length: usize, rng: &mut fastrand::Rng) {
    const WORDS: [&str; 12] = [
        "order ",
        "accepted ",
        "retry ",
        "customer ",
        "timeout ",
        "cache ",
        "miss ",
        "upstream ",
        "answered ",
        "after ",
        "stock ",
        "reserved ",
    ];
    assert!(line.len() <= length, "a record of W1 needs {} bytes", line.len() + 3);
    while line.len() < length {
        line.push_str(WORDS[rng.usize(0..WORDS.len())]);
    }
    line.truncate(length);
}

#[cfg(test)]
mod tests;
