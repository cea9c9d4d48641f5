//! What a delivery sends: encoded from the content that its seal promised, which is at hand or made again.
//!
//! Refuses to send anything.

use std::sync::Arc;

use uuid::Uuid;

use crate::batch::name::{NameError, object_key};
use crate::definition::Definition;
use crate::encode;
use crate::record::{Content, Object, Partition, Rejected, Rows, Seal, Sealed};
use crate::runtime::Random;

use super::budget::Share;
use super::delivery::{Delivery, Held};
use super::replay;

/// Tells the error output of a batch from the batch: leaves the bits alone that say what kind of uuid it is.
const FAILURES_OF: u128 = 0x6661_696c_7572_0000_0000_6f66_6261_7463;

impl Delivery {
    /// The object of the error output for what a destination did not take of this batch. Its name derives from the
    /// batch's, so that a delivery that is repeated after a crash writes it again.
    pub(super) async fn failures(&self, rejected: Vec<Rejected>) -> Result<Object, PrepareError> {
        let output = self.outlets.definition().undelivered_output();
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

    /// The encoded object, from what was accumulated or made again.
    pub(super) async fn object(&mut self) -> (Object, Share) {
        // Encoding takes the content and its room. Should it fail, as where its file is gone, room is waited for with none
        // in hand: asking for more while holding some may be for ever.
        let mut held = self.content.take();
        let (object, share) = self
            .until_made(|| {
                let held = held.take();
                async {
                    let held = match held {
                        Some(held) => self.with_room(held).await,
                        None => self.made_again().await?,
                    };
                    self.object_of(held).await
                }
            })
            .await;
        if let Some((promised_bytes, scale)) = self.promised.take() {
            scale.learn(promised_bytes, object.body.len() as u64);
        }
        (object, share)
    }

    /// The encoded object, made again.
    pub(super) async fn object_again(&self) -> Result<Object, PrepareError> {
        let held = self.made_again().await?;
        Ok(self.object_of(held).await?.0)
    }

    async fn object_of(&self, held: Held) -> Result<(Object, Share), PrepareError> {
        let Held { content, mut share, unencoded, room } = held;
        // What is in a file is in memory until it is encoded.
        share.resize(usize::try_from(content.bytes()).unwrap_or(usize::MAX).max(content.bytes_in_memory()));
        let object = self.encode(Arc::clone(&self.seal), content).await?;
        drop((unencoded, room));
        share.resize(object.body.len());
        Ok((object, share))
    }

    /// The rows, from memory or made again.
    pub(super) async fn rows(&mut self) -> (Rows, Share) {
        let held = match self.content.take() {
            Some(held) => held,
            None => self.until_made(|| self.made_again()).await,
        };
        let Held { content, share, .. } = held;
        match content {
            Content::Rows(rows) => (rows, share),
            // No other content is sealed for a destination that takes rows; should it be, it waits and is not lost.
            Content::Records(_) | Content::Spilled { .. } | Content::Rejected(_) => {
                (self.until_made(|| async { Err(PrepareError::Rows) }).await, share)
            }
        }
    }

    /// Makes something that a damaged disk or a missing plugin may stand in the way of, however long that takes.
    pub(super) async fn until_made<T, F: Future<Output = Result<T, PrepareError>>>(
        &self,
        mut make: impl FnMut() -> F,
    ) -> T {
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

    pub(super) async fn encode(&self, seal: Arc<Seal>, content: Content) -> Result<Object, PrepareError> {
        let definition = self.sealed_definition()?;
        let encode = move || {
            let content = content.load().map_err(PrepareError::Load)?;
            encode::encode(Sealed { seal, content }, &definition).map_err(PrepareError::Encode)
        };
        self.context.workers.encode(encode).await?
    }

    /// What its seal promised, from the journal.
    pub(super) async fn made_again(&self) -> Result<Held, PrepareError> {
        let made = self.outlets.gathering().content(&self.context, &self.history, &self.seal).await;
        let made = made.map_err(PrepareError::Replay)?;
        let bytes = made.content.bytes();
        if bytes != self.seal.content_bytes {
            tracing::error!(
                stream = %self.seal.stream, key = %self.seal.key, sealed_bytes = self.seal.content_bytes, bytes,
                "a sealed batch came out differently: its plugin is not deterministic or its records are damaged"
            );
        }
        Ok(self.with_room(made).await)
    }

    /// Waits for the room that content takes which is read from a file to be encoded.
    async fn with_room(&self, mut held: Held) -> Held {
        if held.room.is_none() && matches!(held.content, Content::Spilled { .. }) {
            held.room = self.context.encode_room.take(held.content.bytes()).await;
        }
        held
    }
}

/// What went wrong, and why, down to the first cause.
fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Why a sealed batch could not be made ready.
#[derive(Debug, thiserror::Error)]
pub(super) enum PrepareError {
    #[error("making it again failed")]
    Replay(#[source] Arc<replay::ReplayError>),
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
