//! One transaction: ask the ledger, copy what it does not know, write that down.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use rustls::ClientConfig;

use super::classify::{Failed, TABLE_NOT_FOUND};
use super::login::credential;
use super::manifest::{Entry, body, identity, working_key};
use super::session::Session;
use super::settings::{SetUpError, Settings};
use super::tls;
use crate::definition::Redshift;
use crate::deliver::client::Client;
use crate::deliver::destination::Destination;
use crate::deliver::secrets::Secrets;
use crate::record::{Object, Partition, Seal};
use crate::runtime::Clock;

/// What the name of a stream's ledger begins with: the table of its batches that were loaded, beside the table they are
/// loaded into. One for each stream, because whoever asks holds it until the COPY is over: Redshift locks whole tables.
const LEDGER: &str = "hydrant_ledger_";

/// Loads objects that are staged.
#[derive(Debug)]
pub(super) struct Loader {
    pub(super) settings: Settings,
    pub(super) staging: Arc<dyn Destination>,
    egress: Client,
    secrets: Secrets,
    clock: Arc<dyn Clock>,
    tls: Arc<ClientConfig>,
    /// The ledger's name, with the schema of the table.
    ledger: String,
}

impl Loader {
    /// `settings` have been checked.
    pub(super) fn new(
        settings: Settings,
        staging: Arc<dyn Destination>,
        egress: Client,
        secrets: Secrets,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SetUpError> {
        let tls = tls::config(settings.ca_pem.as_deref())?;
        let ledger = Redshift::beside(&settings.redshift.table, &ledger_of(&settings.stream_name))?;
        Ok(Self { settings, staging, egress, secrets, clock, tls, ledger })
    }

    /// Loads those of `entries` that were not loaded before, all or none; how many these were. No more than
    /// [`MOST_ENTRIES`](super::destination::MOST_ENTRIES).
    pub(super) async fn load(&self, entries: &[Entry]) -> Result<usize, Failed> {
        let user = credential(&self.settings.redshift.login, &self.secrets).await?;
        let session = Session::open(&self.settings, &self.egress, &self.tls, &user).await?;
        let loaded = self.transact(&session, entries).await;
        session.close().await;
        loaded
    }

    /// How many of `entries`, each of another batch, were not loaded before. Changes nothing, and makes no ledger.
    pub(super) async fn missing(&self, entries: &[Entry]) -> Result<usize, Failed> {
        let user = credential(&self.settings.redshift.login, &self.secrets).await?;
        let session = Session::open(&self.settings, &self.egress, &self.tls, &user).await?;
        let asked = session.texts("ask the ledger", &self.question(entries)).await;
        session.close().await;
        let known: HashSet<String> = match asked {
            Err(failed) if failed.code == TABLE_NOT_FOUND => HashSet::new(),
            asked => asked?.into_iter().collect(),
        };
        Ok(entries.iter().filter(|entry| !known.contains(&entry.batch.to_string())).count())
    }

    /// After a failure the end of the session is the end of the transaction.
    async fn transact(&self, session: &Session, entries: &[Entry]) -> Result<usize, Failed> {
        self.have_ledger(session).await?;
        let table = &self.settings.redshift.table;
        session.run("begin a transaction", "BEGIN").await?;
        session.run("lock the ledger", &format!("LOCK {}", self.ledger)).await?;
        let known = session.texts("ask the ledger", &self.question(entries)).await?;
        let known: HashSet<String> = known.into_iter().collect();
        let mut wanted = HashSet::new();
        let is_new = |entry: &&Entry| !known.contains(&entry.batch.to_string()) && wanted.insert(entry.batch);
        let new: Vec<Entry> = entries.iter().filter(is_new).cloned().collect();
        if !new.is_empty() {
            let key = working_key(&self.settings.staging.prefix, &new);
            self.store_manifest(&key, &new).await?;
            let what =
                format!("copy {} objects into {table} by s3://{}/{key}", new.len(), self.settings.staging.bucket);
            session.run(&what, &self.copy(&key)).await?;
            session.run("write to the ledger", &self.note(&new)).await?;
        }
        session.run("commit", "COMMIT").await?;
        Ok(new.len())
    }

    /// Makes the ledger where there is none. A user who may not create tables can load when somebody else made it.
    async fn have_ledger(&self, session: &Session) -> Result<(), Failed> {
        let ledger = &self.ledger;
        let (what, look) = ("find the ledger", format!("SELECT batch FROM {ledger} WHERE 1 = 0"));
        match session.run(what, &look).await {
            Err(failed) if failed.code == TABLE_NOT_FOUND => {}
            other => return other,
        }
        let create = format!(
            "CREATE TABLE IF NOT EXISTS {ledger} (batch varchar(36) NOT NULL PRIMARY KEY, \
             stream varchar(64) NOT NULL, loaded_at timestamp NOT NULL)"
        );
        match session.run(&format!("create the table {ledger}"), &create).await {
            // Another host may have been faster; servers fail one of two that create the same table at once.
            Err(failed) => session.run(what, &look).await.map_err(|_| failed),
            made => made,
        }
    }

    fn question(&self, entries: &[Entry]) -> String {
        let batches: Vec<String> = entries.iter().map(|entry| literal(&entry.batch.to_string())).collect();
        format!("SELECT batch FROM {} WHERE batch IN ({})", self.ledger, batches.join(", "))
    }

    fn note(&self, entries: &[Entry]) -> String {
        let now = i64::try_from(self.clock.now_ms()).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
        let now = literal(&now.unwrap_or(jiff::Timestamp::MAX).strftime("%Y-%m-%d %H:%M:%S").to_string());
        let stream = literal(&self.settings.stream_name);
        let row = |entry: &Entry| format!("({}, {stream}, {now})", literal(&entry.batch.to_string()));
        let rows: Vec<String> = entries.iter().map(row).collect();
        format!("INSERT INTO {} (batch, stream, loaded_at) VALUES {}", self.ledger, rows.join(", "))
    }

    /// The statement that Firehose's console shows.
    fn copy(&self, manifest_key: &str) -> String {
        let Redshift { table, columns, copy_options, role_arn, .. } = &self.settings.redshift;
        let columns = if columns.is_empty() { String::new() } else { format!(" ({columns})") };
        let from = literal(&format!("s3://{}/{manifest_key}", self.settings.staging.bucket));
        let credentials = literal(&format!("aws_iam_role={role_arn}"));
        format!("COPY {table}{columns} FROM {from} CREDENTIALS {credentials} MANIFEST {copy_options};")
    }

    /// Stores the manifest of `entries` under `key`.
    pub(super) async fn store_manifest(&self, key: &str, entries: &[Entry]) -> Result<(), Failed> {
        let unwritten = |error| Failed::new("Redshift.InternalError", format!("cannot write a manifest: {error}"));
        let body = body(entries).map_err(unwritten)?;
        self.staging.deliver(&self.object(key, identity(entries), body)).await?;
        Ok(())
    }

    /// An object beside those of the stream, for a destination that names what it stores by a seal.
    fn object(&self, key: &str, id: uuid::Uuid, body: Bytes) -> Object {
        let staging = &self.settings.staging;
        let seal = Seal {
            id,
            stream: self.settings.stream,
            partition: Partition::Main,
            first: 0,
            end: 0,
            open_from: 0,
            definition_version: 0,
            bucket: staging.bucket.clone(),
            key: key.to_owned(),
            record_count: 0,
            content_bytes: body.len() as u64,
            oldest_arrived_ms: 0,
            sealed_ms: 0,
        };
        Object { seal: Arc::new(seal), body, content_encoding: None, kms_key_arn: staging.kms_key_arn.clone() }
    }
}

/// Name of a stream's ledger, legal without quotes. Streams whose names differ in case or punctuation alone share one,
/// and load one after the other.
fn ledger_of(stream: &str) -> String {
    let legal = |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '_' };
    LEDGER.chars().chain(stream.chars().map(legal)).collect()
}

/// A text in a statement. What the two servers read differently, a backslash, is refused by
/// [`Settings::check`] and in no name that is made here.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ledgers_have_plain_names() {
        assert_eq!(ledger_of("Orders.2026-eu_1"), "hydrant_ledger_orders_2026_eu_1");
        let named = |table: &str| Redshift::beside(table, &ledger_of("orders"));
        assert_eq!(named("shop.sales.orders").unwrap(), "shop.sales.hydrant_ledger_orders");
    }
}
