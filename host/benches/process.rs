//! What do our own processors cost per record, and a jq program above all?
//!
//! One thread, 4,096 JSON records of about 256 bytes a batch, the median of the rounds. Prints a table; asserts nothing
//! about time.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench fails loudly and prints its table")]

use std::hint::black_box;
use std::io::Write;
use std::sync::Arc;
use std::time::Instant;

use flate2::write::GzEncoder;
use hydrant::definition::{Definition, KeySource, PartitionKey, Partitioning, Processor, testing};
use hydrant::process::plugin::Settings;
use hydrant::process::{Chain, PluginHost};
use hydrant::record::{Batch, Epoch, Records, StreamId};
use hydrant::runtime::ManualClock;
use hydrant::telemetry::Telemetry;

const RECORDS: usize = 4096;
const ROUNDS: usize = 21;

fn main() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("plugins")).unwrap();
    let settings = Settings::new(folder.path().join("plugins"), folder.path().join("store"));
    let host = PluginHost::start(settings, Telemetry::new(), Arc::new(ManualClock::at(7))).unwrap();
    let query = |query: &str| Processor::ExtractMetadata { query: query.to_owned() };
    let lines: Vec<Vec<u8>> = (0..RECORDS).map(|at| record(at).into_bytes()).collect();
    let packed: Vec<Vec<u8>> = lines.iter().map(|line| gzip(line)).collect();
    let tens: Vec<Vec<u8>> = lines.chunks(10).map(<[Vec<u8>]>::concat).collect();
    println!("{:<56}{:>14}", "processor", "ns per record");
    for (name, inputs, processor, keys) in [
        ("a field", &lines, query("{region: .region}"), vec!["region"]),
        (
            "three fields",
            &lines,
            query("{region, customer: .customer.id, kind: .kind}"),
            vec!["region", "customer", "kind"],
        ),
        ("strftime", &lines, query(r#"{day: .ts|strftime("%Y-%m-%d")}"#), vec!["day"]),
        (
            "if, //, interpolation",
            &lines,
            query(r#"{k: (if .kind == "order" then "o" else "x" end), c: "\(.customer.id // "none")"}"#),
            vec!["k", "c"],
        ),
        ("test", &lines, query(r#"{k: (.region | test("^eu-"))}"#), vec!["k"]),
        ("de-aggregation, JSON, ten in a row", &tens, Processor::DeAggregate { delimiter: None }, Vec::new()),
        ("decompression", &packed, Processor::Decompress, Vec::new()),
        ("a delimiter", &lines, Processor::AppendDelimiter { delimiter: "\n".to_owned() }, Vec::new()),
    ] {
        let definition = definition(processor, &keys);
        let epoch = Epoch { stream: StreamId(1), from: 0, definition_version: 1, plugins: Vec::new() };
        let chain = Chain::new(&definition, &epoch, &host).unwrap();
        let batch = batch(inputs);
        let made = chain.apply(batch.clone());
        assert_eq!((made.outputs.len(), made.rejected.len()), (RECORDS, 0), "{name}");
        let mut rounds: Vec<f64> = (0..ROUNDS)
            .map(|_| {
                let began = Instant::now();
                black_box(chain.apply(black_box(batch.clone())));
                began.elapsed().as_secs_f64()
            })
            .collect();
        rounds.sort_by(f64::total_cmp);
        println!("{name:<56}{:>14.0}", rounds[ROUNDS / 2] * 1e9 / RECORDS as f64);
    }
}

fn record(at: usize) -> String {
    let region = ["eu-west-1", "us-east-1", "ap-south-1"][at % 3];
    let filler = "abcdefghij".repeat(12);
    format!(
        r#"{{"region":"{region}","customer":{{"id":{}}},"kind":"order","ts":{},"amount":12.5,"note":"{filler}","tags":["a","b"]}}"#,
        at % 97,
        1_565_382_027 + at
    )
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn batch(records: &[Vec<u8>]) -> Batch {
    let mut ends = Vec::new();
    let mut payload = Vec::new();
    for record in records {
        payload.extend_from_slice(record);
        ends.push(u32::try_from(payload.len()).unwrap());
    }
    let records = Records::new(payload.into(), ends, Vec::new()).unwrap();
    Batch {
        stream: StreamId(1),
        first: 0,
        arrived_ms: vec![0; records.len()],
        records,
        course: hydrant::record::Course::Put,
    }
}

fn definition(processor: Processor, keys: &[&str]) -> Definition {
    let key = |name: &&str| PartitionKey { source: KeySource::Query, name: (*name).to_owned(), uses: 1 };
    let partitioning = Partitioning { keys: keys.iter().map(key).collect(), room_bytes: 400, event_time: None };
    Definition {
        partitioning: (!keys.is_empty()).then_some(partitioning),
        processors: vec![processor],
        ..testing::definition("orders")
    }
}
