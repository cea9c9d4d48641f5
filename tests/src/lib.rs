//! Support for proofs about Hydrant. A support function that cannot do its work panics, because that is how a test fails.
#![expect(clippy::expect_used, clippy::panic, reason = "test support: a broken expectation is the test's failure")]

pub mod peers;
