//! Line 3: the command line against a running host.

use std::fs;
use std::process::Output;

use hydrant_tests::checker::read_bucket;
use hydrant_tests::host::{Host, Setup};
use serde_json::{Value, json};

fn said(output: &Output) -> String {
    let both = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    both.join("\n")
}

fn succeeds(host: &Host, arguments: &[&str]) -> String {
    let output = host.command(arguments);
    assert_eq!(output.status.code(), Some(0), "hydrant {}:\n{}", arguments.join(" "), said(&output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Line 3: apply, streams, describe, put and delete do what they say, and `--json` is JSON.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_lives_its_life_on_the_command_line() {
    let mut host = Host::start(Setup::default()).await;
    let definition = json!({"DeliveryStreamName": "clicks", "ExtendedS3DestinationConfiguration": {
        "RoleARN": "arn:aws:iam::000000000000:role/tests", "BucketARN": "arn:aws:s3:::tests", "Prefix": "clicks/",
        "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 0}}});
    fs::write(host.folder().join("clicks.json"), definition.to_string()).expect("a file");
    succeeds(&host, &["apply", "clicks.json"]);
    succeeds(&host, &["apply", "clicks.json"]);
    assert!(succeeds(&host, &["streams"]).contains("clicks"));
    let described: Value = serde_json::from_str(&succeeds(&host, &["describe", "clicks", "--json"])).expect("JSON");
    assert!(described.to_string().contains("\"clicks/\""), "{described}");
    let lines: String = (0..1_200).map(|at| format!("{{\"click\":{at}}}\n")).collect();
    fs::write(host.folder().join("clicks.ndjson"), &lines).expect("a file");
    succeeds(&host, &["put", "clicks", "clicks.ndjson", "--in-flight", "1"]);
    assert_eq!(host.terminate().await.code(), Some(0), "{}", host.log_tail());
    let mut objects: Vec<_> = read_bucket(&host.bucket()).collect();
    objects.sort_by_key(|object| first_click(&object.body));
    assert!(objects.iter().all(|object| object.key.starts_with("clicks/")));
    let delivered: String = objects.iter().map(|object| String::from_utf8_lossy(&object.body).into_owned()).collect();
    assert_eq!(delivered, lines);

    let place = host.data_dir().to_string_lossy().into_owned();
    succeeds(&host, &["journal", "inspect", &place]);
    succeeds(&host, &["journal", "verify", &place]);
    host.launch().await;
    succeeds(&host, &["delete", "clicks"]);
    let gone = host.command(&["describe", "clicks"]);
    assert_ne!(gone.status.code(), Some(0));
    assert!(said(&gone).contains("error:"), "{}", said(&gone));
}

fn first_click(body: &[u8]) -> u64 {
    let line = body.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let value: Value = serde_json::from_slice(line).expect("a delivered line is JSON");
    value["click"].as_u64().expect("a number")
}

/// Line 3: `check` prints effective values with reasons; a wrong option is a usage error.
#[tokio::test]
async fn check_explains_and_usage_errors_have_their_code() {
    let host = Host::prepare(Setup::default());
    let config = host.config();
    let text = succeeds(&host, &["check", "--config", &config.to_string_lossy()]);
    for word in ["data_dir", "api.listen", "journal.capacity_bytes", "s3.endpoint", "embedded"] {
        assert!(text.contains(word), "check does not show {word}:\n{text}");
    }
    assert!(!text.contains("guards-nothing"), "check prints a secret");
    assert_eq!(host.command(&["check", "--colour"]).status.code(), Some(64));
    fs::write(&config, "colour = 1\n").expect("a file");
    assert_eq!(host.command(&["check", "--config", &config.to_string_lossy()]).status.code(), Some(78));
}
