//! The control plane as clients see it: golden descriptions, merges, and every rule's message.

use serde_json::{Value, json};

use super::{
    ACCOUNT, BUCKET, NOW_MS, ROLE, Rig, create_input, destination, error, extended, refuses_members, update_input,
};
use crate::definition::Compression;

const ARN: &str = "arn:aws:firehose:us-east-1:123456789012:deliverystream/s";

#[tokio::test]
async fn a_bare_stream_is_described_with_the_defaults_and_nothing_else() {
    let rig = Rig::new();
    let answer = rig.call("CreateDeliveryStream", create_input("s", json!({})).to_string()).await;
    assert_eq!(answer.text(), format!(r#"{{"DeliveryStreamARN":"{ARN}"}}"#));
    let answer = rig.call("DescribeDeliveryStream", r#"{"DeliveryStreamName":"s"}"#).await;
    let plain = format!(
        r#""RoleARN":"{ROLE}","BucketARN":"{BUCKET}","BufferingHints":{{"SizeInMBs":5,"IntervalInSeconds":300}},"CompressionFormat":"UNCOMPRESSED","EncryptionConfiguration":{{"NoEncryptionConfig":"NoEncryption"}},"CloudWatchLoggingOptions":{{"Enabled":false}}"#
    );
    assert_eq!(
        answer.text(),
        format!(
            r#"{{"DeliveryStreamDescription":{{"DeliveryStreamName":"s","DeliveryStreamARN":"{ARN}","DeliveryStreamStatus":"ACTIVE","DeliveryStreamEncryptionConfiguration":{{"Status":"DISABLED"}},"DeliveryStreamType":"DirectPut","VersionId":"1","CreateTimestamp":1438992000.123,"Destinations":[{{"DestinationId":"destinationId-000000000001","S3DestinationDescription":{{{plain}}},"ExtendedS3DestinationDescription":{{{plain},"S3BackupMode":"Disabled"}}}}],"HasMoreDestinations":false}}}}"#
        )
    );
    let handle = crate::api::Backend::find(rig.memory.as_ref(), ACCOUNT, "s").unwrap();
    let made = &handle.definition;
    assert_eq!((made.version, made.created_ms, made.updated_ms), (1, NOW_MS, None));
    assert_eq!((made.s3.bucket.as_str(), made.s3.buffer_bytes, made.s3.buffer_seconds), ("orders", 5 << 20, 300));
}

#[tokio::test]
async fn a_plain_stream_shows_both_descriptions() {
    let rig = Rig::new();
    rig.does(
        "CreateDeliveryStream",
        json!({"DeliveryStreamName": "s", "DeliveryStreamType": "DirectPut", "S3DestinationConfiguration": {
            "RoleARN": ROLE, "BucketARN": BUCKET, "Prefix": "a/", "CompressionFormat": "GZIP",
            "BufferingHints": {"IntervalInSeconds": 60, "SizeInMBs": 1},
        }}),
    )
    .await;
    let shown = destination(&rig).await;
    let mut plain = shown["S3DestinationDescription"].clone();
    assert_eq!(plain["Prefix"], "a/");
    plain["S3BackupMode"] = json!("Disabled");
    assert_eq!(shown["ExtendedS3DestinationDescription"], plain);
}

/// What Terraform sends for a bare stream comes back as sent, and nothing is planned again.
#[tokio::test]
async fn terraform_sees_what_it_sent() {
    let rig = Rig::new();
    let sent = json!({
        "RoleARN": ROLE, "BucketARN": BUCKET, "Prefix": "", "BufferingHints": {"SizeInMBs": 5, "IntervalInSeconds": 300},
        "CompressionFormat": "UNCOMPRESSED", "EncryptionConfiguration": {"NoEncryptionConfig": "NoEncryption"},
        "ProcessingConfiguration": {"Enabled": false, "Processors": []}, "S3BackupMode": "Disabled",
        "DataFormatConversionConfiguration": {"Enabled": false}, "FileExtension": "", "CustomTimeZone": "UTC",
        "CloudWatchLoggingOptions": {"Enabled": false, "LogGroupName": "", "LogStreamName": ""},
    });
    let tags = json!([{"Key": "team", "Value": "data"}]);
    let input = json!({"DeliveryStreamName": "s", "DeliveryStreamType": "DirectPut",
        "ExtendedS3DestinationConfiguration": sent, "Tags": tags});
    rig.does("CreateDeliveryStream", input).await;
    assert_eq!(extended(&rig).await, sent);
    let listed = rig.does("ListTagsForDeliveryStream", json!({"DeliveryStreamName": "s"})).await;
    assert_eq!(listed, json!({"Tags": tags, "HasMoreTags": false}));
    let mut again = sent.clone();
    again["ErrorOutputPrefix"] = json!("");
    rig.does("UpdateDestination", update_input("1", again.clone())).await;
    assert_eq!(extended(&rig).await, again);
}

#[tokio::test]
async fn rules_between_members_have_their_messages() {
    let not_offered = |what: &str| format!("{what} is not offered by this host.");
    let pair = "Both SizeInMBs and IntervalInSeconds are required to configure BufferingHints.";
    refuses_members(json!({"BufferingHints": {"SizeInMBs": 1}}), pair).await;
    refuses_members(json!({"BufferingHints": {"IntervalInSeconds": 60}}), pair).await;
    refuses_members(json!({"Prefix": "!{bad"}), "Invalid expression usage").await;
    refuses_members(json!({"ErrorOutputPrefix": "only/data/"}), "not here").await;
    let unset = "ErrorOutputPrefix cannot be null or empty when Prefix contains expressions";
    refuses_members(json!({"Prefix": "!{timestamp:yyyy}/"}), unset).await;
    refuses_members(json!({"Prefix": "!{timestamp:yyyy}/", "ErrorOutputPrefix": ""}), unset).await;
    refuses_members(json!({"CustomTimeZone": "Mars/Olympus"}), "CustomTimeZone Mars/Olympus is not a known time zone.")
        .await;
    let one_of = "Exactly one of NoEncryptionConfig or KMSEncryptionConfig must be specified";
    refuses_members(json!({"EncryptionConfiguration": {}}), one_of).await;
    refuses_members(
        json!({"CloudWatchLoggingOptions": {"Enabled": true}}),
        "CloudWatch Log Group Name is required if CloudWatch Logging is enabled",
    )
    .await;

    let rig = Rig::new();
    let refuse = async |input: Value, message: &str| {
        rig.refuses("CreateDeliveryStream", input, 400, &error("InvalidArgumentException", message)).await;
    };
    let exactly_one = "Exactly one destination configuration is supported for a Firehose";
    refuse(json!({"DeliveryStreamName": "s"}), exactly_one).await;
    let mut two = create_input("s", json!({}));
    two["S3DestinationConfiguration"] = json!({"RoleARN": ROLE, "BucketARN": BUCKET});
    refuse(two, exactly_one).await;
    for (member, value, message) in [
        ("DeliveryStreamType", json!("MSKAsSource"), not_offered("DeliveryStreamType MSKAsSource")),
        (
            "KinesisStreamSourceConfiguration",
            json!({"KinesisStreamARN": "arn:aws:kinesis:us-east-1:123456789012:stream/a", "RoleARN": ROLE}),
            "KinesisStreamSourceConfig is only applicable for KinesisStreamAsSource stream type".to_owned(),
        ),
        (
            "DeliveryStreamEncryptionConfigurationInput",
            json!({"KeyType": "AWS_OWNED_CMK"}),
            not_offered("DeliveryStreamEncryptionConfigurationInput"),
        ),
    ] {
        let mut input = create_input("s", json!({}));
        input[member] = value;
        refuse(input, &message).await;
    }
}

#[tokio::test]
async fn constraints_of_create_are_told_under_the_shape_that_was_used() {
    let rig = Rig::new();
    let refuse = async |operation: &str, input: Value, constraints: &[(&str, &str)]| {
        let told: Vec<String> = constraints
            .iter()
            .map(|(place, constraint)| format!("Value at '{place}' failed to satisfy constraint: {constraint}"))
            .collect();
        let noun = if told.len() == 1 { "error" } else { "errors" };
        let message = format!("{} validation {noun} detected: {}", told.len(), told.join("; "));
        rig.refuses(operation, input, 400, &error("ValidationException", &message)).await;
    };
    let formats = "Member must satisfy enum value set: [ZIP, HADOOP_SNAPPY, Snappy, GZIP, UNCOMPRESSED]";
    let bad = json!({"CompressionFormat": "gzip"});
    refuse(
        "CreateDeliveryStream",
        create_input("s", bad.clone()),
        &[("extendedS3DestinationConfiguration.compressionFormat", formats)],
    )
    .await;
    refuse(
        "UpdateDestination",
        update_input("1", bad.clone()),
        &[("extendedS3DestinationUpdate.compressionFormat", formats)],
    )
    .await;
    let plain = json!({"DeliveryStreamName": "s", "S3DestinationConfiguration": {"RoleARN": ROLE, "BucketARN": BUCKET, "CompressionFormat": ""}});
    refuse("CreateDeliveryStream", plain, &[("s3DestinationConfiguration.compressionFormat", formats)]).await;
    let at = |member: &str| format!("extendedS3DestinationConfiguration.{member}");
    let members = json!({"FileExtension": "log", "BufferingHints": {"SizeInMBs": 129, "IntervalInSeconds": 901}});
    refuse(
        "CreateDeliveryStream",
        create_input("s", members),
        &[
            (&at("bufferingHints.sizeInMBs"), "Member must have value less than or equal to 128"),
            (&at("bufferingHints.intervalInSeconds"), "Member must have value less than or equal to 900"),
            (&at("fileExtension"), r"Member must satisfy regular expression pattern: ^(|\.[0-9a-z!\-_.*'()]+)$"),
        ],
    )
    .await;
    let processors = json!([{"Type": "Lamda", "Parameters": [{"ParameterName": "x", "ParameterValue": ""}]}]);
    let block = "processingConfiguration.processors.1.member";
    refuse("CreateDeliveryStream", create_input("s", json!({"ProcessingConfiguration": {"Processors": processors}})), &[
        (&at(&format!("{block}.type")), "Member must satisfy enum value set: [Decompression, Lambda, RecordDeAggregation, MetadataExtraction, AppendDelimiterToRecord, CloudWatchLogProcessing]"),
        (&at(&format!("{block}.parameters.1.member.parameterName")), "Member must satisfy enum value set: [DataMessageExtraction, NumberOfRetries, Delimiter, RoleArn, JsonParsingEngine, SubRecordType, MetadataExtractionQuery, BufferIntervalInSeconds, LambdaArn, BufferSizeInMBs, CompressionFormat]"),
        (&at(&format!("{block}.parameters.1.member.parameterValue")), "Member must have length greater than or equal to 1"),
        (&at(&format!("{block}.parameters.1.member.parameterValue")), r"Member must satisfy regular expression pattern: ^(?!\s*$).+"),
    ]).await;
    // The limits themselves are legal.
    let edge = json!({"BufferingHints": {"SizeInMBs": 128, "IntervalInSeconds": 0}, "FileExtension": format!(".{}", "a".repeat(127))});
    rig.does("CreateDeliveryStream", create_input("s", edge)).await;
}

#[tokio::test]
async fn updates_merge_and_count_versions() {
    let rig = Rig::new();
    let members = json!({
        "Prefix": "a/", "CompressionFormat": "GZIP", "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 60},
        "DataFormatConversionConfiguration": {"Enabled": false, "SchemaConfiguration": {"TableName": "t", "Region": "r"}},
    });
    rig.does("CreateDeliveryStream", create_input("s", members)).await;
    rig.clock.set(NOW_MS + 877);
    let update = json!({
        "Prefix": "b/", "BufferingHints": {"SizeInMBs": 2, "IntervalInSeconds": 0},
        "DataFormatConversionConfiguration": {"SchemaConfiguration": {"TableName": "u"}},
    });
    let answer = rig.call("UpdateDestination", update_input("1", update).to_string()).await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "{}"));
    assert_eq!(answer.headers.get("content-length"), None, "hyper writes it");
    let shown =
        rig.does("DescribeDeliveryStream", json!({"DeliveryStreamName": "s"})).await["DeliveryStreamDescription"]
            .clone();
    assert_eq!((&shown["VersionId"], &shown["LastUpdateTimestamp"]), (&json!("2"), &json!(1_438_992_001.0)));
    let now = &shown["Destinations"][0]["ExtendedS3DestinationDescription"];
    assert_eq!(now["Prefix"], "b/");
    assert_eq!(now["CompressionFormat"], "GZIP");
    assert_eq!(now["BufferingHints"], json!({"SizeInMBs": 2, "IntervalInSeconds": 0}));
    let conversion = json!({"Enabled": false, "SchemaConfiguration": {"TableName": "u", "Region": "r"}});
    assert_eq!(now["DataFormatConversionConfiguration"], conversion);
    let handle = crate::api::Backend::find(rig.memory.as_ref(), ACCOUNT, "s").unwrap();
    assert_eq!((handle.definition.s3.compression, handle.definition.s3.buffer_seconds), (Compression::Gzip, 0));

    let refuse = async |input: Value, kind: &str, message: &str| {
        rig.refuses("UpdateDestination", input, 400, &error(kind, message)).await
    };
    refuse(
        update_input("1", json!({})),
        "ConcurrentModificationException",
        "Cannot update firehose: s since the current version id: 2 and specified version id: 1 do not match",
    )
    .await;
    let mut elsewhere = update_input("2", json!({}));
    elsewhere["DestinationId"] = json!("destinationId-000000000002");
    refuse(elsewhere, "InvalidArgumentException", "Destination Id destinationId-000000000002 not found").await;
    refuse(
        update_input("2", Value::Null),
        "InvalidArgumentException",
        "Exactly one destination configuration is supported for a Firehose",
    )
    .await;
    let mut other = update_input("2", Value::Null);
    other["HttpEndpointDestinationUpdate"] = json!({});
    refuse(
        other,
        "InvalidArgumentException",
        "Changing the destination type to or from HttpEndpoint is not supported at this time.",
    )
    .await;
    refuse(
        update_input("2", json!({"BufferingHints": {"SizeInMBs": 1}})),
        "InvalidArgumentException",
        "Both SizeInMBs and IntervalInSeconds are required to configure BufferingHints.",
    )
    .await;
    refuse(
        update_input("2", json!({"S3BackupMode": "Enabled"})),
        "InvalidArgumentException",
        "S3BackupConfiguration must not be null when S3BackupMode is Enabled.",
    )
    .await;
    assert_eq!(
        rig.does("DescribeDeliveryStream", json!({"DeliveryStreamName": "s"})).await["DeliveryStreamDescription"],
        shown
    );
}
