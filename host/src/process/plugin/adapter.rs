//! A core module becomes a component: of modules that know WASI preview 1 (Go, C, C++, Rust for wasip1), too.
//!
//! Our own adapter answers preview 1 out of nothing, so that the component imports the log and nothing else, unless the
//! module declares the capability `environment`: then it imports that of WASI 0.2, and can be granted it. A module that
//! carries its world is taken at its word; one that does not, but exports what a plugin exports, is given ours. Refuses
//! a module that imports anything besides preview 1 and the log.

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use super::bindings::v1::TRANSFORM;

/// Makes the component of a core module; `has_world` says whether it carries its world in a custom section, and
/// `has_environment` whether preview 1's environment is that of WASI 0.2 or empty.
///
/// # Errors
/// An import or export does not fit the world, preview 1 or the log.
pub(super) fn component(module: &[u8], has_world: bool, has_environment: bool) -> wasmtime::Result<Vec<u8>> {
    let words = |error: &dyn std::fmt::Display| wasmtime::Error::msg(format!("{error:#}"));
    let mut resolve = Resolve::default();
    let contract = resolve.push_str("hydrant.wit", WIT).map_err(|error| words(&error))?;
    let mut module = std::borrow::Cow::Borrowed(module);
    if !has_world {
        let world = resolve.select_world(&[contract], None).map_err(|error| words(&error))?;
        let embedded = embed_component_metadata(module.to_mut(), &resolve, world, StringEncoding::UTF8);
        embedded.map_err(|error| words(&error))?;
    }
    let mut encoder = ComponentEncoder::default().validate(true).module(&module).map_err(|error| words(&error))?;
    if names(&module, PREVIEW1) {
        resolve.push_str("environment.wit", ENVIRONMENT_WIT).map_err(|error| words(&error))?;
        let adapting = resolve.push_str("adapter.wit", ADAPTER_WIT).map_err(|error| words(&error))?;
        let world = resolve.select_world(&[adapting], None).map_err(|error| words(&error))?;
        let text = if has_environment { with_environment() } else { ADAPTER.to_owned() };
        let mut adapter = wat::parse_str(text).map_err(|error| words(&error))?;
        let embedded = embed_component_metadata(&mut adapter, &resolve, world, StringEncoding::UTF8);
        embedded.map_err(|error| words(&error))?;
        encoder = encoder.adapter(PREVIEW1, &adapter).map_err(|error| words(&error))?;
    }
    encoder.encode().map_err(|error| words(&error))
}

/// Whether a module without a world exports what a plugin exports, by the names in it.
pub(super) fn exports_transform(module: &[u8]) -> bool {
    names(module, TRANSFORM)
}

fn names(module: &[u8], name: &str) -> bool {
    module.windows(name.len()).any(|window| window == name.as_bytes())
}

/// The adapter, its functions for the environment exported in place of those that know of none. An encoder leaves out what
/// nothing exports, so that the other form imports no environment.
fn with_environment() -> String {
    ["sizes_get", "get"].iter().fold(ADAPTER.to_owned(), |text, name| {
        let nothing = format!("(export \"environ_{name}\" (func $no_environ_{name}))");
        text.replacen(&nothing, &format!("(export \"environ_{name}\" (func $environ_{name}))"), 1)
    })
}

/// The contract.
const WIT: &str = include_str!("../../../../wit/v1/hydrant.wit");
/// The adapter's source, and the world that it is embedded with.
const ADAPTER: &str = include_str!("../../../../plugins/adapter/wasi_snapshot_preview1.wat");
const ADAPTER_WIT: &str = "package hydrant:adapter;
    world adapter { import hydrant:transform/log@1.0.0; import wasi:cli/environment@0.2.0; }";
/// What the adapter knows of WASI 0.2.
const ENVIRONMENT_WIT: &str = "package wasi:cli@0.2.0;
    interface environment { get-environment: func() -> list<tuple<string, string>>; }";
/// The module name that preview 1 is imported from.
const PREVIEW1: &str = "wasi_snapshot_preview1";
