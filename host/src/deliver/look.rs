//! A look into buckets: which objects are there, and what is in them, piece by piece. For those who read what was
//! delivered. Refuses to change anything.

use std::fmt::Debug;

use async_trait::async_trait;
use bytes::Bytes;

use super::DeliveryError;

/// An object as a listing shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its key.
    pub key: String,
    /// Its entity tag, without quotes.
    pub etag: String,
    /// Its length.
    pub bytes: u64,
    /// When it was written last, milliseconds since 1970.
    pub modified_ms: u64,
}

/// Buckets that can be read.
#[async_trait]
pub trait Look: Send + Sync + Debug {
    /// Some objects whose keys begin with `prefix` and come after `after`, rising; none when there are no more.
    ///
    /// # Errors
    /// The bucket cannot be listed.
    async fn objects(&self, bucket: &str, prefix: &str, after: Option<&str>) -> Result<Vec<Stored>, DeliveryError>;

    /// At most `most` bytes of an object from `from` on, which lies inside it.
    ///
    /// # Errors
    /// It cannot be read, or is not what it was when it was listed.
    async fn piece(&self, bucket: &str, object: &Stored, from: u64, most: u64) -> Result<Bytes, DeliveryError>;
}
