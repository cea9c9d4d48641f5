//! An example's page, followed as a stranger follows it: its ```` ```sh ```` blocks are run in terminals, as they stand.
//!
//! The example lies in a folder of its own below a copy of the repository's outline, where `make build` has been done.
//! Only fixed addresses differ, because a machine that runs tests has others at work on the usual ports. Refuses to
//! leave a process behind: what a terminal started ends with the page.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;

use crate::client;
use crate::environment::{profile_directory, repository, text};
use crate::host::{binary, free_address, plugin};
use crate::process::has_ended;
use crate::wait::until;

/// A peer may have to be started, on a machine that is busy.
const LIMIT: Duration = Duration::from_secs(240);
/// How often a person would look; each look starts programs.
const PACE: Duration = Duration::from_millis(200);
/// Where a host listens unless it is told otherwise, and where the examples' S3 server does.
const API: &str = "127.0.0.1:4573";
const ADMIN: &str = "127.0.0.1:9573";
const EMBEDDED_S3: &str = "127.0.0.1:4574";
/// Plugins that examples use, as `make build` leaves them.
const PLUGINS: [&str; 6] = ["cloudwatch-logs", "json-to-ndjson", "orders", "parse-log", "redact", "sensor-quality"];
/// How much of what a terminal said a failure shows.
const TAIL_LINES: usize = 60;

/// A copy of an example, and whatever its commands started.
#[derive(Debug)]
pub struct Page {
    root: TempDir,
    folder: PathBuf,
    text: String,
    environment: Vec<(String, String)>,
    admin: SocketAddr,
    running: Vec<(Child, PathBuf)>,
    terminals: usize,
}

/// A shell of a page: what a block exports, and where it goes, holds for the next one.
#[derive(Debug)]
pub struct Terminal {
    state: PathBuf,
}

impl Page {
    /// Copies `examples/NAME`. `peers` are addresses that the example names for what else has to run, and what stands
    /// there instead in the test.
    ///
    /// # Panics
    /// When there is no such example, or it does not name one of the addresses.
    pub fn open(name: &str, peers: &[(&str, String)]) -> Self {
        let root = tempfile::Builder::new().prefix("hydrant-page-").tempdir().expect("a temporary folder");
        let folder = root.path().join("examples").join(name);
        let (api, admin, embedded) = (free_address(), free_address(), free_address());
        let usual = [(API, api), (ADMIN, admin), (EMBEDDED_S3, embedded)];
        let mut addresses: Vec<(&str, String)> = usual.map(|(from, to)| (from, to.to_string())).to_vec();
        addresses.extend(peers.iter().cloned());
        let all = copy(&repository().join("examples").join(name), &folder, &addresses);
        for (address, _) in peers {
            assert!(all.contains(address), "{name} says nothing of {address}");
        }
        let text = fs::read_to_string(folder.join("README.md")).expect("an example has a page");
        let built = root.path().join("target/release");
        fs::create_dir_all(&built).expect("a folder");
        fs::create_dir_all(root.path().join("target/plugins")).expect("a folder");
        std::os::unix::fs::symlink(binary(), built.join("hydrant")).expect("a link");
        for name in PLUGINS {
            let place = root.path().join(format!("target/plugins/{name}.wasm"));
            std::os::unix::fs::symlink(plugin(name), place).expect("a link");
        }
        let environment = vec![("AWS_ENDPOINT_URL_FIREHOSE".to_owned(), format!("http://{api}"))];
        let page = Self { root, folder, text, environment, admin, running: Vec::new(), terminals: 0 };
        page.write_makefile(&addresses);
        page
    }

    /// What is built is built; `make opensearch` and the like start the peer of the page where the test wants it.
    fn write_makefile(&self, addresses: &[(&str, String)]) {
        let mut makefile = "build:\n\t@true\n".to_owned();
        let peer = profile_directory().join("hydrant-peers");
        let real = fs::read_to_string(repository().join("Makefile")).expect("the repository has a Makefile");
        for target in ["opensearch", "redshift"] {
            let recipe = real.lines().find(|line| line.contains(&format!("/release/hydrant-peers\" {target}")));
            let recipe = recipe.unwrap_or_else(|| panic!("make {target} starts no peer"));
            let arguments = recipe.split("hydrant-peers\" ").nth(1).expect("found above");
            let arguments = replaced(arguments, addresses);
            makefile.push_str(&format!("{target}:\n\texec {} {arguments}\n", peer.display()));
        }
        fs::write(self.root.path().join("Makefile"), makefile).expect("a file");
    }

    /// Its blocks of this language, in order.
    pub fn blocks(&self, language: &str) -> Vec<String> {
        let fence = format!("```{language}\n");
        let rest = self.text.split(&fence).skip(1);
        rest.map(|rest| rest.split("```").next().unwrap_or_default().to_owned()).collect()
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Lets every command see a folder of programs before the others.
    ///
    /// # Panics
    /// When the machine has no `PATH`.
    pub fn has_programs(&mut self, folder: &Path) {
        let path = text("PATH").expect("programs are found by PATH");
        self.environment.push(("PATH".to_owned(), format!("{}:{path}", folder.display())));
    }

    /// A new terminal, in the repository's folder.
    pub fn terminal(&mut self) -> Terminal {
        self.terminals += 1;
        Terminal { state: self.root.path().join(format!("terminal-{}", self.terminals)) }
    }

    /// Runs a block that ends; what it printed.
    ///
    /// # Panics
    /// When a command of it fails.
    pub fn run(&self, terminal: &Terminal, block: &str) -> String {
        let output = self.tried(terminal, block);
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{}\n{block}\n{out}\n{err}\n{}", output.status, self.said());
        out.into_owned()
    }

    /// Runs a block again until it succeeds and prints what satisfies; what it printed then.
    ///
    /// # Panics
    /// When it does not in time.
    pub async fn run_until(&self, terminal: &Terminal, block: &str, satisfies: impl Fn(&str) -> bool) -> String {
        let mut last = String::new();
        let mut pace = tokio::time::interval(PACE);
        let found = until("what a block shows", LIMIT, async || {
            pace.tick().await;
            let output = self.tried(terminal, block);
            last = String::from_utf8_lossy(&output.stdout).into_owned();
            let is_right = output.status.success() && satisfies(&last);
            if !is_right {
                last.push_str(&String::from_utf8_lossy(&output.stderr));
            }
            is_right.then(|| last.clone())
        });
        found.await.unwrap_or_else(|error| panic!("{error}\n{block}\n{last}\n{}", self.said()))
    }

    fn tried(&self, terminal: &Terminal, block: &str) -> Output {
        let mut command = self.shell(terminal, block, true);
        command.output().expect("bash can be run")
    }

    /// Runs a block that goes on until it is stopped; its number.
    pub fn start(&mut self, terminal: &Terminal, block: &str) -> usize {
        let said = self.root.path().join(format!("output-{}", self.running.len()));
        let log = File::create(&said).expect("a file");
        let mut command = self.shell(terminal, block, false);
        command.stdout(log.try_clone().expect("a second handle")).stderr(log).process_group(0);
        self.running.push((command.spawn().expect("bash can be run"), said));
        self.running.len() - 1
    }

    /// Waits until the host that a block started takes records.
    ///
    /// # Panics
    /// When it does not in time.
    pub async fn host_is_up(&self, number: usize) {
        self.is_up(number, async || client::get(self.admin, "/readyz").await.is_ok_and(|it| it.status.is_success()))
            .await;
    }

    /// Waits until the peer that a block started says that it is there.
    ///
    /// # Panics
    /// When it does not in time.
    pub async fn peer_is_up(&self, number: usize) {
        self.is_up(number, async || self.said_by(number).contains("Ctrl-C stops it")).await;
    }

    async fn is_up(&self, number: usize, is_up: impl AsyncFn() -> bool) {
        let pid = self.running[number].0.id();
        let looking = until("what a block starts", LIMIT, async || match is_up().await {
            true => Some(true),
            false => has_ended(pid).then_some(false),
        });
        if looking.await != Ok(true) {
            panic!("what block {number} starts is not there\n{}", self.said());
        }
    }

    /// What a block that was [`start`](Self::start)ed said so far.
    pub fn said_by(&self, number: usize) -> String {
        fs::read_to_string(&self.running[number].1).unwrap_or_default()
    }

    /// Ctrl-C in the terminal of a block that [`start`](Self::start)ed.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn interrupt(&mut self, number: usize) -> ExitStatus {
        let pid = self.running[number].0.id();
        signal(&self.running[number].0, Signal::INT);
        let ended = until("the end after Ctrl-C", LIMIT, async || has_ended(pid).then_some(())).await;
        ended.unwrap_or_else(|error| panic!("{error}\n{}", self.said()));
        self.running[number].0.wait().expect("an own child can be waited for")
    }

    fn shell(&self, terminal: &Terminal, block: &str, keeps_state: bool) -> Command {
        let state = terminal.state.display();
        let before = format!("if [ -e {state} ]; then source {state}; fi\n");
        let after = format!("\n{{ export -p; printf 'cd %q\\n' \"$PWD\"; }} > {state}\n");
        let mut command = Command::new("bash");
        command.args(["-euo", "pipefail", "-c"]);
        command.arg(if keeps_state { before + block + &after } else { before + block });
        command.current_dir(self.root.path()).stdin(Stdio::null());
        // A stranger has none of the tests' set-up.
        for name in
            ["AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "MAKEFLAGS", "MAKELEVEL"]
        {
            command.env_remove(name);
        }
        command.env("HOME", self.root.path()).env("AWS_EC2_METADATA_DISABLED", "true");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// The last lines of all that was started.
    fn said(&self) -> String {
        let tail = |(at, (_, file)): (usize, &(Child, PathBuf))| {
            let text = fs::read(file).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            format!("--- block {at} said ---\n{}\n", lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n"))
        };
        self.running.iter().enumerate().map(tail).collect()
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // Who hears of its end takes what it started with it.
        for (child, _) in &mut self.running {
            if !has_ended(child.id()) {
                signal(child, Signal::INT);
            }
        }
        for (child, _) in &mut self.running {
            // Longer than a host's drain takes, and than PostgreSQL needs; then it ends without a word.
            let limit = std::time::Instant::now() + Duration::from_secs(30);
            while !has_ended(child.id()) && std::time::Instant::now() < limit {
                std::thread::park_timeout(Duration::from_millis(20));
            }
            if !has_ended(child.id()) {
                signal(child, Signal::KILL);
            }
            let _reaped = child.wait();
        }
    }
}

/// To a shell and all it started. A shell that ended took its group with it.
fn signal(child: &Child, signal: Signal) {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a process id");
    let _ended = kill_process_group(pid, signal);
}

/// Copies a folder of texts with other addresses; all texts in one. What a run left there stays behind.
fn copy(from: &Path, to: &Path, addresses: &[(&str, String)]) -> String {
    fs::create_dir_all(to).expect("a folder");
    let mut all = String::new();
    for entry in fs::read_dir(from).unwrap_or_else(|error| panic!("{}: {error}", from.display())) {
        let entry = entry.expect("an entry");
        let (path, name) = (entry.path(), entry.file_name());
        if ["data", "plugins", "secrets"].iter().any(|left| name == *left) {
            continue;
        }
        if path.is_dir() {
            all.push_str(&copy(&path, &to.join(name), addresses));
        } else {
            let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let text = replaced(&text, addresses);
            fs::write(to.join(name), &text).expect("a file");
            all.push_str(&fs::read_to_string(&path).expect("read above"));
        }
    }
    all
}

fn replaced(text: &str, addresses: &[(&str, String)]) -> String {
    let replace = |text: String, (from, to): &(&str, String)| text.replace(from, to);
    addresses.iter().fold(text.to_owned(), replace)
}
