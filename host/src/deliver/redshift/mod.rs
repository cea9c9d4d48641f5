//! Delivery to Redshift: objects are staged in S3, and the cluster is told to COPY them by a manifest.
//!
//! Row X6, never twice: a table beside the customer's own, the stream's ledger, has a row for each batch that was loaded.
//! One transaction locks it, asks which batches are there, copies the others and writes their rows:
//!
//! ```sql
//! BEGIN; LOCK hydrant_ledger_STREAM; SELECT batch FROM hydrant_ledger_STREAM WHERE batch IN (…);
//! COPY orders FROM 's3://…' CREDENTIALS '…' MANIFEST …; INSERT INTO hydrant_ledger_STREAM …; COMMIT
//! ```
//!
//! A connection that is lost at COMMIT leaves the outcome unknown; whoever delivers the batch again asks the ledger. The
//! lock makes the question wait for a session that the server has not yet noticed to be dead. Redshift does not enforce
//! primary keys, so the question, not the key, is what keeps a batch from being loaded twice.
//!
//! A stream has one COPY at a time. Whatever waits when it ends is loaded by one next COPY. Streams do not wait for each
//! other: each has a ledger of its own.
//! Only the simple query protocol is spoken, with literals in the text: COPY takes no parameters.
//! Refuses to repeat, to wait between attempts and to give up: those are the pipeline's work, which calls
//! [`RedshiftDestination::skipped`] when it gives up. [`RedshiftDestination::recopy`] loads what was skipped.

mod classify;
#[cfg(test)]
mod conformance;
mod destination;
mod load;
mod login;
mod manifest;
mod recopy;
mod session;
mod settings;
mod tls;

pub use destination::RedshiftDestination;
pub(in crate::deliver) use recopy::TOO_LARGE;
pub use recopy::{Purpose, Recopied, Shelf, Tally};
pub use settings::{SetUpError, Settings};
