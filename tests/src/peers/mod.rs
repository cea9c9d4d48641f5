//! Real servers from other hands, installed and started by the tests that talk to them.
//!
//! What is fetched is kept in the build directory, `target/peers/NAME-VERSION/`, so only the first run fetches. A peer
//! listens on a free loopback port, keeps its files in a folder of its own and ends with its guard. A peer that cannot
//! be installed or does not start is a failed test, never a skipped one.

mod glue;
mod http1;
mod http_endpoint;
mod install;
mod opensearch;
mod postgres;
mod proxy;
mod readers;
pub mod redshift;
mod s3;
mod splunk;
mod webhook;

pub use glue::GlueCatalog;
pub use http_endpoint::{EndpointFault, HttpEndpointReceiver};
pub use http1::{Authority, Received};
pub use opensearch::SearchNode;
pub use postgres::{DATABASE, PASSWORD, Postgres, USER};
pub use proxy::Proxy;
pub use readers::python_with_readers;
pub use redshift::Redshift;
pub use s3::{S3Peer, s3proxy, versitygw};
pub use splunk::{Acknowledging, CollectorFault, HecReceiver, splunk_hec_handler};
pub use webhook::Webhook;
