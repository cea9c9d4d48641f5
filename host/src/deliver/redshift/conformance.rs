//! The conformance suite, on a cluster in the process: as much of PostgreSQL's protocol and of COPY as the destination
//! uses, and staging in memory. The suite outside this crate has a real PostgreSQL.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use super::{RedshiftDestination, Settings};
use crate::definition::{Compression, Login, Redshift, S3Destination};
use crate::deliver::client::{Client, Egress};
use crate::deliver::testing::{Bench, DoesNotApply, Expected, Memory, Trouble, conformance, counted, lines};
use crate::deliver::{Destination, Secrets};
use crate::record::{Object, StreamId};
use crate::runtime::ManualClock;

const BUCKET: &str = "staging";
/// The request for TLS that comes before a startup message.
const TLS: [u8; 4] = 80_877_103_u32.to_be_bytes();

/// What is committed, and how the next session fares.
#[derive(Debug, Default)]
struct Tables {
    objects: Vec<Vec<u8>>,
    ledger: BTreeSet<String>,
    trouble: Option<Trouble>,
    /// The password's number.
    password: usize,
}

#[derive(Debug)]
struct Cluster {
    tables: Mutex<Tables>,
    staging: Arc<Memory>,
    flows: watch::Sender<bool>,
    hanging: Notify,
}

impl Cluster {
    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Objects of the manifest that a COPY names.
    fn staged(&self, copy: &str) -> Vec<Vec<u8>> {
        let bodies = self.staging.bodies();
        let body = |url: &str| bodies[url.strip_prefix("s3://staging/").unwrap()].to_vec();
        let manifest: Value = serde_json::from_slice(&body(copy.split('\'').nth(1).unwrap())).unwrap();
        manifest["entries"].as_array().unwrap().iter().map(|entry| body(entry["url"].as_str().unwrap())).collect()
    }

    async fn serve(&self, mut socket: TcpStream) -> io::Result<()> {
        loop {
            let startup = body(&mut socket).await?;
            if startup != TLS {
                break;
            }
            socket.write_all(b"N").await?;
        }
        // A password in clear text is asked for.
        say(&mut socket, b'R', &3_u32.to_be_bytes()).await?;
        let shown = message(&mut socket).await?.1;
        if shown != format!("password-{}\0", self.tables().password).as_bytes() {
            return say(&mut socket, b'E', b"SFATAL\0C28P01\0Mpassword authentication failed\0\0").await;
        }
        say(&mut socket, b'R', &0_u32.to_be_bytes()).await?;
        say(&mut socket, b'Z', b"I").await?;
        let (mut objects, mut batches) = (Vec::new(), Vec::new());
        loop {
            let (kind, text) = message(&mut socket).await?;
            if kind != b'Q' {
                return Ok(());
            }
            let text = String::from_utf8(text).unwrap();
            let text = text.trim_end_matches('\0');
            let trouble = self.tables().trouble;
            match text.split(' ').next().unwrap() {
                "SELECT" => {
                    // One column, of texts.
                    say(&mut socket, b'T', b"\0\x01batch\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0").await?;
                    let known = self.tables().ledger.clone();
                    for batch in known.iter().filter(|batch| text.contains(batch.as_str())) {
                        let row = [&b"\0\x01\0\0\0\x24"[..], batch.as_bytes()].concat();
                        say(&mut socket, b'D', &row).await?;
                    }
                }
                "COPY" if trouble == Some(Trouble::RefuseAll) => {
                    say(&mut socket, b'E', b"SERROR\0CXX000\0MCheck 'stl_load_errors' for details.\0\0").await?;
                    say(&mut socket, b'Z', b"E").await?;
                    continue;
                }
                "COPY" => {
                    if !*self.flows.borrow() {
                        self.hanging.notify_one();
                        self.flows.subscribe().wait_for(|flows| *flows).await.map_err(io::Error::other)?;
                    }
                    objects = self.staged(text);
                }
                "INSERT" => batches = text.split('\'').filter(|part| part.len() == 36).map(str::to_owned).collect(),
                "COMMIT" => {
                    let is_cut = !objects.is_empty() && trouble.is_some();
                    if is_cut && trouble == Some(Trouble::FailBefore) {
                        return Ok(());
                    }
                    self.tables().objects.append(&mut objects);
                    self.tables().ledger.extend(std::mem::take(&mut batches));
                    if is_cut {
                        return Ok(());
                    }
                }
                _ => {}
            }
            say(&mut socket, b'C', b"OK\0").await?;
            say(&mut socket, b'Z', b"I").await?;
        }
    }
}

/// What follows a length.
async fn body(socket: &mut TcpStream) -> io::Result<Vec<u8>> {
    let length = socket.read_u32().await?;
    let mut body = vec![0; length as usize - 4];
    socket.read_exact(&mut body).await?;
    Ok(body)
}

async fn message(socket: &mut TcpStream) -> io::Result<(u8, Vec<u8>)> {
    Ok((socket.read_u8().await?, body(socket).await?))
}

async fn say(socket: &mut TcpStream, kind: u8, body: &[u8]) -> io::Result<()> {
    let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
    socket.write_all(&[&[kind][..], &length, body].concat()).await
}

struct Desk {
    cluster: Arc<Cluster>,
    port: u16,
    secrets: TempDir,
    _serving: JoinSet<()>,
}

impl Desk {
    async fn new() -> Self {
        let (tables, flows) = (Mutex::default(), watch::Sender::new(true));
        let cluster = Cluster { tables, staging: Arc::new(Memory::new(BUCKET)), flows, hanging: Notify::new() };
        let cluster = Arc::new(cluster);
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (mut serving, shared) = (JoinSet::new(), Arc::clone(&cluster));
        serving.spawn(async move {
            let mut sessions = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                let cluster = Arc::clone(&shared);
                // However it ends, the socket closes.
                sessions.spawn(async move { cluster.serve(socket).await.is_ok() });
            }
        });
        let desk = Self { cluster, port, secrets: tempfile::tempdir().unwrap(), _serving: serving };
        desk.show();
        desk
    }

    /// Writes the password of the moment where the destination finds it.
    fn show(&self) {
        let number = self.cluster.tables().password;
        let text = format!(r#"{{"username":"loader","password":"password-{number}"}}"#);
        std::fs::write(self.secrets.path().join("cluster.json"), text).unwrap();
    }
}

#[async_trait(?Send)]
impl Bench for Desk {
    type Batch = Object;

    fn open(&self) -> Arc<dyn Destination> {
        let redshift = Redshift {
            jdbc_url: String::new(),
            host: "127.0.0.1".to_owned(),
            port: self.port,
            database: "dev".to_owned(),
            table: "orders".to_owned(),
            columns: String::new(),
            copy_options: "json 'auto'".to_owned(),
            role_arn: "arn:aws:iam::1:role/r".to_owned(),
            login: Login::Stored("arn:aws:secretsmanager:us-east-1:000000000000:secret:cluster".to_owned()),
            retry_seconds: 0,
        };
        let staging = S3Destination {
            bucket: BUCKET.to_owned(),
            prefix: String::new(),
            error_output_prefix: String::new(),
            buffer_bytes: 1,
            buffer_seconds: 1,
            compression: Compression::Uncompressed,
            file_extension: String::new(),
            time_zone: String::new(),
            kms_key_arn: None,
            sizes_compressed: false,
        };
        let settings = Settings { plaintext: true, ..Settings::new(redshift, staging, StreamId(1), "orders") };
        let allow = vec![("127.0.0.1".parse().unwrap(), 32)];
        let client = Client::new(Egress { allow, plaintext: true, ..Egress::default() }).unwrap();
        let secrets = Secrets::new(Some(self.secrets.path().to_owned()));
        let staging = Arc::clone(&self.cluster.staging) as Arc<dyn Destination>;
        Arc::new(RedshiftDestination::new(settings, staging, client, secrets, Arc::new(ManualClock::at(0))).unwrap())
    }

    fn batch(&self, number: u32) -> Object {
        lines(BUCKET, number)
    }

    async fn misbehave(&self, trouble: Trouble, _number: u32) -> Result<Expected, DoesNotApply> {
        let code = match trouble {
            Trouble::FailBefore | Trouble::CutAfter => "Redshift.ConnectionFailed",
            Trouble::RefuseAll => "Redshift.DataLoadFailed",
            Trouble::RefuseLogin => {
                self.cluster.tables().password += 1;
                return Ok(Expected::Retry("Redshift.AuthenticationFailed"));
            }
            Trouble::Hang => {
                self.cluster.flows.send_replace(false);
                return Ok(Expected::NoAnswer);
            }
            Trouble::RefuseOne(_) | Trouble::PutOffOne(_) => {
                return Err(DoesNotApply { because: "a COPY loads every row of its objects, or none" });
            }
        };
        self.cluster.tables().trouble = Some(trouble);
        Ok(Expected::Retry(code))
    }

    async fn mend(&self) {
        self.cluster.tables().trouble = None;
        self.cluster.flows.send_replace(true);
        self.show();
    }

    async fn hanging(&self) {
        self.cluster.hanging.notified().await;
    }

    async fn stored(&self, number: u32) -> Vec<usize> {
        let tables = self.cluster.tables();
        counted(number, tables.objects.iter().flat_map(|body| body.split_inclusive(|byte| *byte == b'\n')))
    }
}

/// Rows X2, X6, X7, X8 and X15.
#[tokio::test]
async fn conformance_of_redshift() {
    let desk = Desk::new().await;
    let report = conformance(&desk).await.unwrap();
    assert_eq!(report.left_out(), [Trouble::RefuseOne(1), Trouble::PutOffOne(1)]);
    let tables = desk.cluster.tables();
    assert_eq!(tables.ledger.len(), tables.objects.len());
}
