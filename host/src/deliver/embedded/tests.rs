//! The embedded server through the SDK, and its files underneath.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;

use super::listing::Entry;
use super::server::Limits;
use super::store::{Attributes, Overwrite, Store, StoreError};
use super::*;
use crate::deliver::testing::{Peer, Reader, object, patterned, stores_objects_as_they_are};
use crate::deliver::{Destination, Endpoint, Leftovers, Policy, S3, Settings, build};
use crate::runtime::Random;

const BUCKET: &str = "bucket";

fn anywhere() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

fn random() -> Arc<Random> {
    Arc::new(Random::seeded(1))
}

fn settings_for(server: &Embedded) -> Settings {
    let mut settings = Settings::new(Endpoint::Url(server.url()), "us-east-1");
    settings.plaintext = true;
    // So that the suites' large objects go in parts.
    settings.multipart_threshold_bytes = 16 << 20;
    settings.credentials = Some(server.credentials().clone());
    settings
}

async fn started(folder: &Path) -> (Embedded, S3, Reader) {
    let server = Embedded::start(folder, anywhere(), random()).await.unwrap();
    server.ensure_bucket(BUCKET).await.unwrap();
    let s3 = S3::connect(settings_for(&server), Policy::default(), random()).await.unwrap();
    let reader = Reader::connect(&settings_for(&server), BUCKET).await.unwrap();
    (server, s3, reader)
}

/// In parts, as an outside client would.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stores_objects_in_parts() {
    let folder = tempfile::tempdir().unwrap();
    let (_server, s3, reader) = started(folder.path()).await;
    stores_objects_as_they_are(&s3, &reader).await.unwrap();
    assert_eq!(reader.unfinished().await, Some(0));
    assert!(!folder.path().join("bucket-missing").exists());
}

/// Row X4: what was begun long ago and belongs to a stream is aborted; what somebody else stores is not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_uploads_are_swept() {
    let folder = tempfile::tempdir().unwrap();
    let (_server, s3, reader) = started(folder.path()).await;
    for key in ["orders-1-2018-08-27-10-30-00-01234567-89ab-4def-8123-456789abcdef.gz", "somebody/else"] {
        reader.client.create_multipart_upload().bucket(BUCKET).key(key).send().await.unwrap();
    }
    let left = |begun_before_ms| Leftovers {
        bucket: BUCKET.to_owned(),
        prefix: String::new(),
        stream: "orders".to_owned(),
        begun_before_ms,
    };
    // 2020, and the year 2100.
    assert_eq!(s3.sweep(&left(1_577_836_800_000)).await.unwrap(), 0);
    assert_eq!(s3.sweep(&left(4_102_444_800_000)).await.unwrap(), 1);
    assert_eq!(reader.unfinished().await, Some(1));
}

/// As the host uses it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn builds_and_delivers() {
    let folder = tempfile::tempdir().unwrap();
    let endpoint = Endpoint::Embedded { directory: folder.path().join("s3"), listen: anywhere() };
    let settings = Settings::new(endpoint, "us-east-1");
    let delivery = build(settings, Policy::default(), random()).await.unwrap();
    let server = delivery.embedded.unwrap();
    let reader = Reader::connect(&settings_for(&server), BUCKET).await.unwrap();
    delivery.destination.prepare(BUCKET).await.unwrap();
    delivery.destination.prepare(BUCKET).await.unwrap();
    assert!(delivery.destination.prepare("Not A Bucket").await.is_err());
    let wanted = object(BUCKET, "2026/11/21/05/a", &patterned(20 << 20));
    delivery.destination.deliver(&wanted).await.unwrap();
    assert_eq!(reader.read(&wanted.seal.key).await.unwrap().body, wanted.body);
    // Objects are plain files.
    assert_eq!(std::fs::read(folder.path().join("s3/bucket/2026/11/21/05/a")).unwrap(), wanted.body);
}

#[tokio::test]
async fn a_restart_keeps_objects_and_credentials() {
    let folder = tempfile::tempdir().unwrap();
    let wanted = object(BUCKET, "key", b"body");
    let (server, s3, _) = started(folder.path()).await;
    s3.deliver(&wanted).await.unwrap();
    let before = std::fs::read_to_string(server.credentials_file()).unwrap();
    assert!(before.starts_with("[default]\naws_access_key_id = hydrant\naws_secret_access_key = "));
    drop((server, s3));
    let (server, _, reader) = started(folder.path()).await;
    assert_eq!(reader.read("key").await.unwrap().batch, Some(wanted.seal.id.to_string()));
    assert_eq!(std::fs::read_to_string(server.credentials_file()).unwrap(), before);
}

#[tokio::test]
async fn strangers_and_networks_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let open = SocketAddr::from(([0, 0, 0, 0], 0));
    let refused = Embedded::start(folder.path(), open, random()).await.unwrap_err();
    assert!(matches!(refused, EmbeddedError::NotLoopback(_)), "{refused}");

    let (server, _, _) = started(folder.path()).await;
    let mut settings = settings_for(&server);
    settings.credentials.as_mut().unwrap().secret_access_key = "guessed".to_owned().into();
    let stranger = S3::connect(settings, Policy::default(), random()).await.unwrap();
    let error = stranger.deliver(&object(BUCKET, "key", b"body")).await.unwrap_err();
    assert_eq!(error.code, "S3.SignatureDoesNotMatch");
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits { connections: 2, body_bytes: 1_000 };
    let server = Embedded::start_with(folder.path(), anywhere(), random(), limits).await.unwrap();
    server.ensure_bucket(BUCKET).await.unwrap();
    let s3 = S3::connect(settings_for(&server), Policy::default(), random()).await.unwrap();
    s3.deliver(&object(BUCKET, "key", &[1; 1_000])).await.unwrap();
    let error = s3.deliver(&object(BUCKET, "other", &[1; 1_001])).await.unwrap_err();
    assert_eq!(error.code, "S3.RequestRefused", "{error}");
    assert!(!folder.path().join("bucket/other").exists());
}

/// More connections than are served wait, and are served when others leave.
#[tokio::test]
async fn connections_over_the_limit_wait() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits { connections: 2, body_bytes: 1_000 };
    let server = Embedded::start_with(folder.path(), anywhere(), random(), limits).await.unwrap();
    server.ensure_bucket(BUCKET).await.unwrap();
    let mut idle = Vec::new();
    for _ in 0..3 {
        idle.push(tokio::net::TcpStream::connect(server.address()).await.unwrap());
    }
    let s3 = S3::connect(settings_for(&server), Policy::default(), random()).await.unwrap();
    let wanted = object(BUCKET, "key", b"body");
    let delivery = s3.deliver(&wanted);
    let leaving = async { drop(idle) };
    let (result, ()) = tokio::join!(delivery, leaving);
    result.unwrap();
}

fn put(store: &Store, key: &str, body: &[u8]) -> Result<(), StoreError> {
    let mut incoming = store.receive()?;
    incoming.write(body)?;
    let attributes = Attributes { etag: "etag".to_owned(), ..Attributes::default() };
    store.commit(BUCKET, key, incoming, attributes, Overwrite::Allowed)
}

fn store(folder: &Path) -> Store {
    let store = Store::open(folder).unwrap();
    let _new_or_old = store.create_bucket(BUCKET);
    store
}

/// Row D1 for objects: a body that was not committed is nowhere, neither after an error nor after a kill.
#[test]
fn half_a_body_is_never_visible() {
    let folder = tempfile::tempdir().unwrap();
    let first = store(folder.path());
    let mut half = first.receive().unwrap();
    half.write(b"ha").unwrap();
    assert!(matches!(first.open_object(BUCKET, "key"), Err(StoreError::NoKey)));
    // A killed process drops nothing.
    std::mem::forget(half);
    assert_eq!(std::fs::read_dir(folder.path().join(".hydrant/incoming")).unwrap().count(), 1);
    let second = store(folder.path());
    assert!(matches!(second.open_object(BUCKET, "key"), Err(StoreError::NoKey)));
    assert_eq!(std::fs::read_dir(folder.path().join(".hydrant/incoming")).unwrap().count(), 0);
}

/// A kill between the two renames leaves new attributes beside old data: they are not believed.
#[test]
fn attributes_of_other_data_are_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    put(&store, "key", b"new data").unwrap();
    std::fs::write(folder.path().join("bucket/key"), b"old").unwrap();
    let opened = store.open_object(BUCKET, "key").unwrap();
    assert_eq!(opened.attributes, Attributes { length: 3, ..Attributes::default() });
}

#[test]
fn a_key_cannot_be_folder_and_object() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    put(&store, "a/b", b"1").unwrap();
    assert!(matches!(put(&store, "a", b"2"), Err(StoreError::Clash)));
    assert!(matches!(put(&store, "a/b/c", b"3"), Err(StoreError::Clash)));
    assert_eq!(store.open_object(BUCKET, "a/b").unwrap().length, 1);
}

#[test]
fn a_missing_bucket_is_not_made_by_a_put() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    assert!(matches!(put(&store, "key", b"1"), Err(StoreError::NoBucket)));
    assert!(!folder.path().join(BUCKET).exists());
    for name in ["..", ".hydrant", "a/b", ""] {
        assert!(matches!(store.bucket(name), Err(StoreError::NoBucket)), "{name}");
    }
}

#[test]
fn conditional_puts_have_one_winner() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let winners: usize = std::thread::scope(|scope| {
        let racers: Vec<_> = (0..8_u8)
            .map(|body| {
                let store = &store;
                scope.spawn(move || {
                    let mut incoming = store.receive().unwrap();
                    incoming.write(&[body]).unwrap();
                    store.commit(BUCKET, "key", incoming, Attributes::default(), Overwrite::Refused).is_ok()
                })
            })
            .collect();
        racers.into_iter().map(|racer| usize::from(racer.join().unwrap())).sum()
    });
    assert_eq!(winners, 1);
}

/// Readers see one put or the other, whole, data and attributes from the same one.
#[test]
fn racing_puts_do_not_mix() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    std::thread::scope(|scope| {
        for length in 1..=4_usize {
            let store = &store;
            scope.spawn(move || {
                for _ in 0..25 {
                    let mut incoming = store.receive().unwrap();
                    incoming.write(&vec![b'x'; length]).unwrap();
                    let attributes = Attributes { etag: length.to_string(), ..Attributes::default() };
                    store.commit(BUCKET, "key", incoming, attributes, Overwrite::Allowed).unwrap();
                    let opened = store.open_object(BUCKET, "key").unwrap();
                    assert_eq!(opened.attributes.etag, opened.length.to_string());
                }
            });
        }
    });
}

#[test]
fn parts_are_checked_when_joined() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let id = random().uuid();
    let upload =
        uploads::Upload { bucket: BUCKET.to_owned(), key: "key".to_owned(), attributes: Attributes::default() };
    store.begin_upload(id, &upload).unwrap();
    let part = |number, body: &[u8]| {
        let mut incoming = store.receive().unwrap();
        incoming.write(body).unwrap();
        let etag = uploads::hex(&incoming.md5());
        store.keep_part(id, number, &etag, incoming).unwrap();
        (number, etag)
    };
    let (small, large, last) = (part(1, b"small"), part(2, &patterned(5 << 20)), part(3, b"last"));
    let join = |parts: &[(u32, String)]| store.complete_upload(id, BUCKET, "key", parts, Overwrite::Allowed);
    assert!(matches!(join(&[small, last.clone()]), Err(StoreError::SmallPart)));
    assert!(matches!(join(&[(2, last.1.clone())]), Err(StoreError::NoPart)));
    assert!(matches!(join(&[(2, "../../../etc/passwd".to_owned())]), Err(StoreError::NoPart)));
    assert!(matches!(store.open_object(BUCKET, "key"), Err(StoreError::NoKey)));
    let etag = join(&[large, last]).unwrap();
    assert!(etag.ends_with("-2"), "{etag}");
    assert_eq!(store.open_object(BUCKET, "key").unwrap().length, (5 << 20) + 4);
    assert!(matches!(store.upload(id, BUCKET, "key"), Err(StoreError::NoUpload)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    /// Pages, prefixes and delimiters agree with a sorted set of keys.
    #[test]
    fn listings_agree_with_a_model(
        keys in prop::collection::btree_set("[ab/.%-]{1,6}", 0..25),
        prefix in "[ab/.]{0,2}",
        delimiter in prop::option::of(Just("/")),
        size in 1_usize..5,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path());
        // Keys that are folders of others cannot be stored beside them.
        let kept: BTreeSet<&String> = keys.iter().filter(|key| put(&store, key, b"").is_ok()).collect();
        let mut wanted: BTreeSet<String> = BTreeSet::new();
        for key in kept.iter().filter(|key| key.starts_with(&prefix)) {
            let shared = delimiter.and_then(|text| key[prefix.len()..].find(text));
            wanted.insert(shared.map_or_else(|| (*key).clone(), |at| key[..=prefix.len() + at].to_owned()));
        }
        let mut found = Vec::new();
        let mut after = String::new();
        loop {
            let page = store.list(BUCKET, &prefix, delimiter, &after, size).unwrap();
            prop_assert!(page.len() <= size);
            let Some((last, _)) = page.last_key_value() else { break };
            after.clone_from(last);
            for (key, entry) in page {
                prop_assert_eq!(matches!(entry, Entry::Object { .. }), kept.contains(&key) && delimiter.is_none_or(|text| !key[prefix.len()..].contains(text)));
                found.push(key);
            }
        }
        prop_assert_eq!(found, wanted.into_iter().collect::<Vec<_>>());
    }
}
