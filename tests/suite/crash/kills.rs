//! SIGKILL under load on three streams to the embedded S3 server.
//!
//! `HYDRANT_CRASH_CYCLES` (or `make crash CYCLES=500`) sets the number of kills, `HYDRANT_SEED` repeats a run's
//! choices. The instants are counted in acknowledgements and in milliseconds, so kills fall into recovery, into
//! sealing and into delivery as well as into appends.

use std::time::Duration;

use hydrant_tests::environment::{number, say, seed};
use hydrant_tests::host::Host;
use hydrant_tests::ledger::State;
use hydrant_tests::producer::Producers;

use crate::streams;

/// Connections per stream.
const LANES: u32 = 2;
/// A loaded machine acknowledges a few requests long before this.
const PROGRESS_LIMIT: Duration = Duration::from_secs(60);

/// Rows D1 (crash at any instruction), D3 (torn tail), X2 and X7 (deliveries cut off and repeated): 25 kills by
/// default, every acknowledged record exactly once afterwards.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledged_record_survives_kill_9() {
    cycles(number("HYDRANT_CRASH_CYCLES", 25)).await;
}

/// Kills the host `count` times under load and checks what it delivered.
pub(crate) async fn cycles(count: u64) {
    let seed = seed();
    let said = format!("{count} kills with HYDRANT_SEED={seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut host = Host::start(streams::setup()).await;
    streams::create(&host.client()).await;
    let mut producers = Producers::start(&host.client(), &streams::ALL, LANES, seed);
    for cycle in 0..count {
        if rng.u8(0..4) == 0 {
            kill_young(&mut host, &mut rng).await;
        }
        let more = rng.u64(1..40);
        if let Err(error) = producers.acknowledged(more, PROGRESS_LIMIT).await {
            panic!("{said}, cycle {cycle}: {error}; the log ends:\n{}", host.log_tail());
        }
        linger(&host, Duration::from_millis(rng.u64(0..300)), &said).await;
        host.kill();
        host.launch().await;
    }
    producers.acknowledged(1, PROGRESS_LIMIT).await.unwrap_or_else(|error| panic!("{said}: {error}"));
    let ledger = producers.stop().await;
    let report = streams::drain_and_check(&mut host, &ledger).await;
    let (acked, unknown) = (ledger.count(State::Acked), ledger.count(State::Unknown));
    say(&format!("{said}: {acked} acknowledged, {unknown} unknown; {report:?}"));
    assert!(count < 20 || report.objects > count, "{said}: too little was delivered to prove much: {report:?}");
}

/// Kills the running host, and its successor at an instant that is likely to fall into recovery.
async fn kill_young(host: &mut Host, rng: &mut fastrand::Rng) {
    host.kill();
    host.spawn();
    linger(host, Duration::from_millis(rng.u64(0..150)), "while it recovers").await;
    host.kill();
    host.launch().await;
}

/// Lets the host live for `span`, and fails when it ends by itself in that time.
pub(super) async fn linger(host: &Host, span: Duration, said: &str) {
    let ended = hydrant_tests::wait::until("its end", span, async || (!host.is_running()).then_some(())).await;
    assert!(ended.is_err(), "{said}: the host ended by itself; the log ends:\n{}", host.log_tail());
}
