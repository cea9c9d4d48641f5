//! `hydrant plugin build`: drives a project's own toolchain and makes one component of what comes out. Refuses to
//! install anything: what is missing is named, with the command that gets it.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Serialize;
use serde_json::Value;

use super::super::arguments::BuildPlugin;
use super::super::console::bytes;
use super::super::{Console, Failure};
use super::open::{self, PluginLimits};
use crate::process::Workshop;
use crate::process::plugin::{self, Facts, LoadError};

/// What cargo builds plugins for.
const TARGET: &str = "wasm32-unknown-unknown";

#[derive(Serialize)]
struct Report {
    file: PathBuf,
    #[serde(flatten)]
    facts: Facts,
}

/// Builds the project in a folder.
pub(super) fn build<P: PluginLimits>(console: &Console, asked: &BuildPlugin) -> Result<(), Failure> {
    if !asked.dir.join("Cargo.toml").is_file() {
        let told = format!("{} holds no project that a plugin can be built of", asked.dir.display());
        return Err(Failure::told(told).hint("name a folder with a Cargo.toml; `hydrant plugin new NAME` makes one"));
    }
    let module = cargo(&asked.dir)?;
    let limits = open::limits::<P>(&asked.limits)?;
    let refused = |error| open::refused(&module, error);
    let component = plugin::component(&open::read(&module)?, &limits).map_err(refused)?;
    let facts = plugin::inspect(&component, &limits).map_err(refused)?;
    let name = package(&asked.dir)?.unwrap_or_else(|| open::name(&module));
    let file = asked.out.clone().unwrap_or_else(|| asked.dir.join(format!("{name}.wasm")));
    // What a host would refuse is no plugin; settings that it insists on are the author's to test with.
    let started = match Workshop::open(&open::name(&file), "", &component, limits, Vec::new(), open::cache().as_deref())
    {
        Ok(_) => Ok(()),
        Err(LoadError::Trial(reason)) => Err(reason),
        Err(other) => return Err(refused(other)),
    };
    let beside = file.with_extension("wasm.new");
    fs::write(&beside, &component)
        .and_then(|()| fs::rename(&beside, &file))
        .map_err(|error| Failure::new(anyhow::Error::new(error).context(format!("cannot write {}", file.display()))))?;
    if let Err(reason) = started {
        console.note(&format!("note: without settings it does not start: {reason}"));
    }
    let report = Report { file, facts };
    if console.is_json() {
        return console.say_json(&report);
    }
    let Report { file, facts } = report;
    console.say(&format!(
        "{}: {}, imports {}, digest {}",
        file.display(),
        bytes(facts.bytes),
        if facts.imports.is_empty() { "nothing".to_owned() } else { facts.imports.join(", ") },
        facts.digest
    ))
}

/// Runs cargo; the module it made.
fn cargo(folder: &Path) -> Result<PathBuf, Failure> {
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
fn package(folder: &Path) -> Result<Option<String>, Failure> {
    let text = fs::read_to_string(folder.join("Cargo.toml")).map_err(Failure::new)?;
    let manifest: toml::Table = toml::from_str(&text).map_err(Failure::new)?;
    Ok(manifest.get("package").and_then(|package| package.get("name")?.as_str()).map(str::to_owned))
}
