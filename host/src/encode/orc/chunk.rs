//! Compression of one stream: blocks, each behind three bytes that say its length and whether it is as it was.
//!
//! Refuses to make anything longer than its input and the headers.

use std::cell::RefCell;

use libdeflater::{CompressionLvl, Compressor};

use crate::definition::OrcCompression;

/// Bytes of one block before compression: what other writers take.
pub(super) const BLOCK_BYTES: usize = 256 * 1024;

/// See the table of [`encode`](crate::encode).
const LEVEL: i32 = 5;

thread_local! {
    static DEFLATE: RefCell<Option<Compressor>> = const { RefCell::new(None) };
    static SNAPPY: RefCell<snap::raw::Encoder> = RefCell::new(snap::raw::Encoder::new());
}

/// Appends `bytes` as a stream.
pub(super) fn append(bytes: &[u8], compression: OrcCompression, out: &mut Vec<u8>) {
    if compression == OrcCompression::None {
        out.extend_from_slice(bytes);
        return;
    }
    for block in bytes.chunks(BLOCK_BYTES) {
        let compressed = match compression {
            OrcCompression::Snappy => SNAPPY.with_borrow_mut(|encoder| encoder.compress_vec(block).ok()),
            _ => deflate(block),
        };
        match compressed.filter(|compressed| compressed.len() < block.len()) {
            Some(compressed) => put(&compressed, false, out),
            None => put(block, true, out),
        }
    }
}

/// Raw deflate, or nothing when it would be longer.
fn deflate(block: &[u8]) -> Option<Vec<u8>> {
    DEFLATE.with_borrow_mut(|compressor| {
        let level = CompressionLvl::new(LEVEL).unwrap_or_default();
        let compressor = compressor.get_or_insert_with(|| Compressor::new(level));
        let mut compressed = vec![0; block.len()];
        let length = compressor.deflate_compress(block, &mut compressed).ok()?;
        compressed.truncate(length);
        Some(compressed)
    })
}

fn put(block: &[u8], is_original: bool, out: &mut Vec<u8>) {
    // A block is shorter than 2^23 bytes.
    let header = u32::try_from(block.len()).unwrap_or(0) << 1 | u32::from(is_original);
    out.extend_from_slice(&header.to_le_bytes()[..3]);
    out.extend_from_slice(block);
}
