//! Batches to PutRecordBatch requests, a few at once, failed records repeated alone. Refuses to read input.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_sdk_firehose::primitives::Blob;
use aws_sdk_firehose::types::Record;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use serde::Serialize;
use tokio::sync::mpsc;

use super::super::Failure;
use super::super::client::{Client, Refused};
use super::Batch;
use crate::runtime::Random;

/// Most attempts of one record: with full jitter up to 5 s, about half a minute of a host that has no room.
const ATTEMPTS: u32 = 16;
/// First upper bound of the pause between attempts: a group commit or two.
const PAUSE: Duration = Duration::from_millis(50);
/// Last upper bound of that pause: a host under pressure opens again within seconds.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What sends.
#[derive(Debug)]
pub(in super::super) struct Sending {
    client: Client,
    stream: String,
    in_flight: usize,
    random: Arc<Random>,
    pause: Duration,
}

/// What was sent.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(in super::super) struct Summary {
    /// Stream name.
    pub(in super::super) stream: String,
    /// Records the host acknowledged.
    pub(in super::super) records: u64,
    /// Their bytes.
    pub(in super::super) bytes: u64,
    /// Requests made.
    pub(in super::super) requests: u64,
    /// Records sent more than once, counted each time.
    pub(in super::super) repeated_records: u64,
    /// Records given up.
    pub(in super::super) failed_records: u64,
    /// Empty lines left out.
    pub(in super::super) skipped_lines: u64,
    /// Time from the first to the last request.
    pub(in super::super) seconds: f64,
    /// Acknowledged records per second.
    pub(in super::super) records_per_second: f64,
}

/// How one batch ended.
#[derive(Debug, Default)]
struct Sent {
    batch: Batch,
    records: u64,
    bytes: u64,
    requests: u64,
    repeated: u64,
    /// Records not acknowledged, and why.
    failed: Option<(u64, Failure)>,
}

impl Sending {
    /// Sends to `stream`, `in_flight` requests at once.
    pub(in super::super) fn new(client: Client, stream: &str, in_flight: usize) -> Self {
        let random = Arc::new(Random::from_system());
        Self { client, stream: stream.to_owned(), in_flight: in_flight.max(1), random, pause: PAUSE }
    }

    /// Sends every batch until one fails for good; what is on its way then is waited for. `progress` hears of each
    /// acknowledged batch: its input bytes and its records.
    pub(in super::super) async fn send(
        &self,
        mut batches: mpsc::Receiver<Result<Batch, Failure>>,
        progress: impl Fn(u64, u64),
    ) -> (Summary, Option<Failure>) {
        let started = Instant::now();
        let mut summary = Summary { stream: self.stream.clone(), ..Summary::default() };
        let mut failure = None;
        let mut flying = FuturesUnordered::new();
        let mut open = true;
        loop {
            tokio::select! {
                batch = batches.recv(), if open && flying.len() < self.in_flight => match batch {
                    Some(Ok(batch)) => flying.push(self.batch(batch)),
                    Some(Err(error)) => {
                        failure.get_or_insert(error);
                        open = false;
                    }
                    None => open = false,
                },
                Some(sent) = flying.next() => {
                    summary.add(&sent);
                    progress(sent.batch.input_bytes, sent.records);
                    if let Some((_, error)) = sent.failed {
                        failure.get_or_insert(error);
                        open = false;
                    }
                }
                else => break,
            }
        }
        summary.seconds = started.elapsed().as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let rate = summary.records as f64 / summary.seconds.max(0.001);
        summary.records_per_second = rate.round();
        (summary, failure)
    }

    /// Sends one batch, then again what was refused of it.
    async fn batch(&self, batch: Batch) -> Sent {
        let mut sent = Sent::default();
        let mut open: Vec<usize> = (0..batch.records.len()).collect();
        let mut last = None;
        for attempt in 0..ATTEMPTS {
            if open.is_empty() {
                break;
            }
            if attempt > 0 {
                sent.repeated += open.len() as u64;
                tokio::time::sleep(self.jitter(attempt)).await;
            }
            sent.requests += 1;
            match self.request(&batch, &open).await {
                Ok(refused) => {
                    let done = open.iter().filter(|at| !refused.contains(at));
                    sent.bytes += done.clone().map(|at| batch.records[*at].len() as u64).sum::<u64>();
                    sent.records += done.count() as u64;
                    last = Some(Failure::told("the host has no room").hint("look at its journal and its destination"));
                    open = refused;
                }
                Err(refused) if refused.is_passing() => last = Some(Failure::from(refused)),
                Err(refused) => {
                    last = Some(Failure::from(refused));
                    break;
                }
            }
        }
        if let (false, Some(failure)) = (open.is_empty(), last) {
            let place = match batch.lines() {
                Some(lines) => format!("{} of the records in lines {} to {}", open.len(), lines.start(), lines.end()),
                None => format!("{} records", open.len()),
            };
            let error = failure.error.context(format!("cannot send {place}"));
            sent.failed = Some((open.len() as u64, Failure { error, ..failure }));
        }
        sent.batch = batch;
        sent.batch.records = Vec::new();
        sent
    }

    /// One request with the records at `places`; returns the places that were refused.
    async fn request(&self, batch: &Batch, places: &[usize]) -> Result<Vec<usize>, Refused> {
        let mut records = Vec::with_capacity(places.len());
        for at in places {
            let record = Record::builder().data(Blob::new(batch.records[*at].clone())).build();
            records.push(record.map_err(|error| Refused::Unsent { cause: error.to_string() })?);
        }
        let call = self.client.firehose.put_record_batch().delivery_stream_name(&self.stream);
        let answer = call.set_records(Some(records)).send().await.map_err(|error| self.client.refused(&error))?;
        let responses = answer.request_responses();
        if responses.len() != places.len() {
            // Which records it speaks of is unknown, so all of them are.
            return Err(Refused::Unanswered {
                endpoint: self.client.endpoint.clone(),
                cause: format!("{} results for {} records", responses.len(), places.len()),
            });
        }
        let refused = responses.iter().zip(places).filter(|(response, _)| response.error_code().is_some());
        Ok(refused.map(|(_, at)| *at).collect())
    }

    /// Full jitter: anything from nothing to a bound that doubles.
    fn jitter(&self, attempt: u32) -> Duration {
        let bound = self.pause.saturating_mul(1 << (attempt - 1).min(16)).min(LONGEST_PAUSE);
        Duration::from_millis(self.random.up_to(u64::try_from(bound.as_millis()).unwrap_or(u64::MAX)))
    }

    /// Without pauses.
    #[cfg(test)]
    pub(super) fn without_pauses(mut self) -> Self {
        self.pause = Duration::ZERO;
        self
    }
}

impl Summary {
    fn add(&mut self, sent: &Sent) {
        self.records += sent.records;
        self.bytes += sent.bytes;
        self.requests += sent.requests;
        self.repeated_records += sent.repeated;
        self.failed_records += sent.failed.as_ref().map_or(0, |(count, _)| *count);
        self.skipped_lines += sent.batch.skipped_lines;
    }
}
