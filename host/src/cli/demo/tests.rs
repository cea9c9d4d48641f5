//! The demo's story against a host that only counts: what is sent, when it is done, what is shown, how it stops.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use super::super::arguments::Demo;
use super::super::console::Format;
use super::super::{Console, Failure, Host, scripted};
use super::{OrderKind, Orders, demo};
use crate::admin::{Admin, Health};
use crate::config::Settings;
use crate::telemetry::{StreamMetrics, Telemetry};

/// A host that judges orders by itself and writes one object.
struct Counting {
    settings: Settings,
    admin: Admin,
}

impl Host for Counting {
    async fn start(settings: Settings) -> anyhow::Result<Self> {
        anyhow::ensure!(settings.region != "nowhere", "no such region");
        let telemetry = Telemetry::new();
        let metrics = telemetry.stream("000000000000", "orders");
        scripted::listen(settings.api.listen, move |operation, input| script(&metrics, operation, input)).await;
        let admin = Admin::start(
            settings.admin.listen,
            Arc::clone(&telemetry),
            Health::starting(),
            crate::admin::Door::default(),
            crate::admin::FailureDoor::default(),
            crate::admin::RecopyDoor::default(),
        )
        .await?;
        Ok(Self { settings, admin })
    }

    fn api_address(&self) -> SocketAddr {
        self.settings.api.listen
    }

    fn admin_address(&self) -> SocketAddr {
        self.admin.address()
    }

    fn s3_address(&self) -> Option<SocketAddr> {
        Some(self.settings.s3.listen)
    }

    async fn ensure_bucket(&self, bucket: &str) -> anyhow::Result<()> {
        let place = self.settings.data_dir.join("s3").join(bucket).join("orders");
        fs::create_dir_all(&place)?;
        Ok(fs::write(place.join("1.gz"), "12345")?)
    }

    async fn broken(&self) -> anyhow::Error {
        std::future::pending().await
    }

    async fn drained(self) -> anyhow::Result<()> {
        Ok(fs::write(self.settings.data_dir.join("drained"), "")?)
    }
}

fn script(metrics: &StreamMetrics, operation: &str, input: &Value) -> (u16, Value) {
    match operation {
        "DescribeDeliveryStream" if metrics.accepted.records.get() == 0 => {
            metrics.accepted.add(1, 0);
            scripted::error("ResourceNotFoundException", "Firehose orders not found.")
        }
        "DescribeDeliveryStream" => (200, json!({ "DeliveryStreamDescription": { "DeliveryStreamStatus": "ACTIVE" } })),
        "CreateDeliveryStream" => {
            assert_eq!(input["ExtendedS3DestinationConfiguration"]["CompressionFormat"], "GZIP");
            (200, json!({ "DeliveryStreamARN": "arn" }))
        }
        "PutRecordBatch" => {
            let records = input["Records"].as_array().expect("records");
            for record in records {
                let data = base64_simd::STANDARD.decode_to_vec(record["Data"].as_str().expect("data")).expect("base64");
                let order: Value = serde_json::from_slice(&data).unwrap_or_default();
                metrics.durable.add(1, 1);
                match order["stock_code"].as_str() {
                    None if order["kind"] == "heartbeat" => metrics.dropped.add(1, 1),
                    Some(code) if code.starts_with("TEST") => metrics.dropped.add(1, 1),
                    Some(_) if order["quantity"].is_i64() => metrics.delivered.add(1, 1),
                    _ => metrics.failed.add(1, 1),
                }
            }
            (200, json!({ "FailedPutCount": 0, "RequestResponses": vec![json!({ "RecordId": "1" }); records.len()] }))
        }
        other => panic!("{other} is not in the script"),
    }
}

async fn run(directory: &Path, format: Format) -> (Result<(), Failure>, String) {
    let plugins = directory.join("built");
    fs::create_dir_all(&plugins).expect("a directory");
    fs::write(plugins.join("orders.wasm"), "wasm").expect("a file");
    let arguments = Demo { records: 3000, dir: directory.join("demo"), plugin_dir: Some(plugins) };
    let (console, buffer) = Console::buffer(format);
    let result = demo::<Counting>(&console, &arguments).await;
    let said = String::from_utf8(buffer.lock().expect("a buffer").clone()).expect("text");
    (result, said)
}

#[tokio::test]
async fn the_demo_sends_waits_and_shows() {
    let directory = tempfile::tempdir().expect("a directory");
    let (result, said) = run(directory.path(), Format::Json).await;
    result.unwrap_or_else(|failure| panic!("{failure}"));
    let summary: Value = serde_json::from_str(&said).expect("JSON");
    let expected = |kind| Orders::new(536_365).take(3000).filter(|order| order.kind == kind).count();
    assert_eq!(summary["sent_records"], 3000);
    assert_eq!(summary["dropped_records"], expected(OrderKind::Noise));
    assert_eq!(summary["failed_records"], expected(OrderKind::Malformed));
    assert_eq!(summary["delivered_records"], expected(OrderKind::Good));
    assert_eq!(summary["objects"], json!([{ "key": "orders/1.gz", "bytes": 5 }]));
    assert!(directory.path().join("demo/data/drained").exists());
    // A second run in the same place works too, and is for people.
    let (result, said) = run(directory.path(), Format::Human).await;
    result.unwrap_or_else(|failure| panic!("{failure}"));
    assert!(said.starts_with("Hydrant runs at http://127.0.0.1:"), "{said}");
    assert!(said.contains("\nsent           3,000  orders, ") && said.contains("\nTry next:\n"), "{said}");
}

/// `examples/01-orders-to-s3/input.ndjson` is what the generator makes; `UPDATE=1` writes it again.
#[test]
fn the_example_is_up_to_date() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/01-orders-to-s3");
    // The first seed whose 200 orders go wrong in every way there is.
    let orders: Vec<_> = Orders::new(10).take(200).collect();
    let everything: String = orders.iter().map(|order| format!("{}\n", order.text)).collect();
    #[expect(clippy::disallowed_methods, reason = "blessing is asked for by the person who runs the tests")]
    if std::env::var_os("UPDATE").is_some() {
        fs::write(directory.join("input.ndjson"), &everything).expect("written");
    }
    assert_eq!(fs::read_to_string(directory.join("input.ndjson")).expect("the input"), everything);
    // What the plugin makes of them is the test suite's to say; that nothing is missing can be said here.
    let count = |kind| orders.iter().filter(|order| order.kind == kind).count();
    let expected = |name: &str| fs::read_to_string(directory.join("expected").join(name)).expect(name).lines().count();
    assert_eq!(expected("orders.ndjson"), count(OrderKind::Good));
    assert_eq!(expected("failed.ndjson"), count(OrderKind::Malformed));
}
