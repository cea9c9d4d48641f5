//! `hydrant-peers`: what the tests deliver to, for a person who has no cluster at hand.
//!
//! Runs until Ctrl-C and forgets everything then. Refuses to be more than a way to try things out on one machine.
#![expect(clippy::print_stdout, reason = "it says where it listens")]

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use hydrant_tests::environment::say;
use hydrant_tests::peers::redshift::Store;
use hydrant_tests::peers::{DATABASE, PASSWORD, Redshift, SearchNode, USER};

/// A destination to try Hydrant with; it runs until Ctrl-C.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    peer: Peer,
}

#[derive(Debug, Subcommand)]
enum Peer {
    /// An OpenSearch node without security, made of the published libraries; wants Java 17 and Maven
    Opensearch {
        /// Address to listen on
        #[arg(long, default_value = "127.0.0.1:9200")]
        listen: SocketAddr,
    },
    /// PostgreSQL behind a stand-in for Redshift that loads manifests; wants PostgreSQL 14 or newer
    Redshift {
        /// Address to listen on
        #[arg(long, default_value = "127.0.0.1:5439")]
        listen: SocketAddr,
        /// Address of the S3 server that it loads from
        #[arg(long)]
        s3: String,
        /// File with that server's key pair, in the form of ~/.aws/credentials
        #[arg(long)]
        s3_credentials: PathBuf,
    },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Arguments::parse().peer).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            say(&format!("error: {text}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(peer: Peer) -> Result<(), String> {
    match peer {
        Peer::Opensearch { listen } => {
            say("starting OpenSearch; the first time it is fetched, which takes a minute");
            let node = SearchNode::start_on(listen);
            println!("OpenSearch listens on {}; Ctrl-C stops it", node.url());
            interrupted().await
        }
        Peer::Redshift { listen, s3, s3_credentials } => {
            let store = store(s3, &s3_credentials)?;
            let cluster = Redshift::start_on(listen, store).await;
            println!(
                "a cluster with database {DATABASE}, user {USER}, password {PASSWORD} and role {} listens on {listen}; Ctrl-C stops it",
                cluster.role()
            );
            interrupted().await
        }
    }
}

/// Ends the wait, so that what was started is stopped in order.
async fn interrupted() -> Result<(), String> {
    tokio::signal::ctrl_c().await.map_err(|error| format!("cannot wait for Ctrl-C: {error}"))
}

fn store(address: String, credentials: &Path) -> Result<Store, String> {
    let text = fs::read_to_string(credentials).map_err(|error| {
        let file = credentials.display();
        match error.kind() {
            io::ErrorKind::NotFound => format!("no {file}: start the host first, which makes its S3 server's key pair"),
            _ => format!("cannot read {file}: {error}"),
        }
    })?;
    let value = |name: &str| {
        let found = text.lines().find_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix('='));
        found.map(|value| value.trim().to_owned()).ok_or_else(|| format!("{} has no {name}", credentials.display()))
    };
    Ok(Store {
        address,
        access_key_id: value("aws_access_key_id")?,
        secret_access_key: value("aws_secret_access_key")?,
    })
}
