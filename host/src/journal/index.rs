//! Where the records of one stream stand: a sparse list by sequence number, rebuilt by scanning, never written.
//!
//! Refuses to grow without bound: when all streams together pass [`MAX_ENTRIES`], entries become coarser.

use std::collections::VecDeque;

use crate::record::Sequence;

/// Entries of all streams together (40 bytes each). Past it [`Limits::coarser`] entries take over.
pub(super) const MAX_ENTRIES: usize = 1 << 20;

/// A stretch of one segment with consecutive records of the stream, other streams' frames among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) first: Sequence,
    pub(super) end: Sequence,
    pub(super) segment: u64,
    pub(super) offset: u32,
    /// From the start of the first frame to the end of the last one.
    pub(super) span: u32,
    /// Bytes of the stream's own frames in it.
    pub(super) own: u32,
}

/// How much one entry may cover.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    /// Bytes of log in one entry: what a reader reads at most to find one record.
    pub(super) span: u64,
    /// Bytes of other streams' frames between two of its own.
    pub(super) gap: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { span: 256 << 10, gap: 64 << 10 }
    }
}

impl Limits {
    /// Twice as coarse; `None` when one entry may already cover any segment.
    pub(super) fn coarser(self) -> Option<Self> {
        (self.gap <= u64::from(u32::MAX)).then_some(Self { span: self.span * 2, gap: self.gap * 2 })
    }
}

/// The entries of one stream, by rising sequence number, never overlapping.
#[derive(Clone, Debug, Default)]
pub(super) struct Entries(VecDeque<Entry>);

impl Entries {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.0.iter()
    }

    /// Entries from the one that holds `sequence` on.
    pub(super) fn from(&self, sequence: Sequence) -> impl Iterator<Item = &Entry> {
        self.0.range(self.0.partition_point(|entry| entry.end <= sequence)..)
    }

    /// Adds a frame, or an entry made by a scan; false when something there already covers its first record.
    pub(super) fn insert(&mut self, entry: Entry, limits: Limits) -> bool {
        let at = self.0.partition_point(|other| other.end <= entry.first);
        if self.0.get(at).is_some_and(|next| next.first < entry.end) {
            return false;
        }
        if let Some(previous) = at.checked_sub(1).and_then(|before| self.0.get_mut(before))
            && let Some(joined) = join(previous, &entry, limits)
        {
            *previous = joined;
            return true;
        }
        self.0.insert(at, entry);
        true
    }

    /// Forgets entries that end at or below `low`.
    pub(super) fn forget_below(&mut self, low: Sequence, mut freed: impl FnMut(u64, u64)) {
        while let Some(entry) = self.0.front().filter(|entry| entry.end <= low) {
            freed(entry.segment, u64::from(entry.own));
            self.0.pop_front();
        }
    }

    /// Adds an entry without joining it to the one before, so that it can be moved for itself.
    pub(super) fn insert_apart(&mut self, entry: Entry) -> bool {
        let at = self.0.partition_point(|other| other.end <= entry.first);
        let is_free = self.0.get(at).is_none_or(|next| next.first >= entry.end);
        if is_free {
            self.0.insert(at, entry);
        }
        is_free
    }

    /// Puts `copy` in the place of the entry that has just its records, when `gives_way` says so.
    pub(super) fn replace(&mut self, copy: Entry, gives_way: impl FnOnce(&Entry) -> bool) -> bool {
        let at = self.0.partition_point(|entry| entry.end <= copy.first);
        let same = self.0.get_mut(at).filter(|entry| (entry.first, entry.end) == (copy.first, copy.end));
        match same.filter(|entry| gives_way(entry)) {
            Some(entry) => {
                *entry = copy;
                true
            }
            None => false,
        }
    }

    /// Takes the records of `copy` away from the entry that begins with them, records below `low` aside, and gives
    /// them to `copy`; false when there is no such entry.
    pub(super) fn relocate(
        &mut self,
        copy: Entry,
        low: Sequence,
        limits: Limits,
        mut freed: impl FnMut(u64, u64),
    ) -> bool {
        let at = self.0.partition_point(|entry| entry.end <= copy.first);
        // What stays in front must be dead, because nobody knows how many bytes it has.
        let begins = |entry: &&mut Entry| entry.first == copy.first || (entry.first < copy.first && copy.first <= low);
        let Some(entry) = self.0.get_mut(at).filter(begins).filter(|entry| copy.end <= entry.end) else {
            return false;
        };
        let taken = if copy.end == entry.end { entry.own } else { entry.own.min(copy.own) };
        freed(entry.segment, u64::from(taken));
        if copy.end == entry.end {
            self.0.remove(at);
        } else {
            entry.first = copy.end;
            entry.own -= taken;
        }
        self.insert(copy, limits)
    }

    /// Joins neighbours as far as `limits` allow.
    pub(super) fn coarsen(&mut self, limits: Limits) {
        let mut joined: VecDeque<Entry> = VecDeque::with_capacity(self.0.len() / 2);
        for entry in self.0.drain(..) {
            match joined.back_mut() {
                Some(last) => match join(last, &entry, limits) {
                    Some(both) => *last = both,
                    None => joined.push_back(entry),
                },
                None => joined.push_back(entry),
            }
        }
        self.0 = joined;
    }
}

/// One entry for both, when `right` follows `left` closely enough.
fn join(left: &Entry, right: &Entry, limits: Limits) -> Option<Entry> {
    let left_end = u64::from(left.offset) + u64::from(left.span);
    let right_end = u64::from(right.offset) + u64::from(right.span);
    let follows = left.segment == right.segment && left.end == right.first && left_end <= u64::from(right.offset);
    let span = right_end.checked_sub(u64::from(left.offset))?;
    if !follows || u64::from(right.offset) - left_end > limits.gap || span > limits.span {
        return None;
    }
    let span = u32::try_from(span).ok()?;
    Some(Entry { end: right.end, span, own: left.own.checked_add(right.own)?, ..*left })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(first: Sequence, end: Sequence, segment: u64, offset: u32) -> Entry {
        Entry { first, end, segment, offset, span: 1_000, own: 1_000 }
    }

    fn filled(entries: &[Entry], limits: Limits) -> Entries {
        let mut filled = Entries::default();
        for &entry in entries {
            assert!(filled.insert(entry, limits));
        }
        filled
    }

    #[test]
    fn close_frames_share_an_entry_and_far_ones_do_not() {
        let near = filled(&[entry(0, 5, 1, 4_096), entry(5, 9, 1, 5_096)], Limits::default());
        let joined = Entry { first: 0, end: 9, segment: 1, offset: 4_096, span: 2_000, own: 2_000 };
        assert_eq!(near.iter().collect::<Vec<_>>(), [&joined]);
        for far in [entry(5, 9, 1, 4_096 + 1_000 + (64 << 10) + 8), entry(5, 9, 2, 5_096), entry(6, 9, 1, 5_096)] {
            assert_eq!(filled(&[entry(0, 5, 1, 4_096), far], Limits::default()).len(), 2, "{far:?}");
        }
    }

    #[test]
    fn a_copy_of_what_is_known_is_ignored() {
        let mut entries = filled(&[entry(0, 5, 1, 4_096), entry(5, 9, 2, 4_096)], Limits::default());
        assert!(!entries.insert(entry(5, 9, 7, 4_096), Limits::default()));
        assert_eq!(entries.from(6).next().map(|entry| entry.segment), Some(2));
    }

    #[test]
    fn copies_move_records_and_their_bytes() {
        let mut entries =
            filled(&[entry(0, 5, 1, 4_096), entry(5, 9, 1, 5_096), entry(9, 12, 3, 4_096)], Limits::default());
        let mut freed = 0;
        for copy in [entry(0, 5, 8, 4_096), entry(5, 9, 8, 5_096)] {
            assert!(entries.relocate(copy, 0, Limits::default(), |segment, bytes| {
                assert_eq!(segment, 1);
                freed += bytes;
            }));
        }
        assert_eq!(freed, 2_000);
        let places: Vec<_> = entries.iter().map(|entry| (entry.first, entry.end, entry.segment)).collect();
        assert_eq!(places, [(0, 9, 8), (9, 12, 3)]);
    }

    /// Moving what is in the middle would leave nobody knowing whose the remaining bytes are.
    #[test]
    fn only_the_front_of_an_entry_moves() {
        let mut entries = filled(&[entry(0, 5, 1, 4_096), entry(5, 9, 1, 5_096)], Limits::default());
        let copy = entry(5, 9, 8, 4_096);
        assert!(!entries.relocate(copy, 4, Limits::default(), |_, _| panic!("nothing is freed")));
        assert!(entries.relocate(copy, 5, Limits::default(), |_, bytes| assert_eq!(bytes, 2_000)));
    }

    #[test]
    fn coarser_limits_end_with_one_entry_per_segment() {
        let far: Vec<Entry> =
            (0..100).map(|at| entry(u64::from(at), u64::from(at) + 1, 1, 4_096 + at * 600_000)).collect();
        let mut entries = filled(&far, Limits::default());
        assert_eq!(entries.len(), 100);
        let mut limits = Some(Limits::default());
        while let Some(now) = limits {
            entries.coarsen(now);
            limits = now.coarser();
        }
        assert_eq!(entries.len(), 1);
    }
}
