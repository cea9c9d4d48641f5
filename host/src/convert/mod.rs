//! Record format conversion: JSON text to typed columns, by a table of a Glue-shaped catalogue.
//!
//! | file | what it does |
//! |---|---|
//! | `schema`, `types` | a table's columns, from Glue's shape and Hive's type expressions |
//! | `catalog`, `glue` | where tables are looked up, once, when a stream is created or changed |
//! | `json` | a cursor over JSON text |
//! | `reader`, `scalar`, `instant`, `joda` | a record to rows, by the rules of the OpenX or the Hive deserializer |
//! | `table` | rows in columns |
//! | `check` | which records of a batch can be converted |
//!
//! The cursor also serves queries that only look at members (`process/query`).
//!
//! Two stages use it: processing, to set aside what cannot be converted while the record is still at hand, and
//! encoding, to write columns. Both read by the same reader and the same pinned schema, so they agree, and a replay
//! agrees with the first run whatever the catalogue says by then.
//!
//! Refuses to write any format (that is encoding's), to route failures (processing's), and to import a stage.

mod catalog;
mod check;
mod glue;
mod instant;
mod joda;
pub(crate) mod json;
mod reader;
mod scalar;
mod schema;
mod table;
#[cfg(test)]
pub(crate) mod testing;
mod types;

pub use catalog::{Catalog, CatalogError, MOST_TABLE_BYTES, Public};
pub use check::{Plan, PlanError, check};
pub use glue::{Glue, GlueError};
pub use joda::FormatError;
pub use reader::{Failure, MOST_RECORD_SLOTS, Reader, ReaderError, Rows};
pub use schema::{Field, MOST_DEPTH, MOST_FIELDS, Schema, SchemaError, Type};
pub use table::{Column, Table, Texts, Values};
pub use types::TypeError;
