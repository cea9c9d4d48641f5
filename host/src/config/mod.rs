//! The host's configuration: one TOML file in, checked [`Settings`] out.
//!
//! The way of a value: text → a flat document that remembers line numbers → [`Settings`]. Past this module every value
//! is legal, so nobody checks twice. The document is read key by key against one table of defaults and not by a serde
//! derive, because serde stops at the first problem and an operator deserves all of them at once, each with its line.
//!
//! This is the only reader of environment variables, and only where a setting or an SDK convention names one: no
//! variable overrides a key. Secrets come by environment variable or file, are held in `secrecy` types, and are never
//! shown. Refuses to start anything, and to know what a stage does with its settings.

mod document;
mod environment;
mod keys;
mod load;
mod plugins;
mod problem;
mod range;
mod report;
mod settings;

#[cfg(test)]
mod tests;

pub use environment::{Environment, ProcessEnvironment, cache_dir};
pub use load::{Loaded, load, parse};
pub use problem::{ConfigError, Problem};
pub use range::{AddressRange, RangeError};
pub use report::{Effective, Reason, Report};
pub use settings::{
    Admin, Api, Authentication, Capability, Catalog, Credential, Egress, Journal, Level, Log, LogFormat, Memory,
    OpenSearch, Overflow, Partitions, Plugins, Redshift, S3, S3Endpoint, SearchAccess, SearchCredential, Secrets,
    Settings, Shutdown,
};
