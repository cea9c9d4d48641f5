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

#[cfg(test)]
mod tests {
    use super::super::console::Format;
    use super::*;

    fn checked(text: &str, format: Format) -> (Result<(), Failure>, String) {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("hydrant.toml");
        std::fs::write(&file, text).expect("a file");
        let (console, buffer) = Console::buffer(format);
        let result = check(&console, &Configured { config: Some(file) });
        let said = String::from_utf8(buffer.lock().expect("a buffer").clone()).expect("text");
        (result, said)
    }

    #[test]
    fn a_good_file_is_shown_with_reasons() {
        let (result, said) = checked("[api]\nauthentication = \"none\"", Format::Human);
        result.expect("good");
        assert!(said.contains("hydrant.toml is good\nrelative paths start at "), "{said}");
        let (result, said) = checked("[api]\nauthentication = \"none\"", Format::Json);
        result.expect("good");
        let said: serde_json::Value = serde_json::from_str(&said).expect("JSON");
        assert_eq!(said["values"][5]["reason"], serde_json::json!({ "line": 2 }));
    }

    #[test]
    fn problems_end_with_78() {
        let (result, said) = checked("", Format::Human);
        let failure = result.expect_err("no credentials");
        assert_eq!((failure.exit.code(), said.as_str()), (78, ""));
        let told = failure.to_string();
        assert!(
            told.contains("has 1 problem\n  api.authentication: ")
                && told.ends_with("\nhint: repair the file, then run `hydrant check`"),
            "{told}"
        );
        let (result, said) = checked("", Format::Json);
        assert_eq!(result.expect_err("no credentials").exit.code(), 78);
        let said: serde_json::Value = serde_json::from_str(&said).expect("JSON");
        assert_eq!(said["problems"][0]["path"], "api.authentication");
    }

    #[test]
    fn a_missing_file_ends_with_78() {
        let failure = load(&Configured { config: Some(PathBuf::from("/nowhere.toml")) }).expect_err("no file");
        assert_eq!(failure.exit.code(), 78);
        assert_eq!(
            failure.to_string(),
            "error: cannot read configuration /nowhere.toml: No such file or directory (os error 2)\nhint: name a readable file with --config"
        );
        // Tests run in the crate's directory, where there is none.
        let failure = find(&Configured { config: None }).expect_err("no file");
        assert_eq!(failure.exit.code(), 78);
        assert!(failure.to_string().starts_with("error: no configuration: there is no hydrant.toml here\nhint: "));
    }
}
