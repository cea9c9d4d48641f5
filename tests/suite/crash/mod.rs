//! The host is killed under load, again and again, on one data directory; at the end a drain and the conservation
//! checker.
//!
//! [`kills`] delivers to the embedded S3 server and is cheap; [`deliveries`] delivers everywhere else, to peers that
//! fail meanwhile, and cuts the power of the host's disk.

mod check;
mod deliveries;
mod kills;
mod rig;

pub(crate) use kills::cycles;
