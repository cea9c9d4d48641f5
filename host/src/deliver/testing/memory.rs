//! A destination in memory that fails on command.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::Notify;

use super::objects::{Peer, Stored};
use crate::deliver::{DeliveryError, Destination, Look, Receipt, Stored as Listed, Verdict};
use crate::record::Object;

/// Keeps objects of one bucket.
#[derive(Debug)]
pub struct Memory {
    bucket: String,
    objects: Mutex<BTreeMap<String, Stored>>,
    fault: Mutex<Option<(usize, Fault)>>,
    hanging: Notify,
}

/// How a delivery goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Fail(Verdict),
    /// The object is stored first.
    FailAfter,
    Hang,
}

impl Memory {
    /// An empty destination that knows one bucket.
    pub fn new(bucket: &str) -> Self {
        Self { bucket: bucket.to_owned(), objects: Mutex::default(), fault: Mutex::default(), hanging: Notify::new() }
    }

    /// Fails this many deliveries from now on.
    pub fn fail_next(&self, count: usize, verdict: Verdict) {
        *self.fault() = Some((count, Fault::Fail(verdict)));
    }

    /// Stores what the next delivery brings, and fails it all the same.
    pub fn lose_next_answer(&self) {
        *self.fault() = Some((1, Fault::FailAfter));
    }

    /// Never answers the next delivery.
    pub fn hang_next(&self) {
        *self.fault() = Some((1, Fault::Hang));
    }

    /// Ends all that.
    pub fn mend(&self) {
        *self.fault() = None;
    }

    /// Resolves once a delivery hangs; each that does resolves it once.
    pub async fn hanging(&self) {
        self.hanging.notified().await;
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

    fn fault(&self) -> MutexGuard<'_, Option<(usize, Fault)>> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_fault(&self) -> Option<Fault> {
        let mut fault = self.fault();
        let (left, fault) = fault.as_mut().filter(|(left, _)| *left > 0)?;
        *left -= 1;
        Some(*fault)
    }

    fn failure(&self, code: &'static str, verdict: Verdict) -> DeliveryError {
        DeliveryError { verdict, code, text: format!("{code} on command"), source: None }
    }
}

#[async_trait]
impl Destination for Memory {
    async fn deliver(&self, object: &Object) -> Result<Receipt, DeliveryError> {
        let fault = self.take_fault();
        match fault {
            Some(Fault::Fail(verdict)) => return Err(self.failure("Test.Failed", verdict)),
            Some(Fault::Hang) => {
                self.hanging.notify_one();
                std::future::pending::<()>().await;
            }
            Some(Fault::FailAfter) | None => {}
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
        match fault {
            Some(_) => Err(self.failure("Test.Failed", Verdict::Retry(None))),
            None => Ok(Receipt::default()),
        }
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
    use std::sync::Arc;

    use super::*;
    use crate::deliver::testing::{
        Bench, DoesNotApply, Expected, Trouble, conformance, counted, lines, stores_objects_as_they_are,
    };

    #[tokio::test]
    async fn stores_objects() {
        let memory = Memory::new("b");
        stores_objects_as_they_are(&memory, &memory).await.unwrap();
    }

    struct Desk(Arc<Memory>);

    #[async_trait(?Send)]
    impl Bench for Desk {
        type Batch = Object;

        fn open(&self) -> Arc<dyn Destination> {
            Arc::clone(&self.0) as Arc<dyn Destination>
        }

        fn batch(&self, number: u32) -> Object {
            lines("b", number)
        }

        async fn misbehave(&self, trouble: Trouble, _number: u32) -> Result<Expected, DoesNotApply> {
            match trouble {
                Trouble::FailBefore => self.0.fail_next(1, Verdict::Retry(None)),
                Trouble::CutAfter => self.0.lose_next_answer(),
                Trouble::RefuseAll => self.0.fail_next(usize::MAX, Verdict::Reject),
                Trouble::Hang => self.0.hang_next(),
                Trouble::RefuseOne(_) | Trouble::PutOffOne(_) => {
                    return Err(DoesNotApply { because: "an object is stored whole or not at all" });
                }
                Trouble::RefuseLogin => return Err(DoesNotApply { because: "nobody logs in to memory" }),
            }
            Ok(match trouble {
                Trouble::RefuseAll => Expected::Reject("Test.Failed"),
                Trouble::Hang => Expected::NoAnswer,
                _ => Expected::Retry("Test.Failed"),
            })
        }

        async fn mend(&self) {
            self.0.mend();
        }

        async fn hanging(&self) {
            self.0.hanging().await;
        }

        async fn stored(&self, number: u32) -> Vec<usize> {
            let bodies = self.0.bodies();
            counted(number, bodies.values().flat_map(|body| body.split_inclusive(|byte| *byte == b'\n')))
        }
    }

    #[tokio::test]
    async fn conformance_of_memory() {
        let report = conformance(&Desk(Arc::new(Memory::new("b")))).await.unwrap();
        let expected = [Trouble::RefuseOne(1), Trouble::PutOffOne(1), Trouble::RefuseLogin];
        assert_eq!(report.left_out(), expected);
    }
}
