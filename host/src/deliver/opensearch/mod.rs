//! Delivery to OpenSearch, Elasticsearch and OpenSearch Serverless by bulk requests.
//!
//! HTTP 200 is not success here: every item of an answer is read, and each record is stored, to be sent again, or
//! refused with the server's reason. A document's id derives from its stream and its place in it, so sending it again
//! overwrites it. Refuses to retry, to wait and to count: one delivery is one attempt of every record.
//!
//! What a record becomes is ruled by columns that a plugin may set:
//!
//! | Column | Value | Unset |
//! |---|---|---|
//! | `$operation` | `index`, `create`, `update`, `upsert`, `delete` | `index` |
//! | `$document-id` | the id, 1 to 512 bytes | ours, or the server's with `NO_DOCUMENT_ID` and on Serverless |
//! | `$index` | the whole name of the index, which is not rotated | `IndexName`, rotated by arrival |
//! | `$routing` | the routing value, 1 to 512 bytes | none |
//!
//! `update` merges the record into a document that is there, `upsert` makes it when it is not, `delete` takes it away
//! whatever the record holds; these three need `$document-id`, because no other stream position could name a document
//! that exists. Taking away what is not there is done.
//!
//! Our own ids are `HASH-SEQUENCE.ORDINAL`: sixteen hexadecimal digits of the SHA-256 of the stream's ARN and creation
//! time, the record's sequence number, and which of its input's outputs it is. A stream that is deleted and made again
//! under its name starts with other ids.

mod answer;
mod bulk;
mod destination;
mod failure;
mod index;
mod room;
mod sign;

#[cfg(test)]
mod tests;

#[doc(hidden)]
pub mod figures;

pub use destination::{InvalidEndpoint, Limits, OpenSearchDestination};
pub use index::legal_index;
pub use sign::{Authentication, Basic, OthersLogin, SearchLogin, Service, SignError, Signer, Signing};
