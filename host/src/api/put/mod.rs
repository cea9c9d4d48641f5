//! The data plane: PutRecord and PutRecordBatch, from the body's bytes to the answer's bytes.
//!
//! `decode` turns a body into columns in one pass without an allocation per record, and hands everything unusual to the
//! model's walker, which finds the exact words. `answer` writes record ids straight into one buffer. A call is
//! stored whole or not at all (rows A10, D15): one bad record refuses the batch by its place.

mod answer;
mod decode;

#[cfg(test)]
mod tests;

pub(super) use answer::{RecordIds, batch_answer, record_answer};
pub(super) use decode::{Put, decode_batch, decode_record};
