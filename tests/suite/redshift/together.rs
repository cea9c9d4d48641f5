//! What waits is loaded together, and fails alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use hydrant::deliver::testing::Peer;
use hydrant::deliver::{DeliveryError, Destination, Receipt, S3, Secrets};
use hydrant::record::Object;
use hydrant_tests::wait::until;

use super::rig::{LIMIT, Rig, batch, destination, failed, row};

/// Counts what was staged. On one thread, whoever sees the count finds the batches waiting.
#[derive(Debug)]
struct Counting {
    inner: Arc<S3>,
    objects: AtomicUsize,
}

#[async_trait]
impl Destination for Counting {
    async fn deliver(&self, object: &Object) -> Result<Receipt, DeliveryError> {
        let receipt = self.inner.deliver(object).await?;
        self.objects.fetch_add(usize::from(!object.seal.key.contains("manifests/")), Ordering::SeqCst);
        Ok(receipt)
    }
}

/// A rig whose first COPY is held until `count` more batches are staged and wait.
async fn gathered(rig: &Rig, first: Object, more: Vec<Object>) -> Vec<Result<Receipt, DeliveryError>> {
    let staging = Arc::new(Counting { inner: Arc::clone(&rig.staging), objects: AtomicUsize::new(0) });
    let destination =
        Arc::new(destination(rig.settings(), Arc::clone(&staging) as Arc<dyn Destination>, Secrets::new(None)));
    rig.cluster.hold_copies(true);
    let count = more.len();
    let deliver = |object: Object| {
        let destination = Arc::clone(&destination);
        tokio::spawn(async move { destination.deliver(&object).await })
    };
    let mut deliveries = vec![deliver(first)];
    until("the first COPY", LIMIT, async || (rig.cluster.copies().len() == 1).then_some(())).await.unwrap();
    deliveries.extend(more.into_iter().map(deliver));
    let staged = async || (staging.objects.load(Ordering::SeqCst) == count + 1).then_some(());
    until("batches that wait", LIMIT, staged).await.unwrap();
    // Row X6: one COPY at a time.
    assert_eq!((rig.cluster.copies().len(), rig.cluster.logins()), (1, 1));
    rig.cluster.hold_copies(false);
    let mut outcomes = Vec::new();
    for delivery in deliveries {
        outcomes.push(delivery.await.unwrap());
    }
    outcomes
}

/// What waits while a COPY runs is loaded by one next COPY.
#[tokio::test]
async fn batches_that_wait_are_loaded_together() {
    let rig = Rig::start().await;
    let more = (2..=6).map(|at| batch(at.into(), row(at))).collect();
    let outcomes = gathered(&rig, batch(1, row(1)), more).await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    assert_eq!((rig.rows().len(), rig.ledger().len()), (6, 6));
    let copies = rig.cluster.copies();
    assert_eq!(copies.len(), 2);
    assert!(copies[1].contains("-and-4-more-"), "{}", copies[1]);
}

/// A bad batch fails alone, whatever it was loaded with.
#[tokio::test]
async fn a_bad_batch_does_not_delay_the_others() {
    let rig = Rig::start().await;
    let mut more: Vec<Object> = (2..=4).map(|at| batch(at.into(), row(at))).collect();
    more.push(batch(5, "not json"));
    let mut outcomes = gathered(&rig, batch(1, row(1)), more).await;
    failed(outcomes.pop().unwrap(), "Redshift.DataLoadFailed");
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    assert_eq!((rig.rows().len(), rig.ledger().len()), (4, 4));
}

/// A delivery that is given up while it waits takes only itself away.
#[tokio::test]
async fn a_dropped_delivery_harms_no_other() {
    let rig = Rig::start().await;
    let destination = Arc::new(rig.destination());
    rig.cluster.hold_copies(true);
    let deliver = |object: Object| {
        let destination = Arc::clone(&destination);
        tokio::spawn(async move { destination.deliver(&object).await })
    };
    let running = deliver(batch(1, row(1)));
    until("the first COPY", LIMIT, async || (rig.cluster.copies().len() == 1).then_some(())).await.unwrap();
    let (dropped, waiting) = (deliver(batch(2, row(2))), deliver(batch(3, row(3))));
    for object in [batch(2, ""), batch(3, "")] {
        let staged = async || rig.reader.read(&object.seal.key).await;
        until("a staged object", LIMIT, staged).await.unwrap();
    }
    running.abort();
    dropped.abort();
    rig.cluster.hold_copies(false);
    waiting.await.unwrap().unwrap();
    // The running one had been sent; the one that waited had not, unless it was in time.
    for number in [1, 2] {
        destination.deliver(&batch(number, row(u32::try_from(number).unwrap()))).await.unwrap();
    }
    assert_eq!((rig.rows().len(), rig.ledger().len()), (3, 3));
}

/// Streams do not wait for each other's COPY, whatever tables they load into; each has a ledger.
#[tokio::test]
async fn streams_load_side_by_side() {
    let rig = Rig::start().await;
    rig.cluster.postgres.sql("CREATE TABLE returns (id integer, item varchar(20))");
    rig.cluster.hold_copies(true);
    let deliver = |stream: &str, table: &str, number: u32| {
        let mut settings = rig.settings();
        (settings.stream_name, settings.redshift.table) = (stream.to_owned(), table.to_owned());
        let destination = rig.with(settings);
        tokio::spawn(async move { destination.deliver(&batch(number.into(), row(number))).await })
    };
    let deliveries = [deliver("one", "orders", 1), deliver("two", "returns", 2), deliver("three", "orders", 3)];
    let all = async || (rig.cluster.copies().len() == 3).then_some(());
    until("three COPYs at once", LIMIT, all).await.unwrap();
    rig.cluster.hold_copies(false);
    for delivery in deliveries {
        delivery.await.unwrap().unwrap();
    }
    assert_eq!(rig.rows(), ["1|it's no. 1", "3|it's no. 3"]);
    assert_eq!(rig.cluster.postgres.sql("SELECT id FROM returns"), ["2"]);
    for (stream, number) in [("one", 1), ("two", 2), ("three", 3)] {
        let ledger = rig.cluster.postgres.sql(&format!("SELECT batch, stream FROM hydrant_ledger_{stream}"));
        assert_eq!(ledger, [format!("{}|{stream}", uuid::Uuid::from_u128(number))]);
    }
}
