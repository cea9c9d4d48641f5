//! Plugins that keep failing in the running host: what the stream's owner chose is done, counted and described.
//!
//! The guest `bench` is an honest plugin in too little memory: records of a megabyte are more than it can take, small
//! ones are not. Refuses to know when a breaker tries again: it looks until something is so.

use std::collections::BTreeMap;
use std::time::Duration;

use base64_simd::STANDARD as BASE64;
use hydrant_tests::checker::read_bucket;
use hydrant_tests::client::{Client, through_plugin};
use hydrant_tests::host::{Host, Setup, TEST_TABLES, plugin};
use hydrant_tests::metrics::sum;
use hydrant_tests::wait::until;
use serde_json::{Value, json};

const STREAM: &str = "guarded";
const LIMIT: Duration = Duration::from_secs(90);
/// Enough for the guest and small records, too little for one of [`LARGE`].
const LITTLE_MEMORY: &str = "[plugins]\nmemory_bytes = 2_097_152\n";
const LARGE: usize = 900_000;

async fn host_with(policy: &str) -> Host {
    let tables = format!("{TEST_TABLES}\n{LITTLE_MEMORY}");
    let setup = Setup { plugins: vec![("bench".to_owned(), plugin("bench"))], tables, ..Setup::default() };
    let host = Host::start(setup).await;
    let mut processing = through_plugin("bench");
    let parameters = processing["Processors"][0]["Parameters"].as_array_mut().expect("a list");
    parameters.push(json!({"ParameterName": "OnPluginFailure", "ParameterValue": policy}));
    let delimiter = json!({"Type": "AppendDelimiterToRecord"});
    processing["Processors"].as_array_mut().expect("a list").push(delimiter);
    let hints = json!({"SizeInMBs": 1, "IntervalInSeconds": 0});
    host.client().create_stream(STREAM, json!({"BufferingHints": hints, "ProcessingConfiguration": processing})).await;
    host
}

fn small(number: u32) -> Vec<u8> {
    format!(r#"{{"n":{number},"level":"info"}}"#).into_bytes()
}

fn large(number: u32) -> Vec<u8> {
    format!(r#"{{"n":{number},"level":"info","text":"{}"}}"#, "x".repeat(LARGE)).into_bytes()
}

async fn put(client: &Client, record: Vec<u8>) {
    client.put(STREAM, &[&record]).await;
}

/// What a metric of the stream says.
async fn metric(host: &Host, name: &str) -> f64 {
    sum(&host.metrics().await, name, &[&format!("stream=\"{STREAM}\"")])
}

async fn is_open(host: &Host) -> bool {
    metric(host, "hydrant_plugin_breaker_open").await == 1.0
}

/// Puts large records, one after another, until the breaker is open; the number of the next record.
async fn trip(host: &Host) -> u32 {
    let client = host.client();
    let mut next = 0;
    while !is_open(host).await {
        assert!(next < 20, "twenty batches that faulted do not trip the breaker:\n{}", host.log_tail());
        put(&client, large(next)).await;
        next += 1;
        let ended = until("the end of a batch", LIMIT, async || {
            let ended = metric(host, "hydrant_process_failed_records_total").await
                + metric(host, "hydrant_process_transformed_records_total").await;
            (ended >= f64::from(next) || is_open(host).await).then_some(())
        });
        ended.await.unwrap_or_else(|error| panic!("{error}:\n{}", host.log_tail()));
    }
    assert_eq!(metric(host, "hydrant_plugin_breaker_trips_total").await, 1.0);
    next
}

/// What `hydrant describe` says of the plugin.
fn described(host: &Host) -> Value {
    let output = host.command(&["describe", STREAM, "--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let answer: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    answer["PluginState"].clone()
}

/// How often each number was delivered, edited or as it was put, and how often it is in the error output.
fn arrived(host: &Host) -> [BTreeMap<u32, u32>; 3] {
    let mut places = [BTreeMap::new(), BTreeMap::new(), BTreeMap::new()];
    for object in read_bucket(&host.bucket()) {
        for line in object.body.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
            let record: Value = serde_json::from_slice(line).expect("JSON");
            let (place, record) = match record["rawData"].as_str() {
                Some(raw) => {
                    let raw = BASE64.decode_to_vec(raw).expect("base64");
                    (2, serde_json::from_slice(&raw).expect("JSON"))
                }
                None if record["pipeline"] == "hydrant" => (0, record),
                None => (1, record),
            };
            let number = record["n"].as_u64().and_then(|number| u32::try_from(number).ok()).expect("a number");
            *places[place].entry(number).or_insert(0) += 1;
        }
    }
    places
}

fn once(numbers: impl IntoIterator<Item = u32>) -> BTreeMap<u32, u32> {
    numbers.into_iter().map(|number| (number, 1)).collect()
}

/// Row P6: with `DeadLetter`, records go to the error output without being tried; one that comes through closes the
/// breaker.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_plugin_is_let_be_and_its_records_are_set_aside() {
    let mut host = host_with("DeadLetter").await;
    let mut next = trip(&host).await;
    assert_eq!(described(&host), json!({"Plugin": "bench", "OnPluginFailure": "DeadLetter", "Breaker": "open"}));
    let (client, refused) = (host.client(), "hydrant_plugin_breaker_records_total");
    while metric(&host, refused).await == 0.0 {
        put(&client, large(next)).await;
        next += 1;
    }
    let failed = next;
    while is_open(&host).await {
        put(&client, small(next)).await;
        next += 1;
    }
    put(&client, small(next)).await;
    assert_eq!(host.terminate().await.code(), Some(0), "{}", host.log_tail());
    let [edited, as_put, errors] = arrived(&host);
    assert!(edited.contains_key(&next) && as_put.is_empty(), "{edited:?} {as_put:?}");
    assert!((0..failed).all(|number| errors.contains_key(&number)), "{errors:?}");
    // While it was open, small ones were refused as well; each is somewhere, once.
    let all: BTreeMap<u32, u32> = edited.into_iter().chain(errors).collect();
    assert_eq!(all, once(0..=next));
    let log = host.log();
    assert_eq!(log.matches("the plugin keeps failing: its breaker is open").count(), 1, "{}", host.log_tail());
    assert_eq!(log.matches("the plugin works again: its breaker is closed").count(), 1, "{}", host.log_tail());
}

/// Row P6: with `PassThrough`, records are delivered as they were put, also those that the plugin is tried with, and a
/// kill changes nothing of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_pass_a_failing_plugin_and_a_kill() {
    let mut host = host_with("PassThrough").await;
    let tripped = trip(&host).await;
    let client = host.client();
    for number in tripped..tripped + 5 {
        put(&client, large(number)).await;
    }
    host.kill();
    host.launch().await;
    assert!(is_open(&host).await, "it is remembered");
    assert_eq!(described(&host)["Breaker"], json!("open"));
    for number in tripped + 5..tripped + 10 {
        put(&client, large(number)).await;
    }
    assert_eq!(host.terminate().await.code(), Some(0), "{}", host.log_tail());
    // The fifth batch that faulted tripped the breaker and passed.
    let [edited, as_put, errors] = arrived(&host);
    assert_eq!([edited, as_put, errors], [once([]), once(4..tripped + 10), once(0..4)]);
}

/// Row P6: with `Hold`, puts are taken and nothing is delivered until a version that works is there; then everything
/// is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_is_held_until_its_plugin_works() {
    let mut host = host_with("Hold").await;
    assert_eq!(trip(&host).await, 1, "one batch, tried again");
    assert_eq!(described(&host), json!({"Plugin": "bench", "OnPluginFailure": "Hold", "Breaker": "open"}));
    let human = host.command(&["describe", STREAM]);
    let human = String::from_utf8_lossy(&human.stdout).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(human.contains("PluginState.OnPluginFailure Hold PluginState.Breaker open"), "{human}");
    let client = host.client();
    for number in 1..5 {
        put(&client, large(number)).await;
    }
    host.kill();
    assert_eq!(arrived(&host), [once([]), once([]), once([])]);
    // More memory is as good as a new version.
    host.write_config("embedded", "", TEST_TABLES);
    host.launch().await;
    put(&client, small(5)).await;
    assert_eq!(host.terminate().await.code(), Some(0), "{}", host.log_tail());
    assert_eq!(arrived(&host), [once(0..6), once([]), once([])]);
}
