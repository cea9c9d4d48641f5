//! [`OpenSearchDestination`]: one attempt of a batch, request after request, and what became of each record.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use hyper::header::{ACCEPT, CONTENT_TYPE, HOST, USER_AGENT};
use hyper::{Request, Response, Uri};
use serde_json::{Value, json};

use super::bulk::{self, Builder, Bulk, Item, Shape};
use super::failure::{Whole, judge, unanswered, unreadable};
use super::room::Room;
use super::sign::{Authentication, SignError};
use super::{answer, failure};
use crate::definition::OpenSearch;
use crate::deliver::client::{Client, SendError, SendErrorKind};
use crate::deliver::{DeliveryError, Destination, Postponed, Receipt, Refused, Verdict};
use crate::record::{Documents, Rows};

/// Longest time of one request: the minute that the server itself waits for its shards, and half a one for the way.
const REQUEST_LIMIT: Duration = Duration::from_secs(90);

/// Most bytes of an answer: so much for itself, and so much for each document. A stored one takes 200 bytes, a refused
/// one with a long reason 2,000.
const ANSWER_BYTES: usize = 64 << 10;
const ANSWER_BYTES_PER_DOCUMENT: usize = 4 << 10;

/// Requests of one delivery that look for a document at fault, beside those that any delivery takes. A search among
/// 5,000 takes 25; where there are more at fault than this finds, the next attempt goes on with it.
const MOST_PROBES: u32 = 64;

/// How large requests may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a body, unless one document alone has more.
    pub request_bytes: usize,
    /// Documents of a request.
    pub request_documents: usize,
}

impl Default for Limits {
    /// 10 MiB is the lowest limit of Amazon's domains. 5,000 small documents take a node less than a second.
    fn default() -> Self {
        Self { request_bytes: 10 << 20, request_documents: 5_000 }
    }
}

/// The endpoint is not a URL with scheme and host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("search endpoint {0} is not a URL; give one such as https://search.example.com")]
pub struct InvalidEndpoint(String);

/// Delivers documents by bulk requests.
#[derive(Debug)]
pub struct OpenSearchDestination {
    shape: Shape,
    endpoint: String,
    bulk_url: Uri,
    look_url: Uri,
    host: String,
    client: Arc<Client>,
    authentication: Authentication,
    limits: Limits,
    /// Bytes that a request may have as far as the server is known.
    room: Room,
}

impl OpenSearchDestination {
    /// For the stream with this ARN, made at this instant (milliseconds since 1970): both name its documents.
    ///
    /// # Errors
    /// When the endpoint is not a URL.
    pub fn new(
        definition: &OpenSearch,
        arn: &str,
        created_ms: u64,
        client: Arc<Client>,
        authentication: Authentication,
    ) -> Result<Self, InvalidEndpoint> {
        let invalid = || InvalidEndpoint(definition.endpoint.clone());
        let endpoint = definition.endpoint.trim_end_matches('/');
        let url = |path: &str| format!("{endpoint}{path}").parse::<Uri>().map_err(|_| invalid());
        let bulk_url = url("/_bulk")?;
        let host = match (bulk_url.scheme_str(), bulk_url.authority()) {
            (Some("http" | "https"), Some(authority)) if !authority.as_str().contains('@') => {
                host_header(&bulk_url).ok_or_else(invalid)?
            }
            _ => return Err(invalid()),
        };
        let limits = Limits::default();
        Ok(Self {
            shape: Shape::new(definition, arn, created_ms),
            endpoint: endpoint.to_owned(),
            bulk_url,
            look_url: url("/_mget")?,
            host,
            client,
            authentication,
            limits,
            room: Room::of(limits.request_bytes),
        })
    }

    /// With other limits.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self.room = Room::of(limits.request_bytes);
        self
    }

    async fn post(&self, url: &Uri, kind: &'static str, body: Bytes, most: usize) -> Result<Response<Bytes>, Unsent> {
        let mut request = Request::new(body);
        *request.method_mut() = hyper::Method::POST;
        *request.uri_mut() = url.clone();
        let headers = request.headers_mut();
        if let Ok(host) = self.host.parse() {
            headers.insert(HOST, host);
        }
        headers.insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(kind));
        headers.insert(ACCEPT, hyper::header::HeaderValue::from_static("application/json"));
        headers.insert(USER_AGENT, hyper::header::HeaderValue::from_static("hydrant"));
        self.authentication.authorize(&mut request).await.map_err(Unsent::Unsigned)?;
        let answer = self.client.send(request, REQUEST_LIMIT, most).await.map_err(Unsent::Unanswered)?;
        if failure::is_denied(answer.status()) {
            self.authentication.was_denied().await;
        }
        Ok(answer)
    }

    fn unsent(&self, unsent: Unsent) -> DeliveryError {
        match unsent {
            Unsent::Unanswered(error) => unanswered(&self.endpoint, error),
            Unsent::Unsigned(error) => DeliveryError {
                verdict: Verdict::Retry(None),
                code: "OpenSearch.CredentialsUnavailable",
                text: format!("a request to {} cannot be signed: {error}", self.endpoint),
                source: Some(Box::new(error)),
            },
        }
    }
}

/// `Host` of a URL: the port only where it is not the scheme's own, as signatures expect it.
fn host_header(url: &Uri) -> Option<String> {
    let host = url.host().filter(|host| !host.is_empty())?;
    let own = if url.scheme_str() == Some("https") { 443 } else { 80 };
    Some(match url.port_u16() {
        Some(port) if port != own => format!("{host}:{port}"),
        _ => host.to_owned(),
    })
}

/// Why a request has no answer.
enum Unsent {
    Unsigned(SignError),
    Unanswered(SendError),
}

impl Unsent {
    fn is_cut(&self) -> bool {
        matches!(self, Self::Unanswered(SendError { kind: SendErrorKind::Cut { .. }, .. }))
    }
}

#[async_trait]
impl Destination<Documents> for OpenSearchDestination {
    async fn deliver(&self, documents: &Documents) -> Result<Receipt, DeliveryError> {
        let attempt = Attempt {
            destination: self,
            rows: &documents.rows,
            receipt: Receipt::default(),
            is_settled: false,
            probes: 0,
        };
        attempt.run().await
    }

    fn names_of(&self, documents: &Documents, at: usize) -> Vec<(&'static str, Value)> {
        bulk::names(&self.shape, &documents.rows, at)
    }
}

/// One delivery under way.
struct Attempt<'a> {
    destination: &'a OpenSearchDestination,
    rows: &'a Rows,
    receipt: Receipt,
    /// The server has decided about at least one document: the batch as a whole cannot fail any more.
    is_settled: bool,
    probes: u32,
}

/// What became of one request.
enum Sent {
    /// The receipt knows.
    Settled,
    /// To be sent in halves.
    Halves,
    Failed(DeliveryError),
}

impl Attempt<'_> {
    async fn run(mut self) -> Result<Receipt, DeliveryError> {
        let OpenSearchDestination { shape, limits, room, .. } = self.destination;
        let mut builder = Builder::new(shape, self.rows);
        while let Some(bulk) = builder.bulk(room.bytes(), limits.request_documents) {
            // At most as many as a request can be halved.
            let mut pending = vec![bulk];
            while let Some(bulk) = pending.pop() {
                match self.send(&bulk).await {
                    Sent::Settled => self.is_settled = true,
                    Sent::Halves => {
                        let Some((first, second)) = bulk.halves() else { continue };
                        pending.extend([second, first]);
                    }
                    Sent::Failed(error) if !self.is_settled => return Err(error),
                    Sent::Failed(error) => {
                        let unsent = pending.iter().chain([&bulk]).flat_map(|bulk| &bulk.items).map(|item| item.at);
                        self.postpone(unsent.chain(builder.next..self.rows.len()), &error);
                        return Ok(self.receipt(builder.refused));
                    }
                }
            }
        }
        Ok(self.receipt(builder.refused))
    }

    fn receipt(mut self, unsendable: Vec<Refused>) -> Receipt {
        self.receipt.refused.extend(unsendable);
        self.receipt.refused.sort_unstable_by_key(|one| one.at);
        self.receipt.again.sort_unstable_by_key(|one| one.at);
        self.receipt
    }

    fn postpone(&mut self, unsent: impl Iterator<Item = usize>, error: &DeliveryError) {
        let message: Arc<str> = error.text.as_str().into();
        let postponed =
            unsent.map(|at| Postponed { at, code: Cow::Borrowed(error.code), message: Arc::clone(&message) });
        self.receipt.again.extend(postponed);
    }

    fn refuse(&mut self, item: &Item, status: u16, message: String) {
        self.receipt.refused.push(Refused { at: item.at, code: answer::code(status), message });
    }

    async fn send(&mut self, bulk: &Bulk) -> Sent {
        let to = self.destination;
        let most = ANSWER_BYTES + bulk.items.len() * ANSWER_BYTES_PER_DOCUMENT;
        let answer = match to.post(&to.bulk_url, "application/x-ndjson", bulk.body.clone(), most).await {
            Ok(answer) => answer,
            Err(unsent) => {
                if unsent.is_cut() {
                    to.room.was_cut(bulk.body.len());
                }
                return Sent::Failed(to.unsent(unsent));
            }
        };
        if answer.status().is_success() {
            to.room.was_right();
            return self.read(&bulk.items, answer.body()).await;
        }
        match (judge(&to.endpoint, &answer), bulk.items.as_slice()) {
            (Whole::Again(error), _) => Sent::Failed(error),
            (Whole::Smaller(said), [item]) => {
                let message = format!("the document alone is too large for the server: {said}");
                self.refuse(item, 413, message);
                Sent::Settled
            }
            (Whole::Smaller(_), _) => {
                to.room.was_too_large(bulk.body.len());
                Sent::Halves
            }
            (Whole::Suspect(said), [item]) => {
                self.refuse(item, 400, said);
                Sent::Settled
            }
            (Whole::Suspect(said), _) => {
                self.probes += 1;
                if self.probes <= MOST_PROBES {
                    return Sent::Halves;
                }
                Sent::Failed(DeliveryError {
                    verdict: Verdict::Retry(None),
                    code: "OpenSearch.RequestRefused",
                    text: format!("{} answered a bulk request with 400: {said}", to.endpoint),
                    source: None,
                })
            }
        }
    }

    async fn read(&mut self, items: &[Item], body: &[u8]) -> Sent {
        let to = self.destination;
        let id = |item: &Item| bulk::id(&to.shape, self.rows, item);
        match answer::read(body, items, id, &mut self.receipt) {
            Ok(taken) if taken.is_empty() => Sent::Settled,
            Ok(taken) => {
                self.look(taken).await;
                Sent::Settled
            }
            Err(why) => Sent::Failed(unreadable(&to.endpoint, &why)),
        }
    }

    /// Row X2: documents were to be created under ids that are taken. Where the document there is the one that was to
    /// be created, an earlier attempt got through whose answer was lost.
    async fn look(&mut self, taken: Vec<(Item, String)>) {
        let to = self.destination;
        let wanted: Vec<Value> = taken.iter().map(|(item, _)| self.reference(item)).collect();
        let body = json!({ "docs": wanted }).to_string();
        let sizes = taken.iter().map(|(item, _)| 2 * self.rows.records.range(item.at).len());
        let most = ANSWER_BYTES + taken.len() * ANSWER_BYTES_PER_DOCUMENT + sizes.sum::<usize>();
        let error = match to.post(&to.look_url, "application/json", body.into(), most).await {
            Ok(answer) if answer.status().is_success() => match found(answer.body(), taken.len()) {
                Some(found) => {
                    for ((item, conflict), found) in taken.into_iter().zip(found) {
                        let sent: Option<Value> = serde_json::from_slice(self.rows.records.record(item.at)).ok();
                        if found.is_none() || found != sent {
                            self.refuse(&item, 409, conflict);
                        }
                    }
                    return;
                }
                None => unreadable(&to.endpoint, &answer::Unreadable::Shape),
            },
            Ok(answer) => match judge(&to.endpoint, &answer) {
                Whole::Again(error) => error,
                Whole::Smaller(_) | Whole::Suspect(_) => unreadable(&to.endpoint, &answer::Unreadable::Shape),
            },
            Err(unsent) => to.unsent(unsent),
        };
        self.postpone(taken.iter().map(|(item, _)| item.at), &error);
    }

    /// What names an item's document when it is looked for.
    fn reference(&self, item: &Item) -> Value {
        let shape = &self.destination.shape;
        let mut reference =
            json!({ "_index": bulk::index(shape, self.rows, item), "_id": bulk::id(shape, self.rows, item) });
        if let Some(routing) = self.rows.value("$routing", item.at) {
            reference["routing"] = routing.into();
        }
        reference
    }
}

/// The documents in the answer to a look, in its order; `None` when the answer is of no use.
fn found(body: &[u8], count: usize) -> Option<Vec<Option<Value>>> {
    let mut answer: Value = serde_json::from_slice(body).ok()?;
    let documents = answer.get_mut("docs")?.as_array_mut()?;
    let source = |document: &mut Value| document.get_mut("_source").map(Value::take);
    (documents.len() == count).then(|| documents.iter_mut().map(source).collect())
}
