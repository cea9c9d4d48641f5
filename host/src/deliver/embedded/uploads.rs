//! Multipart uploads: a folder of parts, each named by number and MD5, joined into one object at the end.

use std::fs::{self, File};
use std::io;
use std::time::SystemTime;

use s3s::crypto::{Checksum as _, Md5};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::store::{Attributes, Incoming, Overwrite, Store, StoreError, missing_is};

/// S3's own limit for all parts but the last.
const LEAST_PART_BYTES: u64 = 5 << 20;

/// What an unfinished upload will become.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Upload {
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) attributes: Attributes,
}

/// An upload with its id and when it was begun.
pub(super) type Unfinished = (Uuid, Upload, SystemTime);

impl Store {
    pub(super) fn begin_upload(&self, id: Uuid, upload: &Upload) -> Result<(), StoreError> {
        self.bucket(&upload.bucket)?;
        let folder = self.own("uploads").join(id.to_string());
        fs::create_dir(&folder)?;
        Ok(fs::write(folder.join("upload"), serde_json::to_vec(upload)?)?)
    }

    /// The upload of this id, if it is for this object.
    pub(super) fn upload(&self, id: Uuid, bucket: &str, key: &str) -> Result<Upload, StoreError> {
        let path = self.own("uploads").join(id.to_string()).join("upload");
        let text = fs::read(path).map_err(missing_is(StoreError::NoUpload))?;
        let upload: Upload = serde_json::from_slice(&text)?;
        if upload.bucket == bucket && upload.key == key { Ok(upload) } else { Err(StoreError::NoUpload) }
    }

    /// Keeps a received part. Not synced: the joined object is.
    pub(super) fn keep_part(&self, id: Uuid, number: u32, etag: &str, body: Incoming) -> Result<(), StoreError> {
        let path = self.own("uploads").join(id.to_string()).join(format!("{number}.{etag}"));
        fs::rename(&body.path, path).map_err(missing_is(StoreError::NoUpload))
    }

    /// Joins parts, given by number and etag in rising order, and returns the object's etag. Repeatable until the answer.
    pub(super) fn complete_upload(
        &self,
        id: Uuid,
        bucket: &str,
        key: &str,
        parts: &[(u32, String)],
        overwrite: Overwrite,
    ) -> Result<String, StoreError> {
        let mut upload = self.upload(id, bucket, key)?;
        let folder = self.own("uploads").join(id.to_string());
        let mut joined = self.receive()?;
        let mut sums = Md5::new();
        for (at, (number, etag)) in parts.iter().enumerate() {
            let sum = unhex(etag).ok_or(StoreError::NoPart)?;
            let mut part =
                File::open(folder.join(format!("{number}.{etag}"))).map_err(missing_is(StoreError::NoPart))?;
            let length = part.metadata()?.len();
            if length < LEAST_PART_BYTES && at + 1 < parts.len() {
                return Err(StoreError::SmallPart);
            }
            sums.update(&sum);
            joined.length += io::copy(&mut part, &mut joined.file)?;
        }
        let etag = format!("{}-{}", hex(&sums.finalize()), parts.len());
        upload.attributes.etag.clone_from(&etag);
        self.commit(bucket, key, joined, upload.attributes, overwrite)?;
        // Left behind, it is only wasted space; the answer is decided already.
        let _left = fs::remove_dir_all(folder);
        Ok(etag)
    }

    pub(super) fn abort_upload(&self, id: Uuid, bucket: &str, key: &str) -> Result<(), StoreError> {
        self.upload(id, bucket, key)?;
        Ok(fs::remove_dir_all(self.own("uploads").join(id.to_string()))?)
    }

    /// Unfinished uploads of keys that begin with `prefix`, at most `most`.
    pub(super) fn uploads(&self, bucket: &str, prefix: &str, most: usize) -> Result<Vec<Unfinished>, StoreError> {
        self.bucket(bucket)?;
        let mut found = Vec::new();
        for entry in fs::read_dir(self.own("uploads"))? {
            let entry = entry?;
            let Some(id) = entry.file_name().to_str().and_then(|name| Uuid::try_parse(name).ok()) else { continue };
            // One that is being finished or begun right now has no description to read.
            let Ok(text) = fs::read(entry.path().join("upload")) else { continue };
            let Ok(upload) = serde_json::from_slice::<Upload>(&text) else { continue };
            if upload.bucket == bucket && upload.key.starts_with(prefix) {
                let begun = fs::metadata(entry.path().join("upload")).and_then(|description| description.modified());
                // Finished while it was looked at.
                let Ok(begun) = begun else { continue };
                found.push((id, upload, begun));
            }
            if found.len() >= most {
                break;
            }
        }
        Ok(found)
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from(b"0123456789abcdef"[digit as usize]))
        .collect()
}

/// The 16 bytes of an MD5 in lower-case hexadecimal; nothing else names a part's file.
fn unhex(text: &str) -> Option<[u8; 16]> {
    let digits = text.as_bytes();
    if digits.len() != 32 || !digits.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    let mut bytes = [0; 16];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}
