//! Readers of columnar files from other hands: pyarrow and DuckDB.

use std::path::{Path, PathBuf};

use super::install::{installed, run};

const PYARROW: &str = "26.0.1";
const DUCKDB: &str = "2.0.0";

/// The Python interpreter of a virtual environment that has pyarrow and DuckDB.
pub fn python_with_readers() -> PathBuf {
    let folder = installed(&format!("readers-pyarrow-{PYARROW}-duckdb-{DUCKDB}"), |folder| {
        run("python3", &["-m", "venv", &folder.join("venv").display().to_string()], &[]);
        let packages = [format!("pyarrow=={PYARROW}"), format!("duckdb=={DUCKDB}")];
        let pip = folder.join("venv/bin/python3");
        let mut arguments = vec!["-m".to_owned(), "pip".to_owned(), "install".to_owned(), "--quiet".to_owned()];
        arguments.extend(packages);
        run(&pip.display().to_string(), &arguments, &[("PIP_DISABLE_PIP_VERSION_CHECK", Path::new("1"))]);
    });
    // The interpreter is a link to the machine's, so the environment may be moved; its scripts may not.
    folder.join("venv/bin/python3")
}
