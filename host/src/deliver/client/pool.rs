//! Connections that wait for another request to the same place: few, and not for long. Refuses to connect.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::SendRequest;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Connections kept in all: more than the destinations that a host of this size feeds at a time, each a socket and some
/// kilobytes.
pub(super) const MOST_IDLE: usize = 64;

/// Longest time one waits: below the minute after which most servers and middle boxes hang up, and short enough that a
/// name that moved is asked for again soon.
pub(super) const LONGEST_IDLE: Duration = Duration::from_secs(20);

/// Where a connection leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    /// Whether it is encrypted.
    pub(super) is_encrypted: bool,
    /// Host of the URL in lower case, without brackets.
    pub(super) host: String,
    /// Port.
    pub(super) port: u16,
}

/// An open connection; dropping it closes it at once.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) sender: SendRequest<Full<Bytes>>,
    /// Drives the socket; a set, because a set ends its tasks when it is dropped.
    pub(super) _task: JoinSet<()>,
}

#[derive(Debug)]
struct Idle {
    key: Key,
    connection: Connection,
    since: Instant,
}

/// Connections that nobody uses, oldest first.
#[derive(Debug, Default)]
pub(super) struct Pool {
    idle: Mutex<VecDeque<Idle>>,
}

impl Pool {
    /// The connection to `key` that was used last, if one is fit for another request.
    pub(super) fn take(&self, key: &Key) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|one| one.since.elapsed() < LONGEST_IDLE && !one.connection.sender.is_closed());
        let at = idle.iter().rposition(|one| one.key == *key && one.connection.sender.is_ready())?;
        Some(idle.remove(at)?.connection)
    }

    /// Keeps `connection` for another request; the one that waits longest makes room.
    pub(super) fn put(&self, key: Key, connection: Connection) {
        if connection.sender.is_closed() {
            return;
        }
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() >= MOST_IDLE {
            idle.pop_front();
        }
        idle.push_back(Idle { key, connection, since: Instant::now() });
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}
