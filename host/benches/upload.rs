//! What does uploading cost? CPU seconds of this process per body, as MB per CPU-second: one put against parts, to the
//! embedded server (whose own work is included, since it lives in this process) and to a server outside.
//!
//! `cargo bench -p hydrant --bench upload [-- URL ACCESS_KEY_ID SECRET_ACCESS_KEY BUCKET]`

use std::error::Error;
use std::io::Write;
use std::sync::Arc;
use std::time::Instant;

use hydrant::deliver::testing::{object, patterned};
use hydrant::deliver::{Credentials, Destination, Embedded, Endpoint, Policy, S3, Settings};
use hydrant::runtime::Random;

const BODY_BYTES: usize = 64 << 20;
const ROUNDS: u32 = 8;
const BUCKET: &str = "bench";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let random = Arc::new(Random::seeded(1));
    let folder = tempfile::tempdir()?;
    let server = Embedded::start(folder.path(), ([127, 0, 0, 1], 0).into(), Arc::clone(&random)).await?;
    server.ensure_bucket(BUCKET).await?;
    measure("embedded", server.url(), server.credentials().clone(), BUCKET).await?;
    // Cargo adds `--bench`.
    let given: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    if let [url, access_key_id, secret, bucket] = given.as_slice() {
        let secret_access_key = secret.clone().into();
        let credentials = Credentials { access_key_id: access_key_id.clone(), secret_access_key };
        measure("outside", url.clone(), credentials, bucket).await?;
    }
    Ok(())
}

async fn measure(server: &str, url: String, credentials: Credentials, bucket: &str) -> Result<(), Box<dyn Error>> {
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
    }
    Ok(())
}

/// User and system time of this process.
fn cpu_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
