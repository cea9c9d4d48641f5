//! A stand-in for Redshift at the wire: a real PostgreSQL, behind a proxy that understands `COPY … FROM 's3://…' MANIFEST`.
//!
//! Logins, transactions, locks and every other statement are PostgreSQL's own. A COPY is parsed strictly, its manifest
//! and objects are fetched from an S3 server, and the rows go into the same transaction by `COPY FROM STDIN`. It answers
//! failures in Redshift's words, as far as these are documented, cuts connections on command, and leaves
//! keys out of tables, because Redshift does not enforce them.
//!
//! What it cannot show: Redshift's own parser and its other options, its isolation and locks, roles of IAM, TLS.

mod copy;
mod fetch;
mod load;
mod server;
mod wire;

pub use fetch::Store;
pub use server::{Cut, Redshift};
