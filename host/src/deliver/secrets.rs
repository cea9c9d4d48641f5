//! What a destination logs in with: as given to the API, or from a folder in Secrets Manager's shape, read anew for
//! each attempt, so that a rotated secret serves from the next attempt on. Refuses names that lead out of the folder,
//! and never repeats what a secret file holds.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::definition::{Login, Secret};

/// Most bytes of a secret file: as many as Secrets Manager takes.
const SECRET_BYTES: u64 = 64 << 10;

/// Longest name that Secrets Manager gives, suffix included.
const NAME_BYTES: usize = 519;

/// The characters AWS appends to a secret's name in its ARN, after a hyphen.
const SUFFIX_BYTES: usize = 6;

/// Which members a stored secret has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretShape {
    /// `{"api_key": "…"}`, for HTTP endpoints.
    ApiKey,
    /// `{"hec_token": "…"}`, for Splunk.
    HecToken,
    /// `{"username": "…", "password": "…"}`, for Redshift and whatever else knows users.
    UserAndPassword,
}

/// What to log in with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// User name; empty where there is only a key or a token.
    pub user: String,
    /// Password, key or token; never empty.
    pub secret: Secret,
}

/// Why there is nothing to log in with. All of it can be mended while the stream waits.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The host has no folder of secrets.
    #[error("{arn} is stored, but the host has no folder of secrets: set secrets.dir")]
    NoFolder {
        /// As the stream names it.
        arn: String,
    },
    /// No secret's ARN.
    #[error("{arn} names no secret: write arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME")]
    Name {
        /// As the stream names it.
        arn: String,
    },
    /// No such file, or not one to read.
    #[error("{} cannot be read", file.display())]
    Unreadable {
        /// Where it was looked for.
        file: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// A file that does not hold what is needed.
    #[error("{} is not a JSON object whose members {members} are texts that are not empty", file.display())]
    Shape {
        /// The file.
        file: PathBuf,
        /// What was looked for.
        members: &'static str,
    },
}

/// Where stored secrets are found. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    folder: Option<Arc<Path>>,
}

impl Secrets {
    /// Looks into `folder`, if there is one.
    pub fn new(folder: Option<PathBuf>) -> Self {
        Self { folder: folder.map(Arc::from) }
    }

    /// What `login` stands for at this moment; none when nothing was configured.
    ///
    /// # Errors
    /// When a stored secret is not to be had.
    pub async fn login(&self, login: &Login, shape: SecretShape) -> Result<Option<Credential>, SecretError> {
        let arn = match login {
            Login::None => return Ok(None),
            Login::Given { user, secret } => {
                return Ok(Some(Credential { user: user.clone(), secret: secret.clone() }));
            }
            Login::Stored(arn) => arn,
        };
        let folder = self.folder.clone().ok_or_else(|| SecretError::NoFolder { arn: arn.clone() })?;
        let names = names(arn).ok_or_else(|| SecretError::Name { arn: arn.clone() })?;
        let place = folder.to_path_buf();
        // A folder may be on a network's disk; a thread that may wait reads it.
        match tokio::task::spawn_blocking(move || read(&folder, &names, shape)).await {
            Ok(credential) => credential.map(Some),
            Err(gone) => Err(SecretError::Unreadable { file: place, source: io::Error::other(gone) }),
        }
    }
}

/// Names the file may have, without `.json`: as the ARN has it, and without AWS's suffix.
fn names(arn: &str) -> Option<Vec<String>> {
    let (_, name) = arn.split_once(":secret:")?;
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"/_+=.@-".contains(&byte);
    let leads_down = name.split('/').all(|part| !part.is_empty() && part != "." && part != "..");
    if name.len() > NAME_BYTES || !name.bytes().all(is_legal) || !leads_down {
        return None;
    }
    let mut names = vec![name.to_owned()];
    if let Some((short, suffix)) = name.rsplit_once('-')
        && suffix.len() == SUFFIX_BYTES
        && suffix.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && !short.is_empty()
        && !short.ends_with('/')
    {
        names.push(short.to_owned());
    }
    Some(names)
}

fn read(folder: &Path, names: &[String], shape: SecretShape) -> Result<Credential, SecretError> {
    let mut missing = None;
    for name in names {
        let file = folder.join(format!("{name}.json"));
        match bytes(&file) {
            Ok(bytes) => {
                return credential(&bytes, shape).ok_or(SecretError::Shape { file, members: shape.members() });
            }
            Err(source) if source.kind() == io::ErrorKind::NotFound => {
                missing = Some(SecretError::Unreadable { file, source });
            }
            Err(source) => return Err(SecretError::Unreadable { file, source }),
        }
    }
    Err(missing.unwrap_or_else(|| SecretError::Unreadable {
        file: folder.to_owned(),
        source: io::Error::from(io::ErrorKind::NotFound),
    }))
}

fn bytes(file: &Path) -> io::Result<Vec<u8>> {
    // A pipe would hold the thread for as long as nobody writes.
    if !std::fs::metadata(file)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let mut bytes = Vec::new();
    File::open(file)?.take(SECRET_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > SECRET_BYTES {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "larger than 64 KiB"));
    }
    Ok(bytes)
}

/// The parser's own error would repeat what it read; ours does not.
fn credential(bytes: &[u8], shape: SecretShape) -> Option<Credential> {
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(bytes).ok()?;
    let member = |name: &str| object.get(name)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let (user, secret) = match shape {
        SecretShape::ApiKey => (String::new(), member("api_key")?),
        SecretShape::HecToken => (String::new(), member("hec_token")?),
        SecretShape::UserAndPassword => (member("username")?, member("password")?),
    };
    Some(Credential { user, secret: Secret::new(secret) })
}

impl SecretShape {
    fn members(self) -> &'static str {
        match self {
            Self::ApiKey => "\"api_key\"",
            Self::HecToken => "\"hec_token\"",
            Self::UserAndPassword => "\"username\" and \"password\"",
        }
    }
}

#[cfg(test)]
mod tests;
