//! The program: hands its arguments to the command line and its exit code to the shell. Refuses anything else.

use std::fmt::Display;
use std::future::pending;
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;

use hydrant::cli::{self, Host, Journals};
use hydrant::config::Settings;
use serde::Serialize;

fn main() -> ExitCode {
    ExitCode::from(cli::main::<Unjoined>(std::env::args_os()).code())
}

/// Stands where the pipeline's `App` will: everything but `serve`, `demo` and `journal` works without it.
enum Unjoined {}

impl Host for Unjoined {
    async fn start(_settings: Settings) -> anyhow::Result<Self> {
        anyhow::bail!("this build has no pipeline")
    }

    fn api_address(&self) -> SocketAddr {
        match *self {}
    }

    fn admin_address(&self) -> SocketAddr {
        match *self {}
    }

    fn s3_address(&self) -> Option<SocketAddr> {
        match *self {}
    }

    async fn ensure_bucket(&self, _bucket: &str) -> anyhow::Result<()> {
        match *self {}
    }

    async fn broken(&self) -> anyhow::Error {
        pending().await
    }

    async fn drained(self) -> anyhow::Result<()> {
        match self {}
    }
}

impl Journals for Unjoined {
    fn inspect(_data_dir: &Path) -> anyhow::Result<impl Serialize + Display> {
        Err::<String, _>(anyhow::anyhow!("this build has no journal"))
    }

    fn verify(_data_dir: &Path) -> anyhow::Result<(impl Serialize + Display, bool)> {
        Err::<(String, bool), _>(anyhow::anyhow!("this build has no journal"))
    }
}
