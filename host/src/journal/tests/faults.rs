//! Disks that refuse: failed syncs and writes, full disks, short writes.

use super::super::error::AppendError;
use super::super::group::Action;
use super::super::sim::{Fault, SimDisk, Tear};
use super::support::{
    SEGMENT, Step, Stopped, World, definition, one, open, open_with, records, seal, settings, workloads,
};
use crate::record::StreamId;

/// Runs every workload with one fault at every operation in turn, and with the power cut afterwards. Answers with
/// how often the journal gave up.
fn with_each_fault(fault: impl Fn(u64) -> Fault) -> u32 {
    let mut stopped_count = 0;
    for (nth, steps) in workloads().iter().enumerate() {
        for at in 0.. {
            let disk = SimDisk::new(at);
            disk.set_faults(&[fault(at)]);
            let mut world = World::new(disk, settings());
            let ended = world.run(steps);
            if world.disk.operations() <= at {
                break;
            }
            stopped_count += u32::from(ended.is_err());
            world.log = None;
            for tear in Tear::ALL {
                let mut next = World::new(world.disk.power_cycle(tear, at), settings());
                next.model = world.model.clone();
                assert!(next.open().is_ok(), "workload {nth}, {:?}, then {tear:?}", fault(at));
            }
            let mut next = World::new(world.disk.restart(), settings());
            next.model = world.model.clone();
            assert!(next.open().is_ok(), "workload {nth}, {:?}, then started again", fault(at));
        }
    }
    stopped_count
}

/// Row D9: an error of any single operation costs nothing that was acknowledged. The journal goes on in a new segment;
/// it stops only when the error comes while it is being opened.
#[test]
fn any_single_io_error_is_survived() {
    with_each_fault(Fault::Fail);
}

/// Row D9: a disk that fails for good poisons the journal, and what it acknowledged before is there.
#[test]
fn a_dead_disk_poisons_the_journal() {
    assert!(with_each_fault(Fault::FailFrom) > 100);
}

/// Row D8: `ENOSPC` at any operation never damages what is there.
#[test]
fn a_full_disk_at_any_operation_is_survived() {
    with_each_fault(Fault::Full);
    with_each_fault(Fault::FullFrom);
}

/// Row D9: after the failed sync the group stands in a new segment, the failed file is never synced again, and the
/// waiters get their answer only then.
#[test]
fn a_failed_sync_moves_the_group_to_a_new_segment() {
    let disk = SimDisk::new(1);
    let (mut log, _) = open(&disk).unwrap();
    let stream = StreamId(u32::try_from(one(&mut log, Action::Create(Box::new(definition("s", 1)))).unwrap()).unwrap());
    let failed = log.active;
    disk.set_faults(&[Fault::Fail(disk.operations() + 1)]);
    let put = |text: &[u8]| Action::Append { stream, records: records(&[text.to_vec()]), arrived_ms: 1 };
    assert_eq!(one(&mut log, put(b"one")), Ok(0));
    assert!(log.active > failed && log.segments[&failed].is_failed);
    assert_eq!(one(&mut log, put(b"two")), Ok(1));
    drop(log);
    let (log, recovered) = open(&disk.power_cycle(Tear::Garbage, 1)).unwrap();
    assert_eq!(recovered.streams[0].next, 2);
    let read: Vec<_> = log.read(stream, 0, 100).unwrap().iter().map(|batch| batch.records.record(0).to_vec()).collect();
    assert_eq!(read, [b"one", b"two"]);
}

/// Row D9: when the new segment fails as well nothing is acknowledged and everything later is refused.
#[test]
fn a_second_failure_poisons() {
    let disk = SimDisk::new(1);
    let (mut log, _) = open(&disk).unwrap();
    one(&mut log, Action::Create(Box::new(definition("s", 1)))).unwrap();
    disk.set_faults(&[Fault::FailFrom(disk.operations() + 1)]);
    let put = || Action::Append { stream: StreamId(1), records: records(&[b"one".to_vec()]), arrived_ms: 1 };
    assert_eq!(one(&mut log, put()), Err(AppendError::Poisoned));
    disk.set_faults(&[]);
    let before = disk.operations();
    assert_eq!(one(&mut log, put()), Err(AppendError::Poisoned));
    assert!(!log.upkeep(1));
    assert_eq!(disk.operations(), before, "a poisoned journal touches nothing");
}

/// Rows D1 and D3: writes may take any part of what they are given.
#[test]
fn short_writes_are_continued() {
    for limit in [1, 7, 4_095] {
        for steps in workloads().iter().skip(2).step_by(6) {
            let disk = SimDisk::new(1);
            disk.set_write_limit(limit);
            let mut world = World::new(disk, settings());
            world.run(steps).unwrap();
            world.run(&[Step::Reopen]).unwrap();
        }
    }
}

/// Row D8: above the high water puts are refused and seals, deliveries and checkpoints are not; once segments are
/// freed puts are taken again, without a restart.
#[test]
fn a_full_journal_refuses_puts_takes_seals_and_opens_again() {
    let disk = SimDisk::new(1);
    let (mut log, _) =
        open_with(&disk, super::super::settings::Settings { capacity_bytes: 8 * SEGMENT, ..settings() }).unwrap();
    one(&mut log, Action::Create(Box::new(definition("s", 1)))).unwrap();
    let stream = StreamId(1);
    let put = || Action::Append { stream, records: records(&[vec![7; 3_000]]), arrived_ms: 1 };
    let mut next = 0;
    loop {
        match one(&mut log, put()) {
            Ok(first) => assert_eq!(first, next),
            Err(error) => {
                assert_eq!(error, AppendError::Full);
                break;
            }
        }
        next += 1;
        log.upkeep(1);
    }
    assert!(log.is_full() || log.bytes() + 3_060 > log.settings.high_water_bytes());
    assert!(next > 20);
    let made = seal(stream, 9, 0, next, next);
    one(&mut log, Action::Seal(made.clone())).unwrap();
    assert_eq!(one(&mut log, put()), Err(AppendError::Full), "sealed is not delivered");
    one(&mut log, Action::Delivered(stream, super::super::note::Delivered { id: made.id })).unwrap();
    super::support::settle(&mut log);
    assert_eq!(one(&mut log, put()), Ok(next));
}

/// Row D8: when the next segment cannot be reserved puts stop while half of the active one is left for seals.
#[test]
fn an_unreservable_segment_stops_puts_and_leaves_room_for_seals() {
    let disk = SimDisk::new(1);
    let (mut log, _) = open(&disk).unwrap();
    one(&mut log, Action::Create(Box::new(definition("s", 1)))).unwrap();
    let stream = StreamId(1);
    disk.set_faults(&[Fault::FullFrom(0)]);
    let put = || Action::Append { stream, records: records(&[vec![7; 1_000]]), arrived_ms: 1 };
    let mut next = 0;
    while one(&mut log, put()).is_ok() {
        next += 1;
        log.upkeep(1);
    }
    assert!(log.has_no_space && log.capacity - log.tail > log.capacity / 4, "room for seals");
    one(&mut log, Action::Seal(seal(stream, 9, 0, next, next))).unwrap();
    disk.set_faults(&[]);
    assert_eq!(one(&mut log, put()), Ok(next), "opens again by itself");
}

/// Row D8: the reserve of the file system.
#[test]
fn a_short_file_system_stops_puts() {
    let disk = SimDisk::new(1);
    let (mut log, _) =
        open_with(&disk, super::super::settings::Settings { reserve_bytes: 1_000, ..settings() }).unwrap();
    one(&mut log, Action::Create(Box::new(definition("s", 1)))).unwrap();
    let put = || Action::Append { stream: StreamId(1), records: records(&[vec![7; 10]]), arrived_ms: 1 };
    disk.set_free_bytes(999);
    log.unchecked_bytes = u64::MAX;
    assert_eq!(one(&mut log, put()), Err(AppendError::Full));
    disk.set_free_bytes(1_000);
    assert_eq!(one(&mut log, put()), Ok(0));
}

/// Row D8: a start on a full disk works with whatever room there is, because only then segments can be freed.
#[test]
fn a_start_on_a_nearly_full_disk_takes_a_short_segment() {
    let disk = SimDisk::new(1);
    let (log, _) = open(&disk).unwrap();
    drop(log);
    // The first operation gives back what the last segment did not use.
    disk.set_faults(&[Fault::Full(disk.operations() + 1)]);
    let (log, _) = open(&disk).unwrap();
    assert!(log.capacity < SEGMENT);
}

/// A workload that stops answers with [`Stopped`]; nothing else ends it.
#[test]
fn a_crash_stops_the_world() {
    let disk = SimDisk::new(1);
    disk.set_faults(&[Fault::Crash(0)]);
    assert!(matches!(World::new(disk, settings()).run(&[]), Err(Stopped)));
}
