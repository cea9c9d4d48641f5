//! A disk in memory that loses, tears and refuses: what simulation and the crash tests run the journal on.
//!
//! It keeps apart what was written and what is durable. A power cut keeps any part of the difference, in four ways.
//! Refuses to be faster or kinder than a real disk: after a failed fdatasync the un-synced part stays un-synced,
//! although a second fdatasync answers well. Sectors next to a write are never harmed.

use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::storage::{File, Lock, LockError, Storage};

/// What survives of un-synced writes when the power is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tear {
    /// Everything up to some byte, nothing after it.
    Prefix,
    /// Some sectors, in no order.
    Sectors,
    /// Some sectors; garbage where the others should be.
    Garbage,
    /// Some sectors; zeros where the others should be, file sizes kept.
    Zeros,
}

impl Tear {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Prefix, Self::Sectors, Self::Garbage, Self::Zeros];
}

/// What goes wrong, counted in operations that change something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The power is cut during this operation: it may have begun. Nothing works afterwards.
    Crash(u64),
    /// This operation answers with an I/O error; a failed write may have begun.
    Fail(u64),
    /// This operation and the ones after it answer with an I/O error.
    FailFrom(u64),
    /// This operation finds the disk full.
    Full(u64),
    /// Every operation that needs room finds the disk full from here on.
    FullFrom(u64),
}

/// The simulated disk: one directory.
#[derive(Clone, Debug)]
pub struct SimDisk(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    inodes: Vec<Inode>,
    /// Names as programs see them.
    names: BTreeMap<String, usize>,
    /// Names as they would be after a power cut.
    durable_names: BTreeMap<String, usize>,
    pending_names: Vec<(String, Option<usize>)>,
    operations: u64,
    syncs: u64,
    faults: Vec<Fault>,
    is_crashed: bool,
    is_locked: bool,
    /// Most bytes that one write takes.
    write_limit: usize,
    free_bytes: u64,
    random: fastrand::Rng,
}

#[derive(Clone, Debug, Default)]
struct Inode {
    bytes: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<Change>,
}

#[derive(Clone, Debug)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Length(usize),
}

impl SimDisk {
    /// An empty disk; the same seed tears in the same way.
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(State {
            inodes: Vec::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            pending_names: Vec::new(),
            operations: 0,
            syncs: 0,
            faults: Vec::new(),
            is_crashed: false,
            is_locked: false,
            write_limit: usize::MAX,
            free_bytes: u64::MAX,
            random: fastrand::Rng::with_seed(seed),
        })))
    }

    /// Replaces what goes wrong from now on. Operations are counted from the disk's beginning.
    pub fn set_faults(&self, faults: &[Fault]) {
        self.state().faults = faults.to_vec();
    }

    /// Makes every write stop after so many bytes.
    pub fn set_write_limit(&self, bytes: usize) {
        self.state().write_limit = bytes;
    }

    /// What [`Storage::free_bytes`] answers.
    pub fn set_free_bytes(&self, bytes: u64) {
        self.state().free_bytes = bytes;
    }

    /// Operations so far that changed something.
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// How many of them were fdatasync of a file.
    pub fn syncs(&self) -> u64 {
        self.state().syncs
    }

    /// A number that depends on the seed and on how often it was asked for.
    pub fn next_random(&self) -> u64 {
        self.state().random.u64(..)
    }

    /// True once the power was cut.
    pub fn is_crashed(&self) -> bool {
        self.state().is_crashed
    }

    /// The disk as the next start finds it.
    pub fn power_cycle(&self, tear: Tear, seed: u64) -> Self {
        let state = self.state();
        let mut random = fastrand::Rng::with_seed(seed);
        let mut names = state.durable_names.clone();
        // Directory entries are journaled by the file system: a prefix of them survives.
        let kept = random.usize(..=state.pending_names.len());
        for (name, inode) in state.pending_names.iter().take(kept) {
            match inode {
                Some(inode) => names.insert(name.clone(), *inode),
                None => names.remove(name),
            };
        }
        let inodes: Vec<Inode> = state
            .inodes
            .iter()
            .map(|inode| {
                let bytes = inode.after_power_cut(tear, &mut random);
                Inode { durable: bytes.clone(), bytes, pending: Vec::new() }
            })
            .collect();
        let cycled = Self::new(random.u64(..));
        let mut fresh = cycled.state();
        fresh.inodes = inodes;
        fresh.durable_names.clone_from(&names);
        fresh.names = names;
        fresh.write_limit = state.write_limit;
        drop(fresh);
        cycled
    }

    /// The disk as the next start finds it when only the process died: what was written is there, and still not
    /// durable.
    pub fn restart(&self) -> Self {
        let state = self.state();
        let restarted = Self::new(state.operations);
        let mut fresh = restarted.state();
        fresh.inodes.clone_from(&state.inodes);
        fresh.names.clone_from(&state.names);
        fresh.durable_names.clone_from(&state.durable_names);
        fresh.pending_names.clone_from(&state.pending_names);
        fresh.write_limit = state.write_limit;
        drop(fresh);
        restarted
    }

    /// Names and bytes of all files, as programs see them.
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let state = self.state();
        let bytes = |inode: &usize| state.inodes.get(*inode).map(|inode| inode.bytes.clone()).unwrap_or_default();
        state.names.iter().map(|(name, inode)| (name.clone(), bytes(inode))).collect()
    }

    /// Puts a file there, durably, as it may come from anywhere.
    pub fn put(&self, name: &str, bytes: &[u8]) {
        let mut state = self.state();
        state.inodes.push(Inode { bytes: bytes.to_vec(), durable: bytes.to_vec(), pending: Vec::new() });
        let inode = state.inodes.len() - 1;
        state.names.insert(name.to_owned(), inode);
        state.durable_names.insert(name.to_owned(), inode);
    }

    /// Loses a file, durably.
    pub fn lose(&self, name: &str) {
        let mut state = self.state();
        state.names.remove(name);
        state.durable_names.remove(name);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether an operation that fails may have had an effect, and needs room.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Needs {
    Room,
    Nothing,
}

impl State {
    /// Counts an operation and decides how it goes.
    fn begin(&mut self, needs: Needs) -> io::Result<()> {
        if self.is_crashed {
            return Err(io::Error::other("power is cut"));
        }
        let now = self.operations;
        self.operations += 1;
        for fault in &self.faults {
            match *fault {
                Fault::Crash(at) if at == now => {
                    self.is_crashed = true;
                    return Err(io::Error::other("power is cut"));
                }
                Fault::Fail(at) if at == now => return Err(io::Error::other("simulated I/O error")),
                Fault::FailFrom(at) if at <= now => return Err(io::Error::other("simulated I/O error")),
                Fault::Full(at) if at == now => return Err(io::ErrorKind::StorageFull.into()),
                Fault::FullFrom(at) if at <= now && needs == Needs::Room => {
                    return Err(io::ErrorKind::StorageFull.into());
                }
                _ => {}
            }
        }
        Ok(())
    }
}

impl Inode {
    fn apply(bytes: &mut Vec<u8>, change: &Change) {
        match change {
            Change::Length(length) => bytes.resize(*length, 0),
            Change::Write { offset, bytes: written } => {
                let end = offset + written.len();
                if bytes.len() < end {
                    bytes.resize(end, 0);
                }
                bytes[*offset..end].copy_from_slice(written);
            }
        }
    }

    fn change(&mut self, change: Change) {
        Self::apply(&mut self.bytes, &change);
        self.pending.push(change);
    }

    fn after_power_cut(&self, tear: Tear, random: &mut fastrand::Rng) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        if tear == Tear::Prefix {
            let whole = random.usize(..=self.pending.len());
            for change in self.pending.iter().take(whole) {
                Self::apply(&mut bytes, change);
            }
            if let Some(Change::Write { offset, bytes: written }) = self.pending.get(whole) {
                let written = written[..random.usize(..=written.len())].to_vec();
                Self::apply(&mut bytes, &Change::Write { offset: *offset, bytes: written });
            }
            return bytes;
        }
        for change in &self.pending {
            match change {
                Change::Length(_) if tear == Tear::Zeros || random.bool() => Self::apply(&mut bytes, change),
                Change::Length(_) => {}
                Change::Write { offset, bytes: written } => tear_write(&mut bytes, *offset, written, tear, random),
            }
        }
        bytes
    }
}

fn tear_write(bytes: &mut Vec<u8>, offset: usize, written: &[u8], tear: Tear, random: &mut fastrand::Rng) {
    let mut at = 0;
    while at < written.len() {
        let end = (((offset + at) / SECTOR_BYTES + 1) * SECTOR_BYTES - offset).min(written.len());
        let sector = &written[at..end];
        let survivor = match tear {
            _ if random.bool() => Some(sector.to_vec()),
            Tear::Garbage => Some(sector.iter().map(|_| random.u8(..)).collect()),
            Tear::Zeros => Some(vec![0; sector.len()]),
            Tear::Prefix | Tear::Sectors => None,
        };
        if let Some(survivor) = survivor {
            Inode::apply(bytes, &Change::Write { offset: offset + at, bytes: survivor });
        }
        at = end;
    }
}

const SECTOR_BYTES: usize = 512;

impl Storage for SimDisk {
    fn describe(&self) -> String {
        "simulated".to_owned()
    }

    fn lock(&self) -> Result<Box<dyn Lock>, LockError> {
        let mut state = self.state();
        if std::mem::replace(&mut state.is_locked, true) {
            return Err(LockError::Held("simulated".to_owned()));
        }
        Ok(Box::new(SimLock(Arc::clone(&self.0))))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.state().names.keys().cloned().collect())
    }

    fn create(&self, name: &str, bytes: u64) -> io::Result<Arc<dyn File>> {
        let mut state = self.state();
        let begun = state.begin(Needs::Room);
        if begun.as_ref().is_err_and(|_| !state.is_crashed) || state.names.contains_key(name) {
            begun?;
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        state.inodes.push(Inode::default());
        let inode = state.inodes.len() - 1;
        state.names.insert(name.to_owned(), inode);
        state.pending_names.push((name.to_owned(), Some(inode)));
        let length = usize::try_from(bytes).map_err(io::Error::other)?;
        if let Some(inode) = state.inodes.last_mut() {
            inode.change(Change::Length(length));
        }
        begun?;
        drop(state);
        Ok(Arc::new(SimFile { disk: self.clone(), inode }))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn File>> {
        let inode = self.state().names.get(name).copied().ok_or(io::ErrorKind::NotFound)?;
        Ok(Arc::new(SimFile { disk: self.clone(), inode }))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.state();
        let begun = state.begin(Needs::Nothing);
        if begun.is_ok() || state.is_crashed {
            state.names.remove(name).ok_or(io::ErrorKind::NotFound)?;
            state.pending_names.push((name.to_owned(), None));
        }
        begun
    }

    fn sync_directory(&self) -> io::Result<()> {
        let mut state = self.state();
        state.begin(Needs::Nothing)?;
        state.durable_names = state.names.clone();
        state.pending_names.clear();
        Ok(())
    }

    fn free_bytes(&self) -> io::Result<u64> {
        Ok(self.state().free_bytes)
    }
}

#[derive(Debug)]
struct SimLock(Arc<Mutex<State>>);

impl Lock for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_locked = false;
    }
}

#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    inode: usize,
}

impl SimFile {
    fn with<T>(&self, work: impl FnOnce(&mut Inode) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.disk.state();
        let inode = state.inodes.get_mut(self.inode).ok_or(io::ErrorKind::NotFound)?;
        work(inode)
    }
}

impl File for SimFile {
    fn length(&self) -> io::Result<u64> {
        self.with(|inode| Ok(inode.bytes.len() as u64))
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let offset = usize::try_from(offset).map_err(io::Error::other)?;
        self.with(|inode| {
            let from = inode.bytes.get(offset..).unwrap_or_default();
            let count = from.len().min(buffer.len());
            buffer[..count].copy_from_slice(&from[..count]);
            Ok(count)
        })
    }

    fn write_at(&self, buffers: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
        let offset = usize::try_from(offset).map_err(io::Error::other)?;
        let mut state = self.disk.state();
        let begun = state.begin(Needs::Nothing);
        let mut bytes = Vec::new();
        buffers.iter().for_each(|buffer| bytes.extend_from_slice(buffer));
        bytes.truncate(state.write_limit);
        if begun.is_err() {
            // A failed write may have begun.
            let begun = state.random.usize(..=bytes.len());
            bytes.truncate(begun);
        }
        let count = bytes.len();
        let inode = state.inodes.get_mut(self.inode).ok_or(io::ErrorKind::NotFound)?;
        inode.change(Change::Write { offset, bytes });
        begun.map(|()| count)
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        state.syncs += 1;
        let begun = state.begin(Needs::Nothing);
        let has_crashed = state.is_crashed;
        let inode = state.inodes.get_mut(self.inode).ok_or(io::ErrorKind::NotFound)?;
        if begun.is_ok() {
            for change in std::mem::take(&mut inode.pending) {
                Inode::apply(&mut inode.durable, &change);
            }
        } else if !has_crashed {
            // The kernel forgets that these pages were dirty: what did not reach the disk now never will, and a
            // power cut shows it. Programs go on seeing them.
            inode.durable = inode.after_power_cut(Tear::Sectors, &mut fastrand::Rng::with_seed(0));
            inode.pending.clear();
        }
        begun
    }

    fn truncate(&self, bytes: u64) -> io::Result<()> {
        let length = usize::try_from(bytes).map_err(io::Error::other)?;
        let mut state = self.disk.state();
        state.begin(Needs::Nothing)?;
        let inode = state.inodes.get_mut(self.inode).ok_or(io::ErrorKind::NotFound)?;
        inode.change(Change::Length(length));
        Ok(())
    }
}
