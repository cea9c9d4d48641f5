//! A set of sequence numbers, small however they lie: runs, scattered ones and every second one of millions.
//!
//! Written as text, because notes of the journal are. Refuses to say what its records have in common.

use std::ops::Range;

use roaring::RoaringTreemap;
use serde::{Deserialize, Serialize};

use super::Sequence;

/// Records of one stream.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Sequences(RoaringTreemap);

/// A text that is no [`Sequences`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a set of sequence numbers is base64 of the portable Roaring format with 64 bits")]
pub struct NotSequences;

impl Sequences {
    /// Number of records.
    pub fn len(&self) -> u64 {
        self.0.len()
    }

    /// True when there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// True when `sequence` is one of them.
    pub fn contains(&self, sequence: Sequence) -> bool {
        self.0.contains(sequence)
    }

    /// Bytes that it takes when it is written, before they become text.
    pub fn bytes(&self) -> usize {
        self.0.serialized_size()
    }

    /// Those inside `range`.
    #[must_use]
    pub fn within(&self, range: Range<Sequence>) -> Self {
        let mut from_start = self.0.iter();
        from_start.advance_to(range.start);
        from_start.take_while(|&sequence| sequence < range.end).collect()
    }

    /// Takes in all of `other`.
    pub fn add(&mut self, other: &Self) {
        self.0 |= &other.0;
    }

    /// Lets go of those below `floor`.
    pub fn forget_below(&mut self, floor: Sequence) {
        if self.0.min().is_some_and(|first| first < floor) {
            self.0.remove_range(..floor);
        }
    }
}

impl FromIterator<Sequence> for Sequences {
    fn from_iter<I: IntoIterator<Item = Sequence>>(sequences: I) -> Self {
        Self(sequences.into_iter().collect())
    }
}

impl From<Sequences> for String {
    fn from(Sequences(set): Sequences) -> Self {
        let mut bytes = Vec::with_capacity(set.serialized_size());
        // Writing to a vector does not fail; half a set would not be read again.
        if set.serialize_into(&mut bytes).is_err() {
            bytes.clear();
        }
        base64_simd::STANDARD.encode_to_string(bytes)
    }
}

impl TryFrom<String> for Sequences {
    type Error = NotSequences;

    fn try_from(text: String) -> Result<Self, NotSequences> {
        let bytes = base64_simd::STANDARD.decode_to_vec(text).map_err(|_not_base64| NotSequences)?;
        RoaringTreemap::deserialize_from(bytes.as_slice()).map(Self).map_err(|_not_a_set| NotSequences)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every second one of four million, a long run, and a few far away.
    fn mixed() -> Sequences {
        (0..4_000_000).step_by(2).chain(5_000_000..6_000_000).chain([1 << 40, u64::MAX - 1]).collect()
    }

    #[test]
    fn a_set_is_read_as_it_was_written_and_is_small() {
        let text = serde_json::to_string(&mixed()).unwrap();
        assert_eq!(serde_json::from_str::<Sequences>(&text).unwrap(), mixed());
        assert!(mixed().bytes() < 640 << 10, "{} bytes", mixed().bytes());
        for wrong in ["\"\"", "\"AA==\"", "\"!\"", &text[..text.len() - 6]] {
            assert!(serde_json::from_str::<Sequences>(wrong).is_err(), "{wrong:.20}");
        }
    }

    #[test]
    fn what_is_forgotten_or_outside_is_not_in_it() {
        let mut set = mixed();
        assert_eq!(set.within(3_999_997..5_000_002), [3_999_998, 5_000_000, 5_000_001].into_iter().collect());
        set.forget_below(5_999_999);
        set.add(&[7].into_iter().collect());
        assert_eq!(set, [7, 5_999_999, 1 << 40, u64::MAX - 1].into_iter().collect());
        assert!(set.contains(7) && !set.contains(8) && set.len() == 4 && !set.is_empty());
    }
}
