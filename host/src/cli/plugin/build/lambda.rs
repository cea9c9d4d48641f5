//! A handler of AWS Lambda, as it is: the adapter for its language makes a component of it. Refuses what is no file of
//! Python or JavaScript.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::super::{embedded, open};
use super::{node, python, run};
use crate::cli::Failure;

/// What the plugin is called unless told otherwise: the file.
pub(super) fn name(handler: &str) -> String {
    open::name(&parts(handler).0)
}

/// Where the handler is.
pub(super) fn folder(handler: &str) -> PathBuf {
    parts(handler).0.parent().map(Path::to_owned).unwrap_or_default()
}

/// Makes the component of `FILE` or `FILE:FUNCTION`.
pub(super) fn build(handler: &str, out: &Path) -> Result<(), Failure> {
    let (file, function) = parts(handler);
    if !file.is_file() {
        return Err(Failure::told(format!("there is no file {}", file.display()))
            .hint("name a handler: FILE.py, FILE.js or FILE.mjs"));
    }
    let (file, out) = (fs::canonicalize(&file)?, std::path::absolute(out)?);
    let folder = file.parent().unwrap_or(Path::new("/"));
    // In the handler's folder, so that the adapter finds the packages that the handler finds.
    let stage = Stage(folder.join(format!(".hydrant-{}", std::process::id())));
    let written = |place: &str| embedded::write(place, &stage.0.join(place)).map_err(Failure::new);
    match file.extension().and_then(|extension| extension.to_str()) {
        Some("py") => {
            written("sdk/python")?;
            written("lambda/python")?;
            let handler =
                function.map_or_else(|| file.display().to_string(), |name| format!("{}:{name}", file.display()));
            let mut command = Command::new("python3");
            command.arg("-B").arg(stage.0.join("lambda/python/build_lambda.py")).arg(handler).arg(&out);
            run(&mut command, folder, python::HINT)
        }
        Some("js" | "mjs" | "cjs") => {
            node::check(folder)?;
            written("sdk/javascript")?;
            written("lambda/node")?;
            let mut command = Command::new("node");
            command.arg(stage.0.join("lambda/node/build.mjs")).arg(&file).arg(&out).args(function);
            run(&mut command, folder, "install Node.js 20 or newer; its site's Download page says how")
        }
        _ => Err(Failure::told(format!("{} is neither Python nor JavaScript", file.display()))
            .hint("name a handler: FILE.py, FILE.js or FILE.mjs")),
    }
}

/// File and function.
fn parts(handler: &str) -> (PathBuf, Option<&str>) {
    match handler.rsplit_once(':') {
        Some((file, function)) if !file.is_empty() && !function.contains('/') => (file.into(), Some(function)),
        _ => (handler.into(), None),
    }
}

/// A folder that is gone afterwards.
struct Stage(PathBuf);

impl Drop for Stage {
    fn drop(&mut self) {
        // What stays behind is hidden and does no harm.
        fs::remove_dir_all(&self.0).ok();
    }
}
