//! Create, update and nothing to do, against a host that keeps one stream.

use std::sync::Mutex;

use super::super::console::Format;
use super::super::scripted::{Log, error, firehose};
use super::*;

/// A create input with a Lambda processor that leaves out what Describe fills in.
fn input(retries: Option<&str>, seconds: u32) -> Value {
    let mut parameters = vec![json!({ "ParameterName": "LambdaArn", "ParameterValue": "arn:orders" })];
    parameters.extend(retries.map(|value| json!({ "ParameterName": "NumberOfRetries", "ParameterValue": value })));
    json!({
        "DeliveryStreamName": "orders",
        "ExtendedS3DestinationConfiguration": {
            "BucketARN": "arn:aws:s3:::shop",
            "BufferingHints": { "SizeInMBs": 5, "IntervalInSeconds": seconds },
            "ProcessingConfiguration": {
                "Enabled": true,
                "Processors": [{ "Type": "Lambda", "Parameters": parameters }],
            },
        },
    })
}

/// What Describe says about a stream created with `input`.
fn description(input: &Value, version: &str) -> Value {
    let mut s3 = input["ExtendedS3DestinationConfiguration"].clone();
    s3["CompressionFormat"] = json!("UNCOMPRESSED");
    let parameters = s3["ProcessingConfiguration"]["Processors"][0]["Parameters"].as_array_mut().expect("parameters");
    for (name, value) in LAMBDA_DEFAULTS {
        if parameters.iter().all(|parameter| parameter["ParameterName"] != name) {
            parameters.push(json!({ "ParameterName": name, "ParameterValue": value }));
        }
    }
    json!({ "DeliveryStreamDescription": {
        "DeliveryStreamName": "orders", "DeliveryStreamStatus": "ACTIVE", "DeliveryStreamType": "DirectPut",
        "VersionId": version, "HasMoreDestinations": false,
        "Destinations": [{
            "DestinationId": "destinationId-000000000001",
            "S3DestinationDescription": { "BucketARN": "arn:aws:s3:::shop" },
            "ExtendedS3DestinationDescription": s3,
        }],
    } })
}

/// A host with `stream` or none; applies `file` to it.
async fn applied(stream: Option<Value>, file: &Value) -> (Result<String, Failure>, Log) {
    let state = Mutex::new(stream.map(|stream| (stream, 1_u32)));
    let (client, log) = firehose(move |operation, asked| {
        let mut state = state.lock().expect("a state");
        match (operation, state.as_mut()) {
            ("DescribeDeliveryStream", None) => error("ResourceNotFoundException", "Firehose orders not found."),
            ("DescribeDeliveryStream", Some((stream, version))) => (200, description(stream, &version.to_string())),
            ("CreateDeliveryStream", None) => {
                *state = Some((asked.clone(), 1));
                (200, json!({ "DeliveryStreamARN": "arn" }))
            }
            ("UpdateDestination", Some((_, version)))
                if asked["CurrentDeliveryStreamVersionId"] == json!(version.to_string()) =>
            {
                *version += 1;
                (200, json!({}))
            }
            _ => error("InvalidArgumentException", "not in the script"),
        }
    })
    .await;
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("stream.json");
    fs::write(&path, file.to_string()).expect("a file");
    let (console, buffer) = Console::buffer(Format::Human);
    let result = apply(&console, &client, &[path]).await;
    let said = String::from_utf8(buffer.lock().expect("a buffer").clone()).expect("text");
    (result.map(|()| said), log)
}

fn asked(log: &Log) -> Vec<String> {
    log.lock().expect("a log").iter().map(|(operation, _)| operation.clone()).collect()
}

#[tokio::test]
async fn a_missing_stream_is_created_from_the_file_as_it_is() {
    let mut file = input(None, 60);
    file["Unknown"] = json!({ "member": 1 });
    let (said, log) = applied(None, &file).await;
    assert_eq!(said.expect("applied"), "orders created\n");
    assert_eq!(asked(&log), ["DescribeDeliveryStream", "CreateDeliveryStream", "DescribeDeliveryStream"]);
    assert_eq!(log.lock().expect("a log")[1].1, file);
}

#[tokio::test]
async fn the_same_file_changes_nothing() {
    let (said, log) = applied(Some(input(None, 60)), &input(None, 60)).await;
    assert_eq!(said.expect("applied"), "orders unchanged\n");
    assert_eq!(asked(&log), ["DescribeDeliveryStream"]);
}

#[tokio::test]
async fn what_describe_returns_changes_nothing() {
    let (said, _) = applied(Some(input(Some("9"), 60)), &description(&input(Some("9"), 60), "7")).await;
    assert_eq!(said.expect("applied"), "orders unchanged\n");
}

#[tokio::test]
async fn what_describe_returns_creates_the_same_stream() {
    let (said, log) = applied(None, &description(&input(None, 60), "7")).await;
    assert_eq!(said.expect("applied"), "orders created\n");
    let created = log.lock().expect("a log")[1].1.clone();
    assert_eq!(created["DeliveryStreamType"], "DirectPut");
    assert_eq!(created["ExtendedS3DestinationConfiguration"]["BucketARN"], "arn:aws:s3:::shop");
    assert!(created.get("S3DestinationConfiguration").is_none() && created.get("VersionId").is_none());
}

#[tokio::test]
async fn another_file_updates_with_the_current_version() {
    let (said, log) = applied(Some(input(None, 60)), &input(None, 120)).await;
    assert_eq!(said.expect("applied"), "orders updated from version 1 to 2\n");
    let update = log.lock().expect("a log")[1].clone();
    assert_eq!(update.0, "UpdateDestination");
    assert_eq!(update.1["CurrentDeliveryStreamVersionId"], "1");
    assert_eq!(update.1["DestinationId"], "destinationId-000000000001");
    assert_eq!(update.1["ExtendedS3DestinationUpdate"]["BufferingHints"]["IntervalInSeconds"], 120);
}

/// An update replaces the processors whole, so a parameter that the file no longer names goes back to its default.
#[tokio::test]
async fn a_parameter_that_was_left_out_goes_back_to_its_default() {
    let (said, _) = applied(Some(input(Some("9"), 60)), &input(None, 60)).await;
    assert_eq!(said.expect("applied"), "orders updated from version 1 to 2\n");
    let (said, _) = applied(Some(input(Some("3"), 60)), &input(None, 60)).await;
    assert_eq!(said.expect("applied"), "orders unchanged\n");
}

#[tokio::test]
async fn processing_that_was_switched_off_is_an_update() {
    let mut file = input(None, 60);
    file["ExtendedS3DestinationConfiguration"]["ProcessingConfiguration"] = json!({ "Enabled": false });
    let (said, _) = applied(Some(input(None, 60)), &file).await;
    assert_eq!(said.expect("applied"), "orders updated from version 1 to 2\n");
}

#[tokio::test]
async fn a_file_that_is_no_definition_is_told() {
    #[track_caller]
    fn check(value: Value, expected: &str) {
        assert_eq!(wanted(value).expect_err("no definition"), expected);
    }
    check(json!([]), "not a JSON object");
    check(json!({}), "DeliveryStreamName is missing");
    check(json!({ "DeliveryStreamName": "a" }), "there is no destination configuration");
    let two =
        json!({ "DeliveryStreamName": "a", "S3DestinationConfiguration": {}, "RedshiftDestinationConfiguration": {} });
    check(two, "there is more than one destination configuration");
    check(json!({ "DeliveryStreamDescription": { "Destinations": [] } }), "Destinations is empty");
    let sourced = json!({ "Destinations": [{}], "DeliveryStreamType": "MSKAsSource" });
    check(sourced, "a description of a stream with a source does not say how to create it; write the create input");
    let failure = read(Path::new("/nowhere.json")).expect_err("no file");
    assert_eq!(
        failure.to_string(),
        "error: cannot read /nowhere.json: No such file or directory (os error 2)\nhint: give the JSON of `aws firehose create-delivery-stream --cli-input-json` or `hydrant describe --json`"
    );
}

/// A Redshift definition nests its S3 configuration, which each operation calls by another name.
#[test]
fn nested_s3_configurations_are_renamed() {
    let configuration =
        json!({ "S3Configuration": { "Prefix": "a" }, "S3BackupConfiguration": {}, "RetryOptions": {} });
    assert_eq!(
        update_form(configuration.clone()),
        json!({ "S3Update": { "Prefix": "a" }, "S3BackupUpdate": {}, "RetryOptions": {} })
    );
    let described =
        json!({ "S3DestinationDescription": { "Prefix": "a", "B": 1 }, "S3BackupDescription": {}, "RetryOptions": {} });
    assert!(holds(&described_form(configuration), &described));
}

/// A host with one stream whose destination is described like this; applies `file` to it.
async fn applied_to(kind: &'static str, described: Value, file: &Value) -> (Result<String, Failure>, Log) {
    let (client, log) = firehose(move |operation, _| match operation {
        "DescribeDeliveryStream" => (
            200,
            json!({ "DeliveryStreamDescription": {
                "DeliveryStreamName": "orders", "DeliveryStreamStatus": "ACTIVE", "VersionId": "1",
                "Destinations": [{
                    "DestinationId": "destinationId-000000000001",
                    format!("{kind}DestinationDescription"): described,
                }],
            } }),
        ),
        _ => (200, json!({})),
    })
    .await;
    let (console, buffer) = Console::buffer(Format::Human);
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("stream.json");
    fs::write(&path, file.to_string()).expect("a file");
    let result = apply(&console, &client, &[path]).await;
    let said = String::from_utf8(buffer.lock().expect("a buffer").clone()).expect("text");
    (result.map(|()| said), log)
}

/// Whatever the destination, what Describe returns is what the host has.
#[tokio::test]
async fn descriptions_of_every_kind_change_nothing() {
    let s3 =
        json!({ "BucketARN": "arn:aws:s3:::shop", "BufferingHints": { "SizeInMBs": 5, "IntervalInSeconds": 300 } });
    for kind in
        ["Redshift", "Elasticsearch", "Amazonopensearchservice", "AmazonOpenSearchServerless", "Splunk", "HttpEndpoint"]
    {
        let described = json!({ "RoleARN": "arn:role", "S3DestinationDescription": s3, "S3BackupMode": "Some" });
        let file = json!({ "DeliveryStreamDescription": {
            "DeliveryStreamName": "orders",
            "Destinations": [{ "DestinationId": "1", format!("{kind}DestinationDescription"): described }],
        } });
        let (said, log) = applied_to(kind, described.clone(), &file).await;
        assert_eq!(said.expect("applied"), "orders unchanged\n", "{kind}");
        assert_eq!(asked(&log), ["DescribeDeliveryStream"]);
        let input = Value::Object(wanted(file).expect("a definition").input);
        let configuration = &input[format!("{kind}DestinationConfiguration")];
        assert_eq!(configuration, &json!({ "RoleARN": "arn:role", "S3Configuration": s3, "S3BackupMode": "Some" }));
    }
}

/// Describe does not show a password, so whether it is the same cannot be known: it is sent.
#[tokio::test]
async fn a_password_is_always_sent() {
    let described = json!({ "Username": "loader", "S3DestinationDescription": { "Prefix": "a" } });
    let configuration = json!({ "Username": "loader", "Password": "hunter22", "S3Configuration": { "Prefix": "a" } });
    let file = json!({ "DeliveryStreamName": "orders", "RedshiftDestinationConfiguration": configuration });
    let (said, log) = applied_to("Redshift", described, &file).await;
    assert_eq!(said.expect("applied"), "orders updated from version 1 to 1\n");
    let update = log.lock().expect("a log")[1].1["RedshiftDestinationUpdate"].clone();
    assert_eq!(update, json!({ "Username": "loader", "Password": "hunter22", "S3Update": { "Prefix": "a" } }));
    assert!(!format!("{:?}", wanted(file)).contains("hunter22"));
}

/// UpdateDestination would drop these without a word.
#[tokio::test]
async fn what_an_update_cannot_change_is_told() {
    let described = json!({ "S3BackupMode": "FailedDocumentsOnly", "IndexName": "a" });
    for kind in ["Elasticsearch", "Amazonopensearchservice", "AmazonOpenSearchServerless"] {
        let file = |configuration: Value| json!({ "DeliveryStreamName": "orders", format!("{kind}DestinationConfiguration"): configuration });
        let same = json!({ "S3BackupMode": "FailedDocumentsOnly", "IndexName": "b" });
        let (said, _) = applied_to(kind, described.clone(), &file(same)).await;
        said.expect("applied");
        for (member, value) in
            [("S3BackupMode", json!("AllDocuments")), ("VpcConfiguration", json!({ "RoleARN": "r" }))]
        {
            let (said, log) = applied_to(kind, described.clone(), &file(json!({ member: value }))).await;
            let told = said.expect_err("refused").to_string();
            assert!(
                told.contains(&format!("{member} is fixed at creation; delete the stream and create it again")),
                "{told}"
            );
            assert_eq!(asked(&log), ["DescribeDeliveryStream"]);
        }
    }
    let file = json!({ "DeliveryStreamName": "orders", "SplunkDestinationConfiguration": {} });
    let (said, log) = applied_to("Redshift", json!({}), &file).await;
    let told = said.expect_err("refused").to_string();
    assert!(told.contains("its destination is of another kind; delete the stream and create it again"), "{told}");
    assert_eq!(asked(&log), ["DescribeDeliveryStream"]);
}
