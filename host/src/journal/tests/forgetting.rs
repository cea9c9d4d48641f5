//! Giving space back: what goes, what stays, and that nothing pins the log for ever.

use super::super::error::{AppendError, ReadError};
use super::super::frame::MAX_BODY_BYTES;
use super::super::group::Action;
use super::super::log::Log;
use super::super::note::{Attempt, Delivered, Exceeding, Failing, Note, Snapshot, Span};
use super::super::settings::Settings;
use super::super::sim::SimDisk;
use super::super::state::{MAX_ATTEMPTS, MAX_EXCEEDING_BYTES, MAX_OPEN_SEALS};
use super::support::{SEGMENT, definition, one, open, open_with, records, seal, settings, settle};
use crate::record::{Course, Epoch, Lines, MOST_RANGES, ObjectId, Replay, Replayed, Sequences, StreamId};

fn create(log: &mut Log, name: &str) -> StreamId {
    StreamId(u32::try_from(one(log, Action::Create(Box::new(definition(name, 1)))).unwrap()).unwrap())
}

fn put(log: &mut Log, stream: StreamId, size: usize) -> u64 {
    let records = records(&[vec![u8::try_from(stream.0).unwrap(); size]]);
    one(log, Action::Append { stream, records, arrived_ms: 3 }).unwrap()
}

/// A stream that delivers nothing beside one that delivers all: the log stays as small as what the first one needs,
/// its records keep their numbers and arrival, and a restart finds them.
#[test]
fn a_stalled_stream_does_not_pin_segments() {
    let disk = SimDisk::new(1);
    let (mut log, _) = open(&disk).unwrap();
    let (stalled, lively) = (create(&mut log, "stalled"), create(&mut log, "lively"));
    let open_seal = seal(stalled, 77, 0, 1, 1);
    for round in 0..60 {
        put(&mut log, stalled, 20);
        let next = put(&mut log, lively, 6_000) + 1;
        if round == 3 {
            one(&mut log, Action::Seal(open_seal.clone())).unwrap();
        }
        one(&mut log, Action::Checkpoint(lively, next)).unwrap();
        settle(&mut log);
    }
    assert!(log.last_id > 25);
    assert!(log.segments.len() <= 7, "{} segments", log.segments.len());
    assert_eq!(disk.files().len(), log.segments.len() + usize::from(log.spare.is_some()));
    let check = |log: &Log| {
        let mut at = 0;
        while at < 60 {
            for batch in log.read(stalled, at, 1_000).unwrap() {
                assert_eq!((batch.first, &batch.arrived_ms[..], batch.records.record(0)), (at, &[3][..], &[1; 20][..]));
                at += 1;
            }
        }
    };
    check(&log);
    drop(log);
    let (mut log, recovered) = open(&disk).unwrap();
    assert!(recovered.lost.is_empty() && recovered.quarantined.is_empty());
    assert_eq!(recovered.streams[0].undelivered, std::slice::from_ref(&open_seal));
    assert_eq!((recovered.streams[0].next, recovered.streams[1].next), (60, 60));
    check(&log);
    one(&mut log, Action::Delivered(stalled, Delivered { id: open_seal.id })).unwrap();
    one(&mut log, Action::Checkpoint(stalled, 60)).unwrap();
    settle(&mut log);
    assert_eq!(log.segments.len(), 1);
}

/// A batch that waits while its stream goes on, until its seal is copied forward, behind a snapshot that says that it is
/// open: after a restart it is known by which versions it is made again.
#[test]
fn what_rules_a_stalled_batch_is_known_after_a_restart() {
    let disk = SimDisk::new(1);
    let (mut log, _) = open(&disk).unwrap();
    let (stream, other) = (create(&mut log, "s"), create(&mut log, "other"));
    let epoch =
        |from, definition_version| Action::Epoch(Epoch { stream, from, definition_version, plugins: Vec::new() });
    one(&mut log, epoch(0, 1)).unwrap();
    put(&mut log, stream, 20);
    let stalled = seal(stream, 77, 0, 1, 1);
    one(&mut log, Action::Seal(stalled.clone())).unwrap();
    let filler = create(&mut log, "filler");
    (0..4).for_each(|_| _ = put(&mut log, filler, 6_000));
    // Notes in a segment that goes before the oldest does.
    one(&mut log, Action::Update(stream, Box::new(definition("s", 2)))).unwrap();
    one(&mut log, epoch(1, 2)).unwrap();
    (0..10).for_each(|_| _ = put(&mut log, stream, 6_000));
    // They keep the newest segments, so that the oldest is worth cleaning.
    (0..10).for_each(|_| _ = put(&mut log, other, 6_000));
    let rest = seal(stream, 78, 1, 11, 11);
    one(&mut log, Action::Seal(rest.clone())).unwrap();
    one(&mut log, Action::Delivered(stream, Delivered { id: rest.id })).unwrap();
    one(&mut log, Action::Checkpoint(filler, 4)).unwrap();
    let oldest = |log: &Log| log.segments.keys().next().copied();
    let before = oldest(&log);
    settle(&mut log);
    assert!(oldest(&log) > before, "the oldest segment is gone");
    let live = log.streams[&stream].state(stream);
    drop(log);
    let (log, mut recovered) = open(&disk).unwrap();
    let state = recovered.streams.remove(0);
    assert_eq!(state.undelivered, [stalled]);
    assert_eq!(state.definitions.iter().map(|one| one.version).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(state.epochs.iter().map(|one| one.from).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(state, live);
    assert_eq!(log.read(stream, 0, 1).unwrap()[0].records.record(0), [1; 20]);
}

/// Nothing is copied while a segment is mostly alive, or among the newest.
#[test]
fn live_segments_are_left_alone() {
    let disk = SimDisk::new(1);
    let (mut log, _) = open(&disk).unwrap();
    let (one_stream, other) = (create(&mut log, "a"), create(&mut log, "b"));
    for _ in 0..8 {
        put(&mut log, one_stream, 5_500);
        put(&mut log, other, 5_500);
    }
    one(&mut log, Action::Checkpoint(other, 8)).unwrap();
    let (segments, tail) = (log.segments.len(), log.tail);
    settle(&mut log);
    assert_eq!((log.segments.len(), log.tail), (segments, tail));
}

/// Next sequence numbers and stream numbers outlive everything that carried them.
#[test]
fn numbers_are_never_used_again() {
    let disk = SimDisk::new(1);
    let (mut log, _) = open(&disk).unwrap();
    let (kept, gone) = (create(&mut log, "kept"), create(&mut log, "gone"));
    put(&mut log, kept, 10);
    one(&mut log, Action::Checkpoint(kept, 1)).unwrap();
    one(&mut log, Action::Delete(gone)).unwrap();
    for _ in 0..6 {
        drop(log);
        log = open(&disk).unwrap().0;
        settle(&mut log);
    }
    assert_eq!((log.segments.len(), log.active > 6), (1, true));
    assert!(!log.streams.contains_key(&gone), "a tombstone that nothing needs is dropped");
    assert_eq!(put(&mut log, kept, 10), 1);
    assert_eq!(create(&mut log, "new"), StreamId(3));
}

/// Versions and epochs stay while an undelivered seal, or a record that is not sealed, refers to them.
#[test]
fn versions_stay_while_something_refers_to_them() {
    let disk = SimDisk::new(1);
    let (mut log, _) = open(&disk).unwrap();
    let stream = create(&mut log, "s");
    let epoch =
        |from, definition_version| Action::Epoch(Epoch { stream, from, definition_version, plugins: Vec::new() });
    one(&mut log, epoch(0, 1)).unwrap();
    put(&mut log, stream, 10);
    let made = seal(stream, 1, 0, 1, 1);
    one(&mut log, Action::Seal(made.clone())).unwrap();
    one(&mut log, Action::Update(stream, Box::new(definition("s", 2)))).unwrap();
    one(&mut log, epoch(1, 2)).unwrap();
    put(&mut log, stream, 10);
    one(&mut log, Action::Attempt(stream, Span { first: 0, end: 1, count: 1 })).unwrap();
    drop(log);
    let (mut log, recovered) = open(&disk).unwrap();
    let state = &recovered.streams[0];
    assert_eq!(state.definitions.iter().map(|one| one.version).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(state.epochs.iter().map(|one| one.from).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(state.attempts.len(), 1);
    one(&mut log, Action::Delivered(stream, Delivered { id: made.id })).unwrap();
    drop(log);
    let state = open(&disk).unwrap().1.streams.remove(0);
    assert_eq!(state.definitions.iter().map(|one| one.version).collect::<Vec<_>>(), [2]);
    assert_eq!(state.epochs.iter().map(|one| one.from).collect::<Vec<_>>(), [1]);
    assert!(state.attempts.is_empty());
}

#[test]
fn reads_say_what_is_forgotten_and_what_is_unknown() {
    let disk = SimDisk::new(1);
    let (mut log, _) = open(&disk).unwrap();
    let stream = create(&mut log, "s");
    put(&mut log, stream, 10);
    put(&mut log, stream, 10);
    one(&mut log, Action::Checkpoint(stream, 1)).unwrap();
    assert!(matches!(log.read(stream, 0, 10), Err(ReadError::Forgotten { oldest: 1 })));
    assert_eq!(log.read(stream, 1, 10).unwrap().len(), 1);
    assert!(log.read(stream, 2, 10).unwrap().is_empty());
    one(&mut log, Action::Delete(stream)).unwrap();
    assert!(matches!(log.read(stream, 1, 10), Err(ReadError::UnknownStream(_))));
    let records = records(&[vec![1]]);
    let refused = one(&mut log, Action::Append { stream, records, arrived_ms: 1 });
    assert_eq!(refused, Err(AppendError::UnknownStream(stream)));
}

/// The index stays within its bound, by becoming coarser, and by refusing puts when that is not enough.
#[test]
fn the_index_is_bounded() {
    let disk = SimDisk::new(1);
    let few =
        Settings { index_entries: 40, cache_bytes: 0, segment_bytes: 1 << 20, capacity_bytes: 1 << 30, ..settings() };
    let (mut log, _) = open_with(&disk, few.clone()).unwrap();
    let streams: Vec<StreamId> = (0..10).map(|at| create(&mut log, &at.to_string())).collect();
    let padding = create(&mut log, "padding");
    let mut rounds = 0;
    let refused = loop {
        let large = Action::Append { stream: padding, records: records(&[vec![0; 70_000]]), arrived_ms: 1 };
        let mut refused = one(&mut log, large).err();
        for &stream in &streams {
            let records = records(&[vec![u8::try_from(stream.0).unwrap(); 3]]);
            refused = refused.or(one(&mut log, Action::Append { stream, records, arrived_ms: 1 }).err());
        }
        if let Some(refused) = refused {
            break refused;
        }
        assert!(log.shared.lock().entry_count() <= 40 + streams.len());
        one(&mut log, Action::Checkpoint(padding, rounds + 1)).unwrap();
        rounds += 1;
    };
    assert_eq!(refused, AppendError::Full);
    assert!(rounds > 40, "coarser entries cover many frames");
    for &stream in &streams {
        for at in [0, rounds / 2, rounds - 1] {
            let batch = log.read(stream, at, 1).unwrap().remove(0);
            assert_eq!((batch.first, batch.records.record(0)), (at, &[u8::try_from(stream.0).unwrap(); 3][..]));
        }
    }
    drop(log);
    let (log, recovered) = open_with(&disk, few).unwrap();
    assert!(recovered.lost.is_empty() && log.shared.lock().entry_count() <= 40 + streams.len());
}

/// Undelivered seals of one stream are bounded, so that its snapshot always fits a frame.
#[test]
fn undelivered_seals_are_bounded() {
    let disk = SimDisk::new(1);
    let large = Settings { segment_bytes: 64 << 20, capacity_bytes: 1 << 30, ..settings() };
    let (mut log, _) = open_with(&disk, large).unwrap();
    let stream = create(&mut log, "s");
    let actions = (0..=MAX_OPEN_SEALS as u128).map(|at| Action::Seal(seal(stream, at, 0, 1, 0)));
    let mut answers = Vec::new();
    log.commit(actions, 1, &mut |_, answer| answers.push(answer));
    let refused: Vec<_> = answers.into_iter().filter_map(Result::err).collect();
    assert_eq!(refused, [AppendError::TooManySeals(stream)]);
    assert!(one(&mut log, Action::Snapshot(stream)).is_ok());
}

/// Rows D8 and D15: what can never fit is refused by name, and costs its neighbours in the group nothing.
#[test]
fn an_oversized_request_is_refused_alone() {
    let disk = SimDisk::new(1);
    let (mut log, _) = open(&disk).unwrap();
    let stream = create(&mut log, "s");
    let sizes = [10, usize::try_from(SEGMENT).unwrap(), 10];
    let actions = sizes.map(|size| Action::Append { stream, records: records(&[vec![0; size]]), arrived_ms: 1 });
    let mut answers = [None; 3];
    log.commit(actions, 1, &mut |index, answer| answers[index] = Some(answer));
    assert_eq!((answers[0], answers[2]), (Some(Ok(0)), Some(Ok(1))));
    assert!(matches!(answers[1], Some(Err(AppendError::TooLarge { .. }))));
}

/// When a delivery first failed is known over restarts and cleaning, until it is delivered; what comes later says
/// nothing new.
#[test]
fn the_first_failure_of_a_delivery_is_remembered() {
    let disk = SimDisk::new(1);
    let (mut log, _) = open(&disk).unwrap();
    let (stalled, lively) = (create(&mut log, "stalled"), create(&mut log, "lively"));
    let (failing, other) = (seal(stalled, 77, 0, 1, 1), seal(stalled, 78, 1, 2, 2));
    put(&mut log, stalled, 20);
    put(&mut log, stalled, 20);
    for made in [&failing, &other] {
        one(&mut log, Action::Seal(made.clone())).unwrap();
    }
    for since_ms in [5, 9] {
        one(&mut log, Action::Failing(stalled, Failing { id: failing.id, since_ms })).unwrap();
    }
    for round in 0..60 {
        let next = put(&mut log, lively, 6_000) + 1;
        one(&mut log, Action::Checkpoint(lively, next)).unwrap();
        settle(&mut log);
        if round % 20 == 0 {
            drop(log);
            let (again, recovered) = open(&disk).unwrap();
            log = again;
            assert_eq!(recovered.streams[0].undelivered.len(), 2);
            assert_eq!(recovered.streams[0].failing, [(failing.id, 5)].into());
        }
    }
    assert!(log.last_id > 25 && log.segments.len() <= 7, "the notes were moved");
    one(&mut log, Action::Delivered(stalled, Delivered { id: failing.id })).unwrap();
    // What comes too late says nothing of a seal that is gone.
    one(&mut log, Action::Failing(stalled, Failing { id: failing.id, since_ms: 10 })).ok();
    drop(log);
    assert!(open(&disk).unwrap().1.streams[0].failing.is_empty());
}

/// Every second one of `count` times 65,536 records, in 8 KiB for each time. 63 are as many as are remembered.
fn every_second(count: u64) -> Sequences {
    (0..count << 16).step_by(2).collect()
}

/// Records beyond the active partitions are remembered until nobody asks, snapshots repeat them, and no more are taken
/// in than fit.
#[test]
fn records_beyond_the_partitions_are_remembered_within_bounds() {
    let disk = SimDisk::new(1);
    let settings = Settings { segment_bytes: 4 << 20, capacity_bytes: 64 << 20, ..settings() };
    let (mut log, _) = open_with(&disk, settings.clone()).unwrap();
    let stream = StreamId(1);
    one(&mut log, Action::Create(Box::new(definition("s", 1)))).unwrap();
    one(&mut log, Action::Append { stream, records: records(&vec![b"a".to_vec(); 9]), arrived_ms: 1 }).unwrap();
    let exceeding = |records: Sequences| Action::Exceeding(stream, Exceeding { records });
    one(&mut log, exceeding([1, 4].into_iter().collect())).unwrap();
    one(&mut log, Action::Snapshot(stream)).unwrap();
    one(&mut log, exceeding([6].into_iter().collect())).unwrap();
    assert!(every_second(63).bytes() < MAX_EXCEEDING_BYTES && MAX_EXCEEDING_BYTES < every_second(64).bytes());
    assert_eq!(one(&mut log, exceeding(every_second(64))), Err(AppendError::TooManyExceeding(stream)));
    one(&mut log, Action::Checkpoint(stream, 2)).unwrap();
    drop(log);
    let (mut log, recovered) = open_with(&disk.restart(), settings).unwrap();
    assert_eq!(recovered.streams[0].exceeding, [4, 6].into_iter().collect());
    one(&mut log, Action::Checkpoint(stream, 9)).unwrap();
    one(&mut log, exceeding(every_second(63))).unwrap();
    assert_eq!(one(&mut log, exceeding(every_second(63))), Err(AppendError::TooManyExceeding(stream)));
}

/// What is bounded by number fits the frame that repeats it, all at once, with room for what is bounded by size.
#[test]
fn the_largest_snapshot_fits_its_frame() {
    let ids = || (0..MAX_OPEN_SEALS as u128).map(|number| uuid::Uuid::from_u128(u128::MAX - number));
    let mut replayed = Replayed::default();
    for number in 0..MOST_RANGES {
        let object = ObjectId::new("bucket", &number.to_string(), "");
        let lines = Lines::of([u32::MAX - 1]);
        replayed.add(&Replay { object, modified_ms: 9_999_999_999_999, lines, course: Course::Process });
    }
    let largest = Attempt { first: u64::MAX - 1, end: u64::MAX, count: 9 };
    let snapshot = Snapshot {
        is_deleted: false,
        definitions: vec![definition("s", 1)],
        epochs: Vec::new(),
        open_seals: ids().collect(),
        marks: Vec::new(),
        open_from: 0,
        attempts: vec![largest; MAX_ATTEMPTS],
        replayed,
        failing: (0..u32::try_from(MAX_OPEN_SEALS).unwrap()).map(|place| (place, 9_999_999_999_999)).collect(),
        exceeding: every_second(63),
    };
    let bytes = Note::Snapshot(Box::new(snapshot)).encode().len() as u64;
    assert!(bytes > MAX_BODY_BYTES / 2 && bytes + (1 << 20) < MAX_BODY_BYTES, "{bytes}");
}
