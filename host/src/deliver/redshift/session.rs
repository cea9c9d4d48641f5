//! One connection to a cluster, from login to goodbye, by simple queries only.

use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use tokio::task::JoinSet;
use tokio_postgres::config::SslMode;
use tokio_postgres::{Client, Config, SimpleQueryMessage};

use super::classify::Failed;
use super::settings::Settings;
use super::tls::Handshake;
use crate::deliver::client::Client as Egress;
use crate::deliver::secrets::Credential;

/// The cluster is asked to end a statement after the limit; its answer may take a little longer.
const GRACE: Duration = Duration::from_secs(30);
/// A goodbye that takes longer is none.
const GOODBYE: Duration = Duration::from_secs(1);

/// A connection that is logged in. Dropping it closes the socket, which ends its transaction.
#[derive(Debug)]
pub(super) struct Session {
    client: Client,
    /// Moves bytes between socket and client; aborted when dropped.
    driver: JoinSet<Result<(), tokio_postgres::Error>>,
    limit: Duration,
}

impl Session {
    /// Connects and logs in.
    pub(super) async fn open(
        settings: &Settings,
        egress: &Egress,
        tls: &Arc<ClientConfig>,
        user: &Credential,
    ) -> Result<Self, Failed> {
        let (host, port) = (&settings.redshift.host, settings.redshift.port);
        let server = format!("{host}:{port}");
        let connect = async {
            let limit = settings.connect_timeout;
            let socket =
                egress.connect(host, port, limit).await.map_err(|error| Failed::unreachable(&server, &error))?;
            let mut config = Config::new();
            config.user(&user.user).password(user.secret.expose()).dbname(&settings.redshift.database);
            config.application_name("hydrant");
            config.ssl_mode(if settings.plaintext { SslMode::Prefer } else { SslMode::Require });
            let handshake = Handshake { config: Arc::clone(tls), host: host.clone() };
            let connected = config.connect_raw(socket, handshake).await;
            connected.map_err(|error| Failed::of(&format!("log in at {server}"), &error))
        };
        let limit = settings.connect_timeout;
        let (client, connection) = tokio::time::timeout(limit, connect)
            .await
            .map_err(|_| Failed::timed_out(&format!("log in at {server}"), limit))??;
        let mut driver = JoinSet::new();
        driver.spawn(connection);
        let session = Self { client, driver, limit: settings.statement_timeout.saturating_add(GRACE) };
        // 0 would mean no limit.
        let milliseconds = settings.statement_timeout.as_millis().max(1);
        session.run("set a limit of time", &format!("SET statement_timeout TO {milliseconds}")).await?;
        Ok(session)
    }

    /// Runs a statement for its effect. `what` says what it does, for people.
    pub(super) async fn run(&self, what: &str, statement: &str) -> Result<(), Failed> {
        self.texts(what, statement).await.map(drop)
    }

    /// Runs a query; the first column of its rows.
    pub(super) async fn texts(&self, what: &str, query: &str) -> Result<Vec<String>, Failed> {
        let answer = tokio::time::timeout(self.limit, self.client.simple_query(query)).await;
        let messages =
            answer.map_err(|_| Failed::timed_out(what, self.limit))?.map_err(|error| Failed::of(what, &error))?;
        let text = |message: &SimpleQueryMessage| match message {
            SimpleQueryMessage::Row(row) if !row.is_empty() => row.get(0).map(str::to_owned),
            _ => None,
        };
        Ok(messages.iter().filter_map(text).collect())
    }

    /// Says goodbye, so that the server need not find out.
    pub(super) async fn close(self) {
        let Self { client, mut driver, .. } = self;
        drop(client);
        // Whatever comes of it, the socket is closed and nothing was open on it.
        let _gone = tokio::time::timeout(GOODBYE, driver.join_next()).await;
    }
}
