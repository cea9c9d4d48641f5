//! The last stage: an encoded object leaves the host and is stored somewhere else, exactly once as far as a reader can see.
//!
//! [`Destination`] is the seam. [`S3`] stores objects, [`Policy`] says how long to wait after a failure, and
//! [`embedded`] is an S3 server inside the process for those who have none. [`build`] joins them from [`Settings`].
//! [`redshift`] tells a cluster to copy what S3 holds.
//!
//! Everything sent derives from the object's seal, so repeating a delivery, even after a crash, overwrites itself.
//! This stage refuses to drop: S3 has no fallback, hence every failure there ends in another attempt until shutdown.

mod build;
pub mod client;
mod connect;
mod destination;
pub mod embedded;
mod http_endpoint;
mod look;
pub mod opensearch;
pub mod redshift;
mod retry;
mod s3;
mod secrets;
mod splunk;
#[doc(hidden)]
pub mod testing;

pub use build::{BuildError, Delivery, build, look};
pub use connect::{Outlets, identity};
pub use destination::{Connector, DeliveryError, Destination, Leftovers, Outlet, Postponed, Receipt, Refused, Verdict};
pub use embedded::{Embedded, EmbeddedError};
pub use http_endpoint::HttpEndpointDestination;
pub use look::{Look, Stored};
pub use retry::Policy;
pub use s3::{Checksums, ConnectError, Credentials, Endpoint, S3, Settings};
pub use secrets::{Credential, SecretError, SecretShape, Secrets};
pub use splunk::SplunkDestination;
