//! The batches that the conformance suite delivers: small, told apart by number, the same each time.

use std::sync::Arc;

use bytes::Bytes;
use uuid::Uuid;

use super::objects::object;
use crate::record::{Documents, Object, Partition, Records, Rows, Seal, StreamId};

/// Records of a batch.
pub const RECORDS: usize = 3;

/// Arrival of every record, milliseconds since 1970: 2026-11-21T05:00:00Z.
const ARRIVED_MS: u64 = 1_795_237_200_000;

/// What a destination delivers, as far as the suite has to know.
pub trait Batch: Sync + Sized {
    /// What is left of it when only these records are to be sent again. An object is sent whole.
    fn select(&self, keep: &[usize]) -> Self;
}

impl Batch for Documents {
    fn select(&self, keep: &[usize]) -> Self {
        Self { seal: Arc::clone(&self.seal), rows: self.rows.select(keep) }
    }
}

impl Batch for Object {
    fn select(&self, _keep: &[usize]) -> Self {
        self.clone()
    }
}

/// Record `at` of batch `number`: a JSON object in a line, and no other record of any batch.
pub fn record(number: u32, at: usize) -> String {
    format!("{{\"id\":{},\"item\":\"no. {at} of {number}\"}}\n", id(number, at))
}

/// The number in [`record`].
pub fn id(number: u32, at: usize) -> usize {
    number as usize * RECORDS + at
}

/// How often each record of batch `number` is among `found`.
pub fn counted<'a>(number: u32, found: impl Iterator<Item = &'a [u8]> + Clone) -> Vec<usize> {
    let count = |at: usize| {
        let wanted = record(number, at);
        found.clone().filter(|one| one.trim_ascii() == wanted.trim_ascii().as_bytes()).count()
    };
    (0..RECORDS).map(count).collect()
}

/// Batch `number` as an object of lines in `bucket`.
pub fn lines(bucket: &str, number: u32) -> Object {
    let body: String = (0..RECORDS).map(|at| record(number, at)).collect();
    let id = Uuid::from_u128(u128::from(number) + 1);
    let mut lines = object(bucket, &format!("conformance/suite-1-2026-11-21-05-00-00-{id}"), body.as_bytes());
    let seal = Seal {
        id,
        record_count: RECORDS as u64,
        oldest_arrived_ms: ARRIVED_MS,
        sealed_ms: ARRIVED_MS,
        ..lines.seal.as_ref().clone()
    };
    lines.seal = Arc::new(seal);
    lines
}

/// Batch `number` as documents of these texts.
pub fn documents(number: u32, texts: &[String]) -> Documents {
    let mut end = 0;
    let ends = texts.iter().map(|text| {
        end += u32::try_from(text.len()).unwrap_or(u32::MAX);
        end
    });
    let ends: Vec<u32> = ends.collect();
    // Ends that are summed up fit.
    let records = Records::new(Bytes::from(texts.concat()), ends, Vec::new()).unwrap_or_default();
    let first = u64::from(number) * 100;
    let count = texts.len();
    let rows = Rows {
        records,
        sequences: (first..).take(count).collect(),
        ordinals: vec![0; count],
        arrived_ms: vec![ARRIVED_MS; count],
    };
    let seal = Seal {
        id: Uuid::from_u128(u128::from(number) + 1),
        stream: StreamId(1),
        partition: Partition::Main,
        first,
        end: first + count as u64,
        open_from: first + count as u64,
        definition_version: 1,
        bucket: "backup".to_owned(),
        key: "unused".to_owned(),
        record_count: count as u64,
        content_bytes: 0,
        oldest_arrived_ms: ARRIVED_MS,
        sealed_ms: ARRIVED_MS,
    };
    Documents { seal: Arc::new(seal), rows }
}

/// Batch `number` as documents of [`record`]s.
pub fn rows(number: u32) -> Documents {
    documents(number, &(0..RECORDS).map(|at| record(number, at)).collect::<Vec<_>>())
}
