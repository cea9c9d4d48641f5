//! A real PostgreSQL server, as the system's package installs it.
//!
//! It refuses to run as root, so a test that does runs it as `nobody`.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rustix::process::getuid;
use tempfile::TempDir;

/// The only user, a superuser.
pub const USER: &str = "loader";
/// Its password; kept as MD5, as Redshift keeps passwords unless told otherwise.
pub const PASSWORD: &str = "Loader-Password-1";
/// The database that is always there.
pub const DATABASE: &str = "postgres";
/// Who runs the server when root runs the tests.
const NOBODY: u32 = 65534;
/// Newest first.
const VERSIONS: [&str; 4] = ["17", "16", "15", "14"];
/// Somebody else may take the free port in between.
const START_ATTEMPTS: usize = 3;

/// A running server; stops and forgets everything when dropped.
#[derive(Debug)]
pub struct Postgres {
    /// Port on 127.0.0.1.
    pub port: u16,
    programs: PathBuf,
    data: PathBuf,
    /// Removed after the server stopped, because fields drop in order after `drop`.
    folder: TempDir,
}

impl Postgres {
    /// Starts a server without TLS.
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// Starts a server that insists on TLS and SCRAM, with a certificate for `host` that it signed itself.
    pub fn with_tls(host: &str) -> Self {
        Self::with(&[host])
    }

    fn with(hosts: &[&str]) -> Self {
        let programs = VERSIONS.iter().map(|version| PathBuf::from(format!("/usr/lib/postgresql/{version}/bin")));
        let programs = programs.into_iter().find(|folder| folder.join("initdb").exists());
        let programs = programs.expect("PostgreSQL is installed: apt-get install postgresql");
        // Not below the build directory: its parents may be closed to the user that runs the server.
        let folder = tempfile::tempdir().expect("the temporary directory is writable");
        let data = folder.path().join("data");
        give_away(folder.path());
        fs::write(folder.path().join("password"), PASSWORD).expect("the folder is writable");
        give_away(&folder.path().join("password"));
        let mut server = Self { port: 0, programs, data, folder };
        server.initialise(hosts);
        for _ in 0..START_ATTEMPTS {
            let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback has free ports");
            server.port = listener.local_addr().expect("a bound socket has an address").port();
            drop(listener);
            if server.launch() {
                return server;
            }
        }
        let said = fs::read_to_string(server.folder.path().join("log")).unwrap_or_default();
        panic!("PostgreSQL does not start; it said:\n{said}");
    }

    fn initialise(&self, hosts: &[&str]) {
        let data = self.data.display().to_string();
        let password = format!("--pwfile={}", self.folder.path().join("password").display());
        let method = if hosts.is_empty() { "md5" } else { "scram-sha-256" };
        let arguments = ["-D", &data, "-U", USER, "-A", method, &password, "--no-sync", "-E", "UTF8", "--locale=C"];
        succeed(self.program("initdb").args(arguments));
        for host in hosts {
            let (name, alternative) = (format!("/CN={host}"), format!("subjectAltName=DNS:{host}"));
            let (key, certificate) = (self.data.join("server.key"), self.data.join("server.crt"));
            let mut openssl = Command::new("openssl");
            openssl.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", &name]);
            openssl.args(["-addext", &alternative, "-addext", "basicConstraints=critical,CA:FALSE"]);
            succeed(openssl.arg("-keyout").arg(&key).arg("-out").arg(&certificate));
            fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("a file of ours");
            give_away(&key);
            give_away(&certificate);
            let rules = format!("hostssl all {USER} 127.0.0.1/32 scram-sha-256\n");
            fs::write(self.data.join("pg_hba.conf"), rules).expect("a file of ours");
            give_away(&self.data.join("pg_hba.conf"));
            let settings = self.data.join("postgresql.auto.conf");
            fs::write(&settings, "ssl = on\n").expect("a file of ours");
            give_away(&settings);
        }
    }

    fn launch(&self) -> bool {
        let options = format!(
            "-p {} -k {} -c listen_addresses=127.0.0.1 -c shared_buffers=32MB -c max_connections=30 -c fsync=off",
            self.port,
            self.folder.path().display()
        );
        let (data, log) = (self.data.display().to_string(), self.folder.path().join("log").display().to_string());
        let mut command = self.program("pg_ctl");
        command.args(["-D", &data, "-w", "-s", "-l", &log, "-o", &options, "start"]);
        output(&mut command).status.success()
    }

    /// Ends it without a checkpoint and without a word to its clients, as a crash does; [`Self::restart`] recovers.
    ///
    /// # Panics
    /// When it is not running.
    pub fn crash(&self) {
        let data = self.data.display().to_string();
        succeed(self.program("pg_ctl").args(["-D", &data, "-s", "-m", "immediate", "-w", "stop"]));
    }

    /// Starts it again after [`Self::crash`], on the same data and port.
    ///
    /// # Panics
    /// When it does not start.
    pub fn restart(&self) {
        if !(0..START_ATTEMPTS).any(|_| self.launch()) {
            let said = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            panic!("PostgreSQL does not start again; it said:\n{said}");
        }
    }

    /// The certificate that it shows, as PEM.
    pub fn certificate(&self) -> Vec<u8> {
        fs::read(self.data.join("server.crt")).expect("the server was started with TLS")
    }

    /// Runs statements behind everybody's back; rows come back one a line, columns with `|` between them.
    ///
    /// # Panics
    /// When a statement fails.
    pub fn sql(&self, statements: &str) -> Vec<String> {
        let mut psql = self.program("psql");
        let port = self.port.to_string();
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", &port, "-U", USER]);
        psql.args(["-d", DATABASE, "-c", statements]).env("PGPASSWORD", PASSWORD);
        let output = output(&mut psql);
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{statements}: {err}");
        out.lines().map(str::to_owned).collect()
    }

    /// A program of the server's, run as the user who may.
    fn program(&self, name: &str) -> Command {
        let program = self.programs.join(name);
        let mut command = if getuid().is_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", "nobody", "--"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.current_dir(self.folder.path());
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let data = self.data.display().to_string();
        // What is left of it is in the folder that goes, too.
        let _stopped = self.program("pg_ctl").args(["-D", &data, "-s", "-m", "immediate", "-w", "stop"]).output();
    }
}

fn give_away(path: &Path) {
    if getuid().is_root() {
        std::os::unix::fs::chown(path, Some(NOBODY), None).expect("root may give files away");
    }
}

fn output(command: &mut Command) -> Output {
    match command.output() {
        Ok(output) => output,
        Err(error) => panic!("cannot run {command:?}, which this peer needs: {error}"),
    }
}

fn succeed(command: &mut Command) {
    let output = output(command);
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed: {err}");
}
