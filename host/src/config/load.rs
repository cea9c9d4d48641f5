//! From a file to [`Settings`]: what each key means, and what keys mean together. Refuses to guess: a value is legal or
//! a problem.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::SecretString;

use super::document::{Document, Wrong};
use super::keys;
use super::report::{Effective, Reason};
use super::{
    AddressRange, Admin, Api, Authentication, Catalog, ConfigError, Credential, Egress, Environment, Journal, Level,
    Log, LogFormat, Memory, Overflow, Partitions, Redshift, Report, S3, S3Endpoint, Secrets, Settings, Shutdown,
};

mod search;

/// Most bytes of a configuration file or a secret file: a wrong path must not fill the memory.
const FILE_BYTES: u64 = 1 << 20;

/// Settings, and why they are what they are.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What the host obeys.
    pub settings: Settings,
    /// What `check` shows.
    pub report: Report,
}

/// Reads and checks `file`. Relative paths in it start at its directory, because a service's working directory is an
/// accident of how it was started.
pub fn load(file: &Path, environment: &dyn Environment) -> Result<Loaded, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable { file: file.to_owned(), source };
    let text = read(file).map_err(unreadable)?;
    let absolute = std::path::absolute(file).map_err(unreadable)?;
    parse(&text, &absolute, environment)
}

/// Checks the `text` of `file`, which must be an absolute path.
pub fn parse(text: &str, file: &Path, environment: &dyn Environment) -> Result<Loaded, ConfigError> {
    let base = file.parent().unwrap_or(Path::new("/")).to_owned();
    let mut loader = Loader { document: Document::new(text), base: base.clone(), environment };
    let settings = if loader.document.problems.is_empty() { loader.settings() } else { None };
    let mut problems = loader.document.problems;
    problems.sort_by_key(|problem| problem.line);
    match settings {
        Some(settings) if problems.is_empty() => {
            let report = Report { file: file.to_owned(), relative_to: base, values: loader.document.values };
            Ok(Loaded { settings, report })
        }
        _ => Err(ConfigError::Invalid { file: file.to_owned(), problems }),
    }
}

pub(super) struct Loader<'a> {
    pub(super) document: Document,
    base: PathBuf,
    environment: &'a dyn Environment,
}

impl Loader<'_> {
    /// Reads every key even after a problem; `None` only when one of them has no usable value.
    fn settings(&mut self) -> Option<Settings> {
        let data_dir = self.path(&keys::DATA_DIR);
        let plugin_dir = self.path(&keys::PLUGIN_DIR);
        let region = self.document.text(&keys::REGION, region);
        let account_id = self.document.text(&keys::ACCOUNT_ID, account_id);
        let api = self.api(account_id.as_deref());
        let admin = self.document.text(&keys::ADMIN_LISTEN, address).map(|listen| Admin { listen });
        let s3 = self.s3();
        let egress = self.egress();
        let catalog = self.catalog();
        let retry = Duration::from_secs(self.document.number(&keys::REDSHIFT_RETRY_SECONDS));
        let secrets = Secrets { dir: self.path(&keys::SECRETS_DIR) };
        let opensearch = self.opensearch(account_id.as_deref());
        let journal = self.journal();
        let partitions = self.partitions();
        let memory = Memory { budget_bytes: self.document.number(&keys::MEMORY_BUDGET_BYTES) };
        let plugins = self.plugins();
        let grace = Duration::from_secs(self.document.number(&keys::SHUTDOWN_GRACE_SECONDS));
        let log = self.log();
        self.refuse_shared_address(api.as_ref(), admin.as_ref(), s3.as_ref());
        self.document.refuse_leftovers();
        Some(Settings {
            data_dir: data_dir?,
            plugin_dir: plugin_dir?,
            region: region?,
            account_id: account_id?,
            api: api?,
            admin: admin?,
            s3: s3?,
            egress,
            catalog,
            redshift: Redshift { retry },
            secrets,
            opensearch,
            journal,
            memory,
            partitions: partitions?,
            plugins,
            shutdown: Shutdown { grace },
            log: log?,
        })
    }

    fn api(&mut self, account_id: Option<&str>) -> Option<Api> {
        let listen = self.document.text(&keys::API_LISTEN, address);
        let line = self.document.line_of(keys::API_AUTHENTICATION.path);
        let signed = self.document.text(&keys::API_AUTHENTICATION, |text| match text {
            "sigv4" => Ok(true),
            "none" => Ok(false),
            other => Err(Wrong::new(format!("\"{other}\" is not a way to authenticate"), r#"write "sigv4" or "none""#)),
        });
        let before = self.document.problems.len();
        let tables = self.document.tables(&keys::API_CREDENTIALS);
        let count = tables.len();
        let credentials: Vec<Credential> =
            tables.into_iter().filter_map(|(path, line)| self.credential(&path, line, account_id)).collect();
        self.refuse_repeated_keys(&credentials);
        let path = keys::API_AUTHENTICATION.path;
        match (signed, listen) {
            (Some(false), Some(listen)) if !listen.ip().is_loopback() => {
                let what = format!("\"none\" would let anybody who reaches {listen} write and delete");
                let hint = r#"listen on 127.0.0.1, or write authentication = "sigv4" and add [[api.credentials]]"#;
                self.document.problem(path, line, Wrong::new(what, hint));
                None
            }
            (Some(false), Some(listen)) => Some(Api { listen, authentication: Authentication::None }),
            (Some(true), _) if count == 0 && before == self.document.problems.len() => {
                let what = "\"sigv4\" without credentials would refuse everybody";
                let hint = r#"add [[api.credentials]] with access_key_id and secret_access_key_env, or on loopback write authentication = "none""#;
                self.document.problem(path, line, Wrong::new(what, hint));
                None
            }
            (Some(true), Some(listen)) => Some(Api { listen, authentication: Authentication::Sigv4(credentials) }),
            _ => None,
        }
    }

    fn credential(&mut self, path: &str, line: usize, default_account: Option<&str>) -> Option<Credential> {
        let access_key_id = self.access_key_id(path, line);
        let secret = self.secret(path, line, "secret_access_key");
        let account = self.account(path, default_account);
        Some(Credential { access_key_id: access_key_id?, secret_access_key: secret?, account_id: account? })
    }

    /// The account that one credential belongs to: the host's own, unless the table names another.
    fn account(&mut self, table: &str, default_account: Option<&str>) -> Option<String> {
        let path = format!("{table}.account_id");
        match self.document.take_text(&path) {
            Some((text, line)) => match account_id(&text) {
                Ok(account) => {
                    self.document.show(&path, account.clone(), Reason::Line(line));
                    Some(account)
                }
                Err(wrong) => {
                    self.document.problem(&path, Some(line), wrong);
                    None
                }
            },
            None => {
                let account = default_account?.to_owned();
                let reason = Reason::Default("account_id above".to_owned());
                self.document.show(&path, account.clone(), reason);
                Some(account)
            }
        }
    }

    fn access_key_id(&mut self, table: &str, line: usize) -> Option<String> {
        let path = format!("{table}.access_key_id");
        let hint = "give 3 to 128 letters, digits or underscores";
        match (self.document.line_of(&path), self.document.take_text(&path)) {
            (_, Some((text, line))) => {
                let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
                if (3..=128).contains(&text.len()) && text.bytes().all(word) {
                    self.document.show(&path, text.clone(), Reason::Line(line));
                    return Some(text);
                }
                self.document.problem(&path, Some(line), Wrong::new("not an access key id", hint));
            }
            (None, None) => self.document.problem(&path, Some(line), Wrong::new("missing", hint)),
            (Some(_), None) => {}
        }
        None
    }

    /// The secret `name` of one credential, from the variable or the file that the table names.
    fn secret(&mut self, table: &str, line: usize, name: &str) -> Option<SecretString> {
        let (variable_path, file_path) = (format!("{table}.{name}_env"), format!("{table}.{name}_file"));
        let mistyped = self.document.problems.len();
        let variable = self.document.take_text(&variable_path);
        let file = self.document.take_text(&file_path);
        if self.document.problems.len() > mistyped {
            return None;
        }
        let (path, line, found, place) = match (variable, file) {
            (Some((name, line)), None) => {
                let found = self.environment.variable(&name).ok_or(format!("environment variable {name} is not set"));
                (variable_path, line, found, format!("environment variable {name}"))
            }
            (None, Some((name, line))) => {
                let file = self.base.join(&name);
                let found = read(&file).map_err(|error| format!("cannot read {}: {error}", file.display()));
                (file_path, line, found, file.display().to_string())
            }
            (Some(_), Some((_, line))) => {
                let wrong = Wrong::new("a second place for the same secret", "keep one of the two");
                self.document.problem(&file_path, Some(line), wrong);
                return None;
            }
            (None, None) => {
                let hint = format!("name an environment variable here, or a file in {name}_file");
                self.document.problem(&variable_path, Some(line), Wrong::new("missing", hint));
                return None;
            }
        };
        let hint = "put the secret there and nothing else";
        let wrong = match found {
            Ok(secret) => match secret.trim_end_matches(['\r', '\n']) {
                "" => Wrong::new(format!("{place} is empty"), hint),
                secret if secret.contains(['\r', '\n']) => Wrong::new(format!("{place} holds several lines"), hint),
                secret => {
                    self.document.show(&path, format!("(secret from {place})"), Reason::Line(line));
                    return Some(SecretString::from(secret));
                }
            },
            Err(what) => Wrong::new(what, hint),
        };
        self.document.problem(&path, Some(line), wrong);
        None
    }

    fn refuse_repeated_keys(&mut self, credentials: &[Credential]) {
        for (at, credential) in credentials.iter().enumerate() {
            let same = |other: &Credential| other.access_key_id == credential.access_key_id;
            if credentials.iter().take(at).any(same) {
                let what = format!("{} is there twice", credential.access_key_id);
                self.document.problem(
                    keys::API_CREDENTIALS.path,
                    None,
                    Wrong::new(what, "give every credential an access key id of its own"),
                );
            }
        }
    }

    fn s3(&mut self) -> Option<S3> {
        let before = self.document.problems.len();
        let endpoint = self.document.text(&keys::S3_ENDPOINT, |text| match text {
            "embedded" => Ok(S3Endpoint::Embedded),
            text => url(text, r#"write "embedded", a URL such as "http://127.0.0.1:9000", or leave it out for AWS"#)
                .map(S3Endpoint::Url),
        });
        let endpoint_is_legal = before == self.document.problems.len();
        let path_style = self.document.flag(&keys::S3_PATH_STYLE);
        let listen = self.document.text(&keys::S3_LISTEN, |text| {
            let listen = address(text)?;
            let what = format!("{listen} is not on loopback, and the embedded server is for this machine only");
            if listen.ip().is_loopback() { Ok(listen) } else { Err(Wrong::new(what, "listen on 127.0.0.1")) }
        });
        let timeout = Duration::from_secs(self.document.number(&keys::S3_TIMEOUT_SECONDS));
        let part_bytes = self.document.number(&keys::S3_PART_BYTES);
        let bucket_owner_full_control = self.document.flag(&keys::S3_BUCKET_OWNER_FULL_CONTROL);
        if !endpoint_is_legal {
            return None;
        }
        let endpoint = endpoint.unwrap_or(S3Endpoint::Aws);
        Some(S3 { endpoint, path_style, listen: listen?, timeout, part_bytes, bucket_owner_full_control })
    }

    fn egress(&mut self) -> Egress {
        let allow = self.document.list(&keys::EGRESS_ALLOW, |text| {
            text.parse::<AddressRange>()
                .map_err(|error| Wrong::new(format!("\"{text}\": {error}"), "write a range such as 10.0.0.0/8"))
        });
        let plaintext = self.document.flag(&keys::EGRESS_PLAINTEXT);
        let ca_file = self.path(&keys::EGRESS_CA_FILE);
        if let Some(file) = &ca_file
            && let Err(error) = fs::File::open(file)
        {
            let wrong = Wrong::new(format!("cannot read {}: {error}", file.display()), "name a readable PEM file");
            let line = self.document.values.iter().rev().find_map(line_of(keys::EGRESS_CA_FILE.path));
            self.document.problem(keys::EGRESS_CA_FILE.path, line, wrong);
        }
        let resolve = self.document.map(&keys::EGRESS_RESOLVE, |text| {
            text.parse::<IpAddr>()
                .map_err(|_| Wrong::new(format!("\"{text}\" is not an IP address"), r#"write "NAME" = "127.0.0.1""#))
        });
        Egress { allow, plaintext, ca_file, resolve }
    }

    fn catalog(&mut self) -> Option<Catalog> {
        let directory = self.path(&keys::CATALOG_DIR);
        let second = self.document.line_of(keys::CATALOG_ENDPOINT.path);
        let hint = r#"write a URL such as "http://127.0.0.1:4566""#;
        let endpoint = self.document.text(&keys::CATALOG_ENDPOINT, |text| url(text, hint));
        match (directory, endpoint) {
            (Some(_), Some(_)) => {
                let wrong = Wrong::new("a second place for the same tables", "keep catalog.dir or catalog.endpoint");
                self.document.problem(keys::CATALOG_ENDPOINT.path, second, wrong);
                None
            }
            (Some(directory), None) => Some(Catalog::Directory(directory)),
            (None, Some(endpoint)) => Some(Catalog::Endpoint(endpoint)),
            (None, None) => None,
        }
    }

    fn journal(&mut self) -> Journal {
        let line = self.document.line_of(keys::JOURNAL_SEGMENT_BYTES.path);
        let capacity_bytes = self.document.number(&keys::JOURNAL_CAPACITY_BYTES);
        let segment_bytes = self.document.number(&keys::JOURNAL_SEGMENT_BYTES);
        // One segment is written while others are read, copied forward or freed.
        if segment_bytes > capacity_bytes / 4 {
            let wrong = Wrong::new(
                format!("segments of {segment_bytes} bytes leave fewer than four in {capacity_bytes} bytes"),
                "make segments smaller or journal.capacity_bytes larger",
            );
            self.document.problem(keys::JOURNAL_SEGMENT_BYTES.path, line, wrong);
        }
        Journal { capacity_bytes, segment_bytes, cache_bytes: self.document.number(&keys::JOURNAL_CACHE_BYTES) }
    }

    fn partitions(&mut self) -> Option<Partitions> {
        let active_count = self.document.number(&keys::PARTITIONS_ACTIVE_COUNT);
        let overflow = self.document.text(&keys::PARTITIONS_OVERFLOW, |text| match text {
            "refuse" => Ok(Overflow::Refuse),
            "cut" => Ok(Overflow::Cut),
            other => Err(Wrong::new(
                format!("\"{other}\" is nothing to do with a partition too many"),
                r#"write "refuse" or "cut""#,
            )),
        });
        Some(Partitions { active_count, overflow: overflow? })
    }

    fn log(&mut self) -> Option<Log> {
        let format = self.document.text(&keys::LOG_FORMAT, |text| match text {
            "human" => Ok(LogFormat::Human),
            "json" => Ok(LogFormat::Json),
            other => Err(Wrong::new(format!("\"{other}\" is not a format"), r#"write "human" or "json""#)),
        });
        let level = self.document.text(&keys::LOG_LEVEL, |text| match text {
            "error" => Ok(Level::Error),
            "warn" => Ok(Level::Warn),
            "info" => Ok(Level::Info),
            "debug" => Ok(Level::Debug),
            "trace" => Ok(Level::Trace),
            other => Err(Wrong::new(
                format!("\"{other}\" is not a level"),
                r#"write "error", "warn", "info", "debug" or "trace""#,
            )),
        });
        Some(Log { format: format?, level: level? })
    }

    fn path(&mut self, key: &keys::Key) -> Option<PathBuf> {
        let base = self.base.clone();
        let path = self.document.text(key, |text| match text {
            "" => Err(Wrong::new("an empty path", "name a file or directory, or leave the key out")),
            text => Ok(base.join(text)),
        })?;
        // What is shown is what is used: the whole path.
        if let Some(shown) = self.document.values.last_mut() {
            shown.value = path.display().to_string();
        }
        Some(path)
    }

    fn refuse_shared_address(&mut self, api: Option<&Api>, admin: Option<&Admin>, s3: Option<&S3>) {
        let (Some(api), Some(admin), Some(s3)) = (api, admin, s3) else { return };
        let mut taken = vec![(keys::API_LISTEN.path, api.listen), (keys::ADMIN_LISTEN.path, admin.listen)];
        if s3.endpoint == S3Endpoint::Embedded {
            taken.push((keys::S3_LISTEN.path, s3.listen));
        }
        for (at, (path, address)) in taken.iter().enumerate() {
            let same = |(_, other): &&(&str, SocketAddr)| other == address && address.port() != 0;
            if let Some((first, _)) = taken.iter().take(at).find(same) {
                let line = self.document.values.iter().find_map(line_of(path));
                let wrong = Wrong::new(format!("{address} is taken by {first}"), "choose another port");
                self.document.problem(path, line, wrong);
            }
        }
    }
}

fn line_of(path: &str) -> impl Fn(&Effective) -> Option<usize> {
    move |value| match value.reason {
        Reason::Line(line) if value.key == path => Some(line),
        _ => None,
    }
}

fn address(text: &str) -> Result<SocketAddr, Wrong> {
    let hint = "give an IP address and a port, such as 127.0.0.1:4573";
    text.parse().map_err(|_| Wrong::new(format!("\"{text}\" is not an address to listen on"), hint))
}

fn region(text: &str) -> Result<String, Wrong> {
    let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if (1..=64).contains(&text.len()) && text.bytes().all(legal) {
        return Ok(text.to_owned());
    }
    Err(Wrong::new(format!("\"{text}\" is not a region"), "write a region such as us-east-1"))
}

fn account_id(text: &str) -> Result<String, Wrong> {
    if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(text.to_owned());
    }
    Err(Wrong::new(format!("\"{text}\" is not an account id"), "give twelve digits, in quotes"))
}

fn url(text: &str, hint: &str) -> Result<String, Wrong> {
    let host = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    let parsed = text.parse::<hyper::Uri>().ok().filter(|uri| uri.host().is_some_and(|host| !host.is_empty()));
    match (host, parsed) {
        // A password in a URL would be shown by `check`, so it is neither taken nor repeated.
        (Some(_), Some(uri)) if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) => {
            Err(Wrong::new("a URL with a user name or password", hint))
        }
        (Some(_), Some(_)) => Ok(text.trim_end_matches('/').to_owned()),
        _ if text.contains('@') => Err(Wrong::new("not a URL", hint)),
        _ => Err(Wrong::new(format!("\"{text}\" is not a URL"), hint)),
    }
}

fn read(file: &Path) -> std::io::Result<String> {
    use std::io::Read;

    let mut text = String::new();
    let read = fs::File::open(file)?.take(FILE_BYTES + 1).read_to_string(&mut text)?;
    if read as u64 > FILE_BYTES {
        return Err(std::io::Error::new(std::io::ErrorKind::FileTooLarge, "larger than 1 MiB"));
    }
    Ok(text)
}
