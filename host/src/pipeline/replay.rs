//! Running records again as they were run before, and the blame for crashes.
//!
//! After a restart, or when a dead destination made us give back the memory of a sealed batch, its records are processed
//! again by the code that ruled then. Refuses to decide otherwise than was decided.

use std::cmp::Reverse;
use std::ops::Range;

use crate::journal::{Attempt, ReadError};
use crate::record::{
    Batch, Course, ErrorOutput, FATAL_ATTEMPTS, Origins, Ran, Records, Rejected, Sequence, Sequences, Transformed,
};

use super::history::{Decided, HistoryError};
use super::work;

/// Bytes read from the journal at once: large enough to be worth a plugin call, small enough to be held often.
pub(crate) const READ_BYTES: usize = 1 << 20;

/// Into how many parts a batch is cut in which the process died as often as is allowed: a megabyte of records takes two
/// cuts until each is alone, and where they are innocent the writes of 64 attempts to find out.
const FATAL_PARTS: u64 = 64;

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

/// Runs a chain over a batch and does what was decided about its records: some are left out, unless no plugin runs and
/// there is nothing to leave out, and what is made of others is not delivered.
pub(crate) fn apply(chain: &crate::process::Chain, batch: Batch, decided: &Decided) -> Transformed {
    let originals = (!decided.exceeding.is_empty()).then(|| batch.clone());
    let transformed = match batch.course {
        Course::Put => process(chain, batch, &decided.aside),
        // They were backed up when they were put.
        Course::Process => Transformed { source: None, ..process(chain, batch, &decided.aside) },
        Course::Deliver => untouched(batch),
    };
    match originals {
        Some(originals) => exceed(transformed, &originals, &decided.exceeding),
        None => transformed,
    }
}

/// Takes the outputs of the records in `exceeding` back: they go to the error output as they are in `originals`, whose
/// outputs `transformed` has. A record without an output keeps its fate.
pub(crate) fn exceed(mut transformed: Transformed, originals: &Batch, exceeding: &Sequences) -> Transformed {
    let sequence_of = |at: usize| transformed.inputs.start + transformed.input_of(at) as u64;
    let (mut taken, mut kept) = (Vec::new(), Vec::with_capacity(transformed.outputs.len()));
    for at in 0..transformed.outputs.len() {
        let sequence = sequence_of(at);
        if !exceeding.contains(sequence) {
            kept.push(at);
        } else if taken.last() != Some(&sequence) {
            taken.push(sequence);
        }
    }
    if taken.is_empty() {
        return transformed;
    }
    let origins = kept.iter().map(|&at| u32::try_from(transformed.input_of(at)).unwrap_or(u32::MAX)).collect();
    transformed.outputs = transformed.outputs.select(&kept);
    transformed.origins = Origins::Inputs(origins);
    transformed.rejected.extend(taken.into_iter().filter_map(|sequence| beyond_partitions(originals, sequence)));
    transformed.rejected.sort_by_key(|rejected| rejected.sequence);
    transformed
}

fn beyond_partitions(originals: &Batch, sequence: Sequence) -> Option<Rejected> {
    let at = usize::try_from(sequence.checked_sub(originals.first)?).ok().filter(|&at| at < originals.records.len())?;
    Some(Rejected {
        sequence,
        arrived_ms: originals.arrived_ms[at],
        data: originals.records.payload().slice(originals.records.range(at)),
        output: ErrorOutput::ActivePartitionExceeded,
        code: "DynamicPartitioning.ActivePartitionsLimitExceeded".into(),
        message: "the stream fills as many partitions as it may (partitions.active_count), and this record belongs to \
                  another one; replay it later, raise the limit, or let partitions be cut early (partitions.overflow)"
            .to_owned(),
        attempts: 1,
        lambda_arn: None,
        plugin: None,
        names: Vec::new(),
        is_repeatable: true,
    })
}

/// What processing has made already.
fn untouched(batch: Batch) -> Transformed {
    Transformed {
        stream: batch.stream,
        inputs: batch.first..batch.end(),
        arrived_ms: batch.arrived_ms,
        outputs: batch.records,
        origins: Origins::Identity,
        rejected: Vec::new(),
        dropped_count: 0,
        dropped_bytes: 0,
        ran: Ran::Nothing,
        source: None,
    }
}

fn process(chain: &crate::process::Chain, batch: Batch, aside: &[Range<Sequence>]) -> Transformed {
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
        course: batch.course,
    }
}

/// The first records of `batch` that `chain` takes at once; always one.
pub(crate) fn shorten(batch: &Batch, chain: &crate::process::Chain) -> Batch {
    let most = chain.most_bytes(READ_BYTES.max(batch.records.payload().len()));
    let count = batch.records.ends().partition_point(|&end| end as usize <= most).max(1);
    slice(batch, batch.first..batch.first + count as u64)
}

/// Consecutive batches as one, as far as their records take the same way; nothing is copied when there is only one.
pub(crate) fn join(mut batches: Vec<Batch>) -> Option<Batch> {
    let course = batches.first()?.course;
    batches.truncate(batches.iter().position(|batch| batch.course != course).unwrap_or(batches.len()));
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

/// The first records of `batch` that may run at once where the process died before: all of them, unless it died as often
/// as is allowed while they were running. Then it is a part of what was running, down to one record alone.
pub(crate) fn harmless(batch: Batch, attempts: &[Attempt]) -> Batch {
    let end = match fatal(attempts, batch.first) {
        Some(fatal) => (batch.first + ((fatal.end - fatal.start) / FATAL_PARTS).max(1)).min(fatal.end),
        // It may begin further on.
        None => {
            attempts.iter().map(|one| one.first).filter(|&first| first > batch.first).min().unwrap_or(Sequence::MAX)
        }
    };
    slice(&batch, batch.first..end)
}

/// The narrowest range around `at` in which the process died as often as is allowed. A batch may be longer each time it
/// is read, so what counts for a record is every death of a batch that it was in.
fn fatal(attempts: &[Attempt], at: Sequence) -> Option<Range<Sequence>> {
    let ran = attempts.iter().filter(|one| one.count <= FATAL_ATTEMPTS && (one.first..one.end).contains(&at));
    let mut ran: Vec<&Attempt> = ran.collect();
    ran.sort_by_key(|one| Reverse(one.end - one.first));
    let (mut narrowest, mut deaths) = (None, 0);
    for one in ran {
        deaths += one.count;
        if deaths >= FATAL_ATTEMPTS {
            (narrowest, deaths) = (Some(one.first..one.end), 0);
        }
    }
    narrowest
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
    use crate::record::{PluginVersion, StreamId};

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

    fn attempt(first: Sequence, end: Sequence, count: u32) -> Attempt {
        Attempt { first, end, count }
    }

    /// Row P7: how many of 9,000 records run at once after these deaths.
    fn at_once(first: Sequence, attempts: &[Attempt]) -> usize {
        let line = "x\n";
        let ends = (1..=9_000).map(|at| at * 2).collect();
        let records = Records::new(line.repeat(9_000).into(), ends, Vec::new()).unwrap();
        let batch = Batch { stream: StreamId(1), first, arrived_ms: vec![1; 9_000], records, course: Course::Put };
        harmless(batch, attempts).records.len()
    }

    /// Row P7: what killed the process three times is run in parts, those in parts, and a record of them alone.
    #[test]
    fn what_killed_the_process_is_narrowed_down() {
        let whole = attempt(0, 8_192, FATAL_ATTEMPTS);
        assert_eq!(at_once(0, &[]), 9_000);
        assert_eq!(at_once(0, &[attempt(0, 8_192, 2)]), 9_000);
        assert_eq!(at_once(0, &[whole]), 128);
        // The last part is not run together with what comes after it.
        assert_eq!(at_once(8_190, &[whole]), 2);
        assert_eq!(at_once(128, &[whole, attempt(128, 256, 2)]), 128);
        assert_eq!(at_once(128, &[whole, attempt(128, 256, FATAL_ATTEMPTS)]), 2);
        assert_eq!(at_once(130, &[whole, attempt(128, 256, FATAL_ATTEMPTS), attempt(130, 132, FATAL_ATTEMPTS)]), 1);
        // What runs before it does not run together with it.
        assert_eq!(at_once(0, &[attempt(40, 50, 1)]), 40);
        // What was set aside is not run, whatever is read with it.
        assert_eq!(at_once(0, &[attempt(0, 64, FATAL_ATTEMPTS + 1)]), 9_000);
    }

    /// Row P7: more records arrive between the deaths, and each is of a longer batch.
    #[test]
    fn deaths_of_batches_that_grow_add_up() {
        let grown = [attempt(0, 640, 1), attempt(0, 1_280, 1), attempt(0, 6_400, 1)];
        assert_eq!(at_once(0, &grown[..2]), 9_000);
        assert_eq!(at_once(0, &grown), 10);
    }

    #[test]
    fn what_was_settled_keeps_its_fate() {
        let alone = |first, count| Attempt { first, end: first + 1, count };
        let whole = attempt(0, 9, FATAL_ATTEMPTS);
        let set_aside = attempt(3, 5, FATAL_ATTEMPTS + 1);
        let attempts = [whole, alone(1, FATAL_ATTEMPTS), set_aside, alone(5, 2), alone(7, FATAL_ATTEMPTS)];
        assert_eq!(aside(&attempts, 6), [3..5, 7..8]);
        assert_eq!(aside(&attempts, 0), [1..2, 3..5, 7..8]);
    }
}
