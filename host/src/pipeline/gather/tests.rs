//! Sealed batches made again on a real journal: in few passes, within their memory, none failing for another.

use futures_util::FutureExt;
use futures_util::future::join_all;
use uuid::Uuid;

use super::*;
use crate::definition::OnFailure;
use crate::deliver::testing::{Bulk, Memory};
use crate::journal::sim::SimDisk;
use crate::pipeline::Pipeline;
use crate::pipeline::history::Decided;
use crate::pipeline::tests::outages::{documents, keyed};
use crate::pipeline::tests::{BUCKET, definition, lines, plugins_in, start_beside, through};
use crate::record::{Epoch, PluginVersion, StreamId};
use crate::spool::Spool;
use crate::telemetry::Telemetry;

/// One stream with records, which no runner reads.
struct Rig {
    _folder: tempfile::TempDir,
    pipeline: Pipeline,
    spool: Spool,
    stream: StreamId,
    history: History,
    gathering: Gathering,
}

/// What a batch came to: its text, or why it could not be made.
type Made = Result<String, String>;

impl Rig {
    async fn new(definition: Definition, records: Records, memory_bytes: usize, spool_bytes: u64) -> Self {
        let (folder, telemetry) = (tempfile::tempdir().unwrap(), Telemetry::new());
        let spool = Spool::open(&folder.path().join("spool"), spool_bytes).unwrap();
        let plugins = plugins_in(folder.path(), &telemetry);
        let (disk, memory) = (Arc::new(SimDisk::new(1)), Arc::new(Memory::new(BUCKET)));
        let pipeline = start_beside(&Bulk::default(), spool.clone(), disk, plugins, telemetry, &memory, memory_bytes);
        let journal = &pipeline.context.journal;
        let stream = journal.create_stream(definition.clone()).await.unwrap();
        journal.append(stream, records, 1).await.unwrap();
        let epoch = Epoch { stream, from: 0, definition_version: 1, plugins: Vec::new() };
        let history = History::new(vec![definition], vec![epoch], Decided::default());
        let gathering = Gathering::new(StreamMetrics::default());
        Self { _folder: folder, pipeline, spool, stream, history, gathering }
    }

    fn seal(&self, number: u128, partition: Partition, range: Range<Sequence>, content_bytes: u64) -> Arc<Seal> {
        Arc::new(Seal {
            id: Uuid::from_u128(number),
            stream: self.stream,
            partition,
            first: range.start,
            end: range.end,
            open_from: 0,
            definition_version: 1,
            bucket: BUCKET.to_owned(),
            key: String::new(),
            record_count: 1,
            content_bytes,
            oldest_arrived_ms: 0,
            sealed_ms: 0,
        })
    }

    fn main(&self, range: Range<Sequence>) -> Arc<Seal> {
        let (number, bytes) = (u128::from(range.start) << 64 | u128::from(range.end), 8 * (range.end - range.start));
        self.seal(number, Partition::Main, range, bytes)
    }

    /// Seals of all of so many partitions.
    fn partitions(&self, count: u32, end: Sequence, content_bytes: u64) -> Vec<Arc<Seal>> {
        let keyed = |at: u32| Partition::Keyed(vec![at.to_string()]);
        (0..count).map(|at| self.seal(u128::from(at), keyed(at), 0..end, content_bytes)).collect()
    }

    async fn made(&self, seal: &Arc<Seal>) -> Made {
        let held = self.gathering.content(&self.pipeline.context, &self.history, seal).await;
        // Its room is given back here, as when it is encoded.
        let held = held.map_err(|error| error.to_string())?;
        assert!(
            held.room.is_some() || matches!(held.content, Content::Spilled { .. }),
            "it waits in memory, unbounded"
        );
        match held.content.load().unwrap() {
            Content::Records(bytes) => Ok(String::from_utf8(bytes).unwrap()),
            other => panic!("{other:?}"),
        }
    }

    async fn all(&self, seals: &[Arc<Seal>]) -> Vec<Made> {
        let made = join_all(seals.iter().map(|seal| self.made(seal))).await;
        assert_eq!((self.gathering.lock().all.len(), self.spool.used_bytes()), (0, 0));
        assert!(self.pipeline.context.encode_room.try_take(u64::MAX).is_some(), "all room came back");
        made
    }

    fn reads(&self) -> u64 {
        self.gathering.metrics.remade_reads.get()
    }
}

/// What each of `partitions` has of `documents(partitions, 0..count)`.
fn wanted(partitions: u32, count: u32) -> Vec<Made> {
    let of = |at: u32| (at..count).step_by(partitions as usize).map(move |n| format!("{{\"k\":\"{at}\",\"n\":{n}}}\n"));
    (0..partitions).map(|at| Ok(of(at).collect())).collect()
}

/// A hundred partitions over the same records take two passes: the first one's, and one for all that came meanwhile.
#[tokio::test]
async fn what_overlaps_is_made_together() {
    let rig = Rig::new(keyed("s", BUCKET, 1 << 20), documents(100, 0..1_000), 64 << 20, 0).await;
    assert_eq!(rig.all(&rig.partitions(100, 1_000, 200)).await, wanted(100, 1_000));
    assert_eq!(rig.reads(), 2);
}

/// What there is no room for at the encoder, or in the pass's part of memory, goes to the spool, and there are no more
/// passes for that.
#[tokio::test]
async fn what_has_no_room_is_gathered_into_files() {
    let rig = Rig::new(keyed("s", BUCKET, 1 << 20), documents(50, 0..5_000), 60_000, 1 << 20).await;
    assert_eq!(rig.all(&rig.partitions(50, 5_000, 2_000)).await, wanted(50, 5_000));
    assert_eq!(rig.reads(), 2);
}

/// Without a spool there is a pass for as much as there is room for, and none for nothing.
#[tokio::test]
async fn without_files_there_are_more_passes() {
    let rig = Rig::new(keyed("s", BUCKET, 1 << 20), documents(50, 0..5_000), 60_000, 0).await;
    assert_eq!(rig.all(&rig.partitions(50, 5_000, 2_000)).await, wanted(50, 5_000));
    assert!((10..=50).contains(&rig.reads()), "{} reads", rig.reads());
}

#[tokio::test]
async fn ranges_may_lie_in_any_way() {
    let rig = Rig::new(definition(1 << 20, 900), lines(0..100), 64 << 20, 0).await;
    let ranges = [0..10, 5..15, 20..30, 20..21, 22..100, 99..100];
    let seals: Vec<_> = ranges.iter().map(|range| rig.main(range.clone())).collect();
    let text = |range: Range<Sequence>| Ok(range.map(|number| format!("{number:07}\n")).collect());
    assert_eq!(rig.all(&seals).await, ranges.map(text));
}

/// A batch may be wanted twice at once, and by nobody any more.
#[tokio::test]
async fn each_that_asks_is_answered() {
    let rig = Rig::new(definition(1 << 20, 900), lines(0..100), 64 << 20, 0).await;
    let seals = [rig.main(0..10), rig.main(0..10), rig.main(0..10)];
    assert!(rig.all(&seals).await.iter().all(|made| made.as_ref().is_ok_and(|text| text.len() == 80)));
    assert_eq!(rig.reads(), 2);
}

/// What cannot be made fails, and nothing else does, whoever makes it.
#[tokio::test]
async fn a_failure_is_nobody_elses() {
    let rig = Rig::new(definition(1 << 20, 900), lines(0..100), 64 << 20, 0).await;
    // From record 50 on a plugin ruled that is gone.
    rig.history.add_definition(Arc::new(Definition {
        version: 2,
        processors: vec![through("gone", OnFailure::DeadLetter)],
        ..definition(1 << 20, 900)
    }));
    let plugins = vec![PluginVersion { name: "gone".into(), digest: "00".into() }];
    rig.history.add_epoch(Epoch { stream: rig.stream, from: 50, definition_version: 2, plugins });
    let ranges = [40..50, 0..60, 10..20, 55..60, 90..100, 0..50];
    let seals: Vec<_> = ranges.iter().map(|range| rig.main(range.clone())).collect();
    let made = rig.all(&seals).await;
    assert_eq!(made.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true, false, false, true]);
}

/// A call that went wrong blames those whose records alone were in it; who had only some of them is made alone.
#[tokio::test]
async fn records_of_others_blame_nobody() {
    let rig = Rig::new(definition(1 << 20, 900), lines(0..100), 64 << 20, 0).await;
    let (context, history, gathering) = (&rig.pipeline.context, &rig.history, &rig.gathering);
    let seals = [0..100, 0..60, 55..80, 70..100].map(|range| rig.main(range));
    let mut answers = Vec::new();
    let mut numbers = Vec::new();
    for seal in &seals {
        let (answer, answered) = oneshot::channel();
        answers.push(answered);
        numbers.push(gathering.ask(seal, answer));
    }
    let mut pass = Pass::of(gathering, context, history, &seals[0], numbers[0]).await;
    pass.open_until(100);
    pass.blame(&(50..56), &(0..100), ReplayError::Unrepeatable(50));
    assert!(matches!(answers[0].try_recv(), Ok(Err(_))), "all of the call was its own");
    assert_eq!(pass.open.iter().map(|one| one.number).collect::<Vec<_>>(), [numbers[3]], "it has no bad record");
    let waiting: Vec<_> = gathering.lock().all.values().map(|one| (one.number, one.is_alone)).collect();
    assert_eq!(waiting, [(numbers[1], true), (numbers[2], true)]);
    assert!(gathering.take(&seals[0], numbers[0]).is_empty(), "nobody takes them along");
    let alone = gathering.take(&seals[2], numbers[2]);
    assert_eq!(alone.keys().map(|(_, number)| *number).collect::<Vec<_>>(), [numbers[2]]);
    drop(alone);
    // Who asked is told that nobody is at it, and asks again.
    assert!(answers.remove(2).await.is_err());
}

/// Who is dropped in its pass leaves the others to make theirs.
#[tokio::test]
async fn one_that_is_given_up_strands_nobody() {
    let rig = Rig::new(definition(1 << 20, 900), lines(0..100), 64 << 20, 0).await;
    let context = &rig.pipeline.context;
    let turns = context.rebuild_turns.acquire_many(2).await.unwrap();
    let (first, second) = (rig.main(0..10), rig.main(5..20));
    let mut leader = Box::pin(rig.made(&first));
    assert!((&mut leader).now_or_never().is_none());
    let mut follower = Box::pin(rig.made(&second));
    assert!((&mut follower).now_or_never().is_none());
    drop(leader);
    drop(turns);
    assert_eq!(follower.await.unwrap().lines().count(), 15);
    assert!(rig.gathering.lock().all.is_empty());
}
