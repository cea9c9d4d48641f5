//! What the writer and the readers share: index, cache, open files, and how far each stream is durable.
//!
//! Held for the time of a few map operations only. Refuses to do I/O.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::record::{Sequence, StreamId};

use super::cache::Cache;
use super::frame::Salt;
use super::index::{Entries, Entry, Limits};
use super::storage::File;

/// The part of the journal that readers see.
#[derive(Debug)]
pub(super) struct Shared(Mutex<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) views: HashMap<StreamId, View>,
    pub(super) files: HashMap<u64, Arc<SegmentFile>>,
    pub(super) cache: Cache,
    /// Segments in which a reader found damage: never dropped (row D4).
    pub(super) damaged: BTreeSet<u64>,
    limits: Limits,
    max_entries: usize,
    entries: usize,
}

/// One stream as readers see it.
#[derive(Debug)]
pub(super) struct View {
    /// Records below it are forgotten.
    pub(super) low: Sequence,
    pub(super) entries: Entries,
    /// Records that are damaged on disk, by rising sequence number.
    pub(super) lost: Vec<Range<Sequence>>,
    /// Durable up to here.
    pub(super) durable: watch::Sender<Sequence>,
}

/// What a reader needs to read one segment.
#[derive(Debug)]
pub(super) struct SegmentFile {
    pub(super) id: u64,
    pub(super) salt: Salt,
    pub(super) file: Arc<dyn File>,
}

impl Shared {
    pub(super) fn new(cache_bytes: u64, max_entries: usize) -> Self {
        Self(Mutex::new(Inner {
            views: HashMap::new(),
            files: HashMap::new(),
            cache: Cache::new(cache_bytes),
            damaged: BTreeSet::new(),
            limits: Limits::default(),
            max_entries,
            entries: 0,
        }))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl View {
    pub(super) fn new(low: Sequence, next: Sequence) -> Self {
        Self { low, entries: Entries::default(), lost: Vec::new(), durable: watch::Sender::new(next) }
    }

    /// Remembers damage, so that every later read says the same.
    pub(super) fn add_lost(&mut self, range: Range<Sequence>) {
        let at = self.lost.partition_point(|other| other.start < range.start);
        self.lost.insert(at, range);
    }
}

impl Inner {
    /// Adds a frame of a known stream to its index; false when nobody needs it.
    pub(super) fn insert(&mut self, stream: StreamId, entry: Entry) -> bool {
        let limits = self.limits;
        self.change(stream, |entries| entries.insert(entry, limits))
    }

    /// Adds an entry that stays for itself, so that it can be relocated.
    pub(super) fn insert_apart(&mut self, stream: StreamId, entry: Entry) -> bool {
        self.change(stream, |entries| entries.insert_apart(entry))
    }

    /// Moves records to where an earlier start copied them, from a place that `gives_way`; false when they are in no such
    /// place.
    pub(super) fn replace(&mut self, stream: StreamId, copy: Entry, gives_way: impl FnOnce(&Entry) -> bool) -> bool {
        self.change(stream, |entries| entries.replace(copy, gives_way))
    }

    /// Moves records to where cleaning copied them; false when nobody needs them any more.
    pub(super) fn relocate(&mut self, stream: StreamId, copy: Entry, freed: impl FnMut(u64, u64)) -> bool {
        let limits = self.limits;
        let low = self.views.get(&stream).map_or(0, |view| view.low);
        self.change(stream, |entries| entries.relocate(copy, low, limits, freed))
    }

    /// Forgets records below `low`.
    pub(super) fn forget_below(&mut self, stream: StreamId, low: Sequence, freed: impl FnMut(u64, u64)) {
        if let Some(view) = self.views.get_mut(&stream) {
            view.low = view.low.max(low);
            view.lost.retain(|lost| lost.end > low);
        }
        self.change(stream, |entries| {
            entries.forget_below(low, freed);
            true
        });
    }

    /// Forgets a stream.
    pub(super) fn remove(&mut self, stream: StreamId, mut freed: impl FnMut(u64, u64)) {
        self.cache.remove(stream);
        if let Some(view) = self.views.remove(&stream) {
            self.entries -= view.entries.len();
            view.entries.iter().for_each(|entry| freed(entry.segment, u64::from(entry.own)));
        }
    }

    /// True when even the coarsest index has no room: more streams times segments than memory was given for.
    pub(super) fn is_index_full(&self) -> bool {
        self.entries >= self.max_entries && self.limits.coarser().is_none()
    }

    fn change(&mut self, stream: StreamId, change: impl FnOnce(&mut Entries) -> bool) -> bool {
        let Some(view) = self.views.get_mut(&stream) else { return false };
        let before = view.entries.len();
        let changed = change(&mut view.entries);
        self.entries = self.entries - before + view.entries.len();
        if self.entries > self.max_entries {
            self.coarsen();
        }
        changed
    }

    /// Makes all entries coarser until they take half of the room, so that this happens rarely.
    fn coarsen(&mut self) {
        while self.entries > self.max_entries / 2 {
            let Some(limits) = self.limits.coarser() else { return };
            self.limits = limits;
            self.views.values_mut().for_each(|view| view.entries.coarsen(limits));
            self.entries = self.views.values().map(|view| view.entries.len()).sum();
        }
    }

    #[cfg(test)]
    pub(super) fn entry_count(&self) -> usize {
        assert_eq!(self.entries, self.views.values().map(|view| view.entries.len()).sum::<usize>());
        self.entries
    }
}
