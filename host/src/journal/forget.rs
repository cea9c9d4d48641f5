//! Gives space back: drops segments that nobody needs, and copies the last leftovers out of nearly dead ones, so
//! that a stalled stream never pins segments for ever.
//!
//! Refuses to remove a file before a durable note says so (row D7), and to remove one that holds damage (row D4).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::thread;

use crate::record::StreamId;

use super::error::AppendError;
use super::group::Action;
use super::log::{Log, Segment};
use super::note::{Dropped, Note, SegmentEnd};
use super::reader;
use super::segment;

impl Log {
    /// One bounded step of giving space back; true when another one may find more to do.
    pub(super) fn upkeep(&mut self, now_ms: u64) -> bool {
        self.reserve_ahead();
        if !self.needs_upkeep || self.is_poisoned {
            return false;
        }
        self.learn_of_damage();
        let dead = self.dead_segments();
        if !dead.is_empty() {
            return match self.snapshot_step(&dead, now_ms) {
                Step::More => true,
                Step::Failed => false,
                Step::Done => self.drop_segments(&dead, now_ms),
            };
        }
        if let Some(id) = self.nearly_dead_segment() {
            return self.clean_step(id, now_ms);
        }
        self.needs_upkeep = false;
        false
    }

    /// Readers may have found damage since.
    fn learn_of_damage(&mut self) {
        for id in &self.shared.lock().damaged {
            if let Some(segment) = self.segments.get_mut(id) {
                segment.is_damaged = true;
            }
        }
    }

    fn dead_segments(&self) -> BTreeSet<u64> {
        let closed = self.segments.range(..self.active);
        closed.filter(|(_, segment)| segment.live == 0 && !segment.is_damaged).map(|(&id, _)| id).collect()
    }

    /// The oldest segment that is worth cleaning.
    fn nearly_dead_segment(&self) -> Option<u64> {
        let old = self.segments.len().saturating_sub(NEWEST_KEPT);
        let mut candidates = self.segments.iter().take(old);
        candidates.find(|(_, segment)| segment.live <= segment.end / 4 && !segment.is_damaged).map(|(&id, _)| id)
    }

    /// Writes snapshots of streams whose notes would go with `dead`.
    fn snapshot_step(&mut self, dead: &BTreeSet<u64>, now_ms: u64) -> Step {
        let mut streams: BTreeSet<StreamId> = BTreeSet::new();
        for id in dead {
            streams.extend(self.segments.get(id).into_iter().flat_map(|segment| &segment.notes));
        }
        let forgotten: Vec<StreamId> = streams.iter().copied().filter(|&id| self.is_forgettable(id)).collect();
        for id in forgotten {
            streams.remove(&id);
            self.streams.remove(&id);
            self.segments.values_mut().for_each(|segment| {
                segment.notes.remove(&id);
            });
        }
        if streams.is_empty() {
            return Step::Done;
        }
        let few: Vec<StreamId> = streams.iter().copied().take(SNAPSHOTS_PER_STEP).collect();
        let is_last = few.len() == streams.len();
        match self.commit_all(few.into_iter().map(Action::Snapshot), now_ms) {
            Err(_) => Step::Failed,
            Ok(()) if is_last => Step::Done,
            Ok(()) => Step::More,
        }
    }

    /// A deleted stream is forgotten once nothing of it can turn up again: all segments that its notes stand in or
    /// that are older are confirmed gone, or are exactly the last ones to go.
    fn is_forgettable(&self, id: StreamId) -> bool {
        let Some(stream) = self.streams.get(&id).filter(|stream| stream.is_deleted) else { return false };
        let oldest = self.segments.keys().next().copied().unwrap_or(0);
        self.is_gone_confirmed && stream.notes_in.iter().all(|&holding| holding == oldest)
    }

    fn drop_segments(&mut self, dead: &BTreeSet<u64>, now_ms: u64) -> bool {
        let mut gone = self.gone.clone();
        if self.is_gone_confirmed {
            gone.forget_below(self.segments.keys().next().copied().unwrap_or(0));
        }
        for (&id, segment) in self.segments.iter().filter(|(id, _)| dead.contains(id)) {
            gone.insert(segment.previous + 1..id + 1);
        }
        let note = Dropped { ranges: gone.pairs(), ends: self.untold_ends(dead) };
        if self.commit_all([Action::Journal(Note::Dropped(note))], now_ms).is_err() {
            return false;
        }
        self.gone = gone;
        let mut removed = Ok(());
        let mut files = Vec::new();
        for &id in dead {
            removed = removed.and(self.storage.remove(&segment::file_name(id)));
            let segment = self.segments.remove(&id);
            self.closed_bytes -= segment.as_ref().map_or(0, |segment| segment.end);
            files.push((segment, self.shared.lock().files.remove(&id)));
        }
        self.close_aside(files);
        removed = removed.and_then(|()| self.storage.sync_directory());
        if let Err(error) = removed {
            tracing::warn!(%error, "cannot remove journal segments; they are removed again at the next start");
            self.is_gone_confirmed = false;
        }
        self.metrics.bytes.set(i64::try_from(self.bytes()).unwrap_or(i64::MAX));
        true
    }

    /// Closing a removed file gives its blocks back, which takes tens of milliseconds: acknowledgements do not wait
    /// for that. One thread at a time does it.
    fn close_aside<T: Send + 'static>(&mut self, files: Vec<T>) {
        if let Some(before) = self.closing.take() {
            // It only drops.
            before.join().ok();
        }
        let closing = thread::Builder::new().name("journal-close".to_owned()).spawn(move || drop(files));
        // Without a thread they were closed right here.
        self.closing = closing.ok();
    }

    /// Ends of segments that no later header states once `dead` are gone, and those of `dead` themselves, should
    /// their removal not reach the disk.
    fn untold_ends(&self, dead: &BTreeSet<u64>) -> Vec<SegmentEnd> {
        let mut ends = Vec::new();
        let closed: Vec<_> = self.segments.range(..self.active).collect();
        let mut successors = self.segments.iter().skip(1);
        for (&id, segment) in closed {
            let is_told = successors.next().is_some_and(|(next, after)| after.previous == id && !dead.contains(next));
            if !is_told || dead.contains(&id) {
                let Segment { end, epoch, doubtful_from, .. } = *segment;
                ends.push(SegmentEnd { id, end, epoch, doubtful_from });
            }
        }
        ends
    }

    /// Copies some of what is still needed in segment `id` to the tail.
    fn clean_step(&mut self, id: u64, now_ms: u64) -> bool {
        let mut copies = Vec::new();
        let mut bytes = 0;
        for (stream, low, entry, file) in self.leftovers(id) {
            if bytes >= CLEANED_PER_STEP_BYTES {
                break;
            }
            bytes += u64::from(entry.own);
            let (batches, is_whole) = match reader::frames_of(&entry, &file, stream, low) {
                Ok(read) => read,
                Err(error) => {
                    tracing::warn!(segment = id, %error, "cannot clean journal segment");
                    self.needs_upkeep = false;
                    return false;
                }
            };
            if !is_whole {
                tracing::error!(segment = id, %stream, "journal segment is damaged, keeping it");
                self.metrics.corrupt_frames.inc();
                self.shared.lock().damaged.insert(id);
            }
            copies.extend(batches.into_iter().map(|(batch, replay)| Action::Copy {
                stream,
                first: batch.first,
                arrived_ms: batch.arrived_ms.first().copied().unwrap_or(0),
                records: batch.records,
                replay,
            }));
        }
        if copies.is_empty() {
            copies.extend(self.seals_in(id).into_iter().map(Action::CopySeal));
        }
        let is_damaged = self.shared.lock().damaged.contains(&id);
        let has_copied = !copies.is_empty() && self.commit_all(copies, now_ms).is_ok();
        // Without progress the next look waits until something is freed.
        self.needs_upkeep = has_copied || is_damaged;
        self.needs_upkeep
    }

    fn leftovers(&self, id: u64) -> Vec<(StreamId, u64, super::index::Entry, Arc<super::shared::SegmentFile>)> {
        let shared = self.shared.lock();
        let Some(file) = shared.files.get(&id) else { return Vec::new() };
        let mut leftovers = Vec::new();
        for (&stream, view) in &shared.views {
            let entries = view.entries.iter().filter(|entry| entry.segment == id);
            leftovers.extend(entries.map(|&entry| (stream, view.low, entry, Arc::clone(file))));
        }
        // The map's order is not repeatable, simulation must be.
        leftovers.sort_unstable_by_key(|(stream, _, entry, _)| (*stream, entry.first));
        leftovers
    }

    fn seals_in(&self, id: u64) -> Vec<Arc<crate::record::Seal>> {
        let open = self.streams.values().flat_map(|stream| stream.seals.values());
        let here = open.filter(|open| open.place.is_some_and(|place| place.segment == id));
        here.take(SNAPSHOTS_PER_STEP).map(|open| Arc::clone(&open.seal)).collect()
    }

    fn commit_all(&mut self, actions: impl IntoIterator<Item = Action>, now_ms: u64) -> Result<(), AppendError> {
        let mut result = Ok(());
        self.commit(actions, now_ms, &mut |_, answer| result = result.and(answer.map(|_| ())));
        result
    }
}

/// How a bounded piece of work ended.
enum Step {
    Done,
    More,
    Failed,
}

/// Newest segments that are never cleaned: what is in them is still dying by itself.
const NEWEST_KEPT: usize = 4;
/// Bytes copied between two groups of requests: a few milliseconds of their waiting.
const CLEANED_PER_STEP_BYTES: u64 = 4 << 20;
/// Notes written between two groups of requests.
const SNAPSHOTS_PER_STEP: usize = 1_024;
