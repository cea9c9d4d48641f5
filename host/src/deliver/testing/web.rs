//! An HTTP server in the process that answers as it is told, or does not. Refuses to understand what it is asked.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::Notify;

/// What one request is answered with.
#[derive(Debug)]
pub enum Reply {
    /// This.
    Answer(Response<Bytes>),
    /// The connection is cut.
    Cut,
    /// Nothing, for ever.
    Hang,
}

impl Reply {
    /// JSON with this status.
    pub fn json(status: u16, body: impl Into<String>) -> Self {
        let mut answer = Response::new(Bytes::from(body.into()));
        *answer.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        answer.headers_mut().insert("content-type", hyper::header::HeaderValue::from_static("application/json"));
        Self::Answer(answer)
    }
}

/// The server; stops when dropped.
#[derive(Debug)]
pub struct Web {
    address: SocketAddr,
    hanging: Arc<Notify>,
    serving: tokio::task::JoinHandle<()>,
}

impl Web {
    /// Listens on a free loopback port; `answer` is asked for each whole request.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn start(answer: impl Fn(Request<Bytes>) -> Reply + Send + Sync + 'static) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let (answer, hanging) = (Arc::new(answer), Arc::new(Notify::new()));
        let told = Arc::clone(&hanging);
        let serving = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                let (answer, told) = (Arc::clone(&answer), Arc::clone(&told));
                connections.spawn(async move {
                    let service = service_fn(|request| handle(request, answer.as_ref(), &told));
                    // An error here is a connection cut on purpose, or by the client.
                    let _cut = http1::Builder::new().serve_connection(TokioIo::new(socket), service).await;
                });
            }
        });
        Ok(Self { address, hanging, serving })
    }

    /// Scheme, host, port.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Resolves once a request hangs; each that does resolves it once.
    pub async fn hanging(&self) {
        self.hanging.notified().await;
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

#[derive(Debug, thiserror::Error)]
#[error("cut on command")]
struct CutOnCommand;

async fn handle(
    request: Request<Incoming>,
    answer: &(impl Fn(Request<Bytes>) -> Reply + Send + Sync),
    hanging: &Notify,
) -> Result<Response<Full<Bytes>>, CutOnCommand> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| CutOnCommand)?.to_bytes();
    match answer(Request::from_parts(head, body)) {
        Reply::Answer(answer) => Ok(answer.map(Full::new)),
        Reply::Cut => Err(CutOnCommand),
        Reply::Hang => {
            hanging.notify_one();
            std::future::pending().await
        }
    }
}
