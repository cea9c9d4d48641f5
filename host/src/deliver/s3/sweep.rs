//! Uploads in parts that nobody will ever finish: a host died over them, and only the bill shows them.
//!
//! An object's next delivery sweeps its own key; this finds those whose object was stored in another way, or whose
//! delivery never came back. Refuses whatever is not named as this host names objects, is younger than it was told, or
//! is being sent right now.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_s3::types::MultipartUpload;
use uuid::Uuid;

use super::upload::{S3, within};
use crate::deliver::destination::{DeliveryError, Leftovers};

/// Pages of a thousand uploads that one sweep looks at: more are for the next one.
const MOST_PAGES: usize = 10;

/// Uploads that this process is sending.
#[derive(Clone, Debug, Default)]
pub(super) struct Sending(Arc<Mutex<BTreeSet<String>>>);

/// One of them, until it is dropped: an abandoned delivery's future is.
#[derive(Debug)]
pub(super) struct Sent {
    sending: Sending,
    id: String,
}

impl Sending {
    pub(super) fn begin(&self, id: &str) -> Sent {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned());
        Sent { sending: self.clone(), id: id.to_owned() }
    }

    fn has(&self, id: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(id)
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        self.sending.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

impl S3 {
    /// Aborts what was left behind, as far as one look finds it, and says how many.
    pub(super) async fn sweep_leftovers(&self, left: &Leftovers) -> Result<usize, DeliveryError> {
        let Leftovers { bucket, prefix, .. } = left;
        let what = format!("list unfinished uploads of s3://{bucket}/{prefix}");
        let (mut swept, mut key_marker, mut id_marker) = (0, None, None);
        for _ in 0..MOST_PAGES {
            let request = self.client.list_multipart_uploads().bucket(bucket).prefix(prefix);
            let request = request.set_key_marker(key_marker).set_upload_id_marker(id_marker);
            let page = within(self.settings.attempt_timeout, &what, request.send()).await;
            let page = page.map_err(|failure| failure.error)?;
            for upload in page.uploads().iter().filter(|upload| is_left(upload, left)) {
                let (Some(key), Some(id)) = (upload.key(), upload.upload_id()) else { continue };
                if !self.sending.has(id) && self.abort_left(bucket, key, id).await {
                    swept += 1;
                }
            }
            if page.is_truncated() != Some(true) || page.next_key_marker().is_none() {
                break;
            }
            (key_marker, id_marker) = (page.next_key_marker, page.next_upload_id_marker);
        }
        Ok(swept)
    }

    async fn abort_left(&self, bucket: &str, key: &str, id: &str) -> bool {
        let request = self.client.abort_multipart_upload().bucket(bucket).key(key).upload_id(id);
        let what = format!("abort an upload of s3://{bucket}/{key}");
        match within(self.settings.attempt_timeout, &what, request.send()).await {
            Ok(_) => true,
            Err(failure) => {
                tracing::debug!(code = failure.error.code, error = %failure.error, "an unfinished upload stays");
                false
            }
        }
    }
}

/// Old enough, and named as objects of the stream are. A server that does not say when an upload began keeps it.
fn is_left(upload: &MultipartUpload, left: &Leftovers) -> bool {
    let begun_ms = upload.initiated().and_then(|at| at.to_millis().ok()).and_then(|ms| u64::try_from(ms).ok());
    begun_ms.is_some_and(|begun_ms| begun_ms < left.begun_before_ms)
        && upload.key().is_some_and(|key| key.starts_with(&left.prefix) && is_named(key, &left.stream))
}

/// Whether `key` ends as keys of the stream's objects do: `<stream>-<version>-<yyyy-MM-dd-HH-mm-ss>-<uuid>`, and perhaps an
/// extension.
fn is_named(key: &str, stream: &str) -> bool {
    let own = format!("{stream}-");
    key.match_indices(&own).any(|(at, _)| {
        let rest = &key[at + own.len()..];
        let Some((version, rest)) = rest.split_once('-') else { return false };
        let (Some(instant), Some(id)) = (rest.get(..INSTANT.len()), rest.get(INSTANT.len() + 1..INSTANT.len() + 37))
        else {
            return false;
        };
        let like = |(byte, model): (u8, u8)| if model == b'0' { byte.is_ascii_digit() } else { byte == model };
        !version.is_empty()
            && version.bytes().all(|byte| byte.is_ascii_digit())
            && instant.bytes().zip(INSTANT.bytes()).all(like)
            && Uuid::try_parse(id).is_ok()
            && !rest[INSTANT.len() + 37..].contains('/')
    })
}

/// How the instant in a name is written.
const INSTANT: &str = "0000-00-00-00-00-00";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_own_names_are_known() {
        let id = "01234567-89ab-4def-8123-456789abcdef";
        for (key, expected) in [
            (format!("a/2018/08/27/10/orders-3-2018-08-27-10-30-00-{id}"), true),
            (format!("orders-3-2018-08-27-10-30-00-{id}.gz"), true),
            (format!("prefix without a slash orders-12-2018-08-27-10-30-00-{id}.parquet"), true),
            (format!("orders-orders-3-2018-08-27-10-30-00-{id}"), true),
            (format!("orders-v3-2018-08-27-10-30-00-{id}"), false),
            (format!("orders-3-2018-08-27-10-30-{id}"), false),
            (format!("orders-3-2018-08-27-10-30-00-{id}/part"), false),
            (format!("others-3-2018-08-27-10-30-00-{id}"), false),
            ("orders-3-2018-08-27-10-30-00-01234567".to_owned(), false),
            ("orders-3-é018-08-27-10-30-00-".to_owned(), false),
            ("backups/orders.tar".to_owned(), false),
        ] {
            assert_eq!(is_named(&key, "orders"), expected, "{key}");
        }
    }
}
