//! Workload W1 through the whole chain: signed, acknowledged after fdatasync, gzip objects of 64 MiB to an S3 server
//! in its own process. The host's processor time runs from ready to the end of its drain.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use hydrant_tests::checker::{files_below, read_bucket};
use hydrant_tests::client::through_plugin;
use hydrant_tests::environment::profile_directory;
use hydrant_tests::host::{Host, Setup, plugin};
use hydrant_tests::load::Summary;
use hydrant_tests::process;
use hydrant_tests::wait::until;
use serde_json::json;

use crate::Arguments;
use crate::store::Store;
use crate::table::{Row, mib, row, thousands};

/// An outage of an hour is the longest load; this only bounds a generator that hangs.
const LOAD_LIMIT: Duration = Duration::from_secs(2 * 3_600);
/// A drain of W1 takes seconds; this only bounds a host that hangs.
const DRAIN_LIMIT: Duration = Duration::from_secs(600);
/// The host may take its time, as nobody else waits for it.
pub(crate) const TABLES: &str = "[shutdown]\ngrace_seconds = 600\n";
/// Seconds of the run at a fixed rate.
const PACED_SECONDS: u64 = 20;
/// How many delivered objects are compressed again for comparison: 256 MiB say enough about a ratio.
const COMPARED_OBJECTS: usize = 4;

/// What one run showed.
#[derive(Clone, Debug, Default)]
struct Run {
    load: Summary,
    cpu_seconds: f64,
    wall_seconds: f64,
    peak_bytes: u64,
    delivered_bytes: u64,
    against_gzip_6: f64,
}

/// Medians over the runs, and one run at 70 % of the peak.
#[derive(Debug)]
pub(crate) struct Figures {
    plugin: Option<&'static str>,
    runs: Vec<Run>,
    paced: Summary,
}

/// Runs W1 as often as asked.
pub(crate) async fn measure(arguments: &Arguments, plugin: Option<&'static str>) -> Figures {
    let store = Store::start().await;
    let mut runs = Vec::new();
    for _ in 0..arguments.runs.max(1) {
        runs.push(run(&store, plugin, arguments.records, None).await);
    }
    // Intake alone is faster than compression: for seconds the journal takes what nobody could go on delivering. The
    // peak that counts is what goes through to the end.
    let peak = median(runs.iter().map(|run| arguments.records as f64 / run.wall_seconds));
    let rate = whole(peak * 0.7);
    let paced = run(&store, plugin, rate * PACED_SECONDS, Some(rate)).await.load;
    Figures { plugin, runs, paced }
}

async fn run(store: &Store, plugin_name: Option<&str>, records: u64, rate: Option<u64>) -> Run {
    store.empty();
    let plugins = plugin_name.map(|name| (name.to_owned(), plugin(name))).into_iter().collect();
    let environment = store.environment();
    let setup =
        Setup { s3_endpoint: store.endpoint(), plugins, tables: TABLES.to_owned(), environment, ..Setup::default() };
    let mut host = Host::start(setup).await;
    let mut destination = json!({"CompressionFormat": "GZIP",
        "BufferingHints": {"SizeInMBs": 64, "IntervalInSeconds": 900}});
    if let Some(name) = plugin_name {
        destination["ProcessingConfiguration"] = through_plugin(name);
    }
    host.client().create_stream("load", destination).await;
    let before = process::cpu_time(host.pid()).expect("a running host");
    let started = Instant::now();
    let mut arguments = vec!["--records".to_owned(), records.to_string()];
    arguments.extend(rate.map(|rate| format!("--rate={rate}")));
    let (load, peak_loaded) = load(&host, &arguments).await;
    host.signal_term();
    let (cpu, peak) = drained(&mut host).await;
    let wall_seconds = started.elapsed().as_secs_f64();
    let bucket = store.bucket();
    let delivered_bytes = files_below(&bucket).iter().filter_map(|file| Some(file.metadata().ok()?.len())).sum();
    Run {
        load,
        cpu_seconds: (cpu - before).as_secs_f64(),
        wall_seconds,
        peak_bytes: peak.max(peak_loaded),
        delivered_bytes,
        against_gzip_6: against_gzip_6(&bucket),
    }
}

/// Runs the generator as a process of its own, and watches the host's memory meanwhile.
pub(crate) async fn load(host: &Host, arguments: &[String]) -> (Summary, u64) {
    let mut command = Command::new(profile_directory().join("hydrant-load"));
    command.args(["--json", "--address", &host.client().address().to_string()]).args(arguments);
    let mut child = command.stdout(Stdio::piped()).spawn().expect("the load generator can be started");
    let mut peak = 0;
    let ended = until("the load's end", LOAD_LIMIT, async || {
        peak = peak.max(process::peak_resident_bytes(host.pid()).unwrap_or_default());
        child.try_wait().expect("an own child").map(|_| ())
    });
    ended.await.expect("the load ends");
    let output = child.wait_with_output().expect("an own child");
    let summary = serde_json::from_slice(&output.stdout).expect("the generator prints JSON");
    (summary, peak)
}

/// Waits until the host has ended; its processor time up to the last instruction, and its highest memory.
pub(crate) async fn drained(host: &mut Host) -> (Duration, u64) {
    let pid = host.pid();
    let mut peak = 0;
    let ended = until("the drain", DRAIN_LIMIT, async || {
        peak = peak.max(process::peak_resident_bytes(pid).unwrap_or_default());
        process::has_ended(pid).then_some(())
    });
    ended.await.unwrap_or_else(|error| panic!("{error}:\n{}", host.log_tail()));
    let cpu = process::cpu_time(pid).expect("an ended child that nobody waited for");
    let status = host.exited(DRAIN_LIMIT).await;
    assert_eq!(status.code(), Some(0), "the drain failed:\n{}", host.log_tail());
    (cpu, peak)
}

/// Size of some delivered objects against what `gzip -6` makes of their contents.
fn against_gzip_6(bucket: &Path) -> f64 {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut ours = 0;
    let mut theirs = 0;
    for object in read_bucket(bucket).take(COMPARED_OBJECTS) {
        let plain = folder.path().join("object");
        fs::write(&plain, &object.body).expect("room for one object");
        let output = Command::new("gzip").args(["-6", "-c"]).arg(&plain).output().expect("gzip can be run");
        theirs += output.stdout.len();
        ours += fs::metadata(bucket.join(&object.key)).map_or(0, |data| data.len());
    }
    if theirs == 0 { f64::NAN } else { ours as f64 / theirs as f64 }
}

impl Figures {
    /// What the group is called.
    pub(crate) fn title(&self) -> String {
        let through = self.plugin.map_or("no plugin".to_owned(), |name| format!("plugin {name}"));
        format!("W1, {through}, median of {}", self.runs.len())
    }

    /// The host's processor time per record.
    pub(crate) fn nanoseconds_per_record(&self) -> f64 {
        median(self.runs.iter().map(|run| run.cpu_seconds * 1e9 / run.load.acknowledged_records as f64))
    }

    /// The group's rows.
    pub(crate) fn rows(&self) -> Vec<Row> {
        let of = |figure: fn(&Run) -> f64| median(self.runs.iter().map(figure));
        let goal = if self.plugin.is_some() { ">= 175,000" } else { ">= 300,000" };
        let ms = |value: f64| format!("{value:.2} ms");
        let refused: u64 = self.runs.iter().map(|run| run.load.refused_records).sum();
        vec![
            row("records per CPU-second of the host", thousands(1e9 / self.nanoseconds_per_record()), goal),
            row("records/s acknowledged", thousands(of(|run| run.load.records_per_second)), ""),
            row("MB/s acknowledged", format!("{:.1}", of(|run| run.load.megabytes_per_second)), ""),
            row("seconds until everything was delivered", format!("{:.2}", of(|run| run.wall_seconds)), ""),
            row("acknowledgement p50, peak", ms(of(|run| run.load.p50_ms)), ""),
            row("acknowledgement p99, peak", ms(of(|run| run.load.p99_ms)), ""),
            row("acknowledgement p99.9, peak", ms(of(|run| run.load.p999_ms)), ""),
            row("acknowledgement p50, 70 % of peak", ms(self.paced.p50_ms), ""),
            row("acknowledgement p99, 70 % of peak", ms(self.paced.p99_ms), "< 15 ms"),
            row("acknowledgement p99.9, 70 % of peak", ms(self.paced.p999_ms), ""),
            row("peak resident memory", mib(whole(of(|run| run.peak_bytes as f64))), "< 300 MiB"),
            row("delivered bytes", thousands(of(|run| run.delivered_bytes as f64)), ""),
            row("size against gzip -6", format!("{:.3}", of(|run| run.against_gzip_6)), "<= 1.05"),
            row("records refused", thousands(refused as f64), "0"),
            row("CPU seconds of the generator", format!("{:.2}", of(|run| run.load.generator_cpu_seconds)), ""),
        ]
    }
}

/// Middle of the values; the lower one of two.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or(f64::NAN)
}

/// A figure as a whole number.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "figures are positive and far below 2^53")]
pub(crate) fn whole(figure: f64) -> u64 {
    figure as u64
}
