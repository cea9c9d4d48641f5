//! The built binary, run as an operator runs it: a folder with a `hydrant.toml`, two ports, a process.
//!
//! Survives its process on purpose: the same folder and ports are started again after a kill. Refuses to leave a
//! process behind: dropping it kills.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::client::{self, Answer, BUCKET, CallError, Client, Credentials};
use crate::environment::{profile_directory, repository, target_directory, text};
use crate::own_hosts;
use crate::process::has_ended;
use crate::wait::until;

/// A start compiles plugins and reads the journal; two busy cores must not fail it.
const READY_LIMIT: Duration = Duration::from_secs(120);
/// A drain delivers what is buffered.
const EXIT_LIMIT: Duration = Duration::from_secs(180);
/// Segments as small as the configuration allows, so that tests pass from one to the next; a drain that has time on a
/// busy machine.
pub const TEST_TABLES: &str = "[journal]\nsegment_bytes = 16_777_216\n\n[shutdown]\ngrace_seconds = 120\n";
/// How much of the host's log a failure shows.
const LOG_TAIL_LINES: usize = 60;

/// What a test wants different from the plain host.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Where the host keeps its data; by default a folder beside its configuration.
    pub data_dir: Option<PathBuf>,
    /// `[s3] endpoint`.
    pub s3_endpoint: String,
    /// Plugins by name, copied into `plugin_dir`.
    pub plugins: Vec<(String, PathBuf)>,
    /// Keys of the top level, in TOML.
    pub top: String,
    /// Whole tables, in TOML; by default [`TEST_TABLES`].
    pub tables: String,
    /// Environment of the process beside the inherited one.
    pub environment: Vec<(String, String)>,
    /// What the process sees as `/etc/hosts`, instead of the machine's.
    pub hosts: Option<PathBuf>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            data_dir: None,
            s3_endpoint: "embedded".into(),
            plugins: Vec::new(),
            top: String::new(),
            tables: TEST_TABLES.to_owned(),
            environment: Vec::new(),
            hosts: None,
        }
    }
}

/// A host and its folder.
#[derive(Debug)]
pub struct Host {
    folder: TempDir,
    data_dir: PathBuf,
    api: SocketAddr,
    admin: SocketAddr,
    environment: Vec<(String, String)>,
    hosts: Option<PathBuf>,
    child: Option<Child>,
}

impl Host {
    /// Writes the folder; starts nothing.
    ///
    /// # Panics
    /// When the folder cannot be written.
    pub fn prepare(setup: Setup) -> Self {
        let folder = tempfile::Builder::new().prefix("hydrant-").tempdir().expect("a temporary folder");
        let at = folder.path();
        let data_dir = setup.data_dir.unwrap_or_else(|| at.join("data"));
        let plugin_dir = at.join("plugins");
        fs::create_dir_all(&plugin_dir).expect("a folder for plugins");
        for (name, file) in &setup.plugins {
            fs::copy(file, plugin_dir.join(format!("{name}.wasm")))
                .unwrap_or_else(|error| panic!("plugin {}: {error}", file.display()));
        }
        // An embedded S3 server has the buckets that are folders.
        fs::create_dir_all(data_dir.join("s3").join(BUCKET)).expect("a folder for objects");
        let host = Self {
            api: free_address(),
            admin: free_address(),
            folder,
            data_dir,
            environment: setup.environment,
            hosts: setup.hosts,
            child: None,
        };
        host.write_config(&setup.s3_endpoint, &setup.top, &setup.tables);
        host
    }

    /// Writes the folder, starts the host, and waits until it is ready.
    ///
    /// # Panics
    /// When it does not become ready.
    pub async fn start(setup: Setup) -> Self {
        let mut host = Self::prepare(setup);
        host.launch().await;
        host
    }

    /// Writes `hydrant.toml` anew; a running host does not see it.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write_config(&self, s3_endpoint: &str, top: &str, tables: &str) {
        let Credentials { access_key_id, secret_access_key } = Credentials::default();
        let secret_file = self.folder.path().join("secret");
        fs::write(&secret_file, secret_access_key).expect("a secret file");
        let text = format!(
            r#"data_dir = {data:?}
plugin_dir = {plugins:?}
region = "us-east-1"
account_id = "000000000000"
{top}

[api]
listen = "{api}"
authentication = "sigv4"

[[api.credentials]]
access_key_id = "{access_key_id}"
secret_access_key_file = {secret_file:?}
account_id = "000000000000"

[admin]
listen = "{admin}"

[s3]
endpoint = "{s3_endpoint}"
path_style = true

[egress]
allow = ["127.0.0.0/8"]
plaintext = true

{tables}
"#,
            data = self.data_dir,
            plugins = self.plugin_dir(),
            api = self.api,
            admin = self.admin,
        );
        fs::write(self.config(), text).expect("a configuration file");
    }

    /// Starts the process on the folder as it is, without waiting for it.
    ///
    /// # Panics
    /// When one is running already.
    pub fn spawn(&mut self) {
        assert!(self.child.is_none(), "the host is running already");
        let log = File::options().create(true).append(true).open(self.log_file()).expect("a log file");
        let mut command = match &self.hosts {
            Some(file) => own_hosts::command(file, binary().as_os_str()),
            None => Command::new(binary()),
        };
        command.arg("serve").arg("--config").arg(self.config());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        // Leftovers of the caller's own AWS set-up must not steer a test.
        command.env("AWS_EC2_METADATA_DISABLED", "true").env_remove("AWS_PROFILE");
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a second handle")).stderr(log);
        self.child = Some(command.spawn().expect("the host can be started"));
    }

    /// Starts the process and waits until it is ready.
    ///
    /// # Panics
    /// When it ends, or is not ready in time.
    pub async fn launch(&mut self) {
        self.spawn();
        self.ready().await;
    }

    /// Waits until `/readyz` answers 200.
    ///
    /// # Panics
    /// When the process ends first, or time runs out.
    pub async fn ready(&mut self) {
        let admin = self.admin;
        let pid = self.pid();
        let found = until("/readyz", READY_LIMIT, async || match client::get(admin, "/readyz").await {
            Ok(answer) if answer.status.is_success() => Some(true),
            _ if has_ended(pid) => Some(false),
            _ => None,
        });
        match found.await {
            Ok(true) => {}
            Ok(false) => panic!("the host ended before it was ready; its log ends:\n{}", self.log_tail()),
            Err(error) => panic!("{error}; the host's log ends:\n{}", self.log_tail()),
        }
    }

    /// SIGKILL: the process gets no chance to tidy up.
    ///
    /// # Panics
    /// When none is running.
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("a running host");
        child.kill().expect("an own child can be killed");
        child.wait().expect("a killed child can be waited for");
    }

    /// SIGTERM, then the exit status after the drain.
    ///
    /// # Panics
    /// When it does not end in time.
    pub async fn terminate(&mut self) -> ExitStatus {
        self.signal_term();
        self.exited(EXIT_LIMIT).await
    }

    /// SIGTERM, without waiting.
    ///
    /// # Panics
    /// When none is running.
    pub fn signal_term(&self) {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw).expect("a process id");
        kill_process(pid, Signal::TERM).expect("an own child can be signalled");
    }

    /// Waits until the process ends by itself.
    ///
    /// # Panics
    /// When it does not within `limit`.
    pub async fn exited(&mut self, limit: Duration) -> ExitStatus {
        let pid = self.pid();
        let ended = until("the host's end", limit, async || has_ended(pid).then_some(())).await;
        if let Err(error) = ended {
            panic!("{error}; the host's log ends:\n{}", self.log_tail());
        }
        let mut child = self.child.take().expect("a running host");
        child.wait().expect("an own child can be waited for")
    }

    /// True while its process has not ended.
    pub fn is_running(&self) -> bool {
        self.child.as_ref().is_some_and(|child| !has_ended(child.id()))
    }

    /// Runs `hydrant ARGUMENTS` beside it, with credentials and end point in the environment.
    ///
    /// # Panics
    /// When the binary cannot be run.
    pub fn command(&self, arguments: &[&str]) -> Output {
        let Credentials { access_key_id, secret_access_key } = Credentials::default();
        let mut command = Command::new(binary());
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        command.env("AWS_ACCESS_KEY_ID", access_key_id).env("AWS_SECRET_ACCESS_KEY", secret_access_key);
        command.env("AWS_REGION", "us-east-1").env("AWS_ENDPOINT_URL_FIREHOSE", self.endpoint());
        command.env("AWS_EC2_METADATA_DISABLED", "true");
        command.output().expect("the binary can be run")
    }

    /// A client with the right credentials.
    pub fn client(&self) -> Client {
        Client::new(self.api)
    }

    /// URL of the Firehose API.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.api)
    }

    /// The admin port.
    pub fn admin_address(&self) -> SocketAddr {
        self.admin
    }

    /// A page of the admin port.
    ///
    /// # Errors
    /// When no whole answer came.
    pub async fn admin(&self, path: &str) -> Result<Answer, CallError> {
        client::get(self.admin, path).await
    }

    /// The text of `/metrics`.
    ///
    /// # Panics
    /// When there is none.
    pub async fn metrics(&self) -> String {
        let answer = self.admin("/metrics").await.expect("the admin port answers");
        String::from_utf8(answer.body.to_vec()).expect("metrics are text")
    }

    /// Its process id.
    ///
    /// # Panics
    /// When none is running.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("a running host").id()
    }

    /// The configuration file.
    pub fn config(&self) -> PathBuf {
        self.folder.path().join("hydrant.toml")
    }

    /// The folder that holds everything but, perhaps, the data.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// `data_dir`.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// `plugin_dir`.
    pub fn plugin_dir(&self) -> PathBuf {
        self.folder.path().join("plugins")
    }

    /// Where the embedded S3 server keeps the tests' bucket.
    pub fn bucket(&self) -> PathBuf {
        self.data_dir.join("s3").join(BUCKET)
    }

    /// Everything the host said, over all its starts.
    pub fn log(&self) -> String {
        fs::read(self.log_file()).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("host.log")
    }

    /// The last lines of the log, for failure messages.
    pub fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(LOG_TAIL_LINES)..].join("\n")
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if self.child.is_some() {
            self.kill();
        }
        if std::thread::panicking() {
            let _shown_with_the_failure = std::io::Write::write_all(
                &mut std::io::stderr(),
                format!("--- the host's log ends ---\n{}\n---\n", self.log_tail()).as_bytes(),
            );
        }
    }
}

/// The binary under test: `HYDRANT_BIN`, else built by cargo in the profile of the running test, once.
///
/// # Panics
/// When it cannot be built.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        if let Some(given) = text("HYDRANT_BIN") {
            return PathBuf::from(given);
        }
        let profile = profile_directory();
        let mut cargo = Command::new(text("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["build", "--quiet", "--package", "hydrant", "--bin", "hydrant"]);
        if profile.ends_with("release") {
            cargo.arg("--release");
        }
        cargo.arg("--target-dir").arg(target_directory()).current_dir(repository());
        let status = cargo.status().expect("cargo can be run");
        assert!(status.success(), "the host does not build");
        profile.join("hydrant")
    })
}

/// A guest from `plugins/`, built as a component: from `HYDRANT_PLUGIN_DIR`, else by `make plugins`, once.
///
/// # Panics
/// When it cannot be built.
pub fn plugin(name: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        if let Some(given) = text("HYDRANT_PLUGIN_DIR") {
            return PathBuf::from(given);
        }
        let target = format!("CARGO_TARGET_DIR={}", target_directory().display());
        let made = Command::new("make").args(["--silent", "plugins", &target]).current_dir(repository()).status();
        assert!(made.expect("make can be run").success(), "the plugins do not build");
        target_directory().join("plugins")
    });
    let file = folder.join(format!("{name}.wasm"));
    assert!(file.is_file(), "no plugin at {}", file.display());
    file
}

/// An address on loopback that nobody listens on, from below the range that the kernel gives to outgoing
/// connections, so that a host which is started again finds its port free.
///
/// # Panics
/// When a thousand ports in a row are taken.
pub fn free_address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    const FIRST: u16 = 20_000;
    const COUNT: u16 = 12_000;
    let start = u16::try_from(std::process::id() % u32::from(COUNT)).expect("below COUNT");
    (0..1_000)
        .map(|_| FIRST + (start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed))) % COUNT)
        .map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
        .find(|address| TcpListener::bind(address).is_ok())
        .expect("a free port")
}
