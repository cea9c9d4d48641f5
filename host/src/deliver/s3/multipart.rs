//! Large objects in parts: at most four on the way at once, each repeated by itself, everything undone on failure.
//!
//! A host that dies in between leaves an upload behind that nobody sees but the bill. The object's key is unique to its
//! seal, so the next delivery of the same object first aborts whatever is left under that very key; what remains is
//! found when it is a day old (`sweep`), or by a lifecycle rule of the bucket (`AbortIncompleteMultipartUpload`).

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart, ServerSideEncryption};
use bytes::Bytes;
use futures_util::stream::{self, StreamExt, TryStreamExt};

use super::classify::{Cure, Failure};
use super::upload::{CONTENT_TYPE, Hashed, S3, Upload, digest, within};

/// Parts on the way at once: enough to hide S3's latency, few enough that one object does not own the network.
const PARALLEL_PARTS: usize = 4;
/// S3's own limit.
const MOST_PARTS: usize = 10_000;
/// S3 refuses smaller parts, the last one excepted.
const LEAST_PART_BYTES: usize = 5 << 20;
/// Left-overs of one object aborted before a new upload; more than one needs several crashes at the same object.
const MOST_LEFTOVERS: i32 = 20;

impl S3 {
    /// Uploads in parts. On failure the upload is aborted, as far as the server still answers.
    pub(super) async fn put_in_parts(&self, upload: &Upload<'_>) -> Result<(), Failure> {
        self.sweep_key(upload).await;
        let id = self.begin(upload).await?;
        let _sending = self.sending.begin(&id);
        let result = self.send_parts(upload, &id).await;
        if result.is_err() {
            self.abort(upload, &id).await;
        }
        result
    }

    async fn begin(&self, upload: &Upload<'_>) -> Result<String, Failure> {
        let seal = &upload.object.seal;
        let mut request = self
            .client
            .create_multipart_upload()
            .bucket(&seal.bucket)
            .key(&seal.key)
            .content_type(CONTENT_TYPE)
            .set_content_encoding(upload.object.content_encoding.map(str::to_owned))
            .set_metadata(Some(upload.metadata()))
            .set_acl(self.settings.acl());
        if let Some(key) = &upload.object.kms_key_arn {
            request = request.server_side_encryption(ServerSideEncryption::AwsKms).ssekms_key_id(key);
        }
        let what = format!("begin the upload of s3://{}/{}", seal.bucket, seal.key);
        let begun = within(self.settings.attempt_timeout, &what, request.send()).await?;
        Ok(begun.upload_id.unwrap_or_default())
    }

    async fn send_parts(&self, upload: &Upload<'_>, id: &str) -> Result<(), Failure> {
        let body = &upload.object.body;
        let size = self.settings.part_bytes.max(LEAST_PART_BYTES).max(body.len().div_ceil(MOST_PARTS));
        let parts = (1_i32..).zip((0..body.len()).step_by(size)).map(|(number, start)| {
            let slice = body.slice(start..body.len().min(start + size));
            self.send_part(upload, id, number, slice)
        });
        let mut done: Vec<CompletedPart> = stream::iter(parts).buffer_unordered(PARALLEL_PARTS).try_collect().await?;
        done.sort_unstable_by_key(|part| part.part_number);
        let seal = &upload.object.seal;
        let request = self
            .client
            .complete_multipart_upload()
            .bucket(&seal.bucket)
            .key(&seal.key)
            .upload_id(id)
            .multipart_upload(CompletedMultipartUpload::builder().set_parts(Some(done)).build());
        // The server joins the parts before it answers, which takes the longer the larger they are.
        let limit = self.settings.limit_for(body.len());
        let what = format!("complete the upload of s3://{}/{}", seal.bucket, seal.key);
        within(limit, &what, request.send()).await.map(drop)
    }

    /// One part, repeated by itself. Its outcome may stay unknown: sending it again replaces it.
    async fn send_part(
        &self,
        upload: &Upload<'_>,
        id: &str,
        number: i32,
        slice: Bytes,
    ) -> Result<CompletedPart, Failure> {
        let seal = &upload.object.seal;
        let what = format!("store part {number} of s3://{}/{}", seal.bucket, seal.key);
        let limit = self.settings.limit_for(slice.len().saturating_mul(PARALLEL_PARTS));
        let sha256 = digest(slice.clone()).await;
        let mut attempt = 0;
        loop {
            let request = self
                .client
                .upload_part()
                .bucket(&seal.bucket)
                .key(&seal.key)
                .upload_id(id)
                .part_number(number)
                .body(ByteStream::from(slice.clone()));
            let send = request.customize().interceptor(Hashed(sha256.clone())).send();
            let failure = match within(limit, &what, send).await {
                Ok(sent) => return Ok(CompletedPart::builder().part_number(number).set_e_tag(sent.e_tag).build()),
                Err(failure) => failure,
            };
            attempt += 1;
            if failure.cure != Cure::Time || attempt >= self.settings.part_attempts {
                return Err(failure);
            }
            tracing::debug!(code = failure.error.code, error = %failure.error, attempt, "part upload is repeated");
            tokio::time::sleep(self.policy.wait(attempt, None, &self.random)).await;
        }
    }

    async fn abort(&self, upload: &Upload<'_>, id: &str) {
        let seal = &upload.object.seal;
        let request = self.client.abort_multipart_upload().bucket(&seal.bucket).key(&seal.key).upload_id(id);
        let what = format!("abort an upload of s3://{}/{}", seal.bucket, seal.key);
        if let Err(failure) = within(self.settings.attempt_timeout, &what, request.send()).await {
            tracing::debug!(code = failure.error.code, error = %failure.error, "an unfinished upload may be left behind");
        }
    }

    /// Aborts what an earlier life left under this very key. Failing to is no reason not to deliver.
    async fn sweep_key(&self, upload: &Upload<'_>) {
        let seal = &upload.object.seal;
        let request =
            self.client.list_multipart_uploads().bucket(&seal.bucket).prefix(&seal.key).max_uploads(MOST_LEFTOVERS);
        let what = format!("list unfinished uploads of s3://{}/{}", seal.bucket, seal.key);
        let found = match within(self.settings.attempt_timeout, &what, request.send()).await {
            Ok(found) => found,
            Err(failure) => {
                tracing::debug!(code = failure.error.code, error = %failure.error, "unfinished uploads are not swept");
                return;
            }
        };
        for left in found.uploads() {
            if let (Some(key), Some(id)) = (left.key(), left.upload_id())
                && key == seal.key
            {
                self.abort(upload, id).await;
            }
        }
    }
}
