//! What tests and benches begin with: a stream that asks for nothing. No part of the product uses it.
//!
//! They change what they are about, so a new member of a definition is added here and not in each of them.

use super::{Compression, Definition, S3Destination, Target};

/// Version 1 of a stream of this name: its records go to [`s3`] as they are.
pub fn definition(name: &str) -> Definition {
    Definition {
        account_id: "000000000000".to_owned(),
        name: name.to_owned(),
        arn: format!("arn:aws:firehose:us-east-1:000000000000:deliverystream/{name}"),
        version: 1,
        created_ms: 0,
        updated_ms: None,
        s3: s3(),
        target: Target::S3,
        source_backup: None,
        partitioning: None,
        conversion: None,
        processors: Vec::new(),
        document: serde_json::Value::Null,
    }
}

/// The bucket `lake`, without prefixes, Firehose's own hints, no compression.
pub fn s3() -> S3Destination {
    S3Destination {
        bucket: "lake".to_owned(),
        prefix: String::new(),
        error_output_prefix: String::new(),
        buffer_bytes: 5 << 20,
        buffer_seconds: 300,
        compression: Compression::Uncompressed,
        file_extension: String::new(),
        time_zone: String::new(),
        kms_key_arn: None,
        sizes_compressed: false,
    }
}
