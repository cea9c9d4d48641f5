//! One object, one attempt: a single put, or parts when it is large; then, when the outcome is unknown, a look.
//!
//! Every upload carries the batch id of its seal and the SHA-256 of its body as metadata. After a time-out or a cut
//! connection the stored object is looked at: the same id, digest and length mean that the lost answer was a yes.
//! Refuses to repeat whole uploads (the wrapper does) and to create buckets.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use aws_runtime::auth::PayloadSigningOverride;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::interceptors::BeforeTransmitInterceptorContextMut;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ServerSideEncryption;
use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::classify::{Effect, Failure, judge, timed_out};
use super::client::{ConnectError, connect};
use super::settings::Settings;
use super::sweep::Sending;
use crate::deliver::destination::{DeliveryError, Destination, Leftovers, Receipt};
use crate::deliver::retry::Policy;
use crate::record::Object;
use crate::runtime::Random;

/// Metadata key of the seal's id.
pub(super) const BATCH: &str = "hydrant-batch";
/// Metadata key of the body's digest.
pub(super) const SHA256: &str = "hydrant-sha256";

/// The S3 destination: one for the whole host, used by all streams at once.
pub struct S3 {
    pub(super) client: Client,
    pub(super) settings: Settings,
    pub(super) policy: Policy,
    pub(super) random: Arc<Random>,
    /// Uploads in parts that are on their way.
    pub(super) sending: Sending,
}

impl fmt::Debug for S3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3").field("endpoint", &self.settings.endpoint).finish_non_exhaustive()
    }
}

impl S3 {
    /// A destination for these settings. `policy` and `random` space the repeated uploads of single parts.
    pub async fn connect(settings: Settings, policy: Policy, random: Arc<Random>) -> Result<Self, ConnectError> {
        let client = connect(&settings).await?;
        Ok(Self { client, settings, policy, random, sending: Sending::default() })
    }

    async fn put(&self, upload: &Upload<'_>) -> Result<(), Failure> {
        let seal = &upload.object.seal;
        let what = format!("store s3://{}/{}", seal.bucket, seal.key);
        let mut request = self
            .client
            .put_object()
            .bucket(&seal.bucket)
            .key(&seal.key)
            .content_type(CONTENT_TYPE)
            .set_content_encoding(upload.object.content_encoding.map(str::to_owned))
            .set_metadata(Some(upload.metadata()))
            .set_acl(self.settings.acl())
            .body(ByteStream::from(upload.object.body.clone()));
        if let Some(key) = &upload.object.kms_key_arn {
            request = request.server_side_encryption(ServerSideEncryption::AwsKms).ssekms_key_id(key);
        }
        let limit = self.settings.limit_for(upload.object.body.len());
        let send = request.customize().interceptor(Hashed(upload.sha256.clone())).send();
        within(limit, &what, send).await.map(drop)
    }

    /// Row X2: is what lies under the key already what was sent? Anything but a clear yes is a no.
    async fn is_stored(&self, upload: &Upload<'_>) -> bool {
        let seal = &upload.object.seal;
        let look = self.client.head_object().bucket(&seal.bucket).key(&seal.key).send();
        let Ok(Ok(found)) = tokio::time::timeout(self.settings.attempt_timeout, look).await else { return false };
        let is = |key: &str, wanted: &str| {
            found.metadata().and_then(|metadata| metadata.get(key)).is_some_and(|value| value == wanted)
        };
        found.content_length().and_then(|length| usize::try_from(length).ok()) == Some(upload.object.body.len())
            && is(BATCH, &seal.id.to_string())
            && is(SHA256, &upload.sha256)
    }
}

#[async_trait]
impl Destination for S3 {
    async fn deliver(&self, object: &Object) -> Result<Receipt, DeliveryError> {
        let upload = Upload { object, sha256: digest(object.body.clone()).await };
        let sent = if object.body.len() < self.settings.multipart_threshold_bytes {
            self.put(&upload).await
        } else {
            self.put_in_parts(&upload).await
        };
        match sent {
            Ok(()) => Ok(Receipt::default()),
            Err(Failure { effect: Effect::Unknown, .. }) if self.is_stored(&upload).await => Ok(Receipt::default()),
            Err(Failure { error, .. }) => Err(error),
        }
    }

    async fn sweep(&self, left: &Leftovers) -> Result<usize, DeliveryError> {
        self.sweep_leftovers(left).await
    }
}

/// An object and the digest computed once for it.
pub(super) struct Upload<'a> {
    pub(super) object: &'a Object,
    pub(super) sha256: String,
}

impl Upload<'_> {
    pub(super) fn metadata(&self) -> HashMap<String, String> {
        let batch = self.object.seal.id.to_string();
        HashMap::from([(BATCH.to_owned(), batch), (SHA256.to_owned(), self.sha256.clone())])
    }
}

/// Hands the signer a digest that is already known: hashing a large body again, on a thread that serves sockets, would
/// cost as much CPU as the rest of the upload.
#[derive(Debug)]
pub(super) struct Hashed(pub(super) String);

impl Intercept for Hashed {
    fn name(&self) -> &'static str {
        "Hashed"
    }

    fn modify_before_signing(
        &self,
        _context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), aws_sdk_s3::error::BoxError> {
        bag.interceptor_state().store_put(PayloadSigningOverride::Precomputed(self.0.clone()));
        Ok(())
    }
}

/// Lower-case hexadecimal SHA-256, computed away from the threads that serve sockets when that takes long.
pub(super) async fn digest(body: Bytes) -> String {
    if body.len() < HASH_INLINE_BYTES {
        return hex(&body);
    }
    let copy = body.clone();
    match tokio::task::spawn_blocking(move || hex(&copy)).await {
        Ok(text) => text,
        // Only a runtime that is shutting down refuses; then speed no longer matters.
        Err(_) => hex(&body),
    }
}

fn hex(body: &[u8]) -> String {
    use std::fmt::Write;
    let mut text = String::with_capacity(64);
    for byte in Sha256::digest(body) {
        // Writing into a String cannot fail.
        let _infallible = write!(text, "{byte:02x}");
    }
    text
}

/// What Firehose stores, whatever the records are.
pub(super) const CONTENT_TYPE: &str = "application/octet-stream";

/// Hashing this much takes about 0.2 ms, less than handing it to another thread is worth.
const HASH_INLINE_BYTES: usize = 256 * 1024;

/// The result of one SDK call under a time limit.
pub(super) async fn within<T, E, F>(limit: std::time::Duration, what: &str, call: F) -> Result<T, Failure>
where
    F: Future<Output = Result<T, SdkError<E, aws_sdk_s3::config::http::HttpResponse>>>,
    E: aws_sdk_s3::error::ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    match tokio::time::timeout(limit, call).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(judge(what.to_owned(), error)),
        Err(_) => Err(timed_out(what, limit)),
    }
}
