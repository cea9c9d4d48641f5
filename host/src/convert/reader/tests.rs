//! What becomes of records: rows, or Firehose's code and a message.

use bytes::Bytes;
use serde_json::{Value, json};

use super::super::check::{Plan, PlanError, check};
use super::super::testing::{rows, schema};
use super::*;
use crate::definition::{Conversion, ParquetSettings, SchemaSource, Serializer};
use crate::record::Records;

fn open_x() -> Deserializer {
    Deserializer::OpenX { case_insensitive: true, dots_to_underscores: false, column_keys: Vec::new() }
}

fn hive(formats: &[&str]) -> Deserializer {
    Deserializer::Hive { timestamp_formats: formats.iter().map(|&format| format.to_owned()).collect() }
}

/// Rows of a record, or its failure as text.
fn read(columns: &[(&str, &str)], input: &Deserializer, record: &str) -> Result<Vec<Value>, String> {
    let schema = schema(columns);
    let reader = Reader::new(&schema, input).unwrap();
    let mut table = Table::new(&schema);
    reader.read(record.as_bytes(), &mut table).map_err(|failure| failure.to_string())?;
    Ok(rows(&table, &schema))
}

/// The value of column `v` of this type in a record with this value; none when the record fails.
fn cell(kind: &str, input: &Deserializer, value: &str) -> Option<Value> {
    let record = format!("{{\"v\":{value}}}");
    read(&[("v", kind)], input, &record).ok().map(|mut rows| rows.remove(0)["v"].take())
}

/// `value` as a column of `kind`, by the OpenX and by the Hive deserializer.
#[track_caller]
fn table(cases: &[(&str, &str, Option<Value>, Option<Value>)]) {
    for (kind, value, by_open_x, by_hive) in cases {
        assert_eq!(cell(kind, &open_x(), value), *by_open_x, "{value} as {kind} by OpenX");
        assert_eq!(cell(kind, &hive(&[]), value), *by_hive, "{value} as {kind} by Hive");
    }
}

fn both(
    kind: &'static str,
    value: &'static str,
    cell: Value,
) -> (&'static str, &'static str, Option<Value>, Option<Value>) {
    (kind, value, Some(cell.clone()), Some(cell))
}

fn lax(
    kind: &'static str,
    value: &'static str,
    cell: Value,
) -> (&'static str, &'static str, Option<Value>, Option<Value>) {
    (kind, value, Some(cell), None)
}

fn none(kind: &'static str, value: &'static str) -> (&'static str, &'static str, Option<Value>, Option<Value>) {
    (kind, value, None, None)
}

#[test]
fn single_values_are_read_by_their_deserializers_rules() {
    table(&[
        both("boolean", "true", json!(true)),
        lax("boolean", "\"False\"", json!(false)),
        none("boolean", "1"),
        none("boolean", "\"yes\""),
        both("tinyint", "-128", json!(-128)),
        none("tinyint", "128"),
        both("smallint", "32767", json!(32_767)),
        none("smallint", "32768"),
        both("int", "-2147483648", json!(i32::MIN)),
        none("int", "2147483648"),
        none("int", "1.0"),
        none("int", "1e3"),
        none("int", "true"),
        none("int", "{}"),
        none("int", "[]"),
        lax("int", "\"12\"", json!(12)),
        lax("int", "\"0x1F\"", json!(31)),
        none("int", "\"\""),
        none("int", "\"twelve\""),
        both("bigint", "9223372036854775807", json!(i64::MAX)),
        none("bigint", "9223372036854775808"),
        both("float", "1.5", json!(1.5)),
        none("float", "1e39"),
        both("double", "1e39", json!(1e39)),
        none("double", "1e309"),
        lax("double", "\"1.5\"", json!(1.5)),
        lax("double", "\"NaN\"", json!("NaN")),
        none("double", "\"nan\""),
        none("double", "\"inf\""),
        both("decimal(5,2)", "12.345", json!("12.35")),
        both("decimal(5,2)", "-0.1", json!("-0.10")),
        none("decimal(5,2)", "1000"),
        lax(
            "decimal(38,0)",
            "\"12345678901234567890123456789012345678\"",
            json!("12345678901234567890123456789012345678"),
        ),
        both("string", "\"a\\u00e9\\n\"", json!("aé\n")),
        both("string", "12.50", json!("12.50")),
        both("string", "true", json!("true")),
        lax("string", "{\"A\": [1, 2]}", json!("{\"A\": [1, 2]}")),
        lax("string", "[1]", json!("[1]")),
        both("varchar(3)", "\"äöü\"", json!("äöü")),
        none("varchar(3)", "\"äöüß\""),
        none("char(2)", "123"),
        both("binary", "\"aGk=\"", json!("hi")),
        none("binary", "\"no base64\""),
        none("binary", "1"),
        both("date", "\"1970-01-02\"", json!(1)),
        none("date", "1"),
        none("date", "\"1970-01-32\""),
        both("timestamp", "\"1970-01-01 00:00:01.5\"", json!(1_500_000_000)),
        lax("timestamp", "\"1970-01-01T00:00:01Z\"", json!(1_000_000_000)),
        lax("timestamp", "1", json!(1_000_000_000)),
        lax("timestamp", "1.25", json!(1_250_000_000)),
        lax("timestamp", "\"1454612111000\"", json!(1_454_612_111_000_000_000_i64)),
        none("timestamp", "\"9999-01-01 00:00:00\""),
        none("timestamp", "true"),
        both("int", "null", Value::Null),
        both("string", "null", Value::Null),
        both("array<int>", "[1,null,3]", json!([1, null, 3])),
        both("array<int>", "[]", json!([])),
        none("array<int>", "1"),
        none("array<int>", "{}"),
        none("array<int>", "[1,\"x\"]"),
        lax("array<int>", "[\"1\"]", json!([1])),
        both("map<string,int>", "{\"a\":1,\"b\":null}", json!({"a": 1, "b": null})),
        both("map<int,int>", "{\"7\":1}", json!({"7": 1})),
        none("map<int,int>", "{\"x\":1}"),
        none("map<int,int>", "{\"1\":1,\"01\":2}"),
        none("map<string,int>", "[]"),
        both("struct<a:int,b:struct<c:string>>", "{\"b\":{\"c\":\"x\",\"d\":1}}", json!({"a": null, "b": {"c": "x"}})),
        both("struct<a:int>", "null", Value::Null),
        none("struct<a:int>", "[1]"),
        none("struct<a:int>", "\"{}\""),
    ]);
}

#[test]
fn a_map_of_many_keys_has_each_once() {
    let entries: Vec<_> = (0..20).map(|key| format!("\"{key}\":{key}")).collect();
    assert!(cell("map<string,int>", &open_x(), &format!("{{{}}}", entries.join(","))).is_some());
    assert_eq!(cell("map<string,int>", &open_x(), &format!("{{{},\"7\":0}}", entries.join(","))), None);
}

#[test]
fn hive_reads_timestamps_by_its_formats_in_turn() {
    let input = hive(&["millis", "yyyy/MM/dd HH:mm"]);
    assert_eq!(cell("timestamp", &input, "1500"), Some(json!(1_500_000_000)));
    assert_eq!(cell("timestamp", &input, "\"1970/01/01 00:01\""), Some(json!(60_000_000_000_i64)));
    assert_eq!(cell("timestamp", &input, "\"1970-01-01 00:01:00\""), None);
    assert_eq!(cell("timestamp", &hive(&["yyyyMMdd"]), "19700102"), Some(json!(86_400_000_000_000_i64)));
}

#[test]
fn keys_find_their_columns() {
    let columns = [("user_id", "int"), ("ts", "string"), ("s", "struct<inner_id:int>")];
    let record = r#"{"User.ID":1,"timestamp":"t","user_id":2,"S":{"Inner.Id":3}}"#;
    let read_by = |case_insensitive, dots_to_underscores, column_keys: &[(&str, &str)]| {
        let column_keys = column_keys.iter().map(|(column, key)| ((*column).to_owned(), (*key).to_owned())).collect();
        let input = Deserializer::OpenX { case_insensitive, dots_to_underscores, column_keys };
        read(&columns, &input, record).unwrap().remove(0)
    };
    assert_eq!(read_by(true, false, &[]), json!({"user_id": 2, "ts": null, "s": {"inner_id": null}}));
    // The key that comes last counts, wherever its spelling comes from.
    assert_eq!(read_by(true, true, &[("ts", "Timestamp")]), json!({"user_id": 2, "ts": "t", "s": {"inner_id": 3}}));
    assert_eq!(read_by(false, false, &[("ts", "timestamp")]), json!({"user_id": 2, "ts": "t", "s": null}));
    assert_eq!(read_by(false, false, &[("user_id", "User.ID")]), json!({"user_id": 1, "ts": null, "s": null}));
    let by_hive = read(&columns, &hive(&[]), record).unwrap().remove(0);
    assert_eq!(by_hive, json!({"user_id": 2, "ts": null, "s": {"inner_id": null}}));
    let twice = read(&[("a", "array<int>"), ("b", "int")], &open_x(), r#"{"a":[1,2],"b":1,"A":[3]}"#).unwrap();
    assert_eq!(twice, [json!({"a": [3], "b": 1})]);
}

#[test]
fn a_record_is_one_or_more_objects() {
    let rows_of = |record: &str| read(&[("a", "int")], &open_x(), record);
    assert_eq!(rows_of("{\"a\":1}"), Ok(vec![json!({"a": 1})]));
    assert_eq!(rows_of(" {\"a\":1}{\"a\":2}\n{}\r\n"), Ok(vec![json!({"a": 1}), json!({"a": 2}), json!({"a": null})]));
    let data = "DataFormatConversion.MalformedData: Data does not match the schema. ";
    let syntax = "DataFormatConversion.ParseError: Encountered malformed JSON. ";
    let cases = [
        ("", data, "The record is empty"),
        (" \n", data, "The record is empty"),
        ("[{\"a\":1}]", data, "The record is not an object"),
        ("1", data, "The record is not an object"),
        ("null", data, "The record is not an object"),
        ("{\"a\":1}2", data, "The record is not an object"),
        ("{\"a\":\"x\"}", data, "Column a is int and cannot take a string of this record"),
        ("{\"a\":1}{\"a\":\"x\"}", data, "Column a is int and cannot take a string of this record"),
        ("{\"a\":1", syntax, "unexpected end of input within an object at byte 6"),
        ("{\"a\":1}}", syntax, "unexpected character where a value is due at byte 7"),
        ("{\"a\":1},{\"a\":2}", syntax, "unexpected character where a value is due at byte 7"),
        ("[1", syntax, "unexpected end of input within an array at byte 2"),
        ("hello", syntax, "unexpected character where a value is due at byte 0"),
        ("{\"b\":tru}", syntax, "unrecognized token at byte 5"),
    ];
    for (record, code, message) in cases {
        assert_eq!(rows_of(record), Err(format!("{code}{message}")), "{record}");
    }
}

#[test]
fn messages_name_nested_columns_and_no_payload() {
    let columns = [("s", "struct<list:array<struct<x:tinyint>>>"), ("m", "map<int,date>")];
    let message = |record: &str| read(&columns, &open_x(), record).unwrap_err();
    let nested = message(r#"{"s":{"list":[{"x":1},{"x":"secret"}]}}"#);
    assert!(nested.ends_with("Column s.list.item.x is tinyint and cannot take a string of this record"), "{nested}");
    let value = message(r#"{"m":{"1":"secret"}}"#);
    assert!(value.ends_with("Column m.value is date and cannot take a string of this record"), "{value}");
    let key = message(r#"{"m":{"secret":null}}"#);
    assert!(key.ends_with("Column m.key is int and cannot take a key of this record"), "{key}");
    let shape = message(r#"{"s":["secret"]}"#);
    assert!(shape.ends_with("Column s is a struct and cannot take an array of this record"), "{shape}");
}

/// A record that fails in the middle of nested values leaves nothing behind.
#[test]
fn a_failed_record_is_forgotten() {
    let columns = [
        ("a", "array<struct<x:int,y:string>>"),
        ("m", "map<string,array<int>>"),
        ("s", "struct<p:string,q:struct<r:decimal(4,1)>>"),
        ("z", "int"),
    ];
    let schema = schema(&columns);
    let reader = Reader::new(&schema, &open_x()).unwrap();
    let good = r#"{"a":[{"x":1},{"y":"b"}],"m":{"k":[1,2],"l":[]},"s":{"p":"t","q":{"r":1.5}},"z":9}"#;
    let mut expected = Table::new(&schema);
    for _ in 0..3 {
        reader.read(good.as_bytes(), &mut expected).unwrap();
    }
    let bad = [
        r#"{"a":[{"x":1},{"y":"b","x":"bad"}]}"#,
        r#"{"a":[{"x":1},{"y":"b"}],"m":{"k":[1,2],"l":[3,"bad"]}}"#,
        r#"{"m":{"k":[1"#,
        r#"{"z":1,"s":{"q":{"r":12345}}}"#,
        r#"{"s":{"p":"t","q":7}}"#,
        r#"{"s":{"p":"t","q":{"r":1.5}},"a":[{"x":1},"#,
    ];
    let mut table = Table::new(&schema);
    reader.read(good.as_bytes(), &mut table).unwrap();
    for record in bad {
        reader.read(record.as_bytes(), &mut table).unwrap_err();
        reader.read(format!("{good}{record}").as_bytes(), &mut table).unwrap_err();
        assert_eq!(table.row_count, 1);
    }
    reader.read(good.repeat(2).as_bytes(), &mut table).unwrap();
    assert_eq!(table, expected);
}

#[test]
fn invalid_utf8_is_malformed() {
    let schema = schema(&[("a", "string")]);
    let reader = Reader::new(&schema, &open_x()).unwrap();
    let failure = reader.read(b"{\"a\":\"\xff\"}", &mut Table::new(&schema)).unwrap_err();
    assert_eq!(
        failure.to_string(),
        "DataFormatConversion.ParseError: Encountered malformed JSON. invalid UTF-8 at byte 6"
    );
}

/// A list of empty structs is a few bytes of text and thousands of nulls in the table.
#[test]
fn a_record_may_not_grow_without_bound() {
    let fields: Vec<_> = (0..2_000).map(|at| format!("f{at}:int")).collect();
    let kind = format!("array<struct<{}>>", fields.join(","));
    let record = |items: usize| format!("{{\"v\":[{}]}}", vec!["{}"; items].join(","));
    let most = MOST_RECORD_SLOTS / 2_001;
    assert!(read(&[("v", &kind)], &open_x(), &record(most - 1)).is_ok());
    let failure = read(&[("v", &kind)], &open_x(), &record(most + 1)).unwrap_err();
    assert!(failure.ends_with("The record has too many nested values"), "{failure}");
    // Several objects share the bound.
    let many = record(most / 2 + 1).repeat(2);
    assert!(read(&[("v", &kind)], &open_x(), &many).is_err());
}

#[test]
fn deserializers_that_cannot_read_are_refused() {
    let dotted = schema(&[("a.b", "int")]);
    assert_eq!(Reader::new(&dotted, &hive(&[])).unwrap_err(), ReaderError::Dot("a.b".to_owned()));
    assert!(Reader::new(&dotted, &open_x()).is_ok());
    assert!(matches!(Reader::new(&schema(&[("a", "int")]), &hive(&["ww"])), Err(ReaderError::Format(_))));
}

fn conversion(resolved: Option<Value>) -> Conversion {
    Conversion {
        schema: SchemaSource {
            catalog_id: String::new(),
            database: "db".to_owned(),
            table: "t".to_owned(),
            region: String::new(),
            version_id: "LATEST".to_owned(),
        },
        input: open_x(),
        output: Serializer::Parquet(ParquetSettings::default()),
        resolved,
    }
}

#[test]
fn a_batch_is_checked_record_by_record() {
    let columns = json!({"StorageDescriptor": {"Columns": [{"Name": "a", "Type": "int"}]}});
    let plan = Plan::new(&conversion(Some(columns))).unwrap();
    let texts = ["{\"a\":1}", "x", "{\"a\":2}{\"a\":3}", "{\"a\":\"y\"}", ""];
    let mut ends = Vec::new();
    let payload: Vec<u8> = texts.iter().flat_map(|text| text.bytes()).collect();
    for text in texts {
        ends.push(ends.last().unwrap_or(&0) + u32::try_from(text.len()).unwrap());
    }
    let records = Records::new(Bytes::from(payload), ends, Vec::new()).unwrap();
    let failures = check(&plan, &records);
    let found: Vec<_> = failures.iter().map(|(at, failure)| (*at, failure.code)).collect();
    let data = "DataFormatConversion.MalformedData";
    assert_eq!(found, [(1, "DataFormatConversion.ParseError"), (3, data), (4, data)]);
}

#[test]
fn a_conversion_needs_a_pinned_schema() {
    assert_eq!(Plan::new(&conversion(None)).unwrap_err(), PlanError::Unresolved);
    assert!(matches!(Plan::new(&conversion(Some(json!({})))), Err(PlanError::Schema(_))));
}

#[test]
fn rows_are_handed_out_in_bounded_tables() {
    let schema = schema(&[("a", "int"), ("b", "int")]);
    let reader = Reader::new(&schema, &open_x()).unwrap();
    let payload = "{\"a\":1}".repeat(100);
    let mut rows = reader.rows(payload.as_bytes()).unwrap();
    let mut counts = Vec::new();
    loop {
        let mut table = Table::new(&schema);
        let has_more = rows.fill(&mut table, 90).unwrap();
        counts.push(table.row_count);
        if !has_more {
            break;
        }
    }
    // A row is seven bytes of text and two slots.
    assert_eq!(counts, [10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 0]);
}
