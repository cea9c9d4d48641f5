//! The processors of one definition at given plugin versions, or with what stands in for a plugin that keeps failing.
//! Refuses to run with another version than the epoch names.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::definition::{Definition, Processor};
use crate::process::delimiter;
use crate::process::plugin::{LoadError, Made, Plugin, PluginHost, Refused, Stage, StoreError};
use crate::record::{Batch, Epoch, ErrorOutput, Origins, PluginVersion, Ran, Records, Rejected, StandIn, Transformed};

/// Processors in Firehose's order.
#[derive(Debug)]
pub struct Chain {
    stream: String,
    steps: Vec<Step>,
}

#[derive(Debug)]
enum Step {
    Plugin {
        plugin: Arc<Plugin>,
        lambda_arn: String,
        retries: u32,
    },
    /// In place of a plugin: `version` names it and what is done instead.
    StandIn {
        stand_in: StandIn,
        version: PluginVersion,
        lambda_arn: String,
    },
    AppendDelimiter(Vec<u8>),
}

/// Why a chain cannot be set up: the stream must wait, its records are safe in the journal.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// The epoch names other plugins than the definition does.
    #[error("the epoch's plugins are not those of definition version {0}")]
    Epoch(u32),
    /// No copy of that version is left.
    #[error("plugin {name} ({digest}) is missing")]
    Missing {
        /// Plugin name.
        name: String,
        /// Digest that ruled.
        digest: String,
    },
    /// The copy cannot be read.
    #[error("plugin {name} cannot be read")]
    Store {
        /// Plugin name.
        name: String,
        /// Why.
        #[source]
        source: StoreError,
    },
    /// The copy does not compile any more.
    #[error("plugin {name} cannot be loaded")]
    Load {
        /// Plugin name.
        name: String,
        /// Why.
        #[source]
        source: LoadError,
    },
}

impl Chain {
    /// Loads what the epoch names. Blocking: a version that is not in memory is compiled.
    ///
    /// # Errors
    /// A plugin is missing or does not load.
    pub fn new(definition: &Definition, epoch: &Epoch, host: &PluginHost) -> Result<Self, ChainError> {
        Self::with(definition, epoch, |version| host.load(version))
    }

    /// The same without blocking; none when something of it is not in memory, or wrong.
    pub fn at_hand(definition: &Definition, epoch: &Epoch, host: &PluginHost) -> Option<Self> {
        let load = |version: &PluginVersion| {
            let PluginVersion { name, digest } = version.clone();
            host.at_hand(version).ok_or(ChainError::Missing { name, digest })
        };
        Self::with(definition, epoch, load).ok()
    }

    fn with(
        definition: &Definition,
        epoch: &Epoch,
        load: impl Fn(&PluginVersion) -> Result<Arc<Plugin>, ChainError>,
    ) -> Result<Self, ChainError> {
        let mut versions = epoch.plugins.iter();
        let mut steps = Vec::with_capacity(definition.processors.len());
        for processor in &definition.processors {
            steps.push(match processor {
                Processor::Plugin { name, lambda_arn, retries, .. } => {
                    let version = versions.next().filter(|version| version.name == *name);
                    let version = version.ok_or(ChainError::Epoch(definition.version))?;
                    let lambda_arn = lambda_arn.clone();
                    match version.stand_in() {
                        Some(stand_in) => Step::StandIn { stand_in, version: version.clone(), lambda_arn },
                        None => Step::Plugin { plugin: load(version)?, lambda_arn, retries: *retries },
                    }
                }
                Processor::AppendDelimiter { delimiter } => Step::AppendDelimiter(delimiter.clone().into_bytes()),
                Processor::Decompress
                | Processor::ExtractLogMessages
                | Processor::DeAggregate { .. }
                | Processor::ExtractMetadata { .. } => return Err(ChainError::Epoch(definition.version)),
            });
        }
        match versions.next() {
            Some(_) => Err(ChainError::Epoch(definition.version)),
            None => Ok(Self { stream: definition.name.clone(), steps }),
        }
    }

    /// One plugin by itself, for its author.
    pub(super) fn alone(stream: &str, plugin: Arc<Plugin>) -> Self {
        let lambda_arn = format!("arn:aws:lambda:us-east-1:000000000000:function:{}", plugin.version().name);
        Self { stream: stream.to_owned(), steps: vec![Step::Plugin { plugin, lambda_arn, retries: 0 }] }
    }

    /// True when records pass unchanged.
    pub fn is_identity(&self) -> bool {
        self.steps.iter().all(|step| match step {
            Step::AppendDelimiter(delimiter) => delimiter.is_empty(),
            Step::StandIn { stand_in, .. } => *stand_in == StandIn::PassThrough,
            Step::Plugin { .. } => false,
        })
    }

    /// True when code that is not ours runs over the records.
    pub fn runs_plugins(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Plugin { .. }))
    }

    /// Processes a batch. Blocks for as long as the plugins' limits allow; the same batch gives the same answer.
    pub fn apply(&self, batch: Batch) -> Transformed {
        let mut flow = Flow::new(&batch);
        for step in &self.steps {
            match step {
                Step::Plugin { plugin, lambda_arn, retries } => {
                    let made = plugin.apply(&self.stream, *retries, &flow.records, &flow.arrived_ms(&batch.arrived_ms));
                    flow.ran(&made, plugin.version());
                    if let Made::Changed(stage) = made {
                        flow.step(&batch, stage, lambda_arn, plugin.version());
                    }
                }
                Step::StandIn { stand_in, version, lambda_arn } => {
                    flow.ran(&Made::Unchanged, version);
                    if *stand_in == StandIn::DeadLetter {
                        let message = format!("not run: plugin {} kept failing and its breaker was open", version.name);
                        flow.reject_rest(&batch, &message, 0, Some((version, lambda_arn)));
                    }
                }
                Step::AppendDelimiter(delimiter) if delimiter.is_empty() => {}
                Step::AppendDelimiter(delimiter) => flow.delimit(&batch, delimiter),
            }
        }
        flow.finish(batch)
    }

    /// Rejects a whole batch without running it, for `message`.
    pub fn reject(&self, batch: Batch, message: &str, attempts: u32) -> Transformed {
        let plugin = self.steps.iter().find_map(|step| match step {
            Step::Plugin { plugin, lambda_arn, .. } => Some((plugin.version(), lambda_arn)),
            Step::StandIn { version, lambda_arn, .. } => Some((version, lambda_arn)),
            Step::AppendDelimiter(_) => None,
        });
        let mut flow = Flow::new(&batch);
        flow.reject_rest(&batch, message, attempts, plugin);
        flow.finish(batch)
    }
}

/// A batch on its way through the steps.
struct Flow {
    records: Records,
    /// Inputs of the batch, not of the step before.
    origins: Origins,
    rejected: Vec<Rejected>,
    ran: Ran,
}

impl Flow {
    fn new(batch: &Batch) -> Self {
        Self { records: batch.records.clone(), origins: Origins::Identity, rejected: Vec::new(), ran: Ran::Nothing }
    }

    /// Notes how the calls of the first plugin ended, which meets every record and has the stream's guard.
    fn ran(&mut self, made: &Made, version: &PluginVersion) {
        if !self.records.is_empty() && self.ran == Ran::Nothing {
            let faulted = matches!(made, Made::Changed(stage) if stage.faulted);
            self.ran = if faulted { Ran::Faulted(version.clone()) } else { Ran::Through(version.clone()) };
        }
    }

    fn origin(&self, at: usize) -> u32 {
        match &self.origins {
            // The journal's ends have 32 bits, so there are no more records than that.
            Origins::Identity => u32::try_from(at).unwrap_or(u32::MAX),
            Origins::Inputs(inputs) => inputs[at],
        }
    }

    fn arrived_ms<'a>(&self, arrived_ms: &'a [u64]) -> std::borrow::Cow<'a, [u64]> {
        match &self.origins {
            Origins::Identity => arrived_ms.into(),
            Origins::Inputs(inputs) => inputs.iter().map(|&input| arrived_ms[input as usize]).collect(),
        }
    }

    fn step(&mut self, batch: &Batch, stage: Stage, lambda_arn: &str, version: &PluginVersion) {
        let Stage { records, origins, refused, faulted: _ } = stage;
        let reject = |refused: Refused| {
            let input = self.origin(refused.input as usize) as usize;
            Rejected {
                sequence: batch.first + input as u64,
                arrived_ms: batch.arrived_ms[input],
                data: batch.records.payload().slice(batch.records.range(input)),
                output: ErrorOutput::ProcessingFailed,
                code: refused.code,
                message: refused.message,
                attempts: refused.attempts,
                lambda_arn: Some(lambda_arn.to_owned()),
                plugin: Some(version.clone()),
                names: Vec::new(),
                is_repeatable: refused.is_repeatable,
            }
        };
        let rejected: Vec<_> = refused.into_iter().map(reject).collect();
        let origins = match (&self.origins, origins) {
            (_, Origins::Identity) => self.origins.clone(),
            (Origins::Identity, origins) => origins,
            (Origins::Inputs(before), Origins::Inputs(now)) => {
                Origins::Inputs(now.into_iter().map(|at| before[at as usize]).collect())
            }
        };
        (self.records, self.origins) = (records, origins);
        if !rejected.is_empty() {
            self.reject(batch.first, rejected);
        }
    }

    /// An input that one of its records was rejected for is rejected whole: it comes once, and leaves no output behind.
    fn reject(&mut self, first: u64, rejected: Vec<Rejected>) {
        self.rejected.extend(rejected);
        self.rejected.sort_by_key(|rejected| rejected.sequence);
        self.rejected.dedup_by_key(|rejected| rejected.sequence);
        let is_rejected = |input: u32| {
            let sequence = first + u64::from(input);
            self.rejected.binary_search_by_key(&sequence, |rejected| rejected.sequence).is_ok()
        };
        let keep: Vec<usize> = (0..self.records.len()).filter(|&at| !is_rejected(self.origin(at))).collect();
        if keep.len() < self.records.len() {
            let origins = keep.iter().map(|&at| self.origin(at)).collect();
            self.records = self.records.select(&keep);
            self.origins = Origins::Inputs(origins);
        }
    }

    /// Rejects every input that a record is left of, in the same words.
    fn reject_rest(&mut self, batch: &Batch, message: &str, attempts: u32, plugin: Option<(&PluginVersion, &String)>) {
        let reject = |input: usize| Rejected {
            sequence: batch.first + input as u64,
            arrived_ms: batch.arrived_ms[input],
            data: batch.records.payload().slice(batch.records.range(input)),
            output: ErrorOutput::ProcessingFailed,
            code: "Lambda.FunctionError".into(),
            message: message.to_owned(),
            attempts,
            lambda_arn: plugin.map(|(_, lambda_arn)| lambda_arn.clone()),
            plugin: plugin.map(|(version, _)| version.clone()),
            names: Vec::new(),
            is_repeatable: true,
        };
        let inputs: BTreeSet<u32> = (0..self.records.len()).map(|at| self.origin(at)).collect();
        self.reject(batch.first, inputs.into_iter().map(|input| reject(input as usize)).collect());
    }

    fn delimit(&mut self, batch: &Batch, delimiter: &[u8]) {
        match delimiter::append(&self.records, delimiter) {
            Ok(records) => self.records = records,
            // A payload of 4 GiB: no put and no plugin limit leads there. Nothing is lost.
            Err(error) => {
                let reject = |at: usize| Rejected {
                    sequence: batch.first + at as u64,
                    arrived_ms: batch.arrived_ms[at],
                    data: batch.records.payload().slice(batch.records.range(at)),
                    output: ErrorOutput::ProcessingFailed,
                    code: "Lambda.FunctionError".into(),
                    message: format!("the delimiter cannot be appended: {error}"),
                    attempts: 1,
                    lambda_arn: None,
                    plugin: None,
                    names: Vec::new(),
                    is_repeatable: false,
                };
                let inputs: BTreeSet<u32> = (0..self.records.len()).map(|at| self.origin(at)).collect();
                self.reject(batch.first, inputs.into_iter().map(|input| reject(input as usize)).collect());
            }
        }
    }

    fn finish(self, batch: Batch) -> Transformed {
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
            arrived_ms: batch.arrived_ms,
            outputs: self.records,
            origins: self.origins,
            rejected: self.rejected,
            ran: self.ran,
            source: None,
        }
    }
}
