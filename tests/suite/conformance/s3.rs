//! S3 servers from other hands and the one inside, each behind a proxy that misbehaves.

use std::sync::Arc;

use async_trait::async_trait;
use hydrant::deliver::testing::{
    BATCHES, Bench, DoesNotApply, Expected, Peer, Reader, Trouble, conformance, counted, lines,
};
use hydrant::deliver::{Credentials, Destination, Embedded, Endpoint, Policy, S3, Settings};
use hydrant::record::Object;
use hydrant::runtime::Random;
use hydrant_tests::peers::{Proxy, S3Peer, s3proxy, versitygw};

struct Desk {
    s3: Arc<S3>,
    proxy: Proxy,
    settings: Settings,
    /// Reads behind the proxy's back; one bucket for each batch, so that one can be taken away.
    readers: Vec<Reader>,
}

fn bucket(number: u32) -> String {
    format!("conformance-{number}")
}

impl Desk {
    async fn new(address: &str, credentials: Credentials) -> Self {
        let mut settings = Settings::new(Endpoint::Url(format!("http://{address}")), "us-east-1");
        settings.plaintext = true;
        settings.credentials = Some(credentials);
        let mut readers = Vec::new();
        for number in 0..BATCHES {
            let reader = Reader::connect(&settings, &bucket(number)).await.unwrap();
            reader.client.create_bucket().bucket(bucket(number)).send().await.unwrap();
            readers.push(reader);
        }
        let proxy = Proxy::start(address).await;
        let behind = Settings { endpoint: Endpoint::Url(proxy.url()), ..settings.clone() };
        let s3 = S3::connect(behind, Policy::default(), Arc::new(Random::seeded(1))).await.unwrap();
        Self { s3: Arc::new(s3), proxy, settings, readers }
    }

    async fn of(peer: &S3Peer) -> Self {
        let (id, secret) = (peer.access_key_id.to_owned(), peer.secret_access_key.to_owned());
        Self::new(&peer.address, Credentials { access_key_id: id, secret_access_key: secret.into() }).await
    }
}

#[async_trait(?Send)]
impl Bench for Desk {
    type Batch = Object;

    fn open(&self) -> Arc<dyn Destination> {
        Arc::clone(&self.s3) as Arc<dyn Destination>
    }

    fn batch(&self, number: u32) -> Object {
        lines(&bucket(number), number)
    }

    async fn misbehave(&self, trouble: Trouble, number: u32) -> Result<Expected, DoesNotApply> {
        match trouble {
            Trouble::FailBefore => self.proxy.lose_requests("PUT", "conformance/", 1),
            Trouble::CutAfter => self.proxy.lose_answers("PUT", "conformance/", 1),
            Trouble::Hang => self.proxy.hold("PUT", "conformance/"),
            Trouble::RefuseAll => {
                let client = &self.readers[number as usize].client;
                client.delete_bucket().bucket(bucket(number)).send().await.unwrap();
            }
            Trouble::RefuseOne(_) | Trouble::PutOffOne(_) => {
                return Err(DoesNotApply { because: "an object is stored whole or not at all" });
            }
            Trouble::RefuseLogin => {
                return Err(DoesNotApply { because: "these servers know one key for as long as they run" });
            }
        }
        Ok(match trouble {
            Trouble::FailBefore => Expected::Retry("S3.ConnectionFailed"),
            Trouble::RefuseAll => Expected::Retry("S3.NoSuchBucket"),
            Trouble::Hang => Expected::NoAnswer,
            // The destination looks whether it is there.
            _ => Expected::Settled,
        })
    }

    async fn mend(&self) {
        self.proxy.mend();
        let client = Reader::connect(&self.settings, "").await.unwrap().client;
        for number in 0..BATCHES {
            if client.head_bucket().bucket(bucket(number)).send().await.is_err() {
                client.create_bucket().bucket(bucket(number)).send().await.unwrap();
            }
        }
    }

    async fn hanging(&self) {
        self.proxy.holding().await;
    }

    async fn stored(&self, number: u32) -> Vec<usize> {
        let reader = &self.readers[number as usize];
        let mut bodies = Vec::new();
        for key in reader.keys().await {
            bodies.push(reader.read(&key).await.unwrap().body);
        }
        counted(number, bodies.iter().flat_map(|body| body.split_inclusive(|byte| *byte == b'\n')))
    }
}

async fn conforms(desk: Desk) {
    let report = conformance(&desk).await.unwrap();
    let expected = [Trouble::RefuseOne(1), Trouble::PutOffOne(1), Trouble::RefuseLogin];
    assert_eq!(report.left_out(), expected);
}

/// Line 11 of the deliveries; rows X2, X7 and X8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conformance_of_s3_on_versitygw() {
    let peer = versitygw();
    conforms(Desk::of(&peer).await).await;
}

/// Line 11 of the deliveries; rows X2, X7 and X8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conformance_of_s3_on_s3proxy() {
    let peer = s3proxy();
    conforms(Desk::of(&peer).await).await;
}

/// Line 11 of the deliveries; rows X2, X7 and X8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conformance_of_s3_on_the_server_inside() {
    let folder = tempfile::tempdir().unwrap();
    let random = Arc::new(Random::seeded(1));
    let server = Embedded::start(folder.path(), ([127, 0, 0, 1], 0).into(), random).await.unwrap();
    let address = server.url().trim_start_matches("http://").to_owned();
    conforms(Desk::new(&address, server.credentials().clone()).await).await;
}
