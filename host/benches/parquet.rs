//! How many JSON records of 256 bytes does one second of a core turn into Parquet or ORC, checked beforehand?
//!
//! One thread; the median of the rounds. Run with `cargo bench -p hydrant --bench parquet`, a number of records behind
//! `--` for another size.

#![expect(clippy::print_stdout, reason = "a bench prints its table")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use hydrant::convert::{Plan, check};
use hydrant::definition::{
    Conversion, Definition, Deserializer, OrcCompression, OrcSettings, ParquetCompression, ParquetSettings,
    SchemaSource, Serializer, testing,
};
use hydrant::encode::encode;
use hydrant::record::{Content, Partition, Records, Seal, Sealed, StreamId};
use hydrant::runtime::Random;
use serde_json::json;
use uuid::Uuid;

const ROUNDS: usize = 3;

const COUNTRIES: [&str; 3] = ["France", "Germany", "Japan"];

/// Bytes of a record of workload W1.
const RECORD_BYTES: usize = 256;

#[expect(clippy::cast_precision_loss, reason = "figures for reading")]
fn main() {
    let count: usize = std::env::args().filter_map(|argument| argument.parse().ok()).next().unwrap_or(200_000);
    let records = records(count);
    let definition = definition(parquet(ParquetCompression::Snappy, true));
    let Some(Ok(plan)) = definition.conversion.as_ref().map(Plan::new) else { return };
    println!("{count} records of {RECORD_BYTES} bytes, medians of {ROUNDS} rounds on one thread");
    println!("{:<28}{:>12}{:>16}{:>10}", "", "records/s", "with check", "of JSON");
    let checked = median(|| {
        assert!(check(black_box(&plan), black_box(&records)).is_empty(), "every record fits");
    });
    println!("{:<28}{:>12.0}", "check", count as f64 / checked);
    let outputs = [
        ("parquet snappy", parquet(ParquetCompression::Snappy, true)),
        ("parquet snappy, plain", parquet(ParquetCompression::Snappy, false)),
        ("parquet gzip", parquet(ParquetCompression::Gzip, true)),
        ("parquet uncompressed", parquet(ParquetCompression::Uncompressed, true)),
        ("orc snappy", orc(OrcCompression::Snappy)),
        ("orc zlib", orc(OrcCompression::Zlib)),
    ];
    for (name, output) in outputs {
        let definition = self::definition(output);
        let mut length = 0;
        let written = median(|| {
            let content = Content::Records(records.payload().to_vec());
            let object = encode(Sealed { seal: Arc::new(seal()), content }, &definition);
            length = object.map_or(0, |object| object.body.len());
        });
        let share = length as f64 / records.payload().len() as f64;
        let (alone, both) = (count as f64 / written, count as f64 / (written + checked));
        println!("{name:<28}{alone:>12.0}{both:>16.0}{share:>10.3}");
        if name == "parquet snappy" {
            println!(r#"{{"stage":"parquet","records_per_cpu_second":{both:.0}}}"#);
        }
    }
}

/// Median seconds of a round.
fn median(mut work: impl FnMut()) -> f64 {
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed().as_secs_f64()
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    rounds[ROUNDS / 2]
}

/// Orders of a shop: few countries, many customers, a random session.
fn records(count: usize) -> Records {
    let random = Random::seeded(1);
    let mut payload = Vec::with_capacity(count * RECORD_BYTES);
    let mut ends = Vec::with_capacity(count);
    for order in 0..count {
        let (id, noise) = (random.uuid(), random.next_u64());
        let record = json!({
            "order_id": order, "customer": noise % 50_000, "country": COUNTRIES[order % 3],
            "session": id.to_string(), "price": format!("{}.{:02}", noise % 900, noise % 100),
            "quantity": noise % 12, "express": order % 5 == 0, "ordered_at": format!("2024-02-{:02} 12:{:02}:{:02}", order % 28 + 1, order % 60, order % 59),
            "tags": ["web", "new"],
        });
        let mut text = record.to_string();
        text.pop();
        let room = RECORD_BYTES.saturating_sub(text.len() + r#","note":""}"#.len());
        text += &format!(r#","note":"{}"}}"#, &"a note of the customer about this order ".repeat(8)[..room.min(320)]);
        payload.extend_from_slice(text.as_bytes());
        ends.push(u32::try_from(payload.len()).unwrap_or(u32::MAX));
    }
    Records::new(payload.into(), ends, Vec::new()).unwrap_or_default()
}

fn parquet(compression: ParquetCompression, has_dictionary: bool) -> Serializer {
    Serializer::Parquet(ParquetSettings { compression, has_dictionary, ..ParquetSettings::default() })
}

fn orc(compression: OrcCompression) -> Serializer {
    Serializer::Orc(OrcSettings { compression, ..OrcSettings::default() })
}

fn definition(output: Serializer) -> Definition {
    let columns = [
        ("order_id", "bigint"),
        ("customer", "int"),
        ("country", "string"),
        ("session", "string"),
        ("price", "decimal(9,2)"),
        ("quantity", "int"),
        ("express", "boolean"),
        ("ordered_at", "timestamp"),
        ("tags", "array<string>"),
        ("note", "string"),
    ];
    let columns: Vec<_> = columns.iter().map(|(name, kind)| json!({"Name": name, "Type": kind})).collect();
    let text = |text: &str| text.to_owned();
    let schema = SchemaSource {
        catalog_id: String::new(),
        database: text("shop"),
        table: text("orders"),
        region: String::new(),
        version_id: text("LATEST"),
    };
    let input = Deserializer::OpenX { case_insensitive: true, dots_to_underscores: false, column_keys: Vec::new() };
    let resolved = Some(json!({"StorageDescriptor": {"Columns": columns}}));
    Definition { conversion: Some(Conversion { schema, input, output, resolved }), ..testing::definition("orders") }
}

fn seal() -> Seal {
    Seal {
        id: Uuid::from_u128(1),
        stream: StreamId(1),
        partition: Partition::Main,
        first: 0,
        end: 1,
        open_from: 1,
        definition_version: 1,
        bucket: "lake".to_owned(),
        key: "k".to_owned(),
        record_count: 1,
        content_bytes: 1,
        oldest_arrived_ms: 0,
        sealed_ms: 0,
    }
}
