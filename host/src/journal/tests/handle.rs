//! The handle and its thread, on real files and on storage that holds still.

use std::io::{self, IoSlice};
use std::sync::{Arc, Condvar, Mutex};

use super::super::error::{AppendError, OpenError};
use super::super::inspect;
use super::super::segment;
use super::super::settings::Settings;
use super::super::sim::{Fault, SimDisk};
use super::super::storage::{Disk, File, Lock, LockError, Storage};
use super::super::{Journal, Recovered};
use super::support::{definition, records, seal, settings};
use crate::record::{Records, StreamId};
use crate::runtime::{ManualClock, Random};
use crate::telemetry::JournalMetrics;

fn open(storage: Arc<dyn Storage>, settings: Settings) -> Result<(Journal, Recovered), OpenError> {
    let clock = Arc::new(ManualClock::at(1_000));
    Journal::open(settings, storage, clock, Arc::new(Random::seeded(1)), JournalMetrics::default())
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap()
}

fn text(bytes: &[u8]) -> Records {
    records(&[bytes.to_vec()])
}

/// Everything once, through the public surface, on a real disk.
#[test]
fn a_journal_on_a_real_disk_lives_through_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("data/journal");
    runtime().block_on(async {
        let (journal, recovered) = open(Arc::new(Disk::new(&path)), settings()).unwrap();
        assert!(recovered.is_clean && recovered.streams.is_empty());
        let stream = journal.create_stream(definition("s", 1)).await.unwrap();
        let mut durable = journal.durable_end(stream).unwrap();
        for at in 0..40 {
            let first = journal.append(stream, records(&[vec![at; 700], vec![at]]), 5).await.unwrap();
            assert_eq!(first, u64::from(at) * 2);
        }
        assert_eq!(*durable.borrow_and_update(), 80);
        journal.update_stream(stream, definition("s", 2)).await.unwrap();
        journal.attempt(stream, 0, 2).await.unwrap();
        let sealed = journal.seal((*seal(stream, 1, 0, 10, 10)).clone()).await.unwrap();
        let other = journal.seal((*seal(stream, 2, 10, 20, 20)).clone()).await.unwrap();
        journal.delivered(stream, sealed.id);
        journal.checkpoint(stream, 30);
        journal.close().await;

        let (journal, recovered) = open(Arc::new(Disk::new(&path)), settings()).unwrap();
        assert!(recovered.is_clean && recovered.cut_bytes == 0);
        let state = &recovered.streams[0];
        assert_eq!((state.open_from, state.next, state.undelivered.len()), (30, 80, 1));
        assert_eq!(state.undelivered[0], other);
        let mut at = 11;
        while at < 80 {
            for batch in journal.read(stream, at, 2_000).await.unwrap() {
                assert_eq!(batch.first, at);
                for record in batch.records.iter() {
                    assert_eq!(record[0], u8::try_from(at / 2).unwrap());
                    at += 1;
                }
            }
        }
        assert_eq!(journal.stats().stream_count, 1);
        journal.close().await;
    });
    assert!(inspect::verify(&path).unwrap().is_intact());
    let inspection = inspect::inspect(&path).unwrap();
    assert!(inspection.is_clean && inspection.to_string().contains("000000000000/s"));
}

/// Row D12: a second owner is refused by name, in this process or another; after closing the next one may come.
#[test]
fn one_owner_per_directory() {
    let directory = tempfile::tempdir().unwrap();
    let storage = || Arc::new(Disk::new(directory.path()));
    let (journal, _) = open(storage(), settings()).unwrap();
    let refused = open(storage(), settings()).unwrap_err();
    let expected = format!("journal {} is in use by process {}", directory.path().display(), std::process::id());
    assert_eq!(refused.to_string(), expected);
    let child = std::process::Command::new("flock").args(["-n", "LOCK", "true"]).current_dir(directory.path()).status();
    // The tool is part of every Linux base system; its own failure code is 1.
    assert_eq!(child.unwrap().code(), Some(1));
    runtime().block_on(journal.close());
    assert!(open(storage(), settings()).is_ok());
}

/// Row D9: the poison is seen by whoever watches, and every later call is refused.
#[test]
fn poison_is_announced() {
    let disk = SimDisk::new(1);
    runtime().block_on(async {
        let (journal, _) = open(Arc::new(disk.clone()), settings()).unwrap();
        let stream = journal.create_stream(definition("s", 1)).await.unwrap();
        let mut poisoned = journal.poisoned();
        disk.set_faults(&[Fault::FailFrom(0)]);
        assert_eq!(journal.append(stream, text(b"x"), 1).await, Err(AppendError::Poisoned));
        poisoned.wait_for(|poisoned| *poisoned).await.unwrap();
        assert_eq!(journal.append(stream, text(b"x"), 1).await, Err(AppendError::Poisoned));
        assert_eq!(journal.create_stream(definition("t", 1)).await, Err(AppendError::Poisoned));
        journal.close().await;
    });
}

#[test]
fn a_closed_journal_refuses() {
    runtime().block_on(async {
        let (journal, _) = open(Arc::new(SimDisk::new(1)), settings()).unwrap();
        let clone = journal.clone();
        journal.close().await;
        assert_eq!(clone.append(StreamId(1), text(b"x"), 1).await, Err(AppendError::Closed));
        clone.close().await;
    });
}

/// A gate in front of fdatasync: each one waits until it is let through.
#[derive(Debug, Default)]
struct Gate {
    state: Mutex<GateState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct GateState {
    is_shut: bool,
    waiting: u32,
}

impl Gate {
    fn shut(&self, is_shut: bool) {
        self.state.lock().unwrap().is_shut = is_shut;
        self.changed.notify_all();
    }

    fn pass(&self) {
        let mut state = self.state.lock().unwrap();
        state.waiting += 1;
        self.changed.notify_all();
        while state.is_shut {
            state = self.changed.wait(state).unwrap();
        }
        state.waiting -= 1;
    }

    /// Returns once somebody waits in fdatasync.
    fn wait_for_sync(&self) {
        let mut state = self.state.lock().unwrap();
        while state.waiting == 0 {
            state = self.changed.wait(state).unwrap();
        }
    }
}

#[derive(Debug, Clone)]
struct Gated {
    disk: SimDisk,
    gate: Arc<Gate>,
}

#[derive(Debug)]
struct GatedFile {
    file: Arc<dyn File>,
    gate: Arc<Gate>,
}

impl Storage for Gated {
    fn describe(&self) -> String {
        self.disk.describe()
    }
    fn lock(&self) -> Result<Box<dyn Lock>, LockError> {
        self.disk.lock()
    }
    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }
    fn create(&self, name: &str, bytes: u64) -> io::Result<Arc<dyn File>> {
        Ok(Arc::new(GatedFile { file: self.disk.create(name, bytes)?, gate: Arc::clone(&self.gate) }))
    }
    fn open(&self, name: &str) -> io::Result<Arc<dyn File>> {
        self.disk.open(name)
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(name)
    }
    fn sync_directory(&self) -> io::Result<()> {
        self.disk.sync_directory()
    }
    fn free_bytes(&self) -> io::Result<u64> {
        self.disk.free_bytes()
    }
}

impl File for GatedFile {
    fn length(&self) -> io::Result<u64> {
        self.file.length()
    }
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }
    fn write_at(&self, buffers: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
        self.file.write_at(buffers, offset)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.gate.pass();
        self.file.sync_data()
    }
    fn truncate(&self, bytes: u64) -> io::Result<()> {
        self.file.truncate(bytes)
    }
}

fn gated() -> (Gated, Arc<Gate>) {
    let gate = Arc::<Gate>::default();
    (Gated { disk: SimDisk::new(1), gate: Arc::clone(&gate) }, gate)
}

/// Row D11: a put that comes while an fdatasync runs is not acknowledged by it, whatever it covers by chance; readers
/// see neither before.
#[test]
fn a_put_is_acknowledged_by_a_sync_that_began_after_it_only() {
    let (storage, gate) = gated();
    runtime().block_on(async {
        let (journal, _) = open(Arc::new(storage.clone()), settings()).unwrap();
        let stream = journal.create_stream(definition("s", 1)).await.unwrap();
        let syncs = storage.disk.syncs();
        gate.shut(true);
        let first = tokio::spawn({
            let journal = journal.clone();
            async move { journal.append(stream, text(b"one"), 1).await }
        });
        let waiting = Arc::clone(&gate);
        tokio::task::spawn_blocking(move || waiting.wait_for_sync()).await.unwrap();
        // The first group is written and waits in fdatasync. This one is queued behind it, on purpose with no await
        // in between, and cannot be part of it.
        let mut second = Box::pin(journal.append(stream, text(b"two"), 1));
        let polled = std::future::poll_fn(|context| std::task::Poll::Ready(second.as_mut().poll(context))).await;
        assert!(polled.is_pending() && !first.is_finished());
        assert!(journal.read(stream, 0, 100).await.unwrap().is_empty(), "not durable, not readable");
        gate.shut(false);
        assert_eq!(first.await.unwrap(), Ok(0));
        assert_eq!(second.await, Ok(1));
        assert_eq!(storage.disk.syncs(), syncs + 2, "one fdatasync each");
        journal.close().await;
    });
}

/// Row D10: while the disk hangs the queue takes what it may hold and refuses the rest at once; afterwards everything
/// that was taken is acknowledged, by one fdatasync.
#[test]
fn a_hanging_disk_fills_the_queue_and_no_more() {
    let (storage, gate) = gated();
    let small = Settings { queue_bytes: 1_000, ..settings() };
    runtime().block_on(async {
        let (journal, _) = open(Arc::new(storage.clone()), small).unwrap();
        let stream = journal.create_stream(definition("s", 1)).await.unwrap();
        gate.shut(true);
        let (mut taken, mut refused) = (Vec::new(), 0);
        let put = |journal: &Journal| {
            let journal = journal.clone();
            Box::pin(async move { journal.append(stream, text(&[1; 96]), 1).await })
        };
        let poll = |mut future: std::pin::Pin<Box<dyn Future<Output = Result<u64, AppendError>> + Send>>| async move {
            match std::future::poll_fn(|context| std::task::Poll::Ready(future.as_mut().poll(context))).await {
                std::task::Poll::Pending => Ok(future),
                std::task::Poll::Ready(result) => Err(result),
            }
        };
        taken.push(poll(put(&journal)).await.unwrap_or_else(|_| panic!("an empty queue takes any one request")));
        let waiting = Arc::clone(&gate);
        tokio::task::spawn_blocking(move || waiting.wait_for_sync()).await.unwrap();
        for _ in 0..30 {
            match poll(put(&journal)).await {
                Ok(future) => taken.push(future),
                Err(result) => {
                    assert_eq!(result, Err(AppendError::Busy));
                    refused += 1;
                }
            }
        }
        assert_eq!((taken.len(), refused), (11, 20));
        journal.delivered(stream, seal(stream, 1, 0, 1, 1).id);
        let syncs = storage.disk.syncs();
        gate.shut(false);
        for (at, future) in taken.into_iter().enumerate() {
            assert_eq!(future.await, Ok(at as u64));
        }
        assert_eq!(storage.disk.syncs(), syncs + 2, "the hanging one and one for all others");
        journal.close().await;
    });
}

/// Row D12 and others: what cannot be a journal is refused with its name and nothing is touched.
#[test]
fn foreign_files_are_refused() {
    let check = |bytes: &[u8], expected: &str| {
        let disk = SimDisk::new(1);
        disk.put(&segment::file_name(5), bytes);
        let refused = open(Arc::new(disk.clone()), settings()).unwrap_err();
        assert_eq!(refused.to_string(), expected);
        assert_eq!(disk.files().values().collect::<Vec<_>>(), [bytes]);
    };
    // Row D13: another version, the other byte order, another id, and a text.
    let other = SimDisk::new(2);
    runtime().block_on(async { open(Arc::new(other.clone()), settings()).unwrap().0.close().await });
    let good = other.files()[&segment::file_name(1)].clone();
    let mut newer = good.clone();
    (newer[8], newer[2048 + 8]) = (9, 9);
    check(&newer, "segment 5 has format version 9, this program reads 1");
    let mut swapped = good.clone();
    swapped[..8].reverse();
    swapped[2048..2056].reverse();
    check(&swapped, "file 00000000000000000005.seg is not a journal segment");
    check(&good, "file 00000000000000000005.seg is not a journal segment");
    let text = "these are no zeros ".repeat(1_000);
    check(text.as_bytes(), "header of segment 5 is damaged beyond reading; restore the file or move it away");
}

#[test]
fn impossible_settings_are_refused() {
    let bad = [
        Settings { segment_bytes: 4_096, ..settings() },
        Settings { capacity_bytes: 16_384, ..settings() },
        Settings { recovery_threads: 0, ..settings() },
    ];
    for settings in bad {
        assert!(matches!(open(Arc::new(SimDisk::new(1)), settings), Err(OpenError::Setting(_))));
    }
}

/// Row D14: scanning on two threads finds what one finds.
#[test]
fn threads_find_what_one_finds() {
    let disk = SimDisk::new(1);
    runtime().block_on(async {
        let (journal, _) = open(Arc::new(disk.clone()), settings()).unwrap();
        let streams = [
            journal.create_stream(definition("s", 1)).await.unwrap(),
            journal.create_stream(definition("t", 1)).await.unwrap(),
        ];
        for at in 0..60 {
            journal.append(streams[at % 2], text(&[7; 3_000]), 1).await.unwrap();
        }
        journal.close().await;
    });
    let found = |threads| {
        let (_, recovered) =
            open(Arc::new(disk.restart()), Settings { recovery_threads: threads, ..settings() }).unwrap();
        assert!(recovered.segment_count > 5);
        recovered.streams
    };
    assert_eq!(found(1), found(2));
    assert_eq!(found(1), found(7));
}

/// Definitions hold passwords: nobody but the host's user reads what is on disk.
#[test]
fn segments_are_the_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::new(folder.path().join("journal"));
    let _lock = disk.lock().unwrap();
    disk.create("one", 4096).unwrap();
    let mode = std::fs::metadata(folder.path().join("journal/one")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}
