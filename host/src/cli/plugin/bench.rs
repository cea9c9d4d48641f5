//! `hydrant plugin bench`: what a record costs in this plugin, and whether a new version costs more than an old one.
//!
//! Times are medians of several runs and still vary with the machine; instructions are counted, and the same from run
//! to run. Refuses to judge: it prints.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::super::arguments::BenchPlugin;
use super::super::console::{Unit, bytes, count, table};
use super::super::{Console, Failure};
use super::fixture::{self, Fixture};
use super::open::{self, PluginLimits};
use crate::process::{Prepared, Workshop};

/// Records of one call.
const BATCHES: [usize; 4] = [1, 50, 500, 4_000];
/// Runs of which the median is shown.
const RUNS: usize = 5;
/// How long a run lasts at least: long enough for the clock, short enough to wait for.
const RUN: Duration = Duration::from_millis(40);
/// What a clock of the service would show; a plugin must not care.
const ARRIVED_MS: u64 = 1_700_000_000_000;
/// Records that are read for the bench.
const MAX_RECORDS: usize = 100_000;

#[derive(Debug, Serialize)]
struct Report {
    plugin: Figures,
    #[serde(skip_serializing_if = "Option::is_none")]
    against: Option<Figures>,
}

#[derive(Debug, Serialize)]
struct Figures {
    file: PathBuf,
    bytes: u64,
    compile_ms: f64,
    /// Instantiate, configure, and an empty batch.
    start_us: f64,
    memory_peak_bytes: u64,
    batches: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    records: usize,
    nanoseconds_per_record: f64,
    instructions_per_record: u64,
}

/// Measures one plugin, or two.
pub(super) fn bench<P: PluginLimits>(console: &Console, asked: &BenchPlugin) -> Result<(), Failure> {
    let records = records(&asked.input)?;
    let batches: Vec<Prepared> = BATCHES
        .iter()
        .map(|&size| Prepared::new(&records.iter().cycle().take(size).collect::<Vec<_>>()).map_err(Failure::new))
        .collect::<Result<_, _>>()?;
    let steps = (BATCHES.len() + 2) as u64 * if asked.against.is_some() { 2 } else { 1 };
    let progress = console.progress("measuring", Some(steps), Unit::Records);
    let measure = |file: &Path| -> Result<Figures, Failure> {
        let content = open::read(file)?;
        let tried = asked.plugin.of(file);
        let workshop = open::open_with::<P>(&tried, &tried.stream, tried.settings.clone())?;
        open::note_granted(console, file, &workshop);
        progress.inc(1);
        let start_us = start(&workshop)?;
        let instructions =
            workshop.instructions(&content, &batches.iter().collect::<Vec<_>>(), ARRIVED_MS).map_err(Failure::told)?;
        progress.inc(1);
        let rows = BATCHES.iter().zip(&batches).zip(instructions).map(|((&records, batch), instructions)| {
            let nanoseconds_per_record = time(&workshop, batch) / records as f64;
            progress.inc(1);
            Row { records, nanoseconds_per_record, instructions_per_record: instructions / records as u64 }
        });
        let batches = rows.collect();
        Ok(Figures {
            file: file.to_path_buf(),
            bytes: content.len() as u64,
            compile_ms: workshop.compile_time().as_secs_f64() * 1e3,
            start_us,
            memory_peak_bytes: workshop.memory_peak_bytes(),
            batches,
        })
    };
    let plugin = measure(&asked.plugin.file)?;
    let against = asked.against.as_deref().map(measure).transpose()?;
    progress.finish_and_clear();
    let report = Report { plugin, against };
    if console.is_json() { console.say_json(&report) } else { console.say(&text(&report)) }
}

/// The records of fixtures, or the lines of a file.
fn records(input: &Path) -> Result<Vec<Vec<u8>>, Failure> {
    let mut records = Vec::new();
    if input.is_dir() || input.extension().is_some_and(|extension| extension == "json") {
        for file in fixture::find(&[input.to_path_buf()])? {
            records.extend(Fixture::read(&file)?.inputs(&file)?);
        }
    } else {
        let text = fs::read(input).map_err(|error| {
            let error = anyhow::Error::new(error).context(format!("cannot read {}", input.display()));
            Failure::new(error).hint("name a file of lines, or a folder of fixtures, with --input")
        })?;
        records.extend(text.split_inclusive(|&byte| byte == b'\n').map(<[u8]>::to_vec));
    }
    records.truncate(MAX_RECORDS);
    if records.is_empty() {
        return Err(Failure::told(format!("there is no record in {}", input.display())));
    }
    Ok(records)
}

/// Microseconds of a start.
fn start(workshop: &Workshop) -> Result<f64, Failure> {
    let mut runs = Vec::new();
    for _ in 0..RUNS {
        let (began, mut calls) = (Instant::now(), 0_u32);
        while calls == 0 || began.elapsed() < RUN {
            workshop.start().map_err(Failure::told)?;
            calls += 1;
        }
        runs.push(began.elapsed().as_secs_f64() * 1e6 / f64::from(calls));
    }
    Ok(median(runs))
}

/// Nanoseconds of a batch.
fn time(workshop: &Workshop, batch: &Prepared) -> f64 {
    let runs = (0..RUNS).map(|_| {
        let (began, mut calls) = (Instant::now(), 0_u32);
        while calls == 0 || began.elapsed() < RUN {
            workshop.pass(batch, ARRIVED_MS);
            calls += 1;
        }
        began.elapsed().as_secs_f64() * 1e9 / f64::from(calls)
    });
    median(runs.collect())
}

fn median(mut runs: Vec<f64>) -> f64 {
    runs.sort_by(f64::total_cmp);
    runs.get(runs.len() / 2).copied().unwrap_or(f64::NAN)
}

fn text(report: &Report) -> String {
    let Report { plugin, against } = report;
    let compared = |figure: f64, other: Option<f64>| match other {
        Some(other) if other > 0.0 => format!("{:+.1} %", (figure / other - 1.0) * 100.0),
        _ => String::new(),
    };
    let mut rows = vec![["".to_owned(), "measured".to_owned(), against.as_ref().map_or("", |_| "against").to_owned()]];
    let mut row = |name: String, shown: String, figure: f64, other: Option<f64>| {
        rows.push([name, shown, compared(figure, other)]);
    };
    let other = against.as_ref();
    row("size".into(), bytes(plugin.bytes), plugin.bytes as f64, other.map(|other| other.bytes as f64));
    row("compile".into(), format!("{:.0} ms", plugin.compile_ms), plugin.compile_ms, other.map(|one| one.compile_ms));
    row("start".into(), format!("{:.1} µs", plugin.start_us), plugin.start_us, other.map(|one| one.start_us));
    let peak = other.map(|one| one.memory_peak_bytes as f64);
    row("memory, peak".into(), bytes(plugin.memory_peak_bytes), plugin.memory_peak_bytes as f64, peak);
    for (at, batch) in plugin.batches.iter().enumerate() {
        let other = other.and_then(|other| other.batches.get(at));
        let Row { records, nanoseconds_per_record: time, instructions_per_record: instructions } = batch;
        let batch = format!("batch of {}", count(*records as u64));
        row(
            format!("time per record, {batch}"),
            format!("{time:.0} ns"),
            *time,
            other.map(|one| one.nanoseconds_per_record),
        );
        let counted = other.map(|one| one.instructions_per_record as f64);
        row(format!("instructions per record, {batch}"), count(*instructions), *instructions as f64, counted);
    }
    table(&rows)
}
