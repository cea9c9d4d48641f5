//! `hydrant plugin test`: runs fixtures and shows what differs, or writes down what is. Refuses to pass a plugin whose
//! answer for a record depends on the records beside it, or on the run.

use std::path::Path;

use serde::Serialize;

use super::super::arguments::TestPlugin;
use super::super::console::count;
use super::super::{Console, Failure};
use super::fixture::{self, Expected, Fixture};
use super::open::{self, PluginLimits};
use crate::process::{Fate, Workshop};

/// Arrival of every record of a fixture: a plugin's answer must not depend on the day it is tested.
const ARRIVED_MS: u64 = 1_700_000_000_000;

/// Bytes of a value that a line of the difference shows.
const SHOWN_BYTES: usize = 400;

/// A record that did not become what was expected.
#[derive(Debug, Serialize)]
struct Difference {
    fixture: String,
    record: usize,
    input: fixture::Bytes,
    expected: Option<Expected>,
    found: Expected,
    why: &'static str,
}

#[derive(Debug, Default, Serialize)]
struct Report {
    fixtures: usize,
    records: usize,
    updated: usize,
    differences: Vec<Difference>,
}

/// Runs all fixtures.
pub(super) fn check<P: PluginLimits>(console: &Console, asked: &TestPlugin) -> Result<(), Failure> {
    open::show_log();
    let mut report = Report::default();
    for file in fixture::find(&asked.fixtures)? {
        let mut fixture = Fixture::read(&file)?;
        let settings = fixture.settings.clone().into_iter().collect();
        let workshop = open::open_with::<P>(&asked.plugin, &fixture.stream, settings)?;
        // Once: it is the same plugin for every fixture.
        if report.fixtures == 0 {
            open::note_granted(console, &asked.plugin.file, &workshop);
        }
        let found = run(&workshop, &fixture, &file, &mut report)?;
        if asked.update {
            let before = fixture.clone();
            for (case, found) in fixture.records.iter_mut().zip(found) {
                case.expect = Some(found);
            }
            if fixture != before {
                fixture.write(&file)?;
                report.updated += 1;
            }
        } else {
            compare(&fixture, &file, found, &mut report);
        }
    }
    say(console, &report, asked.update)
}

/// What becomes of each record in its batch. Records that fare otherwise when they are alone are told at once.
fn run(workshop: &Workshop, fixture: &Fixture, file: &Path, report: &mut Report) -> Result<Vec<Expected>, Failure> {
    let inputs = fixture.inputs(file)?;
    let together = transform(workshop, &inputs)?;
    report.fixtures += 1;
    report.records += inputs.len();
    for (at, (input, found)) in inputs.iter().zip(&together).enumerate() {
        let alone = transform(workshop, std::slice::from_ref(input))?;
        if alone.first() != Some(found) {
            report.differences.push(Difference {
                fixture: file.display().to_string(),
                record: at + 1,
                input: fixture::Bytes::of(input),
                expected: alone.into_iter().next(),
                found: found.clone(),
                why: "alone it becomes something else: an answer must depend on its record alone",
            });
        }
    }
    Ok(together)
}

fn transform(workshop: &Workshop, inputs: &[Vec<u8>]) -> Result<Vec<Expected>, Failure> {
    let fates: Vec<Fate> = workshop.transform(inputs, ARRIVED_MS).map_err(Failure::new)?;
    Ok(fates.into_iter().map(Expected::from).collect())
}

fn compare(fixture: &Fixture, file: &Path, found: Vec<Expected>, report: &mut Report) {
    for (at, (case, found)) in fixture.records.iter().zip(found).enumerate() {
        if case.expect.as_ref() != Some(&found) {
            report.differences.push(Difference {
                fixture: file.display().to_string(),
                record: at + 1,
                input: case.input.clone(),
                expected: case.expect.clone(),
                found,
                why: if case.expect.is_some() { "it is not what is expected" } else { "nothing is expected yet" },
            });
        }
    }
}

fn say(console: &Console, report: &Report, is_update: bool) -> Result<(), Failure> {
    if console.is_json() {
        console.say_json(report)?;
    } else {
        for difference in &report.differences {
            console.say(&text(difference)?)?;
        }
        let total = format!("{} fixtures, {} records", count(report.fixtures as u64), count(report.records as u64));
        if is_update {
            console.say(&format!("{total}: {} files updated", report.updated))?;
        } else if report.differences.is_empty() {
            console.say(&format!("{total}: all as expected"))?;
        }
    }
    match report.differences.len() {
        0 => Ok(()),
        differ => {
            let told = format!("{differ} of {} records differ", report.records);
            Err(Failure::told(told).hint("if the plugin is right, `--update` writes what it does into the fixtures"))
        }
    }
}

fn text(difference: &Difference) -> Result<String, Failure> {
    let Difference { fixture, record, input, expected, found, why } = difference;
    let expected = match expected {
        Some(expected) => line(expected)?,
        None => "nothing".to_owned(),
    };
    let (input, found) = (line(input)?, line(found)?);
    Ok(format!("{fixture}, record {record}: {why}\n    input {input}\n  - {expected}\n  + {found}"))
}

fn line(value: &impl Serialize) -> Result<String, Failure> {
    let mut line = serde_json::to_string(value).map_err(Failure::new)?;
    if line.len() > SHOWN_BYTES {
        let rest = line.len() - SHOWN_BYTES;
        line.truncate(line.floor_char_boundary(SHOWN_BYTES));
        line = format!("{line}… and {rest} more bytes");
    }
    Ok(line)
}
