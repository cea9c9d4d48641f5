//! `hydrant plugin build`: drives a project's own toolchain and makes one component of what comes out.
//!
//! | project | recognised by | file |
//! |---|---|---|
//! | Rust | `Cargo.toml` | `cargo` |
//! | Go | `go.mod` | `go` |
//! | JavaScript, TypeScript | `package.json` | `node` |
//! | Python | `plugin.py` or `app.py` | `python` |
//! | C, C++ | `hydrant/hydrant_plugin.h` | `zig` |
//! | a handler of AWS Lambda | `--lambda` | `lambda` |
//!
//! What the project's `plugin.toml` says that the plugin needs, the component says ([`declared`]).
//!
//! Refuses to install anything: what is missing is named, with the command that gets it.

mod cargo;
mod go;
mod lambda;
mod node;
mod python;
mod zig;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Serialize;

use super::super::arguments::BuildPlugin;
use super::super::console::bytes;
use super::super::{Console, Failure};
use super::declared;
use super::open::{self, PluginLimits};
use crate::process::Workshop;
use crate::process::plugin::{self, Facts, LoadError};

#[derive(Serialize)]
struct Report {
    file: PathBuf,
    #[serde(flatten)]
    facts: Facts,
}

/// What a project is written with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Toolchain {
    Cargo,
    Go,
    Node,
    Python,
    Zig,
}

/// Builds the project in a folder, or a Lambda handler.
pub(super) fn build<P: PluginLimits>(console: &Console, asked: &BuildPlugin) -> Result<(), Failure> {
    let limits = open::limits::<P>(&asked.limits)?;
    let (name, folder) = match &asked.lambda {
        Some(handler) => (lambda::name(handler), asked.dir.clone()),
        None => {
            let toolchain = recognise(&asked.dir)?;
            (project_name(&asked.dir, toolchain)?, asked.dir.clone())
        }
    };
    let file = asked.out.clone().unwrap_or_else(|| folder.join(format!("{name}.wasm")));
    // Hidden, so that no host takes it for a plugin before it is whole.
    let beside = file.with_file_name(format!(".{}.new.wasm", open::name(&file)));
    let declared = declared::read(&asked.lambda.as_deref().map_or(asked.dir.clone(), lambda::folder))?;
    let built = match &asked.lambda {
        Some(handler) => lambda::build(handler, &beside),
        None => make(&asked.dir, recognise(&asked.dir)?, &beside),
    };
    let checked = built.and_then(|()| {
        let refused = |error| open::refused(&file, error);
        let made = open::read(&beside)?;
        let made = match &declared {
            Some(needs) => needs.declared_in(made),
            None => made,
        };
        let component = plugin::component(&made, &limits).map_err(refused)?;
        let facts = plugin::inspect(&component, &limits).map_err(refused)?;
        // What a host would refuse is no plugin; settings that it insists on are the author's to test with.
        let workshop = Workshop::open(&open::name(&file), "", &component, limits, Vec::new(), open::cache().as_deref());
        let started = match workshop {
            Ok(_) => Ok(()),
            Err(LoadError::Trial(reason)) => Err(reason),
            Err(other) => return Err(refused(other)),
        };
        fs::write(&beside, &component).and_then(|()| fs::rename(&beside, &file)).map_err(|error| {
            Failure::new(anyhow::Error::new(error).context(format!("cannot write {}", file.display())))
        })?;
        Ok((facts, started))
    });
    if checked.is_err() {
        // Nothing that could be taken for a plugin stays behind.
        fs::remove_file(&beside).ok();
    }
    let (facts, started) = checked?;
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
        shown(&facts),
        facts.digest
    ))
}

/// What it imports, WASI in one word: a host answers all of it with nothing, but for what it grants.
fn shown(facts: &Facts) -> String {
    let (wasi, mut others): (Vec<_>, Vec<_>) =
        facts.imports.iter().cloned().partition(|name| name.starts_with("wasi:"));
    if !wasi.is_empty() {
        let (count, plural) = (wasi.len(), if wasi.len() == 1 { "" } else { "s" });
        let granted: Vec<&str> = facts.needs.capabilities.iter().map(|one| one.name()).collect();
        others.push(match granted.as_slice() {
            [] => format!("WASI ({count} interface{plural}, answered with nothing)"),
            granted => format!("WASI ({count} interface{plural}, answered with nothing but {})", granted.join(", ")),
        });
    }
    if others.is_empty() { "nothing".to_owned() } else { others.join(", ") }
}

fn recognise(folder: &Path) -> Result<Toolchain, Failure> {
    let marks = [
        ("Cargo.toml", Toolchain::Cargo),
        ("go.mod", Toolchain::Go),
        ("package.json", Toolchain::Node),
        ("plugin.py", Toolchain::Python),
        ("app.py", Toolchain::Python),
        ("hydrant/hydrant_plugin.h", Toolchain::Zig),
    ];
    let found = marks.iter().find(|(mark, _)| folder.join(mark).is_file());
    found.map(|(_, toolchain)| *toolchain).ok_or_else(|| {
        let told = format!("{} holds no project that a plugin can be built of", folder.display());
        Failure::told(told)
            .hint("name a folder that `hydrant plugin new NAME --lang LANGUAGE` made, or a handler with --lambda")
    })
}

/// What the project is called; the folder's name where it does not say.
fn project_name(folder: &Path, toolchain: Toolchain) -> Result<String, Failure> {
    let named = match toolchain {
        Toolchain::Cargo => cargo::package(folder)?,
        Toolchain::Go => go::module(folder)?,
        Toolchain::Node => node::package(folder)?,
        Toolchain::Python | Toolchain::Zig => None,
    };
    let folder = fs::canonicalize(folder)?;
    Ok(named.unwrap_or_else(|| open::name(&folder)))
}

/// Makes a module or component in `out`.
fn make(folder: &Path, toolchain: Toolchain, out: &Path) -> Result<(), Failure> {
    // Toolchains run in the project's folder.
    let out = std::path::absolute(out)?;
    match toolchain {
        Toolchain::Cargo => cargo::build(folder, &out),
        Toolchain::Go => go::build(folder, &out),
        Toolchain::Node => node::build(folder, &out),
        Toolchain::Python => python::build(folder, &out),
        Toolchain::Zig => zig::build(folder, &out),
    }
}

/// Runs a tool in a folder; what it says goes to standard error. `hint` says how to get it.
fn run(tool: &mut Command, folder: &Path, hint: &str) -> Result<(), Failure> {
    let program = tool.get_program().to_string_lossy().into_owned();
    // What a tool says on standard output is no answer of this command.
    let output =
        tool.current_dir(folder).stdin(Stdio::null()).stdout(std::io::stderr()).stderr(Stdio::inherit()).status();
    let status = output.map_err(|error| {
        let error = anyhow::Error::new(error).context(format!("cannot run {program}"));
        Failure::new(error).hint(hint.to_owned())
    })?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::told("the plugin does not build").hint(format!("{program} says above what is wrong")))
}

/// The nearest `path` in a folder or one above it.
fn nearest(folder: &Path, path: &str) -> Option<PathBuf> {
    let folder = fs::canonicalize(folder).ok()?;
    folder.ancestors().map(|parent| parent.join(path)).find(|found| found.exists())
}
