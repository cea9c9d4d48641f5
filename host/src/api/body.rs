//! Reads a request's body within bounds: of bytes, of time, and of what all bodies together may hold (rows A1, A2, A9).
//!
//! Knows nothing of what is in a body.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Body;
use hyper::header::{CONTENT_ENCODING, HeaderMap};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use super::settings::Limits;

/// A body in memory. Its bytes count as in flight until it is dropped.
#[derive(Debug)]
pub(super) struct HeldBody {
    /// All of it.
    pub(super) bytes: Bytes,
    _permit: OwnedSemaphorePermit,
}

/// Why there is no body to work on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BodyError {
    /// Longer than the limit.
    #[error("body is too large")]
    TooLarge,
    /// Slower than the deadline allows.
    #[error("body came in too slowly")]
    TooSlow,
    /// The connection ended before the body did.
    #[error("body was cut short")]
    Cut,
    /// Too many bodies are in flight.
    #[error("too many bytes in flight")]
    Busy,
    /// Compressed; a small one could unpack to anything (row A3).
    #[error("content encoding is not supported")]
    Encoded,
}

/// The budget of bytes that all bodies together may hold; at least one body always fits.
pub(super) fn budget(limits: &Limits) -> Arc<Semaphore> {
    let bytes = limits.in_flight_bytes.max(limits.body_bytes);
    Arc::new(Semaphore::new(bytes.min(Semaphore::MAX_PERMITS)))
}

/// Reads a body to its end.
///
/// # Errors
/// See [`BodyError`]. What is too large is read on for a while and thrown away, so that a client that writes first and
/// reads later sees the answer.
pub(super) async fn read<B>(
    headers: &HeaderMap,
    body: B,
    limits: &Limits,
    budget: &Arc<Semaphore>,
) -> Result<HeldBody, BodyError>
where
    B: Body<Data = Bytes> + Unpin,
{
    let plain = |value: &hyper::header::HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    if !headers.get_all(CONTENT_ENCODING).iter().all(plain) {
        return Err(BodyError::Encoded);
    }
    let announced = body.size_hint().exact().and_then(|length| usize::try_from(length).ok());
    let most = announced.unwrap_or(limits.body_bytes).min(limits.body_bytes);
    let mut hold = Hold::new(budget, most)?;
    let bytes = Reader { started: Instant::now(), limits }.collect(body, &mut hold).await?;
    Ok(HeldBody { bytes, _permit: hold.finish() })
}

/// A body's share of the budget. It runs ahead of what came in by a factor of two, so that a caller who announces much
/// and sends little holds little, and a large body that finds no room finds out before half of it was sent.
struct Hold {
    permit: OwnedSemaphorePermit,
    /// Bytes that the body can have.
    most: usize,
    /// Bytes that came in.
    received: usize,
}

/// What a body holds at least while it is read.
const FIRST_HOLD_BYTES: usize = 64 << 10;

impl Hold {
    fn new(budget: &Arc<Semaphore>, most: usize) -> Result<Self, BodyError> {
        let permit = acquire(budget, most.min(FIRST_HOLD_BYTES))?;
        Ok(Self { permit, most, received: 0 })
    }

    fn grow(&mut self, bytes: usize) -> Result<(), BodyError> {
        self.received += bytes;
        let held = self.permit.num_permits();
        if self.received > held {
            let wanted = (self.received * 2).min(self.most.max(self.received));
            self.permit.merge(acquire(self.permit.semaphore(), wanted - held)?);
        }
        Ok(())
    }

    /// Gives back what the body turned out not to need.
    fn finish(mut self) -> OwnedSemaphorePermit {
        let unused = self.permit.num_permits().saturating_sub(self.received);
        drop(self.permit.split(unused));
        self.permit
    }
}

fn acquire(budget: &Arc<Semaphore>, bytes: usize) -> Result<OwnedSemaphorePermit, BodyError> {
    let permits = u32::try_from(bytes).map_err(|_| BodyError::TooLarge)?;
    Arc::clone(budget).try_acquire_many_owned(permits).map_err(|_| BodyError::Busy)
}

/// How much of a body that is too large is read and thrown away, in multiples of the limit.
const DISCARDED_MULTIPLE: usize = 2;

struct Reader<'l> {
    started: Instant,
    limits: &'l Limits,
}

impl Reader<'_> {
    async fn collect<B>(&self, mut body: B, hold: &mut Hold) -> Result<Bytes, BodyError>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let most = self.limits.body_bytes;
        let mut collected = Collected::default();
        let mut received = 0;
        loop {
            let frame = timeout_at(self.deadline(received), body.frame()).await.map_err(|_| BodyError::TooSlow)?;
            let Some(frame) = frame else { break };
            // Trailers carry nothing that is signed or known; they are ignored like unknown headers.
            let Ok(data) = frame.map_err(|_| BodyError::Cut)?.into_data() else { continue };
            received += data.len();
            if received > most * DISCARDED_MULTIPLE {
                return Err(BodyError::TooLarge);
            }
            if received <= most {
                hold.grow(data.len())?;
                collected.push(data, hold.most);
            }
        }
        if received > most { Err(BodyError::TooLarge) } else { Ok(collected.finish()) }
    }

    /// The moment by which more than `received` bytes must have come.
    fn deadline(&self, received: usize) -> Instant {
        let rate = f64::from(self.limits.body_bytes_per_second.max(1));
        self.started + self.limits.body_grace + Duration::from_secs_f64(received as f64 / rate)
    }
}

/// Frames put together; a body in one frame is not copied.
#[derive(Default)]
struct Collected {
    first: Bytes,
    whole: Vec<u8>,
}

impl Collected {
    fn push(&mut self, data: Bytes, expected: usize) {
        if self.whole.is_empty() && self.first.is_empty() {
            self.first = data;
            return;
        }
        if self.whole.is_empty() {
            self.whole.reserve_exact(expected.max(self.first.len() + data.len()));
            self.whole.extend_from_slice(&self.first);
        }
        self.whole.extend_from_slice(&data);
    }

    fn finish(self) -> Bytes {
        if self.whole.is_empty() { self.first } else { Bytes::from(self.whole) }
    }
}
