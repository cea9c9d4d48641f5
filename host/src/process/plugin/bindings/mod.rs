//! The world's values as Rust types, one file per version of the contract.

pub(super) mod v1;
