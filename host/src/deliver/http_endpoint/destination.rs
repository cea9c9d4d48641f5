//! The destination: one pass over a batch's requests, in order, up to the first that fails.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use hyper::Request;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, USER_AGENT};
use serde_json::Value;

use super::request::{MOST_RECORD_BYTES, Part, Plan, body, common_attributes, plan, single};
use super::response::{INVALID_RESPONSE, Verdict as Judgement, judge, judge_single};
use crate::definition::{EndpointBody, HttpEndpoint};
use crate::deliver::client::{Client, SendError, SendErrorKind};
use crate::deliver::secrets::{SecretShape, Secrets};
use crate::deliver::{DeliveryError, Destination, Postponed, Receipt, Refused, Verdict};
use crate::record::Documents;

/// Longest time of one request. Source: the endpoint specification, as is the one below.
const TIMEOUT: Duration = Duration::from_secs(180);

/// Most bytes of an answer, head included.
const MOST_ANSWER_BYTES: usize = 1 << 20;

/// Codes of our own, in Firehose's style.
const SECRET_UNAVAILABLE: &str = "HttpEndpoint.SecretUnavailable";
const RECORD_TOO_LARGE: &str = "HttpEndpoint.RecordTooLarge";

/// 413; Firehose says no more of it than of any other status.
const TOO_LARGE: &str = super::response::DESTINATION_EXCEPTION;

/// Sends batches to one endpoint.
#[derive(Debug)]
pub struct HttpEndpointDestination {
    settings: HttpEndpoint,
    arn: String,
    client: Arc<Client>,
    secrets: Secrets,
    timeout: Duration,
}

/// Why a request came to nothing.
enum Failure {
    /// It may be sent again.
    Again(DeliveryError),
    /// It will never be taken.
    Never(String),
}

impl HttpEndpointDestination {
    /// Sends what the stream `arn` delivers to the endpoint of `settings`.
    pub fn new(settings: &HttpEndpoint, arn: &str, client: Arc<Client>, secrets: Secrets) -> Self {
        Self { settings: settings.clone(), arn: arn.to_owned(), client, secrets, timeout: TIMEOUT }
    }

    /// The same with another longest time of a request, for tests that reach it.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    async fn send(&self, documents: &Documents, part: &Part) -> Result<(), Failure> {
        let request = self.request(documents, part).await.map_err(Failure::Again)?;
        let answer = self.client.send(request, self.timeout, MOST_ANSWER_BYTES).await;
        let answer = answer.map_err(|error| Failure::Again(unanswered(error)))?;
        let judgement = match self.settings.body {
            EndpointBody::Firehose => judge(&answer, part.id),
            EndpointBody::Record => judge_single(&answer),
        };
        match judgement {
            Judgement::Taken => Ok(()),
            Judgement::Again { code, message, after } => {
                Err(Failure::Again(DeliveryError { verdict: Verdict::Retry(after), code, text: message, source: None }))
            }
            Judgement::Never { message } => Err(Failure::Never(message)),
        }
    }

    async fn request(&self, documents: &Documents, part: &Part) -> Result<Request<Bytes>, DeliveryError> {
        let login = self.secrets.login(&self.settings.access_key, SecretShape::ApiKey).await.map_err(|error| {
            let text = error.to_string();
            DeliveryError { source: Some(Box::new(error)), ..retry(SECRET_UNAVAILABLE, text) }
        })?;
        let (is_compressed, shape) = (self.settings.is_compressed, self.settings.body);
        let (seal, records, wanted) = (Arc::clone(&documents.seal), documents.rows.records.clone(), part.clone());
        // Tens of megabytes of base64 and gzip do not belong on a thread that serves sockets.
        let body = tokio::task::spawn_blocking(move || match shape {
            EndpointBody::Firehose => body(&seal, &records, &wanted, is_compressed),
            EndpointBody::Record => single(&records, &wanted, is_compressed),
        })
        .await;
        let body = body.map_err(|gone| retry("InternalError", gone.to_string()))?;
        let mut request = Request::post(&self.settings.url)
            .header(USER_AGENT, concat!("hydrant/", env!("CARGO_PKG_VERSION")))
            .header("X-Amz-Firehose-Request-Id", part.id.to_string())
            .header("X-Amz-Firehose-Source-Arn", &self.arn)
            .header(CONTENT_TYPE, "application/json");
        if shape == EndpointBody::Firehose {
            request = request.header("X-Amz-Firehose-Protocol-Version", "1.0");
        }
        if let Some(login) = login {
            let mut key = HeaderValue::from_str(login.secret.expose()).map_err(|_| {
                retry(SECRET_UNAVAILABLE, "the access key has characters that no header may have".to_owned())
            })?;
            key.set_sensitive(true);
            request = request.header("X-Amz-Firehose-Access-Key", key);
        }
        if let Some(attributes) = common_attributes(&self.settings.attributes) {
            request = request.header("X-Amz-Firehose-Common-Attributes", attributes);
        }
        if is_compressed {
            request = request.header(CONTENT_ENCODING, "gzip");
        }
        let request = request.body(Bytes::from(body));
        request.map_err(|error| retry(INVALID_RESPONSE, format!("the endpoint's URL cannot be asked: {error}")))
    }
}

#[async_trait]
impl Destination<Documents> for HttpEndpointDestination {
    async fn deliver(&self, documents: &Documents) -> Result<Receipt, DeliveryError> {
        let Plan { parts, too_large } = plan(documents, self.settings.body);
        let refuse = |at: usize| Refused {
            at,
            code: RECORD_TOO_LARGE.into(),
            message: format!("a record of the endpoint protocol has at most {MOST_RECORD_BYTES} bytes"),
        };
        let mut receipt = Receipt { again: Vec::new(), refused: too_large.into_iter().map(refuse).collect() };
        for (at, part) in parts.iter().enumerate() {
            match self.send(documents, part).await {
                Ok(()) => {}
                Err(Failure::Never(message)) => receipt.refused.extend(part.records.iter().map(|&at| Refused {
                    at,
                    code: TOO_LARGE.into(),
                    message: message.clone(),
                })),
                // Nothing of the batch has an end yet: it is tried again as it is, under the same ids.
                Err(Failure::Again(error)) if at == 0 => return Err(error),
                // The parts that follow wait, too: what is left must fall into the same parts as before.
                Err(Failure::Again(error)) => {
                    let message: Arc<str> = error.text.into();
                    receipt.again = parts[at..]
                        .iter()
                        .flat_map(|part| &part.records)
                        .map(|&at| Postponed { at, code: error.code.into(), message: Arc::clone(&message) })
                        .collect();
                    break;
                }
            }
        }
        receipt.refused.sort_by_key(|refused| refused.at);
        Ok(receipt)
    }

    fn names_of(&self, documents: &Documents, at: usize) -> Vec<(&'static str, Value)> {
        let rows = &documents.rows;
        vec![("subsequenceNumber", rows.ordinals[at].into()), ("dataId", rows.place(at).into())]
    }
}

fn retry(code: &'static str, text: String) -> DeliveryError {
    DeliveryError { verdict: Verdict::Retry(None), code, text, source: None }
}

fn unanswered(error: SendError) -> DeliveryError {
    let code = match error.kind {
        SendErrorKind::TimedOut { was_sent: true } => "HttpEndpoint.RequestTimeout",
        SendErrorKind::Refused
        | SendErrorKind::Unresolved
        | SendErrorKind::Connect
        | SendErrorKind::TimedOut { was_sent: false } => "HttpEndpoint.ConnectionFailed",
        SendErrorKind::Tls => "HttpEndpoint.SSLHandshakeFailure",
        SendErrorKind::Cut { .. } => "HttpEndpoint.ConnectionReset",
        SendErrorKind::TooLarge => "HttpEndpoint.ResponseTooLarge",
        SendErrorKind::Invalid => INVALID_RESPONSE,
    };
    DeliveryError { source: Some(Box::new(error.clone())), ..retry(code, error.to_string()) }
}
