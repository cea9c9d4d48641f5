//! A world for the log: a simulated disk, a scripted workload, and a model that knows what was acknowledged.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use uuid::Uuid;

use super::super::error::AppendError;
use super::super::error::OpenError;
use super::super::group::Action;
use super::super::log::Log;
use super::super::note::{Delivered, Note, Span};
use super::super::recovery::Recovered;
use super::super::settings::Settings;
use super::super::sim::SimDisk;
use crate::definition::{Compression, Definition, S3Destination, testing};
use crate::record::{
    Course, Epoch, Lines, ObjectId, Partition, PluginVersion, Records, Replay, Seal, Sequence, StreamId,
};
use crate::runtime::Random;
use crate::telemetry::JournalMetrics;

pub(super) const SEGMENT: u64 = 16 << 10;

pub(super) fn settings() -> Settings {
    Settings {
        segment_bytes: SEGMENT,
        capacity_bytes: 64 * SEGMENT,
        reserve_bytes: 0,
        cache_bytes: 2_000,
        recovery_threads: 1,
        ..Settings::default()
    }
}

pub(super) fn open(disk: &SimDisk) -> Result<(Log, Recovered), OpenError> {
    open_with(disk, settings())
}

pub(super) fn open_with(disk: &SimDisk, settings: Settings) -> Result<(Log, Recovered), OpenError> {
    let random = Arc::new(Random::seeded(disk.next_random()));
    Log::open(Arc::new(disk.clone()), settings, random, JournalMetrics::default(), 1_000)
}

pub(super) fn definition(name: &str, version: u32) -> Definition {
    let s3 = S3Destination {
        bucket: "b".to_owned(),
        buffer_bytes: 1,
        buffer_seconds: 0,
        compression: Compression::Gzip,
        ..testing::s3()
    };
    Definition { arn: String::new(), version, created_ms: 1, s3, ..testing::definition(name) }
}

pub(super) fn records(texts: &[Vec<u8>]) -> Records {
    let ends = texts.iter().scan(0, |end, text| {
        *end += u32::try_from(text.len()).unwrap();
        Some(*end)
    });
    Records::new(Bytes::from(texts.concat()), ends.collect(), Vec::new()).unwrap()
}

/// The object that everything is put again from.
pub(super) fn failures() -> ObjectId {
    ObjectId::new("b", "errors/processing-failed/x", "tag")
}

pub(super) fn replay_of(
    stream: StreamId,
    texts: &[Vec<u8>],
    lines: impl IntoIterator<Item = u32>,
    course: Course,
) -> Action {
    let replay = Replay { object: failures(), modified_ms: 3_000, lines: Lines::of(lines), course };
    Action::Replay { stream, records: records(texts), replay: Arc::new(replay), arrived_ms: 7 }
}

pub(super) fn seal(stream: StreamId, number: u128, first: Sequence, end: Sequence, open_from: Sequence) -> Arc<Seal> {
    Arc::new(Seal {
        id: Uuid::from_u128(number),
        stream,
        partition: Partition::Main,
        first,
        end,
        open_from,
        definition_version: 1,
        bucket: "b".to_owned(),
        key: number.to_string(),
        record_count: end - first,
        content_bytes: 1,
        oldest_arrived_ms: 1,
        sealed_ms: 1,
    })
}

/// Commits one action.
pub(super) fn one(log: &mut Log, action: Action) -> Result<u64, AppendError> {
    let mut answer = None;
    log.commit([action], 5_000, &mut |_, result| answer = Some(result));
    answer.expect("every action is answered")
}

pub(super) fn settle(log: &mut Log) {
    for _ in 0..1_000 {
        if !log.upkeep(6_000) {
            return;
        }
    }
    panic!("upkeep never ends");
}

/// One step of a workload. Streams are named by the order in which they are created, from 0.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Create,
    /// One group; each item is one put: stream and sizes of its records.
    Put(Vec<(usize, Vec<usize>)>),
    /// Seals everything of the stream that is not sealed, and moves `open_from` there.
    Seal(usize),
    /// Notes the delivery of the stream's oldest open seal.
    Deliver(usize),
    Checkpoint(usize),
    Update(usize),
    Epoch(usize),
    Attempt(usize),
    Delete(usize),
    /// Puts two records again that failed, and tries to put them once more.
    Replay(usize),
    Upkeep,
    /// Closes in good order and opens again.
    Reopen,
}

/// Whether something happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    Yes,
    Maybe,
}

#[derive(Clone, Debug, Default)]
struct StreamModel {
    records: Vec<Vec<u8>>,
    /// Put, but never acknowledged.
    maybe: Vec<Vec<u8>>,
    version: u32,
    maybe_version: u32,
    open_from: Sequence,
    maybe_open_from: Sequence,
    /// Undelivered seals in order; `Maybe`: perhaps not sealed, or perhaps delivered.
    seals: Vec<(Uuid, Sequence, Known)>,
    attempts: u32,
    maybe_attempts: u32,
    deleted: Option<Known>,
    /// First line and first record of what was put again.
    replays: Vec<(u32, Sequence)>,
    maybe_replays: Vec<(u32, Sequence)>,
    next_line: u32,
}

/// What a correct journal may hold.
#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    streams: BTreeMap<u32, StreamModel>,
    maybe_stream: Option<u32>,
    counter: u64,
}

impl Model {
    fn id(&self, nth: usize) -> StreamId {
        StreamId(u32::try_from(nth).unwrap() + 1)
    }

    fn payload(&mut self, stream: StreamId, size: usize) -> Vec<u8> {
        self.counter += 1;
        let mut text = format!("{}/{}/", stream.0, self.counter).into_bytes();
        let fill = u8::try_from(self.counter % 251).unwrap();
        text.resize(size.max(text.len()), fill);
        text
    }

    /// Asserts that the log is what this model allows.
    pub(super) fn check(&self, log: &Log, recovered: &Recovered) {
        assert!(recovered.lost.is_empty() && recovered.quarantined.is_empty(), "{recovered:?}");
        for state in &recovered.streams {
            assert!(self.streams.contains_key(&state.id.0) || self.maybe_stream == Some(state.id.0), "foreign stream");
        }
        for (&id, model) in &self.streams {
            let state = recovered.streams.iter().find(|state| state.id.0 == id);
            let Some(state) = state else {
                assert!(model.deleted.is_some(), "stream {id} is gone");
                continue;
            };
            assert_ne!(model.deleted, Some(Known::Yes), "stream {id} is back");
            let version = state.definitions.last().unwrap().version;
            assert!(version == model.version || version == model.maybe_version);
            let open_from = state.open_from;
            assert!(open_from == model.open_from || open_from == model.maybe_open_from, "{open_from} {model:?}");
            let attempts = state.attempts.iter().map(|attempt| attempt.count).sum::<u32>();
            assert!(attempts <= model.maybe_attempts, "{attempts} attempts of {model:?}");
            if state.open_from == 0 {
                assert!(attempts >= model.attempts, "{attempts} attempts of {model:?}");
            }
            let mut low = state.open_from;
            for (seal, first, known) in &model.seals {
                let is_there = state.undelivered.iter().any(|open| open.id == *seal);
                assert!(is_there || *known == Known::Maybe, "seal {seal} is gone");
                if is_there {
                    low = low.min(*first);
                }
            }
            let known: Vec<Uuid> = model.seals.iter().map(|(seal, ..)| *seal).collect();
            let found: Vec<Uuid> = state.undelivered.iter().map(|open| open.id).collect();
            assert_eq!(found, known.iter().copied().filter(|seal| found.contains(seal)).collect::<Vec<_>>());
            self.check_records(log, StreamId(id), model, low, state.next);
            for &(line, first) in model.replays.iter().chain(&model.maybe_replays) {
                let is_known = [line, line + 1].map(|line| state.replayed.contains(failures(), line));
                let is_there = state.next > first;
                assert_eq!(is_known, [is_there; 2], "stream {id} line {line}: records and memory are one");
                assert!(is_there || model.maybe_replays.contains(&(line, first)), "stream {id} line {line} is gone");
            }
        }
    }

    fn check_records(&self, log: &Log, id: StreamId, model: &StreamModel, low: Sequence, next: Sequence) {
        let acked = model.records.len() as u64;
        assert!(next >= acked && next <= acked + model.maybe.len() as u64, "stream {id}: next {next}, acked {acked}");
        let expected: Vec<&Vec<u8>> = model.records.iter().chain(&model.maybe).collect();
        let mut at = low;
        while at < next {
            let batches = log.read(id, at, 3_000).unwrap();
            assert!(!batches.is_empty(), "stream {id} ends at {at} instead of {next}");
            for batch in batches {
                assert_eq!((batch.stream, batch.first), (id, at));
                for record in batch.records.iter() {
                    assert_eq!(record, expected[usize::try_from(at).unwrap()].as_slice(), "stream {id} record {at}");
                    at += 1;
                }
            }
        }
        assert_eq!(at, next.max(low));
    }

    /// Takes what recovery found as the truth.
    fn settle(&mut self, recovered: &Recovered) {
        if let Some(maybe) = self.maybe_stream.take()
            && recovered.streams.iter().any(|state| state.id.0 == maybe)
        {
            self.streams.insert(maybe, StreamModel { version: 1, maybe_version: 1, ..StreamModel::default() });
        }
        for (id, model) in &mut self.streams {
            let Some(state) = recovered.streams.iter().find(|state| state.id.0 == *id) else {
                model.deleted = Some(Known::Yes);
                continue;
            };
            model.deleted = None;
            let maybe_replays = std::mem::take(&mut model.maybe_replays);
            model.replays.extend(maybe_replays.into_iter().filter(|(_, first)| state.next > *first));
            let maybe = std::mem::take(&mut model.maybe);
            model.records.extend(maybe);
            model.records.truncate(usize::try_from(state.next).unwrap());
            model.version = state.definitions.last().unwrap().version;
            model.maybe_version = model.version;
            (model.open_from, model.maybe_open_from) = (state.open_from, state.open_from);
            let found = |seal: &Uuid| state.undelivered.iter().any(|open| open.id == *seal);
            model.seals.retain(|(seal, ..)| found(seal));
            model.seals.iter_mut().for_each(|(.., known)| *known = Known::Yes);
            model.attempts = state.attempts.iter().map(|attempt| attempt.count).sum();
            model.maybe_attempts = model.attempts;
        }
    }
}

/// A log on a simulated disk together with its model.
pub(super) struct World {
    pub(super) disk: SimDisk,
    pub(super) model: Model,
    pub(super) log: Option<Log>,
    settings: Settings,
}

/// The journal stopped working.
#[derive(Debug)]
pub(super) struct Stopped;

impl World {
    pub(super) fn new(disk: SimDisk, settings: Settings) -> Self {
        Self { disk, model: Model::default(), log: None, settings }
    }

    /// Opens the log and compares it with the model.
    pub(super) fn open(&mut self) -> Result<(), Stopped> {
        let (log, recovered) = open_with(&self.disk, self.settings.clone()).map_err(|_| Stopped)?;
        self.model.check(&log, &recovered);
        self.model.settle(&recovered);
        self.log = Some(log);
        Ok(())
    }

    /// Runs all steps, opening the log first when it is not.
    pub(super) fn run(&mut self, steps: &[Step]) -> Result<(), Stopped> {
        if self.log.is_none() {
            self.open()?;
        }
        for step in steps {
            self.step(step)?;
        }
        Ok(())
    }

    fn step(&mut self, step: &Step) -> Result<(), Stopped> {
        let model = &mut self.model;
        let log = self.log.as_mut().ok_or(Stopped)?;
        match step {
            Step::Create => {
                model.maybe_stream = Some(log.next_stream);
                let name = format!("s{}", log.next_stream);
                if let Some(id) = answer(one(log, Action::Create(Box::new(definition(&name, 1)))))? {
                    let new = StreamModel { version: 1, maybe_version: 1, ..StreamModel::default() };
                    model.streams.insert(u32::try_from(id).unwrap(), new);
                }
                model.maybe_stream = None;
            }
            Step::Put(puts) => return self.put(puts),
            Step::Reopen => {
                one(log, Action::Journal(Note::Clean)).ok();
                let stopped = log.is_poisoned;
                self.log = None;
                return if stopped { Err(Stopped) } else { self.open() };
            }
            Step::Upkeep => {
                settle(log);
                return if log.is_poisoned { Err(Stopped) } else { Ok(()) };
            }
            Step::Seal(nth) => return self.seal(*nth),
            Step::Replay(nth) => return self.replay(*nth),
            Step::Deliver(nth) => {
                let id = model.id(*nth);
                let Some(stream) = model.streams.get_mut(&id.0).filter(|stream| stream.deleted.is_none()) else {
                    return Ok(());
                };
                let Some(oldest) = stream.seals.first_mut() else { return Ok(()) };
                oldest.2 = Known::Maybe;
                let seal = oldest.0;
                if answer(one(log, Action::Delivered(id, Delivered { id: seal })))?.is_some() {
                    stream.seals.remove(0);
                } else {
                    stream.seals[0].2 = Known::Yes;
                }
            }
            Step::Checkpoint(nth) => {
                let id = model.id(*nth);
                let Some(stream) = model.streams.get_mut(&id.0).filter(|stream| stream.deleted.is_none()) else {
                    return Ok(());
                };
                stream.maybe_open_from = stream.records.len() as u64;
                if answer(one(log, Action::Checkpoint(id, stream.maybe_open_from)))?.is_some() {
                    stream.open_from = stream.maybe_open_from;
                }
                stream.maybe_open_from = stream.open_from;
            }
            Step::Update(nth) => {
                let id = model.id(*nth);
                let Some(stream) = model.streams.get_mut(&id.0).filter(|stream| stream.deleted.is_none()) else {
                    return Ok(());
                };
                stream.maybe_version = stream.version + 1;
                let update = definition(&format!("s{}", id.0), stream.maybe_version);
                if answer(one(log, Action::Update(id, Box::new(update))))?.is_some() {
                    stream.version = stream.maybe_version;
                }
                stream.maybe_version = stream.version;
            }
            Step::Epoch(nth) => {
                let id = model.id(*nth);
                let Some(stream) = model.streams.get(&id.0).filter(|stream| stream.deleted.is_none()) else {
                    return Ok(());
                };
                let plugin = PluginVersion { name: "p".to_owned(), digest: "d".to_owned() };
                let from = stream.records.len() as u64;
                let epoch = Epoch { stream: id, from, definition_version: stream.version, plugins: vec![plugin] };
                answer(one(log, Action::Epoch(epoch)))?;
            }
            Step::Attempt(nth) => {
                let id = model.id(*nth);
                let Some(stream) = model.streams.get_mut(&id.0).filter(|stream| stream.deleted.is_none()) else {
                    return Ok(());
                };
                let end = stream.records.len() as u64 + 1;
                stream.maybe_attempts += 1;
                if answer(one(log, Action::Attempt(id, Span { first: 0, end, count: 1 })))?.is_some() {
                    stream.attempts += 1;
                } else {
                    stream.maybe_attempts -= 1;
                }
            }
            Step::Delete(nth) => {
                let id = model.id(*nth);
                let Some(stream) = model.streams.get_mut(&id.0).filter(|stream| stream.deleted.is_none()) else {
                    return Ok(());
                };
                stream.deleted = Some(Known::Maybe);
                stream.deleted = answer(one(log, Action::Delete(id)))?.map(|_| Known::Yes);
            }
        }
        Ok(())
    }

    fn put(&mut self, puts: &[(usize, Vec<usize>)]) -> Result<(), Stopped> {
        let model = &mut self.model;
        let log = self.log.as_mut().ok_or(Stopped)?;
        let (mut actions, mut sent) = (Vec::new(), Vec::new());
        for (nth, sizes) in puts {
            let id = model.id(*nth);
            if model.streams.get(&id.0).is_none_or(|stream| stream.deleted.is_some()) {
                continue;
            }
            let texts: Vec<Vec<u8>> = sizes.iter().map(|&size| model.payload(id, size)).collect();
            model.streams.get_mut(&id.0).unwrap().maybe.extend(texts.iter().cloned());
            actions.push(Action::Append { stream: id, records: records(&texts), arrived_ms: 7 });
            sent.push((id, texts));
        }
        let mut answers = vec![None; actions.len()];
        log.commit(actions, 5_000, &mut |index, result| {
            assert!(answers[index].replace(result).is_none(), "answered twice");
        });
        let mut stopped = Ok(());
        for ((id, texts), result) in sent.into_iter().zip(answers) {
            let stream = model.streams.get_mut(&id.0).unwrap();
            match answer(result.expect("every action is answered")) {
                Ok(Some(first)) => {
                    assert_eq!(first, stream.records.len() as u64, "a hole");
                    stream.maybe.drain(..texts.len());
                    stream.records.extend(texts);
                }
                Ok(None) => {
                    stream.maybe.drain(..texts.len());
                }
                Err(error) => stopped = Err(error),
            }
        }
        stopped
    }

    fn replay(&mut self, nth: usize) -> Result<(), Stopped> {
        let model = &mut self.model;
        let log = self.log.as_mut().ok_or(Stopped)?;
        let id = model.id(nth);
        if model.streams.get(&id.0).is_none_or(|stream| stream.deleted.is_some()) {
            return Ok(());
        }
        let texts: Vec<Vec<u8>> = (0..2).map(|_| model.payload(id, 40)).collect();
        let stream = model.streams.get_mut(&id.0).unwrap();
        let line = stream.next_line;
        // A gap, so that ranges stay apart.
        stream.next_line += 3;
        stream.maybe.extend(texts.iter().cloned());
        stream.maybe_replays.push((line, stream.records.len() as u64));
        let action = || replay_of(id, &texts, [line, line + 1], Course::Process);
        if let Some(first) = answer(one(log, action()))? {
            assert_eq!(first, stream.records.len() as u64, "a hole");
            stream.records.extend(texts.iter().cloned());
            stream.replays.push((line, first));
            assert_eq!(one(log, action()), Err(AppendError::Replayed(id)));
        }
        stream.maybe.drain(..texts.len());
        stream.maybe_replays.pop();
        Ok(())
    }

    fn seal(&mut self, nth: usize) -> Result<(), Stopped> {
        let model = &mut self.model;
        let log = self.log.as_mut().ok_or(Stopped)?;
        let id = model.id(nth);
        model.counter += 1;
        let number = u128::from(model.counter);
        let Some(stream) = model.streams.get_mut(&id.0).filter(|stream| stream.deleted.is_none()) else {
            return Ok(());
        };
        let (first, end) = (stream.open_from, stream.records.len() as u64);
        if first == end {
            return Ok(());
        }
        let seal = seal(id, number, first, end, end);
        stream.seals.push((seal.id, first, Known::Maybe));
        stream.maybe_open_from = end;
        if answer(one(log, Action::Seal(seal)))?.is_some() {
            stream.seals.last_mut().unwrap().2 = Known::Yes;
            stream.open_from = end;
        } else {
            stream.seals.pop();
        }
        stream.maybe_open_from = stream.open_from;
        Ok(())
    }
}

/// `None` when the action was refused and certainly did not happen.
fn answer(result: Result<u64, AppendError>) -> Result<Option<u64>, Stopped> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(AppendError::Poisoned) => Err(Stopped),
        Err(AppendError::Full | AppendError::TooLarge { .. }) => Ok(None),
        Err(error) => panic!("{error}"),
    }
}

/// Scripted workloads: every kind of frame, groups, rotation, dropping, cleaning, deletion, restarts.
pub(super) fn workloads() -> Vec<Vec<Step>> {
    use Step::*;
    let put = |stream: usize, count: usize, size: usize| Put(vec![(stream, vec![size; count])]);
    let both = |size: usize| Put(vec![(0, vec![size, 20]), (1, vec![size]), (0, vec![30])]);
    let big = || put(0, 1, 7_000);
    let done = |stream: usize| [Seal(stream), Deliver(stream)];
    let base = |steps: &[Step]| [&[Create, Create][..], steps].concat();
    let with_done = |steps: &[Step], stream| [steps, &done(stream)].concat();
    vec![
        vec![],
        vec![Create],
        base(&[both(100), both(3_000)]),
        base(&[put(0, 5, 300), Seal(0), put(0, 2, 100), Deliver(0)]),
        base(&[big(), big(), big()]),
        base(&with_done(&[big(), big(), put(1, 1, 50)], 0)),
        base(&[big(), big(), Seal(0), Deliver(0), put(1, 1, 9), Upkeep, both(10)]),
        base(&[big(), Seal(0), Deliver(0), big(), Seal(0), Deliver(0), big(), Upkeep, Reopen]),
        base(&[put(0, 2, 40), Reopen, put(0, 2, 40), Reopen, Upkeep]),
        base(&[put(0, 2, 40), put(1, 1, 40), Delete(0), put(1, 1, 40), Upkeep]),
        base(&[big(), Delete(0), big(), put(1, 3, 4_000), put(1, 3, 4_000), Upkeep, Create]),
        base(&[put(0, 1, 40), Update(0), Epoch(0), Update(0), Epoch(0), Seal(0), Deliver(0)]),
        base(&[Attempt(0), put(0, 3, 90), Attempt(0), Attempt(1), Reopen]),
        base(&[put(0, 3, 90), Checkpoint(0), put(0, 3, 90), Checkpoint(0), Upkeep]),
        // Stream 1 stalls: its records and its seal are copied forward.
        base(&[
            put(1, 1, 60),
            big(),
            big(),
            big(),
            big(),
            big(),
            big(),
            big(),
            big(),
            big(),
            big(),
            Seal(0),
            Deliver(0),
            Upkeep,
            put(1, 1, 60),
        ]),
        base(&[
            put(1, 1, 60),
            Seal(1),
            big(),
            big(),
            big(),
            big(),
            big(),
            big(),
            big(),
            big(),
            Checkpoint(0),
            Upkeep,
            Deliver(1),
            Upkeep,
        ]),
        base(&[
            put(1, 2, 60),
            big(),
            big(),
            big(),
            big(),
            Checkpoint(0),
            Upkeep,
            big(),
            big(),
            big(),
            big(),
            Checkpoint(0),
            Upkeep,
            big(),
            big(),
            big(),
            big(),
            Checkpoint(0),
            Upkeep,
            Reopen,
            Upkeep,
        ]),
        // A middle segment goes before an old one.
        base(&[
            put(1, 1, 7_000),
            put(1, 1, 3_000),
            big(),
            big(),
            big(),
            put(1, 1, 7_000),
            put(1, 1, 7_000),
            big(),
            Checkpoint(0),
            Upkeep,
            Reopen,
            put(1, 1, 20),
        ]),
        base(&[Replay(0), both(10), Replay(0), Reopen, Replay(1), put(0, 1, 30)]),
        // What was put again is dropped, copied forward, and stays known.
        base(&[
            Replay(1),
            Replay(0),
            big(),
            big(),
            big(),
            big(),
            big(),
            big(),
            big(),
            big(),
            Checkpoint(0),
            Upkeep,
            Replay(0),
            Reopen,
            Checkpoint(1),
            Upkeep,
            Replay(1),
        ]),
        base(&[both(10), Seal(0), Seal(1), both(10), Seal(1), Deliver(1), Deliver(0), Reopen, Deliver(1), Upkeep]),
        base(&[put(0, 3, 4_000), put(0, 3, 4_000), put(0, 3, 4_000), Seal(0), Update(0), Deliver(0), Upkeep, both(1)]),
        base(&[
            Put(vec![(0, vec![3_000]), (1, vec![3_000]), (0, vec![3_000, 3_000]), (1, vec![5_000]), (0, vec![9])]),
            Upkeep,
        ]),
        base(&[
            Create,
            Delete(2),
            Create,
            Delete(1),
            put(0, 1, 10),
            big(),
            big(),
            Checkpoint(0),
            Upkeep,
            Reopen,
            Upkeep,
            Create,
        ]),
    ]
}
