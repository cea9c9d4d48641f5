//! Amazon S3: the whole configuration of a stream that delivers there, and the plain one that every other destination
//! carries for what it stages, backs up or cannot deliver.

use serde_json::{Map, Value, json};

use super::kind::Settled;
use super::members::{Hints, buffering, fill, is_enabled, logging, text};
use super::processing::{self, Context, Steps};
use super::{conversion, partitioning};
use crate::api::error::{Fault, invalid_argument};
use crate::api::settings::{PrefixPlace, Rules};
use crate::definition::{Compression, Processor, S3Destination, SourceBackup, Target};

/// Checks the configuration of a stream that delivers to S3.
///
/// # Errors
/// `InvalidArgumentException`.
pub(super) fn settle(mut given: Map<String, Value>, rules: &Rules) -> Result<Settled, Fault> {
    let role = text(&given, "RoleARN").to_owned();
    let steps = processing::settle(&mut given, &Context { role: &role, lambda_size: "1", rules })?;
    let conversion = conversion::settle(&mut given)?;
    let is_partitioned = is_enabled(&given, partitioning::BLOCK);
    if is_partitioned {
        partitioning::check(&given, &steps)?;
    }
    let size_mb = if is_partitioned || conversion.is_some() { COLUMNS_MB } else { SIZE_MB };
    let mut s3 = plain(&mut given, &Plain { place: "", size_mb, is_partitioned, rules })?;
    s3.sizes_compressed = steps.extensions.sizes_compressed;
    let partitioning = partitioning::settle(&mut given, &s3, &steps, rules)?;
    let (source_backup, processors) = source_backup(&mut given, steps, rules)?;
    Ok(Settled { members: given, s3, target: Target::S3, source_backup, partitioning, conversion, processors })
}

/// What is settled as a plain S3 configuration.
#[derive(Debug)]
pub(super) struct Plain<'p> {
    /// Member that holds it, with a dot behind it; empty at the top.
    pub(super) place: &'p str,
    /// Default of `SizeInMBs`.
    pub(super) size_mb: u32,
    /// Whether the prefix may hold partition keys.
    pub(super) is_partitioned: bool,
    /// Rules borrowed from other stages.
    pub(super) rules: &'p Rules,
}

/// `SizeInMBs` unless given.
pub(super) const SIZE_MB: u32 = 5;
/// `SizeInMBs` unless given, with partitioning or conversion: what they make of less is too small to be read well.
const COLUMNS_MB: u32 = 128;
const INTERVAL_SECONDS: u32 = 300;

/// Checks one S3 configuration and fills in the defaults that Describe shows from the first moment; Terraform plans for
/// ever without them.
///
/// # Errors
/// `InvalidArgumentException`.
pub(super) fn plain(given: &mut Map<String, Value>, plain: &Plain<'_>) -> Result<S3Destination, Fault> {
    for required in ["RoleARN", "BucketARN"] {
        if text(given, required).is_empty() {
            return Err(invalid_argument(format!("{}{required} must not be null", plain.place)));
        }
    }
    let buffering = buffering(given, Hints { size_mb: plain.size_mb, seconds: INTERVAL_SECONDS })?;
    check_encryption(given)?;
    logging(given)?;
    fill(given, "CompressionFormat", json!("UNCOMPRESSED"));
    fill(given, "EncryptionConfiguration", json!({"NoEncryptionConfig": "NoEncryption"}));
    let key = given["EncryptionConfiguration"]["KMSEncryptionConfig"]["AWSKMSKeyARN"].as_str();
    let s3 = S3Destination {
        bucket: text(given, "BucketARN").rsplit(':').next().unwrap_or_default().to_owned(),
        prefix: text(given, "Prefix").to_owned(),
        error_output_prefix: text(given, "ErrorOutputPrefix").to_owned(),
        buffer_bytes: buffering.bytes,
        buffer_seconds: buffering.seconds,
        compression: compression(text(given, "CompressionFormat")),
        file_extension: text(given, "FileExtension").to_owned(),
        time_zone: text(given, "CustomTimeZone").to_owned(),
        kms_key_arn: key.map(str::to_owned),
        sizes_compressed: false,
    };
    check_names(&s3, plain)?;
    Ok(s3)
}

/// Settles `S3Configuration`.
///
/// # Errors
/// `InvalidArgumentException`.
pub(super) fn nested(given: &mut Map<String, Value>, rules: &Rules) -> Result<S3Destination, Fault> {
    inner(given, "S3Configuration", "S3Configuration.", rules)
}

/// `S3BackupMode` and `S3BackupConfiguration`, with the delimiter that a processor asked for.
///
/// # Errors
/// `InvalidArgumentException`.
pub(super) fn source_backup(
    given: &mut Map<String, Value>,
    steps: Steps,
    rules: &Rules,
) -> Result<(Option<SourceBackup>, Vec<Processor>), Fault> {
    fill(given, "S3BackupMode", json!("Disabled"));
    let is_on = text(given, "S3BackupMode") == "Enabled";
    let has_place = given.contains_key("S3BackupConfiguration");
    if is_on && !has_place {
        return Err(invalid_argument("S3BackupConfiguration must not be null when S3BackupMode is Enabled."));
    }
    // One that is not in use is checked and described all the same.
    let s3 =
        if has_place { Some(inner(given, "S3BackupConfiguration", "S3BackupConfiguration.", rules)?) } else { None };
    let steps = steps.without_endpoint()?;
    let Some(s3) = s3.filter(|_| is_on) else { return Ok((None, steps.without_backup()?)) };
    let delimiter = steps.extensions.backup_delimiter.unwrap_or_default();
    Ok((Some(SourceBackup { s3, delimiter }), steps.processors))
}

fn inner(given: &mut Map<String, Value>, name: &str, place: &str, rules: &Rules) -> Result<S3Destination, Fault> {
    let Some(Value::Object(block)) = given.get_mut(name) else {
        return Err(invalid_argument(format!("{name} must not be null")));
    };
    plain(block, &Plain { place, size_mb: SIZE_MB, is_partitioned: false, rules })
}

fn check_encryption(given: &Map<String, Value>) -> Result<(), Fault> {
    let Some(block) = given.get("EncryptionConfiguration") else { return Ok(()) };
    if block["NoEncryptionConfig"].is_null() == block["KMSEncryptionConfig"].is_null() {
        return Err(invalid_argument("Exactly one of NoEncryptionConfig or KMSEncryptionConfig must be specified"));
    }
    Ok(())
}

fn check_names(s3: &S3Destination, plain: &Plain<'_>) -> Result<(), Fault> {
    let names = plain.rules.names;
    (names.prefix)(&s3.prefix, PrefixPlace::Data, plain.is_partitioned).map_err(invalid_argument)?;
    if s3.error_output_prefix.is_empty() {
        if s3.prefix.contains("!{") {
            return Err(invalid_argument("ErrorOutputPrefix cannot be null or empty when Prefix contains expressions"));
        }
    } else {
        (names.prefix)(&s3.error_output_prefix, PrefixPlace::Error, false).map_err(invalid_argument)?;
    }
    let zone = &s3.time_zone;
    if !zone.is_empty() && !(names.time_zone)(zone) {
        return Err(invalid_argument(format!("CustomTimeZone {zone} is not a known time zone.")));
    }
    (names.destination)(s3, plain.is_partitioned).map_err(invalid_argument)
}

fn compression(word: &str) -> Compression {
    match word {
        "GZIP" => Compression::Gzip,
        "ZIP" => Compression::Zip,
        "Snappy" => Compression::Snappy,
        "HADOOP_SNAPPY" => Compression::HadoopSnappy,
        "ZSTD" => Compression::Zstd,
        _ => Compression::Uncompressed,
    }
}
