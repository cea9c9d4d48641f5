//! Rebuilds the text that was signed, from the request as it arrived. Pure.

use hyper::header::{HeaderMap, HeaderName};

/// The canonical request of `POST /` without a query, or nothing when the list of signed headers cannot be trusted:
/// not in rising order, naming an absent header, or leaving out one that has a meaning.
pub(super) fn canonical_request(headers: &HeaderMap, signed_headers: &str, body_hash: &str) -> Option<Vec<u8>> {
    let names: Vec<&str> = signed_headers.split(';').collect();
    let rising = names.windows(2).all(|pair| pair[0] < pair[1]);
    let meaningful_are_signed =
        headers.keys().filter(|name| must_be_signed(name)).all(|name| names.binary_search(&name.as_str()).is_ok());
    if !rising || !meaningful_are_signed || names.binary_search(&"host").is_err() {
        return None;
    }
    let mut text = Vec::with_capacity(1024);
    text.extend_from_slice(b"POST\n/\n\n");
    for name in names {
        // Header names are lower-case in the map, so a name in another spelling is absent.
        let known = HeaderName::from_bytes(name.as_bytes()).ok().filter(|known| known.as_str() == name)?;
        text.extend_from_slice(name.as_bytes());
        text.push(b':');
        let mut values = headers.get_all(&known).iter();
        push_folded(&mut text, values.next()?.as_bytes());
        for value in values {
            text.push(b',');
            push_folded(&mut text, value.as_bytes());
        }
        text.push(b'\n');
    }
    text.push(b'\n');
    text.extend_from_slice(signed_headers.as_bytes());
    text.push(b'\n');
    text.extend_from_slice(body_hash.as_bytes());
    Some(text)
}

/// Headers that change what a request means, and so may not be added or altered on the way (row A5).
fn must_be_signed(name: &HeaderName) -> bool {
    let name = name.as_str();
    name.starts_with("x-amz-") || name == "host" || name == "content-type"
}

/// A value without blanks at its ends, and with each run of blanks inside as one.
fn push_folded(text: &mut Vec<u8>, value: &[u8]) {
    let mut pending_blank = false;
    for &byte in value.trim_ascii() {
        if byte == b' ' {
            pending_blank = true;
            continue;
        }
        if std::mem::take(&mut pending_blank) {
            text.push(b' ');
        }
        text.push(byte);
    }
}

/// Lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
