//! The last step of processing: which records of a batch can be converted.
//!
//! Refuses to change them: what is checked is delivered as it is and converted when the object is written, by the same
//! reader, so what passes here cannot fail there.

use super::reader::{Failure, Reader, ReaderError};
use super::schema::{Schema, SchemaError};
use super::table::Table;
use crate::definition::Conversion;
use crate::record::Records;

/// Text of records after which the scratch table is made anew.
const SCRATCH_BYTES: usize = 1 << 20;

/// Schema and reader of a conversion, ready for work.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The table's columns.
    pub schema: Schema,
    /// How records are read.
    pub reader: Reader,
}

/// Why a conversion cannot be done at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// No schema was pinned when the stream was created.
    #[error("the table's schema was not looked up when the stream was created")]
    Unresolved,
    /// What was pinned is not a schema.
    #[error("the table's schema cannot be converted to")]
    Schema(#[from] SchemaError),
    /// The deserializer's settings are not offered.
    #[error("the deserializer cannot read for this table")]
    Reader(#[from] ReaderError),
}

impl Plan {
    /// Makes ready what the definition pins.
    ///
    /// # Errors
    /// The pinned schema or the deserializer's settings are not ones that can be worked by.
    pub fn new(conversion: &Conversion) -> Result<Self, PlanError> {
        let resolved = conversion.resolved.as_ref().ok_or(PlanError::Unresolved)?;
        let schema = Schema::from_glue(resolved)?;
        let reader = Reader::new(&schema, &conversion.input)?;
        Ok(Self { schema, reader })
    }
}

/// The records that cannot be converted: index and reason, by rising index. All others can.
pub fn check(plan: &Plan, records: &Records) -> Vec<(usize, Failure)> {
    let mut table = Table::new(&plan.schema);
    let mut failures = Vec::new();
    let mut bytes = 0;
    for (at, record) in records.iter().enumerate() {
        if let Err(failure) = plan.reader.read(record, &mut table) {
            failures.push((at, failure));
        }
        bytes += record.len();
        if bytes > SCRATCH_BYTES {
            table = Table::new(&plan.schema);
            bytes = 0;
        } else {
            table.truncate(0);
        }
    }
    failures
}
