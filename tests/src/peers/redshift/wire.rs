//! Messages of PostgreSQL's protocol, version 3: a type, a length, a body.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// No message of the tests is larger.
const MOST_BYTES: usize = 64 << 20;

/// One message.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) kind: u8,
    pub(super) body: Vec<u8>,
}

impl Message {
    pub(super) fn new(kind: u8, body: impl Into<Vec<u8>>) -> Self {
        Self { kind, body: body.into() }
    }

    /// A simple query.
    pub(super) fn query(text: &str) -> Self {
        Self::new(b'Q', with_end(text))
    }

    /// `ErrorResponse`.
    pub(super) fn error(state: &str, text: &str) -> Self {
        let mut body = Vec::new();
        for (field, value) in [(b'S', "ERROR"), (b'V', "ERROR"), (b'C', state), (b'M', text)] {
            body.push(field);
            body.extend(with_end(value));
        }
        body.push(0);
        Self::new(b'E', body)
    }

    /// `NoticeResponse`, of Redshift's level `INFO`.
    pub(super) fn info(text: &str) -> Self {
        let Self { body, .. } = Self::error("00000", text);
        Self::new(b'N', String::from_utf8_lossy(&body).replace("ERROR", "INFO").into_bytes())
    }

    pub(super) async fn read(from: &mut TcpStream) -> io::Result<Self> {
        let kind = from.read_u8().await?;
        Ok(Self { kind, body: body(from).await? })
    }

    pub(super) async fn write(&self, into: &mut TcpStream) -> io::Result<()> {
        let length = u32::try_from(self.body.len() + 4).map_err(io::Error::other)?;
        let mut bytes = vec![self.kind];
        bytes.extend(length.to_be_bytes());
        bytes.extend(&self.body);
        into.write_all(&bytes).await
    }

    /// The statement of a query.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(self.body.strip_suffix(&[0]).unwrap_or(&self.body)).into_owned()
    }

    /// Names of the columns that a `RowDescription` lists.
    pub(super) fn columns(&self) -> Vec<String> {
        let mut names = Vec::new();
        let mut rest = self.body.get(2..).unwrap_or_default();
        while let Some(end) = rest.iter().position(|byte| *byte == 0) {
            names.push(String::from_utf8_lossy(&rest[..end]).into_owned());
            // Behind each name: table, column, type, size, modifier, format.
            rest = rest.get(end + 1 + 18..).unwrap_or_default();
        }
        names
    }
}

/// The first message of a connection has no type.
pub(super) async fn startup(from: &mut TcpStream) -> io::Result<Vec<u8>> {
    body(from).await
}

async fn body(from: &mut TcpStream) -> io::Result<Vec<u8>> {
    let length = from.read_u32().await? as usize;
    let Some(length) = length.checked_sub(4).filter(|length| *length <= MOST_BYTES) else {
        return Err(io::Error::other("a message of impossible length"));
    };
    let mut body = vec![0; length];
    from.read_exact(&mut body).await?;
    Ok(body)
}

fn with_end(text: &str) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    bytes.push(0);
    bytes
}
