//! The streams that crash tests write to, and the check that follows. Shared by the tests that end a host badly.

use hydrant_tests::checker::{Checker, Processing, Report, read_bucket};
use hydrant_tests::client::{Client, through_plugin};
use hydrant_tests::evidence::Fate;
use hydrant_tests::host::{Host, Setup, plugin};
use hydrant_tests::ledger::{Ledger, State};
use serde_json::json;

/// Cut often by size, so that seals and deliveries happen all the time.
pub(crate) const GZIP: &str = "gzip";
/// Delivered at once, so that every kill hits a delivery.
pub(crate) const AT_ONCE: &str = "at-once";
/// Through the plugin that obeys each record's fate.
pub(crate) const EDITED: &str = "edited";
/// The plugin, from `plugins/`: drops level `debug`, fails what is no JSON, adds a member.
pub(crate) const PLUGIN: &str = "bench";

/// All three.
pub(crate) const ALL: [&str; 3] = [GZIP, AT_ONCE, EDITED];

/// A host's set-up with the plugin in its folder.
pub(crate) fn setup() -> Setup {
    Setup { plugins: vec![(PLUGIN.to_owned(), plugin(PLUGIN))], ..Setup::default() }
}

/// Creates all three.
pub(crate) async fn create(client: &Client) {
    let soon = json!({"SizeInMBs": 1, "IntervalInSeconds": 1});
    client.create_stream(GZIP, json!({"CompressionFormat": "GZIP", "BufferingHints": soon})).await;
    let at_once = json!({"SizeInMBs": 1, "IntervalInSeconds": 0});
    client.create_stream(AT_ONCE, json!({"BufferingHints": at_once})).await;
    let mut processing = through_plugin(PLUGIN);
    // What a plugin replaces need not end in a newline; the delimiter makes lines of it again.
    let delimiter = json!({"Type": "AppendDelimiterToRecord"});
    processing["Processors"].as_array_mut().expect("a list").push(delimiter);
    let edited = json!({"CompressionFormat": "GZIP", "BufferingHints": soon, "ProcessingConfiguration": processing});
    client.create_stream(EDITED, edited).await;
}

/// Drains the host with SIGTERM, then holds everything it delivered against the ledger.
pub(crate) async fn drain_and_check(host: &mut Host, ledger: &Ledger) -> Report {
    let status = host.terminate().await;
    assert_eq!(status.code(), Some(0), "a drain ends with 0; the log ends:\n{}", host.log_tail());
    let bucket = host.bucket();
    check(ledger, &bucket, host)
}

fn check(ledger: &Ledger, bucket: &std::path::Path, host: &Host) -> Report {
    let kinds = [(GZIP, Processing::None), (AT_ONCE, Processing::None), (EDITED, Processing::Plugin)];
    let report = Checker::new(ledger, &kinds).check(read_bucket(bucket));
    let report = report.unwrap_or_else(|wrong| panic!("{wrong}\nthe log ends:\n{}", host.log_tail()));
    let acknowledged = ledger.count(State::Acked);
    assert!(acknowledged > 0, "a run without an acknowledged record proves nothing");
    let mut edited = 0;
    let mut dropped = 0;
    for (stream, _, states) in ledger.lanes() {
        for (number, _) in (0..).zip(states).filter(|(_, state)| **state == State::Acked) {
            edited += u64::from(stream == EDITED && Fate::of(number) == Fate::Fail);
            dropped += u64::from(stream == EDITED && Fate::of(number) == Fate::Drop);
        }
    }
    assert!(report.failed >= edited && report.dropped == dropped, "{report:?}: {edited} failed, {dropped} dropped");
    assert!(report.delivered + report.failed + report.dropped >= acknowledged, "{report:?} for {acknowledged}");
    report
}
