//! What a store of objects must do beside the conformance suite: bytes, names and metadata arrive as they are.
//! Checked through the destination and a look at what it stored.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::join_all;
use uuid::Uuid;

use super::conformance::Violation;
use crate::deliver::{Destination, Verdict};
use crate::record::{Object, Partition, Seal, StreamId};

/// The receiving side, asked behind the destination's back.
#[async_trait]
pub trait Peer: Send + Sync {
    /// A bucket that exists and is empty at the start.
    fn bucket(&self) -> &str;
    /// What lies under a key.
    async fn read(&self, key: &str) -> Option<Stored>;
    /// All keys of the bucket.
    async fn keys(&self) -> Vec<String>;
}

/// An object as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Bytes.
    pub body: Bytes,
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `Content-Encoding`; none for an empty one.
    pub content_encoding: Option<String>,
    /// `x-amz-meta-hydrant-batch`.
    pub batch: Option<String>,
}

/// An object for `bucket` and `key`; its batch id derives from both.
pub fn object(bucket: &str, key: &str, body: &[u8]) -> Object {
    let sum = bucket.bytes().chain(key.bytes()).fold(0_u128, |sum, byte| sum.wrapping_mul(257) + u128::from(byte));
    let seal = Seal {
        id: Uuid::from_u128(sum),
        stream: StreamId(1),
        partition: Partition::Main,
        first: 0,
        end: 1,
        open_from: 1,
        definition_version: 1,
        bucket: bucket.to_owned(),
        key: key.to_owned(),
        record_count: 1,
        content_bytes: body.len() as u64,
        oldest_arrived_ms: 0,
        sealed_ms: 0,
    };
    Object { seal: Arc::new(seal), body: Bytes::copy_from_slice(body), content_encoding: None, kms_key_arn: None }
}

/// Bytes in which every 8 differ from every other 8, so that swapped, repeated or lost parts show.
pub fn patterned(length: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..length as u64 / 8 + 1).flat_map(|at| at.to_le_bytes()).collect();
    bytes.truncate(length);
    bytes
}

/// Stores objects of every kind and compares.
///
/// # Errors
/// The first difference.
pub async fn stores_objects_as_they_are(destination: &dyn Destination, peer: &dyn Peer) -> Result<(), Violation> {
    let bucket = peer.bucket();
    let mut expected = BTreeSet::new();
    for (key, length, encoding) in [
        ("2026/11/21/05/orders-1-2026-11-21-05-00-00-5f", 100, None),
        ("compressed/one.gz", 70_000, Some("gzip")),
        ("empty", 0, None),
        ("odd/a b+c=d&e%20f/é~!'()*,;:@$", 10, None),
        ("large", 20 << 20, Some("gzip")),
    ] {
        let mut wanted = object(bucket, key, &patterned(length));
        wanted.content_encoding = encoding;
        arrives(destination, peer, &wanted).await?;
        // Row X7: repeating is invisible.
        arrives(destination, peer, &wanted).await?;
        expected.insert(key.to_owned());
    }
    let long = format!("{}/{}", "p".repeat(200), "n".repeat(200));
    arrives(destination, peer, &object(bucket, &long, b"long names are names too")).await?;
    expected.insert(long);
    // A replay after a crash of an older version may bring other bytes for the same seal: the last delivery rules.
    arrives(destination, peer, &object(bucket, "empty", b"not empty any more")).await?;
    missing_bucket(destination, bucket).await?;

    let many: Vec<Object> =
        (0..32).map(|at| object(bucket, &format!("many/{at}"), &patterned(60_000 + at * 1_000))).collect();
    for wanted in join_all(many.iter().map(|wanted| arrives(destination, peer, wanted))).await {
        wanted?;
    }
    expected.extend(many.iter().map(|wanted| wanted.seal.key.clone()));
    let found: BTreeSet<String> = peer.keys().await.into_iter().collect();
    if found != expected {
        return Err(Violation(format!("keys are {found:?}, expected {expected:?}")));
    }
    Ok(())
}

async fn arrives(destination: &dyn Destination, peer: &dyn Peer, wanted: &Object) -> Result<(), Violation> {
    let key = &wanted.seal.key;
    if let Err(error) = destination.deliver(wanted).await {
        return Err(Violation(format!("{key} was not delivered: {error:?}")));
    }
    let Some(found) = peer.read(key).await else {
        return Err(Violation(format!("{key} was delivered but cannot be read")));
    };
    if found.body != wanted.body {
        return Err(Violation(format!("{key} holds {} bytes that are not those sent", found.body.len())));
    }
    let expected = Stored {
        body: found.body.clone(),
        content_type: Some("application/octet-stream".to_owned()),
        content_encoding: wanted.content_encoding.map(str::to_owned),
        batch: Some(wanted.seal.id.to_string()),
    };
    if found != expected {
        return Err(Violation(format!(
            "{key} is stored with type {:?}, encoding {:?}, batch {:?}",
            found.content_type, found.content_encoding, found.batch
        )));
    }
    Ok(())
}

/// Row X8: a bucket that is not there is named as such, and nobody makes one by the way.
async fn missing_bucket(destination: &dyn Destination, bucket: &str) -> Result<(), Violation> {
    let nowhere = object(&format!("{bucket}-missing"), "key", b"body");
    for round in 0..2 {
        match destination.deliver(&nowhere).await {
            Err(error) if error.code == "S3.NoSuchBucket" && matches!(error.verdict, Verdict::Retry(_)) => {}
            other => return Err(Violation(format!("round {round}, put into a missing bucket: {other:?}"))),
        }
    }
    Ok(())
}
