//! Delivery to Splunk's HTTP event collector with indexer acknowledgement.
//!
//! A batch is one request: the records' bytes end to end, as Firehose sends them. It is delivered when the collector
//! says that it is indexed, not when it says that it came. The collector knows no batch ids, so a batch whose
//! acknowledgement does not come may be indexed twice; Firehose is no different. Refuses to add delimiters or to wrap
//! records into events: who wants either does it in a plugin.

mod answer;
mod destination;

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod tests;

pub use destination::SplunkDestination;
