//! One sealed batch on its way: encode, deliver, repeat until stored, tell the journal.
//!
//! An object whose destination stays away gives its memory back and waits in a file, or, where there is no room for it, is
//! made again from the journal for a later attempt, so that a dead destination costs disk, not memory. What a destination
//! other than S3 does not take in time goes to the error output. Refuses to give up on that: nothing acknowledged is
//! thrown away here.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::Instant;
use uuid::Uuid;

use crate::batch::Scale;
use crate::batch::name::{NameError, object_key};
use crate::definition::Definition;
use crate::deliver::{DeliveryError, Outlet, Verdict};
use crate::encode;
use crate::record::{Content, Documents, ErrorOutput, Object, Partition, Rejected, Rows, Seal, Sealed};
use crate::runtime::Random;
use crate::telemetry::StreamMetrics;

use super::Context;
use super::budget::Share;
use super::dead_letter::REDELIVERED;
use super::history::History;
use super::ladder::{Ladder, Next};
use super::outlet::Outlets;
use super::parcel::Parcel;
use super::{is_true, replay};

/// Attempts a body is kept in memory for; after that the destination is taken to be down for a while.
const ATTEMPTS_IN_MEMORY: u32 = 3;

/// Tells the error output of a batch from the batch: leaves the bits alone that say what kind of uuid it is.
const FAILURES_OF: u128 = 0x6661_696c_7572_0000_0000_6f66_6261_7463;

/// What codes of failures begin with that say that an object is staged and was not loaded. Only these may end in giving
/// it up: whatever else went wrong, the object may be nowhere.
const LOADING: &str = "Redshift.";

/// A sealed batch and everything its delivery needs.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) context: Arc<Context>,
    pub(crate) history: Arc<History>,
    pub(crate) metrics: StreamMetrics,
    pub(crate) seal: Arc<Seal>,
    /// The content, when it is still there.
    pub(crate) content: Option<Held>,
    /// What its parts promised of the object's size, and who learns what became of that.
    pub(crate) promised: Option<(u64, Arc<Scale>)>,
    /// Where the stream's own records go.
    pub(crate) outlets: Arc<Outlets>,
    /// Turns true when the process stops waiting for destinations.
    pub(crate) cancelled: watch::Receiver<bool>,
}

/// A sealed batch's content and the memory it holds.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) content: Content,
    /// Of the host's budget; shrinks to the body's size.
    pub(crate) share: Share,
    /// Of what its stream may have waiting for the encoder; none for a batch that is made again.
    pub(crate) unencoded: Option<Share>,
}

/// How a delivery ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Stored, and the journal knows.
    Delivered,
    /// Given up because the process stops; the journal still holds it.
    Cancelled,
}

impl Delivery {
    /// Delivers until it is done or cancelled.
    pub(crate) async fn run(mut self) -> Ended {
        let mut cancelled = self.cancelled.clone();
        let lost = tokio::select! {
            lost = self.until_done() => lost,
            () = is_true(&mut cancelled) => return Ended::Cancelled,
        };
        self.context.journal.delivered(self.seal.stream, self.seal.id);
        if self.is_of_destination() {
            let bytes = self.seal.content_bytes.saturating_sub(lost.bytes);
            self.metrics.delivered.add(self.seal.record_count.saturating_sub(lost.records), bytes);
            self.metrics.undelivered.add(lost.records, lost.bytes);
        }
        Ended::Delivered
    }

    fn is_of_destination(&self) -> bool {
        matches!(self.seal.partition, Partition::Main | Partition::Keyed(_))
    }

    async fn until_done(&mut self) -> Lost {
        let definition = self.outlets.definition();
        if self.is_of_destination() && definition.delivers_rows() {
            self.rows_until_done().await
        } else if self.is_of_destination() && !definition.target.is_s3() {
            self.object_until_done().await
        } else {
            self.object_until_stored().await;
            Lost::default()
        }
    }

    /// S3 is never given up: nothing of what is stored there has anywhere else to go.
    async fn object_until_stored(&mut self) {
        let mut attempts = 0;
        let mut held: Option<Parcel> = None;
        loop {
            let (mut parcel, room) = self.parcel(held.take()).await;
            let Some(object) = self.opened(&mut parcel).await else { continue };
            let Err(error) = self.put(object).await else { return };
            attempts += 1;
            held = self.kept(parcel, attempts).await;
            drop(room);
            self.pause(attempts, &error, None).await;
        }
    }

    /// One attempt to store an object in S3.
    async fn put(&self, object: &Object) -> Result<(), DeliveryError> {
        let stored = {
            let _turn = self.context.delivery_turns.acquire().await;
            self.context.destination.deliver(object).await
        };
        match stored {
            Ok(_) => {
                self.metrics.delivered_objects.inc();
                let Seal { stream, bucket, key, record_count, .. } = &*object.seal;
                tracing::info!(%stream, %bucket, %key, records = record_count, "object delivered");
                Ok(())
            }
            Err(error) => {
                self.metrics.delivery_retries.inc();
                Err(error)
            }
        }
    }

    /// Stores an object in S3, however long that takes.
    async fn put_at_last(&self, object: &Object) {
        let mut attempts = 0;
        while let Err(error) = self.put(object).await {
            attempts += 1;
            self.pause(attempts, &error, None).await;
        }
    }

    /// A destination that takes objects and may be given up.
    async fn object_until_done(&mut self) -> Lost {
        let mut ladder = Ladder::new();
        let mut attempts_before = 0;
        let mut held: Option<Parcel> = None;
        loop {
            let (mut parcel, room) = self.parcel(held.take()).await;
            let Some(object) = self.opened(&mut parcel).await else { continue };
            let retry = self.retry();
            let outlet = self.outlets.current();
            let outcome = match &outlet {
                Ok(Some(Outlet::Objects(outlet))) => outlet.deliver(object).await,
                Ok(_) => Err(unopened(&self.seal)),
                Err(error) => Err(repeated(error)),
            };
            let failure = outcome.as_ref().err().map(repeated);
            if let Some(failure) = failure.as_ref().filter(|failure| !failure.code.starts_with(LOADING)) {
                // Nothing says that it is staged, so it may be nowhere yet: it is never given up.
                attempts_before += 1;
                held = self.kept(parcel, attempts_before).await;
                drop(room);
                self.metrics.delivery_retries.inc();
                self.pause(attempts_before, failure, None).await;
                continue;
            }
            match ladder.learn(1, outcome.as_ref().cloned(), Instant::now(), retry) {
                Next::Again(left) => {
                    held = self.kept(parcel, ladder.attempts()).await;
                    drop(room);
                    let failure = failure.unwrap_or_else(|| unopened(&self.seal));
                    self.metrics.delivery_retries.inc();
                    self.pause(ladder.attempts(), &failure, Some(left)).await;
                }
                Next::Done if !ladder.has_lost() => {
                    let Seal { stream, bucket, key, record_count, .. } = &*self.seal;
                    tracing::info!(%stream, %bucket, %key, records = record_count, "staged object loaded");
                    return Lost::default();
                }
                Next::Done => {
                    if let Ok(Some(Outlet::Objects(outlet))) = outlet {
                        let mut attempts = 0;
                        while let Err(error) = outlet.give_up(object).await {
                            attempts += 1;
                            self.pause(attempts, &error, None).await;
                        }
                    }
                    tracing::error!(stream = %self.seal.stream, key = %self.seal.key, "a staged object was not loaded in time; it stays where it is, and a manifest below errors/manifests/ loads it");
                    return Lost { records: self.seal.record_count, bytes: self.seal.content_bytes };
                }
            }
        }
    }

    /// A destination that takes records one by one and may be given up.
    async fn rows_until_done(&mut self) -> Lost {
        let mut ladder = Ladder::new();
        let mut held: Option<(Rows, Share)> = None;
        loop {
            let (rows, share) = match held.take() {
                Some(held) => held,
                None => self.rows().await,
            };
            let retry = self.retry();
            let documents = Documents { seal: Arc::clone(&self.seal), rows: ladder.outstanding(rows.clone()) };
            let outlet = self.outlets.current();
            let outcome = match &outlet {
                Ok(Some(Outlet::Rows(outlet))) => outlet.deliver(&documents).await,
                Ok(_) => Err(unopened(&self.seal)),
                Err(error) => Err(repeated(error)),
            };
            drop(documents);
            let failure = match &outcome {
                Ok(receipt) => receipt.again.first().map(|postponed| DeliveryError {
                    verdict: Verdict::Retry(None),
                    code: "Postponed",
                    text: format!("{} records are to be sent again: {}", receipt.again.len(), postponed.message),
                    source: None,
                }),
                Err(error) => Some(repeated(error)),
            };
            match ladder.learn(rows.len(), outcome.as_ref().cloned(), Instant::now(), retry) {
                Next::Again(left) => {
                    if ladder.attempts() < ATTEMPTS_IN_MEMORY && !self.context.budget.is_over() {
                        held = Some((rows, share));
                    }
                    let failure = failure.unwrap_or_else(|| unopened(&self.seal));
                    self.metrics.delivery_retries.inc();
                    self.pause(ladder.attempts(), &failure, Some(left)).await;
                }
                Next::Done => return self.file_rows(rows, &ladder, outlet.ok().flatten()).await,
            }
        }
    }

    /// Stores in S3 what belongs there of a batch of rows: everything, where all is backed up, and what was not taken.
    async fn file_rows(&self, rows: Rows, ladder: &Ladder, outlet: Option<Outlet>) -> Lost {
        let definition = self.outlets.definition();
        if definition.persistence().is_some_and(|(_, backs_up_all)| backs_up_all) {
            // What is delivered once more was copied when it was delivered first.
            let new: Vec<usize> = (0..rows.len()).filter(|&at| rows.value(REDELIVERED, at).is_none()).collect();
            let is_all = new.len() == rows.len();
            let copied = || Content::Rows(if is_all { rows.clone() } else { rows.select(&new) });
            if !new.is_empty() {
                let copy = self.until_made(|| self.encode(Arc::clone(&self.seal), copied())).await;
                self.put_at_last(&copy).await;
            }
        }
        if !ladder.has_lost() {
            return Lost::default();
        }
        let template = Rejected {
            sequence: 0,
            arrived_ms: 0,
            data: Bytes::new(),
            output: definition.undelivered_output(),
            code: Cow::Borrowed(""),
            message: String::new(),
            attempts: 0,
            lambda_arn: None,
            plugin: None,
            names: Vec::new(),
            is_repeatable: true,
        };
        let documents = Documents { seal: Arc::clone(&self.seal), rows };
        let names = |at: usize| match &outlet {
            Some(Outlet::Rows(outlet)) => outlet.names_of(&documents, at),
            _ => Vec::new(),
        };
        let rejected = ladder.rejected(&documents.rows, &template, names);
        let lost =
            Lost { records: rejected.len() as u64, bytes: rejected.iter().map(|one| one.data.len() as u64).sum() };
        let code = rejected.first().map_or("", |one| &*one.code);
        tracing::warn!(stream = %self.seal.stream, records = lost.records, code, "records were not taken by the destination; they go to the error output");
        let object = self.until_made(|| self.failures(template.output, rejected.clone())).await;
        self.put_at_last(&object).await;
        lost
    }

    /// The object of the error output for what a destination did not take of this batch. Its name derives from the
    /// batch's, so that a delivery that is repeated after a crash writes it again.
    async fn failures(&self, output: ErrorOutput, rejected: Vec<Rejected>) -> Result<Object, PrepareError> {
        let definition = self.sealed_definition()?;
        let partition = Partition::Error(output);
        let id = Uuid::from_u128(self.seal.id.as_u128() ^ FAILURES_OF);
        let random = Random::seeded(self.seal.id.as_u64_pair().1);
        let key = object_key(&definition, &partition, self.seal.oldest_arrived_ms, id, &random)?;
        let record_count = rejected.len() as u64;
        let content = Content::Rejected(rejected);
        let (bucket, content_bytes) = (definition.s3_of(&partition).bucket.clone(), content.bytes());
        let sealed_ms = self.context.clock.now_ms();
        let seal = Seal { id, partition, bucket, key, record_count, content_bytes, sealed_ms, ..(*self.seal).clone() };
        self.encode(Arc::new(seal), content).await
    }

    fn retry(&self) -> Duration {
        let (seconds, _) = self.outlets.definition().persistence().unwrap_or_default();
        Duration::from_secs(u64::from(seconds))
    }

    /// Waits before the next attempt, at most `most`.
    async fn pause(&self, attempts: u32, error: &DeliveryError, most: Option<Duration>) {
        let floor = match error.verdict {
            Verdict::Retry(after) => after,
            Verdict::Reject | Verdict::Stop => None,
        };
        let wait = self.context.backoff.wait(attempts, floor, &self.context.random).min(most.unwrap_or(Duration::MAX));
        tracing::warn!(
            stream = %self.seal.stream, bucket = %self.seal.bucket, key = %self.seal.key, code = error.code, attempts,
            retry_in_ms = wait.as_millis(), error = %error, "delivery failed, will be repeated"
        );
        tokio::time::sleep(wait).await;
    }

    /// The encoded object and, when it is in a file, room to read it.
    async fn parcel(&mut self, held: Option<Parcel>) -> (Parcel, Option<OwnedSemaphorePermit>) {
        let mut parcel = match held {
            Some(parcel) => parcel,
            None => self.made().await,
        };
        // Many objects may wait for their turn at once, as when all partitions are due.
        if self.context.budget.is_over() && parcel.parked_bytes().is_none() {
            parcel = match parcel.park(&self.context.spool).await {
                Ok(parked) => parked,
                // It is sent from where it is.
                Err(parcel) => parcel,
            };
        }
        let room = match parcel.parked_bytes() {
            Some(bytes) => self.context.send_room.take(bytes).await,
            None => None,
        };
        (parcel, room)
    }

    /// The object of a parcel; none when its file is damaged.
    async fn opened<'p>(&self, parcel: &'p mut Parcel) -> Option<&'p Object> {
        match parcel.open().await {
            Ok(object) => Some(object),
            Err(error) => {
                tracing::warn!(stream = %self.seal.stream, key = %self.seal.key, %error, "an object that waited in a file cannot be read and is made again");
                None
            }
        }
    }

    /// What is kept of an object for its next attempt: while the destination may be back soon, all of it.
    async fn kept(&self, parcel: Parcel, attempts: u32) -> Option<Parcel> {
        if attempts < ATTEMPTS_IN_MEMORY && !self.context.budget.is_over() {
            return Some(parcel);
        }
        parcel.park(&self.context.spool).await.ok()
    }

    /// The encoded object, from what was accumulated or made again.
    async fn made(&mut self) -> Parcel {
        let (Held { content, mut share, unencoded }, room) = self.content().await;
        // What is in a file is in memory until it is encoded.
        share.resize(usize::try_from(content.bytes()).unwrap_or(usize::MAX).max(content.bytes_in_memory()));
        // Encoding takes the content; should that fail, as where its file is gone, it is made again, in the room that it has:
        // asking for more while holding some may be for ever.
        let mut content = Some(content);
        let object = self
            .until_made(|| {
                let content = content.take();
                async {
                    let content = match content {
                        Some(content) => content,
                        None => self.remade().await?.content,
                    };
                    self.encode(Arc::clone(&self.seal), content).await
                }
            })
            .await;
        drop((unencoded, room));
        if let Some((promised_bytes, scale)) = self.promised.take() {
            scale.learn(promised_bytes, object.body.len() as u64);
        }
        Parcel::new(object, share)
    }

    /// The rows, from memory or made again.
    async fn rows(&mut self) -> (Rows, Share) {
        let (Held { content, share, .. }, _room) = self.content().await;
        match content {
            Content::Rows(rows) => (rows, share),
            // No other content is sealed for a destination that takes rows; should it be, it waits and is not lost.
            Content::Records(_) | Content::Spilled { .. } | Content::Rejected(_) => {
                (self.until_made(|| async { Err(PrepareError::Rows) }).await, share)
            }
        }
    }

    /// The content, and the room that it takes where it was not in memory.
    async fn content(&mut self) -> (Held, Option<OwnedSemaphorePermit>) {
        match self.content.take() {
            Some(held @ Held { content: Content::Spilled { .. }, .. }) => {
                let room = self.context.encode_room.take(held.content.bytes()).await;
                (held, room)
            }
            Some(held) => (held, None),
            None => self.until_made(|| self.made_again()).await,
        }
    }

    /// Makes something that a damaged disk or a missing plugin may stand in the way of, however long that takes.
    async fn until_made<T, F: Future<Output = Result<T, PrepareError>>>(&self, mut make: impl FnMut() -> F) -> T {
        let mut attempts = 0;
        loop {
            match make().await {
                Ok(made) => return made,
                Err(error) => {
                    attempts += 1;
                    let wait = self.context.backoff.wait(attempts, None, &self.context.random);
                    tracing::error!(stream = %self.seal.stream, key = %self.seal.key, error = with_causes(&error), "a sealed batch cannot be made, will be repeated");
                    tokio::time::sleep(wait).await;
                }
            }
        }
    }

    fn sealed_definition(&self) -> Result<Arc<Definition>, PrepareError> {
        let version = self.seal.definition_version;
        self.history.definition(version).ok_or(PrepareError::Definition(version))
    }

    async fn encode(&self, seal: Arc<Seal>, content: Content) -> Result<Object, PrepareError> {
        let definition = self.sealed_definition()?;
        let encode = move || {
            let content = content.load().map_err(PrepareError::Load)?;
            encode::encode(Sealed { seal, content }, &definition).map_err(PrepareError::Encode)
        };
        self.context.workers.encode(encode).await?
    }

    async fn made_again(&self) -> Result<(Held, Option<OwnedSemaphorePermit>), PrepareError> {
        let room = self.context.encode_room.take(self.seal.content_bytes).await;
        Ok((self.remade().await?, room))
    }

    async fn remade(&self) -> Result<Held, PrepareError> {
        let _turn = self.context.rebuild_turns.acquire().await;
        let mut share = self.context.budget.share();
        share.resize(usize::try_from(self.seal.content_bytes).unwrap_or(usize::MAX));
        let content = replay::rebuild(&self.context, &self.history, &self.seal).await?;
        let bytes = content.bytes();
        if bytes != self.seal.content_bytes {
            tracing::error!(
                stream = %self.seal.stream, key = %self.seal.key, sealed_bytes = self.seal.content_bytes, bytes,
                "a sealed batch came out differently: its plugin is not deterministic or its records are damaged"
            );
        }
        Ok(Held { content, share, unencoded: None })
    }
}

/// What went to the error output instead of the destination.
#[derive(Clone, Copy, Debug, Default)]
struct Lost {
    records: u64,
    bytes: u64,
}

/// What went wrong, and why, down to the first cause.
fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// An error as it was, without its source: attempts are told apart by their words.
fn repeated(error: &DeliveryError) -> DeliveryError {
    DeliveryError { verdict: error.verdict, code: error.code, text: error.text.clone(), source: None }
}

/// The definition names another kind of destination than the batch was sealed for; an update cannot do that.
fn unopened(seal: &Seal) -> DeliveryError {
    let text = format!("stream {} has no destination for batch {}", seal.stream, seal.id);
    DeliveryError { verdict: Verdict::Stop, code: "InternalError", text, source: None }
}

/// Why a sealed batch could not be made ready.
#[derive(Debug, thiserror::Error)]
enum PrepareError {
    #[error("making it again failed")]
    Replay(#[from] replay::ReplayError),
    #[error("its spilled part cannot be read")]
    Load(#[source] std::io::Error),
    #[error("encoding failed")]
    Encode(#[from] encode::EncodeError),
    #[error("definition version {0} is gone")]
    Definition(u32),
    #[error("it holds no rows, and its destination takes nothing else")]
    Rows,
    #[error("it cannot be named")]
    Name(#[from] NameError),
    #[error(transparent)]
    Work(#[from] super::work::Gone),
}
