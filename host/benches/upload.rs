//! What does uploading cost? CPU seconds of this process per body, as MB per CPU-second: one put against parts, to the
//! embedded server in a process of its own, and to a server that the caller names.
//!
//! `cargo bench -p hydrant --bench upload [-- URL ACCESS_KEY_ID SECRET_ACCESS_KEY BUCKET]`

#![expect(clippy::print_stdout, reason = "a bench prints its table")]

use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use hydrant::deliver::testing::{object, patterned};
use hydrant::deliver::{Credentials, Destination, Embedded, Endpoint, Policy, S3, Settings};
use hydrant::runtime::Random;
use secrecy::ExposeSecret;

const BODY_BYTES: usize = 64 << 20;
const ROUNDS: u32 = 8;
/// What gzip leaves of a record of workload W1.
const COMPRESSED_RECORD_BYTES: f64 = 46.0;
const BUCKET: &str = "bench";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    if std::env::args().any(|argument| argument == "--serve") {
        return serve().await;
    }
    let mut child =
        Command::new(std::env::current_exe()?).arg("--serve").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut said = String::new();
    BufReader::new(child.stdout.take().ok_or("no output")?).read_line(&mut said)?;
    let [url, access_key_id, secret] = said.split_whitespace().collect::<Vec<_>>()[..] else {
        return Err("the server did not start".into());
    };
    let credentials = Credentials { access_key_id: access_key_id.to_owned(), secret_access_key: secret.into() };
    let rate = measure("embedded", url.to_owned(), credentials, BUCKET).await?;
    // Closing its input ends the server.
    drop(child.stdin.take());
    child.wait()?;
    println!(r#"{{"stage":"upload","nanoseconds_per_record":{:.1}}}"#, COMPRESSED_RECORD_BYTES / rate * 1e3);
    // Cargo adds `--bench`.
    let given: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    if let [url, access_key_id, secret, bucket] = given.as_slice() {
        let secret_access_key = secret.clone().into();
        let credentials = Credentials { access_key_id: access_key_id.clone(), secret_access_key };
        measure("outside", url.clone(), credentials, bucket).await?;
    }
    Ok(())
}

/// Serves a folder until standard input ends.
async fn serve() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let server = Embedded::start(folder.path(), ([127, 0, 0, 1], 0).into(), Arc::new(Random::seeded(1))).await?;
    server.ensure_bucket(BUCKET).await?;
    let key = server.credentials();
    println!("{} {} {}", server.url(), key.access_key_id, key.secret_access_key.expose_secret());
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    Ok(())
}

/// Prints a line for each way; gives MB per CPU-second of one put.
async fn measure(server: &str, url: String, credentials: Credentials, bucket: &str) -> Result<f64, Box<dyn Error>> {
    let mut rates = Vec::new();
    let body = patterned(BODY_BYTES);
    for (way, threshold) in [("one put", usize::MAX), ("8 MiB parts", 0)] {
        let mut settings = Settings::new(Endpoint::Url(url.clone()), "us-east-1");
        settings.plaintext = true;
        settings.credentials = Some(credentials.clone());
        settings.multipart_threshold_bytes = threshold;
        let s3 = S3::connect(settings, Policy::default(), Arc::new(Random::seeded(1))).await?;
        // The first request opens connections.
        s3.deliver(&object(bucket, "warm", b"up")).await?;
        let (cpu, wall) = (cpu_seconds(), Instant::now());
        for round in 0..ROUNDS {
            s3.deliver(&object(bucket, &format!("{way}/{round}"), &body)).await?;
        }
        let megabytes = f64::from(ROUNDS) * BODY_BYTES as f64 / 1e6;
        let (cpu, wall) = (cpu_seconds() - cpu, wall.elapsed().as_secs_f64());
        let line = format!("{server:9} {way:12} {:7.0} MB/CPU-s {:7.0} MB/s\n", megabytes / cpu, megabytes / wall);
        std::io::stdout().write_all(line.as_bytes())?;
        rates.push(megabytes / cpu);
    }
    Ok(rates[0])
}

/// User and system time of this process.
fn cpu_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
