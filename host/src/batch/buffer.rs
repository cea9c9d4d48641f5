//! One partition's buffer: it grows, knows when it is due, and empties into a [`Cut`].
//!
//! It counts in bytes and milliseconds and refuses to know why it is cut; the [`Accumulator`](super::Accumulator)
//! decides that.

use std::mem;
use std::sync::Arc;

use super::chosen::Chosen;
use super::size::{Sampled, Sizing};
use crate::definition::Compression;
use crate::record::{Column, Content, Partition, Records, Rejected, Rows, Sequence};
use crate::spool::SpoolFile;

/// A batch taken out of a buffer, to be sealed. Cuts of one stream are to be sealed in the order they were given out.
#[derive(Clone, Debug)]
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
    /// What parts of it promise of the object's size; none where nobody asked, or it is too small to tell.
    pub promised_bytes: Option<u64>,
    /// Arrival of the record of [`Self::first`], milliseconds since 1970: sequence numbers are given in the order of
    /// arrival, so it is the oldest, whatever the clock did since.
    pub oldest_arrived_ms: u64,
}

/// Records of one partition that wait for their batch to fill.
#[derive(Debug)]
pub(super) struct Buffer {
    partition: Partition,
    held: Held,
    content_bytes: u64,
    record_count: u64,
    /// Memory of records beside their data.
    overhead_bytes: usize,
    sampled: Sampled,
    span: Option<Span>,
}

/// What a buffer collects.
#[derive(Debug)]
enum Held {
    Records {
        payload: Vec<u8>,
        /// What was collected before.
        spilled: Option<SpoolFile>,
    },
    Rejected(Vec<Rejected>),
    /// Parts, laid end to end when they are taken out, and what names each record.
    Rows {
        parts: Vec<Records>,
        names: Rows,
    },
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

/// First allocation of a records buffer; idle streams have none, and 5,000 partitions of a few records each take 40 MiB.
const FIRST_BYTES: usize = 8 * 1024;

/// What rejected records of one batch may hold beside their data. Size hints count data only, so that a flood of
/// empty records would otherwise fill memory before it fills a batch.
const OVERHEAD_BYTES: usize = 16 * 1024 * 1024;

impl Buffer {
    /// An empty buffer of a partition; `delivers_rows` when the destination takes records one by one.
    pub(super) fn new(partition: Partition, delivers_rows: bool) -> Self {
        let held = Held::empty(&partition, delivers_rows);
        Self {
            partition,
            held,
            content_bytes: 0,
            record_count: 0,
            overhead_bytes: 0,
            sampled: Sampled::default(),
            span: None,
        }
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
        match &self.held {
            Held::Records { payload, .. } => payload.len().max(payload.capacity().min(DOUBLING_BYTES)),
            Held::Rejected(_) | Held::Rows { .. } => {
                usize::try_from(self.content_bytes).unwrap_or(usize::MAX) + self.overhead_bytes
            }
        }
    }

    /// True when it has records in memory that may go to a file.
    pub(super) fn can_spill(&self) -> bool {
        matches!(&self.held, Held::Records { payload, .. } if !payload.is_empty())
    }

    /// Takes out what may go to a file: the records in memory, and the file that they follow.
    pub(super) fn take_spill(&mut self) -> Option<(Vec<u8>, Option<SpoolFile>)> {
        match &mut self.held {
            Held::Records { payload, spilled } if !payload.is_empty() => Some((mem::take(payload), spilled.take())),
            _ => None,
        }
    }

    /// Puts back what [`Self::take_spill`] gave out, with the records written or, where that failed, as it was.
    pub(super) fn put_spill(&mut self, records: Vec<u8>, file: Option<SpoolFile>) {
        if let Held::Records { payload, spilled } = &mut self.held {
            (*payload, *spilled) = (records, file);
        }
    }

    /// Compresses a part of what is collected, when one is due.
    pub(super) fn sample(&mut self, sizing: &Sizing, compression: Compression) {
        if let Held::Records { payload, .. } = &self.held {
            self.sampled.sample(sizing.pack, compression, payload, self.content_bytes);
        }
    }

    /// Bytes to collect for an object of `hint_bytes`.
    pub(super) fn content_bytes_of(&self, hint_bytes: u64, sizing: &Sizing) -> u64 {
        self.sampled.content_bytes_of(hint_bytes, sizing)
    }

    /// True when the batch is full: its records reached `size_bytes`, or rejected ones their bookkeeping's limit.
    pub(super) fn is_full(&self, size_bytes: u64) -> bool {
        self.content_bytes >= size_bytes || self.overhead_bytes >= OVERHEAD_BYTES
    }

    /// Appends these records to a batch that is to be cut at `size_bytes`.
    pub(super) fn append(&mut self, chosen: &Chosen<'_>, deadline_ms: u64, size_bytes: u64) {
        let (Some(first), Some(last)) = (chosen.input(0), chosen.len().checked_sub(1).and_then(|at| chosen.input(at)))
        else {
            return;
        };
        let bytes = chosen.bytes();
        match &mut self.held {
            Held::Records { payload, .. } => {
                reserve(payload, bytes, usize::try_from(size_bytes).unwrap_or(usize::MAX));
                chosen.copy_to(payload);
            }
            Held::Rows { parts, names } => {
                chosen.name(names);
                let part = chosen.records();
                self.overhead_bytes += overhead_of(&part);
                parts.push(part);
            }
            Held::Rejected(_) => return,
        }
        self.content_bytes += bytes as u64;
        self.record_count += chosen.len() as u64;
        let start = chosen.transformed.inputs.start;
        let arrived_ms = chosen.transformed.arrived_ms[first];
        self.extend(start + first as u64, start + last as u64, arrived_ms, deadline_ms);
    }

    /// Appends one rejected record.
    pub(super) fn reject(&mut self, record: Rejected, deadline_ms: u64) {
        let Held::Rejected(rejected) = &mut self.held else { return };
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
            content: self.held.take(),
            record_count: mem::take(&mut self.record_count),
            promised_bytes: mem::take(&mut self.sampled).promised_bytes(self.content_bytes),
            content_bytes: mem::take(&mut self.content_bytes),
            oldest_arrived_ms: span.oldest_arrived_ms,
        })
    }

    fn extend(&mut self, first: Sequence, last: Sequence, arrived_ms: u64, deadline_ms: u64) {
        let opened = Span { first, end: last + 1, oldest_arrived_ms: arrived_ms, deadline_ms };
        self.span.get_or_insert(opened).end = last + 1;
    }
}

impl Held {
    fn empty(partition: &Partition, delivers_rows: bool) -> Self {
        match partition {
            Partition::Error(_) => Self::Rejected(Vec::new()),
            Partition::Main if delivers_rows => Self::Rows { parts: Vec::new(), names: Rows::default() },
            Partition::Main | Partition::Keyed(_) | Partition::Source => {
                Self::Records { payload: Vec::new(), spilled: None }
            }
        }
    }

    fn take(&mut self) -> Content {
        match self {
            Self::Records { payload, spilled } => match spilled.take() {
                Some(file) => Content::Spilled { file: Arc::new(file), tail: mem::take(payload) },
                None => Content::Records(mem::take(payload)),
            },
            Self::Rejected(rejected) => Content::Rejected(mem::take(rejected)),
            Self::Rows { parts, names } => {
                let parts = mem::take(parts);
                let records = Records::concat(&parts.iter().collect::<Vec<_>>());
                Content::Rows(Rows { records, ..mem::take(names) })
            }
        }
    }
}

/// Memory of a part of rows beside its payload: what names each record, and the columns.
fn overhead_of(part: &Records) -> usize {
    let column = |column: &Column| {
        column.name.len() + 4 * column.codes.len() + column.dictionary.iter().map(|text| text.len() + 24).sum::<usize>()
    };
    ROW_BYTES * part.len() + part.columns().iter().map(column).sum::<usize>()
}

/// End offset, sequence number, ordinal and arrival of a row.
const ROW_BYTES: usize = 24;

/// Makes room for `extra` bytes in a buffer that is cut at `batch_bytes`.
fn reserve(payload: &mut Vec<u8>, extra: usize, batch_bytes: usize) {
    let needed = payload.len() + extra;
    if needed <= payload.capacity() {
        return;
    }
    // Powers of two, whatever the parts: else the steps depend on how large the first part was.
    let doubled = (2 * payload.capacity()).max(FIRST_BYTES).max(needed.min(DOUBLING_BYTES).next_power_of_two());
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
