//! Line 1 of the deliveries: dynamic partitions, the processors beside a plugin, and source records kept as they came,
//! through the whole program.
#![expect(clippy::unwrap_used, reason = "a test says what it expects")]

use std::collections::BTreeMap;
use std::io::Write;

use hydrant_tests::checker::files_below;
use hydrant_tests::client::BUCKET;
use hydrant_tests::host::{Host, Setup};
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
    let found = found(&host);
    let plain: Vec<&Vec<u8>> =
        found.iter().filter(|(prefix, _)| prefix.starts_with("plain/")).map(|(_, body)| body).collect();
    assert_eq!(found["country=ES"], br#"{"country":"ES"}"#);
    let plain: Vec<u8> = plain.into_iter().flatten().copied().collect();
    assert_eq!(plain, br#"{"country":"FR"}{"country":"DE"}{"country":"IT"}"#);
    assert_eq!(found.len(), 2, "{:?}", found.keys());
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
    let conversion = |table: &str| {
        json!({
            "SchemaConfiguration": {
                "RoleARN": "arn:aws:iam::000000000000:role/tests", "DatabaseName": "shop", "TableName": table,
            },
            "InputFormatConfiguration": {"Deserializer": {"OpenXJsonSerDe": {}}},
            "OutputFormatConfiguration": {"Serializer": {"ParquetSerDe": {}}},
        })
    };
    let destination = |table: &str| {
        json!({
            "Prefix": "data/", "ErrorOutputPrefix": "errors/", "DataFormatConversionConfiguration": conversion(table),
            "BufferingHints": {"SizeInMBs": 64, "IntervalInSeconds": 60},
        })
    };
    let mut missing = destination("nobody");
    missing["RoleARN"] = json!("arn:aws:iam::000000000000:role/tests");
    missing["BucketARN"] = json!(format!("arn:aws:s3:::{BUCKET}"));
    let input = json!({"DeliveryStreamName": "none", "ExtendedS3DestinationConfiguration": missing});
    let refused = client.call("CreateDeliveryStream", &input).await.unwrap();
    assert_eq!(refused.status.as_u16(), 400);
    assert!(refused.message().contains("table/database could not be found"), "{}", refused.message());
    client.create_stream("orders", destination("orders")).await;
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
