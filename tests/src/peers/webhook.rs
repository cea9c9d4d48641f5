//! A webhook: takes one message a request, knows nothing of Firehose, and answers with the statuses it is told to.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::JoinHandle;

use super::http1::{Authority, Connection, Received, accept};

/// The name in the receiver's certificate.
const NAME: &str = "chat.example";

/// The receiver; stops when dropped.
#[derive(Debug)]
pub struct Webhook {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    serving: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct State {
    statuses: VecDeque<u16>,
    requests: Vec<Received>,
}

impl Webhook {
    /// Listens on a free loopback port as [`Self::host`], with a certificate of `authority`.
    pub async fn start(authority: &Authority) -> Self {
        let state: Arc<Mutex<State>> = Arc::default();
        let shared = Arc::clone(&state);
        let (address, serving) =
            accept(authority, NAME, move |connection| serve(connection, Arc::clone(&shared))).await;
        Self { address, state, serving }
    }

    /// The name in its certificate, which has to be resolved to 127.0.0.1.
    pub fn host(&self) -> &'static str {
        NAME
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("https://{NAME}:{}/services/T0/B0/secret", self.address.port())
    }

    /// The next requests are answered with these statuses, one each; 429 asks for a pause of seven seconds.
    pub fn answer(&self, statuses: &[u16]) {
        lock(&self.state).statuses.extend(statuses);
    }

    /// Every request, in order.
    pub fn requests(&self) -> Vec<Received> {
        lock(&self.state).requests.clone()
    }
}

impl Drop for Webhook {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(mut connection: Connection, state: Arc<Mutex<State>>) {
    while let Some(mut request) = connection.head().await {
        if connection.body(&mut request).await.is_none() {
            return;
        }
        let status = {
            let mut state = lock(&state);
            state.requests.push(request);
            state.statuses.pop_front().unwrap_or(200)
        };
        let pause = if status == 429 { "retry-after: 7\r\n" } else { "" };
        // As plain as chat services answer: text, without a word of Firehose's.
        let body = if status == 204 { "" } else { "ok" };
        let length = body.len();
        let answer = format!(
            "HTTP/1.1 {status} As Asked\r\ncontent-type: text/html\r\n{pause}content-length: {length}\r\n\r\n{body}"
        );
        connection.send(answer.as_bytes()).await;
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
