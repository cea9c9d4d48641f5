//! GZIP: one member, no name, no time.
//!
//! Refuses to stream: the library needs the whole batch at once and repays it with half the time.

use std::cell::RefCell;

use libdeflater::{CompressionLvl, Compressor};

use super::EncodeError;

/// See the table of [the module](super).
const LEVEL: i32 = 5;

thread_local! {
    /// A compressor's tables are large enough to be worth keeping for the thread's next batch.
    static COMPRESSOR: RefCell<Option<Compressor>> = const { RefCell::new(None) };
}

pub(super) fn compress(payload: &[u8]) -> Result<Vec<u8>, EncodeError> {
    COMPRESSOR.with_borrow_mut(|compressor| {
        let level = CompressionLvl::new(LEVEL).unwrap_or_default();
        let compressor = compressor.get_or_insert_with(|| Compressor::new(level));
        // Untouched pages of a fresh zeroed allocation cost nothing, so the bound is an address range, not memory.
        let mut body = vec![0; compressor.gzip_compress_bound(payload.len())];
        let length = compressor.gzip_compress(payload, &mut body).map_err(|_| EncodeError::Gzip)?;
        body.truncate(length);
        Ok(body)
    })
}
