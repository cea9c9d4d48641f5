//! One request, one answer. The address is checked where the connection is made, so nothing lies between the check and
//! its use. Refuses to retry; only a kept connection that was closed before it took the request is replaced by a new one.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderValue};
use hyper::http::response::Parts;
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::pool::{Connection, Key, Pool};
use super::resolve::{Resolver, System};
use super::{ClientError, Egress, SendError, SendErrorKind};

/// Names being resolved at a time. The system's resolver holds a thread for as long as DNS is silent.
pub(super) const MOST_RESOLVING: usize = 16;

/// Addresses of one name that are tried.
const MOST_ADDRESSES: usize = 4;

/// Longest time one address has to take the connection, so that a dead one leaves time for the next.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Most bytes of an answer's head: no service has a tenth of it.
const HEAD_BYTES: usize = 64 << 10;

/// Sends requests to addresses that a tenant can name. Cheap to clone; clones share connections.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    egress: Egress,
    resolver: Arc<dyn Resolver>,
    resolving: Arc<Semaphore>,
    tls: Arc<ClientConfig>,
    pool: Pool,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl Client {
    /// Makes a client that asks the system's resolver and trusts the system's roots.
    ///
    /// # Errors
    /// When the extra certificates are not usable.
    pub fn new(egress: Egress) -> Result<Self, ClientError> {
        Self::with_resolver(egress, Arc::new(System))
    }

    /// The same with another resolver for names that [`Egress::resolve`] does not hold.
    ///
    /// # Errors
    /// When the extra certificates are not usable.
    pub fn with_resolver(egress: Egress, resolver: Arc<dyn Resolver>) -> Result<Self, ClientError> {
        let tls = Arc::new(tls(egress.ca_pem.as_deref())?);
        let resolving = Arc::new(Semaphore::new(MOST_RESOLVING));
        Ok(Self { inner: Arc::new(Inner { egress, resolver, resolving, tls, pool: Pool::default() }) })
    }

    /// How TLS is spoken to such addresses, for protocols that are not HTTP.
    pub fn tls(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.inner.tls)
    }

    /// Sends `request`, which has an absolute URL, and reads the whole answer, of which head and body together have at
    /// most `most_bytes`. Whatever status is answered is an answer; redirects are not followed.
    ///
    /// # Errors
    /// What kept the answer away; [`SendErrorKind`] says what may be concluded.
    pub async fn send(
        &self,
        request: Request<Bytes>,
        limit: Duration,
        most_bytes: usize,
    ) -> Result<Response<Bytes>, SendError> {
        let key = self.key(request.uri())?;
        let was_sent = AtomicBool::new(false);
        let exchanging = Box::pin(self.exchange(&key, request, most_bytes, &was_sent));
        match timeout(limit, exchanging).await {
            Ok(answer) => answer,
            Err(_elapsed) => {
                let kind = SendErrorKind::TimedOut { was_sent: was_sent.load(Ordering::Relaxed) };
                Err(SendError::new(kind, &place(&key.host, key.port), format!("no answer within {limit:?}")))
            }
        }
    }

    /// Connects to a checked address of `host`, for protocols that are not HTTP.
    ///
    /// # Errors
    /// What kept the connection away.
    pub async fn connect(&self, host: &str, port: u16, limit: Duration) -> Result<TcpStream, SendError> {
        let place = place(host, port);
        match timeout(limit, self.dial(host, port)).await {
            Ok(stream) => stream,
            Err(_elapsed) => {
                let kind = SendErrorKind::TimedOut { was_sent: false };
                Err(SendError::new(kind, &place, format!("no connection within {limit:?}")))
            }
        }
    }

    /// Where a URL leads, if its scheme is allowed.
    pub(super) fn key(&self, url: &Uri) -> Result<Key, SendError> {
        let authority = url.authority().map_or("", |authority| authority.as_str());
        let host = url.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        let asked = place(&host, url.port_u16().unwrap_or(0));
        let is_encrypted = self
            .inner
            .egress
            .check_scheme(url.scheme_str())
            .map_err(|objection| SendError::new(SendErrorKind::Refused, &asked, objection.to_string()))?;
        // A user before the host is no part of where the connection goes, but reads as if it were.
        if host.is_empty() || authority.contains('@') {
            return Err(SendError::new(SendErrorKind::Refused, &asked, "the URL has no host, or a user name"));
        }
        let port = url.port_u16().unwrap_or(if is_encrypted { 443 } else { 80 });
        Ok(Key { is_encrypted, host, port })
    }

    async fn exchange(
        &self,
        key: &Key,
        request: Request<Bytes>,
        most_bytes: usize,
        was_sent: &AtomicBool,
    ) -> Result<Response<Bytes>, SendError> {
        let place = place(&key.host, key.port);
        let mut request = wire(request, key, &place)?;
        let mut kept = self.inner.pool.take(key);
        loop {
            let is_kept = kept.is_some();
            let mut connection = match kept.take() {
                Some(connection) => connection,
                None => self.open(key, &place).await?,
            };
            was_sent.store(true, Ordering::Relaxed);
            match connection.sender.try_send_request(request).await {
                Ok(answer) => {
                    let answer = read(answer, most_bytes, &place).await?;
                    self.inner.pool.put(key.clone(), connection);
                    return Ok(answer);
                }
                Err(mut failed) => {
                    let returned = failed.take_message();
                    let was_taken = returned.is_none();
                    was_sent.store(was_taken, Ordering::Relaxed);
                    match returned {
                        Some(unsent) if is_kept => request = unsent,
                        _ => return Err(broken(failed.error(), was_taken, &place)),
                    }
                }
            }
        }
    }

    /// A new connection, ready for a request.
    async fn open(&self, key: &Key, place: &str) -> Result<Connection, SendError> {
        let stream = self.dial(&key.host, key.port).await?;
        if !key.is_encrypted {
            return handshake(stream, place).await;
        }
        let fail = |detail: String| SendError::new(SendErrorKind::Tls, place, detail);
        let name = ServerName::try_from(key.host.clone()).map_err(|error| fail(error.to_string()))?;
        let connector = TlsConnector::from(Arc::clone(&self.inner.tls));
        match connector.connect(name, stream).await {
            Ok(stream) => handshake(stream, place).await,
            Err(error) => {
                let cause = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
                let is_unverified = matches!(cause, Some(rustls::Error::InvalidCertificate(_)));
                Err(SendError { is_unverified, ..fail(format!("no TLS connection: {error}")) })
            }
        }
    }

    /// Resolves, checks every address, and connects to one that was checked.
    async fn dial(&self, host: &str, port: u16) -> Result<TcpStream, SendError> {
        let place = place(host, port);
        let addresses = self.addresses(host, &place).await?;
        // A name that has one address inside is not to be trusted with the others.
        for &address in &addresses {
            self.inner
                .egress
                .check(address, port)
                .map_err(|objection| SendError::new(SendErrorKind::Refused, &place, objection.to_string()))?;
        }
        let mut last = String::from("the name has no address");
        for address in addresses.into_iter().take(MOST_ADDRESSES) {
            match timeout(CONNECT_TIMEOUT, TcpStream::connect(SocketAddr::new(address, port))).await {
                Ok(Ok(stream)) => {
                    // Requests are written in one piece; waiting for more to send only delays the last segment.
                    stream.set_nodelay(true).ok();
                    return Ok(stream);
                }
                Ok(Err(error)) => last = format!("{address} takes no connection: {error}"),
                Err(_elapsed) => last = format!("{address} takes no connection within {CONNECT_TIMEOUT:?}"),
            }
        }
        Err(SendError::new(SendErrorKind::Connect, &place, last))
    }

    async fn addresses(&self, host: &str, place: &str) -> Result<Vec<IpAddr>, SendError> {
        let fail = |detail: String| SendError::new(SendErrorKind::Unresolved, place, detail);
        let name = host.trim_end_matches('.').to_ascii_lowercase();
        if let Some(&address) = self.inner.egress.resolve.get(&name) {
            return Ok(vec![address]);
        }
        if let Ok(address) = host.parse() {
            return Ok(vec![address]);
        }
        let permit = Arc::clone(&self.inner.resolving).acquire_owned().await;
        let permit = permit.map_err(|error| fail(error.to_string()))?;
        let resolver = Arc::clone(&self.inner.resolver);
        let host = host.to_owned();
        // The permit lives as long as the thread does, also when nobody waits for it any more.
        let asking = tokio::task::spawn_blocking(move || {
            let answer = resolver.addresses(&host);
            drop(permit);
            answer
        });
        match asking.await {
            Ok(Ok(addresses)) if addresses.is_empty() => Err(fail("the name has no address".to_owned())),
            Ok(Ok(addresses)) => Ok(addresses),
            Ok(Err(error)) => Err(fail(format!("the name cannot be resolved: {error}"))),
            Err(error) => Err(fail(format!("the name cannot be resolved: {error}"))),
        }
    }

    #[cfg(test)]
    pub(super) fn idle_count(&self) -> usize {
        self.inner.pool.len()
    }
}

/// The request as it stands on the wire: path alone, and the host beside it.
fn wire(request: Request<Bytes>, key: &Key, place: &str) -> Result<Request<Full<Bytes>>, SendError> {
    let invalid = |detail: String| SendError::new(SendErrorKind::Invalid, place, detail);
    let mut request = request.map(Full::new);
    if !request.headers().contains_key(HOST) {
        let standard = if key.is_encrypted { 443 } else { 80 };
        let host = request.uri().host().unwrap_or_default();
        let text = if key.port == standard { host.to_owned() } else { format!("{host}:{}", key.port) };
        let value = HeaderValue::try_from(text).map_err(|error| invalid(error.to_string()))?;
        request.headers_mut().insert(HOST, value);
    }
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    *request.uri_mut() = path.parse().map_err(|error| invalid(format!("{error}")))?;
    Ok(request)
}

async fn handshake<S>(stream: S, place: &str) -> Result<Connection, SendError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let shaking =
        http1::Builder::new().max_buf_size(HEAD_BYTES).max_header_size(HEAD_BYTES).handshake(TokioIo::new(stream));
    let (sender, driver) = shaking.await.map_err(|error| broken(&error, false, place))?;
    let mut task = JoinSet::new();
    task.spawn(async move {
        // Whoever waits for an answer is told of the failure; nobody else cares.
        driver.await.ok();
    });
    Ok(Connection { sender, _task: task })
}

async fn read(answer: Response<Incoming>, most_bytes: usize, place: &str) -> Result<Response<Bytes>, SendError> {
    let too_large =
        || SendError::new(SendErrorKind::TooLarge, place, format!("the answer has more than {most_bytes} bytes"));
    let (parts, mut body) = answer.into_parts();
    let room = most_bytes.checked_sub(head_bytes(&parts)).ok_or_else(too_large)?;
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > room {
        return Err(too_large());
    }
    let mut held = BytesMut::with_capacity(announced);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| broken(&error, true, place))?;
        if let Some(data) = frame.data_ref() {
            if data.len() > room - held.len() {
                return Err(too_large());
            }
            held.extend_from_slice(data);
        }
    }
    Ok(Response::from_parts(parts, held.freeze()))
}

/// Bytes of an answer's head as HTTP/1.1 writes it, without the reason phrase.
fn head_bytes(parts: &Parts) -> usize {
    let lines = parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len());
    "HTTP/1.1 200 \r\n\r\n".len() + lines.sum::<usize>()
}

fn broken(error: &hyper::Error, was_sent: bool, place: &str) -> SendError {
    let kind = if error.is_parse_too_large() {
        SendErrorKind::TooLarge
    } else if error.is_parse() || error.is_user() {
        SendErrorKind::Invalid
    } else {
        SendErrorKind::Cut { was_sent }
    };
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    SendError::new(kind, place, format!("{error}{cause}"))
}

fn place(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// TLS as the SDK speaks it: its provider, and the system's roots from where it looks for them.
fn tls(ca_pem: Option<&[u8]>) -> Result<ClientConfig, ClientError> {
    let mut roots = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    // Some systems carry a certificate that cannot be read; the others serve.
    let (known, _unreadable) = roots.add_parsable_certificates(system.certs);
    if known == 0 {
        tracing::warn!("the system has no root certificates: only those of egress.ca_file are trusted");
    }
    if let Some(pem) = ca_pem {
        let mut count = 0;
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| ClientError::Roots(error.to_string()))?;
            roots.add(certificate).map_err(|error| ClientError::Roots(error.to_string()))?;
            count += 1;
        }
        if count == 0 {
            return Err(ClientError::Roots("it holds no certificate".to_owned()));
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
