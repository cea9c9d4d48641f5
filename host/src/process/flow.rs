//! A batch on its way through the steps of a chain: what is left of it, where each record came from, and what was rejected.
//!
//! Refuses to run anything: the chain does, and says here what came of it.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::columns;
use super::plugin::{Made, Refused, Stage};
use super::step::{Fault, Stepped, index};
use crate::record::{
    Batch, Column, ErrorOutput, Origins, PluginVersion, Ran, Records, RecordsError, Rejected, Transformed,
};

/// A plugin, as error outputs name it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Blamed<'p> {
    pub(super) version: &'p PluginVersion,
    pub(super) lambda_arn: &'p str,
}

/// What an input is rejected for.
#[derive(Clone, Debug)]
struct Reason<'p> {
    output: ErrorOutput,
    code: Cow<'static, str>,
    message: String,
    attempts: u32,
    plugin: Option<Blamed<'p>>,
    is_repeatable: bool,
}

impl From<Fault> for Reason<'_> {
    fn from(fault: Fault) -> Self {
        let Fault { output, code, message, is_repeatable } = fault;
        Self { output, code: code.into(), message, attempts: 1, plugin: None, is_repeatable }
    }
}

/// The batch between two steps.
#[derive(Debug)]
pub(super) struct Flow<'b> {
    batch: &'b Batch,
    records: Records,
    /// Inputs of the batch, not of the step before.
    origins: Origins,
    rejected: Vec<Rejected>,
    ran: Ran,
}

impl<'b> Flow<'b> {
    pub(super) fn new(batch: &'b Batch) -> Self {
        let records = batch.records.clone();
        Self { batch, records, origins: Origins::Identity, rejected: Vec::new(), ran: Ran::Nothing }
    }

    /// What the next step gets.
    pub(super) fn records(&self) -> &Records {
        &self.records
    }

    /// Arrivals of these, milliseconds since 1970.
    pub(super) fn arrived_ms(&self) -> Cow<'b, [u64]> {
        match &self.origins {
            Origins::Identity => self.batch.arrived_ms.as_slice().into(),
            Origins::Inputs(inputs) => inputs.iter().map(|&input| self.batch.arrived_ms[input as usize]).collect(),
        }
    }

    /// Notes how the calls of the first plugin ended, which meets every record and has the stream's guard.
    pub(super) fn ran(&mut self, made: &Made, version: &PluginVersion) {
        if !self.records.is_empty() && self.ran == Ran::Nothing {
            let faulted = matches!(made, Made::Changed(stage) if stage.faulted);
            self.ran = if faulted { Ran::Faulted(version.clone()) } else { Ran::Through(version.clone()) };
        }
    }

    /// A plugin changed something.
    pub(super) fn changed(&mut self, stage: Stage, plugin: Blamed<'_>) {
        let Stage { records, origins, refused, faulted: _ } = stage;
        let reason = |refused: Refused| Reason {
            output: ErrorOutput::ProcessingFailed,
            code: refused.code,
            message: refused.message,
            attempts: refused.attempts,
            plugin: Some(plugin),
            is_repeatable: refused.is_repeatable,
        };
        let refused: Vec<_> = refused.into_iter().map(|one| (one.input, reason(one))).collect();
        self.replace(records, origins, refused);
    }

    /// A step of ours was run.
    pub(super) fn stepped(&mut self, stepped: Stepped) {
        let Stepped { records, origins, faults } = stepped;
        self.replace(records, origins, faults.into_iter().map(|(at, fault)| (at, fault.into())).collect());
    }

    /// The records as they are, less those with these faults.
    pub(super) fn sifted(&mut self, faults: Vec<(u32, Fault)>) {
        if !faults.is_empty() {
            let rejected = faults.into_iter().map(|(at, fault)| self.rejection(self.origin(at as usize), fault.into()));
            let rejected = rejected.collect();
            self.reject(rejected);
        }
    }

    /// The same records, with these columns besides those they have, or instead of those of the same name.
    pub(super) fn named(&mut self, columns: Vec<Column>) {
        let is_new = |old: &&Column| columns.iter().all(|new| new.name != old.name);
        let mut all: Vec<Column> = self.records.columns().iter().filter(is_new).cloned().collect();
        all.extend(columns);
        self.records = columns::with(&self.records, all);
    }

    /// The same records, longer.
    pub(super) fn appended(&mut self, longer: Result<Records, RecordsError>) {
        match longer {
            Ok(records) => self.records = records,
            // A payload of 4 GiB: no put and no limit leads there. Nothing is lost.
            Err(error) => {
                let message = format!("the delimiter cannot be appended: {error}");
                let fault = Fault { is_repeatable: false, ..Fault::failed("Lambda.FunctionError", message) };
                self.reject_rest(&fault.into());
            }
        }
    }

    /// Rejects every input that a record is left of, as a plugin that does not work would have it.
    pub(super) fn give_up(&mut self, message: &str, attempts: u32, plugin: Option<Blamed<'_>>) {
        self.reject_rest(&Reason {
            output: ErrorOutput::ProcessingFailed,
            code: "Lambda.FunctionError".into(),
            message: message.to_owned(),
            attempts,
            plugin,
            is_repeatable: true,
        });
    }

    /// What became of the batch, and its source where that is backed up.
    pub(super) fn finish(self, source: Option<Records>) -> Transformed {
        let batch = self.batch;
        let count = batch.records.len() as u64;
        let (delivered, delivered_bytes) = match &self.origins {
            Origins::Identity => (count, batch.records.payload().len()),
            Origins::Inputs(inputs) => {
                let mut distinct = inputs.clone();
                distinct.dedup();
                (distinct.len() as u64, distinct.iter().map(|&at| batch.records.range(at as usize).len()).sum())
            }
        };
        let rejected_bytes: usize = self.rejected.iter().map(|rejected| rejected.data.len()).sum();
        let gone_bytes = batch.records.payload().len().saturating_sub(delivered_bytes).saturating_sub(rejected_bytes);
        Transformed {
            stream: batch.stream,
            inputs: batch.first..batch.end(),
            dropped_count: count.saturating_sub(delivered).saturating_sub(self.rejected.len() as u64),
            dropped_bytes: gone_bytes as u64,
            arrived_ms: batch.arrived_ms.clone(),
            outputs: self.records,
            origins: self.origins,
            rejected: self.rejected,
            ran: self.ran,
            source,
        }
    }

    fn origin(&self, at: usize) -> u32 {
        match &self.origins {
            Origins::Identity => index(at),
            Origins::Inputs(inputs) => inputs[at],
        }
    }

    /// Records `made` of those before, and those that were refused meanwhile.
    fn replace(&mut self, made: Records, origins: Origins, refused: Vec<(u32, Reason<'_>)>) {
        let rejection = |(at, reason): (u32, Reason<'_>)| self.rejection(self.origin(at as usize), reason);
        let rejected: Vec<_> = refused.into_iter().map(rejection).collect();
        let records = columns::inherit(&self.records, &origins, made);
        let origins = match (&self.origins, origins) {
            (_, Origins::Identity) => self.origins.clone(),
            (Origins::Identity, origins) => origins,
            (Origins::Inputs(before), Origins::Inputs(now)) => {
                Origins::Inputs(now.into_iter().map(|at| before[at as usize]).collect())
            }
        };
        (self.records, self.origins) = (records, origins);
        if !rejected.is_empty() {
            self.reject(rejected);
        }
    }

    fn rejection(&self, input: u32, reason: Reason<'_>) -> Rejected {
        let input = input as usize;
        let Reason { output, code, message, attempts, plugin, is_repeatable } = reason;
        Rejected {
            sequence: self.batch.first + input as u64,
            arrived_ms: self.batch.arrived_ms[input],
            data: self.batch.records.payload().slice(self.batch.records.range(input)),
            output,
            code,
            message,
            attempts,
            lambda_arn: plugin.map(|plugin| plugin.lambda_arn.to_owned()),
            plugin: plugin.map(|plugin| plugin.version.clone()),
            is_repeatable,
        }
    }

    /// An input that one of its records was rejected for is rejected whole: it comes once, and leaves no output behind.
    fn reject(&mut self, rejected: Vec<Rejected>) {
        self.rejected.extend(rejected);
        // Of several faults of one input the first in the order of steps and records is told.
        self.rejected.sort_by_key(|rejected| rejected.sequence);
        self.rejected.dedup_by_key(|rejected| rejected.sequence);
        let is_rejected = |input: u32| {
            let sequence = self.batch.first + u64::from(input);
            self.rejected.binary_search_by_key(&sequence, |rejected| rejected.sequence).is_ok()
        };
        let keep: Vec<usize> = (0..self.records.len()).filter(|&at| !is_rejected(self.origin(at))).collect();
        if keep.len() < self.records.len() {
            let origins = keep.iter().map(|&at| self.origin(at)).collect();
            self.records = self.records.select(&keep);
            self.origins = Origins::Inputs(origins);
        }
    }

    fn reject_rest(&mut self, reason: &Reason<'_>) {
        let inputs: BTreeSet<u32> = (0..self.records.len()).map(|at| self.origin(at)).collect();
        let rejected = inputs.into_iter().map(|input| self.rejection(input, reason.clone())).collect();
        self.reject(rejected);
    }
}
