//! Splunk's HTTP event collector with indexer acknowledgement, by its own documentation: it checks token, channel and
//! events, gives acknowledgements out once, and misbehaves on demand.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::task::JoinHandle;

use super::http1::{Authority, Connection, Received, accept, answer};
use super::install::python_with;

/// The name in the receiver's certificate.
const NAME: &str = "hec.example";

/// What the collector does instead of taking data and saying so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CollectorFault {
    /// Code 9.
    Busy,
    /// Code 1.
    TokenDisabled,
    /// Code 14.
    AckDisabled,
    /// Code 7.
    WrongIndex,
    /// Success without a number to ask for, as a token without acknowledgement gives it.
    NoAckId,
    /// Reads, and says nothing.
    Silent,
    /// Reads, and hangs up.
    Cut,
    /// Indexes, and hangs up without saying so.
    LoseAnswer,
    /// A page, as a proxy or another service shows it.
    Page,
}

/// How acknowledgements come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acknowledging {
    /// After so many questions in vain.
    After(u32),
    /// Not at all.
    Never,
    /// The question meets another indexer, which does not know the channel.
    Elsewhere,
    /// The question is not answered: 503.
    Busy,
}

/// The interpreter that has a collector's client from other hands: `splunk_hec_handler`. It sends events and polls no
/// acknowledgements; no client in the registries does.
pub fn splunk_hec_handler() -> PathBuf {
    python_with("splunk-hec-handler-1.2.0", &["splunk-hec-handler==1.2.0", "requests==2.34.2"])
}

/// The collector; stops when dropped.
#[derive(Debug)]
pub struct HecReceiver {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    serving: JoinHandle<()>,
}

#[derive(Debug)]
struct State {
    token: String,
    faults: VecDeque<CollectorFault>,
    acknowledging: Acknowledging,
    channels: BTreeMap<String, Channel>,
    indexed: Vec<Vec<u8>>,
    questions: usize,
    violations: Vec<String>,
}

#[derive(Debug, Default)]
struct Channel {
    next: u64,
    waiting: BTreeSet<u64>,
    asked: BTreeMap<u64, u32>,
}

impl HecReceiver {
    /// Listens on a free loopback port as [`Self::host`], with a certificate of `authority`; `token` is the only one
    /// it knows.
    pub async fn start(authority: &Authority, token: &str) -> Self {
        let state = Arc::new(Mutex::new(State {
            token: token.to_owned(),
            faults: VecDeque::new(),
            acknowledging: Acknowledging::After(1),
            channels: BTreeMap::new(),
            indexed: Vec::new(),
            questions: 0,
            violations: Vec::new(),
        }));
        let shared = Arc::clone(&state);
        let serve = move |connection| serve(connection, Arc::clone(&shared));
        let (address, serving) = accept(authority, NAME, serve).await;
        Self { address, state, serving }
    }

    /// The name in its certificate, which has to be resolved to 127.0.0.1.
    pub fn host(&self) -> &'static str {
        NAME
    }

    /// Scheme, host, port.
    pub fn url(&self) -> String {
        format!("https://{NAME}:{}", self.address.port())
    }

    /// Port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Knows this token alone from now on.
    pub fn want_token(&self, token: &str) {
        token.clone_into(&mut lock(&self.state).token);
    }

    /// The next batches meet these, one each.
    pub fn misbehave(&self, faults: &[CollectorFault]) {
        lock(&self.state).faults.extend(faults);
    }

    /// From now on.
    pub fn acknowledge(&self, how: Acknowledging) {
        lock(&self.state).acknowledging = how;
    }

    /// Bodies that were indexed, in order.
    pub fn indexed(&self) -> Vec<Vec<u8>> {
        lock(&self.state).indexed.clone()
    }

    /// How often an acknowledgement was asked for.
    pub fn questions(&self) -> usize {
        lock(&self.state).questions
    }

    /// Channels that were opened.
    pub fn channels(&self) -> Vec<String> {
        lock(&self.state).channels.keys().cloned().collect()
    }

    /// What the sender did that no collector would understand.
    pub fn violations(&self) -> Vec<String> {
        lock(&self.state).violations.clone()
    }
}

impl Drop for HecReceiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(mut connection: Connection, state: Arc<Mutex<State>>) {
    while let Some(mut request) = connection.head().await {
        if connection.body(&mut request).await.is_none() {
            lock(&state).violations.push(format!("no body of a known length: {:?}", request.headers));
            return;
        }
        let (answer, fault) = respond(&request, &mut lock(&state));
        match fault {
            Some(CollectorFault::Silent) => return connection.until_closed().await,
            Some(CollectorFault::Cut | CollectorFault::LoseAnswer) => return,
            _ => connection.send(&answer).await,
        }
    }
}

/// The answer, and the fault that it goes with.
fn respond(request: &Received, state: &mut State) -> (Vec<u8>, Option<CollectorFault>) {
    let path = request.target.split('?').next().unwrap_or_default();
    let token = match request.header("authorization") {
        None => return (reply(401, 2, "Token is required"), None),
        Some(value) => value.strip_prefix("Splunk "),
    };
    match token {
        None => return (reply(401, 3, "Invalid authorization"), None),
        Some(token) if token != state.token => return (reply(403, 4, "Invalid token"), None),
        Some(_) => {}
    }
    if request.method != "POST" {
        state.violations.push(format!("{} {}", request.method, request.target));
        return (answer("405 Method Not Allowed", "text/html", ""), None);
    }
    let query = request.target.split_once("channel=").map(|(_, channel)| channel);
    let channel = request.header("x-splunk-request-channel").or(query).map(str::to_owned);
    let Some(channel) = channel else { return (reply(400, 10, "Data channel is missing"), None) };
    if channel.len() != 36 || !channel.split('-').map(str::len).eq([8, 4, 4, 4, 12]) {
        return (reply(400, 11, "Invalid data channel"), None);
    }
    match path {
        "/services/collector/ack" => (acknowledgements(&channel, &request.body, state), None),
        "/services/collector/raw" => collect(&channel, request, state, |body| !body.is_empty()),
        "/services/collector/event" | "/services/collector/event/1.0" | "/services/collector" => {
            match event_error(&request.body) {
                None => collect(&channel, request, state, |_| true),
                Some((code, text)) => (reply(400, code, text), None),
            }
        }
        _ => {
            state.violations.push(format!("POST {}", request.target));
            (reply(404, 404, "The requested URL was not found on this server."), None)
        }
    }
}

fn collect(
    channel: &str,
    request: &Received,
    state: &mut State,
    has_data: impl Fn(&[u8]) -> bool,
) -> (Vec<u8>, Option<CollectorFault>) {
    if !has_data(&request.body) {
        return (reply(400, 5, "No data"), None);
    }
    let fault = state.faults.pop_front();
    let refusal = match fault {
        Some(CollectorFault::Busy) => Some(reply(503, 9, "Server is busy")),
        Some(CollectorFault::TokenDisabled) => Some(reply(403, 1, "Token disabled")),
        Some(CollectorFault::AckDisabled) => Some(reply(400, 14, "ACK is disabled")),
        Some(CollectorFault::WrongIndex) => Some(reply(400, 7, "Incorrect index")),
        Some(CollectorFault::Page) => Some(answer("200 OK", "text/html", "<html>Welcome</html>")),
        Some(CollectorFault::Silent | CollectorFault::Cut) => Some(Vec::new()),
        Some(CollectorFault::NoAckId | CollectorFault::LoseAnswer) | None => None,
    };
    if let Some(refusal) = refusal {
        return (refusal, fault);
    }
    state.indexed.push(request.body.clone());
    let channel = state.channels.entry(channel.to_owned()).or_default();
    let id = channel.next;
    channel.next += 1;
    channel.waiting.insert(id);
    let body = match fault {
        Some(CollectorFault::NoAckId) => r#"{"text":"Success","code":0}"#.to_owned(),
        _ => format!(r#"{{"text":"Success","code":0,"ackId":{id}}}"#),
    };
    (answer("200 OK", "application/json; charset=UTF-8", &body), fault)
}

fn acknowledgements(channel: &str, body: &[u8], state: &mut State) -> Vec<u8> {
    state.questions += 1;
    let asked: Option<Vec<u64>> = serde_json::from_slice::<Value>(body)
        .ok()
        .and_then(|question| question["acks"].as_array()?.iter().map(Value::as_u64).collect());
    let Some(asked) = asked else { return reply(400, 6, "Invalid data format") };
    let how = state.acknowledging;
    match how {
        Acknowledging::Elsewhere => return reply(400, 11, "Invalid data channel"),
        Acknowledging::Busy => return reply(503, 9, "Server is busy"),
        Acknowledging::After(_) | Acknowledging::Never => {}
    }
    let Some(channel) = state.channels.get_mut(channel) else { return reply(400, 11, "Invalid data channel") };
    let mut said = serde_json::Map::new();
    for id in asked {
        let count = channel.asked.entry(id).or_default();
        *count += 1;
        let is_due = matches!(how, Acknowledging::After(vain) if *count > vain);
        // What was said once is forgotten.
        said.insert(id.to_string(), Value::Bool(is_due && channel.waiting.remove(&id)));
    }
    answer("200 OK", "application/json; charset=UTF-8", &serde_json::json!({ "acks": said }).to_string())
}

/// The first thing wrong with concatenated events.
fn event_error(body: &[u8]) -> Option<(u32, &'static str)> {
    let mut count = 0;
    for event in serde_json::Deserializer::from_slice(body).into_iter::<Value>() {
        let Ok(Value::Object(event)) = event else { return Some((6, "Invalid data format")) };
        match event.get("event") {
            None => return Some((12, "Event field is required")),
            Some(Value::String(text)) if text.is_empty() => return Some((13, "Event field cannot be blank")),
            Some(Value::Null) => return Some((12, "Event field is required")),
            Some(_) => count += 1,
        }
    }
    if count == 0 { Some((5, "No data")) } else { None }
}

fn reply(status: u16, code: u32, text: &str) -> Vec<u8> {
    let body = serde_json::json!({ "text": text, "code": code }).to_string();
    answer(&format!("{status} Answer"), "application/json; charset=UTF-8", &body)
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
