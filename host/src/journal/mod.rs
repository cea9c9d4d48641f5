//! The journal: one append-only durable log for all streams.
//!
//! # Limits
//! | what | limit |
//! |---|---|
//! | segment | 16 KiB to 1 GiB, 64 MiB unless set; offsets in frames are 32 bits |
//! | frame body | 16 MiB, and never more than a segment holds |
//! | streams | 2³² − 1 in the life of a journal; numbers are never used again |
//! | records of a stream | 2⁶⁴ − 1 |
//! | undelivered seals of a stream | 65,536 |
//! | remembered replays of a stream | 65,536 ranges of lines, then replays are refused |
//! | remembered attempts of a stream | 65,536, the lowest go first |
//! | remembered records of a stream beyond its partitions | 512 KiB as a compressed set, then none is added |
//! | index | 2²⁰ entries of 40 bytes, coarser beyond; then puts are refused |
//! | queue | 32 MiB and 8,192 requests, then puts are refused |
//! | bytes on disk | `capacity_bytes`; puts are refused at 90 % |
//!
//! # Files
//! All numbers are little-endian. A directory holds `LOCK` (flock; the owner's process id as text) and segments,
//! named by their id in 20 decimal digits and `.seg`. Ids rise and are never used again. Other names are ignored.
//!
//! A segment is a header block of 4,096 bytes and then frames. The block holds the same 88-byte header at offsets 0
//! and 2,048 and zeros elsewhere; one intact copy is enough:
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 8 | `HydrantJ` |
//! | 8 | 4 | format version, 1. These two and the checksum keep their place in all versions |
//! | 12 | 4 | number of the next stream |
//! | 16 | 8 | segment id |
//! | 24 | 8 | epoch: random |
//! | 32 | 8 | `previous`: id of the segment before, 0 for the first. Ids in between hold nothing |
//! | 40 | 8 | end of the valid frames of the segment before |
//! | 48 | 8 | epoch of the segment before |
//! | 56 | 8 | id of the segment with the newest `dropped` note, 0 when there is none |
//! | 64 | 8 | creation, milliseconds since 1970 |
//! | 72 | 8 | where the doubtful part of the segment before begins; its end when nothing is doubtful |
//! | 80 | 4 | CRC32C of the 80 bytes before |
//! | 84 | 4 | 0 |
//!
//! So the valid end of a segment stands in the header after it: nothing is ever rewritten in place. A segment is used
//! after its header and its directory entry are durable. Recovery never appends to an old file; it begins a new one.
//!
//! Frames begin at multiples of 8; zeros fill the gap between two. A frame is a 48-byte header and a body:
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 4 | `HyFr` |
//! | 4 | 4 | CRC32C of header bytes 8 to 48 |
//! | 8 | 4 | CRC32C of the body |
//! | 12 | 1 | kind: 1 records, 2 definition, 3 deleted, 4 epoch, 5 seal, 6 delivered, 7 checkpoint, 8 attempt, 9 snapshot, 10 dropped, 11 clean, 12 replay, 13 forgotten, 14 failing, 15 exceeding |
//! | 13 | 1 | flags: 1 = copied here by cleaning |
//! | 14 | 2 | 0 |
//! | 16 | 4 | stream, 0 for the journal itself |
//! | 20 | 4 | number of records |
//! | 24 | 8 | sequence number of the first record; without records, of the stream's next one |
//! | 32 | 4 | bytes of the body |
//! | 36 | 4 | `group_offset`: where in the segment the group began that wrote this frame |
//! | 40 | 8 | arrival of the records, else when the frame was made, milliseconds since 1970 |
//!
//! Both checksums start from CRC32C(segment id, epoch, offset of the frame): stale bytes of another life of the file
//! and frames inside payloads do not parse (row D5). A body of kind 1 is an end offset of 4 bytes per record and then
//! all payloads end to end. A body of kind 12 is a length of 4 bytes, JSON of that length that says which lines of which
//! object the records are put again from, which way they take and what columns they have, and then the same as kind 1:
//! records and the memory of having put them are durable together. Every other body is JSON.
//!
//! # What may be believed
//! A group is written only after the group before it was synced. So the largest `group_offset` in the last segment
//! proves everything below it durable: damage there is quarantined with an alarm and the rest goes on (row D4). The
//! first thing wrong above it is a torn write: the log is cut there (row D3). Older segments are durable up to the end
//! that the next header states.
//!
//! Whether the last group reached the disk or only memory cannot be known after a crash, nor by asking for another
//! fdatasync after one failed. So recovery copies it into the new segment, and the new header calls it doubtful: it
//! counts as far as it is whole. Where both are found later, the copy is the one that is kept.
//!
//! A group whose write or fdatasync failed is written again into a new segment, whose header excludes the failed one
//! (row D9). The failed file is never synced again.
//!
//! # What may be forgotten
//! Records below the lowest unsealed sequence number and below every undelivered seal; seals once delivered; notes
//! once a `snapshot` of their stream follows. A segment without anything needed is dropped: a durable `dropped` note
//! with all gaps and the ends that no header states any more, then the file (row D7). An old segment of which at most
//! a quarter is needed is emptied by copying that forward. A segment with damage is kept.
//!
//! Refuses to acknowledge what no finished fdatasync covers, to discard acknowledged records to make room, and to
//! guess at foreign formats.

mod cache;
mod chain;
mod error;
mod forget;
mod frame;
mod group;
mod handle;
mod index;
pub mod inspect;
mod log;
mod note;
mod queue;
mod ranges;
mod reader;
mod recovery;
mod scan;
mod segment;
mod settings;
mod shared;
#[doc(hidden)]
pub mod sim;
mod state;
mod storage;
mod writer;

#[cfg(test)]
mod tests;

pub use error::{AppendError, OpenError, ReadError};
pub use handle::{Journal, Stats};
pub use note::Attempt;
pub use recovery::{LostRecords, Quarantine, Recovered};
pub use settings::Settings;
pub use state::StreamState;
pub use storage::{Disk, File, Lock, LockError, Storage};
