//! Builds the guests of `plugins/` once per test run. Refuses to go on without them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The built file of a guest.
pub(crate) fn guest(name: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(build).join(name).with_extension("wasm")
}

fn build() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository");
    let folder = root.join("target/plugins");
    let status = Command::new("bash").arg(root.join("plugins/build.sh")).arg(&folder).status();
    assert!(status.expect("bash runs").success(), "plugins/build.sh failed");
    folder
}
