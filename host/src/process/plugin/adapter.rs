//! A core module becomes a component: of modules that know WASI preview 1 (Go, C, C++, Rust for wasip1), too.
//!
//! Our own adapter answers preview 1 out of nothing, so that the component imports the log and nothing else. A module that
//! carries its world is taken at its word; one that does not, but exports what a plugin exports, is given ours. Refuses
//! a module that imports anything besides preview 1 and the log.

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use super::bindings::v1::TRANSFORM;

/// Makes the component of a core module; `has_world` says whether it carries its world in a custom section.
///
/// # Errors
/// An import or export does not fit the world, preview 1 or the log.
pub(super) fn component(module: &[u8], has_world: bool) -> wasmtime::Result<Vec<u8>> {
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
        let adapting = resolve.push_str("adapter.wit", ADAPTER_WIT).map_err(|error| words(&error))?;
        let world = resolve.select_world(&[adapting], None).map_err(|error| words(&error))?;
        let mut adapter = wat::parse_str(ADAPTER).map_err(|error| words(&error))?;
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

/// The contract.
const WIT: &str = include_str!("../../../../wit/v1/hydrant.wit");
/// The adapter's source, and the world that it is embedded with.
const ADAPTER: &str = include_str!("../../../../plugins/adapter/wasi_snapshot_preview1.wat");
const ADAPTER_WIT: &str = "package hydrant:adapter; world adapter { import hydrant:transform/log@1.0.0; }";
/// The module name that preview 1 is imported from.
const PREVIEW1: &str = "wasi_snapshot_preview1";
