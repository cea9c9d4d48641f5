//! What a replay of failures is, and what is remembered of it: which lines of which objects of an error output were put
//! into a stream again, so that none is put there twice.
//!
//! Plain values, bounded by whoever keeps them. Refuses to know buckets, formats and clocks.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Ranges of lines remembered for one stream. A whole object is one range, so these are as many objects; a snapshot
/// names each in some 90 bytes, and must fit one frame of the journal.
pub const MOST_RANGES: usize = 65_536;

/// Which way records take through their stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Course {
    /// As they were put: backed up, processed, delivered.
    #[default]
    Put,
    /// Processing refused them before: they are processed and delivered. They were backed up when they were put.
    Process,
    /// Their destination refused them before: they are what processing made, so they are delivered as they are.
    Deliver,
}

/// An object with failures, as it was when it was read: bucket, key and entity tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ObjectId([u8; 16]);

/// A text that is no [`ObjectId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an object's identity is 32 hexadecimal digits")]
pub struct NotAnObject;

impl ObjectId {
    /// The identity of an object. An object that is written anew with other bytes has another tag, and is another one.
    pub fn new(bucket: &str, key: &str, etag: &str) -> Self {
        let mut digest = Sha256::new();
        for part in [bucket, key, etag.trim_matches('"')] {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest.finalize()[..16]);
        Self(bytes)
    }
}

impl From<ObjectId> for String {
    fn from(id: ObjectId) -> Self {
        format!("{:032x}", u128::from_be_bytes(id.0))
    }
}

impl TryFrom<String> for ObjectId {
    type Error = NotAnObject;

    fn try_from(text: String) -> Result<Self, NotAnObject> {
        let number = u128::from_str_radix(&text, 16).ok().filter(|_| text.len() == 32 && !text.starts_with('+'));
        number.map(|number| Self(number.to_be_bytes())).ok_or(NotAnObject)
    }
}

/// Lines of one object: half-open ranges, rising, none touching the next.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Lines(Vec<(u32, u32)>);

impl Lines {
    /// Of line numbers from 0, rising.
    pub fn of(lines: impl IntoIterator<Item = u32>) -> Self {
        let mut ranges: Vec<(u32, u32)> = Vec::new();
        for line in lines {
            match ranges.last_mut() {
                Some((_, end)) if *end == line => *end += 1,
                _ => ranges.push((line, line.saturating_add(1))),
            }
        }
        Self(ranges)
    }

    /// Number of ranges.
    pub fn ranges(&self) -> usize {
        self.0.len()
    }

    /// Number of lines.
    pub fn count(&self) -> u64 {
        self.0.iter().map(|&(first, end)| u64::from(end.saturating_sub(first))).sum()
    }

    /// True when `line` is one of them.
    pub fn contains(&self, line: u32) -> bool {
        let at = self.0.partition_point(|&(_, end)| end <= line);
        self.0.get(at).is_some_and(|&(first, _)| first <= line)
    }

    /// True when any line is in both.
    pub fn meets(&self, other: &Self) -> bool {
        other.0.iter().any(|&(first, end)| {
            let at = self.0.partition_point(|&(_, known_end)| known_end <= first);
            self.0.get(at).is_some_and(|&(known, _)| known < end)
        })
    }

    /// The lines of both.
    #[must_use]
    pub fn with(&self, other: &Self) -> Self {
        let mut all: Vec<(u32, u32)> = self.0.iter().chain(&other.0).copied().collect();
        all.sort_unstable();
        let mut ranges: Vec<(u32, u32)> = Vec::with_capacity(all.len());
        for (first, end) in all {
            match ranges.last_mut() {
                Some((_, last)) if *last >= first => *last = end.max(*last),
                _ => ranges.push((first, end)),
            }
        }
        Self(ranges)
    }
}

/// Where records that are put again came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replay {
    /// The object.
    pub object: ObjectId,
    /// When it was written last, milliseconds since 1970.
    pub modified_ms: u64,
    /// Its lines, one for each record.
    pub lines: Lines,
    /// Which way the records take; never [`Course::Put`].
    pub course: Course,
}

/// What was put again of one object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    modified_ms: u64,
    lines: Lines,
}

/// Why lines are not put again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplayRefusal {
    /// At least one of them was.
    Known,
    /// What was put again of objects as old as this one is forgotten.
    Forgotten,
    /// No more can be remembered.
    Full,
}

/// Everything that was put into one stream again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replayed {
    /// Of objects that were written before it, milliseconds since 1970, nothing is known and nothing is taken.
    #[serde(default)]
    floor_ms: u64,
    #[serde(default)]
    objects: BTreeMap<ObjectId, Known>,
}

impl Replayed {
    /// True when nothing was.
    pub fn is_empty(&self) -> bool {
        self.floor_ms == 0 && self.objects.is_empty()
    }

    /// Objects written before it, milliseconds since 1970, are not replayed any more.
    pub fn floor_ms(&self) -> u64 {
        self.floor_ms
    }

    /// True when this line was put again.
    pub fn contains(&self, object: ObjectId, line: u32) -> bool {
        self.objects.get(&object).is_some_and(|known| known.lines.contains(line))
    }

    /// Ranges remembered.
    pub fn ranges(&self) -> usize {
        self.objects.values().map(|known| known.lines.ranges()).sum()
    }

    /// Whether lines may be put again.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, replay: &Replay, most_ranges: usize) -> Result<(), ReplayRefusal> {
        if replay.modified_ms < self.floor_ms {
            return Err(ReplayRefusal::Forgotten);
        }
        let known = self.objects.get(&replay.object);
        if known.is_some_and(|known| known.lines.meets(&replay.lines)) {
            return Err(ReplayRefusal::Known);
        }
        let (before, after) = known.map_or((0, replay.lines.ranges()), |known| {
            (known.lines.ranges(), known.lines.with(&replay.lines).ranges())
        });
        if self.ranges() - before + after > most_ranges { Err(ReplayRefusal::Full) } else { Ok(()) }
    }

    /// These lines were put again.
    pub fn add(&mut self, replay: &Replay) {
        if replay.modified_ms < self.floor_ms {
            return;
        }
        let known = self.objects.entry(replay.object);
        let known = known.or_insert_with(|| Known { modified_ms: replay.modified_ms, lines: Lines::default() });
        known.modified_ms = replay.modified_ms.max(known.modified_ms);
        known.lines = known.lines.with(&replay.lines);
    }

    /// Forgets objects written before this instant, milliseconds since 1970: they are refused from now on.
    pub fn forget_before(&mut self, before_ms: u64) {
        self.floor_ms = before_ms.max(self.floor_ms);
        let floor_ms = self.floor_ms;
        self.objects.retain(|_, known| known.modified_ms >= floor_ms);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn replay(key: &str, modified_ms: u64, lines: impl IntoIterator<Item = u32>) -> Replay {
        let object = ObjectId::new("lake", key, "\"tag\"");
        Replay { object, modified_ms, lines: Lines::of(lines), course: Course::Process }
    }

    #[test]
    fn a_line_is_put_again_once() {
        let mut replayed = Replayed::default();
        let some = replay("a", 5, [0, 1, 4]);
        assert_eq!(replayed.check(&some, 2), Ok(()));
        assert_eq!(replayed.check(&some, 1), Err(ReplayRefusal::Full));
        replayed.add(&some);
        assert_eq!(replayed.check(&replay("a", 5, [4]), 9), Err(ReplayRefusal::Known));
        assert_eq!(replayed.check(&replay("b", 5, [4]), 9), Ok(()));
        assert!(replayed.contains(some.object, 4) && !replayed.contains(some.object, 2));
    }

    #[test]
    fn what_is_left_of_an_object_makes_it_one_range() {
        let mut replayed = Replayed::default();
        replayed.add(&replay("a", 5, (0..1_000).step_by(2)));
        assert_eq!(replayed.ranges(), 500);
        assert_eq!(replayed.check(&replay("a", 5, (1..1_000).step_by(2)), 1), Ok(()));
        replayed.add(&replay("a", 5, (1..1_000).step_by(2)));
        assert_eq!(replayed.ranges(), 1);
    }

    #[test]
    fn what_is_forgotten_is_refused() {
        let mut replayed = Replayed::default();
        replayed.add(&replay("old", 5, [0]));
        replayed.add(&replay("new", 9, [0]));
        replayed.forget_before(9);
        replayed.forget_before(7);
        assert_eq!((replayed.ranges(), replayed.floor_ms()), (1, 9));
        assert_eq!(replayed.check(&replay("old", 8, [0]), 9), Err(ReplayRefusal::Forgotten));
        replayed.add(&replay("old", 8, [0]));
        assert_eq!(replayed.ranges(), 1);
    }

    #[test]
    fn an_object_is_its_bucket_key_and_tag() {
        let one = ObjectId::new("lake", "a", "t");
        assert_eq!(one, ObjectId::new("lake", "a", "\"t\""));
        for other in [("lak", "ea", "t"), ("lake", "a", "u"), ("lake", "at", "")] {
            assert_ne!(one, ObjectId::new(other.0, other.1, other.2));
        }
        let text = String::from(one);
        assert_eq!(ObjectId::try_from(text.clone()), Ok(one));
        for wrong in [&text[1..], "+0000000000000000000000000000000", "x"] {
            assert_eq!(ObjectId::try_from(wrong.to_owned()), Err(NotAnObject));
        }
    }

    proptest! {
        #[test]
        fn lines_are_a_set(one in prop::collection::btree_set(0_u32..40, 0..20), other in prop::collection::btree_set(0_u32..40, 0..20)) {
            let (a, b) = (Lines::of(one.iter().copied()), Lines::of(other.iter().copied()));
            let both = a.with(&b);
            prop_assert_eq!(a.meets(&b), one.intersection(&other).next().is_some());
            prop_assert_eq!(both.clone(), Lines::of(one.union(&other).copied()));
            prop_assert_eq!(both.count(), one.union(&other).count() as u64);
            for line in 0..40 {
                prop_assert_eq!(both.contains(line), one.contains(&line) || other.contains(&line));
            }
        }
    }
}
