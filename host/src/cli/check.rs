//! `hydrant check`, and how every command finds its configuration. Refuses to start anything.

use std::path::{Path, PathBuf};

use super::arguments::Configured;
use super::{Console, Exit, Failure};
use crate::config::{self, ConfigError, Loaded, ProcessEnvironment};

/// Read when no file is named and this one exists.
const DEFAULT_FILE: &str = "hydrant.toml";

/// Prints every effective value, or every problem.
pub(super) fn check(console: &Console, arguments: &Configured) -> Result<(), Failure> {
    match load_file(&find(arguments)?) {
        Ok(loaded) if console.is_json() => console.say_json(&loaded.report),
        Ok(loaded) => console.say(loaded.report.to_string().trim_end()),
        Err(error) => {
            if let (ConfigError::Invalid { file, problems }, true) = (&error, console.is_json()) {
                console.say_json(&serde_json::json!({ "file": file, "problems": problems }))?;
            }
            Err(error.into())
        }
    }
}

/// The settings that `arguments` name.
pub(super) fn load(arguments: &Configured) -> Result<Loaded, Failure> {
    Ok(load_file(&find(arguments)?)?)
}

/// The settings of `file`.
pub(super) fn load_file(file: &Path) -> Result<Loaded, ConfigError> {
    config::load(file, &ProcessEnvironment)
}

fn find(arguments: &Configured) -> Result<PathBuf, Failure> {
    match &arguments.config {
        Some(file) => Ok(file.clone()),
        None if Path::new(DEFAULT_FILE).exists() => Ok(PathBuf::from(DEFAULT_FILE)),
        None => Err(Failure::told(format!("no configuration: there is no {DEFAULT_FILE} here"))
            .hint("name one with --config FILE; examples/01-orders-to-s3/hydrant.toml is a start, `hydrant demo` needs none")
            .exit(Exit::Configuration)),
    }
}
