//! JavaScript and TypeScript: the SDK's own script bundles and makes the component, with packages that npm installed.
//! Refuses to run npm.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::{nearest, run};
use crate::cli::Failure;

const HINT: &str = "install Node.js 20 or newer; its site's Download page says how";
/// The package that makes components.
const COMPONENTIZE: &str = "node_modules/@bytecodealliance/componentize-js";

/// Builds the project.
pub(super) fn build(folder: &Path, out: &Path) -> Result<(), Failure> {
    const SCRIPT: &str = "hydrant-plugin/build.mjs";
    if !folder.join(SCRIPT).is_file() {
        let told = format!("{} has a package.json, but no {SCRIPT}", folder.display());
        return Err(
            Failure::told(told).hint("`hydrant plugin new NAME --lang javascript` makes a project with the SDK")
        );
    }
    check(folder)?;
    run(Command::new("node").arg(SCRIPT).arg(out), folder, HINT)
}

/// Whether npm has installed what components are made with.
pub(super) fn check(folder: &Path) -> Result<(), Failure> {
    match nearest(folder, COMPONENTIZE) {
        Some(_) => Ok(()),
        None => Err(Failure::told("componentize-js is not installed").hint("npm install, in the project's folder")),
    }
}

/// The package's name.
pub(super) fn package(folder: &Path) -> Result<Option<String>, Failure> {
    let text = fs::read_to_string(folder.join("package.json")).map_err(Failure::new)?;
    let package: Value = serde_json::from_str(&text).map_err(Failure::new)?;
    let name = package["name"].as_str().map(|name| name.rsplit('/').next().unwrap_or(name).to_owned());
    Ok(name.filter(|name| !name.is_empty()))
}
