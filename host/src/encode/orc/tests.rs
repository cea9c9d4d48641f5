//! The parts of a file that other readers do not show; the rest is read by them in `tests/suite/formats.rs`.

use serde_json::json;

use super::*;
use crate::convert::Plan;
use crate::definition::{Conversion, Deserializer, OrcCompression, SchemaSource, Serializer};

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
        output: Serializer::Orc {
            stripe_bytes: 64 << 20,
            row_index_stride: 10_000,
            compression: OrcCompression::Zlib,
            bloom_filter_columns: Vec::new(),
            bloom_filter_probability: 0.05,
            dictionary_threshold: 0.0,
        },
        resolved: Some(json!({"StorageDescriptor": {"Columns": [{"Name": "a", "Type": "string"}]}})),
    };
    Plan::new(&conversion).unwrap()
}

#[test]
fn a_file_has_its_magic_at_both_ends() {
    for compression in [OrcCompression::None, OrcCompression::Zlib, OrcCompression::Snappy] {
        for count in [0, 1, 50_000] {
            let payload = "{\"a\":\"one text of many\"}".repeat(count);
            let body =
                file(payload.clone().into_bytes(), &plan(), Settings { stripe_bytes: 64 << 20, compression }).unwrap();
            assert!(body.starts_with(b"ORC") && body[..body.len() - 1].ends_with(b"ORC"));
            assert_eq!(body.capacity(), body.len());
            let again = file(payload.into_bytes(), &plan(), Settings { stripe_bytes: 64 << 20, compression }).unwrap();
            assert!(again == body, "the same batch gives the same bytes");
        }
    }
}

#[test]
fn stripes_are_cut_by_size() {
    let payload = "{\"a\":\"one text of many\"}".repeat(1_000);
    let length = |stripe_bytes| {
        let settings = Settings { stripe_bytes, compression: OrcCompression::None };
        file(payload.clone().into_bytes(), &plan(), settings).unwrap().len()
    };
    assert!(length(1_000) > length(64 << 20) + 20 * 10, "every stripe has a footer of its own");
}
