//! `hydrant plugin new`: a project that builds and passes its own tests at once. Refuses to write into a folder that
//! exists.
//!
//! The SDK is copied into the project, so that an author needs nothing of this repository.

use std::fs;
use std::path::Path;

use super::super::arguments::{Language, NewPlugin};
use super::super::{Console, Failure};
use super::embedded;

/// Length of a Lambda function's name, which a stream refers to the plugin by.
const NAME_BYTES: usize = 64;

/// A file of a project: its path and its text, in which `{{…}}` are places to fill in.
type File = (&'static str, &'static str);

/// The workspace of the guests pins what the SDK needs; a test holds this copy to it.
pub(super) const WIT_BINDGEN: &str = "0.61.1";

/// Where a language's SDK goes in a project, and what the project has besides.
struct Project {
    /// Below `plugins/`.
    sdk: &'static str,
    /// In the project.
    place: &'static str,
    files: &'static [File],
}

macro_rules! template {
    ($language:literal, $($place:literal = $file:literal),* $(,)?) => {
        &[$(($place, include_str!(concat!("templates/", $language, "/", $file)))),*]
    };
}

fn project(language: Language) -> Project {
    match language {
        Language::Rust => Project {
            sdk: "sdk/rust",
            place: "hydrant-plugin",
            files: template!(
                "rust",
                ".cargo/config.toml" = "config.toml",
                ".gitignore" = "gitignore",
                "Cargo.toml" = "Cargo.toml.in",
                "README.md" = "README.md.in",
                "fixtures/first.json" = "first.json",
                "hydrant-plugin/Cargo.toml" = "sdk.Cargo.toml.in",
                "src/lib.rs" = "lib.rs.in",
            ),
        },
        Language::Javascript => Project {
            sdk: "sdk/javascript",
            place: "hydrant-plugin",
            files: template!(
                "javascript",
                ".gitignore" = "gitignore",
                "README.md" = "README.md.in",
                "fixtures/first.json" = "first.json",
                "package.json" = "package.json.in",
                "src/plugin.js" = "plugin.js",
                "test/plugin.test.js" = "plugin.test.js",
            ),
        },
        Language::Typescript => Project {
            sdk: "sdk/javascript",
            place: "hydrant-plugin",
            files: template!(
                "typescript",
                ".gitignore" = "gitignore",
                "README.md" = "README.md.in",
                "fixtures/first.json" = "first.json",
                "package.json" = "package.json.in",
                "src/plugin.ts" = "plugin.ts",
                "test/plugin.test.ts" = "plugin.test.ts",
                "tsconfig.json" = "tsconfig.json",
            ),
        },
        Language::Python => Project {
            sdk: "sdk/python/hydrant_plugin",
            place: "hydrant_plugin",
            files: template!(
                "python",
                ".gitignore" = "gitignore",
                "README.md" = "README.md.in",
                "fixtures/first.json" = "first.json",
                "plugin.py" = "plugin.py",
                "requirements.txt" = "../../../../../../plugins/sdk/python/requirements.txt",
                "test_plugin.py" = "test_plugin.py",
            ),
        },
        Language::Go => Project {
            sdk: "sdk/go",
            place: "hydrant",
            files: template!(
                "go",
                ".gitignore" = "gitignore",
                "README.md" = "README.md.in",
                "fixtures/first.json" = "first.json",
                "go.mod" = "go.mod.in",
                "main.go" = "main.go.in",
                "main_test.go" = "main_test.go.in",
            ),
        },
        Language::C => Project {
            sdk: "sdk/c",
            place: "hydrant",
            files: template!(
                "c",
                ".gitignore" = "gitignore",
                "Makefile" = "Makefile",
                "README.md" = "README.md.in",
                "fixtures/first.json" = "first.json",
                "requirements.txt" = "requirements.txt",
                "src/plugin.c" = "plugin.c",
                "test/plugin_test.c" = "plugin_test.c",
            ),
        },
    }
}

/// Writes the project.
pub(super) fn new(console: &Console, asked: &NewPlugin) -> Result<(), Failure> {
    let folder = &asked.dir.join(&asked.name);
    create(folder, &asked.name, asked.lang)?;
    if console.is_json() {
        return console.say_json(&serde_json::json!({ "plugin": asked.name, "folder": folder }));
    }
    console.say(&format!(
        "{} is a plugin now. Next (README.md says what to install):\n  cd {}\n  hydrant plugin build\n  hydrant plugin test {}.wasm",
        asked.name,
        folder.display(),
        asked.name
    ))
}

fn create(folder: &Path, name: &str, language: Language) -> Result<(), Failure> {
    let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
    let is_name = name.bytes().all(is_letter) && name.starts_with(|first: char| first.is_ascii_lowercase());
    if !is_name || name.len() > NAME_BYTES || name == "hydrant-plugin" {
        let told = format!("{name:?} is no name for a plugin");
        return Err(Failure::told(told).hint("up to 64 lower-case letters, digits, - and _, a letter first"));
    }
    let failed = |error: std::io::Error| {
        let error = anyhow::Error::new(error).context(format!("cannot make the project {}", folder.display()));
        Failure::new(error).hint("name a folder that does not exist yet, in one that does")
    };
    fs::create_dir(folder).map_err(failed)?;
    let Project { sdk, place, files } = project(language);
    embedded::write(sdk, &folder.join(place)).map_err(failed)?;
    for (path, text) in files {
        let file = folder.join(path);
        if let Some(parent) = file.parent() {
            fs::create_dir_all(parent).map_err(failed)?;
        }
        let text = text.replace("{{name}}", name).replace("{{version}}", env!("CARGO_PKG_VERSION"));
        fs::write(file, text.replace("{{wit_bindgen}}", WIT_BINDGEN)).map_err(failed)?;
    }
    Ok(())
}
