//! The proofs: repository rules, and what the built binary promises.
//!
//! `line_NN_…` shows the numbered line NN of the specification of the spine. The other modules prove rows of the
//! failure catalogue, named in their doc comments. Every wait has a limit; nothing sleeps; nothing is skipped in
//! silence.
#![expect(clippy::expect_used, clippy::panic, reason = "a broken expectation is the test's failure")]

mod bad_input;
mod bad_input_destinations;
mod breakers;
mod capabilities;
mod conformance;
mod crash;
mod dead_letter;
mod destinations;
mod examples;
mod examples_alerts;
mod examples_lake;
mod formats;
mod full_disk;
mod http;
mod languages;
mod line_01_demo;
mod line_02_make_test;
mod line_03_command_line;
mod line_04_api;
mod line_05_journal;
mod line_06_plugins;
mod line_07_batching;
mod line_08_s3;
mod line_09_crash;
mod line_10_observability;
mod line_11_words;
mod line_12_hygiene;
mod opensearch;
mod partitions;
mod plugin_author;
mod power_cut;
mod rebinding;
mod redshift;
mod s3_peers;
mod sandbox;
mod shutdown;
mod splunk;
mod streams;
mod tidy;
mod trials;
