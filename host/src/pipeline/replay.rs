//! Making a sealed batch again from the journal, and the blame for crashes.
//!
//! After a restart, or when a dead destination made us give back the memory of a sealed batch, its content is read
//! and processed again by the code that ruled then. Refuses to change a seal: what it promised is what is made.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::journal::{Attempt, ReadError};
use crate::record::{
    Batch, Content, FATAL_ATTEMPTS, Origins, Partition, Records, Rejected, Seal, Sequence, Transformed,
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
    /// The worker thread went away.
    #[error("a worker failed")]
    Work(#[from] work::Gone),
}

/// Reads and processes the records of `seal` again and gathers what it promised.
pub(crate) async fn rebuild(context: &Context, history: &History, seal: &Seal) -> Result<Content, ReplayError> {
    let mut content = match seal.partition {
        Partition::Main => Content::Records(Vec::new()),
        Partition::Error(_) => Content::Rejected(Vec::new()),
    };
    let mut at = seal.first;
    while at < seal.end {
        let (epoch, until) = history.ruling(at).ok_or(ReplayError::NoEpoch(at))?;
        let chain = history.chain(&epoch, context).await?;
        let batches = match context.journal.read(seal.stream, at, READ_BYTES).await {
            Ok(batches) => batches,
            Err(ReadError::Lost { end, .. }) => {
                tracing::error!(stream = %seal.stream, from = at, end, "records of a sealed batch are damaged on disk; the rest is delivered");
                at = end;
                continue;
            }
            Err(other) => return Err(other.into()),
        };
        let Some(batch) = join(batches).map(|batch| slice(&batch, at..until.min(seal.end))) else {
            return Err(ReplayError::NoEpoch(at));
        };
        let (next, poisonous) = (batch.end(), history.poisonous(batch.first..batch.end()));
        let transformed = context.workers.process(move || apply(&chain, batch, &poisonous)).await?;
        gather(&mut content, seal, transformed);
        at = next;
    }
    Ok(content)
}

/// Runs a chain over a batch, leaving out records that killed the process before.
pub(crate) fn apply(chain: &crate::process::Chain, batch: Batch, poisonous: &[Sequence]) -> Transformed {
    if poisonous.is_empty() {
        return chain.apply(batch);
    }
    let mut parts = Vec::new();
    let mut from = batch.first;
    for &bad in poisonous {
        if from < bad {
            parts.push(chain.apply(slice(&batch, from..bad)));
        }
        parts.push(chain.reject(
            slice(&batch, bad..bad + 1),
            "the process died whenever the plugin ran this record",
            FATAL_ATTEMPTS,
        ));
        from = bad + 1;
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
    let mut inputs = Vec::new();
    let mut rejected: Vec<Rejected> = Vec::new();
    let (mut dropped_count, mut dropped_bytes) = (0, 0);
    for part in &parts {
        let shift = u32::try_from(part.inputs.start - batch.first).unwrap_or(u32::MAX);
        inputs.extend((0..part.outputs.len()).map(|at| u32::try_from(part.input_of(at)).unwrap_or(u32::MAX) + shift));
        rejected.extend_from_slice(&part.rejected);
        dropped_count += part.dropped_count;
        dropped_bytes += part.dropped_bytes;
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
    }
}

/// Adds to `content` what `transformed` holds for the seal's partition and range.
fn gather(content: &mut Content, seal: &Seal, transformed: Transformed) {
    let sealed = seal.first..seal.end;
    match content {
        Content::Records(bytes) => {
            for at in 0..transformed.outputs.len() {
                if sealed.contains(&(transformed.inputs.start + transformed.input_of(at) as u64)) {
                    bytes.extend_from_slice(transformed.outputs.record(at));
                }
            }
        }
        Content::Rejected(list) => {
            list.extend(transformed.rejected.into_iter().filter(|one| sealed.contains(&one.sequence)))
        }
    }
}

/// Records that were running alone whenever the process died, as often as is allowed. Of what was settled, ending at
/// `settled_end`, only those that were set aside then: any other one survived its last attempt.
pub(crate) fn poisonous(attempts: &[Attempt], settled_end: Sequence) -> BTreeSet<Sequence> {
    let is_fatal = |one: &&Attempt| {
        let allowed = if one.first < settled_end { FATAL_ATTEMPTS } else { FATAL_ATTEMPTS - 1 };
        one.end - one.first == 1 && one.count > allowed
    };
    attempts.iter().filter(is_fatal).map(|one| one.first).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_settled_keeps_its_fate() {
        let alone = |first, count| Attempt { first, end: first + 1, count };
        let whole = Attempt { first: 0, end: 9, count: FATAL_ATTEMPTS + 1 };
        let attempts =
            [whole, alone(1, FATAL_ATTEMPTS), alone(2, FATAL_ATTEMPTS + 1), alone(5, 2), alone(7, FATAL_ATTEMPTS)];
        assert_eq!(poisonous(&attempts, 6), BTreeSet::from([2, 7]));
        assert_eq!(poisonous(&attempts, 0), BTreeSet::from([1, 2, 7]));
    }
}
