//! A plugin at one version, ready to be called: its code, its settings, its limits, and what it is counted by. Refuses to
//! know which version rules.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::bindings::v1::{BatchIn, RecordsIn};
use super::compiler::Compiler;
use super::component::{Compiled, LoadError, compile_for};
use super::engine::Sandbox;
use super::fault::Fault;
use super::instance::Call;
use super::log::{Log, Meter};
use super::merge::{Made, merge};
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
    pub(super) limits: Limits,
    pub(super) settings: Vec<(String, String)>,
    pub(super) metrics: PluginMetrics,
    pub(super) meter: Arc<Meter>,
    /// Recent records, for the trial of the next version.
    pub(super) samples: Arc<Samples>,
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

    /// A plugin that no folder and no journal knows, tried out like any other: what its author runs. Blocking.
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
        let plugin = Self {
            label: label(&version),
            metrics: Telemetry::new().plugin(name),
            meter: Arc::new(Meter::new(limits.log_bytes_per_minute)),
            settings,
            version,
            compiled,
            limits,
            samples: Arc::new(Samples::new(0)),
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
        let made = merge(records, isolate::run(self, stream, retries, records, arrived_ms));
        self.count(records, &made);
        made
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

    /// Most memory that an instance of it had, bytes.
    pub(in super::super) fn memory_peak_bytes(&self) -> u64 {
        u64::try_from(self.metrics.memory_peak_bytes.get()).unwrap_or(0)
    }

    fn count(&self, input: &Records, made: &Made) {
        let (inputs, input_bytes) = (input.len() as u64, input.payload().len() as u64);
        self.metrics.input.add(inputs, input_bytes);
        match made {
            Made::Unchanged => self.metrics.output.add(inputs, input_bytes),
            Made::Changed(stage) => {
                let failed = stage.refused.len() as u64;
                self.metrics.output.add(stage.records.len() as u64, stage.records.payload().len() as u64);
                self.metrics.failed_records.inc_by(failed);
                let delivered = match &stage.origins {
                    Origins::Identity => inputs - failed,
                    Origins::Inputs(origins) => origins.chunk_by(|one, next| one == next).count() as u64,
                };
                self.metrics.dropped_records.inc_by(inputs.saturating_sub(delivered + failed));
            }
        }
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(super) fn metrics(&self) -> &PluginMetrics {
        &self.metrics
    }

    pub(super) fn call<'a>(&'a self, stream: &'a str, deadline: Duration, output_bytes: usize) -> Call<'a> {
        let Self { compiled, limits, settings, .. } = self;
        let memory_peak_bytes = &self.metrics.memory_peak_bytes;
        Call { compiled, limits, stream, settings, deadline, output_bytes, memory_peak_bytes }
    }

    pub(super) fn log(&self, stream: &str) -> Log {
        let (metrics, meter) = (self.metrics.clone(), Arc::clone(&self.meter));
        Log::new(Arc::clone(&self.label), stream.into(), metrics, meter, self.limits.log_bytes)
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
