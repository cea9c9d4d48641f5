//! How a host ends: by SIGTERM, by SIGKILL, and because another one is there already.

use std::time::{Duration, Instant};

use hydrant_tests::checker::read_bucket;
use hydrant_tests::environment::seed;
use hydrant_tests::host::{Host, TEST_TABLES};
use hydrant_tests::ledger::State;
use hydrant_tests::producer::Producers;

use crate::streams;

/// A loaded machine acknowledges a few requests long before this.
const PROGRESS_LIMIT: Duration = Duration::from_secs(60);

/// Row X14: SIGTERM under load stops intake, delivers what is buffered and exits with 0; nothing that was
/// acknowledged depends on it, because the same load ended by SIGKILL delivers as much after the next start.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_and_sigkill_deliver_the_same() {
    for end in [End::Term, End::Kill] {
        let mut host = Host::start(streams::setup()).await;
        streams::create(&host.client()).await;
        let mut producers = Producers::start(&host.client(), &streams::ALL, 2, seed());
        producers.acknowledged(50, PROGRESS_LIMIT).await.expect("progress");
        match end {
            End::Term => assert_eq!(host.terminate().await.code(), Some(0), "{}", host.log_tail()),
            End::Kill => host.kill(),
        }
        let ledger = producers.stop().await;
        host.launch().await;
        streams::drain_and_check(&mut host, &ledger).await;
    }
}

#[derive(Clone, Copy)]
enum End {
    Term,
    Kill,
}

/// Row X14: after a clean drain everything is delivered and the next start finds nothing to do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drained_host_has_delivered_everything_before_it_ends() {
    let mut host = Host::start(streams::setup()).await;
    streams::create(&host.client()).await;
    let mut producers = Producers::start(&host.client(), &streams::ALL, 1, seed());
    producers.acknowledged(20, PROGRESS_LIMIT).await.expect("progress");
    let ledger = producers.stop().await;
    let report = streams::drain_and_check(&mut host, &ledger).await;
    let before = read_bucket(&host.bucket()).count();
    host.launch().await;
    assert_eq!(host.terminate().await.code(), Some(0));
    assert_eq!(read_bucket(&host.bucket()).count(), before, "{report:?} was delivered again");
    assert!(ledger.count(State::Acked) > 0);
}

/// Row D12: a second process on the same directory ends with a clear text and leaves the first alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_process_on_the_same_directory_ends_at_once() {
    let mut first = Host::start(streams::setup()).await;
    streams::create(&first.client()).await;
    let setup = hydrant_tests::host::Setup { data_dir: Some(first.data_dir().to_path_buf()), ..streams::setup() };
    let mut second = Host::prepare(setup);
    second.spawn();
    let status = second.exited(Duration::from_secs(60)).await;
    assert!(status.code().is_some_and(|code| code != 0), "{status}");
    let log = second.log();
    let place = first.data_dir().file_name().expect("a name").to_string_lossy().into_owned();
    assert!(log.contains("error:") && log.contains(&place), "the text names the directory:\n{log}");
    first.client().put(streams::GZIP, &[b"{}\n"]).await;
    assert_eq!(first.terminate().await.code(), Some(0));
}

/// Row D14: a journal of many segments that could not be delivered is read at the next start, and is delivered then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backlog_of_many_segments_is_delivered_after_a_restart() {
    let mut host = Host::prepare(streams::setup());
    // Nobody listens there, so nothing can be delivered.
    let nowhere = format!("http://{}", hydrant_tests::host::free_address());
    host.write_config(&nowhere, "", TEST_TABLES);
    host.launch().await;
    streams::create(&host.client()).await;
    let mut producers = Producers::start(&host.client(), &[streams::GZIP], 4, seed());
    let started = Instant::now();
    while segments(&host) < 4 {
        producers.acknowledged(20, PROGRESS_LIMIT).await.expect("progress");
        assert!(started.elapsed() < Duration::from_secs(240), "the journal does not grow");
    }
    let ledger = producers.stop().await;
    host.kill();
    host.write_config("embedded", "", TEST_TABLES);
    host.launch().await;
    streams::drain_and_check(&mut host, &ledger).await;
}

/// Large files below the data directory: journal segments, whatever they are called. A full one may be cut a little
/// short of the 16 MiB it was given.
fn segments(host: &Host) -> usize {
    let files = hydrant_tests::checker::files_below(host.data_dir());
    files.iter().filter(|file| file.metadata().is_ok_and(|data| data.len() >= 8 << 20)).count()
}
