//! Row X6: a batch is loaded once, whatever is lost, whoever dies, and however often it is delivered.

use std::time::Duration;

use hydrant::deliver::Destination;
use hydrant::deliver::redshift::RedshiftDestination;
use hydrant::deliver::testing::Peer;
use hydrant_tests::wait::until;

use super::rig::{BUCKET, LIMIT, Rig, batch, failed, name, row};

/// Row X6: rows arrive once, whoever delivers the same sealed batch again.
#[tokio::test]
async fn rows_arrive_once_however_often_a_batch_is_delivered() {
    let rig = Rig::start().await;
    let object = batch(1, row(1) + &row(2));
    rig.destination().deliver(&object).await.unwrap();
    // Another destination is what there is after a restart.
    let again = rig.destination();
    again.deliver(&object).await.unwrap();
    again.deliver(&object).await.unwrap();
    assert_eq!(rig.rows(), ["1|it's no. 1", "2|it's no. 2"]);
    assert_eq!(rig.ledger(), [format!("{}|orders-stream|2026-11-21 05:00:00", object.seal.id)]);
    let manifest = format!("shops/manifests/2026/11/21/05/{}.manifest", name(&object.seal.key));
    let role = rig.cluster.role();
    let copy =
        format!("COPY orders FROM 's3://{BUCKET}/{manifest}' CREDENTIALS 'aws_iam_role={role}' MANIFEST json 'auto';");
    assert_eq!(rig.cluster.copies(), [copy]);
    let mut keys = rig.reader.keys().await;
    keys.sort();
    assert_eq!(keys, [object.seal.key.clone(), manifest.clone()]);
    let stored = rig.reader.read(&manifest).await.unwrap().body;
    let expected = format!(r#"{{"entries":[{{"url":"s3://{BUCKET}/{}","mandatory":true}}]}}"#, object.seal.key);
    assert_eq!(stored, expected);
}

/// Row X6: a session that still runs, because the host that began it died, is waited for.
#[tokio::test]
async fn a_session_that_still_runs_is_waited_for() {
    let rig = Rig::start().await;
    rig.destination().deliver(&batch(9, row(9))).await.unwrap();
    rig.cluster.hold_copies(true);
    let deliver =
        |destination: RedshiftDestination| tokio::spawn(async move { destination.deliver(&batch(1, row(1))).await });
    let dying = deliver(rig.destination());
    until("its COPY", LIMIT, async || (rig.cluster.copies().len() == 2).then_some(())).await.unwrap();
    // Not without end, though.
    let mut impatient = rig.settings();
    impatient.statement_timeout = Duration::from_millis(50);
    failed(rig.with(impatient).deliver(&batch(1, row(1))).await, "Redshift.Timeout");
    let patient = deliver(rig.destination());
    until("a third session", LIMIT, async || (rig.cluster.logins() == 4).then_some(())).await.unwrap();
    rig.cluster.hold_copies(false);
    dying.await.unwrap().unwrap();
    patient.await.unwrap().unwrap();
    assert_eq!(rig.rows(), ["1|it's no. 1", "9|it's no. 9"]);
    assert_eq!(rig.cluster.copies().len(), 2);
}

/// Hosts that begin at once share the stream's ledger, whoever is first to need it.
#[tokio::test]
async fn hosts_that_begin_at_once_share_a_ledger() {
    let rig = Rig::start().await;
    let deliveries: Vec<_> = (1..=8)
        .map(|at| {
            let destination = rig.destination();
            tokio::spawn(async move { destination.deliver(&batch(at.into(), row(at))).await })
        })
        .collect();
    for delivery in deliveries {
        delivery.await.unwrap().unwrap();
    }
    assert_eq!((rig.rows().len(), rig.ledger().len()), (8, 8));
}
