//! What was given up is loaded again by its manifests.

use std::sync::Arc;

use hydrant::deliver::Destination;
use hydrant::deliver::redshift::{Purpose, Recopied, Tally};
use hydrant::deliver::testing::Peer;
use hydrant::record::Seal;

use super::rig::{BUCKET, LEDGER, Rig, batch, failed, name, row};

/// A batch that is given up has a manifest below `errors/manifests/`, which is loaded once later.
#[tokio::test]
async fn skipped_batches_are_loaded_again_once() {
    let rig = Rig::start().await;
    let destination = rig.destination();
    rig.cluster.postgres.sql("ALTER TABLE orders RENAME TO elsewhere");
    let objects = [batch(1, row(1)), batch(2, "not json"), batch(3, row(3))];
    for object in &objects {
        failed(destination.deliver(object).await, "Redshift.TableNotFound");
        destination.skipped(&object.seal).await.unwrap();
    }
    rig.cluster.postgres.sql("ALTER TABLE elsewhere RENAME TO orders");
    // One of them was delivered after all.
    destination.deliver(&objects[2]).await.unwrap();
    let mut stray = batch(4, "{}");
    let key = "shops/errors/manifests/x".to_owned();
    stray.seal = Arc::new(Seal { key, ..stray.seal.as_ref().clone() });
    rig.staging.deliver(&stray).await.unwrap();
    let skipped = format!("shops/errors/manifests/2026/11/21/05/{}.manifest", name(&objects[0].seal.key));
    assert!(rig.reader.read(&skipped).await.is_some());

    let mut told: Vec<(String, Result<usize, &'static str>)> = Vec::new();
    let mut tell = |one: &Recopied| {
        let outcome = one.outcome.as_ref().map(|count| *count).map_err(|error| error.code);
        told.push((one.key.clone(), outcome));
    };
    // A look finds what is missing, and changes nothing.
    let look = destination.recopy(rig.staging.as_ref(), "", Purpose::Look, &mut |_| {}).await.unwrap();
    assert_eq!(look, Tally { loaded: 2, known: 1, failed: 1 });
    assert_eq!(rig.rows(), ["3|it's no. 3"]);
    let tally = destination.recopy(rig.staging.as_ref(), "", Purpose::Load, &mut tell).await.unwrap();
    assert_eq!(tally, Tally { loaded: 1, known: 1, failed: 2 });
    let outcomes: Vec<_> = told.iter().map(|(_, outcome)| *outcome).collect();
    let expected = [Ok(1), Err("Redshift.DataLoadFailed"), Ok(0), Err("Redshift.IncorrectManifest")];
    assert_eq!(outcomes, expected, "{told:?}");
    assert_eq!(told[0].0, skipped);
    let tally = destination.recopy(rig.staging.as_ref(), "2026/11/21/", Purpose::Load, &mut |_| {}).await.unwrap();
    assert_eq!(tally, Tally { loaded: 0, known: 2, failed: 1 });
    assert_eq!(rig.rows(), ["1|it's no. 1", "3|it's no. 3"]);
    let tally = destination.recopy(rig.staging.as_ref(), "2027/", Purpose::Load, &mut |_| {}).await.unwrap();
    assert_eq!(tally, Tally::default());
}

/// Manifests of any length are loaded in parts, up to one that cannot be meant.
#[tokio::test]
async fn long_manifests_are_loaded_in_parts() {
    let rig = Rig::start().await;
    let destination = rig.destination();
    destination.deliver(&batch(1, row(1))).await.unwrap();
    rig.cluster.postgres.sql(&format!(
        "INSERT INTO {LEDGER} SELECT '00000000-0000-4000-8000-' || lpad(at::text, 12, '0'), 's', now() \
         FROM generate_series(1, 1000) at"
    ));
    let known = (1..=1000).map(|at| format!("s3://{BUCKET}/00000000-0000-4000-8000-{at:012}"));
    let new = batch(2, row(2));
    rig.staging.deliver(&new).await.unwrap();
    let entries: Vec<String> = known
        .chain([format!("s3://{BUCKET}/{}", new.seal.key)])
        .map(|url| format!(r#"{{"url":"{url}","mandatory":true}}"#))
        .collect();
    let long = format!(r#"{{"entries":[{}]}}"#, entries.join(","));
    for (key, body) in [("long", long.into_bytes()), ("too-long", vec![b' '; (16 << 20) + 1])] {
        let mut stray = batch(3, body);
        let key = format!("shops/errors/manifests/2026/11/21/05/{key}");
        stray.seal = Arc::new(Seal { key, ..stray.seal.as_ref().clone() });
        rig.staging.deliver(&stray).await.unwrap();
    }
    let logins = rig.cluster.logins();
    let mut codes = Vec::new();
    let mut tell = |one: &Recopied| codes.push((one.entries, one.outcome.as_ref().err().map(|error| error.code)));
    let tally = destination.recopy(rig.staging.as_ref(), "", Purpose::Load, &mut tell).await.unwrap();
    assert_eq!(tally, Tally { loaded: 1, known: 0, failed: 1 });
    assert_eq!(codes, [(1001, None), (0, Some("S3.ObjectTooLarge"))]);
    assert_eq!((rig.rows().len(), rig.cluster.logins() - logins), (2, 2));
}
