//! A destination that takes objects and may be given up: what is not known to be staged never is.

use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;

use super::*;
use crate::definition::{Compression, Login, Redshift, Secret, Target};
use crate::deliver::{DeliveryError, Destination, Outlet, Receipt};
use crate::record::{Object, StreamId};

/// Stages in memory and loads nothing, after it could not be opened and could not stage for a while.
#[derive(Debug)]
struct Cluster {
    unopened: AtomicUsize,
    unstaged: Arc<AtomicUsize>,
    staged: Arc<Memory>,
    given_up: Arc<AtomicUsize>,
}

#[derive(Debug)]
struct Loading {
    unstaged: Arc<AtomicUsize>,
    staged: Arc<Memory>,
    given_up: Arc<AtomicUsize>,
}

fn failed(code: &'static str) -> DeliveryError {
    DeliveryError { verdict: Verdict::Retry(None), code, text: "failed on command".to_owned(), source: None }
}

/// True so many times.
fn takes_one(left: &AtomicUsize) -> bool {
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
}

impl Connector for Cluster {
    fn connect(&self, _stream: StreamId, _definition: &Definition) -> Result<Option<Outlet>, DeliveryError> {
        if takes_one(&self.unopened) {
            return Err(failed("InvalidEndpoint"));
        }
        let (unstaged, staged, given_up) =
            (Arc::clone(&self.unstaged), Arc::clone(&self.staged), Arc::clone(&self.given_up));
        Ok(Some(Outlet::Objects(Arc::new(Loading { unstaged, staged, given_up }))))
    }
}

#[async_trait]
impl Destination for Loading {
    async fn deliver(&self, object: &Object) -> Result<Receipt, DeliveryError> {
        if takes_one(&self.unstaged) {
            return Err(failed("S3.AccessDenied"));
        }
        self.staged.deliver(object).await?;
        Err(failed("Redshift.DataLoadFailed"))
    }

    async fn give_up(&self, object: &Object) -> Result<(), DeliveryError> {
        assert!(self.staged.bodies().contains_key(&object.seal.key), "given up before it was staged");
        self.given_up.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

/// Rows X1 and X6: a cluster that cannot be named, or a bucket that refuses, costs time and no batch, although the
/// stream's retry time is over at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_is_staged_is_given_up() {
    let (folder, staged) = (tempfile::tempdir().unwrap(), Arc::new(Memory::new(BUCKET)));
    let (unopened, unstaged) = (AtomicUsize::new(3), Arc::new(AtomicUsize::new(4)));
    let given_up = Arc::new(AtomicUsize::new(0));
    let cluster = Cluster { unopened, unstaged, staged: Arc::clone(&staged), given_up: Arc::clone(&given_up) };
    let telemetry = Telemetry::new();
    let plugins = plugins_in(folder.path(), &telemetry);
    let storage = Arc::new(Disk::new(folder.path().join("journal")));
    let parts = parts(Arc::new(cluster), without_room(), storage, plugins, telemetry, &staged, 1 << 20);
    let pipeline = Pipeline::start(parts);
    let target = Target::Redshift(Redshift {
        jdbc_url: "jdbc:redshift://a.b.redshift.test:5439/dev".to_owned(),
        host: "a.b.redshift.test".to_owned(),
        port: 5439,
        database: "dev".to_owned(),
        table: "orders".to_owned(),
        columns: String::new(),
        copy_options: String::new(),
        role_arn: "arn:aws:iam::000000000000:role/r".to_owned(),
        login: Login::Given { user: "u".to_owned(), secret: Secret::new("p") },
        retry_seconds: 0,
    });
    pipeline.backend().create(Definition { target, ..definition(1 << 20, 900) }).await.unwrap();
    put(&pipeline, lines(0..500)).await;
    assert_eq!(pipeline.stop(GRACE).await, Stopped::Drained);
    assert_once_each(&staged, 500);
    assert_eq!(given_up.load(Ordering::Relaxed), 1);
}

/// Issue 5, line 1: objects have the size that was asked for after compression, from the first on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn compressed_objects_are_as_large_as_was_asked_for() {
    let (hint, random) = (1 << 20, Random::seeded(11));
    for compression in [Compression::Gzip, Compression::Zstd, Compression::Snappy] {
        let mut sized = definition(hint, 900);
        sized.s3 = S3Destination { compression, sizes_compressed: true, ..sized.s3 };
        let (folder, memory, disk) = (tempfile::tempdir().unwrap(), Arc::new(Memory::new(BUCKET)), SimDisk::new(9));
        let (journal, _) = open(Arc::new(disk.clone()), &Telemetry::new());
        let stream = journal.create_stream(sized).await.unwrap();
        for _ in 0..40 {
            let (mut payload, mut ends) = (Vec::new(), Vec::new());
            while payload.len() < 900_000 {
                let (id, price) = (random.next_u64(), random.up_to(9_999));
                let line = format!(
                    r#"{{"level":"info","service":"checkout","message":"order was placed","order":"{id:016x}","price":{price}}}"#
                );
                payload.extend_from_slice(line.as_bytes());
                ends.push(u32::try_from(payload.len()).unwrap());
            }
            let records = Records::new(payload.into(), ends, Vec::new()).unwrap();
            journal.append(stream, records, 1).await.unwrap();
        }
        journal.close().await;
        let pipeline = start_on(Arc::new(disk.restart()), folder.path(), &memory, 512 << 20);
        assert_eq!(pipeline.stop(GRACE).await, Stopped::Drained);
        let mut sizes: Vec<u64> = memory.bodies().values().map(|body| body.len() as u64).collect();
        sizes.sort_unstable();
        // One holds what was left at the end.
        let whole = &sizes[1..];
        assert!(whole.len() >= 2, "{compression:?} {sizes:?}");
        assert!(whole.iter().all(|size| (hint * 8 / 10..=hint * 12 / 10).contains(size)), "{compression:?} {sizes:?}");
    }
}
