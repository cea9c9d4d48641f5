//! The seam's side of it: stage, wait for the turn, tell each batch what became of it.
//!
//! Every delivery brings a turn of its own. A turn waits for the one before it, takes all that waits, up to
//! [`MOST_ENTRIES`], and loads it by one COPY. There are never fewer turns than batches that wait, so none is forgotten;
//! most turns find nothing left to do. Turns are tasks: a delivery whose future is dropped takes only itself away.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use jiff::tz::TimeZone;
use tokio::sync::oneshot;

use super::classify::Failed;
use super::load::Loader;
use super::manifest::{Entry, skipped_key};
use super::settings::{SetUpError, Settings};
use crate::deliver::client::Client;
use crate::deliver::destination::{DeliveryError, Destination, Receipt};
use crate::deliver::secrets::Secrets;
use crate::record::{Object, Partition, Seal};
use crate::runtime::Clock;

/// Most objects of one COPY. Its statements stay below 100 KiB and its manifest below 2 MiB, and a transaction of a
/// thousand full objects is as long as one should be.
pub(super) const MOST_ENTRIES: usize = 1000;

/// Redshift, for one stream.
#[derive(Debug)]
pub struct RedshiftDestination {
    pub(super) shared: Arc<Shared>,
    pub(super) zone: TimeZone,
}

/// What turns use.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) loader: Loader,
    /// Batches that are staged, oldest first. No longer than the number of deliveries at once, which the pipeline bounds.
    waiting: Mutex<VecDeque<Waiting>>,
    /// Held by the turn whose COPY runs.
    pub(super) turn: tokio::sync::Mutex<()>,
}

/// A staged batch, and whoever wants to know what becomes of it.
#[derive(Debug)]
struct Waiting {
    entry: Entry,
    tell: oneshot::Sender<Result<(), Failed>>,
}

impl RedshiftDestination {
    /// A destination for one stream. `staging` stores objects and manifests in S3, `egress` connects to the cluster,
    /// `secrets` has the login of a stream that names one.
    ///
    /// # Errors
    /// A text of the settings that is no part of a statement, or certificates that cannot be trusted.
    pub fn new(
        settings: Settings,
        staging: Arc<dyn Destination>,
        egress: Client,
        secrets: Secrets,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SetUpError> {
        let zone = settings.check()?;
        let loader = Loader::new(settings, staging, egress, secrets, clock)?;
        let shared = Shared { loader, waiting: Mutex::default(), turn: tokio::sync::Mutex::default() };
        Ok(Self { shared: Arc::new(shared), zone })
    }

    /// Writes the manifest of a batch that is given up below `errors/manifests/`, from where
    /// [`recopy`](Self::recopy) or a COPY by hand loads it. The object itself must have been staged, so a failure with a
    /// code of S3 is no reason to give up.
    ///
    /// # Errors
    /// What S3 answered: the batch must not be forgotten then.
    pub async fn skipped(&self, seal: &Seal) -> Result<(), DeliveryError> {
        let loader = &self.shared.loader;
        let entry = Entry::of(seal, &self.zone);
        let key = skipped_key(&loader.settings.staging.prefix, &entry);
        let stored = loader.store_manifest(&key, std::slice::from_ref(&entry)).await;
        stored.map_err(|failed| self.error(failed))
    }

    pub(super) fn error(&self, failed: Failed) -> DeliveryError {
        failed.into_error(self.shared.loader.settings.retry_interval)
    }
}

#[async_trait]
impl Destination for RedshiftDestination {
    async fn prepare(&self, bucket: &str) -> Result<(), DeliveryError> {
        self.shared.loader.staging.prepare(bucket).await
    }

    async fn deliver(&self, object: &Object) -> Result<Receipt, DeliveryError> {
        let stored = self.shared.loader.staging.deliver(object).await?;
        if matches!(object.seal.partition, Partition::Error(_) | Partition::Source) {
            // No rows of the table: S3 is where they end.
            return Ok(stored);
        }
        let (tell, told) = oneshot::channel();
        self.shared.enqueue(Waiting { entry: Entry::of(&object.seal, &self.zone), tell });
        tokio::spawn(turn(Arc::clone(&self.shared)));
        match told.await {
            Ok(Ok(())) => Ok(Receipt::default()),
            Ok(Err(failed)) => Err(self.error(failed)),
            Err(_) => {
                let text = "the COPY ended without a result; the ledger tells the next attempt what became of it";
                Err(self.error(Failed::new("Redshift.InternalError", text.to_owned())))
            }
        }
    }

    async fn give_up(&self, object: &Object) -> Result<(), DeliveryError> {
        self.skipped(&object.seal).await
    }
}

impl Shared {
    fn enqueue(&self, waiting: Waiting) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push_back(waiting);
    }

    /// The oldest that wait. Those nobody waits for any more are left out: they are delivered again.
    fn take(&self) -> Vec<Waiting> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|one| !one.tell.is_closed());
        let count = waiting.len().min(MOST_ENTRIES);
        waiting.drain(..count).collect()
    }
}

/// Loads all that waits. Where one bad object may have failed the others, each half is loaded alone, and so on: a bad
/// batch delays no other, at the price of at most two COPYs per batch.
async fn turn(shared: Arc<Shared>) {
    let _turn = shared.turn.lock().await;
    let mut parts = vec![shared.take()];
    while let Some(mut part) = parts.pop() {
        if part.is_empty() {
            continue;
        }
        let entries: Vec<Entry> = part.iter().map(|one| one.entry.clone()).collect();
        match shared.loader.load(&entries).await {
            Err(failed) if part.len() > 1 && failed.may_be_one_object() => {
                let rest = part.split_off(part.len() / 2);
                parts.push(rest);
                parts.push(part);
            }
            outcome => {
                for one in part {
                    // Who no longer listens asks again.
                    let _heard = one.tell.send(outcome.clone().map(drop));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::definition::{Login, Redshift, S3Destination, Secret, testing};
    use crate::deliver::client::Egress;
    use crate::deliver::testing::Memory;
    use crate::record::StreamId;
    use crate::runtime::ManualClock;

    fn settings() -> Settings {
        let redshift = Redshift {
            jdbc_url: String::new(),
            host: "a.redshift.example.com".to_owned(),
            port: 5439,
            database: "dev".to_owned(),
            table: "orders".to_owned(),
            columns: String::new(),
            copy_options: String::new(),
            role_arn: "arn:aws:iam::1:role/r".to_owned(),
            login: Login::Given { user: "u".to_owned(), secret: Secret::new("hunter2") },
            retry_seconds: 0,
        };
        let staging = S3Destination { bucket: "b".to_owned(), buffer_bytes: 1, buffer_seconds: 1, ..testing::s3() };
        Settings::new(redshift, staging, StreamId(1), "orders")
    }

    fn destination(settings: Settings) -> Result<RedshiftDestination, SetUpError> {
        let egress = Client::new(Egress::default()).unwrap();
        RedshiftDestination::new(
            settings,
            Arc::new(Memory::new("b")),
            egress,
            Secrets::new(None),
            Arc::new(ManualClock::at(0)),
        )
    }

    /// A manifest has at most a thousand entries; what is given up while it waits is in none.
    #[test]
    fn a_copy_takes_the_oldest_up_to_a_bound() {
        let destination = destination(settings()).unwrap();
        let mut told = Vec::new();
        for number in 0..MOST_ENTRIES as u128 + 3 {
            let batch = Uuid::from_u128(number);
            let (tell, listens) = oneshot::channel();
            let entry = Entry { batch, url: format!("s3://b/{batch}"), folder: String::new() };
            destination.shared.enqueue(Waiting { entry, tell });
            told.push(listens);
        }
        told.remove(1);
        let take = || destination.shared.take().iter().map(|one| one.entry.batch.as_u128()).collect::<Vec<_>>();
        let (first, second) = (take(), take());
        assert_eq!((first.len(), first[0], first[1]), (MOST_ENTRIES, 0, 2));
        assert_eq!((second, take()), (vec![1001, 1002], vec![]));
    }

    #[test]
    fn what_is_no_part_of_a_statement_is_refused() {
        let refused = |change: fn(&mut Settings)| {
            let mut settings = settings();
            change(&mut settings);
            destination(settings).unwrap_err().to_string()
        };
        assert!(refused(|it| it.redshift.table = "t; drop".to_owned()).contains("DataTableName"));
        assert!(refused(|it| it.redshift.columns = "a)".to_owned()).contains("DataTableColumns"));
        assert!(refused(|it| it.redshift.copy_options = ";".to_owned()).contains("CopyOptions"));
        assert!(refused(|it| it.redshift.role_arn = "x;y=z".to_owned()).contains("RoleARN"));
        assert!(refused(|it| it.staging.prefix = "a'b".to_owned()).contains("Prefix"));
        assert!(refused(|it| it.staging.prefix = "a\\b".to_owned()).contains("Prefix"));
        assert!(refused(|it| it.stream_name = "a'".to_owned()).contains("DeliveryStreamName"));
        assert!(refused(|it| it.staging.time_zone = "Mars/Base".to_owned()).contains("Mars/Base"));
        assert!(refused(|it| it.redshift.login = Login::None).contains("Password"));
        assert!(refused(|it| it.ca_pem = Some(b"no certificate".to_vec())).contains("holds none"));
    }

    #[tokio::test]
    async fn error_outputs_and_backups_are_only_stored() {
        let destination = destination(settings()).unwrap();
        let mut object = crate::deliver::testing::object("b", "source", b"as it came");
        let seal = Seal { partition: Partition::Source, ..object.seal.as_ref().clone() };
        object.seal = Arc::new(seal);
        destination.deliver(&object).await.unwrap();
        object.seal = Arc::new(Seal { partition: Partition::Main, ..object.seal.as_ref().clone() });
        // Nothing may be spoken to.
        let refused = destination.deliver(&object).await.unwrap_err();
        assert_eq!(refused.code, "Redshift.ConnectionFailed");
        assert!(!format!("{refused} {refused:?} {destination:?}").contains("hunter2"));
    }
}
