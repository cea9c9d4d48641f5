//! The SDKs and adapters that this program carries. Refuses to change them on the way out.

use std::fs;
use std::io;
use std::path::Path;

/// Files of `plugins/`, by their path below it.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// The files below `place`, by their path below it.
pub(super) fn below(place: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    FILES.iter().filter_map(move |(path, text)| Some((path.strip_prefix(place)?.strip_prefix('/')?, *text)))
}

/// Writes the files below `place` into a folder.
///
/// # Errors
/// The file system refused.
pub(super) fn write(place: &str, folder: &Path) -> io::Result<()> {
    for (path, text) in below(place) {
        let file = folder.join(path);
        if let Some(parent) = file.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(file, text)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sdk_is_there_with_the_contract() {
        let contract = include_str!("../../../../wit/v1/hydrant.wit");
        for wit in
            ["sdk/rust/wit/hydrant.wit", "sdk/javascript/wit/hydrant.wit", "sdk/python/hydrant_plugin/wit/hydrant.wit"]
        {
            let (_, text) = FILES.iter().find(|(path, _)| *path == wit).unwrap_or_else(|| panic!("{wit} is missing"));
            assert_eq!(*text, contract, "{wit} is another one");
        }
        for place in ["sdk/go", "sdk/c", "lambda/node", "lambda/python"] {
            assert!(below(place).count() > 3, "{place}");
        }
        assert_eq!(below("sdk/javascript/test").count(), 0);
    }
}
