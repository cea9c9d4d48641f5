//! The files: buckets, objects and their attributes, written so that a crash or power cut shows all of an object or none.
//!
//! Everything here blocks; the service calls it on threads made for that.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};

use s3s::crypto::{Checksum as _, Md5};
use serde::{Deserialize, Serialize};

use super::keys::path_of;

/// Why the store could not do it.
#[derive(Debug, thiserror::Error)]
pub(super) enum StoreError {
    #[error("no such bucket")]
    NoBucket,
    #[error("no such key")]
    NoKey,
    #[error("no such upload")]
    NoUpload,
    #[error("part is missing or was replaced")]
    NoPart,
    #[error("part is smaller than 5 MiB and not the last")]
    SmallPart,
    #[error("an object is already stored under the key")]
    Exists,
    #[error("the bucket holds objects")]
    NotEmpty,
    #[error("the key runs through, or is a folder of, another object's key, which files cannot express")]
    Clash,
    #[error("file operation failed")]
    Io(#[from] io::Error),
    #[error("stored attributes cannot be read")]
    Attributes(#[from] serde_json::Error),
}

/// Headers kept beside an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Attributes {
    /// Length of the data they belong to.
    pub(super) length: u64,
    pub(super) etag: String,
    pub(super) content_type: Option<String>,
    pub(super) content_encoding: Option<String>,
    pub(super) content_disposition: Option<String>,
    pub(super) content_language: Option<String>,
    pub(super) cache_control: Option<String>,
    pub(super) metadata: HashMap<String, String>,
}

/// Whether a put may replace what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overwrite {
    Allowed,
    /// `If-None-Match: *`.
    Refused,
}

#[derive(Debug)]
pub(super) struct Store {
    root: PathBuf,
    incoming: AtomicU64,
    /// Held for writing while an object's two files change, so that readers see both old or both new.
    changes: RwLock<()>,
    /// Held while folders are made and synced: whoever finds a folder made by another knows that it is durable.
    folders: Mutex<()>,
}

impl Store {
    pub(super) fn open(root: &Path) -> io::Result<Self> {
        fs::create_dir_all(root)?;
        let store = Self {
            root: root.canonicalize()?,
            incoming: AtomicU64::new(0),
            changes: RwLock::new(()),
            folders: Mutex::new(()),
        };
        match fs::remove_dir_all(store.own("incoming")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        for folder in ["incoming", "attributes", "uploads"] {
            fs::create_dir_all(store.own(folder))?;
        }
        // What a killed process left in the page cache counts as present from here on, so it must be durable.
        rustix::fs::syncfs(File::open(&store.root)?)?;
        if let Some(parent) = store.root.parent() {
            sync_folder(parent)?;
        }
        Ok(store)
    }

    /// A path among the store's own files.
    pub(super) fn own(&self, name: &str) -> PathBuf {
        self.root.join(".hydrant").join(name)
    }

    pub(super) fn bucket(&self, bucket: &str) -> Result<PathBuf, StoreError> {
        // The protocol layer checks bucket names; this keeps the store safe without it.
        if bucket.starts_with('.') || bucket.contains(['/', '\0']) || bucket.is_empty() {
            return Err(StoreError::NoBucket);
        }
        let path = self.root.join(bucket);
        if path.is_dir() { Ok(path) } else { Err(StoreError::NoBucket) }
    }

    /// Names and creation times of all buckets, sorted.
    pub(super) fn buckets(&self) -> Result<Vec<(String, std::time::SystemTime)>, StoreError> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.root)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            if !name.starts_with('.') && entry.file_type()?.is_dir() {
                found.push((name, entry.metadata()?.modified()?));
            }
        }
        found.sort();
        Ok(found)
    }

    /// Makes a bucket; `Exists` when it is there.
    pub(super) fn create_bucket(&self, bucket: &str) -> Result<(), StoreError> {
        match self.bucket(bucket) {
            Ok(_) => Err(StoreError::Exists),
            Err(_) => Ok(self.make_folders(&self.root.join(bucket))?),
        }
    }

    /// Removes an empty bucket.
    pub(super) fn delete_bucket(&self, bucket: &str) -> Result<(), StoreError> {
        let path = self.bucket(bucket)?;
        let _alone = self.changes.write().unwrap_or_else(PoisonError::into_inner);
        if !self.list(bucket, "", None, "", 1)?.is_empty() {
            return Err(StoreError::NotEmpty);
        }
        fs::remove_dir_all(path)?;
        Ok(sync_folder(&self.root)?)
    }

    /// A file for a body on its way in.
    pub(super) fn receive(&self) -> io::Result<Incoming> {
        let number = self.incoming.fetch_add(1, Ordering::Relaxed);
        let path = self.own("incoming").join(number.to_string());
        let file = File::create_new(&path)?;
        Ok(Incoming { file, path, md5: Md5::new(), length: 0 })
    }

    /// Shows a received body under its key, durably. Fills in the attributes' length.
    pub(super) fn commit(
        &self,
        bucket: &str,
        key: &str,
        body: Incoming,
        mut attributes: Attributes,
        overwrite: Overwrite,
    ) -> Result<(), StoreError> {
        let data_path = self.bucket(bucket)?.join(path_of(key));
        let attributes_path = self.attributes_path(bucket, key);
        attributes.length = body.length;
        body.file.sync_data()?;
        let mut beside = self.receive()?;
        beside.write(&serde_json::to_vec(&attributes)?)?;
        beside.file.sync_data()?;
        let data_folder = self.make_parent(&data_path)?;
        let attributes_folder = self.make_parent(&attributes_path)?;
        {
            let _alone = self.changes.write().unwrap_or_else(PoisonError::into_inner);
            // Looked at again: the bucket may have been deleted meanwhile.
            self.bucket(bucket)?;
            if overwrite == Overwrite::Refused && data_path.exists() {
                return Err(StoreError::Exists);
            }
            if data_path.is_dir() {
                return Err(StoreError::Clash);
            }
            fs::rename(&beside.path, &attributes_path)?;
            fs::rename(&body.path, &data_path)?;
        }
        sync_folder(&attributes_folder)?;
        Ok(sync_folder(&data_folder)?)
    }

    /// Opens an object's data together with its attributes.
    pub(super) fn open_object(&self, bucket: &str, key: &str) -> Result<Opened, StoreError> {
        let path = self.bucket(bucket)?.join(path_of(key));
        let _still = self.changes.read().unwrap_or_else(PoisonError::into_inner);
        let file = File::open(&path).map_err(missing_is(StoreError::NoKey))?;
        let about = file.metadata()?;
        if !about.is_file() {
            return Err(StoreError::NoKey);
        }
        let (length, modified) = (about.len(), about.modified()?);
        let attributes = self.attributes(bucket, key, length)?;
        Ok(Opened { file, length, modified, attributes })
    }

    /// Attributes of an object of this length; empty ones for a file that came here by other means.
    pub(super) fn attributes(&self, bucket: &str, key: &str, length: u64) -> Result<Attributes, StoreError> {
        let found: Attributes = match fs::read(self.attributes_path(bucket, key)) {
            Ok(text) => serde_json::from_slice(&text)?,
            Err(_) => Attributes::default(),
        };
        if found.length == length { Ok(found) } else { Ok(Attributes { length, ..Attributes::default() }) }
    }

    /// Removes an object; a missing one is no error.
    pub(super) fn delete(&self, bucket: &str, key: &str) -> Result<(), StoreError> {
        let path = self.bucket(bucket)?.join(path_of(key));
        let _alone = self.changes.write().unwrap_or_else(PoisonError::into_inner);
        match fs::remove_file(&path) {
            Ok(()) => {}
            // A missing file, a folder of other keys, or a file where a folder would be: no such object.
            Err(_) if !path.is_file() => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        match fs::remove_file(self.attributes_path(bucket, key)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        Ok(path.parent().map_or(Ok(()), sync_folder)?)
    }

    fn attributes_path(&self, bucket: &str, key: &str) -> PathBuf {
        self.own("attributes").join(bucket).join(path_of(key))
    }

    fn make_parent(&self, path: &Path) -> Result<PathBuf, StoreError> {
        let folder = path.parent().unwrap_or(&self.root);
        self.make_folders(folder).map_err(|error| match error.kind() {
            io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => StoreError::Clash,
            _ => error.into(),
        })?;
        Ok(folder.to_owned())
    }

    /// Makes a folder and those above it, each synced into its parent before anything is put inside.
    pub(super) fn make_folders(&self, folder: &Path) -> io::Result<()> {
        if folder.is_dir() {
            // Wait for its maker to finish syncing.
            drop(self.folders.lock().unwrap_or_else(PoisonError::into_inner));
            return Ok(());
        }
        let _alone = self.folders.lock().unwrap_or_else(PoisonError::into_inner);
        let mut missing: Vec<&Path> = folder.ancestors().take_while(|above| !above.is_dir()).collect();
        while let Some(next) = missing.pop() {
            fs::create_dir(next)?;
            next.parent().map_or(Ok(()), sync_folder)?;
        }
        Ok(())
    }
}

/// An object opened for reading.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) file: File,
    pub(super) length: u64,
    pub(super) modified: std::time::SystemTime,
    pub(super) attributes: Attributes,
}

/// A body on its way in; its file vanishes unless it is committed.
pub(super) struct Incoming {
    pub(super) file: File,
    pub(super) path: PathBuf,
    md5: Md5,
    pub(super) length: u64,
}

impl Incoming {
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.md5.update(bytes);
        self.length += bytes.len() as u64;
        self.file.write_all(bytes)
    }

    /// MD5 of what was written so far. Begins anew.
    pub(super) fn md5(&mut self) -> [u8; 16] {
        std::mem::replace(&mut self.md5, Md5::new()).finalize()
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        // After a commit it is gone already; else the next start clears it away.
        let _gone_or_left = fs::remove_file(&self.path);
    }
}

pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

pub(super) fn missing_is(instead: StoreError) -> impl FnOnce(io::Error) -> StoreError {
    move |error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => instead,
        _ => error.into(),
    }
}
