//! Durable copies of components by digest, so that a batch finds the code that ruled it after a crash and after the
//! file in the watched folder is long gone. Refuses to give out a copy whose digest is not its name's.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::version::Recipe;

/// A folder of `DIGEST.wasm`, and `DIGEST.recipe` for versions with settings.
#[derive(Debug)]
pub(super) struct Store {
    folder: PathBuf,
    /// Longest file that is read.
    component_bytes: u64,
}

/// Why a copy cannot be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file system refused.
    #[error("cannot {action} {path}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// The copy was damaged.
    #[error("{0} is damaged: its digest is another one; put the original back")]
    Damaged(PathBuf),
}

impl Store {
    /// Opens the folder, making it if need be, and removes what a crash left half written.
    ///
    /// # Errors
    /// The file system refused.
    pub(super) fn open(folder: &Path, component_bytes: u64) -> Result<Self, StoreError> {
        make_folder(folder)?;
        let listed = fs::read_dir(folder).map_err(failed("list", folder))?;
        for entry in listed.flatten() {
            if entry.path().extension().is_some_and(|extension| extension == "new") {
                fs::remove_file(entry.path()).map_err(failed("remove", &entry.path()))?;
            }
        }
        Ok(Self { folder: folder.to_owned(), component_bytes })
    }

    /// Keeps a copy; durable on return.
    ///
    /// # Errors
    /// The file system refused.
    pub(super) fn put(&self, digest: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let path = self.path(digest);
        if fs::metadata(&path).is_ok_and(|metadata| metadata.len() == bytes.len() as u64) {
            return Ok(());
        }
        self.write(&path, bytes)
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
        let written = path.with_extension("new");
        let mut file = File::create(&written).map_err(failed("create", &written))?;
        file.write_all(bytes).map_err(failed("write", &written))?;
        file.sync_all().map_err(failed("sync", &written))?;
        fs::rename(&written, path).map_err(failed("rename", &written))?;
        let folder = File::open(&self.folder).map_err(failed("open", &self.folder))?;
        folder.sync_all().map_err(failed("sync", &self.folder))
    }

    /// The copy, `None` when there is none.
    ///
    /// # Errors
    /// The file system refused, or the copy is damaged.
    pub(super) fn find(&self, digest: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.path(digest);
        match read(&path, self.component_bytes) {
            Ok(bytes) if digest_of(&bytes) == digest => Ok(Some(bytes)),
            Ok(_) => Err(StoreError::Damaged(path)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed("read", &path)(error)),
        }
    }

    /// Keeps a version's recipe, whose digest this is; durable on return.
    ///
    /// # Errors
    /// The file system refused.
    pub(super) fn put_recipe(&self, digest: &str, text: &[u8]) -> Result<(), StoreError> {
        self.write(&self.recipe_path(digest), text)
    }

    /// The recipe of a version, `None` when it is a component without settings.
    ///
    /// # Errors
    /// The file system refused, or the recipe is damaged.
    pub(super) fn recipe(&self, digest: &str) -> Result<Option<Recipe>, StoreError> {
        let path = self.recipe_path(digest);
        match read(&path, RECIPE_BYTES) {
            Ok(text) if digest_of(&text) == digest => {
                serde_json::from_slice(&text).map(Some).map_err(|_| StoreError::Damaged(path))
            }
            Ok(_) => Err(StoreError::Damaged(path)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed("read", &path)(error)),
        }
    }

    /// Removes every copy but these.
    ///
    /// # Errors
    /// The file system refused.
    pub(super) fn retain(&self, digests: &BTreeSet<String>) -> Result<(), StoreError> {
        let listed = fs::read_dir(&self.folder).map_err(failed("list", &self.folder))?;
        for entry in listed.flatten() {
            let path = entry.path();
            let digest = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
            let kept = path.extension().is_some_and(|extension| extension == "wasm" || extension == "recipe");
            if kept && !digests.contains(digest) {
                fs::remove_file(&path).map_err(failed("remove", &path))?;
            }
        }
        Ok(())
    }

    fn recipe_path(&self, digest: &str) -> PathBuf {
        self.folder.join(digest).with_extension("recipe")
    }

    fn path(&self, digest: &str) -> PathBuf {
        self.folder.join(digest).with_extension("wasm")
    }
}

/// Makes a folder that is to be there.
///
/// # Errors
/// The file system refused.
pub(super) fn make_folder(folder: &Path) -> Result<(), StoreError> {
    fs::create_dir_all(folder).map_err(failed("create", folder))
}

/// Reads a file of at most `limit` bytes; of a longer one, one byte more than that, so that the caller sees it is longer.
///
/// # Errors
/// The file system refused.
pub(super) fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// SHA-256, lower-case hexadecimal.
pub(super) fn digest_of(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn failed<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> StoreError + 'a {
    move |source| StoreError::Io { action, path: path.to_owned(), source }
}

/// Settings of one plugin, far beyond any that a person writes.
const RECIPE_BYTES: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_found_by_its_digest_and_a_damaged_one_is_not_given_out() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), 100).unwrap();
        let digest = digest_of(b"component");
        assert_eq!(store.find(&digest).unwrap(), None);
        store.put(&digest, b"component").unwrap();
        assert_eq!(store.find(&digest).unwrap().unwrap(), b"component");
        fs::write(store.path(&digest), b"componenT").unwrap();
        assert!(matches!(store.find(&digest), Err(StoreError::Damaged(_))));
    }

    #[test]
    fn half_written_copies_and_those_no_longer_named_go() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("half.new"), b"x").unwrap();
        let store = Store::open(folder.path(), 100).unwrap();
        let [one, two] = [b"one", b"two"].map(|bytes| {
            let digest = digest_of(bytes);
            store.put(&digest, bytes).unwrap();
            digest
        });
        store.retain(&BTreeSet::from([two.clone()])).unwrap();
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, [std::ffi::OsString::from(format!("{two}.wasm"))]);
        assert_eq!(store.find(&one).unwrap(), None);
    }
}
