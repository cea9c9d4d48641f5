//! The pipeline on a real journal and a destination in memory that fails on command.

mod breakers;
mod canaries;
mod dead_letters;
mod objects;
pub(super) mod outages;
mod partitions;
mod power_cuts;
mod processors;
mod replays;
mod rows;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::{Partitions, Parts, Pipeline, Stopped};
use crate::api::Backend;
use crate::definition::{Definition, OnFailure, Processor, S3Destination, testing};
use crate::deliver::testing::{Bulk, Memory};
use crate::deliver::{Connector, Verdict};
use crate::journal::sim::SimDisk;
use crate::journal::{Disk, Journal, Recovered, Settings, Storage};
use crate::process::{PluginHost, plugin};
use crate::record::{FATAL_ATTEMPTS, Records, Sequence};
use crate::runtime::{Random, SystemClock};
use crate::spool::Spool;
use crate::telemetry::Telemetry;

const ACCOUNT: &str = "000000000000";
pub(super) const BUCKET: &str = "bucket";
const PARTITIONS: Partitions = Partitions { most_active: 500, refuses: true };
const GRACE: Duration = Duration::from_secs(60);

pub(super) fn definition(buffer_bytes: u64, buffer_seconds: u32) -> Definition {
    let s3 = S3Destination {
        bucket: BUCKET.into(),
        prefix: "data/".into(),
        error_output_prefix: "errors/".into(),
        buffer_bytes,
        buffer_seconds,
        ..testing::s3()
    };
    Definition { s3, ..testing::definition("s") }
}

pub(super) fn through(plugin: &str, on_failure: OnFailure) -> Processor {
    Processor::Plugin { name: plugin.into(), lambda_arn: "arn:aws:lambda:x".into(), retries: 0, on_failure }
}

fn start(folder: &Path, destination: &Arc<Memory>, memory_bytes: usize) -> Pipeline {
    start_on(Arc::new(Disk::new(folder.join("journal"))), folder, destination, memory_bytes)
}

fn open(storage: Arc<dyn Storage>, telemetry: &Telemetry) -> (Journal, Recovered) {
    let (clock, random) = (Arc::new(SystemClock), Arc::new(Random::from_system()));
    // The simulated disk keeps segments in memory and copies them at every restart.
    let settings = Settings { segment_bytes: 1 << 20, group_bytes: 256 << 10, ..Settings::default() };
    Journal::open(settings, storage, clock, random, telemetry.journal.clone()).unwrap()
}

fn start_on(storage: Arc<dyn Storage>, folder: &Path, destination: &Arc<Memory>, memory_bytes: usize) -> Pipeline {
    let telemetry = Telemetry::new();
    let plugins = plugins_in(folder, &telemetry);
    start_with(storage, plugins, telemetry, destination, memory_bytes)
}

pub(super) fn plugins_in(folder: &Path, telemetry: &Arc<Telemetry>) -> Arc<PluginHost> {
    let settings = plugin::Settings::new(folder.join("plugins"), folder.join("store"));
    std::fs::create_dir_all(folder.join("plugins")).unwrap();
    PluginHost::start(settings, Arc::clone(telemetry), Arc::new(SystemClock)).unwrap()
}

fn start_with(
    storage: Arc<dyn Storage>,
    plugins: Arc<PluginHost>,
    telemetry: Arc<Telemetry>,
    destination: &Arc<Memory>,
    memory_bytes: usize,
) -> Pipeline {
    start_beside(&Bulk::default(), without_room(), storage, plugins, telemetry, destination, memory_bytes)
}

/// A spool that takes nothing, and whose folder is gone when it is opened.
fn without_room() -> Spool {
    Spool::open(tempfile::tempdir().unwrap().path(), 0).unwrap()
}

pub(super) fn start_beside(
    bulk: &Bulk,
    spool: Spool,
    storage: Arc<dyn Storage>,
    plugins: Arc<PluginHost>,
    telemetry: Arc<Telemetry>,
    destination: &Arc<Memory>,
    memory_bytes: usize,
) -> Pipeline {
    Pipeline::start(parts(Arc::new(bulk.clone()), spool, storage, plugins, telemetry, destination, memory_bytes))
}

fn parts(
    connector: Arc<dyn Connector>,
    spool: Spool,
    storage: Arc<dyn Storage>,
    plugins: Arc<PluginHost>,
    telemetry: Arc<Telemetry>,
    destination: &Arc<Memory>,
    memory_bytes: usize,
) -> Parts {
    let (clock, random) = (Arc::new(SystemClock), Arc::new(Random::from_system()));
    let (journal, recovered) = open(storage, &telemetry);
    let destination = destination.clone();
    Parts {
        journal,
        recovered,
        plugins,
        destination,
        catalog: None,
        connector,
        memory_bytes,
        spool,
        partitions: PARTITIONS,
        clock,
        random,
        telemetry,
    }
}

/// A wait that ends in a failure: far longer than a busy machine needs.
const LIMIT: Duration = Duration::from_secs(60);

/// Looks until it is so.
async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let looking = async {
        let mut pace = tokio::time::interval(Duration::from_millis(5));
        while !is_so() {
            pace.tick().await;
        }
    };
    tokio::time::timeout(LIMIT, looking).await.unwrap_or_else(|_| panic!("waited in vain for {what}"));
}

pub(super) fn lines(range: std::ops::Range<u32>) -> Records {
    let mut payload = Vec::new();
    let mut ends = Vec::new();
    for number in range {
        payload.extend_from_slice(format!("{number:07}\n").as_bytes());
        ends.push(u32::try_from(payload.len()).unwrap());
    }
    Records::new(payload.into(), ends, Vec::new()).unwrap()
}

async fn put(pipeline: &Pipeline, records: Records) {
    let backend = pipeline.backend();
    let stream = backend.find(ACCOUNT, "s").unwrap();
    backend.append(&stream, records).await.unwrap();
}

/// Every line in the bodies below a prefix, with how often it is there.
fn delivered(bodies: &BTreeMap<String, Bytes>) -> BTreeMap<u32, u32> {
    let mut seen = BTreeMap::new();
    for body in bodies.values() {
        for line in std::str::from_utf8(body).unwrap().lines() {
            *seen.entry(line.parse().unwrap()).or_insert(0) += 1;
        }
    }
    seen
}

/// Asserts that exactly the lines below `upto` arrived, once each.
fn assert_once_each(memory: &Memory, upto: u32) {
    let seen = delivered(&memory.bodies());
    let lost: Vec<u32> = (0..upto).filter(|number| !seen.contains_key(number)).take(10).collect();
    let twice: Vec<u32> = seen.iter().filter(|(_, times)| **times > 1).map(|(number, _)| *number).take(10).collect();
    let foreign: Vec<u32> = seen.keys().filter(|number| **number >= upto).copied().take(10).collect();
    assert!(
        lost.is_empty() && twice.is_empty() && foreign.is_empty(),
        "lost {lost:?} twice {twice:?} foreign {foreign:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_delivers_everything_once() {
    let (folder, memory) = (tempfile::tempdir().unwrap(), Arc::new(Memory::new(BUCKET)));
    let pipeline = start(folder.path(), &memory, 1 << 20);
    pipeline.backend().create(definition(1 << 20, 900)).await.unwrap();
    put(&pipeline, lines(0..1_000)).await;
    put(&pipeline, lines(1_000..1_500)).await;
    assert_eq!(pipeline.stop(GRACE).await, Stopped::Drained);
    assert_once_each(&memory, 1_500);
    assert_eq!(memory.bodies().len(), 1);
}

/// Row X1: a destination that is down for long gets everything in the end, made again from the journal, once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_waited_long_is_made_again() {
    let (folder, memory) = (tempfile::tempdir().unwrap(), Arc::new(Memory::new(BUCKET)));
    // More failures than attempts that keep the body in memory.
    memory.fail_next(6, Verdict::Retry(None));
    let pipeline = start(folder.path(), &memory, 1 << 20);
    pipeline.backend().create(definition(4_000, 900)).await.unwrap();
    put(&pipeline, lines(0..1_000)).await;
    assert_eq!(pipeline.stop(GRACE).await, Stopped::Drained);
    assert_once_each(&memory, 1_000);
    assert_eq!(memory.bodies().len(), 2);
}

/// Row X14: what could not be delivered in the grace time is delivered after the next start, under the same names.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_left_is_delivered_after_the_next_start() {
    let (folder, memory) = (tempfile::tempdir().unwrap(), Arc::new(Memory::new(BUCKET)));
    memory.fail_next(usize::MAX, Verdict::Retry(Some(Duration::from_secs(3_600))));
    let pipeline = start(folder.path(), &memory, 1 << 20);
    pipeline.backend().create(definition(4_000, 900)).await.unwrap();
    put(&pipeline, lines(0..1_000)).await;
    assert_eq!(pipeline.stop(Duration::from_millis(50)).await, Stopped::Undelivered);
    assert!(memory.bodies().is_empty());
    memory.fail_next(0, Verdict::Retry(None));
    let pipeline = start(folder.path(), &memory, 1 << 20);
    put(&pipeline, lines(1_000..1_200)).await;
    assert_eq!(pipeline.stop(GRACE).await, Stopped::Drained);
    assert_once_each(&memory, 1_200);
}

/// More data than the memory budget, and a hint larger than it: what memory has no room for waits in files, and the
/// object is as large as was asked for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_small_budget_spills() {
    let (folder, memory) = (tempfile::tempdir().unwrap(), Arc::new(Memory::new(BUCKET)));
    let telemetry = Telemetry::new();
    let plugins = plugins_in(folder.path(), &telemetry);
    let storage = Arc::new(Disk::new(folder.path().join("journal")));
    let spool = Spool::open(&folder.path().join("spool"), 1 << 20).unwrap();
    let pipeline = start_beside(&Bulk::default(), spool.clone(), storage, plugins, telemetry, &memory, 20_000);
    pipeline.backend().create(definition(128 << 20, 900)).await.unwrap();
    for part in 0..40 {
        put(&pipeline, lines(part * 500..(part + 1) * 500)).await;
    }
    assert_eq!(pipeline.stop(GRACE).await, Stopped::Drained);
    assert_once_each(&memory, 20_000);
    assert_eq!((memory.bodies().len(), spool.used_bytes()), (1, 0));
    let (first, last) = (b"0000000\n0000001\n", b"0019999\n");
    assert!(memory.bodies().values().all(|body| body.starts_with(first) && body.ends_with(last)));
}

/// Row X1: what a destination does not take waits in a file, not in memory, and is sent from there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_dead_destination_does_not_take_waits_in_a_file() {
    let (folder, memory) = (tempfile::tempdir().unwrap(), Arc::new(Memory::new(BUCKET)));
    memory.fail_next(usize::MAX, Verdict::Retry(Some(Duration::from_millis(1))));
    let telemetry = Telemetry::new();
    let plugins = plugins_in(folder.path(), &telemetry);
    let storage = Arc::new(Disk::new(folder.path().join("journal")));
    let spool = Spool::open(&folder.path().join("spool"), 1 << 20).unwrap();
    let pipeline = start_beside(&Bulk::default(), spool.clone(), storage, plugins, telemetry, &memory, 1 << 20);
    pipeline.backend().create(definition(1 << 20, 0)).await.unwrap();
    put(&pipeline, lines(0..500)).await;
    let (all, spooled) = (lines(0..500).payload().len() as u64, spool.clone());
    until("the object's file", || spooled.used_bytes() == all).await;
    memory.fail_next(0, Verdict::Retry(None));
    assert_eq!(pipeline.stop(GRACE).await, Stopped::Drained);
    assert_once_each(&memory, 500);
    assert_eq!((memory.bodies().len(), spool.used_bytes()), (1, 0));
}

/// Row D8: without room in the spool objects come out smaller, nothing waits for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_small_budget_cuts_early() {
    let (folder, memory) = (tempfile::tempdir().unwrap(), Arc::new(Memory::new(BUCKET)));
    let pipeline = start(folder.path(), &memory, 20_000);
    pipeline.backend().create(definition(128 << 20, 900)).await.unwrap();
    for part in 0..40 {
        put(&pipeline, lines(part * 500..(part + 1) * 500)).await;
    }
    assert_eq!(pipeline.stop(GRACE).await, Stopped::Drained);
    assert_once_each(&memory, 20_000);
    assert!(memory.bodies().len() > 1, "one object would have needed eight times the budget");
}

/// Row D8: a disk that fills while a batch is being spilled. What is in the file and what is not make one object, cut
/// early, and so do those that follow.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_spool_that_fills_half_way_loses_nothing() {
    let (folder, memory) = (tempfile::tempdir().unwrap(), Arc::new(Memory::new(BUCKET)));
    let telemetry = Telemetry::new();
    let plugins = plugins_in(folder.path(), &telemetry);
    let storage = Arc::new(Disk::new(folder.path().join("journal")));
    let spool = Spool::open(&folder.path().join("spool"), 50_000).unwrap();
    let pipeline = start_beside(&Bulk::default(), spool.clone(), storage, plugins, telemetry, &memory, 20_000);
    pipeline.backend().create(definition(128 << 20, 900)).await.unwrap();
    for part in 0..40 {
        put(&pipeline, lines(part * 500..(part + 1) * 500)).await;
    }
    assert_eq!(pipeline.stop(GRACE).await, Stopped::Drained);
    assert_once_each(&memory, 20_000);
    let longest = memory.bodies().values().map(|body| body.len()).max();
    assert!(memory.bodies().len() > 1 && longest > Some(30_000), "{longest:?}");
    assert_eq!(spool.used_bytes(), 0);
}

/// Row D8: what was spilled cannot be read back; the journal has it still, and the object is the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_spilled_batch_that_is_gone_is_made_again() {
    let (folder, memory) = (tempfile::tempdir().unwrap(), Arc::new(Memory::new(BUCKET)));
    let telemetry = Telemetry::new();
    let plugins = plugins_in(folder.path(), &telemetry);
    let storage = Arc::new(Disk::new(folder.path().join("journal")));
    let place = folder.path().join("spool");
    let spool = Spool::open(&place, 1 << 20).unwrap();
    let pipeline = start_beside(&Bulk::default(), spool.clone(), storage, plugins, telemetry, &memory, 20_000);
    pipeline.backend().create(definition(128 << 20, 900)).await.unwrap();
    for part in 0..10 {
        put(&pipeline, lines(part * 500..(part + 1) * 500)).await;
    }
    until("something is spilled", || spool.used_bytes() > 0).await;
    for file in std::fs::read_dir(&place).unwrap() {
        std::fs::remove_file(file.unwrap().path()).unwrap();
    }
    assert_eq!(pipeline.stop(GRACE).await, Stopped::Drained);
    assert_once_each(&memory, 5_000);
    assert!(memory.bodies().values().any(|body| body.starts_with(b"0000000\n")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_update_keeps_what_is_buffered_and_names_it_anew() {
    let (folder, memory) = (tempfile::tempdir().unwrap(), Arc::new(Memory::new(BUCKET)));
    let pipeline = start(folder.path(), &memory, 1 << 20);
    let backend = pipeline.backend();
    backend.create(definition(1 << 20, 900)).await.unwrap();
    put(&pipeline, lines(0..10)).await;
    let mut second = definition(1 << 20, 900);
    second.version = 2;
    second.s3.prefix = "second/".into();
    backend.update(second).await.unwrap();
    assert_eq!(pipeline.stop(GRACE).await, Stopped::Drained);
    let keys: Vec<String> = memory.bodies().into_keys().collect();
    assert_once_each(&memory, 10);
    assert!(keys.len() == 1 && keys[0].starts_with("second/") && keys[0].contains("/s-2-"), "{keys:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_stream_is_gone_and_its_name_is_free() {
    let (folder, memory) = (tempfile::tempdir().unwrap(), Arc::new(Memory::new(BUCKET)));
    let pipeline = start(folder.path(), &memory, 1 << 20);
    let backend = pipeline.backend();
    backend.create(definition(1 << 20, 900)).await.unwrap();
    put(&pipeline, lines(0..10)).await;
    backend.delete(ACCOUNT, "s").await.unwrap();
    assert!(backend.find(ACCOUNT, "s").is_none());
    backend.create(definition(1 << 20, 900)).await.unwrap();
    put(&pipeline, lines(0..3)).await;
    assert_eq!(pipeline.stop(GRACE).await, Stopped::Drained);
    // Deleting discards what was buffered, as Firehose does.
    assert_once_each(&memory, 3);
}

/// Five log records through the guest `bench`, in a process that died while each of `attempts` was running; what the
/// next life delivers, and what it sets aside.
async fn after_deaths(attempts: &[(Sequence, Sequence)]) -> (usize, Vec<String>) {
    let (folder, memory) = (tempfile::tempdir().unwrap(), Arc::new(Memory::new(BUCKET)));
    std::fs::create_dir_all(folder.path().join("plugins")).unwrap();
    std::fs::copy(plugin::guests::guest("bench"), folder.path().join("plugins/bench.wasm")).unwrap();
    let disk = SimDisk::new(7);
    let (journal, _) = open(Arc::new(disk.clone()), &Telemetry::new());
    let mut wanted = definition(1 << 20, 900);
    wanted.processors = vec![through("bench", OnFailure::DeadLetter)];
    let stream = journal.create_stream(wanted).await.unwrap();
    let line = "{\"level\":\"info\"}\n";
    let ends = (1..=5).map(|at| at * u32::try_from(line.len()).unwrap()).collect();
    let records = Records::new(line.repeat(5).into(), ends, Vec::new()).unwrap();
    journal.append(stream, records, 1).await.unwrap();
    for &(first, end) in attempts {
        journal.attempt(stream, first, end).await.unwrap();
    }
    let pipeline = start_on(Arc::new(disk.restart()), folder.path(), &memory, 1 << 20);
    assert_eq!(pipeline.stop(GRACE).await, Stopped::Drained);
    let bodies = memory.bodies();
    let below = |prefix: &'static str| {
        bodies.iter().filter(move |(key, _)| key.starts_with(prefix)).map(|(_, body)| String::from_utf8_lossy(body))
    };
    let delivered = below("data/").map(|body| body.matches("hydrant").count()).sum();
    (delivered, below("errors/").map(std::borrow::Cow::into_owned).collect())
}

/// Row P7: a record that was running alone whenever the process died is not run again; it goes to the error output,
/// saying so, and the others are delivered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_kills_the_process_is_set_aside() {
    let mut attempts = vec![(0, 5); FATAL_ATTEMPTS as usize];
    attempts.extend(vec![(2, 3); FATAL_ATTEMPTS as usize]);
    let (delivered, failed) = after_deaths(&attempts).await;
    assert_eq!(delivered, 4);
    assert!(failed.len() == 1 && failed[0].lines().count() == 1, "{failed:?}");
    assert!(failed[0].contains("or the process died whenever it ran"), "{failed:?}");
    assert!(failed[0].contains("\"sequence\":2"), "{failed:?}");
}

/// Row P7: deaths while a batch was running blame no record of it; each is run alone and delivered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_blame_nobody() {
    assert_eq!(after_deaths(&[(0, 5); FATAL_ATTEMPTS as usize]).await, (5, Vec::new()));
    assert_eq!(after_deaths(&[(0, 1), (1, 2), (1, 2)]).await, (5, Vec::new()));
    // The last attempt that is allowed may be the one that goes well.
    assert_eq!(after_deaths(&[(1, 2), (1, 2), (1, 2), (2, 3)]).await, (5, Vec::new()));
}
