//! Delivery to Amazon S3 and to servers that speak its protocol, through `aws-sdk-s3`.

mod classify;
mod client;
mod multipart;
mod settings;
mod upload;

pub use client::ConnectError;
pub use settings::{Checksums, Credentials, Endpoint, Settings};
pub use upload::S3;
