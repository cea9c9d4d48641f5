//! From a body to columns, in one pass.
//!
//! The fast path accepts what SDKs send and nothing else; whatever it does not like, right or wrong, goes to the slow
//! path, which is exact. So the two agree by construction on everything that is refused, and a test compares them
//! on what is accepted. Refuses nothing by itself.

use std::borrow::Cow;
use std::fmt;

use base64_simd::STANDARD;
use bytes::Bytes;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::api::error::{Fault, internal_failure, invalid_argument, not_json, serialization};
use crate::api::model::{self, Addresses, Node, Shape};
use crate::record::Records;

/// A put that is within every limit.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::api) struct Put<'a> {
    /// `DeliveryStreamName`.
    pub(in crate::api) stream: Cow<'a, str>,
    /// The decoded records.
    pub(in crate::api) records: Records,
}

/// What reading a body found: a put, or what is wrong with it. Errors told before authentication are told apart from
/// those told after.
pub(in crate::api) type Decoded<'a> = Result<Result<Put<'a>, Fault>, Fault>;

/// Reads the body of a PutRecordBatch.
///
/// # Errors
/// Outer: the body is not a JSON object. Inner: it is not a legal put.
pub(in crate::api) fn decode_batch(body: &[u8]) -> Decoded<'_> {
    if let Some(put) = quick_batch(body) {
        return Ok(put.within_batch());
    }
    let document = model::parse(body)?;
    Ok(careful(&model::PUT_RECORD_BATCH_INPUT, document, |document| document.list("Records")))
}

/// Reads the body of a PutRecord.
///
/// # Errors
/// As [`decode_batch`].
pub(in crate::api) fn decode_record(body: &[u8]) -> Decoded<'_> {
    let document = model::parse(body)?;
    Ok(careful(&model::PUT_RECORD_INPUT, document, |document| {
        document.member("Record").map(std::slice::from_ref).unwrap_or_default()
    }))
}

/// Records of one batch.
pub(super) const BATCH_RECORDS: usize = 500;
/// Decoded bytes of one batch.
pub(super) const BATCH_BYTES: usize = 4 << 20;
/// Decoded bytes of one record.
pub(super) const RECORD_BYTES: usize = 1_024_000;

impl Put<'_> {
    /// Told after the model's constraints, and before the stream is looked up.
    fn within_batch(self) -> Result<Self, Fault> {
        if self.records.payload().len() > BATCH_BYTES {
            return Err(invalid_argument("Records size exceeds 4 MB limit"));
        }
        Ok(self)
    }
}

/// The slow path: exact messages first, then the records one by one.
fn careful<'a>(
    shape: &Shape,
    document: Node<'a>,
    records: impl for<'n> Fn(&'n Node<'a>) -> &'n [Node<'a>],
) -> Result<Put<'a>, Fault> {
    model::check(shape, &document, Addresses::default())?;
    let mut columns = Columns::default();
    for record in records(&document) {
        let data = record.text("Data").unwrap_or_default();
        let data = model::decode_blob(data).map_err(serialization)?;
        columns.payload.extend_from_slice(&data);
        columns.close_record().ok_or_else(|| invalid_argument("Records size exceeds 4 MB limit"))?;
    }
    let stream = match document {
        Node::Map(members) => members.into_iter().rfind(|(name, _)| name == "DeliveryStreamName"),
        _ => None,
    };
    let Some((_, Node::Text(stream))) = stream else { return Err(not_json()) };
    let records = columns.finish().ok_or_else(internal_failure)?;
    Put { stream, records }.within_batch()
}

/// Records under construction.
#[derive(Default)]
struct Columns {
    payload: Vec<u8>,
    ends: Vec<u32>,
}

impl Columns {
    /// Nothing when the payload has outgrown what an offset can say.
    fn close_record(&mut self) -> Option<()> {
        self.ends.push(u32::try_from(self.payload.len()).ok()?);
        Some(())
    }

    fn finish(self) -> Option<Records> {
        Records::new(Bytes::from(self.payload), self.ends, Vec::new()).ok()
    }
}

/// The fast path. Nothing when the body is not exactly what an SDK would send.
fn quick_batch(body: &[u8]) -> Option<Put<'_>> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    // Base64 is four thirds of its data, so this never grows; what the names and quotes take stays unused.
    let columns = Columns { payload: Vec::with_capacity(body.len() / 4 * 3), ends: Vec::with_capacity(BATCH_RECORDS) };
    let put = BatchSeed(columns).deserialize(&mut deserializer).ok()?;
    deserializer.end().ok()?;
    Some(put)
}

/// Says "look closer"; never shown.
fn unusual<E: Error>() -> E {
    E::custom("unusual")
}

struct BatchSeed(Columns);

impl<'de> DeserializeSeed<'de> for BatchSeed {
    type Value = Put<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Put<'de>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for BatchSeed {
    type Value = Put<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a batch")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Put<'de>, A::Error> {
        let mut stream: Option<&'de str> = None;
        let mut seen_records = false;
        while let Some(key) = map.next_key::<&'de str>()? {
            match key {
                "DeliveryStreamName" if stream.is_none() => stream = Some(map.next_value()?),
                "Records" if !seen_records => {
                    map.next_value_seed(RecordsSeed(&mut self.0))?;
                    seen_records = true;
                }
                _ => return Err(unusual()),
            }
        }
        let stream = stream.filter(|name| is_stream_name(name)).ok_or_else(unusual)?;
        let records = self.0.finish().filter(|records| !records.is_empty()).ok_or_else(unusual)?;
        Ok(Put { stream: Cow::Borrowed(stream), records })
    }
}

/// The constraint of `DeliveryStreamName`, without a regular expression.
fn is_stream_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    (1..=64).contains(&name.len()) && name.bytes().all(allowed)
}

struct RecordsSeed<'c>(&'c mut Columns);

impl<'de> DeserializeSeed<'de> for RecordsSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for RecordsSeed<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(RecordSeed(self.0))?.is_some() {
            if self.0.ends.len() > BATCH_RECORDS {
                return Err(unusual());
            }
        }
        Ok(())
    }
}

struct RecordSeed<'c>(&'c mut Columns);

impl<'de> DeserializeSeed<'de> for RecordSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for RecordSeed<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a record")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        if map.next_key::<&'de str>()? != Some("Data") {
            return Err(unusual());
        }
        map.next_value_seed(DataSeed(self.0))?;
        match map.next_key::<&'de str>()? {
            None => Ok(()),
            Some(_) => Err(unusual()),
        }
    }
}

/// Decodes the base64 of one record onto the end of the payload. Asks for bytes, not text: base64 is its own check.
struct DataSeed<'c>(&'c mut Columns);

impl<'de> DeserializeSeed<'de> for DataSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_bytes(self)
    }
}

impl<'de> Visitor<'de> for DataSeed<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("base64")
    }

    /// Borrowed from the body, or from a scratch buffer where JSON escapes (`\/`) had to be resolved.
    fn visit_bytes<E: Error>(self, base64: &[u8]) -> Result<(), E> {
        let start = self.0.payload.len();
        STANDARD.decode_append(base64, &mut self.0.payload).map_err(|_| unusual())?;
        if self.0.payload.len() - start > RECORD_BYTES {
            return Err(unusual());
        }
        self.0.close_record().ok_or_else(unusual)
    }
}
