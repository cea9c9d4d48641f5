//! Plugins by name: which version rules, and how to get at an older one.
//!
//! A version becomes current only after its copy is durable, it compiled, and it passed its trial; until then the one
//! before it rules, and [`PluginHost::problems`] says why. Refuses to forget a plugin whose file vanished: streams name it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::bindings::v1::{BatchIn, RecordsIn};
use super::compiler::Compiler;
use super::component::{Compiled, LoadError, compile_for};
use super::engine::{EngineError, Sandbox, sandbox};
use super::fault::Fault;
use super::instance::Call;
use super::log::{Log, Meter};
use super::merge::{Made, merge};
use super::reload::{Scanner, Watch};
use super::settings::{Limits, Settings};
use super::store::{Store, StoreError, make_folder};
use super::{isolate, store};
use crate::process::ChainError;
use crate::record::{Origins, PluginVersion, Records};
use crate::telemetry::{PluginMetrics, Telemetry};

/// Every plugin of this host. Cheap to share; stops watching when dropped.
#[derive(Debug)]
pub struct PluginHost {
    registry: Arc<Registry>,
    scanner: Arc<Scanner>,
    _watch: Watch,
}

/// Why the plugin host cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The machine has no sandbox.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A folder cannot be used.
    #[error("the plugin host cannot use its folders")]
    Store(#[from] StoreError),
}

/// A file that is no plugin, or no longer one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file.
    pub file: PathBuf,
    /// What is wrong with it.
    pub what: String,
    /// What to do about it.
    pub remedy: &'static str,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.file.display(), self.what, self.remedy)
    }
}

impl PluginHost {
    /// Loads every file of the plugin folder and watches it from then on. Blocking. A file that is no plugin does not
    /// keep the others from starting; see [`Self::problems`].
    ///
    /// # Errors
    /// No sandbox on this machine, or a folder that cannot be used.
    pub fn start(settings: Settings, telemetry: Arc<Telemetry>) -> Result<Arc<Self>, StartError> {
        sandbox()?;
        make_folder(&settings.plugin_dir)?;
        let store = Store::open(&settings.store_dir, settings.limits.component_bytes)?;
        let registry = Arc::new(Registry {
            compiler: Compiler::new(settings.compiled_dir.as_deref(), settings.compiler.clone())?,
            store,
            telemetry,
            current: Mutex::default(),
            compiled: Mutex::default(),
            meters: Mutex::default(),
            problems: Mutex::default(),
            changed: watch::Sender::new(0),
            settings,
        });
        let scanner = Arc::new(Scanner::new(Arc::clone(&registry)));
        scanner.scan_all();
        let watch = Watch::start(&registry.settings.plugin_dir, Arc::clone(&scanner));
        Ok(Arc::new(Self { registry, scanner, _watch: watch }))
    }

    /// The version of this plugin that rules new batches.
    pub fn current(&self, name: &str) -> Option<PluginVersion> {
        lock(&self.registry.current).get(name).cloned()
    }

    /// Every plugin's current version, by name.
    pub fn list(&self) -> Vec<PluginVersion> {
        lock(&self.registry.current).values().cloned().collect()
    }

    /// Goes up by one whenever a version became current.
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.registry.changed.subscribe()
    }

    /// Files that are no plugins, or whose last version could not take over, by file name.
    pub fn problems(&self) -> Vec<Problem> {
        lock(&self.registry.problems).values().cloned().collect()
    }

    /// Looks at the plugin folder now. Blocking; changes are seen without it, a moment later.
    pub fn rescan(&self) {
        self.scanner.scan_all();
    }

    /// A plugin at a version that rules or once did. Blocking: a version that is not in memory is compiled.
    ///
    /// # Errors
    /// There is no copy of it, or it cannot be read or compiled.
    pub fn load(&self, version: &PluginVersion) -> Result<Arc<Plugin>, ChainError> {
        let compiled = self.registry.compiled(version)?;
        Ok(Arc::new(self.registry.plugin(version.clone(), compiled)))
    }

    /// Removes copies of versions that neither rule nor are in `in_use`, which names the digests that any stream's
    /// undelivered records still need.
    ///
    /// # Errors
    /// The file system refused.
    pub fn retain(&self, in_use: &BTreeSet<String>) -> Result<(), StoreError> {
        let current = lock(&self.registry.current);
        let mut digests = in_use.clone();
        digests.extend(current.values().map(|version| version.digest.clone()));
        // The lock is held meanwhile, so that nothing becomes current that is about to be removed.
        self.registry.store.retain(&digests)?;
        self.registry.compiler.retain(&digests)
    }
}

/// A plugin at one version, ready to be called.
#[derive(Debug)]
pub struct Plugin {
    version: PluginVersion,
    /// Name and the beginning of the digest, for messages.
    label: Arc<str>,
    compiled: Arc<Compiled>,
    limits: Limits,
    settings: Vec<(String, String)>,
    metrics: PluginMetrics,
    meter: Arc<Meter>,
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
        };
        plugin.try_out().map_err(|fault| LoadError::Trial(fault.to_string()))?;
        Ok(Arc::new(plugin))
    }

    /// Transforms records that arrived at `arrived_ms`.
    pub(in super::super) fn apply(&self, stream: &str, retries: u32, records: &Records, arrived_ms: &[u64]) -> Made {
        if records.is_empty() {
            return Made::Unchanged;
        }
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
    fn try_out(&self) -> Result<(), Fault> {
        let call = self.call("", self.limits.deadline, self.limits.output_bytes);
        let records = RecordsIn { payload: &[], ends: &[], columns: &[] };
        let answer = call.run(self.log(""), BatchIn { records, arrived_ms: &[] })?;
        super::answer::check(answer, 0, &self.limits)?;
        Ok(())
    }
}

fn label(version: &PluginVersion) -> Arc<str> {
    format!("{}@{}", version.name, version.digest.get(..12).unwrap_or(&version.digest)).into()
}

/// What the host's handle and the watcher share.
#[derive(Debug)]
pub(super) struct Registry {
    pub(super) settings: Settings,
    store: Store,
    compiler: Compiler,
    telemetry: Arc<Telemetry>,
    current: Mutex<BTreeMap<String, PluginVersion>>,
    compiled: Mutex<Cache<Compiled>>,
    meters: Mutex<HashMap<String, Arc<Meter>>>,
    problems: Mutex<BTreeMap<PathBuf, Problem>>,
    changed: watch::Sender<u64>,
}

/// Why a new version does not take over.
#[derive(Debug, thiserror::Error)]
pub(super) enum PublishError {
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error("no durable copy can be made of it: {0}")]
    Store(#[from] StoreError),
}

impl PublishError {
    pub(super) fn remedy(&self) -> &'static str {
        match self {
            Self::Load(error) => error.remedy(),
            Self::Store(_) => "make room for data_dir/plugins and let the host write there",
        }
    }
}

impl Registry {
    /// Makes these bytes the current version of a plugin, unless they are already.
    pub(super) fn publish(&self, name: &str, bytes: &[u8]) -> Result<(), PublishError> {
        let digest = store::digest_of(bytes);
        let version = PluginVersion { name: name.to_owned(), digest };
        if lock(&self.current).get(name) == Some(&version) {
            return Ok(());
        }
        let cached = lock(&self.compiled).find(&version.digest);
        let compiled = match cached {
            Some(compiled) => compiled,
            None => Arc::new(self.compiler.compile(&version.digest, bytes, &self.settings.limits)?),
        };
        let plugin = self.plugin(version.clone(), Arc::clone(&compiled));
        plugin.try_out().map_err(|fault| LoadError::Trial(fault.to_string()))?;
        let mut current = lock(&self.current);
        self.store.put(&version.digest, bytes)?;
        lock(&self.compiled).keep(&version.digest, compiled);
        tracing::info!(plugin = %plugin, digest = %version.digest, "plugin version rules from the next batch");
        let before = current.insert(version.name.clone(), version.clone());
        drop(current);
        self.telemetry.plugin_rules(name, &version.digest, before.as_ref().map(|before| before.digest.as_str()));
        self.changed.send_modify(|count| *count += 1);
        Ok(())
    }

    /// Whether a version of this plugin rules.
    pub(super) fn has(&self, name: &str) -> bool {
        lock(&self.current).contains_key(name)
    }

    /// Notes what is wrong with a file; said in the log when it is news.
    pub(super) fn complain(&self, problem: Problem) {
        let mut problems = lock(&self.problems);
        if problems.get(&problem.file) != Some(&problem) {
            tracing::error!(file = %problem.file.display(), hint = problem.remedy, "plugin file refused: {}", problem.what);
            problems.insert(problem.file.clone(), problem);
        }
    }

    /// Nothing is wrong with a file any more.
    pub(super) fn settle(&self, file: &PathBuf) {
        lock(&self.problems).remove(file);
    }

    /// Files that something is wrong with.
    pub(super) fn problem_files(&self) -> Vec<PathBuf> {
        lock(&self.problems).keys().cloned().collect()
    }

    fn compiled(&self, version: &PluginVersion) -> Result<Arc<Compiled>, ChainError> {
        if let Some(compiled) = lock(&self.compiled).find(&version.digest) {
            return Ok(compiled);
        }
        let PluginVersion { name, digest } = version;
        let found = self.store.find(digest).map_err(|source| ChainError::Store { name: name.clone(), source })?;
        let bytes = found.ok_or_else(|| ChainError::Missing { name: name.clone(), digest: digest.clone() })?;
        let compiled = self.compiler.compile(digest, &bytes, &self.settings.limits);
        let compiled = Arc::new(compiled.map_err(|source| ChainError::Load { name: name.clone(), source })?);
        lock(&self.compiled).keep(digest, Arc::clone(&compiled));
        Ok(compiled)
    }

    fn plugin(&self, version: PluginVersion, compiled: Arc<Compiled>) -> Plugin {
        let limits = self.settings.limits.clone();
        let mut meters = lock(&self.meters);
        let meter =
            meters.entry(version.name.clone()).or_insert_with(|| Arc::new(Meter::new(limits.log_bytes_per_minute)));
        Plugin {
            label: label(&version),
            metrics: self.telemetry.plugin(&version.name),
            meter: Arc::clone(meter),
            settings: self.settings.plugin_settings.get(&version.name).cloned().unwrap_or_default(),
            version,
            compiled,
            limits,
        }
    }
}

/// Compiled components by digest; the one unused for longest goes first.
#[derive(Debug)]
struct Cache<T> {
    entries: HashMap<String, (u64, Arc<T>)>,
    uses: u64,
}

impl<T> Default for Cache<T> {
    fn default() -> Self {
        Self { entries: HashMap::new(), uses: 0 }
    }
}

impl<T> Cache<T> {
    fn find(&mut self, digest: &str) -> Option<Arc<T>> {
        self.uses += 1;
        let (used, compiled) = self.entries.get_mut(digest)?;
        *used = self.uses;
        Some(Arc::clone(compiled))
    }

    fn keep(&mut self, digest: &str, compiled: Arc<T>) {
        self.uses += 1;
        self.entries.insert(digest.to_owned(), (self.uses, compiled));
        while self.entries.len() > COMPILED_COUNT {
            let oldest = self.entries.iter().min_by_key(|(_, (used, _))| *used).map(|(digest, _)| digest.clone());
            if let Some(oldest) = oldest {
                self.entries.remove(&oldest);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A JavaScript component takes some 37 MB compiled; a Rust one 0.4.
const COMPILED_COUNT: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_forgets_what_was_unused_for_longest() {
        let mut cache = Cache::default();
        for at in 0..COMPILED_COUNT {
            cache.keep(&at.to_string(), Arc::new(at));
        }
        assert_eq!(cache.find("0").as_deref(), Some(&0));
        cache.keep("new", Arc::new(0));
        assert!(cache.find("0").is_some() && cache.find("1").is_none() && cache.find("new").is_some());
        assert_eq!(cache.entries.len(), COMPILED_COUNT);
    }
}
