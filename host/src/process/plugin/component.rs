//! A file becomes a compiled component, or an error that says what is wrong and what to do about it.
//!
//! Both a component and the core module that `cargo build` makes are taken: the latter carries its world in a custom
//! section, and the component is made of it here. Refuses imports other than the log.

use std::borrow::Cow;
use std::fmt;

use wasmtime::component::{Component, ComponentExportIndex, InstancePre};

use super::bindings::v1::{LOG, TRANSFORM, TYPES};
use super::engine::{EngineError, Sandbox};
use super::fault::Fault;
use super::instance::{Host, contain};
use super::needs::{self, Capability, Needs};
use super::pieces::in_pieces;
use super::settings::Limits;
use super::{adapter, sections, wasi};

/// A component ready to be instantiated, whatever plugins it is.
pub(super) struct Compiled {
    pub(super) pre: InstancePre<Host>,
    pub(super) configure: ComponentExportIndex,
    pub(super) apply: ComponentExportIndex,
    /// It needs a clock and dice.
    pub(super) has_wasi: bool,
    /// What it says that it needs.
    pub(super) needs: Needs,
}

impl fmt::Debug for Compiled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compiled").finish_non_exhaustive()
    }
}

/// Why bytes are no plugin.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The machine has no sandbox.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The file is longer than the limit.
    #[error("it has {bytes} bytes, more than the allowed {limit}")]
    TooLarge {
        /// The file's length.
        bytes: u64,
        /// [`Limits::component_bytes`].
        limit: u64,
    },
    /// The file is no WebAssembly at all.
    #[error("it is not WebAssembly: it does not begin with \\0asm and a known version")]
    NotWasm,
    /// A core module that was built without our world.
    #[error("it is a core module without the world hydrant:transform/plugin")]
    NoWorld,
    /// No component can be made of the core module.
    #[error("no component can be made of it: {0}")]
    Encode(String),
    /// The engine does not accept it.
    #[error("the engine refuses it: {0}")]
    Invalid(String),
    /// Compiling it takes more than it may.
    #[error("compiling it takes more than {seconds} s of processor time or {bytes} bytes of memory")]
    Compile {
        /// [`Limits::compile`].
        seconds: u64,
        /// [`Limits::compile_memory_bytes`].
        bytes: u64,
    },
    /// The compiler's process cannot be used.
    #[error("the compiler does not run: {0}")]
    Compiler(String),
    /// It wants something that plugins do not get.
    #[error(
        "it imports {0}, and plugins may import hydrant:transform/log and, answered with nothing, the base of WASI 0.2"
    )]
    Import(String),
    /// It was built for another version of the world.
    #[error("it was built for {found}, and this host speaks {TRANSFORM}")]
    Version {
        /// The name it uses.
        found: String,
    },
    /// It does not export what makes a plugin.
    #[error("it does not export {0}")]
    MissingExport(String),
    /// What it says of its needs cannot be understood.
    #[error("its section hydrant:needs is none that a host takes: {0}")]
    Needs(String),
    /// It declares a capability that the operator does not grant.
    #[error(
        "it needs the capability \"{capability}\", which is not granted; the configuration's line is: [plugins.grants] {plugin} = [\"{capability}\"]"
    )]
    NotGranted {
        /// What it is called.
        plugin: String,
        /// What it declares.
        capability: &'static str,
    },
    /// It failed at records that a stream brought lately.
    #[error("it failed its trial with recent records of stream {stream}: {fault}")]
    Records {
        /// Where the records came from.
        stream: String,
        /// What it did.
        fault: String,
    },
    /// It failed its trial: configured for a nameless stream, then given an empty batch.
    #[error("it failed its trial: {0}")]
    Trial(String),
}

impl LoadError {
    /// What to do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Engine(_) => "see the host's log; 256 GiB of address space must be available (ulimit -v)",
            Self::TooLarge { .. } => "build with optimisation and without debug information, or raise the limit",
            Self::NotWasm => "copy the .wasm file that the build made, whole and uncompressed",
            Self::NoWorld => "build it with a Hydrant SDK; in Rust: hydrant_plugin::plugin!(transform)",
            Self::Encode(_) => "build for a target without WASI, such as wasm32-unknown-unknown",
            Self::Invalid(_) => "copy the file again; if that does not help, build without experimental features",
            Self::Compile { .. } => "make it smaller, or raise plugins.compile_seconds or plugins.compile_memory_bytes",
            Self::Compiler(_) => "let the host run its own program file, and start processes",
            Self::Import(_) => "remove what needs it (HTTP, for instance), and build with a Hydrant SDK",
            Self::Version { .. } => "build it with the SDK of this host's release",
            Self::MissingExport(_) => {
                "say hydrant_plugin::plugin!(transform) in the crate, or implement the world's exports"
            }
            Self::Needs(_) => {
                "correct plugin.toml: the one capability is \"environment\", limits are above 0; then build it again"
            }
            Self::NotGranted { .. } => {
                "add that line and start the host again, or publish a version that does without the capability"
            }
            Self::Records { .. } => {
                "test it with such records (`hydrant plugin test`); to publish it all the same, set plugins.trial_records = 0"
            }
            Self::Trial(_) => "correct the plugin's settings or its start-up code; its log lines say more",
        }
    }
}

/// Refuses a file that is too long.
///
/// # Errors
/// It is.
pub(super) fn check_size(bytes: &[u8], limits: &Limits) -> Result<(), LoadError> {
    let (size, limit) = (bytes.len() as u64, limits.component_bytes);
    if size > limit { Err(LoadError::TooLarge { bytes: size, limit }) } else { Ok(()) }
}

/// The code of a component, whatever its size: what [`ready`] takes once it was loaded. Blocking and slow.
///
/// # Errors
/// Why these bytes are no component.
pub(super) fn code_of(sandbox: &Sandbox, bytes: &[u8]) -> Result<Vec<u8>, LoadError> {
    // What parses a stranger's file is contained like a call.
    contained(|| {
        let code = sandbox.engine.precompile_component(&in_pieces(&componentize(bytes)?)?);
        code.map_err(|error| LoadError::Invalid(format!("{error:#}")))
    })
}

/// Compiles a component for a sandbox that is not the process's own.
///
/// # Errors
/// Why these bytes are no plugin.
pub(super) fn compile_for(sandbox: &Sandbox, bytes: &[u8]) -> Result<Compiled, LoadError> {
    contained(|| {
        let component = Component::from_binary(&sandbox.engine, &in_pieces(&componentize(bytes)?)?);
        let component = component.map_err(|error| LoadError::Invalid(format!("{error:#}")))?;
        ready(sandbox, component, Needs::of(bytes)?)
    })
}

/// What can be instantiated, if the component is a plugin.
///
/// # Errors
/// What it wants or lacks.
pub(super) fn ready(sandbox: &Sandbox, component: Component, needs: Needs) -> Result<Compiled, LoadError> {
    check_names(sandbox, &component)?;
    let function = |name: &str| {
        let (_, transform) = component.get_export(None, TRANSFORM)?;
        component.get_export_index(Some(&transform), name)
    };
    let missing = |name: &str| LoadError::MissingExport(format!("{TRANSFORM}#{name}"));
    let configure = function("configure").ok_or_else(|| missing("configure"))?;
    let apply = function("apply").ok_or_else(|| missing("apply"))?;
    let invalid = |error: wasmtime::Error| LoadError::Invalid(format!("{error:#}"));
    let mut linker = sandbox.linker.clone();
    let has_wasi = wasi::add(&mut linker, &component).map_err(invalid)?;
    let pre = linker.instantiate_pre(&component).map_err(invalid)?;
    Ok(Compiled { pre, configure, apply, has_wasi, needs })
}

fn contained<T>(work: impl FnOnce() -> Result<T, LoadError>) -> Result<T, LoadError> {
    contain(|| Ok(work())).unwrap_or_else(|fault: Fault| Err(LoadError::Invalid(fault.to_string())))
}

/// The component in a file, made of the core module when there is one.
///
/// # Errors
/// Why these bytes are neither.
pub(super) fn as_component<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Cow<'a, [u8]>, LoadError> {
    check_size(bytes, limits)?;
    contained(|| componentize(bytes))
}

fn componentize(bytes: &[u8]) -> Result<Cow<'_, [u8]>, LoadError> {
    match bytes.get(..8) {
        Some(MODULE) => encode(bytes).map(Cow::Owned),
        Some(COMPONENT) => Ok(Cow::Borrowed(bytes)),
        _ => Err(LoadError::NotWasm),
    }
}

/// Makes the component of a core module that carries its world, or exports what a plugin exports. What the module says
/// of its needs, the component says.
fn encode(module: &[u8]) -> Result<Vec<u8>, LoadError> {
    let has_world = has_world(module);
    if !has_world && !adapter::exports_transform(module) {
        return Err(LoadError::NoWorld);
    }
    let has_environment = Needs::of(module)?.capabilities.contains(&Capability::Environment);
    let component = adapter::component(module, has_world, has_environment);
    let mut component = component.map_err(|error| LoadError::Encode(format!("{error:#}")))?;
    if let Some(text) = needs::section(module)? {
        needs::append(&mut component, text);
    }
    Ok(component)
}

fn check_names(sandbox: &Sandbox, component: &Component) -> Result<(), LoadError> {
    let component_type = component.component_type();
    for (name, _) in component_type.imports(&sandbox.engine) {
        match compatibility(name, &[LOG, TYPES]) {
            Compatibility::Same => {}
            Compatibility::OtherVersion => return Err(LoadError::Version { found: name.to_owned() }),
            Compatibility::Other if wasi::is_answered(name) => {}
            Compatibility::Other => return Err(LoadError::Import(name.to_owned())),
        }
    }
    let mut other_version = None;
    for (name, _) in component_type.exports(&sandbox.engine) {
        match compatibility(name, &[TRANSFORM]) {
            Compatibility::Same => return Ok(()),
            Compatibility::OtherVersion => other_version = Some(LoadError::Version { found: name.to_owned() }),
            Compatibility::Other => {}
        }
    }
    Err(other_version.unwrap_or_else(|| LoadError::MissingExport(TRANSFORM.to_owned())))
}

#[derive(Clone, Copy, PartialEq)]
enum Compatibility {
    Same,
    OtherVersion,
    Other,
}

/// Whether `name` is one of `ours` at a version that matches by semver: of one major version all do.
fn compatibility(name: &str, ours: &[&str]) -> Compatibility {
    let split = |name: &str| {
        let (interface, version) = name.split_once('@').unwrap_or((name, ""));
        (interface.to_owned(), version.split('.').next().unwrap_or_default().to_owned())
    };
    let (interface, major) = split(name);
    for ours in ours {
        let (our_interface, our_major) = split(ours);
        if interface == our_interface {
            return if major == our_major { Compatibility::Same } else { Compatibility::OtherVersion };
        }
    }
    Compatibility::Other
}

/// Looks for a custom section whose name begins with `component-type`.
fn has_world(module: &[u8]) -> bool {
    sections::custom_sections(module).any(|(name, _)| name.starts_with(b"component-type"))
}

const MODULE: &[u8] = b"\0asm\x01\0\0\0";
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";
