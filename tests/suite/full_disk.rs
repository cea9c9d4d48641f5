//! A disk that is full: puts are refused in Firehose's own way, nothing acknowledged is lost, and the host opens again
//! by itself when there is room.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use hydrant_tests::checker::{Checker, Processing, read_bucket};
use hydrant_tests::client::{BUCKET, Payload};
use hydrant_tests::environment::say;
use hydrant_tests::evidence::{Id, record};
use hydrant_tests::host::{Host, Setup};
use hydrant_tests::ledger::{Ledger, State};
use hydrant_tests::loop_disk::{LoopDisk, free_bytes};
use hydrant_tests::wait::until;
use hyper::StatusCode;
use serde_json::json;

/// Several journal segments, and small enough to be filled in a second.
const DISK_BYTES: u64 = 512 << 20;
/// What the ballast leaves: less than it takes to be comfortable.
const LEFT_BYTES: u64 = 64 << 20;
/// Enough to fill what is left more than once.
const MOST_REQUESTS: u64 = 3_000;
const STREAM: &str = "full";
/// Records of a request, together about 100 KB: refusal must come within some hundred of them.
const BATCH: u64 = 500;

/// Row D8: 503 `ServiceUnavailableException` before the disk is full, deliveries go on, intake opens again when room
/// appears, and the checker finds everything that was acknowledged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_puts_and_loses_nothing() {
    if let Some(reason) = LoopDisk::probe() {
        say(&format!("A FULL DISK NOT TESTED: this machine cannot mount a small filesystem: {reason}"));
        return;
    }
    let disk = LoopDisk::create(DISK_BYTES).expect("the probe did the same");
    let objects = tempfile::tempdir().expect("a temporary folder");
    let data_dir = disk.path().join("data");
    fs::create_dir(&data_dir).expect("a data directory");
    fs::create_dir(objects.path().join(BUCKET)).expect("a bucket");
    symlink(objects.path(), data_dir.join("s3")).expect("a link");
    let mut host = Host::start(Setup { data_dir: Some(data_dir), ..Setup::default() }).await;
    let client = host.client();
    // Nothing is cut before the drain, so the journal can only grow.
    client.create_stream(STREAM, json!({"BufferingHints": {"SizeInMBs": 128, "IntervalInSeconds": 900}})).await;
    let ballast = disk.path().join("ballast");
    allocate(&ballast, free_bytes(&disk.path()).saturating_sub(LEFT_BYTES));

    let mut ledger = Ledger::default();
    let refusal = fill(&client, &mut ledger).await;
    assert_eq!(refusal, (StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailableException".to_owned()));
    assert!(host.is_running(), "a full disk must not end the host:\n{}", host.log_tail());
    let live = host.admin("/healthz").await.expect("the admin port answers");
    assert!(live.status.is_success(), "a full disk must not make the host unhealthy");

    fs::remove_file(&ballast).expect("the ballast goes");
    let opened = until("an acknowledgement after room appeared", Duration::from_secs(60), async || {
        put(&client, &mut ledger).await.is_none().then_some(())
    });
    opened.await.unwrap_or_else(|error| panic!("{error}; the log ends:\n{}", host.log_tail()));

    assert_eq!(host.terminate().await.code(), Some(0));
    let report = Checker::new(&ledger, &[(STREAM, Processing::None)]).check(read_bucket(&host.bucket()));
    let report = report.unwrap_or_else(|wrong| panic!("{wrong}\nthe log ends:\n{}", host.log_tail()));
    assert_eq!(report.delivered, ledger.count(State::Acked));
}

/// Puts until the first refusal, and returns its status and error type.
async fn fill(client: &hydrant_tests::client::Client, ledger: &mut Ledger) -> (StatusCode, String) {
    for _ in 0..MOST_REQUESTS {
        if let Some(refusal) = put(client, ledger).await {
            return refusal;
        }
    }
    panic!("{MOST_REQUESTS} requests were taken by a disk that has no room for them");
}

/// One batch of large records; the refusal, if it was refused.
async fn put(client: &hydrant_tests::client::Client, ledger: &mut Ledger) -> Option<(StatusCode, String)> {
    let numbers = ledger.send(STREAM, 0, BATCH);
    let id = |number| Id { stream: STREAM.to_owned(), lane: 0, number };
    let records: Vec<Vec<u8>> = numbers.clone().map(|number| record(&id(number))).collect();
    let payload = Payload::put_record_batch(STREAM, records.iter().map(Vec::as_slice));
    let mut connection = client.connect().await.expect("a full host still accepts connections");
    let answer = connection.call("PutRecordBatch", &payload).await.expect("a full host still answers");
    let acknowledged = answer.status.is_success() && answer.json()["FailedPutCount"] == json!(0);
    // A host that says "full" promises that it stored nothing of the call.
    let state = if acknowledged { State::Acked } else { State::Refused };
    numbers.for_each(|number| ledger.answer(STREAM, 0, number, state));
    (!acknowledged).then(|| (answer.status, answer.error_type()))
}

fn allocate(path: &Path, bytes: u64) {
    let file = fs::File::create(path).expect("a ballast file");
    rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, bytes).expect("room for the ballast");
}
