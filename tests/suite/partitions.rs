//! Line 1 of the deliveries: dynamic partitions, the processors beside a plugin, and source records kept as they came,
//! through the whole program.
#![expect(clippy::unwrap_used, reason = "a test says what it expects")]

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use base64_simd::STANDARD as BASE64;
use hydrant_tests::checker::files_below;
use hydrant_tests::client::{BUCKET, Client};
use hydrant_tests::host::{Host, Setup};
use hydrant_tests::metrics::sum;
use hydrant_tests::peers::GlueCatalog;
use hydrant_tests::wait::until;
use serde_json::{Value, json};

/// What lies under each prefix: the key up to its last slash, and all bytes below it, in the order of names.
fn found(host: &Host) -> BTreeMap<String, Vec<u8>> {
    let mut found: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for file in files_below(&host.bucket()) {
        let folder = file.parent().unwrap().strip_prefix(host.bucket()).unwrap();
        found.entry(folder.to_str().unwrap().to_owned()).or_default().extend(std::fs::read(&file).unwrap());
    }
    found
}

fn processor(kind: &str, parameters: &[(&str, &str)]) -> Value {
    let parameter = |(name, value): &(&str, &str)| json!({"ParameterName": name, "ParameterValue": value});
    json!({"Type": kind, "Parameters": parameters.iter().map(parameter).collect::<Vec<_>>()})
}

fn partitioned(processors: Value) -> Value {
    json!({
        "Prefix": "country=!{partitionKeyFromQuery:country}/",
        "ErrorOutputPrefix": "errors/!{firehose:error-output-type}/",
        "BufferingHints": {"SizeInMBs": 64, "IntervalInSeconds": 60},
        "DynamicPartitioningConfiguration": {"Enabled": true},
        "ProcessingConfiguration": {"Enabled": true, "Processors": processors},
    })
}

const QUERY: [(&str, &str); 2] = [("MetadataExtractionQuery", "{country: .country}"), ("JsonParsingEngine", "JQ-1.6")];

/// Each record lies below the value of its key; one without a key, or with a hostile one, in the error output.
#[tokio::test]
async fn records_lie_below_their_keys() {
    let mut host = Host::start(Setup::default()).await;
    let client = host.client();
    let processors = json!([
        processor("RecordDeAggregation", &[("SubRecordType", "JSON")]),
        processor("MetadataExtraction", &QUERY),
        processor("AppendDelimiterToRecord", &[]),
    ]);
    client.create_stream("orders", partitioned(processors)).await;
    client
        .put(
            "orders",
            &[
                br#"{"country":"FR","n":1}"#,
                br#"{"country":"DE","n":2}{"country":"FR","n":3}"#,
                br#"{"n":4}"#,
                br#"{"country":"..","n":5}"#,
                br#"{"country":["FR"],"n":6}"#,
                b"no json",
            ],
        )
        .await;
    assert_eq!(host.terminate().await.code(), Some(0), "{}", host.log_tail());
    let found = found(&host);
    let text = |prefix: &str| String::from_utf8(found[prefix].clone()).unwrap();
    assert_eq!(text("country=FR"), "{\"country\":\"FR\",\"n\":1}\n{\"country\":\"FR\",\"n\":3}\n");
    assert_eq!(text("country=DE"), "{\"country\":\"DE\",\"n\":2}\n");
    let failed: Vec<Value> =
        text("errors/processing-failed").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let codes: Vec<&str> = failed.iter().map(|line| line["errorCode"].as_str().unwrap()).collect();
    assert_eq!(codes.len(), 4, "{failed:?}");
    let no_key = "DynamicPartitioning.MetadataExtractionFailed";
    assert_eq!(codes, [no_key, no_key, no_key, "RecordDeAggregation.InvalidFormat"]);
    assert_eq!(found.len(), 3, "{:?}", found.keys());
}

/// Partitioning can be switched off and on again on a live stream, and a kill in between loses nothing and repeats
/// nothing. What was not sealed when the host was killed is processed by the definition in force.
#[tokio::test]
async fn partitioning_is_switched_on_a_live_stream() {
    let mut host = Host::start(Setup::default()).await;
    let client = host.client();
    client.create_stream("orders", partitioned(json!([processor("MetadataExtraction", &QUERY)]))).await;
    client.put("orders", &[br#"{"country":"FR"}"#]).await;
    let plain = json!({
        "Prefix": "plain/", "ProcessingConfiguration": {"Enabled": false, "Processors": []},
        "DynamicPartitioningConfiguration": {"Enabled": false},
    });
    let update = |version: &str, change: &Value| {
        json!({
            "DeliveryStreamName": "orders", "CurrentDeliveryStreamVersionId": version,
            "DestinationId": "destinationId-000000000001", "ExtendedS3DestinationUpdate": change,
        })
    };
    client.expect("UpdateDestination", &update("1", &plain)).await;
    client.put("orders", &[br#"{"country":"DE"}"#]).await;
    host.kill();
    host.launch().await;
    client.put("orders", &[br#"{"country":"IT"}"#]).await;
    client
        .expect("UpdateDestination", &update("2", &partitioned(json!([processor("MetadataExtraction", &QUERY)]))))
        .await;
    client.put("orders", &[br#"{"country":"ES"}"#]).await;
    assert_eq!(host.terminate().await.code(), Some(0), "{}", host.log_tail());
    let mut found = found(&host);
    assert_eq!(found.remove("country=ES").unwrap(), br#"{"country":"ES"}"#);
    // What was processed before the kill is sealed as it was processed once the next record is.
    let mut others = found.remove("country=FR").unwrap_or_default();
    assert!(found.keys().all(|prefix| prefix.starts_with("plain/")), "{:?}", found.keys());
    others.extend(found.into_values().flatten());
    assert_eq!(others, br#"{"country":"FR"}{"country":"DE"}{"country":"IT"}"#);
}

/// Source records are kept as they came, with the newline that Firehose lacks when it is asked for.
#[tokio::test]
async fn source_records_are_kept_as_they_came() {
    let mut host = Host::start(Setup::default()).await;
    let client = host.client();
    let s3 = json!({
        "RoleARN": "arn:aws:iam::000000000000:role/tests", "BucketARN": format!("arn:aws:s3:::{BUCKET}"),
        "Prefix": "source/", "CompressionFormat": "UNCOMPRESSED",
    });
    let processors = json!([
        processor("Decompression", &[("CompressionFormat", "GZIP")]),
        processor("AppendDelimiterToRecord", &[]),
        processor("Hydrant", &[("SourceBackupDelimiter", "|")]),
    ]);
    let destination = json!({
        "Prefix": "data/", "ErrorOutputPrefix": "errors/", "S3BackupMode": "Enabled", "S3BackupConfiguration": s3,
        "ProcessingConfiguration": {"Enabled": true, "Processors": processors},
    });
    client.create_stream("logs", destination).await;
    let gzip = |text: &[u8]| {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        packed.write_all(text).unwrap();
        packed.finish().unwrap()
    };
    let (one, two) = (gzip(b"one"), gzip(b"two"));
    client.put("logs", &[&one, b"not gzip", &two]).await;
    assert_eq!(host.terminate().await.code(), Some(0), "{}", host.log_tail());
    let found = found(&host);
    let below = |prefix: &str| -> Vec<u8> {
        found.iter().filter(|(at, _)| at.starts_with(prefix)).flat_map(|(_, body)| body.clone()).collect()
    };
    assert_eq!(below("data/"), b"one\ntwo\n");
    assert_eq!(below("source/"), [&one[..], b"|not gzip|", &two[..], b"|"].concat());
    let failed: Value = serde_json::from_slice(&below("errors/decompression-failed/")).unwrap();
    assert_eq!(failed["rawData"], "bm90IGd6aXA=");
}

/// Records as Parquet, by a table of the database `shop`.
fn in_columns(prefix: &str, table: &str, schema: Value) -> Value {
    let mut source = json!({
        "RoleARN": "arn:aws:iam::000000000000:role/tests", "DatabaseName": "shop", "TableName": table,
    });
    source.as_object_mut().unwrap().extend(schema.as_object().unwrap().clone());
    json!({
        "Prefix": prefix, "ErrorOutputPrefix": "errors/", "BufferingHints": {"SizeInMBs": 64, "IntervalInSeconds": 60},
        "DataFormatConversionConfiguration": {
            "SchemaConfiguration": source,
            "InputFormatConfiguration": {"Deserializer": {"OpenXJsonSerDe": {}}},
            "OutputFormatConfiguration": {"Serializer": {"ParquetSerDe": {}}},
        },
    })
}

async fn a_missing_table_is_refused(client: &Client) {
    let mut missing = in_columns("data/", "nobody", json!({}));
    missing["RoleARN"] = json!("arn:aws:iam::000000000000:role/tests");
    missing["BucketARN"] = json!(format!("arn:aws:s3:::{BUCKET}"));
    let input = json!({"DeliveryStreamName": "none", "ExtendedS3DestinationConfiguration": missing});
    let refused = client.call("CreateDeliveryStream", &input).await.unwrap();
    assert_eq!(refused.status.as_u16(), 400);
    assert!(refused.message().contains("table/database could not be found"), "{}", refused.message());
}

/// Line 3: records become columns by the table of a catalogue; what does not fit the table is in the error output alone.
#[tokio::test]
async fn records_become_columns() {
    let mut host = Host::prepare(Setup::default());
    let catalog = host.folder().join("catalog/shop");
    std::fs::create_dir_all(&catalog).unwrap();
    let columns = json!([{"Name": "id", "Type": "int"}, {"Name": "item", "Type": "string"}]);
    let table = json!({"Table": {"Name": "orders", "StorageDescriptor": {"Columns": columns}}});
    std::fs::write(catalog.join("orders.json"), table.to_string()).unwrap();
    let text = std::fs::read_to_string(host.config()).unwrap();
    let folder = host.folder().join("catalog");
    std::fs::write(host.config(), format!("{text}\n[catalog]\ndir = {folder:?}\n")).unwrap();
    host.launch().await;
    let client = host.client();
    a_missing_table_is_refused(&client).await;
    client.create_stream("orders", in_columns("data/", "orders", json!({}))).await;
    client.put("orders", &[br#"{"id":1,"item":"screw"}"#, b"no json", br#"{"id":"x"}"#, br#"{"ID":2}"#]).await;
    assert_eq!(host.terminate().await.code(), Some(0), "{}", host.log_tail());
    let found = found(&host);
    let below = |prefix: &str| -> Vec<u8> {
        found.iter().filter(|(at, _)| at.starts_with(prefix)).flat_map(|(_, body)| body.clone()).collect()
    };
    let columns = below("data/");
    assert!(columns.starts_with(b"PAR1") && columns.ends_with(b"PAR1"), "{} bytes", columns.len());
    let failed = String::from_utf8(below("errors/format-conversion-failed/")).unwrap();
    let codes: Vec<String> = failed
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["lastErrorCode"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(codes, ["DataFormatConversion.ParseError", "DataFormatConversion.MalformedData"]);
}

/// Line 1: a record lies under the hour in which it happened, however late it came and whatever happened to the host
/// meanwhile; one that names no time is in the error output.
#[tokio::test]
async fn records_lie_under_the_hour_in_which_they_happened() {
    let mut host = Host::start(Setup::default()).await;
    let client = host.client();
    let mut destination = partitioned(json!([
        processor("MetadataExtraction", &[("MetadataExtractionQuery", "{at: .at}"), ("JsonParsingEngine", "JQ-1.6")]),
        processor("AppendDelimiterToRecord", &[]),
        processor("Hydrant", &[("EventTime", "!{partitionKeyFromQuery:at}")]),
    ]));
    destination["Prefix"] = json!("hour=!{timestamp:yyyy-MM-dd-HH}/");
    client.create_stream("visits", destination).await;
    let (late, seconds) = (r#"{"at":"2019-12-31T23:30:00-01:00"}"#, r#"{"at":1577840400}"#);
    client.put("visits", &[late.as_bytes(), br#"{"at":"some day"}"#]).await;
    host.kill();
    host.launch().await;
    client.put("visits", &[seconds.as_bytes()]).await;
    assert_eq!(host.terminate().await.code(), Some(0), "{}", host.log_tail());
    let found = found(&host);
    let text = |prefix: &str| String::from_utf8(found[prefix].clone()).unwrap();
    assert_eq!(text("hour=2020-01-01-00"), format!("{late}\n"));
    assert_eq!(text("hour=2020-01-01-01"), format!("{seconds}\n"));
    let failed: Value = serde_json::from_str(&text("errors/processing-failed")).unwrap();
    assert_eq!(failed["errorCode"], "DynamicPartitioning.MetadataExtractionFailed");
    assert_eq!(found.len(), 3, "{:?}", found.keys());
}

/// Line 1: with `CompressedSizeHint` a hint of a megabyte is about the object, without it about its records.
#[tokio::test]
async fn a_size_hint_may_be_about_compressed_bytes() {
    const RECORDS: usize = 300;
    let mut host = Host::start(Setup::default()).await;
    let client = host.client();
    let destination = |prefix: &str, processors: Value| {
        json!({
            "Prefix": prefix, "CompressionFormat": "GZIP", "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 900},
            "ProcessingConfiguration": {"Enabled": true, "Processors": processors},
        })
    };
    let hint = json!([processor("Hydrant", &[("CompressedSizeHint", "true")])]);
    client.create_stream("stored", destination("stored/", hint)).await;
    client.create_stream("records", destination("records/", json!([processor("AppendDelimiterToRecord", &[])]))).await;
    let record = "the same again ".repeat(700);
    for stream in ["stored", "records"] {
        for _ in 0..RECORDS / 100 {
            client.put(stream, &vec![record.as_bytes(); 100]).await;
        }
    }
    assert_eq!(host.terminate().await.code(), Some(0), "{}", host.log_tail());
    let objects = |prefix: &str| files_below(&host.bucket().join(prefix)).len();
    assert_eq!((objects("stored"), objects("records")), (1, 3), "{} bytes each", RECORDS * record.len());
}

/// Records of four countries.
fn four_countries() -> [String; 5] {
    ["AT", "BE", "CH", "DE", "AT"].map(|country| format!(r#"{{"country":"{country}"}}"#))
}

/// Line 1: what belongs to a partition more than may be filled goes to the error output, also when the host dies before
/// anything is delivered; from there it can be put again.
#[tokio::test]
async fn a_partition_too_many_is_refused() {
    let tables = format!("{}\n[partitions]\nactive_count = 2\n", Setup::default().tables);
    let mut host = Host::start(Setup { tables, ..Setup::default() }).await;
    host.client().create_stream("orders", partitioned(json!([processor("MetadataExtraction", &QUERY)]))).await;
    host.client().put("orders", &four_countries().each_ref().map(String::as_bytes)).await;
    let refused = async || {
        let page = host.metrics().await;
        let figures = ["exceeding_records_total", "active_partitions"];
        figures.iter().all(|name| sum(&page, &format!("hydrant_batch_{name}"), &["orders"]) == 2.0).then_some(())
    };
    until("two records refused and two partitions filled", Duration::from_secs(30), refused).await.unwrap();
    host.kill();
    host.launch().await;
    assert_eq!(host.terminate().await.code(), Some(0), "{}", host.log_tail());
    let lines = |host: &Host| -> BTreeMap<String, usize> {
        found(host)
            .into_iter()
            .map(|(prefix, body)| (prefix, String::from_utf8(body).unwrap().matches('{').count()))
            .collect()
    };
    let expected = |of: &[(&str, usize)]| {
        of.iter().map(|(prefix, count)| ((*prefix).to_owned(), *count)).collect::<BTreeMap<_, _>>()
    };
    let first = [("country=AT", 2), ("country=BE", 1), ("errors/activePartitionExceeded", 2)];
    assert_eq!(lines(&host), expected(&first));
    let failed: Value = {
        let body = &found(&host)["errors/activePartitionExceeded"];
        serde_json::from_slice(body.split(|&byte| byte == b'\n').next().unwrap()).unwrap()
    };
    assert_eq!(failed["errorCode"], "DynamicPartitioning.ActivePartitionsLimitExceeded");
    assert_eq!(failed["rawData"], BASE64.encode_to_string(r#"{"country":"CH"}"#));
    host.launch().await;
    let config = host.config().display().to_string();
    let replayed = host.command(&["dead-letter", "replay", "orders", "--config", &config]);
    assert!(replayed.status.success(), "{}", String::from_utf8_lossy(&replayed.stderr));
    assert_eq!(host.terminate().await.code(), Some(0), "{}", host.log_tail());
    assert_eq!(lines(&host), expected(&[&first[..], &[("country=CH", 1), ("country=DE", 1)]].concat()));
}

/// Line 1: where the owner of the host would rather have it so, a partition too many makes room for itself; nothing is
/// refused.
#[tokio::test]
async fn a_partition_too_many_is_cut_early() {
    let tables = format!("{}\n[partitions]\nactive_count = 2\noverflow = \"cut\"\n", Setup::default().tables);
    let mut host = Host::start(Setup { tables, ..Setup::default() }).await;
    let client = host.client();
    client.create_stream("orders", partitioned(json!([processor("MetadataExtraction", &QUERY)]))).await;
    client.put("orders", &four_countries().each_ref().map(String::as_bytes)).await;
    let early = async || ["country=AT", "country=BE"].iter().all(|one| found(&host).contains_key(*one)).then_some(());
    until("the first two partitions, before they are due", Duration::from_secs(30), early).await.unwrap();
    assert_eq!(host.terminate().await.code(), Some(0), "{}", host.log_tail());
    let found = found(&host);
    let sizes: Vec<(&str, usize)> = found.iter().map(|(prefix, body)| (prefix.as_str(), body.len() / 16)).collect();
    assert_eq!(sizes, [("country=AT", 2), ("country=BE", 1), ("country=CH", 1), ("country=DE", 1)]);
}

/// Line 3: tables of a Glue Data Catalog from other hands: the newest version, and an older one by its number.
#[tokio::test]
async fn tables_come_from_a_glue_catalog() {
    let catalog = GlueCatalog::start();
    catalog.call("create_database", &json!({"DatabaseInput": {"Name": "shop"}}));
    catalog.call("create_table", &GlueCatalog::table("shop", "orders", &[("first_name", "string")]));
    catalog.call("update_table", &GlueCatalog::table("shop", "orders", &[("second_name", "string")]));
    let (id, secret) = catalog.credentials();
    let environment = [("AWS_ACCESS_KEY_ID", id), ("AWS_SECRET_ACCESS_KEY", secret)];
    let environment = environment.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec();
    let tables = format!("{}\n[catalog]\nendpoint = \"{}\"\n", Setup::default().tables, catalog.url());
    let mut host = Host::start(Setup { tables, environment, ..Setup::default() }).await;
    let client = host.client();
    for (stream, schema) in [("newest", json!({})), ("first", json!({"VersionId": "1"}))] {
        client.create_stream(stream, in_columns(&format!("{stream}/"), "orders", schema)).await;
        client.put(stream, &[br#"{"first_name":"Ada","second_name":"Byron"}"#]).await;
    }
    a_missing_table_is_refused(&client).await;
    assert_eq!(host.terminate().await.code(), Some(0), "{}", host.log_tail());
    let found = found(&host);
    let has = |prefix: &str, text: &str| {
        let below = found.iter().filter(|(at, _)| at.starts_with(prefix));
        below.map(|(_, body)| body).any(|body| body.windows(text.len()).any(|window| window == text.as_bytes()))
    };
    assert!(has("newest", "second_name") && !has("newest", "first_name"), "{:?}", found.keys());
    assert!(has("first", "first_name") && !has("first", "second_name"), "{:?}", found.keys());
}
