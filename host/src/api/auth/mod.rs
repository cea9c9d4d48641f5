//! Signature Version 4: who sent this request, and is it the one that was signed? (rows A4 to A7)
//!
//! `header` takes the Authorization header apart, `canonical` rebuilds what was signed, `verify` decides.
//!
//! Stricter than the protocol, on purpose: every `X-Amz-*`, `Host`, `Content-Type` and `X-Amz-Target` header must be
//! signed, the body's hash is always computed and never taken from the caller, and presigned queries, unsigned
//! payloads, session tokens and doubled headers are refused. A request that is repeated within five minutes is accepted
//! again: Firehose never deduplicates a put, and neither does this host.

mod canonical;
mod header;
mod verify;

#[cfg(test)]
mod tests;

pub(super) use verify::Verifier;
