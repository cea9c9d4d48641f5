//! Watches the plugin folder: a file that is replaced by a rename, or rewritten in place, rules from the next batch.
//!
//! Events say when to look, never what to do: each look compares every file with what rules. A file that changes while
//! it is read is left for the next look, and one that is not whole does not compile, so half a file never takes effect.
//! Refuses to trust events alone: the folder is looked at now and then without one.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use super::component::LoadError;
use super::registry::{Problem, Registry};
use super::store::read;

/// Compares the folder with what rules.
#[derive(Debug)]
pub(super) struct Scanner {
    registry: Arc<Registry>,
    /// What each file looked like when it was last read; also lets one look run at a time.
    seen: Mutex<HashMap<PathBuf, Mark>>,
}

/// What changes when a file does (a clock that is too coarse is why events read files again without asking).
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mark {
    length: u64,
    modified: Option<SystemTime>,
    #[cfg(unix)]
    inode: u64,
}

impl Scanner {
    pub(super) fn new(registry: Arc<Registry>) -> Self {
        Self { registry, seen: Mutex::default() }
    }

    /// Reads every file.
    pub(super) fn scan_all(&self) {
        self.scan(|_, _| true);
    }

    /// Reads every file that looks different.
    fn scan_changed(&self) {
        self.scan(|seen, now| seen != Some(now));
    }

    fn scan(&self, wanted: impl Fn(Option<&Mark>, &Mark) -> bool) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = &self.registry.settings.plugin_dir;
        let mut files = match list(folder) {
            Ok(files) => files,
            Err(error) => {
                self.complain(folder, format!("the folder cannot be listed: {error}"), "let the host read it");
                return;
            }
        };
        self.registry.settle(folder);
        for surplus in files.split_off(files.len().min(FILES)) {
            self.complain(&surplus, format!("there are more than {FILES} plugins"), "remove some files");
        }
        for file in &files {
            match mark(file) {
                Ok(now) if wanted(seen.get(file), &now) => {
                    // What was not judged looks different to the next look, too.
                    match self.look(file, &now) {
                        true => drop(seen.insert(file.clone(), now)),
                        false => drop(seen.remove(file)),
                    }
                }
                Ok(_) => {}
                // Gone between the listing and here: the next look knows.
                Err(_) => drop(seen.remove(file)),
            }
        }
        self.notice_missing(&mut seen, &files);
    }

    /// Publishes a file; false when that could end otherwise without a change of the file: a full disk, a file being
    /// written.
    fn look(&self, file: &Path, before: &Mark) -> bool {
        let name = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        if !is_name(name) {
            let rule = "name it NAME.wasm with 1 to 64 of a-z, A-Z, 0-9, - and _";
            self.complain(file, "its name is no plugin name".to_owned(), rule);
            return true;
        }
        let limit = self.registry.settings.limits.component_bytes;
        if before.length > limit {
            let error = LoadError::TooLarge { bytes: before.length, limit };
            self.complain(file, error.to_string(), error.remedy());
            return true;
        }
        let bytes = match read(file, limit) {
            Ok(bytes) => bytes,
            Err(error) => {
                self.complain(file, format!("it cannot be read: {error}"), "let the host read it");
                return false;
            }
        };
        if mark(file).ok().as_ref() != Some(before) {
            self.complain(file, "it changed while it was read".to_owned(), "wait: it is read again");
            return false;
        }
        match self.registry.publish(name, &bytes, "file", || Ok(())) {
            Ok(_version) => {
                self.registry.settle(&file.to_owned());
                true
            }
            Err(error) => {
                let rules = if self.registry.has(name) { " (the version before it still rules)" } else { "" };
                self.complain(file, format!("{error}{rules}"), error.remedy());
                !error.is_passing()
            }
        }
    }

    fn notice_missing(&self, seen: &mut HashMap<PathBuf, Mark>, files: &[PathBuf]) {
        let gone: Vec<PathBuf> = seen.keys().filter(|file| !files.contains(file)).cloned().collect();
        for file in self.registry.problem_files() {
            if file != self.registry.settings.plugin_dir && !file.exists() && !gone.contains(&file) {
                self.registry.settle(&file);
            }
        }
        for file in gone {
            seen.remove(&file);
            let name = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
            self.registry.settle(&file);
            if self.registry.has(name) {
                tracing::warn!(file = %file.display(), plugin = name, "plugin file is gone; its last version rules until the host stops");
            }
        }
    }

    fn complain(&self, file: &Path, what: String, remedy: &'static str) {
        self.registry.complain(Problem { file: file.to_owned(), what, remedy });
    }
}

/// The thread that looks when something happened, and now and then.
#[derive(Debug)]
pub(super) struct Watch {
    /// Dropped first: the thread ends when the last sender is gone.
    senders: Option<(Option<RecommendedWatcher>, SyncSender<()>)>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Watches a folder. Without the operating system's help, or without a thread, changes are seen late or at the next
    /// call of `rescan`; both are said in the log.
    pub(super) fn start(folder: &Path, scanner: Arc<Scanner>) -> Self {
        // One waiting signal is enough: a look sees everything.
        let (sender, receiver) = sync_channel(1);
        let signal = sender.clone();
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if event.is_ok_and(|event| !is_read(event.kind)) {
                // Full means that a look is due anyway.
                let _due_anyway = signal.try_send(());
            }
        });
        let watcher = watcher.and_then(|mut watcher| {
            watcher.watch(folder, RecursiveMode::NonRecursive)?;
            Ok(watcher)
        });
        let watcher = watcher.inspect_err(|error| {
            tracing::warn!(folder = %folder.display(), %error, "the plugin folder cannot be watched; it is looked at every {LOOK:?}");
        });
        let thread = thread::Builder::new().name("plugin-reload".to_owned()).spawn(move || run(&receiver, &scanner));
        let thread = thread.inspect_err(|error| tracing::error!(%error, "no thread to watch the plugin folder"));
        Self { senders: Some((watcher.ok(), sender)), thread: thread.ok() }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        drop(self.senders.take());
        if let Some(thread) = self.thread.take() {
            // A panic there was reported when it happened; there is nothing left to stop.
            drop(thread.join());
        }
    }
}

fn run(signals: &Receiver<()>, scanner: &Scanner) {
    loop {
        match signals.recv_timeout(LOOK) {
            Ok(()) if settle_down(signals) => scanner.scan_all(),
            Err(RecvTimeoutError::Timeout) => scanner.scan_changed(),
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Waits until the folder is quiet for a moment, so that a file being written is read once; false when it is over.
fn settle_down(signals: &Receiver<()>) -> bool {
    let patience = Instant::now() + LONGEST_UNREST;
    while Instant::now() < patience {
        match signals.recv_timeout(QUIET) {
            Ok(()) => {}
            Err(RecvTimeoutError::Timeout) => return true,
            Err(RecvTimeoutError::Disconnected) => return false,
        }
    }
    true
}

/// Reading is an event too, and our own looks must not cause another look.
fn is_read(kind: EventKind) -> bool {
    matches!(kind, EventKind::Access(access) if access != AccessKind::Close(AccessMode::Write))
}

fn list(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let hidden = path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with('.'));
        if !hidden && path.extension().is_some_and(|extension| extension == "wasm") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn mark(file: &Path) -> std::io::Result<Mark> {
    let metadata = fs::metadata(file)?;
    Ok(Mark {
        length: metadata.len(),
        modified: metadata.modified().ok(),
        #[cfg(unix)]
        inode: std::os::unix::fs::MetadataExt::ino(&metadata),
    })
}

pub(super) fn is_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=64).contains(&name.len()) && name.bytes().all(allowed)
}

/// A folder of more is a mistake; each costs memory once compiled.
const FILES: usize = 1_000;
/// Without an event, for file systems that have none.
const LOOK: Duration = Duration::from_secs(2);
/// An editor or `cp` writes a component in far less.
const QUIET: Duration = Duration::from_millis(50);
/// A folder that never rests is looked at all the same.
const LONGEST_UNREST: Duration = Duration::from_secs(1);
