//! Hydrant: a durable delivery service that speaks Amazon Data Firehose's API and runs WebAssembly plugins.
//!
//! Data runs down this list, one way; only [`pipeline`] and the command line see all of it. The Rust API of this
//! crate is not a promise; the command line, configuration keys, WIT, disk format and metric names are.

pub mod admin;
pub mod api;
pub mod app;
pub mod batch;
pub mod cli;
pub mod config;
pub mod convert;
pub mod dead_letter;
pub mod definition;
pub mod deliver;
pub mod encode;
pub mod journal;
pub mod pipeline;
pub mod process;
pub mod record;
pub mod runtime;
pub mod spool;
pub mod telemetry;
