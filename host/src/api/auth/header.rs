//! Takes the headers that carry a signature apart; says what is missing in the service's words. Verifies nothing.

use hyper::header::{AUTHORIZATION, DATE, HeaderMap, HeaderName};
use jiff::tz::TimeZone;

use crate::api::error::{Fault, authentication};

/// What a signed request says about its signature.
#[derive(Debug)]
pub(super) struct Claim<'h> {
    /// First part of the credential.
    pub(super) access_key_id: &'h str,
    /// `YYYYMMDD` of the credential's scope.
    pub(super) date: &'h str,
    /// Region of the credential's scope.
    pub(super) region: &'h str,
    /// Service of the credential's scope.
    pub(super) service: &'h str,
    /// Last part of the credential, `aws4_request`.
    pub(super) terminator: &'h str,
    /// Names of signed headers, as given.
    pub(super) signed_headers: &'h str,
    /// Hexadecimal signature, as given.
    pub(super) signature: &'h str,
    /// When it was signed, `YYYYMMDD'T'HHMMSS'Z'`.
    pub(super) stamp: String,
    /// The same in seconds since 1970.
    pub(super) signed_seconds: i64,
}

/// Reads the claim of a request.
///
/// # Errors
/// `MissingAuthenticationTokenException`, `IncompleteSignatureException` or `InvalidSignatureException`.
pub(super) fn claim<'h>(headers: &'h HeaderMap, query: Option<&str>) -> Result<Claim<'h>, Fault> {
    let mut authorizations = headers.get_all(AUTHORIZATION).iter();
    let Some(authorization) = authorizations.next() else { return Err(missing_token()) };
    if query.is_some_and(|query| query.split('&').any(|pair| pair.split('=').next() == Some("X-Amz-Algorithm"))) {
        return Err(invalid(
            "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header.",
        ));
    }
    if authorizations.next().is_some() {
        return Err(invalid("Found more than one 'Authorization' HTTP header."));
    }
    let Ok(authorization) = authorization.to_str() else { return Err(invalid(MISMATCH)) };
    let fields = Fields::of(authorization);
    let stamp = single(headers, &X_AMZ_DATE).or_else(|| single(headers, &DATE));
    let (Some(credential), Some(signature), Some(signed_headers), Some(stamp)) =
        (fields.credential, fields.signature, fields.signed_headers, stamp)
    else {
        return Err(incomplete(&fields, stamp.is_some(), authorization));
    };
    let (stamp, signed_seconds) = parse_stamp(stamp).ok_or_else(|| {
        let shown: String = stamp.chars().take(64).collect();
        let text = format!(
            "Date must be in ISO-8601 'basic format'. Got '{shown}'. See http://en.wikipedia.org/wiki/ISO_8601"
        );
        authentication("IncompleteSignatureException", text)
    })?;
    if fields.algorithm != ALGORITHM || !fields.well_formed {
        return Err(invalid(MISMATCH));
    }
    let mut scope = credential.rsplitn(5, '/');
    let mut part = || scope.next().unwrap_or_default();
    let (terminator, service, region, date, access_key_id) = (part(), part(), part(), part(), part());
    if access_key_id.is_empty() {
        let text = format!(
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '{credential}'"
        );
        return Err(authentication("IncompleteSignatureException", text));
    }
    Ok(Claim { access_key_id, date, region, service, terminator, signed_headers, signature, stamp, signed_seconds })
}

/// The one algorithm.
pub(super) const ALGORITHM: &str = "AWS4-HMAC-SHA256";

pub(super) static X_AMZ_DATE: HeaderName = HeaderName::from_static("x-amz-date");

/// What every wrong signature is told, whatever is wrong with it.
pub(super) const MISMATCH: &str = "The request signature we calculated does not match the signature you provided. \
    Check your AWS Secret Access Key and signing method. Consult the service documentation for details.";

pub(super) fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> Fault {
    authentication("InvalidSignatureException", message)
}

fn missing_token() -> Fault {
    authentication("MissingAuthenticationTokenException", "Missing Authentication Token")
}

fn incomplete(fields: &Fields<'_>, dated: bool, authorization: &str) -> Fault {
    let mut text = String::new();
    for (name, present) in [
        ("Credential", fields.credential.is_some()),
        ("Signature", fields.signature.is_some()),
        ("SignedHeaders", fields.signed_headers.is_some()),
    ] {
        if !present {
            text.push_str(&format!("Authorization header requires '{name}' parameter. "));
        }
    }
    if !dated {
        text.push_str("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ");
    }
    text.push_str("Authorization=");
    text.push_str(authorization);
    authentication("IncompleteSignatureException", text)
}

/// A header that stands there exactly once.
fn single<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

struct Fields<'h> {
    algorithm: &'h str,
    credential: Option<&'h str>,
    signature: Option<&'h str>,
    signed_headers: Option<&'h str>,
    /// Exactly the three known fields, with a comma and blanks between them.
    well_formed: bool,
}

impl<'h> Fields<'h> {
    /// Finds the fields however they are separated, because the service names what is missing even then.
    fn of(authorization: &'h str) -> Self {
        let (algorithm, rest) = authorization.split_once(' ').unwrap_or((authorization, ""));
        let well_formed = rest.split(',').map(str::trim_start).filter(|field| is_field(field)).count() == 3
            && rest.split(',').count() == 3;
        let mut fields = Self { algorithm, credential: None, signature: None, signed_headers: None, well_formed };
        for (name, value) in rest.split([',', ' ']).filter_map(|field| field.split_once('=')) {
            let field = match name {
                "Credential" => &mut fields.credential,
                "Signature" => &mut fields.signature,
                "SignedHeaders" => &mut fields.signed_headers,
                _ => continue,
            };
            fields.well_formed &= field.is_none();
            *field = Some(value);
        }
        fields
    }
}

fn is_field(text: &str) -> bool {
    text.contains('=') && !text.contains(' ')
}

/// Accepts ISO 8601's basic format, and an RFC 2822 date as the `Date` header has it.
fn parse_stamp(text: &str) -> Option<(String, i64)> {
    let basic = text.len() == 16 && text.is_ascii() && text.ends_with('Z');
    let moment = if basic {
        let civil = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", text).ok()?;
        civil.to_zoned(TimeZone::UTC).ok()?.timestamp()
    } else {
        jiff::fmt::rfc2822::parse(text).ok()?.timestamp()
    };
    Some((stamp_of(moment), moment.as_second()))
}

/// A moment in ISO 8601's basic format.
pub(super) fn stamp_of(moment: jiff::Timestamp) -> String {
    moment.strftime("%Y%m%dT%H%M%SZ").to_string()
}
