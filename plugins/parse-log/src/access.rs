//! Lines of Apache's and nginx's access logs: common, combined, and what servers append to them. Refuses to split a
//! request that is no request of HTTP: it is kept as it is.

use hydrant_plugin::Output;

use crate::line::{Fault, Rest, begin, count, name, number, text, unescape};
use crate::time::Moment;

/// One line.
#[derive(Debug)]
pub(crate) struct Access<'a> {
    host: Option<&'a [u8]>,
    client: &'a [u8],
    ident: Option<&'a [u8]>,
    user: Option<&'a [u8]>,
    moment: Moment<'a>,
    request: &'a [u8],
    status: u64,
    bytes: Option<u64>,
    /// Referer and agent, of the combined format.
    combined: Option<[&'a [u8]; 2]>,
    extra: &'a [u8],
}

impl<'a> Access<'a> {
    pub(crate) fn parse(line: &'a [u8]) -> Result<Self, Fault> {
        let wrong = |what| move || Fault::Access(what);
        // The user may hold blanks, so what is before the time is read from both ends.
        let open = line.windows(2).position(|pair| pair == b" [").ok_or_else(wrong("no time in brackets"))?;
        let (who, rest) = line.split_at(open);
        let (host, client, ident, user) = who_of(who).ok_or_else(wrong("no client, identity and user"))?;
        let mut rest = Rest(rest.get(2..).unwrap_or_default());
        let time = rest.until(b']').ok_or_else(wrong("the time has no closing bracket"))?;
        let moment = Moment::of_access(time).ok_or_else(wrong("the time is none"))?;
        let quoted = |rest: &mut Rest<'a>| rest.take(b" ").and_then(|()| rest.quoted());
        let request = quoted(&mut rest).ok_or_else(wrong("no request in quotes"))?;
        rest.take(b" ").ok_or_else(wrong("no status"))?;
        let status = rest.word().filter(|word| word.len() == 3).and_then(number).ok_or_else(wrong("no status"))?;
        let bytes = match rest.word().ok_or_else(wrong("no number of bytes"))? {
            b"-" => None,
            digits => Some(number(digits).ok_or_else(wrong("no number of bytes"))?),
        };
        let before = rest;
        let pair = rest.quoted().and_then(|referer| Some([referer, quoted(&mut rest)?]));
        let extra = if pair.is_some() { rest.0 } else { before.0 };
        Ok(Self {
            host,
            client,
            ident,
            user,
            moment,
            request,
            status,
            bytes,
            combined: pair,
            extra: extra.trim_ascii(),
        })
    }

    pub(crate) fn only_common(self) -> Result<Self, Fault> {
        let is_common = self.combined.is_none() && self.extra.is_empty();
        if is_common { Ok(self) } else { Err(Fault::Access("more follows the number of bytes")) }
    }

    pub(crate) fn only_combined(self) -> Result<Self, Fault> {
        if self.combined.is_some() { Ok(self) } else { Err(Fault::Access("no referer and agent in quotes")) }
    }

    pub(crate) fn write(&self, output: &mut Output) {
        begin(if self.combined.is_some() { "combined" } else { "common" }, output);
        output.push(name!("time").as_bytes());
        self.moment.write(output);
        text(name!("host"), self.host, output);
        text(name!("client"), Some(self.client), output);
        text(name!("ident"), self.ident, output);
        text(name!("user"), self.user.map(unescape).as_deref(), output);
        let request = unescape(self.request);
        match split_request(&request) {
            Some((method, path, protocol)) => {
                text(name!("method"), Some(method), output);
                text(name!("path"), Some(path), output);
                text(name!("protocol"), protocol, output);
            }
            None => text(name!("request"), said(&request), output),
        }
        count(name!("status"), Some(self.status), output);
        count(name!("bytes"), self.bytes, output);
        if let Some([referer, agent]) = self.combined {
            text(name!("referer"), said(referer).map(unescape).as_deref(), output);
            text(name!("agent"), said(agent).map(unescape).as_deref(), output);
        }
        text(name!("extra"), said(self.extra), output);
        output.push(b"}");
    }
}

/// Host, client, identity and user.
type Who<'a> = (Option<&'a [u8]>, &'a [u8], Option<&'a [u8]>, Option<&'a [u8]>);

fn who_of(words: &[u8]) -> Option<Who<'_>> {
    let mut rest = Rest(words);
    let mut client = rest.word()?;
    let mut host = None;
    // `host:port` stands before the client where one log serves several sites.
    if rest.0.iter().filter(|&&byte| byte == b' ').count() >= 2 && is_host_and_port(client) {
        host = Some(client);
        client = rest.word()?;
    }
    let ident = rest.word()?;
    if rest.0.is_empty() { None } else { Some((host, client, said(ident), said(rest.0))) }
}

fn is_host_and_port(word: &[u8]) -> bool {
    let mut parts = word.split(|&byte| byte == b':');
    let (host, port, more) = (parts.next(), parts.next(), parts.next());
    host.is_some_and(|host| !host.is_empty()) && port.is_some_and(|port| number(port).is_some()) && more.is_none()
}

/// Method, path and protocol.
type Request<'a> = (&'a [u8], &'a [u8], Option<&'a [u8]>);

fn split_request(request: &[u8]) -> Option<Request<'_>> {
    let (method, rest) = split_at_blank(request, request.iter().position(|&byte| byte == b' ')?);
    if method.is_empty() || rest.is_empty() || !method.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b'-') {
        return None;
    }
    if let Some(last) = rest.iter().rposition(|&byte| byte == b' ') {
        let (path, protocol) = split_at_blank(rest, last);
        return (protocol.starts_with(b"HTTP/") && !path.is_empty()).then_some((method, path, Some(protocol)));
    }
    Some((method, rest, None))
}

fn split_at_blank(text: &[u8], at: usize) -> (&[u8], &[u8]) {
    let (before, after) = text.split_at(at);
    (before, after.get(1..).unwrap_or_default())
}

/// A hyphen, or nothing, says that there is nothing to say.
fn said(text: &[u8]) -> Option<&[u8]> {
    Some(text).filter(|text| !text.is_empty() && *text != b"-")
}
