//! The destination: one request, then the same question until the answer is yes or the time is over.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, USER_AGENT};
use hyper::{Request, Response};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::answer::{INVALID_ENDPOINT, Meaning, accepted, acknowledged};
use crate::definition::Splunk;
use crate::deliver::client::{Client, SendError, SendErrorKind};
use crate::deliver::http_endpoint::quoted;
use crate::deliver::secrets::{SecretShape, Secrets};
use crate::deliver::{DeliveryError, Destination, Receipt, Verdict};
use crate::record::Documents;

/// Longest time of one request: 5 MiB, the largest batch, pass at 1 Mbit/s.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Most bytes of an answer, head included: an acknowledgement has some fifty.
const MOST_ANSWER_BYTES: usize = 64 << 10;

/// Time between two questions: soon at first, because an idle indexer is quick; then as rarely as Splunk asks of clients.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Code of our own, in Firehose's style.
const SECRET_UNAVAILABLE: &str = "Splunk.SecretUnavailable";

/// The header that names the channel, on all services alike.
const CHANNEL: &str = "X-Splunk-Request-Channel";

/// Sends batches to one collector.
#[derive(Debug)]
pub struct SplunkDestination {
    settings: Splunk,
    /// Splunk keeps acknowledgements by channel; ours is the stream's for good.
    channel: String,
    client: Arc<Client>,
    secrets: Secrets,
    timeout: Duration,
}

impl SplunkDestination {
    /// Sends what the stream `arn` delivers to the collector of `settings`.
    pub fn new(settings: &Splunk, arn: &str, client: Arc<Client>, secrets: Secrets) -> Self {
        let channel = channel(arn).to_string();
        Self { settings: settings.clone(), channel, client, secrets, timeout: TIMEOUT }
    }

    /// The same with another longest time of a request, for tests that reach it.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    async fn authorization(&self) -> Result<HeaderValue, DeliveryError> {
        let login = self.secrets.login(&self.settings.token, SecretShape::HecToken).await.map_err(|error| {
            let text = error.to_string();
            DeliveryError { source: Some(Box::new(error)), ..retry(SECRET_UNAVAILABLE, text) }
        })?;
        let Some(login) = login else {
            return Err(retry(SECRET_UNAVAILABLE, "the stream has no HEC token".to_owned()));
        };
        let mut value = HeaderValue::from_str(&format!("Splunk {}", login.secret.expose())).map_err(|_| {
            retry(SECRET_UNAVAILABLE, "the HEC token has characters that no header may have".to_owned())
        })?;
        value.set_sensitive(true);
        Ok(value)
    }

    async fn ask(
        &self,
        service: &str,
        content_type: &str,
        authorization: &HeaderValue,
        body: Bytes,
        limit: Duration,
    ) -> Result<Response<Bytes>, DeliveryError> {
        let request =
            Request::post(format!("{}/services/collector/{service}", self.settings.endpoint.trim_end_matches('/')))
                .header(USER_AGENT, concat!("hydrant/", env!("CARGO_PKG_VERSION")))
                .header(AUTHORIZATION, authorization.clone())
                .header(CHANNEL, &self.channel)
                .header(CONTENT_TYPE, content_type)
                .body(body)
                .map_err(|error| {
                    retry(INVALID_ENDPOINT.code, format!("the endpoint's URL cannot be asked: {error}"))
                })?;
        self.client.send(request, limit, MOST_ANSWER_BYTES).await.map_err(unanswered)
    }

    /// Waits until the indexer has what was sent under `id`.
    async fn until_indexed(&self, id: u64, authorization: &HeaderValue) -> Result<(), DeliveryError> {
        let limit = Duration::from_secs(self.settings.acknowledgement_seconds.into());
        let until = Instant::now() + limit;
        let question = Bytes::from(format!(r#"{{"acks":[{id}]}}"#));
        let mut pause = FIRST_PAUSE;
        let mut last = String::from("the indexer has not acknowledged it");
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let text = format!("no acknowledgement within {limit:?}: {last}");
                return Err(retry("Splunk.AckTimeout", text));
            }
            let asked =
                self.ask("ack", "application/json", authorization, question.clone(), self.timeout.min(left)).await;
            match asked {
                Ok(answer) => match acknowledged(answer.status(), answer.body(), id) {
                    Ok(true) => return Ok(()),
                    Ok(false) => "the indexer has not acknowledged it".clone_into(&mut last),
                    // It was taken, and a busy collector is asked again; what is set up wrongly stays so.
                    Err(meaning) if answer.status().is_server_error() => {
                        last = described(meaning, &answer).text;
                    }
                    Err(meaning) => return Err(described(meaning, &answer)),
                },
                Err(error) => last = error.text,
            }
            sleep(pause.min(until.saturating_duration_since(Instant::now()))).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

#[async_trait]
impl Destination<Documents> for SplunkDestination {
    async fn deliver(&self, documents: &Documents) -> Result<Receipt, DeliveryError> {
        let body = documents.rows.records.payload().clone();
        // The collector answers "no data" to nothing, and there is nothing to lose.
        if body.is_empty() {
            return Ok(Receipt::default());
        }
        let authorization = self.authorization().await?;
        let (service, content_type) = match self.settings.is_raw {
            true => ("raw", "text/plain"),
            false => ("event", "application/json"),
        };
        let answer = self.ask(service, content_type, &authorization, body, self.timeout).await?;
        let id = accepted(answer.status(), answer.body()).map_err(|meaning| described(meaning, &answer))?;
        self.until_indexed(id, &authorization).await?;
        Ok(Receipt::default())
    }

    fn names_of(&self, documents: &Documents, at: usize) -> Vec<(&'static str, Value)> {
        vec![("EventId", documents.rows.place(at).into())]
    }
}

/// A uuid made of the stream's name: the same in every process and after every restart.
fn channel(arn: &str) -> Uuid {
    let hash = Sha256::new().chain_update("splunk channel of ").chain_update(arn).finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

fn retry(code: &'static str, text: String) -> DeliveryError {
    DeliveryError { verdict: Verdict::Retry(None), code, text, source: None }
}

fn described(meaning: Meaning, answer: &Response<Bytes>) -> DeliveryError {
    let text = format!("the collector answered with status {}: {}", answer.status().as_u16(), quoted(answer.body()));
    DeliveryError { verdict: meaning.verdict, code: meaning.code, text, source: None }
}

fn unanswered(error: SendError) -> DeliveryError {
    let code = match error.kind {
        SendErrorKind::TimedOut { .. } => "Splunk.ConnectionTimeout",
        SendErrorKind::Cut { .. } => "Splunk.ConnectionClosed",
        SendErrorKind::Tls if error.is_unverified() => "Splunk.SSLUnverified",
        SendErrorKind::Tls => "Splunk.SSLHandshake",
        // Nothing stands there, nothing may be asked there, or it is no collector.
        SendErrorKind::Refused
        | SendErrorKind::Unresolved
        | SendErrorKind::Connect
        | SendErrorKind::TooLarge
        | SendErrorKind::Invalid => INVALID_ENDPOINT.code,
    };
    DeliveryError { source: Some(Box::new(error.clone())), ..retry(code, error.to_string()) }
}
