//! A cluster that stands in for Redshift, S3 to stage in, and batches for both.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hydrant::definition::{Login, Redshift as Target, S3Destination, Secret, testing};
use hydrant::deliver::client::{Client, Egress};
use hydrant::deliver::redshift::{RedshiftDestination, Settings};
use hydrant::deliver::testing::Reader;
use hydrant::deliver::{
    Checksums, Credentials, DeliveryError, Destination, Endpoint, Policy, Receipt, S3, Secrets, Settings as S3Settings,
    Verdict,
};
use hydrant::record::{Object, Partition, Seal, StreamId};
use hydrant::runtime::{ManualClock, Random};
use hydrant_tests::peers::{DATABASE, PASSWORD, Redshift, S3Peer, USER, versitygw};
use uuid::Uuid;

pub(crate) const BUCKET: &str = "staging";
/// Of the stream `orders-stream`.
pub(super) const LEDGER: &str = "hydrant_ledger_orders_stream";
pub(super) const HOST: &str = "shop.abc123.eu-west-1.redshift.example.com";
pub(super) const FLOOR: Duration = Duration::from_millis(3);
/// A healthy peer answers within a second; this tells slow from broken.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);
/// 2026-11-21T05:00:00Z.
pub(super) const ARRIVED_MS: u64 = 1_795_237_200_000;

/// A cluster with a table, and staging for it.
pub(crate) struct Rig {
    /// Stops when dropped.
    _s3: S3Peer,
    pub(crate) cluster: Redshift,
    pub(crate) staging: Arc<S3>,
    pub(super) reader: Reader,
}

impl Rig {
    pub(crate) async fn start() -> Self {
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

    pub(crate) fn settings(&self) -> Settings {
        settings(self.cluster.port(), self.cluster.role())
    }

    pub(super) fn destination(&self) -> RedshiftDestination {
        self.with(self.settings())
    }

    pub(super) fn with(&self, settings: Settings) -> RedshiftDestination {
        destination(settings, Arc::clone(&self.staging) as Arc<dyn Destination>, Secrets::new(None))
    }

    pub(super) fn rows(&self) -> Vec<String> {
        self.cluster.postgres.sql("SELECT id, item FROM orders ORDER BY id")
    }

    pub(crate) fn ledger(&self) -> Vec<String> {
        self.cluster.postgres.sql(&format!("SELECT batch, stream, loaded_at FROM {LEDGER} ORDER BY batch"))
    }
}

pub(super) fn settings(port: u16, role: &str) -> Settings {
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
    let staging = S3Destination { bucket: BUCKET.to_owned(), prefix: "shops/".to_owned(), ..testing::s3() };
    let mut settings = Settings::new(redshift, staging, StreamId(7), "orders-stream");
    settings.retry_interval = FLOOR;
    settings.plaintext = true;
    settings
}

pub(crate) fn destination(settings: Settings, staging: Arc<dyn Destination>, secrets: Secrets) -> RedshiftDestination {
    let loopback: IpAddr = "127.0.0.1".parse().unwrap();
    let resolve = BTreeMap::from([(HOST.to_owned(), loopback)]);
    let egress = Egress { allow: vec![(loopback, 32)], plaintext: true, ca_pem: None, resolve };
    let clock = Arc::new(ManualClock::at(ARRIVED_MS));
    RedshiftDestination::new(settings, staging, Client::new(egress).unwrap(), secrets, clock).unwrap()
}

/// A sealed batch of the stream; `number` is its identity.
pub(super) fn batch(number: u128, body: impl Into<Vec<u8>>) -> Object {
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

pub(super) fn row(id: u32) -> String {
    format!("{{\"id\":{id},\"item\":\"it's no. {id}\"}}\n")
}

pub(super) fn name(key: &str) -> &str {
    key.rsplit('/').next().unwrap()
}

/// Fails with this code, and is to be repeated after the retry interval.
pub(super) fn failed(outcome: Result<Receipt, DeliveryError>, code: &str) -> String {
    let error = outcome.unwrap_err();
    assert_eq!((error.code, error.verdict), (code, Verdict::Retry(Some(FLOOR))), "{error}");
    error.text
}
