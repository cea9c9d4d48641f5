//! Line 2: `make test` passes everything on a fresh machine, and the build machine calls it.

use hydrant_tests::environment::repository;

use crate::tidy::read;

/// Line 2: `.ci/run` calls `make test`, which is formatting, lints, unit tests, documentation and this suite.
#[test]
fn the_build_machine_runs_what_a_person_runs() {
    let script = read(&repository().join(".ci/run"));
    assert!(script.lines().any(|line| line == "make test"), "{script}");
    let makefile = read(&repository().join("Makefile"));
    let test = makefile.lines().find(|line| line.starts_with("test:")).expect("a target named test");
    for part in ["fmt", "lint", "unit", "doc", "suite"] {
        assert!(test.split_whitespace().any(|word| word == part), "make test leaves out {part}: {test}");
    }
    assert!(read(&repository().join("README.md")).contains("make test"), "README.md says how to test");
}
