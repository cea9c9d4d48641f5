//! Journals written by the releases that first had something new in them: every later one must read them, or say that it
//! cannot.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::super::group::Action;
use super::super::inspect;
use super::super::note::{Delivered, Exceeding, Failing, Span};
use super::super::sim::SimDisk;
use super::support::{definition, one, open, records, seal, settle};
use crate::record::{Epoch, Partition, PluginVersion, StreamId};

const DIRECTORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/journal/golden");

/// Writes one of everything.
fn write() -> SimDisk {
    let disk = SimDisk::new(1);
    let (mut log, _) = open(&disk).unwrap();
    let stream = StreamId(1);
    let put =
        |size: usize| Action::Append { stream, records: records(&[vec![b'a'; size], b"b".to_vec()]), arrived_ms: 9 };
    let plugins = vec![PluginVersion { name: "clean".to_owned(), digest: "00ff".to_owned() }];
    for action in [
        Action::Create(Box::new(definition("golden", 1))),
        Action::Create(Box::new(definition("gone", 1))),
        put(11_000),
        put(9),
        Action::Epoch(Epoch { stream, from: 0, definition_version: 1, plugins }),
        Action::Attempt(stream, Span { first: 2, end: 4, count: 1 }),
        Action::Seal(seal(stream, 1, 0, 2, 2)),
        Action::Delivered(stream, Delivered { id: seal(stream, 1, 0, 2, 2).id }),
        Action::Update(stream, Box::new(definition("golden", 2))),
        Action::Delete(StreamId(2)),
        put(3),
        Action::Seal(seal(stream, 2, 2, 3, 2)),
    ] {
        one(&mut log, action).unwrap();
    }
    one(&mut log, put(9_000)).unwrap();
    settle(&mut log);
    one(&mut log, Action::Checkpoint(stream, 2)).ok();
    disk
}

/// Asserts that the files below `name` are what `write` writes; answers with them. `UPDATE=1` writes them anew, which only
/// a new format version may do.
pub(super) fn golden(name: &str, write: impl Fn() -> SimDisk) -> SimDisk {
    let directory = Path::new(DIRECTORY).join(name);
    if std::env::vars().any(|(name, value)| name == "UPDATE" && value == "1") {
        std::fs::create_dir_all(&directory).unwrap();
        for (name, bytes) in write().files() {
            std::fs::write(directory.join(name), bytes).unwrap();
        }
    }
    let disk = SimDisk::new(5);
    for entry in std::fs::read_dir(&directory).unwrap() {
        let entry = entry.unwrap();
        disk.put(&entry.file_name().into_string().unwrap(), &std::fs::read(entry.path()).unwrap());
    }
    let without_zeros = |files: BTreeMap<String, Vec<u8>>| -> Vec<(String, Vec<u8>)> {
        let end = |bytes: &[u8]| bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        files.into_iter().map(|(name, bytes)| (name, bytes[..end(&bytes)].to_vec())).collect()
    };
    assert!(without_zeros(disk.files()) == without_zeros(write().files()), "the format changed");
    assert!(inspect::verify_storage(&disk).unwrap().is_intact());
    disk
}

/// Row D13.
#[test]
fn the_golden_journal_is_read_and_written_bit_for_bit() {
    let disk = golden("v1", write);
    let (log, recovered) = open(&disk).unwrap();
    assert_eq!(recovered.streams.len(), 1);
    let state = &recovered.streams[0];
    assert_eq!((state.id, state.open_from, state.next), (StreamId(1), 2, 8));
    assert_eq!(state.definitions.iter().map(|one| one.version).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(state.epochs[0].plugins[0].digest, "00ff");
    assert_eq!(state.attempts.iter().map(|one| (one.first, one.end, one.count)).collect::<Vec<_>>(), [(2, 4, 1)]);
    assert_eq!(state.undelivered, [Arc::clone(&seal(StreamId(1), 2, 2, 3, 2))]);
    assert_eq!(state.marks.get(&Partition::Main), Some(&3));
    let read = log.read(StreamId(1), 2, 1).unwrap();
    assert_eq!(
        (read[0].first, read[0].records.record(0), &read[0].arrived_ms[..]),
        (2, &b"aaaaaaaaa"[..], &[9, 9][..])
    );
}

/// Row D13: records beyond the active partitions, in notes and in a snapshot.
#[test]
fn the_golden_refusals_are_read_and_written_bit_for_bit() {
    let stream = StreamId(1);
    let exceeding = |records: &[u64]| Exceeding { records: records.iter().copied().collect() };
    let write = || {
        let disk = SimDisk::new(1);
        let (mut log, _) = open(&disk).unwrap();
        for action in [
            Action::Create(Box::new(definition("golden", 1))),
            Action::Append { stream, records: records(&[b"a".to_vec(), b"b".to_vec(), b"c".to_vec()]), arrived_ms: 9 },
            Action::Exceeding(stream, exceeding(&[0])),
            Action::Snapshot(stream),
            Action::Exceeding(stream, exceeding(&[2])),
        ] {
            one(&mut log, action).unwrap();
        }
        disk
    };
    let (_, recovered) = open(&golden("v1-exceeding", write)).unwrap();
    assert_eq!(recovered.streams[0].exceeding, exceeding(&[0, 2]).records);
}

/// Row D13: deliveries that failed, in notes and in a snapshot, and one that was delivered after all.
#[test]
fn the_golden_failures_are_read_and_written_bit_for_bit() {
    let stream = StreamId(1);
    let failing = |id, since_ms| Action::Failing(stream, Failing { id: seal(stream, id, 0, 1, 1).id, since_ms });
    let write = || {
        let disk = SimDisk::new(1);
        let (mut log, _) = open(&disk).unwrap();
        for action in [
            Action::Create(Box::new(definition("golden", 1))),
            Action::Append { stream, records: records(&[b"a".to_vec(), b"b".to_vec(), b"c".to_vec()]), arrived_ms: 9 },
            Action::Seal(seal(stream, 1, 0, 1, 1)),
            Action::Seal(seal(stream, 2, 1, 2, 2)),
            Action::Seal(seal(stream, 3, 2, 3, 3)),
            failing(1, 1_000),
            failing(2, 2_000),
            Action::Delivered(stream, Delivered { id: seal(stream, 2, 1, 2, 2).id }),
            Action::Snapshot(stream),
            failing(3, 3_000),
        ] {
            one(&mut log, action).unwrap();
        }
        disk
    };
    let (_, recovered) = open(&golden("v1-failing", write)).unwrap();
    let known: Vec<u64> = recovered.streams[0].failing.values().copied().collect();
    assert_eq!((recovered.streams[0].undelivered.len(), known), (2, vec![1_000, 3_000]));
}
