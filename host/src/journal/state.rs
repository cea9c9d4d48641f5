//! What the journal knows about one stream beside its records, and what it may forget.
//!
//! The same code applies a note when it is written and when it is found again. Refuses to know files and offsets
//! beyond the segment that a note stands in.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use uuid::Uuid;

use crate::definition::Definition;
use crate::record::{Epoch, FATAL_ATTEMPTS, Partition, Replayed, Seal, Sequence, Sequences, StreamId};

use super::note::{Attempt, Note, Snapshot};

/// Undelivered seals of one stream: its snapshot names each (39 bytes, and 22 more for one that fails), which must fit
/// one frame.
pub(super) const MAX_OPEN_SEALS: usize = 65_536;
/// Attempts remembered per stream, records set aside among them: far more than a plugin can time out on while the
/// batches in work fill. The lowest go first.
pub(super) const MAX_ATTEMPTS: usize = 65_536;

/// What a stream may remember of records beyond its active partitions: two million of them where every second
/// one is refused. No more are added then.
pub(super) const MAX_EXCEEDING_BYTES: usize = 512 << 10;

/// One stream as recovery found it.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamState {
    /// Its number.
    pub id: StreamId,
    /// All versions still needed, by rising version; the last one is current.
    pub definitions: Vec<Definition>,
    /// Which versions rule from where on; the first one rules the oldest record still needed.
    pub epochs: Vec<Epoch>,
    /// Seals whose delivery was not noted, by first record.
    pub undelivered: Vec<Arc<Seal>>,
    /// Up to where each partition is sealed, where that is above `open_from`.
    pub marks: BTreeMap<Partition, Sequence>,
    /// Everything below it is sealed or dropped, in all partitions.
    pub open_from: Sequence,
    /// Sequence number of the next record.
    pub next: Sequence,
    /// What was being processed, and how often it was started (row P7).
    pub attempts: Vec<Attempt>,
    /// Failures that were put into it again.
    pub replayed: Replayed,
    /// When the first attempt to deliver an undelivered seal failed, milliseconds since 1970.
    pub failing: BTreeMap<Uuid, u64>,
    /// Records that go to the error output because there was no room for their partitions.
    pub exceeding: Sequences,
}

/// Where a frame stands, as far as forgetting cares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) segment: u64,
    pub(super) bytes: u64,
}

/// A seal that is not delivered.
#[derive(Clone, Debug)]
pub(super) struct OpenSeal {
    pub(super) seal: Arc<Seal>,
    /// `None` while the frame is not durable.
    pub(super) place: Option<Place>,
}

/// One stream.
#[derive(Clone, Debug, Default)]
pub(super) struct Stream {
    pub(super) is_deleted: bool,
    pub(super) definitions: BTreeMap<u32, Definition>,
    pub(super) epochs: Vec<Epoch>,
    /// By first record.
    pub(super) seals: BTreeMap<(Sequence, Uuid), OpenSeal>,
    /// First record of each open seal.
    seal_firsts: HashMap<Uuid, Sequence>,
    pub(super) marks: BTreeMap<Partition, Sequence>,
    pub(super) open_from: Sequence,
    pub(super) next: Sequence,
    attempts: BTreeMap<(Sequence, Sequence), u32>,
    pub(super) replayed: Replayed,
    /// When delivery of a seal first failed. A seal's frame may come behind the snapshot that says it, where cleaning
    /// moved it; so the seal need not be known.
    failing: BTreeMap<Uuid, u64>,
    pub(super) exceeding: Sequences,
    /// Segments that hold notes of this stream which no later snapshot replaces.
    pub(super) notes_in: BTreeSet<u64>,
}

impl Stream {
    /// Records below it may be forgotten.
    pub(super) fn low(&self) -> Sequence {
        let sealed = self.seals.first_key_value().map_or(Sequence::MAX, |((first, _), _)| *first);
        self.open_from.min(sealed)
    }

    /// Makes the note true; answers with the places that nobody needs any more.
    pub(super) fn apply(&mut self, note: &Note) -> Vec<Place> {
        let freed = self.learn(note);
        self.prune();
        freed
    }

    /// The same, and forgets nothing for it. While a log is read, a seal that was copied forward may stand behind the
    /// snapshot that says that it is open: until all is read nobody knows what is still referred to.
    pub(super) fn learn(&mut self, note: &Note) -> Vec<Place> {
        let mut freed = Vec::new();
        if self.is_deleted {
            return freed;
        }
        match note {
            Note::Definition(definition) => {
                self.definitions.insert(definition.version, (**definition).clone());
            }
            Note::Deleted => freed = self.clear(),
            Note::Epoch(epoch) => {
                self.epochs.retain(|other| other.from < epoch.from);
                self.epochs.push(epoch.clone());
            }
            Note::Seal(seal) => self.add_seal(seal),
            Note::Delivered(delivered) => {
                self.failing.remove(&delivered.id);
                if let Some(first) = self.seal_firsts.remove(&delivered.id) {
                    freed.extend(self.seals.remove(&(first, delivered.id)).and_then(|open| open.place));
                }
            }
            Note::Checkpoint(checkpoint) => self.open_from = self.open_from.max(checkpoint.open_from),
            Note::Attempt(span) => self.add_attempt(span.first, span.end, span.count),
            Note::Replay(replay) => self.replayed.add(replay),
            Note::Forgotten(forgotten) => self.replayed.forget_before(forgotten.before_ms),
            Note::Failing(failing) => {
                if self.failing.len() < MAX_OPEN_SEALS {
                    self.failing.entry(failing.id).or_insert(failing.since_ms);
                }
            }
            Note::Exceeding(exceeding) => self.exceeding.add(&exceeding.records),
            Note::Snapshot(snapshot) => freed = self.restore(snapshot),
            Note::Dropped(_) | Note::Clean => {}
        }
        freed
    }

    /// Notes where the frame of an open seal stands; answers with where it stood before.
    pub(super) fn place_seal(&mut self, id: Uuid, place: Place) -> Option<Place> {
        let open = self.seal_firsts.get(&id).and_then(|&first| self.seals.get_mut(&(first, id)));
        match open {
            Some(open) => open.place.replace(place),
            None => Some(place),
        }
    }

    pub(super) fn has_seal(&self, id: Uuid) -> bool {
        self.seal_firsts.contains_key(&id)
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        Snapshot {
            is_deleted: self.is_deleted,
            definitions: self.definitions.values().cloned().collect(),
            epochs: self.epochs.clone(),
            open_seals: self.seals.values().map(|open| open.seal.id).collect(),
            marks: self.marks.iter().map(|(partition, &mark)| (partition.clone(), mark)).collect(),
            open_from: self.open_from,
            attempts: self.attempts(),
            replayed: self.replayed.clone(),
            failing: (0..)
                .zip(self.seals.values())
                .filter_map(|(place, open)| Some((place, *self.failing.get(&open.seal.id)?)))
                .collect(),
            exceeding: self.exceeding.clone(),
        }
    }

    /// Whether it is known that an attempt to deliver this seal failed.
    pub(super) fn is_failing(&self, id: Uuid) -> bool {
        self.failing.contains_key(&id)
    }

    /// What recovery hands to the pipeline.
    pub(super) fn state(&self, id: StreamId) -> StreamState {
        StreamState {
            id,
            definitions: self.definitions.values().cloned().collect(),
            epochs: self.epochs.clone(),
            undelivered: self.seals.values().map(|open| Arc::clone(&open.seal)).collect(),
            marks: self.marks.clone(),
            open_from: self.open_from,
            next: self.next,
            attempts: self.attempts(),
            replayed: self.replayed.clone(),
            // Of the open seals; others are on their way out.
            failing: self.failing.iter().filter(|(id, _)| self.has_seal(**id)).map(|(&id, &ms)| (id, ms)).collect(),
            exceeding: self.exceeding.clone(),
        }
    }

    fn attempts(&self) -> Vec<Attempt> {
        self.attempts.iter().map(|(&(first, end), &count)| Attempt { first, end, count }).collect()
    }

    fn add_seal(&mut self, seal: &Arc<Seal>) {
        let mark = self.marks.entry(seal.partition.clone()).or_default();
        *mark = seal.end.max(*mark);
        self.open_from = self.open_from.max(seal.open_from);
        if self.seal_firsts.insert(seal.id, seal.first).is_none() {
            self.seals.insert((seal.first, seal.id), OpenSeal { seal: Arc::clone(seal), place: None });
        }
    }

    /// Attempts of a stream are noted one after another, so a new one proves that the ranges before it were survived,
    /// and one of nothing that everything was. A record that is set aside is noted once more than a fatal one may run,
    /// and stays known, for replays: its last attempt may have been survived, this one was not made.
    fn add_attempt(&mut self, first: Sequence, end: Sequence, count: u32) {
        self.attempts.retain(|&(_, tried_end), times| tried_end > first || *times > FATAL_ATTEMPTS);
        if first >= end {
            return;
        }
        let sum = self.attempts.entry((first, end)).or_default();
        *sum = sum.saturating_add(count);
        if self.attempts.len() > MAX_ATTEMPTS {
            self.attempts.pop_first();
        }
    }

    fn clear(&mut self) -> Vec<Place> {
        let freed = self.seals.values().filter_map(|open| open.place).collect();
        let notes_in = std::mem::take(&mut self.notes_in);
        *self = Self { is_deleted: true, next: self.next, notes_in, ..Self::default() };
        freed
    }

    fn restore(&mut self, snapshot: &Snapshot) -> Vec<Place> {
        if snapshot.is_deleted {
            return self.clear();
        }
        self.definitions = snapshot.definitions.iter().map(|one| (one.version, one.clone())).collect();
        self.epochs.clone_from(&snapshot.epochs);
        self.marks = snapshot.marks.iter().cloned().collect();
        self.open_from = snapshot.open_from;
        self.attempts = snapshot.attempts.iter().map(|one| ((one.first, one.end), one.count)).collect();
        self.replayed.clone_from(&snapshot.replayed);
        self.exceeding.clone_from(&snapshot.exceeding);
        let failing = snapshot.failing.iter();
        let failing = failing.filter_map(|&(place, ms)| Some((*snapshot.open_seals.get(place as usize)?, ms)));
        self.failing = failing.collect();
        let open: BTreeSet<Uuid> = snapshot.open_seals.iter().copied().collect();
        let mut freed = Vec::new();
        self.seal_firsts.retain(|id, first| {
            let is_open = open.contains(id);
            if !is_open {
                freed.extend(self.seals.remove(&(*first, *id)).and_then(|open| open.place));
            }
            is_open
        });
        freed
    }

    /// Forgets versions, epochs, marks, attempts and records without a partition that neither open records nor open seals refer to.
    pub(super) fn prune(&mut self) {
        let low = self.low();
        let ruling = self.epochs.iter().rposition(|epoch| epoch.from <= low).unwrap_or(0);
        self.epochs.drain(..ruling);
        self.marks.retain(|_, mark| *mark > self.open_from);
        while self.attempts.first_key_value().is_some_and(|((_, end), _)| *end <= low) {
            self.attempts.pop_first();
        }
        self.exceeding.forget_below(low);
        if self.definitions.len() < 2 {
            return;
        }
        let current = self.definitions.last_key_value().map(|(version, _)| *version);
        let needed: BTreeSet<u32> = (self.epochs.iter().map(|epoch| epoch.definition_version))
            .chain(self.seals.values().map(|open| open.seal.definition_version))
            .chain(current)
            .collect();
        // Without an epoch nobody knows yet which version rules the open records.
        if !self.epochs.is_empty() || self.open_from == self.next {
            self.definitions.retain(|version, _| needed.contains(version));
        }
    }
}
