//! Loads what was skipped: every manifest below `errors/manifests/` whose batches are not in the ledger.
//!
//! Manifests that Firehose itself wrote are read, too: the uuid in an object's name is the batch. Manifests stay where
//! they are; the ledger is what says that one was loaded.

use std::fmt::Debug;

use async_trait::async_trait;
use bytes::Bytes;

use super::classify::Failed;
use super::destination::{MOST_ENTRIES, RedshiftDestination};
use super::manifest::{Entry, SKIPPED, parse};
use crate::deliver::destination::DeliveryError;

/// Longest manifest that is read: some 100,000 objects.
const MOST_MANIFEST_BYTES: usize = 16 << 20;

/// Code of [`Shelf::read`] for an object that is larger than was asked for.
pub(in crate::deliver) const TOO_LARGE: &str = "S3.ObjectTooLarge";

/// A look into buckets.
#[async_trait]
pub trait Shelf: Send + Sync + Debug {
    /// Some keys that begin with `prefix` and come after `after`, rising; none when there are no more.
    async fn list(&self, bucket: &str, prefix: &str, after: Option<&str>) -> Result<Vec<String>, DeliveryError>;
    /// The bytes under `key`, an error when there are more than `most_bytes`.
    async fn read(&self, bucket: &str, key: &str, most_bytes: usize) -> Result<Bytes, DeliveryError>;
}

/// What a run over manifests is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To load what is not loaded.
    Load,
    /// To see what is not loaded, and to change nothing.
    Look,
}

/// What became of one manifest.
#[derive(Debug)]
pub struct Recopied {
    /// Its key.
    pub key: String,
    /// Objects in it.
    pub entries: usize,
    /// How many of them were loaded now, or would be, the others having been loaded before; or why not all of them could
    /// be.
    pub outcome: Result<usize, DeliveryError>,
}

/// What became of all manifests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Manifests of which at least one object was loaded now.
    pub loaded: u64,
    /// Manifests whose objects had all been loaded before.
    pub known: u64,
    /// Manifests that could not be loaded.
    pub failed: u64,
}

impl Tally {
    /// Counts one more manifest.
    pub fn count(&mut self, one: &Recopied) {
        match one.outcome {
            Ok(0) => self.known += 1,
            Ok(_) => self.loaded += 1,
            Err(_) => self.failed += 1,
        }
    }
}

impl RedshiftDestination {
    /// Loads every skipped manifest whose key, after `errors/manifests/`, begins with `below` (`2026/11/`; empty means
    /// all) through the ledger, and tells of each. It can be run again, also while the stream delivers.
    ///
    /// # Errors
    /// One that the next manifest would meet, too: no listing, no connection, no permission. What is about one manifest
    /// is told and counted instead.
    pub async fn recopy(
        &self,
        shelf: &dyn Shelf,
        below: &str,
        purpose: Purpose,
        tell: &mut (dyn FnMut(&Recopied) + Send),
    ) -> Result<Tally, DeliveryError> {
        let staging = &self.shared.loader.settings.staging;
        let all = format!("{}{SKIPPED}", staging.prefix);
        let mut tally = Tally::default();
        let mut after: Option<String> = None;
        loop {
            let keys = shelf.list(&staging.bucket, &format!("{all}{below}"), after.as_deref()).await?;
            let Some(last) = keys.last() else { return Ok(tally) };
            after = Some(last.clone());
            for key in keys {
                let folder = key.strip_prefix(&all).and_then(|rest| rest.rsplit_once('/')).map(|(folder, _)| folder);
                let folder = folder.map(|folder| format!("{folder}/")).unwrap_or_default();
                let told = self.recopy_one(shelf, key, &folder, purpose).await?;
                tally.count(&told);
                tell(&told);
            }
        }
    }

    async fn recopy_one(
        &self,
        shelf: &dyn Shelf,
        key: String,
        folder: &str,
        purpose: Purpose,
    ) -> Result<Recopied, DeliveryError> {
        let bytes = match shelf.read(&self.shared.loader.settings.staging.bucket, &key, MOST_MANIFEST_BYTES).await {
            Ok(bytes) => bytes,
            Err(error) if error.code == TOO_LARGE => return Ok(Recopied { key, entries: 0, outcome: Err(error) }),
            Err(error) => return Err(error),
        };
        let entries = match parse(&bytes, folder) {
            Ok(entries) => entries,
            Err(why) => {
                let failed = Failed::new("Redshift.IncorrectManifest", format!("{key} is passed over: {why}"));
                return Ok(Recopied { key, entries: 0, outcome: Err(self.error(failed)) });
            }
        };
        let outcome = match self.load_all(&entries, purpose).await {
            Ok(loaded) => Ok(loaded),
            Err(failed) if failed.may_be_one_object() => Err(self.error(failed)),
            Err(failed) => return Err(self.error(failed)),
        };
        Ok(Recopied { key, entries: entries.len(), outcome })
    }

    /// A long manifest is loaded in parts.
    async fn load_all(&self, entries: &[Entry], purpose: Purpose) -> Result<usize, Failed> {
        let mut loaded = 0;
        for part in entries.chunks(MOST_ENTRIES) {
            loaded += match purpose {
                Purpose::Look => self.shared.loader.missing(part).await?,
                Purpose::Load => {
                    let _turn = self.shared.turn.lock().await;
                    self.shared.loader.load(part).await?
                }
            };
        }
        Ok(loaded)
    }
}
