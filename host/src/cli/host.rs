//! What `serve` and `demo` need of the product. Refuses to say how it is built: that is the pipeline's work.

use std::future::Future;
use std::net::SocketAddr;

use crate::config::Settings;

/// The running product.
pub trait Host: Sized + Send + Sync + 'static {
    /// Builds and starts everything; on return the API accepts requests.
    fn start(settings: Settings) -> impl Future<Output = anyhow::Result<Self>> + Send;

    /// Where the Firehose API listens.
    fn api_address(&self) -> SocketAddr;

    /// Where health and metrics listen.
    fn admin_address(&self) -> SocketAddr;

    /// Where the embedded S3 server listens, if there is one.
    fn s3_address(&self) -> Option<SocketAddr>;

    /// Waits until the product cannot go on by itself, such as after a failed fsync, and says why.
    fn broken(&self) -> impl Future<Output = anyhow::Error> + Send;

    /// Stops intake, delivers for the grace time, and stops. What is left stays in the journal.
    fn drained(self) -> impl Future<Output = anyhow::Result<()>> + Send;
}
