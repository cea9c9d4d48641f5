//! Line 10: health, readiness, metrics and logs of a running host.

use std::time::Duration;

use hydrant_tests::host::Host;
use hydrant_tests::metrics::sum;
use hydrant_tests::wait::until;
use serde_json::Value;

use crate::streams;

/// Line 10: accepted, durable, transformed, dropped, failed, sealed and delivered are counted apart, in records and
/// bytes, and add up once everything is delivered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_step_of_a_record_is_counted() {
    let host = Host::start(streams::setup()).await;
    let client = host.client();
    streams::create(&client).await;
    let records: [&[u8]; 4] = [br#"{"level":"info"}"#, br#"{"level":"debug"}"#, b"no json", br#"{"level":"warn"}"#];
    client.put(streams::EDITED, &records).await;
    let stream = format!("stream=\"{}\"", streams::EDITED);
    let all_delivered = until("delivery of all of it", Duration::from_secs(60), async || {
        let page = host.metrics().await;
        (sum(&page, "hydrant_deliver_delivered_records_total", &[&stream]) >= 2.0).then_some(page)
    });
    let page = all_delivered.await.unwrap_or_else(|error| panic!("{error}:\n{}", host.log_tail()));
    let table = [
        ("api_accepted", 4.0),
        ("journal_durable", 4.0),
        ("process_transformed", 2.0),
        ("process_dropped", 1.0),
        ("process_failed", 1.0),
        ("batch_sealed", 2.0),
        ("deliver_delivered", 2.0),
    ];
    for (step, expected) in table {
        let records = sum(&page, &format!("hydrant_{step}_records_total"), &[&stream]);
        assert_eq!(records, expected, "{step} in:\n{page}");
        assert!(sum(&page, &format!("hydrant_{step}_bytes_total"), &[&stream]) > 0.0, "{step} bytes");
    }
    for name in ["hydrant_journal_fsync_seconds_count", "hydrant_plugin_seconds_count", "hydrant_journal_bytes"] {
        assert!(sum(&page, name, &[]) > 0.0, "{name} in:\n{page}");
    }
    assert!(page.contains("hydrant_deliver_freshness_milliseconds"), "{page}");
}

/// Line 10: a host that drains is alive and no longer ready; one that runs is both.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_and_readiness_answer() {
    let mut host = Host::start(streams::setup()).await;
    for path in ["/healthz", "/readyz"] {
        assert!(host.admin(path).await.expect("an answer").status.is_success(), "{path}");
    }
    assert_eq!(host.admin("/nothing").await.expect("an answer").status, 404);
    assert_eq!(host.terminate().await.code(), Some(0));
}

/// Line 10: `log.format = "json"` makes every line of the log one JSON object.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn json_logs_are_json() {
    let setup = hydrant_tests::host::Setup { tables: "[log]\nformat = \"json\"".into(), ..streams::setup() };
    let mut host = Host::start(setup).await;
    assert_eq!(host.terminate().await.code(), Some(0));
    let log = host.log();
    assert!(!log.trim().is_empty());
    for line in log.lines() {
        let value: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(value.is_object(), "{line}");
    }
}
