//! Puts the SDKs and the adapters for Lambda handlers into the program, so that `hydrant plugin new` and `build` need
//! nothing of this repository. Refuses what only this repository needs of them: tests, locks, examples.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

const SKIPPED: [&str; 14] = [
    "test",
    "tests",
    "handlers",
    "node_modules",
    "target",
    "__pycache__",
    "build",
    "package-lock.json",
    "package.json",
    "tsconfig.json",
    "Cargo.toml",
    "go.mod",
    "Makefile",
    "README.md",
];

#[expect(clippy::disallowed_methods, reason = "cargo tells a build script by the environment")]
fn main() -> io::Result<()> {
    let host = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let plugins = host.join("../plugins");
    let mut listed = String::from("&[\n");
    for place in ["sdk", "lambda"] {
        add(&plugins, &plugins.join(place), &mut listed)?;
    }
    listed.push_str("]\n");
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    fs::write(out.join("embedded.rs"), listed)
}

fn add(root: &Path, folder: &Path, listed: &mut String) -> io::Result<()> {
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    entries.sort();
    for path in entries {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if SKIPPED.contains(&name) || name.starts_with('.') || name.ends_with("_test.go") || name.ends_with(".pyc") {
            continue;
        }
        if path.is_dir() {
            add(root, &path, listed)?;
        } else {
            let shown = path.strip_prefix(root).map_err(io::Error::other)?.display().to_string();
            let absolute = fs::canonicalize(&path)?.display().to_string();
            writeln!(listed, "    ({shown:?}, include_str!({absolute:?})),").map_err(io::Error::other)?;
        }
    }
    Ok(())
}
