//! A table of names of one process's own: it sees a file of ours as `/etc/hosts`, and what the file says may change
//! while it runs, as DNS may.
//!
//! By a mount namespace, which takes root or user namespaces. Refuses to touch the machine's own table.

use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

/// Run by `sh`: what comes after the file is the program, which keeps the process id.
const MOUNT_AND_RUN: &str = r#"mount --bind "$0" /etc/hosts && exec "$@""#;

/// The table.
#[derive(Debug)]
pub struct OwnHosts {
    folder: TempDir,
}

impl OwnHosts {
    /// Why this machine cannot do it; none when it can.
    pub fn probe() -> Option<String> {
        let hosts = Self::new("127.0.0.9 probe.example\n");
        let ran = command(&hosts.file(), OsStr::new("getent")).args(["hosts", "probe.example"]).output();
        match ran {
            Ok(output) if String::from_utf8_lossy(&output.stdout).starts_with("127.0.0.9") => None,
            Ok(output) => Some(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
            Err(error) => Some(format!("unshare cannot be run: {error}")),
        }
    }

    /// A table with these lines.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn new(lines: &str) -> Self {
        let hosts = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        hosts.say(lines);
        hosts
    }

    /// Says this from now on, to processes that run, too.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn say(&self, lines: &str) {
        // In place: what is mounted is this file, not its name.
        fs::write(self.file(), lines).expect("a table of names");
    }

    /// The file that a process sees.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("hosts")
    }
}

/// Runs `program` with `file` for `/etc/hosts`.
pub(crate) fn command(file: &std::path::Path, program: &OsStr) -> Command {
    let mut command = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        command.arg("--map-root-user");
    }
    command.args(["--mount", "--propagation", "private", "sh", "-c", MOUNT_AND_RUN]).arg(file).arg(program);
    command
}
