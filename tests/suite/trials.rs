//! New versions of a plugin beside the old one, in turn with it, and in its place again and again, while records flow
//! through the built binary.
//!
//! `HYDRANT_RELOADS` (or `make reloads RELOADS=10000`) sets how often a plugin is replaced under load.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hydrant_tests::checker::read_bucket;
use hydrant_tests::client::{Client, sha256_hex, through_plugin};
use hydrant_tests::environment::{number, say, seed};
use hydrant_tests::host::{Host, Setup, TEST_TABLES, plugin};
use hydrant_tests::metrics::{self, sum};
use hydrant_tests::producer::Producers;
use hydrant_tests::stamp::stamped;
use hydrant_tests::wait::until;
use serde_json::{Value, json};

use crate::streams;

const STREAM: &str = "logs";
const LIMIT: Duration = Duration::from_secs(120);

/// A host with a stream through the plugin "bench".
async fn host() -> Host {
    let tables = format!("{TEST_TABLES}\n[plugins]\ncanary_period_seconds = 1\ndouble_run_seconds = 1\n");
    let plugins = vec![("bench".to_owned(), plugin("bench"))];
    let host = Host::start(Setup { plugins, tables, ..Setup::default() }).await;
    let hints = json!({"SizeInMBs": 1, "IntervalInSeconds": 0});
    let destination = json!({"BufferingHints": hints, "ProcessingConfiguration": through_plugin("bench")});
    host.client().create_stream(STREAM, destination).await;
    host
}

/// `hydrant plugin ARGUMENTS` against this host; what it says.
fn told(host: &Host, arguments: &[&str]) -> String {
    let config = host.config().display().to_string();
    let output = host.command(&[&["plugin"], arguments, &["--config", &config]].concat());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{arguments:?}: {}{}", text(&output.stderr), host.log_tail());
    text(&output.stdout)
}

async fn shown(host: &Host) -> Value {
    let page = host.admin("/plugins").await.expect("the admin port answers").json();
    page["plugins"][0].clone()
}

/// Numbered log records, put once each.
#[derive(Debug)]
struct Numbers {
    client: Client,
    next: u64,
}

impl Numbers {
    async fn put(&mut self) {
        let records: Vec<String> =
            (self.next..self.next + 20).map(|number| format!("{{\"level\":\"info\",\"n\":{number}}}\n")).collect();
        self.next += 20;
        let records: Vec<&[u8]> = records.iter().map(String::as_bytes).collect();
        self.client.put(STREAM, &records).await;
    }

    /// Puts until the candidate is what `looks_right` wants.
    async fn until_candidate(&mut self, host: &Host, what: &str, looks_right: impl Fn(&Value) -> bool) -> Value {
        let found = until(what, LIMIT, async || {
            self.put().await;
            let plugin = shown(host).await;
            looks_right(&plugin["candidate"]).then_some(plugin)
        });
        found.await.unwrap_or_else(|error| panic!("{error}:\n{}", host.log_tail()))
    }
}

/// Every number delivered by version, and every number in the error output. Each object was made by one version.
fn delivered(bucket: &Path) -> (BTreeMap<String, Vec<u64>>, Vec<u64>) {
    let (mut by_version, mut failed) = (BTreeMap::<String, Vec<u64>>::new(), Vec::new());
    for object in read_bucket(bucket) {
        let lines = object.body.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
        let lines: Vec<Value> = lines.map(|line| serde_json::from_slice(line).expect("JSON lines")).collect();
        if object.key.contains("processing-failed/") {
            for line in &lines {
                let raw = line["rawData"].as_str().expect("rawData");
                let raw = base64_simd::STANDARD.decode_to_vec(raw).expect("base64");
                let raw: Value = serde_json::from_slice(&raw).expect("JSON");
                failed.push(raw["n"].as_u64().expect("a number"));
            }
            continue;
        }
        let stamps: BTreeSet<&str> = lines.iter().filter_map(|line| line["pipeline"].as_str()).collect();
        assert_eq!(stamps.len(), 1, "{} was made by {stamps:?}", object.key);
        let stamp = stamps.first().expect("one").to_string();
        let numbers = lines.iter().map(|line| line["n"].as_u64().expect("a number"));
        by_version.entry(stamp).or_default().extend(numbers);
    }
    (by_version, failed)
}

/// A shadow is compared with the version that rules, and nothing of it is delivered; `rollback` ends it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shadow_is_shown_and_delivers_nothing() {
    let mut host = host().await;
    let mut numbers = Numbers { client: host.client(), next: 0 };
    let file = host.folder().join("another.wasm");
    fs::write(&file, stamped("another")).expect("a file");
    let file = file.display().to_string();
    let said = told(&host, &["publish", &file, "--name", "bench", "--shadow", "100%"]);
    assert!(said.contains("as a shadow of 100%"), "{said}");
    let plugin = numbers.until_candidate(&host, "a comparison", |candidate| candidate["differing_records"] != 0).await;
    let (candidate, digest) = (&plugin["candidate"], sha256_hex(&stamped("another")));
    assert_eq!(
        (&candidate["kind"], &candidate["verdict"], &candidate["digest"]),
        (&json!("shadow"), &json!("watching"), &json!(digest))
    );
    assert_eq!(candidate["candidate"]["records"], candidate["ruling"]["records"]);
    assert_ne!(plugin["digest"], candidate["digest"]);
    let said = told(&host, &["list"]);
    assert!(said.contains(&format!("bench shadow {} of 100%: watching", &digest[..12])), "{said}");
    let said = told(&host, &["rollback", "bench"]);
    assert!(said.contains("stays") && said.contains(&digest[..12]), "{said}");
    numbers.put().await;
    let checked = until("a double run", LIMIT, async || {
        numbers.put().await;
        shown(&host).await["deterministic"].as_bool()
    });
    assert_eq!(checked.await, Ok(true));
    assert_eq!(shown(&host).await["candidate"]["verdict"], "ended");
    assert_eq!(host.terminate().await.code(), Some(0), "{}", host.log_tail());
    let (by_version, failed) = delivered(&host.bucket());
    let mut all = by_version["hydrant"].clone();
    all.sort_unstable();
    assert_eq!((by_version.len(), failed.len()), (1, 0));
    assert_eq!(all, (0..numbers.next).collect::<Vec<_>>(), "each record once");
}

/// A canary that fails what the ruling version does not is taken back by itself; one that does well rules by itself.
/// What the bad one failed is in the error output, and nothing is lost or twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_canary_ends_itself_badly_or_well() {
    let mut host = host().await;
    let mut numbers = Numbers { client: host.client(), next: 0 };
    let orders = plugin("orders").display().to_string();
    let said = told(&host, &["publish", &orders, "--name", "bench", "--canary", "50", "--after", "100"]);
    assert!(said.contains("as a canary of 50%"), "{said}");
    let shown_then = numbers
        .until_candidate(&host, "the end of a bad canary", |candidate| candidate["verdict"] == "rolled-back")
        .await;
    let reason = shown_then["candidate"]["reason"].as_str().expect("a reason").to_owned();
    assert!(reason.contains("100.0 of 100 records failed"), "{reason}");
    let counted = until("a word and a count", LIMIT, async || {
        let count = sum(&host.metrics().await, "hydrant_plugin_canary_rollbacks_total", &["plugin=\"bench\""]);
        (count > 0.0 && host.log().contains("canary is rolled back")).then_some(count)
    });
    assert_eq!(counted.await, Ok(1.0));

    let file = host.folder().join("another.wasm");
    fs::write(&file, stamped("another")).expect("a file");
    let file = file.display().to_string();
    // Time on a busy machine must not decide this.
    let wishes = ["--canary", "50", "--after", "20", "--promote-after", "100", "--most-latency", "1000"];
    told(&host, &[&["publish", &file, "--name", "bench"], wishes.as_slice()].concat());
    let promoted = numbers
        .until_candidate(&host, "the reign of a good canary", |candidate| candidate["verdict"] == "promoted")
        .await;
    assert_eq!(promoted["digest"], json!(sha256_hex(&stamped("another"))));
    assert_eq!(promoted["releases"].as_array().and_then(|all| all.last()).expect("releases")["by"], "canary");
    assert_eq!(fs::read(host.plugin_dir().join("bench.wasm")).expect("a file"), stamped("another"));
    numbers.put().await;
    assert_eq!(host.terminate().await.code(), Some(0), "{}", host.log_tail());

    let (by_version, failed) = delivered(&host.bucket());
    assert!(by_version.contains_key("hydrant") && by_version.contains_key("another"), "{:?}", by_version.keys());
    assert!(failed.len() >= 100, "{} records failed with the bad canary", failed.len());
    let mut all: Vec<u64> = by_version.into_values().flatten().chain(failed).collect();
    all.sort_unstable();
    assert_eq!(all, (0..numbers.next).collect::<Vec<_>>(), "each record once");
}

/// More versions than a stream keeps ready, so that each change loads the new one.
const VERSIONS: usize = 8;

/// Row P8: a plugin is replaced 100 times under load by default. Every acknowledged record is delivered exactly once,
/// none fails that did not ask to, and each object was made by one version. Says what the changes took of the stream.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reloads_under_load_lose_nothing() {
    let count = number("HYDRANT_RELOADS", 100);
    let seed = seed();
    let mut host = Host::start(streams::setup()).await;
    streams::create(&host.client()).await;
    let versions: [_; VERSIONS] = std::array::from_fn(|at| {
        let bytes = stamped(&if at == 0 { "hydrant".to_owned() } else { format!("vers-{at:02}") });
        (sha256_hex(&bytes), bytes)
    });
    let began = Instant::now();
    let mut producers = Producers::start(&host.client(), &[streams::EDITED], 2, seed);
    for at in 1..=count {
        let (digest, bytes) = &versions[usize::try_from(at).expect("small") % VERSIONS];
        replace(&host.plugin_dir().join("bench.wasm"), bytes);
        let rules =
            until("the other version", LIMIT, async || (shown(&host).await["digest"] == **digest).then_some(()));
        rules.await.unwrap_or_else(|error| panic!("reload {at}: {error}:\n{}", host.log_tail()));
        let put = producers.acknowledged(1, LIMIT).await;
        put.unwrap_or_else(|error| panic!("HYDRANT_SEED={seed}, reload {at}: {error}:\n{}", host.log_tail()));
    }
    let took = began.elapsed();
    let page = host.metrics().await;
    let ledger = producers.stop().await;
    let report = streams::drain_and_check(&mut host, &ledger).await;
    let mut made_by: BTreeMap<String, u64> = BTreeMap::new();
    for object in read_bucket(&host.bucket()).filter(|object| !object.key.contains("processing-failed/")) {
        let lines = object.body.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
        let stamp = |line| serde_json::from_slice::<Value>(line).expect("JSON")["pipeline"].as_str().map(str::to_owned);
        let stamps: BTreeSet<String> = lines.filter_map(stamp).collect();
        assert_eq!(stamps.len(), 1, "HYDRANT_SEED={seed}: {} was made by {stamps:?}", object.key);
        *made_by.entry(stamps.first().expect("one").clone()).or_default() += 1;
    }
    say(&format!("{count} reloads with HYDRANT_SEED={seed}: {report:?}, objects by version: {made_by:?}"));
    say(&format!("{:.0} ms for each", took.as_secs_f64() * 1e3 / count as f64));
    for (part, meaning) in [("pause", "calls stood still"), ("cut", "the object before was sealed, beside calls")] {
        let (name, label) = ("hydrant_plugin_swap_seconds", format!("part=\"{part}\""));
        let at_most = |share| metrics::at_most(&page, name, &[&label], share).unwrap_or(f64::NAN) * 1e3;
        let changes = sum(&page, &format!("{name}_count"), &[&label]);
        let [p50, p99, most] = [0.5, 0.99, 1.0].map(at_most);
        say(&format!("{part} ({meaning}), {changes} changes, ms: p50 <= {p50}, p99 <= {p99}, all <= {most}"));
    }
    let some = VERSIONS.min(usize::try_from(count).expect("small") + 1);
    assert!(
        made_by.len() == some && made_by.values().sum::<u64>() >= count,
        "too few objects to prove much: {made_by:?}"
    );
}

/// Replaces a file at once, as a deployment does.
fn replace(file: &Path, bytes: &[u8]) {
    let beside: PathBuf = file.with_extension("new");
    fs::write(&beside, bytes).expect("a file");
    fs::rename(&beside, file).expect("a rename");
}
