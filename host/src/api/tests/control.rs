//! The control plane as clients see it: golden descriptions, merges, and every rule's message.

use serde_json::{Value, json};

use super::{ACCOUNT, BUCKET, NOW_MS, ROLE, Rig, create_input};
use crate::api::{ControlError, StreamStatus};
use crate::definition::{Compression, OnFailure, Processor};

const ARN: &str = "arn:aws:firehose:us-east-1:123456789012:deliverystream/s";
const LAMBDA: &str = "arn:aws:lambda:us-east-1:123456789012:function:clean";

async fn destination(rig: &Rig) -> Value {
    let answer = rig.does("DescribeDeliveryStream", json!({"DeliveryStreamName": "s"})).await;
    answer["DeliveryStreamDescription"]["Destinations"][0].clone()
}

async fn extended(rig: &Rig) -> Value {
    destination(rig).await["ExtendedS3DestinationDescription"].clone()
}

fn error(kind: &str, message: &str) -> String {
    json!({"__type": kind, "message": message}).to_string()
}

/// Creating with these members is refused with this message, and makes nothing.
async fn refuses_members(members: Value, message: &str) {
    let rig = Rig::new();
    rig.refuses("CreateDeliveryStream", create_input("s", members), 400, &error("InvalidArgumentException", message))
        .await;
    assert_eq!(rig.does("ListDeliveryStreams", json!({})).await["DeliveryStreamNames"], json!([]));
}

fn update_input(version: &str, members: Value) -> Value {
    json!({
        "DeliveryStreamName": "s", "CurrentDeliveryStreamVersionId": version, "DestinationId": "destinationId-000000000001",
        "ExtendedS3DestinationUpdate": members,
    })
}

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
async fn several_plugins_are_named_by_arns_with_commas_between() {
    let through = |arns: &str| {
        let parameters = json!([{"ParameterName": "LambdaArn", "ParameterValue": arns}]);
        json!({"ProcessingConfiguration": {
            "Enabled": true, "Processors": [{"Type": "Lambda", "Parameters": parameters}]}})
    };
    let rig = Rig::new();
    let score = LAMBDA.replace("clean", "score");
    rig.does("CreateDeliveryStream", create_input("s", through(&format!("{LAMBDA}, {score}")))).await;
    let parameters = extended(&rig).await["ProcessingConfiguration"]["Processors"][0]["Parameters"].clone();
    assert_eq!(parameters[0]["ParameterValue"], json!(format!("{LAMBDA}, {score}")));
    refuses_members(through(&format!("{LAMBDA},")), "Invalid lambda ARN.").await;
    refuses_members(through(&[LAMBDA; 9].join(",")), "LambdaArn must not name more than 8 plugins.").await;
}

#[tokio::test]
async fn a_lambda_processor_gets_its_five_parameters_in_order() {
    let rig = Rig::new();
    let parameter = |name: &str, value: &str| json!({"ParameterName": name, "ParameterValue": value});
    let processors = json!([
        {"Type": "AppendDelimiterToRecord"},
        {"Type": "Lambda", "Parameters": [parameter("LambdaArn", LAMBDA)]},
    ]);
    let members = json!({"ProcessingConfiguration": {"Enabled": true, "Processors": processors}});
    rig.does("CreateDeliveryStream", create_input("s", members)).await;
    let shown = extended(&rig).await["ProcessingConfiguration"].clone();
    let five = json!([
        parameter("LambdaArn", LAMBDA),
        parameter("NumberOfRetries", "3"),
        parameter("RoleArn", ROLE),
        parameter("BufferSizeInMBs", "1"),
        parameter("BufferIntervalInSeconds", "60"),
    ]);
    assert_eq!(shown["Processors"][1]["Parameters"], five);
    let handle = crate::api::Backend::find(rig.memory.as_ref(), ACCOUNT, "s").unwrap();
    assert_eq!(
        handle.definition.processors,
        [
            Processor::Plugin {
                name: "clean".to_owned(),
                lambda_arn: LAMBDA.to_owned(),
                retries: 3,
                on_failure: OnFailure::DeadLetter
            },
            Processor::AppendDelimiter { delimiter: "\n".to_owned() },
        ]
    );
    // An update that does not mention the block keeps it, one that does replaces it whole.
    rig.does("UpdateDestination", update_input("1", json!({"RoleARN": format!("{ROLE}2")}))).await;
    assert_eq!(extended(&rig).await["ProcessingConfiguration"]["Processors"][1]["Parameters"], five);
    rig.does("UpdateDestination", update_input("2", json!({"ProcessingConfiguration": {"Enabled": false}}))).await;
    assert_eq!(extended(&rig).await["ProcessingConfiguration"], json!({"Enabled": false}));
    let handle = crate::api::Backend::find(rig.memory.as_ref(), ACCOUNT, "s").unwrap();
    assert!(handle.definition.processors.is_empty());
}

/// An extension: what happens while a plugin keeps failing. Described only where it was given.
#[tokio::test]
async fn the_policy_for_a_failing_plugin_is_a_parameter() {
    let parameter = |name: &str, value: &str| json!({"ParameterName": name, "ParameterValue": value});
    let members = |policy: &str| {
        let parameters = json!([parameter("OnPluginFailure", policy), parameter("LambdaArn", LAMBDA)]);
        let processors = json!([{"Type": "Lambda", "Parameters": parameters}]);
        json!({"ProcessingConfiguration": {"Enabled": true, "Processors": processors}})
    };
    let rig = Rig::new();
    rig.does("CreateDeliveryStream", create_input("s", members("Hold"))).await;
    for (version, policy) in [OnFailure::PassThrough, OnFailure::DeadLetter, OnFailure::Hold].into_iter().enumerate() {
        let update = update_input(&(version + 1).to_string(), members(policy.as_str()));
        rig.does("UpdateDestination", update).await;
        let handle = crate::api::Backend::find(rig.memory.as_ref(), ACCOUNT, "s").unwrap();
        let Processor::Plugin { on_failure, .. } = handle.definition.processors[0] else { panic!("a plugin") };
        assert_eq!(on_failure, policy);
        let shown = &extended(&rig).await["ProcessingConfiguration"]["Processors"][0]["Parameters"];
        assert_eq!(shown.as_array().map(Vec::len), Some(6));
        assert_eq!(shown[5], parameter("OnPluginFailure", policy.as_str()));
    }
    // Whether the plugin works is told to whoever asks for it, and to nobody else.
    let describe = async |members: Value| {
        let mut input = json!({"DeliveryStreamName": "s"});
        input.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        rig.does("DescribeDeliveryStream", input).await
    };
    let state = |breaker: &str| json!({"Plugin": "clean", "OnPluginFailure": "Hold", "Breaker": breaker});
    assert_eq!(describe(json!({"IncludePluginState": true})).await["PluginState"], state("closed"));
    rig.memory.open_breaker(ACCOUNT, "s");
    assert_eq!(describe(json!({"IncludePluginState": true})).await["PluginState"], state("open"));
    for members in [json!({}), json!({"IncludePluginState": false}), json!({"IncludePluginState": "true"})] {
        let members: Vec<String> = describe(members).await.as_object().unwrap().keys().cloned().collect();
        assert_eq!(members, ["DeliveryStreamDescription"]);
    }
    let message = "OnPluginFailure must be one of DeadLetter, Hold, PassThrough.";
    for wrong in ["hold", "Drop", " Hold"] {
        refuses_members(members(wrong), message).await;
    }
}

#[tokio::test]
async fn processor_rules_have_the_service_messages() {
    let with = |processors: Value| json!({"ProcessingConfiguration": {"Enabled": true, "Processors": processors}});
    let lambda = |parameters: &[(&str, &str)]| {
        let parameters: Vec<Value> =
            parameters.iter().map(|(name, value)| json!({"ParameterName": name, "ParameterValue": value})).collect();
        json!({"Type": "Lambda", "Parameters": parameters})
    };
    let one = |parameters: &[(&str, &str)]| with(json!([lambda(parameters)]));
    let missing = "LambdaArn is required when Lambda processor is used.";
    let pair =
        "Both BufferSizeInMBs and BufferIntervalInSeconds are required to configure buffering for lambda processor.";
    let repeated = "Duplicate ProcessorParameter passed to ProcessingConfiguration.";
    refuses_members(one(&[("NumberOfRetries", "2")]), missing).await;
    refuses_members(with(json!([{"Type": "Lambda"}])), missing).await;
    refuses_members(one(&[("NumberOfRetries", "2"), ("NumberOfRetries", "3")]), repeated).await;
    refuses_members(one(&[("LambdaArn", LAMBDA), ("BufferSizeInMBs", "2")]), pair).await;
    refuses_members(one(&[("LambdaArn", LAMBDA), ("BufferIntervalInSeconds", "2")]), pair).await;
    let two = with(json!([lambda(&[("LambdaArn", LAMBDA)]), lambda(&[("LambdaArn", LAMBDA)])]));
    refuses_members(two, "Cannot have more than 1 Lambda processor.").await;
    let prefix = "arn:aws:lambda:us-east-1:123456789012:function:";
    for name in ["bad name", "a/b", "a?b", "a@b", "a[b", "..", "", "a:b:c", &"a".repeat(65)] {
        refuses_members(one(&[("LambdaArn", &format!("{prefix}{name}"))]), "Invalid lambda ARN.").await;
    }
    for arn in
        ["not-an-arn", "arn:aws:lambda:us-east-1:12:function:a", "arn:gcp:lambda:us-east-1:123456789012:function:a"]
    {
        refuses_members(one(&[("LambdaArn", arn)]), "Invalid lambda ARN.").await;
    }
    let rig = Rig::new();
    for (at, name) in ["a:$LATEST", "a:prod", "a_B-9"].iter().enumerate() {
        for retries in ["0", "9"] {
            let members = one(&[("LambdaArn", &format!("{prefix}{name}")), ("NumberOfRetries", retries)]);
            rig.does("CreateDeliveryStream", create_input(&format!("s{at}{retries}"), members)).await;
        }
    }
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

#[tokio::test]
async fn names_are_taken_quotas_hold_and_absence_is_told() {
    let rig = Rig::new();
    rig.create("s").await;
    let taken = error("ResourceInUseException", "Firehose s under accountId 123456789012 already exists");
    rig.refuses("CreateDeliveryStream", create_input("s", json!({})), 400, &taken).await;
    let absent = error("ResourceNotFoundException", "Firehose none under account 123456789012 not found.");
    for operation in
        ["DescribeDeliveryStream", "DeleteDeliveryStream", "ListTagsForDeliveryStream", "StopDeliveryStreamEncryption"]
    {
        rig.refuses(operation, json!({"DeliveryStreamName": "none"}), 400, &absent).await;
    }
    let update = json!({"DeliveryStreamName": "none", "CurrentDeliveryStreamVersionId": "1", "DestinationId": "x"});
    rig.refuses("UpdateDestination", update, 400, &absent).await;
    for at in 1..12 {
        rig.create(&format!("s-{at}")).await;
    }
    let names = "s, s-1, s-10, s-11, s-2, s-3, s-4, s-5, s-6, s-7, s-8, s-9";
    let full = error(
        "LimitExceededException",
        &format!("You have already consumed your firehose quota of 12 hoses. Firehose names: [{names}]"),
    );
    rig.refuses("CreateDeliveryStream", create_input("t", json!({})), 400, &full).await;

    let list = async |input: Value| rig.does("ListDeliveryStreams", input).await;
    let first = list(json!({})).await;
    assert_eq!(
        first["DeliveryStreamNames"],
        json!(["s", "s-1", "s-10", "s-11", "s-2", "s-3", "s-4", "s-5", "s-6", "s-7"])
    );
    assert_eq!(first["HasMoreDeliveryStreams"], true);
    let rest = list(json!({"ExclusiveStartDeliveryStreamName": "s-7"})).await;
    assert_eq!(rest, json!({"DeliveryStreamNames": ["s-8", "s-9"], "HasMoreDeliveryStreams": false}));
    assert_eq!(
        list(json!({"ExclusiveStartDeliveryStreamName": "s-75", "Limit": 1})).await,
        json!({"DeliveryStreamNames": ["s-8"], "HasMoreDeliveryStreams": true})
    );
    assert_eq!(list(json!({"DeliveryStreamType": "KinesisStreamAsSource"})).await["DeliveryStreamNames"], json!([]));

    assert_eq!(
        rig.does("DeleteDeliveryStream", json!({"DeliveryStreamName": "s", "AllowForceDelete": true})).await,
        json!({})
    );
    rig.create("t").await;
}

#[tokio::test]
async fn a_stream_on_its_way_out_is_described_but_not_changed() {
    let rig = Rig::new();
    rig.create("s").await;
    rig.memory.set_status(ACCOUNT, "s", StreamStatus::Deleting);
    let name = json!({"DeliveryStreamName": "s"});
    let shown = rig.does("DescribeDeliveryStream", name.clone()).await;
    assert_eq!(shown["DeliveryStreamDescription"]["DeliveryStreamStatus"], "DELETING");
    assert_eq!(rig.does("DeleteDeliveryStream", name).await, json!({}));
    let leaving = error("ResourceInUseException", "Firehose s under accountId 123456789012 is being deleted");
    rig.refuses("UpdateDestination", update_input("1", json!({})), 400, &leaving).await;
    let taken = error("ResourceInUseException", "Firehose s under accountId 123456789012 already exists");
    rig.refuses("CreateDeliveryStream", create_input("s", json!({})), 400, &taken).await;
}

#[tokio::test]
async fn a_backend_that_cannot_is_not_hidden() {
    let rig = Rig::new();
    rig.memory.fail(ControlError::Unavailable("disk".to_owned()));
    rig.refuses(
        "CreateDeliveryStream",
        create_input("s", json!({})),
        503,
        &error("ServiceUnavailableException", "Slow down."),
    )
    .await;
}

#[tokio::test]
async fn tags_are_laid_over_and_taken_off() {
    let rig = Rig::new();
    rig.create("s").await;
    let tag = |key: &str, value: &str| json!({"Key": key, "Value": value});
    let call = async |operation: &str, input: Value| {
        let mut input = input;
        input["DeliveryStreamName"] = json!("s");
        rig.does(operation, input).await
    };
    assert_eq!(call("TagDeliveryStream", json!({"Tags": [tag("a", "1"), {"Key": "b"}]})).await, json!({}));
    call("TagDeliveryStream", json!({"Tags": [tag("c", "3"), tag("a", "2")]})).await;
    let all = json!([tag("a", "2"), {"Key": "b"}, tag("c", "3")]);
    assert_eq!(call("ListTagsForDeliveryStream", json!({})).await, json!({"Tags": all, "HasMoreTags": false}));
    assert_eq!(
        call("ListTagsForDeliveryStream", json!({"ExclusiveStartTagKey": "a", "Limit": 1})).await,
        json!({"Tags": [{"Key": "b"}], "HasMoreTags": true})
    );
    call("UntagDeliveryStream", json!({"TagKeys": ["b", "none"]})).await;
    assert_eq!(call("ListTagsForDeliveryStream", json!({})).await["Tags"], json!([tag("a", "2"), tag("c", "3")]));
    let many: Vec<Value> = (0..49).map(|at| tag(&format!("k{at}"), "")).collect();
    let input = json!({"DeliveryStreamName": "s", "Tags": many});
    rig.refuses(
        "TagDeliveryStream",
        input,
        400,
        &error("LimitExceededException", "A delivery stream can have at most 50 tags."),
    )
    .await;
    let shown = rig.does("DescribeDeliveryStream", json!({"DeliveryStreamName": "s"})).await;
    assert_eq!(shown["DeliveryStreamDescription"]["VersionId"], "1", "tags make no new version");
}
