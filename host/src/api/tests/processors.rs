//! ProcessingConfiguration as clients see it: what is filled in, the order of steps, and every rule's message.

use serde_json::{Value, json};

use super::{ACCOUNT, LAMBDA, ROLE, Rig, create_input, extended, refuses_members, update_input};
use crate::api::Backend;
use crate::definition::{OnFailure, Processor};
use crate::telemetry::DeliveryState;

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
    let handle = Backend::find(rig.memory.as_ref(), ACCOUNT, "s").unwrap();
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
    let handle = Backend::find(rig.memory.as_ref(), ACCOUNT, "s").unwrap();
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
        let handle = Backend::find(rig.memory.as_ref(), ACCOUNT, "s").unwrap();
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
    rig.memory.hold("clean is missing");
    assert_eq!(describe(json!({"IncludePluginState": true})).await["PluginState"]["Held"], "clean is missing");
    let delivery = async || describe(json!({"IncludeDeliveryState": true})).await["DeliveryState"].clone();
    assert_eq!(delivery().await, json!({"State": "delivering"}));
    rig.memory.find(ACCOUNT, "s").unwrap().metrics.gates.show(DeliveryState::Held);
    assert_eq!(delivery().await, json!({"State": "held"}));
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

fn step(kind: &str, parameters: &[(&str, &str)]) -> Value {
    let parameters: Vec<Value> =
        parameters.iter().map(|(name, value)| json!({"ParameterName": name, "ParameterValue": value})).collect();
    json!({"Type": kind, "Parameters": parameters})
}

fn through(steps: &[Value]) -> Value {
    json!({"ProcessingConfiguration": {"Enabled": true, "Processors": steps}})
}

/// Whatever the order in which they come.
#[tokio::test]
async fn steps_work_in_the_order_of_the_service() {
    let steps = [
        step("AppendDelimiterToRecord", &[]),
        step("Lambda", &[("LambdaArn", LAMBDA)]),
        step("RecordDeAggregation", &[("SubRecordType", "DELIMITED"), ("Delimiter", "IyMjIw==")]),
        step("CloudWatchLogProcessing", &[("DataMessageExtraction", "true")]),
        step("Decompression", &[("CompressionFormat", "GZIP")]),
    ];
    let rig = Rig::new();
    rig.does("CreateDeliveryStream", create_input("s", through(&steps))).await;
    let names: Vec<Processor> = rig.definition().processors.clone();
    assert!(
        matches!(
            &names[..],
            [
                Processor::Decompress,
                Processor::ExtractLogMessages,
                Processor::DeAggregate { delimiter: Some(delimiter) },
                Processor::Plugin { .. },
                Processor::AppendDelimiter { .. },
            ] if delimiter == b"####"
        ),
        "{names:?}"
    );
    let shown = extended(&rig).await["ProcessingConfiguration"]["Processors"].clone();
    assert_eq!((&shown[0]["Type"], &shown[4]), (&json!("AppendDelimiterToRecord"), &steps[4]));
    rig.does(
        "UpdateDestination",
        update_input("1", through(&[step("RecordDeAggregation", &[("SubRecordType", "JSON")])])),
    )
    .await;
    assert_eq!(rig.definition().processors, [Processor::DeAggregate { delimiter: None }]);
}

#[tokio::test]
async fn rules_of_the_other_processors_have_their_messages() {
    let refuses = async |kind: &str, parameters: &[(&str, &str)], message: &str| {
        refuses_members(through(&[step(kind, parameters)]), message).await;
    };
    refuses(
        "Decompression",
        &[("CompressionFormat", "ZIP")],
        "CompressionFormat must be GZIP for Decompression processor.",
    )
    .await;
    refuses(
        "CloudWatchLogProcessing",
        &[("DataMessageExtraction", "true")],
        "CloudWatchLogProcessing processor can only be used with Decompression processor.",
    )
    .await;
    let logs = |parameters: &[(&str, &str)]| {
        through(&[step("Decompression", &[]), step("CloudWatchLogProcessing", parameters)])
    };
    let missing = "DataMessageExtraction is required when CloudWatchLogProcessing processor is used.";
    refuses_members(logs(&[]), missing).await;
    let off = "DataMessageExtraction must be true for CloudWatchLogProcessing processor.";
    refuses_members(logs(&[("DataMessageExtraction", "false")]), off).await;
    let kind = "RecordDeAggregation";
    refuses(kind, &[], "SubRecordType is required when RecordDeAggregation processor is used.").await;
    let types = "SubRecordType must be JSON or DELIMITED for RecordDeAggregation processor.";
    refuses(kind, &[("SubRecordType", "CSV")], types).await;
    let missing = "Delimiter is required when RecordDeAggregation processor is used.";
    refuses(kind, &[("SubRecordType", "DELIMITED")], missing).await;
    let base64 = "Delimiter must be the base64 of the text between records for RecordDeAggregation processor.";
    for wrong in ["####", "IyMjIw", "="] {
        refuses(kind, &[("SubRecordType", "DELIMITED"), ("Delimiter", wrong)], base64).await;
    }
    let kind = "MetadataExtraction";
    let engine = ("JsonParsingEngine", "JQ-1.6");
    refuses(kind, &[engine], "MetadataExtractionQuery is required when MetadataExtraction processor is used.").await;
    let missing = "JsonParsingEngine is required when MetadataExtraction processor is used.";
    refuses(kind, &[("MetadataExtractionQuery", "{a}")], missing).await;
    let engines = "JsonParsingEngine must be JQ-1.6 for MetadataExtraction processor.";
    refuses(kind, &[("MetadataExtractionQuery", "{a}"), ("JsonParsingEngine", "JQ-1.7")], engines).await;
    refuses(kind, &[("MetadataExtractionQuery", "bad"), engine], "MetadataExtractionQuery: the query is not jq.").await;
    for kind in ["Decompression", "AppendDelimiterToRecord", "Hydrant"] {
        let twice = [step(kind, &[]), step(kind, &[])];
        refuses_members(through(&twice), &format!("Cannot have more than 1 {kind} processor.")).await;
    }
}

/// The place of our extensions: a type and parameters that nobody else has, and no others.
#[tokio::test]
async fn our_own_processor_takes_its_own_parameters_only() {
    for name in ["LambdaArn", "Delimiter", "OnPluginFailure"] {
        let message = format!(
            "Processor type Hydrant has no parameter {name}; it has CompressedSizeHint, EndpointBody, EventTime, SourceBackupDelimiter."
        );
        refuses_members(through(&[step("Hydrant", &[(name, "x")])]), &message).await;
    }
    let rig = Rig::new();
    let steps = through(&[step("Hydrant", &[])]);
    rig.does("CreateDeliveryStream", create_input("s", steps.clone())).await;
    assert!(rig.definition().processors.is_empty());
    assert_eq!(extended(&rig).await["ProcessingConfiguration"], steps["ProcessingConfiguration"]);
}
