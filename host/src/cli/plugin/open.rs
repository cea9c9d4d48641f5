//! From arguments to a loaded plugin. Refuses to run it.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::arguments::{Configured, TriedPlugin};
use super::super::{Console, Failure, check, logging};
use crate::config::{self, Level, Log, LogFormat, ProcessEnvironment};
use crate::process::Workshop;
use crate::process::plugin::{Limits, LoadError};

/// How the configuration becomes limits; the app knows.
pub trait PluginLimits {
    /// Limits under a configuration, or the defaults.
    fn plugin_limits(configured: Option<&config::Plugins>) -> Limits;
}

/// The limits that a host with this configuration would set.
pub(super) fn limits<P: PluginLimits>(configured: &Configured) -> Result<Limits, Failure> {
    let loaded = configured.config.is_some().then(|| check::load(configured)).transpose()?;
    Ok(P::plugin_limits(loaded.as_ref().map(|loaded| &loaded.settings.plugins)))
}

/// Shows what plugins log from now on, warnings and worse, on standard error.
pub(super) fn show_log() {
    logging::start(Log { format: LogFormat::Human, level: Level::Warn });
}

/// Loads the plugin that was asked for; its log lines go to standard error.
pub(super) fn open<P: PluginLimits>(console: &Console, asked: &TriedPlugin) -> Result<Workshop, Failure> {
    show_log();
    let workshop = open_with::<P>(asked, &asked.stream, asked.settings.clone())?;
    note_granted(console, &asked.file, &workshop);
    Ok(workshop)
}

/// Says what a plugin has here that a host gives to no plugin by itself.
pub(super) fn note_granted(console: &Console, file: &Path, workshop: &Workshop) {
    let names: Vec<String> = workshop.capabilities().map(|one| format!("\"{}\"", one.name())).collect();
    if !names.is_empty() {
        let (name, listed) = (name(file), names.join(", "));
        console.note(&format!(
            "note: granted here because {name} declares it: {listed}; a host wants [plugins.grants] {name} = [{listed}]"
        ));
    }
}

/// The same with another stream and settings.
pub(super) fn open_with<P: PluginLimits>(
    asked: &TriedPlugin,
    stream: &str,
    settings: Vec<(String, String)>,
) -> Result<Workshop, Failure> {
    let bytes = read(&asked.file)?;
    let limits = limits::<P>(&asked.limits)?;
    let cache = cache();
    Workshop::open(&name(&asked.file), stream, &bytes, limits, settings, cache.as_deref())
        .map_err(|error| refused(&asked.file, error))
}

/// Where an author's compiled plugins are kept: the operating system's place for what can be made again.
pub(super) fn cache() -> Option<PathBuf> {
    config::cache_dir(&ProcessEnvironment).map(|folder| folder.join("plugins"))
}

/// The file's bytes.
pub(super) fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(file).map_err(|error| {
        let error = anyhow::Error::new(error).context(format!("cannot read {}", file.display()));
        Failure::new(error).hint("name the .wasm file that the build made")
    })
}

/// A file that is no plugin.
pub(super) fn refused(file: &Path, error: LoadError) -> Failure {
    let remedy = error.remedy();
    Failure::new(anyhow::Error::new(error).context(format!("{} is no plugin that a host would take", file.display())))
        .hint(remedy)
}

/// The plugin's name: the file's without its ending.
pub(super) fn name(file: &Path) -> String {
    file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}
