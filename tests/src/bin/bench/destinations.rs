//! What each destination and format costs through the whole chain: the same records, one after the other, in one run.
//!
//! Partitioned S3 stands beside unpartitioned S3 of the same records: their ratio holds on a busy machine, too, where
//! each alone does not. Refuses to compare across runs.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;

use hydrant_tests::checker::files_below;
use hydrant_tests::client::Client;
use hydrant_tests::host::{Host, Setup, plugin};
use hydrant_tests::process;
use serde_json::{Value, json};

use crate::Arguments;
use crate::bulk;
use crate::chain::{TABLES, drained, load, median, whole};
use crate::store::Store;
use crate::table::{Row, load_average, mib, row, thousands};

/// Values of the partition key: Firehose's own limit.
const KEYS: u32 = 500;
/// Bytes of a batch, MiB: the least that partitions and columns may have.
const HINT: u32 = 64;

const GZIP: &str = "S3, gzip";
const PLUGIN: &str = "S3, gzip, through a plugin";

/// A destination and what is hoped of it.
struct Case {
    name: &'static str,
    destination: To,
    goal: &'static str,
    /// The case before it that it is set against, and what is hoped of the ratio.
    against: Option<(&'static str, &'static str)>,
}

enum To {
    S3(Value),
    OpenSearch,
}

/// What one run of a case showed.
#[derive(Clone, Copy, Debug, Default)]
struct Run {
    cpu_seconds: f64,
    peak_bytes: u64,
    objects: usize,
}

fn cases() -> Vec<Case> {
    let case = |name, destination, goal| Case { name, destination, goal, against: None };
    let s3 = |compression: &str| To::S3(json!({"CompressionFormat": compression, "BufferingHints": hints()}));
    let by_program = To::S3(partitioned("{service: (.service | ascii_downcase)}"));
    vec![
        case(GZIP, s3("GZIP"), ""),
        Case {
            against: Some((GZIP, "<= 1.3 x")),
            ..case("S3, gzip, 500 partitions by a jq path", To::S3(partitioned("{service: .service}")), "")
        },
        Case { against: Some((GZIP, "")), ..case("S3, gzip, 500 partitions by a jq program", by_program, "") },
        case(PLUGIN, To::S3(through_plugin(false)), ""),
        Case {
            against: Some((PLUGIN, "<= 1.3 x")),
            ..case("S3, gzip, 500 partitions by that plugin", To::S3(through_plugin(true)), "")
        },
        case("S3, zstd", s3("ZSTD"), ""),
        case("S3, Parquet", To::S3(columns(json!({"ParquetSerDe": {}}))), ">= 60,000"),
        case("S3, ORC", To::S3(columns(json!({"OrcSerDe": {}}))), ""),
        case("OpenSearch bulk", To::OpenSearch, ">= 200,000"),
    ]
}

fn hints() -> Value {
    json!({"SizeInMBs": HINT, "IntervalInSeconds": 900})
}

/// Partitions by what a jq program says.
pub(crate) fn partitioned(query: &str) -> Value {
    let parameters = json!([
        {"ParameterName": "MetadataExtractionQuery", "ParameterValue": query},
        {"ParameterName": "JsonParsingEngine", "ParameterValue": "JQ-1.6"},
    ]);
    json!({
        "CompressionFormat": "GZIP",
        "BufferingHints": hints(),
        "Prefix": "service=!{partitionKeyFromQuery:service}/",
        "ErrorOutputPrefix": "errors/",
        "DynamicPartitioningConfiguration": {"Enabled": true},
        "ProcessingConfiguration": {
            "Enabled": true, "Processors": [{"Type": "MetadataExtraction", "Parameters": parameters}],
        },
    })
}

/// Through the guest of the benches, which drops a tenth; it sets a key in any case.
fn through_plugin(is_partitioned: bool) -> Value {
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:bench";
    let parameters = json!([{"ParameterName": "LambdaArn", "ParameterValue": arn}]);
    let mut destination = json!({
        "CompressionFormat": "GZIP",
        "BufferingHints": hints(),
        "ErrorOutputPrefix": "errors/",
        "ProcessingConfiguration": {"Enabled": true, "Processors": [{"Type": "Lambda", "Parameters": parameters}]},
    });
    if is_partitioned {
        destination["Prefix"] = json!("service=!{partitionKeyFromLambda:service}/");
        destination["DynamicPartitioningConfiguration"] = json!({"Enabled": true});
    }
    destination
}

fn columns(serializer: Value) -> Value {
    json!({
        "BufferingHints": hints(),
        "ErrorOutputPrefix": "errors/",
        "DataFormatConversionConfiguration": {
            "SchemaConfiguration": {
                "RoleARN": "arn:aws:iam::000000000000:role/tests", "DatabaseName": "logs", "TableName": "requests",
            },
            "InputFormatConfiguration": {"Deserializer": {"OpenXJsonSerDe": {}}},
            "OutputFormatConfiguration": {"Serializer": serializer},
        },
    })
}

/// The table of the generator's records.
fn table() -> Value {
    let columns: Vec<Value> = [
        ("time", "timestamp"),
        ("level", "string"),
        ("service", "string"),
        ("host", "string"),
        ("request", "string"),
        ("method", "string"),
        ("path", "string"),
        ("status", "int"),
        ("ms", "int"),
        ("message", "string"),
    ]
    .into_iter()
    .map(|(name, kind)| json!({"Name": name, "Type": kind}))
    .collect();
    json!({"Table": {"Name": "requests", "StorageDescriptor": {"Columns": columns}}})
}

/// Runs every case.
pub(crate) async fn measure(arguments: &Arguments) -> Vec<Row> {
    let store = Store::start().await;
    let node = bulk::listen().await;
    let mut rows = vec![row("load average of the machine, before", load_average(), "")];
    let mut known: BTreeMap<&str, f64> = BTreeMap::new();
    for case in cases().into_iter().filter(|case| case.name.contains(&arguments.case)) {
        let mut runs = Vec::new();
        for _ in 0..arguments.runs.max(1) {
            runs.push(run(&store, node, &case, arguments.destination_records).await);
        }
        let cpu = median(runs.iter().map(|run| run.cpu_seconds));
        let records = arguments.destination_records as f64;
        rows.push(row(format!("{}: records per CPU-second", case.name), thousands(records / cpu), case.goal));
        if let To::OpenSearch = case.destination {
            rows.push(row(format!("{}: host", case.name), format!("{:.2} us/record", cpu * 1e6 / records), "<= 5"));
        }
        if let Some((base, goal)) = case.against
            && let Some(base_cpu) = known.get(base)
        {
            rows.push(row(format!("{}: CPU against one", case.name), format!("{:.2} x", cpu / base_cpu), goal));
        }
        known.insert(case.name, cpu);
        let peak = median(runs.iter().map(|run| run.peak_bytes as f64));
        rows.push(row(format!("{}: peak memory", case.name), mib(whole(peak)), ""));
        let objects = runs.iter().map(|run| run.objects).max().unwrap_or_default();
        if objects > 0 {
            rows.push(row(format!("{}: objects", case.name), thousands(objects as f64), ""));
        }
    }
    rows.push(row("load average of the machine, after", load_average(), ""));
    rows
}

async fn run(store: &Store, node: SocketAddr, case: &Case, records: u64) -> Run {
    store.empty();
    let mut host = Host::prepare(Setup {
        s3_endpoint: store.endpoint(),
        plugins: vec![("bench".to_owned(), plugin("bench"))],
        tables: TABLES.to_owned(),
        environment: store.environment(),
        ..Setup::default()
    });
    let catalog = host.folder().join("catalog");
    fs::create_dir_all(catalog.join("logs")).expect("a folder for tables");
    fs::write(catalog.join("logs/requests.json"), table().to_string()).expect("a table");
    let tables = format!("{TABLES}\n[catalog]\ndir = {catalog:?}\n\n[plugins.settings.bench]\nkey = \"service\"\n");
    host.write_config(&store.endpoint(), "", &tables);
    host.launch().await;
    create(&host.client(), node, &case.destination).await;
    let before = process::cpu_time(host.pid()).expect("a running host");
    let (summary, peak_loaded) = load(&host, &[format!("--records={records}"), format!("--keys={KEYS}")]).await;
    assert_eq!(summary.refused_records, 0, "records were refused:\n{}", host.log_tail());
    host.signal_term();
    let (cpu, peak) = drained(&mut host).await;
    let files = files_below(&store.bucket());
    if let Some(failed) = files.iter().find(|file| file.components().any(|part| part.as_os_str() == "errors")) {
        let text = fs::read_to_string(failed).unwrap_or_default();
        panic!("{}: not everything was delivered: {}", case.name, text.lines().next().unwrap_or_default());
    }
    Run { cpu_seconds: (cpu - before).as_secs_f64(), peak_bytes: peak.max(peak_loaded), objects: files.len() }
}

async fn create(client: &Client, node: SocketAddr, to: &To) {
    match to {
        To::S3(destination) => client.create_stream("load", destination.clone()).await,
        To::OpenSearch => {
            let role = "arn:aws:iam::000000000000:role/tests";
            let bucket = format!("arn:aws:s3:::{}", hydrant_tests::client::BUCKET);
            let configuration = json!({
                "ClusterEndpoint": format!("http://{node}"), "IndexName": "logs", "IndexRotationPeriod": "NoRotation",
                "BufferingHints": {"SizeInMBs": 5, "IntervalInSeconds": 900}, "RoleARN": role,
                "S3Configuration": {"RoleARN": role, "BucketARN": bucket, "ErrorOutputPrefix": "errors/"},
            });
            let input = json!({
                "DeliveryStreamName": "load", "AmazonopensearchserviceDestinationConfiguration": configuration,
            });
            client.expect("CreateDeliveryStream", &input).await;
        }
    }
}
