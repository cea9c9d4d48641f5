//! A real OpenSearch node (Java), made of the libraries that its makers publish.
//!
//! Tests that need settings of their own, or kill it, start one; the others share one at a time.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tempfile::TempDir;

use super::install::{build_folder, installed, run};

/// Of OpenSearch, and of the launcher beside this file: a change of either is another installation.
const VERSION: &str = "2.19.6-1";
/// A Java server on a loaded machine needs a few seconds; this tells slow from broken.
const START_LIMIT: Duration = Duration::from_secs(180);
/// Somebody else may take the free port in between.
const START_ATTEMPTS: usize = 3;
/// No answer takes longer, however busy the machine is.
const ANSWER_LIMIT: Duration = Duration::from_secs(120);

/// A running node; stops and forgets its data when dropped.
#[derive(Debug)]
pub struct SearchNode {
    /// `127.0.0.1:PORT`.
    pub address: String,
    settings: Vec<String>,
    process: Option<(Child, ChildStdin)>,
    folder: TempDir,
}

impl SearchNode {
    /// Starts a node with settings beside the usual ones.
    pub fn start(settings: &[(&str, &str)]) -> Self {
        let mut last_words = String::new();
        for _ in 0..START_ATTEMPTS {
            match Self::launched(free_address(), settings) {
                Ok(node) => return node,
                Err(words) => last_words = words,
            }
        }
        panic!("OpenSearch does not start; it said:\n{last_words}");
    }

    /// Starts a node on this address, for people.
    ///
    /// # Panics
    /// When it does not start, for instance because the address is taken.
    pub fn start_on(address: SocketAddr) -> Self {
        let started = Self::launched(address.to_string(), &[]);
        started.unwrap_or_else(|words| panic!("OpenSearch does not start on {address}; it said:\n{words}"))
    }

    /// Its last words if it does not start.
    fn launched(address: String, settings: &[(&str, &str)]) -> Result<Self, String> {
        // The first peer of a fresh machine finds no folder.
        let peers = build_folder().join("peers");
        fs::create_dir_all(&peers).expect("the build directory is writable");
        let folder = tempfile::tempdir_in(peers).expect("the build directory is writable");
        let settings = settings.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut node = Self { address, settings, process: None, folder };
        if node.is_up_after_launch() { Ok(node) } else { Err(node.last_words()) }
    }

    /// The node that tests without wishes use together: the one that runs, or a new one.
    pub fn shared() -> Arc<Self> {
        static RUNNING: Mutex<Weak<SearchNode>> = Mutex::new(Weak::new());
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        running.upgrade().unwrap_or_else(|| {
            let node = Arc::new(Self::start(&[]));
            *running = Arc::downgrade(&node);
            node
        })
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Kills it as a power cut would, without a word of warning.
    pub fn kill(&mut self) {
        if let Some((mut child, _input)) = self.process.take() {
            // Either it ended already or it ends now.
            let _ended = child.kill();
            let _reaped = child.wait();
        }
    }

    /// Starts it again after [`Self::kill`], on the same data and address.
    pub fn restart(&mut self) {
        assert!(self.process.is_none(), "the node is still running");
        if !self.is_up_after_launch() {
            panic!("OpenSearch does not start again; it said:\n{}", self.last_words());
        }
    }

    /// One call of its API: status and JSON.
    pub async fn call(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let exchange = async {
            let socket = tokio::net::TcpStream::connect(&self.address).await.expect("the node listens");
            let (mut sender, connection) = handshake(TokioIo::new(socket)).await.expect("a fresh connection");
            let serving = tokio::spawn(connection);
            let request = Request::builder().method(method).uri(path).header("host", &self.address);
            let request = request.header("content-type", "application/json");
            let request = request.body(Full::new(Bytes::copy_from_slice(body.as_bytes()))).expect("a legal request");
            let answer = sender.send_request(request).await.expect("the node answers");
            let status = answer.status().as_u16();
            let body = answer.into_body().collect().await.expect("a whole answer").to_bytes();
            serving.abort();
            (status, serde_json::from_slice(&body).unwrap_or_default())
        };
        tokio::time::timeout(ANSWER_LIMIT, exchange).await.expect("the node answers in time")
    }

    fn is_up_after_launch(&mut self) -> bool {
        self.launch();
        let until = Instant::now() + START_LIMIT;
        while Instant::now() < until {
            let is_running = |(child, _): &mut (Child, ChildStdin)| matches!(child.try_wait(), Ok(None));
            if !self.process.as_mut().is_some_and(is_running) {
                return false;
            }
            if is_healthy(&self.address).unwrap_or(false) {
                return true;
            }
            // The pace of looking; the limit is above.
            std::thread::park_timeout(Duration::from_millis(50));
        }
        false
    }

    fn launch(&mut self) {
        let installation = installed(&format!("opensearch-{VERSION}"), |folder| {
            let (pom, source) = (folder.join("pom.xml"), folder.join("SearchNode.java"));
            fs::write(&pom, include_str!("opensearch/pom.xml")).expect("the build directory is writable");
            fs::write(&source, include_str!("opensearch/SearchNode.java")).expect("the build directory is writable");
            let (pom, lib) = (pom.display().to_string(), folder.join("lib").display().to_string());
            let output = format!("-DoutputDirectory={lib}");
            let goal = ["-q", "-B", "-f", &pom, "dependency:copy-dependencies", &output, "-DincludeScope=runtime"];
            run("mvn", &goal, &[]);
            let (classes, source) = (format!("{lib}/*"), source.display().to_string());
            run("javac", &["-cp", &classes, "-d", &folder.display().to_string(), &source], &[]);
        });
        let (home, words) = (self.folder.path().join("home"), self.folder.path().join("output"));
        fs::create_dir_all(&home).expect("the build directory is writable");
        let words = File::options().create(true).append(true).open(words).expect("the build directory is writable");
        let classes = format!("{}/lib/*:{}", installation.display(), installation.display());
        let port = self.address.rsplit(':').next().unwrap_or_default();
        let mut command = Command::new("java");
        command.args(["-Xms256m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", &classes]);
        command.arg("SearchNode").arg(home).arg(port).args(&self.settings);
        command.stdin(Stdio::piped()).stdout(words.try_clone().expect("files can be shared")).stderr(words);
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => panic!("cannot start java, which OpenSearch needs: {error}"),
        };
        let input = child.stdin.take().expect("its standard input is a pipe");
        self.process = Some((child, input));
    }

    fn last_words(&self) -> String {
        fs::read_to_string(self.folder.path().join("output")).unwrap_or_default()
    }
}

impl Drop for SearchNode {
    fn drop(&mut self) {
        self.kill();
    }
}

/// True when it takes documents.
fn is_healthy(address: &str) -> std::io::Result<bool> {
    let mut socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(Duration::from_secs(35)))?;
    let path = "/_cluster/health?wait_for_status=yellow&timeout=30s";
    write!(socket, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut start = [0; 12];
    socket.read_exact(&mut start)?;
    Ok(&start == b"HTTP/1.1 200")
}

fn free_address() -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback has free ports");
    listener.local_addr().expect("a bound socket has an address").to_string()
}
