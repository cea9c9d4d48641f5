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

use super::asked::{AskError, Asked};
use super::beside::Beside;
use super::candidate::{Report, Verdict};
use super::compiler::Compiler;
use super::component::{Compiled, LoadError};
use super::engine::{EngineError, sandbox};
use super::loaded::{Plugin, label};
use super::log::{Meter, Voice};
use super::releases::{Release, Releases};
use super::reload::{Scanner, Watch, is_name};
use super::sample::{Room, Samples};
use super::settings::Settings;
use super::store::{Store, StoreError, digest_of, make_folder};
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
        Ok(Arc::new(self.registry.plugin(version.clone(), compiled, recipe.settings)))
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
        Some(Arc::new(self.registry.plugin(version.clone(), compiled, recipe.settings)))
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
    store: Store,
    compiler: Compiler,
    telemetry: Arc<Telemetry>,
    current: Mutex<BTreeMap<String, PluginVersion>>,
    /// Of the versions that rule, by plugin, so that a change of versions waits for no disk.
    recipes: Mutex<BTreeMap<String, (PluginVersion, Recipe)>>,
    /// By the component's digest.
    compiled: Mutex<Cache<Compiled>>,
    /// What all versions of a plugin share.
    shared: Mutex<HashMap<String, Shared>>,
    sample_room: Arc<Room>,
    /// Runs of all plugins that nothing waits for.
    runs_beside: Arc<AtomicUsize>,
    releases: Mutex<Releases>,
    /// One at a time: a file that is noticed and a command may be about the same plugin.
    publishing: Mutex<()>,
    pub(super) clock: Arc<dyn Clock>,
    problems: Mutex<BTreeMap<PathBuf, Problem>>,
    pub(super) changed: watch::Sender<u64>,
}

/// Why a new version does not take over.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// It is no plugin, or failed its trial.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The data directory refused.
    #[error("no durable copy can be made of it: {0}")]
    Store(#[from] StoreError),
    /// The plugin folder refused.
    #[error("its file cannot be put into the plugin folder: {0}")]
    Keep(std::io::Error),
    /// A name that no file could have.
    #[error("\"{0}\" is no plugin name")]
    Name(String),
    /// There is nothing to go back from.
    #[error("plugin {0} is not known")]
    Unknown(String),
    /// There is nothing to go back to.
    #[error("{0}")]
    NoRelease(String),
    /// It cannot be a candidate beside itself.
    #[error("it rules plugin {0} already")]
    Rules(String),
    /// A candidate cannot be asked this.
    #[error(transparent)]
    Ask(#[from] AskError),
}

impl PublishError {
    /// Whether the same file may be taken the next time: the disk refused, not the host.
    pub(super) fn is_passing(&self) -> bool {
        matches!(self, Self::Store(_) | Self::Keep(_))
    }

    /// What to do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Keep(_) => "let the host write to plugin_dir, or replace the file yourself",
            Self::Name(_) => "use 1 to 64 of a-z, A-Z, 0-9, - and _",
            Self::Rules(_) => "publish a version that differs from it",
            Self::Ask(_) => "see `hydrant plugin publish --help`",
            Self::Unknown(_) | Self::NoRelease(_) => "see `hydrant plugin list`",
            Self::Load(error) => error.remedy(),
            Self::Store(_) => "make room for data_dir/plugins and let the host write there",
        }
    }
}

impl Registry {
    /// Makes these bytes the current version of a plugin, unless they are already: compiled, tried with nothing and
    /// with recent records, made durable, and only then in force. `by` says how they came. With `keep`, the last step
    /// before that may still refuse.
    pub(super) fn publish(
        &self,
        name: &str,
        bytes: &[u8],
        by: &str,
        keep: impl FnOnce() -> std::io::Result<()>,
    ) -> Result<PluginVersion, PublishError> {
        let _publishing = lock(&self.publishing);
        let (recipe, version) = self.recipe(name, bytes);
        if lock(&self.current).get(name) == Some(&version) {
            keep().map_err(PublishError::Keep)?;
            return Ok(version);
        }
        let plugin = self.prepare(&version, &recipe, bytes)?;
        keep().map_err(PublishError::Keep)?;
        let release = Release {
            digest: version.digest.clone(),
            component: recipe.component.clone(),
            since_ms: self.clock.now_ms(),
            by: by.to_owned(),
        };
        lock(&self.releases).add(name, release)?;
        lock(&self.compiled).keep(&recipe.component, plugin.compiled);
        tracing::info!(plugin = &*plugin.label, digest = %version.digest, by, "plugin version rules from the next batch");
        lock(&self.recipes).insert(version.name.clone(), (version.clone(), recipe));
        let before = lock(&self.current).insert(version.name.clone(), version.clone());
        self.telemetry.plugin_rules(name, &version.digest, before.as_ref().map(|before| before.digest.as_str()));
        self.succeed(&version);
        self.changed.send_modify(|count| *count += 1);
        Ok(version)
    }

    /// The same, and puts the bytes into the plugin folder. `admit` may refuse at the last moment.
    pub(super) fn publish_file(
        &self,
        name: &str,
        bytes: &[u8],
        by: &str,
        admit: impl FnOnce() -> std::io::Result<()>,
    ) -> Result<PluginVersion, PublishError> {
        if !is_name(name) {
            return Err(PublishError::Name(name.to_owned()));
        }
        let file = self.settings.plugin_dir.join(name).with_extension("wasm");
        // Hidden, so that no look takes it for a plugin.
        let beside = self.settings.plugin_dir.join(format!(".{name}.new"));
        self.publish(name, bytes, by, || {
            admit()?;
            let mut written = std::fs::File::create(&beside)?;
            std::io::Write::write_all(&mut written, bytes)?;
            written.sync_all()?;
            std::fs::rename(&beside, &file)
        })
    }

    /// What these bytes are with the settings of today.
    pub(super) fn recipe(&self, name: &str, bytes: &[u8]) -> (Recipe, PluginVersion) {
        let settings = self.settings.plugin_settings.get(name).cloned().unwrap_or_default();
        let recipe = Recipe { component: digest_of(bytes), settings };
        let version = PluginVersion { name: name.to_owned(), digest: recipe.digest().0 };
        (recipe, version)
    }

    /// Compiles a version, tries it and makes it durable.
    pub(super) fn prepare(
        &self,
        version: &PluginVersion,
        recipe: &Recipe,
        bytes: &[u8],
    ) -> Result<Plugin, PublishError> {
        let cached = lock(&self.compiled).find(&recipe.component);
        let compiled = match cached {
            Some(compiled) => compiled,
            None => Arc::new(self.compiler.compile(&recipe.component, bytes, &self.settings.limits)?),
        };
        let plugin = self.plugin(version.clone(), compiled, recipe.settings.clone());
        plugin.try_out().map_err(|fault| LoadError::Trial(fault.to_string()))?;
        for sample in plugin.samples.all() {
            let failed = |fault| LoadError::Records { stream: sample.stream.clone(), fault: format!("{fault}") };
            plugin.try_with(&sample).map_err(failed)?;
        }
        self.store.put(&recipe.component, bytes)?;
        if let (digest, Some(text)) = recipe.digest() {
            self.store.put_recipe(&digest, &text)?;
        }
        Ok(plugin)
    }

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

    fn plugin(&self, version: PluginVersion, compiled: Arc<Compiled>, settings: Vec<(String, String)>) -> Plugin {
        let Shared { meter, samples, beside } = self.shared(&version.name);
        Plugin {
            label: label(&version),
            metrics: self.telemetry.plugin(&version.name),
            memory_peak_bytes: Gauge::default(),
            meter,
            voice: Voice::Aloud,
            samples,
            beside: Some(beside),
            settings,
            version,
            compiled,
            limits: self.settings.limits.clone(),
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
