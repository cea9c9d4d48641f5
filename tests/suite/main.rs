//! One binary for all proofs that need more than one crate or process.

mod s3_peers;
