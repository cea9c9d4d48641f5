//! Compiled components on disk, so that a restart does not compile again: Python's take ten seconds.
//!
//! `DIGEST-ENGINE.cwasm` and, beside it, `.b3`: BLAKE3 over name and content with a key that only this folder's owner can
//! read, because loading compiled code means trusting it. The check is what a start from here costs most, hence a hash
//! that is quicker than SHA-256. Refuses to give out what the code does not fit, and to be missed: whatever is
//! wrong with a copy, it is compiled again.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use blake3::{Hash, Hasher};

use super::store::{StoreError, failed, make_folder};

/// A folder of compiled components.
#[derive(Debug)]
pub(super) struct Cache {
    folder: PathBuf,
    key: [u8; KEY_BYTES],
    /// Files written so far, for names of their own.
    written: AtomicU64,
}

impl Cache {
    /// Opens the folder, making it and its key if need be, and removes what a crash left half written.
    ///
    /// # Errors
    /// The file system refused.
    pub(super) fn open(folder: &Path) -> Result<Self, StoreError> {
        make_folder(folder)?;
        for entry in fs::read_dir(folder).map_err(failed("list", folder))?.flatten() {
            if entry.path().extension().is_some_and(|extension| extension == "new") {
                // Another process may be at it; it will say so.
                fs::remove_file(entry.path()).ok();
            }
        }
        let path = folder.join("key");
        let key = match fs::read(&path).map(<[u8; KEY_BYTES]>::try_from) {
            Ok(Ok(key)) => key,
            _ => make_key(&path).map_err(failed("create", &path))?,
        };
        Ok(Self { folder: folder.to_owned(), key, written: AtomicU64::new(0) })
    }

    /// The file of a copy that is whole and ours.
    pub(super) fn find(&self, name: &str) -> Option<PathBuf> {
        let path = self.path(name);
        let code = fs::read(path.with_extension("b3")).ok()?;
        let found = self.code_of_file(name, &path).ok()?;
        // Compared in constant time.
        if Hash::from_slice(&code).is_ok_and(|code| code == found) {
            return Some(path);
        }
        tracing::warn!(file = %path.display(), "a compiled plugin is not what this host wrote; it is compiled again");
        None
    }

    /// Keeps a copy; its file.
    ///
    /// # Errors
    /// The file system refused.
    pub(super) fn put(&self, name: &str, content: &[u8]) -> io::Result<PathBuf> {
        let path = self.path(name);
        let code = self.hasher(name).update(content).finalize();
        // Not synced: what a crash leaves behind does not fit its code.
        for (path, content) in [(path.with_extension("b3"), code.as_slice()), (path.clone(), content)] {
            let number = self.written.fetch_add(1, Ordering::Relaxed);
            let written = path.with_extension(format!("{}-{number}.new", std::process::id()));
            private(&written)?.write_all(content)?;
            // Renamed, so that what is mapped already is left as it is.
            fs::rename(&written, &path)?;
        }
        Ok(path)
    }

    /// Removes every copy but those of these digests.
    ///
    /// # Errors
    /// The file system refused.
    pub(super) fn retain(&self, digests: &BTreeSet<String>) -> Result<(), StoreError> {
        for entry in fs::read_dir(&self.folder).map_err(failed("list", &self.folder))?.flatten() {
            let path = entry.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if name.split_once('-').is_some_and(|(digest, _)| !digests.contains(digest)) {
                fs::remove_file(&path).map_err(failed("remove", &path))?;
            }
        }
        Ok(())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name).with_extension("cwasm")
    }

    fn hasher(&self, name: &str) -> Hasher {
        let mut hasher = Hasher::new_keyed(&self.key);
        hasher.update(name.as_bytes()).update(b"\0");
        hasher
    }

    /// Reads piece by piece: what is not called of a component takes no memory, and its check must not either.
    fn code_of_file(&self, name: &str, path: &Path) -> io::Result<Hash> {
        let (mut file, mut hasher) = (File::open(path)?, self.hasher(name));
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            match file.read(&mut piece) {
                Ok(0) => return Ok(hasher.finalize()),
                Ok(length) => _ = hasher.update(&piece[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

fn make_key(path: &Path) -> io::Result<[u8; KEY_BYTES]> {
    let mut key = [0; KEY_BYTES];
    File::open("/dev/urandom")?.read_exact(&mut key)?;
    let written = path.with_extension("key.new");
    fs::remove_file(&written)
        .or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })?;
    private(&written)?.write_all(&key)?;
    fs::rename(&written, path)?;
    Ok(key)
}

/// A new file that nobody else can read or write.
fn private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// What BLAKE3 takes as a key.
const KEY_BYTES: usize = blake3::KEY_LEN;
/// Long enough for every lane of the hash, short enough for a processor's own cache.
const PIECE_BYTES: usize = 256 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    /// Row P9: code that this host did not compile itself is not loaded.
    #[test]
    fn a_copy_is_given_out_only_while_it_is_whole_and_ours() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path()).unwrap();
        assert_eq!(cache.find("one-e"), None);
        let path = cache.put("one-e", b"compiled").unwrap();
        assert_eq!(cache.find("one-e"), Some(path.clone()));
        assert_eq!(Cache::open(folder.path()).unwrap().find("one-e"), Some(path.clone()));

        fs::write(&path, b"compileD").unwrap();
        assert_eq!(cache.find("one-e"), None);
        // Another plugin's copy under this one's name, code and all.
        cache.put("two-e", b"other").unwrap();
        for extension in ["cwasm", "b3"] {
            fs::copy(folder.path().join("two-e").with_extension(extension), path.with_extension(extension)).unwrap();
        }
        assert_eq!(cache.find("one-e"), None);
        // What a release before this one left: a copy with a code of another kind.
        cache.put("one-e", b"compiled").unwrap();
        fs::rename(path.with_extension("b3"), path.with_extension("mac")).unwrap();
        assert_eq!(cache.find("one-e"), None);
        // More than a piece, and a difference in the last one.
        let mut long = vec![7; PIECE_BYTES + 1];
        cache.put("one-e", &long).unwrap();
        assert_eq!(cache.find("one-e"), Some(path.clone()));
        long[PIECE_BYTES] = 8;
        fs::write(&path, &long).unwrap();
        assert_eq!(cache.find("one-e"), None);
        // Another host's key.
        cache.put("one-e", b"compiled").unwrap();
        fs::remove_file(folder.path().join("key")).unwrap();
        assert_eq!(Cache::open(folder.path()).unwrap().find("one-e"), None);
    }

    #[test]
    fn copies_no_longer_named_go_and_the_key_stays() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path()).unwrap();
        for name in ["one-e", "two-e", "two-f"] {
            cache.put(name, b"x").unwrap();
        }
        cache.retain(&BTreeSet::from(["two".to_owned()])).unwrap();
        assert!(cache.find("one-e").is_none() && cache.find("two-e").is_some() && cache.find("two-f").is_some());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 5);
    }
}
