//! The demo's directory: plugin, configuration, ports, and a lock. Refuses to replace what it did not write.

use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::super::arguments::Demo;
use super::super::{Failure, check};
use crate::config::Settings;

/// First line of the configuration, by which the directory is known again.
const MARK: &str = "# Written by `hydrant demo`. The next run replaces this file, plugins/ and data/.";
/// The plugin's file; its name is the plugin's name.
const PLUGIN: &str = "orders.wasm";
/// Ports that people will find in the documentation; another is taken when one is busy.
const PORTS: [u16; 3] = [4573, 9573, 4574];

/// A prepared directory.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) settings: Settings,
    /// The configuration, for the commands to try next.
    pub(super) configuration: PathBuf,
    /// Held as long as the demo runs; the kernel lets go when the process ends, however it ends.
    _lock: File,
}

impl Stage {
    /// Prepares `arguments.dir`, emptied of an earlier run.
    pub(super) fn prepare(arguments: &Demo) -> Result<Self, Failure> {
        let plugin = find_plugin(arguments.plugin_dir.as_deref())?;
        let directory = &arguments.dir;
        let cannot = |error: io::Error| {
            Failure::new(anyhow::Error::new(error).context(format!("cannot use {}", directory.display())))
                .hint("name a directory of your own with --dir")
        };
        let configuration = directory.join("hydrant.toml");
        refuse_foreign(directory, &configuration).map_err(cannot)??;
        fs::create_dir_all(directory).map_err(cannot)?;
        let lock = File::create(directory.join("lock")).map_err(cannot)?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            let what = format!("another demo runs in {}", directory.display());
            return Err(Failure::told(what).hint("stop it, or name another directory with --dir"));
        }
        for name in ["data", "plugins"] {
            match fs::remove_dir_all(directory.join(name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(cannot(error)),
                _ => {}
            }
        }
        fs::create_dir_all(directory.join("plugins")).map_err(cannot)?;
        fs::copy(&plugin, directory.join("plugins").join(PLUGIN)).map_err(cannot)?;
        fs::write(&configuration, text(free_ports().map_err(cannot)?)).map_err(cannot)?;
        let settings = check::load_file(&configuration)?.settings;
        Ok(Self { settings, configuration, _lock: lock })
    }
}

/// A directory with something in it must carry the mark.
fn refuse_foreign(directory: &Path, configuration: &Path) -> io::Result<Result<(), Failure>> {
    let empty = match fs::read_dir(directory) {
        // A first run that was stopped early leaves the lock alone.
        Ok(mut entries) => !entries.any(|entry| entry.is_ok_and(|entry| entry.file_name() != "lock")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => true,
        Err(error) => return Err(error),
    };
    let marked = match fs::read_to_string(configuration) {
        Ok(text) => text.starts_with(MARK),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidData) => false,
        Err(error) => return Err(error),
    };
    // A run stopped before the mark was written leaves a copied plugin and nothing of anybody else's.
    if empty || marked {
        return Ok(Ok(()));
    }
    let what = format!("{} has files that no demo wrote", directory.display());
    Ok(Err(Failure::told(what).hint("name another directory with --dir")))
}

/// The plugin where it was told to be, or where `make` puts it: in `plugins/` beside the build's own directory.
fn find_plugin(told: Option<&Path>) -> Result<PathBuf, Failure> {
    let built = std::env::current_exe().ok().and_then(|program| Some(program.parent()?.parent()?.join("plugins")));
    let places: Vec<PathBuf> = match told {
        Some(directory) => vec![directory.to_owned()],
        None => built.into_iter().chain([PathBuf::from("target/plugins")]).collect(),
    };
    let files = places.iter().map(|directory| directory.join(PLUGIN));
    if let Some(file) = files.into_iter().find(|file| file.is_file()) {
        return Ok(file);
    }
    let looked: Vec<String> = places.iter().map(|place| place.display().to_string()).collect();
    Err(Failure::told(format!("there is no {PLUGIN} in {}", looked.join(" or ")))
        .hint("build it with `make demo`, or say where it is with --plugin-dir"))
}

/// Free ports, the documented ones where possible.
fn free_ports() -> io::Result<[u16; 3]> {
    // All are held until all are chosen, so that no two are the same.
    let mut held = Vec::new();
    for port in PORTS {
        let on_loopback = |port| TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        held.push(on_loopback(port).or_else(|_busy| on_loopback(0))?);
    }
    let mut ports = [0; 3];
    for (port, listener) in ports.iter_mut().zip(&held) {
        *port = listener.local_addr()?.port();
    }
    Ok(ports)
}

fn text([api, admin, s3]: [u16; 3]) -> String {
    format!(
        r#"{MARK}
data_dir = "data"
plugin_dir = "plugins"

[api]
listen = "127.0.0.1:{api}"
authentication = "none"

[admin]
listen = "127.0.0.1:{admin}"

[s3]
endpoint = "embedded"
listen = "127.0.0.1:{s3}"

[log]
level = "warn"
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(dir: &Path) -> Demo {
        let plugins = dir.join("built");
        fs::create_dir_all(&plugins).expect("a directory");
        fs::write(plugins.join(PLUGIN), "wasm").expect("a file");
        Demo { records: 1, dir: dir.join("demo"), plugin_dir: Some(plugins) }
    }

    #[test]
    fn a_second_run_starts_afresh() {
        let directory = tempfile::tempdir().expect("a directory");
        let arguments = arguments(directory.path());
        let stage = Stage::prepare(&arguments).expect("prepared");
        let left = arguments.dir.join("data/left");
        fs::create_dir_all(&left).expect("a directory");
        let told = Stage::prepare(&arguments).expect_err("locked").to_string();
        assert!(told.starts_with("error: another demo runs in "), "{told}");
        assert!(left.exists());
        drop(stage);
        let stage = Stage::prepare(&arguments).expect("prepared again");
        assert!(!left.exists());
        assert_eq!(fs::read(stage.settings.plugin_dir.join(PLUGIN)).expect("the plugin"), b"wasm");
        assert!(stage.settings.api.listen.ip().is_loopback());
    }

    #[test]
    fn a_directory_of_somebody_else_is_left_alone() {
        let directory = tempfile::tempdir().expect("a directory");
        let arguments = arguments(directory.path());
        fs::create_dir_all(arguments.dir.join("data")).expect("a directory");
        fs::write(arguments.dir.join("hydrant.toml"), "data_dir = \"data\"").expect("a file");
        let told = Stage::prepare(&arguments).expect_err("foreign").to_string();
        assert!(told.contains("has files that no demo wrote\nhint: name another directory"), "{told}");
        assert!(arguments.dir.join("data").exists());
    }

    #[test]
    fn a_missing_plugin_is_told() {
        let directory = tempfile::tempdir().expect("a directory");
        let arguments = Demo { plugin_dir: Some(directory.path().to_owned()), ..arguments(directory.path()) };
        let told = Stage::prepare(&arguments).expect_err("no plugin").to_string();
        let place = directory.path().display();
        assert_eq!(
            told,
            format!(
                "error: there is no orders.wasm in {place}\nhint: build it with `make demo`, or say where it is with --plugin-dir"
            )
        );
        assert!(!arguments.dir.exists());
    }

    #[test]
    fn busy_ports_are_avoided() {
        // Whether or not this machine has the documented ones free, holding them makes them busy.
        let held: Vec<_> = PORTS.iter().map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port))).collect();
        let ports = free_ports().expect("ports");
        assert!(ports.iter().all(|port| *port != 0 && !PORTS.contains(port)), "{ports:?} {held:?}");
        assert!(ports[0] != ports[1] && ports[1] != ports[2] && ports[0] != ports[2]);
    }
}
