//! The control plane: from a checked document to a definition, and from a definition to what Describe shows.
//!
//! Rules between members live here, with the service's own messages where they are known
//! and one wording of ours for what this host does not offer. Pure: nothing here stores anything.

mod conversion;
mod create;
mod describe;
mod endpoint;
mod extensions;
mod http_endpoint;
mod kind;
mod lambda;
mod login;
mod members;
mod opensearch;
mod partitioning;
mod processing;
mod redshift;
mod s3;
mod splunk;
mod tags;
mod update;

#[cfg(test)]
mod tests;

pub(super) use create::{Place, create};
pub use describe::describe;
pub(super) use describe::{describe_answer, list_answer};
pub(super) use tags::{list_tags_answer, tag, untag};
pub(super) use update::update;
