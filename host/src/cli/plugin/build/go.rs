//! Go: the standard compiler makes a core module that knows WASI preview 1, which the host's adapter answers. Refuses
//! TinyGo, whose library is another one.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::run;
use crate::cli::Failure;

const HINT: &str = "install Go 1.24 or newer; its site's Download page says how";

/// Builds the project.
pub(super) fn build(folder: &Path, out: &Path) -> Result<(), Failure> {
    let mut go = Command::new("go");
    go.args(["build", "-trimpath", "-buildmode=c-shared", "-ldflags=-s -w", "-o"]).arg(out).arg(".");
    // A tool chain that go.mod asks for is fetched only when the author says so.
    go.env("GOOS", "wasip1").env("GOARCH", "wasm").env_remove("GOFLAGS");
    run(&mut go, folder, HINT)
}

/// The module's name, without the path before it.
pub(super) fn module(folder: &Path) -> Result<Option<String>, Failure> {
    let text = fs::read_to_string(folder.join("go.mod")).map_err(Failure::new)?;
    let named = text.lines().find_map(|line| line.trim().strip_prefix("module "));
    Ok(named.and_then(|path| path.trim().rsplit('/').next()).map(str::to_owned))
}
