//! Frames: the unit of the log. Encodes and decodes headers and record bodies; the layout is specified in the module.
//!
//! Refuses to do I/O, and refuses every frame that was not written at this offset of this segment.

use bytes::Bytes;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::record::{Column, Records, Replay};

/// Bytes of a frame header.
pub(super) const HEADER_BYTES: usize = 48;
/// Frames begin at multiples of this.
pub(super) const ALIGNMENT: u64 = 8;
/// Longest body: four times the largest put request, so that base64 and framing can never matter.
pub(super) const MAX_BODY_BYTES: u64 = 16 << 20;
/// First four bytes of a frame.
pub(super) const MAGIC: [u8; 4] = *b"HyFr";
/// Flag of a frame that cleaning copied here: it says nothing about the stream's next sequence number.
pub(super) const FLAG_COPY: u8 = 1;

/// What a frame is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Records = 1,
    Definition = 2,
    Deleted = 3,
    Epoch = 4,
    Seal = 5,
    Delivered = 6,
    Checkpoint = 7,
    Attempt = 8,
    Snapshot = 9,
    Dropped = 10,
    Clean = 11,
    Replay = 12,
    Forgotten = 13,
    Failing = 14,
    Exceeding = 15,
}

impl Kind {
    const ALL: [Self; 15] = [
        Self::Records,
        Self::Definition,
        Self::Deleted,
        Self::Epoch,
        Self::Seal,
        Self::Delivered,
        Self::Checkpoint,
        Self::Attempt,
        Self::Snapshot,
        Self::Dropped,
        Self::Clean,
        Self::Replay,
        Self::Forgotten,
        Self::Failing,
        Self::Exceeding,
    ];

    /// Its name in reports.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Records => "records",
            Self::Definition => "definition",
            Self::Deleted => "deleted",
            Self::Epoch => "epoch",
            Self::Seal => "seal",
            Self::Delivered => "delivered",
            Self::Checkpoint => "checkpoint",
            Self::Attempt => "attempt",
            Self::Snapshot => "snapshot",
            Self::Dropped => "dropped",
            Self::Clean => "clean",
            Self::Replay => "replay",
            Self::Forgotten => "forgotten",
            Self::Failing => "failing",
            Self::Exceeding => "exceeding",
        }
    }

    /// True for frames of which records are a part.
    pub(super) fn has_records(self) -> bool {
        matches!(self, Self::Records | Self::Replay)
    }

    fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|&kind| kind as u8 == code)
    }
}

/// Start value of every checksum in one segment: its id and random epoch (row D5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Salt(u32);

impl Salt {
    pub(super) fn new(segment: u64, epoch: u64) -> Self {
        Self(crc32c::crc32c_append(crc32c::crc32c(&segment.to_le_bytes()), &epoch.to_le_bytes()))
    }

    /// Start value for the frame at `offset`, so that a frame copied to another place does not parse there.
    fn at(self, offset: u64) -> u32 {
        crc32c::crc32c_append(self.0, &offset.to_le_bytes())
    }

    /// Checksum of the body of the frame at `offset`.
    pub(super) fn body(self, offset: u64, parts: [&[u8]; 2]) -> u32 {
        crc32c::crc32c_append(crc32c::crc32c_append(self.at(offset), parts[0]), parts[1])
    }
}

/// A frame header, decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: Kind,
    pub(super) flags: u8,
    /// Stream number; 0 when the frame is about the journal itself.
    pub(super) stream: u32,
    /// Sequence number of the first record; in other frames the stream's next sequence number.
    pub(super) first: u64,
    /// Number of records; 0 in other frames.
    pub(super) count: u32,
    pub(super) body_bytes: u32,
    pub(super) body_crc: u32,
    /// Arrival of the records, or when the frame was made.
    pub(super) time_ms: u64,
    /// Offset in the segment at which the group that wrote this frame began.
    pub(super) group_offset: u32,
}

impl Header {
    pub(super) fn encode(&self, salt: Salt, offset: u64) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        let fields: [&[u8]; 8] = [
            &self.body_crc.to_le_bytes(),
            &[self.kind as u8, self.flags, 0, 0],
            &self.stream.to_le_bytes(),
            &self.count.to_le_bytes(),
            &self.first.to_le_bytes(),
            &self.body_bytes.to_le_bytes(),
            &self.group_offset.to_le_bytes(),
            &self.time_ms.to_le_bytes(),
        ];
        let mut at = 8;
        for field in fields {
            bytes[at..at + field.len()].copy_from_slice(field);
            at += field.len();
        }
        let crc = crc32c::crc32c_append(salt.at(offset), &bytes[8..]);
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4..8].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// The header at `offset` of the segment that `salt` stands for; `None` unless every bit is right.
    pub(super) fn decode(bytes: &[u8], salt: Salt, offset: u64) -> Option<Self> {
        let bytes: &[u8; HEADER_BYTES] = bytes.get(..HEADER_BYTES)?.try_into().ok()?;
        if bytes[..4] != MAGIC || bytes[4..8] != crc32c::crc32c_append(salt.at(offset), &bytes[8..]).to_le_bytes() {
            return None;
        }
        let header = Self {
            body_crc: u32_at(bytes, 8),
            kind: Kind::from_code(bytes[12])?,
            flags: bytes[13],
            stream: u32_at(bytes, 16),
            count: u32_at(bytes, 20),
            first: u64_at(bytes, 24),
            body_bytes: u32_at(bytes, 32),
            group_offset: u32_at(bytes, 36),
            time_ms: u64_at(bytes, 40),
        };
        (u64::from(header.body_bytes) <= MAX_BODY_BYTES).then_some(header)
    }

    /// Bytes of the whole frame on disk, padding included.
    pub(super) fn frame_bytes(&self) -> u64 {
        frame_bytes(u64::from(self.body_bytes))
    }

    /// Sequence number after the last record.
    pub(super) fn end(&self) -> u64 {
        self.first.saturating_add(u64::from(self.count))
    }
}

/// Bytes that a frame with this body takes on disk.
pub(super) fn frame_bytes(body_bytes: u64) -> u64 {
    (HEADER_BYTES as u64 + body_bytes).next_multiple_of(ALIGNMENT)
}

/// What stands before the records of a replay: where they came from, and their columns.
#[derive(Clone, Debug)]
pub(super) struct Head {
    pub(super) replay: Arc<Replay>,
    /// Its length and its JSON.
    pub(super) bytes: Vec<u8>,
}

#[derive(Serialize)]
struct HeadOut<'a> {
    replay: &'a Replay,
    columns: &'a [Column],
}

#[derive(Deserialize)]
struct HeadIn {
    replay: Replay,
    columns: Vec<Column>,
}

impl Head {
    #[expect(clippy::expect_used, reason = "these types hold no map with other than text keys: they always serialize")]
    pub(super) fn new(replay: Arc<Replay>, records: &Records) -> Self {
        let mut bytes = vec![0; HEAD_LENGTH_BYTES];
        let head = HeadOut { replay: &replay, columns: records.columns() };
        serde_json::to_writer(&mut bytes, &head).expect("heads always serialize");
        // A head of 4 GiB fits no frame, whatever it says of itself.
        let length = u32::try_from(bytes.len() - HEAD_LENGTH_BYTES).unwrap_or(u32::MAX);
        bytes[..HEAD_LENGTH_BYTES].copy_from_slice(&length.to_le_bytes());
        Self { replay, bytes }
    }
}

/// Bytes of a head's length.
const HEAD_LENGTH_BYTES: usize = 4;

/// The head of a replay's body, and where the records begin; `None` when there is none.
fn decode_head(body: &[u8]) -> Option<(HeadIn, usize)> {
    body.get(..HEAD_LENGTH_BYTES)?;
    let end = HEAD_LENGTH_BYTES.checked_add(u32_at(body, 0) as usize)?;
    Some((serde_json::from_slice(body.get(HEAD_LENGTH_BYTES..end)?).ok()?, end))
}

/// Where the records of a replay's body came from.
pub(super) fn decode_replay(body: &[u8]) -> Option<Replay> {
    decode_head(body).map(|(head, _)| head.replay)
}

/// The records of a frame of either kind whose checksum was right, and where they came from if they were put again;
/// `None` when the body contradicts `count`.
pub(super) fn decode_body(kind: Kind, body: &Bytes, count: u32) -> Option<(Records, Option<Arc<Replay>>)> {
    if kind != Kind::Replay {
        return Some((decode_records(body, count)?, None));
    }
    let (head, end) = decode_head(body)?;
    let records = decode_records(&body.slice(end..), count)?;
    let records = Records::new(records.payload().clone(), records.ends().to_vec(), head.columns).ok()?;
    Some((records, Some(Arc::new(head.replay))))
}

/// Bytes of the body that holds these records.
pub(super) fn records_body_bytes(records: &Records) -> u64 {
    records.len() as u64 * 4 + records.payload().len() as u64
}

/// Appends the end offsets of `records` to `to`, as they stand before the payload in the body.
pub(super) fn encode_ends(records: &Records, to: &mut Vec<u8>) {
    let start = to.len();
    to.resize(start + records.len() * 4, 0);
    for (slot, end) in to[start..].chunks_exact_mut(4).zip(records.ends()) {
        slot.copy_from_slice(&end.to_le_bytes());
    }
}

/// The records of a body whose checksum was right; `None` when they contradict `count`.
pub(super) fn decode_records(body: &Bytes, count: u32) -> Option<Records> {
    let ends_bytes = (count as usize).checked_mul(4)?;
    let ends = body.get(..ends_bytes)?.chunks_exact(4).map(|end| u32_at(end, 0)).collect();
    Records::new(body.slice(ends_bytes..), ends, Vec::new()).ok()
}

/// Little-endian number at `at`, which lies inside `bytes`.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_le_bytes)
}

/// Little-endian number at `at`, which lies inside `bytes`.
pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header() -> impl Strategy<Value = Header> {
        let kind = prop::sample::select(Kind::ALL.to_vec());
        let body = 0..=u32::try_from(MAX_BODY_BYTES).unwrap();
        (kind, any::<(u8, u32, u64, u32)>(), body, any::<(u32, u64, u32)>()).prop_map(
            |(kind, (flags, stream, first, count), body_bytes, (body_crc, time_ms, group_offset))| Header {
                kind,
                flags,
                stream,
                first,
                count,
                body_bytes,
                body_crc,
                time_ms,
                group_offset,
            },
        )
    }

    proptest! {
        #[test]
        fn headers_survive_the_round_trip(header in header(), segment: u64, epoch: u64, offset: u64) {
            let salt = Salt::new(segment, epoch);
            prop_assert_eq!(Header::decode(&header.encode(salt, offset), salt, offset), Some(header));
        }

        /// Row D5: bytes of another segment, another life of the same segment, or another place are no frame.
        #[test]
        fn a_header_parses_in_its_own_place_only(
            header in header(), here: (u64, u64, u64), there: (u64, u64, u64),
        ) {
            let ((segment, epoch, offset), (other_segment, other_epoch, other_offset)) = (here, there);
            let salt = Salt::new(segment, epoch);
            let bytes = header.encode(salt, offset);
            if other_offset != offset {
                prop_assert_eq!(Header::decode(&bytes, salt, other_offset), None);
            }
            let other = Salt::new(other_segment, other_epoch);
            if other != salt {
                prop_assert_eq!(Header::decode(&bytes, other, offset), None);
            }
        }

        /// Row D4.
        #[test]
        fn a_flipped_bit_makes_a_header_unreadable(header in header(), bit in 0..HEADER_BYTES * 8) {
            let salt = Salt::new(7, 8);
            let mut bytes = header.encode(salt, 4096);
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(Header::decode(&bytes, salt, 4096), None);
        }

        #[test]
        fn records_survive_the_round_trip(records in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..40)) {
            let ends = records.iter().scan(0, |end, record| { *end += u32::try_from(record.len()).unwrap(); Some(*end) });
            let records = Records::new(Bytes::from(records.concat()), ends.collect(), Vec::new()).unwrap();
            let mut body = Vec::new();
            encode_ends(&records, &mut body);
            body.extend_from_slice(records.payload());
            prop_assert_eq!(body.len() as u64, records_body_bytes(&records));
            let count = u32::try_from(records.len()).unwrap();
            prop_assert_eq!(decode_records(&Bytes::from(body), count), Some(records));
        }

        /// Row D13: whatever stands there, decoding answers and never panics.
        #[test]
        fn any_bytes_are_refused_or_understood(bytes in prop::collection::vec(any::<u8>(), 0..200), count: u32) {
            prop_assert_eq!(Header::decode(&bytes, Salt::new(1, 2), 8), None);
            let body = Bytes::from(bytes);
            if let Some(records) = decode_records(&body, count) {
                prop_assert_eq!(records.len(), count as usize);
            }
        }
    }
}
