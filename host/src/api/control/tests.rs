//! Small meanings that the API's own tests would show only through a lot of JSON.

use serde_json::{Value, json};

use super::lambda::function_name;
use super::processing::{Context, settle};
use super::wired::{Feature, check_against};
use super::{Place, create};
use crate::api::model;
use crate::api::settings::{NameRules, Rules};
use crate::definition::{Definition, Partitioning, Processor};

/// Rules that nothing here depends on.
const RULES: Rules = Rules {
    names: NameRules {
        prefix: |_, _, _| Ok(()),
        destination: |_, _| Ok(()),
        partitioning: |_, _| Ok(Partitioning { keys: Vec::new(), room_bytes: 0, event_time: None }),
        time_zone: |_| true,
    },
    check_query: |_| Ok(Vec::new()),
    plaintext: false,
};

#[test]
fn delimiters_are_read_as_people_write_them() {
    for (given, meant) in [
        (None, "\n"),
        (Some("\\n"), "\n"),
        (Some("\\\\n"), "\n"),
        (Some("\\r\\n"), "\r\n"),
        (Some("\\t"), "\t"),
        (Some("|"), "|"),
        (Some("\\|"), "\\|"),
        (Some("\\\\"), "\\"),
        (Some("a\\"), "a\\"),
    ] {
        let mut processor = json!({"Type": "AppendDelimiterToRecord"});
        if let Some(given) = given {
            processor["Parameters"] = json!([{"ParameterName": "Delimiter", "ParameterValue": given}]);
        }
        let block = json!({"ProcessingConfiguration": {"Enabled": true, "Processors": [processor]}});
        let context = Context { role: "role", lambda_size: "1", rules: &RULES };
        let settled = settle(&mut block.as_object().unwrap().clone(), &context).unwrap();
        assert_eq!(settled.processors, [Processor::AppendDelimiter { delimiter: meant.to_owned() }], "{given:?}");
    }
}

#[test]
fn a_plugin_name_is_a_function_name_and_nothing_else() {
    let check = |arn: &str, name: Option<&str>| assert_eq!(function_name(arn), name, "{arn}");
    check("arn:aws:lambda:us-east-1:123456789012:function:clean", Some("clean"));
    check("arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:a_B-9:$LATEST", Some("a_B-9"));
    check("arn:aws-cn:lambda:cn-north-1:123456789012:function:clean:prod", Some("clean"));
    check("arn:aws:lambda:us-east-1:123456789012:function:../etc", None);
    check("arn:aws:lambda:us-east-1:123456789012:function:", None);
    check("arn:aws:lambda:us-east-1:123456789012:function:clean:", None);
    check("arn:aws:lambda:us-east-1:123456789012:layer:clean", None);
    check("arn:aws:lambda:us-east-1:12345678901x:function:clean", None);
    check("clean", None);
}

fn made(stem: &str, destination: &Value) -> Definition {
    let document = json!({"DeliveryStreamName": "s", format!("{stem}DestinationConfiguration"): destination});
    let text = document.to_string();
    let place = Place { region: "us-east-1", account: "123456789012", now_ms: 0, rules: RULES };
    create(&model::parse(text.as_bytes()).unwrap(), &place).unwrap()
}

/// A stream that the pipeline cannot deliver is not made, however right its definition is.
#[test]
fn what_is_not_joined_to_the_pipeline_is_refused() {
    let s3 = json!({"RoleARN": "arn:aws:iam::123456789012:role/a", "BucketARN": "arn:aws:s3:::b"});
    let over = |members: Value| {
        let mut whole = s3.clone();
        whole.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        whole
    };
    let with = |members: Value| {
        let mut whole = members;
        whole["S3Configuration"] = s3.clone();
        whole
    };
    let through =
        |processors: Value| over(json!({"ProcessingConfiguration": {"Enabled": true, "Processors": processors}}));
    let parameters = |name: &str, value: &str| json!([{"ParameterName": name, "ParameterValue": value}]);
    let search = |endpoint: &str| with(json!({endpoint: "https://a", "IndexName": "a"}));
    let redshift = json!({"ClusterJDBCURL": "jdbc:redshift://a.redshift.test:1/d", "CopyCommand": {"DataTableName": "t"},
        "Username": "u", "Password": "secret"});
    let conversion = json!({
        "SchemaConfiguration": {"RoleARN": "r", "DatabaseName": "d", "TableName": "t"},
        "InputFormatConfiguration": {"Deserializer": {"OpenXJsonSerDe": {}}},
        "OutputFormatConfiguration": {"Serializer": {"ParquetSerDe": {}}},
    });
    let partitioned = json!({"DynamicPartitioningConfiguration": {"Enabled": true}, "ErrorOutputPrefix": "e/",
        "Prefix": "!{partitionKeyFromQuery:a}/", "ProcessingConfiguration": {"Enabled": true}});
    let unzip = json!({"Type": "Decompression"});
    let logs = json!({"Type": "CloudWatchLogProcessing", "Parameters": parameters("DataMessageExtraction", "true")});
    let split = json!({"Type": "RecordDeAggregation", "Parameters": parameters("SubRecordType", "JSON")});
    let x = "ExtendedS3";
    let cases = [
        ("Amazonopensearchservice", search("ClusterEndpoint"), vec![Feature::OpenSearch]),
        ("Elasticsearch", search("ClusterEndpoint"), vec![Feature::Elasticsearch]),
        ("AmazonOpenSearchServerless", search("CollectionEndpoint"), vec![Feature::Serverless]),
        ("Redshift", with(redshift), vec![Feature::Redshift]),
        ("HttpEndpoint", with(json!({"EndpointConfiguration": {"Url": "https://a"}})), vec![Feature::HttpEndpoint]),
        ("Splunk", with(json!({"HECEndpoint": "https://a", "HECToken": "t"})), vec![Feature::Splunk]),
        (x, over(json!({"S3BackupMode": "Enabled", "S3BackupConfiguration": s3})), vec![Feature::SourceBackup]),
        (x, over(partitioned), vec![Feature::Partitioning]),
        (x, over(json!({"DataFormatConversionConfiguration": conversion})), vec![Feature::Conversion]),
        (x, through(json!([unzip])), vec![Feature::Decompression]),
        (x, through(json!([unzip, logs])), vec![Feature::Decompression, Feature::LogMessages]),
        (x, through(json!([split])), vec![Feature::DeAggregation]),
        (x, over(json!({"CompressionFormat": "ZSTD"})), vec![Feature::Zstd]),
        (x, s3.clone(), vec![]),
    ];
    for (stem, destination, needed) in cases {
        let definition = made(stem, &destination);
        assert_eq!(check_against(&definition, &needed), Ok(()), "{stem} {destination}");
        for missing in &needed {
            let wired: Vec<Feature> = needed.iter().copied().filter(|feature| feature != missing).collect();
            let fault = check_against(&definition, &wired).unwrap_err();
            let message = format!("{} is not offered by this host.", missing.name());
            assert_eq!(fault.message.as_deref(), Some(message.as_str()));
        }
    }
}
