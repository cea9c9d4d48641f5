//! Sockets: accepts connections, bounds them, and ends them in order (row A2).
//!
//! HTTP/1.1 only, so the attacks on streams within a connection do not exist here. Knows nothing of operations.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{debug, info, warn};

use super::backend::Backend;
use super::service::Api;
use super::settings::{Limits, Settings};
use crate::runtime::{Clock, Random};

/// Serves the API until `shutdown` completes, then lets requests under way finish within the grace period.
///
/// Returns when every connection is closed. Refused connections and broken requests are not errors.
pub async fn serve(
    listener: TcpListener,
    settings: Settings,
    backend: Arc<dyn Backend>,
    clock: Arc<dyn Clock>,
    random: Arc<Random>,
    shutdown: impl Future<Output = ()> + Send,
) {
    let api = Api::new(settings, backend, clock, random);
    let limits = api.settings.limits.clone();
    let gate = Gate::new(&limits);
    let (stop, stopping) = watch::channel(false);
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            Some(_ended) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((socket, peer)) => match gate.admit(peer.ip()) {
                Some(pass) => {
                    let connection = Connection { api: Arc::clone(&api), stopping: stopping.clone(), pass };
                    connections.spawn(connection.run(socket));
                }
                None => {
                    debug!(%peer, "connection refused: too many are open");
                    turn_away(&socket);
                }
            },
            Err(problem) => rest_after(&problem).await,
        }
    }
    drop(listener);
    // Nobody listening only means that there is nobody left to tell.
    stop.send_replace(true);
    info!(connections = connections.len(), "api stopped accepting");
    let drained = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(limits.shutdown_grace, drained).await.is_err() {
        warn!("api connections cut after the grace period");
        connections.shutdown().await;
    }
}

/// A connection that was reset before it was accepted costs nothing; a lack of file descriptors would spin.
async fn rest_after(problem: &io::Error) {
    if problem.kind() != io::ErrorKind::ConnectionAborted && problem.kind() != io::ErrorKind::ConnectionReset {
        warn!(%problem, "connection was not accepted");
        tokio::time::sleep(ACCEPT_REST).await;
    }
}

const ACCEPT_REST: Duration = Duration::from_millis(50);

/// Tells the caller to come back, if the socket takes it at once.
fn turn_away(socket: &TcpStream) {
    const ANSWER: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/x-amz-json-1.1\r\n\
        connection: close\r\ncontent-length: 63\r\n\r\n\
        {\"__type\":\"ServiceUnavailableException\",\"message\":\"Slow down.\"}";
    if let Err(problem) = socket.try_write(ANSWER) {
        debug!(%problem, "refused connection was not told why");
    }
}

struct Connection {
    api: Arc<Api>,
    stopping: watch::Receiver<bool>,
    pass: Pass,
}

impl Connection {
    async fn run(self, socket: TcpStream) {
        let Self { api, mut stopping, pass } = self;
        // Answers are written whole; waiting for more to send would only delay them.
        if let Err(problem) = socket.set_nodelay(true) {
            debug!(%problem, "connection keeps its delay");
        }
        let limits = &api.settings.limits;
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(limits.header_deadline)
            .max_headers(limits.header_count)
            .max_header_size(limits.header_bytes)
            .max_buf_size(READ_BUFFER_BYTES);
        let service = service_fn(|request| {
            let api = Arc::clone(&api);
            async move { Ok::<_, Infallible>(api.answer(request).await) }
        });
        let mut connection = pin!(builder.serve_connection(TokioIo::new(socket), service));
        let stop = async { stopping.wait_for(|stop| *stop).await.is_ok() };
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            _stopping = stop => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(problem) = ended {
            debug!(%problem, "connection ended early");
        }
        drop(pass);
    }
}

/// The most one connection's read buffer grows to: a usual batch in two reads, and 128 MiB for a full house.
const READ_BUFFER_BYTES: usize = 128 << 10;

/// Counts open connections, in total and by address.
#[derive(Clone, Debug)]
struct Gate {
    open: Arc<Mutex<Open>>,
    most: usize,
    most_per_address: usize,
}

#[derive(Debug, Default)]
struct Open {
    total: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// The right to keep a connection open; given back on drop.
#[derive(Debug)]
struct Pass {
    open: Arc<Mutex<Open>>,
    address: IpAddr,
}

impl Gate {
    fn new(limits: &Limits) -> Self {
        Self { open: Arc::default(), most: limits.connections, most_per_address: limits.connections_per_address }
    }

    fn admit(&self, address: IpAddr) -> Option<Pass> {
        let mut open = self.open.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let of_address = open.by_address.get(&address).copied().unwrap_or(0);
        if open.total >= self.most || of_address >= self.most_per_address {
            return None;
        }
        open.total += 1;
        open.by_address.insert(address, of_address + 1);
        Some(Pass { open: Arc::clone(&self.open), address })
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut open = self.open.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        open.total -= 1;
        if let Some(count) = open.by_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                open.by_address.remove(&self.address);
            }
        }
    }
}
