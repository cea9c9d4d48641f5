//! Cuts one stream's records into batches: by size, by age, on drain, or when memory runs short.
//!
//! Inputs come in order; what an input has in one partition is never split over two cuts. It refuses to know formats,
//! names and clocks.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::buffer::{Buffer, Cut};
use super::chosen::Chosen;
use super::route::Routing;
use super::size::Sizing;
use crate::definition::{Buffering, Compression, Definition};
use crate::record::{Partition, Rejected, Sequence, Sequences, StreamId, Transformed};
use crate::spool::SpoolFile;

/// Buffers of one stream, one per partition.
///
/// Cut points depend on when data came, so they move after a crash; what was sealed does not. A new accumulator
/// therefore starts at the stream's `open_from` with each partition's sealed-up-to mark, is given the records from
/// there on again, and takes from each input only what its partition had not sealed.
#[derive(Debug)]
pub struct Accumulator {
    stream: StreamId,
    rules: Rules,
    /// What tells the size of a compressed object, when anything does.
    sizing: Option<Sizing>,
    /// One past the last input that was added.
    next: Sequence,
    marks: BTreeMap<Partition, Sequence>,
    buffers: BTreeMap<Partition, Buffer>,
}

/// What a buffer holds that may go to a file.
#[derive(Debug)]
pub struct Spill {
    /// The buffer.
    pub partition: Partition,
    /// What it has in memory.
    pub records: Vec<u8>,
    /// What it has in a file already, before those.
    pub file: Option<SpoolFile>,
}

/// What became of some inputs, and where it belongs.
#[derive(Clone, Debug)]
pub struct Routed {
    /// The outputs and the rest.
    pub transformed: Transformed,
    /// Which outputs are of which partition; none where there are no partitions.
    routes: Option<Vec<(Partition, Vec<usize>)>>,
}

/// What of a definition decides where records are collected and when they are cut.
#[derive(Clone, Debug)]
struct Rules {
    main: Buffering,
    error: Buffering,
    source: Buffering,
    /// What records of the destination are compressed with, when their hint is about that.
    compressed: Option<Compression>,
    /// Dynamic partitioning, when it is on.
    routing: Option<Routing>,
    delivers_rows: bool,
    /// Most partitions that are filled at once.
    active_partitions: usize,
}

impl Rules {
    fn new(definition: &Definition, active_partitions: usize) -> Self {
        Self {
            main: definition.buffering(&Partition::Main),
            // One kind of error is like another.
            error: definition.buffering(&Partition::Error(crate::record::ErrorOutput::ProcessingFailed)),
            source: definition.buffering(&Partition::Source),
            compressed: definition.s3.sizes_compressed.then(|| definition.object_compression()),
            routing: Routing::new(definition),
            delivers_rows: definition.delivers_rows(),
            active_partitions,
        }
    }

    fn of(&self, partition: &Partition) -> Buffering {
        match partition {
            Partition::Main | Partition::Keyed(_) => self.main,
            Partition::Error(_) => self.error,
            Partition::Source => self.source,
        }
    }
}

impl Accumulator {
    /// Nothing buffered; inputs below `open_from` are done, and those below a partition's mark are sealed there. At
    /// most `active_partitions` partitions of dynamic partitioning are filled at once.
    pub fn new(
        stream: StreamId,
        definition: &Definition,
        marks: &BTreeMap<Partition, Sequence>,
        open_from: Sequence,
        active_partitions: usize,
    ) -> Self {
        Self {
            stream,
            rules: Rules::new(definition, active_partitions),
            sizing: None,
            next: open_from,
            marks: marks.clone(),
            buffers: BTreeMap::new(),
        }
    }

    /// Size hints of definitions that ask for it are about objects as they are stored; without this they never are.
    #[must_use]
    pub fn sized_by(self, sizing: Sizing) -> Self {
        Self { sizing: Some(sizing), ..self }
    }

    /// Finds the partitions of what became of the next inputs.
    pub fn route(&self, transformed: Transformed) -> Routed {
        let routes = self.rules.routing.as_ref().map(|routing| routing.route(&transformed));
        Routed { transformed, routes }
    }

    /// Inputs with an output for which [`Self::add`] would cut a partition early to make room, rising.
    pub fn exceeding(&self, routed: &Routed) -> Sequences {
        let Some(routes) = &routed.routes else { return Sequences::default() };
        let room = self.rules.active_partitions.saturating_sub(self.active_partitions());
        let mut new = routes.iter().filter(|(partition, _)| !self.is_active(partition)).skip(room).peekable();
        if new.peek().is_none() {
            return Sequences::default();
        }
        let transformed = &routed.transformed;
        let outputs = new.flat_map(|(_, outputs)| outputs);
        outputs.map(|&at| transformed.inputs.start + transformed.input_of(at) as u64).collect()
    }

    /// Appends what became of the next inputs and gives out what is due: a buffer that reaches the size hint is cut
    /// after the input that reached it, so a batch exceeds the hint by less than one input's outputs; then what is
    /// old enough, which with an age of 0 is everything.
    ///
    /// Inputs that were added before are skipped. `now_ms` is of any clock that never runs backwards.
    pub fn add(&mut self, routed: Routed, now_ms: u64) -> Vec<Cut> {
        let Routed { mut transformed, routes } = routed;
        debug_assert_eq!(transformed.stream, self.stream);
        let seen = self.next;
        self.next = self.next.max(transformed.inputs.end);
        let mut cuts = Vec::new();
        let rejected = std::mem::take(&mut transformed.rejected);
        if let Some(source) = &transformed.source {
            self.fill(Partition::Source, Chosen::source(&transformed, source, 0), seen, now_ms, &mut cuts);
        }
        match routes {
            None => self.fill(Partition::Main, Chosen::outputs(&transformed, 0), seen, now_ms, &mut cuts),
            Some(routes) => {
                for (partition, indexes) in routes {
                    self.make_room(&partition, &mut cuts);
                    self.fill(partition, Chosen::each(&transformed, &indexes), seen, now_ms, &mut cuts);
                }
            }
        }
        self.add_rejected(rejected, seen, now_ms, &mut cuts);
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

    /// Takes out of the buffers with most memory what may go to files, the largest first, until it is `most_bytes` or more;
    /// [`Self::put_spill`] puts all of it back before anything else is asked of this. Empty when nothing of the kind is
    /// buffered.
    pub fn take_spills(&mut self, most_bytes: usize) -> Vec<Spill> {
        let held = self.buffers.iter().filter(|(_, buffer)| buffer.can_spill());
        let mut largest: Vec<(usize, &Partition)> =
            held.map(|(partition, buffer)| (buffer.bytes(), partition)).collect();
        largest.sort_unstable_by(|a, b| b.cmp(a));
        let mut bytes = 0;
        let enough = largest.iter().position(|(more, _)| {
            bytes += more;
            bytes >= most_bytes
        });
        largest.truncate(enough.map_or(largest.len(), |last| last + 1));
        let partitions: Vec<Partition> = largest.into_iter().map(|(_, partition)| partition.clone()).collect();
        let take = |partition: Partition| {
            let (records, file) = self.buffers.get_mut(&partition)?.take_spill()?;
            Some(Spill { partition, records, file })
        };
        partitions.into_iter().filter_map(take).collect()
    }

    /// Puts back what was taken out, its records written to the file or as they were.
    pub fn put_spill(&mut self, spill: Spill) {
        if let Some(buffer) = self.buffers.get_mut(&spill.partition) {
            buffer.put_spill(spill.records, spill.file);
        }
    }

    /// The destination was updated: its hints rule what is added from now on. What is buffered keeps its timer
    /// (UpdateDestination never flushes early).
    pub fn update(&mut self, definition: &Definition) {
        self.rules = Rules::new(definition, self.rules.active_partitions);
    }

    /// Partitions of dynamic partitioning that are being filled.
    pub fn active_partitions(&self) -> usize {
        // Without a look at the map for each: this is asked with every batch.
        let active =
            |entry: &(&Partition, &Buffer)| matches!(entry.0, Partition::Keyed(_)) && entry.1.first().is_some();
        self.buffers.iter().filter(active).count()
    }

    fn is_active(&self, partition: &Partition) -> bool {
        self.buffers.get(partition).is_some_and(|buffer| buffer.first().is_some())
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

    /// Adds what is chosen of one batch to a partition's buffer, but for what was added or sealed before.
    fn fill(&mut self, partition: Partition, chosen: Chosen<'_>, seen: Sequence, now_ms: u64, cuts: &mut Vec<Cut>) {
        let floor = seen.max(self.marks.get(&partition).copied().unwrap_or(0));
        let skipped = usize::try_from(floor.saturating_sub(chosen.transformed.inputs.start)).unwrap_or(usize::MAX);
        let first = first_from(&chosen, skipped);
        let mut rest = chosen.part(first..chosen.len());
        if rest.is_empty() {
            return;
        }
        let Buffering { bytes: size_bytes, seconds } = self.rules.of(&partition);
        let deadline_ms = now_ms.saturating_add(u64::from(seconds) * 1000);
        let delivers_rows = self.rules.delivers_rows;
        let is_of_destination = matches!(partition, Partition::Main | Partition::Keyed(_));
        let sizing = self.sizing.as_ref().zip(self.rules.compressed.filter(|_| is_of_destination));
        let size_of =
            |buffer: &Buffer| sizing.map_or(size_bytes, |(sizing, _)| buffer.content_bytes_of(size_bytes, sizing));
        let buffer = self.buffers.entry(partition.clone()).or_insert_with(|| Buffer::new(partition, delivers_rows));
        while !rest.is_empty() {
            let size = size_of(buffer);
            let room = size.saturating_sub(buffer.content_bytes());
            let upto = rest.filling(room).unwrap_or(rest.len());
            buffer.append(&rest.part(0..upto), deadline_ms, size);
            if let Some((sizing, compression)) = sizing {
                buffer.sample(sizing, compression);
            }
            if buffer.is_full(size_of(buffer)) {
                cuts.extend(buffer.cut());
            }
            rest = rest.part(upto..rest.len());
        }
    }

    /// A partition that is not being filled takes the place of the one that is due first, when there are as many as may be
    /// and its records were not refused for it: the other's object becomes smaller.
    fn make_room(&mut self, partition: &Partition, cuts: &mut Vec<Cut>) {
        if self.is_active(partition) || self.active_partitions() < self.rules.active_partitions {
            return;
        }
        let keyed =
            |entry: &(&Partition, &mut Buffer)| matches!(entry.0, Partition::Keyed(_)) && entry.1.first().is_some();
        let active = self.buffers.iter_mut().filter(keyed);
        let first_due = active.min_by_key(|(_, buffer)| buffer.deadline_ms().unwrap_or(0));
        let Some((first_due, buffer)) = first_due else { return };
        cuts.extend(buffer.cut());
        let first_due = first_due.clone();
        self.buffers.remove(&first_due);
    }

    fn add_rejected(&mut self, rejected: Vec<Rejected>, seen: Sequence, now_ms: u64, cuts: &mut Vec<Cut>) {
        let Buffering { bytes: size_bytes, seconds } = self.rules.error;
        let deadline_ms = now_ms.saturating_add(u64::from(seconds) * 1000);
        let mut rejected = detach(rejected).into_iter().peekable();
        while let Some(record) = rejected.next() {
            let partition = Partition::Error(record.output);
            let sequence = record.sequence;
            if sequence < seen || sequence < self.marks.get(&partition).copied().unwrap_or(0) {
                continue;
            }
            let buffer = self.buffers.entry(partition.clone()).or_insert_with(|| Buffer::new(partition, false));
            buffer.reject(record, deadline_ms);
            let input_is_complete = rejected.peek().is_none_or(|next| next.sequence != sequence);
            if input_is_complete && buffer.is_full(size_bytes) {
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
        // A partition whose object was cut is no longer active; others may never be seen again.
        self.buffers.retain(|partition, buffer| !matches!(partition, Partition::Keyed(_)) || buffer.first().is_some());
    }

    /// Sets each cut's `open_from`. Walks backwards from what is open now: before a cut was sealed, its partition was
    /// open from the cut's first input on, which is before what that partition was open from later.
    fn stamp(&self, mut cuts: Vec<Cut>) -> Vec<Cut> {
        if cuts.is_empty() {
            return cuts;
        }
        let mut open_from = self.open_from();
        for cut in cuts.iter_mut().rev() {
            cut.open_from = open_from;
            open_from = open_from.min(cut.first);
        }
        cuts
    }
}

/// The first of these that came from input `input` or a later one.
fn first_from(chosen: &Chosen<'_>, input: usize) -> usize {
    let (mut low, mut high) = (0, chosen.len());
    while low < high {
        let middle = low + (high - low) / 2;
        if chosen.input(middle).is_some_and(|at| at < input) { low = middle + 1 } else { high = middle }
    }
    low
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
