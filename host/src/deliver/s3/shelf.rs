//! A look into buckets: what lies below a prefix, and what is in it. For those who load again what was set aside.

use async_trait::async_trait;
use bytes::Bytes;

use super::classify::Failure;
use super::upload::{S3, within};
use crate::deliver::destination::{DeliveryError, Verdict};
use crate::deliver::redshift::{Shelf, TOO_LARGE};

#[async_trait]
impl Shelf for S3 {
    async fn list(&self, bucket: &str, prefix: &str, after: Option<&str>) -> Result<Vec<String>, DeliveryError> {
        let what = format!("list s3://{bucket}/{prefix}");
        let request = self.client.list_objects_v2().bucket(bucket).prefix(prefix);
        let send = request.set_start_after(after.map(str::to_owned)).send();
        let found = within(self.settings.attempt_timeout, &what, send).await.map_err(|failure| failure.error)?;
        Ok(found.contents.unwrap_or_default().into_iter().filter_map(|object| object.key).collect())
    }

    async fn read(&self, bucket: &str, key: &str, most_bytes: usize) -> Result<Bytes, DeliveryError> {
        let what = format!("read s3://{bucket}/{key}");
        let limit = self.settings.limit_for(most_bytes);
        let send = self.client.get_object().bucket(bucket).key(key).send();
        let found = within(limit, &what, send).await.map_err(|Failure { error, .. }| error)?;
        let failed = |code, why: &str| DeliveryError {
            verdict: Verdict::Retry(None),
            code,
            text: format!("cannot {what}: {why}"),
            source: None,
        };
        let length = found.content_length().and_then(|length| usize::try_from(length).ok());
        if length.is_none_or(|length| length > most_bytes) {
            return Err(failed(TOO_LARGE, &format!("it has more than {most_bytes} bytes")));
        }
        match tokio::time::timeout(limit, found.body.collect()).await {
            Ok(Ok(body)) => Ok(body.into_bytes()),
            Ok(Err(_)) => Err(failed("S3.ConnectionFailed", "the answer was cut")),
            Err(_) => Err(failed("S3.Timeout", "the answer takes too long")),
        }
    }
}
