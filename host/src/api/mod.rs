//! The Firehose API: authenticate, bound, parse, append, answer.
//!
//! In the order of a request: `server` accepts connections and bounds them, `body` reads within limits, `service` keeps
//! the order of checks (content type, JSON, target, authentication, types and constraints, rules), `auth` verifies signatures,
//! `model` knows shapes and their messages, `put` is the data plane, `control` the control plane, and `backend` is
//! the seam to what stores. Speaks HTTP/1.1 with keep-alive and AWS JSON 1.1, nothing else. Stores nothing itself, and
//! logs no payload and no secret.

mod auth;
mod backend;
mod body;
mod control;
mod error;
mod model;
mod put;
mod server;
mod service;
mod settings;

#[cfg(test)]
mod tests;

pub use backend::{Backend, ControlError, Refusal, Stream, StreamHandle, StreamStatus};
pub use control::describe;
pub use server::serve;
pub use service::{Answer, Api};
pub use settings::{Authentication, Credential, Limits, NameRules, PrefixPlace, Settings};
