//! The parts of a file that other readers do not show; the rest is read by them in `tests/suite/formats.rs`.

use serde_json::json;

use super::*;
use crate::convert::Plan;
use crate::definition::{Conversion, Deserializer, OrcCompression, OrcSettings, SchemaSource, Serializer};

fn plan() -> Plan {
    let conversion = Conversion {
        schema: SchemaSource {
            catalog_id: String::new(),
            database: "db".to_owned(),
            table: "t".to_owned(),
            region: String::new(),
            version_id: "LATEST".to_owned(),
        },
        input: Deserializer::OpenX { case_insensitive: true, dots_to_underscores: false, column_keys: Vec::new() },
        output: Serializer::Orc(OrcSettings::default()),
        resolved: Some(json!({"StorageDescriptor": {"Columns": [{"Name": "a", "Type": "string"}]}})),
    };
    Plan::new(&conversion).unwrap()
}

#[test]
fn a_file_has_its_magic_at_both_ends() {
    for compression in [OrcCompression::None, OrcCompression::Zlib, OrcCompression::Snappy] {
        for count in [0, 1, 50_000] {
            let payload = "{\"a\":\"one text of many\"}".repeat(count);
            let settings = OrcSettings {
                compression,
                dictionary_threshold: 1.0,
                bloom_filter_columns: vec!["a".to_owned()],
                ..OrcSettings::default()
            };
            let body = file(payload.clone().into_bytes(), &plan(), &settings).unwrap();
            assert!(body.starts_with(b"ORC") && body[..body.len() - 1].ends_with(b"ORC"));
            assert_eq!(body.capacity(), body.len());
            let again = file(payload.into_bytes(), &plan(), &settings).unwrap();
            assert!(again == body, "the same batch gives the same bytes");
        }
    }
}

/// The length of a file of 1,000 records by these settings, nothing compressed.
fn length(settings: OrcSettings) -> usize {
    let payload = "{\"a\":\"one text of many\"}".repeat(1_000);
    let settings = OrcSettings { compression: OrcCompression::None, ..settings };
    file(payload.into_bytes(), &plan(), &settings).unwrap().len()
}

#[test]
fn stripes_are_cut_by_size() {
    let of = |stripe_bytes| length(OrcSettings { stripe_bytes, ..OrcSettings::default() });
    assert!(of(1_000) > of(64 << 20) + 20 * 10, "every stripe has a footer of its own");
}

/// Zeros fill what is left of a block where it is less than the share of a stripe that is tolerated.
#[test]
fn stripes_begin_at_blocks_where_that_is_asked_for() {
    let of = |is_padded, padding_tolerance| {
        length(OrcSettings {
            stripe_bytes: 4_000,
            block_bytes: 6_000,
            is_padded,
            padding_tolerance,
            ..OrcSettings::default()
        })
    };
    let plain = of(false, 1.0);
    assert_eq!(of(true, 0.0), plain);
    assert!(of(true, 1.0) > plain + 1_000, "{} against {plain}", of(true, 1.0));
}

/// A row index has an entry per stride, and few texts of many make a small file.
#[test]
fn strides_cost_and_dictionaries_save() {
    let plain = length(OrcSettings::default());
    assert!(length(OrcSettings { row_index_stride: 10, ..OrcSettings::default() }) > plain + 99 * 10);
    assert!(length(OrcSettings { dictionary_threshold: 0.5, ..OrcSettings::default() }) < plain / 10);
}
