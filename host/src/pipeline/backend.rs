//! What the API may ask of the rest: find, append, create, update, delete, list.
//!
//! Refuses to know HTTP or JSON; it turns the API's wishes into journal writes and runners.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Mutex, watch};

use crate::api::{Backend, ControlError, Refusal, StreamHandle};
use crate::convert::{Plan, Public};
use crate::definition::Definition;
use crate::deliver::Verdict;
use crate::journal::{AppendError, StreamState};
use crate::record::{Records, Replayed, Sequence, Sequences, StreamId};
use crate::telemetry::Telemetry;

use super::Context;
use super::streams::Streams;

/// Longest time to look a table up: creations and updates of other streams wait meanwhile.
const LOOK_UP: Duration = Duration::from_secs(10);

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
            | AppendError::TooManySeals(_)
            | AppendError::TooManyExceeding(_)
            | AppendError::Replayed(_)
            | AppendError::ReplaysForgotten(_)
            | AppendError::TooManyReplays(_) => Refusal::Busy,
        })?;
        stream.metrics.durable.add(count, bytes);
        Ok(first)
    }

    async fn create(&self, mut definition: Definition) -> Result<(), ControlError> {
        let _one_at_a_time = self.changing.lock().await;
        if self.streams.find(&definition.account_id, &definition.name).is_some() {
            return Err(ControlError::Exists);
        }
        self.prepare(&mut definition).await?;
        let id = self.context.journal.create_stream(definition.clone()).await.map_err(unavailable)?;
        let state = empty(id, definition);
        self.streams.start(&self.context, state, true, &self.telemetry, &self.draining);
        Ok(())
    }

    async fn update(&self, mut definition: Definition) -> Result<(), ControlError> {
        let _one_at_a_time = self.changing.lock().await;
        let running = self.streams.find(&definition.account_id, &definition.name).ok_or(ControlError::NotFound)?;
        self.prepare(&mut definition).await?;
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
        running.handle().metrics.gates.forget();
        Ok(())
    }
}

impl PipelineBackend {
    /// Makes the bucket ready where the destination owns its buckets. Elsewhere a bucket that is not there yet is no
    /// reason to refuse a stream: deliveries wait for it. Whoever may not deliver to a destination hears it now.
    /// Looks the table of a conversion up and pins it: a replay converts by what was there when the stream was asked for.
    async fn prepare(&self, definition: &mut Definition) -> Result<(), ControlError> {
        self.context.connector.check(definition).map_err(ControlError::Refused)?;
        self.pin_table(definition).await?;
        let buckets = [Some(&definition.s3), definition.source_backup.as_ref().map(|backup| &backup.s3)];
        for s3 in buckets.into_iter().flatten() {
            self.context.destination.prepare(&s3.bucket).await.map_err(|error| match error.verdict {
                Verdict::Reject => ControlError::Refused(error.to_string()),
                Verdict::Retry(_) | Verdict::Stop => ControlError::Unavailable(error.to_string()),
            })?;
        }
        Ok(())
    }

    async fn pin_table(&self, definition: &mut Definition) -> Result<(), ControlError> {
        let Some(conversion) = &mut definition.conversion else { return Ok(()) };
        let Some(catalog) = &self.context.catalog else {
            let text = "This host has no catalog of tables: set catalog.dir or catalog.endpoint.";
            return Err(ControlError::Refused(text.to_owned()));
        };
        // The fourth part of an ARN is its region.
        let region = definition.arn.split(':').nth(3).unwrap_or_default();
        let now_ms = self.context.clock.now_ms();
        let looking = catalog.resolve(&conversion.schema, region, &definition.account_id, now_ms);
        let unavailable = |text: String| ControlError::Unavailable(format!("the catalog of tables: {text}"));
        let found = tokio::time::timeout(LOOK_UP, looking).await.map_err(|_| unavailable("no answer".to_owned()))?;
        let found = found.map_err(|error| match error.public() {
            Public::InvalidArgument(text) => ControlError::Refused(text),
            Public::Unavailable => unavailable(format!("{:#}", anyhow::Error::from(error))),
        })?;
        conversion.resolved = Some(found);
        Plan::new(conversion)
            .map(drop)
            .map_err(|error| ControlError::Refused(format!("{:#}.", anyhow::Error::from(error))))
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
        replayed: Replayed::default(),
        failing: BTreeMap::new(),
        exceeding: Sequences::default(),
    }
}

fn unavailable(error: AppendError) -> ControlError {
    ControlError::Unavailable(error.to_string())
}
