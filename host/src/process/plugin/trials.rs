//! Candidates come and go: one for each plugin, in memory only. Refuses to make one rule; that is a publication.

use std::sync::Arc;

use super::asked::Asked;
use super::candidate::{Candidate, Verdict};
use super::publish::PublishError;
use super::registry::Registry;
use crate::record::PluginVersion;

impl Registry {
    /// Takes the place of the candidate before; see [`PluginHost::put_beside`](super::PluginHost::put_beside).
    pub(super) fn put_beside(&self, name: &str, bytes: &[u8], asked: Asked) -> Result<PluginVersion, PublishError> {
        let _publishing = self.publishing();
        let (recipe, version) = self.recipe(name, bytes)?;
        let ruling = self.ruling(name).ok_or_else(|| PublishError::Unknown(name.to_owned()))?;
        if ruling == version {
            return Err(PublishError::Rules(name.to_owned()));
        }
        let plugin = self.prepare(&version, &recipe, bytes)?;
        self.keep_compiled(&recipe.component, Arc::clone(&plugin.compiled));
        self.end_candidate(name, Verdict::Ended("another one took its place".to_owned()));
        let (share, kind) = (asked.share, asked.kind);
        tracing::info!(plugin = %plugin, digest = %version.digest, ?kind, share, "plugin version is tried beside the ruling one");
        let now_ms = self.clock.now_ms();
        let candidate = Candidate::new(Arc::new(plugin.apart()), ruling, recipe.component, asked, now_ms);
        self.beside(name).set_candidate(Some(Arc::new(candidate)));
        Ok(version)
    }

    /// The candidate of a plugin, also one that has ended.
    pub(super) fn candidate(&self, name: &str) -> Option<Arc<Candidate>> {
        self.beside(name).candidate()
    }

    /// Every candidate, also those that have ended.
    pub(super) fn candidates(&self) -> Vec<Arc<Candidate>> {
        self.besides().iter().filter_map(|beside| beside.candidate()).collect()
    }

    /// Ends the candidate of a plugin; the ruling version rules from the next batch.
    pub(super) fn end_candidate(&self, name: &str, verdict: Verdict) -> Option<PluginVersion> {
        let candidate = self.candidate(name)?;
        if !candidate.end(verdict) {
            return None;
        }
        tracing::info!(plugin = %candidate.plugin, "plugin version is tried no more");
        self.changed.send_modify(|count| *count += 1);
        Some(candidate.version.clone())
    }

    /// A version was published: a candidate that it is has made it, and any other is over and forgotten.
    pub(super) fn succeed(&self, version: &PluginVersion) {
        let Some(candidate) = self.candidate(&version.name) else { return };
        if candidate.version != *version || !candidate.end(Verdict::Promoted) {
            candidate.end(Verdict::Ended("another version was published".to_owned()));
            self.beside(&version.name).set_candidate(None);
        }
    }
}
