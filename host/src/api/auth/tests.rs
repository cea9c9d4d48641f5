//! The verifier against the SDK's own signer, against mutants, and word by word (rows A4 to A7).

use std::time::{Duration, UNIX_EPOCH};

use aws_sdk_firehose::config::Credentials;
use aws_sigv4::http_request::{PayloadChecksumKind, SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use aws_smithy_runtime_api::client::identity::Identity;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};

use super::Verifier;
use super::canonical::hex;
use super::verify::derive;
use crate::api::error::Fault;
use crate::api::settings::{Authentication, Credential};

const KEY: &str = "AKIDEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const ACCOUNT: &str = "123456789012";
const REGION: &str = "eu-west-1";
/// 21 November 2026, 05:00:00 UTC.
const NOW: u64 = 1_795_237_200;

fn verifier() -> Verifier {
    let credential = |id: &str, secret: &str, account: &str| Credential {
        access_key_id: id.to_owned(),
        secret: secret.into(),
        account_id: account.to_owned(),
    };
    let credentials = vec![credential("OTHER", "other secret", "000000000000"), credential(KEY, SECRET, ACCOUNT)];
    Verifier::new(&Authentication::Sigv4(credentials), REGION)
}

/// How a request is signed.
#[derive(Clone)]
struct Signer {
    key: &'static str,
    secret: &'static str,
    region: &'static str,
    service: &'static str,
    seconds: u64,
    checksum: bool,
    token: Option<&'static str>,
}

const HONEST: Signer = Signer {
    key: KEY,
    secret: SECRET,
    region: REGION,
    service: "firehose",
    seconds: NOW,
    checksum: false,
    token: None,
};

impl Signer {
    fn sign(&self, headers: &[(&str, &str)], body: &[u8]) -> HeaderMap {
        let token = self.token.map(str::to_owned);
        let identity: Identity = Credentials::new(self.key, self.secret, token, None, "test").into();
        let mut settings = SigningSettings::default();
        if self.checksum {
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        }
        let params = SigningParams::builder()
            .identity(&identity)
            .region(self.region)
            .name(self.service)
            .time(UNIX_EPOCH + Duration::from_secs(self.seconds))
            .settings(settings)
            .build()
            .unwrap()
            .into();
        let url = "http://firehose.example/";
        let request = SignableRequest::new("POST", url, headers.iter().copied(), SignableBody::Bytes(body)).unwrap();
        let (instructions, _) = sign(request, &params).unwrap().into_parts();
        let mut signed = HeaderMap::new();
        signed.insert("host", HeaderValue::from_static("firehose.example"));
        for (name, value) in headers.iter().copied().chain(instructions.headers()) {
            signed.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap());
        }
        signed
    }
}

const USUAL: &[(&str, &str)] =
    &[("content-type", "application/x-amz-json-1.1"), ("x-amz-target", "Firehose_20150804.PutRecord")];

fn judge(headers: &HeaderMap, body: &[u8], now: u64) -> Result<String, Fault> {
    verifier().account(headers, None, body, now * 1000 + 999).map(str::to_owned)
}

/// A request of random headers and body, as names, values and bytes.
fn random_request(rng: &mut fastrand::Rng) -> (Vec<(String, String)>, Vec<u8>) {
    let mut headers = vec![
        ("content-type".to_owned(), "application/x-amz-json-1.1".to_owned()),
        ("x-amz-target".to_owned(), format!("Firehose_20150804.{}", rng.u32(..))),
    ];
    for at in 0..rng.usize(..6) {
        let prefix = if rng.bool() { "x-amz-meta" } else { "x-other" };
        let visible = |rng: &mut fastrand::Rng| char::from(rng.u8(33..127));
        let mut value: String =
            (0..rng.usize(1..30)).map(|_| if rng.u8(..6) == 0 { ' ' } else { visible(rng) }).collect();
        value.insert(0, visible(rng));
        value.push(visible(rng));
        headers.push((format!("{prefix}-{at}"), value));
    }
    let body = (0..rng.usize(..300)).map(|_| rng.u8(..)).collect();
    (headers, body)
}

/// G11, A4: 10,000 random requests that the SDK signed are accepted, and 40,000 with one change are not.
#[test]
fn agrees_with_the_sdk_and_accepts_no_mutant() {
    let verifier = verifier();
    let mut rng = fastrand::Rng::with_seed(11);
    for round in 0..10_000 {
        let (headers, body) = random_request(&mut rng);
        let borrowed: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let seconds = NOW - 290 + rng.u64(..580);
        let signed = Signer { checksum: rng.bool(), seconds, ..HONEST }.sign(&borrowed, &body);
        let judged = verifier.account(&signed, None, &body, NOW * 1000);
        assert_eq!(judged.as_deref(), Ok(ACCOUNT), "seed 11, round {round}: {signed:?}");
        for _ in 0..4 {
            let (mut headers, mut body) = (signed.clone(), body.clone());
            let change = mutate(&mut rng, &mut headers, &mut body);
            let judged = verifier.account(&headers, None, &body, NOW * 1000);
            assert!(judged.is_err(), "seed 11, round {round}, {change}: {headers:?}");
        }
    }
}

/// Makes one change that alters what the request means.
fn mutate(rng: &mut fastrand::Rng, headers: &mut HeaderMap, body: &mut Vec<u8>) -> String {
    let names: Vec<HeaderName> = headers.keys().cloned().collect();
    let name = rng.choice(names).unwrap();
    match rng.u8(..6) {
        0 => {
            body.push(rng.u8(..));
            "a byte more".to_owned()
        }
        1 if !body.is_empty() => {
            let at = rng.usize(..body.len());
            body[at] ^= 1 << rng.u8(..8);
            format!("bit flipped at {at}")
        }
        2 => {
            headers.remove(&name);
            format!("{name} removed")
        }
        3 => {
            headers.append(&name, HeaderValue::from_static("more"));
            format!("{name} doubled")
        }
        4 => {
            headers.insert(HeaderName::from_static("x-amz-added"), HeaderValue::from_static("1"));
            "header added".to_owned()
        }
        _ => {
            let mut value = headers[&name].as_bytes().to_vec();
            let at = rng.usize(..value.len());
            let old = value[at];
            // One more or one less blank among blanks is not a change: signing folds them.
            let blanks = if name == "authorization" { 32 } else { 33 };
            while value[at] == old {
                value[at] = rng.u8(blanks..127);
            }
            if old == b' ' && name != "authorization" {
                value.fill(b'=');
            }
            headers.insert(&name, HeaderValue::from_bytes(&value).unwrap());
            format!("{name} altered at {at}")
        }
    }
}

/// The signing key that AWS's documentation of Signature Version 4 derives.
#[test]
fn derives_the_published_signing_key() {
    let key = derive(SECRET, "20120215", "us-east-1", "iam");
    assert_eq!(hex(&key), "f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d");
}

const MISMATCH: &str = "The request signature we calculated does not match the signature you provided. Check your AWS \
    Secret Access Key and signing method. Consult the service documentation for details.";

fn check(headers: &HeaderMap, kind: &str, message: &str) {
    let fault = judge(headers, b"{}", NOW).unwrap_err();
    assert_eq!(
        (fault.kind, fault.message.as_deref(), fault.status.as_u16()),
        (kind, Some(message), 400),
        "{headers:?}"
    );
}

#[test]
fn what_is_missing_is_named() {
    let mut headers = HeaderMap::new();
    check(&headers, "MissingAuthenticationTokenException", "Missing Authentication Token");
    headers.insert("authorization", HeaderValue::from_static("X"));
    let all = "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' \
        parameter. Authorization header requires 'SignedHeaders' parameter. Authorization header requires existence of \
        either a 'X-Amz-Date' or a 'Date' header. Authorization=X";
    check(&headers, "IncompleteSignatureException", all);
    headers.insert("date", HeaderValue::from_static("a"));
    for text in ["AWS4- Signature=b Credential=a", "AWS4- Signature=b,Credential=a", "AWS4- Signature=b, Credential=a"]
    {
        headers.insert("authorization", HeaderValue::from_static(text));
        let message = format!("Authorization header requires 'SignedHeaders' parameter. Authorization={text}");
        check(&headers, "IncompleteSignatureException", &message);
    }
}

/// Row A7: an unknown key and a wrong secret are told as the service tells them.
#[test]
fn wrong_keys_secrets_and_scopes_are_refused() {
    let refused =
        |signer: Signer, message: &str| check(&signer.sign(USUAL, b"{}"), "InvalidSignatureException", message);
    refused(Signer { secret: "wrong", ..HONEST }, MISMATCH);
    refused(
        Signer { region: "us-east-1", ..HONEST },
        "Credential should be scoped to a valid region, not 'us-east-1'. ",
    );
    refused(Signer { service: "kinesis", ..HONEST }, "Credential should be scoped to correct service: 'firehose'. ");
    let unknown = "The security token included in the request is invalid.";
    for signer in [Signer { key: "NOBODY", ..HONEST }, Signer { token: Some("session"), ..HONEST }] {
        check(&signer.sign(USUAL, b"{}"), "UnrecognizedClientException", unknown);
    }
    let mut other_day = HONEST.sign(USUAL, b"{}");
    let authorization = other_day["authorization"].to_str().unwrap().replace("/20261121/", "/20261120/");
    other_day.insert("authorization", HeaderValue::from_str(&authorization).unwrap());
    check(
        &other_day,
        "InvalidSignatureException",
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '20261120' != \
         '20261121', from '20261121T050000Z'.",
    );
}

/// Row A8: five minutes either way, to the second.
#[test]
fn the_window_is_five_minutes_either_way() {
    let signed = HONEST.sign(USUAL, b"{}");
    for now in [NOW - 300, NOW, NOW + 300] {
        assert_eq!(judge(&signed, b"{}", now).as_deref(), Ok(ACCOUNT), "{now}");
    }
    let message = |now: u64| judge(&signed, b"{}", now).unwrap_err().message.unwrap().into_owned();
    assert_eq!(
        message(NOW + 301),
        "Signature expired: 20261121T050000Z is now earlier than 20261121T050001Z (20261121T050501Z - 5 min.)"
    );
    assert_eq!(
        message(NOW - 301),
        "Signature not yet current: 20261121T050000Z is still later than 20261121T045959Z (20261121T045459Z + 5 min.)"
    );
}

/// Row A5: adding, altering or removing any header that has a meaning breaks the signature.
#[test]
fn meaningful_headers_must_be_signed() {
    let honest = Signer { checksum: true, ..HONEST }.sign(USUAL, b"{}");
    assert_eq!(judge(&honest, b"{}", NOW).as_deref(), Ok(ACCOUNT));
    for name in ["host", "content-type", "x-amz-target", "x-amz-date", "x-amz-content-sha256"] {
        for mutate in [
            |headers: &mut HeaderMap, name: &HeaderName| drop(headers.remove(name)),
            |headers: &mut HeaderMap, name: &HeaderName| {
                headers.append(name, headers[name].clone());
            },
            |headers: &mut HeaderMap, name: &HeaderName| {
                headers.insert(name, HeaderValue::from_static("20261121T050001Z"));
            },
        ] {
            let mut headers = honest.clone();
            mutate(&mut headers, &HeaderName::from_bytes(name.as_bytes()).unwrap());
            assert!(judge(&headers, b"{}", NOW).is_err(), "{headers:?}");
        }
        // Present, but dropped from the list of signed headers.
        let mut headers = honest.clone();
        let authorization = headers["authorization"].to_str().unwrap();
        let unlisted = authorization.replace(&format!("{name};"), "").replace(&format!(";{name},"), ",");
        assert_ne!(unlisted, authorization, "{name}");
        headers.insert("authorization", HeaderValue::from_str(&unlisted).unwrap());
        assert!(judge(&headers, b"{}", NOW).is_err(), "{name}");
    }
    let mut added = honest.clone();
    added.insert("x-amz-acl", HeaderValue::from_static("public"));
    assert!(judge(&added, b"{}", NOW).is_err());
    let mut free = honest;
    free.insert("amz-sdk-request", HeaderValue::from_static("attempt=2; max=4"));
    assert_eq!(judge(&free, b"{}", NOW).as_deref(), Ok(ACCOUNT), "headers without a meaning may be added");
}

/// Row A6: the body's hash is never taken from the caller.
#[test]
fn body_hash_tricks_fail() {
    for stated in [
        "UNSIGNED-PAYLOAD",
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "44136FA355B3678A1146AD16F7E8649E94FB4FC21FE77E8310C060F61CAAFF8A",
    ] {
        let signed = HONEST.sign(&[USUAL[0], USUAL[1], ("x-amz-content-sha256", stated)], b"{}");
        assert_eq!(judge(&signed, b"{}", NOW).unwrap_err().message.as_deref(), Some(MISMATCH), "{stated}");
    }
    let signed = HONEST.sign(USUAL, b"{}");
    assert!(judge(&signed, b"{ }", NOW).is_err());
    let verdict = verifier().account(&signed, Some("X-Amz-Algorithm=AWS4-HMAC-SHA256"), b"{}", NOW * 1000).unwrap_err();
    let both = "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header.";
    assert_eq!(verdict.message.as_deref(), Some(both));
    assert!(verifier().account(&signed, Some("a=b"), b"{}", NOW * 1000).is_err(), "a query is not part of the service");
    let presigned = verifier().account(&HeaderMap::new(), Some("X-Amz-Signature=b"), b"{}", NOW * 1000).unwrap_err();
    assert_eq!(presigned.kind, "MissingAuthenticationTokenException");
}

#[test]
fn nobody_is_asked_when_authentication_is_off() {
    let open = Verifier::new(&Authentication::None { account_id: ACCOUNT.to_owned() }, REGION);
    assert_eq!(open.account(&HeaderMap::new(), None, b"{}", 0).as_deref(), Ok(ACCOUNT));
    let mut nonsense = HeaderMap::new();
    nonsense.insert("authorization", HeaderValue::from_static("X"));
    assert_eq!(open.account(&nonsense, None, b"{}", 0).as_deref(), Ok(ACCOUNT));
}
