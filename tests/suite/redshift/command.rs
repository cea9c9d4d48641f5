//! Line 6 of the deliveries, the command: what a stream gave up is loaded again by `hydrant recopy`.

use hydrant::deliver::testing::Peer;
use hydrant_tests::host::{Host, Setup, TEST_TABLES};
use hydrant_tests::peers::{DATABASE, PASSWORD, Redshift, USER, versitygw};
use hydrant_tests::wait::until;
use serde_json::{Value, json};

use super::rig::{HOST, LIMIT};
use crate::destinations::{add_egress, bucket, make_bucket};

/// Exit code and result of a run over the stream's manifests.
fn recopy(host: &Host, more: &[&str]) -> (Option<i32>, Value, String) {
    let admin = host.admin_address().to_string();
    let arguments = [&["recopy", "orders", "--json", "--admin", &admin], more].concat();
    let output = host.command(&arguments);
    let failure = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap_or_default(), failure)
}

/// `loaded`, `known` and `failed` of a result.
fn tally(result: &Value) -> [u64; 3] {
    ["loaded", "known", "failed"].map(|name| result[name].as_u64().unwrap())
}

/// Line 6, row X6: the table is missing, batches are given up, the table is mended: their manifests are loaded once,
/// however often that is asked for, and the stream goes on meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_stream_gave_up_is_loaded_again_once() {
    let s3 = versitygw();
    let cluster = Redshift::start(&s3).await;
    let secrets = [("AWS_ACCESS_KEY_ID", s3.access_key_id), ("AWS_SECRET_ACCESS_KEY", s3.secret_access_key)];
    let environment = secrets.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let tables = format!("{TEST_TABLES}\n[redshift]\nretry_seconds = 1\n");
    let mut host = Host::prepare(Setup { s3_endpoint: s3.url(), environment, tables, ..Setup::default() });
    add_egress(&host, &format!("resolve = {{ {HOST:?} = \"127.0.0.1\" }}"));
    let reader = make_bucket(&s3).await;
    host.launch().await;
    let client = host.client();
    let configuration = json!({
        "ClusterJDBCURL": format!("jdbc:redshift://{HOST}:{}/{DATABASE}", cluster.port()),
        "CopyCommand": {"DataTableName": "orders", "CopyOptions": "json 'auto'"},
        "Username": USER, "Password": PASSWORD, "RetryOptions": {"DurationInSeconds": 0},
        "RoleARN": cluster.role(), "S3Configuration": bucket(),
    });
    let input = json!({"DeliveryStreamName": "orders", "RedshiftDestinationConfiguration": configuration});
    client.expect("CreateDeliveryStream", &input).await;

    for (number, record) in
        ["{\"id\":1,\"item\":\"screw\"}", "no order", "{\"id\":3,\"item\":\"nut\"}"].iter().enumerate()
    {
        client.put("orders", &[record.as_bytes()]).await;
        let skipped = async || {
            let keys = reader.keys().await;
            (keys.iter().filter(|key| key.starts_with("errors/manifests/")).count() == number + 1).then_some(())
        };
        until("the manifest of what was given up", LIMIT, skipped).await.unwrap();
    }
    // As long as nothing is mended, it says why, once.
    let (code, result, failure) = recopy(&host, &[]);
    assert_eq!(
        (code, &result["state"], &result["code"]),
        (Some(1), &json!("failed"), &json!("Redshift.TableNotFound"))
    );
    assert!(failure.contains("TableNotFound") && failure.contains("hint: "), "{failure}");

    cluster.postgres.sql("CREATE TABLE orders (id integer, item varchar(20))");
    let copies = cluster.copies().len();
    let (code, result, failure) = recopy(&host, &["--dry-run"]);
    assert_eq!((code, tally(&result), cluster.copies().len()), (Some(0), [3, 0, 0], copies), "{failure}");
    let (code, result, _) = recopy(&host, &["--below", "2001/"]);
    assert_eq!((code, tally(&result)), (Some(0), [0, 0, 0]));

    for expected in [[2, 0, 1], [0, 2, 1]] {
        let (code, result, failure) = recopy(&host, &[]);
        assert_eq!((code, tally(&result)), (Some(1), expected), "{result}");
        assert!(failure.contains("1 manifests could not be loaded"), "{failure}");
        let manifests = result["manifests"].as_array().unwrap();
        let codes: Vec<&Value> = manifests.iter().map(|one| &one["code"]).filter(|code| !code.is_null()).collect();
        assert_eq!((manifests.len(), codes), (3, vec![&json!("Redshift.DataLoadFailed")]));
        assert_eq!(cluster.postgres.sql("SELECT id, item FROM orders ORDER BY id"), ["1|screw", "3|nut"]);
    }
    let said = host.command(&["recopy", "orders", "--admin", &host.admin_address().to_string()]);
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(
        said.contains("known    errors/manifests/") && said.ends_with("0 loaded, 2 loaded before, 1 failed\n"),
        "{said}"
    );

    client.put("orders", &[b"{\"id\":4,\"item\":\"bolt\"}"]).await;
    let loaded = async || (cluster.postgres.sql("SELECT count(*) FROM orders") == ["3"]).then_some(());
    until("the stream's next row", LIMIT, loaded).await.unwrap();
    assert_eq!(host.terminate().await.code(), Some(0), "{}", host.log_tail());
}

/// Line 6: what has no manifests is said to have none, and nobody but this machine may ask.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_streams_to_redshift_are_loaded_again() {
    let host = Host::start(Setup::default()).await;
    let s3 = json!({"DeliveryStreamName": "orders", "ExtendedS3DestinationConfiguration": bucket()});
    let (code, _, failure) = recopy(&host, &[]);
    assert!(code == Some(1) && failure.contains("there is no stream orders"), "{failure}");
    host.client().expect("CreateDeliveryStream", &s3).await;
    let (code, _, failure) = recopy(&host, &[]);
    assert!(code == Some(1) && failure.contains("does not deliver to Redshift"), "{failure}");
    let (code, _, failure) = recopy(&host, &["--below", "../"]);
    assert!(code == Some(1) && failure.contains("is no folder of manifests"), "{failure}");
    let answer = host.admin("/recopies/orders").await.unwrap();
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert!(answer.status.as_u16() == 422 && text.contains("nothing of orders was begun"), "{text}");
}
