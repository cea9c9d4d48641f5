//! The proxy: relays a session statement by statement, does COPYs itself, and misbehaves on command.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use super::copy::{Copy, Refusal, is_copy, parse};
use super::fetch::Store;
use super::load;
use super::wire::{Message, startup};
use crate::peers::{Postgres, S3Peer};

/// The role that the cluster may assume; any other is refused.
const ROLE: &str = "arn:aws:iam::123456789012:role/loader";
/// Rows go upstream in messages of this size.
const CHUNK_BYTES: usize = 64 << 10;
/// Codes of the requests that may come before a startup message: for TLS, for GSSAPI.
const ENCRYPTION: [[u8; 4]; 2] = [80_877_103_u32.to_be_bytes(), 80_877_104_u32.to_be_bytes()];

/// When a connection is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// COMMIT does not reach the server.
    BeforeCommit,
    /// COMMIT is carried out, and its answer lost.
    AfterCommit,
}

/// A running stand-in with a server and a database of its own; stops when dropped.
#[derive(Debug)]
pub struct Redshift {
    /// Behind the stand-in.
    pub postgres: Postgres,
    address: SocketAddr,
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    upstream: u16,
    store: Store,
    script: Mutex<Script>,
    /// False while COPYs are held.
    flows: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Script {
    cuts: VecDeque<Cut>,
    /// Statements and logins so far.
    statements: Vec<String>,
    logins: usize,
}

impl Redshift {
    /// Starts PostgreSQL, and a stand-in in front of it that reads objects from `s3`.
    pub async fn start(s3: &S3Peer) -> Self {
        let store = Store {
            address: s3.address.clone(),
            access_key_id: s3.access_key_id.to_owned(),
            secret_access_key: s3.secret_access_key.to_owned(),
        };
        Self::start_on(SocketAddr::from(([127, 0, 0, 1], 0)), store).await
    }

    /// As [`start`](Self::start), on this address and with any S3 server, for people.
    ///
    /// # Panics
    /// When it does not start, for instance because the address is taken.
    pub async fn start_on(address: SocketAddr, store: Store) -> Self {
        let listener = TcpListener::bind(address).await;
        let listener = listener.unwrap_or_else(|error| panic!("cannot listen on {address}: {error}"));
        let address = listener.local_addr().expect("a bound socket has an address");
        let postgres = Postgres::start();
        let flows = watch::Sender::new(true);
        let shared = Arc::new(Shared { upstream: postgres.port, store, script: Mutex::default(), flows });
        let serving = tokio::spawn(serve(listener, Arc::clone(&shared)));
        Self { postgres, address, shared, serving }
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The role that may be named in CREDENTIALS.
    pub fn role(&self) -> &'static str {
        ROLE
    }

    /// Cuts the connection of the next COMMIT of a transaction that loaded something; once for each call.
    pub fn cut(&self, cut: Cut) {
        self.shared.script().cuts.push_back(cut);
    }

    /// COPYs wait from now on, or go on.
    pub fn hold_copies(&self, held: bool) {
        self.shared.flows.send_replace(!held);
    }

    /// COPY statements so far, refused ones included.
    pub fn copies(&self) -> Vec<String> {
        self.shared.script().statements.iter().filter(|statement| is_copy(statement)).cloned().collect()
    }

    /// Connections that sent a startup message so far.
    pub fn logins(&self) -> usize {
        self.shared.script().logins
    }
}

impl Drop for Redshift {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Shared {
    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut sessions = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        sessions.spawn(async move {
            let server = TcpStream::connect(("127.0.0.1", shared.upstream)).await?;
            client.set_nodelay(true)?;
            server.set_nodelay(true)?;
            // However it ends, both sockets close.
            Session { client, server, shared, state: b'I', has_loaded: false }.run().await
        });
    }
}

/// Both ends of a connection. A client speaks again only after its answer, so nothing crosses.
struct Session {
    client: TcpStream,
    server: TcpStream,
    shared: Arc<Shared>,
    /// Of the last `ReadyForQuery`: `I` idle, `T` in a transaction, `E` in a failed one.
    state: u8,
    /// A COPY succeeded since the last COMMIT.
    has_loaded: bool,
}

impl Session {
    async fn run(mut self) -> io::Result<()> {
        if !self.log_in().await? {
            return Ok(());
        }
        loop {
            let mut message = Message::read(&mut self.client).await?;
            if message.kind != b'Q' {
                // A goodbye, or the extended protocol, which the product must not need.
                return message.write(&mut self.server).await;
            }
            let statement = message.text();
            self.shared.script().statements.push(statement.clone());
            if statement.starts_with("CREATE TABLE") {
                // Redshift takes keys and does not enforce them.
                message = Message::query(&statement.replace(" PRIMARY KEY", ""));
            }
            let is_commit = statement.trim().trim_end_matches(';').eq_ignore_ascii_case("commit");
            if is_commit && std::mem::take(&mut self.has_loaded) {
                let cut = self.shared.script().cuts.pop_front();
                if cut == Some(Cut::BeforeCommit) {
                    return Ok(());
                }
                message.write(&mut self.server).await?;
                let answer = self.answer().await?;
                if cut == Some(Cut::AfterCommit) {
                    return Ok(());
                }
                self.tell(&answer).await?;
            } else if is_copy(&statement) && self.state != b'E' {
                self.copy(&statement).await?;
            } else {
                message.write(&mut self.server).await?;
                let answer = self.answer().await?;
                self.tell(&answer).await?;
            }
        }
    }

    /// False when the server refused.
    async fn log_in(&mut self) -> io::Result<bool> {
        let mut first = startup(&mut self.client).await?;
        while ENCRYPTION.iter().any(|code| first == code) {
            self.client.write_all(b"N").await?;
            first = startup(&mut self.client).await?;
        }
        self.shared.script().logins += 1;
        let length = u32::try_from(first.len() + 4).map_err(io::Error::other)?;
        self.server.write_all(&length.to_be_bytes()).await?;
        self.server.write_all(&first).await?;
        loop {
            let message = Message::read(&mut self.server).await?;
            message.write(&mut self.client).await?;
            match message.kind {
                b'E' => return Ok(false),
                b'Z' => return Ok(true),
                // Neither "welcome" nor the end of SCRAM: the client has to answer.
                b'R' if !matches!(message.body.get(..4), Some([0, 0, 0, 0 | 12])) => {
                    Message::read(&mut self.client).await?.write(&mut self.server).await?;
                }
                _ => {}
            }
        }
    }

    /// All that the server says to one query.
    async fn answer(&mut self) -> io::Result<Vec<Message>> {
        let mut answer = Vec::new();
        loop {
            let message = Message::read(&mut self.server).await?;
            let is_last = message.kind == b'Z';
            if is_last {
                self.state = message.body.first().copied().unwrap_or(b'I');
            }
            answer.push(message);
            if is_last {
                return Ok(answer);
            }
        }
    }

    async fn tell(&mut self, messages: &[Message]) -> io::Result<()> {
        for message in messages {
            message.write(&mut self.client).await?;
        }
        Ok(())
    }

    async fn copy(&mut self, statement: &str) -> io::Result<()> {
        let mut flows = self.shared.flows.subscribe();
        flows.wait_for(|flows| *flows).await.map_err(io::Error::other)?;
        let answer = match self.load(statement).await? {
            Ok(count) => {
                self.has_loaded = true;
                let text = format!("Load into table completed, {count} record(s) loaded successfully.");
                vec![Message::info(&text), Message::new(b'C', *b"COPY\0")]
            }
            Err(Refusal { state, text }) => {
                // So that the transaction is over for PostgreSQL, too.
                Message::query("SELECT 1 / 0").write(&mut self.server).await?;
                self.answer().await?;
                vec![Message::error(state, &text)]
            }
        };
        self.tell(&answer).await?;
        Message::new(b'Z', [self.state]).write(&mut self.client).await
    }

    /// Rows loaded, or why none.
    async fn load(&mut self, statement: &str) -> io::Result<Result<u64, Refusal>> {
        let copy = match parse(statement) {
            Ok(copy) => copy,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if copy.role != ROLE {
            let text = format!(
                "User arn:aws:redshift:us-east-1:123456789012:dbuser:x is not authorized to assume IAM Role {}",
                copy.role
            );
            return Ok(Err(Refusal::new("XX000", text)));
        }
        let columns = match self.columns(&copy).await? {
            Ok(columns) => columns,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let contents = match load::objects(&copy, &self.shared.store).await {
            Ok(contents) => contents,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let mut rows = Vec::new();
        for content in &contents {
            match load::rows(&copy, &columns, content) {
                Ok(more) => rows.extend(more),
                Err(refusal) => return Ok(Err(refusal)),
            }
        }
        self.insert(&copy, &rows).await
    }

    /// Names of the columns that are loaded.
    async fn columns(&mut self, copy: &Copy) -> io::Result<Result<Vec<String>, Refusal>> {
        let columns = if copy.columns.is_empty() { "*" } else { &copy.columns };
        Message::query(&format!("SELECT {columns} FROM {} LIMIT 0", copy.table)).write(&mut self.server).await?;
        let answer = self.answer().await?;
        if let Some(error) = answer.iter().find(|message| message.kind == b'E') {
            return Ok(Err(refusal_of(error)));
        }
        Ok(Ok(answer.iter().find(|message| message.kind == b'T').map(Message::columns).unwrap_or_default()))
    }

    async fn insert(&mut self, copy: &Copy, rows: &[u8]) -> io::Result<Result<u64, Refusal>> {
        Message::query(&load::statement(copy)).write(&mut self.server).await?;
        let invitation = Message::read(&mut self.server).await?;
        if invitation.kind != b'G' {
            self.answer().await?;
            return Ok(Err(refusal_of(&invitation)));
        }
        for chunk in rows.chunks(CHUNK_BYTES) {
            Message::new(b'd', chunk).write(&mut self.server).await?;
        }
        Message::new(b'c', Vec::new()).write(&mut self.server).await?;
        let answer = self.answer().await?;
        if let Some(error) = answer.iter().find(|message| message.kind == b'E') {
            // Redshift refuses a missing value in words of its own, and all other rows in the same.
            let refusal = refusal_of(error);
            let is_null = refusal.state == "23502";
            let of_null = || Refusal::new("XX000", "Cannot insert a NULL value into column");
            return Ok(Err(if is_null { of_null() } else { load::failed(&copy.table) }));
        }
        let done = answer.iter().find(|message| message.kind == b'C').map(Message::text).unwrap_or_default();
        Ok(Ok(done.rsplit(' ').next().and_then(|count| count.parse().ok()).unwrap_or(0)))
    }
}

/// PostgreSQL's own error.
fn refusal_of(error: &Message) -> Refusal {
    let mut refusal = Refusal::new("XX000", "");
    for field in error.body.split(|byte| *byte == 0) {
        let Some((kind, text)) = field.split_first() else { continue };
        let text = String::from_utf8_lossy(text);
        match (kind, text.as_ref()) {
            (b'C', "42P01") => refusal.state = "42P01",
            (b'C', "42703") => refusal.state = "42703",
            (b'C', "42501") => refusal.state = "42501",
            (b'C', "3F000") => refusal.state = "3F000",
            (b'C', "23502") => refusal.state = "23502",
            (b'M', text) => refusal.text = text.to_owned(),
            _ => {}
        }
    }
    refusal
}
