//! What a guest gets that was built for WASI 0.2, as the toolchains of JavaScript and Python do: nothing.
//!
//! Its questions are answered so that its runtime starts: no arguments, no environment but what was granted, no files,
//! standard input is at its end, standard output and error become log lines, a sleep is over at once. The clock stands at
//! the arrival of the newest record of the batch (the monotonic one moves by a microsecond when it is read, so that
//! waiting for it ends), and randomness is seeded with the batch, so that the same batch gives the same answer. Refuses
//! everything else by a trap that names it; nothing here can reach the machine.

use wasmtime::component::types::{ComponentInstance, ComponentItem};
use wasmtime::component::{
    Component, ComponentType, Lift, Linker, LinkerInstance, Lower, Resource, ResourceType, WasmList,
};
use wasmtime::{Engine, StoreContextMut};

use super::instance::Host;

/// The clock and the dice of one call.
#[derive(Debug, Default)]
pub(super) struct Stillness {
    clock_ms: u64,
    read_count: u64,
    dice: u64,
}

impl Stillness {
    /// For a batch: its newest arrival and what it holds.
    pub(super) fn of(arrived_ms: &[u64], payload: &[u8]) -> Self {
        let clock_ms = arrived_ms.iter().copied().max().unwrap_or(0);
        Self { clock_ms, read_count: 0, dice: u64::from(crc32c::crc32c(payload)) << 32 | payload.len() as u64 }
    }

    fn monotonic_ns(&mut self) -> u64 {
        self.read_count += 1;
        self.clock_ms.saturating_mul(1_000_000).saturating_add(self.read_count.saturating_mul(1_000))
    }

    /// The next of a sequence (splitmix64) that looks random and is not.
    fn roll(&mut self) -> u64 {
        self.dice = self.dice.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.dice;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn bytes(&mut self, count: u64) -> wasmtime::Result<Vec<u8>> {
        let count = usize::try_from(count).ok().filter(|&count| count <= RANDOM_BYTES);
        let count = count.ok_or_else(|| Denied(format!("asked for over {RANDOM_BYTES} random bytes")))?;
        let mut bytes = Vec::with_capacity(count + 8);
        while bytes.len() < count {
            bytes.extend_from_slice(&self.roll().to_le_bytes());
        }
        bytes.truncate(count);
        Ok(bytes)
    }
}

/// A guest ended itself, or asked for more than there is.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Denied(String);

/// Whether a component may import an interface of this name: the base of WASI 0.2, all of it answered by nothing.
pub(super) fn is_answered(import: &str) -> bool {
    let Some((interface, version)) = import.split_once('@') else { return false };
    let package = interface.split('/').next().unwrap_or_default();
    PACKAGES.contains(&package) && version.starts_with("0.2.")
}

/// Defines what `component` imports of WASI, under the very versions that it names; false when it imports nothing of it.
///
/// # Errors
/// The engine refused a definition.
pub(super) fn add(linker: &mut Linker<Host>, component: &Component) -> wasmtime::Result<bool> {
    let engine = linker.engine().clone();
    let component_type = component.component_type();
    let imports = component_type.imports(&engine).filter(|(name, _)| is_answered(name));
    let mut has_wasi = false;
    for (name, import) in imports {
        has_wasi = true;
        let mut interface = linker.instance(name)?;
        if let ComponentItem::ComponentInstance(exports) = import.ty {
            resources(&mut interface, &exports, &engine)?;
        }
        match name.split('@').next().unwrap_or_default() {
            "wasi:cli/environment" => environment(&mut interface)?,
            "wasi:cli/stdin" => stdin(&mut interface)?,
            "wasi:cli/stdout" => standard(&mut interface, "get-stdout", false)?,
            "wasi:cli/stderr" => standard(&mut interface, "get-stderr", true)?,
            "wasi:cli/exit" => exit(&mut interface)?,
            "wasi:cli/terminal-stdin" => terminal::<TerminalInput>(&mut interface, "get-terminal-stdin")?,
            "wasi:cli/terminal-stdout" => terminal::<TerminalOutput>(&mut interface, "get-terminal-stdout")?,
            "wasi:cli/terminal-stderr" => terminal::<TerminalOutput>(&mut interface, "get-terminal-stderr")?,
            "wasi:clocks/monotonic-clock" => monotonic_clock(&mut interface)?,
            "wasi:clocks/wall-clock" => wall_clock(&mut interface)?,
            "wasi:filesystem/preopens" => {
                interface
                    .func_wrap("get-directories", |_, (): ()| Ok((Vec::<(Resource<Descriptor>, String)>::new(),)))?;
            }
            "wasi:io/error" => error(&mut interface)?,
            "wasi:io/poll" => poll(&mut interface)?,
            "wasi:io/streams" => streams(&mut interface)?,
            "wasi:random/random" => random(&mut interface, "get-random-bytes", "get-random-u64")?,
            "wasi:random/insecure" => random(&mut interface, "get-insecure-random-bytes", "get-insecure-random-u64")?,
            "wasi:random/insecure-seed" => {
                let seed = |mut store: StoreContextMut<'_, Host>, (): ()| {
                    let still = &mut store.data_mut().still;
                    Ok(((still.roll(), still.roll()),))
                };
                interface.func_wrap("insecure-seed", seed)?;
                interface.func_wrap("get-insecure-seed", seed)?;
            }
            _ => {}
        }
    }
    if has_wasi {
        linker.define_unknown_imports_as_traps(component)?;
    }
    Ok(has_wasi)
}

type Interface<'a> = LinkerInstance<'a, Host>;

/// Resources that an interface has or takes from another one: the name tells which.
fn resources(interface: &mut Interface<'_>, exports: &ComponentInstance, engine: &Engine) -> wasmtime::Result<()> {
    for (name, export) in exports.exports(engine) {
        if !matches!(export.ty, ComponentItem::Resource(_)) {
            continue;
        }
        let resource = match name {
            "descriptor" => ResourceType::host::<Descriptor>(),
            "error" => ResourceType::host::<IoError>(),
            "input-stream" => ResourceType::host::<InputStream>(),
            "output-stream" => ResourceType::host::<OutputStream>(),
            "pollable" => ResourceType::host::<Pollable>(),
            "terminal-input" => ResourceType::host::<TerminalInput>(),
            "terminal-output" => ResourceType::host::<TerminalOutput>(),
            _ => ResourceType::host::<()>(),
        };
        interface.resource(name, resource, |_, _| Ok(()))?;
    }
    Ok(())
}

fn environment(interface: &mut Interface<'_>) -> wasmtime::Result<()> {
    interface.func_wrap("get-environment", |store: StoreContextMut<'_, Host>, (): ()| {
        Ok((store.data().environment.clone(),))
    })?;
    interface.func_wrap("get-arguments", |_, (): ()| Ok((Vec::<String>::new(),)))?;
    interface.func_wrap("initial-cwd", |_, (): ()| Ok((None::<String>,)))
}

fn stdin(interface: &mut Interface<'_>) -> wasmtime::Result<()> {
    interface.func_wrap("get-stdin", |_, (): ()| Ok((Resource::<InputStream>::new_own(0),)))
}

fn standard(interface: &mut Interface<'_>, name: &str, err: bool) -> wasmtime::Result<()> {
    interface.func_wrap(name, move |_, (): ()| Ok((Resource::<OutputStream>::new_own(u32::from(err)),)))
}

fn terminal<T: 'static>(interface: &mut Interface<'_>, name: &str) -> wasmtime::Result<()> {
    interface.func_wrap(name, |_, (): ()| Ok((None::<Resource<T>>,)))
}

fn exit(interface: &mut Interface<'_>) -> wasmtime::Result<()> {
    interface.func_wrap("exit", |_, (status,): (Result<(), ()>,)| -> wasmtime::Result<()> {
        Err(Denied(format!("exited {}", if status.is_ok() { "by itself" } else { "with a failure" })).into())
    })?;
    interface.func_wrap("exit-with-code", |_, (code,): (u8,)| -> wasmtime::Result<()> {
        Err(Denied(format!("exited with code {code}")).into())
    })
}

fn monotonic_clock(interface: &mut Interface<'_>) -> wasmtime::Result<()> {
    interface.func_wrap("now", |mut store: StoreContextMut<'_, Host>, (): ()| {
        Ok((store.data_mut().still.monotonic_ns(),))
    })?;
    interface.func_wrap("resolution", |_, (): ()| Ok((1_000_u64,)))?;
    for name in ["subscribe-instant", "subscribe-duration"] {
        interface.func_wrap(name, |_, (_when,): (u64,)| Ok((Resource::<Pollable>::new_own(0),)))?;
    }
    Ok(())
}

fn wall_clock(interface: &mut Interface<'_>) -> wasmtime::Result<()> {
    interface.func_wrap("now", |store: StoreContextMut<'_, Host>, (): ()| {
        let clock_ms = store.data().still.clock_ms;
        let nanoseconds = u32::try_from(clock_ms % 1_000 * 1_000_000).unwrap_or(0);
        Ok((Datetime { seconds: clock_ms / 1_000, nanoseconds },))
    })?;
    interface.func_wrap("resolution", |_, (): ()| Ok((Datetime { seconds: 0, nanoseconds: 1_000_000 },)))
}

fn error(interface: &mut Interface<'_>) -> wasmtime::Result<()> {
    interface.func_wrap("[method]error.to-debug-string", |_, (_error,): (Resource<IoError>,)| {
        Ok(("plugins have no files".to_owned(),))
    })
}

fn poll(interface: &mut Interface<'_>) -> wasmtime::Result<()> {
    interface.func_wrap("[method]pollable.ready", |_, (_pollable,): (Resource<Pollable>,)| Ok((true,)))?;
    interface.func_wrap("[method]pollable.block", |_, (_pollable,): (Resource<Pollable>,)| Ok(()))?;
    interface.func_wrap("poll", |_, (pollables,): (Vec<Resource<Pollable>>,)| {
        let count = u32::try_from(pollables.len()).unwrap_or(0);
        Ok(((0..count).collect::<Vec<u32>>(),))
    })
}

fn streams(interface: &mut Interface<'_>) -> wasmtime::Result<()> {
    for name in ["[method]input-stream.read", "[method]input-stream.blocking-read"] {
        interface.func_wrap(name, |_, (_stream, _count): (Resource<InputStream>, u64)| {
            Ok((Err::<Vec<u8>, _>(StreamError::Closed),))
        })?;
    }
    for name in ["[method]input-stream.skip", "[method]input-stream.blocking-skip"] {
        interface.func_wrap(name, |_, (_stream, _count): (Resource<InputStream>, u64)| {
            Ok((Err::<u64, _>(StreamError::Closed),))
        })?;
    }
    interface.func_wrap("[method]input-stream.subscribe", |_, (_stream,): (Resource<InputStream>,)| {
        Ok((Resource::<Pollable>::new_own(0),))
    })?;
    interface.func_wrap("[method]output-stream.subscribe", |_, (_stream,): (Resource<OutputStream>,)| {
        Ok((Resource::<Pollable>::new_own(0),))
    })?;
    interface.func_wrap("[method]output-stream.check-write", |_, (_stream,): (Resource<OutputStream>,)| {
        Ok((Ok::<u64, StreamError>(WRITE_BYTES),))
    })?;
    for name in ["[method]output-stream.write", "[method]output-stream.blocking-write-and-flush"] {
        interface.func_wrap(
            name,
            |mut store: StoreContextMut<'_, Host>, (stream, bytes): (Resource<OutputStream>, WasmList<u8>)| {
                let all = bytes.as_le_slice(&store);
                let admitted = all[..all.len().min(store.data().log.remaining())].to_vec();
                let dropped_bytes = all.len() - admitted.len();
                store.data_mut().log.write(stream.rep() == STDERR, &admitted, dropped_bytes);
                Ok((Ok::<(), StreamError>(()),))
            },
        )?;
    }
    for name in ["[method]output-stream.flush", "[method]output-stream.blocking-flush"] {
        interface.func_wrap(name, |_, (_stream,): (Resource<OutputStream>,)| Ok((Ok::<(), StreamError>(()),)))?;
    }
    Ok(())
}

fn random(interface: &mut Interface<'_>, bytes: &str, number: &str) -> wasmtime::Result<()> {
    interface.func_wrap(bytes, |mut store: StoreContextMut<'_, Host>, (count,): (u64,)| {
        Ok((store.data_mut().still.bytes(count)?,))
    })?;
    interface.func_wrap(number, |mut store: StoreContextMut<'_, Host>, (): ()| Ok((store.data_mut().still.roll(),)))
}

/// `wasi:clocks/wall-clock.datetime`.
#[derive(ComponentType, Lower)]
#[component(record)]
struct Datetime {
    seconds: u64,
    nanoseconds: u32,
}

/// `wasi:io/streams.stream-error`.
#[derive(ComponentType, Lift, Lower)]
#[component(variant)]
enum StreamError {
    #[component(name = "last-operation-failed")]
    LastOperationFailed(Resource<IoError>),
    #[component(name = "closed")]
    Closed,
}

/// Resources have no content: what a guest holds is a number.
struct Descriptor;
struct InputStream;
struct IoError;
struct OutputStream;
struct Pollable;
struct TerminalInput;
struct TerminalOutput;

/// Everything else, such as `wasi:http`, is refused when the component is loaded.
const PACKAGES: [&str; 6] = ["wasi:cli", "wasi:clocks", "wasi:filesystem", "wasi:io", "wasi:random", "wasi:sockets"];
/// Number of the standard error stream; the standard output has 0.
const STDERR: u32 = 1;
/// What one write may take; the log's own limits cut further.
const WRITE_BYTES: u64 = 64 << 10;
/// More than any runtime takes for its seeds.
const RANDOM_BYTES: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_batch_has_the_same_dice_and_another_one_others() {
        let rolls = |payload: &[u8]| {
            let mut still = Stillness::of(&[5, 9, 7], payload);
            (still.monotonic_ns(), still.monotonic_ns(), still.bytes(20).unwrap(), still.roll())
        };
        let (first, second, bytes, _) = rolls(b"one");
        assert_eq!((first, second, bytes.len()), (9_001_000, 9_002_000, 20));
        assert_eq!(rolls(b"one"), rolls(b"one"));
        assert_ne!(rolls(b"one").2, rolls(b"two").2);
        assert!(Stillness::of(&[], b"").bytes(1 << 40).is_err());
    }

    #[test]
    fn only_the_base_of_wasi_is_answered() {
        for answered in ["wasi:cli/environment@0.2.0", "wasi:sockets/tcp@0.2.12", "wasi:io/poll@0.2.6"] {
            assert!(is_answered(answered), "{answered}");
        }
        for refused in ["wasi:http/types@0.2.0", "wasi:cli/run@0.3.0", "wasi:cli/environment", "other:cli/x@0.2.0"] {
            assert!(!is_answered(refused), "{refused}");
        }
    }
}
