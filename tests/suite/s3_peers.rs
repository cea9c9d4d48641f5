//! S3 delivery against two servers from other hands. Each test runs on both.
#![expect(clippy::unwrap_used, reason = "a test says what it expects")]

use std::sync::Arc;
use std::time::Duration;

use hydrant::deliver::testing::{Peer, Reader, object, patterned, stores_objects_as_they_are};
use hydrant::deliver::{Checksums, Credentials, Destination, Endpoint, Leftovers, Policy, S3, Settings};
use hydrant::runtime::Random;
use hydrant_tests::peers::{Proxy, S3Peer, s3proxy, versitygw};

const BUCKET: &str = "deliveries";
const LARGE: usize = 20 << 20;

fn settings(url: String, peer: &S3Peer) -> Settings {
    let mut settings = Settings::new(Endpoint::Url(url), "us-east-1");
    settings.plaintext = true;
    // So that the suites' large objects go in parts.
    settings.multipart_threshold_bytes = 16 << 20;
    settings.credentials = Some(Credentials {
        access_key_id: peer.access_key_id.to_owned(),
        secret_access_key: peer.secret_access_key.to_owned().into(),
    });
    settings
}

async fn connected(settings: Settings) -> S3 {
    let policy = Policy { base: Duration::from_millis(10), cap: Duration::from_millis(100) };
    S3::connect(settings, policy, Arc::new(Random::seeded(1))).await.unwrap()
}

/// Reads behind the proxy's back.
async fn reader(peer: &S3Peer) -> Reader {
    let reader = Reader::connect(&settings(peer.url(), peer), BUCKET).await.unwrap();
    reader.client.create_bucket().bucket(BUCKET).send().await.unwrap();
    reader
}

async fn stores_objects(peer: &S3Peer, checksums: Checksums) {
    let reader = reader(peer).await;
    let mut settings = settings(peer.url(), peer);
    settings.checksums = checksums;
    stores_objects_as_they_are(&connected(settings).await, &reader).await.unwrap();
    assert_eq!(reader.unfinished().await, Some(0), "{}", peer.name);
}

/// Row X2: each put is carried out and its answer lost. One look per object settles it: no second put.
async fn lost_answers_are_found_out(peer: &S3Peer) {
    let reader = reader(peer).await;
    let proxy = Proxy::start(&peer.address).await;
    let s3 = connected(settings(proxy.url(), peer)).await;
    proxy.lose_answers("PUT", "", usize::MAX);
    for at in 0..20 {
        let wanted = object(BUCKET, &format!("lost/{at}"), &patterned(10_000 + at));
        s3.deliver(&wanted).await.unwrap();
        assert_eq!(reader.read(&wanted.seal.key).await.unwrap().body, wanted.body, "{}", peer.name);
    }
    assert_eq!((proxy.requests("PUT", ""), proxy.requests("HEAD", "")), (20, 20), "{}", peer.name);
    assert_eq!(reader.keys().await.len(), 20);
}

/// Rows X2 and X4: answers to parts and to the completion are lost. Parts are sent again alone, the completion is
/// recognised, nothing is left unfinished.
async fn lost_answers_to_parts_are_found_out(peer: &S3Peer) {
    let reader = reader(peer).await;
    let proxy = Proxy::start(&peer.address).await;
    let s3 = connected(settings(proxy.url(), peer)).await;
    proxy.lose_answers("PUT", "partNumber=2", 2);
    proxy.lose_answers("POST", "uploadId=", 1);
    let mut wanted = object(BUCKET, "large/lost.gz", &patterned(LARGE));
    wanted.content_encoding = Some("gzip");
    s3.deliver(&wanted).await.unwrap();
    let found = reader.read(&wanted.seal.key).await.unwrap();
    assert_eq!(found.body, wanted.body, "{}", peer.name);
    assert_eq!(found.content_encoding.as_deref(), Some("gzip"), "{}", peer.name);
    assert_eq!(found.batch, Some(wanted.seal.id.to_string()));
    assert_eq!(proxy.requests("PUT", "partNumber=2"), 3);
    assert_eq!((proxy.requests("POST", "uploads"), proxy.requests("POST", "uploadId=")), (1, 1), "{}", peer.name);
    assert_eq!(reader.unfinished().await, Some(0), "{}", peer.name);
}

/// Row X4: an upload that a host left behind is aborted when it is old; nothing else is.
async fn old_uploads_are_swept(peer: &S3Peer) {
    let reader = reader(peer).await;
    let s3 = connected(settings(peer.url(), peer)).await;
    let name = "data/orders-1-2018-08-27-10-30-00-01234567-89ab-4def-8123-456789abcdef.gz";
    for key in [name, "data/somebody/else"] {
        reader.client.create_multipart_upload().bucket(BUCKET).key(key).send().await.unwrap();
    }
    let left = |begun_before_ms| Leftovers {
        bucket: BUCKET.to_owned(),
        prefix: "data/".to_owned(),
        stream: "orders".to_owned(),
        begun_before_ms,
    };
    // 2020, and the year 2100.
    assert_eq!(s3.sweep(&left(1_577_836_800_000)).await.unwrap(), 0, "{}", peer.name);
    assert_eq!(s3.sweep(&left(4_102_444_800_000)).await.unwrap(), 1, "{}", peer.name);
    assert_eq!(reader.unfinished().await, Some(1), "{}", peer.name);
}

/// Row X8: a wrong secret is named, not taken for an outage.
async fn a_wrong_secret_is_named(peer: &S3Peer) {
    reader(peer).await;
    let mut settings = settings(peer.url(), peer);
    settings.credentials.as_mut().unwrap().secret_access_key = "wrong".to_owned().into();
    let error = connected(settings).await.deliver(&object(BUCKET, "key", b"body")).await.unwrap_err();
    assert_eq!(error.code, "S3.SignatureDoesNotMatch", "{}: {error}", peer.name);
}

macro_rules! on_both_peers {
    ($($test:ident => $run:expr;)+) => {
        mod on_versitygw { $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() { let run = $run; run(&super::versitygw()).await; }
        )+ }
        mod on_s3proxy { $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() { let run = $run; run(&super::s3proxy()).await; }
        )+ }
    };
}

on_both_peers! {
    stores_objects => async |peer: &super::S3Peer| super::stores_objects(peer, super::Checksums::WhenRequired).await;
    stores_objects_with_checksums => async |peer: &super::S3Peer| super::stores_objects(peer, super::Checksums::WhenSupported).await;
    lost_answers_are_found_out => async |peer: &super::S3Peer| super::lost_answers_are_found_out(peer).await;
    lost_answers_to_parts_are_found_out => async |peer: &super::S3Peer| super::lost_answers_to_parts_are_found_out(peer).await;
    old_uploads_are_swept => async |peer: &super::S3Peer| super::old_uploads_are_swept(peer).await;
    a_wrong_secret_is_named => async |peer: &super::S3Peer| super::a_wrong_secret_is_named(peer).await;
}
