//! How far the host is, read from its own `/metrics` as any monitoring would. Refuses to wait.

use std::net::SocketAddr;

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::handshake;
use hyper::{Request, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Most bytes of an answer that is believed: one stream and one plugin take a few KiB.
const ANSWER_BYTES: usize = 4 << 20;

/// What became of the records of one stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Progress {
    pub(super) durable: u64,
    pub(super) dropped: u64,
    pub(super) failed: u64,
    pub(super) delivered: u64,
    /// Age of the oldest undelivered record; 0 when there is none.
    pub(super) freshness_ms: u64,
}

impl Progress {
    /// Reads the counters of `stream` from the host's admin port.
    pub(super) async fn read(admin: SocketAddr, stream: &str) -> anyhow::Result<Self> {
        let connection = TcpStream::connect(admin).await?;
        let (mut sender, connection) = handshake(TokioIo::new(connection)).await?;
        let request = Request::get("/metrics").header(header::HOST, admin.to_string()).body(Empty::<Bytes>::new())?;
        let answer = async {
            let answer = sender.send_request(request).await?;
            let body = Limited::new(answer.into_body(), ANSWER_BYTES).collect().await;
            body.map_err(|error| anyhow::anyhow!(error))
        };
        // The connection is driven only while the answer is awaited, so nothing is left behind.
        let body = tokio::select! {
            body = answer => body?,
            ended = connection => {
                ended?;
                anyhow::bail!("the admin port closed the connection")
            }
        };
        Ok(Self::parse(&String::from_utf8_lossy(&body.to_bytes()), stream))
    }

    fn parse(text: &str, stream: &str) -> Self {
        let label = format!("stream=\"{stream}\"");
        let value = |name: &str| {
            let sample = text.lines().find_map(|line| {
                let labels = line.strip_prefix(name)?.strip_prefix('{')?;
                let (labels, value) = labels.split_once("} ")?;
                labels.split(',').any(|one| one == label).then(|| value.trim().parse().ok())?
            });
            sample.unwrap_or(0)
        };
        Self {
            durable: value("hydrant_journal_durable_records_total"),
            dropped: value("hydrant_process_dropped_records_total"),
            failed: value("hydrant_process_failed_records_total"),
            delivered: value("hydrant_deliver_delivered_records_total"),
            freshness_ms: value("hydrant_deliver_freshness_milliseconds"),
        }
    }

    /// Whether each of `sent` records is somewhere for good.
    pub(super) fn is_done(&self, sent: u64) -> bool {
        let ended = self.dropped + self.failed + self.delivered;
        self.durable >= sent && ended >= self.durable && self.freshness_ms == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::{Admin, Health};
    use crate::telemetry::Telemetry;

    #[tokio::test]
    async fn the_counters_of_one_stream_are_read() {
        let telemetry = Telemetry::new();
        let stream = telemetry.stream("000000000000", "orders");
        stream.durable.add(10, 100);
        stream.dropped.add(2, 20);
        stream.failed.add(1, 10);
        stream.delivered.add(6, 60);
        stream.freshness_ms.set(40);
        telemetry.stream("000000000000", "orders-2").durable.add(99, 99);
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        let admin = Admin::start(
            loopback,
            telemetry,
            Health::starting(),
            Default::default(),
            Default::default(),
            Default::default(),
        )
        .await
        .expect("a port");
        let read = Progress::read(admin.address(), "orders").await.expect("metrics");
        let expected = Progress { durable: 10, dropped: 2, failed: 1, delivered: 6, freshness_ms: 40 };
        assert_eq!(read, expected);
        assert!(!read.is_done(10));
        stream.delivered.add(1, 10);
        stream.freshness_ms.set(0);
        let read = Progress::read(admin.address(), "orders").await.expect("metrics");
        assert!(read.is_done(10) && !read.is_done(11));
        assert_eq!(Progress::read(admin.address(), "absent").await.expect("metrics"), Progress::default());
    }
}
