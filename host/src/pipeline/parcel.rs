//! An object that waits for its destination: in memory while there is room, else in a file of the spool.
//!
//! Making it again would cost the batch's whole way once more, and of one partition among many the way of all records
//! between its first and its last. Refuses to be anybody's only copy: what no file has room for is made again from the
//! journal.

use bytes::Bytes;

use super::budget::Share;
use crate::record::Object;
use crate::spool::{Spool, SpoolFile};

/// An encoded object and where its body is.
#[derive(Debug)]
pub(crate) struct Parcel {
    /// Its body is empty while it is in the file alone.
    object: Object,
    file: Option<SpoolFile>,
    /// Of the host's budget: the body's bytes while they are in memory.
    share: Share,
}

impl Parcel {
    /// In memory, with what it holds of the budget.
    pub(crate) fn new(object: Object, mut share: Share) -> Self {
        share.resize(object.body.len());
        Self { object, file: None, share }
    }

    /// Length of its body, when that has to be read from its file.
    pub(crate) fn parked_bytes(&self) -> Option<u64> {
        let is_parked = self.object.body.is_empty();
        self.file.as_ref().filter(|_| is_parked).map(SpoolFile::bytes)
    }

    /// The object with its body.
    ///
    /// # Errors
    /// The file cannot be read: the object is to be made again.
    pub(crate) async fn open(&mut self) -> std::io::Result<&Object> {
        if self.object.body.is_empty()
            && let Some(file) = self.file.take()
        {
            self.share.resize(usize::try_from(file.bytes()).unwrap_or(usize::MAX));
            let reading = tokio::task::spawn_blocking(move || (file.read_with(&[]), file));
            let (body, file) = reading.await.map_err(std::io::Error::other)?;
            self.object.body = Bytes::from(body?);
            self.file = Some(file);
        }
        Ok(&self.object)
    }

    /// Moves the body out of memory.
    ///
    /// # Errors
    /// No file has room for it; it is as it was.
    pub(crate) async fn park(mut self, spool: &Spool) -> Result<Self, Self> {
        if self.file.is_none() {
            let (spool, body) = (spool.clone(), self.object.body.clone());
            let writing = tokio::task::spawn_blocking(move || {
                let mut file = None;
                spool.append(&mut file, &body).map(|()| file)
            });
            match writing.await {
                Ok(Ok(file)) => self.file = file,
                Ok(Err(error)) => {
                    tracing::warn!(key = %self.object.seal.key, %error, "an object that waits for its destination stays in memory or is made again");
                    return Err(self);
                }
                Err(_stopping) => return Err(self),
            }
        }
        self.object.body = Bytes::new();
        self.share.resize(0);
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use uuid::Uuid;

    use super::super::budget::Budget;
    use super::*;
    use crate::record::{Partition, Seal, StreamId};

    fn parcel(budget: &Budget) -> Parcel {
        let seal = Seal {
            id: Uuid::from_u128(1),
            stream: StreamId(1),
            partition: Partition::Main,
            first: 0,
            end: 1,
            open_from: 1,
            definition_version: 1,
            bucket: "b".to_owned(),
            key: "k".to_owned(),
            record_count: 1,
            content_bytes: 4,
            oldest_arrived_ms: 0,
            sealed_ms: 0,
        };
        let body = Bytes::from_static(b"body");
        let object = Object { seal: Arc::new(seal), body, content_encoding: Some("gzip"), kms_key_arn: None };
        Parcel::new(object, budget.share())
    }

    /// Row X1: what waits in a file holds none of the budget, comes back as it was, and is written once.
    #[tokio::test]
    async fn a_body_goes_to_a_file_and_comes_back() {
        let (folder, budget) = (tempfile::tempdir().unwrap(), Budget::new(3));
        let spool = Spool::open(folder.path(), 4).unwrap();
        let mut parcel = parcel(&budget);
        assert!(budget.is_over() && parcel.parked_bytes().is_none());
        for _ in 0..3 {
            let mut parked = parcel.park(&spool).await.unwrap();
            assert_eq!((parked.parked_bytes(), spool.used_bytes(), budget.is_over()), (Some(4), 4, false));
            let object = parked.open().await.unwrap();
            assert_eq!((&object.body[..], object.content_encoding), (&b"body"[..], Some("gzip")));
            assert!(budget.is_over() && parked.parked_bytes().is_none());
            parcel = parked;
        }
        drop(parcel);
        assert_eq!((spool.used_bytes(), budget.is_over()), (0, false));
    }

    /// Row D8: without room it stays where it is.
    #[tokio::test]
    async fn a_body_that_no_file_has_room_for_stays_in_memory() {
        let (folder, budget) = (tempfile::tempdir().unwrap(), Budget::new(3));
        let spool = Spool::open(folder.path(), 3).unwrap();
        let mut parcel = parcel(&budget).park(&spool).await.unwrap_err();
        assert_eq!((&parcel.open().await.unwrap().body[..], budget.is_over()), (&b"body"[..], true));
    }

    #[tokio::test]
    async fn a_file_that_is_gone_is_an_error_and_no_empty_object() {
        let (folder, budget) = (tempfile::tempdir().unwrap(), Budget::new(3));
        let spool = Spool::open(&folder.path().join("spool"), 4).unwrap();
        let mut parcel = parcel(&budget).park(&spool).await.unwrap();
        std::fs::remove_dir_all(folder.path().join("spool")).unwrap();
        assert!(parcel.open().await.is_err());
    }
}
