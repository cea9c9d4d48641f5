//! `hydrant-load`: sends workload W1 to a host and says how fast and how late it was acknowledged.
//!
//! The streams must exist. Refuses to start or stop anything.
#![expect(clippy::print_stdout, reason = "its output is its purpose")]

use std::net::SocketAddr;

use clap::Parser;
use hydrant_tests::client::{Client, Credentials};
use hydrant_tests::environment::text;
use hydrant_tests::load::{Summary, Work, run};

/// Load generator for a Firehose API; credentials come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.
#[derive(Debug, Parser)]
struct Arguments {
    /// Address of the Firehose API.
    #[arg(long, default_value = "127.0.0.1:4573")]
    address: SocketAddr,
    /// Stream name; with --streams N the names are NAME-0 to NAME-(N-1).
    #[arg(long, default_value = "load")]
    name: String,
    /// Number of streams; 0 means the one stream NAME.
    #[arg(long, default_value_t = 0)]
    streams: usize,
    /// Records in all.
    #[arg(long, default_value_t = 2_000_000)]
    records: u64,
    /// Bytes of a record.
    #[arg(long, default_value_t = 256)]
    record_bytes: usize,
    /// Records of a request.
    #[arg(long, default_value_t = 500)]
    batch: usize,
    /// Connections.
    #[arg(long, default_value_t = 16)]
    connections: usize,
    /// Records per second in all; unset means as fast as answers come.
    #[arg(long)]
    rate: Option<u64>,
    /// Values of `service` over all records; unset means six.
    #[arg(long)]
    keys: Option<u32>,
    /// One JSON object instead of text.
    #[arg(long)]
    json: bool,
}

// One thread: the generator must not compete with the host for both cores.
#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments = Arguments::parse();
    let mut credentials = Credentials::default();
    if let (Some(id), Some(secret)) = (text("AWS_ACCESS_KEY_ID"), text("AWS_SECRET_ACCESS_KEY")) {
        credentials = Credentials { access_key_id: id, secret_access_key: secret };
    }
    let streams = match arguments.streams {
        0 => vec![arguments.name.clone()],
        count => (0..count).map(|at| format!("{}-{at}", arguments.name)).collect(),
    };
    let work = Work {
        streams,
        records: arguments.records,
        record_bytes: arguments.record_bytes,
        batch: arguments.batch,
        connections: arguments.connections,
        rate: arguments.rate,
        keys: arguments.keys,
    };
    let summary = run(&Client::with(arguments.address, credentials, 0), &work).await;
    if arguments.json {
        println!("{}", serde_json::to_string(&summary).unwrap_or_default());
    } else {
        print(&summary);
    }
}

fn print(summary: &Summary) {
    println!("acknowledged  {} records in {:.2} s", summary.acknowledged_records, summary.seconds);
    println!("refused       {} records", summary.refused_records);
    println!("rate          {:.0} records/s, {:.1} MB/s", summary.records_per_second, summary.megabytes_per_second);
    println!(
        "latency       p50 {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms, max {:.2} ms",
        summary.p50_ms, summary.p99_ms, summary.p999_ms, summary.max_ms
    );
    println!("generator     {:.2} s of processor time", summary.generator_cpu_seconds);
}
