//! The two calls of Glue's protocol that a conversion needs: `GetTable` and `GetTableVersion`.
//!
//! Refuses to retry (the caller of the API does), to follow redirects, and to read answers without end. The address is
//! the operator's, never a tenant's.

use std::time::{Duration, SystemTime};

use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sigv4::http_request::{PayloadChecksumKind, SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::http;
use serde_json::{Value, json};

use super::catalog::{CatalogError, MOST_TABLE_BYTES};
use crate::definition::SchemaSource;

/// A call of the API waits for this one; its client gives up after about a minute.
const LIMIT: Duration = Duration::from_secs(15);

/// A client of a Glue-compatible service.
#[derive(Debug)]
pub struct Glue {
    endpoint: String,
    connector: Connector,
    credentials: SharedCredentialsProvider,
}

/// Why the service did not answer as it should.
#[derive(Debug, thiserror::Error)]
pub enum GlueError {
    /// There is nobody to sign as.
    #[error("no credentials")]
    Credentials(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The request cannot be made of what is configured.
    #[error("request cannot be made")]
    Request(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It did not get there, or the answer did not come back.
    #[error("request failed")]
    Transport(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It took longer than 15 seconds.
    #[error("no answer within 15 s")]
    TimedOut,
    /// It answered something else.
    #[error("answer {status}: {kind}")]
    Answer {
        /// HTTP status.
        status: u16,
        /// `__type`, when there is one.
        kind: String,
    },
    /// The host is stopping.
    #[error("the look-up was stopped")]
    Stopped,
}

impl Glue {
    /// A client for `endpoint` that signs with `credentials`. Nothing is sent yet.
    pub fn new(endpoint: &str, credentials: SharedCredentialsProvider) -> Self {
        let connector = Connector::builder().tls_provider(Provider::Rustls(CryptoMode::AwsLc)).build();
        Self { endpoint: endpoint.trim_end_matches('/').to_owned(), connector, credentials }
    }

    /// The answer about the table that `source` names.
    pub(super) async fn table(
        &self,
        source: &SchemaSource,
        region: &str,
        account_id: &str,
        now_ms: u64,
    ) -> Result<Value, CatalogError> {
        let catalog_id = if source.catalog_id.is_empty() { account_id } else { &source.catalog_id };
        let region = if source.region.is_empty() { region } else { &source.region };
        let (target, body) = match source.version_id.as_str() {
            "" | "LATEST" => (
                "AWSGlue.GetTable",
                json!({"CatalogId": catalog_id, "DatabaseName": source.database, "Name": source.table}),
            ),
            version => (
                "AWSGlue.GetTableVersion",
                json!({
                    "CatalogId": catalog_id, "DatabaseName": source.database,
                    "TableName": source.table, "VersionId": version,
                }),
            ),
        };
        let call = self.call(target, body.to_string(), region, now_ms);
        let answered = tokio::time::timeout(LIMIT, call).await;
        let (status, answer) = match answered {
            Ok(Ok(answered)) => answered,
            Ok(Err(error)) => return Err(CatalogError::Service(error)),
            Err(_) => return Err(CatalogError::Service(GlueError::TimedOut)),
        };
        if status == 200 {
            return Ok(answer);
        }
        Err(refusal(status, &answer, source))
    }

    async fn call(&self, target: &str, body: String, region: &str, now_ms: u64) -> Result<(u16, Value), GlueError> {
        let identity = self.credentials.provide_credentials().await;
        let identity = identity.map_err(|error| GlueError::Credentials(error.into()))?.into();
        let mut settings = SigningSettings::default();
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        let parameters = SigningParams::builder()
            .identity(&identity)
            .region(region)
            .name("glue")
            .time(SystemTime::UNIX_EPOCH + Duration::from_millis(now_ms))
            .settings(settings)
            .build()
            .map_err(|error| GlueError::Request(error.into()))?;
        let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", target)];
        let mut request = http::Request::post(format!("{}/", self.endpoint));
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let mut request = request.body(body).map_err(|error| GlueError::Request(error.into()))?;
        let host = request.uri().authority().map(ToString::to_string).unwrap_or_default();
        let uri = request.uri().to_string();
        let signed_headers = headers.into_iter().chain([("host", host.as_str())]);
        let signable =
            SignableRequest::new("POST", &uri, signed_headers, SignableBody::Bytes(request.body().as_bytes()));
        let signable = signable.map_err(|error| GlueError::Request(error.into()))?;
        let signed = sign(signable, &parameters.into()).map_err(|error| GlueError::Request(error.into()))?;
        signed.into_parts().0.apply_to_request_http1x(&mut request);
        let request = request.map(SdkBody::from).try_into();
        let request =
            request.map_err(|error: aws_smithy_runtime_api::http::HttpError| GlueError::Request(error.into()))?;
        let answer = self.connector.call(request).await.map_err(|error| GlueError::Transport(error.into()))?;
        let status = answer.status().as_u16();
        let body = Limited::new(answer.into_body(), MOST_TABLE_BYTES).collect().await;
        let body: Bytes = body.map_err(GlueError::Transport)?.to_bytes();
        let answer = serde_json::from_slice(&body).unwrap_or(Value::Null);
        Ok((status, answer))
    }
}

/// What an answer that is not 200 means.
fn refusal(status: u16, answer: &Value, source: &SchemaSource) -> CatalogError {
    // Some servers write the exception with a namespace before `#`.
    let kind = answer.get("__type").and_then(Value::as_str).unwrap_or("no exception");
    let kind = kind.rsplit('#').next().unwrap_or_default();
    let is_version = !matches!(source.version_id.as_str(), "" | "LATEST");
    let says_version = answer.get("Message").or_else(|| answer.get("message")).and_then(Value::as_str);
    let says_version = says_version.is_some_and(|message| message.to_ascii_lowercase().contains("version"));
    match kind {
        "EntityNotFoundException" if is_version && says_version => {
            CatalogError::NoVersion { table: source.table.clone(), version: source.version_id.clone() }
        }
        "EntityNotFoundException" => {
            CatalogError::NoTable { database: source.database.clone(), table: source.table.clone() }
        }
        "InvalidInputException" if is_version => {
            CatalogError::NoVersion { table: source.table.clone(), version: source.version_id.clone() }
        }
        "AccessDeniedException" | "UnrecognizedClientException" | "InvalidSignatureException" => {
            CatalogError::Denied(kind.to_owned())
        }
        _ => CatalogError::Service(GlueError::Answer { status, kind: kind.chars().take(64).collect() }),
    }
}
