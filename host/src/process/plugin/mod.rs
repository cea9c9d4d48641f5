//! The plugin host: one WebAssembly engine, components compiled once, a fresh instance for every batch.
//!
//! | file | what it does |
//! |---|---|
//! | `settings` | the limits, each with its reason |
//! | `engine` | one engine per process, its clock and its slots |
//! | `adapter` | a core module becomes a component, WASI preview 1 answered with nothing |
//! | `component` | a file becomes a compiled component, or an error that says what to do |
//! | `compiler`, `cache` | compiles in a limited child, once per digest |
//! | `inspect` | what a file says about itself |
//! | `needs` | what a file says that it needs: capabilities, and limits of its own |
//! | `sections`, `pieces` | a file's sections, and its long operations in pieces |
//! | `bindings` | the world's values, one file per version |
//! | `instance` | one batch in one instance, within its limits |
//! | `fault` | what can go wrong in a call |
//! | `answer` | believes nothing a plugin says before it is checked |
//! | `isolate` | halves a batch that failed until the poison record stands alone |
//! | `merge` | kept records and replacements become one batch again |
//! | `log` | plugin lines in the host's log, bounded and escaped |
//! | `store` | copies by digest, durable, so that old batches find their code |
//! | `wasi` | what guests built for WASI get: nothing |
//! | `version`, `releases` | a component with its settings, and which ones ruled |
//! | `loaded`, `sample` | a plugin ready to be called, and recent records to try the next version with |
//! | `registry`, `recent`, `reload` | names, current versions, compiled ones at hand, and the watched folder |
//! | `publish` | how a version takes over |
//! | `asked`, `candidate` | a version on trial: what is asked for it, its turns, and what ends it |
//! | `trials`, `turns` | candidates come and go, and the clock that gives canaries their turn |
//! | `beside`, `compare` | runs that nothing is delivered of, and where their answers differ |
//!
//! **What bounds a plugin.** Memory, tables, instances and stack by the engine and a limiter that traps at the first denial, so
//! that no answer given after one is ever believed. Time by an epoch deadline that traps; long operations
//! over memory are cut into pieces before a component is compiled, because the engine looks at loops and functions only.
//! Bytes that cross to the host are counted before they are copied.
//!
//! **What a failing record costs.** A batch whose call failed is halved until single records fail: at most `2n - 1` calls
//! for `n` records, all together within [`Limits::recovery`]; what was not tried by then is rejected, saying so.
//!
//! Refuses to reuse an instance, to resume a trapped one, and to give a guest anything but a log and, when both it and the
//! operator say so, its settings as its environment.

mod adapter;
mod answer;
mod asked;
mod beside;
mod bindings;
mod cache;
mod candidate;
mod compare;
mod compiler;
mod component;
mod engine;
mod fault;
mod inspect;
mod instance;
mod isolate;
mod loaded;
mod log;
mod merge;
mod needs;
mod pieces;
mod publish;
mod recent;
mod registry;
mod releases;
mod reload;
mod sample;
mod sections;
mod settings;
mod store;
mod trials;
mod turns;
mod version;
mod wasi;

#[cfg(test)]
pub(crate) mod guests;
#[cfg(test)]
pub(crate) mod stamped;
#[cfg(test)]
mod tests;

pub use asked::{AskError, Asked, Bounds, Kind};
pub use candidate::{Report, Tally};
pub use compiler::compile_child;
pub use component::LoadError;
pub use engine::EngineError;
pub use inspect::{Facts, component, inspect};
pub use loaded::Plugin;
pub use needs::{Capability, Needs, OwnLimits};
pub use publish::PublishError;
pub use registry::{PluginHost, Problem, StartError};
pub use releases::Release;
pub use settings::{Limits, Settings};
pub use store::StoreError;

pub(super) use merge::{Made, Refused, Stage};
