//! From a cut to the plan of its delivery.
//!
//! Refuses to choose: the identity and the instants come from the caller, the rest from the definition and the cut.

use uuid::Uuid;

use super::buffer::Cut;
use super::name::{self, NameError};
use crate::definition::Definition;
use crate::record::{Content, Seal, StreamId};
use crate::runtime::Random;

impl Cut {
    /// The plan of this cut's delivery under `definition`, and what it promises to deliver. `random` is for
    /// `!{firehose:random-string}` only: the key is fixed from here on, whatever is drawn later.
    ///
    /// # Errors
    /// When the object cannot be named, which a checked definition rules out.
    pub fn plan(
        self,
        stream: StreamId,
        definition: &Definition,
        id: Uuid,
        sealed_ms: u64,
        random: &Random,
    ) -> Result<(Seal, Content), NameError> {
        let key = name::object_key(definition, &self.partition, self.oldest_arrived_ms, id, random)?;
        let seal = Seal {
            id,
            stream,
            partition: self.partition.clone(),
            first: self.first,
            end: self.end,
            open_from: self.open_from,
            definition_version: definition.version,
            bucket: definition.s3_of(&self.partition).bucket.clone(),
            key,
            record_count: self.record_count,
            content_bytes: self.content_bytes,
            oldest_arrived_ms: self.oldest_arrived_ms,
            sealed_ms,
        };
        Ok((seal, self.content))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::{Compression, S3Destination, testing};
    use crate::record::Partition;

    #[test]
    fn the_plan_is_the_cut_and_the_definition() {
        let s3 = S3Destination { prefix: "raw/".to_owned(), compression: Compression::Gzip, ..testing::s3() };
        let definition = Definition { version: 2, s3, ..testing::definition("orders") };
        let cut = Cut {
            partition: Partition::Main,
            first: 3,
            end: 9,
            open_from: 7,
            content: Content::Records(b"abc".to_vec()),
            record_count: 2,
            content_bytes: 3,
            promised_bytes: None,
            oldest_arrived_ms: 1_535_365_800_000,
        };
        let id = Uuid::from_u128(1);
        let (seal, content) = cut.plan(StreamId(4), &definition, id, 1_535_365_860_000, &Random::seeded(1)).unwrap();
        assert!(matches!(content, Content::Records(payload) if payload == b"abc"));
        let expected = Seal {
            id,
            stream: StreamId(4),
            partition: Partition::Main,
            first: 3,
            end: 9,
            open_from: 7,
            definition_version: 2,
            bucket: "lake".to_owned(),
            key: format!("raw/2018/08/27/10/orders-2-2018-08-27-10-30-00-{id}.gz"),
            record_count: 2,
            content_bytes: 3,
            oldest_arrived_ms: 1_535_365_800_000,
            sealed_ms: 1_535_365_860_000,
        };
        assert_eq!(seal, expected);
    }
}
