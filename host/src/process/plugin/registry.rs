//! Plugins by name: which version rules, and how to get at an older one.
//!
//! A version becomes current only after its copy is durable, it compiled, and it passed its trial; until then the one
//! before it rules, and [`PluginHost::problems`] says why. Refuses to forget a plugin whose file vanished: streams name it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::watch;

use super::asked::Asked;
use super::beside::Beside;
use super::candidate::{Report, Verdict};
use super::compiler::Compiler;
use super::component::Compiled;
use super::engine::{EngineError, sandbox};
use super::loaded::{Plugin, label};
use super::log::{Meter, Voice};
use super::publish::PublishError;
use super::recent::Recent;
use super::releases::{Release, Releases};
use super::reload::{Scanner, Watch};
use super::sample::{Room, Samples};
use super::settings::Settings;
use super::store::{Store, StoreError, make_folder};
use super::turns::Turns;
use super::version::Recipe;
use crate::process::ChainError;
use crate::record::PluginVersion;
use crate::runtime::Clock;
use crate::telemetry::Telemetry;

/// Every plugin of this host. Cheap to share; stops watching when dropped.
#[derive(Debug)]
pub struct PluginHost {
    registry: Arc<Registry>,
    scanner: Arc<Scanner>,
    turns: Turns,
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
    pub fn start(
        settings: Settings,
        telemetry: Arc<Telemetry>,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<Self>, StartError> {
        sandbox()?;
        make_folder(&settings.plugin_dir)?;
        let store = Store::open(&settings.store_dir, settings.limits.component_bytes)?;
        let registry = Arc::new(Registry {
            compiler: Compiler::new(settings.compiled_dir.as_deref(), settings.compiler.clone())?,
            store,
            telemetry,
            clock,
            publishing: Mutex::default(),
            releases: Mutex::new(Releases::open(settings.store_dir.join("releases.json"))),
            current: Mutex::default(),
            recipes: Mutex::default(),
            compiled: Mutex::default(),
            shared: Mutex::default(),
            sample_room: Arc::default(),
            runs_beside: Arc::default(),
            problems: Mutex::default(),
            changed: watch::Sender::new(0),
            settings,
        });
        let scanner = Arc::new(Scanner::new(Arc::clone(&registry)));
        scanner.scan_all();
        let watch = Watch::start(&registry.settings.plugin_dir, Arc::clone(&scanner));
        let turns = Turns::start(Arc::clone(&registry));
        Ok(Arc::new(Self { registry, scanner, turns, _watch: watch }))
    }

    /// The version of this plugin that rules new batches: a canary in its turns.
    pub fn current(&self, name: &str) -> Option<PluginVersion> {
        let ruling = self.registry.ruling(name)?;
        let canary = self.registry.candidate(name).filter(|candidate| candidate.has_turn());
        Some(canary.map_or(ruling, |candidate| candidate.version.clone()))
    }

    /// The version of this plugin that rules, canaries apart.
    pub fn ruling(&self, name: &str) -> Option<PluginVersion> {
        self.registry.ruling(name)
    }

    /// Every plugin's ruling version, by name.
    pub fn list(&self) -> Vec<PluginVersion> {
        lock(&self.registry.current).values().cloned().collect()
    }

    /// Goes up by one whenever another version rules new batches.
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
        let (recipe, compiled) = self.registry.compiled(version)?;
        Ok(Arc::new(self.registry.plugin(version.clone(), compiled, recipe)))
    }

    /// Makes these bytes the current version of a plugin and puts them into the plugin folder. Blocking and, where they
    /// are compiled, slow.
    ///
    /// # Errors
    /// They are no plugin, or no place to keep them. The version before stays in force.
    pub fn publish(&self, name: &str, bytes: &[u8]) -> Result<PluginVersion, PublishError> {
        self.publish_by(name, bytes, "publish")
    }

    /// Makes an earlier component the current one again: the one before the current one, or that whose digest begins
    /// with `to`. It is configured with the settings of today. Blocking.
    ///
    /// # Errors
    /// There is no such release, or it cannot be published.
    pub fn roll_back(&self, name: &str, to: Option<&str>) -> Result<PluginVersion, PublishError> {
        let component = {
            let releases = lock(&self.registry.releases);
            let releases = releases.of(name);
            let last = releases.last().ok_or_else(|| PublishError::Unknown(name.to_owned()))?;
            let found = match to {
                Some(to) => {
                    releases.iter().rev().find(|one| one.component.starts_with(to) || one.digest.starts_with(to))
                }
                None => releases.iter().rev().find(|one| one.component != last.component),
            };
            let missing = || match to {
                Some(to) => PublishError::NoRelease(format!("plugin {name} had no release {to} lately")),
                None => PublishError::NoRelease(format!("plugin {name} had no other component lately")),
            };
            found.ok_or_else(missing)?.component.clone()
        };
        let bytes = self.registry.store.find(&component)?;
        let bytes =
            bytes.ok_or_else(|| PublishError::NoRelease(format!("no copy of component {component} is left")))?;
        self.publish_by(name, &bytes, "rollback")
    }

    /// Tries these bytes beside the ruling version of a plugin, or in turn with it, in place of the candidate before.
    /// They are kept like a version that rules, but not in the plugin folder: a restart ends the candidate. Blocking.
    ///
    /// # Errors
    /// They are no plugin, there is none of that name, or they rule already.
    pub fn put_beside(&self, name: &str, bytes: &[u8], asked: Asked) -> Result<PluginVersion, PublishError> {
        let version = self.registry.put_beside(name, bytes, asked)?;
        self.turns.look();
        Ok(version)
    }

    /// Ends the candidate of a plugin, if one is on trial, and names it.
    pub fn end_candidate(&self, name: &str) -> Option<PluginVersion> {
        self.registry.end_candidate(name, Verdict::Ended("it was taken back".to_owned()))
    }

    /// The last candidate of a plugin since a version was published.
    pub fn candidate(&self, name: &str) -> Option<Report> {
        self.registry.candidate(name).map(|candidate| candidate.report())
    }

    /// Whether the ruling version gave the same answer whenever it was given the same records; none: it never was.
    pub fn is_deterministic(&self, name: &str) -> Option<bool> {
        let ruling = self.registry.ruling(name)?;
        self.registry.beside(name).is_deterministic(&ruling)
    }

    /// Looks at the clock now, for canaries. Blocking; their turns change without it, in time.
    pub fn take_turns(&self) {
        self.registry.take_turns();
    }

    /// The same without blocking, where nothing of it must be read or compiled: a version that rules, most of the time.
    pub fn at_hand(&self, version: &PluginVersion) -> Option<Arc<Plugin>> {
        let recipe = self.registry.ruling_recipe(version)?;
        let compiled = lock(&self.registry.compiled).find(&recipe.component)?;
        Some(Arc::new(self.registry.plugin(version.clone(), compiled, recipe)))
    }

    fn publish_by(&self, name: &str, bytes: &[u8], by: &str) -> Result<PluginVersion, PublishError> {
        self.registry.publish_file(name, bytes, by, || Ok(()))
    }

    /// Waits for what runs beside a plugin.
    #[cfg(test)]
    pub(crate) fn settle(&self, name: &str) {
        self.registry.beside(name).settle();
    }

    /// What ruled lately under this name, newest last.
    pub fn releases(&self, name: &str) -> Vec<Release> {
        lock(&self.registry.releases).of(name).to_vec()
    }

    /// Longest component that is taken.
    pub fn component_bytes(&self) -> u64 {
        self.registry.settings.limits.component_bytes
    }

    /// Removes copies of versions that neither rule nor are in `in_use`, which names the digests that any stream's
    /// undelivered records still need.
    ///
    /// # Errors
    /// The file system refused.
    pub fn retain(&self, in_use: &BTreeSet<String>) -> Result<(), StoreError> {
        // Nothing becomes current meanwhile that is about to be removed.
        let _publishing = lock(&self.registry.publishing);
        let mut digests = in_use.clone();
        digests.extend(lock(&self.registry.current).values().map(|version| version.digest.clone()));
        for candidate in self.registry.candidates() {
            digests.extend([candidate.version.digest.clone(), candidate.component().to_owned()]);
        }
        for release in lock(&self.registry.releases).all() {
            digests.extend([release.digest.clone(), release.component.clone()]);
        }
        // A recipe needs its component; one that cannot be read is dealt with when it is asked for.
        let recipes = digests.iter().filter_map(|digest| self.registry.store.recipe(digest).ok().flatten());
        let components: Vec<String> = recipes.map(|recipe| recipe.component).collect();
        digests.extend(components);
        self.registry.store.retain(&digests)?;
        self.registry.compiler.retain(&digests)
    }
}

/// What all versions of one plugin share.
#[derive(Clone, Debug)]
struct Shared {
    meter: Arc<Meter>,
    samples: Arc<Samples>,
    beside: Arc<Beside>,
}

/// What the host's handle and the watcher share.
#[derive(Debug)]
pub(super) struct Registry {
    pub(super) settings: Settings,
    pub(super) store: Store,
    pub(super) compiler: Compiler,
    pub(super) telemetry: Arc<Telemetry>,
    pub(super) current: Mutex<BTreeMap<String, PluginVersion>>,
    /// Of the versions that rule, by plugin, so that a change of versions waits for no disk.
    pub(super) recipes: Mutex<BTreeMap<String, (PluginVersion, Recipe)>>,
    /// By the component's digest.
    pub(super) compiled: Mutex<Recent<Compiled>>,
    /// What all versions of a plugin share.
    shared: Mutex<HashMap<String, Shared>>,
    sample_room: Arc<Room>,
    /// Runs of all plugins that nothing waits for.
    runs_beside: Arc<AtomicUsize>,
    pub(super) releases: Mutex<Releases>,
    /// One at a time: a file that is noticed and a command may be about the same plugin.
    pub(super) publishing: Mutex<()>,
    pub(super) clock: Arc<dyn Clock>,
    problems: Mutex<BTreeMap<PathBuf, Problem>>,
    pub(super) changed: watch::Sender<u64>,
}

impl Registry {
    /// One publication at a time, until it is dropped.
    pub(super) fn publishing(&self) -> MutexGuard<'_, ()> {
        lock(&self.publishing)
    }

    /// The version that rules, canaries apart.
    pub(super) fn ruling(&self, name: &str) -> Option<PluginVersion> {
        lock(&self.current).get(name).cloned()
    }

    pub(super) fn keep_compiled(&self, component: &str, compiled: Arc<Compiled>) {
        lock(&self.compiled).keep(component, compiled);
    }

    /// What runs beside a plugin.
    pub(super) fn beside(&self, name: &str) -> Arc<Beside> {
        self.shared(name).beside
    }

    /// What runs beside any plugin.
    pub(super) fn besides(&self) -> Vec<Arc<Beside>> {
        lock(&self.shared).values().map(|shared| Arc::clone(&shared.beside)).collect()
    }

    /// A component that was kept.
    pub(super) fn component(&self, digest: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.find(digest)
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

    fn ruling_recipe(&self, version: &PluginVersion) -> Option<Recipe> {
        lock(&self.recipes).get(&version.name).filter(|(ruling, _)| ruling == version).map(|(_, recipe)| recipe.clone())
    }

    fn compiled(&self, version: &PluginVersion) -> Result<(Recipe, Arc<Compiled>), ChainError> {
        let PluginVersion { name, digest } = version;
        let store = |source| ChainError::Store { name: name.clone(), source };
        let recipe = match self.ruling_recipe(version) {
            Some(recipe) => recipe,
            None => {
                let recipe = self.store.recipe(digest).map_err(store)?;
                recipe.unwrap_or_else(|| Recipe::plain(digest.clone()))
            }
        };
        if let Some(compiled) = lock(&self.compiled).find(&recipe.component) {
            return Ok((recipe, compiled));
        }
        let found = self.store.find(&recipe.component).map_err(store)?;
        let bytes = found.ok_or_else(|| ChainError::Missing { name: name.clone(), digest: digest.clone() })?;
        let compiled = self.compiler.compile(&recipe.component, &bytes, &self.settings.limits);
        let compiled = Arc::new(compiled.map_err(|source| ChainError::Load { name: name.clone(), source })?);
        lock(&self.compiled).keep(&recipe.component, Arc::clone(&compiled));
        Ok((recipe, compiled))
    }

    /// A version of a plugin, to be called.
    pub(super) fn plugin(&self, version: PluginVersion, compiled: Arc<Compiled>, recipe: Recipe) -> Plugin {
        let Shared { meter, samples, beside } = self.shared(&version.name);
        Plugin {
            label: label(&version),
            metrics: self.telemetry.plugin(&version.name),
            memory_peak_bytes: Gauge::default(),
            meter,
            voice: Voice::Aloud,
            samples,
            beside: Some(beside),
            settings: recipe.settings,
            capabilities: recipe.capabilities,
            version,
            limits: compiled.needs.lower(&self.settings.limits),
            compiled,
        }
    }

    fn shared(&self, name: &str) -> Shared {
        if let Some(known) = lock(&self.shared).get(name) {
            return known.clone();
        }
        let settings = &self.settings;
        let (runs, changed) = (Arc::clone(&self.runs_beside), self.changed.clone());
        let shared = Shared {
            meter: Arc::new(Meter::new(settings.limits.log_bytes_per_minute)),
            samples: Arc::new(Samples::new(settings.trial_records, Arc::clone(&self.sample_room))),
            beside: Arc::new(Beside::new(settings.double_run, runs, self.telemetry.plugin(name), changed)),
        };
        lock(&self.shared).entry(name.to_owned()).or_insert(shared).clone()
    }
}

/// What a panic of another thread left is whole: nothing here is changed in two steps.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
