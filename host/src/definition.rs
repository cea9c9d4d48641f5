//! The checked definition of a delivery stream: what the API stores and every stage obeys.
//!
//! Values here are already legal; checking them is the API's work. Nothing here does I/O.

use serde::{Deserialize, Serialize};

use crate::record::{ErrorOutput, Partition};

mod event_time;
mod redshift;
#[doc(hidden)]
pub mod testing;

pub use event_time::{EventTime, instant_ms};
pub use redshift::{JdbcUrl, RedshiftTextError};

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
    /// Where objects go: everything of a stream that delivers to S3; of any other stream what it stages, backs up or
    /// cannot deliver.
    #[serde(rename = "destination")]
    pub s3: S3Destination,
    /// Where records go.
    #[serde(default, skip_serializing_if = "Target::is_s3")]
    pub target: Target,
    /// Where records go as they came, beside everything else (`S3BackupMode` `Enabled`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_backup: Option<SourceBackup>,
    /// Dynamic partitioning, when it is on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partitioning: Option<Partitioning>,
    /// Record format conversion, when it is on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversion: Option<Conversion>,
    /// What happens to records before they are batched, in Firehose's order.
    pub processors: Vec<Processor>,
    /// What Describe echoes: the configuration as given with defaults filled in. No stage reads it.
    pub document: serde_json::Value,
}

impl Definition {
    /// Where objects of `partition` go.
    pub fn s3_of(&self, partition: &Partition) -> &S3Destination {
        match (partition, &self.source_backup) {
            (Partition::Source, Some(backup)) => &backup.s3,
            _ => &self.s3,
        }
    }

    /// When batches of `partition` are cut.
    pub fn buffering(&self, partition: &Partition) -> Buffering {
        let s3 = self.s3_of(partition);
        let of_s3 = Buffering { bytes: s3.buffer_bytes, seconds: s3.buffer_seconds };
        match (partition, &self.target) {
            (Partition::Main, Target::OpenSearch(OpenSearch { buffering, .. })) => *buffering,
            (Partition::Main, Target::HttpEndpoint(HttpEndpoint { buffering, .. })) => *buffering,
            (Partition::Main, Target::Splunk(Splunk { buffering, .. })) => *buffering,
            _ => of_s3,
        }
    }

    /// True when records that were processed under either definition may share a buffer and an object.
    pub fn collects_like(&self, other: &Self) -> bool {
        let named_by = |definition: &'_ Self| {
            definition.partitioning.as_ref().map(|one| (one.keys.clone(), one.event_time.clone()))
        };
        named_by(self) == named_by(other) && self.conversion == other.conversion
    }

    /// How long a batch is sent again and again before what is left of it goes to the error output, and whether all of
    /// it goes to S3 as well. None for S3, which is never given up.
    pub fn persistence(&self) -> Option<(u32, bool)> {
        match &self.target {
            Target::S3 => None,
            Target::OpenSearch(one) => Some((one.retry_seconds, one.backs_up_all)),
            Target::Redshift(one) => Some((one.retry_seconds, false)),
            Target::HttpEndpoint(one) => Some((one.retry_seconds, one.backs_up_all)),
            Target::Splunk(one) => Some((one.retry_seconds, one.backs_up_all)),
        }
    }

    /// The error output of what its destination does not take.
    pub fn undelivered_output(&self) -> ErrorOutput {
        match &self.target {
            Target::OpenSearch(OpenSearch { flavour: SearchFlavour::Elasticsearch, .. }) => {
                ErrorOutput::ElasticsearchFailed
            }
            Target::S3 | Target::Redshift(_) | Target::OpenSearch(_) => ErrorOutput::OpenSearchFailed,
            Target::HttpEndpoint(_) => ErrorOutput::HttpEndpointFailed,
            Target::Splunk(_) => ErrorOutput::SplunkFailed,
        }
    }

    /// What records of the destination are compressed with; of columns, what comes nearest to their pages.
    pub fn object_compression(&self) -> Compression {
        match self.conversion.as_ref().map(|conversion| &conversion.output) {
            None => self.s3.compression,
            Some(Serializer::Parquet(ParquetSettings { compression: ParquetCompression::Gzip, .. }))
            | Some(Serializer::Orc(OrcSettings { compression: OrcCompression::Zlib, .. })) => Compression::Gzip,
            Some(_) => Compression::Snappy,
        }
    }

    /// True when records of the destination are delivered one by one, not as objects.
    pub fn delivers_rows(&self) -> bool {
        matches!(self.target, Target::OpenSearch(_) | Target::HttpEndpoint(_) | Target::Splunk(_))
    }
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
    /// [`Self::buffer_bytes`] are those of the object as it is stored, not of its records: an extension of ours.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sizes_compressed: bool,
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
    /// One zstd frame: an extension of ours.
    #[serde(rename = "ZSTD")]
    Zstd,
}

/// Where a stream's records go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Target {
    /// Objects of S3, and nowhere else.
    #[default]
    S3,
    /// Documents of OpenSearch, Elasticsearch or OpenSearch Serverless.
    OpenSearch(OpenSearch),
    /// Rows of Redshift, copied from staged objects.
    Redshift(Redshift),
    /// Requests to an HTTP endpoint.
    HttpEndpoint(HttpEndpoint),
    /// Events of Splunk's HTTP event collector.
    Splunk(Splunk),
}

impl Target {
    /// True when objects are all that is delivered.
    pub fn is_s3(&self) -> bool {
        *self == Self::S3
    }
}

/// Delivery to OpenSearch by bulk requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenSearch {
    /// Which of the three services' shapes it was created with.
    pub flavour: SearchFlavour,
    /// `ClusterEndpoint` or `CollectionEndpoint`: scheme, host, port, and a path when there is one; no final slash.
    pub endpoint: String,
    /// `IndexName`.
    pub index: String,
    /// `TypeName`; empty for 7.x and OpenSearch.
    pub type_name: String,
    /// `IndexRotationPeriod`.
    pub rotation: IndexRotation,
    /// `DefaultDocumentIdFormat` is `FIREHOSE_DEFAULT`: ids are ours and stable; else the server assigns them.
    pub has_document_ids: bool,
    /// When batches are cut.
    pub buffering: Buffering,
    /// Longest time from the first failure until what is left goes to the error output, seconds.
    pub retry_seconds: u32,
    /// `AllDocuments`: everything goes to S3 as well.
    pub backs_up_all: bool,
}

/// Whose wire shape a search destination has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SearchFlavour {
    /// `AmazonopensearchserviceDestinationConfiguration`.
    OpenSearch,
    /// `ElasticsearchDestinationConfiguration`.
    Elasticsearch,
    /// `AmazonOpenSearchServerlessDestinationConfiguration`.
    Serverless,
}

/// `IndexRotationPeriod`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum IndexRotation {
    /// The index name as it is.
    NoRotation,
    /// `-yyyy-MM-dd-HH`.
    OneHour,
    /// `-yyyy-MM-dd`.
    OneDay,
    /// `-yyyy-'w'ww`, weeks beginning on Sunday.
    OneWeek,
    /// `-yyyy-MM`.
    OneMonth,
}

/// Delivery to Redshift: objects are staged in S3 and copied from a manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redshift {
    /// `ClusterJDBCURL` as given.
    pub jdbc_url: String,
    /// Host of the URL.
    pub host: String,
    /// Port of the URL.
    pub port: u16,
    /// Database of the URL.
    pub database: String,
    /// `DataTableName`.
    pub table: String,
    /// `DataTableColumns` as given; empty means all.
    pub columns: String,
    /// `CopyOptions` as given.
    pub copy_options: String,
    /// `RoleARN`, which the cluster assumes to read what is staged.
    pub role_arn: String,
    /// Who loads.
    pub login: Login,
    /// Longest time from the first failure until a batch is skipped, seconds.
    pub retry_seconds: u32,
}

/// Delivery to an HTTP endpoint: one that speaks Firehose's request and response specification, or takes records as
/// they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpEndpoint {
    /// `Url`, query string included.
    pub url: String,
    /// `AccessKey`.
    pub access_key: Login,
    /// `ContentEncoding` is `GZIP`.
    pub is_compressed: bool,
    /// What a request holds.
    #[serde(default)]
    pub body: EndpointBody,
    /// `CommonAttributes`, in the order given.
    pub attributes: Vec<(String, String)>,
    /// When batches are cut.
    pub buffering: Buffering,
    /// Longest time from the first failure until a batch goes to the error output, seconds.
    pub retry_seconds: u32,
    /// `AllData`: everything goes to S3 as well.
    pub backs_up_all: bool,
}

/// What a request to an HTTP endpoint holds: `EndpointBody`, an extension of ours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndpointBody {
    /// A batch, in the request and response specification of Firehose.
    #[default]
    Firehose,
    /// One record, as it is.
    Record,
}

impl EndpointBody {
    /// All of them, in the order in which messages name them.
    pub const ALL: [Self; 2] = [Self::Firehose, Self::Record];

    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Firehose => "Firehose",
            Self::Record => "Record",
        }
    }
}

/// Delivery to Splunk's HTTP event collector with indexer acknowledgement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Splunk {
    /// `HECEndpoint`: scheme, host, port.
    pub endpoint: String,
    /// `HECEndpointType` is `Raw`; else `Event`.
    pub is_raw: bool,
    /// `HECToken`.
    pub token: Login,
    /// `HECAcknowledgmentTimeoutInSeconds`.
    pub acknowledgement_seconds: u32,
    /// When batches are cut.
    pub buffering: Buffering,
    /// Longest time from the first failure until a batch goes to the error output, seconds.
    pub retry_seconds: u32,
    /// `AllEvents`: everything goes to S3 as well.
    pub backs_up_all: bool,
}

/// When batches are cut: whatever comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Buffering {
    /// Bytes of transformed data.
    pub bytes: u64,
    /// Age in seconds; 0 means at once.
    pub seconds: u32,
}

/// How to log in at a destination.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Login {
    /// Nothing was configured.
    None,
    /// As given to the API. The user is empty where there is only a key or a token.
    Given {
        /// User name.
        user: String,
        /// Password, key or token.
        secret: Secret,
    },
    /// `SecretsManagerConfiguration`: the ARN of a secret that is read anew for each attempt.
    Stored(String),
}

/// A secret that came over the API. It is kept in the journal as it is and shown nowhere.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Takes a secret in.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret, for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret([REDACTED])")
    }
}

/// Records as they came, in a bucket of their own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceBackup {
    /// Where they go.
    pub s3: S3Destination,
    /// Written after each record: empty as with Firehose, unless our extension asked for more.
    pub delimiter: String,
}

/// Dynamic partitioning: each distinct set of values has a buffer and objects of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partitioning {
    /// The keys that the prefix uses, each once, in the order of their first use.
    pub keys: Vec<PartitionKey>,
    /// Bytes that the values of one record may have together in an evaluated prefix.
    pub room_bytes: u32,
    /// Where timestamps of the prefix are the records' own: an extension of ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_time: Option<EventTime>,
}

impl Partitioning {
    /// The keys that processors must say: those of the prefix, and that of event time.
    pub fn said_keys(&self) -> impl Iterator<Item = &PartitionKey> {
        let event = self.event_time.iter().map(|event| &event.key);
        let is_used =
            |key: &PartitionKey| self.keys.iter().any(|used| (used.source, &used.name) == (key.source, &key.name));
        self.keys.iter().chain(event.filter(move |key| !is_used(key)))
    }
}

/// A key of dynamic partitioning.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PartitionKey {
    /// Who says its value.
    pub source: KeySource,
    /// Its name in the prefix expression.
    pub name: String,
    /// How often the prefix uses it.
    pub uses: u32,
}

impl PartitionKey {
    /// Name of the column that holds its values on the way. A key of a plugin has its own name there; what a query
    /// says cannot be mistaken for it, because plugins cannot set names that begin with `$`.
    pub fn column(&self) -> String {
        match self.source {
            KeySource::Plugin => self.name.clone(),
            KeySource::Query => format!("$query:{}", self.name),
        }
    }
}

/// Who says the value of a partition key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeySource {
    /// `!{partitionKeyFromLambda:…}`.
    Plugin,
    /// `!{partitionKeyFromQuery:…}`.
    Query,
}

/// Record format conversion: JSON in, columns out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Conversion {
    /// Where the table's schema is found.
    pub schema: SchemaSource,
    /// How JSON is read.
    pub input: Deserializer,
    /// How columns are written.
    pub output: Serializer,
    /// The table as it was when the definition was made, in the shape of Glue's `Table` with its `VersionId`: replays
    /// convert by it, whatever the catalogue says by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved: Option<serde_json::Value>,
}

/// `SchemaConfiguration`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaSource {
    /// `CatalogId`; empty means the account.
    pub catalog_id: String,
    /// `DatabaseName`.
    pub database: String,
    /// `TableName`.
    pub table: String,
    /// `Region`; empty means the stream's.
    pub region: String,
    /// `VersionId`, `LATEST` unless given.
    pub version_id: String,
}

/// `InputFormatConfiguration`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Deserializer {
    /// `OpenXJsonSerDe`.
    OpenX {
        /// `CaseInsensitive`.
        case_insensitive: bool,
        /// `ConvertDotsInJsonKeysToUnderscores`.
        dots_to_underscores: bool,
        /// `ColumnToJsonKeyMappings`: column and JSON key.
        column_keys: Vec<(String, String)>,
    },
    /// `HiveJsonSerDe`.
    Hive {
        /// `TimestampFormats`: Joda patterns or `millis`.
        timestamp_formats: Vec<String>,
    },
}

/// `OutputFormatConfiguration`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Serializer {
    /// `ParquetSerDe`.
    Parquet(ParquetSettings),
    /// `OrcSerDe`.
    Orc(OrcSettings),
}

/// `ParquetSerDe`; defaults are those that the service documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ParquetSettings {
    /// `BlockSizeBytes`.
    pub block_bytes: u64,
    /// `PageSizeBytes`.
    pub page_bytes: u64,
    /// `Compression`.
    pub compression: ParquetCompression,
    /// `EnableDictionaryCompression`.
    pub has_dictionary: bool,
    /// `MaxPaddingBytes`.
    pub most_padding_bytes: u64,
    /// `WriterVersion` is `V2`.
    pub is_v2: bool,
}

impl Default for ParquetSettings {
    fn default() -> Self {
        Self {
            block_bytes: 256 << 20,
            page_bytes: 1 << 20,
            compression: ParquetCompression::Snappy,
            has_dictionary: false,
            most_padding_bytes: 0,
            is_v2: false,
        }
    }
}

/// `OrcSerDe`; defaults are those that the service documents.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct OrcSettings {
    /// `StripeSizeBytes`.
    pub stripe_bytes: u64,
    /// `BlockSizeBytes`.
    pub block_bytes: u64,
    /// `RowIndexStride`.
    pub row_index_stride: u64,
    /// `EnablePadding`.
    pub is_padded: bool,
    /// `PaddingTolerance`.
    pub padding_tolerance: f64,
    /// `Compression`.
    pub compression: OrcCompression,
    /// `BloomFilterColumns`.
    pub bloom_filter_columns: Vec<String>,
    /// `BloomFilterFalsePositiveProbability`.
    pub bloom_filter_probability: f64,
    /// `DictionaryKeyThreshold`.
    pub dictionary_threshold: f64,
    /// `FormatVersion` is `V0_11`.
    pub is_v0_11: bool,
}

impl Default for OrcSettings {
    fn default() -> Self {
        Self {
            stripe_bytes: 64 << 20,
            block_bytes: 256 << 20,
            row_index_stride: 10_000,
            is_padded: false,
            padding_tolerance: 0.05,
            compression: OrcCompression::Snappy,
            bloom_filter_columns: Vec::new(),
            bloom_filter_probability: 0.05,
            dictionary_threshold: 0.0,
            is_v0_11: false,
        }
    }
}

/// `ParquetSerDe.Compression`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ParquetCompression {
    /// None.
    Uncompressed,
    /// gzip.
    Gzip,
    /// Raw snappy.
    Snappy,
}

/// `OrcSerDe.Compression`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum OrcCompression {
    /// None.
    None,
    /// Raw deflate.
    Zlib,
    /// Raw snappy.
    Snappy,
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
    /// `Decompression`: each record is a gzip stream.
    Decompress,
    /// `CloudWatchLogProcessing`: of each document of CloudWatch Logs the messages only, a line each.
    ExtractLogMessages,
    /// `RecordDeAggregation`: several records in one.
    DeAggregate {
        /// What stands between them; none means that they are JSON objects.
        delimiter: Option<Vec<u8>>,
    },
    /// `MetadataExtraction`: partition keys by a jq 1.6 program.
    ExtractMetadata {
        /// The program.
        query: String,
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
