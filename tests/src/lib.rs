//! Support for proofs about the built binary: it is started as an operator starts it, spoken to as producers speak,
//! and judged by what lies in S3 afterwards.
//!
//! Nothing here imports the product: the tests know its promises (command line, configuration keys, protocol, object
//! contents), never its insides. Nothing here waits without a limit and a message. A support function that cannot do
//! its work panics, because that is how a test fails.
#![expect(clippy::expect_used, clippy::panic, reason = "test support: a broken expectation is the test's failure")]

pub mod checker;
pub mod client;
pub mod environment;
pub mod evidence;
pub mod host;
pub mod ledger;
pub mod load;
pub mod loop_disk;
pub mod metrics;
pub mod own_hosts;
pub mod page;
pub mod peers;
pub mod process;
pub mod producer;
pub mod stamp;
pub mod wait;
