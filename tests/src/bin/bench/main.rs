//! `hydrant-bench`: the figures, as a table that anyone can reproduce on their machine.
//!
//! Starts the optimised host, an S3 server in a process of its own and the load generator, and reads what the kernel
//! says about the host. Refuses to judge: goals stand beside the figures, and nothing here fails because a machine is
//! slow.
#![expect(clippy::print_stdout, reason = "the table is its purpose")]
#![expect(clippy::expect_used, clippy::panic, reason = "a bench that cannot run has no figures")]

mod bulk;
mod chain;
mod crowd;
mod destinations;
mod fleet;
mod outage;
mod partitions;
mod stages;
mod store;
mod table;

use clap::Parser;

use crate::table::Table;

/// Measures the host and prints a table.
#[derive(Debug, Parser)]
pub(crate) struct Arguments {
    /// Runs of workload W1; the table shows medians.
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Records of workload W1.
    #[arg(long, default_value_t = 2_000_000)]
    records: u64,
    /// Bytes of the backlog that a restart meets.
    #[arg(long, default_value_t = 4 << 30)]
    backlog_bytes: u64,
    /// Records of each destination and format: of 500 partitions, objects of a megabyte.
    #[arg(long, default_value_t = 2_000_000)]
    destination_records: u64,
    /// Bytes over all partitions, at 500 and at 5,000 of them; 4294967296 is what the host is to hold in flight.
    #[arg(long, default_value_t = 1 << 30)]
    partition_bytes: u64,
    /// Seconds that the destination is away, more than the minute that buffers of partitions wait; 3600 is what the host is
    /// to bear.
    #[arg(long, default_value_t = 120, value_parser = clap::value_parser!(u64).range(90..))]
    outage_seconds: u64,
    /// Of the destinations, also of those that are away, only those whose name contains this.
    #[arg(long, default_value = "")]
    case: String,
    /// Only these parts: plain, plugin, stages, destinations, partitions, outage, backlog, idle, spread; and crowd, which
    /// compiles 1,000 plugins and is left out unless it is named.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
}

impl Arguments {
    fn wants(&self, part: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == part)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments = Arguments::parse();
    let mut table = Table::default();
    let mut chains = Vec::new();
    for (part, plugin) in [("plain", None), ("plugin", Some("bench"))] {
        if arguments.wants(part) {
            let figures = chain::measure(&arguments, plugin).await;
            chains.push((plugin, figures.nanoseconds_per_record()));
            table.add(&figures.title(), figures.rows());
        }
    }
    if arguments.wants("stages") {
        let stages = stages::measure();
        table.add("stages alone, thread CPU time", stages::rows(&stages, &chains));
    }
    if arguments.wants("destinations") {
        let title = format!("each destination, {} records of 256 bytes", arguments.destination_records);
        table.add(&title, destinations::measure(&arguments).await);
    }
    if arguments.wants("partitions") {
        for partitions in [500, 5_000] {
            let title = format!("{partitions} partitions of 128 MiB, memory budget 512 MiB");
            table.add(&title, partitions::measure(partitions, arguments.partition_bytes).await);
        }
    }
    if arguments.wants("outage") {
        table.add(
            "a destination is away at 10,000 records/s",
            outage::measure(arguments.outage_seconds, &arguments.case).await,
        );
    }
    if arguments.wants("backlog") {
        table.add("restart with a backlog", fleet::backlog(arguments.backlog_bytes).await);
    }
    if arguments.wants("idle") {
        table.add("2,000 idle streams", fleet::idle().await);
    }
    if arguments.wants("spread") {
        table.add("50,000 records/s over 500 streams", fleet::spread().await);
    }
    if arguments.only.iter().any(|only| only == "crowd") {
        table.add("1,000 plugins known, 200 at work", crowd::measure().await);
    }
    println!("{table}");
}
