//! The checked definition of a delivery stream: what the API stores and every stage obeys.
//!
//! Values here are already legal; checking them is the API's work. Nothing here does I/O.

use serde::{Deserialize, Serialize};

/// One version of one stream's definition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Definition {
    /// Twelve digits; streams of different accounts never meet.
    pub account_id: String,
    /// `DeliveryStreamName`.
    pub name: String,
    /// `DeliveryStreamARN`.
    pub arn: String,
    /// `VersionId`: 1 at creation, one more per update; part of object names.
    pub version: u32,
    /// Creation, milliseconds since 1970.
    pub created_ms: u64,
    /// Last update, milliseconds since 1970.
    pub updated_ms: Option<u64>,
    /// What the stages obey.
    pub destination: S3Destination,
    /// What happens to records before they are batched, in Firehose's order.
    pub processors: Vec<Processor>,
    /// What Describe echoes: the configuration as given with defaults filled in. No stage reads it.
    pub document: serde_json::Value,
}

/// Delivery to S3.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct S3Destination {
    /// Bucket name, without `arn:aws:s3:::`.
    pub bucket: String,
    /// `Prefix` as given; empty means unset.
    pub prefix: String,
    /// `ErrorOutputPrefix` as given; empty means unset.
    pub error_output_prefix: String,
    /// Cut a batch at this many bytes of transformed data.
    pub buffer_bytes: u64,
    /// Cut a batch at this age in seconds; 0 means at once.
    pub buffer_seconds: u32,
    /// Compression of objects.
    pub compression: Compression,
    /// Replaces the compression's own extension; empty means unset.
    pub file_extension: String,
    /// IANA name of the zone for prefixes and object names; empty means UTC.
    pub time_zone: String,
    /// KMS key for server-side encryption.
    pub kms_key_arn: Option<String>,
}

/// `CompressionFormat`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Compression {
    /// Records as they are.
    #[serde(rename = "UNCOMPRESSED")]
    Uncompressed,
    /// One gzip member.
    #[serde(rename = "GZIP")]
    Gzip,
    /// A zip archive with one entry.
    #[serde(rename = "ZIP")]
    Zip,
    /// The xerial stream of snappy-java.
    #[serde(rename = "Snappy")]
    Snappy,
    /// Hadoop's block stream.
    #[serde(rename = "HADOOP_SNAPPY")]
    HadoopSnappy,
}

/// One step of processing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Processor {
    /// Firehose's `Lambda` processor: a plugin.
    Plugin {
        /// Function name in the ARN: the plugin's name.
        name: String,
        /// `LambdaArn` as given, for error outputs.
        lambda_arn: String,
        /// `NumberOfRetries`.
        retries: u32,
        /// `OnPluginFailure`.
        #[serde(default)]
        on_failure: OnFailure,
    },
    /// Appends this after each delivered record.
    AppendDelimiter {
        /// The delimiter, a newline unless given.
        delimiter: String,
    },
}

/// What happens to records while a plugin keeps failing: `OnPluginFailure`, an extension of ours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// They go to the error output, as with Firehose.
    #[default]
    DeadLetter,
    /// They stay in the journal until the plugin works.
    Hold,
    /// They are delivered as they came.
    PassThrough,
}

impl OnFailure {
    /// All of them, in the order in which messages name them.
    pub const ALL: [Self; 3] = [Self::DeadLetter, Self::Hold, Self::PassThrough];

    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DeadLetter => "DeadLetter",
            Self::Hold => "Hold",
            Self::PassThrough => "PassThrough",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Journals hold definitions from before there was a choice.
    #[test]
    fn a_plugin_without_a_policy_has_firehoses_own() {
        let text = r#"{"type":"plugin","name":"clean","lambda_arn":"arn","retries":3}"#;
        let read: Processor = serde_json::from_str(text).unwrap();
        let Processor::Plugin { on_failure, .. } = read else { panic!("a plugin") };
        assert_eq!(on_failure, OnFailure::DeadLetter);
    }
}
