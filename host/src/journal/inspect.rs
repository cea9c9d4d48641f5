//! Looks into a journal without changing it: what is there, and is every bit of it right.
//!
//! Meant for a directory that no process writes; beside a running one the answer is a snapshot that may be torn.
//! Refuses to repair anything.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use crate::record::{Sequence, StreamId};

use super::chain::{self, Link};
use super::error::OpenError;
use super::frame::HEADER_BYTES;
use super::recovery::{self, LostRecords};
use super::scan::{Found, Scanner};
use super::segment::BLOCK_BYTES;
use super::shared::Shared;
use super::storage::{Disk, Storage};

/// What a journal holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Inspection {
    /// The directory.
    pub directory: String,
    /// Closed in good order.
    pub is_clean: bool,
    /// Bytes of an unfinished write at the end.
    pub cut_bytes: u64,
    /// Segments, oldest first.
    pub segments: Vec<SegmentReport>,
    /// Streams by number.
    pub streams: Vec<StreamReport>,
}

/// One segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SegmentReport {
    /// Its id.
    pub id: u64,
    /// Creation, milliseconds since 1970.
    pub created_ms: u64,
    /// Valid bytes.
    pub bytes: u64,
    /// Bytes of records and seals that are still needed.
    pub live_bytes: u64,
    /// Damaged frames are in it.
    pub is_damaged: bool,
}

/// One stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StreamReport {
    /// Its number.
    pub id: StreamId,
    /// Account.
    pub account_id: String,
    /// Name.
    pub name: String,
    /// Current version.
    pub version: u32,
    /// Everything below is sealed or dropped.
    pub open_from: Sequence,
    /// Next sequence number.
    pub next: Sequence,
    /// Seals that are not delivered.
    pub undelivered_count: usize,
}

/// Whether every bit is right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// The directory.
    pub directory: String,
    /// Segments looked at.
    pub segment_count: usize,
    /// Frames whose checksums were right.
    pub frame_count: u64,
    /// Records in them.
    pub record_count: u64,
    /// Bytes looked at.
    pub bytes: u64,
    /// Bytes of an unfinished write at the end: normal after a crash.
    pub cut_bytes: u64,
    /// What is wrong.
    pub damages: Vec<Damage>,
    /// Records that are still needed and cannot be read.
    pub lost: Vec<LostRecords>,
}

/// One thing wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Damage {
    /// Segment id.
    pub segment: u64,
    /// Offset in the segment.
    pub offset: u64,
    /// Length in bytes.
    pub bytes: u64,
    /// What stood there.
    pub what: What,
}

/// What damage hit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "type")]
pub enum What {
    /// The header block of the segment; the segment can still be read.
    SegmentHeader,
    /// A frame header: nothing is known about the frame.
    FrameHeader,
    /// The body of a frame with records.
    Records {
        /// Owner.
        stream: StreamId,
        /// First record.
        first: Sequence,
        /// Sequence number after the last one.
        end: Sequence,
    },
    /// The body of another frame.
    Note {
        /// Stream, 0 for the journal itself.
        stream: StreamId,
        /// Kind of frame.
        kind: &'static str,
    },
    /// Bytes between two frames, which should be zero: no data is hit.
    Padding,
}

impl Verification {
    /// True when nothing is wrong.
    pub fn is_intact(&self) -> bool {
        self.damages.is_empty() && self.lost.is_empty()
    }
}

/// Looks at the journal in `directory`.
///
/// # Errors
/// What opening it would answer.
pub fn inspect(directory: &Path) -> Result<Inspection, OpenError> {
    inspect_storage(&Disk::new(directory))
}

/// Reads everything in the journal in `directory` again.
///
/// # Errors
/// What opening it would answer.
pub fn verify(directory: &Path) -> Result<Verification, OpenError> {
    verify_storage(&Disk::new(directory))
}

fn inspect_storage(storage: &dyn Storage) -> Result<Inspection, OpenError> {
    let (found, merge, recovered) = recovery::look(storage, Arc::new(Shared::new(0, usize::MAX)), 1)?;
    let segment = |link: &Link| {
        let state = merge.segments.get(&link.header.id);
        SegmentReport {
            id: link.header.id,
            created_ms: link.header.created_ms,
            bytes: link.end,
            live_bytes: state.map_or(0, |segment| segment.live),
            is_damaged: state.is_some_and(|segment| segment.is_damaged),
        }
    };
    let streams = recovered.streams.iter().filter_map(|stream| {
        let current = stream.definitions.last()?;
        Some(StreamReport {
            id: stream.id,
            account_id: current.account_id.clone(),
            name: current.name.clone(),
            version: current.version,
            open_from: stream.open_from,
            next: stream.next,
            undelivered_count: stream.undelivered.len(),
        })
    });
    Ok(Inspection {
        directory: storage.describe(),
        is_clean: recovered.is_clean,
        cut_bytes: recovered.cut_bytes,
        segments: found.links.iter().map(segment).collect(),
        streams: streams.collect(),
    })
}

pub(super) fn verify_storage(storage: &dyn Storage) -> Result<Verification, OpenError> {
    let found = chain::find(storage)?;
    let io = |source| OpenError::Io { directory: storage.describe(), action: "read a segment", source };
    let mut report = Verification {
        directory: storage.describe(),
        segment_count: found.links.len(),
        frame_count: 0,
        record_count: 0,
        bytes: 0,
        cut_bytes: found.cut_bytes,
        damages: Vec::new(),
        lost: Vec::new(),
    };
    for link in &found.links {
        verify_segment(link, &mut report).map_err(io)?;
    }
    let (_, _, recovered) = recovery::look(storage, Arc::new(Shared::new(0, usize::MAX)), 1)?;
    report.lost = recovered.lost;
    Ok(report)
}

fn verify_segment(link: &Link, report: &mut Verification) -> std::io::Result<()> {
    let segment = link.header.id;
    report.bytes += link.end;
    if !link.is_header_intact {
        report.damages.push(Damage { segment, offset: 0, bytes: BLOCK_BYTES, what: What::SegmentHeader });
    }
    let mut scanner = Scanner::new(&*link.file, link.header.salt(), BLOCK_BYTES.min(link.end)..link.end)?;
    while let Some(found) = scanner.next()? {
        match found {
            Found::Frame { offset, header, is_padding_clean, .. } => {
                report.frame_count += 1;
                report.record_count += u64::from(header.count);
                if !is_padding_clean {
                    let body_end = HEADER_BYTES as u64 + u64::from(header.body_bytes);
                    let (offset, bytes) = (offset + body_end, header.frame_bytes() - body_end);
                    report.damages.push(Damage { segment, offset, bytes, what: What::Padding });
                }
            }
            Found::Damage { range, header } => {
                let what = match header {
                    None => What::FrameHeader,
                    Some(header) if header.kind.has_records() => {
                        What::Records { stream: StreamId(header.stream), first: header.first, end: header.end() }
                    }
                    Some(header) => What::Note { stream: StreamId(header.stream), kind: header.kind.name() },
                };
                report.damages.push(Damage { segment, offset: range.start, bytes: range.end - range.start, what });
            }
        }
    }
    Ok(())
}

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = if self.is_clean { "closed in good order" } else { "not closed" };
        writeln!(f, "journal {}: {end}, {} bytes cut at the end", self.directory, self.cut_bytes)?;
        writeln!(f, "{:>20}  {:>14}  {:>14}  damaged", "segment", "bytes", "needed bytes")?;
        for segment in &self.segments {
            let damaged = if segment.is_damaged { "yes" } else { "no" };
            writeln!(f, "{:>20}  {:>14}  {:>14}  {damaged}", segment.id, segment.bytes, segment.live_bytes)?;
        }
        writeln!(
            f,
            "{:>10}  {:<40}  {:>7}  {:>14}  {:>14}  undelivered",
            "stream", "name", "version", "open from", "next"
        )?;
        for stream in &self.streams {
            let name = format!("{}/{}", stream.account_id, stream.name);
            let (version, open_from, next) = (stream.version, stream.open_from, stream.next);
            let undelivered = stream.undelivered_count;
            writeln!(f, "{:>10}  {name:<40}  {version:>7}  {open_from:>14}  {next:>14}  {undelivered}", stream.id.0)?;
        }
        Ok(())
    }
}

impl fmt::Display for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { directory, segment_count, frame_count, record_count, bytes, cut_bytes, .. } = self;
        writeln!(
            f,
            "journal {directory}: {segment_count} segments, {bytes} bytes, {frame_count} frames, {record_count} records"
        )?;
        if *cut_bytes > 0 {
            writeln!(f, "an unfinished write of {cut_bytes} bytes at the end (normal after a crash)")?;
        }
        for damage in &self.damages {
            writeln!(
                f,
                "damaged: segment {} offset {} length {}: {}",
                damage.segment, damage.offset, damage.bytes, damage.what
            )?;
        }
        for lost in &self.lost {
            writeln!(f, "lost: stream {} records {} to {}", lost.stream, lost.first, lost.end)?;
        }
        writeln!(f, "{}", if self.is_intact() { "intact" } else { "DAMAGED" })
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SegmentHeader => f.write_str("segment header"),
            Self::FrameHeader => f.write_str("frame header"),
            Self::Records { stream, first, end } => write!(f, "records {first} to {end} of stream {stream}"),
            Self::Note { stream, kind } => write!(f, "{kind} note of stream {stream}"),
            Self::Padding => f.write_str("padding, no data"),
        }
    }
}
