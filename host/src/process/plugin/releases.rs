//! Which versions of each plugin ruled lately, newest last, so that one can be taken back. Durable, and bounded: older
//! releases are forgotten, and with them their components, once no replay needs them. Refuses to know what a version is.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::store::{StoreError, failed};

/// A version that ruled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// What names the version.
    pub digest: String,
    /// SHA-256 of its component.
    pub component: String,
    /// When it took over, milliseconds since 1970.
    pub since_ms: u64,
    /// How it came: `file`, `publish`, `rollback` or `canary`.
    pub by: String,
}

/// Releases by plugin.
#[derive(Debug)]
pub(super) struct Releases {
    path: PathBuf,
    by_plugin: BTreeMap<String, Vec<Release>>,
}

impl Releases {
    /// Reads them; none when there is no file, or when it is damaged, which is said in the log.
    pub(super) fn open(path: PathBuf) -> Self {
        let by_plugin = match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).unwrap_or_else(|error| {
                tracing::warn!(file = %path.display(), %error, "earlier plugin releases are forgotten");
                BTreeMap::new()
            }),
            Err(_) => BTreeMap::new(),
        };
        Self { path, by_plugin }
    }

    /// Those of a plugin, newest last.
    pub(super) fn of(&self, name: &str) -> &[Release] {
        self.by_plugin.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// Every release.
    pub(super) fn all(&self) -> impl Iterator<Item = &Release> {
        self.by_plugin.values().flatten()
    }

    /// Notes that a version rules; durable on return. The one that ruled before it, again, is not a release.
    ///
    /// # Errors
    /// The file system refused.
    pub(super) fn add(&mut self, name: &str, release: Release) -> Result<(), StoreError> {
        let releases = self.by_plugin.entry(name.to_owned()).or_default();
        if releases.last().is_some_and(|last| last.digest == release.digest) {
            return Ok(());
        }
        releases.push(release);
        let surplus = releases.len().saturating_sub(RELEASES);
        releases.drain(..surplus);
        self.write().map_err(failed("write", &self.path))
    }

    fn write(&self) -> io::Result<()> {
        let written = self.path.with_extension("new");
        let mut file = File::create(&written)?;
        file.write_all(&serde_json::to_vec_pretty(&self.by_plugin)?)?;
        file.sync_all()?;
        fs::rename(&written, &self.path)?;
        self.path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    }
}

/// Per plugin: enough to step back over a bad week.
const RELEASES: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_releases_are_kept_over_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("releases.json");
        let mut releases = Releases::open(path.clone());
        for at in 0..=RELEASES as u64 {
            let release =
                Release { digest: at.to_string(), component: at.to_string(), since_ms: at, by: "file".to_owned() };
            releases.add("p", release.clone()).unwrap();
            releases.add("p", release).unwrap();
        }
        let releases = Releases::open(path.clone());
        let digests: Vec<_> = releases.of("p").iter().map(|release| release.since_ms).collect();
        assert_eq!(digests, (1..=RELEASES as u64).collect::<Vec<_>>());
        assert!(releases.of("q").is_empty());
        fs::write(&path, "{").unwrap();
        assert_eq!(Releases::open(path).all().count(), 0);
    }
}
