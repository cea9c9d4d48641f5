//! Line 5: the journal, seen from outside. Its rows are proven beside its code, over simulated disks.

use hydrant_tests::environment::seed;
use hydrant_tests::host::Host;
use hydrant_tests::producer::Producers;

use crate::streams;
use crate::tidy::{files, read};

/// Line 5: after a kill, `journal verify` finds no damage, and the next start delivers everything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_hosts_journal_verifies_and_is_delivered() {
    let mut host = Host::start(streams::setup()).await;
    streams::create(&host.client()).await;
    let mut producers = Producers::start(&host.client(), &streams::ALL, 2, seed());
    producers.acknowledged(30, std::time::Duration::from_secs(60)).await.expect("progress");
    host.kill();
    let ledger = producers.stop().await;
    let place = host.data_dir().to_string_lossy().into_owned();
    for verb in ["inspect", "verify"] {
        let output = host.command(&["journal", verb, &place]);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    }
    host.launch().await;
    streams::drain_and_check(&mut host, &ledger).await;
}

/// Line 5: the format is specified where it is implemented, and a file written by the first version is kept.
#[test]
fn the_format_is_specified_and_a_golden_file_is_kept() {
    let spec = files("host/src/journal", "rs").into_iter().find(|file| file.ends_with("journal/mod.rs"));
    let spec = read(&spec.expect("the journal has a mod.rs"));
    let documented = spec.lines().filter(|line| line.starts_with("//!")).count();
    assert!(documented > 40, "journal/mod.rs specifies the format in {documented} lines");
    let golden = hydrant_tests::checker::files_below(&hydrant_tests::environment::repository().join("host"));
    let is_golden = |path: &std::path::Path| path.to_string_lossy().contains("golden");
    assert!(golden.iter().any(|path| is_golden(path)), "a golden journal file lies below host/");
}
