//! An S3 server inside the process, for those who have none: objects are plain files that people can look at.
//!
//! `s3s` speaks the protocol (signatures, XML, ranges, chunked bodies); the files are ours. The ready-made file store
//! beside it, `s3s-fs`, was read and not used, because of what it does where Hydrant may not fail: it keeps attributes in
//! one file per object *named by the base64 of bucket and key*, so that a bucket and key of about 130 characters together
//! exceed a file name's 255 bytes and are refused for ever; it answers 200 to a put into a missing bucket; it shows an
//! object before its checksum is verified; and it never syncs, although the journal forgets what was answered with 200.
//!
//! **On disk**, below one folder: `BUCKET/KEY` is the object's bytes, `.hydrant/attributes/BUCKET/KEY` its headers as JSON,
//! `.hydrant/uploads/ID/` unfinished multipart uploads, `.hydrant/incoming/` bodies on their way in (emptied at start),
//! `.hydrant/credentials` the generated key pair in the AWS CLI's own file format.
//!
//! **Promises.** A body becomes visible under its key by one rename, complete and verified, or not at all. Data,
//! attributes and every folder above them are synced before the answer, so an object that was answered survives a power
//! cut. Attributes arrive before their data, so a visible object always has its own; they are believed only for a file
//! of the length they were written for.
//!
//! **Refuses** to listen beyond loopback, to serve the anonymous, to create buckets by a put, and to be a general S3:
//! versions, copies, policies and conditional writes other than `If-None-Match: *` are answered `NotImplemented`.

mod keys;
mod listing;
mod server;
mod service;
mod store;
mod uploads;

#[cfg(test)]
mod tests;

pub use server::{Embedded, EmbeddedError};
