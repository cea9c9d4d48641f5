//! An HTTP endpoint by the receiving side's own specification: it checks every header and the whole body, keeps each
//! request id once, and misbehaves on demand.

use std::collections::{BTreeMap, VecDeque};
use std::io::Read;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Deserialize;
use tokio::task::JoinHandle;

use super::http1::{Authority, Connection, Received, accept, answer};

/// The name in the receiver's certificate.
const NAME: &str = "hook.example";

/// Limits of the specification.
const MOST_RECORDS: usize = 10_000;
const MOST_BODY_BYTES: usize = 64 << 20;
const MOST_DATA_CHARACTERS: usize = 1_365_336;
const MOST_ATTRIBUTES: usize = 50;

/// What the receiver does instead of taking a request and saying so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointFault {
    /// Reads, and says nothing.
    Silent,
    /// Reads, and hangs up.
    Cut,
    /// Hangs up within the answer.
    CutAnswer,
    /// Takes the records, and hangs up without saying so.
    LoseAnswer,
    /// 413 after the head, before the body.
    TooLarge,
    /// This status, with a well-formed body.
    Status(u16),
    /// 307 to another place.
    Redirect,
    /// Another request's id.
    OtherId,
    /// `text/plain`.
    OtherType,
    /// A member that the specification does not know.
    ExtraMember,
    /// Chunks instead of a length.
    NoLength,
    /// More than 1 MiB of answer.
    Oversize,
}

/// The receiver; stops when dropped.
#[derive(Debug)]
pub struct HttpEndpointReceiver {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    serving: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct State {
    access_key: Option<String>,
    faults: VecDeque<EndpointFault>,
    kept: BTreeMap<String, Vec<Vec<u8>>>,
    requests: Vec<(String, Vec<u8>)>,
    heads: Vec<Received>,
    violations: Vec<String>,
}

impl HttpEndpointReceiver {
    /// Listens on a free loopback port as [`Self::host`], with a certificate of `authority`.
    pub async fn start(authority: &Authority) -> Self {
        let state: Arc<Mutex<State>> = Arc::default();
        let shared = Arc::clone(&state);
        let serve = move |connection| serve(connection, Arc::clone(&shared));
        let (address, serving) = accept(authority, NAME, serve).await;
        Self { address, state, serving }
    }

    /// The name in its certificate, which has to be resolved to 127.0.0.1.
    pub fn host(&self) -> &'static str {
        NAME
    }

    /// Where it listens; the query string must arrive as it is.
    pub fn url(&self) -> String {
        format!("https://{NAME}:{}/in?token=a%2Fb", self.address.port())
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Wants this access key, or none, from now on.
    pub fn want_access_key(&self, key: Option<&str>) {
        lock(&self.state).access_key = key.map(str::to_owned);
    }

    /// The next requests meet these, one each.
    pub fn misbehave(&self, faults: &[EndpointFault]) {
        lock(&self.state).faults.extend(faults);
    }

    /// What was taken, by request id.
    pub fn kept(&self) -> BTreeMap<String, Vec<Vec<u8>>> {
        lock(&self.state).kept.clone()
    }

    /// Id and body of every well-formed request, as it came.
    pub fn requests(&self) -> Vec<(String, Vec<u8>)> {
        lock(&self.state).requests.clone()
    }

    /// Heads of all requests.
    pub fn heads(&self) -> Vec<Received> {
        lock(&self.state).heads.clone()
    }

    /// What the sender did that the specification does not allow.
    pub fn violations(&self) -> Vec<String> {
        lock(&self.state).violations.clone()
    }
}

impl Drop for HttpEndpointReceiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Body {
    request_id: String,
    timestamp: u64,
    records: Vec<Record>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    data: String,
}

async fn serve(mut connection: Connection, state: Arc<Mutex<State>>) {
    while let Some(mut request) = connection.head().await {
        let fault = {
            let mut state = lock(&state);
            state.heads.push(request.clone());
            state.faults.pop_front()
        };
        if fault == Some(EndpointFault::TooLarge) {
            connection.send(b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
            // Closing on unread bytes would reset the connection, and the answer with it.
            return connection.until_closed().await;
        }
        if connection.body(&mut request).await.is_none() {
            lock(&state).violations.push(format!("no body of a known length: {:?}", request.headers));
            return;
        }
        let key = lock(&state).access_key.clone();
        if request.header("x-amz-firehose-access-key") != key.as_deref() {
            connection.send(&said("401 Unauthorized", &request, r#","errorMessage":"wrong access key""#)).await;
            continue;
        }
        let records = match checked(&request) {
            Ok(records) => records,
            Err(violation) => {
                lock(&state).violations.push(violation);
                connection.send(&said("400 Bad Request", &request, "")).await;
                continue;
            }
        };
        let id = request.header("x-amz-firehose-request-id").unwrap_or_default().to_owned();
        let takes = matches!(fault, None | Some(EndpointFault::LoseAnswer));
        {
            let mut state = lock(&state);
            state.requests.push((id.clone(), request.body.clone()));
            if takes && state.kept.get(&id).is_some_and(|known| *known != records) {
                state.violations.push(format!("request {id} came with other records than before"));
            }
            if takes {
                state.kept.insert(id, records);
            }
        }
        if !react(&mut connection, &request, fault).await {
            return;
        }
    }
}

/// Answers; false when the connection ends.
async fn react(connection: &mut Connection, request: &Received, fault: Option<EndpointFault>) -> bool {
    let ok = said("200 OK", request, "");
    let bytes = match fault {
        None => ok,
        Some(EndpointFault::Silent) => {
            connection.until_closed().await;
            return false;
        }
        Some(EndpointFault::Cut | EndpointFault::LoseAnswer | EndpointFault::TooLarge) => return false,
        Some(EndpointFault::CutAnswer) => {
            connection.send(&ok[..ok.len() - 5]).await;
            return false;
        }
        Some(EndpointFault::Status(status)) => {
            said(&format!("{status} As Asked"), request, r#","errorMessage":"as asked""#)
        }
        Some(EndpointFault::Redirect) => {
            b"HTTP/1.1 307 There\r\nlocation: https://hook.example/other\r\ncontent-length: 0\r\n\r\n".to_vec()
        }
        Some(EndpointFault::OtherId) => {
            let body = r#"{"requestId":"00000000-0000-0000-0000-000000000000","timestamp":1}"#;
            answer("200 OK", "application/json", body)
        }
        Some(EndpointFault::OtherType) => replaced(&ok, "application/json", "text/plain; chars"),
        Some(EndpointFault::ExtraMember) => said("200 OK", request, r#","status":"fine""#),
        Some(EndpointFault::NoLength) => {
            let body = body_of(request, "");
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
            format!("{head}{:x}\r\n{body}\r\n0\r\n\r\n", body.len()).into_bytes()
        }
        Some(EndpointFault::Oversize) => {
            let padding = " ".repeat(1 << 20);
            answer("200 OK", "application/json", &format!("{}{padding}", body_of(request, "")))
        }
    };
    connection.send(&bytes).await;
    true
}

fn body_of(request: &Received, more: &str) -> String {
    let id = request.header("x-amz-firehose-request-id").unwrap_or_default();
    format!(r#"{{"requestId":"{id}","timestamp":1700000000000{more}}}"#)
}

fn said(status: &str, request: &Received, more: &str) -> Vec<u8> {
    answer(status, "application/json", &body_of(request, more))
}

fn replaced(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    String::from_utf8_lossy(bytes).replace(from, to).into_bytes()
}

/// The records of a request, if everything about it is as specified.
fn checked(request: &Received) -> Result<Vec<Vec<u8>>, String> {
    let demand = |holds: bool, what: &str| if holds { Ok(()) } else { Err(format!("{what}: {:?}", request.headers)) };
    demand(request.method == "POST", "not a POST")?;
    demand(request.target == "/in?token=a%2Fb", "the URL is not as configured")?;
    demand(request.header("host").is_some_and(|host| host.starts_with("hook.example:")), "another host")?;
    demand(request.header("content-type") == Some("application/json"), "Content-Type")?;
    demand(request.header("x-amz-firehose-protocol-version") == Some("1.0"), "protocol version")?;
    let arn = request.header("x-amz-firehose-source-arn").unwrap_or_default();
    demand(arn.starts_with("arn:aws:firehose:") && arn.contains(":deliverystream/"), "source ARN")?;
    let id = request.header("x-amz-firehose-request-id").unwrap_or_default();
    let is_guid = id.len() == 36 && id.split('-').map(str::len).eq([8, 4, 4, 4, 12]);
    demand(is_guid && id.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit()), "request id")?;
    if let Some((_, attributes)) = request.headers.iter().find(|(name, _)| name == "x-amz-firehose-common-attributes") {
        let read: serde_json::Value = serde_json::from_str(attributes).map_err(|error| error.to_string())?;
        let map = read["commonAttributes"].as_object().ok_or("no common attributes inside")?;
        let is_text = |value: &serde_json::Value| value.as_str().is_some_and(|text| text.chars().count() <= 1024);
        demand(!map.is_empty() && map.len() <= MOST_ATTRIBUTES && map.values().all(is_text), "common attributes")?;
    }
    demand(request.headers.iter().all(|(name, _)| name != "transfer-encoding"), "Transfer-Encoding")?;
    let text = match request.headers.iter().find(|(name, _)| name == "content-encoding") {
        None => request.body.clone(),
        Some((_, encoding)) if encoding == "gzip" => {
            let mut text = Vec::new();
            let mut reader = flate2::read::GzDecoder::new(&request.body[..]).take(MOST_BODY_BYTES as u64 + 1);
            reader.read_to_end(&mut text).map_err(|error| format!("not gzip: {error}"))?;
            text
        }
        Some((_, other)) => return Err(format!("Content-Encoding {other}")),
    };
    demand(text.len() <= MOST_BODY_BYTES, "a body over 64 MiB")?;
    let body: Body = serde_json::from_slice(&text).map_err(|error| format!("the body: {error}"))?;
    demand(body.request_id == id, "the body's requestId is not the header's")?;
    demand(body.timestamp > 1_000_000_000_000, "the timestamp is not in milliseconds")?;
    demand((1..=MOST_RECORDS).contains(&body.records.len()), "the number of records")?;
    let decode = |record: Record| {
        demand(record.data.len() <= MOST_DATA_CHARACTERS, "a record too long")?;
        base64_simd::STANDARD.decode_to_vec(record.data.as_bytes()).map_err(|error| format!("base64: {error}"))
    };
    body.records.into_iter().map(decode).collect()
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
