//! Bad input to destinations, against the real binary: what cannot be is refused when it is asked for, with a message
//! that names it, and leaves nothing behind; what only a record or a destination shows goes to the error output, or
//! waits, and is not lost.
//!
//! The whole tables of rules are beside the code that refuses (`host/src/api/tests/destinations`, `host/src/batch/name`,
//! `host/src/process`); here is one row of each kind, over the wire.
#![expect(clippy::unwrap_used, reason = "a test says what it expects")]

use std::time::Duration;

use hydrant::deliver::testing::Reader;
use hydrant::deliver::{Credentials, Endpoint, Settings};
use hydrant_tests::checker::read_bucket;
use hydrant_tests::client::{BUCKET, Client};
use hydrant_tests::host::{Host, Setup};
use hydrant_tests::peers::{S3Peer, versitygw};
use hydrant_tests::wait::until;
use serde_json::{Value, json};

/// A destination that people have to mend is asked again every quarter of a minute.
const LIMIT: Duration = Duration::from_secs(180);

const ROLE: &str = "arn:aws:iam::000000000000:role/tests";
const INVALID: &str = "InvalidArgumentException";
const VALIDATION: &str = "ValidationException";

fn bucket() -> Value {
    json!({"RoleARN": ROLE, "BucketARN": format!("arn:aws:s3:::{BUCKET}")})
}

/// `base` with other members on top.
fn over(base: &Value, members: Value) -> Value {
    let mut whole = base.as_object().unwrap().clone();
    whole.extend(members.as_object().unwrap().clone());
    Value::Object(whole)
}

fn processing(processors: &[(&str, &[(&str, &str)])]) -> Value {
    let parameter = |(name, value): &(&str, &str)| json!({"ParameterName": name, "ParameterValue": value});
    let processor = |(kind, parameters): &(&str, &[(&str, &str)])| json!({"Type": kind, "Parameters": parameters.iter().map(parameter).collect::<Vec<_>>()});
    json!({"Enabled": true, "Processors": processors.iter().map(processor).collect::<Vec<_>>()})
}

fn query(program: &str) -> Value {
    processing(&[("MetadataExtraction", &[("MetadataExtractionQuery", program), ("JsonParsingEngine", "JQ-1.6")])])
}

/// A stream that is partitioned by a jq program, with these members over it.
fn partitioned(program: &str, members: Value) -> Value {
    let least = json!({
        "Prefix": "!{partitionKeyFromQuery:k}/", "ErrorOutputPrefix": "errors/!{firehose:error-output-type}/",
        "DynamicPartitioningConfiguration": {"Enabled": true}, "ProcessingConfiguration": query(program),
    });
    over(&least, members)
}

fn conversion(table: &str) -> Value {
    json!({"DataFormatConversionConfiguration": {
        "SchemaConfiguration": {"RoleARN": ROLE, "DatabaseName": "shop", "TableName": table},
        "InputFormatConfiguration": {"Deserializer": {"OpenXJsonSerDe": {}}},
        "OutputFormatConfiguration": {"Serializer": {"ParquetSerDe": {}}},
    }})
}

/// What is asked for, of which kind, the exception, and what its message must hold.
type Row = (&'static str, &'static str, Value, &'static str, &'static str);

const S3: &str = "ExtendedS3";

/// What prefixes may not be.
fn prefixes() -> Vec<Row> {
    let with = |prefix: &str| json!({"Prefix": prefix, "ErrorOutputPrefix": "errors/"});
    let errors = |prefix: &str| json!({"Prefix": "a/", "ErrorOutputPrefix": prefix});
    let keys_off = "Dynamic Partitioning Namespaces can only be part of a prefix expression when";
    vec![
        ("an unknown namespace", S3, with("!{weather:sun}/"), INVALID, "(weather) is an invalid keyword"),
        ("an unknown value", S3, with("!{firehose:name}/"), INVALID, "unknown expression !{firehose:name}"),
        ("an expression without an end", S3, with("a/!{timestamp:yyyy"), INVALID, "outside an expression of the form"),
        ("no namespace", S3, with("!{yyyy}/"), INVALID, "outside an expression of the form"),
        ("a pattern that Java refuses", S3, with("!{timestamp:yyyy-foo}/"), INVALID, "invalid timestamp pattern"),
        ("keys without partitioning", S3, with("!{partitionKeyFromQuery:k}/"), INVALID, keys_off),
        ("the error type of data", S3, with("!{firehose:error-output-type}/"), INVALID, "Prefix must not contain any"),
        (
            "expressions and no error prefix",
            S3,
            json!({"Prefix": "!{timestamp:yyyy}/"}),
            INVALID,
            "ErrorOutputPrefix cannot be null or empty when Prefix contains expressions",
        ),
        (
            "keys in the error prefix",
            S3,
            errors("!{partitionKeyFromQuery:k}/!{firehose:error-output-type}/"),
            INVALID,
            "can't be part of an error prefix expression",
        ),
        (
            "an error prefix without the type",
            S3,
            errors("!{timestamp:yyyy}/"),
            INVALID,
            "ErrorOutputPrefix must contain !{firehose:error-output-type}",
        ),
        ("a way out of the bucket", S3, with("a/../b/"), INVALID, "path segments '.' or '..'"),
        ("a control character", S3, with("a\u{7}/"), INVALID, "control characters"),
        ("512 bytes and more, evaluated", S3, with(&"x".repeat(513)), INVALID, "cannot be greater than 512"),
        ("1024 characters and more", S3, with(&"x".repeat(1025)), VALIDATION, "less than or equal to 1024"),
        ("a zone that is none", S3, json!({"CustomTimeZone": "Mars/Olympus"}), INVALID, "CustomTimeZone"),
    ]
}

/// What partitioning and conversion may not be.
fn programs_and_tables() -> Vec<Row> {
    let of = |members: Value| partitioned("{k}", members);
    let small = json!({"BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 60}});
    vec![
        (
            "jq that does not compile",
            S3,
            partitioned("{k: .a |}", json!({})),
            INVALID,
            "MetadataExtractionQuery: the query is not jq near",
        ),
        ("jq that asks the clock", S3, partitioned("{k: now}", json!({})), INVALID, "does not exist: filter now/0."),
        ("jq that does not name the key", S3, partitioned("{j: .a}", json!({})), INVALID, "has no key k"),
        ("a key that is not used", S3, partitioned("{k, j: .a}", json!({})), INVALID, "does not contain"),
        ("no key in the prefix", S3, of(json!({"Prefix": "a/"})), INVALID, "should contain Dynamic Partitioning"),
        ("no error prefix", S3, of(json!({"ErrorOutputPrefix": ""})), INVALID, "ErrorOutputPrefix cannot be null"),
        ("a small buffer", S3, of(small), INVALID, "SizeInMBs must be at least 64"),
        (
            "a plugin's key without a plugin",
            S3,
            of(json!({"Prefix": "!{partitionKeyFromQuery:k}/!{partitionKeyFromLambda:p}/"})),
            INVALID,
            "Lambda should be present when S3 Prefix contains keys from partitionKeyFromLambda",
        ),
        ("a table that is missing", S3, conversion("nobody"), INVALID, "table/database could not be found"),
        ("a column of no type", S3, conversion("strange"), INVALID, "column shape: "),
        ("a table without columns", S3, conversion("empty"), INVALID, "has no columns"),
        (
            "a compressed object of columns",
            S3,
            over(&conversion("orders"), json!({"CompressionFormat": "GZIP"})),
            INVALID,
            "CompressionFormat must be UNCOMPRESSED",
        ),
    ]
}

/// What other destinations may not be.
fn addresses() -> Vec<Row> {
    let redshift = |url: &str, table: &str, options: &str| {
        json!({"ClusterJDBCURL": url, "CopyCommand": {"DataTableName": table, "CopyOptions": options},
            "Username": "u", "Password": "hunter22"})
    };
    let cluster = "jdbc:redshift://c.a.eu-west-1.redshift.amazonaws.com:5439/db";
    let search = |endpoint: &str, index: &str| json!({"ClusterEndpoint": endpoint, "IndexName": index});
    let http = |url: &str| json!({"EndpointConfiguration": {"Url": url}});
    let splunk =
        |endpoint: &str, token: &str| json!({"HECEndpoint": endpoint, "HECEndpointType": "Raw", "HECToken": token});
    let (opensearch, endpoint) = ("Amazonopensearchservice", "HttpEndpoint");
    let body = processing(&[("Hydrant", &[("EndpointBody", "Records")])]);
    vec![
        (
            "a JDBC URL of another database",
            "Redshift",
            redshift("jdbc:mysql://h:3306/db", "t", ""),
            VALIDATION,
            "clusterJDBCURL",
        ),
        (
            "a JDBC URL with port 0",
            "Redshift",
            redshift(&cluster.replace("5439", "0"), "t", ""),
            INVALID,
            "ClusterJDBCURL must be jdbc:redshift://HOST:PORT/DATABASE",
        ),
        ("a table with a statement", "Redshift", redshift(cluster, "t; DROP", ""), INVALID, "DataTableName must be"),
        ("options with a statement", "Redshift", redshift(cluster, "t", "json 'auto'; x"), INVALID, "a semicolon"),
        (
            "staging that COPY cannot read",
            "Redshift",
            over(
                &redshift(cluster, "t", ""),
                json!({"S3Configuration": over(&bucket(), json!({"CompressionFormat": "ZIP"}))}),
            ),
            INVALID,
            "must be UNCOMPRESSED or GZIP",
        ),
        ("an index in upper case", opensearch, search("https://search.example", "Logs"), INVALID, "must be lower case"),
        ("an endpoint with a user", opensearch, search("https://u:p@search.example", "i"), INVALID, "user name"),
        ("an endpoint that is no URL", endpoint, http("https://"), INVALID, "EndpointConfiguration.Url"),
        ("another scheme", endpoint, http("ftp://hook.example/"), VALIDATION, "https://.*"),
        ("a port that is none", endpoint, http("https://hook.example:99999/"), INVALID, "EndpointConfiguration.Url"),
        (
            "a body that is unknown",
            endpoint,
            over(&http("https://hook.example/"), json!({"ProcessingConfiguration": body})),
            INVALID,
            "EndpointBody must be Firehose or Record",
        ),
        ("no token", "Splunk", splunk("https://hec.example", ""), INVALID, "HECToken, or SecretsManagerConfiguration"),
        ("a token with a line", "Splunk", splunk("https://hec.example", "a\nb"), VALIDATION, "hECToken"),
    ]
}

/// A host with a catalogue of four tables, one of which can be converted to.
async fn host_with_catalogue() -> Host {
    let mut host = Host::prepare(Setup::default());
    let folder = host.folder().join("catalogue");
    std::fs::create_dir_all(folder.join("shop")).unwrap();
    for (table, columns) in [
        ("orders", json!([{"Name": "id", "Type": "int"}])),
        ("strange", json!([{"Name": "id", "Type": "int"}, {"Name": "shape", "Type": "polygon"}])),
        ("empty", json!([])),
    ] {
        let table_json = json!({"Table": {"Name": table, "StorageDescriptor": {"Columns": columns}}});
        std::fs::write(folder.join(format!("shop/{table}.json")), table_json.to_string()).unwrap();
    }
    let text = std::fs::read_to_string(host.config()).unwrap();
    std::fs::write(host.config(), format!("{text}\n[catalog]\ndir = {folder:?}\n")).unwrap();
    host.launch().await;
    host
}

fn create_input(name: &str, kind: &str, members: &Value) -> Value {
    let least = if kind == S3 { bucket() } else { json!({"RoleARN": ROLE, "S3Configuration": bucket()}) };
    let mut destination = over(&least, members.clone());
    if kind == "Splunk" {
        // The one destination without a role of its own.
        destination.as_object_mut().unwrap().remove("RoleARN");
    }
    json!({"DeliveryStreamName": name, format!("{kind}DestinationConfiguration"): destination})
}

/// Issue 5, bad input: each is refused when it is asked for, by an exception of the service's and a message that names
/// the thing; no stream is there afterwards, no such name is taken, and no update of a good stream gets it in either.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_is_refused_and_leaves_nothing() {
    let mut host = host_with_catalogue().await;
    let client = host.client();
    let hints = json!({"SizeInMBs": 64, "IntervalInSeconds": 60});
    let good = json!({"Prefix": "good/", "ErrorOutputPrefix": "errors/", "BufferingHints": hints});
    client.create_stream("good", good).await;
    client.put("good", &[b"before\n"]).await;
    let mut wrong = Vec::new();
    for (what, kind, members, exception, words) in
        [prefixes(), programs_and_tables(), addresses()].into_iter().flatten()
    {
        let mut check = |place: &str, answer: hydrant_tests::client::Answer| {
            let is_so =
                answer.status.as_u16() == 400 && answer.error_type() == exception && answer.message().contains(words);
            if !is_so {
                wrong.push(format!("{what}, {place}: {}", String::from_utf8_lossy(&answer.body)));
            }
        };
        let answer = client.call("CreateDeliveryStream", &create_input("bad", kind, &members)).await.unwrap();
        check("create", answer);
        if kind == S3 {
            let update = json!({"DeliveryStreamName": "good", "CurrentDeliveryStreamVersionId": "1",
                "DestinationId": "destinationId-000000000001", "ExtendedS3DestinationUpdate": over(&json!({}), members)});
            // An update keeps what it does not name, so what is missing in a creation may be there already.
            if !["expressions and no error prefix", "no error prefix"].contains(&what) {
                check("update", client.call("UpdateDestination", &update).await.unwrap());
            }
        }
    }
    assert!(wrong.is_empty(), "{} rows are otherwise:\n{}", wrong.len(), wrong.join("\n"));
    let listed = client.expect("ListDeliveryStreams", &json!({})).await;
    assert_eq!(listed["DeliveryStreamNames"], json!(["good"]));
    let described = client.expect("DescribeDeliveryStream", &json!({"DeliveryStreamName": "good"})).await;
    assert_eq!(described["DeliveryStreamDescription"]["VersionId"], "1");
    client.create_stream("bad", json!({"Prefix": "bad/", "ErrorOutputPrefix": "errors/"})).await;
    client.put("good", &[b"after\n"]).await;
    assert_eq!(host.terminate().await.code(), Some(0), "{}", host.log_tail());
    let delivered: Vec<u8> = read_bucket(&host.bucket()).flat_map(|object| object.body).collect();
    assert_eq!(delivered, b"before\nafter\n");
}

/// Issue 5, bad input: a key that names no partition costs its record alone, which is in the error output as it was put,
/// with the key and what is wrong with it; all others are delivered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_names_no_partition_costs_its_record_alone() {
    let mut host = Host::start(Setup::default()).await;
    let client = host.client();
    // A record may ask for an endless program, which the limits of its run end.
    let program = "{k: (if .loop then last(repeat(1)) else .k end)}";
    client.create_stream("keys", partitioned(program, json!({"Prefix": "k=!{partitionKeyFromQuery:k}/"}))).await;
    let long = |bytes: usize| json!({"k": "x".repeat(bytes)}).to_string();
    // Between `k=` and `/` an evaluated prefix of 512 bytes has room for 509.
    let good = [
        json!({"k": "a"}).to_string(),
        json!({"k": 7}).to_string(),
        json!({"k": true}).to_string(),
        json!({"k": "a/b c"}).to_string(),
        json!({"k": "..."}).to_string(),
        long(509),
    ];
    let bad = [
        (json!({"k": null}).to_string(), "partition key k"),
        (json!({"j": 1}).to_string(), "partition key k"),
        (json!({"k": {"a": 1}}).to_string(), "partition key k"),
        (json!({"k": [1]}).to_string(), "partition key k"),
        (json!({"k": ""}).to_string(), "it is empty"),
        (json!({"k": ".."}).to_string(), "a part that is . or .."),
        (json!({"k": "a/../../b"}).to_string(), "a part that is . or .."),
        (json!({"k": "a\u{0}b"}).to_string(), "control character"),
        (json!({"k": "a\nb"}).to_string(), "control character"),
        (json!({"k": "a\u{9b}b"}).to_string(), "control character"),
        (long(510), "longer than 512 bytes"),
        (long(900_000), "more than 1024 bytes"),
        (json!({"loop": true}).to_string(), "steps"),
        ("no json".to_owned(), "JSON"),
        ("[1]".to_owned(), ""),
        (String::new(), ""),
    ];
    let records: Vec<&[u8]> =
        good.iter().chain(bad.iter().map(|(record, _)| record)).map(|record| record.as_bytes()).collect();
    client.put("keys", &records).await;
    assert_eq!(host.terminate().await.code(), Some(0), "{}", host.log_tail());

    let objects: Vec<_> = read_bucket(&host.bucket()).collect();
    let (errors, data): (Vec<_>, Vec<_>) = objects.into_iter().partition(|object| object.key.starts_with("errors/"));
    let mut delivered: Vec<String> =
        data.iter().map(|object| String::from_utf8(object.body.clone()).unwrap()).collect();
    delivered.sort();
    let mut expected = good.to_vec();
    expected.sort();
    assert_eq!(delivered, expected);
    assert!(errors.iter().all(|object| object.key.starts_with("errors/processing-failed/")), "{errors:?}");
    let failed: Vec<Value> = errors.iter().flat_map(|object| lines(&object.body)).collect();
    assert_eq!(failed.len(), bad.len());
    for (record, words) in &bad {
        let raw = base64_simd::STANDARD.encode_to_string(record);
        let line = failed.iter().find(|line| line["rawData"] == raw.as_str());
        let line = line.unwrap_or_else(|| panic!("{} is nowhere", &record[..record.len().min(40)]));
        assert_eq!(line["errorCode"], "DynamicPartitioning.MetadataExtractionFailed", "{line}");
        assert!(line["errorMessage"].as_str().unwrap().contains(words), "{words}: {}", line["errorMessage"]);
    }
}

/// Issue 5, bad input; row X9: a destination that is not there, or that the host may not ask, costs the stream's retry
/// time, and its records are in the error output under its type, with what names the failure.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_destination_that_cannot_be_asked_loses_nothing() {
    let mut host = Host::start(Setup::default()).await;
    let client = host.client();
    let at_once = json!({"BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 0},
        "RetryOptions": {"DurationInSeconds": 0}});
    let metadata = "169.254.169.254";
    let search = |endpoint: String| json!({"ClusterEndpoint": endpoint, "IndexName": "i"});
    let hec = |endpoint: String| json!({"HECEndpoint": endpoint, "HECEndpointType": "Event", "HECToken": "t"});
    let hook = |url: String| json!({"EndpointConfiguration": {"Url": url}});
    let nobody = || "http://127.0.0.1:9".to_owned();
    let table = [
        ("search-nobody", "Amazonopensearchservice", search(nobody()), "AmazonOpenSearchService-failed/"),
        ("search-denied", "Elasticsearch", search(format!("https://{metadata}")), "elasticsearch-failed/"),
        ("hec-nobody", "Splunk", hec(nobody()), "splunk-failed/"),
        ("hec-denied", "Splunk", hec(format!("https://{metadata}")), "splunk-failed/"),
        ("hook-nobody", "HttpEndpoint", hook(nobody()), "http-endpoint-failed/"),
        ("hook-denied", "HttpEndpoint", hook(format!("https://{metadata}/latest/")), "http-endpoint-failed/"),
    ];
    let record = |name: &str| json!({"name": name}).to_string();
    for (name, kind, members, _) in &table {
        let members = over(members, at_once.clone());
        let members =
            over(&members, json!({"S3Configuration": over(&bucket(), json!({"Prefix": format!("{name}/")}))}));
        client.expect("CreateDeliveryStream", &create_input(name, kind, &members)).await;
        client.put(name, &[record(name).as_bytes()]).await;
    }
    assert_eq!(host.terminate().await.code(), Some(0), "{}", host.log_tail());
    let objects: Vec<_> = read_bucket(&host.bucket()).collect();
    for (name, _, _, output) in table {
        let below = objects.iter().filter(|object| object.key.starts_with(&format!("{name}/{output}")));
        let failed: Vec<Value> = below.flat_map(|object| lines(&object.body)).collect();
        assert_eq!(failed.len(), 1, "{name}: {objects:?}");
        assert_eq!(failed[0]["rawData"], base64_simd::STANDARD.encode_to_string(record(name)).as_str());
        let code = failed[0]["errorCode"].as_str().unwrap();
        assert!(!code.is_empty(), "{}", failed[0]);
        let message = failed[0]["errorMessage"].as_str().unwrap();
        assert!(!name.ends_with("denied") || message.contains("egress.allow"), "{name}: {message}");
    }
    assert_eq!(objects.len(), 6);
}

/// Issue 5, bad input: a cluster that is not there. What was staged for it stays, and a manifest says what to load.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_that_is_not_there_leaves_what_was_staged_and_a_manifest() {
    let mut host = Host::prepare(Setup::default());
    let name = "c.a.eu-west-1.redshift.example.com";
    let text = std::fs::read_to_string(host.config()).unwrap();
    let resolved = format!("[egress]\nresolve = {{ {name:?} = \"127.0.0.1\" }}\n");
    std::fs::write(host.config(), text.replace("[egress]\n", &resolved)).unwrap();
    host.launch().await;
    let client = host.client();
    let members = json!({
        "ClusterJDBCURL": format!("jdbc:redshift://{name}:9/db"), "CopyCommand": {"DataTableName": "t"},
        "Username": "u", "Password": "hunter22", "RetryOptions": {"DurationInSeconds": 0},
        "S3Configuration": over(&bucket(), json!({"Prefix": "staged/"})),
    });
    client.expect("CreateDeliveryStream", &create_input("rows", "Redshift", &members)).await;
    client.put("rows", &[b"{\"id\":1}\n"]).await;
    assert_eq!(host.terminate().await.code(), Some(0), "{}", host.log_tail());
    let objects: Vec<_> = read_bucket(&host.bucket()).collect();
    let (manifests, staged): (Vec<_>, Vec<_>) =
        objects.into_iter().partition(|object| object.key.starts_with("staged/errors/manifests/"));
    let [staged] = staged.as_slice() else { panic!("one staged object, but {staged:?}") };
    assert_eq!(staged.body, b"{\"id\":1}\n");
    let [manifest] = manifests.as_slice() else { panic!("one manifest, but {manifests:?}") };
    let manifest: Value = serde_json::from_slice(&manifest.body).unwrap();
    assert_eq!(manifest["entries"][0]["url"], format!("s3://{BUCKET}/{}", staged.key).as_str());
    assert!(!host.log().contains("hunter22"), "a secret is in the log");
}

/// Issue 5, bad input: a bucket that is not there, and keys that the store no longer knows. The records wait in the
/// journal, across a restart, and are delivered once each when somebody has mended it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_wait_for_their_bucket_and_for_credentials() {
    let s3 = versitygw();
    let data = tempfile::tempdir().unwrap();
    let setup = |secret: &str| Setup {
        s3_endpoint: s3.url(),
        data_dir: Some(data.path().join("data")),
        environment: vec![
            ("AWS_ACCESS_KEY_ID".to_owned(), s3.access_key_id.to_owned()),
            ("AWS_SECRET_ACCESS_KEY".to_owned(), secret.to_owned()),
        ],
        ..Setup::default()
    };
    let mut host = Host::start(setup("rotated")).await;
    let client: Client = host.client();
    client.create_stream("late", json!({"BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 0}})).await;
    client.put("late", &[b"one\n"]).await;
    logged(&host, "S3.SignatureDoesNotMatch").await;
    host.kill();

    let mut host = Host::start(setup(s3.secret_access_key)).await;
    logged(&host, "S3.NoSuchBucket").await;
    host.client().put("late", &[b"two\n"]).await;
    let reader = made_bucket(&s3).await;
    let stored = async || {
        let listed = reader.client.list_objects_v2().bucket(BUCKET).send().await.unwrap();
        let mut bodies = Vec::new();
        for object in listed.contents() {
            let got = reader.client.get_object().bucket(BUCKET).key(object.key().unwrap()).send().await.unwrap();
            bodies.push(got.body.collect().await.unwrap().to_vec());
        }
        bodies.sort();
        (bodies.concat() == b"one\ntwo\n").then_some(())
    };
    until("both records, once each", LIMIT, stored)
        .await
        .unwrap_or_else(|error| panic!("{error}\n{}", host.log_tail()));
    assert_eq!(host.terminate().await.code(), Some(0), "{}", host.log_tail());
    assert!(!host.log().contains(s3.secret_access_key), "a secret is in the log");
}

async fn logged(host: &Host, word: &str) {
    let noticed = until(word, LIMIT, async || host.log().contains(word).then_some(())).await;
    noticed.unwrap_or_else(|error| panic!("{error}\n{}", host.log_tail()));
}

async fn made_bucket(s3: &S3Peer) -> Reader {
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

fn lines(body: &[u8]) -> Vec<Value> {
    std::str::from_utf8(body).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
