//! The one way to addresses that a tenant can name: HTTP/1.1 over TLS, to addresses that were checked, within bounds.
//!
//! A tenant may write any URL into a stream's definition, and the host may reach what the tenant may not: the metadata
//! service of a cloud, a database behind the firewall, the host's own ports. So names are resolved here, every address
//! is checked by the [`guard`](Egress), and the connection goes to the checked address and not to the name again; this
//! is repeated for each connection, because a name may answer differently the next time.
//! Refuses to follow redirects, to read proxy settings of the environment, to retry, and to wait or read without bound.

mod egress;
mod error;
mod exchange;
mod guard;
mod pool;
mod resolve;
#[cfg(test)]
mod tests;

pub use egress::Egress;
pub use error::{ClientError, SendError, SendErrorKind};
pub use exchange::Client;
pub use resolve::Resolver;
