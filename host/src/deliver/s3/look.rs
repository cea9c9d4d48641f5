//! [`Look`] into buckets of S3.

use async_trait::async_trait;
use bytes::Bytes;

use super::classify::Failure;
use super::upload::{S3, within};
use crate::deliver::destination::{DeliveryError, Verdict};
use crate::deliver::look::{Look, Stored};

#[async_trait]
impl Look for S3 {
    async fn objects(&self, bucket: &str, prefix: &str, after: Option<&str>) -> Result<Vec<Stored>, DeliveryError> {
        let what = format!("list s3://{bucket}/{prefix}");
        let request = self.client.list_objects_v2().bucket(bucket).prefix(prefix);
        let send = request.set_start_after(after.map(str::to_owned)).send();
        let found = within(self.settings.attempt_timeout, &what, send).await.map_err(|failure| failure.error)?;
        let stored = |object: aws_sdk_s3::types::Object| {
            let modified_ms = object.last_modified().and_then(|at| at.to_millis().ok());
            Some(Stored {
                etag: object.e_tag().unwrap_or_default().trim_matches('"').to_owned(),
                bytes: object.size().and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0),
                modified_ms: modified_ms.and_then(|at| u64::try_from(at).ok()).unwrap_or(0),
                key: object.key?,
            })
        };
        Ok(found.contents.unwrap_or_default().into_iter().filter_map(stored).collect())
    }

    async fn piece(&self, bucket: &str, object: &Stored, from: u64, most: u64) -> Result<Bytes, DeliveryError> {
        let key = &object.key;
        let what = format!("read s3://{bucket}/{key}");
        let last = from.saturating_add(most).min(object.bytes).saturating_sub(1);
        let limit = self.settings.limit_for(usize::try_from(most).unwrap_or(usize::MAX));
        let request = self.client.get_object().bucket(bucket).key(key).range(format!("bytes={from}-{last}"));
        let send = request.if_match(format!("\"{}\"", object.etag)).send();
        let found = within(limit, &what, send).await.map_err(|Failure { error, .. }| error)?;
        let failed = |code, why: &str| DeliveryError {
            verdict: Verdict::Retry(None),
            code,
            text: format!("cannot {what}: {why}"),
            source: None,
        };
        if found.e_tag().unwrap_or_default().trim_matches('"') != object.etag {
            // Not every server looks at the condition.
            return Err(failed("S3.ObjectChanged", "it was written anew meanwhile"));
        }
        match tokio::time::timeout(limit, found.body.collect()).await {
            Ok(Ok(body)) => {
                let body = body.into_bytes();
                let wanted = last.saturating_add(1).saturating_sub(from);
                if body.len() as u64 == wanted {
                    Ok(body)
                } else {
                    Err(failed("S3.UnreadableAnswer", "the answer is not the part that was asked for"))
                }
            }
            Ok(Err(_)) => Err(failed("S3.ConnectionFailed", "the answer was cut")),
            Err(_) => Err(failed("S3.Timeout", "the answer takes too long")),
        }
    }
}
