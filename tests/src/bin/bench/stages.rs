//! The stages alone: the sum of what they cost is the limit of what the chain can do.
//!
//! Each stage has a bench in `host/benches` that prints, among what it likes, one line of JSON:
//! `{"stage": "append", "nanoseconds_per_record": 123.4}`, thread CPU time for a record of W1.

use std::process::Command;

use hydrant_tests::environment::{repository, target_directory, text};
use serde::Deserialize;

use crate::table::{Row, row, thousands};

/// The benches that are of stages.
const STAGES: [&str; 5] = ["decode", "append", "plugin", "encode", "upload"];

/// One stage's cost.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Stage {
    /// Its name: decode, append, plugin, encode or upload, or a destination's.
    pub(crate) stage: String,
    /// Thread CPU time per record of 256 bytes.
    pub(crate) nanoseconds_per_record: f64,
}

/// Destinations that take the place of encode and upload: no part of the chain to S3, each with its goal.
const DESTINATIONS: [(&str, &str); 1] = [("opensearch", "<= 5000 ns/record")];

/// The goal of a destination.
fn goal(stage: &Stage) -> Option<&'static str> {
    DESTINATIONS.iter().find(|(name, _)| *name == stage.stage).map(|(_, goal)| *goal)
}

/// Runs the bench of every stage.
pub(crate) fn measure() -> Vec<Stage> {
    let mut cargo = Command::new(text("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["bench", "--quiet", "--locked", "--package", "hydrant"]);
    let destinations = DESTINATIONS.map(|(name, _)| name);
    cargo.args(STAGES.into_iter().chain(destinations).flat_map(|stage| ["--bench", stage]));
    cargo.arg("--target-dir").arg(target_directory()).current_dir(repository());
    let output = cargo.output().expect("cargo can be run");
    assert!(output.status.success(), "the benches fail:\n{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    said.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// Costs, sums, and what the chain makes of them. `chains` are nanoseconds per record without and with plugin.
pub(crate) fn rows(stages: &[Stage], chains: &[(Option<&'static str>, f64)]) -> Vec<Row> {
    let cost = |value: f64| format!("{value:.0} ns/record");
    let mut rows: Vec<Row> = stages
        .iter()
        .map(|stage| row(stage.stage.clone(), cost(stage.nanoseconds_per_record), goal(stage).unwrap_or_default()))
        .collect();
    for (plugin, chain) in chains {
        let chain_stages = stages.iter().filter(|stage| goal(stage).is_none());
        let taken = chain_stages.filter(|stage| plugin.is_some() || stage.stage != "plugin");
        let sum: f64 = taken.map(|stage| stage.nanoseconds_per_record).sum();
        let with = if plugin.is_some() { "with plugin" } else { "without plugin" };
        rows.push(row(format!("sum {with}"), cost(sum), ""));
        rows.push(row(format!("limit {with}, records per CPU-second"), thousands(1e9 / sum), ""));
        rows.push(row(format!("chain against the sum, {with}"), format!("{:.2} x", chain / sum), "<= 1.35 x"));
    }
    rows
}
