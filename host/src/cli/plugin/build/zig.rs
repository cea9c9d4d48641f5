//! C and C++: zig's compiler, which is a Python package, or clang with wasi-libc makes a core module that knows WASI
//! preview 1. Refuses to run make: sources are those in `src` and `hydrant`.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{nearest, run};
use crate::cli::Failure;

const HINT: &str = "python3 -m venv .venv && .venv/bin/pip install -r requirements.txt";

/// Builds the project.
pub(super) fn build(folder: &Path, out: &Path) -> Result<(), Failure> {
    let mut sources = Vec::new();
    for place in ["src", "hydrant", "hydrant/bindings"] {
        sources.extend(sources_in(folder, place)?);
    }
    let mut compiler = compiler(folder)?;
    compiler.args(["-mexec-model=reactor", "-O2", "-s", "-Wl,-z,stack-size=1048576", "-Ihydrant", "-o"]).arg(out);
    if sources.iter().any(|source| source.extension() == Some(OsStr::new("cpp"))) {
        // The sandbox has no way to unwind.
        compiler.args(["-fno-exceptions", "-lc++"]);
    }
    run(compiler.args(&sources), folder, HINT)
}

fn sources_in(folder: &Path, place: &str) -> Result<Vec<PathBuf>, Failure> {
    let is_source = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "c" || extension == "cpp");
    let mut found = Vec::new();
    for entry in fs::read_dir(folder.join(place)).map_err(Failure::new)? {
        let path = PathBuf::from(place).join(entry.map_err(Failure::new)?.file_name());
        // The desk's own half has no place in a component.
        let desk = path.file_stem().is_some_and(|stem| stem == "hydrant_testing");
        found.extend(Some(path).filter(is_source).filter(|_| !desk));
    }
    // The same order everywhere, for the same component.
    found.sort();
    Ok(found)
}

/// zig of a virtual environment here or above, else zig, else clang.
fn compiler(folder: &Path) -> Result<Command, Failure> {
    if let Some(zig) = nearest(folder, ".venv/bin/python-zig") {
        let mut command = Command::new(zig);
        command.args(["cc", "-target", "wasm32-wasi"]);
        return Ok(command);
    }
    let has = |program: &str| {
        Command::new(program)
            .arg("--help")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok()
    };
    if has("zig") {
        let mut command = Command::new("zig");
        command.args(["cc", "-target", "wasm32-wasi"]);
        return Ok(command);
    }
    if Path::new("/usr/include/wasm32-wasi").exists() && has("clang") {
        let mut command = Command::new("clang");
        command.args(["--target=wasm32-wasi", "--sysroot=/usr"]);
        return Ok(command);
    }
    Err(Failure::told("there is no C compiler for WebAssembly").hint(HINT))
}
