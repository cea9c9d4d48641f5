//! What the tests take from outside: environment variables and the wall clock, each read in one place.
//!
//! Refuses defaults that depend on the machine, so that a run on another machine is the same run.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A number from the environment, or `default` when the variable is unset.
///
/// # Panics
/// When the variable is set to something else than a number.
pub fn number(name: &str, default: u64) -> u64 {
    text(name).map_or(default, |value| value.parse().unwrap_or_else(|_| panic!("{name} is not a number: {value}")))
}

/// A text from the environment; empty counts as unset.
#[expect(clippy::disallowed_methods, reason = "the tests have no config; this is their one reader of the environment")]
pub fn text(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Milliseconds since 1970, for signatures.
#[expect(clippy::disallowed_methods, reason = "the tests stand outside the product and have the machine's clock")]
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_millis()).expect("the year is far below 500 million")
}

/// A seed for this run: `HYDRANT_SEED`, else taken from the clock. Print it in every failure.
pub fn seed() -> u64 {
    number("HYDRANT_SEED", now_ms())
}

/// The root of the repository.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the repository")
}

/// The folder that cargo builds into, for instance `target`; what the tests fetch or build is cached below it.
pub fn target_directory() -> &'static Path {
    static PLACE: OnceLock<PathBuf> = OnceLock::new();
    PLACE.get_or_init(|| {
        let profile = profile_directory();
        profile.parent().expect("a profile lies in a target directory").to_path_buf()
    })
}

/// The folder of the running profile, for instance `target/debug`.
pub fn profile_directory() -> PathBuf {
    let executable = std::env::current_exe().expect("the running test knows its own path");
    let mut folder = executable.parent().expect("an executable lies in a folder");
    if folder.ends_with("deps") {
        folder = folder.parent().expect("deps lies in a profile");
    }
    folder.to_path_buf()
}

/// Says something on standard error past the test harness, which shows a passing test's prints to nobody.
pub fn say(text: &str) {
    // A closed standard error must not fail a proof.
    let _unheard = std::io::Write::write_all(&mut std::io::stderr(), format!("{text}\n").as_bytes());
}
