//! Readers of columnar files from other hands: pyarrow and DuckDB.

use std::path::PathBuf;

use super::install::python_with;

const PYARROW: &str = "26.0.1";
const DUCKDB: &str = "2.0.0";

/// The Python interpreter of a virtual environment that has pyarrow and DuckDB.
pub fn python_with_readers() -> PathBuf {
    let packages = [format!("pyarrow=={PYARROW}"), format!("duckdb=={DUCKDB}")];
    python_with(&format!("python-pyarrow-{PYARROW}-duckdb-{DUCKDB}"), &packages.each_ref().map(String::as_str))
}
