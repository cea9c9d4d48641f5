//! Random workloads against the model, with random ends.

use proptest::prelude::*;

use super::super::sim::{Fault, SimDisk, Tear};
use super::support::{Step, World, settings};

fn step() -> impl Strategy<Value = Step> {
    let stream = || 0_usize..4;
    let put = (stream(), prop::collection::vec(prop_oneof![4 => 0_usize..200, 1 => 2_000_usize..6_000], 1..5));
    prop_oneof![
        8 => prop::collection::vec(put, 1..4).prop_map(Step::Put),
        2 => Just(Step::Create),
        3 => stream().prop_map(Step::Seal),
        3 => stream().prop_map(Step::Deliver),
        2 => stream().prop_map(Step::Checkpoint),
        1 => stream().prop_map(Step::Update),
        1 => stream().prop_map(Step::Epoch),
        1 => stream().prop_map(Step::Attempt),
        1 => stream().prop_map(Step::Delete),
        2 => Just(Step::Upkeep),
        1 => Just(Step::Reopen),
    ]
}

fn fault() -> impl Strategy<Value = Fault> {
    let at = || 0_u64..150;
    prop_oneof![
        4 => at().prop_map(Fault::Crash),
        1 => at().prop_map(Fault::Fail),
        1 => at().prop_map(Fault::FailFrom),
        1 => at().prop_map(Fault::Full),
        1 => at().prop_map(Fault::FullFrom),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Rows D1, D2, D8 and D9 with everything at random: what was done, what fails, how it tears, how often.
    #[test]
    fn random_lives_lose_nothing(
        lives in prop::collection::vec((prop::collection::vec(step(), 0..25), fault(), 0_usize..5), 1..5), seed: u64,
    ) {
        let mut world = World::new(SimDisk::new(seed), settings());
        for (steps, fault, end) in lives {
            world.disk.set_faults(&[fault]);
            // A life may end early; what counts is what the next one finds.
            let _ended = world.run(&steps);
            world.log = None;
            world.disk = match Tear::ALL.get(end) {
                Some(&tear) => world.disk.power_cycle(tear, seed),
                None => world.disk.restart(),
            };
            world.open().expect("a healthy disk");
        }
    }
}

/// Row D2: what was found after a crash and never synced is copied forward, and lives on in the copy: at the start after
/// that the original still stands, and must not be taken for the place to keep.
#[test]
fn a_copy_is_kept_rather_than_what_may_be_in_memory_only() {
    use Step::{Create, Put, Reopen, Upkeep};
    let lives = [
        (vec![Create, Create, Create], Fault::Crash(10), Some(Tear::Prefix)),
        (vec![Put(vec![(1, vec![0]), (0, vec![0])])], Fault::Crash(8), None),
        (vec![Reopen, Upkeep], Fault::Crash(0), Some(Tear::Zeros)),
    ];
    for seed in (0..200).chain([3_325_404_475_884_702_077]) {
        let mut world = World::new(SimDisk::new(seed), settings());
        for (steps, fault, end) in &lives {
            world.disk.set_faults(&[*fault]);
            // What counts is what the next life finds.
            let _ended = world.run(steps);
            world.log = None;
            world.disk = match end {
                Some(tear) => world.disk.power_cycle(*tear, seed),
                None => world.disk.restart(),
            };
            world.open().expect("a healthy disk");
        }
    }
}
