//! `hydrant put`: lines or generated records in, PutRecordBatch requests out.
//!
//! Lines are cut into batches within the API's limits, a few batches are on their way at once, and what the host
//! refuses for want of room is sent again, alone. Memory is bounded by the batches on their way, whatever the input.
//! Refuses to parse records.

mod command;
mod lines;
mod send;

pub(super) use command::put;
pub(super) use lines::Batch;
pub(super) use send::{Sending, Summary};

#[cfg(test)]
mod tests;
