//! The journal's view of a directory, and the real one.
//!
//! Everything the journal does to files goes through [`Storage`] and [`File`], so that simulation can lose, tear and
//! refuse any of it. Refuses to know what the bytes mean.

use std::fmt::Debug;
use std::fs;
use std::io::{self, IoSlice, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FallocateFlags, FlockOperation};

/// A directory of flat files.
pub trait Storage: Send + Sync + Debug {
    /// What to call the directory in error texts.
    fn describe(&self) -> String;

    /// Takes sole ownership until the answer is dropped.
    ///
    /// # Errors
    /// [`LockError::Held`] when another process, or another handle of this one, owns it.
    fn lock(&self) -> Result<Box<dyn Lock>, LockError>;

    /// Names of all files, in no order.
    ///
    /// # Errors
    /// The operating system's.
    fn list(&self) -> io::Result<Vec<String>>;

    /// A new file of `bytes` zeros whose blocks are reserved, readable and writable. Not durable before
    /// [`File::sync_data`] and [`Storage::sync_directory`].
    ///
    /// # Errors
    /// `StorageFull` when there is no room: nothing is left behind then. `AlreadyExists`.
    fn create(&self, name: &str, bytes: u64) -> io::Result<Arc<dyn File>>;

    /// An existing file.
    ///
    /// # Errors
    /// The operating system's.
    fn open(&self, name: &str) -> io::Result<Arc<dyn File>>;

    /// Removes a file's name; open handles go on reading. Not durable before [`Storage::sync_directory`].
    ///
    /// # Errors
    /// The operating system's.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes creations and removals durable.
    ///
    /// # Errors
    /// The operating system's.
    fn sync_directory(&self) -> io::Result<()>;

    /// Bytes the file system can still give.
    ///
    /// # Errors
    /// The operating system's.
    fn free_bytes(&self) -> io::Result<u64>;
}

/// One open file, shared by the writer and readers.
pub trait File: Send + Sync + Debug {
    /// Bytes in the file.
    ///
    /// # Errors
    /// The operating system's.
    fn length(&self) -> io::Result<u64>;

    /// Reads some bytes; 0 at the end of the file.
    ///
    /// # Errors
    /// The operating system's.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes some of the bytes, like `pwritev`.
    ///
    /// # Errors
    /// The operating system's.
    fn write_at(&self, buffers: &[IoSlice<'_>], offset: u64) -> io::Result<usize>;

    /// Makes everything written so far durable. After an error nothing can be said about any earlier write.
    ///
    /// # Errors
    /// The operating system's.
    fn sync_data(&self) -> io::Result<()>;

    /// Gives the blocks from `bytes` on back.
    ///
    /// # Errors
    /// The operating system's.
    fn truncate(&self, bytes: u64) -> io::Result<()>;
}

/// Sole ownership of a directory; ends when dropped.
pub trait Lock: Send + Sync + Debug {}

/// Why a directory could not be owned.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody else owns it.
    #[error("locked by process {0}")]
    Held(String),
    /// The operating system refused.
    #[error("cannot lock")]
    Io(#[source] io::Error),
}

/// Reads exactly `buffer`; a file that ends before is an error.
pub(super) fn read_exact(file: &dyn File, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !buffer.is_empty() {
        match file.read_at(buffer, offset) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                buffer = buffer.get_mut(count..).unwrap_or_default();
                offset += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Writes all of `buffers`, however short single writes turn out.
pub(super) fn write_all(file: &dyn File, mut buffers: &mut [IoSlice<'_>], mut offset: u64) -> io::Result<()> {
    IoSlice::advance_slices(&mut buffers, 0);
    while !buffers.is_empty() {
        let most = buffers.len().min(MAX_SLICES);
        match file.write_at(&buffers[..most], offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => {
                IoSlice::advance_slices(&mut buffers, count);
                offset += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Slices per system call: Linux takes 1,024 (`IOV_MAX`).
const MAX_SLICES: usize = 1_024;

/// A directory of the local file system.
#[derive(Debug)]
pub struct Disk {
    directory: PathBuf,
}

impl Disk {
    /// The directory at `path`; [`Storage::lock`] creates it when it is missing.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { directory: path.into() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

impl Storage for Disk {
    fn describe(&self) -> String {
        self.directory.display().to_string()
    }

    fn lock(&self) -> Result<Box<dyn Lock>, LockError> {
        create_directory(&self.directory).map_err(LockError::Io)?;
        let mut options = fs::OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(self.path(LOCK_NAME)).map_err(LockError::Io)?;
        if let Err(error) = rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            if error != rustix::io::Errno::WOULDBLOCK {
                return Err(LockError::Io(error.into()));
            }
            let mut owner = String::new();
            let read = file.take(20).read_to_string(&mut owner);
            let is_known = read.is_ok() && !owner.trim().is_empty();
            return Err(LockError::Held(if is_known { owner.trim().to_owned() } else { "unknown".to_owned() }));
        }
        let note = format!("{}\n", std::process::id());
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(note.as_bytes()))
            .map_err(LockError::Io)?;
        Ok(Box::new(HeldLock { _file: file }))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            names.extend(entry?.file_name().into_string());
        }
        Ok(names)
    }

    fn create(&self, name: &str, bytes: u64) -> io::Result<Arc<dyn File>> {
        let path = self.path(name);
        let mut options = fs::OpenOptions::new();
        // Definitions hold passwords, and records are nobody else's business.
        let file = options.read(true).write(true).create_new(true).mode(OWN_FILE).open(&path)?;
        let reserved = match rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, bytes) {
            Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => file.set_len(bytes),
            other => other.map_err(io::Error::from),
        };
        if let Err(error) = reserved {
            // The file holds nothing yet; should its removal fail too, recovery removes it.
            drop(fs::remove_file(&path));
            return Err(error);
        }
        Ok(Arc::new(DiskFile(file)))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn File>> {
        let path = self.path(name);
        // Inspection must work for a reader who may not write.
        let file = match fs::OpenOptions::new().read(true).write(true).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => fs::File::open(&path)?,
            other => other?,
        };
        Ok(Arc::new(DiskFile(file)))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path(name))
    }

    fn sync_directory(&self) -> io::Result<()> {
        fs::File::open(&self.directory)?.sync_all()
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let stat = rustix::fs::statvfs(&self.directory)?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }
}

const LOCK_NAME: &str = "LOCK";

/// The host's user alone may read and write.
const OWN_FILE: u32 = 0o600;

/// Creates a directory with its missing ancestors, each made durable in its parent (row D6).
fn create_directory(path: &Path) -> io::Result<()> {
    match fs::create_dir(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).ok_or(error)?;
            create_directory(parent)?;
            fs::create_dir(path)?;
        }
        Err(error) => return Err(error),
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::File::open(parent)?.sync_all()
}

#[derive(Debug)]
struct HeldLock {
    _file: fs::File,
}

impl Lock for HeldLock {}

#[derive(Debug)]
struct DiskFile(fs::File);

impl File for DiskFile {
    fn length(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buffer, offset)
    }

    fn write_at(&self, buffers: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
        Ok(rustix::io::pwritev(&self.0, buffers, offset)?)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn truncate(&self, bytes: u64) -> io::Result<()> {
        self.0.set_len(bytes)
    }
}
