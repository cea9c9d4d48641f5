//! HTTP endpoints: where, with which key and attributes, and what stays when half of it is updated.

use serde_json::{Value, json};

use super::super::ROLE;
use super::{Kind, bare_s3, plaintext};
use crate::definition::{Buffering, EndpointBody, HttpEndpoint, Login, Secret, Target};

const SECRET_ARN: &str = "arn:aws:secretsmanager:us-east-1:123456789012:secret:key";

fn target() -> HttpEndpoint {
    HttpEndpoint {
        url: "https://hooks.test/in?a=b".to_owned(),
        access_key: Login::None,
        is_compressed: false,
        body: EndpointBody::Firehose,
        attributes: Vec::new(),
        buffering: Buffering { bytes: 5 << 20, seconds: 300 },
        retry_seconds: 300,
        backs_up_all: false,
    }
}

fn key(secret: &str) -> Login {
    Login::Given { user: String::new(), secret: Secret::new(secret) }
}

#[tokio::test]
async fn defaults_are_shown_and_obeyed() {
    let made = Kind::http_endpoint().made(json!({})).await;
    let expected = json!({
        "EndpointConfiguration": {"Url": "https://hooks.test/in?a=b"},
        "BufferingHints": {"SizeInMBs": 5, "IntervalInSeconds": 300}, "CloudWatchLoggingOptions": {"Enabled": false},
        "RetryOptions": {"DurationInSeconds": 300}, "S3BackupMode": "FailedDataOnly",
        "S3DestinationDescription": bare_s3(),
    });
    assert_eq!(made.description().await, expected);
    assert_eq!(made.definition().target, Target::HttpEndpoint(target()));
}

#[tokio::test]
async fn everything_given_is_obeyed() {
    let attributes =
        json!([{"AttributeName": "b", "AttributeValue": "2"}, {"AttributeName": "a", "AttributeValue": ""}]);
    let request = json!({"ContentEncoding": "GZIP", "CommonAttributes": attributes});
    let endpoint = json!({"Url": "https://hooks.test", "Name": "hook", "AccessKey": "open sesame"});
    let members = json!({"EndpointConfiguration": endpoint, "RequestConfiguration": request,
        "S3BackupMode": "AllData", "RoleARN": ROLE});
    let made = Kind::http_endpoint().made(members).await;
    let shown = made.description().await;
    assert_eq!(shown["EndpointConfiguration"], json!({"Url": "https://hooks.test", "Name": "hook"}));
    assert_eq!(shown["RequestConfiguration"], request);
    let expected = HttpEndpoint {
        url: "https://hooks.test".to_owned(),
        access_key: key("open sesame"),
        is_compressed: true,
        attributes: vec![("b".to_owned(), "2".to_owned()), ("a".to_owned(), String::new())],
        backs_up_all: true,
        ..target()
    };
    assert_eq!(made.definition().target, Target::HttpEndpoint(expected));
    made.refuses(
        json!({"S3BackupMode": "FailedDataOnly"}),
        "S3BackupMode cannot be changed from AllData to FailedDataOnly.",
    )
    .await;
    made.update(json!({"RequestConfiguration": {}})).await;
    assert_eq!(made.description().await["RequestConfiguration"], json!({"ContentEncoding": "NONE"}));
    let Target::HttpEndpoint(now) = &made.definition().target else { panic!("an endpoint") };
    assert!(!now.is_compressed && now.attributes.is_empty());
}

/// An extension of ours: what webhooks take. It goes with the processors that say it, and no other destination has it.
#[tokio::test]
async fn an_endpoint_gets_firehoses_requests_unless_records_are_asked_for() {
    let with = |word: &str| {
        let parameter = json!({"ParameterName": "EndpointBody", "ParameterValue": word});
        let processors = json!([{"Type": "Hydrant", "Parameters": [parameter]}]);
        json!({"ProcessingConfiguration": {"Enabled": true, "Processors": processors}})
    };
    let made = Kind::http_endpoint().made(with("Record")).await;
    let of = |body: EndpointBody| Target::HttpEndpoint(HttpEndpoint { body, ..target() });
    assert_eq!(made.definition().target, of(EndpointBody::Record));
    assert_eq!(made.description().await["ProcessingConfiguration"], with("Record")["ProcessingConfiguration"]);
    made.update(with("Firehose")).await;
    assert_eq!(made.definition().target, of(EndpointBody::Firehose));
    let words = "EndpointBody must be Firehose or Record for Hydrant processor.";
    made.refuses(with("record"), words).await;
    made.update(with("Record")).await;
    made.update(json!({"ProcessingConfiguration": {"Enabled": false}})).await;
    assert_eq!(made.definition().target, of(EndpointBody::Firehose));
    for kind in Kind::all().into_iter().filter(|kind| kind.stem != "HttpEndpoint") {
        let only = "EndpointBody can only be used with HttpEndpointDestinationConfiguration.";
        kind.refuses(with("Record"), only).await;
    }
}

/// What journals of before hold has no word about bodies.
#[test]
fn an_endpoint_without_a_word_about_bodies_has_firehoses() {
    let mut text = serde_json::to_value(target()).unwrap();
    text.as_object_mut().unwrap().remove("body").unwrap();
    assert_eq!(serde_json::from_value::<HttpEndpoint>(text).unwrap(), target());
}

/// The key stays with its address: whoever may update but not read must not get it sent to himself.
#[tokio::test]
async fn a_key_stays_with_its_address() {
    let key_of = |made: &super::Made| match &made.definition().target {
        Target::HttpEndpoint(endpoint) => endpoint.access_key.clone(),
        _ => panic!("an endpoint"),
    };
    let endpoint = |url: &str, members: Value| {
        let mut endpoint = json!({"Url": url});
        endpoint.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        json!({"EndpointConfiguration": endpoint})
    };
    let (here, there) = ("https://hooks.test/a", "https://hooks.test/b");
    let made = Kind::http_endpoint().made(endpoint(here, json!({"AccessKey": "open sesame"}))).await;
    made.update(json!({"RetryOptions": {"DurationInSeconds": 1}})).await;
    made.update(endpoint(here, json!({"Name": "hook"}))).await;
    assert_eq!(key_of(&made), key("open sesame"));
    made.update(endpoint(there, json!({}))).await;
    assert_eq!(key_of(&made), Login::None);
    made.update(endpoint(here, json!({"AccessKey": "again"}))).await;
    made.update(endpoint(here, json!({"AccessKey": ""}))).await;
    assert_eq!(key_of(&made), Login::None);
    made.update(endpoint(here, json!({"AccessKey": "again"}))).await;
    let stored = json!({"SecretsManagerConfiguration": {"Enabled": true, "SecretARN": SECRET_ARN}});
    made.update(stored).await;
    assert_eq!(key_of(&made), Login::Stored(SECRET_ARN.to_owned()));
    let both = "EndpointConfiguration.AccessKey must not be specified when SecretsManagerConfiguration is enabled.";
    made.refuses(endpoint(here, json!({"AccessKey": "again"})), both).await;
}

#[tokio::test]
async fn rules_have_their_messages() {
    let kind = Kind::http_endpoint();
    let url = |url: &str| json!({"EndpointConfiguration": {"Url": url}});
    let pattern = "Member must satisfy regular expression pattern: https://.*";
    for text in ["hooks.test", "https:hooks.test"] {
        kind.breaks(url(text), "endpointConfiguration.url", pattern).await;
    }
    let remedy = format!("{pattern} (http:// needs egress.plaintext in the host's configuration)");
    kind.breaks(url("http://hooks.test"), "endpointConfiguration.url", &remedy).await;
    for (text, broken) in [
        ("https://me@hooks.test", "must not contain a user name or a fragment."),
        ("https://hooks.test/a#b", "must not contain a user name or a fragment."),
        ("https://hooks.test:70000/", "must name a host and, behind a colon, a port from 1 to 65535."),
        ("https:///a", "is not a URL."),
    ] {
        kind.refuses(url(text), &format!("EndpointConfiguration.Url {broken}")).await;
    }
    kind.made_on(plaintext(), url("http://127.0.0.1:8080/in")).await;
    let key = json!({"EndpointConfiguration": {"Url": "https://hooks.test", "AccessKey": "schlüssel"}});
    kind.refuses(key, "EndpointConfiguration.AccessKey must fit into an HTTP header.").await;
    let twice = json!([{"AttributeName": "a", "AttributeValue": "1"}, {"AttributeName": "a", "AttributeValue": "2"}]);
    kind.refuses(
        json!({"RequestConfiguration": {"CommonAttributes": twice}}),
        "Duplicate AttributeName a in CommonAttributes.",
    )
    .await;
    let many: Vec<Value> = (0..51).map(|at| json!({"AttributeName": at.to_string(), "AttributeValue": ""})).collect();
    kind.breaks(
        json!({"RequestConfiguration": {"CommonAttributes": many}}),
        "requestConfiguration.commonAttributes",
        "Member must have length less than or equal to 50",
    )
    .await;
}
