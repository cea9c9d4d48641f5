//! Serves the store over HTTP on a loopback address, to those who hold the generated key pair.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::service::Service;
use super::store::{Store, StoreError, sync_folder};
use crate::deliver::s3::Credentials;
use crate::runtime::Random;

/// What the server takes at most.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Connections served at once; more wait in the kernel's queue. Each holds at most about 2 MiB.
    pub(super) connections: usize,
    /// Body of one request.
    pub(super) body_bytes: u64,
}

/// 64 connections hold 128 MiB at worst; 5 GiB is S3's own limit for a single put.
pub(super) const LIMITS: Limits = Limits { connections: 64, body_bytes: 5 << 30 };

/// Time a client may take over its headers.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// The key id people see; the secret is generated.
const ACCESS_KEY_ID: &str = "hydrant";

/// Why the embedded server could not start.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// Anybody on the network could reach it.
    #[error("the embedded S3 server refuses to listen on {0}: it is for this machine only")]
    NotLoopback(SocketAddr),
    /// The address is taken or not ours.
    #[error("the embedded S3 server cannot listen on {address}")]
    Listen {
        /// As configured.
        address: SocketAddr,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// The folder cannot be used.
    #[error("the embedded S3 server cannot use {path}")]
    Folder {
        /// Folder or file.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// No S3 server takes such a bucket name.
    #[error(
        "Invalid bucket name {0}: 3 to 63 lower-case letters, digits, hyphens and dots, with a letter or digit at \
         either end"
    )]
    Name(String),
    /// A bucket could not be made.
    #[error("the embedded S3 server cannot make bucket {bucket}")]
    Bucket {
        /// Its name.
        bucket: String,
        /// The system's reason, when it has one.
        #[source]
        source: Option<io::Error>,
    },
}

/// The running server; dropping it stops it.
#[derive(Debug)]
pub struct Embedded {
    address: SocketAddr,
    credentials: Credentials,
    credentials_file: PathBuf,
    store: Arc<Store>,
    serving: tokio::task::JoinHandle<()>,
}

impl Embedded {
    /// Opens (or makes) the folder and serves it on `listen`, a loopback address.
    pub async fn start(directory: &Path, listen: SocketAddr, random: Arc<Random>) -> Result<Self, EmbeddedError> {
        Self::start_with(directory, listen, random, LIMITS).await
    }

    pub(super) async fn start_with(
        directory: &Path,
        listen: SocketAddr,
        random: Arc<Random>,
        limits: Limits,
    ) -> Result<Self, EmbeddedError> {
        if !listen.ip().is_loopback() {
            return Err(EmbeddedError::NotLoopback(listen));
        }
        let unusable = |source| EmbeddedError::Folder { path: directory.to_owned(), source };
        let folder = directory.to_owned();
        let opening = tokio::task::spawn_blocking(move || {
            let store = Store::open(&folder)?;
            let file = store.own("credentials");
            let credentials = credentials(&file)?;
            Ok((store, file, credentials))
        });
        let opened = opening.await.map_err(|error| unusable(io::Error::other(error)))?;
        let (store, credentials_file, credentials) = opened.map_err(unusable)?;
        let taken = |source| EmbeddedError::Listen { address: listen, source };
        let listener = TcpListener::bind(listen).await.map_err(taken)?;
        let address = listener.local_addr().map_err(taken)?;
        let store = Arc::new(store);
        let mut builder =
            S3ServiceBuilder::new(Service { store: Arc::clone(&store), random, most_body_bytes: limits.body_bytes });
        let secret = credentials.secret_access_key.expose_secret();
        builder.set_auth(SimpleAuth::from_single(credentials.access_key_id.as_str(), secret));
        let serving = tokio::spawn(serve(listener, builder.build(), limits.connections));
        Ok(Self { address, credentials, credentials_file, store, serving })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// For `--endpoint-url`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The key pair that is let in.
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// The key pair as a file for `AWS_SHARED_CREDENTIALS_FILE`; readable by the owner only.
    pub fn credentials_file(&self) -> &Path {
        &self.credentials_file
    }

    /// Makes a bucket unless it is there; durable on return.
    pub async fn ensure_bucket(&self, bucket: &str) -> Result<(), EmbeddedError> {
        let (store, name) = (Arc::clone(&self.store), bucket.to_owned());
        let failed = |source| EmbeddedError::Bucket { bucket: bucket.to_owned(), source };
        if !s3s::path::check_bucket_name(bucket) {
            return Err(EmbeddedError::Name(bucket.to_owned()));
        }
        match tokio::task::spawn_blocking(move || store.create_bucket(&name)).await {
            Ok(Ok(()) | Err(StoreError::Exists)) => Ok(()),
            Ok(Err(StoreError::Io(error))) => Err(failed(Some(error))),
            Ok(Err(_)) => Err(failed(None)),
            Err(error) => Err(failed(Some(io::Error::other(error)))),
        }
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, service: S3Service, most_connections: usize) {
    let places = Arc::new(Semaphore::new(most_connections));
    // Connections end with the server, because the set is dropped with it.
    let mut connections = JoinSet::new();
    loop {
        // The semaphore is never closed.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let socket = match listener.accept().await {
            Ok((socket, _)) => socket,
            Err(error) => {
                // Out of descriptors, mostly: give others time to close theirs instead of spinning.
                tracing::warn!(%error, "embedded S3 server cannot accept");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        while connections.try_join_next().is_some() {}
        let service = service.clone();
        connections.spawn(async move {
            let _place = place;
            // Answers must not wait for more data to fill a packet.
            let _best_effort = socket.set_nodelay(true);
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEADER_TIMEOUT)
                .serve_connection(TokioIo::new(socket), service);
            if let Err(error) = connection.await {
                tracing::debug!(%error, "connection to the embedded S3 server ended early");
            }
        });
    }
}

/// Reads the key pair, or generates it: a fixed one would let every user of the machine read the objects.
fn credentials(file: &Path) -> io::Result<Credentials> {
    let secret = match fs::read_to_string(file) {
        Ok(text) => text
            .lines()
            .find_map(|line| line.strip_prefix("aws_secret_access_key = "))
            .map(str::to_owned)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the credentials file holds no secret"))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => generate(file)?,
        Err(error) => return Err(error),
    };
    Ok(Credentials { access_key_id: ACCESS_KEY_ID.to_owned(), secret_access_key: SecretString::from(secret) })
}

fn generate(file: &Path) -> io::Result<String> {
    let mut bytes = [0; 24];
    // The generator for jitter and names is no source of secrets.
    fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    let secret = base64_simd::URL_SAFE_NO_PAD.encode_to_string(bytes);
    let beside = file.with_extension("new");
    let mut written = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    let text = format!("[default]\naws_access_key_id = {ACCESS_KEY_ID}\naws_secret_access_key = {secret}\n");
    written.write_all(text.as_bytes())?;
    written.sync_all()?;
    fs::rename(&beside, file)?;
    file.parent().map_or(Ok(()), sync_folder)?;
    Ok(secret)
}
