//! Delivery to Amazon S3 and to servers that speak its protocol, through `aws-sdk-s3`.

mod classify;
mod client;
mod look;
mod multipart;
mod settings;
mod shelf;
mod sweep;
mod upload;

#[cfg(test)]
mod tests;

pub use client::ConnectError;
pub(in crate::deliver) use client::connect;
pub use settings::{Checksums, Credentials, Endpoint, Settings};
pub use upload::S3;
