//! Delivery to an HTTP endpoint by Firehose's request and response specification, version 1.0.
//!
//! A batch is a request, or several where it has more than 10,000 records or 64 MiB; each has an id of its own that
//! stays the same for as long as the batch is tried, so an endpoint that keeps ids sees each record once.
//! Where `EndpointBody` says so, each record is a request by itself, as it is: what webhooks take.
//! [`HttpEndpointDestination`] sends; what a request and an answer look like is in files of their own. Refuses to
//! repeat anything by itself, and to take anything but status 200 with a well-formed answer for success.

mod destination;
mod request;
mod response;

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod tests;

pub use destination::HttpEndpointDestination;
pub(in crate::deliver) use response::quoted;
