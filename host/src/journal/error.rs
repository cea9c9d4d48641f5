//! What can go wrong at the journal's edge: few kinds, each saying what its caller should do.
//!
//! Refuses to hold payload, and refuses to leave a caller guessing whether a retry helps.

use std::io;

use crate::record::{Sequence, StreamId};

/// Why the journal could not be opened. Nothing was changed unless the text says so.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process owns the directory (row D12).
    #[error("journal {directory} is in use by process {owner}")]
    InUse {
        /// The directory.
        directory: String,
        /// Its process id, or `unknown`.
        owner: String,
    },
    /// The operating system refused.
    #[error("cannot {action} in journal {directory}")]
    Io {
        /// The directory.
        directory: String,
        /// What was tried.
        action: &'static str,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// Written by a version this program does not know; it never guesses (row D13).
    #[error("segment {segment} has format version {found}, this program reads {supported}")]
    Version {
        /// Segment id.
        segment: u64,
        /// Version in its header.
        found: u32,
        /// The version this program reads.
        supported: u32,
    },
    /// A file with a segment's name holds something else, or was written with the other byte order.
    #[error("file {name} is not a journal segment")]
    Foreign {
        /// File name.
        name: String,
    },
    /// A segment holds data but neither copy of its header, nor its successor, tells how to read it.
    #[error("header of segment {segment} is damaged beyond reading; restore the file or move it away")]
    Header {
        /// Segment id.
        segment: u64,
    },
    /// A segment is gone and no note says that it was dropped (row D7).
    #[error("segment {segment} is missing and was never dropped; restore the file")]
    Missing {
        /// Segment id.
        segment: u64,
    },
    /// A frame with a right checksum says something impossible: a defect of the program that wrote it.
    #[error("frame at offset {offset} of segment {segment} cannot be understood")]
    Frame {
        /// Segment id.
        segment: u64,
        /// Offset of the frame.
        offset: u64,
    },
    /// A setting is outside its limits.
    #[error("journal setting {0}")]
    Setting(&'static str),
}

/// Why something was not made durable. It may still be found after a crash unless refused before writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// No room on disk; opens again by itself once segments are freed (row D8). Retry later.
    #[error("journal is full")]
    Full,
    /// Too much is waiting for the disk (row D10). Retry later.
    #[error("journal is busy")]
    Busy,
    /// No such stream, or it was deleted.
    #[error("stream {0} is unknown to the journal")]
    UnknownStream(StreamId),
    /// Larger than one frame may be.
    #[error("frame of {bytes} bytes is over the limit of {limit}")]
    TooLarge {
        /// Bytes of the frame.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// Nothing to append.
    #[error("no records to append")]
    Empty,
    /// Records with columns: the journal keeps what producers put, and producers put none.
    #[error("records with columns cannot be journaled")]
    Columns,
    /// Too many undelivered seals of one stream; wait until some are delivered.
    #[error("stream {0} has too many undelivered seals")]
    TooManySeals(StreamId),
    /// At least one of these failures was put into the stream again before.
    #[error("some of these failures were replayed into stream {0} before")]
    Replayed(StreamId),
    /// What was put again of objects as old as this one is forgotten, so nothing of it may be.
    #[error("what was replayed into stream {0} of objects as old as this is forgotten")]
    ReplaysForgotten(StreamId),
    /// Nothing more can be remembered of what was put again; forget some.
    #[error("stream {0} remembers as many replayed failures as it can")]
    TooManyReplays(StreamId),
    /// Nothing more can be remembered of records that exceed the active partitions.
    #[error("stream {0} remembers as many records beyond its partitions as it can")]
    TooManyExceeding(StreamId),
    /// The disk failed and the journal takes nothing more; the process must exit (row D9).
    #[error("journal is poisoned by a failed disk operation")]
    Poisoned,
    /// The journal was closed.
    #[error("journal is closed")]
    Closed,
}

/// Why records could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// No such stream, or it was deleted.
    #[error("stream {0} is unknown to the journal")]
    UnknownStream(StreamId),
    /// The records were forgotten because everything below `oldest` is delivered.
    #[error("records below {oldest} are forgotten")]
    Forgotten {
        /// Oldest sequence number still kept.
        oldest: Sequence,
    },
    /// Damaged on disk and quarantined (row D4): skip to `end` and raise an alarm.
    #[error("records {first} to {end} are damaged on disk")]
    Lost {
        /// First damaged record.
        first: Sequence,
        /// Sequence number after the last one.
        end: Sequence,
    },
    /// The operating system refused; trying again may help.
    #[error("cannot read segment {segment}")]
    Io {
        /// Segment id.
        segment: u64,
        /// The cause.
        #[source]
        source: io::Error,
    },
}
