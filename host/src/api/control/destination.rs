//! An S3 destination's configuration: defaults filled in, rules checked, and the part that stages obey taken out.

use serde_json::{Map, Value, json};

use super::create::not_offered;
use super::processing;
use crate::api::error::{Fault, invalid_argument};
use crate::api::settings::{NameRules, PrefixPlace};
use crate::definition::{Compression, Processor, S3Destination};

/// A configuration made whole.
#[derive(Debug)]
pub(super) struct Settled {
    /// `ExtendedS3DestinationDescription`.
    pub(super) description: Map<String, Value>,
    /// What the stages obey.
    pub(super) destination: S3Destination,
    /// What happens to records before.
    pub(super) processors: Vec<Processor>,
}

/// Members of the plain shape, in the model's order; `S3DestinationDescription` shows exactly these.
pub(super) const PLAIN_MEMBERS: &[&str] = &[
    "RoleARN",
    "BucketARN",
    "Prefix",
    "ErrorOutputPrefix",
    "BufferingHints",
    "CompressionFormat",
    "EncryptionConfiguration",
    "CloudWatchLoggingOptions",
];

/// Members that only the extended shape has, in the model's order.
const EXTENDED_MEMBERS: &[&str] = &[
    "ProcessingConfiguration",
    "S3BackupMode",
    "DataFormatConversionConfiguration",
    "DynamicPartitioningConfiguration",
    "FileExtension",
    "CustomTimeZone",
];

/// Fills in defaults, checks what the model cannot, and reads out what the stages need.
///
/// # Errors
/// `InvalidArgumentException`.
pub(super) fn settle(mut given: Map<String, Value>, names: NameRules) -> Result<Settled, Fault> {
    refuse_what_is_not_offered(&given)?;
    check_encryption(&given)?;
    check_logging(&given)?;
    let role = text(&given, "RoleARN").to_owned();
    let processors = match given.get_mut("ProcessingConfiguration") {
        Some(block) => processing::settle(block, &role)?,
        None => Vec::new(),
    };
    fill_defaults(&mut given);
    check_names(&given, names)?;
    let destination = read_out(&given);
    let members = PLAIN_MEMBERS.iter().chain(EXTENDED_MEMBERS);
    let description = members.filter_map(|name| Some(((*name).to_owned(), given.remove(*name)?))).collect();
    Ok(Settled { description, destination, processors })
}

/// Checks hints as they were sent: both members or neither.
///
/// # Errors
/// `InvalidArgumentException`.
pub(super) fn check_hints(given: &Map<String, Value>) -> Result<(), Fault> {
    let Some(hints) = given.get("BufferingHints") else { return Ok(()) };
    if hints["SizeInMBs"].is_null() != hints["IntervalInSeconds"].is_null() {
        return Err(invalid_argument("Both SizeInMBs and IntervalInSeconds are required to configure BufferingHints."));
    }
    Ok(())
}

fn refuse_what_is_not_offered(given: &Map<String, Value>) -> Result<(), Fault> {
    if text(given, "S3BackupMode") == "Enabled" {
        return Err(not_offered("S3BackupMode Enabled"));
    }
    for backup in ["S3BackupConfiguration", "S3BackupUpdate"] {
        if given.contains_key(backup) {
            return Err(not_offered(backup));
        }
    }
    // An omitted `Enabled` means true for conversion, and false everywhere else.
    if given.get("DataFormatConversionConfiguration").is_some_and(|block| block["Enabled"] != false) {
        return Err(not_offered("DataFormatConversionConfiguration with Enabled true"));
    }
    if given.get("DynamicPartitioningConfiguration").is_some_and(|block| block["Enabled"] == true) {
        return Err(not_offered("DynamicPartitioningConfiguration with Enabled true"));
    }
    Ok(())
}

fn check_encryption(given: &Map<String, Value>) -> Result<(), Fault> {
    let Some(block) = given.get("EncryptionConfiguration") else { return Ok(()) };
    if block["NoEncryptionConfig"].is_null() == block["KMSEncryptionConfig"].is_null() {
        return Err(invalid_argument("Exactly one of NoEncryptionConfig or KMSEncryptionConfig must be specified"));
    }
    Ok(())
}

fn check_logging(given: &Map<String, Value>) -> Result<(), Fault> {
    let Some(block) = given.get("CloudWatchLoggingOptions") else { return Ok(()) };
    if block["Enabled"] == true && block["LogGroupName"].is_null() {
        return Err(invalid_argument("CloudWatch Log Group Name is required if CloudWatch Logging is enabled"));
    }
    Ok(())
}

/// Defaults that Describe shows from the first moment; Terraform plans for ever without them.
fn fill_defaults(given: &mut Map<String, Value>) {
    let mut fill = |name: &str, default: Value| {
        given.entry(name).or_insert(default);
    };
    fill("BufferingHints", json!({}));
    fill("CompressionFormat", json!("UNCOMPRESSED"));
    fill("EncryptionConfiguration", json!({"NoEncryptionConfig": "NoEncryption"}));
    fill("CloudWatchLoggingOptions", json!({}));
    fill("S3BackupMode", json!("Disabled"));
    fill_member(given, "BufferingHints", "SizeInMBs", json!(DEFAULT_SIZE_MB));
    fill_member(given, "BufferingHints", "IntervalInSeconds", json!(DEFAULT_INTERVAL_SECONDS));
    fill_member(given, "CloudWatchLoggingOptions", "Enabled", json!(false));
    fill_member(given, "DynamicPartitioningConfiguration", "Enabled", json!(false));
}

const DEFAULT_SIZE_MB: u64 = 5;
const DEFAULT_INTERVAL_SECONDS: u32 = 300;

fn fill_member(given: &mut Map<String, Value>, block: &str, member: &str, default: Value) {
    if let Some(Value::Object(block)) = given.get_mut(block) {
        block.entry(member).or_insert(default);
    }
}

fn check_names(given: &Map<String, Value>, names: NameRules) -> Result<(), Fault> {
    let (prefix, error_prefix) = (text(given, "Prefix"), text(given, "ErrorOutputPrefix"));
    (names.prefix)(prefix, PrefixPlace::Data, false).map_err(invalid_argument)?;
    if error_prefix.is_empty() {
        if prefix.contains("!{") {
            return Err(invalid_argument("ErrorOutputPrefix cannot be null or empty when Prefix contains expressions"));
        }
    } else {
        (names.prefix)(error_prefix, PrefixPlace::Error, false).map_err(invalid_argument)?;
    }
    let zone = text(given, "CustomTimeZone");
    if !zone.is_empty() && !(names.time_zone)(zone) {
        return Err(invalid_argument(format!("CustomTimeZone {zone} is not a known time zone.")));
    }
    (names.destination)(&read_out(given), false).map_err(invalid_argument)
}

fn read_out(given: &Map<String, Value>) -> S3Destination {
    let hints = &given["BufferingHints"];
    let interval = hints["IntervalInSeconds"].as_u64().and_then(|seconds| u32::try_from(seconds).ok());
    let key = given["EncryptionConfiguration"]["KMSEncryptionConfig"]["AWSKMSKeyARN"].as_str();
    S3Destination {
        bucket: text(given, "BucketARN").rsplit(':').next().unwrap_or_default().to_owned(),
        prefix: text(given, "Prefix").to_owned(),
        error_output_prefix: text(given, "ErrorOutputPrefix").to_owned(),
        buffer_bytes: hints["SizeInMBs"].as_u64().unwrap_or(DEFAULT_SIZE_MB) << 20,
        buffer_seconds: interval.unwrap_or(DEFAULT_INTERVAL_SECONDS),
        compression: match text(given, "CompressionFormat") {
            "GZIP" => Compression::Gzip,
            "ZIP" => Compression::Zip,
            "Snappy" => Compression::Snappy,
            "HADOOP_SNAPPY" => Compression::HadoopSnappy,
            _ => Compression::Uncompressed,
        },
        file_extension: text(given, "FileExtension").to_owned(),
        time_zone: text(given, "CustomTimeZone").to_owned(),
        kms_key_arn: key.map(str::to_owned),
    }
}

fn text<'v>(given: &'v Map<String, Value>, name: &str) -> &'v str {
    given.get(name).and_then(Value::as_str).unwrap_or_default()
}
