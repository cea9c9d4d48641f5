//! The client against a server on loopback that does as each test says, and names that change their minds.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use hyper::Request;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::exchange::MOST_RESOLVING;
use super::pool::{LONGEST_IDLE, MOST_IDLE};
use super::*;

/// Long enough never to matter; a test that needs it hangs for a reason.
const LONG: Duration = Duration::from_secs(60);

const MOST: usize = 1 << 20;

/// Answers each name with the next list, the last one for ever.
#[derive(Debug)]
struct Script {
    answers: Mutex<Vec<Vec<IpAddr>>>,
    asked: AtomicUsize,
}

impl Script {
    fn new(answers: &[&[&str]]) -> Arc<Self> {
        let list = |list: &&[&str]| list.iter().map(|text| text.parse().expect("an address")).collect();
        Arc::new(Self { answers: Mutex::new(answers.iter().map(list).collect()), asked: AtomicUsize::new(0) })
    }
}

impl Resolver for Script {
    fn addresses(&self, _host: &str) -> io::Result<Vec<IpAddr>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut answers = self.answers.lock().unwrap();
        Ok(if answers.len() > 1 { answers.remove(0) } else { answers.first().cloned().unwrap_or_default() })
    }
}

/// What may be reached here: the first loopback address, without TLS.
fn local() -> Egress {
    Egress { allow: vec![("127.0.0.1".parse().unwrap(), 32)], plaintext: true, ..Egress::default() }
}

/// A server that gives each connection, with its number, to `serve`.
async fn server<F, R>(serve: F) -> (u16, Arc<AtomicUsize>)
where
    F: Fn(usize, TcpStream) -> R + Send + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let count = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(seen.fetch_add(1, Ordering::SeqCst), stream));
        }
    });
    (port, count)
}

/// Reads up to the end of one request that has no body.
async fn head(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => text.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(text).unwrap()
}

/// A server that answers each request of each connection with `answer`.
async fn saying(answer: impl Into<String>) -> (u16, Arc<AtomicUsize>) {
    let answer: Arc<str> = answer.into().into();
    server(move |_, mut stream| {
        let answer = Arc::clone(&answer);
        async move {
            while !head(&mut stream).await.is_empty() {
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        }
    })
    .await
}

fn get(url: &str) -> Request<Bytes> {
    Request::get(url).body(Bytes::new()).unwrap()
}

async fn kind(client: &Client, url: &str) -> SendErrorKind {
    client.send(get(url), LONG, MOST).await.map(|answer| answer.status()).expect_err("an error").kind
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const LAST: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";

#[tokio::test]
async fn an_answer_comes_back_whole_and_the_connection_is_used_again() {
    let (port, connections) = saying(OK).await;
    let client = Client::new(local()).unwrap();
    for _ in 0..3 {
        let answer = client.send(get(&format!("http://127.0.0.1:{port}/a?b=c")), LONG, MOST).await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.body().as_ref()), (200, &b"ok"[..]));
    }
    assert_eq!((connections.load(Ordering::SeqCst), client.idle_count()), (1, 1));
}

#[tokio::test]
async fn what_is_sent_is_the_path_with_its_query_and_the_host() {
    let (port, _) = server(|_, mut stream| async move {
        let text = head(&mut stream).await;
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{text}", text.len());
        stream.write_all(answer.as_bytes()).await.unwrap();
    })
    .await;
    let resolve = BTreeMap::from([("hook.example".to_owned(), "127.0.0.1".parse().unwrap())]);
    let client = Client::new(Egress { resolve, ..local() }).unwrap();
    let answer = client.send(get(&format!("http://HOOK.example:{port}/a%20b?c=d&e")), LONG, MOST).await.unwrap();
    let text = String::from_utf8_lossy(answer.body()).into_owned();
    assert!(text.starts_with("GET /a%20b?c=d&e HTTP/1.1\r\n"), "{text}");
    assert!(text.contains(&format!("host: HOOK.example:{port}\r\n")), "{text}");
}

/// X9: an address is refused as a literal, as a name's only address, as one among several, and through the table of
/// names; nothing connects.
#[tokio::test]
async fn what_is_not_allowed_is_never_connected_to() {
    let (port, connections) = saying(OK).await;
    let closed = Client::new(Egress { plaintext: true, ..Egress::default() }).unwrap();
    for host in ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "localhost", "LOCALHOST", "2130706433", "0x7f.1", "127.1"]
    {
        assert_eq!(kind(&closed, &format!("http://{host}:{port}/")).await, SendErrorKind::Refused, "{host}");
    }
    let mixed = Client::with_resolver(local(), Script::new(&[&["127.0.0.1", "169.254.169.254"]])).unwrap();
    assert_eq!(kind(&mixed, &format!("http://two.example:{port}/")).await, SendErrorKind::Refused);
    let resolve = BTreeMap::from([("inside.example".to_owned(), "127.0.0.2".parse().unwrap())]);
    let named = Client::new(Egress { resolve, ..local() }).unwrap();
    assert_eq!(kind(&named, &format!("http://inside.example:{port}/")).await, SendErrorKind::Refused);
    let refused = closed.connect("localhost", port, LONG).await.expect_err("a refusal");
    assert_eq!(refused.kind, SendErrorKind::Refused);
    assert!(refused.to_string().contains("egress.allow"), "{refused}");
    assert_eq!(connections.load(Ordering::SeqCst), 0);
}

/// X9: a name that answers differently the next time is checked the next time, and asked once for each connection, so
/// there is no moment between the check and the use.
#[tokio::test]
async fn a_name_that_rebinds_is_refused_at_its_next_connection() {
    let (port, connections) = saying(LAST).await;
    let script = Script::new(&[&["127.0.0.1"], &["127.0.0.2"]]);
    let client = Client::with_resolver(local(), Arc::clone(&script) as Arc<dyn Resolver>).unwrap();
    let url = format!("http://rebind.example:{port}/");
    client.send(get(&url), LONG, MOST).await.unwrap();
    assert_eq!(script.asked.load(Ordering::SeqCst), 1);
    assert_eq!(kind(&client, &url).await, SendErrorKind::Refused);
    assert_eq!((script.asked.load(Ordering::SeqCst), connections.load(Ordering::SeqCst)), (2, 1));
}

#[tokio::test]
async fn schemes_users_and_other_services_ports_are_refused() {
    let strict = Client::with_resolver(Egress::default(), Script::new(&[&["8.8.8.8"]])).unwrap();
    for url in [
        "http://a.example/",
        "ftp://a.example/",
        "/only/a/path",
        "https://user:word@a.example/",
        "https://a.example:22/",
    ] {
        assert_eq!(kind(&strict, url).await, SendErrorKind::Refused, "{url}");
    }
    let text = strict.send(get("https://user:word@a.example/"), LONG, MOST).await.unwrap_err().to_string();
    assert!(!text.contains("word"), "{text}");
}

/// X9: an answer that points elsewhere is an answer, and nothing follows it.
#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (inside, touched) = saying(OK).await;
    let redirect = format!("HTTP/1.1 307 Go\r\nlocation: http://127.0.0.1:{inside}/\r\ncontent-length: 0\r\n\r\n");
    let (port, _) = saying(redirect).await;
    let client = Client::new(local()).unwrap();
    let answer = client.send(get(&format!("http://127.0.0.1:{port}/")), LONG, MOST).await.unwrap();
    assert_eq!((answer.status().as_u16(), touched.load(Ordering::SeqCst)), (307, 0));
}

#[tokio::test]
async fn an_answer_has_a_longest_length_head_included() {
    let answer = |head: usize, body: usize| {
        format!("HTTP/1.1 200 OK\r\nx: {}\r\ncontent-length: {body}\r\n\r\n{}", "h".repeat(head), "b".repeat(body))
    };
    let chunked =
        format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3e8\r\n{}\r\n0\r\n\r\n", "b".repeat(1000));
    let client = Client::new(local()).unwrap();
    for (text, fits) in [
        (answer(10, 100), true),
        (answer(10, 1000), false),
        (answer(1000, 10), false),
        // A head that no bound of the caller's reaches.
        (answer(100_000, 10), false),
        (chunked, false),
    ] {
        let (port, _) = saying(text).await;
        let limit = if fits { 200 } else { 900 };
        let answer = client.send(get(&format!("http://127.0.0.1:{port}/")), LONG, limit).await;
        let found = answer.map(|_| true).unwrap_or_else(|error| {
            assert_eq!(error.kind, SendErrorKind::TooLarge);
            false
        });
        assert_eq!(found, fits);
    }
    let (port, _) = saying(answer(100_000, 10)).await;
    assert_eq!(kind(&client, &format!("http://127.0.0.1:{port}/")).await, SendErrorKind::TooLarge);
}

#[tokio::test]
async fn silence_ends_and_tells_whether_the_request_was_out() {
    let (port, _) = server(|_, mut stream| async move {
        head(&mut stream).await;
        std::future::pending::<()>().await;
    })
    .await;
    let client = Client::new(local()).unwrap();
    let short = Duration::from_millis(200);
    let error = client.send(get(&format!("http://127.0.0.1:{port}/")), short, MOST).await.unwrap_err();
    assert_eq!(error.kind, SendErrorKind::TimedOut { was_sent: true });
    // A resolver that never answers holds nobody for longer than asked.
    #[derive(Debug)]
    struct Silent(Mutex<std::sync::mpsc::Receiver<()>>);
    impl Resolver for Silent {
        fn addresses(&self, _host: &str) -> io::Result<Vec<IpAddr>> {
            self.0.lock().unwrap().recv().ok();
            Ok(Vec::new())
        }
    }
    let (release, hold) = std::sync::mpsc::sync_channel(0);
    let client = Client::with_resolver(local(), Arc::new(Silent(Mutex::new(hold)))).unwrap();
    let error = client.send(get("http://silent.example/"), short, MOST).await.unwrap_err();
    assert_eq!(error.kind, SendErrorKind::TimedOut { was_sent: false });
    drop(release);
}

#[tokio::test]
async fn ends_of_every_kind_are_told_apart() {
    let client = Client::with_resolver(local(), Script::new(&[&[]])).unwrap();
    let at = |port: u16| format!("http://127.0.0.1:{port}/");
    let (short, _) = server(|_, mut stream| async move {
        head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nonly this").await.unwrap();
    })
    .await;
    let (silent, _) = server(|_, mut stream| async move {
        head(&mut stream).await;
    })
    .await;
    let (nonsense, _) = saying("SSH-2.0-OpenSSH\r\n\r\n").await;
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    for (port, expected) in [
        (short, SendErrorKind::Cut { was_sent: true }),
        (silent, SendErrorKind::Cut { was_sent: true }),
        (nonsense, SendErrorKind::Invalid),
        (closed, SendErrorKind::Connect),
    ] {
        assert_eq!(kind(&client, &at(port)).await, expected);
    }
    assert_eq!(kind(&client, "http://nowhere.example/").await, SendErrorKind::Unresolved);
    // Not TLS at all.
    let (rude, _) =
        server(|_, mut stream| async move { stream.write_all(b"SSH-2.0-OpenSSH\r\n").await.unwrap() }).await;
    let encrypted = at(rude).replace("http:", "https:");
    assert_eq!(kind(&client, &encrypted).await, SendErrorKind::Tls);
}

/// A kept connection that the server closed before it took the request costs nothing but a new connection.
#[tokio::test]
async fn a_kept_connection_that_was_closed_is_replaced() {
    let (port, connections) = server(|_, mut stream| async move {
        head(&mut stream).await;
        // Says nothing of closing, and closes.
        stream.write_all(OK.as_bytes()).await.unwrap();
    })
    .await;
    let client = Client::new(local()).unwrap();
    for _ in 0..20 {
        let sent = client.send(get(&format!("http://127.0.0.1:{port}/")), LONG, MOST).await;
        // The close may overtake the next request, which then may have been seen: never an error of another kind.
        assert!(sent.as_ref().map_or_else(|error| error.kind == SendErrorKind::Cut { was_sent: true }, |_| true));
    }
    assert!(connections.load(Ordering::SeqCst) > 1);
}

#[tokio::test]
async fn few_connections_wait() {
    let client = Client::new(local()).unwrap();
    for _ in 0..MOST_IDLE + 5 {
        let (port, _) = saying(OK).await;
        client.send(get(&format!("http://127.0.0.1:{port}/")), LONG, MOST).await.unwrap();
    }
    assert_eq!(client.idle_count(), MOST_IDLE);
}

#[tokio::test]
async fn no_connection_waits_for_long() {
    let (port, connections) = saying(OK).await;
    let client = Client::new(local()).unwrap();
    let url = format!("http://127.0.0.1:{port}/");
    client.send(get(&url), LONG, MOST).await.unwrap();
    tokio::time::pause();
    tokio::time::advance(LONGEST_IDLE).await;
    tokio::time::resume();
    client.send(get(&url), LONG, MOST).await.unwrap();
    assert_eq!(connections.load(Ordering::SeqCst), 2);
}

/// DNS that says nothing holds a thread for each name; the host has few to give.
#[tokio::test]
async fn few_names_are_resolved_at_a_time() {
    #[derive(Debug)]
    struct Slow {
        running: AtomicUsize,
        most: AtomicUsize,
        /// Opens for as many as may be here at a time, so that fewer would wait for ever.
        gate: std::sync::Barrier,
    }
    let gate = std::sync::Barrier::new(MOST_RESOLVING);
    let slow = Arc::new(Slow { running: AtomicUsize::new(0), most: AtomicUsize::new(0), gate });
    impl Resolver for Slow {
        fn addresses(&self, _host: &str) -> io::Result<Vec<IpAddr>> {
            let now = self.running.fetch_add(1, Ordering::SeqCst) + 1;
            self.most.fetch_max(now, Ordering::SeqCst);
            self.gate.wait();
            self.running.fetch_sub(1, Ordering::SeqCst);
            Ok(Vec::new())
        }
    }
    let client = Client::with_resolver(local(), Arc::clone(&slow) as Arc<dyn Resolver>).unwrap();
    let sending = (0..3 * MOST_RESOLVING).map(|_| kind(&client, "http://slow.example/"));
    let kinds = futures_util::future::join_all(sending).await;
    assert!(kinds.iter().all(|kind| *kind == SendErrorKind::Unresolved));
    assert_eq!(slow.most.load(Ordering::SeqCst), MOST_RESOLVING);
}

/// Dropping the future closes the connection: nobody waits for an answer in secret.
#[tokio::test]
async fn a_dropped_request_is_cut() {
    let (told, seen) = tokio::sync::oneshot::channel();
    let told = Arc::new(Mutex::new(Some(told)));
    let (arrived, arrival) = tokio::sync::oneshot::channel();
    let arrived = Arc::new(Mutex::new(Some(arrived)));
    let (port, _) = server(move |_, mut stream| {
        let (told, arrived) = (told.lock().unwrap().take(), arrived.lock().unwrap().take());
        async move {
            head(&mut stream).await;
            arrived.unwrap().send(()).unwrap();
            let end = stream.read_u8().await.is_err();
            told.unwrap().send(end).unwrap();
        }
    })
    .await;
    let client = Client::new(local()).unwrap();
    let url = format!("http://127.0.0.1:{port}/");
    let mut sending = Box::pin(client.send(get(&url), LONG, MOST));
    tokio::select! {
        _ = &mut sending => panic!("there is no answer"),
        _ = arrival => drop(sending),
    }
    assert!(seen.await.unwrap());
}

proptest! {
    /// X9: whatever is written as a URL, what is connected to is its host, encrypted, and no user name stands before it.
    #[test]
    fn a_url_leads_to_its_host_or_nowhere(
        text in "(https|http|ftp|HTTPS)?(://|:|//)?([a-z0-9.@:%\\[\\]\\\\#?é-]{0,24}|[0-9a-fx.]{1,15})(:[0-9]{0,6})?(/[ -~]{0,8})?",
    ) {
        let client = fuzzed();
        if let Ok(url) = text.parse::<hyper::Uri>()
            && let Ok(key) = client.key(&url)
        {
            prop_assert!(key.is_encrypted && url.scheme_str() == Some("https"), "{text}");
            prop_assert!(!key.host.is_empty() && !key.host.contains(['@', '[', ']', '/', '?', '#', '\\']), "{text}: {key:?}");
            prop_assert_eq!(key.port, url.port_u16().unwrap_or(443));
            let written = url.host().unwrap_or_default().to_ascii_lowercase();
            prop_assert!(written.contains(&key.host), "{text}: {key:?}");
        }
    }
}

/// One client for all cases: reading the system's roots takes a moment.
fn fuzzed() -> &'static Client {
    static CLIENT: std::sync::OnceLock<Client> = std::sync::OnceLock::new();
    CLIENT.get_or_init(|| Client::new(Egress::default()).unwrap())
}

#[tokio::test]
async fn a_certificate_file_without_certificates_is_refused() {
    for pem in ["", "nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let egress = Egress { ca_pem: Some(pem.as_bytes().to_vec()), ..Egress::default() };
        assert!(matches!(Client::new(egress), Err(ClientError::Roots(_))), "{pem}");
    }
}
