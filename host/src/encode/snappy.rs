//! The two Snappy forms: snappy-java's xerial stream and Hadoop's block stream.
//!
//! Both cut the payload into blocks of 32 KiB and put big-endian lengths before each. Refuses the official framing
//! format, which Firehose does not write.

use std::cell::RefCell;

use snap::raw::{Encoder, max_compress_len};

use super::EncodeError;

/// Bytes of payload in one block, in both forms.
const BLOCK_BYTES: usize = 32 * 1024;

/// Magic, version 1, compatible with version 1.
const XERIAL_HEADER: [u8; 16] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1];

thread_local! {
    static ENCODER: RefCell<Encoder> = RefCell::new(Encoder::new());
}

/// snappy-java's stream: a header, then per block the compressed length and the block.
pub(super) fn xerial(payload: &[u8]) -> Result<Vec<u8>, EncodeError> {
    blocks(payload, &XERIAL_HEADER, Lengths::Compressed)
}

/// Hadoop's stream: per block the length of its payload, the compressed length and the block.
pub(super) fn hadoop(payload: &[u8]) -> Result<Vec<u8>, EncodeError> {
    blocks(payload, &[], Lengths::PayloadAndCompressed)
}

#[derive(Clone, Copy)]
enum Lengths {
    Compressed,
    PayloadAndCompressed,
}

fn blocks(payload: &[u8], header: &[u8], lengths: Lengths) -> Result<Vec<u8>, EncodeError> {
    let block_bound = 8 + max_compress_len(BLOCK_BYTES);
    // Untouched pages of a fresh zeroed allocation cost nothing, so the bound is an address range, not memory.
    let mut body = vec![0; header.len() + payload.len().div_ceil(BLOCK_BYTES) * block_bound];
    let mut out = body.as_mut_slice();
    let mut written = put(&mut out, header);
    ENCODER.with_borrow_mut(|encoder| {
        for block in payload.chunks(BLOCK_BYTES) {
            if let Lengths::PayloadAndCompressed = lengths {
                written += put(&mut out, &length(block.len())?);
            }
            let (length_field, rest) = out.split_at_mut(4);
            let compressed = encoder.compress(block, rest).map_err(EncodeError::Snappy)?;
            length_field.copy_from_slice(&length(compressed)?);
            out = &mut out[4 + compressed..];
            written += 4 + compressed;
        }
        Ok(())
    })?;
    body.truncate(written);
    Ok(body)
}

fn put(out: &mut &mut [u8], bytes: &[u8]) -> usize {
    let (head, tail) = std::mem::take(out).split_at_mut(bytes.len());
    head.copy_from_slice(bytes);
    *out = tail;
    bytes.len()
}

fn length(bytes: usize) -> Result<[u8; 4], EncodeError> {
    u32::try_from(bytes).map(u32::to_be_bytes).map_err(|_| EncodeError::Size(bytes))
}
