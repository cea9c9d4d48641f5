//! What the API may ask of the rest: find, append, create, update, delete, list.
//!
//! Refuses to know HTTP or JSON; it turns the API's wishes into journal writes and runners.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::{Mutex, watch};

use crate::api::{Backend, ControlError, Refusal, StreamHandle};
use crate::definition::Definition;
use crate::deliver::Verdict;
use crate::journal::{AppendError, StreamState};
use crate::record::{Records, Sequence, StreamId};
use crate::telemetry::Telemetry;

use super::Context;
use super::streams::Streams;

/// The running host as the API sees it.
#[derive(Debug)]
pub struct PipelineBackend {
    pub(super) context: Arc<Context>,
    pub(super) streams: Arc<Streams>,
    pub(super) telemetry: Arc<Telemetry>,
    pub(super) draining: watch::Receiver<bool>,
    /// Creation, update and deletion go one at a time: they look, write and then show.
    pub(super) changing: Mutex<()>,
}

#[async_trait]
impl Backend for PipelineBackend {
    fn find(&self, account: &str, name: &str) -> Option<StreamHandle> {
        self.streams.find(account, name).map(|running| running.handle())
    }

    fn list(&self, account: &str) -> Vec<String> {
        self.streams.names(account)
    }

    async fn append(&self, stream: &StreamHandle, records: Records) -> Result<Sequence, Refusal> {
        let (count, bytes) = (records.len() as u64, records.payload().len() as u64);
        let arrived_ms = self.context.clock.now_ms();
        let first = self.context.journal.append(stream.id, records, arrived_ms).await.map_err(|error| match error {
            AppendError::Full => Refusal::Full,
            AppendError::UnknownStream(_) => Refusal::Gone,
            AppendError::Poisoned | AppendError::Closed => Refusal::Stopped,
            AppendError::Busy
            | AppendError::TooLarge { .. }
            | AppendError::Columns
            | AppendError::Empty
            | AppendError::TooManySeals(_) => Refusal::Busy,
        })?;
        stream.metrics.durable.add(count, bytes);
        Ok(first)
    }

    async fn create(&self, definition: Definition) -> Result<(), ControlError> {
        let _one_at_a_time = self.changing.lock().await;
        if self.streams.find(&definition.account_id, &definition.name).is_some() {
            return Err(ControlError::Exists);
        }
        self.prepare(&definition).await?;
        let id = self.context.journal.create_stream(definition.clone()).await.map_err(unavailable)?;
        let state = empty(id, definition);
        self.streams.start(&self.context, state, true, &self.telemetry, &self.draining);
        Ok(())
    }

    async fn update(&self, definition: Definition) -> Result<(), ControlError> {
        let _one_at_a_time = self.changing.lock().await;
        let running = self.streams.find(&definition.account_id, &definition.name).ok_or(ControlError::NotFound)?;
        self.prepare(&definition).await?;
        self.context.journal.update_stream(running.handle().id, definition.clone()).await.map_err(unavailable)?;
        running.update(definition);
        Ok(())
    }

    async fn delete(&self, account: &str, name: &str) -> Result<(), ControlError> {
        let _one_at_a_time = self.changing.lock().await;
        let running = self.streams.find(account, name).ok_or(ControlError::NotFound)?;
        // First, so that the runner does not meet a stream that the journal no longer knows.
        running.cancel();
        self.context.journal.delete_stream(running.handle().id).await.map_err(unavailable)?;
        self.streams.remove(account, name);
        self.telemetry.forget_stream(account, name);
        running.handle().metrics.breaker.forget();
        Ok(())
    }
}

impl PipelineBackend {
    /// Makes the bucket ready where the destination owns its buckets. Elsewhere a bucket that is not there yet is no
    /// reason to refuse a stream: deliveries wait for it.
    async fn prepare(&self, definition: &Definition) -> Result<(), ControlError> {
        let bucket = &definition.s3.bucket;
        self.context.destination.prepare(bucket).await.map_err(|error| match error.verdict {
            Verdict::Reject => ControlError::Refused(error.to_string()),
            Verdict::Retry(_) | Verdict::Stop => ControlError::Unavailable(error.to_string()),
        })
    }
}

fn empty(id: StreamId, definition: Definition) -> StreamState {
    StreamState {
        id,
        definitions: vec![definition],
        epochs: Vec::new(),
        undelivered: Vec::new(),
        marks: BTreeMap::new(),
        open_from: 0,
        next: 0,
        attempts: Vec::new(),
    }
}

fn unavailable(error: AppendError) -> ControlError {
    ControlError::Unavailable(error.to_string())
}
