//! Line 10: what was not delivered is listed, shown and put into its stream again, each failure once, by the built binary.
#![expect(clippy::unwrap_used, reason = "a test says what it expects")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use hydrant::deliver::testing::Reader;
use hydrant::deliver::{Credentials, Endpoint, Settings};
use hydrant_tests::checker::read_bucket;
use hydrant_tests::client::{BUCKET, through_plugin};
use hydrant_tests::host::{Host, Setup, binary, plugin};
use hydrant_tests::peers::{S3Peer, SearchNode, versitygw};
use hydrant_tests::wait::until;
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_secs(180);
const STREAM: &str = "orders";
const FAILED: &str = "errors/processing-failed/";

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// `hydrant dead-letter ARGUMENTS` against this host.
fn run(host: &Host, arguments: &[&str]) -> Output {
    let config = host.config().display().to_string();
    host.command(&[&["dead-letter"], arguments, &["--config", &config]].concat())
}

fn told(host: &Host, arguments: &[&str]) -> Vec<u8> {
    let output = run(host, arguments);
    assert!(output.status.success(), "{arguments:?}: {}{}", text(&output.stderr), host.log_tail());
    output.stdout
}

fn told_json(host: &Host, arguments: &[&str]) -> Value {
    serde_json::from_slice(&told(host, &[arguments, &["--json"]].concat())).unwrap()
}

/// A tally's figures: replayed now, replayed before.
fn tally(answer: &Value) -> (u64, u64) {
    let figure = |name: &str| answer["tally"][name].as_u64().unwrap();
    (figure("replayed"), figure("already"))
}

/// A stream through the plugin `clean`, which at first takes JSON only.
async fn host() -> Host {
    let plugins = vec![("clean".to_owned(), plugin("json-to-ndjson"))];
    let host = Host::start(Setup { plugins, ..Setup::default() }).await;
    let hints = json!({"SizeInMBs": 1, "IntervalInSeconds": 0});
    let destination = json!({
        "BufferingHints": hints, "ProcessingConfiguration": through_plugin("clean"),
        "Prefix": "data/", "ErrorOutputPrefix": "errors/",
    });
    host.client().create_stream(STREAM, destination).await;
    host
}

/// Publishes a version that fails nothing.
fn publish_better(host: &Host) {
    let (config, file) = (host.config().display().to_string(), plugin("sample").display().to_string());
    let output = host.command(&["plugin", "publish", &file, "--name", "clean", "--config", &config]);
    assert!(output.status.success(), "{}", text(&output.stderr));
}

/// Everything below a prefix of the host's bucket.
fn below(host: &Host, prefix: &str) -> Vec<u8> {
    let objects = read_bucket(&host.bucket()).filter(|object| object.key.starts_with(prefix));
    objects.flat_map(|object| object.body).collect()
}

/// Lines below a prefix, and how often each is there.
fn lines(host: &Host, prefix: &str) -> BTreeMap<String, u32> {
    let mut seen = BTreeMap::new();
    for line in text(&below(host, prefix)).lines() {
        *seen.entry(line.to_owned()).or_default() += 1;
    }
    seen
}

async fn until_failed(host: &Host, count: usize) {
    let all = until("the error output", LIMIT, async || {
        let found = below(host, FAILED).iter().filter(|&&byte| byte == b'\n').count();
        assert!(found <= count, "{found} failures");
        (found == count).then_some(())
    });
    all.await.unwrap_or_else(|error| panic!("{error}\n{}", host.log_tail()));
}

/// Line 10: list, show, the very bytes, a dry run that changes nothing, a replay through a better version, and a second one
/// that has nothing to do; after a kill and a restart, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_come_back_through_a_better_plugin() {
    let mut host = host().await;
    let bad: Vec<Vec<u8>> = (0..40).map(|number| format!("no json {number} \u{e4}\n").into_bytes()).collect();
    let good: Vec<Vec<u8>> = (0..40).map(|number| format!("{{\"n\":{number}}}\n").into_bytes()).collect();
    let mixed: Vec<&[u8]> = good.iter().zip(&bad).flat_map(|(good, bad)| [good.as_slice(), bad.as_slice()]).collect();
    host.client().put(STREAM, &mixed).await;
    until_failed(&host, 40).await;

    let listed = told_json(&host, &["list", STREAM]);
    let objects = listed["objects"].as_array().unwrap();
    let key = objects[0]["key"].as_str().unwrap().to_owned();
    assert!(key.starts_with(FAILED), "{listed}");
    assert_eq!(objects.iter().map(|one| one["records"].as_u64().unwrap()).sum::<u64>(), 40);
    let table = text(&told(&host, &["list", STREAM, "--since", "1h", "--plugin", "clean"]));
    assert!(table.contains("processing-failed") && table.contains(&key), "{table}");
    let none = told_json(&host, &["list", STREAM, "--code", "No.Such.Code"]);
    assert_eq!(none["objects"], json!([]));
    let shown = told_json(&host, &["show", STREAM, &key, "--limit", "1"]);
    assert_eq!(shown["lines"][0]["failure"]["pluginName"], "clean");
    for (line, record) in bad.iter().take(3).enumerate() {
        assert_eq!(told(&host, &["show", STREAM, &key, "--line", &line.to_string(), "--raw"]), *record);
    }

    publish_better(&host);
    let before = below(&host, "");
    assert_eq!(tally(&told_json(&host, &["replay", STREAM, "--dry-run"])), (40, 0));
    assert_eq!(tally(&told_json(&host, &["replay", STREAM, "--code", "No.Such.Code"])), (0, 0));
    assert_eq!(below(&host, ""), before);
    assert_eq!(tally(&told_json(&host, &["replay", STREAM])), (40, 0));
    let again = text(&told(&host, &["replay", STREAM]));
    assert!(again.contains("nothing to replay into orders; 40 were replayed before"), "{again}");

    host.kill();
    host.launch().await;
    assert_eq!(tally(&told_json(&host, &["replay", STREAM])), (0, 40));
    assert_eq!(host.terminate().await.code(), Some(0), "{}", host.log_tail());
    let wanted: BTreeMap<String, u32> =
        good.iter().chain(&bad).map(|line| (text(line).trim_end().to_owned(), 1)).collect();
    assert_eq!(lines(&host, "data/"), wanted);
}

/// Rows D1 and X14: a replay that is cut short by a kill of the host, wherever that falls, goes on where it stopped, and
/// each failure is put once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_replay_goes_on() {
    const COUNT: usize = 60_000;
    let mut host = host().await;
    let folder = host.bucket().join(FAILED).join("2026/11/21/10");
    std::fs::create_dir_all(&folder).unwrap();
    for part in 0..6 {
        let numbers = part * COUNT / 6..(part + 1) * COUNT / 6;
        std::fs::write(folder.join(format!("orders-1-{part}")), numbers.map(envelope).collect::<String>()).unwrap();
    }
    publish_better(&host);
    let mut kills = 0_u32;
    let done = until("a replay to its end", LIMIT, async || {
        let config = host.config().display().to_string();
        let mut command = Command::new(binary());
        command.args(["dead-letter", "replay", STREAM, "--json", "--config", &config]);
        let mut replay = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        if kills < 3 {
            let wanted = 3_000.0 * f64::from(kills + 1);
            let durable = "hydrant_journal_durable_records_total";
            let some = until("a part of the replay", LIMIT, async || {
                let metrics = host.metrics().await;
                let put = hydrant_tests::metrics::sum(&metrics, durable, &[&format!("stream=\"{STREAM}\"")]);
                (put >= wanted).then_some(())
            });
            some.await.unwrap();
            host.kill();
            kills += 1;
            replay.wait().unwrap();
            host.launch().await;
            return None;
        }
        let output = replay.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        serde_json::from_slice::<Value>(&output.stdout).ok()
    });
    let (replayed, already) = tally(&done.await.unwrap());
    assert_eq!(replayed + already, COUNT as u64);
    assert_eq!(tally(&told_json(&host, &["replay", STREAM])), (0, COUNT as u64));
    assert_eq!(host.terminate().await.code(), Some(0), "{}", host.log_tail());
    let found = lines(&host, "data/");
    assert_eq!((found.len(), found.values().all(|&times| times == 1)), (COUNT, true));
}

/// A line as Amazon's service writes it.
fn envelope(number: usize) -> String {
    let data = base64_simd::STANDARD.encode_to_string(format!("record {number}\n"));
    format!(
        "{{\"rawData\":\"{data}\",\"errorCode\":\"Lambda.FunctionError\",\"errorMessage\":\"The Lambda function was \
         successfully invoked but it returned an error result.\",\"attemptsMade\":\"4\",\"arrivalTimestamp\":\"1789014240448\",\
         \"attemptEndingTimestamp\":\"1789014301529\",\"lambdaArn\":\"arn:aws:lambda:us-west-2:123456789012:function:f\"}}\n"
    )
}

async fn bucket_of(s3: &S3Peer, bucket: &str) -> Reader {
    let mut settings = Settings::new(Endpoint::Url(s3.url()), "us-east-1");
    settings.plaintext = true;
    settings.credentials = Some(Credentials {
        access_key_id: s3.access_key_id.to_owned(),
        secret_access_key: s3.secret_access_key.to_owned().into(),
    });
    let reader = Reader::connect(&settings, bucket).await.unwrap();
    reader.client.create_bucket().bucket(bucket).send().await.unwrap();
    reader
}

/// A bucket as Amazon's own service leaves it, on a foreign S3 server: listed, shown and put into a stream, once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_of_the_real_service_is_replayed() {
    let (s3, mut host) = (versitygw(), host().await);
    let reader = bucket_of(&s3, "amazon").await;
    let plain: String = (0..700).map(envelope).collect();
    let packed = gzip(&(700..1_500).map(envelope).collect::<String>());
    let beside = b"{\"not\":\"a failure\"}\n".to_vec();
    for (key, body) in [
        ("firehose/processing-failed/2026/09/10/04/s-1-2026-09-10-04-24-01-a", plain.into_bytes()),
        ("firehose/processing-failed/2026/09/10/05/s-1-2026-09-10-05-24-01-b.gz", packed),
        ("firehose/2026/09/10/04/s-1-2026-09-10-04-24-01-c", beside),
    ] {
        reader.client.put_object().bucket("amazon").key(key).body(body.into()).send().await.unwrap();
    }
    let ask = |arguments: &[&str], foreign: &[&str], admin: &[&str]| -> Output {
        let mut command = Command::new(binary());
        command.arg("dead-letter").args(arguments).args(foreign).args(admin).current_dir(host.folder());
        command.env("AWS_ACCESS_KEY_ID", s3.access_key_id).env("AWS_SECRET_ACCESS_KEY", s3.secret_access_key);
        let output = command.env("AWS_EC2_METADATA_DISABLED", "true").env_remove("AWS_PROFILE").output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        output
    };
    let (url, config) = (s3.url(), host.config().display().to_string());
    let foreign = ["--bucket", "amazon", "--endpoint-url", &url];
    let listed: Value = serde_json::from_slice(&ask(&["list", "--json"], &foreign, &[]).stdout).unwrap();
    let found: Vec<u64> =
        listed["objects"].as_array().unwrap().iter().map(|one| one["records"].as_u64().unwrap()).collect();
    assert_eq!(found, [700, 800]);
    let key = listed["objects"][1]["key"].as_str().unwrap();
    assert_eq!(ask(&["show", key, "--line", "5", "--raw"], &foreign, &[]).stdout, b"record 705\n");
    publish_better(&host);
    let replay = |more: &[&str]| -> (u64, u64) {
        let arguments = [&["replay", STREAM, "--json"], more].concat();
        let answer = ask(&arguments, &[&foreign[..], &["--prefix", "firehose/"]].concat(), &["--config", &config]);
        tally(&serde_json::from_slice(&answer.stdout).unwrap())
    };
    assert_eq!(replay(&["--dry-run"]), (1_500, 0));
    assert_eq!(replay(&["--until", "2026-01-01"]), (0, 0));
    assert_eq!(replay(&["--object", key]), (800, 0));
    assert_eq!(replay(&[]), (700, 800));
    assert_eq!(replay(&[]), (0, 1_500));
    assert_eq!(host.terminate().await.code(), Some(0), "{}", host.log_tail());
    let wanted: BTreeMap<String, u32> = (0..1_500).map(|number| (format!("record {number}"), 1)).collect();
    assert_eq!(lines(&host, "data/"), wanted);
}

fn gzip(body: &str) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(body.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// Row X5: documents that a mapping refused are delivered once it is mended, under the ids that the error output names, and
/// without a second run of anything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_documents_are_delivered_after_the_mapping_is_mended() {
    let (node, mut host) = (SearchNode::shared(), Host::start(Setup::default()).await);
    let strict = r#"{"mappings":{"dynamic":"strict","properties":{"number":{"type":"integer"}}}}"#;
    assert_eq!(node.call("PUT", "/dead-letter", strict).await.0, 200);
    let role = "arn:aws:iam::000000000000:role/tests";
    let buffering = json!({"SizeInMBs": 1, "IntervalInSeconds": 0});
    let configuration = json!({
        "ClusterEndpoint": node.url(), "IndexName": "dead-letter", "IndexRotationPeriod": "NoRotation",
        "BufferingHints": buffering, "RoleARN": role,
        "S3Configuration": {"RoleARN": role, "BucketARN": format!("arn:aws:s3:::{BUCKET}"), "BufferingHints": buffering},
    });
    let input = json!({"DeliveryStreamName": "logs", "AmazonopensearchserviceDestinationConfiguration": configuration});
    host.client().expect("CreateDeliveryStream", &input).await;
    let documents: Vec<String> = (0..20).map(|number| json!({"number": number}).to_string()).collect();
    let refused: Vec<String> = (20..30).map(|number| json!({"number": number, "new": "x"}).to_string()).collect();
    let records: Vec<&[u8]> = documents.iter().chain(&refused).map(|document| document.as_bytes()).collect();
    host.client().put("logs", &records).await;
    let mut failures: Vec<Value> = Vec::new();
    until("refused documents", LIMIT, async || {
        let listed = told_json(&host, &["list", "logs", "--stage", "AmazonOpenSearchService-failed"]);
        let key = listed["objects"][0]["key"].as_str()?.to_owned();
        failures = told_json(&host, &["show", "logs", &key])["lines"].as_array().unwrap().clone();
        (failures.len() == 10).then_some(())
    })
    .await
    .unwrap();
    let mended = r#"{"properties":{"new":{"type":"keyword"}}}"#;
    assert_eq!(node.call("PUT", "/dead-letter/_mapping", mended).await.0, 200);
    assert_eq!(tally(&told_json(&host, &["replay", "logs"])), (10, 0));
    assert_eq!(tally(&told_json(&host, &["replay", "logs"])), (0, 10));
    assert_eq!(host.terminate().await.code(), Some(0), "{}", host.log_tail());
    node.call("POST", "/dead-letter/_refresh", "").await;
    assert_eq!(node.call("GET", "/dead-letter/_count", "").await.1["count"], 30);
    for failure in failures {
        let id = failure["failure"]["documentId"].as_str().unwrap();
        let (status, found) = node.call("GET", &format!("/dead-letter/_doc/{id}"), "").await;
        assert_eq!((status, &found["_source"]["new"], &found["_version"]), (200, &json!("x"), &json!(1)));
    }
}

/// Bad input: what cannot be done is said with a remedy, and ends as every command does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_replayed_is_told() {
    let host = host().await;
    for (arguments, error) in [
        (&["list", "nobody"][..], "error: there is no stream nobody"),
        (&["list", STREAM, "--stage", "bogus"], "error: there is no stage bogus"),
        (&["show", STREAM, "data/x"], "error: data/x is no object of an error output"),
        (&["show", STREAM, "errors/processing-failed/x"], "error: there is no object errors/processing-failed/x"),
        (&["replay", "../healthz"], "error: ../healthz is no name of a stream"),
    ] {
        let output = run(&host, arguments);
        let said = text(&output.stderr);
        assert!(said.starts_with(error) && said.contains("\nhint: "), "{said}");
        assert_eq!(output.status.code(), Some(1));
    }
    let answer = host.admin(&format!("/dead-letter/{STREAM}/list")).await.unwrap();
    assert_eq!(answer.status.as_u16(), 405);
    assert_eq!(text(&told(&host, &["list", STREAM])), "");
    let folder = host.bucket().join(FAILED);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("damaged"), [&[0x1f, 0x8b][..], b"nonsense"].concat()).unwrap();
    std::fs::write(folder.join("odd"), format!("nonsense\n{}", envelope(1))).unwrap();
    let answer = told_json(&host, &["replay", STREAM, "--dry-run"]);
    assert_eq!((tally(&answer), &answer["tally"]["unreadable"]), ((1, 0), &json!(1)));
    let passed_over = answer["tally"]["passed_over"][0].as_str().unwrap();
    assert!(passed_over.contains("damaged cannot be decompressed"), "{passed_over}");
    assert!(Path::new(&host.bucket()).join(FAILED).join("odd").exists());
    let forgotten = text(&told(&host, &["forget", STREAM, "--before", "2100-01-01"]));
    assert!(forgotten.contains("cannot be replayed into orders any more"), "{forgotten}");
    let answer = told_json(&host, &["replay", STREAM]);
    assert_eq!((tally(&answer), &answer["tally"]["forgotten"]), ((0, 0), &json!(1)));
}
