//! A plugin at one version, ready to be called: its code, its settings, its limits, and what it is counted by. Refuses to
//! know which version rules.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use prometheus_client::metrics::gauge::Gauge;

use super::beside::Beside;
use super::bindings::v1::{BatchIn, RecordsIn};
use super::candidate::Tally;
use super::compiler::Compiler;
use super::component::{Compiled, LoadError, compile_for};
use super::engine::Sandbox;
use super::fault::Fault;
use super::instance::Call;
use super::log::{Log, Meter, Voice};
use super::merge::{Fate, Made, merge};
use super::needs::Capability;
use super::sample::{Sample, Samples};
use super::settings::Limits;
use super::{isolate, store};
use crate::record::{Origins, PluginVersion, Records};
use crate::telemetry::{PluginMetrics, Telemetry};

/// A plugin at one version, ready to be called.
#[derive(Debug)]
pub struct Plugin {
    pub(super) version: PluginVersion,
    /// Name and the beginning of the digest, for messages.
    pub(super) label: Arc<str>,
    pub(super) compiled: Arc<Compiled>,
    /// Its own, under the operator's ceilings.
    pub(super) limits: Limits,
    pub(super) settings: Vec<(String, String)>,
    /// What it may have.
    pub(super) capabilities: BTreeSet<Capability>,
    pub(super) metrics: PluginMetrics,
    /// Most memory that an instance of this copy had, bytes.
    pub(super) memory_peak_bytes: Gauge<i64>,
    pub(super) meter: Arc<Meter>,
    pub(super) voice: Voice,
    /// Recent records, for the trial of the next version.
    pub(super) samples: Arc<Samples>,
    /// What runs beside it; nothing beside what runs beside another, and beside an author's.
    pub(super) beside: Option<Arc<Beside>>,
}

/// Records on their way into a plugin.
#[derive(Clone, Copy, Debug)]
pub(super) struct Work<'a> {
    pub(super) stream: &'a str,
    pub(super) retries: u32,
    pub(super) records: &'a Records,
    pub(super) arrived_ms: &'a [u64],
}

/// The same for a thread of its own.
#[derive(Debug)]
pub(super) struct OwnedWork {
    stream: String,
    retries: u32,
    records: Records,
    arrived_ms: Vec<u64>,
}

impl Work<'_> {
    pub(super) fn owned(&self) -> OwnedWork {
        let Self { stream, retries, records, arrived_ms } = *self;
        OwnedWork { stream: stream.to_owned(), retries, records: records.clone(), arrived_ms: arrived_ms.to_vec() }
    }
}

impl OwnedWork {
    pub(super) fn lent(&self) -> Work<'_> {
        let Self { stream, retries, records, arrived_ms } = self;
        Work { stream, retries: *retries, records, arrived_ms }
    }
}

impl fmt::Display for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.label)
    }
}

impl Plugin {
    /// Name and digest.
    pub fn version(&self) -> &PluginVersion {
        &self.version
    }

    /// A plugin that no folder and no journal knows, tried out like any other: what its author runs. It has the
    /// capabilities that it declares; `limits` are ceilings. Blocking.
    ///
    /// # Errors
    /// Why these bytes are no plugin.
    pub fn alone(
        name: &str,
        bytes: &[u8],
        limits: Limits,
        settings: Vec<(String, String)>,
        compiled_dir: Option<&Path>,
    ) -> Result<Arc<Self>, LoadError> {
        let version = PluginVersion { name: name.to_owned(), digest: store::digest_of(bytes) };
        // Without a place to keep code it only takes longer.
        let compiler = Compiler::new(compiled_dir, None).unwrap_or_default();
        let compiled = Arc::new(compiler.compile(&version.digest, bytes, &limits)?);
        let limits = compiled.needs.lower(&limits);
        let plugin = Self {
            label: label(&version),
            metrics: Telemetry::new().plugin(name),
            meter: Arc::new(Meter::new(limits.log_bytes_per_minute)),
            settings,
            capabilities: compiled.needs.capabilities.clone(),
            version,
            compiled,
            limits,
            samples: Arc::new(Samples::none()),
            memory_peak_bytes: Gauge::default(),
            voice: Voice::Aloud,
            beside: None,
        };
        plugin.try_out().map_err(|fault| LoadError::Trial(fault.to_string()))?;
        Ok(Arc::new(plugin))
    }

    /// Transforms records that arrived at `arrived_ms`.
    pub(in super::super) fn apply(&self, stream: &str, retries: u32, records: &Records, arrived_ms: &[u64]) -> Made {
        if records.is_empty() {
            return Made::Unchanged;
        }
        self.samples.take(stream, records, arrived_ms);
        let work = Work { stream, retries, records, arrived_ms };
        let (made, tally) = self.make(&work);
        self.count(records, &made, &tally);
        if let Some(beside) = &self.beside {
            beside.after(self, &work, &made, &tally);
        }
        made
    }

    /// Transforms records and counts them nowhere.
    pub(super) fn make(&self, work: &Work<'_>) -> (Made, Tally) {
        let Work { stream, retries, records, arrived_ms } = *work;
        let began = Instant::now();
        let parts = isolate::run(self, stream, retries, records, arrived_ms);
        let seconds = began.elapsed();
        let is_faulted = parts.iter().any(|part| part.attempts > 1 || matches!(part.fate, Fate::Refused(..)));
        let made = merge(records, parts);
        let inputs = records.len() as u64;
        let (failed_records, delivered) = match &made {
            Made::Unchanged => (0, inputs),
            Made::Changed(stage) => {
                let failed = stage.refused.len() as u64;
                let delivered = match &stage.origins {
                    Origins::Identity => inputs - failed,
                    Origins::Inputs(origins) => origins.chunk_by(|one, next| one == next).count() as u64,
                };
                (failed, delivered)
            }
        };
        let tally = Tally {
            batches: 1,
            records: inputs,
            failed_records,
            faulted_batches: u64::from(is_faulted),
            dropped_records: inputs.saturating_sub(delivered + failed_records),
            seconds,
            memory_peak_bytes: self.memory_peak_bytes(),
        };
        (made, tally)
    }

    /// The same version, counted nowhere and heard by nobody.
    pub(super) fn quietly(&self) -> Self {
        Self { voice: Voice::Silent, ..self.apart() }
    }

    /// The same version with nothing beside it, counted apart from the others.
    pub(super) fn apart(&self) -> Self {
        Self {
            version: self.version.clone(),
            label: Arc::clone(&self.label),
            compiled: Arc::clone(&self.compiled),
            limits: self.limits.clone(),
            settings: self.settings.clone(),
            capabilities: self.capabilities.clone(),
            metrics: PluginMetrics::default(),
            memory_peak_bytes: Gauge::default(),
            meter: Arc::new(Meter::new(self.limits.log_bytes_per_minute)),
            voice: self.voice,
            samples: Arc::new(Samples::none()),
            beside: None,
        }
    }

    /// Starts an instance, configures it and gives it an empty batch.
    ///
    /// # Errors
    /// What the plugin did, for people.
    pub(in super::super) fn start(&self) -> Result<(), String> {
        self.try_out().map_err(|fault| fault.to_string())
    }

    /// Counts the instructions of one call over these records, start included. Blocking and slow: the component, given
    /// again as `bytes`, is compiled once more for an engine that counts.
    ///
    /// # Errors
    /// What went wrong, for people.
    pub(in super::super) fn instructions(
        &self,
        bytes: &[u8],
        batches: &[&Records],
        arrived_ms: u64,
    ) -> Result<Vec<u64>, String> {
        let sandbox = Sandbox::metered().map_err(|error| error.to_string())?;
        let compiled = compile_for(&sandbox, bytes).map_err(|error| error.to_string())?;
        let counted = batches.iter().map(|records| {
            let arrived_ms = vec![arrived_ms; records.len()];
            let (payload, ends) = (records.payload().as_ref(), records.ends());
            let batch = BatchIn { records: RecordsIn { payload, ends, columns: &[] }, arrived_ms: &arrived_ms };
            let call = self.call("", self.limits.deadline, self.limits.output_bytes);
            let call = Call { compiled: &compiled, ..call };
            call.count(&sandbox, self.log(""), batch).map_err(|fault| fault.to_string())
        });
        counted.collect()
    }

    /// What it may have.
    pub(in super::super) fn capabilities(&self) -> &BTreeSet<Capability> {
        &self.capabilities
    }

    /// Most memory that an instance of it had, bytes.
    pub(in super::super) fn memory_peak_bytes(&self) -> u64 {
        u64::try_from(self.memory_peak_bytes.get()).unwrap_or(0)
    }

    fn count(&self, input: &Records, made: &Made, tally: &Tally) {
        let (inputs, input_bytes) = (input.len() as u64, input.payload().len() as u64);
        self.metrics.input.add(inputs, input_bytes);
        match made {
            Made::Unchanged => self.metrics.output.add(inputs, input_bytes),
            Made::Changed(stage) => {
                self.metrics.output.add(stage.records.len() as u64, stage.records.payload().len() as u64);
            }
        }
        self.metrics.failed_records.inc_by(tally.failed_records);
        self.metrics.dropped_records.inc_by(tally.dropped_records);
        self.metrics.memory_peak_bytes.inner().fetch_max(self.memory_peak_bytes.get(), Ordering::Relaxed);
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(super) fn metrics(&self) -> &PluginMetrics {
        &self.metrics
    }

    pub(super) fn call<'a>(&'a self, stream: &'a str, deadline: Duration, output_bytes: usize) -> Call<'a> {
        let Self { compiled, limits, settings, memory_peak_bytes, .. } = self;
        let has_environment = self.capabilities.contains(&Capability::Environment);
        let environment = if has_environment { settings.as_slice() } else { &[] };
        Call { compiled, limits, stream, settings, environment, deadline, output_bytes, memory_peak_bytes }
    }

    /// Says in the host's own words that a batch failed.
    pub(super) fn complain(&self, stream: &str, records: usize, fault: &Fault) {
        if self.voice == Voice::Aloud {
            tracing::warn!(plugin = %self, stream, records, "plugin failed a batch: {fault}");
        }
    }

    pub(super) fn log(&self, stream: &str) -> Log {
        let (metrics, meter) = (self.metrics.clone(), Arc::clone(&self.meter));
        let log = Log::new(Arc::clone(&self.label), stream.into(), metrics, meter, self.limits.log_bytes);
        log.spoken(self.voice)
    }

    /// Configures it for a nameless stream and gives it an empty batch.
    pub(super) fn try_out(&self) -> Result<(), Fault> {
        self.try_with(&Sample::default())
    }

    /// Gives it records that nobody waits for.
    pub(super) fn try_with(&self, sample: &Sample) -> Result<(), Fault> {
        let call = self.call(&sample.stream, self.limits.deadline, self.limits.output_bytes);
        let (payload, ends) = (sample.payload.as_slice(), sample.ends.as_slice());
        let records = RecordsIn { payload, ends, columns: &[] };
        let answer = call.run(self.log(&sample.stream), BatchIn { records, arrived_ms: &sample.arrived_ms })?;
        super::answer::check(answer, ends.len(), &self.limits)?;
        Ok(())
    }
}

pub(super) fn label(version: &PluginVersion) -> Arc<str> {
    format!("{}@{}", version.name, version.digest.get(..12).unwrap_or(&version.digest)).into()
}
