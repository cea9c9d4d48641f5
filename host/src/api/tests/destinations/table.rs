//! What all kinds have in common: round trips, kinds that stay what they are, and kinds that are not offered.

use serde_json::{Value, json};

use super::super::{LAMBDA, ROLE, Rig, error};
use super::{Kind, bare_s3};
use crate::definition::Target;

/// What Describe shows makes the same stream again, once the secrets are put back.
#[tokio::test]
async fn a_description_describes_how_to_make_the_stream() {
    for kind in Kind::all() {
        let made = kind.made(json!({})).await;
        let (shown, definition) = (made.description().await, made.definition());
        let mut again = serde_json::Map::new();
        for (name, value) in shown.as_object().unwrap() {
            let name = match name.as_str() {
                "S3DestinationDescription" => "S3Configuration",
                "S3BackupDescription" => "S3BackupConfiguration",
                name => name,
            };
            again.insert(name.to_owned(), value.clone());
        }
        let mut again = Value::Object(again);
        if kind.stem == "Redshift" {
            again["Password"] = json!("hunter22");
        }
        let made_again = Kind { stem: kind.stem, least: again }.made(json!({})).await;
        assert_eq!(made_again.definition(), definition, "{}", kind.stem);
        assert_eq!(made_again.description().await, shown);
        // An update with all that is shown changes nothing but the version.
        let mut update = made_again.description().await;
        let members = update.as_object_mut().unwrap();
        if let Some(s3) = members.remove("S3DestinationDescription") {
            members.insert("S3Update".to_owned(), s3);
        }
        made_again.update(update).await;
        assert_eq!(made_again.description().await, shown, "{}", kind.stem);
        assert_eq!((made_again.definition().version, &made_again.definition().target), (2, &definition.target));
    }
}

#[tokio::test]
async fn every_destination_keeps_its_bucket_and_its_kind_only() {
    for kind in Kind::all().into_iter().filter(|kind| kind.stem != "ExtendedS3") {
        let made = kind.made(json!({})).await;
        assert_eq!(made.description().await["S3DestinationDescription"], bare_s3());
        let answer = made.rig.does("DescribeDeliveryStream", json!({"DeliveryStreamName": "s"})).await;
        let destination = answer["DeliveryStreamDescription"]["Destinations"][0].as_object().unwrap().clone();
        let names: Vec<&String> = destination.keys().collect();
        assert_eq!(names, ["DestinationId", &format!("{}DestinationDescription", kind.stem)]);
        assert_ne!(made.definition().target, Target::S3);
        assert_eq!(made.definition().s3.bucket, "orders");
        kind.breaks(json!({"S3Configuration": null}), "s3Configuration", "Member must not be null").await;
        let update = json!({"S3Update": {"Prefix": "b/", "CompressionFormat": "GZIP"}});
        made.update(update).await;
        let mut merged = bare_s3();
        merged["Prefix"] = json!("b/");
        merged["CompressionFormat"] = json!("GZIP");
        assert_eq!(made.description().await["S3DestinationDescription"], merged);
        let half = json!({"S3Update": {"BufferingHints": {"SizeInMBs": 1}}});
        let pair = "Both SizeInMBs and IntervalInSeconds are required to configure BufferingHints.";
        made.refuses(half, pair).await;
    }
}

#[tokio::test]
async fn a_stream_keeps_its_kind_of_destination() {
    for from in Kind::all() {
        let made = from.made(json!({})).await;
        for to in Kind::all().into_iter().filter(|to| to.stem != from.stem) {
            let told = if to.stem == "ExtendedS3" { from.stem } else { to.stem };
            let message = format!("Changing the destination type to or from {told} is not supported at this time.");
            let mut input = made.update_input(json!({}));
            input.as_object_mut().unwrap().remove(&format!("{}DestinationUpdate", from.stem));
            input[format!("{}DestinationUpdate", to.stem)] = json!({});
            made.rig.refuses("UpdateDestination", input, 400, &error("InvalidArgumentException", &message)).await;
        }
        assert_eq!(made.definition().version, 1);
    }
}

#[tokio::test]
async fn snowflake_and_iceberg_are_not_offered() {
    let snowflake = json!({"AccountUrl": "https://a.snowflakecomputing.com", "Database": "d", "Schema": "s",
        "Table": "t", "RoleARN": ROLE});
    let iceberg = json!({"RoleARN": ROLE, "CatalogConfiguration": {}});
    for (stem, least) in [("Snowflake", snowflake), ("Iceberg", iceberg)] {
        let message = format!("{stem}DestinationConfiguration is not offered by this host.");
        Kind::of(stem, least).refuses(json!({}), &message).await;
        let made = Kind::s3().made(json!({})).await;
        let input = json!({"DeliveryStreamName": "s", "CurrentDeliveryStreamVersionId": "1",
            "DestinationId": "destinationId-000000000001", format!("{stem}DestinationUpdate"): {}});
        let message = format!("Changing the destination type to or from {stem} is not supported at this time.");
        made.rig.refuses("UpdateDestination", input, 400, &error("InvalidArgumentException", &message)).await;
    }
}

/// Retry durations and hints are bounded by the model, each kind by its own numbers (firehose.md §2.2).
#[tokio::test]
async fn hints_and_durations_are_bounded() {
    let least = |bound: u32| format!("Member must have value greater than or equal to {bound}");
    let most = |bound: u32| format!("Member must have value less than or equal to {bound}");
    for kind in Kind::all() {
        let (size_mb, seconds) = match kind.stem {
            "ExtendedS3" => (128, 900),
            "HttpEndpoint" => (64, 900),
            "Splunk" => (5, 60),
            "Redshift" => continue,
            _ => (100, 900),
        };
        let hints = |size_mb: u32, seconds: u32| json!({"BufferingHints": {"SizeInMBs": size_mb, "IntervalInSeconds": seconds}});
        kind.made(hints(1, 0)).await;
        let made = kind.made(hints(size_mb, seconds)).await;
        let buffering = made.definition().buffering(&crate::record::Partition::Main);
        assert_eq!((buffering.bytes, buffering.seconds), (u64::from(size_mb) << 20, seconds));
        kind.breaks(hints(0, seconds), "bufferingHints.sizeInMBs", &least(1)).await;
        kind.breaks(hints(size_mb + 1, seconds), "bufferingHints.sizeInMBs", &most(size_mb)).await;
        kind.breaks(hints(size_mb, seconds + 1), "bufferingHints.intervalInSeconds", &most(seconds)).await;
        let pair = "Both SizeInMBs and IntervalInSeconds are required to configure BufferingHints.";
        kind.refuses(json!({"BufferingHints": {"SizeInMBs": 1}}), pair).await;
    }
    for kind in Kind::all().into_iter().filter(|kind| kind.stem != "ExtendedS3") {
        let retry = |seconds: i32| json!({"RetryOptions": {"DurationInSeconds": seconds}});
        let made = kind.made(retry(0)).await;
        made.update(retry(7200)).await;
        assert_eq!(made.description().await["RetryOptions"], retry(7200)["RetryOptions"]);
        kind.breaks(retry(7201), "retryOptions.durationInSeconds", &most(7200)).await;
        kind.breaks(retry(-1), "retryOptions.durationInSeconds", &least(0)).await;
    }
}

#[tokio::test]
async fn plugins_run_before_every_destination_and_queries_before_none_but_s3() {
    for kind in Kind::all().into_iter().filter(|kind| kind.stem != "ExtendedS3") {
        let steps = |processor: Value| json!({"ProcessingConfiguration": {"Enabled": true, "Processors": [processor]}});
        let parameters = json!([{"ParameterName": "LambdaArn", "ParameterValue": LAMBDA}]);
        let made = kind.made(steps(json!({"Type": "Lambda", "Parameters": parameters}))).await;
        assert_eq!(made.definition().processors.len(), 1, "{}", kind.stem);
        let shown = made.description().await["ProcessingConfiguration"]["Processors"][0]["Parameters"].clone();
        let values: Vec<&str> =
            shown.as_array().unwrap().iter().map(|one| one["ParameterValue"].as_str().unwrap()).collect();
        let size = if kind.stem == "Splunk" { "0.25" } else { "1" };
        assert_eq!(values, [LAMBDA, "3", ROLE, size, "60"], "{}", kind.stem);
        let query = json!({"Type": "MetadataExtraction", "Parameters": [
            {"ParameterName": "MetadataExtractionQuery", "ParameterValue": "{a}"},
            {"ParameterName": "JsonParsingEngine", "ParameterValue": "JQ-1.6"}]});
        let message = "MetadataExtraction processor can only be used when Dynamic Partitioning is enabled.";
        kind.refuses(steps(query), message).await;
        let delimiter = json!({"Type": "Hydrant", "Parameters": [
            {"ParameterName": "SourceBackupDelimiter", "ParameterValue": "\\n"}]});
        let message = "SourceBackupDelimiter can only be used when S3BackupMode is Enabled.";
        kind.refuses(steps(delimiter), message).await;
    }
}

#[tokio::test]
async fn one_destination_is_asked_for_and_no_other() {
    let exactly_one =
        error("InvalidArgumentException", "Exactly one destination configuration is supported for a Firehose");
    let mut two = Kind::splunk().input(json!({}));
    two["HttpEndpointDestinationConfiguration"] = Kind::http_endpoint().least;
    Rig::new().refuses("CreateDeliveryStream", two, 400, &exactly_one).await;
    let unknown = json!({"DeliveryStreamName": "s", "KafkaDestinationConfiguration": {}});
    Rig::new().refuses("CreateDeliveryStream", unknown, 400, &exactly_one).await;
}
