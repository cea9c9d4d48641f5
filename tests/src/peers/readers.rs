//! Readers of columnar files from other hands: pyarrow, DuckDB, and ORC's own C++ library by pyorc.

use std::path::PathBuf;

use super::install::python_with;

const PYARROW: &str = "26.0.1";
const DUCKDB: &str = "2.0.0";
const PYORC: &str = "0.12.0";

/// The Python interpreter of a virtual environment that has all of them.
pub fn python_with_readers() -> PathBuf {
    let packages = [format!("pyarrow=={PYARROW}"), format!("duckdb=={DUCKDB}"), format!("pyorc=={PYORC}")];
    let name = format!("python-pyarrow-{PYARROW}-duckdb-{DUCKDB}-pyorc-{PYORC}");
    python_with(&name, &packages.each_ref().map(String::as_str))
}
