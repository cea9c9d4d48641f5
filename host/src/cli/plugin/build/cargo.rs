//! Rust: cargo makes a core module that carries its world. Refuses to guess which of several modules is the plugin: the
//! project's own crate is built last.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::cli::Failure;

/// What cargo builds plugins for.
const TARGET: &str = "wasm32-unknown-unknown";

/// Builds the project.
pub(super) fn build(folder: &Path, out: &Path) -> Result<(), Failure> {
    fs::copy(compile(folder)?, out).map_err(Failure::new)?;
    Ok(())
}

/// Runs cargo; the module it made.
fn compile(folder: &Path) -> Result<PathBuf, Failure> {
    let mut command = Command::new("cargo");
    command.args(["build", "--release", "--target", TARGET, "--message-format", "json-render-diagnostics"]);
    // They would replace what the project's own .cargo/config.toml says.
    command.current_dir(folder).env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    command.stdin(Stdio::null()).stderr(Stdio::inherit());
    let output = command.output().map_err(|error| {
        let error = anyhow::Error::new(error).context("cannot run cargo");
        Failure::new(error).hint("install Rust; its site's Getting Started page says how")
    })?;
    if !output.status.success() {
        let hint = if has_target() {
            "cargo says above what is wrong".to_owned()
        } else {
            format!("the target is missing: rustup target add {TARGET}")
        };
        return Err(Failure::told("the plugin does not build").hint(hint));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let messages = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let files = messages.flat_map(|message| match message.get("filenames") {
        Some(Value::Array(files)) => files.iter().filter_map(|file| file.as_str().map(PathBuf::from)).collect(),
        _ => Vec::new(),
    });
    // The project's own crate is built last.
    let mut modules: Vec<PathBuf> = files.collect();
    modules.retain(|file| file.extension() == Some(OsStr::new("wasm")));
    let module = modules.pop();
    module.ok_or_else(|| {
        Failure::told("cargo made no .wasm file").hint("Cargo.toml needs [lib] crate-type = [\"cdylib\", \"rlib\"]")
    })
}

/// Whether rustup has the target. Without rustup nobody knows.
fn has_target() -> bool {
    let listed = Command::new("rustup").args(["target", "list", "--installed"]).stdin(Stdio::null()).output();
    listed.map_or(true, |listed| String::from_utf8_lossy(&listed.stdout).lines().any(|line| line == TARGET))
}

/// The package's name, which may hold hyphens where the file has underscores.
pub(super) fn package(folder: &Path) -> Result<Option<String>, Failure> {
    let text = fs::read_to_string(folder.join("Cargo.toml")).map_err(Failure::new)?;
    let manifest: toml::Table = toml::from_str(&text).map_err(Failure::new)?;
    Ok(manifest.get("package").and_then(|package| package.get("name")?.as_str()).map(str::to_owned))
}
