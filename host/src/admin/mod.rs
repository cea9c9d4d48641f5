//! The admin port: is the process alive, is it ready, what has it counted.
//!
//! `GET /healthz` answers 200 while the process lives. `GET /readyz` answers 200 when puts are accepted and 503 with the
//! reasons otherwise. `GET /metrics` answers Prometheus text. Bounded: so many connections, so long each.
//! Refuses everything that changes something, and to know where readiness comes from: whoever knows tells [`Health`].

mod health;
mod server;

pub use health::Health;
pub use server::{Admin, AdminError};
