//! Installs a peer once: into a folder that appears by one rename, so that an interrupted installation is begun anew.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::environment::target_directory;

/// The folder of `name`, filled by `fill` unless an earlier run did.
pub(super) fn installed(name: &str, fill: impl FnOnce(&Path)) -> PathBuf {
    let all = build_folder().join("peers");
    fs::create_dir_all(&all).expect("the build directory is writable");
    let ready = all.join(name);
    // Two test processes may want the same peer at once.
    let lock = File::create(all.join(format!("{name}.lock"))).expect("the build directory is writable");
    lock.lock().expect("the build directory's filesystem knows locks");
    if !ready.is_dir() {
        let unfinished = all.join(format!("{name}.unfinished"));
        match fs::remove_dir_all(&unfinished) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                panic!("cannot clear {unfinished:?}: {error}")
            }
            _ => {}
        }
        fs::create_dir(&unfinished).expect("the build directory is writable");
        fill(&unfinished);
        fs::rename(&unfinished, &ready).expect("the build directory is writable");
    }
    ready
}

/// The interpreter of a virtual environment that has these packages and what they need.
pub(super) fn python_with(name: &str, packages: &[&str]) -> PathBuf {
    let folder = installed(name, |folder| {
        run("python3", &["-m".as_ref(), "venv".as_ref(), folder.as_os_str()], &[]);
        let python = folder.join("bin/python");
        let python = python.to_str().expect("the build directory has a plain name");
        run(python, &[&["-m", "pip", "install", "--quiet", "--disable-pip-version-check"], packages].concat(), &[]);
    });
    // The interpreter is a link to the machine's, so the environment may be moved; its scripts may not.
    folder.join("bin/python")
}

/// Runs a command of the test machine and demands success.
pub(super) fn run<I: AsRef<OsStr>>(program: &str, arguments: &[I], environment: &[(&str, &Path)]) {
    let mut command = Command::new(program);
    command.args(arguments).envs(environment.iter().copied());
    let output = match command.output() {
        Ok(output) => output,
        Err(error) => panic!("cannot run {program}, which this peer needs: {error}"),
    };
    if !output.status.success() {
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        panic!("{program} failed with {}\n{out}\n{err}", output.status);
    }
}

/// `target/`.
pub(super) fn build_folder() -> PathBuf {
    target_directory().to_owned()
}
