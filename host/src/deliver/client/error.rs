//! What can go wrong on the way out, by what the sender may conclude. Names host and port, never path, query, header or
//! body: all of them may hold secrets.

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The extra certificates are not PEM, or none is among them.
    #[error("the certificates of egress.ca_file cannot be used: {0}")]
    Roots(String),
    /// The TLS library refuses its own settings.
    #[error("TLS cannot be set up")]
    Tls(#[from] rustls::Error),
}

/// A request that was not answered as HTTP asks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {detail}")]
pub struct SendError {
    /// What may be concluded.
    pub kind: SendErrorKind,
    /// Host and port.
    pub(super) place: String,
    /// For people; no path, header or body.
    pub(super) detail: String,
    /// TLS came to nothing because of the peer's certificate.
    pub(super) is_unverified: bool,
}

impl SendError {
    pub(super) fn new(kind: SendErrorKind, place: &str, detail: impl Into<String>) -> Self {
        Self { kind, place: place.to_owned(), detail: detail.into(), is_unverified: false }
    }

    /// Whether the peer showed a certificate that is not trusted, or not for this host.
    pub fn is_unverified(&self) -> bool {
        self.is_unverified
    }
}

/// What a sender may conclude from a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SendErrorKind {
    /// The scheme, port or address is not allowed; nothing was sent. Only the operator or a new answer of DNS changes it.
    Refused,
    /// The name has no address at the moment; nothing was sent.
    Unresolved,
    /// No connection came about; nothing was sent.
    Connect,
    /// TLS came to nothing; nothing was sent.
    Tls,
    /// The time was over.
    TimedOut {
        /// Whether the request had been handed to the connection, so that the peer may have it.
        was_sent: bool,
    },
    /// The connection ended before the answer did.
    Cut {
        /// As for [`Self::TimedOut`].
        was_sent: bool,
    },
    /// The answer is longer than allowed; the peer has the request.
    TooLarge,
    /// The request cannot be sent as it is, or the answer is not HTTP.
    Invalid,
}

impl SendErrorKind {
    /// Whether the peer may have seen the request, and acted.
    pub fn was_sent(self) -> bool {
        match self {
            Self::Refused | Self::Unresolved | Self::Connect | Self::Tls => false,
            Self::TimedOut { was_sent } | Self::Cut { was_sent } => was_sent,
            Self::TooLarge | Self::Invalid => true,
        }
    }
}
