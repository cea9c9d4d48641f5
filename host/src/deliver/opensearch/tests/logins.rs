//! Who requests come from, and to whom credentials are shown.

use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, error::CredentialsError, future};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use super::super::{Basic, SearchLogin, Service, Signer, Signing};
use super::scripted::{self, Reply, Scripted};
use super::*;
use crate::deliver::Destination;
use crate::runtime::{Clock, ManualClock};

const NOW_MS: u64 = 1_795_237_200_000;

/// Gives out a new key each time, each good for an hour; after `most` there are none.
#[derive(Debug)]
struct Issuer {
    clock: Arc<ManualClock>,
    issued: AtomicU64,
    most: u64,
}

impl ProvideCredentials for Issuer {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let number = self.issued.fetch_add(1, Ordering::SeqCst) + 1;
        if number > self.most {
            return future::ProvideCredentials::ready(Err(CredentialsError::not_loaded_no_source()));
        }
        let expiry = UNIX_EPOCH + Duration::from_millis(self.clock.now_ms()) + Duration::from_secs(3_600);
        let token = Some("SESSION-TOKEN".to_owned());
        let key = Credentials::new(format!("AKID{number}"), "SECRET-KEY", token, Some(expiry), "test");
        future::ProvideCredentials::ready(Ok(key))
    }
}

pub(super) fn signing(most: u64) -> (Signing, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(NOW_MS));
    let issuer = Issuer { clock: Arc::clone(&clock), issued: AtomicU64::new(0), most };
    let provider = SharedCredentialsProvider::new(issuer);
    let shared: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
    (Signing { provider, region: "eu-west-1".to_owned(), clock: shared }, clock)
}

pub(super) fn signed(signing: &Signing, service: Service) -> Authentication {
    Authentication::Sigv4(Arc::new(Signer::new(signing.clone(), service, "us-east-1")))
}

fn basic() -> Basic {
    Basic { username: "writer".to_owned(), password: "PASS-WORD".to_owned().into() }
}

/// `Authorization` of each request the server got.
fn shown(server: &Scripted) -> Vec<String> {
    let value = |seen: &scripted::Seen| {
        seen.headers.get("authorization").map_or("", |value| value.to_str().unwrap()).to_owned()
    };
    server.seen().iter().map(value).collect()
}

#[tokio::test]
async fn a_user_shows_name_and_password() {
    let server = Scripted::start(Vec::new()).await;
    for (authentication, expected) in
        [(Authentication::Basic(basic()), "Basic d3JpdGVyOlBBU1MtV09SRA=="), (Authentication::None, "")]
    {
        let destination = destination(&target(&server.url), authentication, Limits::default());
        destination.deliver(&documents(numbered(1))).await.unwrap();
        assert_eq!(shown(&server), [expected]);
    }
}

#[tokio::test]
async fn a_signature_covers_the_body_for_service_and_region() {
    let server = Scripted::start(Vec::new()).await;
    let (signing, _) = signing(1);
    let destination = destination(&target(&server.url), signed(&signing, Service::Aoss), Limits::default());
    destination.deliver(&documents(numbered(1))).await.unwrap();
    let seen = server.seen();
    let header = |name: &str| seen[0].headers.get(name).unwrap().to_str().unwrap().to_owned();
    let digest: String = {
        use sha2::Digest;
        sha2::Sha256::digest(&seen[0].body).iter().map(|byte| format!("{byte:02x}")).collect()
    };
    assert_eq!(header("x-amz-content-sha256"), digest);
    assert_eq!(header("x-amz-date"), "20261121T050000Z");
    assert_eq!(header("x-amz-security-token"), "SESSION-TOKEN");
    let authorization = header("authorization");
    let scope = "AWS4-HMAC-SHA256 Credential=AKID1/20261121/us-east-1/aoss/aws4_request, ";
    assert!(authorization.starts_with(scope), "{authorization}");
    assert!(authorization.contains("SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token"));

    // The server's own sum over the same request.
    let canonical = format!(
        "POST\n/_bulk\n\nhost:{}\nx-amz-content-sha256:{digest}\nx-amz-date:20261121T050000Z\nx-amz-security-token:SESSION-TOKEN\n\n\
         host;x-amz-content-sha256;x-amz-date;x-amz-security-token\n{digest}",
        header("host")
    );
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let sum = {
        use sha2::Digest;
        hex(&sha2::Sha256::digest(canonical))
    };
    let to_sign = format!("AWS4-HMAC-SHA256\n20261121T050000Z\n20261121/us-east-1/aoss/aws4_request\n{sum}");
    let time = UNIX_EPOCH + Duration::from_millis(NOW_MS);
    let key = aws_sigv4::sign::v4::generate_signing_key("SECRET-KEY", time, "us-east-1", "aoss");
    let signature = aws_sigv4::sign::v4::calculate_signature(key, to_sign.as_bytes());
    assert!(authorization.ends_with(&format!("Signature={signature}")), "{authorization}");
}

/// Row X15: credentials are used until shortly before they expire, and no longer once they are refused.
#[tokio::test]
async fn credentials_are_kept_replaced_and_thrown_away() {
    let expired = r#"{"message":"The security token included in the request is expired"}"#;
    let script = vec![Reply::Answer(403, expired.to_owned())];
    let server = Scripted::start(script).await;
    let (signing, clock) = signing(3);
    let destination = destination(&target(&server.url), signed(&signing, Service::Es), Limits::default());
    let batch = documents(numbered(1));
    let error = destination.deliver(&batch).await.unwrap_err();
    assert_eq!(error.code, "OpenSearch.AccessDenied");
    assert!(error.text.contains("security token included in the request is expired"), "{error}");
    destination.deliver(&batch).await.unwrap();
    clock.set(NOW_MS + 3_000_000);
    destination.deliver(&batch).await.unwrap();
    clock.set(NOW_MS + 3_500_000);
    destination.deliver(&batch).await.unwrap();
    let keys: Vec<String> =
        shown(&server).iter().map(|text| text.split(['=', '/']).nth(1).unwrap_or_default().to_owned()).collect();
    assert_eq!(keys, ["AKID1", "AKID2", "AKID2", "AKID3"]);
    clock.set(NOW_MS + 9_000_000);
    assert_eq!(destination.deliver(&batch).await.unwrap_err().code, "OpenSearch.CredentialsUnavailable");
}

/// Row X11: the host's AWS credentials go to Amazon's search domains and where the operator said so, and a login is
/// for the account it was written for.
#[test]
fn credentials_are_for_the_endpoints_they_are_meant_for() {
    let (signing, _) = signing(1);
    let logins = [
        SearchLogin { endpoint: "https://Search.example.com".to_owned(), account_id: "1".into(), user: Some(basic()) },
        SearchLogin { endpoint: "http://localstack:4566/".to_owned(), account_id: "1".into(), user: None },
        SearchLogin { endpoint: "http://localstack:4566/".to_owned(), account_id: "2".into(), user: Some(basic()) },
    ];
    let chosen_by = |account: &str, endpoint: &str, flavour| {
        let target = OpenSearch { flavour, ..target(endpoint) };
        match Authentication::choose(&target, account, &logins, &signing) {
            Ok(Authentication::None) => "none".to_owned(),
            Ok(Authentication::Basic(user)) => user.username,
            Ok(Authentication::Sigv4(signer)) => format!("{signer:?}"),
            Err(error) => error.to_string(),
        }
    };
    let chosen = |endpoint: &str, flavour| chosen_by("1", endpoint, flavour);
    let sigv4 = |service: &str, region: &str| format!("Signer {{ service: {service:?}, region: {region:?}, .. }}");
    for (endpoint, expected) in [
        ("https://search-a-x1.us-west-2.es.amazonaws.com", sigv4("es", "us-west-2")),
        ("https://search-a-x1.cn-north-1.es.amazonaws.com.cn", sigv4("es", "cn-north-1")),
        ("https://x1.eu-central-1.aoss.amazonaws.com", sigv4("aoss", "eu-central-1")),
        ("http://search-a-x1.us-west-2.es.amazonaws.com", "none".to_owned()),
        ("https://ec2-1-2-3-4.us-west-2.compute.amazonaws.com", "none".to_owned()),
        ("https://es.amazonaws.com", "none".to_owned()),
        ("https://search-a-x1.us-west-2.es.amazonaws.com.example.com", "none".to_owned()),
        ("https://search.example.com:443/path", "writer".to_owned()),
        ("https://search.example.com:9200", "none".to_owned()),
        ("http://search.example.com", "none".to_owned()),
        ("http://localstack:4566", sigv4("es", "eu-west-1")),
    ] {
        assert_eq!(chosen(endpoint, SearchFlavour::OpenSearch), expected, "{endpoint}");
    }
    assert_eq!(chosen("http://localstack:4566", SearchFlavour::Serverless), sigv4("aoss", "eu-west-1"));
    assert_eq!(chosen_by("2", "http://localstack:4566", SearchFlavour::OpenSearch), "writer");
    for (account, endpoint) in [("2", "https://search.example.com/x"), ("3", "http://localstack:4566")] {
        let told = chosen_by(account, endpoint, SearchFlavour::OpenSearch);
        let (what, remedy) =
            (format!("the logins of {endpoint} belong to other"), format!("account_id = \"{account}\""));
        assert!(told.starts_with(&what) && told.contains(&remedy), "{told}");
    }
}

/// Row X12: nothing secret is shown by accident.
#[tokio::test]
async fn secrets_are_not_shown() {
    let server = Scripted::start(vec![Reply::Answer(401, String::new())]).await;
    let (signing, _) = signing(1);
    let signed = destination(&target(&server.url), signed(&signing, Service::Es), Limits::default());
    let error = signed.deliver(&documents(numbered(1))).await.unwrap_err();
    let user = destination(&target(&server.url), Authentication::Basic(basic()), Limits::default());
    for text in [format!("{signed:?} {user:?}"), format!("{error:?} {error}")] {
        for secret in ["PASS-WORD", "SECRET-KEY", "SESSION-TOKEN"] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}

#[test]
fn an_endpoint_that_is_no_url_is_refused() {
    let allow = Vec::new();
    let client = Arc::new(Client::new(Egress { allow, ..Egress::default() }).unwrap());
    for endpoint in ["", "search.example.com", "ftp://x", "https://user:pass@x", "https://", "https://a b"] {
        let made = OpenSearchDestination::new(&target(endpoint), ARN, 7, Arc::clone(&client), Authentication::None);
        assert!(made.is_err(), "{endpoint}");
    }
}
