//! The seam to what stores streams and records: the pipeline, or a map in memory for tests.
//!
//! Implementations answer for durability; the API answers for the protocol. Nothing here knows HTTP.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use async_trait::async_trait;
use tokio::sync::watch;

use crate::definition::Definition;
use crate::record::{Records, Sequence, StreamId};
use crate::telemetry::StreamMetrics;

/// A stream as it was when it was looked up. A request keeps one handle from beginning to end, so an update or
/// a delete in between never shows half of itself (row A11).
pub type StreamHandle = Arc<Stream>;

/// What the API knows of a stream.
#[derive(Clone, Debug)]
pub struct Stream {
    /// Number in the journal.
    pub id: StreamId,
    /// Definition in force.
    pub definition: Arc<Definition>,
    /// Counters; the API counts `accepted`, everybody else counts the rest.
    pub metrics: StreamMetrics,
    /// Whether puts are taken.
    pub status: StreamStatus,
    /// Whether its plugin keeps failing and is let be.
    pub breaker_open: Arc<AtomicBool>,
    /// Why its records are not processed at all, while they are not: a plugin that is missing, most of all.
    pub held: watch::Receiver<Option<String>>,
}

/// `DeliveryStreamStatus`, as far as this host knows it: creation is immediate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamStatus {
    /// Takes and delivers records.
    Active,
    /// On its way out: described, but takes nothing.
    Deleting,
}

impl StreamStatus {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Deleting => "DELETING",
        }
    }
}

/// Why records were not taken. None of the call's records is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Too much is waiting already.
    #[error("intake is busy")]
    Busy,
    /// No room until something is delivered.
    #[error("journal is full")]
    Full,
    /// The stream was deleted after it was looked up.
    #[error("stream is gone")]
    Gone,
    /// Intake has stopped: shutting down, or the journal failed. Whether the records were stored is unknown.
    #[error("intake has stopped")]
    Stopped,
}

/// Why a stream was not created, updated or deleted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// Create: the name is taken.
    #[error("stream exists")]
    Exists,
    /// Update or delete: there is no such stream.
    #[error("stream not found")]
    NotFound,
    /// Create: the backend holds as many streams as it can.
    #[error("no room for another stream")]
    Limit,
    /// The destination will never take what the definition asks for, or a table of format conversion is not there; the
    /// reason is the message of the `InvalidArgumentException`.
    #[error("{0}")]
    Refused(String),
    /// Nothing was changed, and trying again may help.
    #[error("control plane is unavailable: {0}")]
    Unavailable(String),
}

/// What the API needs from the rest of the host. The API calls `create`, `update` and `delete` one at a time.
#[async_trait]
pub trait Backend: Send + Sync + Debug {
    /// The stream of that name, also while it is being deleted. Called for every put: must not block.
    fn find(&self, account: &str, name: &str) -> Option<StreamHandle>;

    /// Names of the account's streams in plain string order.
    fn list(&self, account: &str) -> Vec<String>;

    /// Stores records; the answer means they are durable. The first sequence number comes back.
    async fn append(&self, stream: &StreamHandle, records: Records) -> Result<Sequence, Refusal>;

    /// Makes a stream that is active and durable on return. What only the outside world knows (buckets, tables of
    /// `Definition::conversion`) is looked at here and in [`Self::update`], within a bounded time.
    async fn create(&self, definition: Definition) -> Result<(), ControlError>;

    /// Puts a new definition in force, durable on return. The version is the same as before when only
    /// `Definition::document` changed (tags), else one higher.
    async fn update(&self, definition: Definition) -> Result<(), ControlError>;

    /// Deletes a stream and what it has buffered. It is gone, or shows as [`StreamStatus::Deleting`], on return.
    async fn delete(&self, account: &str, name: &str) -> Result<(), ControlError>;
}
