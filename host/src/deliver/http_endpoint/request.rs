//! What is sent: batches cut into requests, and the body of each. Pure; everything derives from the seal and the
//! records, so a repeated request has the same id, time and bytes.

use base64_simd::STANDARD;
use libdeflater::{CompressionLvl, Compressor};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::definition::EndpointBody;
use crate::record::{Documents, Records, Rows, Seal};

/// Most records of a request. Source: the endpoint specification, as are the two below.
pub(super) const MOST_RECORDS: usize = 10_000;

/// Most bytes of a body before compression.
pub(super) const MOST_BODY_BYTES: usize = 64 << 20;

/// Most bytes of one record: 1,365,336 characters of base64.
pub(super) const MOST_RECORD_BYTES: usize = 1_024_000;

/// What a record costs beside its base64: `{"data":""},`.
const RECORD_FRAME_BYTES: usize = 12;

/// What a body costs beside its records: id, time, brackets.
const BODY_FRAME_BYTES: usize = 128;

/// The level of our gzip objects: gzip -6's size at half the time.
const GZIP_LEVEL: i32 = 5;

/// One request of a batch: consecutive records, and the id under which they are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// Indexes into the rows, rising.
    pub(super) records: Vec<usize>,
    /// `requestId`.
    pub(super) id: Uuid,
}

/// A batch as requests, and the records that no request may hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) parts: Vec<Part>,
    pub(super) too_large: Vec<usize>,
}

/// Cuts from the front, each part as long as allowed. What is left of a batch after some parts were taken therefore
/// falls into the same parts again, under the same ids.
pub(super) fn plan(documents: &Documents, body: EndpointBody) -> Plan {
    match body {
        EndpointBody::Firehose => batches(documents),
        EndpointBody::Record => singles(documents),
    }
}

/// A part for each record. How long a record may be is what its endpoint says.
fn singles(documents: &Documents) -> Plan {
    let rows = &documents.rows;
    let part =
        |at: usize| Part { records: vec![at], id: derived(documents.seal.id, rows.sequences[at], rows.ordinals[at]) };
    Plan { parts: (0..rows.len()).map(part).collect(), too_large: Vec::new() }
}

fn batches(documents: &Documents) -> Plan {
    let rows = &documents.rows;
    let is_whole = rows.len() as u64 == documents.seal.record_count;
    let mut plan = Plan::default();
    let mut open = Vec::new();
    let mut open_bytes = BODY_FRAME_BYTES;
    for at in 0..rows.len() {
        let bytes = rows.records.range(at).len();
        if bytes > MOST_RECORD_BYTES {
            plan.too_large.push(at);
            continue;
        }
        let cost = STANDARD.encoded_length(bytes) + RECORD_FRAME_BYTES;
        if open.len() == MOST_RECORDS || open_bytes + cost > MOST_BODY_BYTES {
            plan.close(&documents.seal, rows, is_whole, &mut open);
            open_bytes = BODY_FRAME_BYTES;
        }
        open.push(at);
        open_bytes += cost;
    }
    plan.close(&documents.seal, rows, is_whole, &mut open);
    plan
}

impl Plan {
    fn close(&mut self, seal: &Seal, rows: &Rows, is_whole: bool, open: &mut Vec<usize>) {
        let Some(&first) = open.first() else { return };
        let is_first = self.parts.is_empty() && is_whole;
        let id = if is_first { seal.id } else { derived(seal.id, rows.sequences[first], rows.ordinals[first]) };
        self.parts.push(Part { records: std::mem::take(open), id });
    }
}

/// The id of a part that is not a batch's first: made of the batch's id and the part's first record.
fn derived(batch: Uuid, sequence: u64, ordinal: u32) -> Uuid {
    let mut hash = Sha256::new();
    hash.update(batch.as_bytes());
    hash.update(sequence.to_be_bytes());
    hash.update(ordinal.to_be_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.finalize()[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

/// A request's body when it is one record.
pub(super) fn single(records: &Records, part: &Part, is_compressed: bool) -> Vec<u8> {
    let body = part.records.iter().map(|&at| records.record(at)).collect::<Vec<_>>().concat();
    if is_compressed { gzip(&body) } else { body }
}

/// A request's body. The time is the batch's, so that a repetition is the same to the byte.
pub(super) fn body(seal: &Seal, records: &Records, part: &Part, is_compressed: bool) -> Vec<u8> {
    let payload: usize = part.records.iter().map(|&at| STANDARD.encoded_length(records.range(at).len())).sum();
    let mut body = Vec::with_capacity(BODY_FRAME_BYTES + payload + part.records.len() * RECORD_FRAME_BYTES);
    body.extend_from_slice(
        format!(r#"{{"requestId":"{}","timestamp":{},"records":["#, part.id, seal.sealed_ms).as_bytes(),
    );
    for (at, &record) in part.records.iter().enumerate() {
        body.extend_from_slice(if at == 0 { br#"{"data":""# } else { br#",{"data":""# });
        STANDARD.encode_append(records.record(record), &mut body);
        body.extend_from_slice(br#""}"#);
    }
    body.extend_from_slice(b"]}");
    if is_compressed { gzip(&body) } else { body }
}

#[expect(clippy::expect_used, reason = "the library promises that its own bound is room enough")]
fn gzip(body: &[u8]) -> Vec<u8> {
    let mut compressor = Compressor::new(CompressionLvl::new(GZIP_LEVEL).unwrap_or_default());
    let mut out = vec![0; compressor.gzip_compress_bound(body.len())];
    let length = compressor.gzip_compress(body, &mut out).expect("the bound is room enough");
    out.truncate(length);
    out
}

/// Value of `X-Amz-Firehose-Common-Attributes`: JSON in ASCII, because a header has no encoding.
pub(super) fn common_attributes(attributes: &[(String, String)]) -> Option<String> {
    if attributes.is_empty() {
        return None;
    }
    let mut text = String::from(r#"{"commonAttributes":{"#);
    for (at, (name, value)) in attributes.iter().enumerate() {
        text.push_str(if at == 0 { "" } else { "," });
        quote(name, &mut text);
        text.push(':');
        quote(value, &mut text);
    }
    text.push_str("}}");
    Some(text)
}

fn quote(text: &str, into: &mut String) {
    into.push('"');
    for unit in text.encode_utf16() {
        match u8::try_from(unit) {
            Ok(byte @ (b'"' | b'\\')) => into.extend(['\\', char::from(byte)]),
            Ok(byte @ b' '..=b'~') => into.push(char::from(byte)),
            _ => into.push_str(&format!("\\u{unit:04x}")),
        }
    }
    into.push('"');
}
