//! Makes the SDK's client from [`Settings`]. The SDK's own retries, time-outs and stall detection are off: repeating is
//! the pipeline's work and limits scale with the body.

use aws_config::timeout::TimeoutConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{
    BehaviorVersion, Credentials as SdkCredentials, Region, RequestChecksumCalculation, ResponseChecksumValidation,
    SharedCredentialsProvider, StalledStreamProtectionConfig, retry::RetryConfig,
};
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use secrecy::ExposeSecret;

use super::settings::{Checksums, Credentials, Endpoint, Settings};

/// Why no client can be made of the settings.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Only `http://` and `https://` make sense.
    #[error("S3 endpoint {url} is not an http or https URL")]
    NotHttp {
        /// As configured.
        url: String,
    },
    /// Plain HTTP needs an explicit permission.
    #[error("S3 endpoint {url} is not encrypted and plaintext is not allowed")]
    Plaintext {
        /// As configured.
        url: String,
    },
    /// The embedded server has to be started first; [`build`](crate::deliver::build) does it.
    #[error("the embedded S3 endpoint has no address yet")]
    NotStarted,
    /// The PEM file holds no certificate.
    #[error("the trusted certificates cannot be used")]
    Roots(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Makes a client. Credentials are looked up at the first request, so a host starts without network.
pub(in crate::deliver) async fn connect(settings: &Settings) -> Result<Client, ConnectError> {
    let url = match &settings.endpoint {
        Endpoint::Aws => None,
        Endpoint::Url(url) => Some(checked(url, settings)?),
        Endpoint::Embedded { .. } => return Err(ConnectError::NotStarted),
    };
    let http = http_client(settings)?;
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(settings.region.clone()))
        .http_client(http)
        .retry_config(RetryConfig::disabled())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .timeout_config(TimeoutConfig::builder().connect_timeout(settings.connect_timeout).build());
    if let Some(Credentials { access_key_id, secret_access_key }) = &settings.credentials {
        let secret = secret_access_key.expose_secret();
        let fixed = SdkCredentials::new(access_key_id, secret, None, None, "hydrant");
        loader = loader.credentials_provider(SharedCredentialsProvider::new(fixed));
    }
    if let Some(url) = url {
        loader = loader.endpoint_url(url);
    }
    let shared = loader.load().await;
    let (request, response) = match settings.checksums {
        Checksums::WhenRequired => (RequestChecksumCalculation::WhenRequired, ResponseChecksumValidation::WhenRequired),
        Checksums::WhenSupported => {
            (RequestChecksumCalculation::WhenSupported, ResponseChecksumValidation::WhenSupported)
        }
    };
    let config = aws_sdk_s3::config::Builder::from(&shared)
        .force_path_style(settings.path_style)
        .request_checksum_calculation(request)
        .response_checksum_validation(response)
        .build();
    Ok(Client::from_conf(config))
}

fn checked<'a>(url: &'a str, settings: &Settings) -> Result<&'a str, ConnectError> {
    let scheme = url.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    match scheme.as_deref() {
        Some("https") => Ok(url),
        Some("http") if settings.plaintext => Ok(url),
        Some("http") => Err(ConnectError::Plaintext { url: url.to_owned() }),
        _ => Err(ConnectError::NotHttp { url: url.to_owned() }),
    }
}

fn http_client(settings: &Settings) -> Result<aws_sdk_s3::config::SharedHttpClient, ConnectError> {
    let tls = aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::AwsLc));
    let Some(pem) = &settings.roots_pem else { return Ok(tls.build_https()) };
    let roots = TrustStore::default().with_native_roots(true).with_pem_certificate(pem.clone());
    let context = TlsContext::builder().with_trust_store(roots).build();
    Ok(tls.tls_context(context.map_err(|error| ConnectError::Roots(Box::new(error)))?).build_https())
}
