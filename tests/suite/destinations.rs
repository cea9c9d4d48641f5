//! Every destination through the whole program: created by the API, fed by a producer, delivered to its real peer, and
//! what it does not take found in the error output.
#![expect(clippy::unwrap_used, reason = "a test says what it expects")]

use std::time::Duration;

use hydrant_tests::checker::read_bucket;
use hydrant_tests::client::{BUCKET, Client};
use hydrant_tests::host::{Host, Setup, TEST_TABLES};
use hydrant_tests::peers::{Authority, HecReceiver, HttpEndpointReceiver, Redshift, SearchNode, versitygw};
use hydrant_tests::wait::until;
use serde_json::{Value, json};

/// A node that starts on a busy machine takes its time, and so does its first index.
const LIMIT: Duration = Duration::from_secs(120);

const ROLE: &str = "arn:aws:iam::000000000000:role/tests";

/// Buffers that are delivered at once.
fn at_once() -> Value {
    json!({"SizeInMBs": 1, "IntervalInSeconds": 0})
}

/// The bucket that every destination has beside itself.
pub(crate) fn bucket() -> Value {
    let buffering = json!({"SizeInMBs": 1, "IntervalInSeconds": 0});
    json!({"RoleARN": ROLE, "BucketARN": format!("arn:aws:s3:::{BUCKET}"), "BufferingHints": buffering})
}

async fn create(client: &Client, name: &str, kind: &str, mut configuration: Value) {
    configuration["RoleARN"] = json!(ROLE);
    configuration["S3Configuration"] = bucket();
    client.expect("CreateDeliveryStream", &json!({"DeliveryStreamName": name, kind: configuration})).await;
}

/// Lines of the error output below a prefix.
fn failures(host: &Host, prefix: &str) -> Vec<Value> {
    let below = read_bucket(&host.bucket()).filter(|object| object.key.starts_with(prefix));
    below.flat_map(|object| lines(&object.body)).collect()
}

fn lines(body: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(body).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A host that trusts this authority and finds these names on loopback.
async fn host_that_trusts(authority: &Authority, name: &str) -> Host {
    let mut host = Host::prepare(Setup::default());
    let roots = host.folder().join("roots.pem");
    std::fs::write(&roots, authority.pem()).unwrap();
    add_egress(&host, &format!("ca_file = {roots:?}\nresolve = {{ {name:?} = \"127.0.0.1\" }}"));
    host.launch().await;
    host
}

/// Adds keys to `[egress]` of a host that is not running.
pub(crate) fn add_egress(host: &Host, keys: &str) {
    let text = std::fs::read_to_string(host.config()).unwrap();
    std::fs::write(host.config(), text.replace("[egress]\n", &format!("[egress]\n{keys}\n"))).unwrap();
}

/// Line 5: documents of a stream are in a real node once each; what the mapping refuses is in the error output, under
/// Firehose's type and with the index it was meant for. The same in the shape of Elasticsearch, and in the one of
/// Serverless, where the node makes the ids.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_to_opensearch() {
    let (node, mut host) = (SearchNode::shared(), Host::start(Setup::default()).await);
    let client = host.client();
    let shapes = [
        ("Amazonopensearchservice", "whole-program", "AmazonOpenSearchService-failed/", "esIndexName"),
        ("Elasticsearch", "whole-program-older", "elasticsearch-failed/", "esIndexName"),
        ("AmazonOpenSearchServerless", "whole-program-serverless", "AmazonOpenSearchService-failed/", "osIndexName"),
    ];
    let documents: Vec<String> = (0..300).map(|number| json!({"number": number}).to_string()).collect();
    let mut records: Vec<&[u8]> = documents.iter().map(|document| document.as_bytes()).collect();
    records.push(br#"{"number":"none"}"#);
    for (stem, index, ..) in shapes {
        let mapping = r#"{"mappings":{"properties":{"number":{"type":"integer"}}}}"#;
        let (status, _) = node.call("PUT", &format!("/{index}"), mapping).await;
        assert_eq!(status, 200);
        let mut configuration = json!({"IndexName": index, "BufferingHints": at_once()});
        if stem == "AmazonOpenSearchServerless" {
            configuration["CollectionEndpoint"] = json!(node.url());
        } else {
            configuration["ClusterEndpoint"] = json!(node.url());
            configuration["IndexRotationPeriod"] = json!("NoRotation");
        }
        create(&client, index, &format!("{stem}DestinationConfiguration"), configuration).await;
        client.put(index, &records).await;
    }
    assert_eq!(host.terminate().await.code(), Some(0), "{}", host.log_tail());
    for (_, index, prefix, member) in shapes {
        let (_, refreshed) = node.call("POST", &format!("/{index}/_refresh"), "").await;
        assert_eq!(refreshed["_shards"]["failed"], 0);
        let (_, counted) = node.call("GET", &format!("/{index}/_count"), "").await;
        assert_eq!(counted["count"], 300, "{index}");
        let failed = failures(&host, prefix);
        let mut failed = failed.iter().filter(|line| line[member] == index);
        let line = failed.next().unwrap();
        assert!(failed.next().is_none(), "{index}");
        assert_eq!(line["rawData"], "eyJudW1iZXIiOiJub25lIn0=");
        assert!(line["errorMessage"].as_str().unwrap().contains("mapper_parsing_exception"), "{line}");
    }
}

/// Line 7: a stream to an HTTP endpoint over TLS, and everything of it in the bucket as well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_to_an_http_endpoint() {
    let authority = Authority::new();
    let receiver = HttpEndpointReceiver::start(&authority).await;
    receiver.want_access_key(Some("canary-key"));
    let mut host = host_that_trusts(&authority, receiver.host()).await;
    let client = host.client();
    let configuration = json!({
        "EndpointConfiguration": {"Url": receiver.url(), "AccessKey": "canary-key"},
        "RequestConfiguration": {"ContentEncoding": "GZIP"},
        "BufferingHints": at_once(), "S3BackupMode": "AllData",
    });
    create(&client, "alerts", "HttpEndpointDestinationConfiguration", configuration).await;
    client.put("alerts", &[b"one\n", b"two\n"]).await;
    assert_eq!(host.terminate().await.code(), Some(0), "{}", host.log_tail());
    assert_eq!(receiver.violations(), Vec::<String>::new());
    let kept: Vec<Vec<u8>> = receiver.kept().into_values().flatten().collect();
    assert_eq!(kept, [b"one\n".to_vec(), b"two\n".to_vec()]);
    let copies: Vec<u8> = read_bucket(&host.bucket()).flat_map(|object| object.body).collect();
    assert_eq!(copies, b"one\ntwo\n");
    assert!(!host.log().contains("canary-key"), "a secret is in the log");
}

/// Line 7: an endpoint that is not there costs its stream's time and loses nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_to_nowhere_goes_to_the_error_output() {
    let mut host = Host::start(Setup::default()).await;
    let client = host.client();
    let configuration = json!({
        "EndpointConfiguration": {"Url": "http://127.0.0.1:9/nobody"}, "BufferingHints": at_once(),
        "RetryOptions": {"DurationInSeconds": 0},
    });
    create(&client, "lost", "HttpEndpointDestinationConfiguration", configuration).await;
    client.put("lost", &[b"kept"]).await;
    assert_eq!(host.terminate().await.code(), Some(0), "{}", host.log_tail());
    let failed = failures(&host, "http-endpoint-failed/");
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert_eq!(
        (&failed[0]["rawData"], &failed[0]["errorCode"]),
        (&json!("a2VwdA=="), &json!("HttpEndpoint.ConnectionFailed"))
    );
    assert_eq!((&failed[0]["subsequenceNumber"], &failed[0]["dataId"]), (&json!(0), &json!("0.0")));
}

/// Line 7: a stream to Splunk's event collector, acknowledged by its indexer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_to_splunk() {
    let authority = Authority::new();
    let receiver = HecReceiver::start(&authority, "3b7b2f8e-canary").await;
    let mut host = host_that_trusts(&authority, receiver.host()).await;
    let client = host.client();
    let configuration = json!({
        "HECEndpoint": receiver.url(), "HECEndpointType": "Raw", "HECToken": "3b7b2f8e-canary",
        "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 0},
    });
    create(&client, "events", "SplunkDestinationConfiguration", configuration).await;
    client.put("events", &[b"one\n", b"two\n"]).await;
    assert_eq!(host.terminate().await.code(), Some(0), "{}", host.log_tail());
    assert_eq!(receiver.violations(), Vec::<String>::new());
    assert_eq!(receiver.indexed().concat(), b"one\ntwo\n");
    assert!(!host.log().contains("canary"), "a secret is in the log");
}

/// Line 6: rows of a stream are in the table once each, loaded from what was staged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_to_redshift() {
    let s3 = versitygw();
    let cluster = Redshift::start(&s3).await;
    cluster.postgres.sql("CREATE TABLE orders (id integer, item varchar(20))");
    let secrets = [("AWS_ACCESS_KEY_ID", s3.access_key_id), ("AWS_SECRET_ACCESS_KEY", s3.secret_access_key)];
    let environment = secrets.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    // A peer on a busy machine may let a login wait; it is tried again soon.
    let tables = format!("{TEST_TABLES}\n[redshift]\nretry_seconds = 1\n");
    let mut host = Host::prepare(Setup { s3_endpoint: s3.url(), environment, tables, ..Setup::default() });
    let name = "shop.abc123.eu-west-1.redshift.example.com";
    add_egress(&host, &format!("resolve = {{ {name:?} = \"127.0.0.1\" }}"));
    drop(make_bucket(&s3).await);
    host.launch().await;
    let client = host.client();
    let configuration = json!({
        "ClusterJDBCURL": format!("jdbc:redshift://{name}:{}/{}", cluster.port(), hydrant_tests::peers::DATABASE),
        "CopyCommand": {"DataTableName": "orders", "CopyOptions": "json 'auto'"},
        "Username": hydrant_tests::peers::USER, "Password": hydrant_tests::peers::PASSWORD,
    });
    let mut configuration = configuration;
    configuration["RoleARN"] = json!(cluster.role());
    configuration["S3Configuration"] = bucket();
    let input = json!({"DeliveryStreamName": "orders", "RedshiftDestinationConfiguration": configuration});
    client.expect("CreateDeliveryStream", &input).await;
    for number in 0..5 {
        client.put("orders", &[format!("{{\"id\":{number},\"item\":\"screw\"}}\n").as_bytes()]).await;
    }
    let loaded = async || (cluster.postgres.sql("SELECT count(*) FROM orders") == ["5"]).then_some(());
    until("the rows", LIMIT, loaded).await.unwrap();
    assert_eq!(host.terminate().await.code(), Some(0), "{}", host.log_tail());
    let rows = cluster.postgres.sql("SELECT id, item FROM orders ORDER BY id");
    assert_eq!(rows, (0..5).map(|number| format!("{number}|screw")).collect::<Vec<_>>());
}

/// Makes the tests' bucket, and a reader of it.
pub(crate) async fn make_bucket(s3: &hydrant_tests::peers::S3Peer) -> hydrant::deliver::testing::Reader {
    use hydrant::deliver::testing::Reader;
    use hydrant::deliver::{Credentials, Endpoint, Settings};
    let mut settings = Settings::new(Endpoint::Url(s3.url()), "us-east-1");
    settings.plaintext = true;
    settings.credentials = Some(Credentials {
        access_key_id: s3.access_key_id.to_owned(),
        secret_access_key: s3.secret_access_key.to_owned().into(),
    });
    let reader = Reader::connect(&settings, BUCKET).await.unwrap();
    reader.client.create_bucket().bucket(BUCKET).send().await.unwrap();
    reader
}

/// Line 8: what this host does not offer is said at creation, and nothing is made.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn snowflake_and_iceberg_are_not_offered() {
    let host = Host::start(Setup::default()).await;
    let client = host.client();
    let snowflake = json!({
        "AccountUrl": "https://abcdefgh.snowflakecomputing.com", "Database": "d", "Schema": "s", "Table": "t",
        "RoleARN": ROLE, "S3Configuration": bucket(),
    });
    let iceberg = json!({
        "RoleARN": ROLE, "S3Configuration": bucket(),
        "CatalogConfiguration": {"CatalogARN": "arn:aws:glue:us-east-1:000000000000:catalog"},
    });
    for (kind, configuration) in
        [("SnowflakeDestinationConfiguration", snowflake), ("IcebergDestinationConfiguration", iceberg)]
    {
        let input = json!({"DeliveryStreamName": "later", kind: configuration});
        let answer = client.call("CreateDeliveryStream", &input).await.unwrap();
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!(answer.status.as_u16(), 400, "{text}");
        assert!(text.contains("InvalidArgumentException") && text.contains("not offered by this host"), "{text}");
    }
    let listed = client.expect("ListDeliveryStreams", &json!({})).await;
    assert_eq!(listed["DeliveryStreamNames"], json!([]));
}
