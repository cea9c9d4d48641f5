//! What tests of delivery need, in this crate and outside: a destination in memory, an S3 server that misbehaves on
//! command, and the one conformance suite that every destination passes. No part of the product uses it.

mod bulk;
mod conformance;
mod fake;
mod memory;
mod reader;

pub use bulk::Bulk;
pub use conformance::{Peer, Stored, Violation, conformance, object, patterned};
pub use fake::{Fake, Fault, Operation};
pub use memory::Memory;
pub use reader::Reader;
