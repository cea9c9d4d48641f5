//! S3 in full: partitioning, conversion and source backup.

use serde_json::{Value, json};

use super::super::{BUCKET, LAMBDA, ROLE};
use super::{Kind, over};
use crate::definition::{
    Compression, Conversion, Deserializer, KeySource, OrcCompression, OrcSettings, ParquetCompression, ParquetSettings,
    PartitionKey, SchemaSource, Serializer,
};

fn parameter(name: &str, value: &str) -> Value {
    json!({"ParameterName": name, "ParameterValue": value})
}

fn processing(processors: &[Value]) -> Value {
    json!({"Enabled": true, "Processors": processors})
}

fn query(text: &str) -> Value {
    let parameters = [parameter("MetadataExtractionQuery", text), parameter("JsonParsingEngine", "JQ-1.6")];
    json!({"Type": "MetadataExtraction", "Parameters": parameters})
}

fn lambda() -> Value {
    json!({"Type": "Lambda", "Parameters": [parameter("LambdaArn", LAMBDA)]})
}

/// A partitioned stream by the query key `a`, with these members over it.
fn partitioned(members: Value) -> Value {
    let least = json!({
        "Prefix": "!{partitionKeyFromQuery:a}/", "ErrorOutputPrefix": "errors/",
        "DynamicPartitioningConfiguration": {"Enabled": true}, "ProcessingConfiguration": processing(&[query("{a}")]),
    });
    let mut whole = least.as_object().unwrap().clone();
    whole.extend(members.as_object().unwrap().clone());
    Value::Object(whole)
}

#[tokio::test]
async fn partitions_have_their_defaults_and_keys() {
    let made = Kind::s3().made(partitioned(json!({}))).await;
    let shown = made.description().await;
    assert_eq!(shown["BufferingHints"], json!({"SizeInMBs": 128, "IntervalInSeconds": 300}));
    let block = json!({"RetryOptions": {"DurationInSeconds": 300}, "Enabled": true});
    assert_eq!(shown["DynamicPartitioningConfiguration"], block);
    let key = PartitionKey { source: KeySource::Query, name: "a".to_owned(), uses: 1 };
    assert_eq!(made.definition().partitioning.as_ref().unwrap().keys, [key]);
    assert_eq!(made.definition().s3.buffer_bytes, 128 << 20);
    // A query whose keys depend on the record is taken at its word; so is a plugin.
    Kind::s3().made(partitioned(json!({"ProcessingConfiguration": processing(&[query(".")])}))).await;
    let both = json!({"Prefix": "!{partitionKeyFromQuery:a}/!{partitionKeyFromLambda:b}/",
        "ProcessingConfiguration": processing(&[query("{a}"), lambda()])});
    let made = Kind::s3().made(partitioned(both)).await;
    assert_eq!(made.definition().partitioning.as_ref().unwrap().keys.len(), 2);
}

#[tokio::test]
async fn partition_rules_have_their_messages() {
    let refuses = async |members: Value, message: &str| Kind::s3().refuses(partitioned(members), message).await;
    let hints =
        |size_mb: u32, seconds: u32| json!({"BufferingHints": {"SizeInMBs": size_mb, "IntervalInSeconds": seconds}});
    let size = "BufferingHints.SizeInMBs must be at least 64 when Dynamic Partitioning is enabled.";
    refuses(hints(63, 300), size).await;
    let seconds = "BufferingHints.IntervalInSeconds must be at least 60 seconds when Dynamic Partitioning is enabled.";
    refuses(hints(64, 59), seconds).await;
    Kind::s3().made(partitioned(hints(64, 60))).await;
    let no_key = "S3 Prefix should contain Dynamic Partitioning namespaces when Dynamic Partitioning is enabled";
    refuses(json!({"Prefix": "a/"}), no_key).await;
    let no_errors = "ErrorOutputPrefix cannot be null or empty when Prefix contains expressions";
    refuses(json!({"ErrorOutputPrefix": null}), no_errors).await;
    let no_processing = "Processing Configuration is not enabled when DataPartitioning is enabled";
    refuses(json!({"ProcessingConfiguration": null}), no_processing).await;
    refuses(json!({"ProcessingConfiguration": {"Processors": [query("{a}")]}}), no_processing).await;
    let no_query = "MetadataExtraction processor should be present when S3 Prefix has partitionKeyFromQuery namespace.";
    refuses(json!({"ProcessingConfiguration": processing(&[lambda()])}), no_query).await;
    let no_lambda = "Lambda should be present when S3 Prefix contains keys from partitionKeyFromLambda namespace";
    refuses(json!({"Prefix": "!{partitionKeyFromLambda:a}/"}), no_lambda).await;
    let missing = "S3 Prefix contains !{partitionKeyFromQuery:b}, but MetadataExtractionQuery has no key b.";
    refuses(json!({"Prefix": "!{partitionKeyFromQuery:a}/!{partitionKeyFromQuery:b}/"}), missing).await;
    let unused = "MetadataExtractionQuery has the key b, but S3 Prefix does not contain !{partitionKeyFromQuery:b}.";
    refuses(json!({"ProcessingConfiguration": processing(&[query("{a,b}")])}), unused).await;
    let names: Vec<String> = (0..51).map(|at| format!("k{at}")).collect();
    let many = json!({"ProcessingConfiguration": processing(&[query(&format!("{{{}}}", names.join(",")))])});
    refuses(many, "MetadataExtractionQuery must not have more than 50 keys.").await;
    let off = json!({"DynamicPartitioningConfiguration": {"Enabled": false}});
    refuses(off.clone(), "partitions are off").await;
    let mut plain = off;
    plain["Prefix"] = json!("a/");
    let idle = "MetadataExtraction processor can only be used when Dynamic Partitioning is enabled.";
    refuses(plain, idle).await;
}

/// An extension: the prefix's timestamps are the records' own, and no other key is needed.
#[tokio::test]
async fn event_time_needs_a_key_and_partitions() {
    let event_time = |value: &str| json!({"Type": "Hydrant", "Parameters": [parameter("EventTime", value)]});
    let with = |prefix: &str, steps: &[Value]| json!({"Prefix": prefix, "ProcessingConfiguration": processing(steps)});
    let (hourly, of_query) = ("!{timestamp:HH}/", "!{partitionKeyFromQuery:at}");
    let made = Kind::s3().made(partitioned(with(hourly, &[query("{at}"), event_time(of_query)]))).await;
    let named_by = made.definition().partitioning.as_ref().unwrap().event_time.as_ref().unwrap().key.clone();
    assert_eq!(named_by, PartitionKey { source: KeySource::Query, name: "at".to_owned(), uses: 0 });
    made.update(json!({"CustomTimeZone": "Europe/Paris"})).await;
    assert_eq!(made.definition().partitioning.as_ref().unwrap().event_time.as_ref().unwrap().time_zone, "Europe/Paris");
    let refuses = async |members: Value, message: &str| Kind::s3().refuses(partitioned(members), message).await;
    let missing = "S3 Prefix contains !{partitionKeyFromQuery:at}, but MetadataExtractionQuery has no key at.";
    refuses(with("!{partitionKeyFromQuery:a}/", &[query("{a}"), event_time(of_query)]), missing).await;
    let no_lambda = "Lambda should be present when S3 Prefix contains keys from partitionKeyFromLambda namespace";
    let of_plugin = event_time("!{partitionKeyFromLambda:at}");
    refuses(with("!{partitionKeyFromQuery:a}/", &[query("{a}"), of_plugin]), no_lambda).await;
    let wrong = "EventTime must be !{partitionKeyFromQuery:key} or !{partitionKeyFromLambda:key}.";
    for value in ["at", "!{timestamp:at}", "!{partitionKeyFromQuery:}", "!{partitionKeyFromQuery:a}}", "!{at}"] {
        refuses(with(hourly, &[query("{at}"), event_time(value)]), wrong).await;
    }
    let idle = "EventTime can only be used when Dynamic Partitioning is enabled.";
    Kind::s3().refuses(with("a/", &[event_time(of_query)]), idle).await;
    let steps = json!({"ProcessingConfiguration": processing(&[event_time(of_query)])});
    for kind in Kind::all().into_iter().filter(|kind| kind.stem != "ExtendedS3") {
        kind.refuses(steps.clone(), idle).await;
    }
}

/// An extension: hints about objects as they are stored.
#[tokio::test]
async fn the_size_hint_may_be_about_compressed_objects() {
    let steps = |value: &str| {
        let step = json!({"Type": "Hydrant", "Parameters": [parameter("CompressedSizeHint", value)]});
        json!({"ProcessingConfiguration": processing(&[step])})
    };
    let made = Kind::s3().made(over(&steps("true"), json!({"CompressionFormat": "GZIP"}))).await;
    assert!(made.definition().s3.sizes_compressed);
    made.update(steps("false")).await;
    assert!(!made.definition().s3.sizes_compressed);
    Kind::s3().refuses(steps("yes"), "CompressedSizeHint must be true or false.").await;
    let message = "CompressedSizeHint can only be used when records are delivered to S3.";
    for kind in Kind::all().into_iter().filter(|kind| kind.stem != "ExtendedS3") {
        kind.refuses(steps("true"), message).await;
    }
}

/// Unlike with the service, partitioning is switched on a stream that lives, and off again.
#[tokio::test]
async fn partitioning_is_switched_on_and_off() {
    let made = Kind::s3().made(json!({"Prefix": "a/"})).await;
    let size = "BufferingHints.SizeInMBs must be at least 64 when Dynamic Partitioning is enabled.";
    made.refuses(partitioned(json!({})), size).await;
    let hints = json!({"BufferingHints": {"SizeInMBs": 64, "IntervalInSeconds": 60}});
    made.update(partitioned(hints)).await;
    assert!(made.definition().partitioning.is_some());
    let block = json!({"DynamicPartitioningConfiguration": {"Enabled": false}});
    made.refuses(block.clone(), "partitions are off").await;
    let idle = "MetadataExtraction processor can only be used when Dynamic Partitioning is enabled.";
    made.refuses(over(&block, json!({"Prefix": "a/"})), idle).await;
    let off = json!({"DynamicPartitioningConfiguration": {"Enabled": false}, "Prefix": "a/",
        "ProcessingConfiguration": {"Enabled": false}});
    made.update(off).await;
    assert_eq!((made.definition().version, &made.definition().partitioning), (3, &None));
    assert_eq!(made.description().await["DynamicPartitioningConfiguration"], json!({"Enabled": false}));
}

/// A conversion that is whole.
fn conversion() -> Value {
    json!({
        "SchemaConfiguration": {"RoleARN": ROLE, "DatabaseName": "d", "TableName": "t"},
        "InputFormatConfiguration": {"Deserializer": {"OpenXJsonSerDe": {}}},
        "OutputFormatConfiguration": {"Serializer": {"ParquetSerDe": {}}},
    })
}

/// Order and wording are the service's (firehose.md §5.2); each case breaks everything that is checked after it, too.
#[tokio::test]
async fn conversions_are_checked_in_the_order_of_the_service() {
    let with = |members: Value| {
        let mut whole = json!({"DataFormatConversionConfiguration": {}});
        whole.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        whole
    };
    let small = json!({"SizeInMBs": 63, "IntervalInSeconds": 60});
    let refuses = async |members: Value, message: &str| Kind::s3().refuses(members, message).await;
    refuses(
        with(json!({"CompressionFormat": "GZIP", "BufferingHints": small})),
        "CompressionFormat must be UNCOMPRESSED when data format conversion is enabled.",
    )
    .await;
    let size = "BufferingHints.SizeInMBs must be at least 64 when data format conversion is enabled.";
    refuses(with(json!({"BufferingHints": small})), size).await;
    refuses(with(json!({})), "InputFormatConfiguration must not be null").await;
    let mut block = json!({"InputFormatConfiguration": {}});
    let step = async |block: &Value, message: &str| {
        refuses(json!({"DataFormatConversionConfiguration": block}), message).await;
    };
    step(&block, "OutputFormatConfiguration must not be null").await;
    block["OutputFormatConfiguration"] = json!({});
    step(&block, "SchemaConfiguration must not be null").await;
    block["SchemaConfiguration"] = json!({});
    step(&block, "Deserializer must not be null").await;
    block["InputFormatConfiguration"] = json!({"Deserializer": {}});
    step(&block, "Deserializer must not be null").await;
    block["InputFormatConfiguration"] = json!({"Deserializer": {"OpenXJsonSerDe": {}, "HiveJsonSerDe": {}}});
    step(&block, "More than one deserializer specified. Only one may be chosen.").await;
    block["InputFormatConfiguration"] = json!({"Deserializer": {"OpenXJsonSerDe": {}}});
    step(&block, "Serializer must not be null").await;
    block["OutputFormatConfiguration"] = json!({"Serializer": {"ParquetSerDe": {}, "OrcSerDe": {}}});
    step(&block, "More than one serializer specified. Only one may be chosen.").await;
    block["OutputFormatConfiguration"] = json!({"Serializer": {"ParquetSerDe": {}}});
    step(&block, "SchemaConfiguration.RoleArn must not be null or empty").await;
    block["SchemaConfiguration"]["RoleARN"] = json!(ROLE);
    step(&block, "SchemaConfiguration.DatabaseName must not be null or empty").await;
    block["SchemaConfiguration"]["DatabaseName"] = json!("d");
    step(&block, "SchemaConfiguration.TableName must not be null or empty").await;
    block["SchemaConfiguration"]["TableName"] = json!("t");
    Kind::s3().made(json!({"DataFormatConversionConfiguration": block})).await;
}

#[tokio::test]
async fn a_conversion_has_the_defaults_of_its_formats() {
    let made = Kind::s3().made(json!({"DataFormatConversionConfiguration": conversion()})).await;
    let shown = made.description().await;
    assert_eq!(shown["DataFormatConversionConfiguration"]["Enabled"], true, "an omitted Enabled means true here");
    assert_eq!(shown["BufferingHints"]["SizeInMBs"], 128);
    let schema = SchemaSource {
        catalog_id: String::new(),
        database: "d".to_owned(),
        table: "t".to_owned(),
        region: String::new(),
        version_id: "LATEST".to_owned(),
    };
    let input = Deserializer::OpenX { case_insensitive: true, dots_to_underscores: false, column_keys: Vec::new() };
    let output = Serializer::Parquet(ParquetSettings {
        block_bytes: 256 << 20,
        page_bytes: 1 << 20,
        compression: ParquetCompression::Snappy,
        has_dictionary: false,
        most_padding_bytes: 0,
        is_v2: false,
    });
    assert_eq!(made.definition().conversion, Some(Conversion { schema, input, output, resolved: None }));
    // An update merges into the block and its schema; the formats go over whole.
    let orc = json!({"OrcSerDe": {"Compression": "ZLIB", "BloomFilterColumns": ["a"]}});
    let hive = json!({"HiveJsonSerDe": {"TimestampFormats": ["millis"]}});
    made.update(json!({"DataFormatConversionConfiguration": {
        "SchemaConfiguration": {"TableName": "u", "VersionId": "3", "CatalogId": "c", "Region": "r"},
        "InputFormatConfiguration": {"Deserializer": hive}, "OutputFormatConfiguration": {"Serializer": orc},
    }}))
    .await;
    let now = made.definition().conversion.clone().unwrap();
    let schema = SchemaSource {
        catalog_id: "c".to_owned(),
        database: "d".to_owned(),
        table: "u".to_owned(),
        region: "r".to_owned(),
        version_id: "3".to_owned(),
    };
    assert_eq!(now.schema, schema);
    assert_eq!(now.input, Deserializer::Hive { timestamp_formats: vec!["millis".to_owned()] });
    let output = Serializer::Orc(OrcSettings {
        stripe_bytes: 64 << 20,
        block_bytes: 256 << 20,
        row_index_stride: 10_000,
        is_padded: false,
        padding_tolerance: 0.05,
        compression: OrcCompression::Zlib,
        bloom_filter_columns: vec!["a".to_owned()],
        bloom_filter_probability: 0.05,
        dictionary_threshold: 0.0,
        is_v0_11: false,
    });
    assert_eq!(now.output, output);
    made.refuses(
        json!({"CompressionFormat": "ZSTD"}),
        "CompressionFormat must be UNCOMPRESSED when data format conversion is enabled.",
    )
    .await;
    made.update(json!({"DataFormatConversionConfiguration": {"Enabled": false}, "CompressionFormat": "ZSTD"})).await;
    let definition = made.definition();
    assert_eq!((&definition.conversion, definition.s3.compression), (&None, Compression::Zstd));
    assert_eq!(made.description().await["DataFormatConversionConfiguration"]["SchemaConfiguration"]["TableName"], "u");
}

/// Lists without a bound of their own do not make a stream that fills the memory.
#[tokio::test]
async fn a_configuration_is_bounded_as_a_whole() {
    let with = |count: usize| {
        let formats = vec!["y".repeat(1024); count];
        let hive = json!({"Deserializer": {"HiveJsonSerDe": {"TimestampFormats": formats}}});
        json!({"DataFormatConversionConfiguration": {"Enabled": false, "InputFormatConfiguration": hive}})
    };
    let kind = Kind::s3();
    let made = kind.made(with(500)).await;
    let large = "The destination's configuration must not be larger than 524288 bytes.";
    kind.refuses(with(520), large).await;
    made.refuses(with(520), large).await;
}

#[tokio::test]
async fn options_of_the_formats_are_read() {
    let with = |input: Value, output: Value| {
        let block = over(
            &conversion(),
            json!({
                "InputFormatConfiguration": {"Deserializer": input}, "OutputFormatConfiguration": {"Serializer": output},
            }),
        );
        json!({"DataFormatConversionConfiguration": block})
    };
    let open_x = json!({"OpenXJsonSerDe": {"CaseInsensitive": false, "ConvertDotsInJsonKeysToUnderscores": true,
        "ColumnToJsonKeyMappings": {"ts": "timestamp"}}});
    let parquet = json!({"ParquetSerDe": {"BlockSizeBytes": 67108864, "PageSizeBytes": 65536, "Compression": "GZIP",
        "EnableDictionaryCompression": true, "MaxPaddingBytes": 1, "WriterVersion": "V2"}});
    let made = Kind::s3().made(with(open_x, parquet)).await.definition().conversion.clone().unwrap();
    let column_keys = vec![("ts".to_owned(), "timestamp".to_owned())];
    assert_eq!(made.input, Deserializer::OpenX { case_insensitive: false, dots_to_underscores: true, column_keys });
    let compression = ParquetCompression::Gzip;
    let expected = Serializer::Parquet(ParquetSettings {
        block_bytes: 64 << 20,
        page_bytes: 64 << 10,
        compression,
        has_dictionary: true,
        most_padding_bytes: 1,
        is_v2: true,
    });
    assert_eq!(made.output, expected);
    let hive = json!({"HiveJsonSerDe": {}});
    let orc = json!({"OrcSerDe": {"StripeSizeBytes": 8388608, "RowIndexStride": 1000, "Compression": "NONE",
        "BlockSizeBytes": 67108864, "EnablePadding": true, "PaddingTolerance": 0.25, "FormatVersion": "V0_11",
        "BloomFilterColumns": ["a", "b"], "BloomFilterFalsePositiveProbability": 0.5, "DictionaryKeyThreshold": 1}});
    let made = Kind::s3().made(with(hive, orc)).await.definition().conversion.clone().unwrap();
    assert_eq!(made.input, Deserializer::Hive { timestamp_formats: Vec::new() });
    let expected = Serializer::Orc(OrcSettings {
        stripe_bytes: 8 << 20,
        block_bytes: 64 << 20,
        row_index_stride: 1000,
        is_padded: true,
        padding_tolerance: 0.25,
        compression: OrcCompression::None,
        bloom_filter_columns: vec!["a".to_owned(), "b".to_owned()],
        bloom_filter_probability: 0.5,
        dictionary_threshold: 1.0,
        is_v0_11: true,
    });
    assert_eq!(made.output, expected);
}

#[tokio::test]
async fn source_records_are_backed_up_for_good_with_our_delimiter() {
    let backup = json!({"RoleARN": ROLE, "BucketARN": "arn:aws:s3:::source"});
    let delimited = json!({"Type": "Hydrant", "Parameters": [parameter("SourceBackupDelimiter", "\\n")]});
    let kind = Kind::s3();
    let missing = "S3BackupConfiguration must not be null when S3BackupMode is Enabled.";
    kind.refuses(json!({"S3BackupMode": "Enabled"}), missing).await;
    // A place that is not in use is checked and described all the same.
    let made = kind.made(json!({"S3BackupConfiguration": backup})).await;
    assert_eq!(made.definition().source_backup, None);
    assert_eq!(made.description().await["S3BackupDescription"]["CompressionFormat"], "UNCOMPRESSED");
    let idle = "SourceBackupDelimiter can only be used when S3BackupMode is Enabled.";
    let steps = json!({"ProcessingConfiguration": processing(&[delimited])});
    made.refuses(steps.clone(), idle).await;
    made.update(json!({"S3BackupMode": "Enabled"})).await;
    let source = made.definition().source_backup.clone().unwrap();
    assert_eq!((source.s3.bucket.as_str(), source.delimiter.as_str()), ("source", ""));
    made.update(steps).await;
    made.update(json!({"S3BackupUpdate": {"Prefix": "raw/", "BucketARN": BUCKET}})).await;
    let source = made.definition().source_backup.clone().unwrap();
    assert_eq!((source.s3.bucket.as_str(), source.s3.prefix.as_str()), ("orders", "raw/"));
    assert_eq!(source.delimiter, "\n");
    assert!(made.definition().processors.is_empty());
    made.refuses(json!({"S3BackupMode": "Disabled"}), "S3BackupMode cannot be changed from Enabled to Disabled.").await;
    // An update alone has to bring what the model requires of a configuration.
    let bare = kind.made(json!({})).await;
    bare.refuses(
        json!({"S3BackupMode": "Enabled", "S3BackupUpdate": {"RoleARN": ROLE}}),
        "S3BackupConfiguration.BucketARN must not be null",
    )
    .await;
    bare.update(json!({"S3BackupMode": "Enabled", "S3BackupUpdate": backup})).await;
    assert!(bare.definition().source_backup.is_some());
    kind.refuses(
        json!({"S3BackupMode": "Enabled", "S3BackupConfiguration": over(&backup, json!({"Prefix": "!{bad"}))}),
        "Invalid expression usage",
    )
    .await;
    let keyed = over(&backup, json!({"Prefix": "!{partitionKeyFromQuery:a}/", "ErrorOutputPrefix": "e/"}));
    kind.refuses(json!({"S3BackupMode": "Enabled", "S3BackupConfiguration": keyed}), "partitions are off").await;
}

/// An extension of ours; messages for unknown words stay the service's.
#[tokio::test]
async fn zstd_is_a_compression_too() {
    let made = Kind::s3().made(json!({"CompressionFormat": "ZSTD"})).await;
    assert_eq!(made.definition().s3.compression, Compression::Zstd);
    assert_eq!(made.description().await["CompressionFormat"], "ZSTD");
    let words = "Member must satisfy enum value set: [ZIP, HADOOP_SNAPPY, Snappy, GZIP, UNCOMPRESSED]";
    Kind::s3().breaks(json!({"CompressionFormat": "zstd"}), "compressionFormat", words).await;
}
