//! What a plugin file says about itself, without running it. Refuses to judge: that is the loader's work.

use wasmparser::{KnownCustom, Parser, Payload, ProducersSectionReader};
use wit_component::{DecodedWasm, WitPrinter};

use super::component::{LoadError, as_component};
use super::engine::sandbox;
use super::needs::Needs;
use super::settings::Limits;
use super::store;

/// Facts for the author or the operator of a plugin.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Facts {
    /// SHA-256 of the file, hexadecimal: the version's name in the journal, in logs and in error outputs.
    pub digest: String,
    /// Length of the file.
    pub bytes: u64,
    /// Interfaces it imports.
    pub imports: Vec<String>,
    /// Interfaces it exports.
    pub exports: Vec<String>,
    /// Languages and tools that made it, as they signed it: `language Rust`, `processed-by rustc 1.95.0`.
    pub made_with: Vec<String>,
    /// What it says that it needs.
    pub needs: Needs,
    /// Its world as WIT text.
    pub wit: String,
}

/// Reads the facts of a component, or of a core module that carries its world. Blocking: it is compiled on the way.
///
/// # Errors
/// Why these bytes are no component.
pub fn inspect(bytes: &[u8], limits: &Limits) -> Result<Facts, LoadError> {
    let component = as_component(bytes, limits)?;
    let invalid = |error: String| LoadError::Invalid(error);
    let engine = &sandbox()?.engine;
    let compiled = wasmtime::component::Component::from_binary(engine, &component);
    let compiled = compiled.map_err(|error| invalid(format!("{error:#}")))?;
    let component_type = compiled.component_type();
    Ok(Facts {
        digest: store::digest_of(bytes),
        bytes: bytes.len() as u64,
        imports: component_type.imports(engine).map(|(name, _)| name.to_owned()).collect(),
        exports: component_type.exports(engine).map(|(name, _)| name.to_owned()).collect(),
        made_with: made_with(&component),
        needs: Needs::of(&component)?,
        wit: wit(&component).map_err(invalid)?,
    })
}

/// The component in a file: the file itself, or what is made of the core module that carries its world.
///
/// # Errors
/// Why these bytes are neither.
pub fn component(bytes: &[u8], limits: &Limits) -> Result<Vec<u8>, LoadError> {
    as_component(bytes, limits).map(std::borrow::Cow::into_owned)
}

fn wit(component: &[u8]) -> Result<String, String> {
    let decoded = wit_component::decode(component).map_err(|error| format!("{error:#}"))?;
    let mut printer = WitPrinter::default();
    let nested: Vec<_> = match &decoded {
        DecodedWasm::Component(resolve, _) | DecodedWasm::WitPackage(resolve, _) => {
            resolve.packages.iter().map(|(id, _)| id).filter(|id| *id != decoded.package()).collect()
        }
    };
    printer.print(decoded.resolve(), decoded.package(), &nested).map_err(|error| format!("{error:#}"))?;
    Ok(printer.output.to_string())
}

/// The `producers` sections of the component and of the modules inside, each value once. What cannot be parsed ends
/// the list: nobody depends on it.
fn made_with(component: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for payload in Parser::new(0).parse_all(component) {
        let Ok(payload) = payload else { return found };
        if let Payload::CustomSection(section) = payload
            && let KnownCustom::Producers(producers) = section.as_known()
        {
            add(producers, &mut found);
        }
    }
    found
}

fn add(producers: ProducersSectionReader<'_>, found: &mut Vec<String>) {
    for field in producers.into_iter().flatten() {
        for value in field.values.into_iter().flatten() {
            let line = format!("{} {} {}", field.name, value.name, value.version).trim_end().to_owned();
            if found.len() < MADE_WITH && !found.contains(&line) {
                found.push(line);
            }
        }
    }
}

/// A toolchain signs with a handful of lines; a forged file may hold any number.
const MADE_WITH: usize = 32;
