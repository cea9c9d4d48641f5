//! Python: the SDK's own module makes the component, with the componentize-py of a virtual environment. Refuses to run pip.

use std::path::Path;
use std::process::Command;

use super::run;
use crate::cli::Failure;

pub(super) const HINT: &str = "install Python 3.9 or newer, for instance apt-get install python3 python3-venv";

/// Builds the project.
pub(super) fn build(folder: &Path, out: &Path) -> Result<(), Failure> {
    if !folder.join("hydrant_plugin/build.py").is_file() {
        let told = format!("{} has a plugin, but no hydrant_plugin/", folder.display());
        return Err(Failure::told(told).hint("`hydrant plugin new NAME --lang python` makes a project with the SDK"));
    }
    let mut python = Command::new("python3");
    // Its notes about compiled modules have no business in the author's project.
    run(python.args(["-B", "-m", "hydrant_plugin.build"]).arg(out), folder, HINT)
}
