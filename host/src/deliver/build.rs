//! Joins the parts: settings to a ready destination, with the embedded server started when the settings ask for one.

use std::sync::Arc;

use super::destination::{DeliveryError, Destination, Leftovers, Receipt, Verdict};
use super::embedded::{Embedded, EmbeddedError};
use super::look::Look;
use super::redshift::Shelf;
use super::retry::Policy;
use super::s3::{ConnectError, Endpoint, S3, Settings};
use crate::record::Object;
use crate::runtime::Random;
use async_trait::async_trait;

/// Why there is no destination.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The settings do not make a client.
    #[error("S3 delivery cannot be set up")]
    Connect(#[from] ConnectError),
    /// The embedded server does not start.
    #[error("S3 delivery cannot be set up")]
    Embedded(#[from] EmbeddedError),
}

/// What [`build`] makes.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Tries each delivery once.
    pub destination: Arc<dyn Destination>,
    /// The same buckets, for those who read them.
    pub look: Arc<dyn Look>,
    /// The same buckets, for those who load again what is in them.
    pub shelf: Arc<dyn Shelf>,
    /// The server inside, if there is one; it lives as long as the destination.
    pub embedded: Option<Arc<Embedded>>,
}

/// Makes the host's destination. Touches no network beyond loopback: the first delivery does.
pub async fn build(settings: Settings, policy: Policy, random: Arc<Random>) -> Result<Delivery, BuildError> {
    let mut settings = settings;
    let embedded = match &settings.endpoint {
        Endpoint::Embedded { directory, listen } => {
            let server = Arc::new(Embedded::start(directory, *listen, Arc::clone(&random)).await?);
            settings.endpoint = Endpoint::Url(server.url());
            settings.credentials = Some(server.credentials().clone());
            settings.path_style = true;
            settings.plaintext = true;
            // Nothing is lost between two ends of one process: parts would only be copied once more.
            settings.multipart_threshold_bytes = usize::MAX;
            Some(server)
        }
        Endpoint::Aws | Endpoint::Url(_) => None,
    };
    let s3 = Arc::new(S3::connect(settings, policy, Arc::clone(&random)).await?);
    let look = Arc::clone(&s3) as Arc<dyn Look>;
    let shelf = Arc::clone(&s3) as Arc<dyn Shelf>;
    let destination: Arc<dyn Destination> = match &embedded {
        Some(server) => Arc::new(Local { s3, server: Arc::clone(server) }),
        None => s3,
    };
    Ok(Delivery { destination, look, shelf, embedded })
}

/// Only looks. Touches no network: the first question does.
///
/// # Errors
/// The settings do not make a client.
pub async fn look(settings: Settings, policy: Policy, random: Arc<Random>) -> Result<Arc<dyn Look>, ConnectError> {
    Ok(Arc::new(S3::connect(settings, policy, random).await?))
}

/// The S3 destination with a server that belongs to us: here buckets are made as streams name them.
#[derive(Debug)]
struct Local {
    s3: Arc<S3>,
    server: Arc<Embedded>,
}

#[async_trait]
impl Destination for Local {
    async fn prepare(&self, bucket: &str) -> Result<(), DeliveryError> {
        self.server.ensure_bucket(bucket).await.map_err(|error| DeliveryError {
            verdict: if matches!(error, EmbeddedError::Name(_)) { Verdict::Reject } else { Verdict::Retry(None) },
            code: "S3.InternalError",
            text: error.to_string(),
            source: Some(Box::new(error)),
        })
    }

    async fn deliver(&self, object: &Object) -> Result<Receipt, DeliveryError> {
        self.s3.deliver(object).await
    }

    async fn sweep(&self, left: &Leftovers) -> Result<usize, DeliveryError> {
        self.s3.sweep(left).await
    }
}
