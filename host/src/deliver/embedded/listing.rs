//! Lists a bucket in S3's order: a walk over its folders that keeps no more than one page in memory.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

use super::keys::piece_of;
use super::store::{Store, StoreError};

/// One line of a listing.
#[derive(Debug)]
pub(super) enum Entry {
    Object {
        length: u64,
        modified: SystemTime,
    },
    /// Keys that share the text up to a delimiter.
    Common,
}

impl Store {
    /// The first `most` entries after `after` whose keys begin with `prefix`, sorted by key.
    pub(super) fn list(
        &self,
        bucket: &str,
        prefix: &str,
        delimiter: Option<&str>,
        after: &str,
        most: usize,
    ) -> Result<BTreeMap<String, Entry>, StoreError> {
        let mut page: BTreeMap<String, Entry> = BTreeMap::new();
        let mut folders: Vec<(PathBuf, String)> = vec![(self.bucket(bucket)?, String::new())];
        while let Some((folder, base)) = folders.pop() {
            let related = base.starts_with(prefix) || prefix.starts_with(&base);
            let all_before = base.as_str() < after && !after.starts_with(&base);
            let all_behind = page.len() >= most && page.last_key_value().is_some_and(|(last, _)| *last < base);
            if !related || all_before || all_behind {
                continue;
            }
            // A folder that vanished meanwhile holds nothing.
            let Ok(entries) = fs::read_dir(&folder) else { continue };
            for entry in entries {
                let entry = entry?;
                let name = entry.file_name();
                let Some((piece, ends)) = name.to_str().and_then(piece_of) else { continue };
                let mut key = base.clone() + &piece;
                let Ok(about) = entry.metadata() else { continue };
                if about.is_dir() {
                    if ends {
                        key.push('/');
                    }
                    folders.push((entry.path(), key));
                    continue;
                }
                let Some(rest) = key.strip_prefix(prefix) else { continue };
                let shared = delimiter.and_then(|delimiter| Some(rest.find(delimiter)? + delimiter.len()));
                let found = match shared {
                    Some(end) => {
                        key.truncate(prefix.len() + end);
                        Entry::Common
                    }
                    None => Entry::Object { length: about.len(), modified: about.modified()? },
                };
                if key.as_str() > after {
                    page.insert(key, found);
                    if page.len() > most {
                        page.pop_last();
                    }
                }
            }
        }
        Ok(page)
    }
}
