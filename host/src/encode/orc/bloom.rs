//! Bloom filters: for the values of a row group a set of bits that says of most other values that they are not there.
//!
//! Hashes and sizes are those of the reference writer, or its readers would find nothing: Murmur3 of 64 bits for texts,
//! Thomas Wang's mixing for numbers. Refuses booleans, which have two values, and decimals, whose text readers do not
//! agree on.

use std::f64::consts::LN_2;
use std::ops::Range;

use super::message::Message;
use crate::convert::{Type, Values};

/// Chances of a wrong answer that a filter can be made for: bits are some 29 a value at the least of them.
const PROBABILITIES: Range<f64> = 0.000_001..0.999;

/// A filter.
#[derive(Clone, Debug)]
pub(super) struct Bloom {
    words: Vec<u64>,
    hash_count: u32,
}

impl Bloom {
    /// Room for so many values, of which another one is taken for one with this probability.
    fn new(value_count: usize, probability: f64) -> Self {
        let values = value_count.max(1) as f64;
        let probability = probability.clamp(PROBABILITIES.start, PROBABILITIES.end);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive, and 29 times a count")]
        let bits = (-values * probability.ln() / (LN_2 * LN_2)) as usize;
        let words = bits / 64 + 1;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "20 at most, or 64 for one value")]
        let hash_count = ((words * 64) as f64 / values * LN_2).round().clamp(1.0, 64.0) as u32;
        Self { words: vec![0; words], hash_count }
    }

    /// What values of a type have in these row groups; none for a type without filters.
    pub(super) fn of_groups(
        kind: &Type,
        values: &Values,
        groups: impl Iterator<Item = Range<usize>>,
        probability: f64,
    ) -> Option<Vec<Self>> {
        groups.map(|group| Self::of(kind, values, group, probability)).collect()
    }

    fn of(kind: &Type, values: &Values, range: Range<usize>, probability: f64) -> Option<Self> {
        let mut bloom = Self::new(range.len(), probability);
        match (values, kind) {
            (Values::Int(values), _) => values[range].iter().for_each(|&value| bloom.number(i64::from(value))),
            (Values::BigInt(values), Type::Timestamp) => {
                values[range].iter().for_each(|value| bloom.number(value.div_euclid(1_000_000)));
            }
            (Values::BigInt(values), _) => values[range].iter().for_each(|&value| bloom.number(value)),
            (Values::Float(values), _) => values[range].iter().for_each(|&value| bloom.float(f64::from(value))),
            (Values::Double(values), _) => values[range].iter().for_each(|&value| bloom.float(value)),
            (Values::Bytes(texts), _) => range.for_each(|at| bloom.hash(murmur3(texts.get(at)))),
            _ => return None,
        }
        Some(bloom)
    }

    fn number(&mut self, value: i64) {
        self.hash(mix(value));
    }

    fn float(&mut self, value: f64) {
        self.number(value.to_bits().cast_signed());
    }

    fn hash(&mut self, hash: u64) {
        #[expect(clippy::cast_possible_truncation, reason = "the two halves of it")]
        let (low, high) = (hash as u32, (hash >> 32) as u32);
        let bit_count = self.words.len() * 64;
        for round in 1..=self.hash_count {
            let combined = low.wrapping_add(round.wrapping_mul(high)).cast_signed();
            let positive = if combined < 0 { !combined } else { combined };
            let bit = positive.unsigned_abs() as usize % bit_count;
            self.words[bit / 64] |= 1 << (bit % 64);
        }
    }

    /// As the format has it.
    pub(super) fn message(&self) -> Message {
        let bits: Vec<u8> = self.words.iter().flat_map(|word| word.to_le_bytes()).collect();
        Message::default().number(1, u64::from(self.hash_count)).bytes(3, &bits)
    }
}

/// Thomas Wang's mixing of 64 bits.
fn mix(value: i64) -> u64 {
    let mut key = (!value).wrapping_add(value << 21);
    key ^= key >> 24;
    key = key.wrapping_add(key << 3).wrapping_add(key << 8);
    key ^= key >> 14;
    key = key.wrapping_add(key << 2).wrapping_add(key << 4);
    key ^= key >> 28;
    key.wrapping_add(key << 31).cast_unsigned()
}

/// Murmur3 with one lane of 64 bits and the reference writer's seed.
fn murmur3(data: &[u8]) -> u64 {
    const SEED: u64 = 104_729;
    let scramble =
        |word: u64| word.wrapping_mul(0x87C3_7B91_1142_53D5).rotate_left(31).wrapping_mul(0x4CF5_AD43_2745_937F);
    let mut blocks = data.chunks_exact(8);
    let mut hash = SEED;
    for block in blocks.by_ref() {
        let word = block.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte));
        hash = (hash ^ scramble(word)).rotate_left(27).wrapping_mul(5).wrapping_add(0x52DC_E729);
    }
    let rest = blocks.remainder();
    if !rest.is_empty() {
        hash ^= scramble(rest.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte)));
    }
    hash ^= data.len() as u64;
    for factor in [0xFF51_AFD7_ED55_8CCD, 0xC4CE_B9FE_1A85_EC53] {
        hash = (hash ^ hash >> 33).wrapping_mul(factor);
    }
    hash ^ hash >> 33
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_follow_the_probability_within_bounds() {
        let size = |count, probability| {
            let bloom = Bloom::new(count, probability);
            (bloom.words.len() * 64, bloom.hash_count)
        };
        assert_eq!(size(10_000, 0.05), (62_400, 4));
        assert_eq!(size(1_000, 0.01), (9_600, 7));
        assert_eq!(size(1_000, 0.0), (28_800, 20));
        assert_eq!(size(1_000, 1.0), (64, 1));
        assert_eq!(size(0, 0.05).0, 64);
    }

    #[test]
    fn a_value_that_is_there_is_found() {
        let mut bloom = Bloom::new(100, 0.05);
        (-50..50).for_each(|value| bloom.number(value));
        let filled = bloom.words.clone();
        (-50..50).for_each(|value| bloom.number(value));
        assert_eq!(bloom.words, filled);
        let mut strangers = 0;
        for value in 1_000..2_000 {
            let mut other = bloom.clone();
            other.number(value);
            strangers += usize::from(other.words == filled);
        }
        assert!(strangers < 150, "{strangers} of 1,000 are taken for values");
    }
}
