//! Reads an object from an S3 server, signed by the tests' own hands.

use std::time::{Duration, UNIX_EPOCH};

use aws_sigv4::sign::v4::{calculate_signature, generate_signing_key};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::copy::Refusal;
use crate::client::{sha256_hex, stamps};
use crate::environment::now_ms;

/// An S3 server, and who reads from it.
#[derive(Clone, Debug)]
pub struct Store {
    /// `127.0.0.1:PORT`.
    pub address: String,
    /// Access key id that it lets in.
    pub access_key_id: String,
    /// Secret access key.
    pub secret_access_key: String,
}

const REGION: &str = "us-east-1";
const SIGNED_HEADERS: &str = "host;x-amz-content-sha256;x-amz-date";

impl Store {
    /// The bytes under a key, or what Redshift says when there are none.
    pub(super) async fn get(&self, bucket: &str, key: &str) -> Result<Bytes, Refusal> {
        let failed = |text: String| Refusal::new("XX000", format!("S3ServiceException:{text}"));
        let broken = |error: &dyn std::error::Error| failed(format!("{error},Status 503,Error ServiceUnavailable"));
        let stream = TcpStream::connect(&self.address).await.map_err(|error| broken(&error))?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| broken(&error))?;
        let driver = tokio::spawn(connection);
        let request = self.request(bucket, key);
        let answer = sender.send_request(request).await.map_err(|error| broken(&error))?;
        let status = answer.status();
        let body = answer.into_body().collect().await.map_err(|error| broken(&error))?.to_bytes();
        driver.abort();
        match status {
            StatusCode::OK => Ok(body),
            StatusCode::NOT_FOUND => {
                Err(failed("The specified key does not exist.,Status 404,Error NoSuchKey".to_owned()))
            }
            StatusCode::FORBIDDEN => Err(failed("Access Denied,Status 403,Error AccessDenied".to_owned())),
            status => Err(failed(format!("Status {},Error Unknown", status.as_u16()))),
        }
    }

    fn request(&self, bucket: &str, key: &str) -> Request<Full<Bytes>> {
        let now = now_ms();
        let (stamp, day) = stamps(now);
        let path = format!("/{bucket}/{}", encoded(key));
        let empty = sha256_hex(b"");
        let canonical = format!(
            "GET\n{path}\n\nhost:{}\nx-amz-content-sha256:{empty}\nx-amz-date:{stamp}\n\n{SIGNED_HEADERS}\n{empty}",
            self.address
        );
        let scope = format!("{day}/{REGION}/s3/aws4_request");
        let to_sign = format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{}", sha256_hex(canonical.as_bytes()));
        let time = UNIX_EPOCH + Duration::from_millis(now);
        let signing_key = generate_signing_key(&self.secret_access_key, time, REGION, "s3");
        let signature = calculate_signature(signing_key, to_sign.as_bytes());
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={SIGNED_HEADERS}, Signature={signature}",
            self.access_key_id
        );
        Request::get(path)
            .header("host", &self.address)
            .header("x-amz-content-sha256", empty)
            .header("x-amz-date", stamp)
            .header("authorization", authorization)
            .body(Full::default())
            .expect("an encoded path is a path")
    }
}

/// Percent-encoding as S3 signs it.
fn encoded(key: &str) -> String {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(byte);
    key.bytes()
        .map(|byte| if is_plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
