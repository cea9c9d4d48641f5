//! An S3 server in the process that misbehaves on command. It knows what delivery uses, checks no signature, and keeps
//! everything in memory.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, server::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::Notify;

use super::objects::{Peer, Stored};

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "named after S3's operations")]
pub enum Operation {
    Put,
    Head,
    Begin,
    Part,
    Complete,
    Abort,
    ListUploads,
    Other,
}

/// How to misbehave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Do it, then cut the connection instead of answering.
    ApplyThenCut,
    /// Read the request, do nothing, cut the connection.
    Cut,
    /// Do nothing and answer this status and error code.
    Answer(u16, &'static str),
    /// Do it and answer this status and error code all the same.
    ApplyThenAnswer(u16, &'static str),
    /// Do nothing and never answer.
    Stall,
}

/// The server; stops when dropped.
#[derive(Debug)]
pub struct Fake {
    address: SocketAddr,
    bucket: String,
    state: Arc<Mutex<State>>,
    stalled: Arc<Notify>,
    serving: tokio::task::JoinHandle<()>,
}

#[derive(Debug, Default)]
struct State {
    objects: BTreeMap<String, Stored>,
    metadata: HashMap<String, Vec<(String, String)>>,
    uploads: HashMap<String, Upload>,
    faults: Vec<(Operation, usize, Fault)>,
    counts: HashMap<Operation, usize>,
    /// Headers of the last request of each kind.
    headers: HashMap<Operation, hyper::HeaderMap>,
    next_upload: u32,
}

#[derive(Debug)]
struct Upload {
    key: String,
    stored: Stored,
    metadata: Vec<(String, String)>,
    parts: BTreeMap<u32, Bytes>,
}

impl Fake {
    /// Listens on a free loopback port and knows one bucket.
    pub async fn start(bucket: &str) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let (state, stalled): (Arc<Mutex<State>>, Arc<Notify>) = (Arc::default(), Arc::default());
        let serving = tokio::spawn(serve(listener, bucket.to_owned(), Arc::clone(&state), Arc::clone(&stalled)));
        Ok(Self { address, bucket: bucket.to_owned(), state, stalled, serving })
    }

    /// For an endpoint setting.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The next `count` requests of this kind go wrong. Later scripts wait for earlier ones.
    pub fn script(&self, operation: Operation, count: usize, fault: Fault) {
        lock(&self.state).faults.push((operation, count, fault));
    }

    /// Nothing goes wrong from now on.
    pub fn mend(&self) {
        lock(&self.state).faults.clear();
    }

    /// Resolves once a request stalls; each that does resolves it once.
    pub async fn stalling(&self) {
        self.stalled.notified().await;
    }

    /// Requests of this kind so far.
    pub fn count(&self, operation: Operation) -> usize {
        lock(&self.state).counts.get(&operation).copied().unwrap_or(0)
    }

    /// A header of the last request of this kind.
    pub fn header(&self, operation: Operation, name: &str) -> Option<String> {
        let state = lock(&self.state);
        state.headers.get(&operation)?.get(name)?.to_str().ok().map(str::to_owned)
    }

    /// Multipart uploads begun and neither completed nor aborted.
    pub fn unfinished(&self) -> usize {
        lock(&self.state).uploads.len()
    }

    /// Puts an object there as somebody else would.
    pub fn plant(&self, key: &str, body: &[u8]) {
        let stored = Stored {
            body: Bytes::copy_from_slice(body),
            content_type: None,
            content_encoding: None,
            batch: Some("somebody else's".to_owned()),
        };
        lock(&self.state).objects.insert(key.to_owned(), stored);
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

#[async_trait]
impl Peer for Fake {
    fn bucket(&self) -> &str {
        &self.bucket
    }

    async fn read(&self, key: &str) -> Option<Stored> {
        lock(&self.state).objects.get(key).cloned()
    }

    async fn keys(&self) -> Vec<String> {
        lock(&self.state).objects.keys().cloned().collect()
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(listener: TcpListener, bucket: String, state: Arc<Mutex<State>>, stalled: Arc<Notify>) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        let (bucket, state, stalled) = (bucket.clone(), Arc::clone(&state), Arc::clone(&stalled));
        connections.spawn(async move {
            let service = service_fn(|request| handle(request, &bucket, &state, &stalled));
            // An error here is a connection cut on purpose, or by the client.
            let _cut = http1::Builder::new().serve_connection(TokioIo::new(socket), service).await;
        });
    }
}

#[derive(Debug, thiserror::Error)]
#[error("cut on command")]
struct CutOnCommand;

async fn handle(
    request: Request<Incoming>,
    bucket: &str,
    state: &Mutex<State>,
    stalled: &Notify,
) -> Result<Response<Full<Bytes>>, CutOnCommand> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| CutOnCommand)?.to_bytes();
    let query: HashMap<String, String> = head.uri.query().unwrap_or_default().split('&').filter_map(pair).collect();
    let path = decoded(head.uri.path().trim_start_matches('/'));
    let (asked, key) = path.split_once('/').unwrap_or((&path, ""));
    let operation = operation(&head.method, &query);
    let fault = {
        let mut state = lock(state);
        *state.counts.entry(operation).or_default() += 1;
        state.headers.insert(operation, head.headers.clone());
        take_fault(&mut state.faults, operation)
    };
    if asked != bucket {
        return Ok(error(404, "NoSuchBucket"));
    }
    let act = || act(&mut lock(state), operation, key, &query, &head.headers, body.clone());
    match fault {
        None => Ok(act()),
        Some(Fault::Answer(status, code)) => Ok(error(status, code)),
        Some(Fault::ApplyThenAnswer(status, code)) => {
            drop(act());
            Ok(error(status, code))
        }
        Some(Fault::Cut) => Err(CutOnCommand),
        Some(Fault::ApplyThenCut) => {
            drop(act());
            Err(CutOnCommand)
        }
        Some(Fault::Stall) => {
            stalled.notify_one();
            std::future::pending().await
        }
    }
}

fn take_fault(faults: &mut [(Operation, usize, Fault)], operation: Operation) -> Option<Fault> {
    let at = faults.iter().position(|(of, left, _)| *of == operation && *left > 0)?;
    faults[at].1 -= 1;
    Some(faults[at].2)
}

fn operation(method: &Method, query: &HashMap<String, String>) -> Operation {
    let has = |name: &str| query.contains_key(name);
    match method.as_str() {
        "PUT" if has("uploadId") => Operation::Part,
        "PUT" => Operation::Put,
        "HEAD" => Operation::Head,
        "POST" if has("uploads") => Operation::Begin,
        "POST" if has("uploadId") => Operation::Complete,
        "DELETE" if has("uploadId") => Operation::Abort,
        "GET" if has("uploads") => Operation::ListUploads,
        _ => Operation::Other,
    }
}

fn act(
    state: &mut State,
    operation: Operation,
    key: &str,
    query: &HashMap<String, String>,
    headers: &hyper::HeaderMap,
    body: Bytes,
) -> Response<Full<Bytes>> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let describe = |body: Bytes| Stored {
        body,
        content_type: header("content-type"),
        content_encoding: header("content-encoding"),
        batch: header("x-amz-meta-hydrant-batch"),
    };
    let metadata = || {
        ["x-amz-meta-hydrant-batch", "x-amz-meta-hydrant-sha256"]
            .into_iter()
            .filter_map(|name| Some((name.to_owned(), header(name)?)))
            .collect::<Vec<_>>()
    };
    let id = query.get("uploadId").cloned().unwrap_or_default();
    match operation {
        Operation::Put => {
            state.metadata.insert(key.to_owned(), metadata());
            state.objects.insert(key.to_owned(), describe(body));
            answer(200, "", &[("etag", "\"1\"")])
        }
        Operation::Head => match state.objects.get(key) {
            None => answer(404, "", &[]),
            Some(stored) => {
                let known = state.metadata.get(key).into_iter().flatten();
                let sent: Vec<(&str, &str)> = known.map(|(name, value)| (name.as_str(), value.as_str())).collect();
                let mut answer = answer(200, "", &sent);
                answer.headers_mut().insert("content-length", stored.body.len().into());
                answer
            }
        },
        Operation::Begin => {
            state.next_upload += 1;
            let id = format!("upload-{}", state.next_upload);
            let upload = Upload {
                key: key.to_owned(),
                stored: describe(Bytes::new()),
                metadata: metadata(),
                parts: BTreeMap::new(),
            };
            state.uploads.insert(id.clone(), upload);
            let text =
                format!("<InitiateMultipartUploadResult><UploadId>{id}</UploadId></InitiateMultipartUploadResult>");
            answer(200, &text, &[])
        }
        Operation::Part => match (state.uploads.get_mut(&id), query.get("partNumber").and_then(|n| n.parse().ok())) {
            (Some(upload), Some(number)) => {
                upload.parts.insert(number, body);
                answer(200, "", &[("etag", &format!("\"part-{number}\""))])
            }
            _ => error(404, "NoSuchUpload"),
        },
        Operation::Complete => match state.uploads.remove(&id) {
            Some(mut upload) => {
                upload.stored.body = Bytes::from(upload.parts.values().flatten().copied().collect::<Vec<u8>>());
                state.metadata.insert(upload.key.clone(), upload.metadata);
                state.objects.insert(upload.key, upload.stored);
                answer(200, "<CompleteMultipartUploadResult><ETag>1</ETag></CompleteMultipartUploadResult>", &[])
            }
            None => error(404, "NoSuchUpload"),
        },
        Operation::Abort => match state.uploads.remove(&id) {
            Some(_) => answer(204, "", &[]),
            None => error(404, "NoSuchUpload"),
        },
        Operation::ListUploads => {
            let lines: String = state
                .uploads
                .iter()
                .map(|(id, upload)| format!("<Upload><Key>{}</Key><UploadId>{id}</UploadId><Initiated>1970-01-01T00:00:01Z</Initiated></Upload>", upload.key))
                .collect();
            answer(200, &format!("<ListMultipartUploadsResult>{lines}</ListMultipartUploadsResult>"), &[])
        }
        Operation::Other => error(501, "NotImplemented"),
    }
}

fn error(status: u16, code: &str) -> Response<Full<Bytes>> {
    answer(status, &format!("<Error><Code>{code}</Code><Message>on command</Message></Error>"), &[])
}

fn answer(status: u16, body: &str, headers: &[(&str, &str)]) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::copy_from_slice(body.as_bytes())));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (hyper::header::HeaderName::try_from(*name), value.parse()) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn pair(text: &str) -> Option<(String, String)> {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    (!name.is_empty()).then(|| (decoded(name), decoded(value)))
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let escape = after.get(..2).and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        match (first, escape) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
