//! Files that hold what memory has no room for: parts of batches that are still filling, and objects that wait for
//! their destination.
//!
//! Everything in here can be made again from the journal, so nothing is synced and a start begins with an empty
//! folder. Refuses to grow beyond its limit: whoever is refused finds another way, by cutting a batch early or by
//! making it again later.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The folder. Cheap to share.
#[derive(Clone, Debug)]
pub struct Spool(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    capacity_bytes: u64,
    used_bytes: AtomicU64,
    next: AtomicU64,
}

/// One file; removed when dropped.
#[derive(Debug)]
pub struct SpoolFile {
    spool: Arc<Inner>,
    path: PathBuf,
    bytes: u64,
}

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// The limit is reached.
    #[error("the spool is full: {used} of {capacity} bytes")]
    Full {
        /// Bytes in all files.
        used: u64,
        /// The limit.
        capacity: u64,
    },
    /// The file system refused.
    #[error("the spool cannot be written")]
    Io(#[from] io::Error),
}

impl Spool {
    /// Opens the folder and removes what an earlier life left there. Blocking.
    ///
    /// # Errors
    /// The file system refused.
    pub fn open(folder: &Path, capacity_bytes: u64) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        for left in fs::read_dir(folder)? {
            let path = left?.path();
            if path.extension().is_some_and(|extension| extension == EXTENSION) {
                fs::remove_file(path)?;
            }
        }
        let (used_bytes, next) = (AtomicU64::new(0), AtomicU64::new(0));
        Ok(Self(Arc::new(Inner { folder: folder.to_owned(), capacity_bytes, used_bytes, next })))
    }

    /// The limit.
    pub fn capacity_bytes(&self) -> u64 {
        self.0.capacity_bytes
    }

    /// Bytes in all files.
    pub fn used_bytes(&self) -> u64 {
        self.0.used_bytes.load(Ordering::Relaxed)
    }

    /// Appends to `file`, or to a new one. Blocking. When nothing could be written, `file` is as it was.
    ///
    /// # Errors
    /// There is no room.
    pub fn append(&self, file: &mut Option<SpoolFile>, bytes: &[u8]) -> Result<(), SpoolError> {
        let inner = &self.0;
        let more = bytes.len() as u64;
        let used = inner.used_bytes.fetch_add(more, Ordering::Relaxed);
        let written = if used.saturating_add(more) > inner.capacity_bytes {
            Err(SpoolError::Full { used, capacity: inner.capacity_bytes })
        } else {
            inner.write(file, bytes).map_err(SpoolError::Io)
        };
        if written.is_err() {
            inner.used_bytes.fetch_sub(more, Ordering::Relaxed);
        }
        written
    }
}

impl Inner {
    fn write(self: &Arc<Self>, file: &mut Option<SpoolFile>, bytes: &[u8]) -> io::Result<()> {
        if let Some(known) = file {
            // At its end as it is known: what an earlier attempt left behind it is written over.
            OpenOptions::new().write(true).open(&known.path)?.write_all_at(bytes, known.bytes)?;
            known.bytes += bytes.len() as u64;
            return Ok(());
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let path = self.folder.join(format!("{number}.{EXTENSION}"));
        let mut created = OpenOptions::new().write(true).create_new(true).mode(OWN_FILE).open(&path)?;
        if let Err(error) = created.write_all(bytes) {
            fs::remove_file(&path)?;
            return Err(error);
        }
        *file = Some(SpoolFile { spool: Arc::clone(self), path, bytes: bytes.len() as u64 });
        Ok(())
    }
}

impl SpoolFile {
    /// Length.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What was written, followed by `rest`. Blocking.
    ///
    /// # Errors
    /// The file system refused, or the file is shorter than what was written.
    pub fn read_with(&self, rest: &[u8]) -> io::Result<Vec<u8>> {
        let length = usize::try_from(self.bytes).map_err(|_| io::ErrorKind::OutOfMemory)?;
        let mut content = Vec::new();
        content.try_reserve_exact(length + rest.len())?;
        File::open(&self.path)?.take(self.bytes).read_to_end(&mut content)?;
        if content.len() < length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        content.extend_from_slice(rest);
        Ok(content)
    }
}

impl Drop for SpoolFile {
    fn drop(&mut self) {
        self.spool.used_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "a spool file stays until the next start");
        }
    }
}

const EXTENSION: &str = "spool";

/// Records are nobody else's business.
const OWN_FILE: u32 = 0o600;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_back_what_was_appended() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::open(folder.path(), 100).unwrap();
        let mut file = None;
        spool.append(&mut file, b"abc").unwrap();
        spool.append(&mut file, b"def").unwrap();
        let one = file.unwrap();
        assert_eq!((one.read_with(b"g").unwrap(), one.bytes(), spool.used_bytes()), (b"abcdefg".to_vec(), 6, 6));
        drop(one);
        assert_eq!((spool.used_bytes(), fs::read_dir(folder.path()).unwrap().count()), (0, 0));
    }

    #[test]
    fn refuses_what_it_has_no_room_for() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::open(folder.path(), 5).unwrap();
        let mut file = None;
        spool.append(&mut file, b"abc").unwrap();
        assert!(matches!(spool.append(&mut file, b"def"), Err(SpoolError::Full { used: 3, capacity: 5 })));
        assert!(matches!(spool.append(&mut None, b"def"), Err(SpoolError::Full { .. })));
        spool.append(&mut file, b"de").unwrap();
        assert_eq!(file.unwrap().read_with(b"").unwrap(), b"abcde");
        // Row D8: a folder that is gone refuses, and leaves the count as it was.
        fs::remove_dir_all(folder.path()).unwrap();
        assert!(matches!(spool.append(&mut None, b"x"), Err(SpoolError::Io(_))));
        assert_eq!(spool.used_bytes(), 0);
    }

    #[test]
    fn what_a_failed_write_left_is_no_part_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::open(folder.path(), 100).unwrap();
        let mut file = None;
        spool.append(&mut file, b"abc").unwrap();
        let path = file.as_ref().unwrap().path.clone();
        OpenOptions::new().append(true).open(path).unwrap().write_all(b"torn").unwrap();
        spool.append(&mut file, b"de").unwrap();
        assert_eq!(file.unwrap().read_with(b"f").unwrap(), b"abcdef");
    }

    #[test]
    fn begins_empty() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("7.spool"), b"left").unwrap();
        fs::write(folder.path().join("notes.txt"), b"not ours").unwrap();
        Spool::open(folder.path(), 5).unwrap();
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["notes.txt"]);
    }

    #[test]
    fn a_file_that_was_cut_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::open(folder.path(), 100).unwrap();
        let mut file = None;
        spool.append(&mut file, b"abcdef").unwrap();
        let file = file.unwrap();
        OpenOptions::new().write(true).open(&file.path).unwrap().set_len(3).unwrap();
        assert_eq!(file.read_with(b"").unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
