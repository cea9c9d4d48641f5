//! Bit rot: noticed always, never given out, never costing more than it hit.

use super::super::error::{OpenError, ReadError};
use super::super::frame::Salt;
use super::super::group::Action;
use super::super::inspect::{What, verify_storage};
use super::super::log::Log;
use super::super::scan::{Found, Scanner, find_cut};
use super::super::segment::{self, BLOCK_BYTES, Block};
use super::super::settings::Settings;
use super::super::sim::{SimDisk, Tear};
use super::super::storage::Storage as _;
use super::support::{definition, one, open, open_with, records, settings};
use crate::record::StreamId;

fn put(log: &mut Log, texts: &[Vec<u8>]) -> u64 {
    let records = records(texts);
    one(log, Action::Append { stream: StreamId(1), records, arrived_ms: 1 }).unwrap()
}

fn one_stream(disk: &SimDisk, settings: Settings) -> Log {
    let (mut log, _) = open_with(disk, settings).unwrap();
    one(&mut log, Action::Create(Box::new(definition("s", 1)))).unwrap();
    log
}

/// The frames of a file with one segment, as offset, end and body.
fn frames(disk: &SimDisk, id: u64) -> (Salt, Vec<(u64, u64, Vec<u8>)>) {
    let name = segment::file_name(id);
    let Block::Valid { header, .. } = segment::decode(&disk.files()[&name]) else { panic!("no header") };
    let file = disk.open(&name).unwrap();
    let end = find_cut(&*file, header.salt()).unwrap().end;
    let mut scanner = Scanner::new(&*file, header.salt(), BLOCK_BYTES..end).unwrap();
    let mut frames = Vec::new();
    while let Some(Found::Frame { offset, header, body, .. }) = scanner.next().unwrap() {
        frames.push((offset, offset + header.frame_bytes(), body.to_vec()));
    }
    (header.salt(), frames)
}

/// Row D4: every single bit of a full 64 KiB segment, 524,288 of them, is noticed when it flips; all other frames are
/// found, and no wrong byte comes out.
#[test]
fn every_bit_of_a_segment_may_flip() {
    let disk = SimDisk::new(1);
    let mut log = one_stream(&disk, Settings { segment_bytes: 64 << 10, capacity_bytes: 1 << 20, ..settings() });
    let first = log.active;
    for size in (0_usize..).map(|at| 900 + at * 37 % 700) {
        put(&mut log, &[vec![0x5a; size], vec![0xa5; 11]]);
        if log.active != first {
            break;
        }
    }
    drop(log);
    let bytes = disk.files()[&segment::file_name(first)].clone();
    let (salt, frames) = frames(&disk, first);
    let end = frames.last().unwrap().1;
    assert!(end > (64 << 10) - 2_000);
    std::thread::scope(|scope| {
        for half in 0..2 {
            let (bytes, frames) = (&bytes, &frames);
            scope.spawn(move || {
                for (at, (offset, frame_end, _)) in frames.iter().enumerate().filter(|(at, _)| at % 2 == half) {
                    // Neighbours are scanned with it, so that a flip that reaches them would show.
                    let after = frames.get(at + 1).map_or(*frame_end, |next| next.1);
                    flip_each_bit(bytes, salt, *offset..*frame_end, after, &frames[at..frames.len().min(at + 2)]);
                }
            });
        }
    });
}

fn flip_each_bit(bytes: &[u8], salt: Salt, range: std::ops::Range<u64>, after: u64, expected: &[(u64, u64, Vec<u8>)]) {
    let base = usize::try_from(range.start).unwrap();
    let file =
        Slice { start: base, bytes: std::sync::Mutex::new(bytes[base..usize::try_from(after).unwrap()].to_vec()) };
    for bit in 0..(range.end - range.start) * 8 {
        let at = usize::try_from(bit / 8).unwrap();
        file.bytes.lock().unwrap()[at] ^= 1 << (bit % 8);
        let mut scanner = Scanner::new(&file, salt, range.start..after).unwrap();
        let (mut noticed, mut found) = (false, Vec::new());
        while let Some(next) = scanner.next().unwrap() {
            match next {
                Found::Damage { .. } => noticed = true,
                Found::Frame { offset, header, body, is_padding_clean } => {
                    noticed |= !is_padding_clean;
                    assert!(expected.contains(&(offset, offset + header.frame_bytes(), body.to_vec())), "bit {bit}");
                    found.push(offset);
                }
            }
        }
        assert!(noticed, "bit {bit} of the frame at {} went unnoticed", range.start);
        assert!(expected.iter().skip(1).all(|(offset, ..)| found.contains(offset)), "bit {bit} cost another frame");
        file.bytes.lock().unwrap()[at] ^= 1 << (bit % 8);
    }
}

/// A stretch of a segment, without the cost of a disk.
#[derive(Debug)]
struct Slice {
    start: usize,
    bytes: std::sync::Mutex<Vec<u8>>,
}

impl super::super::storage::File for Slice {
    fn length(&self) -> std::io::Result<u64> {
        Ok((self.start + self.bytes.lock().unwrap().len()) as u64)
    }
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> std::io::Result<usize> {
        let at = usize::try_from(offset).unwrap() - self.start;
        buffer.copy_from_slice(&self.bytes.lock().unwrap()[at..at + buffer.len()]);
        Ok(buffer.len())
    }
    fn write_at(&self, _: &[std::io::IoSlice<'_>], _: u64) -> std::io::Result<usize> {
        panic!("read only")
    }
    fn sync_data(&self) -> std::io::Result<()> {
        panic!("read only")
    }
    fn truncate(&self, _: u64) -> std::io::Result<()> {
        panic!("read only")
    }
}

/// Puts four records, each in a group of its own, damages bytes at `hit`, and opens again.
fn damaged(hit: impl Fn(&[(u64, u64, Vec<u8>)]) -> std::ops::Range<u64>) -> (SimDisk, u64) {
    let disk = SimDisk::new(1);
    let mut log = one_stream(&disk, settings());
    for text in [b"zero", b"one!", b"two!", b"tre!"] {
        put(&mut log, &[text.to_vec()]);
    }
    let id = log.active;
    drop(log);
    let (_, frames) = frames(&disk, id);
    let name = segment::file_name(id);
    let mut bytes = disk.files()[&name].clone();
    for at in hit(&frames) {
        bytes[usize::try_from(at).unwrap()] ^= 0x55;
    }
    disk.put(&name, &bytes);
    (disk, id)
}

fn read_one(log: &Log, from: u64) -> Result<Vec<u8>, ReadError> {
    Ok(log.read(StreamId(1), from, 1)?[0].records.record(0).to_vec())
}

/// Row D4: a bad body with later groups after it was durable: that frame is quarantined and named, the others go on,
/// and the file is kept whatever happens.
#[test]
fn a_damaged_body_costs_its_own_records_only() {
    let (disk, id) = damaged(|frames| frames[2].1 - 8..frames[2].1 - 7);
    let (mut log, recovered) = open(&disk).unwrap();
    assert_eq!((recovered.quarantined.len(), recovered.cut_bytes), (1, 0));
    assert_eq!(recovered.quarantined[0].segment, id);
    let lost = super::super::LostRecords { stream: StreamId(1), first: 1, end: 2 };
    assert_eq!(recovered.lost, [lost]);
    assert_eq!(read_one(&log, 0).unwrap(), b"zero");
    assert!(matches!(read_one(&log, 1), Err(ReadError::Lost { first: 1, end: 2 })));
    assert_eq!(read_one(&log, 2).unwrap(), b"two!");
    assert_eq!(put(&mut log, &[b"four".to_vec()]), 4);
    one(&mut log, Action::Checkpoint(StreamId(1), 5)).unwrap();
    super::support::settle(&mut log);
    assert!(disk.files().contains_key(&segment::file_name(id)), "evidence is kept");
    drop(log);
    let report = verify_storage(&disk).unwrap();
    assert!(matches!(
        report.damages[..],
        [super::super::inspect::Damage { what: What::Records { first: 1, end: 2, .. }, .. }]
    ));
    assert!(!report.is_intact() && report.to_string().contains("records 1 to 2 of stream 1"));
}

/// Row D4: a bad frame header hides the frame's length; the next frame is found all the same.
#[test]
fn a_damaged_frame_header_costs_its_own_records_only() {
    let (disk, _) = damaged(|frames| frames[2].0 + 20..frames[2].0 + 30);
    let (log, recovered) = open(&disk).unwrap();
    assert_eq!(recovered.lost.iter().map(|lost| (lost.first, lost.end)).collect::<Vec<_>>(), [(1, 2)]);
    assert_eq!(read_one(&log, 2).unwrap(), b"two!");
    assert_eq!(recovered.streams[0].next, 4);
}

/// Row D3: the very last frame cannot be told from a torn write, and is cut; the bytes stay as evidence.
#[test]
fn damage_to_the_last_group_is_a_torn_tail() {
    let (disk, id) = damaged(|frames| frames[4].0 + 4..frames[4].0 + 8);
    let before = disk.files()[&segment::file_name(id)].clone();
    let (log, recovered) = open(&disk).unwrap();
    assert!(recovered.lost.is_empty() && recovered.cut_bytes > 0);
    assert_eq!(recovered.streams[0].next, 3);
    assert_eq!(disk.files()[&segment::file_name(id)], before);
    assert_eq!(read_one(&log, 2).unwrap(), b"two!");
}

/// Rows D3 and D4: damage that spans the end of a durable group and the head of the last one: the durable part is
/// quarantined, the rest is cut, and what stands after it in the last group is not believed.
#[test]
fn damage_across_the_floor_is_split() {
    let disk = SimDisk::new(1);
    let mut log = one_stream(&disk, settings());
    put(&mut log, &[b"zero".to_vec()]);
    put(&mut log, &[b"one!".to_vec()]);
    let group = ["two!", "tre!"].map(|text| Action::Append {
        stream: StreamId(1),
        records: records(&[text.into()]),
        arrived_ms: 1,
    });
    log.commit(group, 1, &mut |_, result| assert!(result.is_ok()));
    let id = log.active;
    drop(log);
    let (_, frames) = frames(&disk, id);
    let name = segment::file_name(id);
    let mut bytes = disk.files()[&name].clone();
    let range = usize::try_from(frames[2].0).unwrap()..usize::try_from(frames[3].1).unwrap();
    bytes[range].fill(0x77);
    disk.put(&name, &bytes);
    let (log, recovered) = open(&disk).unwrap();
    assert_eq!(recovered.quarantined[0].offset, frames[2].0);
    assert_eq!(recovered.quarantined[0].bytes, frames[2].1 - frames[2].0);
    assert!(recovered.cut_bytes > 0);
    // How many records the unreadable frame held is unknown, so their numbers are not given again.
    assert_eq!(recovered.lost[0].first, 1);
    assert_eq!(recovered.lost[0].end, recovered.streams[0].next);
    assert!(recovered.streams[0].next >= 2);
    assert_eq!(read_one(&log, 0).unwrap(), b"zero");
}

/// Row D4: damage that appears while running is found by the read, reported the same way every time, and what is after
/// it can be read.
#[test]
fn a_reader_finds_damage_that_recovery_has_not_seen() {
    let disk = SimDisk::new(1);
    let mut log = one_stream(&disk, Settings { cache_bytes: 0, ..settings() });
    for text in [b"zero", b"one!", b"two!"] {
        put(&mut log, &[text.to_vec()]);
    }
    let id = log.active;
    let (_, frames) = frames(&disk, id);
    let at = frames[2].1 - 10;
    let name = segment::file_name(id);
    let byte = disk.files()[&name][usize::try_from(at).unwrap()];
    disk.open(&name).unwrap().write_at(&[std::io::IoSlice::new(&[!byte])], at).unwrap();
    assert_eq!(log.read(StreamId(1), 0, 1_000).unwrap().len(), 1);
    for _ in 0..2 {
        assert!(matches!(read_one(&log, 1), Err(ReadError::Lost { first: 1, end: 2 })));
    }
    assert_eq!(read_one(&log, 2).unwrap(), b"two!");
}

/// Row D4: both copies of a header are damaged; the next segment's header knows enough to read the segment.
#[test]
fn a_segment_without_a_header_is_read_with_what_its_successor_knows() {
    let disk = SimDisk::new(1);
    let mut log = one_stream(&disk, settings());
    put(&mut log, &[b"zero".to_vec()]);
    let id = log.active;
    drop(log);
    drop(open(&disk).unwrap());
    let name = segment::file_name(id);
    let mut bytes = disk.files()[&name].clone();
    bytes[20] ^= 1;
    bytes[2048 + 20] ^= 1;
    disk.put(&name, &bytes);
    let (log, recovered) = open(&disk).unwrap();
    assert!(recovered.lost.is_empty());
    assert_eq!(read_one(&log, 0).unwrap(), b"zero");
    drop(log);
    assert_eq!(verify_storage(&disk).unwrap().damages[0].what, What::SegmentHeader);
}

/// Rows D4 and D7: the last segment holds data but no header: opening refuses rather than lose it.
#[test]
fn a_last_segment_with_data_and_no_header_is_an_error() {
    let (disk, id) = damaged(|_| 0..BLOCK_BYTES);
    assert!(matches!(open(&disk), Err(OpenError::Header { segment }) if segment == id));
}

/// Row D5: bytes of another journal, or of this one at another place, found after the tail are no frames.
#[test]
fn stale_frames_after_the_tail_are_ignored() {
    let disk = SimDisk::new(1);
    let mut log = one_stream(&disk, settings());
    put(&mut log, &[b"zero".to_vec()]);
    let id = log.active;
    let tail = usize::try_from(log.tail).unwrap();
    drop(log);
    let name = segment::file_name(id);
    let (_, own) = frames(&disk, id);
    let other = SimDisk::new(99);
    let mut log = one_stream(&other, settings());
    for _ in 0..20 {
        put(&mut log, &[b"evil".to_vec()]);
    }
    drop(log);
    let mut bytes = disk.files()[&name].clone();
    // The other journal's frames at the very same offsets, and this one's last frame again right behind itself.
    let stale = other.files()[&segment::file_name(1)][tail..tail + 512].to_vec();
    bytes[tail..tail + 512].copy_from_slice(&stale);
    let last = own.last().unwrap();
    let (from, to) = (usize::try_from(last.0).unwrap(), usize::try_from(last.1).unwrap());
    let again = bytes[from..to].to_vec();
    bytes[tail + 512..tail + 512 + again.len()].copy_from_slice(&again);
    disk.put(&name, &bytes);
    let (log, recovered) = open(&disk).unwrap();
    assert_eq!(recovered.streams[0].next, 1);
    assert_eq!(read_one(&log, 0).unwrap(), b"zero");
}

/// Row D5: a record that contains a whole segment file, header and frames, stays a record even when the frame around
/// it is damaged.
#[test]
fn frames_inside_a_payload_are_never_taken_for_frames() {
    let disk = SimDisk::new(1);
    let mut log = one_stream(&disk, settings());
    put(&mut log, &[b"zero".to_vec()]);
    let id = log.active;
    let forged = disk.files()[&segment::file_name(id)][4_096..6_000].to_vec();
    put(&mut log, &[forged]);
    put(&mut log, &[b"two!".to_vec()]);
    drop(log);
    let (_, own) = frames(&disk, id);
    let mut bytes = disk.files()[&segment::file_name(id)].clone();
    bytes[usize::try_from(own[2].0).unwrap()] ^= 1;
    disk.put(&segment::file_name(id), &bytes);
    let (log, recovered) = open(&disk).unwrap();
    assert_eq!(recovered.lost.iter().map(|lost| (lost.first, lost.end)).collect::<Vec<_>>(), [(1, 2)]);
    assert_eq!((recovered.streams.len(), recovered.streams[0].next), (1, 3));
    assert_eq!(read_one(&log, 2).unwrap(), b"two!");
}

/// Row D7: a middle segment that nobody dropped is missed, an oldest one is not.
#[test]
fn a_missing_middle_segment_is_an_error() {
    let disk = SimDisk::new(1);
    let mut log = one_stream(&disk, settings());
    for _ in 0..6 {
        put(&mut log, &[vec![1; 9_000]]);
    }
    assert!(log.active > 4);
    drop(log);
    let cut = disk.power_cycle(Tear::Prefix, 1);
    cut.lose(&segment::file_name(3));
    assert!(matches!(open(&cut), Err(OpenError::Missing { segment: 3 })));
    let cut = disk.power_cycle(Tear::Prefix, 1);
    cut.lose(&segment::file_name(1));
    let (_, recovered) = open(&cut).unwrap();
    assert_eq!(recovered.lost.iter().map(|lost| lost.first).collect::<Vec<_>>(), [0], "but its records are missed");
}
