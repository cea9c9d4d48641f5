//! Two S3 servers from different hands: `versitygw` (Go, strict) and `s3proxy` (Java, quick to get).

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::install::{build_folder, installed, run};

const VERSITYGW: &str = "1.8.0";
const S3PROXY: &str = "4.1.0";
/// The only key pair peers let in.
const ACCESS_KEY_ID: &str = "peer-access-key";
const SECRET_ACCESS_KEY: &str = "peer-secret-key-0123456789";
/// A Java server on a loaded machine needs a few seconds; this tells slow from broken.
const START_LIMIT: Duration = Duration::from_secs(120);
/// Somebody else may take the free port in between.
const START_ATTEMPTS: usize = 3;

/// A running S3 server; stops and forgets its files when dropped.
#[derive(Debug)]
pub struct S3Peer {
    /// For messages.
    pub name: &'static str,
    /// `127.0.0.1:PORT`.
    pub address: String,
    /// Access key id it lets in.
    pub access_key_id: &'static str,
    /// Secret access key.
    pub secret_access_key: &'static str,
    child: Child,
    /// Removed after the process, because fields drop in order after `drop`.
    folder: TempDir,
}

impl S3Peer {
    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where a bucket's objects are files, named by their keys.
    ///
    /// # Panics
    /// When the server keeps them in another way.
    pub fn bucket(&self, bucket: &str) -> PathBuf {
        assert_eq!(self.name, "versitygw", "{} has a layout of its own", self.name);
        self.folder.path().join("data").join(bucket)
    }
}

impl Drop for S3Peer {
    fn drop(&mut self) {
        // Either it ended already or it ends now.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Starts versitygw on a folder of its own.
pub fn versitygw() -> S3Peer {
    let folder = installed(&format!("versitygw-{VERSITYGW}"), |folder| {
        let package = format!("github.com/versity/versitygw/cmd/versitygw@v{VERSITYGW}");
        run("go", &["install", &package], &[("GOBIN", folder)]);
    });
    start("versitygw", |address, data| {
        let mut command = Command::new(folder.join("versitygw"));
        command.args(["--port", address, "--quiet", "posix"]).arg(data);
        command.env("ROOT_ACCESS_KEY", ACCESS_KEY_ID).env("ROOT_SECRET_KEY", SECRET_ACCESS_KEY);
        command
    })
}

/// Starts s3proxy on a folder of its own.
pub fn s3proxy() -> S3Peer {
    let folder = installed(&format!("s3proxy-{S3PROXY}"), |folder| {
        let artifact = format!("-Dartifact=org.gaul:s3proxy:{S3PROXY}:jar:jar-with-dependencies");
        let output = format!("-DoutputDirectory={}", folder.display());
        run("mvn", &["-q", "-B", "dependency:copy", &artifact, &output], &[]);
    });
    let jar = folder.join(format!("s3proxy-{S3PROXY}-jar-with-dependencies.jar"));
    start("s3proxy", |address, data| {
        let objects = data.join("objects");
        fs::create_dir_all(&objects).expect("the peer's folder is writable");
        let settings = [
            ("s3proxy.authorization", "aws-v2-or-v4"),
            ("s3proxy.endpoint", &format!("http://{address}")),
            ("s3proxy.identity", ACCESS_KEY_ID),
            ("s3proxy.credential", SECRET_ACCESS_KEY),
            ("jclouds.provider", "filesystem-nio2"),
            ("jclouds.filesystem.basedir", &objects.display().to_string()),
        ];
        let text: String = settings.iter().map(|(key, value)| format!("{key}={value}\n")).collect();
        let file = data.join("s3proxy.conf");
        fs::write(&file, text).expect("the peer's folder is writable");
        let mut command = Command::new("java");
        command.args(["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-jar"]);
        command.arg(&jar).arg("--properties").arg(file);
        command
    })
}

/// Starts a server that is told its address and has a folder for its files.
pub(super) fn start(name: &'static str, command: impl Fn(&str, &Path) -> Command) -> S3Peer {
    let mut last_words = String::new();
    for _ in 0..START_ATTEMPTS {
        let folder = tempfile::tempdir_in(build_folder().join("peers")).expect("the build directory is writable");
        let data = folder.path().join("data");
        fs::create_dir(&data).expect("the build directory is writable");
        let words = folder.path().join("output");
        let file = File::create(&words).expect("the build directory is writable");
        let address = free_address();
        let mut command = command(&address, &data);
        command.stdin(Stdio::null()).stdout(file.try_clone().expect("files can be shared")).stderr(file);
        let child = match command.spawn() {
            Ok(child) => child,
            Err(error) => panic!("cannot start {name}: {error}"),
        };
        let (access_key_id, secret_access_key) = (ACCESS_KEY_ID, SECRET_ACCESS_KEY);
        let mut peer = S3Peer { name, address, access_key_id, secret_access_key, child, folder };
        if answers(&mut peer) {
            return peer;
        }
        last_words = fs::read_to_string(&words).unwrap_or_default();
    }
    panic!("{name} does not start; it said:\n{last_words}");
}

/// Waits until it speaks HTTP; false if it ended, or if the limit passed.
fn answers(peer: &mut S3Peer) -> bool {
    let until = Instant::now() + START_LIMIT;
    while Instant::now() < until {
        if !matches!(peer.child.try_wait(), Ok(None)) {
            return false;
        }
        if speaks(&peer.address).unwrap_or(false) {
            return true;
        }
        // The pace of looking; the limit is above.
        std::thread::park_timeout(Duration::from_millis(50));
    }
    false
}

fn speaks(address: &str) -> std::io::Result<bool> {
    let mut socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(socket, "GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut start = [0; 5];
    socket.read_exact(&mut start)?;
    Ok(&start == b"HTTP/")
}

fn free_address() -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback has free ports");
    listener.local_addr().expect("a bound socket has an address").to_string()
}
