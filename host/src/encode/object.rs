//! From a sealed batch to the object that is delivered.
//!
//! Refuses a definition that is not the one the batch was sealed under.

use bytes::Bytes;

use super::{envelope, gzip, orc, parquet, snappy, zip};
use crate::convert::{Failure, Plan, PlanError};
use crate::definition::{Compression, Conversion, Definition, ParquetCompression, Serializer};
use crate::record::{Content, Object, Partition, Sealed};

/// Why a batch cannot become an object. Trying again gives the same answer: the stream has to stop and say so.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// The batch was sealed under another version of the definition.
    #[error("batch was sealed under definition version {sealed}, not {given}")]
    Definition {
        /// What the seal names.
        sealed: u32,
        /// What was handed in.
        given: u32,
    },
    /// The format's length fields do not hold a batch of this size.
    #[error("batch of {0} bytes is larger than its format allows")]
    Size(usize),
    /// A part of the batch is still in a file.
    #[error("batch was not loaded into memory")]
    Spilled,
    /// The gzip stream did not fit the bound that the library gave for it.
    #[error("gzip output is larger than its bound")]
    Gzip,
    /// The archive could not be written.
    #[error("zip archive could not be written")]
    Zip(#[source] ::zip::result::ZipError),
    /// The frame could not be compressed.
    #[error("zstd frame could not be compressed")]
    Zstd(#[source] std::io::Error),
    /// A block could not be compressed.
    #[error("snappy block could not be compressed")]
    Snappy(#[source] snap::Error),
    /// The definition's conversion cannot be done.
    #[error("records cannot be converted")]
    Plan(#[source] PlanError),
    /// A record is here that the check of [`crate::convert`] would not have let through.
    #[error("batch holds a record that was not checked for conversion")]
    Unchecked(#[source] Failure),
    /// The columns could not be written.
    #[error("parquet file could not be written")]
    Parquet(#[source] ::parquet::errors::ParquetError),
}

/// The library's default: smaller than gzip -6 on logs at four times its speed.
const ZSTD_LEVEL: i32 = 3;

/// The object of a batch under the definition it was sealed under.
///
/// DECISION: objects of the error output are not compressed and carry no `Content-Encoding`. Whether Firehose
/// compresses them for a GZIP destination is unverified; they have no extension, and what nobody can tell from
/// its name should be readable as it is.
///
/// # Errors
/// When the batch does not fit the format or `definition` is of another version.
pub fn encode(sealed: Sealed, definition: &Definition) -> Result<Object, EncodeError> {
    let Sealed { seal, content } = sealed;
    if seal.definition_version != definition.version {
        return Err(EncodeError::Definition { sealed: seal.definition_version, given: definition.version });
    }
    let s3 = definition.s3_of(&seal.partition);
    let conversion = match seal.partition {
        Partition::Main | Partition::Keyed(_) => definition.conversion.as_ref(),
        Partition::Error(_) | Partition::Source => None,
    };
    let (body, content_encoding) = match content {
        Content::Spilled { .. } => return Err(EncodeError::Spilled),
        // What is delivered record by record is also stored, laid end to end, where everything is backed up.
        Content::Rows(rows) => compress(rows.records.payload().to_vec(), s3.compression, &seal.id)?,
        Content::Records(payload) => match conversion {
            Some(conversion) => convert(payload, conversion)?,
            None => compress(payload, s3.compression, &seal.id)?,
        },
        Content::Rejected(rejected) => (envelope::lines(rejected, &seal, definition), None),
    };
    Ok(Object { seal, body: Bytes::from(body), content_encoding, kms_key_arn: s3.kms_key_arn.clone() })
}

/// Body and `Content-Encoding` of checked records in columns.
///
/// DECISION: Parquet objects carry Firehose's `Content-Encoding: hadoop-snappy`, though they are plain Parquet, when
/// their pages are compressed with Snappy, and no other does: no client is known that decodes it on its way, and who
/// tells objects apart by it finds what Firehose writes.
fn convert(payload: Vec<u8>, conversion: &Conversion) -> Result<(Vec<u8>, Option<&'static str>), EncodeError> {
    let plan = Plan::new(conversion).map_err(EncodeError::Plan)?;
    match &conversion.output {
        Serializer::Parquet(settings) => {
            let content_encoding = (settings.compression == ParquetCompression::Snappy).then_some("hadoop-snappy");
            Ok((parquet::file(payload, &plan, settings)?, content_encoding))
        }
        Serializer::Orc(settings) => Ok((orc::file(payload, &plan, settings)?, None)),
    }
}

/// Body and `Content-Encoding`. The payload is freed as soon as the compressed body is written.
fn compress(
    mut payload: Vec<u8>,
    compression: Compression,
    id: &uuid::Uuid,
) -> Result<(Vec<u8>, Option<&'static str>), EncodeError> {
    let (mut body, content_encoding) = match compression {
        Compression::Uncompressed => {
            payload.shrink_to_fit();
            return Ok((payload, None));
        }
        Compression::Gzip => (gzip::compress(&payload)?, "gzip"),
        Compression::Zip => (zip::archive(&payload, id)?, "zip"),
        Compression::Snappy => (snappy::xerial(&payload)?, "snappy-java"),
        Compression::HadoopSnappy => (snappy::hadoop(&payload)?, "hadoop-snappy"),
        Compression::Zstd => (zstd::bulk::compress(&payload, ZSTD_LEVEL).map_err(EncodeError::Zstd)?, "zstd"),
    };
    drop(payload);
    body.shrink_to_fit();
    Ok((body, Some(content_encoding)))
}

/// Bytes that `part` of an object's records has when it is compressed; as it is when that fails.
pub fn packed_bytes(compression: Compression, part: &[u8]) -> usize {
    let packed = match compression {
        Compression::Uncompressed => return part.len(),
        // The archive around it is smaller than what a part says too much.
        Compression::Gzip | Compression::Zip => gzip::compress(part),
        Compression::Snappy => snappy::xerial(part),
        Compression::HadoopSnappy => snappy::hadoop(part),
        Compression::Zstd => zstd::bulk::compress(part, ZSTD_LEVEL).map_err(EncodeError::Zstd),
    };
    packed.map_or(part.len(), |packed| packed.len())
}

#[cfg(test)]
mod tests;
