//! Power cuts on a loop-mounted ext4: what was not synced is gone, and fsync fails from then on.
//!
//! kill -9 proves nothing about fsync, because the page cache survives it; this does. Needs root and loop devices.
//! Where a probe of the whole cycle shows that the machine cannot do it, the test says so and passes.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;

use hydrant_tests::client::BUCKET;
use hydrant_tests::environment::{number, say, seed};
use hydrant_tests::host::Host;
use hydrant_tests::ledger::State;
use hydrant_tests::loop_disk::LoopDisk;
use hydrant_tests::producer::Producers;

use crate::streams;

/// Room for the journal, the plugin copies and what a run delivers.
const DISK_BYTES: u64 = 2 << 30;
/// A loaded machine acknowledges a few requests long before this.
const PROGRESS_LIMIT: Duration = Duration::from_secs(60);

/// Rows D2 (un-synced pages gone), D6 (missing directory fsync) and D9 (fsync fails for real after the cut): journal
/// and embedded S3 server both on the disk that loses power.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledged_record_survives_power_cuts_with_the_objects_on_the_same_disk() {
    cycles(number("HYDRANT_POWER_CYCLES", 10), Objects::SameDisk).await;
}

/// Rows D2 and D7 (delete order): the objects lie elsewhere, so the journal alone must remember what it delivered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledged_record_survives_power_cuts_with_the_objects_elsewhere() {
    cycles(number("HYDRANT_POWER_CYCLES", 10), Objects::Elsewhere).await;
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Objects {
    SameDisk,
    Elsewhere,
}

async fn cycles(count: u64, objects: Objects) {
    if let Some(reason) = LoopDisk::probe() {
        say(&format!(
            "POWER CUTS NOT TESTED: this machine cannot cut the power of a loop-mounted filesystem: {reason}"
        ));
        return;
    }
    let seed = seed();
    let said = format!("{count} power cuts with HYDRANT_SEED={seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut disk = LoopDisk::create(DISK_BYTES).expect("the probe did the same");
    let elsewhere = tempfile::tempdir().expect("a temporary folder");
    let data_dir = disk.path().join("data");
    fs::create_dir(&data_dir).expect("a data directory");
    if objects == Objects::Elsewhere {
        fs::create_dir(elsewhere.path().join(BUCKET)).expect("a bucket");
        symlink(elsewhere.path(), data_dir.join("s3")).expect("a link");
    }
    let mut host = Host::prepare(hydrant_tests::host::Setup { data_dir: Some(data_dir), ..streams::setup() });
    // The set-up itself must survive: it is the tests' work, not the host's.
    rustix::fs::syncfs(fs::File::open(disk.path()).expect("the disk")).expect("a sync");
    host.launch().await;
    streams::create(&host.client()).await;
    let mut producers = Producers::start(&host.client(), &streams::ALL, 2, seed);
    for cycle in 0..count {
        if let Err(error) = producers.acknowledged(rng.u64(1..60), PROGRESS_LIMIT).await {
            panic!("{said}, cycle {cycle}: {error}; the log ends:\n{}", host.log_tail());
        }
        // A machine without power answers nothing, but this one runs on: an fdatasync that is under way when ext4 is
        // shut down may return success for what it lost (2 of 40 cuts under a bare write-and-sync loop), and the host
        // would pass that on. Answers count up to the cut.
        producers.lose_answers();
        disk.cut_power().unwrap_or_else(|error| panic!("{said}: {error}"));
        host.kill();
        producers.lose_answers();
        disk.power_on().unwrap_or_else(|error| panic!("{said}: {error}"));
        host.launch().await;
    }
    producers.acknowledged(1, PROGRESS_LIMIT).await.unwrap_or_else(|error| panic!("{said}: {error}"));
    let ledger = producers.stop().await;
    let report = streams::drain_and_check(&mut host, &ledger).await;
    say(&format!("{said}: {} acknowledged; {report:?}", ledger.count(State::Acked)));
}

/// Row D9: a host whose disk fails under it acknowledges nothing more and does not pretend to be ready.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_whose_disk_is_gone_stops_acknowledging() {
    if let Some(reason) = LoopDisk::probe() {
        say(&format!("A FAILING DISK NOT TESTED: this machine cannot shut a loop-mounted filesystem down: {reason}"));
        return;
    }
    let disk = LoopDisk::create(DISK_BYTES).expect("the probe did the same");
    let setup = hydrant_tests::host::Setup { data_dir: Some(disk.path().join("data")), ..streams::setup() };
    let mut host = Host::start(setup).await;
    let client = host.client();
    streams::create(&client).await;
    client.put(streams::GZIP, &[b"{}\n"]).await;
    disk.cut_power().expect("the probe did the same");
    let body = serde_json::json!({"DeliveryStreamName": streams::GZIP, "Record": {"Data": "e30K"}});
    let answer = client.call("PutRecord", &body).await;
    assert!(!answer.as_ref().is_ok_and(|answer| answer.status.is_success()), "acknowledged without a disk: {answer:?}");
    let unready = hydrant_tests::wait::until("unreadiness", Duration::from_secs(30), async || {
        let ready = host.admin("/readyz").await.is_ok_and(|answer| answer.status.is_success());
        (!ready).then_some(())
    });
    unready.await.unwrap_or_else(|error| panic!("{error}; the log ends:\n{}", host.log_tail()));
    host.kill();
}
