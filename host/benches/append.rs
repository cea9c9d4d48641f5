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
use hydrant::definition::{Compression, Definition, S3Destination};
use hydrant::journal::{Disk, Journal, Recovered, Settings};
use hydrant::record::Records;
use hydrant::runtime::{Random, SystemClock};
use hydrant::telemetry::JournalMetrics;

const RECORD_BYTES: usize = 256;
const RECORDS_PER_PUT: usize = 500;
const WRITERS: usize = 16;
const PUTS_PER_WRITER: usize = 512;

fn main() -> Result<(), Box<dyn Error>> {
    let place = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let directory = place.map_or_else(std::env::temp_dir, PathBuf::from).join("hydrant-bench-journal");
    drop(fs::remove_dir_all(&directory));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build()?;
    runtime.block_on(append(&directory))?;
    let began = Instant::now();
    let cpu = cpu_seconds("")?;
    let (journal, recovered) = open(&directory)?;
    let (wall, cpu) = (began.elapsed().as_secs_f64(), cpu_seconds("")? - cpu);
    let gib = recovered.scanned_bytes as f64 / (1_u64 << 30) as f64;
    println!("recovery   {gib:.2} GiB in {wall:.3} s wall ({:.2} GiB/s), {:.2} GiB/s of CPU", gib / wall, gib / cpu);
    runtime.block_on(journal.close());
    fs::remove_dir_all(&directory)?;
    Ok(())
}

async fn append(directory: &Path) -> Result<(), Box<dyn Error>> {
    let (journal, _) = open(directory)?;
    let stream = journal.create_stream(definition()).await?;
    let payload = Bytes::from(vec![b'x'; RECORD_BYTES * RECORDS_PER_PUT]);
    let ends: Vec<u32> = (1..=RECORDS_PER_PUT as u32).map(|at| at * RECORD_BYTES as u32).collect();
    let records = Records::new(payload, ends, Vec::new())?;
    let (began, all, thread) = (Instant::now(), cpu_seconds("")?, cpu_seconds("journal")?);
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
    let count = (WRITERS * PUTS_PER_WRITER * RECORDS_PER_PUT) as f64;
    let wall = began.elapsed().as_secs_f64();
    let (all, thread) = (cpu_seconds("")? - all, cpu_seconds("journal")? - thread);
    let bytes = count * RECORD_BYTES as f64;
    println!("append     {count} records of {RECORD_BYTES} bytes, {RECORDS_PER_PUT} a put, {WRITERS} writers");
    println!(
        "wall       {:.0} records/s, {:.0} MB/s, slowest put {:.1} ms",
        count / wall,
        bytes / wall / 1e6,
        longest * 1e3
    );
    println!("journal    {:.3} us of CPU a record on its thread, write and fdatasync included", thread / count * 1e6);
    println!("process    {:.3} us of CPU a record on all threads", all / count * 1e6);
    journal.close().await;
    Ok(())
}

fn open(directory: &Path) -> Result<(Journal, Recovered), Box<dyn Error>> {
    let storage = Arc::new(Disk::new(directory));
    let random = Arc::new(Random::from_system());
    Ok(Journal::open(Settings::default(), storage, Arc::new(SystemClock), random, JournalMetrics::default())?)
}

/// CPU time of all threads of this process whose name begins so.
fn cpu_seconds(name: &str) -> Result<f64, Box<dyn Error>> {
    let mut nanoseconds = 0;
    for task in fs::read_dir("/proc/self/task")? {
        let path = task?.path();
        if fs::read_to_string(path.join("comm"))?.starts_with(name) {
            let times = fs::read_to_string(path.join("schedstat"))?;
            nanoseconds += times.split(' ').next().unwrap_or("0").parse::<u64>()?;
        }
    }
    Ok(nanoseconds as f64 / 1e9)
}

fn definition() -> Definition {
    Definition {
        account_id: "000000000000".to_owned(),
        name: "bench".to_owned(),
        arn: String::new(),
        version: 1,
        created_ms: 0,
        updated_ms: None,
        destination: S3Destination {
            bucket: "b".to_owned(),
            prefix: String::new(),
            error_output_prefix: String::new(),
            buffer_bytes: 1,
            buffer_seconds: 0,
            compression: Compression::Uncompressed,
            file_extension: String::new(),
            time_zone: String::new(),
            kms_key_arn: None,
        },
        processors: Vec::new(),
        document: serde_json::Value::Null,
    }
}
