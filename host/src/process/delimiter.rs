//! Appends a delimiter to each record. Refuses to look whether one is there already, as Firehose does.

use bytes::Bytes;

use crate::record::{Records, RecordsError};

/// A copy of `records` with `delimiter` after each of them.
///
/// # Errors
/// When the longer payload's offsets do not fit 32 bits.
pub(super) fn append(records: &Records, delimiter: &[u8]) -> Result<Records, RecordsError> {
    let mut payload = Vec::with_capacity(records.payload().len() + records.len() * delimiter.len());
    let mut ends = Vec::with_capacity(records.len());
    for record in records.iter() {
        payload.extend_from_slice(record);
        payload.extend_from_slice(delimiter);
        // An offset that does not fit is seen by the check below: it is not the payload's length.
        ends.push(u32::try_from(payload.len()).unwrap_or(u32::MAX));
    }
    Records::new(Bytes::from(payload), ends, records.columns().to_vec())
}
