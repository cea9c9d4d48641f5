//! One sealed batch on its way: encode, deliver, repeat until stored, tell the journal.
//!
//! A batch whose destination stays away gives its memory back and is made again from the journal for a later attempt,
//! so that a dead destination costs disk, not memory. Refuses to give up: nothing acknowledged is thrown away here.

use std::sync::Arc;

use tokio::sync::watch;

use crate::deliver::{DeliveryError, Verdict};
use crate::encode;
use crate::record::{Content, Object, Partition, Seal, Sealed};
use crate::telemetry::StreamMetrics;

use super::Context;
use super::budget::Share;
use super::history::History;
use super::{is_true, replay};

/// Attempts a body is kept in memory for; after that the destination is taken to be down for a while.
const ATTEMPTS_IN_MEMORY: u32 = 3;

/// A sealed batch and everything its delivery needs.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) context: Arc<Context>,
    pub(crate) history: Arc<History>,
    pub(crate) metrics: StreamMetrics,
    pub(crate) seal: Arc<Seal>,
    /// The content, when it is still there.
    pub(crate) content: Option<Held>,
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
        tokio::select! {
            () = self.until_stored() => {}
            () = is_true(&mut cancelled) => return Ended::Cancelled,
        }
        self.context.journal.delivered(self.seal.stream, self.seal.id);
        if matches!(self.seal.partition, Partition::Main | Partition::Keyed(_)) {
            self.metrics.delivered.add(self.seal.record_count, self.seal.content_bytes);
        }
        self.metrics.delivered_objects.inc();
        tracing::info!(stream = %self.seal.stream, bucket = %self.seal.bucket, key = %self.seal.key, records = self.seal.record_count, "object delivered");
        Ended::Delivered
    }

    async fn until_stored(&mut self) {
        let mut attempts = 0;
        let mut held: Option<(Object, Share)> = None;
        loop {
            let (object, share) = match held.take() {
                Some(held) => held,
                None => self.object().await,
            };
            let outcome = {
                let _turn = self.context.delivery_turns.acquire().await;
                self.context.destination.deliver(&object).await
            };
            let Err(error) = outcome else { return };
            attempts += 1;
            self.metrics.delivery_retries.inc();
            if attempts < ATTEMPTS_IN_MEMORY && !self.context.budget.is_over() {
                held = Some((object, share));
            }
            self.pause(attempts, &error).await;
        }
    }

    async fn pause(&self, attempts: u32, error: &DeliveryError) {
        let floor = match error.verdict {
            Verdict::Retry(after) => after,
            Verdict::Reject | Verdict::Stop => None,
        };
        let wait = self.context.backoff.wait(attempts, floor, &self.context.random);
        tracing::warn!(
            stream = %self.seal.stream, bucket = %self.seal.bucket, key = %self.seal.key, code = error.code, attempts,
            retry_in_ms = wait.as_millis(), error = %error, "delivery failed, will be repeated"
        );
        tokio::time::sleep(wait).await;
    }

    /// The encoded object, from memory or made again.
    async fn object(&mut self) -> (Object, Share) {
        let mut attempts = 0;
        loop {
            match self.encoded().await {
                Ok(ready) => return ready,
                Err(error) => {
                    attempts += 1;
                    let wait = self.context.backoff.wait(attempts, None, &self.context.random);
                    tracing::error!(stream = %self.seal.stream, key = %self.seal.key, %error, "a sealed batch cannot be made, will be repeated");
                    tokio::time::sleep(wait).await;
                }
            }
        }
    }

    async fn encoded(&mut self) -> Result<(Object, Share), PrepareError> {
        let Held { content, mut share, unencoded } = match self.content.take() {
            Some(present) => present,
            None => self.made_again().await?,
        };
        let version = self.seal.definition_version;
        let definition = self.history.definition(version).ok_or(PrepareError::Definition(version))?;
        let sealed = Sealed { seal: Arc::clone(&self.seal), content };
        let object = self.context.workers.encode(move || encode::encode(sealed, &definition)).await??;
        drop(unencoded);
        share.resize(object.body.len());
        Ok((object, share))
    }

    async fn made_again(&self) -> Result<Held, PrepareError> {
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

/// Why a sealed batch could not be made ready.
#[derive(Debug, thiserror::Error)]
enum PrepareError {
    #[error("making it again failed")]
    Replay(#[from] replay::ReplayError),
    #[error("encoding failed")]
    Encode(#[from] encode::EncodeError),
    #[error("definition version {0} is gone")]
    Definition(u32),
    #[error(transparent)]
    Work(#[from] super::work::Gone),
}
