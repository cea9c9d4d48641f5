//! Reads back what an S3 server stored, with the SDK.

use async_trait::async_trait;
use aws_sdk_s3::Client;

use super::objects::{Peer, Stored};
use crate::deliver::Settings;
use crate::deliver::s3::connect;

/// The receiving side of any S3 server.
#[derive(Debug)]
pub struct Reader {
    /// For what the suite does not ask.
    pub client: Client,
    bucket: String,
}

impl Reader {
    /// A reader of `bucket`, which need not exist yet. `None` if the settings make no client.
    pub async fn connect(settings: &Settings, bucket: &str) -> Option<Self> {
        Some(Self { client: connect(settings).await.ok()?, bucket: bucket.to_owned() })
    }

    /// Multipart uploads begun and neither completed nor aborted; `None` if the server does not say.
    pub async fn unfinished(&self) -> Option<usize> {
        let found = self.client.list_multipart_uploads().bucket(&self.bucket).send().await.ok()?;
        Some(found.uploads().len())
    }
}

#[async_trait]
impl Peer for Reader {
    fn bucket(&self) -> &str {
        &self.bucket
    }

    async fn read(&self, key: &str) -> Option<Stored> {
        let found = self.client.get_object().bucket(&self.bucket).key(key).send().await.ok()?;
        let batch = found.metadata().and_then(|metadata| metadata.get("hydrant-batch")).cloned();
        let content_type = found.content_type().map(str::to_owned);
        let content_encoding = found.content_encoding().filter(|text| !text.is_empty()).map(str::to_owned);
        let body = found.body.collect().await.ok()?.into_bytes();
        Some(Stored { body, content_type, content_encoding, batch })
    }

    async fn keys(&self) -> Vec<String> {
        let mut keys = Vec::new();
        let mut pages = self.client.list_objects_v2().bucket(&self.bucket).into_paginator().send();
        while let Some(Ok(page)) = pages.next().await {
            keys.extend(page.contents().iter().filter_map(|object| object.key().map(str::to_owned)));
        }
        keys
    }
}
