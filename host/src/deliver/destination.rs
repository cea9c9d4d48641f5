//! The seam behind which a destination lives, and the three things a failed delivery can mean.
//!
//! Refuses to retry, count or log: those are wrappers' work.

use std::borrow::Cow;
use std::error::Error;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;

use crate::definition::Definition;
use crate::record::{Documents, Object, StreamId};

/// Where batches go: objects, or [`Documents`](crate::record::Documents) of which each record is delivered by itself.
#[async_trait]
pub trait Destination<B: Sync = Object>: Send + Sync + Debug {
    /// Makes ready to store into `bucket`; called when a stream is created, updated or recovered. Only a destination
    /// that owns its buckets creates any: a cloud account's buckets are its owner's business.
    async fn prepare(&self, _bucket: &str) -> Result<(), DeliveryError> {
        Ok(())
    }

    /// Delivers `batch` in one attempt. `Ok` means that everything not named in the receipt is stored for good: the
    /// journal forgets the records afterwards. An error is about the batch as a whole. Delivering the same batch again
    /// is as harmless as the destination allows: what is sent is named by the batch's seal and the records' sequence
    /// numbers. Dropping the future leaves the outcome unknown, which a later delivery of the same batch settles.
    async fn deliver(&self, batch: &B) -> Result<Receipt, DeliveryError>;

    /// Gives a batch up whose time ran out, after it was kept elsewhere where that is possible: what it leaves behind
    /// says so. Most destinations leave nothing.
    async fn give_up(&self, _batch: &B) -> Result<(), DeliveryError> {
        Ok(())
    }

    /// Undoes what lives before this one began and left behind, and says how many such things it found.
    async fn sweep(&self, _left: &Leftovers) -> Result<usize, DeliveryError> {
        Ok(0)
    }

    /// What names record `at` of a batch at the destination: members of the error output's envelope, beside the
    /// record itself.
    fn names_of(&self, _batch: &B, _at: usize) -> Vec<(&'static str, Value)> {
        Vec::new()
    }
}

/// Where a host may have left something unfinished, and what of it is surely nobody's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftovers {
    /// Bucket.
    pub bucket: String,
    /// What the keys begin with.
    pub prefix: String,
    /// The stream whose objects were to be stored.
    pub stream: String,
    /// Begun before this, milliseconds since 1970.
    pub begun_before_ms: u64,
}

/// Opens the destination that a definition names.
pub trait Connector: Send + Sync + Debug {
    /// Looks at a definition before it is taken; reaches for nothing.
    ///
    /// # Errors
    /// The stream may not deliver there. The text is for its owner.
    fn check(&self, _definition: &Definition) -> Result<(), String> {
        Ok(())
    }

    /// The destination of a stream's own records; none when that is S3, as for everything else of the stream.
    ///
    /// # Errors
    /// It cannot be reached by what the definition says of it.
    fn connect(&self, stream: StreamId, definition: &Definition) -> Result<Option<Outlet>, DeliveryError>;
}

/// A destination of a stream's own records that is not S3 alone.
#[derive(Clone, Debug)]
pub enum Outlet {
    /// Takes batches as objects.
    Objects(Arc<dyn Destination>),
    /// Takes records one by one.
    Rows(Arc<dyn Destination<Documents>>),
}

/// What a destination said of single records of a batch; of an object there is nothing to say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// Records to be sent again, alone: indexes into the batch, rising.
    pub again: Vec<Postponed>,
    /// Records that will never be taken, by rising index.
    pub refused: Vec<Refused>,
}

/// A record that the destination could not take now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Postponed {
    /// Index into the batch.
    pub at: usize,
    /// As the destination names it, for the error output if its time runs out.
    pub code: Cow<'static, str>,
    /// What the destination said; never holds payload. Shared, because whole batches are put off for one reason.
    pub message: Arc<str>,
}

/// A record that the destination will never take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Index into the batch.
    pub at: usize,
    /// As the destination names it.
    pub code: Cow<'static, str>,
    /// What the destination said; never holds payload.
    pub message: String,
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
