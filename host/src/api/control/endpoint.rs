//! Addresses of servers that a caller may name, as far as they can be judged without asking anybody.
//!
//! What a name resolves to is checked when it is connected to, not here.

use hyper::Uri;

use crate::api::error::{Fault, invalid_argument};
use crate::api::settings::Rules;

/// Checks that `text` is an address that requests can go to.
///
/// # Errors
/// `InvalidArgumentException`, which names the `member` and not the text: keys are found in addresses.
pub(super) fn check(text: &str, member: &str, rules: &Rules) -> Result<(), Fault> {
    let uri: Uri = text.parse().map_err(|_| invalid_argument(format!("{member} is not a URL.")))?;
    let is_allowed = match uri.scheme_str() {
        Some("https") => true,
        Some("http") => rules.plaintext,
        _ => false,
    };
    if !is_allowed {
        let remedy = "http:// needs egress.plaintext in the host's configuration";
        return Err(invalid_argument(format!("{member} must begin with https:// ({remedy}).")));
    }
    let authority = uri.authority().map(|authority| authority.as_str()).unwrap_or_default();
    if authority.contains('@') || text.contains('#') {
        return Err(invalid_argument(format!("{member} must not contain a user name or a fragment.")));
    }
    let host = uri.host().unwrap_or_default();
    let has_port = authority.len() > host.len();
    if host.is_empty() || (has_port && uri.port_u16().unwrap_or(0) == 0) {
        return Err(invalid_argument(format!(
            "{member} must name a host and, behind a colon, a port from 1 to 65535."
        )));
    }
    Ok(())
}

/// The same for the address of a service: without a query, and without final slashes.
///
/// # Errors
/// As [`check`].
pub(super) fn base(text: &str, member: &str, rules: &Rules) -> Result<String, Fault> {
    check(text, member, rules)?;
    if text.contains('?') {
        return Err(invalid_argument(format!("{member} must not contain a query.")));
    }
    Ok(text.trim_end_matches('/').to_owned())
}
