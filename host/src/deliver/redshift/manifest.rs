//! Manifests: which objects a COPY loads, what the file that says so is called, and which batch an object is.

use std::collections::HashSet;

use bytes::Bytes;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::record::Seal;

/// Folder of the manifests that are loaded, below the prefix.
const WORKING: &str = "manifests/";
/// Folder of the manifests of skipped batches, below the prefix.
pub(super) const SKIPPED: &str = "errors/manifests/";

/// An object to load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// The batch: what the ledger knows it by.
    pub(super) batch: Uuid,
    /// `s3://BUCKET/KEY`.
    pub(super) url: String,
    /// `YYYY/MM/dd/HH/` of its oldest record.
    pub(super) folder: String,
}

/// A manifest on the wire.
#[derive(Debug, Serialize, Deserialize)]
struct Document {
    entries: Vec<Line>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Line {
    url: String,
    /// A missing object fails the COPY instead of being passed over.
    #[serde(default)]
    mandatory: bool,
}

impl Entry {
    /// The object that a seal promises.
    pub(super) fn of(seal: &Seal, zone: &TimeZone) -> Self {
        // An arrival beyond the year 9999 is not one; whatever it is called, it stays the same.
        let instant = i64::try_from(seal.oldest_arrived_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
        let at = instant.unwrap_or(Timestamp::MAX).to_zoned(zone.clone());
        let folder = at.strftime("%Y/%m/%d/%H/").to_string();
        Self { batch: seal.id, url: format!("s3://{}/{}", seal.bucket, seal.key), folder }
    }

    /// Name of the object without its folders.
    fn name(&self) -> &str {
        self.url.rsplit('/').next().unwrap_or_default()
    }
}

/// The manifest that lists `entries`.
pub(super) fn body(entries: &[Entry]) -> Result<Bytes, serde_json::Error> {
    let line = |entry: &Entry| Line { url: entry.url.clone(), mandatory: true };
    serde_json::to_vec(&Document { entries: entries.iter().map(line).collect() }).map(Bytes::from)
}

/// Key of the manifest that `entries` are loaded from: the same for the same entries.
pub(super) fn working_key(prefix: &str, entries: &[Entry]) -> String {
    key(&format!("{prefix}{WORKING}"), entries)
}

/// Key of the manifest of a skipped batch.
pub(super) fn skipped_key(prefix: &str, entry: &Entry) -> String {
    key(&format!("{prefix}{SKIPPED}"), std::slice::from_ref(entry))
}

fn key(folder: &str, entries: &[Entry]) -> String {
    let Some(first) = entries.first() else { return format!("{folder}empty") };
    let name = match entries.len() {
        1 => format!("{}.manifest", first.name()),
        count => format!("{}-and-{}-more-{}.manifest", first.name(), count - 1, identity(entries)),
    };
    format!("{folder}{}{name}", first.folder)
}

/// A uuid that only these batches in this order have.
pub(super) fn identity(entries: &[Entry]) -> Uuid {
    let mut hash = Sha256::new();
    for entry in entries {
        hash.update(entry.batch.as_bytes());
    }
    let digest = hash.finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

/// The objects that a manifest of a skipped batch lists. `folder` is where the manifest lies below
/// [`SKIPPED`]. An error is a text for people.
pub(super) fn parse(bytes: &[u8], folder: &str) -> Result<Vec<Entry>, String> {
    let document: Document = serde_json::from_slice(bytes).map_err(|error| format!("it is not a manifest: {error}"))?;
    let mut known = HashSet::new();
    let mut entries = Vec::new();
    for Line { url, .. } in document.entries {
        if !url.starts_with("s3://") {
            return Err(format!("{url} is not an address in S3"));
        }
        let Some(batch) = batch_of(&url) else {
            return Err(format!("the name of {url} has no uuid, so the ledger cannot tell whether it was loaded"));
        };
        if known.insert(batch) {
            entries.push(Entry { batch, url, folder: folder.to_owned() });
        }
    }
    Ok(entries)
}

/// The batch whose object lies there: the uuid at the end of its name, which an extension may follow.
fn batch_of(url: &str) -> Option<Uuid> {
    let name = url.rsplit('/').next()?;
    let starts = (0..=name.len().checked_sub(UUID_BYTES)?).rev();
    starts.filter_map(|start| name.get(start..start + UUID_BYTES)).find_map(|text| Uuid::try_parse(text).ok())
}

/// Length of a uuid with hyphens; a shorter notation is not looked for.
const UUID_BYTES: usize = 36;

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0b51ae6d-6d5e-4a8c-9b1c-3f5f2a1c7d10";

    fn entry(id: u128) -> Entry {
        let batch = Uuid::from_u128(id);
        let url = format!("s3://b/p/2026/11/21/05/orders-1-2026-11-21-05-00-00-{batch}.gz");
        Entry { batch, url, folder: "2026/11/21/05/".to_owned() }
    }

    #[test]
    fn a_manifest_is_the_one_redshift_documents() {
        let text = body(&[Entry { url: "s3://b/k \"é".to_owned(), ..entry(1) }]).unwrap();
        assert_eq!(text, r#"{"entries":[{"url":"s3://b/k \"é","mandatory":true}]}"#);
    }

    #[test]
    fn the_same_batches_have_the_same_manifest() {
        let (one, two, three) = (entry(1), entry(2), entry(3));
        let alone = working_key("p/", std::slice::from_ref(&one));
        assert_eq!(alone, format!("p/manifests/2026/11/21/05/{}.manifest", one.name()));
        assert_eq!(skipped_key("", &one), format!("errors/manifests/2026/11/21/05/{}.manifest", one.name()));
        let pair = [one.clone(), two.clone()];
        assert_eq!(working_key("p/", &pair), working_key("p/", &pair));
        assert!(working_key("p/", &pair).contains(&format!("{}-and-1-more-", one.name())));
        let others = [working_key("p/", &[one.clone(), three.clone()]), working_key("p/", &[one, two, three]), alone];
        assert!(others.iter().all(|other| *other != working_key("p/", &pair)));
    }

    #[test]
    fn the_hour_is_the_streams_own() {
        let mut seal = crate::deliver::testing::object("b", "k", b"").seal.as_ref().clone();
        seal.oldest_arrived_ms = 1_795_237_200_000; // 2026-11-21T05:00:00Z
        let folder = |zone: &str| Entry::of(&seal, &TimeZone::get(zone).unwrap()).folder;
        assert_eq!([folder("UTC"), folder("Asia/Kolkata")], ["2026/11/21/05/", "2026/11/21/10/"]);
        seal.oldest_arrived_ms = u64::MAX;
        assert!(Entry::of(&seal, &TimeZone::UTC).folder.starts_with("9999/"));
    }

    #[test]
    fn objects_say_which_batch_they_are() {
        let of = |name: &str| batch_of(&format!("s3://bucket/{name}")).map(|id| id.to_string());
        for name in
            [ID.to_owned(), format!("p/s-1-2026-11-21-05-00-00-{ID}"), format!("s.x-{ID}.json.gz"), format!("é{ID}é")]
        {
            assert_eq!(of(&name).as_deref(), Some(ID), "{name}");
        }
        for name in ["", "part-0001.gz", &format!("{ID}/part-1"), &ID[1..]] {
            assert_eq!(of(name), None, "{name}");
        }
    }

    #[test]
    fn only_manifests_of_known_batches_are_read() {
        let (one, two) = (entry(1), entry(2));
        let text = body(&[one.clone(), two.clone(), one.clone()]).unwrap();
        assert_eq!(parse(&text, &one.folder).unwrap(), [one, two]);
        for (text, said) in [
            ("[]", "not a manifest"),
            ("{}", "not a manifest"),
            (r#"{"entries":[{"url":"http://b/k"}]}"#, "not an address"),
            (r#"{"entries":[{"url":"s3://b/k"}]}"#, "no uuid"),
        ] {
            assert!(parse(text.as_bytes(), "").unwrap_err().contains(said), "{text}");
        }
    }
}
