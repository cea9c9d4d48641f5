//! Notes: the bodies of all frames that are not records, as JSON, because they are rare and people inspect them.
//!
//! Refuses to decide what a note means; the state does.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::definition::Definition;
use crate::record::{Epoch, Partition, Replay, Replayed, Seal, Sequence, Sequences};

use super::frame::{self, Kind};

/// What a frame without records says.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Note {
    /// The stream was created, or has this new version.
    Definition(Box<Definition>),
    /// The stream is gone; whatever else is found of it is void.
    Deleted,
    Epoch(Epoch),
    Seal(Arc<Seal>),
    Delivered(Delivered),
    Checkpoint(Checkpoint),
    Attempt(Span),
    Failing(Failing),
    Exceeding(Exceeding),
    /// Replaces every earlier note of the stream, except the bodies of open seals.
    Snapshot(Box<Snapshot>),
    /// Which segments were given up. Replaces every earlier one.
    Dropped(Dropped),
    /// Closed in good order; nothing follows.
    Clean,
    /// Lines that are put again: read before the records of its frame, never written for itself.
    Replay(Arc<Replay>),
    Forgotten(Forgotten),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Delivered {
    pub(super) id: Uuid,
}

/// The first attempt to deliver a seal failed then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Failing {
    pub(super) id: Uuid,
    /// Milliseconds since 1970.
    pub(super) since_ms: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Checkpoint {
    pub(super) open_from: Sequence,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Forgotten {
    /// What was put again of objects that were written before it, milliseconds since 1970.
    pub(super) before_ms: u64,
}

/// These belong to partitions for which there was no room.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Exceeding {
    pub(super) records: Sequences,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Span {
    pub(super) first: Sequence,
    pub(super) end: Sequence,
    /// More than one when the records are set aside.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub(super) count: u32,
}

fn one() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_one(count: &u32) -> bool {
    *count == 1
}

/// A range of records that somebody started to process, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// First record.
    pub first: Sequence,
    /// Sequence number after the last record.
    pub end: Sequence,
    /// How often it was started.
    pub count: u32,
}

/// Everything about one stream but its records and the bodies of its open seals.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Snapshot {
    pub(super) is_deleted: bool,
    pub(super) definitions: Vec<Definition>,
    pub(super) epochs: Vec<Epoch>,
    /// Seals not in this list are delivered, wherever their frames still turn up.
    pub(super) open_seals: Vec<Uuid>,
    pub(super) marks: Vec<(Partition, Sequence)>,
    pub(super) open_from: Sequence,
    pub(super) attempts: Vec<Attempt>,
    #[serde(default, skip_serializing_if = "Replayed::is_empty")]
    pub(super) replayed: Replayed,
    /// Open seals whose first attempt failed, by their places in that list, and when, milliseconds since 1970; absent in
    /// journals of earlier releases.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) failing: Vec<(u32, u64)>,
    /// Absent in journals of earlier releases.
    #[serde(default, skip_serializing_if = "Sequences::is_empty")]
    pub(super) exceeding: Sequences,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Dropped {
    /// Half-open ranges of segment ids.
    pub(super) ranges: Vec<(u64, u64)>,
    /// What the dropped successors' headers said about segments that remain.
    pub(super) ends: Vec<SegmentEnd>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SegmentEnd {
    pub(super) id: u64,
    pub(super) end: u64,
    pub(super) epoch: u64,
    pub(super) doubtful_from: u64,
}

#[derive(Serialize, Deserialize)]
struct Nothing {}

impl Note {
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Definition(_) => Kind::Definition,
            Self::Deleted => Kind::Deleted,
            Self::Epoch(_) => Kind::Epoch,
            Self::Seal(_) => Kind::Seal,
            Self::Delivered(_) => Kind::Delivered,
            Self::Checkpoint(_) => Kind::Checkpoint,
            Self::Attempt(_) => Kind::Attempt,
            Self::Failing(_) => Kind::Failing,
            Self::Exceeding(_) => Kind::Exceeding,
            Self::Snapshot(_) => Kind::Snapshot,
            Self::Dropped(_) => Kind::Dropped,
            Self::Clean => Kind::Clean,
            Self::Replay(_) => Kind::Replay,
            Self::Forgotten(_) => Kind::Forgotten,
        }
    }

    /// The body.
    #[expect(clippy::expect_used, reason = "these types hold no map with other than text keys: they always serialize")]
    pub(super) fn encode(&self) -> Vec<u8> {
        match self {
            Self::Definition(definition) => serde_json::to_vec(definition),
            Self::Deleted | Self::Clean => serde_json::to_vec(&Nothing {}),
            Self::Epoch(epoch) => serde_json::to_vec(epoch),
            Self::Seal(seal) => serde_json::to_vec(seal),
            Self::Delivered(delivered) => serde_json::to_vec(delivered),
            Self::Checkpoint(checkpoint) => serde_json::to_vec(checkpoint),
            Self::Attempt(span) => serde_json::to_vec(span),
            Self::Failing(failing) => serde_json::to_vec(failing),
            Self::Exceeding(exceeding) => serde_json::to_vec(exceeding),
            Self::Snapshot(snapshot) => serde_json::to_vec(snapshot),
            Self::Dropped(dropped) => serde_json::to_vec(dropped),
            Self::Replay(replay) => serde_json::to_vec(replay),
            Self::Forgotten(forgotten) => serde_json::to_vec(forgotten),
        }
        .expect("notes always serialize")
    }

    /// The note of a frame whose checksum was right; `None` for records and for what cannot be understood.
    pub(super) fn decode(kind: Kind, body: &[u8]) -> Option<Self> {
        Some(match kind {
            Kind::Records => return None,
            Kind::Definition => Self::Definition(serde_json::from_slice(body).ok()?),
            Kind::Deleted => Self::Deleted,
            Kind::Epoch => Self::Epoch(serde_json::from_slice(body).ok()?),
            Kind::Seal => Self::Seal(serde_json::from_slice(body).ok()?),
            Kind::Delivered => Self::Delivered(serde_json::from_slice(body).ok()?),
            Kind::Checkpoint => Self::Checkpoint(serde_json::from_slice(body).ok()?),
            Kind::Attempt => Self::Attempt(serde_json::from_slice(body).ok()?),
            Kind::Failing => Self::Failing(serde_json::from_slice(body).ok()?),
            Kind::Exceeding => Self::Exceeding(serde_json::from_slice(body).ok()?),
            Kind::Snapshot => Self::Snapshot(serde_json::from_slice(body).ok()?),
            Kind::Dropped => Self::Dropped(serde_json::from_slice(body).ok()?),
            Kind::Clean => Self::Clean,
            Kind::Replay => Self::Replay(Arc::new(frame::decode_replay(body)?)),
            Kind::Forgotten => Self::Forgotten(serde_json::from_slice(body).ok()?),
        })
    }
}
