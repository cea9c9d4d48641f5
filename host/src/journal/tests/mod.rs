//! Proofs of the journal's promises. Each test names the row of the failure catalogue that it proves.

mod crash;
mod damage;
mod faults;
mod forgetting;
mod golden;
mod handle;
mod model;
mod replays;
mod support;
