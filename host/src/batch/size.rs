//! How large a buffer's object will be once it is compressed, where its hint is about that.
//!
//! Parts of the buffer are compressed while it fills, and what became of whole objects corrects what parts cannot show:
//! repetition over a long distance, columns. Refuses to be exact: where a batch is cut decides nothing but its size.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::definition::Compression;

/// Bytes that these bytes have when they are compressed.
pub type Pack = fn(Compression, &[u8]) -> usize;

/// What is known of a stream's objects beside the hint.
#[derive(Clone)]
pub struct Sizing {
    /// Compresses a part.
    pub pack: Pack,
    /// What was learned from whole objects.
    pub scale: Arc<Scale>,
    /// Most bytes that a buffer collects, however well they are compressed: the encoder holds them all in memory.
    pub most_bytes: u64,
}

impl fmt::Debug for Sizing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sizing")
            .field("scale", &self.scale)
            .field("most_bytes", &self.most_bytes)
            .finish_non_exhaustive()
    }
}

/// How whole objects of a stream compare with what their parts promised: their size over the promised one.
#[derive(Debug)]
pub struct Scale(AtomicU64);

impl Default for Scale {
    fn default() -> Self {
        Self(AtomicU64::new(1_f64.to_bits()))
    }
}

impl Scale {
    fn factor(&self) -> f64 {
        f64::from_bits(self.0.load(Ordering::Relaxed))
    }

    /// Learns from an object. Half of what is known comes from the last one: streams change, and one odd object
    /// must not decide.
    pub fn learn(&self, promised_bytes: u64, bytes: u64) {
        if promised_bytes > 0 && bytes > 0 {
            let seen = bytes as f64 / promised_bytes as f64;
            let factor = f64::midpoint(self.factor(), seen).clamp(LEAST_FACTOR, MOST_FACTOR);
            self.0.store(factor.to_bits(), Ordering::Relaxed);
        }
    }
}

/// Objects of this share of what their parts promised are believed; smaller ones would make the next one huge.
const LEAST_FACTOR: f64 = 1.0 / 16.0;
/// Parts promise too little where an object has much beside its data.
const MOST_FACTOR: f64 = 4.0;

/// A part that is compressed: four times the window of gzip, so that what its beginning lacks counts little.
const PART_BYTES: usize = 128 << 10;
/// Bytes from one part to the next: an eighth of them is compressed twice.
const STRIDE_BYTES: u64 = 1 << 20;

/// What the parts of one buffer came to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sampled {
    raw_bytes: u64,
    packed_bytes: u64,
    /// Content at which the next part is due.
    next_at: u64,
}

impl Sampled {
    /// Compresses the end of `payload` when a part of a buffer with `content_bytes` is due.
    pub(super) fn sample(&mut self, pack: Pack, compression: Compression, payload: &[u8], content_bytes: u64) {
        if content_bytes < self.next_at.max(PART_BYTES as u64) {
            return;
        }
        let part = &payload[payload.len().saturating_sub(PART_BYTES)..];
        // What is in memory may be little just after the rest was written to a file.
        if part.len() < PART_BYTES / 4 {
            return;
        }
        self.raw_bytes += part.len() as u64;
        self.packed_bytes += pack(compression, part).max(1) as u64;
        self.next_at = content_bytes + STRIDE_BYTES;
    }

    /// What an object of `content_bytes` will have by the parts alone; none before the first.
    pub(super) fn promised_bytes(&self, content_bytes: u64) -> Option<u64> {
        (self.raw_bytes > 0).then(|| share(content_bytes, self.packed_bytes as f64 / self.raw_bytes as f64))
    }

    /// Bytes to collect for an object of `hint_bytes`.
    pub(super) fn content_bytes_of(&self, hint_bytes: u64, sizing: &Sizing) -> u64 {
        if self.packed_bytes == 0 {
            return hint_bytes;
        }
        let growth = self.raw_bytes as f64 / self.packed_bytes as f64 / sizing.scale.factor();
        share(hint_bytes, growth).clamp(hint_bytes.div_ceil(4), hint_bytes.max(sizing.most_bytes))
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive, and sizes are far below 2^52")]
fn share(bytes: u64, factor: f64) -> u64 {
    (bytes as f64 * factor) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizing(most_bytes: u64) -> Sizing {
        Sizing { pack: |_, part| part.len() / 8, scale: Arc::default(), most_bytes }
    }

    fn sampled(content_bytes: u64) -> Sampled {
        let mut sampled = Sampled::default();
        sampled.sample(|_, part| part.len() / 8, Compression::Gzip, &vec![0; PART_BYTES], content_bytes);
        sampled
    }

    #[test]
    fn content_grows_with_what_compression_saves() {
        let (one, sizing) = (sampled(PART_BYTES as u64), sizing(u64::MAX));
        assert_eq!(one.content_bytes_of(1 << 20, &sizing), 8 << 20);
        assert_eq!(one.promised_bytes(8 << 20), Some(1 << 20));
        // Whole objects come out at half of what their parts promised.
        for _ in 0..20 {
            sizing.scale.learn(100, 50);
        }
        assert!((15 << 20..=16 << 20).contains(&one.content_bytes_of(1 << 20, &sizing)));
        // What cannot be is not believed.
        for _ in 0..20 {
            sizing.scale.learn(u64::MAX, 1);
            sizing.scale.learn(0, 7);
        }
        assert!(one.content_bytes_of(1 << 20, &sizing) <= 128 << 20);
    }

    /// Memory is bounded however well records compress.
    #[test]
    fn no_buffer_collects_more_than_it_may() {
        let one = sampled(PART_BYTES as u64);
        assert_eq!(one.content_bytes_of(1 << 20, &sizing(3 << 20)), 3 << 20);
        // The hint itself always holds.
        assert_eq!(one.content_bytes_of(4 << 20, &sizing(3 << 20)), 4 << 20);
    }

    #[test]
    fn nothing_is_known_before_the_first_part() {
        for one in [Sampled::default(), sampled(PART_BYTES as u64 - 1)] {
            assert_eq!((one.content_bytes_of(9, &sizing(99)), one.promised_bytes(9)), (9, None));
        }
    }
}
