//! A TCP proxy that misbehaves on command: it cuts a connection before the request reaches the server, or after the
//! server has carried it out, or holds it for ever.
//!
//! It knows just enough HTTP/1.1 to tell requests on one connection apart: a client speaks again only after its answer.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::{JoinHandle, JoinSet};

/// An answer that is lost is read up to here; those of uploads are a few hundred bytes.
const MOST_LOST_BYTES: usize = 1 << 20;

/// The proxy; stops when dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    script: Arc<Mutex<Script>>,
    held: Arc<Notify>,
    serving: JoinHandle<()>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    LoseRequest,
    LoseAnswer,
    Hold,
}

#[derive(Debug, Default)]
struct Script {
    /// Method, text in the request line, how many requests are still to meet the fault.
    faults: Vec<(&'static str, &'static str, usize, Fault)>,
    requests: Vec<String>,
}

impl Proxy {
    /// Listens on a free loopback port and forwards to `server`.
    pub async fn start(server: &str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("loopback has free ports");
        let address = listener.local_addr().expect("a bound socket has an address");
        let (script, held): (Arc<Mutex<Script>>, Arc<Notify>) = (Arc::default(), Arc::default());
        let (server, shared, told) = (server.to_owned(), Arc::clone(&script), Arc::clone(&held));
        let serving = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let (server, script, held) = (server.clone(), Arc::clone(&shared), Arc::clone(&told));
                connections.spawn(async move {
                    // However it ends, both sockets close.
                    let _ended = forward(client, &server, &script, &held).await;
                });
            }
        });
        Self { address, script, held, serving }
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Loses the answers to the next `count` requests with this method whose request line contains `part`.
    pub fn lose_answers(&self, method: &'static str, part: &'static str, count: usize) {
        lock(&self.script).faults.push((method, part, count, Fault::LoseAnswer));
    }

    /// Loses the next `count` such requests before they reach the server.
    pub fn lose_requests(&self, method: &'static str, part: &'static str, count: usize) {
        lock(&self.script).faults.push((method, part, count, Fault::LoseRequest));
    }

    /// Holds the next such request for ever.
    pub fn hold(&self, method: &'static str, part: &'static str) {
        lock(&self.script).faults.push((method, part, 1, Fault::Hold));
    }

    /// Resolves once a request is held; each that is resolves it once.
    pub async fn holding(&self) {
        self.held.notified().await;
    }

    /// Misbehaves no more.
    pub fn mend(&self) {
        lock(&self.script).faults.clear();
    }

    /// Requests so far with this method whose request line contains `part`.
    pub fn requests(&self, method: &str, part: &str) -> usize {
        let script = lock(&self.script);
        script.requests.iter().filter(|line| line.starts_with(method) && line.contains(part)).count()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn lock(script: &Mutex<Script>) -> MutexGuard<'_, Script> {
    script.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn forward(mut client: TcpStream, server: &str, script: &Mutex<Script>, held: &Notify) -> std::io::Result<()> {
    let mut server = TcpStream::connect(server).await?;
    let (mut client_in, mut client_out) = client.split();
    let (mut server_in, mut server_out) = server.split();
    let (mut up, mut down) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    // The request being answered; `None` after an answer began, until the client speaks again.
    let mut request: Option<String> = None;
    let mut head: Vec<u8> = Vec::new();
    loop {
        tokio::select! {
            read = client_in.read(&mut up) => {
                let chunk = &up[..read?];
                if chunk.is_empty() {
                    return Ok(());
                }
                if request.is_none() {
                    head.extend_from_slice(chunk);
                    if let Some(end) = head.iter().position(|byte| *byte == b'\n') {
                        let line = String::from_utf8_lossy(&head[..end]).trim_end().to_owned();
                        lock(script).requests.push(line.clone());
                        if takes(script, &line, Fault::LoseRequest) {
                            return Ok(());
                        }
                        if takes(script, &line, Fault::Hold) {
                            held.notify_one();
                            return std::future::pending().await;
                        }
                        request = Some(line);
                        head.clear();
                    }
                }
                server_out.write_all(chunk).await?;
            }
            read = server_in.read(&mut down) => {
                let chunk = &down[..read?];
                if chunk.is_empty() {
                    return Ok(());
                }
                let only_invites = chunk.starts_with(b"HTTP/1.1 100");
                if let Some(line) = request.take_if(|_| !only_invites)
                    && takes(script, &line, Fault::LoseAnswer)
                {
                    return read_to_the_end(&mut server_in, chunk.to_vec()).await;
                }
                client_out.write_all(chunk).await?;
            }
        }
    }
}

/// Reads the rest of an answer. A server may begin one before it is done (a completed upload that takes long), so only
/// the answer's end says that the request was carried out.
async fn read_to_the_end(server: &mut (impl AsyncReadExt + Unpin), mut answer: Vec<u8>) -> std::io::Result<()> {
    let mut more = vec![0; 64 * 1024];
    while !is_whole(&answer) && answer.len() < MOST_LOST_BYTES {
        let read = server.read(&mut more).await?;
        if read == 0 {
            break;
        }
        answer.extend_from_slice(&more[..read]);
    }
    Ok(())
}

/// Whether an answer's body has come as far as its head says.
fn is_whole(answer: &[u8]) -> bool {
    let Some(end) = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { return false };
    let (head, body) = answer.split_at(end + 4);
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let value = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    match value("content-length:").and_then(|length| length.parse().ok()) {
        Some(length) => body.len() >= length,
        None if value("transfer-encoding:") == Some("chunked") => body.ends_with(b"0\r\n\r\n"),
        // No body (204), or one that ends with the connection.
        None => true,
    }
}

/// Whether a request meets this fault, which is used up by it.
fn takes(script: &Mutex<Script>, line: &str, fault: Fault) -> bool {
    let mut script = lock(script);
    let found = script
        .faults
        .iter_mut()
        .find(|(method, part, left, of)| *of == fault && *left > 0 && line.starts_with(method) && line.contains(part));
    match found {
        Some((_, _, left, _)) => {
            *left -= 1;
            true
        }
        None => false,
    }
}
