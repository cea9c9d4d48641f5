//! The seam behind which a destination lives, and the three things a failed delivery can mean.
//!
//! Refuses to retry, count or log: those are wrappers' work.

use std::error::Error;
use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;

use crate::record::Object;

/// Where objects go.
#[async_trait]
pub trait Destination: Send + Sync + Debug {
    /// Makes ready to store into `bucket`; called when a stream is created, updated or recovered. Only a destination
    /// that owns its buckets creates any: a cloud account's buckets are its owner's business.
    async fn prepare(&self, bucket: &str) -> Result<(), DeliveryError>;

    /// Stores `object` under its key. `Ok` means stored for good: the journal forgets the records afterwards.
    /// Delivering the same object again is harmless. Dropping the future leaves the outcome unknown, which a later
    /// delivery of the same object settles.
    async fn deliver(&self, object: &Object) -> Result<(), DeliveryError>;
}

/// What to do about a failed delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Try again, at the earliest after this long.
    Retry(Option<Duration>),
    /// The object itself is at fault and will never be accepted; it belongs in the error output.
    Reject,
    /// Nothing further may be tried now; the object stays in the journal.
    Stop,
}

/// A delivery that did not succeed.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct DeliveryError {
    /// What to do.
    pub verdict: Verdict,
    /// Firehose's code where it has one (`S3.AccessDenied`), else one in its style. From a small fixed set, hence fit
    /// for a metric label.
    pub code: &'static str,
    /// For people; names bucket and key, never payload or secret.
    pub text: String,
    /// The client library's error, kept for the log only. Boxed, because each operation of the SDK has its own type.
    #[source]
    pub source: Option<Box<dyn Error + Send + Sync>>,
}
