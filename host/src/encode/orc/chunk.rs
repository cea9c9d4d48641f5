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

/// A stream as it was written: what its places are from its beginning.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) length: usize,
    /// Where each block begins; none where nothing is compressed.
    blocks: Option<Vec<usize>>,
}

impl Written {
    /// The place of what was byte `at` before: the block's, and that within the block; one number without blocks.
    pub(super) fn positions(&self, at: usize) -> impl Iterator<Item = u64> + use<> {
        let (place, within) = match &self.blocks {
            None => (at, None),
            // The end has no block.
            Some(blocks) => match blocks.get(at / BLOCK_BYTES) {
                Some(&block) => (block, Some(at % BLOCK_BYTES)),
                None => (self.length, Some(0)),
            },
        };
        std::iter::once(place as u64).chain(within.map(|within| within as u64))
    }
}

/// Appends `bytes` as a stream.
pub(super) fn append(bytes: &[u8], compression: OrcCompression, out: &mut Vec<u8>) -> Written {
    let start = out.len();
    if compression == OrcCompression::None {
        out.extend_from_slice(bytes);
        return Written { length: bytes.len(), blocks: None };
    }
    let mut blocks = Vec::with_capacity(bytes.len().div_ceil(BLOCK_BYTES));
    for block in bytes.chunks(BLOCK_BYTES) {
        blocks.push(out.len() - start);
        let compressed = match compression {
            OrcCompression::Snappy => SNAPPY.with_borrow_mut(|encoder| encoder.compress_vec(block).ok()),
            _ => deflate(block),
        };
        match compressed.filter(|compressed| compressed.len() < block.len()) {
            Some(compressed) => put(&compressed, false, out),
            None => put(block, true, out),
        }
    }
    Written { length: out.len() - start, blocks: Some(blocks) }
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
