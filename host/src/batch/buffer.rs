//! One partition's buffer: it grows, knows when it is due, and empties into a [`Cut`].
//!
//! It counts in bytes and milliseconds and refuses to know why it is cut; the [`Accumulator`](super::Accumulator)
//! decides that.

use std::mem;
use std::ops::Range;

use crate::record::{Content, Partition, Rejected, Sequence, Transformed};

/// A batch taken out of a buffer, to be sealed. Cuts of one stream are to be sealed in the order they were given out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The buffer it came from.
    pub partition: Partition,
    /// The first input with something in here. Between the end of the cut before it and this, no input has anything
    /// in this partition.
    pub first: Sequence,
    /// One past the last input with something in here; all that this input has in this partition is in here.
    pub end: Sequence,
    /// Once this cut and those before it are sealed, every input below this is sealed or dropped in all partitions.
    pub open_from: Sequence,
    /// The records.
    pub content: Content,
    /// Number of records.
    pub record_count: u64,
    /// Bytes before encoding; of rejected records, the bytes they were put with.
    pub content_bytes: u64,
    /// Arrival of the record of [`Self::first`], milliseconds since 1970: sequence numbers are given in the order of
    /// arrival, so it is the oldest, whatever the clock did since.
    pub oldest_arrived_ms: u64,
}

/// Records of one partition that wait for their batch to fill.
#[derive(Debug)]
pub(super) struct Buffer {
    partition: Partition,
    content: Content,
    content_bytes: u64,
    record_count: u64,
    /// Memory of rejected records beside their data.
    overhead_bytes: usize,
    span: Option<Span>,
}

/// What a buffer with at least one record knows about them.
#[derive(Clone, Copy, Debug)]
struct Span {
    first: Sequence,
    end: Sequence,
    oldest_arrived_ms: u64,
    deadline_ms: u64,
}

/// A records buffer doubles up to here and then reserves room for its whole batch at once: moving tens of megabytes
/// now and then would hold up everything else on its thread. Room that nothing was written to yet costs addresses,
/// not memory.
const DOUBLING_BYTES: usize = 1024 * 1024;

/// First allocation of a records buffer; idle streams have none.
const FIRST_BYTES: usize = 64 * 1024;

/// What rejected records of one batch may hold beside their data. Size hints count data only, so that a flood of
/// empty records would otherwise fill memory before it fills a batch.
const OVERHEAD_BYTES: usize = 16 * 1024 * 1024;

impl Buffer {
    pub(super) fn new(partition: Partition) -> Self {
        let content = empty(&partition);
        Self { partition, content, content_bytes: 0, record_count: 0, overhead_bytes: 0, span: None }
    }

    /// First input with something in here.
    pub(super) fn first(&self) -> Option<Sequence> {
        self.span.map(|span| span.first)
    }

    pub(super) fn deadline_ms(&self) -> Option<u64> {
        self.span.map(|span| span.deadline_ms)
    }

    pub(super) fn oldest_arrived_ms(&self) -> Option<u64> {
        self.span.map(|span| span.oldest_arrived_ms)
    }

    pub(super) fn content_bytes(&self) -> u64 {
        self.content_bytes
    }

    /// Memory held.
    pub(super) fn bytes(&self) -> usize {
        match &self.content {
            Content::Records(payload) => payload.len().max(payload.capacity().min(DOUBLING_BYTES)),
            Content::Rejected(_) => usize::try_from(self.content_bytes).unwrap_or(usize::MAX) + self.overhead_bytes,
        }
    }

    /// True when the batch is full: its records reached `size_bytes`, or rejected ones their bookkeeping's limit.
    pub(super) fn is_full(&self, size_bytes: u64) -> bool {
        self.content_bytes >= size_bytes || self.overhead_bytes >= OVERHEAD_BYTES
    }

    /// Appends outputs `range` of `transformed` in one copy to a batch that is to be cut at `size_bytes`.
    pub(super) fn append(&mut self, transformed: &Transformed, range: Range<usize>, deadline_ms: u64, size_bytes: u64) {
        let (Content::Records(payload), false) = (&mut self.content, range.is_empty()) else { return };
        let bytes = start_of(transformed, range.start)..start_of(transformed, range.end);
        reserve(payload, bytes.len(), usize::try_from(size_bytes).unwrap_or(usize::MAX));
        self.content_bytes += bytes.len() as u64;
        self.record_count += range.len() as u64;
        payload.extend_from_slice(&transformed.outputs.payload()[bytes]);
        let (first, last) = (transformed.input_of(range.start), transformed.input_of(range.end - 1));
        let arrived_ms = transformed.arrived_ms[first];
        let start = transformed.inputs.start;
        self.extend(start + first as u64, start + last as u64, arrived_ms, deadline_ms);
    }

    /// Appends one rejected record.
    pub(super) fn reject(&mut self, record: Rejected, deadline_ms: u64) {
        let Content::Rejected(rejected) = &mut self.content else { return };
        let plugin_bytes = record.plugin.as_ref().map_or(0, |plugin| plugin.name.len() + plugin.digest.len());
        let text_bytes = record.message.len() + record.lambda_arn.as_ref().map_or(0, String::len) + plugin_bytes;
        self.overhead_bytes += size_of::<Rejected>() + text_bytes;
        self.content_bytes += record.data.len() as u64;
        self.record_count += 1;
        let (sequence, arrived_ms) = (record.sequence, record.arrived_ms);
        rejected.push(record);
        self.extend(sequence, sequence, arrived_ms, deadline_ms);
    }

    /// Empties the buffer; `None` when there is nothing in it. [`Cut::open_from`] is left for the accumulator.
    pub(super) fn cut(&mut self) -> Option<Cut> {
        let span = self.span.take()?;
        self.overhead_bytes = 0;
        Some(Cut {
            partition: self.partition.clone(),
            first: span.first,
            end: span.end,
            open_from: 0,
            content: mem::replace(&mut self.content, empty(&self.partition)),
            record_count: mem::take(&mut self.record_count),
            content_bytes: mem::take(&mut self.content_bytes),
            oldest_arrived_ms: span.oldest_arrived_ms,
        })
    }

    fn extend(&mut self, first: Sequence, last: Sequence, arrived_ms: u64, deadline_ms: u64) {
        let opened = Span { first, end: last + 1, oldest_arrived_ms: arrived_ms, deadline_ms };
        self.span.get_or_insert(opened).end = last + 1;
    }
}

/// Where output `at` begins in the payload; the payload's length when there is no output `at`.
pub(super) fn start_of(transformed: &Transformed, at: usize) -> usize {
    if at == 0 { 0 } else { transformed.outputs.ends()[at - 1] as usize }
}

fn empty(partition: &Partition) -> Content {
    match partition {
        Partition::Main => Content::Records(Vec::new()),
        Partition::Error(_) => Content::Rejected(Vec::new()),
    }
}

/// Makes room for `extra` bytes in a buffer that is cut at `batch_bytes`.
fn reserve(payload: &mut Vec<u8>, extra: usize, batch_bytes: usize) {
    let needed = payload.len() + extra;
    if needed <= payload.capacity() {
        return;
    }
    let doubled = (2 * payload.capacity()).max(FIRST_BYTES);
    // The last record may reach beyond the size that cuts the batch.
    let whole = batch_bytes.saturating_add(DOUBLING_BYTES);
    let target = if needed > DOUBLING_BYTES { whole.max(doubled) } else { doubled };
    // A system that counts addresses as memory may refuse the whole batch; then only what is needed.
    if payload.try_reserve_exact(target.max(needed) - payload.len()).is_err() {
        payload.reserve(extra);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_buffer_moves_once() {
        let (mut payload, mut moves) = (Vec::new(), 0);
        let chunk = vec![0; 200_003];
        while payload.len() < 64 << 20 {
            let before = payload.capacity();
            reserve(&mut payload, chunk.len(), 64 << 20);
            payload.extend_from_slice(&chunk);
            moves += usize::from(before > 2 * DOUBLING_BYTES && payload.capacity() != before);
        }
        assert_eq!((moves, payload.capacity()), (0, 65 << 20));
    }

    #[test]
    fn a_small_buffer_is_small() {
        let mut payload = Vec::new();
        reserve(&mut payload, 10, 64 << 20);
        assert_eq!(payload.capacity(), FIRST_BYTES);
        payload.resize(FIRST_BYTES, 0);
        reserve(&mut payload, 10, 64 << 20);
        assert_eq!(payload.capacity(), 2 * FIRST_BYTES);
    }

    /// A record may be larger than the rest of its batch.
    #[test]
    fn what_is_needed_is_there() {
        let mut payload = vec![0; 3 << 20];
        reserve(&mut payload, 5 << 20, 4 << 20);
        assert!(payload.capacity() >= 8 << 20);
    }
}
