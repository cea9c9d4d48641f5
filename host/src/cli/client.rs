//! How commands talk to a host: through `aws-sdk-firehose`, as any producer does.
//!
//! Control operations send and show JSON as it is: an interceptor puts the caller's body into the SDK's request before
//! it is signed and keeps the answer's body, so that signing, TLS, time limits and errors stay the SDK's, and members
//! that this SDK version does not know pass through. Refuses to read the environment itself, and to look for
//! credentials on the network when the host is on this machine.

use std::error::Error;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_config::environment::{EnvironmentVariableCredentialsProvider, EnvironmentVariableRegionProvider};
use aws_config::meta::credentials::CredentialsProviderChain;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::{ProfileFileCredentialsProvider, ProfileFileRegionProvider};
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region};
use aws_sdk_firehose::config::{Credentials, Intercept, SharedHttpClient};
use aws_sdk_firehose::error::{BoxError, ProvideErrorMetadata, SdkError};
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_runtime_api::client::interceptors::context::{
    AfterDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextMut,
};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::ConfigBag;
use secrecy::ExposeSecret;
use serde_json::Value;

use super::arguments::Endpoint;
use super::{Failure, check};
use crate::config::{Authentication, Environment, ProcessEnvironment, Settings};

/// A host, and how to sign for it.
#[derive(Clone, Debug)]
pub(super) struct Client {
    pub(super) firehose: aws_sdk_firehose::Client,
    pub(super) endpoint: String,
}

/// Why a call failed.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum Refused {
    /// The host answered with an error.
    #[error("{code}: {message}")]
    Answered { code: String, message: String, status: u16 },
    /// No answer, or none that makes sense: the outcome is unknown.
    #[error("no answer from {endpoint}: {cause}")]
    Unanswered { endpoint: String, cause: String },
    /// The request was never sent.
    #[error("cannot make the request: {cause}")]
    Unsent { cause: String },
}

/// Control operations whose JSON passes through.
#[derive(Clone, Copy, Debug)]
pub(super) enum Operation {
    Create,
    Describe,
    List,
    Update,
    Delete,
}

/// Where a host listens unless told otherwise.
const DEFAULT_ENDPOINT: &str = "http://127.0.0.1:4573";
/// A host on the same network answers a handshake at once; a firewall never does.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A put waits for an fdatasync behind others; a minute means that nobody will answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// Finds host, region and credentials. Nothing is sent yet.
pub(super) async fn connect(arguments: &Endpoint) -> Result<Client, Failure> {
    let settings = match &arguments.config {
        Some(file) => Some(settings(file)?),
        None => None,
    };
    let environment =
        || ["AWS_ENDPOINT_URL_FIREHOSE", "AWS_ENDPOINT_URL"].iter().find_map(|name| ProcessEnvironment.variable(name));
    let endpoint = match (&arguments.endpoint_url, &settings) {
        (Some(url), _) => url.clone(),
        (None, Some(settings)) => format!("http://{}", reachable(settings.api.listen)?),
        (None, None) => environment().filter(|url| !url.is_empty()).unwrap_or_else(|| DEFAULT_ENDPOINT.to_owned()),
    };
    let uri = endpoint.parse::<hyper::Uri>().ok().filter(|uri| matches!(uri.scheme_str(), Some("http" | "https")));
    let Some(host) = uri.as_ref().and_then(|uri| uri.host()) else {
        return Err(Failure::told(format!("\"{endpoint}\" is not a URL")).hint("write it like http://127.0.0.1:4573"));
    };
    let region = RegionProviderChain::first_try(arguments.region.clone().map(Region::new))
        .or_else(settings.as_ref().map(|settings| Region::new(settings.region.clone())))
        .or_else(EnvironmentVariableRegionProvider::new())
        .or_else(ProfileFileRegionProvider::new())
        .or_else(Region::new("us-east-1"));
    let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).operation_attempt_timeout(ANSWER_TIMEOUT);
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .region(region)
        .http_client(http_client(&endpoint))
        // `put` repeats failed records only, which the SDK cannot; control calls are repeated by who made them.
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts.build())
        .endpoint_url(&endpoint);
    if let Some(credentials) = settings.as_ref().and_then(own_credentials) {
        loader = loader.credentials_provider(credentials);
    } else if is_loopback(host) {
        // A local host may ask for no key; asking the instance metadata service for one would take seconds.
        let provider = ProviderConfig::without_region().with_http_client(http_client(&endpoint));
        let chain = CredentialsProviderChain::first_try("environment", EnvironmentVariableCredentialsProvider::new())
            .or_else("profile", ProfileFileCredentialsProvider::builder().configure(&provider).build())
            .or_else("none", Credentials::new("HYDRANTLOCAL", "none", None, None, "no credentials found"));
        loader = loader.credentials_provider(chain);
    }
    Ok(Client { firehose: aws_sdk_firehose::Client::new(&loader.load().await), endpoint })
}

impl Client {
    /// Sends `body` as the input of `operation` and returns its output.
    pub(super) async fn call(&self, operation: Operation, body: &Value) -> Result<Value, Refused> {
        let raw = Raw { body: body.to_string(), answer: Arc::default() };
        let (firehose, answer) = (&self.firehose, Arc::clone(&raw.answer));
        // The builders insist on names; the body that carries the real ones replaces theirs.
        let refused = match operation {
            Operation::Create => {
                let call = firehose.create_delivery_stream().delivery_stream_name("-").customize().interceptor(raw);
                self.refusal(call.send().await)
            }
            Operation::Describe => {
                let call = firehose.describe_delivery_stream().delivery_stream_name("-").customize().interceptor(raw);
                self.refusal(call.send().await)
            }
            Operation::List => {
                let call = firehose.list_delivery_streams().customize().interceptor(raw);
                self.refusal(call.send().await)
            }
            Operation::Update => {
                let call = firehose.update_destination().delivery_stream_name("-").destination_id("-");
                let call = call.current_delivery_stream_version_id("-").customize().interceptor(raw);
                self.refusal(call.send().await)
            }
            Operation::Delete => {
                let call = firehose.delete_delivery_stream().delivery_stream_name("-").customize().interceptor(raw);
                self.refusal(call.send().await)
            }
        };
        if let Some(refused) = refused {
            return Err(refused);
        }
        let answer = std::mem::take(&mut *answer.lock().unwrap_or_else(PoisonError::into_inner));
        serde_json::from_slice(&answer).map_err(|error| Refused::Unanswered {
            endpoint: self.endpoint.clone(),
            cause: format!("the answer is not JSON: {error}"),
        })
    }

    /// Why a control call failed. An answer that only this SDK version cannot type is none of its business: JSON is
    /// passed through.
    fn refusal<O, E: Error + ProvideErrorMetadata + 'static>(
        &self,
        result: Result<O, SdkError<E, Response>>,
    ) -> Option<Refused> {
        match result {
            Ok(_) => None,
            Err(SdkError::ResponseError(untyped)) if untyped.raw().status().is_success() => None,
            Err(error) => Some(self.refused(&error)),
        }
    }

    /// Sorts an SDK error by what can be done about it.
    pub(super) fn refused<E: Error + ProvideErrorMetadata + 'static>(&self, error: &SdkError<E, Response>) -> Refused {
        let unanswered =
            |error: &dyn Error| Refused::Unanswered { endpoint: self.endpoint.clone(), cause: deepest(error) };
        match error {
            SdkError::ServiceError(service) => Refused::Answered {
                code: service.err().code().unwrap_or("an error without a code").to_owned(),
                message: service.err().message().unwrap_or("no message").to_owned(),
                status: service.raw().status().as_u16(),
            },
            SdkError::ConstructionFailure(_) => Refused::Unsent { cause: deepest(error) },
            error => unanswered(error),
        }
    }
}

impl Refused {
    /// The error code of an answer.
    pub(super) fn code(&self) -> Option<&str> {
        match self {
            Self::Answered { code, .. } => Some(code),
            Self::Unanswered { .. } | Self::Unsent { .. } => None,
        }
    }

    /// Whether the same call may succeed later.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Answered { code, status, .. } => *status >= 500 || code == "ThrottlingException",
            Self::Unanswered { .. } => true,
            Self::Unsent { .. } => false,
        }
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        let hint = match &refused {
            Refused::Unanswered { .. } => {
                "is the host running? start it with `hydrant serve`, or name it with --endpoint-url"
            }
            Refused::Unsent { .. } => "check the region and the credentials of the AWS SDK",
            Refused::Answered { code, .. } => match code.as_str() {
                "ResourceNotFoundException" => "`hydrant streams` lists streams, `hydrant apply FILE` creates one",
                "UnrecognizedClientException" | "InvalidSignatureException" | "MissingAuthenticationTokenException" => {
                    "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to a credential of the host, or name its --config"
                }
                "ConcurrentModificationException" => {
                    "somebody else changed the stream; look with `hydrant describe` and apply again"
                }
                _ => return Self::new(refused),
            },
        };
        Self::new(refused).hint(hint)
    }
}

/// Replaces the request's body and keeps the answer's.
struct Raw {
    body: String,
    answer: Arc<Mutex<Vec<u8>>>,
}

/// A body may carry passwords, so it is never printed.
impl fmt::Debug for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Raw").finish_non_exhaustive()
    }
}

impl Intercept for Raw {
    fn name(&self) -> &'static str {
        "hydrant-raw-json"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request_mut();
        if request.headers().contains_key("content-length") {
            request.headers_mut().insert("content-length", self.body.len().to_string());
        }
        *request.body_mut() = SdkBody::from(self.body.clone());
        Ok(())
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let body = context.response().body().bytes().unwrap_or_default();
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = body.to_vec();
        Ok(())
    }
}

/// The SDK's HTTP client on the one TLS provider; without TLS where none is spoken, which saves reading the roots.
pub(super) fn http_client(endpoint: &str) -> SharedHttpClient {
    let builder = aws_smithy_http_client::Builder::new();
    match endpoint.starts_with("http://") {
        true => builder.build_http(),
        false => builder.tls_provider(Provider::Rustls(CryptoMode::AwsLc)).build_https(),
    }
}

fn settings(file: &Path) -> Result<Settings, Failure> {
    Ok(check::load_file(file)?.settings)
}

/// The first credential of a host's own configuration.
fn own_credentials(settings: &Settings) -> Option<Credentials> {
    let Authentication::Sigv4(credentials) = &settings.api.authentication else { return None };
    let first = credentials.first()?;
    let secret = first.secret_access_key.expose_secret();
    Some(Credentials::new(&first.access_key_id, secret, None, None, "hydrant configuration"))
}

/// Where to reach a host that listens on `address`.
fn reachable(address: SocketAddr) -> Result<SocketAddr, Failure> {
    if address.port() == 0 {
        let what = format!("api.listen is {address}: the port is chosen at start");
        return Err(Failure::told(what).hint("name the host with --endpoint-url"));
    }
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    Ok(SocketAddr::new(ip, address.port()))
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// The last cause of a chain: the SDK's outer texts only name its own layers.
fn deepest(error: &dyn Error) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_listens_everywhere_is_reached_on_loopback() {
        #[track_caller]
        fn check(listen: &str, expected: Option<&str>) {
            let reached = reachable(listen.parse().expect("an address")).ok().map(|address| address.to_string());
            assert_eq!(reached.as_deref(), expected);
        }
        check("0.0.0.0:4573", Some("127.0.0.1:4573"));
        check("[::]:4573", Some("[::1]:4573"));
        check("192.0.2.1:4573", Some("192.0.2.1:4573"));
        check("127.0.0.1:0", None);
    }

    #[test]
    fn loopback_is_recognised() {
        assert!(is_loopback("localhost") && is_loopback("127.8.0.1") && is_loopback("[::1]"));
        assert!(!is_loopback("192.0.2.1") && !is_loopback("localhost.example.com"));
    }

    #[tokio::test]
    async fn an_unreachable_host_is_told_with_a_hint() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        drop(listener);
        let client =
            connect(&Endpoint { endpoint_url: Some(url.clone()), ..Endpoint::default() }).await.expect("a client");
        let refused = client.call(Operation::List, &serde_json::json!({})).await.expect_err("nobody listens");
        assert!(refused.is_passing());
        let told = Failure::from(refused).to_string();
        assert_eq!(
            told,
            format!(
                "error: no answer from {url}: Connection refused (os error 111)\nhint: is the host running? start it with `hydrant serve`, or name it with --endpoint-url"
            )
        );
    }

    #[tokio::test]
    async fn nonsense_is_not_a_url() {
        let arguments = Endpoint { endpoint_url: Some("127.0.0.1:4573".to_owned()), ..Endpoint::default() };
        let failure = connect(&arguments).await.expect_err("not a URL");
        assert!(failure.to_string().starts_with("error: \"127.0.0.1:4573\" is not a URL\nhint: "));
    }
}
