//! Power cuts at every operation of every workload, torn in every way, and again while recovering.

use super::super::sim::{Fault, SimDisk, Tear};
use super::support::{Step, Stopped, World, open, settings, workloads};

/// Runs a workload until the power is cut in operation `at`; false when it ends before.
fn run_until(at: u64, steps: &[Step]) -> Option<World> {
    let disk = SimDisk::new(at);
    disk.set_faults(&[Fault::Crash(at)]);
    let mut world = World::new(disk, settings());
    let ended = world.run(steps);
    world.log = None;
    match ended {
        Err(Stopped) => {
            assert!(world.disk.is_crashed(), "stopped without a reason at operation {at}");
            Some(world)
        }
        Ok(()) => world.disk.is_crashed().then_some(world),
    }
}

fn every_crash(steps: &[Step], nth: usize) {
    for at in 0.. {
        let Some(mut world) = run_until(at, steps) else { break };
        for tear in Tear::ALL {
            let seed = at * 100 + nth as u64;
            let cut = world.disk.power_cycle(tear, seed);
            let recovery = recovered_operations(&mut world, &cut, tear, at, nth);
            for again in 0..recovery {
                let torn = cut.power_cycle(Tear::Prefix, 0);
                torn.set_faults(&[Fault::Crash(again)]);
                assert!(open(&torn).is_err() || torn.is_crashed());
                let mut twice = World::new(torn.power_cycle(tear, seed + again), settings());
                twice.model = world.model.clone();
                assert!(twice.open().is_ok(), "workload {nth} crash {at} {tear:?}, then {again} in recovery");
            }
        }
    }
}

/// Checks the first recovery, and that a second one finds the same; counts its operations.
fn recovered_operations(world: &mut World, cut: &SimDisk, tear: Tear, at: u64, nth: usize) -> u64 {
    let disk = cut.power_cycle(Tear::Prefix, 0);
    let mut first = World::new(disk, settings());
    first.model = world.model.clone();
    assert!(first.open().is_ok(), "workload {nth} crash {at} {tear:?}: {:?}", open(cut).err());
    let operations = first.disk.operations();
    first.log = None;
    assert!(first.open().is_ok(), "workload {nth} crash {at} {tear:?}, opened again");
    let more = [Step::Put(vec![(0, vec![50]), (1, vec![60])]), Step::Upkeep];
    assert!(first.run(&more).is_ok() && first.run(&[Step::Reopen]).is_ok());
    operations
}

/// Rows D1, D2, D3, D6 and D7: whatever is acknowledged is there exactly once and in order, nothing else is, recovery
/// may be cut short and repeated, wherever the power goes.
#[test]
fn nothing_acknowledged_is_lost_wherever_the_power_is_cut() {
    let workloads = workloads();
    assert!(workloads.len() >= 20);
    std::thread::scope(|scope| {
        for worker in 0..2 {
            let workloads = &workloads;
            scope.spawn(move || {
                for (nth, steps) in workloads.iter().enumerate().skip(worker).step_by(2) {
                    every_crash(steps, nth);
                }
            });
        }
    });
}

/// Row D1: only the process dies, its successor believes what it finds in the page cache, acknowledges more, and then
/// the power is cut.
#[test]
fn what_a_successor_found_in_memory_survives_a_later_power_cut() {
    for (nth, steps) in workloads().iter().enumerate() {
        for at in 0.. {
            let Some(killed) = run_until(at, steps) else { break };
            for tear in Tear::ALL {
                let mut second = World::new(killed.disk.restart(), settings());
                second.model = killed.model.clone();
                second.run(&[Step::Put(vec![(0, vec![50]), (1, vec![60])]), Step::Upkeep]).unwrap();
                second.log = None;
                second.disk = second.disk.power_cycle(tear, at);
                assert!(second.open().is_ok(), "workload {nth} killed at {at}, {tear:?}");
            }
        }
    }
}

/// The workloads do what their comments say; otherwise the test above would prove less than it says.
#[test]
fn workloads_drop_and_clean() {
    let mut dropped = 0;
    for steps in workloads() {
        let mut world = World::new(SimDisk::new(1), settings());
        world.run(&steps).unwrap();
        let log = world.log.unwrap();
        dropped += usize::from(log.segments.len() < usize::try_from(log.last_id).unwrap());
    }
    assert!(dropped >= 10, "{dropped} workloads drop segments");
}
