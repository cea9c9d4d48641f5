//! Delivery to Redshift against a real PostgreSQL behind a stand-in that knows COPY from a manifest, with staging in a
//! real S3 server. What this does not prove about Amazon's own service stands in the README.
#![expect(clippy::unwrap_used, reason = "a test says what it expects")]

use std::collections::BTreeMap;
use std::io::Write;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use hydrant::definition::{Compression, Login, Redshift as Target, S3Destination, Secret};
use hydrant::deliver::redshift::{Recopied, RedshiftDestination, Settings, Tally, Vault};
use hydrant::deliver::testing::{Peer, Reader};
use hydrant::deliver::{
    Checksums, Client, Credentials, DeliveryError, Destination, Egress, Endpoint, Policy, Receipt, S3,
    Settings as S3Settings, Verdict,
};
use hydrant::record::{Object, Partition, Seal, StreamId};
use hydrant::runtime::{ManualClock, Random};
use hydrant_tests::peers::redshift::Cut;
use hydrant_tests::peers::{DATABASE, PASSWORD, Postgres, Redshift, S3Peer, USER, versitygw};
use hydrant_tests::wait::until;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use uuid::Uuid;

const BUCKET: &str = "staging";
const HOST: &str = "shop.abc123.eu-west-1.redshift.example.com";
const FLOOR: Duration = Duration::from_millis(3);
/// A healthy peer answers within a second; this tells slow from broken.
const LIMIT: Duration = Duration::from_secs(60);
/// 2026-11-21T05:00:00Z.
const ARRIVED_MS: u64 = 1_795_237_200_000;

/// A cluster with a table, and staging for it.
struct Rig {
    /// Stops when dropped.
    _s3: S3Peer,
    cluster: Redshift,
    staging: Arc<S3>,
    reader: Reader,
}

impl Rig {
    async fn start() -> Self {
        let s3 = versitygw();
        let mut settings = S3Settings::new(Endpoint::Url(s3.url()), "us-east-1");
        settings.plaintext = true;
        settings.checksums = Checksums::WhenRequired;
        settings.credentials = Some(Credentials {
            access_key_id: s3.access_key_id.to_owned(),
            secret_access_key: s3.secret_access_key.to_owned().into(),
        });
        let reader = Reader::connect(&settings, BUCKET).await.unwrap();
        reader.client.create_bucket().bucket(BUCKET).send().await.unwrap();
        let policy = Policy { base: Duration::from_millis(10), cap: Duration::from_millis(100) };
        let staging = Arc::new(S3::connect(settings, policy, Arc::new(Random::seeded(1))).await.unwrap());
        let cluster = Redshift::start(&s3).await;
        cluster.postgres.sql("CREATE TABLE orders (id integer, item varchar(20))");
        Self { _s3: s3, cluster, staging, reader }
    }

    fn settings(&self) -> Settings {
        settings(self.cluster.port(), self.cluster.role())
    }

    fn destination(&self) -> RedshiftDestination {
        self.with(self.settings())
    }

    fn with(&self, settings: Settings) -> RedshiftDestination {
        destination(settings, Arc::clone(&self.staging) as Arc<dyn Destination>, None)
    }

    fn rows(&self) -> Vec<String> {
        self.cluster.postgres.sql("SELECT id, item FROM orders ORDER BY id")
    }

    fn ledger(&self) -> Vec<String> {
        self.cluster.postgres.sql("SELECT batch, stream, loaded_at FROM hydrant_ledger ORDER BY batch")
    }
}

fn settings(port: u16, role: &str) -> Settings {
    let redshift = Target {
        jdbc_url: format!("jdbc:redshift://{HOST}:{port}/{DATABASE}"),
        host: HOST.to_owned(),
        port,
        database: DATABASE.to_owned(),
        table: "orders".to_owned(),
        columns: String::new(),
        copy_options: "json 'auto'".to_owned(),
        role_arn: role.to_owned(),
        login: Login::Given { user: USER.to_owned(), secret: Secret::new(PASSWORD) },
        retry_seconds: 3600,
    };
    let staging = S3Destination {
        bucket: BUCKET.to_owned(),
        prefix: "shops/".to_owned(),
        error_output_prefix: String::new(),
        buffer_bytes: 1 << 20,
        buffer_seconds: 60,
        compression: Compression::Uncompressed,
        file_extension: String::new(),
        time_zone: String::new(),
        kms_key_arn: None,
    };
    let mut settings = Settings::new(redshift, staging, StreamId(7), "orders-stream");
    settings.retry_interval = FLOOR;
    settings.plaintext = true;
    settings
}

fn destination(
    settings: Settings,
    staging: Arc<dyn Destination>,
    vault: Option<Arc<dyn Vault>>,
) -> RedshiftDestination {
    let loopback: IpAddr = "127.0.0.1".parse().unwrap();
    let resolve = BTreeMap::from([(HOST.to_owned(), loopback)]);
    let egress = Egress { allow: vec![(loopback, 32)], plaintext: true, ca_pem: None, resolve };
    let clock = Arc::new(ManualClock::at(ARRIVED_MS));
    RedshiftDestination::new(settings, staging, Client::new(egress).unwrap(), vault, clock).unwrap()
}

/// A sealed batch of the stream; `number` is its identity.
fn batch(number: u128, body: impl Into<Vec<u8>>) -> Object {
    let id = Uuid::from_u128(number);
    let body = Bytes::from(body.into());
    let seal = Seal {
        id,
        stream: StreamId(7),
        partition: Partition::Main,
        first: 0,
        end: 1,
        open_from: 1,
        definition_version: 1,
        bucket: BUCKET.to_owned(),
        key: format!("shops/2026/11/21/05/orders-stream-1-2026-11-21-05-00-00-{id}"),
        record_count: 1,
        content_bytes: body.len() as u64,
        oldest_arrived_ms: ARRIVED_MS,
        sealed_ms: ARRIVED_MS,
    };
    Object { seal: Arc::new(seal), body, content_encoding: None, kms_key_arn: None }
}

fn row(id: u32) -> String {
    format!("{{\"id\":{id},\"item\":\"it's no. {id}\"}}\n")
}

fn name(key: &str) -> &str {
    key.rsplit('/').next().unwrap()
}

/// Fails with this code, and is to be repeated after the retry interval.
fn failed(outcome: Result<Receipt, DeliveryError>, code: &str) -> String {
    let error = outcome.unwrap_err();
    assert_eq!((error.code, error.verdict), (code, Verdict::Retry(Some(FLOOR))), "{error}");
    error.text
}

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

/// Row X6: a connection that is lost at COMMIT leaves the outcome unknown; the ledger tells it, one way or the other.
#[tokio::test]
async fn a_connection_lost_at_commit_loads_once() {
    for (cut, copies) in [(Cut::BeforeCommit, 2), (Cut::AfterCommit, 1)] {
        let rig = Rig::start().await;
        let (destination, object) = (rig.destination(), batch(1, row(1)));
        rig.cluster.cut(cut);
        failed(destination.deliver(&object).await, "Redshift.ConnectionFailed");
        destination.deliver(&object).await.unwrap();
        assert_eq!(rig.rows(), ["1|it's no. 1"], "{cut:?}");
        assert_eq!((rig.ledger().len(), rig.cluster.copies().len()), (1, copies), "{cut:?}");
    }
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

/// Streams of one schema share a ledger, whoever is first to need it.
#[tokio::test]
async fn streams_that_begin_at_once_share_a_ledger() {
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

/// A user who may not create tables loads into a ledger that somebody else made.
#[tokio::test]
async fn a_user_without_the_right_to_create_can_load() {
    let rig = Rig::start().await;
    rig.cluster.postgres.sql("CREATE USER guest PASSWORD 'guest-password'; GRANT INSERT, SELECT ON orders TO guest");
    let mut settings = rig.settings();
    settings.redshift.login = Login::Given { user: "guest".to_owned(), secret: Secret::new("guest-password") };
    let guest = rig.with(settings);
    let said = failed(guest.deliver(&batch(1, row(1))).await, "Redshift.InsufficientPrivilege");
    assert!(said.contains("hydrant_ledger"), "{said}");
    rig.destination().deliver(&batch(2, row(2))).await.unwrap();
    rig.cluster.postgres.sql("GRANT ALL ON hydrant_ledger TO guest");
    guest.deliver(&batch(1, row(1))).await.unwrap();
    assert_eq!(rig.rows().len(), 2);
}

/// A server that wants Redshift's own digest is named as such, one that says nothing is not waited for without end.
#[tokio::test]
async fn servers_that_cannot_be_talked_to_are_told_apart() {
    let rig = Rig::start().await;
    // `AuthenticationDigest`, 13, and what belongs to it.
    let digest: &[u8] = b"N\x52\x00\x00\x00\x0c\x00\x00\x00\x0d\x00\x00\x00\x00";
    for (answer, code) in [(digest, "Redshift.AuthenticationFailed"), (b"N", "Redshift.Timeout")] {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let mut settings = settings(listener.local_addr().unwrap().port(), rig.cluster.role());
        if code == "Redshift.Timeout" {
            settings.connect_timeout = Duration::from_millis(50);
        }
        let server = tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            socket.write_all(answer).await.unwrap();
            // Until the client hangs up.
            let mut heard = Vec::new();
            socket.read_to_end(&mut heard).await
        });
        failed(rig.with(settings).deliver(&batch(1, row(1))).await, code);
        server.abort();
    }
}

/// A COPY is all or nothing, and what is said about a bad row does not quote it.
#[tokio::test]
async fn a_bad_row_fails_the_whole_copy() {
    let rig = Rig::start().await;
    let (destination, object) = (rig.destination(), batch(1, row(1) + r#"{"id":"secret-payload"}"#));
    let said = failed(destination.deliver(&object).await, "Redshift.DataLoadFailed");
    assert!(!said.contains("secret-payload") && said.contains("STL_LOAD_ERRORS"), "{said}");
    assert_eq!(rig.rows(), Vec::<String>::new());
    assert_eq!(rig.ledger(), Vec::<String>::new());
}

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
    let destination = Arc::new(destination(rig.settings(), Arc::clone(&staging) as Arc<dyn Destination>, None));
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
    let tally = destination.recopy(rig.staging.as_ref(), "", &mut tell).await.unwrap();
    assert_eq!(tally, Tally { loaded: 1, known: 1, failed: 2 });
    let outcomes: Vec<_> = told.iter().map(|(_, outcome)| *outcome).collect();
    let expected = [Ok(1), Err("Redshift.DataLoadFailed"), Ok(0), Err("Redshift.IncorrectManifest")];
    assert_eq!(outcomes, expected, "{told:?}");
    assert_eq!(told[0].0, skipped);
    let tally = destination.recopy(rig.staging.as_ref(), "2026/11/21/", &mut |_| {}).await.unwrap();
    assert_eq!(tally, Tally { loaded: 0, known: 2, failed: 1 });
    assert_eq!(rig.rows(), ["1|it's no. 1", "3|it's no. 3"]);
    let tally = destination.recopy(rig.staging.as_ref(), "2027/", &mut |_| {}).await.unwrap();
    assert_eq!(tally, Tally::default());
}

/// Manifests of any length are loaded in parts, up to one that cannot be meant.
#[tokio::test]
async fn long_manifests_are_loaded_in_parts() {
    let rig = Rig::start().await;
    let destination = rig.destination();
    destination.deliver(&batch(1, row(1))).await.unwrap();
    rig.cluster.postgres.sql(
        "INSERT INTO hydrant_ledger SELECT '00000000-0000-4000-8000-' || lpad(at::text, 12, '0'), 's', now() \
         FROM generate_series(1, 1000) at",
    );
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
    let tally = destination.recopy(rig.staging.as_ref(), "", &mut tell).await.unwrap();
    assert_eq!(tally, Tally { loaded: 1, known: 0, failed: 1 });
    assert_eq!(codes, [(1001, None), (0, Some("S3.ObjectTooLarge"))]);
    assert_eq!((rig.rows().len(), rig.cluster.logins() - logins), (2, 2));
}

/// Rows X6 and X8: what an operator has to repair is named, and repaired without a restart.
#[tokio::test]
async fn failures_have_firehoses_codes() {
    let rig = Rig::start().await;
    let object = batch(1, row(1));
    let change = |change: &dyn Fn(&mut Target)| {
        let mut settings = rig.settings();
        change(&mut settings.redshift);
        rig.with(settings)
    };
    let wrong = Login::Given { user: USER.to_owned(), secret: Secret::new("wrong-password") };
    let cases: [(&str, RedshiftDestination); 9] = [
        ("Redshift.AuthenticationFailed", change(&|target| target.login = wrong.clone())),
        ("Redshift.DatabaseNotFound", change(&|target| target.database = "nowhere".to_owned())),
        ("Redshift.TableNotFound", change(&|target| target.table = "public.missing".to_owned())),
        ("Redshift.TableNotFound", change(&|target| target.table = "missing.orders".to_owned())),
        ("Redshift.ColumnNotFound", change(&|target| target.columns = "id, price".to_owned())),
        ("Redshift.SyntaxError", change(&|target| target.copy_options = "jsn 'auto'".to_owned())),
        ("Redshift.IncorrectCopyOptions", change(&|target| target.copy_options = "delimiter '||'".to_owned())),
        ("Redshift.AccessDenied", change(&|target| target.role_arn = "arn:aws:iam::1:role/other".to_owned())),
        ("Redshift.ConnectionFailed", change(&|target| target.host = "127.0.0.2".to_owned())),
    ];
    for (code, destination) in cases {
        let said = failed(destination.deliver(&object).await, code);
        assert!(!said.contains("wrong-password") && !said.contains(PASSWORD), "{said}");
    }
    // No permission to write without encryption to a cluster that has none.
    let mut settings = rig.settings();
    settings.plaintext = false;
    failed(rig.with(settings).deliver(&object).await, "Redshift.ConnectionFailed");
    rig.cluster.postgres.sql("ALTER TABLE orders ADD COLUMN price integer NOT NULL");
    failed(rig.destination().deliver(&object).await, "Redshift.MissingColumn");
    rig.cluster.postgres.sql("ALTER TABLE orders DROP COLUMN price");
    rig.destination().deliver(&object).await.unwrap();
    assert_eq!(rig.rows(), ["1|it's no. 1"]);
}

/// An object that somebody removed is missed, not passed over.
#[tokio::test]
async fn a_staged_object_that_is_gone_is_missed() {
    let rig = Rig::start().await;
    let (destination, object) = (rig.destination(), batch(1, row(1)));
    rig.cluster.hold_copies(true);
    let shared = Arc::new(destination);
    let delivery = tokio::spawn({
        let (destination, object) = (Arc::clone(&shared), object.clone());
        async move { destination.deliver(&object).await }
    });
    until("the COPY", LIMIT, async || (rig.cluster.copies().len() == 1).then_some(())).await.unwrap();
    rig.reader.client.delete_object().bucket(BUCKET).key(&object.seal.key).send().await.unwrap();
    rig.cluster.hold_copies(false);
    failed(delivery.await.unwrap(), "Redshift.MissingS3File");
    assert_eq!(rig.ledger(), Vec::<String>::new());
    shared.deliver(&object).await.unwrap();
    assert_eq!(rig.rows().len(), 1);
}

/// Staging that fails says so itself: no batch is skipped because S3 is away.
#[tokio::test]
async fn failures_of_staging_keep_their_own_name() {
    let rig = Rig::start().await;
    let mut object = batch(1, row(1));
    object.seal = Arc::new(Seal { bucket: "elsewhere".to_owned(), ..object.seal.as_ref().clone() });
    assert_eq!(rig.destination().deliver(&object).await.unwrap_err().code, "S3.NoSuchBucket");
    let mut settings = rig.settings();
    settings.staging.bucket = "elsewhere".to_owned();
    // Now the object can be stored, and its manifest cannot.
    assert_eq!(rig.with(settings).deliver(&batch(1, row(1))).await.unwrap_err().code, "S3.NoSuchBucket");
    assert_eq!((rig.rows().len(), rig.cluster.copies().len()), (0, 0));
}

/// The formats that are loaded most.
#[tokio::test]
async fn formats_and_columns_are_the_options_own() {
    let rig = Rig::start().await;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(row(4).as_bytes()).unwrap();
    let cases: [(&str, &str, Vec<u8>); 4] = [
        ("", "csv ignoreheader 1", b"id,item\n1,\"a, b\"\n".to_vec()),
        ("item, id", "delimiter '|'", b"c:\\d|2\n".to_vec()),
        ("\"id\",item", "csv delimiter ';' compupdate off", b"3;e\n".to_vec()),
        ("", "json 'auto' gzip", gzip.finish().unwrap()),
    ];
    for (at, (columns, options, body)) in cases.into_iter().enumerate() {
        let mut settings = rig.settings();
        (settings.redshift.columns, settings.redshift.copy_options) = (columns.to_owned(), options.to_owned());
        rig.with(settings).deliver(&batch(at as u128, body)).await.unwrap();
    }
    assert_eq!(rig.rows(), ["1|a, b", "2|c:\\d", "3|e", "4|it's no. 4"]);
    assert!(rig.cluster.copies()[1].starts_with("COPY orders (item, id) FROM "));
}

/// A secret that changes between attempts.
#[derive(Debug)]
struct Rotating(AtomicUsize);

#[async_trait]
impl Vault for Rotating {
    async fn read(&self, arn: &str) -> Result<Secret, DeliveryError> {
        assert_eq!(arn, "arn:aws:secretsmanager:us-east-1:1:secret:redshift");
        let password = if self.0.fetch_add(1, Ordering::SeqCst) == 0 { "old-password" } else { PASSWORD };
        Ok(Secret::new(format!(r#"{{"username":"{USER}","password":"{password}"}}"#)))
    }
}

/// Row X15: a login that was rotated works at the next attempt.
#[tokio::test]
async fn a_stored_login_is_read_for_each_attempt() {
    let rig = Rig::start().await;
    let mut settings = rig.settings();
    settings.redshift.login = Login::Stored("arn:aws:secretsmanager:us-east-1:1:secret:redshift".to_owned());
    let vault: Arc<dyn Vault> = Arc::new(Rotating(AtomicUsize::new(0)));
    let destination = destination(settings, Arc::clone(&rig.staging) as Arc<dyn Destination>, Some(vault));
    failed(destination.deliver(&batch(1, row(1))).await, "Redshift.AuthenticationFailed");
    destination.deliver(&batch(1, row(1))).await.unwrap();
    assert_eq!(rig.rows().len(), 1);
}

/// A server with TLS, a certificate that is trusted or not, and SCRAM; it has no COPY from S3, so being told that is
/// being logged in.
#[tokio::test]
async fn logins_go_over_tls_to_a_server_that_is_trusted() {
    let rig = Rig::start().await;
    let server = Postgres::with_tls(HOST);
    server.sql("CREATE TABLE orders (id integer)");
    let mut settings = settings(server.port, rig.cluster.role());
    settings.plaintext = false;
    let object = batch(1, row(1));
    failed(rig.with(settings.clone()).deliver(&object).await, "Redshift.ConnectionFailed");
    settings.ca_pem = Some(server.certificate());
    failed(rig.with(settings.clone()).deliver(&object).await, "Redshift.SyntaxError");
    // The certificate is for another name.
    settings.redshift.host = "127.0.0.1".to_owned();
    failed(rig.with(settings).deliver(&object).await, "Redshift.ConnectionFailed");
    assert_eq!(server.sql("SELECT count(*) FROM hydrant_ledger"), ["0"]);
}
