//! The journal's limits, each with its reason.
//!
//! Refuses values under which a promise of the journal could not hold.

use super::error::OpenError;
use super::{frame, index, segment};

/// Limits of one journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Size of a segment file. 64 MiB: large enough that creating one costs nothing beside filling it, small enough
    /// that space comes back soon.
    pub segment_bytes: u64,
    /// Bytes of all segments. Puts are refused above 90 %; the rest is for seals and checkpoints (row D8).
    pub capacity_bytes: u64,
    /// Free bytes of the file system under which puts are refused (row D8).
    pub reserve_bytes: u64,
    /// Newest frames kept in memory for readers.
    pub cache_bytes: u64,
    /// Bytes in one group commit: at 1 GB/s a group takes 8 ms, about one fdatasync.
    pub group_bytes: u64,
    /// Requests in one group commit.
    pub group_requests: usize,
    /// Bytes that may wait for the writer before puts are refused (row D10); an empty queue takes any one request.
    pub queue_bytes: u64,
    /// Requests that may wait for the writer.
    pub queue_requests: usize,
    /// Index entries of all streams, 40 bytes each.
    pub index_entries: usize,
    /// Threads that scan segments at start.
    pub recovery_threads: usize,
    /// How long a delivered or checkpoint note waits for company, at most.
    pub lazy_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            segment_bytes: 64 << 20,
            capacity_bytes: 16 << 30,
            reserve_bytes: 128 << 20,
            cache_bytes: 32 << 20,
            group_bytes: 8 << 20,
            group_requests: 1_024,
            queue_bytes: 32 << 20,
            queue_requests: 8_192,
            index_entries: index::MAX_ENTRIES,
            recovery_threads: 2,
            lazy_ms: 1_000,
        }
    }
}

impl Settings {
    /// Bytes above which puts are refused.
    pub(super) fn high_water_bytes(&self) -> u64 {
        self.capacity_bytes / 10 * 9
    }

    /// The longest frame: it must fit an empty segment.
    pub(super) fn max_frame_bytes(&self) -> u64 {
        frame::frame_bytes(frame::MAX_BODY_BYTES).min(self.segment_bytes - segment::BLOCK_BYTES)
    }

    pub(super) fn check(&self) -> Result<(), OpenError> {
        if !(MIN_SEGMENT_BYTES..=MAX_SEGMENT_BYTES).contains(&self.segment_bytes) {
            return Err(OpenError::Setting("segment_bytes must be from 16 KiB to 1 GiB"));
        }
        if self.capacity_bytes < self.segment_bytes.saturating_mul(MIN_SEGMENTS) {
            return Err(OpenError::Setting("capacity_bytes must hold at least 4 segments"));
        }
        if self.recovery_threads == 0 || self.group_requests == 0 || self.queue_requests == 0 {
            return Err(OpenError::Setting("recovery_threads, group_requests and queue_requests must not be 0"));
        }
        Ok(())
    }
}

/// Room for the header block and a stream's definition.
const MIN_SEGMENT_BYTES: u64 = 16 << 10;
/// Offsets are 32 bits wide.
const MAX_SEGMENT_BYTES: u64 = 1 << 30;
/// One being written, one in reserve, two that may be dropped.
const MIN_SEGMENTS: u64 = 4;
