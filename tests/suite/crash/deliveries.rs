//! SIGKILL and power cuts under load while the host delivers to every kind of destination, and while its peers fail,
//! too: answers are lost, COMMITs are cut, PostgreSQL and OpenSearch crash.
//!
//! `HYDRANT_CRASH_CYCLES` and `HYDRANT_POWER_CYCLES` set the number of kills and cuts, `HYDRANT_SEED` repeats a run's
//! choices.

use std::time::Duration;

use fastrand::Rng;
use hydrant_tests::environment::{number, say, seed};
use hydrant_tests::ledger::State;
use hydrant_tests::loop_disk::LoopDisk;
use hydrant_tests::peers::EndpointFault;
use hydrant_tests::peers::redshift::Cut;
use hydrant_tests::producer::Producers;
use tokio::task::block_in_place;

use super::check;
use super::kills::linger;
use super::rig::{ALL, Rig};

/// Connections per stream.
const LANES: u32 = 1;
/// A loaded machine acknowledges a few requests long before this.
const PROGRESS_LIMIT: Duration = Duration::from_secs(120);
/// An OpenSearch node takes its time to come back: it crashes in one cycle of so many.
const SEARCH_CRASHES: u64 = 25;
/// One is enough where the machine is not busy with something else; each may take two minutes.
const MOST_DRAINS: usize = 8;
/// Room for the journal, the plugin copies and the spool.
const DISK_BYTES: u64 = 2 << 30;

/// Rows D1, X2, X5, X6 and X7: each acknowledged record is exactly once where it belongs: in S3 below its partition's
/// prefix, in OpenSearch by id, in Redshift by its ledger, at an HTTP endpoint by request, or in the error output.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_destination_has_every_acknowledged_record_once_after_kill_9() {
    let mut rig = Rig::prepare(None).await;
    rig.host.launch().await;
    cycles(&mut rig, Death::Kill, number("HYDRANT_CRASH_CYCLES", 6)).await;
}

/// Rows D2, X2, X6 and X7: as above, with the power of the host's disk cut.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_destination_has_every_acknowledged_record_once_after_power_cuts() {
    if let Some(reason) = LoopDisk::probe() {
        say(&format!(
            "POWER CUTS NOT TESTED: this machine cannot cut the power of a loop-mounted filesystem: {reason}"
        ));
        return;
    }
    let disk = LoopDisk::create(DISK_BYTES).expect("the probe did the same");
    let data_dir = disk.path().join("data");
    std::fs::create_dir(&data_dir).expect("a data directory");
    let mut rig = Rig::prepare(Some(data_dir)).await;
    // The set-up itself must survive: it is the tests' work, not the host's.
    rustix::fs::syncfs(std::fs::File::open(disk.path()).expect("the disk")).expect("a sync");
    rig.host.launch().await;
    cycles(&mut rig, Death::PowerCut(disk), number("HYDRANT_POWER_CYCLES", 3)).await;
}

/// How the host ends.
enum Death {
    Kill,
    PowerCut(LoopDisk),
}

impl Death {
    /// Ends the host and starts it again.
    async fn strike(&mut self, rig: &mut Rig, producers: &Producers, said: &str) {
        match self {
            Self::Kill => rig.host.kill(),
            Self::PowerCut(disk) => {
                // Answers count up to the cut, as in `power_cut`.
                producers.lose_answers();
                disk.cut_power().unwrap_or_else(|error| panic!("{said}: {error}"));
                rig.host.kill();
                producers.lose_answers();
                disk.power_on().unwrap_or_else(|error| panic!("{said}: {error}"));
            }
        }
        rig.host.launch().await;
    }
}

async fn cycles(rig: &mut Rig, mut death: Death, count: u64) {
    let seed = seed();
    let how = if matches!(death, Death::Kill) { "kills" } else { "power cuts" };
    let said = format!("{count} {how} among deliveries with HYDRANT_SEED={seed}");
    let mut rng = Rng::with_seed(seed);
    rig.create().await;
    let mut producers = Producers::start(&rig.host.client(), &ALL, LANES, seed);
    for cycle in 0..count {
        let said = format!("{said}, cycle {cycle}");
        let crashes = cycle % SEARCH_CRASHES == 2;
        let mut trouble = Trouble::start(rig, &mut rng, crashes);
        progress(rig, &mut producers, rng.u64(1..40), &said).await;
        linger(&rig.host, Duration::from_millis(rng.u64(0..300)), &said).await;
        if rng.u8(0..3) == 0 {
            rig.repartition().await;
        }
        if rng.bool() {
            trouble.end(rig);
        }
        death.strike(rig, &producers, &said).await;
        linger(&rig.host, Duration::from_millis(rng.u64(0..100)), &said).await;
        trouble.end(rig);
    }
    progress(rig, &mut producers, 1, &said).await;
    let ledger = producers.stop().await;
    drain(rig, &said).await;
    let report = check::everything(rig, &ledger).await;
    let report = report.unwrap_or_else(|wrong| panic!("{said}: {wrong}\nthe log ends:\n{}", rig.host.log_tail()));
    let (acked, unknown) = (ledger.count(State::Acked), ledger.count(State::Unknown));
    say(&format!("{said}: {acked} acknowledged, {unknown} unknown; {report:#?}"));
    assert!(acked > 0, "{said}: a run without an acknowledged record proves nothing");
    let all = report.values().all(|report| report.delivered > 0);
    assert!(all, "{said}: a destination without a record proves nothing: {report:?}");
}

/// Drains the host, in as many goes as a slow machine needs: what one has no time for is left to the next.
async fn drain(rig: &mut Rig, said: &str) {
    for _ in 0..MOST_DRAINS {
        if rig.host.terminate().await.code() == Some(0) {
            return;
        }
        rig.host.launch().await;
    }
    panic!("{said}: {MOST_DRAINS} drains deliver less than everything; the log ends:\n{}", rig.host.log_tail());
}

async fn progress(rig: &Rig, producers: &mut Producers, more: u64, said: &str) {
    if let Err(error) = producers.acknowledged(more, PROGRESS_LIMIT).await {
        panic!("{said}: {error}; the log ends:\n{}", rig.host.log_tail());
    }
}

/// What else fails while the host lives, and may fail on while it starts again.
#[derive(Default)]
struct Trouble {
    search_is_down: bool,
    database_is_down: bool,
    copies_are_held: bool,
}

impl Trouble {
    fn start(rig: &mut Rig, rng: &mut Rng, crashes_search: bool) -> Self {
        if rng.u8(0..3) == 0 {
            rig.cluster.cut(if rng.bool() { Cut::BeforeCommit } else { Cut::AfterCommit });
        }
        if rng.u8(0..3) == 0 {
            rig.proxy.lose_answers("POST", "_bulk", rng.usize(1..3));
        }
        if rng.bool() {
            let faults = [
                EndpointFault::LoseAnswer,
                EndpointFault::Cut,
                EndpointFault::CutAnswer,
                EndpointFault::Status(503),
                EndpointFault::OtherId,
            ];
            rig.receiver.misbehave(&[faults[rng.usize(0..faults.len())]]);
        }
        let copies_are_held = rng.u8(0..4) == 0;
        rig.cluster.hold_copies(copies_are_held);
        let database_is_down = rng.u8(0..6) == 0;
        if database_is_down {
            block_in_place(|| rig.cluster.postgres.crash());
        }
        if crashes_search {
            rig.search.kill();
        }
        Self { search_is_down: crashes_search, database_is_down, copies_are_held }
    }

    /// Repairs what is broken; a second time there is nothing to do.
    fn end(&mut self, rig: &mut Rig) {
        let Self { search_is_down, database_is_down, copies_are_held } = std::mem::take(self);
        if copies_are_held {
            rig.cluster.hold_copies(false);
        }
        if database_is_down {
            block_in_place(|| rig.cluster.postgres.restart());
        }
        if search_is_down {
            block_in_place(|| rig.search.restart());
        }
    }
}
