//! From a component's bytes to code: in a process of its own, within limits of time and memory, and once per digest.
//!
//! A compiler is a large program that reads a stranger's file; wasmtime promises nothing about how long it takes or how
//! much memory it needs. So a host has it done by a child that is stopped at its limits, at a low priority, and keeps
//! what came out. An author's own commands compile in their own process. Refuses to run what it compiled.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, nice, setrlimit};
use wasmtime::component::Component;

use super::cache::Cache;
use super::component::{Compiled, LoadError, check_size, code_of, ready};
use super::engine::{Sandbox, sandbox};
use super::needs::Needs;
use super::settings::Limits;
use super::store::StoreError;

/// Compiles, and remembers.
#[derive(Debug, Default)]
pub(super) struct Compiler {
    cache: Option<Cache>,
    /// The program that is run as `PROGRAM plugin compile …`; none: compile here.
    program: Option<PathBuf>,
}

impl Compiler {
    /// One that remembers in `folder`, if any, and compiles with `program`, if any.
    ///
    /// # Errors
    /// The file system refused the folder.
    pub(super) fn new(folder: Option<&Path>, program: Option<PathBuf>) -> Result<Self, StoreError> {
        Ok(Self { cache: folder.map(Cache::open).transpose()?, program })
    }

    /// Code for these bytes, whose digest this is. Blocking and, where it is not remembered, slow (seconds): never on the
    /// data path.
    ///
    /// # Errors
    /// Why these bytes are no plugin.
    pub(super) fn compile(&self, digest: &str, bytes: &[u8], limits: &Limits) -> Result<Compiled, LoadError> {
        check_size(bytes, limits)?;
        let needs = Needs::of(bytes)?;
        let sandbox = sandbox()?;
        let name = format!("{digest}-{}", engine_name(sandbox));
        if let Some(path) = self.cache.as_ref().and_then(|cache| cache.find(&name)) {
            match load(sandbox, &path) {
                Ok(component) => return ready(sandbox, component, needs),
                Err(error) => tracing::warn!(file = %path.display(), "a compiled plugin cannot be loaded: {error:#}"),
            }
        }
        let code = match &self.program {
            Some(program) => in_child(program, bytes, limits)?,
            None => code_of(sandbox, bytes)?,
        };
        let kept = self.cache.as_ref().map(|cache| cache.put(&name, &code));
        let component = match kept {
            Some(Ok(path)) => load(sandbox, &path),
            Some(Err(error)) => {
                tracing::warn!(%error, "a compiled plugin cannot be kept; it is compiled again after a restart");
                take(sandbox, &code)
            }
            None => take(sandbox, &code),
        };
        ready(sandbox, component.map_err(|error| LoadError::Invalid(format!("{error:#}")))?, needs)
    }

    /// Forgets the code of every digest but these.
    ///
    /// # Errors
    /// The file system refused.
    pub(super) fn retain(&self, digests: &BTreeSet<String>) -> Result<(), StoreError> {
        self.cache.as_ref().map_or(Ok(()), |cache| cache.retain(digests))
    }
}

/// What the code depends on besides the component: another release or processor compiles anew.
fn engine_name(sandbox: &Sandbox) -> String {
    let mut hasher = DefaultHasher::new();
    sandbox.engine.precompile_compatibility_hash().hash(&mut hasher);
    env!("CARGO_PKG_VERSION").hash(&mut hasher);
    IN_PIECES.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// What is done to a component before it is compiled: whoever changes that changes this.
const IN_PIECES: u32 = 1;

#[expect(unsafe_code, reason = "loading code means trusting it: the cache checked that this host wrote the file")]
fn load(sandbox: &Sandbox, path: &Path) -> wasmtime::Result<Component> {
    // SAFETY: the file is what our compiler made, under a code that only we can make, and is replaced, never changed.
    // Mapped rather than read: what is not called takes no memory.
    unsafe { Component::deserialize_file(&sandbox.engine, path) }
}

#[expect(unsafe_code, reason = "loading code means trusting it: our own compiler made it a moment ago")]
fn take(sandbox: &Sandbox, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: these bytes come from our own compiler, in this process or a child's pipe, and were nowhere else.
    unsafe { Component::deserialize(&sandbox.engine, code) }
}

/// Has a child compile.
fn in_child(program: &Path, bytes: &[u8], limits: &Limits) -> Result<Vec<u8>, LoadError> {
    let limit = limits.compile;
    let mut command = Command::new(program);
    command.args(["plugin", "compile", "--seconds", &limit.as_secs().max(1).to_string()]);
    command.args(["--memory-bytes", &limits.compile_memory_bytes.to_string()]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).env_clear();
    let broken = |error: io::Error| LoadError::Compiler(format!("cannot run {}: {error}", program.display()));
    let mut child = command.spawn().map_err(broken)?;
    // A busy machine gives it little; what does not end by then hangs.
    let (mut code, words) = converse(&mut child, bytes, limit * PATIENCE).map_err(broken)?;
    let status = child.wait().map_err(broken)?;
    match status.code() {
        Some(0) if code.starts_with(GREETING) => Ok(code.split_off(GREETING.len())),
        Some(0) => Err(LoadError::Compiler(format!("{} is another program", program.display()))),
        Some(REFUSED) => {
            let words = words.strip_prefix("error: ").unwrap_or(&words);
            let encode = words.strip_prefix(ENCODE).map(|words| LoadError::Encode(words.to_owned()));
            Err(encode.unwrap_or_else(|| LoadError::Invalid(words.to_owned())))
        }
        // Killed by a limit, or aborted for want of memory.
        _ => Err(LoadError::Compile { seconds: limit.as_secs(), bytes: limits.compile_memory_bytes }),
    }
}

/// Feeds the child and reads what it says, and stops it when it takes too long.
fn converse(child: &mut Child, bytes: &[u8], patience: Duration) -> io::Result<(Vec<u8>, String)> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let (Some(mut stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(io::Error::other("no pipes"));
    };
    let (done, finished) = sync_channel::<()>(1);
    thread::scope(|scope| {
        scope.spawn(move || {
            // A child that was stopped reads no further; its exit says why.
            stdin.write_all(bytes).ok();
        });
        let words = scope.spawn(move || {
            let mut words = String::new();
            stderr.take(WORDS_BYTES).read_to_string(&mut words).ok();
            words
        });
        scope.spawn(move || {
            if let (Err(RecvTimeoutError::Timeout), Some(pid)) = (finished.recv_timeout(patience), pid) {
                // Not waited for yet, so the number is still the child's.
                kill_process(pid, Signal::KILL).ok();
            }
        });
        let mut code = Vec::new();
        let read = stdout.take(CODE_BYTES).read_to_end(&mut code);
        let words = words.join().unwrap_or_default();
        drop(done);
        read.map(|_| (code, words.trim_end().to_owned()))
    })
}

/// What the child does: a component from standard input, code to standard output; or why these bytes are no component.
///
/// # Errors
/// A pipe broke, or the limits cannot be set.
pub fn compile_child(seconds: u64, memory_bytes: u64) -> io::Result<Result<(), String>> {
    let limit = |most: u64| Rlimit { current: Some(most), maximum: Some(most) };
    setrlimit(Resource::Cpu, limit(seconds))?;
    setrlimit(Resource::As, limit(memory_bytes))?;
    setrlimit(Resource::Core, limit(0))?;
    // Records come first.
    nice(NICENESS)?;
    let mut bytes = Vec::new();
    io::stdin().lock().read_to_end(&mut bytes)?;
    let code = Sandbox::compiling().map_err(LoadError::from).and_then(|sandbox| code_of(&sandbox, &bytes));
    match code {
        Ok(code) => {
            let mut stdout = io::stdout().lock();
            stdout.write_all(GREETING)?;
            stdout.write_all(&code)?;
            stdout.flush()?;
            Ok(Ok(()))
        }
        Err(LoadError::Encode(words)) => Ok(Err(format!("{ENCODE}{words}"))),
        Err(LoadError::Invalid(words)) => Ok(Err(words)),
        Err(other) => Ok(Err(other.to_string())),
    }
}

/// What the child says before the code: nothing else that might be run by mistake does.
const GREETING: &[u8] = b"hydrant plugin code\n";
/// How the child says that no component can be made of a core module.
const ENCODE: &str = "encode: ";
/// The child's exit code for a file that is no component.
const REFUSED: i32 = 1;
/// Wall time for every second of processor time.
const PATIENCE: u32 = 4;
/// Below the threads that encode.
const NICENESS: i32 = 10;
/// Code of the largest component that is allowed, threefold; more is cut and does not load.
const CODE_BYTES: u64 = 1 << 29;
/// An error's text.
const WORDS_BYTES: u64 = 16 << 10;
