//! What tests of delivery need, in this crate and outside: destinations in memory, servers that misbehave on command,
//! and the one conformance suite that every destination passes. No part of the product uses it.

mod batches;
mod bulk;
mod conformance;
mod fake;
mod memory;
mod objects;
mod reader;
mod web;

pub use batches::{Batch, RECORDS, counted, documents, id, lines, record, rows};
pub use bulk::Bulk;
pub use conformance::{
    BATCHES, Bench, DoesNotApply, Expected, Repetition, Report, Scenario, Trouble, Violation, conformance,
};
pub use fake::{Fake, Fault, Operation};
pub use memory::Memory;
pub use objects::{Peer, Stored, object, patterned, stores_objects_as_they_are};
pub use reader::Reader;
pub use web::{Reply, Web};
