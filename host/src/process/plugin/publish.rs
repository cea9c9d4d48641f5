//! A version takes over: compiled, tried, durable, and only then in force. Refuses to look at files or at who asks.

use std::sync::Arc;

use super::asked::AskError;
use super::component::LoadError;
use super::loaded::Plugin;
use super::needs::Needs;
use super::registry::{Registry, lock};
use super::releases::Release;
use super::reload::is_name;
use super::store::{StoreError, digest_of};
use super::version::Recipe;
use crate::record::PluginVersion;

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
        let (recipe, version) = self.recipe(name, bytes)?;
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

    /// What these bytes are with the settings and grants of today.
    ///
    /// # Errors
    /// They declare a capability that is not granted, or what no host understands.
    pub(super) fn recipe(&self, name: &str, bytes: &[u8]) -> Result<(Recipe, PluginVersion), LoadError> {
        let settings = self.settings.plugin_settings.get(name).cloned().unwrap_or_default();
        let granted = self.settings.grants.get(name);
        let capabilities = Needs::of(bytes)?.capabilities;
        if let Some(capability) = capabilities.iter().find(|one| !granted.is_some_and(|all| all.contains(one))) {
            return Err(LoadError::NotGranted { plugin: name.to_owned(), capability: capability.name() });
        }
        let recipe = Recipe { component: digest_of(bytes), settings, capabilities };
        let version = PluginVersion { name: name.to_owned(), digest: recipe.digest().0 };
        Ok((recipe, version))
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
        let plugin = self.plugin(version.clone(), compiled, recipe.clone());
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
}
