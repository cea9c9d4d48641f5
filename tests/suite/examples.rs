//! The examples do what their pages say.

use std::fs;

use hydrant_tests::checker::{files_below, read_bucket};
use hydrant_tests::environment::repository;
use hydrant_tests::host::{Host, Setup, plugin};
use serde_json::Value;

/// `examples/01-orders-to-s3`: its stream, its input and its plugin give its expected output, order by order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_to_s3() {
    let folder = repository().join("examples/01-orders-to-s3");
    let plugins = vec![("orders".to_owned(), plugin("orders"))];
    let mut host = Host::start(Setup { plugins, ..Setup::default() }).await;
    let path = |name: &str| folder.join(name).to_string_lossy().into_owned();
    for arguments in [vec!["apply", &path("stream.json")], vec!["put", "orders", &path("input.ndjson"), "--no-newline"]]
    {
        let output = host.command(&arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(host.terminate().await.code(), Some(0), "{}", host.log_tail());
    let bucket = host.data_dir().join("s3/shop");
    assert!(!files_below(&bucket).is_empty(), "nothing was delivered");
    let (mut orders, mut failed) = (Vec::new(), Vec::new());
    for object in read_bucket(&bucket) {
        let text = String::from_utf8(object.body).expect("text");
        if object.key.starts_with("orders/") { orders.push(text) } else { failed.push(text) }
    }
    let expected = |name: &str| fs::read_to_string(folder.join("expected").join(name)).expect("an expected file");
    assert_eq!(orders.concat(), expected("orders.ndjson"));
    let raw = failed.concat().lines().map(raw_line).collect::<String>();
    assert_eq!(raw, expected("failed.ndjson"));
}

/// The record inside a line of the error output, as it was put.
fn raw_line(line: &str) -> String {
    let envelope: Value = serde_json::from_str(line).expect("an envelope");
    let data = envelope["rawData"].as_str().expect("rawData");
    let bytes = base64_simd::STANDARD.decode_to_vec(data).expect("base64");
    String::from_utf8(bytes).expect("text") + "\n"
}
