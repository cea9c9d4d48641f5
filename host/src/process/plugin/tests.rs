//! The plugin host with real guests: what they may do, what they do anyway, and how they are replaced.

mod beside;
mod hostile;
mod loading;
mod needs;
mod outcomes;
mod reload;

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use tempfile::TempDir;

use super::guests::guest;
use super::{Limits, PluginHost, Settings};
use crate::definition::{Definition, OnFailure, Processor, testing};
use crate::process::Chain;
use crate::record::{Batch, Epoch, PluginVersion, Records, Rejected, StreamId, Transformed};
use crate::runtime::ManualClock;
use crate::telemetry::Telemetry;

/// A host with folders of its own.
struct Rig {
    folder: TempDir,
    settings: Settings,
    telemetry: Arc<Telemetry>,
    clock: Arc<ManualClock>,
}

impl Rig {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = Settings::new(folder.path().join("plugins"), folder.path().join("store"));
        settings.limits = tight();
        fs::create_dir(&settings.plugin_dir).unwrap();
        Self { folder, settings, telemetry: Telemetry::new(), clock: Arc::new(ManualClock::at(7)) }
    }

    /// Puts a guest's file into the plugin folder under a name.
    fn install(&self, name: &str, guest_name: &str) {
        self.write(name, &fs::read(guest(guest_name)).unwrap());
    }

    /// Rewrites a plugin file in place.
    fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.settings.plugin_dir.join(name).with_extension("wasm"), bytes).unwrap();
    }

    fn configure(&mut self, name: &str, settings: &[(&str, &str)]) {
        let settings = settings.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        self.settings.plugin_settings.insert(name.to_owned(), settings);
    }

    fn start(&self) -> Arc<PluginHost> {
        PluginHost::start(self.settings.clone(), Arc::clone(&self.telemetry), self.clock.clone()).unwrap()
    }
}

/// Limits that hostile guests reach soon.
fn tight() -> Limits {
    Limits {
        memory_bytes: 96 << 20,
        // No time is short here: what is about time says so itself.
        deadline: Duration::from_secs(60),
        recovery: Duration::from_secs(300),
        output_bytes: 4 << 20,
        log_bytes: 16 << 10,
        log_bytes_per_minute: 1 << 20,
        ..Limits::default()
    }
}

fn definition(processors: Vec<Processor>) -> Definition {
    Definition { processors, ..testing::definition("orders") }
}

fn plugin(name: &str) -> Processor {
    Processor::Plugin {
        name: name.to_owned(),
        lambda_arn: format!("arn:{name}"),
        retries: 1,
        on_failure: OnFailure::default(),
    }
}

fn delimiter(text: &str) -> Processor {
    Processor::AppendDelimiter { delimiter: text.to_owned() }
}

fn epoch(plugins: Vec<PluginVersion>) -> Epoch {
    Epoch { stream: StreamId(1), from: 0, definition_version: 1, plugins }
}

/// The chain of these processors at what rules now.
fn chain(host: &PluginHost, processors: Vec<Processor>) -> Chain {
    let current = |processor: &Processor| match processor {
        Processor::Plugin { name, .. } => Some(host.current(name).unwrap_or_else(|| panic!("{:?}", host.problems()))),
        _ => None,
    };
    let versions = processors.iter().filter_map(current).collect();
    Chain::new(&definition(processors), &epoch(versions), host).unwrap()
}

fn batch(records: &[impl AsRef<[u8]>]) -> Batch {
    let mut ends = Vec::new();
    let mut payload = Vec::new();
    for record in records {
        payload.extend_from_slice(record.as_ref());
        ends.push(u32::try_from(payload.len()).unwrap());
    }
    let arrived_ms = (0..records.len() as u64).map(|at| 1_000 + at).collect();
    let records = Records::new(Bytes::from(payload), ends, Vec::new()).unwrap();
    Batch { stream: StreamId(1), first: 100, arrived_ms, records, course: crate::record::Course::Put }
}

fn texts(transformed: &Transformed) -> Vec<String> {
    transformed.outputs.iter().map(|record| String::from_utf8_lossy(record).into_owned()).collect()
}

/// Index, code and message of each rejection.
fn rejections(transformed: &Transformed) -> Vec<(u64, &str, &str)> {
    let short = |rejected: &'_ Rejected| rejected.sequence - 100;
    transformed.rejected.iter().map(|rejected| (short(rejected), &*rejected.code, rejected.message.as_str())).collect()
}
