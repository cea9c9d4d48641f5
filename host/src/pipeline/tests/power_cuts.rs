//! The whole pipeline on a simulated disk whose power is cut again and again, with a destination that fails now and
//! then: what was acknowledged arrives exactly once, in the place its fate asks for.
//!
//! Cuts are counted in the disk's operations, so they fall between any two of them: between an attempt and its
//! survival, a seal and its delivery, an epoch and the first record it rules. Threads are real, so a seed repeats the
//! choices and not the run. Refuses to look inside: it puts, cuts, and reads what was delivered.

use std::collections::BTreeMap;

use base64_simd::STANDARD as BASE64;

use super::*;
use crate::journal::sim::{Fault, Tear};

/// Lives per run; the last one drains.
const LIVES: u32 = 14;
/// Runs, each with choices of its own.
const SEEDS: std::ops::Range<u64> = 0..6;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Deliver,
    Drop,
    Fail,
}

impl Fate {
    fn of(number: u32) -> Self {
        match number % 10 {
            3 => Self::Drop,
            7 => Self::Fail,
            _ => Self::Deliver,
        }
    }
}

fn line(number: u32) -> String {
    match Fate::of(number) {
        Fate::Deliver => format!("{{\"n\":{number},\"level\":\"info\"}}\n"),
        Fate::Drop => format!("{{\"n\":{number},\"level\":\"debug\"}}\n"),
        Fate::Fail => format!("\"n\":{number},no json\n"),
    }
}

/// The number in a line of the input or of the output.
fn number(line: &str) -> u32 {
    let rest = line.split_once("\"n\":").expect("a number").1;
    rest[..rest.find(',').expect("its end")].parse().expect("digits")
}

/// What was delivered and what was set aside: how often each number is there.
fn arrived(memory: &Memory) -> [BTreeMap<u32, u32>; 2] {
    let mut places = [BTreeMap::new(), BTreeMap::new()];
    for (key, body) in memory.bodies() {
        let body = std::str::from_utf8(&body).expect("text").to_owned();
        for line in body.lines() {
            if key.starts_with("errors/") {
                let envelope: serde_json::Value = serde_json::from_str(line).expect("an envelope");
                let raw = BASE64.decode_to_vec(envelope["rawData"].as_str().expect("raw data")).expect("base64");
                *places[1].entry(number(std::str::from_utf8(&raw).expect("text"))).or_insert(0) += 1;
            } else {
                *places[0].entry(number(line)).or_insert(0) += 1;
            }
        }
    }
    places
}

fn records(range: std::ops::Range<u32>, line: fn(u32) -> String) -> Records {
    let mut payload = Vec::new();
    let ends = range.map(|at| {
        payload.extend_from_slice(line(at).as_bytes());
        u32::try_from(payload.len()).expect("small")
    });
    let ends = ends.collect();
    Records::new(payload.into(), ends, Vec::new()).expect("well-formed")
}

/// Whether each number was acknowledged; those not in here were never sent.
type Sent = BTreeMap<u32, bool>;

/// Puts until the power is gone. What was not acknowledged is never sent again.
async fn put_until_dark(
    pipeline: &Pipeline,
    disk: &SimDisk,
    line: fn(u32) -> String,
    sent: &mut Sent,
    rng: &mut fastrand::Rng,
) {
    let backend = pipeline.backend();
    let stream = backend.find(ACCOUNT, "s").expect("the stream");
    // A life that ends before its first put leaves the next one the same work.
    tokio::time::sleep(Duration::from_millis(rng.u64(0..2) * 20)).await;
    while !disk.is_crashed() {
        let first = sent.last_key_value().map_or(0, |(last, _)| last + 1);
        let end = first + rng.u32(1..60);
        let acknowledged = backend.append(&stream, records(first..end, line)).await.is_ok();
        sent.extend((first..end).map(|at| (at, acknowledged)));
        tokio::time::sleep(Duration::from_millis(rng.u64(0..4))).await;
    }
}

/// What a stream is given, and where each record of it may be in the end: how often delivered and how often failed.
struct Work {
    definition: Definition,
    partitions: Partitions,
    line: fn(u32) -> String,
    may_be: fn(u32, (u32, u32)) -> bool,
}

/// Runs a stream through all its lives; answers with how many records were delivered and how many failed.
async fn run(seed: u64, work: &Work) -> (usize, usize) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let (folder, memory) = (tempfile::tempdir().unwrap(), Arc::new(Memory::new(BUCKET)));
    std::fs::create_dir_all(folder.path().join("plugins")).unwrap();
    std::fs::copy(plugin::guests::guest("bench"), folder.path().join("plugins/bench.wasm")).unwrap();
    // Plugins keep nothing from life to life, and a host of them per life would take most of the time.
    let telemetry = Telemetry::new();
    let plugins = plugins_in(folder.path(), &telemetry);
    let start = |disk: &SimDisk| {
        let (disk, plugins, telemetry) = (Arc::new(disk.clone()), Arc::clone(&plugins), Arc::clone(&telemetry));
        let parts = parts(Arc::new(Bulk::default()), without_room(), disk, plugins, telemetry, &memory, 1 << 20);
        Pipeline::start(Parts { partitions: work.partitions, ..parts })
    };
    let mut disk = SimDisk::new(seed);
    let (journal, _) = open(Arc::new(disk.clone()), &Telemetry::new());
    let mut wanted = work.definition.clone();
    wanted.s3.buffer_seconds = rng.u32(0..2);
    journal.create_stream(wanted).await.unwrap();
    journal.close().await;
    disk = disk.restart();
    let mut sent = Sent::new();
    for _ in 1..LIVES {
        // Mostly soon, so that several lives end in the same work.
        let most = if rng.bool() { 12 } else { 120 };
        let soon = rng.u64(1..most);
        let pipeline = start(&disk);
        disk.set_faults(&[Fault::Crash(disk.operations() + soon)]);
        memory.fail_next(rng.usize(0..4), Verdict::Retry(None));
        put_until_dark(&pipeline, &disk, work.line, &mut sent, &mut rng).await;
        pipeline.stop(Duration::ZERO).await;
        disk = disk.power_cycle(rng.choice(Tear::ALL).expect("four"), rng.u64(..));
    }
    let pipeline = start(&disk);
    assert_eq!(pipeline.stop(GRACE).await, Stopped::Drained, "seed {seed}");

    let [delivered, failed] = arrived(&memory);
    let mut wrong = Vec::new();
    for (&at, &acknowledged) in &sent {
        let found = (delivered.get(&at).copied().unwrap_or(0), failed.get(&at).copied().unwrap_or(0));
        if !(work.may_be)(at, found) && (acknowledged || found != (0, 0)) {
            wrong.push(format!("{at} acknowledged={acknowledged}: (delivered, failed) = {found:?}"));
        }
    }
    let foreign = delivered.keys().chain(failed.keys()).filter(|at| !sent.contains_key(at)).count();
    assert!(wrong.is_empty() && foreign == 0, "seed {seed}: {foreign} foreign, {} wrong: {wrong:#?}", wrong.len());
    let acknowledged = sent.values().filter(|acknowledged| **acknowledged).count();
    assert!(acknowledged > 100, "seed {seed}: {acknowledged} acknowledged records prove little");
    (delivered.len(), failed.len())
}

/// Rows D1, D3, P7, X2, X7 together.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn power_cuts_at_any_operation_lose_nothing() {
    let mut through_plugin = definition(2_000, 0);
    through_plugin.processors = vec![through("bench", OnFailure::DeadLetter)];
    let may_be = |at, found| match Fate::of(at) {
        Fate::Deliver => found == (1, 0),
        Fate::Drop => found == (0, 0),
        Fate::Fail => found == (0, 1),
    };
    let work = Work { definition: through_plugin, partitions: PARTITIONS, line, may_be };
    for seed in SEEDS {
        run(seed, &work).await;
    }
}

/// A line whose partition looks like chance, some much more often than others, so that they are cut apart.
fn of_some_partition(number: u32) -> String {
    let keys = b"aaaabbcdefg";
    let key = char::from(keys[number.wrapping_mul(2_654_435_761) as usize / 65_536 % keys.len()]);
    format!("{{\"n\":{number},\"k\":\"{key}\"}}\n")
}

/// Rows D1, D3, X2: a record for whose partition there is no room is delivered or refused, never both and never neither,
/// although what is refused depends on when partitions are cut.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn power_cuts_never_leave_a_record_beyond_the_partitions_in_both_places() {
    let work = Work {
        definition: outages::keyed("s", BUCKET, 500),
        partitions: Partitions { most_active: 3, refuses: true },
        line: of_some_partition,
        may_be: |_, found| found == (1, 0) || found == (0, 1),
    };
    let (mut delivered, mut refused) = (0, 0);
    for seed in SEEDS {
        let (more_delivered, more_refused) = run(seed, &work).await;
        (delivered, refused) = (delivered + more_delivered, refused + more_refused);
    }
    assert!(delivered > 100 && refused > 100, "{delivered} delivered, {refused} refused");
}
