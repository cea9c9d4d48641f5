//! `plugin.toml`, a file that a project need not have: what its plugin needs. Refuses what no host understands, with the
//! line.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::super::Failure;
use crate::process::plugin::Needs;

/// The file, in the project's folder or beside a handler of AWS Lambda.
const FILE: &str = "plugin.toml";
/// All needs have some 200 bytes; the rest is for comments.
const FILE_BYTES: u64 = 64 << 10;

/// What the file in this folder says; none when there is no file, or nothing in it.
pub(super) fn read(folder: &Path) -> Result<Option<Needs>, Failure> {
    let path = folder.join(FILE);
    let unreadable = |error: io::Error| {
        let error = anyhow::Error::new(error).context(format!("cannot read {}", path.display()));
        Failure::new(error).hint("let it be a text file that you can read, or remove it")
    };
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    let mut text = String::new();
    file.take(FILE_BYTES + 1).read_to_string(&mut text).map_err(unreadable)?;
    if text.len() as u64 > FILE_BYTES {
        let told = format!("{} has more than {FILE_BYTES} bytes", path.display());
        return Err(Failure::told(told).hint("it holds capabilities and limits, and nothing else"));
    }
    let needs: Needs = toml::from_str(&text).map_err(|error| {
        let error = anyhow::Error::new(error).context(format!("{} says what no host understands", path.display()));
        Failure::new(error).hint(
            "it may hold capabilities = [\"environment\"], and in [limits] memory_bytes, deadline_milliseconds, output_bytes and log_bytes, each above 0",
        )
    })?;
    Ok(Some(needs).filter(|needs| *needs != Needs::default()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn read_text(text: &str) -> Result<Option<Needs>, String> {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join(FILE), text).expect("a file");
        read(folder.path()).map_err(|failure| format!("{failure:?}"))
    }

    #[test]
    fn a_project_says_what_its_plugin_needs() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(matches!(read(folder.path()), Ok(None)));
        assert_eq!(read_text("# nothing").unwrap(), None);
        let needs = read_text("capabilities = [\"environment\"]\n[limits]\ndeadline_milliseconds = 100\n");
        let needs = serde_json::to_string(&needs.unwrap()).unwrap();
        assert_eq!(needs, r#"{"capabilities":["environment"],"limits":{"deadline_milliseconds":100}}"#);
    }

    #[test]
    fn what_no_host_understands_is_named_with_its_line() {
        for (text, what) in [
            ("\ncapability = []", "line 2"),
            ("\ncapability = []", "unknown field `capability`"),
            ("capabilities = [\"network\"]", "unknown variant `network`, expected `environment`"),
            ("[limits]\nfuel = 1", "unknown field `fuel`"),
            ("[limits]\nmemory_bytes = 0", "line 2"),
            ("[limits", "line 1"),
        ] {
            let told = read_text(text).unwrap_err();
            assert!(told.contains(what) && told.contains("plugin.toml"), "{text}: {told}");
        }
        let long = |length: usize| read_text(&format!("#{}", " ".repeat(length - 1)));
        let most = usize::try_from(FILE_BYTES).unwrap();
        assert!(long(most).is_ok());
        assert!(long(most + 1).unwrap_err().contains("more than 65536 bytes"));
    }
}
