//! Destinations that are away for long: what waits costs disk, others notice nothing, and all of it arrives once.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;

use super::*;
use crate::definition::{KeySource, PartitionKey, Partitioning};
use crate::deliver::{DeliveryError, Destination, Receipt};
use crate::record::Object;
use crate::runtime::{Clock, ManualClock};
use crate::telemetry::{DeliveryState, StreamMetrics};

use super::rows::{found, searched};

/// S3 whose bucket `away` hangs or refuses, for as long as it is told to; the other one is always there.
#[derive(Debug)]
struct Partly {
    there: Memory,
    away: Memory,
    how: std::sync::Mutex<Away>,
    /// Requests to the one that is away that are under way now, and the most of them that ever were.
    under_way: AtomicUsize,
    most: AtomicUsize,
    asked: AtomicUsize,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Away {
    Hangs,
    Refuses,
    IsBack,
}

impl Partly {
    fn new(how: Away) -> Arc<Self> {
        let (there, away) = (Memory::new(BUCKET), Memory::new("away"));
        let (under_way, most, asked) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
        Arc::new(Self { there, away, how: how.into(), under_way, most, asked })
    }

    fn set(&self, how: Away) {
        *self.how.lock().unwrap() = how;
    }

    fn start(self: &Arc<Self>, folder: &Path, disk: &SimDisk, clock: Arc<dyn Clock>, memory_bytes: usize) -> Rig {
        let telemetry = Telemetry::new();
        let (journal, recovered) = open(Arc::new(disk.clone()), &telemetry);
        let spool = spool_in(folder, 1 << 30);
        let pipeline = Pipeline::start(Parts {
            journal,
            recovered,
            plugins: plugins_in(folder, &telemetry),
            destination: Arc::clone(self) as Arc<dyn Destination>,
            catalog: None,
            connector: Arc::new(Bulk::default()),
            memory_bytes,
            spool: spool.clone(),
            partitions: PARTITIONS,
            clock,
            random: Arc::new(Random::from_system()),
            telemetry: Arc::clone(&telemetry),
        });
        Rig { pipeline, telemetry, spool }
    }
}

/// A folder of its own in each life: what another process would leave behind, this one may still be dropping.
fn spool_in(folder: &Path, capacity_bytes: u64) -> Spool {
    Spool::open(&tempfile::tempdir_in(folder).unwrap().keep(), capacity_bytes).unwrap()
}

struct Rig {
    pipeline: Pipeline,
    telemetry: Arc<Telemetry>,
    spool: Spool,
}

impl Rig {
    fn metrics(&self, stream: &str) -> StreamMetrics {
        self.pipeline.backend().find(ACCOUNT, stream).unwrap().metrics.clone()
    }
}

#[async_trait]
impl Destination for Partly {
    async fn deliver(&self, object: &Object) -> Result<Receipt, DeliveryError> {
        if object.seal.bucket == BUCKET {
            return self.there.deliver(object).await;
        }
        self.asked.fetch_add(1, Ordering::SeqCst);
        let how = *self.how.lock().unwrap();
        match how {
            Away::IsBack => self.away.deliver(object).await,
            Away::Refuses => {
                let (code, text) = ("S3.AccessDenied", "refused on command".to_owned());
                Err(DeliveryError { verdict: Verdict::Retry(None), code, text, source: None })
            }
            Away::Hangs => {
                let now = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
                self.most.fetch_max(now, Ordering::SeqCst);
                std::future::pending().await
            }
        }
    }
}

fn stream(name: &str, bucket: &str, buffer_bytes: u64) -> Definition {
    let plain = definition(buffer_bytes, 900);
    Definition { name: name.into(), s3: S3Destination { bucket: bucket.into(), ..plain.s3.clone() }, ..plain }
}

async fn put_to(pipeline: &Pipeline, name: &str, records: Records) {
    let backend = pipeline.backend();
    backend.append(&backend.find(ACCOUNT, name).unwrap(), records).await.unwrap();
}

/// Rows X1 and X13: whether its bucket hangs or refuses, a stream with much more than memory has room for takes at most
/// its own turns, and gives memory back; another stream delivers beside it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_other_stream_notices() {
    for how in [Away::Hangs, Away::Refuses] {
        let (folder, disk, s3) = (tempfile::tempdir().unwrap(), SimDisk::new(1), Partly::new(how));
        let rig = s3.start(folder.path(), &disk, Arc::new(SystemClock), 60_000);
        let backend = rig.pipeline.backend();
        backend.create(keyed("dead", "away", 500)).await.unwrap();
        backend.create(stream("s", BUCKET, 4_000)).await.unwrap();
        put_to(&rig.pipeline, "dead", documents(100, 0..5_000)).await;
        let dead = rig.metrics("dead");
        until("a stream that waits", || match how {
            Away::Hangs => s3.under_way.load(Ordering::SeqCst) > 0,
            _ => dead.gates.state() == DeliveryState::Held,
        })
        .await;
        for part in 0..20 {
            put_to(&rig.pipeline, "s", lines(part * 500..(part + 1) * 500)).await;
        }
        until("all but the last buffer of the other stream", || s3.there.bodies().len() == 20).await;
        assert!(s3.most.load(Ordering::SeqCst) <= 8, "its own turns and no more");
        let context = &rig.pipeline.context;
        if how == Away::Refuses {
            until("memory to be given back", || !context.budget.is_over()).await;
            assert_eq!(context.delivery_turns.available_permits(), 32, "who asks for all takes no turn of the others");
        }
        assert_eq!(dead.delivered.records.get(), 0);
        s3.set(Away::IsBack);
        let grace = if how == Away::Hangs { Duration::from_millis(100) } else { GRACE };
        let stopped = rig.pipeline.stop(grace).await;
        if how == Away::Refuses {
            assert_eq!(stopped, Stopped::Drained);
            assert_all(&s3.away, 5_000);
        }
        assert_once_each(&s3.there, 10_000);
    }
}

/// Records of so many partitions, `{"k":"…","n":…}`.
pub(in crate::pipeline) fn documents(partitions: u32, range: std::ops::Range<u32>) -> Records {
    let texts: Vec<String> =
        range.map(|number| format!("{{\"k\":\"{}\",\"n\":{number}}}\n", number % partitions)).collect();
    let ends = texts.iter().scan(0, |end, text| {
        *end += u32::try_from(text.len()).unwrap();
        Some(*end)
    });
    Records::new(texts.concat().into(), ends.collect(), Vec::new()).unwrap()
}

pub(in crate::pipeline) fn keyed(name: &str, bucket: &str, buffer_bytes: u64) -> Definition {
    let plain = stream(name, bucket, buffer_bytes);
    let key = PartitionKey { source: KeySource::Query, name: "k".into(), uses: 1 };
    let s3 = S3Destination { prefix: "data/!{partitionKeyFromQuery:k}/".into(), ..plain.s3.clone() };
    Definition {
        processors: vec![Processor::ExtractMetadata { query: "{k: .k}".into() }],
        partitioning: Some(Partitioning { keys: vec![key], room_bytes: 400, event_time: None }),
        s3,
        ..plain
    }
}

/// Asserts that the numbers below `count` are there once each, each below its partition.
fn assert_all(memory: &Memory, count: u64) {
    let mut seen = BTreeSet::new();
    for (key, body) in memory.bodies() {
        for document in serde_json::Deserializer::from_slice(&body).into_iter::<serde_json::Value>() {
            let document = document.unwrap();
            assert!(key.starts_with(&format!("data/{}/", document["k"].as_str().unwrap())), "{key}: {document}");
            assert!(seen.insert(document["n"].as_u64().unwrap()), "twice: {document}");
        }
    }
    assert_eq!((seen.len() as u64, seen.last().copied()), (count, Some(count - 1)));
}

/// Row X1: 500 partitions wait for a bucket. While the process lives nothing is read again: the spool has it. After a
/// restart all are made again in few passes over what the journal has, not in one for each.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partitions_wait_on_disk_and_are_made_again_together() {
    let (folder, mut disk, s3) = (tempfile::tempdir().unwrap(), SimDisk::new(1), Partly::new(Away::Refuses));
    let count = 60_000;
    let rig = s3.start(folder.path(), &disk, Arc::new(SystemClock), 300_000);
    // What is left when the stream is drained: all of it.
    rig.pipeline.backend().create(keyed("dead", "away", 1 << 20)).await.unwrap();
    for part in 0..20 {
        put_to(&rig.pipeline, "dead", documents(500, part * count / 20..(part + 1) * count / 20)).await;
    }
    let dead = rig.metrics("dead");
    rig.pipeline.draining.send_replace(true);
    until("a stream that is held", || dead.gates.state() == DeliveryState::Held).await;
    let sealed = || dead.sealed.records.get() == u64::from(count);
    until("everything to be sealed and in files", || sealed() && !rig.pipeline.context.budget.is_over()).await;
    assert!(rig.spool.used_bytes() > 0);
    assert_eq!(dead.remade_reads.get(), 0);
    assert_eq!(rig.pipeline.stop(Duration::from_millis(50)).await, Stopped::Undelivered);
    drop(rig);
    disk = disk.restart();
    let rig = s3.start(folder.path(), &disk, Arc::new(SystemClock), 300_000);
    let dead = rig.metrics("dead");
    until("a stream that is held again", || dead.gates.state() == DeliveryState::Held).await;
    let before = s3.asked.load(Ordering::SeqCst);
    s3.set(Away::IsBack);
    assert_eq!(rig.pipeline.stop(GRACE).await, Stopped::Drained);
    assert_all(&s3.away, u64::from(count));
    assert!(s3.away.bodies().len() >= 500 && before < 100, "{before} requests before it was back");
    let reads = dead.remade_reads.get();
    assert!((1..=100).contains(&reads), "{reads} reads; a pass for each batch would be at least 500");
}

/// A pipeline with one stream of rows, over an error output that may be away.
struct Both {
    folder: tempfile::TempDir,
    disk: SimDisk,
    memory: Arc<Memory>,
    bulk: Bulk,
}

impl Both {
    fn new() -> Self {
        let (folder, disk) = (tempfile::tempdir().unwrap(), SimDisk::new(1));
        Self { folder, disk, memory: Arc::new(Memory::new(BUCKET)), bulk: Bulk::default() }
    }

    fn start(&mut self, clock: Arc<dyn Clock>) -> Rig {
        self.disk = self.disk.restart();
        let telemetry = Telemetry::new();
        let (journal, recovered) = open(Arc::new(self.disk.clone()), &telemetry);
        let spool = spool_in(self.folder.path(), 1 << 20);
        let pipeline = Pipeline::start(Parts {
            journal,
            recovered,
            plugins: plugins_in(self.folder.path(), &telemetry),
            destination: Arc::clone(&self.memory) as Arc<dyn Destination>,
            catalog: None,
            connector: Arc::new(self.bulk.clone()),
            memory_bytes: 1 << 20,
            spool: spool.clone(),
            partitions: PARTITIONS,
            clock,
            random: Arc::new(Random::from_system()),
            telemetry: Arc::clone(&telemetry),
        });
        Rig { pipeline, telemetry, spool }
    }
}

/// Row X1: when destination and error output are both away the stream is held, which is told, and everything is in one
/// of the two places once they are back, nothing in both.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_both_away_a_stream_is_held_and_loses_nothing() {
    let mut both = Both::new();
    both.bulk.fail_next(usize::MAX);
    both.memory.fail_next(usize::MAX, Verdict::Retry(None));
    let rig = both.start(Arc::new(SystemClock));
    rig.pipeline.backend().create(searched(1, false)).await.unwrap();
    put(&rig.pipeline, lines(0..6_000)).await;
    let metrics = rig.metrics("s");
    until("a stream that is held", || metrics.gates.state() == DeliveryState::Held).await;
    until("its name", || *rig.pipeline.held().borrow() == [format!("{ACCOUNT}/s")]).await;
    let text = rig.telemetry.render();
    for line in [
        r#"hydrant_deliver_held{account="000000000000",stream="s"} 1"#,
        r#"hydrant_deliver_breaker_open{account="000000000000",stream="s",place="backup"} 1"#,
    ] {
        assert!(text.contains(line), "{line} in:\n{text}");
    }
    // Puts are taken meanwhile.
    put(&rig.pipeline, lines(6_000..7_000)).await;
    assert_eq!((metrics.delivered.records.get(), metrics.undelivered.records.get()), (0, 0));
    both.bulk.fail_next(0);
    both.memory.fail_next(0, Verdict::Retry(None));
    until("a stream that goes on", || metrics.gates.state() == DeliveryState::Delivering).await;
    assert_eq!(rig.pipeline.stop(GRACE).await, Stopped::Drained);
    let (rows, failed) = found(&both.memory, &both.bulk);
    let all: BTreeSet<u64> = rows.iter().chain(&failed).copied().collect();
    assert_eq!((all.len(), rows.len() + failed.len()), (7_000, 7_000), "once each");
    assert!(!rows.is_empty() && !failed.is_empty());
    assert_eq!(rig.spool.used_bytes(), 0);
}

/// A batch's time goes on while the host is off: what failed before and fails again is out of time, and what never was
/// sent in vain has all its time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn time_counts_over_restarts() {
    let mut both = Both::new();
    both.bulk.fail_next(usize::MAX);
    let rig = both.start(Arc::new(SystemClock));
    rig.pipeline.backend().create(searched(7_200, false)).await.unwrap();
    put(&rig.pipeline, lines(0..500)).await;
    until("an attempt in vain", || !both.bulk.deliveries().is_empty()).await;
    assert_eq!(rig.pipeline.stop(Duration::from_millis(50)).await, Stopped::Undelivered);
    assert!(both.memory.bodies().is_empty(), "there was time left");
    let later = Arc::new(ManualClock::at(SystemClock.now_ms() + 86_400_000));
    let attempts = both.bulk.deliveries().len();
    both.bulk.fail_next(1);
    let rig = both.start(later);
    until("the error output", || !both.memory.bodies().is_empty()).await;
    assert_eq!(both.bulk.deliveries().len(), attempts + 1, "it was tried once more");
    both.bulk.fail_next(1);
    put(&rig.pipeline, lines(500..1_000)).await;
    assert_eq!(rig.pipeline.stop(GRACE).await, Stopped::Drained);
    let (rows, failed) = found(&both.memory, &both.bulk);
    assert_eq!((rows, failed), ((500..1_000).collect::<Vec<u64>>(), (0..500).collect::<Vec<u64>>()));
}

/// Row X1: S3 may be away for longer than Firehose would keep anything; there is no end to trying.
#[tokio::test(start_paused = true)]
async fn nothing_is_dropped_after_a_day() {
    let mut both = Both::new();
    both.memory.fail_next(usize::MAX, Verdict::Retry(None));
    let rig = both.start(Arc::new(SystemClock));
    rig.pipeline.backend().create(definition(4_000, 900)).await.unwrap();
    put(&rig.pipeline, lines(0..1_000)).await;
    tokio::time::sleep(Duration::from_secs(30 * 3_600)).await;
    assert!(both.memory.bodies().is_empty());
    assert_eq!(rig.metrics("s").gates.state(), DeliveryState::Held);
    both.memory.fail_next(0, Verdict::Retry(None));
    assert_eq!(rig.pipeline.stop(Duration::from_secs(365 * 24 * 3_600)).await, Stopped::Drained);
    assert_once_each(&both.memory, 1_000);
}
