//! Just enough HTTP/1.1 over TLS, from the receiving side, to check requests to the byte and to answer them wrongly.
//! Refuses to be lenient: a request that it cannot read ends the connection.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// Most bytes of a request's head, and of its body: more than any sender of ours may send.
const MOST_HEAD_BYTES: usize = 256 << 10;
const MOST_BODY_BYTES: usize = 80 << 20;

/// A certificate authority made for one test, and servers' certificates by it.
#[derive(Debug)]
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Authority {
    /// A new one that nobody trusts yet.
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::<String>::new()).expect("no names are legal names");
        // OpenSSL takes equal names of issuer and subject for a certificate that signed itself.
        params.distinguished_name.push(DnType::CommonName, "Hydrant test authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate().expect("a key can be made");
        Self { issuer: CertifiedIssuer::self_signed(params, key).expect("a certificate can be made") }
    }

    /// What trusts its servers, PEM.
    pub fn pem(&self) -> Vec<u8> {
        self.issuer.pem().into_bytes()
    }

    /// Serves TLS as `name`, and as 127.0.0.1 for clients that cannot be told what a name stands for.
    fn acceptor(&self, name: &str) -> TlsAcceptor {
        let key = KeyPair::generate().expect("a key can be made");
        let params = CertificateParams::new(vec![name.to_owned(), "127.0.0.1".to_owned()]).expect("a legal name");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate can be made");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider knows them")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
            .expect("the key belongs to the certificate");
        TlsAcceptor::from(Arc::new(config))
    }
}

/// A request as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// Method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Names in lower case, and values, as they came.
    pub headers: Vec<(String, String)>,
    /// The body; empty as long as it was not read.
    pub body: Vec<u8>,
}

impl Received {
    /// The value of a header that is there once.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str());
        values.next().filter(|_| values.next().is_none())
    }
}

/// One side of an accepted connection.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TlsStream<TcpStream>,
}

impl Connection {
    /// The next request's head, or none at the end.
    pub(super) async fn head(&mut self) -> Option<Received> {
        let mut text = Vec::new();
        while !text.ends_with(b"\r\n\r\n") {
            text.push(self.stream.read_u8().await.ok()?);
            if text.len() > MOST_HEAD_BYTES {
                return None;
            }
        }
        let text = String::from_utf8(text).ok()?;
        let mut lines = text.split("\r\n");
        let mut first = lines.next()?.split(' ');
        let (method, target, version) = (first.next()?, first.next()?, first.next()?);
        if version != "HTTP/1.1" || first.next().is_some() {
            return None;
        }
        let header = |line: &str| {
            let (name, value) = line.split_once(": ")?;
            Some((name.to_ascii_lowercase(), value.to_owned()))
        };
        let headers = lines.take_while(|line| !line.is_empty()).map(header).collect::<Option<_>>()?;
        Some(Received { method: method.to_owned(), target: target.to_owned(), headers, body: Vec::new() })
    }

    /// Reads the body that `request` announces.
    pub(super) async fn body(&mut self, request: &mut Received) -> Option<()> {
        let length: usize = request.header("content-length")?.parse().ok()?;
        if length > MOST_BODY_BYTES {
            return None;
        }
        request.body.resize(length, 0);
        self.stream.read_exact(&mut request.body).await.ok()?;
        Some(())
    }

    /// Sends bytes as they are; a sender that is gone is no failure of the receiver.
    pub(super) async fn send(&mut self, bytes: &[u8]) {
        if self.stream.write_all(bytes).await.is_ok() {
            self.stream.flush().await.ok();
        }
    }

    /// Waits until the other side closes.
    pub(super) async fn until_closed(&mut self) {
        let mut rest = [0; 4096];
        while matches!(self.stream.read(&mut rest).await, Ok(1..)) {}
    }
}

/// Accepts connections for `name` on a free loopback port and gives each to `serve`.
pub(super) async fn accept<F, R>(authority: &Authority, name: &str, serve: F) -> (SocketAddr, JoinHandle<()>)
where
    F: Fn(Connection) -> R + Send + Sync + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("loopback has free ports");
    let address = listener.local_addr().expect("a bound socket has an address");
    let acceptor = authority.acceptor(name);
    let serve = Arc::new(serve);
    let serving = tokio::spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, serve) = (acceptor.clone(), Arc::clone(&serve));
            connections.spawn(async move {
                // Who does not trust us hangs up.
                if let Ok(stream) = acceptor.accept(stream).await {
                    serve(Connection { stream }).await;
                }
            });
        }
    });
    (address, serving)
}

/// An answer with its length.
pub(super) fn answer(status: &str, content_type: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n\r\n{body}").into_bytes()
}
