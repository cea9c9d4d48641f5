//! Failures that are put again: records and memory in one frame, and what is remembered outlives the records.

use std::sync::Arc;

use super::super::error::AppendError;
use super::super::group::Action;
use super::super::log::Log;
use super::super::sim::SimDisk;
use super::golden::golden;
use super::support::{definition, failures, one, open, records, replay_of, settle};
use crate::record::{Column, Course, Lines, MOST_RANGES, ObjectId, Records, Replay, StreamId};

const STREAM: StreamId = StreamId(1);

fn texts(count: u8, size: usize) -> Vec<Vec<u8>> {
    (0..count).map(|at| vec![b'a' + at; size]).collect()
}

fn named(texts: &[Vec<u8>]) -> Records {
    let plain = records(texts);
    let ids = (0..texts.len()).map(|at| format!("id-{at}")).collect();
    let codes = (1..).take(texts.len()).collect();
    let column = Column { name: "$document-id".to_owned(), dictionary: ids, codes };
    Records::new(plain.payload().clone(), plain.ends().to_vec(), vec![column]).unwrap()
}

fn with_names(lines: std::ops::Range<u32>, texts: &[Vec<u8>]) -> Action {
    let replay = Replay { object: failures(), modified_ms: 3_000, lines: Lines::of(lines), course: Course::Deliver };
    Action::Replay { stream: STREAM, records: named(texts), replay: Arc::new(replay), arrived_ms: 7 }
}

fn put(log: &mut Log, size: usize) -> u64 {
    one(log, Action::Append { stream: STREAM, records: records(&texts(1, size)), arrived_ms: 3 }).unwrap()
}

fn created(disk: &SimDisk) -> Log {
    let (mut log, _) = open(disk).unwrap();
    one(&mut log, Action::Create(Box::new(definition("golden", 1)))).unwrap();
    log
}

/// Everything from `from` on: course, records, and the ids that they have.
fn read(log: &Log, from: u64, next: u64) -> Vec<(Course, Vec<u8>, Option<String>)> {
    let (mut at, mut found) = (from, Vec::new());
    while at < next {
        for batch in log.read(STREAM, at, 100_000).unwrap() {
            for nth in 0..batch.records.len() {
                let column = batch.records.columns().first();
                let id = column.map(|column| column.dictionary[column.codes[nth] as usize - 1].clone());
                found.push((batch.course, batch.records.record(nth).to_vec(), id));
            }
            at = batch.end();
        }
    }
    found
}

/// Writes one of everything that a replay leaves behind.
fn write() -> SimDisk {
    let disk = SimDisk::new(1);
    let mut log = created(&disk);
    put(&mut log, 5);
    one(&mut log, replay_of(STREAM, &texts(2, 4), [0, 7], Course::Process)).unwrap();
    one(&mut log, with_names(10..13, &texts(3, 3))).unwrap();
    one(&mut log, Action::Forget(STREAM, 2_000)).unwrap();
    put(&mut log, 5);
    one(&mut log, Action::Snapshot(STREAM)).unwrap();
    disk
}

/// Row D13.
#[test]
fn the_golden_replays_are_read_and_written_bit_for_bit() {
    let disk = golden("v1-replays", write);
    let (log, recovered) = open(&disk).unwrap();
    let state = &recovered.streams[0];
    assert_eq!((state.next, state.replayed.floor_ms(), state.replayed.ranges()), (7, 2_000, 3));
    let known: Vec<u32> = (0..20).filter(|&line| state.replayed.contains(failures(), line)).collect();
    assert_eq!(known, [0, 7, 10, 11, 12]);
    let read = read(&log, 0, 7);
    let courses: Vec<Course> = read.iter().map(|(course, ..)| *course).collect();
    use Course::{Deliver, Process, Put};
    assert_eq!(courses, [Put, Process, Process, Deliver, Deliver, Deliver, Put]);
    assert_eq!(read[4], (Deliver, b"bbb".to_vec(), Some("id-1".to_owned())));
}

/// A frame that was dropped is still known, one that was moved still says which way its records take.
#[test]
fn what_was_put_again_outlives_its_segments() {
    let disk = SimDisk::new(1);
    let mut log = created(&disk);
    one(&mut log, replay_of(STREAM, &texts(2, 20), [0, 1], Course::Process)).unwrap();
    one(&mut log, Action::Create(Box::new(definition("lively", 1)))).unwrap();
    one(&mut log, Action::Create(Box::new(definition("held", 1)))).unwrap();
    one(&mut log, with_names(5..7, &texts(2, 9))).unwrap();
    for round in 0..60 {
        // Keeps segments alive, so that there are old ones to clean.
        let held = Action::Append { stream: StreamId(3), records: records(&texts(1, 20)), arrived_ms: 3 };
        one(&mut log, held).unwrap();
        let records = records(&texts(1, 6_000));
        let next = one(&mut log, Action::Append { stream: StreamId(2), records, arrived_ms: 3 }).unwrap() + 1;
        one(&mut log, Action::Checkpoint(StreamId(2), next)).unwrap();
        if round == 30 {
            one(&mut log, Action::Checkpoint(STREAM, 2)).unwrap();
        }
        settle(&mut log);
    }
    let oldest = *log.segments.keys().next().unwrap();
    assert!(oldest > 3, "the first segments are gone, not {oldest}");
    let check = |log: &Log| {
        let wanted = |text: &[u8], id: &str| (Course::Deliver, text.to_vec(), Some(id.to_owned()));
        assert_eq!(read(log, 2, 4), [wanted(b"aaaaaaaaa", "id-0"), wanted(b"bbbbbbbbb", "id-1")]);
    };
    check(&log);
    for _ in 0..2 {
        drop(log);
        let (again, recovered) = open(&disk).unwrap();
        log = again;
        check(&log);
        let known: Vec<u32> = (0..9).filter(|&line| recovered.streams[0].replayed.contains(failures(), line)).collect();
        assert_eq!(known, [0, 1, 5, 6]);
        for lines in [[0, 1], [1, 2], [6, 7]] {
            let again = replay_of(STREAM, &texts(2, 5), lines, Course::Process);
            assert_eq!(one(&mut log, again), Err(AppendError::Replayed(STREAM)));
        }
    }
}

/// Two that want the same in one group: the second one learns of the first.
#[test]
fn a_group_knows_what_it_holds() {
    let mut log = created(&SimDisk::new(1));
    let mut answers = Vec::new();
    let both = [[3, 4], [4, 5]].map(|lines| replay_of(STREAM, &texts(2, 5), lines, Course::Process));
    log.commit(both, 5_000, &mut |_, answer| answers.push(answer));
    answers.sort_unstable_by_key(Result::is_err);
    assert_eq!(answers, [Ok(0), Err(AppendError::Replayed(STREAM))]);
}

/// The bound on what is remembered is reached, and forgetting makes room.
#[test]
fn what_is_remembered_is_bounded() {
    let mut log = created(&SimDisk::new(1));
    let state = log.streams.get_mut(&STREAM).unwrap();
    for object in 0..MOST_RANGES {
        let object = ObjectId::new("b", &object.to_string(), "t");
        state.replayed.add(&Replay { object, modified_ms: 1_000, lines: Lines::of([0]), course: Course::Process });
    }
    let full = replay_of(STREAM, &texts(1, 5), [0], Course::Process);
    assert_eq!(one(&mut log, full.clone()), Err(AppendError::TooManyReplays(STREAM)));
    one(&mut log, Action::Forget(STREAM, 2_000)).unwrap();
    assert_eq!(one(&mut log, full), Ok(0));
    let object = ObjectId::new("b", "0", "t");
    let old = Replay { object, modified_ms: 1_000, lines: Lines::of([0]), course: Course::Process };
    let old = Action::Replay { stream: STREAM, records: records(&texts(1, 5)), replay: Arc::new(old), arrived_ms: 7 };
    assert_eq!(one(&mut log, old), Err(AppendError::ReplaysForgotten(STREAM)));
}

/// A frame holds as many records as lines, and says which way they take.
#[test]
fn a_replay_that_contradicts_itself_is_refused() {
    let mut log = created(&SimDisk::new(1));
    let refused = [
        replay_of(STREAM, &[], [], Course::Process),
        replay_of(STREAM, &texts(2, 5), [0], Course::Process),
        replay_of(STREAM, &texts(1, 5), [0], Course::Put),
    ];
    for action in refused {
        assert_eq!(one(&mut log, action), Err(AppendError::Empty));
    }
    let large = replay_of(STREAM, &texts(1, 20_000), [0], Course::Process);
    assert!(matches!(one(&mut log, large), Err(AppendError::TooLarge { .. })));
}
