//! The dead letter: reading what lies below a stream's error output prefix, written by this host or by Amazon's service.
//!
//! An object there has a line of JSON for each failure, and may be compressed. [`Objects`] lists them, [`Reading`] goes
//! through one line by line, [`Failure`] is a line understood, [`Filter`] chooses, [`Summary`] counts.
//!
//! Bounded whatever the bucket holds: pieces of an object and parts of its lines are in memory, never a whole one; a line
//! has a longest length and an object a most of bytes when it is decompressed. Refuses to change a bucket, and to put
//! anything into a stream: the pipeline does.

mod failure;
mod filter;
mod inflate;
mod objects;
mod reading;
mod stage;
mod summary;

#[cfg(test)]
mod tests;

pub use failure::{Failure, Unreadable};
pub use filter::Filter;
pub use objects::{Next, Objects};
pub use reading::{Line, PART_BYTES, PART_LINES, ReadError, Reading};
pub use stage::{MANIFESTS, Stage, prefixes, stage_of};
pub use summary::Summary;
