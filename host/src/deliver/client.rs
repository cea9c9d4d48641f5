//! Outgoing connections to addresses that a tenant can name. The smallest version, until the one of all destinations
//! takes its place: it knows [`Client::connect`] only.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

/// Which addresses may be spoken to.
#[derive(Clone, Debug, Default)]
pub struct Egress {
    /// Networks beside the public ones: address and length of the prefix.
    pub allow: Vec<(IpAddr, u8)>,
    /// Connections without TLS are allowed.
    pub plaintext: bool,
    /// PEM certificates trusted beside the system's roots.
    pub ca_pem: Option<Vec<u8>>,
    /// Addresses of names that are not looked up.
    pub resolve: BTreeMap<String, IpAddr>,
}

/// Makes connections.
#[derive(Clone, Debug)]
pub struct Client {
    egress: Egress,
}

/// No client can be made.
#[derive(Debug, thiserror::Error)]
#[error("no client can be made of the settings")]
pub struct ClientError;

/// A connection that was not made.
#[derive(Debug, thiserror::Error)]
#[error("no connection: {kind:?}")]
pub struct SendError {
    /// Why.
    pub kind: SendErrorKind,
}

/// Why a connection was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendErrorKind {
    /// The address is not allowed.
    Refused,
    /// The name has no address.
    Unresolved,
    /// Nobody listens.
    Connect,
    /// Too slow.
    TimedOut {
        /// Whether something was sent.
        was_sent: bool,
    },
}

impl Client {
    /// A client for these addresses.
    ///
    /// # Errors
    /// None yet.
    pub fn new(egress: Egress) -> Result<Self, ClientError> {
        Ok(Self { egress })
    }

    /// A connection to an address that may be spoken to.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn connect(&self, host: &str, port: u16, timeout: Duration) -> Result<tokio::net::TcpStream, SendError> {
        let failed = |kind| SendError { kind };
        let Ok(connected) = tokio::time::timeout(timeout, self.dial(host, port)).await else {
            return Err(failed(SendErrorKind::TimedOut { was_sent: false }));
        };
        connected.map_err(failed)
    }

    async fn dial(&self, host: &str, port: u16) -> Result<tokio::net::TcpStream, SendErrorKind> {
        let address = match self.egress.resolve.get(host) {
            Some(address) => *address,
            None => {
                let mut found = tokio::net::lookup_host((host, port)).await.map_err(|_| SendErrorKind::Unresolved)?;
                found.next().ok_or(SendErrorKind::Unresolved)?.ip()
            }
        };
        if !self.egress.allow.iter().any(|(network, _)| *network == address) {
            return Err(SendErrorKind::Refused);
        }
        tokio::net::TcpStream::connect((address, port)).await.map_err(|_| SendErrorKind::Connect)
    }
}
