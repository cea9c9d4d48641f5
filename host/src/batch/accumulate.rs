//! Cuts one stream's records into batches: by size, by age, on drain, or when memory runs short.
//!
//! Inputs come in order; what an input has in one partition is never split over two cuts. It refuses to know formats,
//! names and clocks.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::buffer::{Buffer, Cut, start_of};
use crate::definition::S3Destination;
use crate::record::{Origins, Partition, Rejected, Sequence, StreamId, Transformed};

/// Buffers of one stream, one per partition.
///
/// Cut points depend on when data came, so they move after a crash; what was sealed does not. A new accumulator
/// therefore starts at the stream's `open_from` with each partition's sealed-up-to mark, is given the records from
/// there on again, and takes from each input only what its partition had not sealed.
#[derive(Debug)]
pub struct Accumulator {
    stream: StreamId,
    size_bytes: u64,
    age_ms: u64,
    /// One past the last input that was added.
    next: Sequence,
    marks: BTreeMap<Partition, Sequence>,
    buffers: BTreeMap<Partition, Buffer>,
}

impl Accumulator {
    /// Nothing buffered; inputs below `open_from` are done, and those below a partition's mark are sealed there.
    pub fn new(
        stream: StreamId,
        destination: &S3Destination,
        marks: &BTreeMap<Partition, Sequence>,
        open_from: Sequence,
    ) -> Self {
        let mut accumulator = Self {
            stream,
            size_bytes: 0,
            age_ms: 0,
            next: open_from,
            marks: marks.clone(),
            buffers: BTreeMap::from([(Partition::Main, Buffer::new(Partition::Main))]),
        };
        accumulator.update(destination);
        accumulator
    }

    /// Appends what became of the next inputs and gives out what is due: a buffer that reaches the size hint is cut
    /// after the input that reached it, so a batch exceeds the hint by less than one input's outputs; then what is
    /// old enough, which with an age of 0 is everything.
    ///
    /// Inputs that were added before are skipped. `now_ms` is of any clock that never runs backwards.
    pub fn add(&mut self, mut transformed: Transformed, now_ms: u64) -> Vec<Cut> {
        debug_assert_eq!(transformed.stream, self.stream);
        let seen = self.next;
        self.next = self.next.max(transformed.inputs.end);
        let deadline_ms = now_ms.saturating_add(self.age_ms);
        let mut cuts = Vec::new();
        let rejected = std::mem::take(&mut transformed.rejected);
        self.add_outputs(&transformed, seen, deadline_ms, &mut cuts);
        self.add_rejected(rejected, seen, deadline_ms, &mut cuts);
        self.cut_due(now_ms, &mut cuts);
        self.stamp(cuts)
    }

    /// Gives out what is old enough at `now_ms`.
    pub fn due(&mut self, now_ms: u64) -> Vec<Cut> {
        let mut cuts = Vec::new();
        self.cut_due(now_ms, &mut cuts);
        self.stamp(cuts)
    }

    /// When [`Self::due`] will next give something out; `None` while nothing is buffered.
    pub fn deadline_ms(&self) -> Option<u64> {
        self.buffers.values().filter_map(Buffer::deadline_ms).min()
    }

    /// Gives out everything: the stream is drained or deleted.
    pub fn flush(&mut self) -> Vec<Cut> {
        let cuts = self.buffers.values_mut().filter_map(Buffer::cut).collect();
        self.stamp(cuts)
    }

    /// Gives out the buffer that holds most memory; `None` when nothing is buffered.
    pub fn cut_largest(&mut self) -> Option<Cut> {
        let largest = self.buffers.values_mut().filter(|buffer| buffer.first().is_some());
        let cut = largest.max_by_key(|buffer| buffer.bytes())?.cut()?;
        self.stamp(vec![cut]).pop()
    }

    /// The destination was updated: its hints rule what is added from now on. What is buffered keeps its timer
    /// (UpdateDestination never flushes early).
    pub fn update(&mut self, destination: &S3Destination) {
        self.size_bytes = destination.buffer_bytes;
        self.age_ms = u64::from(destination.buffer_seconds) * 1000;
    }

    /// Every input below this is in a cut or dropped, in all partitions: what a replay may start from once all cuts
    /// given out are sealed.
    pub fn open_from(&self) -> Sequence {
        self.buffers.values().filter_map(Buffer::first).min().unwrap_or(self.next)
    }

    /// Memory held by what is buffered.
    pub fn bytes(&self) -> usize {
        self.buffers.values().map(Buffer::bytes).sum()
    }

    /// Arrival of the oldest buffered record, milliseconds since 1970.
    pub fn oldest_arrived_ms(&self) -> Option<u64> {
        self.buffers.values().filter_map(Buffer::oldest_arrived_ms).min()
    }

    fn add_outputs(&mut self, transformed: &Transformed, seen: Sequence, deadline_ms: u64, cuts: &mut Vec<Cut>) {
        let floor = seen.max(self.marks.get(&Partition::Main).copied().unwrap_or(0));
        let buffer = self.buffers.entry(Partition::Main).or_insert_with(|| Buffer::new(Partition::Main));
        let ends = transformed.outputs.ends();
        let mut from = first_output(transformed, floor.saturating_sub(transformed.inputs.start));
        while from < ends.len() {
            let room = self.size_bytes.saturating_sub(buffer.content_bytes());
            let start = start_of(transformed, from) as u64;
            let reaching = from + ends[from..].partition_point(|&end| u64::from(end) - start < room);
            let Some(upto) = (reaching < ends.len()).then(|| end_of_input(transformed, reaching)) else {
                buffer.append(transformed, from..ends.len(), deadline_ms, self.size_bytes);
                return;
            };
            buffer.append(transformed, from..upto, deadline_ms, self.size_bytes);
            cuts.extend(buffer.cut());
            from = upto;
        }
    }

    fn add_rejected(&mut self, rejected: Vec<Rejected>, seen: Sequence, deadline_ms: u64, cuts: &mut Vec<Cut>) {
        let mut rejected = detach(rejected).into_iter().peekable();
        while let Some(record) = rejected.next() {
            let partition = Partition::Error(record.output);
            let sequence = record.sequence;
            if sequence < seen || sequence < self.marks.get(&partition).copied().unwrap_or(0) {
                continue;
            }
            let buffer = self.buffers.entry(partition.clone()).or_insert_with(|| Buffer::new(partition));
            buffer.reject(record, deadline_ms);
            let input_is_complete = rejected.peek().is_none_or(|next| next.sequence != sequence);
            if input_is_complete && buffer.is_full(self.size_bytes) {
                cuts.extend(buffer.cut());
            }
        }
    }

    fn cut_due(&mut self, now_ms: u64, cuts: &mut Vec<Cut>) {
        for buffer in self.buffers.values_mut() {
            if buffer.deadline_ms().is_some_and(|deadline_ms| deadline_ms <= now_ms) {
                cuts.extend(buffer.cut());
            }
        }
    }

    /// Sets each cut's `open_from`. Walks backwards from what is open now: before a cut was sealed, its partition was
    /// open from the cut's first input on.
    fn stamp(&self, mut cuts: Vec<Cut>) -> Vec<Cut> {
        if cuts.is_empty() {
            return cuts;
        }
        let mut firsts: BTreeMap<Partition, Sequence> = BTreeMap::new();
        for (partition, buffer) in &self.buffers {
            firsts.extend(buffer.first().map(|first| (partition.clone(), first)));
        }
        for cut in cuts.iter_mut().rev() {
            cut.open_from = firsts.values().copied().min().unwrap_or(self.next);
            firsts.insert(cut.partition.clone(), cut.first);
        }
        cuts
    }
}

/// The first output of input `input` or a later one.
fn first_output(transformed: &Transformed, input: u64) -> usize {
    let count = transformed.outputs.len();
    match &transformed.origins {
        Origins::Identity => usize::try_from(input).map_or(count, |input| input.min(count)),
        Origins::Inputs(inputs) => inputs.partition_point(|&at| u64::from(at) < input),
    }
}

/// One past the last output of the input that output `at` came from.
fn end_of_input(transformed: &Transformed, at: usize) -> usize {
    match &transformed.origins {
        Origins::Identity => at + 1,
        Origins::Inputs(inputs) => at + inputs[at..].partition_point(|&input| input == inputs[at]),
    }
}

/// Copies the records' data together. Each is a slice of the put request it came in, and one bad record must not hold
/// megabytes of good ones in memory until its batch is due.
fn detach(mut rejected: Vec<Rejected>) -> Vec<Rejected> {
    let mut copy = Vec::with_capacity(rejected.iter().map(|record| record.data.len()).sum());
    for record in &rejected {
        copy.extend_from_slice(&record.data);
    }
    let mut rest = Bytes::from(copy);
    for record in &mut rejected {
        record.data = rest.split_to(record.data.len());
    }
    rejected
}

#[cfg(test)]
mod tests;
