//! Bad input against the real binary: each gets the error that the reference or the design names, and loses nothing.
//!
//! What needs no process is tested beside the code that refuses it.

use std::fs;
use std::time::Duration;

use hydrant_tests::client::{Client, Credentials, Payload, through_plugin};
use hydrant_tests::host::{Host, Setup, plugin};
use hydrant_tests::wait::until;
use hyper::StatusCode;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::streams::{self, PLUGIN};

const STREAM: &str = "input";
/// Exit code for a configuration that cannot be obeyed.
const CONFIGURATION: i32 = 78;
/// A host that refuses to start says so at once; a busy machine needs a little longer.
const REFUSAL_LIMIT: Duration = Duration::from_secs(60);
/// Every deadline of the API's is far below this.
const CLOSE_LIMIT: Duration = Duration::from_secs(120);

async fn host_with_stream() -> Host {
    let host = Host::start(Setup::default()).await;
    host.client().create_stream(STREAM, json!({"BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 0}})).await;
    host
}

/// A host that is given `text` refuses to start with exit code 78 and all of `words` in its error.
async fn refuses_config(top: &str, tables: &str, words: &[&str]) {
    let mut host = Host::prepare(Setup { top: top.into(), tables: tables.into(), ..Setup::default() });
    host.spawn();
    let status = host.exited(REFUSAL_LIMIT).await;
    let log = host.log();
    assert_eq!(status.code(), Some(CONFIGURATION), "{log}");
    for word in words {
        assert!(log.contains(word), "the error names {word}:\n{log}");
    }
}

/// An unknown key, and every other problem of the file at once, each with its dotted path.
#[tokio::test]
async fn an_unknown_configuration_key_is_named() {
    refuses_config("colour = 1", "[catalog]\ndirectory = \"x\"", &["error:", "colour", "catalog.directory"]).await;
}

/// `authentication = "none"` is for loopback only.
#[tokio::test]
async fn no_authentication_on_a_public_address_is_refused() {
    let mut host = Host::prepare(Setup::default());
    let text = fs::read_to_string(host.config()).expect("the configuration");
    let open = text.replacen("listen = \"127.0.0.1", "listen = \"0.0.0.0", 1).replace("\"sigv4\"", "\"none\"");
    fs::write(host.config(), open).expect("the configuration");
    host.spawn();
    let status = host.exited(REFUSAL_LIMIT).await;
    assert_eq!(status.code(), Some(CONFIGURATION), "{}", host.log());
    assert!(host.log().contains("api.authentication"), "{}", host.log());
}

/// A data directory that is a file, and one whose journal is not a journal.
#[tokio::test]
async fn an_unreadable_data_directory_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("data");
    let mut host = Host::prepare(Setup { data_dir: Some(folder.path().join("replaced")), ..Setup::default() });
    fs::write(&file, "not a folder").expect("a file");
    let text = fs::read_to_string(host.config()).expect("the configuration");
    let place = host.data_dir().to_string_lossy().into_owned();
    fs::write(host.config(), text.replace(&place, &file.to_string_lossy())).expect("the configuration");
    host.spawn();
    let status = host.exited(REFUSAL_LIMIT).await;
    assert!(status.code().is_some_and(|code| code != 0), "{status}");
    assert!(host.log().contains("error:") && host.log().contains("data"), "{}", host.log());
}

/// A plugin file that is no component, and one that imports what it may not, leave the host and other plugins running.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_no_component_does_not_stop_the_host() {
    let mut host = Host::prepare(streams::setup());
    fs::write(host.plugin_dir().join("noise.wasm"), b"this is no component").expect("a file");
    host.launch().await;
    streams::create(&host.client()).await;
    let noticed = until("a word about noise.wasm", REFUSAL_LIMIT, async || host.log().contains("noise").then_some(()));
    noticed.await.unwrap_or_else(|error| panic!("{error}:\n{}", host.log_tail()));
    host.client().put(streams::EDITED, &[br#"{"level":"info"}"#]).await;
    assert_eq!(host.terminate().await.code(), Some(0), "{}", host.log_tail());
    let objects = hydrant_tests::checker::read_bucket(&host.bucket());
    assert_eq!(objects.filter(|object| object.key.contains(streams::EDITED)).count(), 1);
}

/// A stream whose plugin does not exist is refused at creation or holds its records; it never delivers them unedited.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_without_its_plugin_never_delivers_raw_records() {
    let mut host = Host::start(Setup::default()).await;
    let client = host.client();
    let destination = json!({"RoleARN": "arn:aws:iam::000000000000:role/tests", "BucketARN": "arn:aws:s3:::tests",
        "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 0}, "ProcessingConfiguration": through_plugin(PLUGIN)});
    let input = json!({"DeliveryStreamName": STREAM, "ExtendedS3DestinationConfiguration": destination});
    let created = client.call("CreateDeliveryStream", &input).await.expect("an answer");
    if created.status.is_success() {
        client.put(STREAM, &[br#"{"level":"info","id":1}"#]).await;
        let file = plugin(PLUGIN);
        fs::copy(&file, host.plugin_dir().join(format!("{PLUGIN}.wasm"))).expect("a plugin file");
        let delivered = until("delivery once the plugin is there", CLOSE_LIMIT, async || {
            hydrant_tests::checker::read_bucket(&host.bucket()).next()
        });
        let object = delivered.await.unwrap_or_else(|error| panic!("{error}:\n{}", host.log_tail()));
        assert_ne!(object.body, br#"{"level":"info","id":1}"#, "delivered without its plugin");
    } else {
        assert_eq!(created.error_type(), "InvalidArgumentException");
    }
    assert_eq!(host.terminate().await.code(), Some(0), "{}", host.log_tail());
}

/// Row A1: requests that break a limit or the protocol, and their answers; the stream takes records before and after.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_requests_get_their_own_error_and_store_nothing() {
    let mut host = host_with_stream().await;
    let client = host.client();
    client.put(STREAM, &[b"before\n"]).await;
    let large = "A".repeat(1_365_340);
    let records = |count: usize, data: &str| {
        json!({"DeliveryStreamName": STREAM,
        "Records": vec![json!({"Data": data}); count]})
    };
    let table: Vec<(&str, &str, String, StatusCode, &str)> = vec![
        ("malformed JSON", "PutRecord", "{".into(), StatusCode::BAD_REQUEST, "SerializationException"),
        ("not an object", "PutRecord", "[]".into(), StatusCode::BAD_REQUEST, "SerializationException"),
        (
            "bad base64",
            "PutRecordBatch",
            records(1, "?").to_string(),
            StatusCode::BAD_REQUEST,
            "SerializationException",
        ),
        (
            "501 records",
            "PutRecordBatch",
            records(501, "YQ==").to_string(),
            StatusCode::BAD_REQUEST,
            "ValidationException",
        ),
        ("no record", "PutRecordBatch", records(0, "").to_string(), StatusCode::BAD_REQUEST, "ValidationException"),
        (
            "a large record",
            "PutRecordBatch",
            records(1, &large).to_string(),
            StatusCode::BAD_REQUEST,
            "ValidationException",
        ),
        (
            "over 4 MiB",
            "PutRecordBatch",
            records(5, &large[..1_333_336]).to_string(),
            StatusCode::BAD_REQUEST,
            "InvalidArgumentException",
        ),
        (
            "unknown stream",
            "PutRecord",
            json!({"DeliveryStreamName": "absent", "Record": {"Data": ""}}).to_string(),
            StatusCode::BAD_REQUEST,
            "ResourceNotFoundException",
        ),
        ("unknown operation", "PutRecords", "{}".into(), StatusCode::BAD_REQUEST, "UnknownOperationException"),
        (
            "invalid definition",
            "CreateDeliveryStream",
            json!({"DeliveryStreamName": "x"}).to_string(),
            StatusCode::BAD_REQUEST,
            "InvalidArgumentException",
        ),
    ];
    for (what, operation, body, status, kind) in table {
        let mut connection = client.connect().await.expect("the host accepts connections");
        let answer =
            connection.call(operation, &Payload::new(body)).await.unwrap_or_else(|error| panic!("{what}: {error:?}"));
        let text = String::from_utf8_lossy(&answer.body);
        assert_eq!((answer.status, answer.error_type().as_str()), (status, kind), "{what} was answered: {text}");
    }
    client.put(STREAM, &[b"after\n"]).await;
    only_before_and_after(&mut host).await;
}

/// Wrong secret, unknown key, a clock six minutes off, no signature at all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_signatures_are_told_apart_and_store_nothing() {
    let mut host = host_with_stream().await;
    host.client().put(STREAM, &[b"before\n"]).await;
    let address = host.client().address();
    let right = Credentials::default();
    let wrong_secret = Credentials { secret_access_key: "wrong".into(), ..right.clone() };
    let unknown = Credentials { access_key_id: "AKIDNOBODY".into(), ..right.clone() };
    let table = [
        ("wrong secret", wrong_secret, 0, "InvalidSignatureException"),
        ("unknown key", unknown, 0, "UnrecognizedClientException"),
        ("slow clock", right.clone(), -6 * 60_000, "InvalidSignatureException"),
        ("fast clock", right, 6 * 60_000, "InvalidSignatureException"),
    ];
    let put = json!({"DeliveryStreamName": STREAM, "Record": {"Data": "c3RvbGVu"}});
    for (what, credentials, skew_ms, kind) in table {
        let client = Client::with(address, credentials, skew_ms);
        let answer = client.call("PutRecord", &put).await.unwrap_or_else(|error| panic!("{what}: {error:?}"));
        assert_eq!(answer.error_type(), kind, "{what}: {}", answer.message());
    }
    let unsigned = raw(address, &request_head(&put.to_string(), put.to_string().len(), &[]), CLOSE_LIMIT).await;
    assert!(unsigned.contains("MissingAuthenticationTokenException"), "{unsigned}");
    host.client().put(STREAM, &[b"after\n"]).await;
    only_before_and_after(&mut host).await;
}

/// Row A2: a flood of headers, a body that stops half way, one cut short, a wrong content type: each connection is
/// answered or closed within its deadline, and the host serves others all the while.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_connections_are_bounded_and_store_nothing() {
    let mut host = host_with_stream().await;
    let client = host.client();
    client.put(STREAM, &[b"before\n"]).await;
    let put = json!({"DeliveryStreamName": STREAM, "Record": {"Data": "aGFsZg=="}}).to_string();
    let signed = client.signer().headers("PutRecord", &Payload::new(put.clone()).sha256);

    let flood: Vec<(String, String)> = (0..5_000).map(|at| (format!("x-flood-{at}"), "y".repeat(100))).collect();
    let flood: Vec<(&str, String)> = flood.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    let answer = raw(client.address(), &request_head(&put, put.len(), &flood), CLOSE_LIMIT).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "a header flood: {answer}");

    // The body is shorter than promised, and the connection stays open: the deadline for bodies ends it.
    let stalled = request_head(&put[..put.len() - 10], put.len(), &signed);
    let (stalled, served) =
        tokio::join!(raw(client.address(), &stalled, CLOSE_LIMIT), client.put(STREAM, &[b"while\n"]));
    assert!(!stalled.starts_with("HTTP/1.1 2"), "a stalled body: {stalled}");
    let () = served;

    let mut cut = TcpStream::connect(client.address()).await.expect("a connection");
    cut.write_all(request_head(&put[..20], put.len(), &signed).as_bytes()).await.expect("a write");
    drop(cut);

    let typed: Vec<(&str, String)> = signed
        .into_iter()
        .map(|(name, value)| (name, if name == "content-type" { "text/plain".into() } else { value }))
        .collect();
    let answer = raw(client.address(), &request_head(&put, put.len(), &typed), CLOSE_LIMIT).await;
    assert!(answer.starts_with("HTTP/1.1 40"), "a wrong content type: {answer}");

    client.put(STREAM, &[b"after\n"]).await;
    assert_eq!(host.terminate().await.code(), Some(0), "{}", host.log_tail());
    assert_eq!(delivered(&host), ["after", "before", "while"]);
}

async fn only_before_and_after(host: &mut Host) {
    assert_eq!(host.terminate().await.code(), Some(0), "{}", host.log_tail());
    assert_eq!(delivered(host), ["after", "before"]);
}

/// Every delivered line, sorted.
fn delivered(host: &Host) -> Vec<String> {
    let objects = hydrant_tests::checker::read_bucket(&host.bucket());
    let text: String = objects.map(|object| String::from_utf8(object.body).expect("text")).collect();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

/// A request as text. Only what is given is sent: no client mends it.
fn request_head(body: &str, content_length: usize, headers: &[(&str, String)]) -> String {
    let mut text = format!("POST / HTTP/1.1\r\ncontent-length: {content_length}\r\n");
    let given = |wanted: &str| headers.iter().any(|(name, _)| *name == wanted);
    for (name, value) in [
        ("host", "127.0.0.1"),
        ("content-type", "application/x-amz-json-1.1"),
        ("x-amz-target", "Firehose_20150804.PutRecord"),
    ] {
        if !given(name) {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text + "\r\n" + body
}

/// Sends text and reads until the first answer is complete or the server closes; empty when it closes without a word.
///
/// # Panics
/// When nothing happens within `limit`.
async fn raw(address: std::net::SocketAddr, text: &str, limit: Duration) -> String {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        // A server that has heard enough may close before it has read all.
        let _may_be_cut = stream.write_all(text.as_bytes()).await;
        let mut answer = vec![0; 16 * 1024];
        let mut length = 0;
        while let Ok(more @ 1..) = stream.read(&mut answer[length..]).await {
            length += more;
            if length == answer.len() || is_whole(&answer[..length]) {
                break;
            }
        }
        String::from_utf8_lossy(&answer[..length]).into_owned()
    };
    tokio::time::timeout(limit, exchange).await.expect("the server answers or closes")
}

fn is_whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length =
        head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ").map(str::to_owned));
    length.and_then(|length| length.trim().parse::<usize>().ok()).is_none_or(|length| body.len() >= length)
}

/// A stream's definition that breaks a rule is refused with the member's path, and does not appear in the list.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invalid_stream_definition_names_its_member() {
    let host = host_with_stream().await;
    let client = host.client();
    let input = json!({"DeliveryStreamName": "bad", "ExtendedS3DestinationConfiguration": {
        "RoleARN": "arn:aws:iam::000000000000:role/tests", "BucketARN": "arn:aws:s3:::tests", "CompressionFormat": "gzip"}});
    let answer = client.call("CreateDeliveryStream", &input).await.expect("an answer");
    assert_eq!(answer.error_type(), "ValidationException");
    assert!(
        answer.message().contains("at 'extendedS3DestinationConfiguration.compressionFormat'"),
        "{}",
        answer.message()
    );

    // The embedded S3 server owns its buckets; what it will never take is said at once.
    let input = json!({"DeliveryStreamName": "bad", "ExtendedS3DestinationConfiguration": {
        "RoleARN": "arn:aws:iam::000000000000:role/tests", "BucketARN": "arn:aws:s3:::Upper_Case"}});
    let answer = client.call("CreateDeliveryStream", &input).await.expect("an answer");
    assert_eq!(answer.error_type(), "InvalidArgumentException", "{}", answer.message());
    assert!(answer.message().contains("Upper_Case"), "{}", answer.message());

    let listed: Value = client.expect("ListDeliveryStreams", &json!({})).await;
    assert_eq!(listed["DeliveryStreamNames"], json!([STREAM]));
}
