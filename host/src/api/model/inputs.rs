//! The table of shapes, first half: inputs of every operation, and what an S3 destination is made of.
//!
//! Facts of the service's model (firehose 2015-08-04). The order of members and words is the service's where it was
//! observed (ParquetSerDe, SchemaConfiguration, enums of processors and compression), else the model's. No logic.

use super::destinations::*;
use super::shape::{Pattern, Shape, integer, list, not_blank, optional, required, tag_key, tag_text, text};

pub(in crate::api) static CREATE_DELIVERY_STREAM_INPUT: Shape = Shape::Structure(&[
    required("DeliveryStreamName", &DELIVERY_STREAM_NAME),
    optional("DeliveryStreamType", &DELIVERY_STREAM_TYPE),
    optional("DirectPutSourceConfiguration", &DIRECT_PUT_SOURCE_CONFIGURATION),
    optional("KinesisStreamSourceConfiguration", &KINESIS_STREAM_SOURCE_CONFIGURATION),
    optional("DeliveryStreamEncryptionConfigurationInput", &DELIVERY_STREAM_ENCRYPTION_CONFIGURATION_INPUT),
    optional("S3DestinationConfiguration", &S3_DESTINATION_CONFIGURATION),
    optional("ExtendedS3DestinationConfiguration", &EXTENDED_S3_DESTINATION_CONFIGURATION),
    optional("RedshiftDestinationConfiguration", &REDSHIFT_DESTINATION_CONFIGURATION),
    optional("ElasticsearchDestinationConfiguration", &ELASTICSEARCH_DESTINATION_CONFIGURATION),
    optional("AmazonopensearchserviceDestinationConfiguration", &OPENSEARCH_DESTINATION_CONFIGURATION),
    optional("SplunkDestinationConfiguration", &SPLUNK_DESTINATION_CONFIGURATION),
    optional("HttpEndpointDestinationConfiguration", &HTTP_ENDPOINT_DESTINATION_CONFIGURATION),
    optional("Tags", &TAG_DELIVERY_STREAM_INPUT_TAG_LIST),
    optional("AmazonOpenSearchServerlessDestinationConfiguration", &SERVERLESS_DESTINATION_CONFIGURATION),
    optional("MSKSourceConfiguration", &MSK_SOURCE_CONFIGURATION),
    optional("SnowflakeDestinationConfiguration", &SNOWFLAKE_DESTINATION_CONFIGURATION),
    optional("IcebergDestinationConfiguration", &ICEBERG_DESTINATION_CONFIGURATION),
    optional("DatabaseSourceConfiguration", &DATABASE_SOURCE_CONFIGURATION),
]);
pub(in crate::api) static DIRECT_PUT_SOURCE_CONFIGURATION: Shape =
    Shape::Structure(&[required("ThroughputHintInMBs", &THROUGHPUT_HINT_IN_MBS)]);
pub(in crate::api) static DELIVERY_STREAM_ENCRYPTION_CONFIGURATION_INPUT: Shape =
    Shape::Structure(&[optional("KeyARN", &AWS_KMS_KEY_ARN), required("KeyType", &KEY_TYPE)]);
pub(in crate::api) static S3_DESTINATION_CONFIGURATION: Shape = Shape::Structure(&[
    required("RoleARN", &ROLE_ARN),
    required("BucketARN", &BUCKET_ARN),
    optional("Prefix", &PREFIX),
    optional("ErrorOutputPrefix", &ERROR_OUTPUT_PREFIX),
    optional("BufferingHints", &BUFFERING_HINTS),
    optional("CompressionFormat", &COMPRESSION_FORMAT),
    optional("EncryptionConfiguration", &ENCRYPTION_CONFIGURATION),
    optional("CloudWatchLoggingOptions", &CLOUD_WATCH_LOGGING_OPTIONS),
]);
pub(in crate::api) static BUFFERING_HINTS: Shape =
    Shape::Structure(&[optional("SizeInMBs", &SIZE_IN_MBS), optional("IntervalInSeconds", &INTERVAL_IN_SECONDS)]);
pub(in crate::api) static ENCRYPTION_CONFIGURATION: Shape = Shape::Structure(&[
    optional("NoEncryptionConfig", &NO_ENCRYPTION_CONFIG),
    optional("KMSEncryptionConfig", &KMS_ENCRYPTION_CONFIG),
]);
pub(in crate::api) static KMS_ENCRYPTION_CONFIG: Shape =
    Shape::Structure(&[required("AWSKMSKeyARN", &AWS_KMS_KEY_ARN)]);
pub(in crate::api) static CLOUD_WATCH_LOGGING_OPTIONS: Shape = Shape::Structure(&[
    optional("Enabled", &BOOLEAN_OBJECT),
    optional("LogGroupName", &LOG_GROUP_NAME),
    optional("LogStreamName", &LOG_STREAM_NAME),
]);
pub(in crate::api) static EXTENDED_S3_DESTINATION_CONFIGURATION: Shape = Shape::Structure(&[
    required("RoleARN", &ROLE_ARN),
    required("BucketARN", &BUCKET_ARN),
    optional("Prefix", &PREFIX),
    optional("ErrorOutputPrefix", &ERROR_OUTPUT_PREFIX),
    optional("BufferingHints", &BUFFERING_HINTS),
    optional("CompressionFormat", &COMPRESSION_FORMAT),
    optional("EncryptionConfiguration", &ENCRYPTION_CONFIGURATION),
    optional("CloudWatchLoggingOptions", &CLOUD_WATCH_LOGGING_OPTIONS),
    optional("ProcessingConfiguration", &PROCESSING_CONFIGURATION),
    optional("S3BackupMode", &S3_BACKUP_MODE),
    optional("S3BackupConfiguration", &S3_DESTINATION_CONFIGURATION),
    optional("DataFormatConversionConfiguration", &DATA_FORMAT_CONVERSION_CONFIGURATION),
    optional("DynamicPartitioningConfiguration", &DYNAMIC_PARTITIONING_CONFIGURATION),
    optional("FileExtension", &FILE_EXTENSION),
    optional("CustomTimeZone", &CUSTOM_TIME_ZONE),
]);
pub(in crate::api) static PROCESSING_CONFIGURATION: Shape =
    Shape::Structure(&[optional("Enabled", &BOOLEAN_OBJECT), optional("Processors", &PROCESSOR_LIST)]);
pub(in crate::api) static PROCESSOR_LIST: Shape = list(&PROCESSOR, 0, usize::MAX);
pub(in crate::api) static PROCESSOR: Shape =
    Shape::Structure(&[required("Type", &PROCESSOR_TYPE), optional("Parameters", &PROCESSOR_PARAMETER_LIST)]);
pub(in crate::api) static PROCESSOR_PARAMETER_LIST: Shape = list(&PROCESSOR_PARAMETER, 0, usize::MAX);
pub(in crate::api) static PROCESSOR_PARAMETER: Shape = Shape::Structure(&[
    required("ParameterName", &PROCESSOR_PARAMETER_NAME),
    required("ParameterValue", &PROCESSOR_PARAMETER_VALUE),
]);
pub(in crate::api) static DATA_FORMAT_CONVERSION_CONFIGURATION: Shape = Shape::Structure(&[
    optional("OutputFormatConfiguration", &OUTPUT_FORMAT_CONFIGURATION),
    optional("InputFormatConfiguration", &INPUT_FORMAT_CONFIGURATION),
    optional("SchemaConfiguration", &SCHEMA_CONFIGURATION),
    optional("Enabled", &BOOLEAN_OBJECT),
]);
pub(in crate::api) static SCHEMA_CONFIGURATION: Shape = Shape::Structure(&[
    optional("VersionId", &NON_EMPTY_STRING_WITHOUT_WHITESPACE),
    optional("CatalogId", &NON_EMPTY_STRING_WITHOUT_WHITESPACE),
    optional("DatabaseName", &NON_EMPTY_STRING_WITHOUT_WHITESPACE),
    optional("RoleARN", &NON_EMPTY_STRING_WITHOUT_WHITESPACE),
    optional("Region", &NON_EMPTY_STRING_WITHOUT_WHITESPACE),
    optional("TableName", &NON_EMPTY_STRING_WITHOUT_WHITESPACE),
]);
pub(in crate::api) static INPUT_FORMAT_CONFIGURATION: Shape =
    Shape::Structure(&[optional("Deserializer", &DESERIALIZER)]);
pub(in crate::api) static DESERIALIZER: Shape =
    Shape::Structure(&[optional("OpenXJsonSerDe", &OPENX_JSON_SER_DE), optional("HiveJsonSerDe", &HIVE_JSON_SER_DE)]);
pub(in crate::api) static OPENX_JSON_SER_DE: Shape = Shape::Structure(&[
    optional("ConvertDotsInJsonKeysToUnderscores", &BOOLEAN_OBJECT),
    optional("CaseInsensitive", &BOOLEAN_OBJECT),
    optional("ColumnToJsonKeyMappings", &COLUMN_TO_JSON_KEY_MAPPINGS),
]);
pub(in crate::api) static COLUMN_TO_JSON_KEY_MAPPINGS: Shape =
    Shape::Map { key: &NON_EMPTY_STRING_WITHOUT_WHITESPACE, value: &NON_EMPTY_STRING };
pub(in crate::api) static HIVE_JSON_SER_DE: Shape =
    Shape::Structure(&[optional("TimestampFormats", &LIST_OF_NON_EMPTY_STRINGS)]);
pub(in crate::api) static LIST_OF_NON_EMPTY_STRINGS: Shape = list(&NON_EMPTY_STRING, 0, usize::MAX);
pub(in crate::api) static OUTPUT_FORMAT_CONFIGURATION: Shape = Shape::Structure(&[optional("Serializer", &SERIALIZER)]);
pub(in crate::api) static SERIALIZER: Shape =
    Shape::Structure(&[optional("ParquetSerDe", &PARQUET_SER_DE), optional("OrcSerDe", &ORC_SER_DE)]);
pub(in crate::api) static PARQUET_SER_DE: Shape = Shape::Structure(&[
    optional("MaxPaddingBytes", &NON_NEGATIVE_INTEGER_OBJECT),
    optional("BlockSizeBytes", &BLOCK_SIZE_BYTES),
    optional("PageSizeBytes", &PARQUET_PAGE_SIZE_BYTES),
    optional("Compression", &PARQUET_COMPRESSION),
    optional("EnableDictionaryCompression", &BOOLEAN_OBJECT),
    optional("WriterVersion", &PARQUET_WRITER_VERSION),
]);
pub(in crate::api) static ORC_SER_DE: Shape = Shape::Structure(&[
    optional("StripeSizeBytes", &ORC_STRIPE_SIZE_BYTES),
    optional("BlockSizeBytes", &BLOCK_SIZE_BYTES),
    optional("RowIndexStride", &ORC_ROW_INDEX_STRIDE),
    optional("EnablePadding", &BOOLEAN_OBJECT),
    optional("PaddingTolerance", &PROPORTION),
    optional("Compression", &ORC_COMPRESSION),
    optional("BloomFilterColumns", &LIST_OF_NON_EMPTY_STRINGS_WITHOUT_WHITESPACE),
    optional("BloomFilterFalsePositiveProbability", &PROPORTION),
    optional("DictionaryKeyThreshold", &PROPORTION),
    optional("FormatVersion", &ORC_FORMAT_VERSION),
]);
pub(in crate::api) static LIST_OF_NON_EMPTY_STRINGS_WITHOUT_WHITESPACE: Shape =
    list(&NON_EMPTY_STRING_WITHOUT_WHITESPACE, 0, usize::MAX);
pub(in crate::api) static DYNAMIC_PARTITIONING_CONFIGURATION: Shape =
    Shape::Structure(&[optional("RetryOptions", &RETRY_OPTIONS), optional("Enabled", &BOOLEAN_OBJECT)]);
pub(in crate::api) static RETRY_OPTIONS: Shape =
    Shape::Structure(&[optional("DurationInSeconds", &RETRY_DURATION_IN_SECONDS)]);
pub(in crate::api) static TAG_DELIVERY_STREAM_INPUT_TAG_LIST: Shape = list(&TAG, 1, 50);
pub(in crate::api) static TAG: Shape = Shape::Structure(&[required("Key", &TAG_KEY), optional("Value", &TAG_VALUE)]);
pub(in crate::api) static DELETE_DELIVERY_STREAM_INPUT: Shape = Shape::Structure(&[
    required("DeliveryStreamName", &DELIVERY_STREAM_NAME),
    optional("AllowForceDelete", &BOOLEAN_OBJECT),
]);
pub(in crate::api) static DESCRIBE_DELIVERY_STREAM_INPUT: Shape = Shape::Structure(&[
    required("DeliveryStreamName", &DELIVERY_STREAM_NAME),
    optional("Limit", &DESCRIBE_DELIVERY_STREAM_INPUT_LIMIT),
    optional("ExclusiveStartDestinationId", &DESTINATION_ID),
]);
pub(in crate::api) static LIST_DELIVERY_STREAMS_INPUT: Shape = Shape::Structure(&[
    optional("Limit", &LIST_DELIVERY_STREAMS_INPUT_LIMIT),
    optional("DeliveryStreamType", &DELIVERY_STREAM_TYPE),
    optional("ExclusiveStartDeliveryStreamName", &DELIVERY_STREAM_NAME),
]);
pub(in crate::api) static LIST_TAGS_FOR_DELIVERY_STREAM_INPUT: Shape = Shape::Structure(&[
    required("DeliveryStreamName", &DELIVERY_STREAM_NAME),
    optional("ExclusiveStartTagKey", &TAG_KEY),
    optional("Limit", &LIST_TAGS_FOR_DELIVERY_STREAM_INPUT_LIMIT),
]);
pub(in crate::api) static PUT_RECORD_INPUT: Shape =
    Shape::Structure(&[required("DeliveryStreamName", &DELIVERY_STREAM_NAME), required("Record", &RECORD)]);
pub(in crate::api) static RECORD: Shape = Shape::Structure(&[required("Data", &DATA)]);
pub(in crate::api) static PUT_RECORD_BATCH_INPUT: Shape = Shape::Structure(&[
    required("DeliveryStreamName", &DELIVERY_STREAM_NAME),
    required("Records", &PUT_RECORD_BATCH_REQUEST_ENTRY_LIST),
]);
pub(in crate::api) static PUT_RECORD_BATCH_REQUEST_ENTRY_LIST: Shape = list(&RECORD, 1, 500);
pub(in crate::api) static START_DELIVERY_STREAM_ENCRYPTION_INPUT: Shape = Shape::Structure(&[
    required("DeliveryStreamName", &DELIVERY_STREAM_NAME),
    optional("DeliveryStreamEncryptionConfigurationInput", &DELIVERY_STREAM_ENCRYPTION_CONFIGURATION_INPUT),
]);
pub(in crate::api) static STOP_DELIVERY_STREAM_ENCRYPTION_INPUT: Shape =
    Shape::Structure(&[required("DeliveryStreamName", &DELIVERY_STREAM_NAME)]);
pub(in crate::api) static TAG_DELIVERY_STREAM_INPUT: Shape = Shape::Structure(&[
    required("DeliveryStreamName", &DELIVERY_STREAM_NAME),
    required("Tags", &TAG_DELIVERY_STREAM_INPUT_TAG_LIST),
]);
pub(in crate::api) static UNTAG_DELIVERY_STREAM_INPUT: Shape =
    Shape::Structure(&[required("DeliveryStreamName", &DELIVERY_STREAM_NAME), required("TagKeys", &TAG_KEY_LIST)]);
pub(in crate::api) static TAG_KEY_LIST: Shape = list(&TAG_KEY, 1, 50);
pub(in crate::api) static UPDATE_DESTINATION_INPUT: Shape = Shape::Structure(&[
    required("DeliveryStreamName", &DELIVERY_STREAM_NAME),
    required("CurrentDeliveryStreamVersionId", &DELIVERY_STREAM_VERSION_ID),
    required("DestinationId", &DESTINATION_ID),
    optional("S3DestinationUpdate", &S3_DESTINATION_UPDATE),
    optional("ExtendedS3DestinationUpdate", &EXTENDED_S3_DESTINATION_UPDATE),
    optional("RedshiftDestinationUpdate", &REDSHIFT_DESTINATION_UPDATE),
    optional("ElasticsearchDestinationUpdate", &ELASTICSEARCH_DESTINATION_UPDATE),
    optional("AmazonopensearchserviceDestinationUpdate", &OPENSEARCH_DESTINATION_UPDATE),
    optional("SplunkDestinationUpdate", &SPLUNK_DESTINATION_UPDATE),
    optional("HttpEndpointDestinationUpdate", &HTTP_ENDPOINT_DESTINATION_UPDATE),
    optional("AmazonOpenSearchServerlessDestinationUpdate", &SERVERLESS_DESTINATION_UPDATE),
    optional("SnowflakeDestinationUpdate", &SNOWFLAKE_DESTINATION_UPDATE),
    optional("IcebergDestinationUpdate", &ICEBERG_DESTINATION_UPDATE),
]);
pub(in crate::api) static S3_DESTINATION_UPDATE: Shape = Shape::Structure(&[
    optional("RoleARN", &ROLE_ARN),
    optional("BucketARN", &BUCKET_ARN),
    optional("Prefix", &PREFIX),
    optional("ErrorOutputPrefix", &ERROR_OUTPUT_PREFIX),
    optional("BufferingHints", &BUFFERING_HINTS),
    optional("CompressionFormat", &COMPRESSION_FORMAT),
    optional("EncryptionConfiguration", &ENCRYPTION_CONFIGURATION),
    optional("CloudWatchLoggingOptions", &CLOUD_WATCH_LOGGING_OPTIONS),
]);
pub(in crate::api) static EXTENDED_S3_DESTINATION_UPDATE: Shape = Shape::Structure(&[
    optional("RoleARN", &ROLE_ARN),
    optional("BucketARN", &BUCKET_ARN),
    optional("Prefix", &PREFIX),
    optional("ErrorOutputPrefix", &ERROR_OUTPUT_PREFIX),
    optional("BufferingHints", &BUFFERING_HINTS),
    optional("CompressionFormat", &COMPRESSION_FORMAT),
    optional("EncryptionConfiguration", &ENCRYPTION_CONFIGURATION),
    optional("CloudWatchLoggingOptions", &CLOUD_WATCH_LOGGING_OPTIONS),
    optional("ProcessingConfiguration", &PROCESSING_CONFIGURATION),
    optional("S3BackupMode", &S3_BACKUP_MODE),
    optional("S3BackupUpdate", &S3_DESTINATION_UPDATE),
    optional("DataFormatConversionConfiguration", &DATA_FORMAT_CONVERSION_CONFIGURATION),
    optional("DynamicPartitioningConfiguration", &DYNAMIC_PARTITIONING_CONFIGURATION),
    optional("FileExtension", &FILE_EXTENSION),
    optional("CustomTimeZone", &CUSTOM_TIME_ZONE),
]);

pub(in crate::api) static DELIVERY_STREAM_NAME: Shape = text(1, 64, Pattern::new(r"[a-zA-Z0-9_.-]+"));
pub(in crate::api) static DELIVERY_STREAM_TYPE: Shape =
    Shape::Enum(&["DirectPut", "KinesisStreamAsSource", "MSKAsSource", "DatabaseAsSource"]);
pub(in crate::api) static THROUGHPUT_HINT_IN_MBS: Shape = integer(1, 100);
pub(in crate::api) static ROLE_ARN: Shape =
    text(1, 512, Pattern::new(r"arn:.*:iam::\d{12}:role/[a-zA-Z_0-9+=,.@\-_/]+"));
pub(in crate::api) static AWS_KMS_KEY_ARN: Shape =
    text(1, 512, Pattern::new(r"arn:.*:kms:[a-zA-Z0-9\-]+:\d{12}:(key|alias)/[a-zA-Z_0-9+=,.@\-_/]+"));
pub(in crate::api) static KEY_TYPE: Shape = Shape::Enum(&["AWS_OWNED_CMK", "CUSTOMER_MANAGED_CMK"]);
pub(in crate::api) static BUCKET_ARN: Shape = text(1, 2048, Pattern::new(r"arn:.*:s3:::[\w\.\-]{1,255}"));
pub(in crate::api) static PREFIX: Shape = text(0, 1024, Pattern::new(r".*"));
pub(in crate::api) static ERROR_OUTPUT_PREFIX: Shape = text(0, 1024, Pattern::new(r".*"));
pub(in crate::api) static SIZE_IN_MBS: Shape = integer(1, 128);
pub(in crate::api) static INTERVAL_IN_SECONDS: Shape = integer(0, 900);
pub(in crate::api) static COMPRESSION_FORMAT: Shape =
    Shape::ExtendedEnum(&["ZIP", "HADOOP_SNAPPY", "Snappy", "GZIP", "UNCOMPRESSED"], &["ZSTD"]);
pub(in crate::api) static NO_ENCRYPTION_CONFIG: Shape = Shape::Enum(&["NoEncryption"]);
pub(in crate::api) static BOOLEAN_OBJECT: Shape = Shape::Boolean;
pub(in crate::api) static LOG_GROUP_NAME: Shape = text(0, 512, Pattern::new(r"[\.\-_/#A-Za-z0-9]*"));
pub(in crate::api) static LOG_STREAM_NAME: Shape = text(0, 512, Pattern::new(r"[^:*]*"));
pub(in crate::api) static PROCESSOR_TYPE: Shape = Shape::ExtendedEnum(
    &[
        "Decompression",
        "Lambda",
        "RecordDeAggregation",
        "MetadataExtraction",
        "AppendDelimiterToRecord",
        "CloudWatchLogProcessing",
    ],
    &["Hydrant"],
);
pub(in crate::api) static PROCESSOR_PARAMETER_NAME: Shape = Shape::ExtendedEnum(
    &[
        "DataMessageExtraction",
        "NumberOfRetries",
        "Delimiter",
        "RoleArn",
        "JsonParsingEngine",
        "SubRecordType",
        "MetadataExtractionQuery",
        "BufferIntervalInSeconds",
        "LambdaArn",
        "BufferSizeInMBs",
        "CompressionFormat",
    ],
    &["CompressedSizeHint", "EndpointBody", "EventTime", "OnPluginFailure", "SourceBackupDelimiter"],
);
pub(in crate::api) static PROCESSOR_PARAMETER_VALUE: Shape = text(1, 5120, Pattern::judged(r"^(?!\s*$).+", not_blank));
pub(in crate::api) static S3_BACKUP_MODE: Shape = Shape::Enum(&["Disabled", "Enabled"]);
pub(in crate::api) static NON_EMPTY_STRING_WITHOUT_WHITESPACE: Shape = text(1, 1024, Pattern::new(r"^\S+$"));
pub(in crate::api) static NON_EMPTY_STRING: Shape = text(1, 1024, Pattern::judged(r"^(?!\s*$).+", not_blank));
pub(in crate::api) static BLOCK_SIZE_BYTES: Shape = integer(67_108_864, i64::MAX);
pub(in crate::api) static PARQUET_PAGE_SIZE_BYTES: Shape = integer(65_536, i64::MAX);
pub(in crate::api) static PARQUET_COMPRESSION: Shape = Shape::Enum(&["SNAPPY", "GZIP", "UNCOMPRESSED"]);
pub(in crate::api) static NON_NEGATIVE_INTEGER_OBJECT: Shape = integer(0, i64::MAX);
pub(in crate::api) static PARQUET_WRITER_VERSION: Shape = Shape::Enum(&["V1", "V2"]);
pub(in crate::api) static ORC_STRIPE_SIZE_BYTES: Shape = integer(8_388_608, i64::MAX);
pub(in crate::api) static ORC_ROW_INDEX_STRIDE: Shape = integer(1000, i64::MAX);
pub(in crate::api) static PROPORTION: Shape = Shape::Double { least: 0.0, most: 1.0 };
pub(in crate::api) static ORC_COMPRESSION: Shape = Shape::Enum(&["ZLIB", "SNAPPY", "NONE"]);
pub(in crate::api) static ORC_FORMAT_VERSION: Shape = Shape::Enum(&["V0_11", "V0_12"]);
pub(in crate::api) static RETRY_DURATION_IN_SECONDS: Shape = integer(0, 7200);
pub(in crate::api) static FILE_EXTENSION: Shape =
    text(0, 128, Pattern::printed(r"^(|\.[0-9a-z!\-_.*'()]+)$", r"^$|\.[0-9a-z!\-_.*'()]+"));
pub(in crate::api) static CUSTOM_TIME_ZONE: Shape = text(0, 50, Pattern::new(r"^$|[a-zA-Z/_]+"));
pub(in crate::api) static TAG_KEY: Shape =
    text(1, 128, Pattern::judged(r"^(?!aws:)[\p{L}\p{Z}\p{N}_.:\/=+\-@%]*$", tag_key));
pub(in crate::api) static TAG_VALUE: Shape =
    text(0, 256, Pattern::judged(r"^[\p{L}\p{Z}\p{N}_.:\/=+\-@%]*$", tag_text));
pub(in crate::api) static DESCRIBE_DELIVERY_STREAM_INPUT_LIMIT: Shape = integer(1, 10_000);
pub(in crate::api) static DESTINATION_ID: Shape = text(1, 100, Pattern::new(r"[a-zA-Z0-9-]+"));
pub(in crate::api) static LIST_DELIVERY_STREAMS_INPUT_LIMIT: Shape = integer(1, 10_000);
pub(in crate::api) static LIST_TAGS_FOR_DELIVERY_STREAM_INPUT_LIMIT: Shape = integer(1, 50);
pub(in crate::api) static DATA: Shape = Shape::Blob { most_bytes: 1_024_000 };
pub(in crate::api) static DELIVERY_STREAM_VERSION_ID: Shape = text(1, 50, Pattern::new(r"[0-9]+"));
