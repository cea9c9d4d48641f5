//! Who a request comes from: nobody, a user with a password, or an AWS identity by Signature Version 4.
//!
//! Credentials of the host go to Amazon's search domains over TLS, and to other addresses only where the operator
//! wrote it: row X11. Refuses to show any of them.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sigv4::http_request::{PayloadChecksumKind, SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use aws_smithy_runtime_api::client::identity::Identity;
use base64_simd::STANDARD;
use bytes::Bytes;
use hyper::header::{AUTHORIZATION, HOST, HeaderName, HeaderValue};
use hyper::{Request, Uri};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;

use crate::definition::{OpenSearch, SearchFlavour};
use crate::runtime::Clock;

/// Credentials are replaced this long before they expire, so that no request is signed with dying ones.
const REFRESH_AHEAD: Duration = Duration::from_secs(300);

/// Longest time to find credentials: a dead metadata service must not hold a delivery for ever.
const FIND_LIMIT: Duration = Duration::from_secs(30);

/// Who requests come from.
#[derive(Clone, Debug)]
pub enum Authentication {
    /// Nobody: the cluster asks for nothing.
    None,
    /// A user with a password.
    Basic(Basic),
    /// An AWS identity.
    Sigv4(Arc<Signer>),
}

/// A user with a password.
#[derive(Clone, Debug)]
pub struct Basic {
    /// User name, without a colon.
    pub username: String,
    /// Password.
    pub password: SecretString,
}

/// Which of Amazon's services signatures are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// OpenSearch Service and Elasticsearch Service.
    Es,
    /// OpenSearch Serverless.
    Aoss,
}

impl Service {
    /// Its name in signatures.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Es => "es",
            Self::Aoss => "aoss",
        }
    }
}

/// How to log in at one endpoint, as the operator wrote it.
#[derive(Clone, Debug)]
pub struct SearchLogin {
    /// Scheme, host and port.
    pub endpoint: String,
    /// Account whose streams log in so.
    pub account_id: String,
    /// A user; `None` signs with the host's AWS credentials.
    pub user: Option<Basic>,
}

/// What signing takes.
#[derive(Clone, Debug)]
pub struct Signing {
    /// The AWS SDK's own chain.
    pub provider: SharedCredentialsProvider,
    /// Region of endpoints that do not name theirs.
    pub region: String,
    /// Time of signatures.
    pub clock: Arc<dyn Clock>,
}

/// The operator wrote a login for an endpoint, but for other accounts than the stream's: row X11.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the logins of {endpoint} belong to other accounts: the operator must add [[opensearch.credentials]] with this \
     endpoint and account_id = \"{account_id}\""
)]
pub struct OthersLogin {
    endpoint: String,
    account_id: String,
}

/// Why a request cannot be signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// There are no credentials.
    #[error("no AWS credentials can be found")]
    Credentials(#[source] aws_credential_types::provider::error::CredentialsError),
    /// Nobody said within the limit whether there are any.
    #[error("looking for AWS credentials took longer than {} s", FIND_LIMIT.as_secs())]
    Slow,
    /// The request cannot be signed as it is.
    #[error("the request cannot be signed")]
    Request(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Authentication {
    /// What `definition`'s endpoint is to be shown by a stream of `account_id`: what the operator wrote for it, an AWS
    /// signature when it is one of Amazon's search domains, nothing otherwise.
    ///
    /// # Errors
    /// What the operator wrote for it is for other accounts.
    pub fn choose(
        definition: &OpenSearch,
        account_id: &str,
        logins: &[SearchLogin],
        signing: &Signing,
    ) -> Result<Self, OthersLogin> {
        let Ok(uri) = definition.endpoint.parse::<Uri>() else { return Ok(Self::None) };
        let service = match definition.flavour {
            SearchFlavour::Serverless => Service::Aoss,
            SearchFlavour::OpenSearch | SearchFlavour::Elasticsearch => Service::Es,
        };
        let amazons = amazon(&uri);
        let region = amazons.as_ref().map_or(&signing.region, |(_, region)| region);
        let service = amazons.as_ref().map_or(service, |(service, _)| *service);
        let signed = || Self::Sigv4(Arc::new(Signer::new(signing.clone(), service, region)));
        let is_same = |login: &&SearchLogin| login.endpoint.parse::<Uri>().is_ok_and(|of| origin(&of) == origin(&uri));
        let mut of_endpoint = logins.iter().filter(is_same).peekable();
        if of_endpoint.peek().is_none() {
            return Ok(if amazons.is_some() { signed() } else { Self::None });
        }
        match of_endpoint.find(|login| login.account_id == account_id) {
            Some(SearchLogin { user: Some(user), .. }) => Ok(Self::Basic(user.clone())),
            Some(SearchLogin { user: None, .. }) => Ok(signed()),
            None => {
                let endpoint = definition.endpoint.clone();
                Err(OthersLogin { endpoint, account_id: account_id.to_owned() })
            }
        }
    }

    /// Adds what proves the sender. Nothing of the request may change afterwards.
    pub(super) async fn authorize(&self, request: &mut Request<Bytes>) -> Result<(), SignError> {
        match self {
            Self::None => Ok(()),
            Self::Basic(Basic { username, password }) => {
                let text = STANDARD.encode_to_string(format!("{username}:{}", password.expose_secret()));
                let mut value = HeaderValue::try_from(format!("Basic {text}"))
                    .map_err(|error| SignError::Request(Box::new(error)))?;
                value.set_sensitive(true);
                request.headers_mut().insert(AUTHORIZATION, value);
                Ok(())
            }
            Self::Sigv4(signer) => signer.sign(request).await,
        }
    }

    /// The server did not let the last request in: what is remembered of credentials may be stale.
    pub(super) async fn was_denied(&self) {
        if let Self::Sigv4(signer) = self {
            *signer.known.lock().await = None;
        }
    }
}

/// Scheme, host and port.
fn origin(uri: &Uri) -> Option<(String, String, u16)> {
    let scheme = uri.scheme_str()?.to_ascii_lowercase();
    let port = uri.port_u16().unwrap_or(if scheme == "https" { 443 } else { 80 });
    Some((scheme, uri.host()?.to_ascii_lowercase(), port))
}

/// Service and region of one of Amazon's search domains, `NAME.REGION.es.amazonaws.com`. Other hosts below that name
/// are anybody's machines.
fn amazon(uri: &Uri) -> Option<(Service, String)> {
    let (scheme, host, _) = origin(uri)?;
    let host = host.strip_suffix(".cn").unwrap_or(&host);
    let rest = host.strip_suffix(".amazonaws.com")?;
    let (rest, service) = rest.rsplit_once('.')?;
    let service = match service {
        "es" => Service::Es,
        "aoss" => Service::Aoss,
        _ => return None,
    };
    let (name, region) = rest.rsplit_once('.')?;
    (scheme == "https" && !name.is_empty() && !region.is_empty()).then(|| (service, region.to_owned()))
}

/// Signs requests, and remembers credentials for as long as they last: row X15.
pub struct Signer {
    signing: Signing,
    service: Service,
    region: String,
    known: Mutex<Option<Credentials>>,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let service = self.service.as_str();
        f.debug_struct("Signer").field("service", &service).field("region", &self.region).finish_non_exhaustive()
    }
}

impl Signer {
    /// Signs for `service` in `region`.
    pub fn new(signing: Signing, service: Service, region: &str) -> Self {
        Self { signing, service, region: region.to_owned(), known: Mutex::new(None) }
    }

    async fn credentials(&self, now: Duration) -> Result<Credentials, SignError> {
        // Held while looking, so that many deliveries look once.
        let mut known = self.known.lock().await;
        if let Some(credentials) = known.as_ref() {
            let lasts = |expiry: std::time::SystemTime| expiry > UNIX_EPOCH + now + REFRESH_AHEAD;
            if credentials.expiry().is_none_or(lasts) {
                return Ok(credentials.clone());
            }
        }
        let found = tokio::time::timeout(FIND_LIMIT, self.signing.provider.provide_credentials());
        let found = found.await.map_err(|_| SignError::Slow)?.map_err(SignError::Credentials)?;
        *known = Some(found.clone());
        Ok(found)
    }

    async fn sign(&self, request: &mut Request<Bytes>) -> Result<(), SignError> {
        let now = Duration::from_millis(self.signing.clock.now_ms());
        let identity: Identity = self.credentials(now).await?.into();
        let boxed = |error: Box<dyn std::error::Error + Send + Sync>| SignError::Request(error);
        let mut settings = SigningSettings::default();
        // Serverless insists on the body's digest in a header of its own; the others do not mind.
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        let params = SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(self.service.as_str())
            .time(UNIX_EPOCH + now)
            .settings(settings)
            .build()
            .map_err(|error| boxed(Box::new(error)))?
            .into();
        let url = request.uri().to_string();
        // The host is signed from the URL; other headers may be changed on the way by proxies.
        let headers = request.headers().iter().filter(|(name, _)| **name == HOST);
        let headers: Vec<(&str, &str)> =
            headers.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?))).collect();
        let body = SignableBody::Bytes(request.body());
        let signable = SignableRequest::new(request.method().as_str(), &url, headers.into_iter(), body)
            .map_err(|error| boxed(Box::new(error)))?;
        let (instructions, _signature) = sign(signable, &params).map_err(|error| boxed(Box::new(error)))?.into_parts();
        let proof: Vec<(String, String)> =
            instructions.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        for (name, value) in proof {
            let name = HeaderName::try_from(name).map_err(|error| boxed(Box::new(error)))?;
            let mut value = HeaderValue::try_from(value).map_err(|error| boxed(Box::new(error)))?;
            value.set_sensitive(true);
            request.headers_mut().insert(name, value);
        }
        Ok(())
    }
}
