//! The processors of one definition at given plugin versions, or with what stands in for a plugin that keeps failing.
//! Refuses to run with another version than the epoch names.

use std::sync::Arc;

use super::de_aggregate::DeAggregate;
use super::flow::{Blamed, Flow};
use super::query::{Query, QueryError};
use super::step::{self, BATCH_BYTES};
use super::{columns, decompress, delimiter, log_messages, partition};
use crate::convert::{self, Plan, PlanError};
use crate::definition::{Definition, KeySource, Partitioning, Processor};
use crate::process::plugin::{LoadError, Made, Plugin, PluginHost, StoreError};
use crate::record::{Batch, Epoch, PluginVersion, Records, StandIn, Transformed};

/// Processors in Firehose's order.
#[derive(Debug)]
pub struct Chain {
    stream: String,
    steps: Vec<Step>,
    /// What is written after each record where the source is backed up.
    source: Option<Vec<u8>>,
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
    Decompress,
    ExtractLogMessages,
    DeAggregate(Box<DeAggregate>),
    ExtractMetadata(Query),
    AppendDelimiter(Vec<u8>),
    /// Format conversion: whether each record can be converted when its object is written.
    Convert(Box<Plan>),
    /// Dynamic partitioning: the last step.
    Partition(Partitioning),
}

/// Why a chain cannot be set up: the stream must wait, its records are safe in the journal.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// The epoch names other plugins than the definition does.
    #[error("the epoch's plugins are not those of definition version {0}")]
    Epoch(u32),
    /// The definition's jq program does not compile, though it was checked: by an older version of this program.
    #[error("the metadata extraction query of definition version {version} cannot be compiled")]
    Query {
        /// Of the definition.
        version: u32,
        /// Why.
        #[source]
        source: QueryError,
    },
    /// What the definition pins of its table cannot be converted to, though it was checked.
    #[error("the format conversion of definition version {version} cannot be done")]
    Conversion {
        /// Of the definition.
        version: u32,
        /// Why.
        #[source]
        source: PlanError,
    },
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
                Processor::Decompress => Step::Decompress,
                Processor::ExtractLogMessages => Step::ExtractLogMessages,
                Processor::DeAggregate { delimiter } => Step::DeAggregate(Box::new(DeAggregate::new(
                    delimiter.as_deref(),
                    definition.partitioning.is_some(),
                ))),
                Processor::ExtractMetadata { query } => Step::ExtractMetadata(
                    Query::new(query, wanted(definition))
                        .map_err(|source| ChainError::Query { version: definition.version, source })?,
                ),
            });
        }
        if versions.next().is_some() {
            return Err(ChainError::Epoch(definition.version));
        }
        if let Some(conversion) = &definition.conversion {
            let plan = Plan::new(conversion);
            let plan = plan.map_err(|source| ChainError::Conversion { version: definition.version, source })?;
            steps.push(Step::Convert(Box::new(plan)));
        }
        steps.extend(definition.partitioning.clone().map(Step::Partition));
        let source = definition.source_backup.as_ref().map(|backup| backup.delimiter.clone().into_bytes());
        Ok(Self { stream: definition.name.clone(), steps, source })
    }

    /// One plugin by itself, for its author.
    pub(super) fn alone(stream: &str, plugin: Arc<Plugin>) -> Self {
        let lambda_arn = format!("arn:aws:lambda:us-east-1:000000000000:function:{}", plugin.version().name);
        Self { stream: stream.to_owned(), steps: vec![Step::Plugin { plugin, lambda_arn, retries: 0 }], source: None }
    }

    /// True when records are told apart by keys.
    pub fn partitions(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Partition(_)))
    }

    /// True when records pass unchanged, and nothing is kept beside them.
    pub fn is_identity(&self) -> bool {
        let passes = |step: &Step| match step {
            Step::AppendDelimiter(delimiter) => delimiter.is_empty(),
            Step::StandIn { stand_in, .. } => *stand_in == StandIn::PassThrough,
            _ => false,
        };
        self.source.is_none() && self.steps.iter().all(passes)
    }

    /// True when code that is not ours runs over the records: a plugin, or a jq program.
    pub fn runs_plugins(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Plugin { .. } | Step::ExtractMetadata(_)))
    }

    /// Most bytes that a batch should have, of `bytes` that are at hand: less where records grow, so that what is made of
    /// a batch of several records stays within bounds.
    pub fn most_bytes(&self, bytes: usize) -> usize {
        // Of several records; one alone may have its bound.
        let inflates = self.steps.iter().any(|step| matches!(step, Step::Decompress));
        if inflates { bytes.min((BATCH_BYTES - decompress::RECORD_BYTES) / decompress::RATIO) } else { bytes }
    }

    /// Processes a batch. Blocks for as long as the plugins' limits allow; the same batch gives the same answer.
    pub fn apply(&self, batch: Batch) -> Transformed {
        let mut flow = Flow::new(&batch);
        for step in &self.steps {
            self.run(step, &mut flow);
        }
        let source = self.source(&batch);
        flow.finish(source)
    }

    fn run(&self, step: &Step, flow: &mut Flow<'_>) {
        match step {
            Step::Plugin { plugin, lambda_arn, retries } => {
                let records = columns::for_plugin(flow.records());
                let made = plugin.apply(&self.stream, *retries, &records, &flow.arrived_ms());
                drop(records);
                flow.ran(&made, plugin.version());
                if let Made::Changed(stage) = made {
                    flow.changed(stage, Blamed { version: plugin.version(), lambda_arn });
                }
            }
            Step::StandIn { stand_in, version, lambda_arn } => {
                flow.ran(&Made::Unchanged, version);
                if *stand_in == StandIn::DeadLetter {
                    let message = format!("not run: plugin {} kept failing and its breaker was open", version.name);
                    flow.give_up(&message, 0, Some(Blamed { version, lambda_arn }));
                }
            }
            Step::Decompress => flow.stepped(decompress::apply(flow.records())),
            Step::ExtractLogMessages => flow.stepped(log_messages::apply(flow.records())),
            Step::DeAggregate(divide) => flow.stepped(divide.apply(flow.records())),
            Step::ExtractMetadata(query) => {
                let (columns, faults) = query.apply(flow.records());
                flow.named(columns);
                flow.sifted(faults);
            }
            Step::AppendDelimiter(delimiter) if delimiter.is_empty() => {}
            Step::AppendDelimiter(delimiter) => flow.appended(delimiter::append(flow.records(), delimiter)),
            Step::Convert(plan) => {
                let failures = convert::check(plan, flow.records());
                flow.sifted(failures.into_iter().map(|(at, failure)| (step::index(at), failure.into())).collect());
            }
            Step::Partition(partitioning) => flow.sifted(partition::check(flow.records(), partitioning)),
        }
    }

    /// Rejects a whole batch without running it, for `message`.
    pub fn reject(&self, batch: Batch, message: &str, attempts: u32) -> Transformed {
        let plugin = self.steps.iter().find_map(|step| match step {
            Step::Plugin { plugin, lambda_arn, .. } => Some(Blamed { version: plugin.version(), lambda_arn }),
            Step::StandIn { version, lambda_arn, .. } => Some(Blamed { version, lambda_arn }),
            _ => None,
        });
        let mut flow = Flow::new(&batch);
        flow.give_up(message, attempts, plugin);
        let source = self.source(&batch);
        flow.finish(source)
    }

    /// The batch as it came, where that is backed up.
    fn source(&self, batch: &Batch) -> Option<Records> {
        let delimiter = self.source.as_ref()?;
        if delimiter.is_empty() {
            return Some(batch.records.clone());
        }
        // A payload of 4 GiB: no put leads there. The records are worth more than what stands between them.
        Some(delimiter::append(&batch.records, delimiter).unwrap_or_else(|_| batch.records.clone()))
    }
}

/// Keys that partitions are named by and queries say; none where there are no partitions.
fn wanted(definition: &Definition) -> Option<Vec<String>> {
    let keys = definition.partitioning.as_ref()?.said_keys();
    let of_queries = keys.filter(|key| key.source == KeySource::Query);
    Some(of_queries.map(|key| key.name.clone()).collect())
}

#[cfg(test)]
mod tests;
