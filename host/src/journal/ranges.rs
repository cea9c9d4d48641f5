//! A set of segment ids as few ranges: what was dropped is mostly consecutive.
//!
//! Refuses to list ids one by one.

use std::ops::Range;

/// Half-open ranges, rising, never touching.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ranges(Vec<Range<u64>>);

impl Ranges {
    pub(super) fn insert(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let from = self.0.partition_point(|other| other.end < range.start);
        let to = self.0.partition_point(|other| other.start <= range.end);
        let touched = self.0.get(from..to).unwrap_or_default();
        let start = touched.first().map_or(range.start, |first| first.start.min(range.start));
        let end = touched.last().map_or(range.end, |last| last.end.max(range.end));
        self.0.drain(from..to);
        self.0.insert(from, start..end);
    }

    pub(super) fn contains(&self, id: u64) -> bool {
        let at = self.0.partition_point(|range| range.end <= id);
        self.0.get(at).is_some_and(|range| range.contains(&id))
    }

    /// Forgets ids below `low`.
    pub(super) fn forget_below(&mut self, low: u64) {
        self.0.retain_mut(|range| {
            range.start = range.start.max(low);
            !range.is_empty()
        });
    }

    pub(super) fn pairs(&self) -> Vec<(u64, u64)> {
        self.0.iter().map(|range| (range.start, range.end)).collect()
    }

    pub(super) fn from_pairs(pairs: &[(u64, u64)]) -> Self {
        let mut ranges = Self::default();
        for &(start, end) in pairs {
            ranges.insert(start..end);
        }
        ranges
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn behaves_as_a_set(inserts in prop::collection::vec((0_u64..60, 0_u64..8), 0..30), low in 0_u64..60) {
            let (mut ranges, mut model) = (Ranges::default(), BTreeSet::new());
            for (start, length) in inserts {
                ranges.insert(start..start + length);
                model.extend(start..start + length);
            }
            prop_assert!(ranges.pairs().windows(2).all(|pair| pair[0].1 < pair[1].0));
            prop_assert_eq!(&Ranges::from_pairs(&ranges.pairs()), &ranges);
            ranges.forget_below(low);
            model.retain(|&id| id >= low);
            for id in 0..70 {
                prop_assert_eq!(ranges.contains(id), model.contains(&id));
            }
        }
    }
}
