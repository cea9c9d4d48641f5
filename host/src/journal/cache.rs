//! The newest frames, kept in memory so that a reader who keeps up never touches the disk.
//!
//! Shares payloads, never copies them. Refuses to hold more bytes than it was given: the oldest frame goes first.

use std::collections::{HashMap, VecDeque};

use crate::record::{Batch, Course, Records, Replay, Sequence, StreamId};

use super::frame;

/// Frames of all streams, oldest out first.
#[derive(Debug)]
pub(super) struct Cache {
    capacity_bytes: u64,
    bytes: u64,
    /// Order of arrival over all streams; each stream's own queue has the same order.
    order: VecDeque<StreamId>,
    streams: HashMap<StreamId, VecDeque<Cached>>,
}

/// One frame.
#[derive(Debug)]
pub(super) struct Cached {
    pub(super) first: Sequence,
    arrived_ms: u64,
    records: Records,
    course: Course,
}

impl Cached {
    pub(super) fn new(first: Sequence, arrived_ms: u64, records: Records, replay: Option<&Replay>) -> Self {
        Self { first, arrived_ms, records, course: replay.map_or(Course::Put, |replay| replay.course) }
    }

    pub(super) fn end(&self) -> Sequence {
        self.first + self.records.len() as u64
    }

    /// The frame as a batch that begins no earlier than `from`, which lies below its end. The payload is shared.
    pub(super) fn batch(&self, stream: StreamId, from: Sequence) -> Batch {
        let skip = usize::try_from(from.saturating_sub(self.first)).unwrap_or(usize::MAX).min(self.records.len());
        let records = if skip == 0 { self.records.clone() } else { self.records.slice(skip..self.records.len()) };
        let arrived_ms = vec![self.arrived_ms; records.len()];
        Batch { stream, first: self.first + skip as u64, arrived_ms, records, course: self.course }
    }

    fn bytes(&self) -> u64 {
        frame::records_body_bytes(&self.records)
    }
}

impl Cache {
    pub(super) fn new(capacity_bytes: u64) -> Self {
        Self { capacity_bytes, bytes: 0, order: VecDeque::new(), streams: HashMap::new() }
    }

    /// Keeps a durable frame.
    pub(super) fn push(&mut self, stream: StreamId, cached: Cached) {
        self.bytes += cached.bytes();
        self.streams.entry(stream).or_default().push_back(cached);
        self.order.push_back(stream);
        while self.bytes > self.capacity_bytes {
            let Some(oldest) = self.order.pop_front() else { break };
            self.pop(oldest);
        }
    }

    /// Consecutive frames from the one that holds `from`, at least one when it is here, else none.
    pub(super) fn read(&self, stream: StreamId, from: Sequence, max_bytes: usize) -> Vec<Batch> {
        let Some(frames) = self.streams.get(&stream) else { return Vec::new() };
        if frames.front().is_none_or(|oldest| from < oldest.first) {
            return Vec::new();
        }
        let (mut batches, mut bytes) = (Vec::new(), 0);
        for cached in frames.range(frames.partition_point(|cached| cached.end() <= from)..) {
            bytes += cached.bytes();
            if !batches.is_empty() && bytes > max_bytes as u64 {
                break;
            }
            batches.push(cached.batch(stream, from));
        }
        batches
    }

    /// Forgets a deleted stream.
    pub(super) fn remove(&mut self, stream: StreamId) {
        if let Some(frames) = self.streams.remove(&stream) {
            self.bytes -= frames.iter().map(Cached::bytes).sum::<u64>();
            self.order.retain(|&other| other != stream);
        }
    }

    fn pop(&mut self, stream: StreamId) {
        let Some(frames) = self.streams.get_mut(&stream) else { return };
        if let Some(cached) = frames.pop_front() {
            self.bytes -= cached.bytes();
        }
        if frames.is_empty() {
            self.streams.remove(&stream);
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn records(texts: &[&'static str]) -> Records {
        let ends = texts.iter().scan(0, |end, text| {
            *end += u32::try_from(text.len()).unwrap();
            Some(*end)
        });
        Records::new(Bytes::from(texts.concat()), ends.collect(), Vec::new()).unwrap()
    }

    #[test]
    fn the_oldest_frame_goes_first_whoever_owns_it() {
        let mut cache = Cache::new(30);
        for (stream, first) in [(1, 0), (2, 0), (1, 1), (2, 1)] {
            cache.push(StreamId(stream), Cached::new(first, 5, records(&["abcdef"]), None));
        }
        assert_eq!(cache.bytes, 30);
        assert!(cache.read(StreamId(1), 0, 1_000).is_empty());
        assert_eq!(cache.read(StreamId(1), 1, 1_000).len(), 1);
        assert_eq!(cache.read(StreamId(2), 0, 1_000).len(), 2);
        cache.remove(StreamId(2));
        assert_eq!((cache.bytes, cache.order.len()), (10, 1));
    }

    #[test]
    fn a_read_begins_inside_a_frame_and_ends_after_max_bytes_but_never_empty() {
        let mut cache = Cache::new(1 << 20);
        cache.push(StreamId(1), Cached::new(10, 5, records(&["a", "bb", "ccc"]), None));
        cache.push(StreamId(1), Cached::new(13, 6, records(&["dddd"]), None));
        let read = cache.read(StreamId(1), 11, 1);
        assert_eq!(read.len(), 1);
        assert_eq!((read[0].first, read[0].records.clone()), (11, records(&["bb", "ccc"])));
        assert_eq!(read[0].arrived_ms, [5, 5]);
        assert_eq!(cache.read(StreamId(1), 11, 1_000).len(), 2);
        assert!(cache.read(StreamId(1), 9, 1_000).is_empty());
        assert!(cache.read(StreamId(1), 14, 1_000).is_empty());
    }
}
