//! One plugin for its author: the engine, limits, checks and failures of the service, without a folder to watch, a
//! journal or a destination.
//!
//! Refuses to be another way through: records run through the same [`Chain`] as in a stream.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Chain;
use super::plugin::{Capability, Limits, LoadError, Plugin};
use crate::record::{Batch, Course, Records, RecordsError, StreamId};

/// A plugin that was loaded from bytes.
#[derive(Debug)]
pub struct Workshop {
    chain: Chain,
    plugin: Arc<Plugin>,
    compile_time: Duration,
}

/// What became of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is delivered as these records: itself, or what replaces it.
    Delivered(Vec<Delivered>),
    /// It was dropped on purpose.
    Dropped,
    /// It goes to the error output.
    Failed {
        /// `errorCode` of the envelope.
        code: String,
        /// `errorMessage` of the envelope.
        message: String,
    },
}

/// One record to deliver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// Its bytes.
    pub data: Vec<u8>,
    /// Partition keys and reserved columns that are set for it, by name.
    pub keys: BTreeMap<String, String>,
}

/// Records laid out as a batch.
#[derive(Clone, Debug)]
pub struct Prepared(Records);

impl Prepared {
    /// Lays them out.
    ///
    /// # Errors
    /// They are longer than 4 GiB.
    pub fn new(records: &[impl AsRef<[u8]>]) -> Result<Self, RecordsError> {
        let mut payload = Vec::new();
        let mut ends = Vec::with_capacity(records.len());
        for record in records {
            payload.extend_from_slice(record.as_ref());
            // An end that does not fit is an end that does not match.
            ends.push(u32::try_from(payload.len()).unwrap_or(u32::MAX));
        }
        Ok(Self(Records::new(payload.into(), ends, Vec::new())?))
    }

    fn at(&self, arrived_ms: u64) -> Batch {
        let arrived_ms = vec![arrived_ms; self.0.len()];
        Batch { stream: StreamId(0), first: 0, arrived_ms, records: self.0.clone(), course: Course::Put }
    }
}

impl Workshop {
    /// Loads and tries out a plugin that is called `name` and works for `stream`. It has what it declares that it needs,
    /// and `limits` are ceilings of its own. Blocking: it is compiled, unless
    /// `compiled_dir` remembers it.
    ///
    /// # Errors
    /// Why these bytes are no plugin, or do not accept these settings.
    pub fn open(
        name: &str,
        stream: &str,
        bytes: &[u8],
        limits: Limits,
        settings: Vec<(String, String)>,
        compiled_dir: Option<&Path>,
    ) -> Result<Self, LoadError> {
        let started = Instant::now();
        let plugin = Plugin::alone(name, bytes, limits, settings, compiled_dir)?;
        let compile_time = started.elapsed();
        Ok(Self { chain: Chain::alone(stream, Arc::clone(&plugin)), plugin, compile_time })
    }

    /// How long it took to open: compiling, mostly.
    pub fn compile_time(&self) -> Duration {
        self.compile_time
    }

    /// What the plugin declares that it must have, and has here without being asked.
    pub fn capabilities(&self) -> impl Iterator<Item = Capability> {
        self.plugin.capabilities().iter().copied()
    }

    /// Most memory that an instance had so far, bytes.
    pub fn memory_peak_bytes(&self) -> u64 {
        self.plugin.memory_peak_bytes()
    }

    /// Starts an instance, configures it, gives it an empty batch and throws it away.
    ///
    /// # Errors
    /// What the plugin did, for people.
    pub fn start(&self) -> Result<(), String> {
        self.plugin.start()
    }

    /// Instructions that a call takes for each of these batches, its start included; the same from run to run.
    /// `bytes` are those it was opened with, which are compiled once more, with counters.
    ///
    /// # Errors
    /// What went wrong, for people.
    pub fn instructions(&self, bytes: &[u8], batches: &[&Prepared], arrived_ms: u64) -> Result<Vec<u64>, String> {
        let batches: Vec<&Records> = batches.iter().map(|batch| &batch.0).collect();
        self.plugin.instructions(bytes, &batches, arrived_ms)
    }

    /// Transforms a batch and looks at nothing that came out: what a bench times.
    pub fn pass(&self, batch: &Prepared, arrived_ms: u64) {
        drop(self.chain.apply(batch.at(arrived_ms)));
    }

    /// Transforms one batch of records that arrived at `arrived_ms`, milliseconds since 1970; a fate for each of them.
    /// Blocks for as long as the limits allow.
    ///
    /// # Errors
    /// The batch is longer than 4 GiB.
    pub fn transform(&self, records: &[impl AsRef<[u8]>], arrived_ms: u64) -> Result<Vec<Fate>, RecordsError> {
        let made = self.chain.apply(Prepared::new(records)?.at(arrived_ms));
        let mut fates = vec![Fate::Dropped; records.len()];
        for at in 0..made.outputs.len() {
            let delivered = Delivered { data: made.outputs.record(at).to_vec(), keys: keys(&made.outputs, at) };
            match &mut fates[made.input_of(at)] {
                Fate::Delivered(several) => several.push(delivered),
                other => *other = Fate::Delivered(vec![delivered]),
            }
        }
        for rejected in made.rejected {
            let at = usize::try_from(rejected.sequence).unwrap_or(usize::MAX);
            fates[at] = Fate::Failed { code: rejected.code.into_owned(), message: rejected.message };
        }
        Ok(fates)
    }
}

fn keys(records: &Records, at: usize) -> BTreeMap<String, String> {
    let set = records.columns().iter().filter_map(|column| {
        let code = column.codes.get(at)?.checked_sub(1)?;
        Some((column.name.clone(), column.dictionary.get(code as usize)?.clone()))
    });
    set.collect()
}

#[cfg(test)]
mod tests {
    use super::super::plugin::guests::guest;
    use super::*;

    #[test]
    fn every_record_has_a_fate() {
        let bytes = std::fs::read(guest("bench")).expect("a guest");
        let workshop = Workshop::open("bench", "s", &bytes, Limits::default(), Vec::new(), None).expect("a plugin");
        let fates =
            workshop.transform(&["{\"level\":\"info\"}", "{\"level\":\"debug\"}", "no json"], 1).expect("short");
        let edited = b"{\"level\":\"info\",\"pipeline\":\"hydrant\"}".to_vec();
        assert_eq!(fates[0], Fate::Delivered(vec![Delivered { data: edited, keys: BTreeMap::new() }]));
        assert_eq!(fates[1], Fate::Dropped);
        assert!(matches!(&fates[2], Fate::Failed { code, .. } if code.starts_with("Lambda.")), "{fates:?}");
        assert_eq!(workshop.transform(&[[0_u8; 0]; 0], 1).expect("nothing"), Vec::new());
    }
}
