//! Real sockets on loopback: deadlines, cut bodies, floods, caps and shutdown (rows A1, A2, A6, A9).
//!
//! Deadlines are short settings; no test sleeps or measures time.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::memory::Memory;
use super::{NOW_MS, Rig, settings};
use crate::api::{Limits, serve};
use crate::runtime::{ManualClock, Random};

/// A served API.
struct Served {
    address: SocketAddr,
    memory: Arc<Memory>,
    stop: Option<oneshot::Sender<()>>,
    server: JoinHandle<()>,
}

impl Served {
    /// Serves with these limits, and with the stream `s`.
    async fn with(limits: Limits) -> Self {
        let rig = Rig::new();
        rig.create("s").await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let settings = crate::api::Settings { limits, ..settings() };
        let (clock, random) = (Arc::new(ManualClock::at(NOW_MS)), Arc::new(Random::seeded(2)));
        let memory = rig.memory.clone();
        let server = tokio::spawn(async move {
            serve(listener, settings, rig.memory, clock, random, async { drop(stopped.await) }).await;
        });
        Self { address, memory, stop: Some(stop), server }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends this text on a new connection and reads until the server closes it.
    async fn exchange(&self, text: impl AsRef<[u8]>) -> String {
        let mut socket = self.connect().await;
        // The server may hang up before it has read everything: that is for the answer to say.
        let _refused = socket.write_all(text.as_ref()).await;
        read_to_end(&mut socket).await
    }

    /// The server still works.
    async fn still_works(&self) {
        let answer = self.exchange(list_request("close")).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    }
}

/// Everything until the end, however it comes.
async fn read_to_end(socket: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let mut part = [0; 4096];
    while let Ok(length @ 1..) = socket.read(&mut part).await {
        answer.extend_from_slice(&part[..length]);
    }
    String::from_utf8(answer).unwrap()
}

/// One answer of a connection that stays open.
async fn read_answer(socket: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    while !answer.ends_with(b"}") {
        answer.push(socket.read_u8().await.unwrap());
    }
    String::from_utf8(answer).unwrap()
}

fn head(operation: &str, length: usize, more: &str) -> String {
    format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-amz-json-1.1\r\n\
         X-Amz-Target: Firehose_20150804.{operation}\r\nContent-Length: {length}\r\n{more}\r\n"
    )
}

fn list_request(connection: &str) -> String {
    head("ListDeliveryStreams", 2, &format!("Connection: {connection}\r\n")) + "{}"
}

const PUT: &str = r#"{"DeliveryStreamName":"s","Record":{"Data":"YQ=="}}"#;

fn short() -> Limits {
    Limits {
        header_deadline: Duration::from_millis(60),
        body_grace: Duration::from_millis(60),
        body_bytes_per_second: 1 << 20,
        ..Limits::default()
    }
}

#[tokio::test]
async fn a_connection_serves_many_requests() {
    let served = Served::with(Limits::default()).await;
    let mut socket = served.connect().await;
    for _ in 0..3 {
        socket.write_all(list_request("keep-alive").as_bytes()).await.unwrap();
        let answer = read_answer(&mut socket).await.to_lowercase();
        assert!(answer.starts_with("http/1.1 200 ok\r\n"), "{answer}");
        for header in [
            "x-amzn-requestid: ",
            "x-amz-id-2: ",
            "date: ",
            "content-length: 60\r\n",
            "content-type: application/x-amz-json-1.1\r\n",
        ] {
            assert!(answer.contains(header), "{header} in {answer}");
        }
    }
    // Two requests in one packet.
    socket.write_all((list_request("keep-alive") + &list_request("close")).as_bytes()).await.unwrap();
    assert_eq!(read_to_end(&mut socket).await.matches("200 OK").count(), 2);
}

/// Row A2: a header that never ends, and a connection that never speaks.
#[tokio::test]
async fn slow_headers_are_hung_up_on() {
    let served = Served::with(short()).await;
    assert_eq!(served.exchange("POST / HTTP/1.1\r\nHost: local").await.matches("200").count(), 0);
    assert_eq!(served.exchange("").await, "");
    served.still_works().await;
}

/// Row A2: a stalled body, and one that trickles.
#[tokio::test]
async fn slow_bodies_time_out() {
    let served = Served::with(short()).await;
    let answer = served.exchange(head("PutRecord", 1000, "") + "{\"Deli").await;
    assert!(answer.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{answer}");
    let served = Served::with(Limits { body_bytes_per_second: 1000, ..short() }).await;
    let mut socket = served.connect().await;
    socket.write_all(head("PutRecord", 1 << 20, "").as_bytes()).await.unwrap();
    // One byte at a time, as fast as the server takes them with a turn for it in between: far below what is announced,
    // so only the average rate ends this.
    let mut ticks = tokio::time::interval(Duration::from_millis(5));
    let (mut reader, mut writer) = socket.split();
    let trickle = async {
        while writer.write_all(b" ").await.is_ok() {
            ticks.tick().await;
        }
    };
    let mut answer = vec![0; 1024];
    let length = tokio::select! {
        () = trickle => panic!("the server hung up without an answer"),
        length = reader.read(&mut answer) => length.unwrap(),
    };
    assert!(answer[..length].starts_with(b"HTTP/1.1 408 "), "{:?}", String::from_utf8_lossy(&answer[..length]));
    served.still_works().await;
}

/// Row A1: a body that ends before it should is not acted upon, however whole it looks.
#[tokio::test]
async fn cut_bodies_store_nothing() {
    let served = Served::with(Limits::default()).await;
    for more in [PUT.len() + 1, 1_000_000] {
        let mut socket = served.connect().await;
        socket.write_all((head("PutRecord", more, "") + PUT).as_bytes()).await.unwrap();
        socket.shutdown().await.unwrap();
        let answer = read_to_end(&mut socket).await;
        assert!(!answer.contains("200 OK"), "{answer}");
    }
    // Shorter than the body: the JSON ends early, and what is left over is no request.
    let answer = served.exchange(head("PutRecord", PUT.len() - 1, "") + PUT).await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.contains(r#"{"__type":"SerializationException"}"#), "{answer}");
    assert_eq!(served.memory.records().len(), 0);
    served.still_works().await;
}

/// Row A2.
#[tokio::test]
async fn header_floods_are_refused() {
    let served = Served::with(Limits::default()).await;
    let many: String = (0..100).map(|at| format!("X-Flood-{at}: 1\r\n")).collect();
    let answer = served.exchange(head("ListDeliveryStreams", 2, &many) + "{}").await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    let flood = async |length: usize| {
        let long = format!("Connection: close\r\nX-Flood: {}\r\n", "x".repeat(length));
        served.exchange(head("ListDeliveryStreams", 2, &long) + "{}").await
    };
    assert!(flood(15 << 10).await.starts_with("HTTP/1.1 200 OK\r\n"));
    for length in [17 << 10, 1 << 20] {
        let answer = flood(length).await;
        assert!(!answer.contains("200 OK"), "{answer}");
    }
    served.still_works().await;
}

/// Row A1: 413 without a JSON body above the limit, whether announced or not; at the limit the body is read.
#[tokio::test]
async fn large_bodies_are_refused_at_the_byte() {
    let served = Served::with(Limits { body_bytes: 100_000, ..Limits::default() }).await;
    let blank = |length: usize| "{}".to_owned() + &" ".repeat(length - 2);
    let send = async |length: usize| {
        served.exchange(head("ListDeliveryStreams", length, "Connection: close\r\n") + &blank(length)).await
    };
    let answer = send(100_000).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    for length in [100_001, 150_000] {
        let answer = send(length).await;
        assert!(answer.starts_with("HTTP/1.1 413 Payload Too Large\r\n") && answer.ends_with("\r\n\r\n"), "{answer}");
    }
    let chunked = head("ListDeliveryStreams", 0, "Transfer-Encoding: chunked\r\n").replace("Content-Length: 0\r\n", "");
    let answer = served.exchange(chunked.clone() + &format!("186a1\r\n{}\r\n0\r\n\r\n", blank(100_001))).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    let answer =
        served.exchange(chunked.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n") + "2\r\n{}\r\n0\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    served.still_works().await;
}

/// Row A3: nothing is ever unpacked on the way in.
#[tokio::test]
async fn compressed_bodies_are_refused() {
    let served = Served::with(Limits::default()).await;
    let answer = served.exchange(head("ListDeliveryStreams", 2, "Content-Encoding: gzip\r\n") + "{}").await;
    assert!(answer.starts_with("HTTP/1.1 415 "), "{answer}");
    served.still_works().await;
}

/// Row A9: beyond the budget of bytes in flight callers are told at once; what is held is given back.
#[tokio::test]
async fn bodies_beyond_the_budget_are_told_to_slow_down() {
    let served = Served::with(Limits { body_bytes: 1000, in_flight_bytes: 1000, ..Limits::default() }).await;
    let mut holder = served.connect().await;
    served.memory.close();
    holder.write_all((head("PutRecord", 1000, "") + PUT + &" ".repeat(1000 - PUT.len())).as_bytes()).await.unwrap();
    served.memory.entered().await;
    let answer = served.exchange(list_request("close")).await;
    assert!(answer.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{answer}");
    assert!(answer.ends_with(r#"{"__type":"ServiceUnavailableException","message":"Slow down."}"#), "{answer}");
    served.memory.open();
    assert!(read_answer(&mut holder).await.contains("RecordId"));
    served.still_works().await;
}

/// Row A2: announcing much and sending little does not lock others out.
#[tokio::test]
async fn announced_bytes_hold_nothing() {
    let limits = Limits { body_bytes: 1 << 20, in_flight_bytes: 1 << 20, ..Limits::default() };
    let served = Served::with(limits).await;
    let mut greedy = Vec::new();
    for _ in 0..10 {
        let mut socket = served.connect().await;
        // An answered request first: now it is known that the server works on this connection.
        socket.write_all(list_request("keep-alive").as_bytes()).await.unwrap();
        read_answer(&mut socket).await;
        socket.write_all((head("PutRecord", 1 << 20, "") + "{").as_bytes()).await.unwrap();
        greedy.push(socket);
    }
    served.still_works().await;
    // And a body that needs most of the budget still goes through when it is alone.
    drop(greedy);
    let whole = PUT.to_owned() + &" ".repeat((1 << 20) - PUT.len());
    while !served.exchange(head("PutRecord", whole.len(), "Connection: close\r\n") + &whole).await.contains("200 OK") {
        tokio::task::yield_now().await;
    }
}

/// Row A2: connections are capped by address and in total, and a closed one makes room.
#[tokio::test]
async fn connections_are_capped() {
    for limits in
        [Limits { connections_per_address: 2, ..Limits::default() }, Limits { connections: 2, ..Limits::default() }]
    {
        let served = Served::with(limits).await;
        let mut open = Vec::new();
        for _ in 0..2 {
            let mut socket = served.connect().await;
            socket.write_all(list_request("keep-alive").as_bytes()).await.unwrap();
            read_answer(&mut socket).await;
            open.push(socket);
        }
        let answer = read_to_end(&mut served.connect().await).await;
        assert!(answer.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{answer}");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert_eq!(body, r#"{"__type":"ServiceUnavailableException","message":"Slow down."}"#);
        assert!(head.contains(&format!("content-length: {}", body.len())), "{head}");
        open.pop();
        // The server notices a closed connection in its own time.
        while !served.exchange(list_request("close")).await.contains("200 OK") {
            tokio::task::yield_now().await;
        }
    }
}

/// A request under way is answered; nothing new is taken; then the server ends.
#[tokio::test]
async fn shutdown_finishes_what_is_under_way() {
    let mut served = Served::with(Limits::default()).await;
    let mut idle = served.connect().await;
    idle.write_all(list_request("keep-alive").as_bytes()).await.unwrap();
    read_answer(&mut idle).await;
    served.memory.close();
    let mut busy = served.connect().await;
    busy.write_all((head("PutRecord", PUT.len(), "") + PUT).as_bytes()).await.unwrap();
    served.memory.entered().await;
    served.stop.take().unwrap().send(()).unwrap();
    assert_eq!(read_to_end(&mut idle).await, "", "an idle connection is closed");
    assert!(TcpStream::connect(served.address).await.is_err(), "nobody listens any more");
    served.memory.open();
    let answer = read_to_end(&mut busy).await;
    assert!(answer.contains("200 OK") && answer.contains("RecordId"), "{answer}");
    served.server.await.unwrap();
    assert_eq!(served.memory.records(), [b"a"]);
}

/// A request that never ends does not keep the server from ending.
#[tokio::test]
async fn shutdown_does_not_wait_for_ever() {
    let limits = Limits { shutdown_grace: Duration::from_millis(20), ..Limits::default() };
    let mut served = Served::with(limits).await;
    served.memory.close();
    let mut stuck = served.connect().await;
    stuck.write_all((head("PutRecord", PUT.len(), "") + PUT).as_bytes()).await.unwrap();
    served.memory.entered().await;
    served.stop.take().unwrap().send(()).unwrap();
    served.server.await.unwrap();
    assert_eq!(read_to_end(&mut stuck).await, "");
}
