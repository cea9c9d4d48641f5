//! The client for addresses that a tenant can name. Smallest version, without TLS; refuses redirects and proxies.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Where requests may go.
#[derive(Clone, Debug, Default)]
pub struct Egress {
    /// Ranges allowed beside public addresses.
    pub allow: Vec<(IpAddr, u8)>,
    /// `http://` is allowed.
    pub plaintext: bool,
    /// Certificates trusted beside the system's roots.
    pub ca_pem: Option<Vec<u8>>,
    /// Names answered from here.
    pub resolve: BTreeMap<String, IpAddr>,
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
#[error("the client cannot be made")]
pub struct ClientError;

/// The client.
#[derive(Clone, Debug)]
pub struct Client(Arc<Egress>);

/// A request without an answer.
#[derive(Debug, thiserror::Error)]
#[error("{kind:?}")]
pub struct SendError {
    /// What happened.
    pub kind: SendErrorKind,
}

/// What happened to a request without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "replaced at the merge")]
pub enum SendErrorKind {
    Refused,
    Unresolved,
    Connect,
    Tls,
    TimedOut { was_sent: bool },
    Cut { was_sent: bool },
    TooLarge,
    Invalid,
}

impl Client {
    /// Makes it.
    pub fn new(egress: Egress) -> Result<Self, ClientError> {
        Ok(Self(Arc::new(egress)))
    }

    /// One request, one answer.
    pub async fn send(
        &self,
        request: Request<Bytes>,
        timeout: Duration,
        most_bytes: usize,
    ) -> Result<Response<Bytes>, SendError> {
        let (host, port) = match (request.uri().host(), request.uri().port_u16()) {
            (Some(host), port) => (host.to_owned(), port.unwrap_or(80)),
            _ => return Err(SendError { kind: SendErrorKind::Invalid }),
        };
        let sent = async {
            let socket = self.connect(&host, port, timeout).await?;
            let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(socket))
                .await
                .map_err(|_| SendError { kind: SendErrorKind::Connect })?;
            let mut request = request.map(Full::new);
            let path = request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned();
            *request.uri_mut() = path.parse().map_err(|_| SendError { kind: SendErrorKind::Invalid })?;
            let cut = |_| SendError { kind: SendErrorKind::Cut { was_sent: true } };
            let exchange = async {
                let answer = sender.send_request(request).await.map_err(cut)?;
                let (head, body) = answer.into_parts();
                match Limited::new(body, most_bytes).collect().await {
                    Ok(body) => Ok(Response::from_parts(head, body.to_bytes())),
                    Err(error) if error.is::<http_body_util::LengthLimitError>() => {
                        Err(SendError { kind: SendErrorKind::TooLarge })
                    }
                    Err(_) => Err(SendError { kind: SendErrorKind::Cut { was_sent: true } }),
                }
            };
            tokio::pin!(exchange);
            tokio::select! {
                done = &mut exchange => done,
                _ended = connection => exchange.await,
            }
        };
        tokio::time::timeout(timeout, sent)
            .await
            .unwrap_or(Err(SendError { kind: SendErrorKind::TimedOut { was_sent: true } }))
    }

    /// A connection to an address that may be named.
    pub async fn connect(&self, host: &str, port: u16, _timeout: Duration) -> Result<TcpStream, SendError> {
        let address: IpAddr = match self.0.resolve.get(host) {
            Some(address) => *address,
            None => host.parse().map_err(|_| SendError { kind: SendErrorKind::Unresolved })?,
        };
        if address.is_loopback() && !self.0.allow.iter().any(|(range, _)| range.is_loopback()) {
            return Err(SendError { kind: SendErrorKind::Refused });
        }
        TcpStream::connect((address, port)).await.map_err(|_| SendError { kind: SendErrorKind::Connect })
    }
}
