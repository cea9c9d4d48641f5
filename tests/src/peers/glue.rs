//! A Glue Data Catalog from other hands: moto's server, with tables made by boto3.
//!
//! Refuses to speak Glue's protocol itself: what is tested must not agree with its own idea of it.

use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use super::install::python_with;
use super::s3::{S3Peer, start};

const MOTO: &str = "5.2.5";

/// A running catalogue, empty at first; stops when dropped.
#[derive(Debug)]
pub struct GlueCatalog {
    python: PathBuf,
    /// It serves every API under one address, S3's among them.
    server: S3Peer,
}

impl GlueCatalog {
    /// Starts on a free loopback port.
    pub fn start() -> Self {
        let python = python_with(&format!("moto-{MOTO}"), &[&format!("moto[server]=={MOTO}")]);
        let server = start("moto", |address, _| {
            let (host, port) = address.split_once(':').expect("an address has a port");
            let mut command = Command::new(&python);
            command.args(["-m", "moto.server", "-H", host, "-p", port]);
            command
        });
        Self { python, server }
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// A key pair; it lets everybody in.
    pub fn credentials(&self) -> (&'static str, &'static str) {
        (self.server.access_key_id, self.server.secret_access_key)
    }

    /// Calls an operation of Glue's API, named as boto3 names it, with its parameters.
    pub fn call(&self, operation: &str, parameters: &Value) {
        let script = "import boto3, json, sys\n\
            glue = boto3.client('glue', endpoint_url=sys.argv[1], region_name='us-east-1')\n\
            getattr(glue, sys.argv[2])(**json.loads(sys.argv[3]))";
        let (id, secret) = self.credentials();
        let mut command = Command::new(&self.python);
        command.args(["-c", script, &self.url(), operation, &parameters.to_string()]);
        command.env("AWS_ACCESS_KEY_ID", id).env("AWS_SECRET_ACCESS_KEY", secret);
        let output = command.output().expect("the catalogue's interpreter runs");
        assert!(output.status.success(), "{operation}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// What [`Self::call`] takes for a table of these columns, names and types.
    pub fn table(database: &str, table: &str, columns: &[(&str, &str)]) -> Value {
        let column = |(name, kind): &(&str, &str)| json!({"Name": name, "Type": kind});
        let columns: Vec<Value> = columns.iter().map(column).collect();
        json!({"DatabaseName": database, "TableInput": {"Name": table, "StorageDescriptor": {"Columns": columns}}})
    }
}
