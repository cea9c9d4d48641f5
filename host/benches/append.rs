//! Two questions: what does a durable record cost in CPU time, and how fast is a journal recovered?
//!
//! `cargo bench --bench append [-- DIRECTORY]` on the disk that counts. Prints a table; judges nothing.
#![expect(clippy::print_stdout, reason = "a bench prints its answer")]

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use hydrant::definition::testing;
use hydrant::journal::{Disk, Journal, Recovered, Settings};
use hydrant::record::Records;
use hydrant::runtime::{Random, SystemClock};
use hydrant::telemetry::JournalMetrics;

const RECORD_BYTES: u32 = 256;
const RECORDS_PER_PUT: u32 = 500;
const WRITERS: usize = 16;
const PUTS_PER_WRITER: usize = 512;

fn main() -> Result<(), Box<dyn Error>> {
    let place = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let directory = place.map_or_else(std::env::temp_dir, PathBuf::from).join("hydrant-bench-journal");
    drop(fs::remove_dir_all(&directory));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build()?;
    runtime.block_on(append(&directory))?;
    let began = Instant::now();
    let before = process_seconds()?;
    let (journal, recovered) = open(&directory)?;
    let (wall, after) = (began.elapsed().as_secs_f64(), process_seconds()?);
    let cpu = after[0] + after[1] - before[0] - before[1];
    let gib = recovered.scanned_bytes as f64 / (1_u64 << 30) as f64;
    println!("recovery   {gib:.2} GiB in {wall:.3} s wall ({:.2} GiB/s), {:.2} GiB/s of CPU", gib / wall, gib / cpu);
    runtime.block_on(journal.close());
    fs::remove_dir_all(&directory)?;
    Ok(())
}

async fn append(directory: &Path) -> Result<(), Box<dyn Error>> {
    let (journal, _) = open(directory)?;
    let stream = journal.create_stream(testing::definition("bench")).await?;
    let payload = Bytes::from(vec![b'x'; (RECORD_BYTES * RECORDS_PER_PUT) as usize]);
    let ends: Vec<u32> = (1..=RECORDS_PER_PUT).map(|at| at * RECORD_BYTES).collect();
    let records = Records::new(payload, ends, Vec::new())?;
    let (began, before, thread) = (Instant::now(), process_seconds()?, thread_seconds()?);
    let mut writers = tokio::task::JoinSet::new();
    for _ in 0..WRITERS {
        let (journal, records) = (journal.clone(), records.clone());
        writers.spawn(async move {
            let mut longest = 0.0_f64;
            for _ in 0..PUTS_PER_WRITER {
                let began = Instant::now();
                journal.append(stream, records.clone(), 1).await?;
                longest = longest.max(began.elapsed().as_secs_f64());
            }
            Ok::<f64, hydrant::journal::AppendError>(longest)
        });
    }
    let mut longest = 0.0_f64;
    while let Some(writer) = writers.join_next().await {
        longest = longest.max(writer??);
    }
    let count = f64::from(RECORDS_PER_PUT) * (WRITERS * PUTS_PER_WRITER) as f64;
    let wall = began.elapsed().as_secs_f64();
    let (after, thread) = (process_seconds()?, thread_seconds()? - thread);
    let [user, kernel] = [0, 1].map(|at| (after[at] - before[at]) / count * 1e6);
    println!(r#"{{"stage":"append","nanoseconds_per_record":{:.1}}}"#, (user + kernel) * 1e3);
    let bytes = count * f64::from(RECORD_BYTES);
    println!("append     {count} records of {RECORD_BYTES} bytes, {RECORDS_PER_PUT} a put, {WRITERS} writers");
    println!(
        "wall       {:.0} records/s, {:.0} MB/s, slowest put {:.1} ms",
        count / wall,
        bytes / wall / 1e6,
        longest * 1e3
    );
    println!("journal    {:.3} us of CPU a record on its thread, write and fdatasync included", thread / count * 1e6);
    println!("process    {user:.3} us in user code and {kernel:.3} us in the kernel a record, all threads");
    journal.close().await;
    Ok(())
}

fn open(directory: &Path) -> Result<(Journal, Recovered), Box<dyn Error>> {
    let storage = Arc::new(Disk::new(directory));
    let random = Arc::new(Random::from_system());
    Ok(Journal::open(Settings::default(), storage, Arc::new(SystemClock), random, JournalMetrics::default())?)
}

/// CPU time of this process with all threads that ever ran, to 10 ms: in user code and in the kernel.
fn process_seconds() -> Result<[f64; 2], Box<dyn Error>> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = |at: usize| after_name.split_whitespace().nth(at).unwrap_or("0").parse::<f64>();
    Ok([ticks(11)? / 100.0, ticks(12)? / 100.0])
}

/// CPU time of the journal's thread.
fn thread_seconds() -> Result<f64, Box<dyn Error>> {
    for task in fs::read_dir("/proc/self/task")? {
        let path = task?.path();
        if fs::read_to_string(path.join("comm"))?.trim() == "journal" {
            let times = fs::read_to_string(path.join("schedstat"))?;
            return Ok(times.split(' ').next().unwrap_or("0").parse::<f64>()? / 1e9);
        }
    }
    Err("no journal thread".into())
}
