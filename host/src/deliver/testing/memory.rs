//! A destination in memory that fails on command.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;

use super::conformance::{Peer, Stored};
use crate::deliver::{DeliveryError, Destination, Look, Receipt, Stored as Listed, Verdict};
use crate::record::Object;

/// Keeps objects of one bucket.
#[derive(Debug)]
pub struct Memory {
    bucket: String,
    objects: Mutex<BTreeMap<String, Stored>>,
    failures: Mutex<(usize, Verdict)>,
}

impl Memory {
    /// An empty destination that knows one bucket.
    pub fn new(bucket: &str) -> Self {
        Self { bucket: bucket.to_owned(), objects: Mutex::default(), failures: Mutex::new((0, Verdict::Retry(None))) }
    }

    /// Fails this many deliveries from now on.
    pub fn fail_next(&self, count: usize, verdict: Verdict) {
        *self.failures.lock().unwrap_or_else(PoisonError::into_inner) = (count, verdict);
    }

    /// Stores something that nobody delivered.
    pub fn insert(&self, key: &str, body: impl Into<Bytes>) {
        let stored = Stored { body: body.into(), content_type: None, content_encoding: None, batch: None };
        self.objects.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_owned(), stored);
    }

    /// Key and body of everything stored.
    pub fn bodies(&self) -> BTreeMap<String, Bytes> {
        let objects = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        objects.iter().map(|(key, stored)| (key.clone(), stored.body.clone())).collect()
    }

    fn failure(&self, code: &'static str, verdict: Verdict) -> DeliveryError {
        DeliveryError { verdict, code, text: format!("{code} on command"), source: None }
    }
}

#[async_trait]
impl Destination for Memory {
    async fn deliver(&self, object: &Object) -> Result<Receipt, DeliveryError> {
        {
            let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
            if failures.0 > 0 {
                failures.0 -= 1;
                return Err(self.failure("Test.Failed", failures.1));
            }
        }
        if object.seal.bucket != self.bucket {
            return Err(self.failure("S3.NoSuchBucket", Verdict::Retry(None)));
        }
        let stored = Stored {
            body: object.body.clone(),
            content_type: Some("application/octet-stream".to_owned()),
            content_encoding: object.content_encoding.map(str::to_owned),
            batch: Some(object.seal.id.to_string()),
        };
        self.objects.lock().unwrap_or_else(PoisonError::into_inner).insert(object.seal.key.clone(), stored);
        Ok(Receipt::default())
    }
}

#[async_trait]
impl Look for Memory {
    async fn objects(&self, bucket: &str, prefix: &str, after: Option<&str>) -> Result<Vec<Listed>, DeliveryError> {
        if bucket != self.bucket {
            return Err(self.failure("S3.NoSuchBucket", Verdict::Retry(None)));
        }
        let listed = |(key, body): (String, Bytes)| Listed {
            etag: format!("{:08x}", crc32c::crc32c(&body)),
            bytes: body.len() as u64,
            modified_ms: MODIFIED_MS,
            key,
        };
        let all = self.bodies().into_iter().map(listed);
        let is_meant = |one: &Listed| one.key.starts_with(prefix) && after.is_none_or(|after| *one.key > *after);
        Ok(all.filter(is_meant).take(2).collect())
    }

    async fn piece(&self, _bucket: &str, object: &Listed, from: u64, most: u64) -> Result<Bytes, DeliveryError> {
        let body = self.bodies().remove(&object.key);
        let body = body.ok_or_else(|| self.failure("S3.NoSuchKey", Verdict::Retry(None)))?;
        let at = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(body.len());
        Ok(body.slice(at(from)..at(from.saturating_add(most))))
    }
}

/// When everything in it was written, milliseconds since 1970.
const MODIFIED_MS: u64 = 1_789_014_301_529;

#[async_trait]
impl Peer for Memory {
    fn bucket(&self) -> &str {
        &self.bucket
    }

    async fn read(&self, key: &str) -> Option<Stored> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    async fn keys(&self) -> Vec<String> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deliver::testing::conformance;

    #[tokio::test]
    async fn conforms() {
        let memory = Memory::new("b");
        conformance(&memory, &memory).await.unwrap();
    }
}
