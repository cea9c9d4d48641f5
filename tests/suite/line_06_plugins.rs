//! Line 6: plugins in the running host. Limits and hostile guests are tested beside the plugin host.

use std::fs;
use std::time::Duration;

use base64_simd::STANDARD as BASE64;
use hydrant_tests::checker::{Delivered, read_bucket};
use hydrant_tests::client::through_plugin;
use hydrant_tests::host::{Host, Setup, plugin};
use hydrant_tests::wait::until;
use serde_json::{Value, json};

const STREAM: &str = "edited";
const LIMIT: Duration = Duration::from_secs(60);

async fn host_through(name: &str) -> Host {
    let setup = Setup { plugins: vec![(name.to_owned(), plugin(name))], ..Setup::default() };
    let host = Host::start(setup).await;
    let hints = json!({"SizeInMBs": 1, "IntervalInSeconds": 0});
    let destination = json!({"BufferingHints": hints, "ProcessingConfiguration": through_plugin(name)});
    host.client().create_stream(STREAM, destination).await;
    host
}

fn delivered(host: &Host) -> (Vec<Delivered>, Vec<Delivered>) {
    read_bucket(&host.bucket()).partition(|object| !object.key.contains("processing-failed/"))
}

/// Line 6: one record is kept, one dropped, one fails; the failed one lies in Firehose's envelope with its original
/// bytes, the rest of the batch is delivered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_record_meets_its_fate_and_failures_keep_their_bytes() {
    let mut host = host_through("bench").await;
    let records: [&[u8]; 3] = [br#"{"level":"info","n":1}"#, br#"{"level":"debug","n":2}"#, b"no json"];
    host.client().put(STREAM, &records).await;
    assert_eq!(host.terminate().await.code(), Some(0), "{}", host.log_tail());
    let (objects, errors) = delivered(&host);
    let text: String = objects.iter().map(|object| String::from_utf8_lossy(&object.body).into_owned()).collect();
    assert!(text.contains("\"n\":1") && !text.contains("\"n\":2") && !text.contains("no json"), "{text}");
    let envelope: Value = serde_json::from_slice(errors[0].body.trim_ascii()).expect("one line of JSON");
    assert_eq!(envelope["rawData"], json!(BASE64.encode_to_string(b"no json")));
    assert_eq!(envelope["lambdaARN"], json!("arn:aws:lambda:us-east-1:000000000000:function:bench"));
    assert_eq!(errors.len(), 1);
}

/// Two plugins in one stream: the second sees what the first made, and the one that fails a record is named in the
/// envelope, which holds the record as it was put.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plugins_work_one_after_another_and_the_failing_one_is_named() {
    let names = ["json-to-ndjson", "bench"];
    let plugins = names.map(|name| (name.to_owned(), plugin(name))).to_vec();
    let mut host = Host::start(Setup { plugins, ..Setup::default() }).await;
    let arns = names.map(|name| format!("arn:aws:lambda:us-east-1:000000000000:function:{name}")).join(",");
    let parameters = json!([{"ParameterName": "LambdaArn", "ParameterValue": arns}]);
    let processors = json!({"Enabled": true, "Processors": [{"Type": "Lambda", "Parameters": parameters}]});
    let hints = json!({"SizeInMBs": 1, "IntervalInSeconds": 0});
    let destination = json!({"BufferingHints": hints, "ProcessingConfiguration": processors});
    host.client().create_stream(STREAM, destination).await;
    let two = b"{\n  \"level\": \"info\"\n}\n{\"level\": \"debug\"}";
    host.client().put(STREAM, &[two, br#"{"n": 1}"#, b"no json"]).await;
    assert_eq!(host.terminate().await.code(), Some(0), "{}", host.log_tail());
    let (objects, errors) = delivered(&host);
    let text: String = objects.iter().map(|object| String::from_utf8_lossy(&object.body).into_owned()).collect();
    assert_eq!(text, "{\"level\":\"info\",\"pipeline\":\"hydrant\"}\n");
    let text: String = errors.iter().map(|object| String::from_utf8_lossy(&object.body).into_owned()).collect();
    let envelopes: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let failed = |raw: &[u8], by: &str| {
        let arn = format!("arn:aws:lambda:us-east-1:000000000000:function:{by}");
        let data = BASE64.encode_to_string(raw);
        envelopes.iter().any(|envelope| envelope["rawData"] == json!(data) && envelope["lambdaARN"] == json!(arn))
    };
    assert!(envelopes.len() == 2 && failed(br#"{"n": 1}"#, "bench") && failed(b"no json", "json-to-ndjson"), "{text}");
}

/// Row P8, line 6: a file that replaces a plugin rules from the next batch; a broken one leaves the old one running.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replaced_plugin_rules_and_a_broken_one_does_not() {
    let mut host = host_through("bench").await;
    let client = host.client();
    let installed = host.plugin_dir().join("bench.wasm");
    client.put(STREAM, &[br#"{"level":"info","n":1}"#]).await;

    let lines_before = host.log().lines().count();
    replace(&installed, b"this is no component");
    let noticed = until("a word about the broken file", LIMIT, async || {
        host.log().lines().skip(lines_before).any(|line| line.contains("bench")).then_some(())
    });
    noticed.await.unwrap_or_else(|error| panic!("{error}:\n{}", host.log_tail()));
    client.put(STREAM, &[br#"{"level":"info","n":2}"#, br#"{"level":"debug","n":3}"#]).await;
    let edited = until("delivery by the old plugin", LIMIT, async || {
        let text: String =
            delivered(&host).0.iter().map(|object| String::from_utf8_lossy(&object.body).into_owned()).collect();
        text.contains("\"n\":2").then_some(text)
    });
    let text = edited.await.unwrap_or_else(|error| panic!("{error}:\n{}", host.log_tail()));
    assert!(!text.contains("\"n\":3"), "the old plugin drops debug: {text}");

    // Another guest under the same name: it knows no records of this shape, and says so of each.
    replace(&installed, &fs::read(plugin("orders")).expect("a plugin"));
    let switched = until("the new plugin's rule", LIMIT, async || {
        client.put(STREAM, &[br#"{"level":"info","n":4}"#]).await;
        (!delivered(&host).1.is_empty()).then_some(())
    });
    switched.await.unwrap_or_else(|error| panic!("{error}:\n{}", host.log_tail()));
    let copies = host.data_dir().join("plugins");
    assert_eq!(wasm_files(&copies), 2, "one of each version that ruled");
    assert_eq!(host.terminate().await.code(), Some(0), "{}", host.log_tail());

    // Everything was delivered, so the next start needs no more than what can be gone back to.
    fs::remove_file(copies.join("releases.json")).expect("the list of releases");
    host.launch().await;
    assert_eq!(wasm_files(&copies), 1);
    assert_eq!(host.terminate().await.code(), Some(0), "{}", host.log_tail());
}

fn wasm_files(folder: &std::path::Path) -> usize {
    let entries = fs::read_dir(folder).expect("a folder").flatten();
    entries.filter(|entry| entry.path().extension().is_some_and(|extension| extension == "wasm")).count()
}

/// Replaces a file at once, as a deployment does.
fn replace(file: &std::path::Path, bytes: &[u8]) {
    let beside = file.with_extension("new");
    fs::write(&beside, bytes).expect("a file");
    fs::rename(&beside, file).expect("a rename");
}
