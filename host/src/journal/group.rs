//! Actions asked of the log, and a group of them on its way to disk in one write.
//!
//! Refuses to copy payloads: they go to the kernel from where the request left them.

use std::io::IoSlice;
use std::sync::Arc;

use bytes::Bytes;

use crate::definition::Definition;
use crate::record::{Epoch, Records, Replay, Seal, Sequence, StreamId};

use super::frame::{self, Head, Header, Kind, Salt};
use super::note::{Delivered, Exceeding, Failing, Note, Span};

/// Something to be made durable.
#[derive(Clone, Debug)]
pub(super) enum Action {
    Append {
        stream: StreamId,
        records: Records,
        arrived_ms: u64,
    },
    /// Records that are put again, with what is remembered of that.
    Replay {
        stream: StreamId,
        records: Records,
        replay: Arc<Replay>,
        arrived_ms: u64,
    },
    /// What was put again is forgotten of objects as old as this.
    Forget(StreamId, u64),
    Create(Box<Definition>),
    Update(StreamId, Box<Definition>),
    Delete(StreamId),
    Epoch(Epoch),
    Seal(Arc<Seal>),
    Delivered(StreamId, Delivered),
    Checkpoint(StreamId, Sequence),
    Attempt(StreamId, Span),
    Failing(StreamId, Failing),
    Exceeding(StreamId, Exceeding),
    /// Records that cleaning moves.
    Copy {
        stream: StreamId,
        first: Sequence,
        records: Records,
        arrived_ms: u64,
        replay: Option<Arc<Replay>>,
    },
    /// A seal that cleaning moves.
    CopySeal(Arc<Seal>),
    /// All notes of a stream in one.
    Snapshot(StreamId),
    /// A note about the journal itself.
    Journal(Note),
}

impl Action {
    /// Bytes that wait in memory for it.
    pub(super) fn bytes(&self) -> u64 {
        match self {
            Self::Append { records, .. } | Self::Copy { records, .. } | Self::Replay { records, .. } => {
                frame::records_body_bytes(records)
            }
            Self::Exceeding(_, Exceeding { records }) => NOTE_BYTES + records.bytes() as u64,
            _ => NOTE_BYTES,
        }
    }
}

/// What a note counts for in queues: about the size of a seal.
const NOTE_BYTES: u64 = 1_024;

/// What a frame will hold.
#[derive(Clone, Debug)]
pub(super) enum Body {
    /// With a head when they are put again.
    Records(Records, Option<Head>),
    Note {
        note: Note,
        json: Vec<u8>,
    },
}

/// An action that was found possible, as the frame it becomes.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    /// Which of the caller's actions it is.
    pub(super) index: usize,
    /// `None` when the frame is about the journal itself.
    pub(super) stream: Option<StreamId>,
    pub(super) flags: u8,
    pub(super) first: Sequence,
    pub(super) time_ms: u64,
    pub(super) body: Body,
    /// What the caller is told once it is durable.
    pub(super) answer: u64,
}

impl Frame {
    pub(super) fn bytes(&self) -> u64 {
        match &self.body {
            Body::Records(records, head) => {
                let head_bytes = head.as_ref().map_or(0, |head| head.bytes.len() as u64);
                frame::frame_bytes(head_bytes + frame::records_body_bytes(records))
            }
            Body::Note { json, .. } => frame::frame_bytes(json.len() as u64),
        }
    }
}

/// Frames that share one write and one fdatasync.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) frames: Vec<Frame>,
    pub(super) bytes: u64,
}

impl Group {
    pub(super) fn push(&mut self, frame: Frame) {
        self.bytes += frame.bytes();
        self.frames.push(frame);
    }
}

/// A group's bytes: everything but payloads in one buffer, with the places where payloads belong.
#[derive(Debug, Default)]
pub(super) struct Encoded {
    framing: Vec<u8>,
    payloads: Vec<(usize, Bytes)>,
}

impl Encoded {
    /// Encodes `group` for `base`, the offset in the segment at which it will be written.
    pub(super) fn fill(&mut self, group: &Group, salt: Salt, base: u32) {
        self.framing.clear();
        self.payloads.clear();
        let mut offset = u64::from(base);
        for frame in &group.frames {
            let start = self.framing.len();
            self.framing.resize(start + frame::HEADER_BYTES, 0);
            let payload = match &frame.body {
                Body::Records(records, head) => {
                    self.framing.extend_from_slice(head.as_ref().map_or(&[][..], |head| &head.bytes));
                    frame::encode_ends(records, &mut self.framing);
                    Some(records.payload())
                }
                Body::Note { json, .. } => {
                    self.framing.extend_from_slice(json);
                    None
                }
            };
            let body = self.framing.get(start + frame::HEADER_BYTES..).unwrap_or_default();
            let payload_bytes = payload.map_or(&[][..], |payload| payload);
            let (kind, count) = match &frame.body {
                Body::Records(records, None) => (Kind::Records, records.len()),
                Body::Records(records, Some(_)) => (Kind::Replay, records.len()),
                Body::Note { note, .. } => (note.kind(), 0),
            };
            let body_bytes = body.len() + payload_bytes.len();
            // Neither can saturate: a frame is far below 4 GiB.
            let header = Header {
                kind,
                flags: frame.flags,
                stream: frame.stream.map_or(0, |stream| stream.0),
                first: frame.first,
                count: u32::try_from(count).unwrap_or(u32::MAX),
                body_bytes: u32::try_from(body_bytes).unwrap_or(u32::MAX),
                body_crc: salt.body(offset, [body, payload_bytes]),
                time_ms: frame.time_ms,
                group_offset: base,
            };
            self.framing[start..start + frame::HEADER_BYTES].copy_from_slice(&header.encode(salt, offset));
            if let Some(payload) = payload.filter(|payload| !payload.is_empty()) {
                self.payloads.push((self.framing.len(), payload.clone()));
            }
            let unpadded = (frame::HEADER_BYTES + body_bytes) as u64;
            let padding = header.frame_bytes() - unpadded;
            self.framing.extend_from_slice(&[0; ALIGNMENT][..usize::try_from(padding).unwrap_or(0)]);
            offset += header.frame_bytes();
        }
    }

    /// The bytes in order.
    pub(super) fn slices(&self) -> Vec<IoSlice<'_>> {
        let mut slices = Vec::with_capacity(self.payloads.len() * 2 + 1);
        let mut from = 0;
        for (at, payload) in &self.payloads {
            slices.push(IoSlice::new(&self.framing[from..*at]));
            slices.push(IoSlice::new(payload));
            from = *at;
        }
        slices.push(IoSlice::new(&self.framing[from..]));
        slices
    }

    /// Lets go of payloads, and of a buffer that one large group made large.
    pub(super) fn release(&mut self) {
        self.payloads.clear();
        self.framing.clear();
        self.framing.shrink_to(MAX_KEPT_BYTES);
    }
}

/// Longest padding and one more.
const ALIGNMENT: usize = 8;
/// Framing buffer kept between groups.
const MAX_KEPT_BYTES: usize = 1 << 20;
