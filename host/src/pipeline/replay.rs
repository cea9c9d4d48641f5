//! Making a sealed batch again from the journal, and the blame for crashes.
//!
//! After a restart, or when a dead destination made us give back the memory of a sealed batch, its content is read
//! and processed again by the code that ruled then. Refuses to change a seal: what it promised is what is made.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use crate::batch;
use crate::definition::PartitionKey;
use crate::journal::{Attempt, ReadError};
use crate::record::{
    Batch, Content, FATAL_ATTEMPTS, Origins, Partition, Ran, Records, Rejected, Rows, Seal, Sequence, Transformed,
};

use super::history::{History, HistoryError};
use super::{Context, work};

/// Bytes read from the journal at once: large enough to be worth a plugin call, small enough to be held often.
pub(crate) const READ_BYTES: usize = 1 << 20;

/// Why a sealed batch cannot be made again right now.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReplayError {
    /// The journal cannot give the records out.
    #[error("cannot read the records of a sealed batch")]
    Read(#[from] ReadError),
    /// The code that ruled then is not at hand.
    #[error("cannot run the code that made a sealed batch")]
    History(#[from] HistoryError),
    /// No epoch covers a sealed record.
    #[error("no epoch rules record {0}")]
    NoEpoch(Sequence),
    /// A record that was delivered, or may have been, now fails by time or luck.
    #[error("record {0} fails this time, and did not when its batch was sealed")]
    Unrepeatable(Sequence),
    /// The worker thread went away.
    #[error("a worker failed")]
    Work(#[from] work::Gone),
}

/// Reads and processes the records of `seals`, whose ranges overlap, again and gathers what each promised.
pub(crate) async fn rebuild(
    context: &Context,
    history: &History,
    seals: &[Arc<Seal>],
) -> Result<Vec<Content>, ReplayError> {
    let mut gathered = Gathering::new(seals, history)?;
    let mut at = seals.iter().map(|seal| seal.first).min().unwrap_or(0);
    let end = seals.iter().map(|seal| seal.end).max().unwrap_or(0);
    while at < end {
        let (epoch, until) = history.ruling(at).ok_or(ReplayError::NoEpoch(at))?;
        let chain = history.chain(&epoch, context).await?;
        let batches = match context.journal.read(epoch.stream, at, chain.most_bytes(READ_BYTES)).await {
            Ok(batches) => batches,
            Err(ReadError::Lost { end, .. }) => {
                tracing::error!(stream = %epoch.stream, from = at, end, "records of a sealed batch are damaged on disk; the rest is delivered");
                at = end;
                continue;
            }
            Err(other) => return Err(other.into()),
        };
        let Some(batch) = join(batches).map(|batch| shorten(&slice(&batch, at..until.min(end)), &chain)) else {
            return Err(ReplayError::NoEpoch(at));
        };
        let (next, aside) = (batch.end(), history.aside(batch.first..batch.end()));
        let transformed = context.workers.process(move || apply(&chain, batch, &aside)).await?;
        if let Some(range) = unrepeatable(&transformed).first() {
            return Err(ReplayError::Unrepeatable(range.start));
        }
        gathered.add(&transformed);
        at = next;
    }
    Ok(gathered.all.into_iter().map(|one| one.content).collect())
}

/// Runs a chain over a batch, leaving out the records in `aside`: ranges inside the batch, rising. Where no plugin runs
/// there is nothing to leave out.
pub(crate) fn apply(chain: &crate::process::Chain, batch: Batch, aside: &[Range<Sequence>]) -> Transformed {
    if aside.is_empty() || !chain.runs_plugins() {
        return chain.apply(batch);
    }
    let mut parts = Vec::new();
    let mut from = batch.first;
    for bad in aside {
        if from < bad.start {
            parts.push(chain.apply(slice(&batch, from..bad.start)));
        }
        let message = "not run again: the plugin took too long over it before, or the process died whenever it ran";
        parts.push(chain.reject(slice(&batch, bad.clone()), message, FATAL_ATTEMPTS));
        from = bad.end;
    }
    if from < batch.end() {
        parts.push(chain.apply(slice(&batch, from..batch.end())));
    }
    merge(parts, &batch)
}

/// The part of `batch` inside `range`, sharing its payload.
pub(crate) fn slice(batch: &Batch, range: Range<Sequence>) -> Batch {
    let from = usize::try_from(range.start.saturating_sub(batch.first)).unwrap_or(usize::MAX).min(batch.records.len());
    let to =
        usize::try_from(range.end.saturating_sub(batch.first)).unwrap_or(usize::MAX).clamp(from, batch.records.len());
    if from == 0 && to == batch.records.len() {
        return batch.clone();
    }
    Batch {
        stream: batch.stream,
        first: batch.first + from as u64,
        arrived_ms: batch.arrived_ms[from..to].to_vec(),
        records: batch.records.slice(from..to),
    }
}

/// The first records of `batch` that `chain` takes at once; always one.
pub(crate) fn shorten(batch: &Batch, chain: &crate::process::Chain) -> Batch {
    let most = chain.most_bytes(READ_BYTES.max(batch.records.payload().len()));
    let count = batch.records.ends().partition_point(|&end| end as usize <= most).max(1);
    slice(batch, batch.first..batch.first + count as u64)
}

/// Consecutive batches as one; nothing is copied when there is only one.
pub(crate) fn join(mut batches: Vec<Batch>) -> Option<Batch> {
    if batches.len() < 2 {
        return batches.pop();
    }
    let mut batches = batches.into_iter();
    let mut all = batches.next()?;
    let rest: Vec<Batch> = batches.collect();
    for batch in &rest {
        all.arrived_ms.extend_from_slice(&batch.arrived_ms);
    }
    let parts: Vec<&Records> = std::iter::once(&all.records).chain(rest.iter().map(|batch| &batch.records)).collect();
    all.records = Records::concat(&parts);
    Some(all)
}

/// Parts of one batch, processed apart, as one result.
fn merge(parts: Vec<Transformed>, batch: &Batch) -> Transformed {
    let sources: Option<Vec<&Records>> = parts.iter().map(|part| part.source.as_ref()).collect();
    let source = sources.filter(|parts| !parts.is_empty()).map(|parts| Records::concat(&parts));
    let mut inputs = Vec::new();
    let mut rejected: Vec<Rejected> = Vec::new();
    let (mut dropped_count, mut dropped_bytes) = (0, 0);
    let mut ran = Ran::Nothing;
    for part in &parts {
        let shift = u32::try_from(part.inputs.start - batch.first).unwrap_or(u32::MAX);
        inputs.extend((0..part.outputs.len()).map(|at| u32::try_from(part.input_of(at)).unwrap_or(u32::MAX) + shift));
        rejected.extend_from_slice(&part.rejected);
        dropped_count += part.dropped_count;
        dropped_bytes += part.dropped_bytes;
        ran = ran.or(part.ran.clone());
    }
    let outputs: Vec<&Records> = parts.iter().map(|part| &part.outputs).collect();
    Transformed {
        stream: batch.stream,
        inputs: batch.first..batch.end(),
        arrived_ms: batch.arrived_ms.clone(),
        outputs: Records::concat(&outputs),
        origins: Origins::Inputs(inputs),
        rejected,
        dropped_count,
        dropped_bytes,
        ran,
        source,
    }
}

/// What seals promised, as far as it was made again.
struct Gathering {
    all: Vec<Gathered>,
    /// Those of partitions of the destination, by the columns of their definition's keys.
    keyed: BTreeMap<Vec<String>, BTreeMap<Partition, Vec<usize>>>,
}

struct Gathered {
    seal: Arc<Seal>,
    content: Content,
}

impl Gathering {
    fn new(seals: &[Arc<Seal>], history: &History) -> Result<Self, HistoryError> {
        let mut gathering = Self { all: Vec::with_capacity(seals.len()), keyed: BTreeMap::new() };
        for (at, seal) in seals.iter().enumerate() {
            let version = seal.definition_version;
            let definition = history.definition(version).ok_or(HistoryError::Definition(version))?;
            let content = match seal.partition {
                Partition::Main if definition.delivers_rows() => Content::Rows(Rows::default()),
                Partition::Main | Partition::Keyed(_) | Partition::Source => Content::Records(Vec::new()),
                Partition::Error(_) => Content::Rejected(Vec::new()),
            };
            if matches!(seal.partition, Partition::Keyed(_)) {
                let keys = definition.partitioning.iter().flat_map(|partitioning| &partitioning.keys);
                let places = gathering.keyed.entry(keys.map(PartitionKey::column).collect()).or_default();
                places.entry(seal.partition.clone()).or_default().push(at);
            }
            gathering.all.push(Gathered { seal: Arc::clone(seal), content });
        }
        Ok(gathering)
    }

    /// Adds what `transformed` holds for each seal's partition and range.
    fn add(&mut self, transformed: &Transformed) {
        let is_keyed = |one: &Gathered| matches!(one.seal.partition, Partition::Keyed(_));
        for one in self.all.iter_mut().filter(|one| !is_keyed(one)) {
            one.add(transformed);
        }
        for (columns, places) in &self.keyed {
            for (partition, outputs) in batch::route(transformed, columns) {
                for &at in places.get(&partition).into_iter().flatten() {
                    self.all[at].add_outputs(transformed, outputs.iter().copied());
                }
            }
        }
    }
}

impl Gathered {
    fn add(&mut self, transformed: &Transformed) {
        let sealed = self.seal.first..self.seal.end;
        match (&mut self.content, &self.seal.partition) {
            (Content::Rejected(list), partition) => {
                let is_of_it =
                    |one: &&Rejected| sealed.contains(&one.sequence) && Partition::Error(one.output) == *partition;
                list.extend(transformed.rejected.iter().filter(is_of_it).cloned());
            }
            (Content::Records(bytes), Partition::Source) => {
                let sources = transformed.source.iter().flat_map(Records::iter);
                for (_, record) in transformed.inputs.clone().zip(sources).filter(|(at, _)| sealed.contains(at)) {
                    bytes.extend_from_slice(record);
                }
            }
            _ => self.add_outputs(transformed, 0..transformed.outputs.len()),
        }
    }

    /// Adds those of these outputs that came from inputs of the seal.
    fn add_outputs(&mut self, transformed: &Transformed, outputs: impl Iterator<Item = usize>) {
        let sealed = self.seal.first..self.seal.end;
        let sequence = |at: usize| transformed.inputs.start + transformed.input_of(at) as u64;
        let chosen: Vec<usize> = outputs.filter(|&at| sealed.contains(&sequence(at))).collect();
        match &mut self.content {
            Content::Records(bytes) => {
                for at in chosen {
                    bytes.extend_from_slice(transformed.outputs.record(at));
                }
            }
            Content::Rows(rows) => rows.append(transformed, &chosen),
            // Neither is begun with for outputs.
            Content::Spilled { .. } | Content::Rejected(_) => {}
        }
    }
}

/// Records that are never to be run again: those that were set aside, and those that were running alone whenever the
/// process died, as often as is allowed. Of what was settled, ending at `settled_end`, only the former: any other one
/// survived its last attempt.
pub(crate) fn aside(attempts: &[Attempt], settled_end: Sequence) -> Vec<Range<Sequence>> {
    let is_fatal = |one: &&Attempt| {
        let is_suspect = one.end - one.first == 1 && one.first >= settled_end;
        one.count > FATAL_ATTEMPTS || (is_suspect && one.count == FATAL_ATTEMPTS)
    };
    attempts.iter().filter(is_fatal).map(|one| one.first..one.end).collect()
}

/// Ranges of records that were refused by time or luck, so that a replay might decide otherwise.
pub(crate) fn unrepeatable(transformed: &Transformed) -> Vec<Range<Sequence>> {
    let mut ranges: Vec<Range<Sequence>> = Vec::new();
    for rejected in transformed.rejected.iter().filter(|rejected| !rejected.is_repeatable) {
        match ranges.last_mut() {
            Some(last) if last.end == rejected.sequence => last.end += 1,
            _ => ranges.push(rejected.sequence..rejected.sequence + 1),
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::PluginVersion;

    /// What is set aside says nothing about the plugin; the rest does.
    #[test]
    fn one_answered_call_tells_that_the_plugin_works() {
        let version = || PluginVersion { name: "p".into(), digest: "d".into() };
        let (faulted, through) = (|| Ran::Faulted(version()), || Ran::Through(version()));
        assert_eq!(Ran::Nothing.or(faulted()).or(Ran::Nothing), faulted());
        assert_eq!(faulted().or(through()), through());
        assert_eq!(through().or(faulted()).or(Ran::Nothing), through());
        assert_eq!(faulted().or(faulted()), faulted());
    }

    #[test]
    fn what_was_settled_keeps_its_fate() {
        let alone = |first, count| Attempt { first, end: first + 1, count };
        let whole = Attempt { first: 0, end: 9, count: FATAL_ATTEMPTS };
        let set_aside = Attempt { first: 3, end: 5, count: FATAL_ATTEMPTS + 1 };
        let attempts = [whole, alone(1, FATAL_ATTEMPTS), set_aside, alone(5, 2), alone(7, FATAL_ATTEMPTS)];
        assert_eq!(aside(&attempts, 6), [3..5, 7..8]);
        assert_eq!(aside(&attempts, 0), [1..2, 3..5, 7..8]);
    }
}
