//! ZIP: one deflated entry.
//!
//! Refuses names and times from outside: the entry is named by a uuid that the seal's own decides, and dated 1980,
//! the format's zero.

use std::io::{Cursor, Write};

use sha2::{Digest, Sha256};
use uuid::Uuid;
use zip::write::{SimpleFileOptions, ZipWriter};
use zip::{CompressionMethod, DateTime};

use super::EncodeError;

/// See the table of [the module](super).
const LEVEL: i64 = 5;

/// Headers, directory and both copies of the name take under 300 bytes.
const OVERHEAD_BYTES: usize = 512;

/// Without its 64-bit extension the format counts up to here. Some headroom is for data that deflate makes longer.
const MAX_BYTES: usize = u32::MAX as usize - (1 << 20);

pub(super) fn archive(payload: &[u8], id: &Uuid) -> Result<Vec<u8>, EncodeError> {
    check_size(payload.len())?;
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(LEVEL))
        .last_modified_time(DateTime::default());
    // Deflate stores what it cannot shrink, in blocks with a few bytes of header each.
    let bound = payload.len() + payload.len() / 1024 + OVERHEAD_BYTES;
    let mut writer = ZipWriter::new(Cursor::new(Vec::with_capacity(bound)));
    writer.start_file(entry_name(id).to_string(), options).map_err(EncodeError::Zip)?;
    writer.write_all(payload).map_err(|error| EncodeError::Zip(error.into()))?;
    Ok(writer.finish().map_err(EncodeError::Zip)?.into_inner())
}

fn check_size(bytes: usize) -> Result<(), EncodeError> {
    if bytes > MAX_BYTES { Err(EncodeError::Size(bytes)) } else { Ok(()) }
}

/// As random as the seal's uuid and never equal to it.
fn entry_name(id: &Uuid) -> Uuid {
    let digest = Sha256::new().chain_update(b"zip entry").chain_update(id.as_bytes()).finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_that_need_the_64_bit_extension_are_refused() {
        check_size(MAX_BYTES).unwrap();
        assert!(matches!(check_size(MAX_BYTES + 1), Err(EncodeError::Size(_))));
    }
}
