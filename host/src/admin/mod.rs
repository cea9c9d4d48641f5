//! The admin port: is the process alive, is it ready, what has it counted.
//!
//! `GET /healthz` answers 200 while the process lives. `GET /readyz` answers 200 when puts are accepted and 503 with the
//! reasons otherwise. `GET /metrics` answers Prometheus text. `plugins` has what can be changed, `dead_letter` what can
//! be read and put again, `recopies` what can be loaded again. Bounded: so many connections, so long each. Refuses to
//! know where readiness comes from: whoever knows tells [`Health`].

mod dead_letter;
mod health;
mod plugins;
mod recopies;
mod server;

pub use dead_letter::{FailureDoor, Failures, What};
pub use health::Health;
pub use plugins::{Door, Plugins, Refusal};
pub use recopies::{Recopies, RecopyDoor};
pub use server::{Admin, AdminError};
