//! Delivery to Redshift against a real PostgreSQL behind a stand-in that knows COPY from a manifest, with staging in a
//! real S3 server. What this does not prove about Amazon's own service stands in `host/src/deliver/redshift/README.md`.
#![expect(clippy::unwrap_used, reason = "a test says what it expects")]

mod command;
mod failures;
mod once;
mod recopy;
mod rig;
mod together;

pub(crate) use rig::{BUCKET, LIMIT, Rig, destination};
