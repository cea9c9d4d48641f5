//! `hydrant plugin inspect`: what a file is, and what it would run under. Refuses to run it.

use std::num::NonZeroU64;
use std::path::Path;

use serde::Serialize;

use super::super::console::{bytes, count, table};
use super::super::{Console, Failure};
use super::open;
use crate::process::plugin::{self, Facts, Limits};

#[derive(Serialize)]
struct Report {
    plugin: String,
    #[serde(flatten)]
    facts: Facts,
    /// What it would run under: its own limits where they are below the operator's.
    limits: LimitsReport,
    /// The operator's.
    ceilings: LimitsReport,
}

#[derive(Serialize)]
struct LimitsReport {
    memory_bytes: usize,
    deadline_ms: u128,
    output_bytes: usize,
    output_records: usize,
    record_bytes: usize,
    log_bytes: usize,
    component_bytes: u64,
}

/// Prints the facts.
pub(super) fn inspect(console: &Console, limits: &Limits, file: &Path) -> Result<(), Failure> {
    let facts = plugin::inspect(&open::read(file)?, limits).map_err(|error| open::refused(file, error))?;
    let effective = report(&facts.needs.lower(limits));
    let report = Report { plugin: open::name(file), facts, limits: effective, ceilings: report(limits) };
    if console.is_json() { console.say_json(&report) } else { console.say(&text(&report)) }
}

fn report(limits: &Limits) -> LimitsReport {
    LimitsReport {
        memory_bytes: limits.memory_bytes,
        deadline_ms: limits.deadline.as_millis(),
        output_bytes: limits.output_bytes,
        output_records: limits.output_records,
        record_bytes: limits.record_bytes,
        log_bytes: limits.log_bytes,
        component_bytes: limits.component_bytes,
    }
}

fn text(report: &Report) -> String {
    let Report { plugin, facts, limits, ceilings } = report;
    let own = facts.needs.limits;
    let listed = |names: &[String]| if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
    let size = |value: usize| bytes(value as u64);
    let rows = [
        ("plugin", plugin.clone()),
        ("digest", facts.digest.clone()),
        ("size", format!("{} of {} allowed", bytes(facts.bytes), bytes(limits.component_bytes))),
        ("imports", listed(&facts.imports)),
        ("exports", listed(&facts.exports)),
        ("made with", listed(&facts.made_with)),
        ("needs", listed(&facts.needs.capabilities.iter().map(|one| one.name().to_owned()).collect::<Vec<_>>())),
        (
            "memory",
            format!("at most {}{}", size(limits.memory_bytes), both(own.memory_bytes, ceilings.memory_bytes, bytes)),
        ),
        ("time", {
            let milliseconds = |value| format!("{value} ms");
            let ceiling = usize::try_from(ceilings.deadline_ms).unwrap_or(usize::MAX);
            format!(
                "at most {} ms per batch{}",
                limits.deadline_ms,
                both(own.deadline_milliseconds, ceiling, milliseconds)
            )
        }),
        (
            "output",
            format!(
                "at most {} and {} records per batch, {} per record{}",
                size(limits.output_bytes),
                count(limits.output_records as u64),
                size(limits.record_bytes),
                both(own.output_bytes, ceilings.output_bytes, bytes)
            ),
        ),
        (
            "log",
            format!("at most {} per batch{}", size(limits.log_bytes), both(own.log_bytes, ceilings.log_bytes, bytes)),
        ),
    ];
    let rows: Vec<[String; 2]> = rows.into_iter().map(|(name, value)| [name.to_owned(), value]).collect();
    format!("{}\n\n{}", table(&rows), facts.wit.trim_end())
}

/// What a plugin declares beside what the host allows, where it declares something.
fn both(own: Option<NonZeroU64>, ceiling: usize, shown: impl Fn(u64) -> String) -> String {
    own.map(|own| format!(" (declared {}, allowed {})", shown(own.get()), shown(ceiling as u64))).unwrap_or_default()
}
