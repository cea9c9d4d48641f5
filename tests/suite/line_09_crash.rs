//! Line 9: SIGKILL under load, restart, and a checker that reads everything.
//!
//! [`crate::crash`] holds the full number of kills, [`crate::power_cut`] the power cuts; the simulation of a crash at
//! every I/O operation lies beside the journal.

/// Line 9 at small scale: three kills and a drain.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_kills_lose_and_repeat_nothing() {
    crate::crash::cycles(3).await;
}
