//! The conformance suite of destinations on their real peers: three S3 servers, an OpenSearch node, PostgreSQL behind the
//! stand-in for Redshift, and receivers for HTTP endpoints and Splunk. The same eight scenarios run inside the host's own
//! crate on peers in the process. What a peer cannot be made to do is asserted, by the reason for it.
#![expect(clippy::unwrap_used, reason = "a test says what it expects")]

mod http;
mod opensearch;
mod redshift;
mod s3;
mod splunk;
