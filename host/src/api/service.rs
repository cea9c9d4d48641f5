//! One request, one answer: keeps the order of checks and turns results into HTTP.

use std::sync::Arc;

use base64_simd::STANDARD;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Body;
use hyper::header::{AUTHORIZATION, CONNECTION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tracing::{debug, error, warn};

use super::auth::Verifier;
use super::backend::{Backend, ControlError, Refusal, StreamHandle, StreamStatus};
use super::body::{self, BodyError};
use super::control::{self, Place};
use super::error::{self, Fault};
use super::model::{self, Addresses, Node, Shape};
use super::put::{self, Put, RecordIds};
use super::settings::Settings;
use crate::definition::Definition;
use crate::runtime::{Clock, Random};

/// An answer in memory.
pub type Answer = Response<Full<Bytes>>;

/// The API without its sockets.
#[derive(Debug)]
pub struct Api {
    pub(super) settings: Settings,
    backend: Arc<dyn Backend>,
    clock: Arc<dyn Clock>,
    random: Arc<Random>,
    verifier: Verifier,
    record_ids: RecordIds,
    bodies: Arc<Semaphore>,
    /// Creates, updates and deletes come one at a time, so that "exists", "quota" and "version" hold until they are used.
    control: Arc<tokio::sync::Mutex<()>>,
}

/// An operation of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    PutRecord,
    PutRecordBatch,
    CreateDeliveryStream,
    DescribeDeliveryStream,
    ListDeliveryStreams,
    UpdateDestination,
    DeleteDeliveryStream,
    TagDeliveryStream,
    UntagDeliveryStream,
    ListTagsForDeliveryStream,
    StartDeliveryStreamEncryption,
    StopDeliveryStreamEncryption,
}

impl Operation {
    /// The operation that `X-Amz-Target` names.
    fn of(headers: &HeaderMap) -> Result<Self, Fault> {
        let mut targets = headers.get_all("x-amz-target").iter();
        let name = targets.next().and_then(|target| target.to_str().ok()?.strip_prefix("Firehose_20150804."));
        if targets.next().is_some() {
            return Err(error::unknown_operation());
        }
        Ok(match name {
            Some("PutRecord") => Self::PutRecord,
            Some("PutRecordBatch") => Self::PutRecordBatch,
            Some("CreateDeliveryStream") => Self::CreateDeliveryStream,
            Some("DescribeDeliveryStream") => Self::DescribeDeliveryStream,
            Some("ListDeliveryStreams") => Self::ListDeliveryStreams,
            Some("UpdateDestination") => Self::UpdateDestination,
            Some("DeleteDeliveryStream") => Self::DeleteDeliveryStream,
            Some("TagDeliveryStream") => Self::TagDeliveryStream,
            Some("UntagDeliveryStream") => Self::UntagDeliveryStream,
            Some("ListTagsForDeliveryStream") => Self::ListTagsForDeliveryStream,
            Some("StartDeliveryStreamEncryption") => Self::StartDeliveryStreamEncryption,
            Some("StopDeliveryStreamEncryption") => Self::StopDeliveryStreamEncryption,
            _ => return Err(error::unknown_operation()),
        })
    }

    fn input(self) -> &'static Shape {
        match self {
            Self::PutRecord => &model::PUT_RECORD_INPUT,
            Self::PutRecordBatch => &model::PUT_RECORD_BATCH_INPUT,
            Self::CreateDeliveryStream => &model::CREATE_DELIVERY_STREAM_INPUT,
            Self::DescribeDeliveryStream => &model::DESCRIBE_DELIVERY_STREAM_INPUT,
            Self::ListDeliveryStreams => &model::LIST_DELIVERY_STREAMS_INPUT,
            Self::UpdateDestination => &model::UPDATE_DESTINATION_INPUT,
            Self::DeleteDeliveryStream => &model::DELETE_DELIVERY_STREAM_INPUT,
            Self::TagDeliveryStream => &model::TAG_DELIVERY_STREAM_INPUT,
            Self::UntagDeliveryStream => &model::UNTAG_DELIVERY_STREAM_INPUT,
            Self::ListTagsForDeliveryStream => &model::LIST_TAGS_FOR_DELIVERY_STREAM_INPUT,
            Self::StartDeliveryStreamEncryption => &model::START_DELIVERY_STREAM_ENCRYPTION_INPUT,
            Self::StopDeliveryStreamEncryption => &model::STOP_DELIVERY_STREAM_ENCRYPTION_INPUT,
        }
    }
}

impl Api {
    /// An API in front of a backend.
    pub fn new(settings: Settings, backend: Arc<dyn Backend>, clock: Arc<dyn Clock>, random: Arc<Random>) -> Arc<Self> {
        Arc::new(Self {
            verifier: Verifier::new(&settings.authentication, &settings.region),
            record_ids: RecordIds::new(&random),
            bodies: body::budget(&settings.limits),
            control: Arc::default(),
            settings,
            backend,
            clock,
            random,
        })
    }

    /// Answers one request; never fails. Bounds on connections and headers are [`super::serve`]'s.
    pub async fn answer<B>(self: Arc<Self>, request: Request<B>) -> Answer
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let (head, body) = request.into_parts();
        let speaks_json = head.method == Method::POST && head.uri.path() == "/" && is_amz_json(&head.headers);
        if !speaks_json {
            return self.finish(not_for_us(&head.headers));
        }
        let held = match body::read(&head.headers, body, &self.settings.limits, &self.bodies).await {
            Ok(held) => held,
            Err(problem) => {
                debug!(%problem, "request refused");
                return self.finish(refuse_body(problem));
            }
        };
        let answered = self.operate(&head.headers, head.uri.query(), &held.bytes).await;
        self.finish(match answered {
            Ok(answer) => json_response(StatusCode::OK, answer),
            Err(fault) => {
                debug!(%fault, "request refused");
                json_response(fault.status, fault.body())
            }
        })
    }

    /// JSON → target → authentication → types and constraints → rules.
    async fn operate(
        self: &Arc<Self>,
        headers: &HeaderMap,
        query: Option<&str>,
        body: &[u8],
    ) -> Result<Vec<u8>, Fault> {
        let operation = Operation::of(headers);
        let put = match operation {
            Ok(Operation::PutRecordBatch) => Some(put::decode_batch(body)?),
            Ok(Operation::PutRecord) => Some(put::decode_record(body)?),
            _ => None,
        };
        if let Some(put) = put {
            let account = self.verifier.account(headers, query, body, self.clock.now_ms())?;
            return self.put(operation?, account, put?).await;
        }
        let document = model::parse(body)?;
        let operation = operation?;
        let account = self.verifier.account(headers, query, body, self.clock.now_ms())?;
        let addresses = if self.settings.plaintext { Addresses::Plaintext } else { Addresses::Tls };
        model::check(operation.input(), &document, addresses)?;
        self.control(operation, account, &document).await
    }

    async fn put(&self, operation: Operation, account: &str, put: Put<'_>) -> Result<Vec<u8>, Fault> {
        let Put { stream: name, records } = put;
        let missing = || error::put_stream_not_found(account, &name);
        let stream = self.backend.find(account, &name).filter(|stream| stream.status == StreamStatus::Active);
        let stream = stream.ok_or_else(missing)?;
        let count = records.len();
        stream.metrics.accepted.add(count as u64, records.payload().len() as u64);
        let first = self.backend.append(&stream, records).await.map_err(|refusal| match refusal {
            Refusal::Busy | Refusal::Full | Refusal::Stopped => error::slow_down(),
            Refusal::Gone => missing(),
        })?;
        Ok(match operation {
            Operation::PutRecord => put::record_answer(&self.record_ids, stream.id, first),
            _ => put::batch_answer(&self.record_ids, stream.id, first, count),
        })
    }

    async fn control(
        self: &Arc<Self>,
        operation: Operation,
        account: &str,
        document: &Node<'_>,
    ) -> Result<Vec<u8>, Fault> {
        let name = document.text("DeliveryStreamName").unwrap_or_default();
        let find = || self.backend.find(account, name).ok_or_else(|| error::stream_not_found(account, name));
        match operation {
            Operation::ListDeliveryStreams => Ok(text(&control::list_answer(document, &self.backend.list(account)))),
            Operation::DescribeDeliveryStream => Ok(text(&control::describe_answer(document, &*find()?))),
            Operation::ListTagsForDeliveryStream => Ok(text(&control::list_tags_answer(&find()?.definition, document))),
            Operation::PutRecord | Operation::PutRecordBatch => Err(error::unknown_operation()),
            changing => self.change(changing, account, name, document).await,
        }
    }

    /// Operations that change something: decided and stored before the next one is looked at.
    async fn change(
        self: &Arc<Self>,
        operation: Operation,
        account: &str,
        name: &str,
        document: &Node<'_>,
    ) -> Result<Vec<u8>, Fault> {
        let turn = Arc::clone(&self.control).lock_owned().await;
        let found = self.backend.find(account, name);
        let find = || found.clone().ok_or_else(|| error::stream_not_found(account, name));
        let rules = self.settings.rules();
        let change = match operation {
            Operation::CreateDeliveryStream => {
                let place = Place { region: &self.settings.region, account, now_ms: self.clock.now_ms(), rules };
                let definition = control::create(document, &place)?;
                self.check_room(account, name, found.is_some())?;
                Change::Create(definition)
            }
            Operation::UpdateDestination => {
                let stream = active(find()?)?;
                Change::Update(control::update(&stream.definition, document, self.clock.now_ms(), &rules)?)
            }
            Operation::TagDeliveryStream => Change::Update(control::tag(&active(find()?)?.definition, document)?),
            Operation::UntagDeliveryStream => Change::Update(control::untag(&active(find()?)?.definition, document)),
            Operation::DeleteDeliveryStream => match find()?.status {
                StreamStatus::Active => Change::Delete { account: account.to_owned(), name: name.to_owned() },
                StreamStatus::Deleting => return Ok(b"{}".to_vec()),
            },
            _ => {
                active(find()?)?;
                return Err(error::invalid_argument("Encryption of delivery streams is not offered by this host."));
            }
        };
        let answer = change.answer();
        // In a task of its own: a caller who hangs up must not leave a change half done.
        let api = Arc::clone(self);
        let stored = tokio::spawn(async move {
            let stored = change.store(api.backend.as_ref()).await;
            drop(turn);
            stored
        });
        match stored.await {
            Ok(Ok(())) => Ok(answer),
            Ok(Err(problem)) => Err(self.control_fault(problem, account, name)),
            Err(problem) => {
                error!(%problem, "control task ended without an answer");
                Err(error::internal_failure())
            }
        }
    }

    fn check_room(&self, account: &str, name: &str, exists: bool) -> Result<(), Fault> {
        if exists {
            return Err(already_exists(account, name));
        }
        let names = self.backend.list(account);
        let quota = self.settings.stream_quota;
        if names.len() >= quota { Err(quota_used(quota, &names)) } else { Ok(()) }
    }

    fn control_fault(&self, problem: ControlError, account: &str, name: &str) -> Fault {
        warn!(%problem, account, stream = name, "stream was not changed");
        match problem {
            ControlError::Exists => already_exists(account, name),
            ControlError::NotFound => error::stream_not_found(account, name),
            ControlError::Limit => {
                let names = self.backend.list(account);
                quota_used(names.len(), &names)
            }
            ControlError::Refused(reason) => error::invalid_argument(reason),
            ControlError::Unavailable(_) => error::slow_down(),
        }
    }

    /// Headers that every answer has.
    fn finish(&self, mut answer: Answer) -> Answer {
        let request_id = self.random.uuid().to_string();
        let mut noise = [0; ID_2_BYTES];
        for chunk in noise.chunks_exact_mut(8) {
            chunk.copy_from_slice(&self.random.next_u64().to_ne_bytes());
        }
        let headers = answer.headers_mut();
        insert_text(headers, HeaderName::from_static("x-amzn-requestid"), request_id);
        insert_text(headers, HeaderName::from_static("x-amz-id-2"), STANDARD.encode_to_string(noise));
        answer
    }
}

/// Makes 96 characters of base64, as long as the service's own.
const ID_2_BYTES: usize = 72;

fn insert_text(headers: &mut HeaderMap, name: HeaderName, text: String) {
    if let Ok(value) = HeaderValue::try_from(text) {
        headers.insert(name, value);
    }
}

/// What a control operation came to.
enum Change {
    Create(Definition),
    Update(Definition),
    Delete { account: String, name: String },
}

impl Change {
    fn answer(&self) -> Vec<u8> {
        match self {
            Self::Create(definition) => text(&json!({"DeliveryStreamARN": definition.arn})),
            Self::Update(_) | Self::Delete { .. } => b"{}".to_vec(),
        }
    }

    async fn store(self, backend: &dyn Backend) -> Result<(), ControlError> {
        match self {
            Self::Create(definition) => backend.create(definition).await,
            Self::Update(definition) => backend.update(definition).await,
            Self::Delete { account, name } => backend.delete(&account, &name).await,
        }
    }
}

fn text(answer: &Value) -> Vec<u8> {
    answer.to_string().into_bytes()
}

fn already_exists(account: &str, name: &str) -> Fault {
    error::resource_in_use(format!("Firehose {name} under accountId {account} already exists"))
}

fn quota_used(quota: usize, names: &[String]) -> Fault {
    error::limit_exceeded(format!(
        "You have already consumed your firehose quota of {quota} hoses. Firehose names: [{}]",
        names.join(", ")
    ))
}

fn active(stream: StreamHandle) -> Result<StreamHandle, Fault> {
    match stream.status {
        StreamStatus::Active => Ok(stream),
        StreamStatus::Deleting => Err(error::resource_in_use(format!(
            "Firehose {} under accountId {} is being deleted",
            stream.definition.name, stream.definition.account_id
        ))),
    }
}

/// `application/x-amz-json-1.1`, whatever follows it.
fn is_amz_json(headers: &HeaderMap) -> bool {
    let Some(Ok(content_type)) = headers.get(CONTENT_TYPE).map(HeaderValue::to_str) else { return false };
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case(AMZ_JSON)
}

const AMZ_JSON: &str = "application/x-amz-json-1.1";

fn json_response(status: StatusCode, body: Vec<u8>) -> Answer {
    let mut answer = plain_response(status, Bytes::from(body));
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(AMZ_JSON));
    answer
}

fn plain_response(status: StatusCode, body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    answer
}

/// What never reaches an operation is answered in XML, as the service's front end does.
fn not_for_us(headers: &HeaderMap) -> Answer {
    let (kind, message) = if headers.contains_key(AUTHORIZATION) {
        ("AccessDeniedException", "Unable to determine service/operation name to be authorized")
    } else {
        ("MissingAuthenticationTokenException", "Missing Authentication Token")
    };
    let body = format!("<{kind}>\n  <Message>{message}</Message>\n</{kind}>\n");
    closing(plain_response(StatusCode::FORBIDDEN, Bytes::from(body)))
}

/// Answers for bodies that were not read to their end; the connection cannot go on after them.
fn refuse_body(problem: BodyError) -> Answer {
    closing(match problem {
        BodyError::TooLarge => plain_response(StatusCode::PAYLOAD_TOO_LARGE, Bytes::new()),
        BodyError::TooSlow => plain_response(StatusCode::REQUEST_TIMEOUT, Bytes::new()),
        BodyError::Encoded => plain_response(StatusCode::UNSUPPORTED_MEDIA_TYPE, Bytes::new()),
        BodyError::Cut => json_response(StatusCode::BAD_REQUEST, error::not_json().body()),
        BodyError::Busy => {
            let fault = error::slow_down();
            json_response(fault.status, fault.body())
        }
    })
}

fn closing(mut answer: Answer) -> Answer {
    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    answer
}
