//! What was written is read back by the library's own reader.

use parquet::basic::Encoding;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field as Read;
use proptest::prelude::*;
use serde_json::{Map, Number, Value, json};

use super::*;
use crate::convert::testing::decimal;
use crate::definition::{Conversion, Deserializer, SchemaSource, Serializer};

const SETTINGS: ParquetSettings = ParquetSettings {
    block_bytes: 256 << 20,
    page_bytes: 1 << 20,
    compression: ParquetCompression::Snappy,
    has_dictionary: true,
    is_v2: false,
    most_padding_bytes: 0,
};

const COLUMNS: [(&str, &str); 16] = [
    ("bool", "boolean"),
    ("tiny", "tinyint"),
    ("small", "smallint"),
    ("int", "int"),
    ("big", "bigint"),
    ("single", "float"),
    ("double", "double"),
    ("narrow", "decimal(5,2)"),
    ("wide", "decimal(38,10)"),
    ("text", "string"),
    ("day", "date"),
    ("at", "timestamp"),
    ("list", "array<bigint>"),
    ("lists", "array<array<string>>"),
    ("map", "map<string,map<int,double>>"),
    ("nested", "struct<a:int,b:array<struct<c:string,d:map<string,decimal(9,1)>>>,e:struct<f:boolean>>"),
];

fn plan(columns: &[(&str, &str)]) -> Plan {
    let columns: Vec<_> = columns.iter().map(|(name, kind)| json!({"Name": name, "Type": kind})).collect();
    let conversion = Conversion {
        schema: SchemaSource {
            catalog_id: String::new(),
            database: "db".to_owned(),
            table: "t".to_owned(),
            region: String::new(),
            version_id: "LATEST".to_owned(),
        },
        input: Deserializer::OpenX { case_insensitive: false, dots_to_underscores: false, column_keys: Vec::new() },
        output: Serializer::Parquet(SETTINGS),
        resolved: Some(json!({"StorageDescriptor": {"Columns": columns}})),
    };
    Plan::new(&conversion).unwrap()
}

fn opened(body: Vec<u8>) -> SerializedFileReader<Bytes> {
    SerializedFileReader::new(Bytes::from(body)).unwrap()
}

fn rows_of(reader: &SerializedFileReader<Bytes>) -> Vec<Value> {
    let rows = reader.get_row_iter(None).unwrap();
    rows.map(|row| Value::Object(row.unwrap().into_columns().into_iter().map(|(k, v)| (k, value(v))).collect()))
        .collect()
}

/// A field as JSON: decimals as text, days and milliseconds as numbers.
fn value(field: Read) -> Value {
    let float = |number: f64| Number::from_f64(number).map_or(Value::Null, Value::Number);
    match field {
        Read::Null => Value::Null,
        Read::Bool(value) => value.into(),
        Read::Byte(value) => value.into(),
        Read::Short(value) => value.into(),
        Read::Int(value) => value.into(),
        Read::Long(value) => value.into(),
        Read::Float(value) => float(value.into()),
        Read::Double(value) => float(value),
        Read::Decimal(value) => {
            let bytes = value.data();
            let sign = if bytes[0] & 0x80 == 0 { 0 } else { 0xFF };
            let mut wide = [sign; 16];
            wide[16 - bytes.len()..].copy_from_slice(bytes);
            decimal(i128::from_be_bytes(wide), u8::try_from(value.scale()).unwrap()).into()
        }
        Read::Str(value) => value.into(),
        Read::Date(value) => value.into(),
        Read::TimestampMillis(value) => value.into(),
        Read::Group(row) => Value::Object(row.into_columns().into_iter().map(|(k, v)| (k, value(v))).collect()),
        Read::ListInternal(list) => list.elements().iter().cloned().map(value).collect(),
        Read::MapInternal(map) => {
            let key = |key: Value| key.as_str().map_or_else(|| key.to_string(), str::to_owned);
            let entries = map.entries().iter().cloned().map(|(k, v)| (key(value(k)), value(v)));
            Value::Object(entries.collect::<Map<_, _>>())
        }
        other => panic!("no column is of this type: {other:?}"),
    }
}

/// A value of this type: what stands in the record, and what is read back.
fn pair(kind: &Type) -> BoxedStrategy<(Value, Value)> {
    let same = |value: Value| (value.clone(), value);
    let some = match kind {
        Type::Boolean => any::<bool>().prop_map(move |value| same(value.into())).boxed(),
        Type::TinyInt => any::<i8>().prop_map(move |value| same(value.into())).boxed(),
        Type::SmallInt => any::<i16>().prop_map(move |value| same(value.into())).boxed(),
        Type::Int => any::<i32>().prop_map(move |value| same(value.into())).boxed(),
        Type::BigInt => any::<i64>().prop_map(move |value| same(value.into())).boxed(),
        Type::Float => any::<f32>()
            .prop_filter("finite", |value| value.is_finite())
            .prop_map(move |value| same(f64::from(value).into()))
            .boxed(),
        Type::Double => any::<f64>()
            .prop_filter("finite", |value| value.is_finite())
            .prop_map(move |value| same(value.into()))
            .boxed(),
        Type::Decimal { precision, scale } => {
            let (limit, scale) = (10_i128.pow(u32::from(*precision)) - 1, *scale);
            (-limit..=limit).prop_map(move |value| same(decimal(value, scale).into())).boxed()
        }
        Type::Date => (0_i32..20_000)
            .prop_map(|days| {
                let date = jiff::civil::date(1970, 1, 1) + jiff::Span::new().days(days);
                (date.to_string().into(), days.into())
            })
            .boxed(),
        Type::Timestamp => {
            (1_000_000_000_000_i64..9_000_000_000_000).prop_map(move |millis| same(millis.into())).boxed()
        }
        Type::Array(item) => prop::collection::vec(pair(item), 0..4)
            .prop_map(|pairs| {
                let (record, read): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
                (record.into(), read.into())
            })
            .boxed(),
        Type::Map(key, value) => {
            let key = if **key == Type::Int {
                any::<u16>().prop_map(|key| key.to_string()).boxed()
            } else {
                "[a-zäß]{0,4}".boxed()
            };
            prop::collection::btree_map(key, pair(value), 0..4)
                .prop_map(|entries| {
                    let part = |second: bool| {
                        entries
                            .iter()
                            .map(|(key, pair)| (key.clone(), if second { pair.1.clone() } else { pair.0.clone() }))
                            .collect()
                    };
                    (Value::Object(part(false)), Value::Object(part(true)))
                })
                .boxed()
        }
        Type::Struct(fields) => object(fields),
        _ => ".{0,12}".prop_map(move |value| same(value.into())).boxed(),
    };
    prop_oneof![1 => Just((Value::Null, Value::Null)), 4 => some].boxed()
}

/// An object whose null members are left out now and then.
fn object(fields: &[Field]) -> BoxedStrategy<(Value, Value)> {
    let names: Vec<String> = fields.iter().map(|field| field.name.clone()).collect();
    let members: Vec<_> = fields.iter().map(|field| (pair(&field.kind), any::<bool>())).collect();
    members
        .prop_map(move |members| {
            let (mut record, mut read) = (Map::new(), Map::new());
            for (name, ((in_record, in_file), is_left_out)) in names.iter().zip(members) {
                if !(in_record.is_null() && is_left_out) {
                    record.insert(name.clone(), in_record);
                }
                read.insert(name.clone(), in_file);
            }
            (Value::Object(record), Value::Object(read))
        })
        .boxed()
}

fn settings() -> impl Strategy<Value = ParquetSettings> {
    let compression = prop_oneof![
        Just(ParquetCompression::Uncompressed),
        Just(ParquetCompression::Gzip),
        Just(ParquetCompression::Snappy)
    ];
    // Far below what the API lets through, so that there are several groups and pages.
    (compression, any::<bool>(), any::<bool>(), 200_u64..4_000, 64_u64..1_000, 0_u64..2_000).prop_map(
        |(compression, has_dictionary, is_v2, block_bytes, page_bytes, most_padding_bytes)| ParquetSettings {
            block_bytes,
            page_bytes,
            compression,
            has_dictionary,
            is_v2,
            most_padding_bytes,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn rows_are_read_back_as_they_were(
        pairs in prop::collection::vec(object(plan(&COLUMNS).schema.columns()), 0..40),
        settings in settings(),
    ) {
        let plan = plan(&COLUMNS);
        let (records, expected): (Vec<Value>, Vec<Value>) = pairs.into_iter().unzip();
        let payload: String = records.iter().map(Value::to_string).collect();
        let reader = opened(file(payload.into_bytes(), &plan, &settings).unwrap());
        prop_assert_eq!(rows_of(&reader), expected);
    }
}

#[test]
fn settings_rule_what_is_written() {
    let plan = plan(&[("a", "string"), ("b", "bigint")]);
    let payload =
        || (0..20_000).flat_map(|at| format!("{{\"a\":\"v{}\",\"b\":{at}}}", at % 10).into_bytes()).collect::<Vec<_>>();
    let written = |settings| opened(file(payload(), &plan, &settings).unwrap());
    let column = |reader: &SerializedFileReader<Bytes>| reader.metadata().row_group(0).column(0).clone();
    for (compression, expected) in [
        (ParquetCompression::Uncompressed, Compression::UNCOMPRESSED),
        (ParquetCompression::Gzip, Compression::GZIP(parquet::basic::GzipLevel::default())),
        (ParquetCompression::Snappy, Compression::SNAPPY),
    ] {
        assert_eq!(column(&written(ParquetSettings { compression, ..SETTINGS })).compression(), expected);
    }
    let has_dictionary = |settings| column(&written(settings)).dictionary_page_offset().is_some();
    assert!(has_dictionary(SETTINGS));
    assert!(!has_dictionary(ParquetSettings { has_dictionary: false, ..SETTINGS }));
    assert_eq!(written(SETTINGS).metadata().file_metadata().version(), 1);
    let v2 = written(ParquetSettings { is_v2: true, has_dictionary: false, ..SETTINGS });
    assert_eq!(v2.metadata().file_metadata().version(), 2);
    assert!(column(&v2).encodings().any(|encoding| encoding == Encoding::DELTA_BYTE_ARRAY));
    assert_eq!(v2.metadata().file_metadata().created_by(), Some(CREATED_BY));
    let groups = |block_bytes| written(ParquetSettings { block_bytes, ..SETTINGS }).num_row_groups();
    assert_eq!(groups(SETTINGS.block_bytes), 1);
    assert!(groups(100_000) > 3);
    let size = |page_bytes| {
        let settings = ParquetSettings {
            page_bytes,
            has_dictionary: false,
            compression: ParquetCompression::Uncompressed,
            ..SETTINGS
        };
        file(payload(), &plan, &settings).unwrap().len()
    };
    assert!(size(1_000) > size(1 << 20), "more pages have more headers");
}

/// `BlockSizeBytes` of 256 MiB would mean as much memory; the bound is ours.
#[test]
fn a_row_group_is_bounded_whatever_is_asked_for() {
    let plan = plan(&[("a", "string")]);
    let record = format!("{{\"a\":\"{}\"}}", "x".repeat(1 << 20));
    let count = usize::try_from(MOST_GROUP_BYTES >> 20).unwrap() + 2;
    let reader = opened(file(record.repeat(count).into_bytes(), &plan, &SETTINGS).unwrap());
    assert_eq!(reader.num_row_groups(), 2);
}

#[test]
fn a_batch_without_a_row_is_a_file_without_a_group() {
    let reader = opened(file(Vec::new(), &plan(&COLUMNS), &SETTINGS).unwrap());
    assert_eq!(reader.num_row_groups(), 0);
    assert_eq!(reader.metadata().file_metadata().num_rows(), 0);
}

#[test]
fn instants_are_days_of_the_julian_calendar_and_nanoseconds() {
    assert_eq!(int96(0).data(), [0, 0, 2_440_588]);
    assert_eq!(int96(-1).data(), [0x914E_FFFF, 0x4E94, 2_440_587]);
    assert_eq!(int96(1_454_612_111_123_456_789).to_nanos(), 1_454_612_111_123_456_789);
    for nanos in [i64::MIN, i64::MAX, -1] {
        let value = int96(nanos);
        let of_day = i64::from(value.data()[1]) << 32 | i64::from(value.data()[0]);
        let back = i128::from(i64::from(value.data()[2]) - JULIAN_1970) * i128::from(DAY_NANOS) + i128::from(of_day);
        assert_eq!(back, i128::from(nanos));
    }
}

#[test]
fn decimals_take_the_fewest_bytes() {
    let expected = [(1, 1), (2, 1), (3, 2), (4, 2), (5, 3), (9, 4), (10, 5), (18, 8), (19, 9), (38, 16)];
    for (precision, bytes) in expected {
        assert_eq!(decimal_bytes(precision), bytes, "{precision} digits");
    }
}

/// A retry after a crash must write the same object.
#[test]
fn the_same_batch_gives_the_same_bytes() {
    let plan = plan(&COLUMNS);
    let payload: String =
        (0..5_000).map(|at| format!(r#"{{"text":"{}","map":{{"k{at}":{{"1":2}}}},"int":{at}}}"#, at % 77)).collect();
    let first = file(payload.clone().into_bytes(), &plan, &SETTINGS).unwrap();
    let elsewhere = std::thread::scope(|scope| {
        scope.spawn(|| file(payload.into_bytes(), &plan, &SETTINGS).unwrap()).join().unwrap()
    });
    assert!(first == elsewhere);
    assert_eq!(first.capacity(), first.len());
}
