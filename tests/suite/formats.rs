//! Objects in columns, read by other hands: Parquet by pyarrow and DuckDB, ORC by pyarrow.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use hydrant::definition::{
    Conversion, Definition, Deserializer, OrcCompression, OrcSettings, ParquetCompression, ParquetSettings,
    SchemaSource, Serializer, testing,
};
use hydrant::encode::encode;
use hydrant::record::{Content, Partition, Seal, Sealed, StreamId};
use hydrant_tests::environment::repository;
use hydrant_tests::peers::python_with_readers;
use serde_json::{Value, json};
use uuid::Uuid;

const COLUMNS: [(&str, &str); 17] = [
    ("flag", "boolean"),
    ("tiny", "tinyint"),
    ("small", "smallint"),
    ("int", "int"),
    ("big", "bigint"),
    ("single", "float"),
    ("double", "double"),
    ("price", "decimal(9,2)"),
    ("wide", "decimal(38,10)"),
    ("text", "string"),
    ("short", "varchar(5)"),
    ("raw", "binary"),
    ("day", "date"),
    ("at", "timestamp"),
    ("list", "array<array<int>>"),
    ("map", "map<string,decimal(5,1)>"),
    ("nested", "struct<a:int,b:array<struct<c:string,d:map<string,bigint>>>>"),
];

/// Records of a stream: a full one, an empty one, nulls at every depth, and many that repeat.
fn records() -> Vec<Value> {
    let mut records = vec![
        json!({
            "flag": true, "tiny": -128, "small": 32_767, "int": i32::MIN, "big": i64::MAX, "single": 1.5,
            "double": -0.1, "price": "-1234567.89", "wide": "1234567890123456789012345678.0123456789",
            "text": "größer\nals", "short": "fünf5", "raw": "AP8=", "day": "2024-02-29",
            "at": "2024-02-29T12:34:56.789012Z", "list": [[1, null], [], null], "map": {"x": 1.5, "y": null},
            "nested": {"a": 1, "b": [{"c": "d", "d": {"k": 7}}, null, {"c": null, "d": {}}]},
        }),
        json!({}),
        json!({"list": [], "map": {}, "nested": {"a": null, "b": null}, "at": "1969-12-30 23:59:59.25", "day": "1901-01-01"}),
        json!({"flag": false, "price": 0, "text": "", "raw": "", "nested": {"b": []}, "at": 1_700_000_000}),
    ];
    for at in 0..3_000_i64 {
        records.push(json!({
            "flag": at % 3 == 0, "tiny": at % 100, "int": at, "big": at * at * 1_000_003, "double": 0.5,
            "price": format!("{}.{:02}", at, at % 100), "text": format!("text {}", at % 7), "at": 1_700_000_000 + at,
            "list": [[at, at + 1]], "map": {"k": at % 1_000}, "nested": {"a": at % 5, "b": [{"c": "x", "d": {"n": at}}]},
        }));
    }
    records
}

/// What readers must see: every column, in the form in which `formats.py` prints it.
fn expected() -> Vec<Value> {
    let mut rows = vec![
        json!({
            "flag": true, "tiny": -128, "small": 32_767, "int": i32::MIN, "big": i64::MAX, "single": 1.5,
            "double": -0.1, "price": "-1234567.89", "wide": "1234567890123456789012345678.0123456789",
            "text": "größer\nals", "short": "fünf5", "raw": "00ff", "day": "2024-02-29",
            "at": "2024-02-29T12:34:56.789012", "list": [[1, null], [], null], "map": [["x", "1.5"], ["y", null]],
            "nested": {"a": 1, "b": [{"c": "d", "d": [["k", 7]]}, null, {"c": null, "d": []}]},
        }),
        json!({}),
        json!({
            "list": [], "map": [], "nested": {"a": null, "b": null}, "at": "1969-12-30T23:59:59.250000", "day": "1901-01-01",
        }),
        json!({
            "flag": false, "price": "0.00", "text": "", "raw": "", "nested": {"a": null, "b": []},
            "at": "2023-11-14T22:13:20",
        }),
    ];
    for at in 0..3_000_i64 {
        let second = 22 * 3600 + 13 * 60 + 20 + at;
        rows.push(json!({
            "flag": at % 3 == 0, "tiny": at % 100, "int": at, "big": at * at * 1_000_003, "double": 0.5,
            "price": format!("{}.{:02}", at, at % 100), "text": format!("text {}", at % 7),
            "at": format!("2023-11-14T{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60),
            "list": [[at, at + 1]], "map": [["k", format!("{}.0", at % 1_000)]],
            "nested": {"a": at % 5, "b": [{"c": "x", "d": [["n", at]]}]},
        }));
    }
    for row in &mut rows {
        for (name, _) in COLUMNS {
            let row = row.as_object_mut().expect("a row");
            row.entry(name).or_insert(Value::Null);
        }
    }
    rows
}

/// The object of all records by this serializer.
fn object(output: Serializer) -> Vec<u8> {
    let columns: Vec<_> = COLUMNS.iter().map(|(name, kind)| json!({"Name": name, "Type": kind})).collect();
    let schema = SchemaSource {
        catalog_id: String::new(),
        database: "db".to_owned(),
        table: "t".to_owned(),
        region: String::new(),
        version_id: "LATEST".to_owned(),
    };
    let input = Deserializer::OpenX { case_insensitive: true, dots_to_underscores: false, column_keys: Vec::new() };
    let resolved = Some(json!({"StorageDescriptor": {"Columns": columns}}));
    let definition = Definition {
        conversion: Some(Conversion { schema, input, output, resolved }),
        ..testing::definition("orders")
    };
    let seal = Seal {
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
    };
    let payload: String = records().iter().map(Value::to_string).collect();
    let sealed = Sealed { seal: Arc::new(seal), content: Content::Records(payload.into_bytes()) };
    encode(sealed, &definition).expect("checked records").body.to_vec()
}

/// Writes objects, has them read, and compares what is said of each row.
fn check(files: &[(&str, Serializer)], readers: &[&str]) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(python_with_readers());
    command.arg(repository().join("tests/suite/formats.py")).current_dir(folder.path());
    for (name, output) in files {
        std::fs::write(folder.path().join(name), object(output.clone())).expect("a file");
        command.arg(name);
    }
    let output = command.output().expect("python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut seen = Vec::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let read: Value = serde_json::from_str(line).expect("a line of JSON");
        let what = format!("{} by {}", read["file"], read["reader"]);
        let rows = read["rows"].as_array().expect("rows");
        let expected = expected();
        assert_eq!(rows.len(), expected.len(), "{what}");
        for (at, (row, expected)) in rows.iter().zip(&expected).enumerate() {
            assert_eq!(row, expected, "row {at} of {what}");
        }
        seen.push((Path::new(read["file"].as_str().expect("a name")).to_owned(), read["reader"].clone()));
    }
    assert_eq!(seen.len(), files.len() * readers.len(), "every file is read by {readers:?}");
}

fn parquet(compression: ParquetCompression, has_dictionary: bool, is_v2: bool) -> ParquetSettings {
    ParquetSettings {
        block_bytes: 64 << 20,
        page_bytes: 64 << 10,
        compression,
        has_dictionary,
        is_v2,
        ..ParquetSettings::default()
    }
}

/// Every compression, both versions of the writer, dictionaries or none; and several row groups, apart and at blocks.
#[test]
fn parquet_is_read_by_pyarrow_and_duckdb() {
    // Less than the API lets through.
    let small = ParquetSettings { block_bytes: 100_000, ..parquet(ParquetCompression::Gzip, true, true) };
    let padded = ParquetSettings { block_bytes: 50_000, most_padding_bytes: 50_000, ..small };
    let files = [
        ("plain.parquet", parquet(ParquetCompression::Uncompressed, false, false)),
        ("snappy.parquet", parquet(ParquetCompression::Snappy, true, false)),
        ("gzip.parquet", parquet(ParquetCompression::Gzip, false, true)),
        ("groups.parquet", small),
        ("padded.parquet", padded),
    ];
    let files = files.map(|(name, settings)| (name, Serializer::Parquet(settings)));
    let length = |at: usize| object(files[at].1.clone()).len();
    assert!(length(4) > length(3) + 10_000, "padding is there");
    check(&files, &["pyarrow", "duckdb"]);
}

/// Small row groups and all that an index may hold.
fn indexed() -> OrcSettings {
    OrcSettings {
        row_index_stride: 1_000,
        bloom_filter_columns: COLUMNS.iter().map(|(name, _)| name.to_uppercase()).collect(),
        bloom_filter_probability: 0.01,
        dictionary_threshold: 0.5,
        ..OrcSettings::default()
    }
}

/// Every compression, several stripes, dictionaries and indexes, stripes at blocks, and the older version.
#[test]
fn orc_is_read_by_pyarrow() {
    let of = |compression| OrcSettings { compression, ..OrcSettings::default() };
    let stripes = OrcSettings { stripe_bytes: 100_000, ..indexed() };
    let files = [
        ("plain.orc", of(OrcCompression::None)),
        ("zlib.orc", of(OrcCompression::Zlib)),
        ("snappy.orc", of(OrcCompression::Snappy)),
        ("padded.orc", OrcSettings { is_padded: true, padding_tolerance: 1.0, block_bytes: 70_000, ..stripes.clone() }),
        ("stripes.orc", stripes),
        ("indexed.orc", indexed()),
        ("older.orc", OrcSettings { is_v0_11: true, ..of(OrcCompression::Zlib) }),
    ];
    check(&files.map(|(name, settings)| (name, Serializer::Orc(settings))), &["pyarrow"]);
}

/// What the reference implementation of the format reads by the index: any row without those before it, and for a value
/// that is not there, though it lies between the bounds, nothing.
#[test]
fn orc_is_entered_by_its_index() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(python_with_readers());
    command.arg(repository().join("tests/suite/formats_index.py")).current_dir(folder.path());
    let each = [("none", OrcCompression::None), ("zlib", OrcCompression::Zlib), ("snappy", OrcCompression::Snappy)];
    for (name, compression) in each {
        let stripes = OrcSettings { stripe_bytes: 300_000, dictionary_threshold: 0.0, ..indexed() };
        for (kind, settings) in [("one", indexed()), ("stripes", stripes)] {
            let file = format!("{name}-{kind}.orc");
            let body = object(Serializer::Orc(OrcSettings { compression, ..settings }));
            std::fs::write(folder.path().join(&file), body).expect("a file");
            command.arg(file);
        }
    }
    let output = command.output().expect("python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), 6);
}
