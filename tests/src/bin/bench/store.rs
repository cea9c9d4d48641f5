//! The S3 server that the benches deliver to: versitygw, in its own process, so that its work is not the host's.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use hydrant_tests::client::{BUCKET, get};
use hydrant_tests::environment::target_directory;
use hydrant_tests::host::free_address;
use hydrant_tests::wait::until;
use tempfile::TempDir;

const VERSION: &str = "1.8.0";
const KEY: &str = "bench";
const SECRET: &str = "bench-secret";
/// It answers within a second on an idle machine.
const START_LIMIT: Duration = Duration::from_secs(60);

/// A running versitygw with one bucket.
#[derive(Debug)]
pub(crate) struct Store {
    folder: TempDir,
    address: SocketAddr,
    /// None while it is down.
    child: Option<Child>,
}

impl Store {
    /// Builds it when it is not there yet, and starts it.
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir(folder.path().join(BUCKET)).expect("a bucket");
        let mut store = Self { folder, address: free_address(), child: None };
        store.up().await;
        store
    }

    /// Nobody answers any more; what it has stays.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("an own child can be killed");
            child.wait().expect("an own child can be waited for");
        }
    }

    /// Starts it where it was.
    pub(crate) async fn up(&mut self) {
        let mut command = Command::new(binary());
        command.args(["--port", &self.address.to_string(), "--quiet", "posix"]).arg(self.folder.path());
        command.env("ROOT_ACCESS_KEY", KEY).env("ROOT_SECRET_KEY", SECRET);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().expect("versitygw can be started");
        self.child = Some(child);
        let answering = until("versitygw", START_LIMIT, async || get(self.address, "/").await.ok());
        answering.await.expect("versitygw answers");
    }

    /// `[s3] endpoint`.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Credentials for the host's SDK.
    pub(crate) fn environment(&self) -> Vec<(String, String)> {
        let pairs = [("AWS_ACCESS_KEY_ID", KEY), ("AWS_SECRET_ACCESS_KEY", SECRET), ("AWS_REGION", "us-east-1")];
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
    }

    /// Folder of the bucket.
    pub(crate) fn bucket(&self) -> PathBuf {
        self.folder.path().join(BUCKET)
    }

    /// Forgets all objects.
    pub(crate) fn empty(&self) {
        fs::remove_dir_all(self.bucket()).expect("an own folder");
        fs::create_dir(self.bucket()).expect("an own folder");
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.kill();
    }
}

fn binary() -> PathBuf {
    let folder = target_directory().join(format!("peers/versitygw-{VERSION}"));
    let file = folder.join("versitygw");
    if !file.is_file() {
        let module = format!("github.com/versity/versitygw/cmd/versitygw@v{VERSION}");
        let status = Command::new("go").args(["install", &module]).env("GOBIN", &folder).status();
        assert!(status.expect("go can be run").success(), "versitygw does not build");
    }
    file
}
