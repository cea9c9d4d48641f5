//! A small signed Firehose client on hyper: cheap enough to share two cores with the host, plain enough to send
//! what no SDK would send.
//!
//! Refuses to retry and to hide an answer: one call, one answer or one error.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use aws_sigv4::sign::v4::{calculate_signature, generate_signing_key};
use base64_simd::STANDARD as BASE64;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::net::TcpStream;

use crate::environment::now_ms;

/// No answer takes longer than this on a healthy host, however busy the machine is.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);

/// Who signs.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// Access key id.
    pub access_key_id: String,
    /// Secret access key.
    pub secret_access_key: String,
}

impl Default for Credentials {
    /// What [`crate::host`] writes into the configuration.
    fn default() -> Self {
        Self { access_key_id: "AKIDHYDRANTTESTS".into(), secret_access_key: "test-secret-that-guards-nothing".into() }
    }
}

/// Signs requests to one host. The signing key is derived once a day, as SDKs do.
#[derive(Debug)]
pub struct Signer {
    credentials: Credentials,
    host: String,
    /// Added to the clock: what a producer with a wrong clock would sign.
    skew_ms: i64,
    key: Mutex<Option<(String, Vec<u8>)>>,
}

const REGION: &str = "us-east-1";
const SERVICE: &str = "firehose";
const CONTENT_TYPE: &str = "application/x-amz-json-1.1";
const SIGNED_HEADERS: &str = "content-type;host;x-amz-date;x-amz-target";

impl Signer {
    /// For requests to `address`.
    pub fn new(address: SocketAddr, credentials: Credentials, skew_ms: i64) -> Self {
        Self { credentials, host: address.to_string(), skew_ms, key: Mutex::new(None) }
    }

    /// All headers of a signed call, `Content-Length` excepted.
    pub fn headers(&self, operation: &str, body_sha256: &str) -> Vec<(&'static str, String)> {
        let now_ms = now_ms().saturating_add_signed(self.skew_ms);
        let (stamp, day) = stamps(now_ms);
        let target = format!("Firehose_20150804.{operation}");
        let canonical = format!(
            "POST\n/\n\ncontent-type:{CONTENT_TYPE}\nhost:{}\nx-amz-date:{stamp}\nx-amz-target:{target}\n\n\
             {SIGNED_HEADERS}\n{body_sha256}",
            self.host
        );
        let scope = format!("{day}/{REGION}/{SERVICE}/aws4_request");
        let to_sign = format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{}", sha256_hex(canonical.as_bytes()));
        let signature = calculate_signature(self.key_of(&day, now_ms), to_sign.as_bytes());
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={SIGNED_HEADERS}, Signature={signature}",
            self.credentials.access_key_id
        );
        vec![
            ("host", self.host.clone()),
            ("content-type", CONTENT_TYPE.to_owned()),
            ("x-amz-date", stamp),
            ("x-amz-target", target),
            ("authorization", authorization),
        ]
    }

    fn key_of(&self, day: &str, now_ms: u64) -> Vec<u8> {
        let mut known = self.key.lock().expect("signing does not panic");
        if let Some((of, key)) = known.as_ref()
            && of == day
        {
            return key.clone();
        }
        let time = UNIX_EPOCH + Duration::from_millis(now_ms);
        let key = generate_signing_key(&self.credentials.secret_access_key, time, REGION, SERVICE).as_ref().to_vec();
        *known = Some((day.to_owned(), key.clone()));
        key
    }
}

/// `20261121T050311Z` and `20261121`.
pub(crate) fn stamps(now_ms: u64) -> (String, String) {
    let ms = i64::try_from(now_ms).expect("the year is far below 200 million");
    let time = jiff::Timestamp::from_millisecond(ms).expect("the year is below 9999");
    (time.strftime("%Y%m%dT%H%M%SZ").to_string(), time.strftime("%Y%m%d").to_string())
}

/// Lower-case hexadecimal SHA-256.
pub fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("a String takes everything");
        hex
    })
}

/// A body with its hash, so that sending it again costs no second pass over its bytes.
#[derive(Clone, Debug)]
pub struct Payload {
    /// JSON text.
    pub body: Bytes,
    /// Of the body.
    pub sha256: String,
}

impl Payload {
    /// Hashes `body`.
    pub fn new(body: impl Into<Bytes>) -> Self {
        let body = body.into();
        Self { sha256: sha256_hex(&body), body }
    }

    /// A `PutRecordBatch` request.
    pub fn put_record_batch<'a>(stream: &str, records: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut body = format!(r#"{{"DeliveryStreamName":"{stream}","Records":["#);
        for (at, record) in records.into_iter().enumerate() {
            body.push_str(if at == 0 { r#"{"Data":""# } else { r#",{"Data":""# });
            BASE64.encode_append(record, &mut body);
            body.push_str(r#""}"#);
        }
        body.push_str("]}");
        Self::new(body)
    }
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: StatusCode,
    /// Body as it came.
    pub body: Bytes,
}

impl Answer {
    /// The body as JSON; null when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// `__type` of an error answer.
    pub fn error_type(&self) -> String {
        self.json().get("__type").and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    /// `message` of an error answer.
    pub fn message(&self) -> String {
        self.json().get("message").and_then(Value::as_str).unwrap_or_default().to_owned()
    }
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallError {
    /// No connection: nothing was sent.
    NotSent,
    /// Something may have been sent, and no whole answer came.
    NoAnswer,
}

/// Speaks to one host; a clone shares the signing key.
#[derive(Clone, Debug)]
pub struct Client {
    address: SocketAddr,
    signer: Arc<Signer>,
}

impl Client {
    /// With the credentials that the tests' configuration knows.
    pub fn new(address: SocketAddr) -> Self {
        Self::with(address, Credentials::default(), 0)
    }

    /// With other credentials or a clock that is off by `skew_ms`.
    pub fn with(address: SocketAddr, credentials: Credentials, skew_ms: i64) -> Self {
        Self { address, signer: Arc::new(Signer::new(address, credentials, skew_ms)) }
    }

    /// Signs what is then sent by other means.
    pub fn signer(&self) -> &Signer {
        &self.signer
    }

    /// Where it speaks to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Opens a connection that is kept alive.
    ///
    /// # Errors
    /// [`CallError::NotSent`].
    pub async fn connect(&self) -> Result<Connection, CallError> {
        Ok(Connection { sender: open(self.address).await?, signer: Arc::clone(&self.signer) })
    }

    /// One call on a connection of its own.
    ///
    /// # Errors
    /// When no whole answer came.
    pub async fn call(&self, operation: &str, input: &Value) -> Result<Answer, CallError> {
        self.connect().await?.call(operation, &Payload::new(input.to_string())).await
    }

    /// One call that must succeed.
    ///
    /// # Panics
    /// When it does not.
    pub async fn expect(&self, operation: &str, input: &Value) -> Value {
        let answer = self.call(operation, input).await.unwrap_or_else(|error| panic!("{operation}: {error:?}"));
        let text = String::from_utf8_lossy(&answer.body);
        assert_eq!(answer.status, StatusCode::OK, "{operation} {input} was answered: {text}");
        answer.json()
    }

    /// Creates a stream to S3 from the members of `ExtendedS3DestinationConfiguration` that matter to the test;
    /// role and bucket are filled in.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn create_stream(&self, name: &str, mut destination: Value) {
        destination["RoleARN"] = json!("arn:aws:iam::000000000000:role/tests");
        destination["BucketARN"] = json!(format!("arn:aws:s3:::{BUCKET}"));
        let input = json!({"DeliveryStreamName": name, "ExtendedS3DestinationConfiguration": destination});
        self.expect("CreateDeliveryStream", &input).await;
    }

    /// Puts records in one call that must succeed as a whole.
    ///
    /// # Panics
    /// When it does not.
    pub async fn put(&self, stream: &str, records: &[&[u8]]) {
        let payload = Payload::put_record_batch(stream, records.iter().copied());
        let mut connection = self.connect().await.expect("the host accepts connections");
        let answer = connection.call("PutRecordBatch", &payload).await.expect("a put is answered");
        let text = String::from_utf8_lossy(&answer.body);
        assert_eq!(answer.status, StatusCode::OK, "put to {stream} was answered: {text}");
        assert_eq!(answer.json()["FailedPutCount"], json!(0), "put to {stream} was answered: {text}");
    }
}

/// Bucket of all streams of the tests.
pub const BUCKET: &str = "tests";

/// Processing through one plugin, as a member of `ExtendedS3DestinationConfiguration`.
pub fn through_plugin(plugin: &str) -> Value {
    let arn = format!("arn:aws:lambda:{REGION}:000000000000:function:{plugin}");
    let parameters = json!([{"ParameterName": "LambdaArn", "ParameterValue": arn}]);
    json!({"Enabled": true, "Processors": [{"Type": "Lambda", "Parameters": parameters}]})
}

/// A kept-alive connection: one request at a time.
#[derive(Debug)]
pub struct Connection {
    sender: SendRequest<Full<Bytes>>,
    signer: Arc<Signer>,
}

impl Connection {
    /// Signs and sends.
    ///
    /// # Errors
    /// When no whole answer came.
    pub async fn call(&mut self, operation: &str, payload: &Payload) -> Result<Answer, CallError> {
        let mut request = Request::new(Full::new(payload.body.clone()));
        *request.method_mut() = Method::POST;
        for (name, value) in self.signer.headers(operation, &payload.sha256) {
            request.headers_mut().insert(name, value.parse().expect("headers are ASCII"));
        }
        exchange(&mut self.sender, request).await
    }
}

/// `GET` on the admin port or anything else without a signature.
///
/// # Errors
/// When no whole answer came.
pub async fn get(address: SocketAddr, path: &str) -> Result<Answer, CallError> {
    let mut sender = open(address).await?;
    let request = Request::get(path).header("host", address.to_string()).body(Full::default());
    exchange(&mut sender, request.expect("a path of the tests is a path")).await
}

async fn open(address: SocketAddr) -> Result<SendRequest<Full<Bytes>>, CallError> {
    let connecting = TcpStream::connect(address);
    let stream = match tokio::time::timeout(ANSWER_LIMIT, connecting).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(_)) | Err(_) => return Err(CallError::NotSent),
    };
    // Without it, two small writes of one request wait for each other's acknowledgement.
    stream.set_nodelay(true).map_err(|_| CallError::NotSent)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|_| CallError::NotSent)?;
    tokio::spawn(async move {
        // Its errors reach the caller through the sender.
        connection.await.ok();
    });
    Ok(sender)
}

async fn exchange(sender: &mut SendRequest<Full<Bytes>>, request: Request<Full<Bytes>>) -> Result<Answer, CallError> {
    let answering = async {
        let response = sender.send_request(request).await.map_err(|_| CallError::NoAnswer)?;
        let status = response.status();
        let body = response.into_body().collect().await.map_err(|_| CallError::NoAnswer)?.to_bytes();
        Ok(Answer { status, body })
    };
    tokio::time::timeout(ANSWER_LIMIT, answering).await.unwrap_or(Err(CallError::NoAnswer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_the_json_that_sdks_send() {
        let payload = Payload::put_record_batch("s", [b"one".as_slice(), b"", b"three"]);
        let value: Value = serde_json::from_slice(&payload.body).unwrap();
        let records = json!([{"Data": "b25l"}, {"Data": ""}, {"Data": "dGhyZWU="}]);
        assert_eq!(value, json!({"DeliveryStreamName": "s", "Records": records}));
        assert_eq!(payload.sha256, sha256_hex(&payload.body));
    }

    #[test]
    fn stamps_are_those_of_signature_version_4() {
        let stamps = stamps(1_440_938_160_000);
        assert_eq!(stamps, ("20150830T123600Z".to_owned(), "20150830".to_owned()));
    }
}
