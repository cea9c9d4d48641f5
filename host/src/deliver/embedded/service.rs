//! The S3 operations Hydrant and people's tools need, translated between `s3s` and the [`Store`].

use std::fs::File;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use s3s::checksum::ChecksumHasher;
use s3s::dto::*;
use s3s::{S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result, TrailingHeaders, s3_error};
use uuid::Uuid;

use super::listing::Entry;
use super::store::{Attributes, Incoming, Opened, Overwrite, Store, StoreError};
use super::uploads::{Upload, hex};
use crate::runtime::Random;

/// Longest silence inside a body; the sender is gone then.
const BODY_SILENCE: Duration = Duration::from_secs(60);
/// Body bytes gathered before a thread writes them, and read at once on the way out.
const BLOCK_BYTES: usize = 1 << 20;
/// S3's page size.
const MOST_KEYS: usize = 1_000;
/// S3's most parts of one upload.
const MOST_PARTS: i32 = 10_000;

#[derive(Debug)]
pub(super) struct Service {
    pub(super) store: Arc<Store>,
    pub(super) random: Arc<Random>,
    pub(super) most_body_bytes: u64,
}

impl Service {
    /// Runs file work on a thread that may block.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    ) -> S3Result<T> {
        let store = Arc::clone(&self.store);
        tokio::task::spawn_blocking(move || work(&store)).await.map_err(S3Error::internal_error)?.map_err(answer)
    }

    /// Takes in a body, checks every checksum that came with it, and returns it with its MD5 in hexadecimal.
    async fn receive(&self, body: Option<StreamingBlob>, mut sums: Sums) -> S3Result<(Incoming, String)> {
        let mut incoming = self.blocking(|store| Ok(store.receive()?)).await?;
        let mut body = body.ok_or_else(|| s3_error!(IncompleteBody))?;
        let mut block = Vec::with_capacity(BLOCK_BYTES);
        let mut ended = false;
        while !ended {
            match tokio::time::timeout(BODY_SILENCE, body.next()).await {
                Err(_) => return Err(s3_error!(RequestTimeout)),
                Ok(None) => ended = true,
                Ok(Some(Ok(chunk))) => block.extend_from_slice(&chunk),
                Ok(Some(Err(error))) => return Err(S3Error::with_source(S3ErrorCode::IncompleteBody, error)),
            }
            if block.len() < BLOCK_BYTES && !ended {
                continue;
            }
            if incoming.length + block.len() as u64 > self.most_body_bytes {
                return Err(s3_error!(EntityTooLarge));
            }
            let full = std::mem::take(&mut block);
            (incoming, sums, block) = self
                .blocking(move |_| {
                    let mut full = full;
                    incoming.write(&full)?;
                    sums.hasher.update(&full);
                    full.clear();
                    Ok((incoming, sums, full))
                })
                .await?;
        }
        let md5 = incoming.md5();
        sums.check(&md5)?;
        Ok((incoming, hex(&md5)))
    }
}

/// Checksums a client sent: in headers before the body, or in trailers after it.
struct Sums {
    hasher: ChecksumHasher,
    md5: Option<String>,
    headers: Checksum,
    trailers: Option<TrailingHeaders>,
}

impl Sums {
    fn new(
        md5: Option<String>,
        named: Option<ChecksumAlgorithm>,
        headers: Checksum,
        trailers: Option<TrailingHeaders>,
    ) -> Self {
        let wants = |header: &Option<String>, name| {
            header.is_some() || named.as_ref().is_some_and(|named| named.as_str() == name)
        };
        let hasher = ChecksumHasher {
            crc32: wants(&headers.checksum_crc32, ChecksumAlgorithm::CRC32).then(Default::default),
            crc32c: wants(&headers.checksum_crc32c, ChecksumAlgorithm::CRC32C).then(Default::default),
            sha1: wants(&headers.checksum_sha1, ChecksumAlgorithm::SHA1).then(Default::default),
            sha256: wants(&headers.checksum_sha256, ChecksumAlgorithm::SHA256).then(Default::default),
            crc64nvme: wants(&headers.checksum_crc64nvme, ChecksumAlgorithm::CRC64NVME).then(Default::default),
        };
        Self { hasher, md5, headers, trailers }
    }

    fn check(self, md5: &[u8; 16]) -> S3Result<()> {
        if self.md5.is_some_and(|sent| sent != base64_simd::STANDARD.encode_to_string(md5)) {
            return Err(s3_error!(BadDigest));
        }
        let trailers = self.trailers.and_then(|trailers| trailers.take()).unwrap_or_default();
        let sent = |header: Option<String>, name: &str| {
            header.or_else(|| trailers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned))
        };
        let computed = self.hasher.finalize();
        let pairs = [
            (computed.checksum_crc32, sent(self.headers.checksum_crc32, "x-amz-checksum-crc32")),
            (computed.checksum_crc32c, sent(self.headers.checksum_crc32c, "x-amz-checksum-crc32c")),
            (computed.checksum_sha1, sent(self.headers.checksum_sha1, "x-amz-checksum-sha1")),
            (computed.checksum_sha256, sent(self.headers.checksum_sha256, "x-amz-checksum-sha256")),
            (computed.checksum_crc64nvme, sent(self.headers.checksum_crc64nvme, "x-amz-checksum-crc64nvme")),
        ];
        // A sum that was announced but never sent is as bad as a wrong one.
        if pairs.iter().any(|(computed, sent)| computed != sent) { Err(s3_error!(BadDigest)) } else { Ok(()) }
    }
}

fn answer(error: StoreError) -> S3Error {
    let code = match &error {
        StoreError::NoBucket => S3ErrorCode::NoSuchBucket,
        StoreError::NoKey => S3ErrorCode::NoSuchKey,
        StoreError::NoUpload => S3ErrorCode::NoSuchUpload,
        StoreError::NoPart => S3ErrorCode::InvalidPart,
        StoreError::SmallPart => S3ErrorCode::EntityTooSmall,
        StoreError::Exists => S3ErrorCode::PreconditionFailed,
        StoreError::NotEmpty => S3ErrorCode::BucketNotEmpty,
        StoreError::Clash => S3ErrorCode::InvalidRequest,
        StoreError::Io(_) | StoreError::Attributes(_) => return S3Error::internal_error(error),
    };
    S3Error::with_message(code, error.to_string())
}

fn overwrite(if_none_match: Option<&ETagCondition>, if_match: Option<&ETagCondition>) -> S3Result<Overwrite> {
    match (if_none_match, if_match) {
        (None, None) => Ok(Overwrite::Allowed),
        (Some(condition), None) if condition.is_any() => Ok(Overwrite::Refused),
        _ => Err(s3_error!(NotImplemented)),
    }
}

fn upload_id(text: &str) -> S3Result<Uuid> {
    Uuid::try_parse(text).map_err(|_| s3_error!(NoSuchUpload))
}

fn signed(length: u64) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

fn etag(attributes: &Attributes) -> Option<ETag> {
    (!attributes.etag.is_empty()).then(|| ETag::Strong(attributes.etag.clone()))
}

/// Streams part of a file; each block is read on a thread that may block.
fn stream_of(file: File, length: u64) -> StreamingBlob {
    StreamingBlob::wrap(stream::try_unfold((file, length), |(file, left)| async move {
        if left == 0 {
            return Ok::<_, std::io::Error>(None);
        }
        let read = tokio::task::spawn_blocking(move || {
            let mut block = Vec::new();
            (&file).take(left.min(BLOCK_BYTES as u64)).read_to_end(&mut block).map(|_| (file, block))
        });
        let (file, block) = read.await.map_err(std::io::Error::other)??;
        if block.is_empty() {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let left = left.saturating_sub(block.len() as u64);
        Ok(Some((Bytes::from(block), (file, left))))
    }))
}

#[async_trait::async_trait]
impl S3 for Service {
    async fn create_bucket(&self, req: S3Request<CreateBucketInput>) -> S3Result<S3Response<CreateBucketOutput>> {
        let bucket = req.input.bucket;
        match self.blocking(move |store| Ok(store.create_bucket(&bucket))).await? {
            Err(StoreError::Exists) => Err(s3_error!(BucketAlreadyOwnedByYou)),
            result => result.map(|()| S3Response::new(CreateBucketOutput::default())).map_err(answer),
        }
    }

    async fn head_bucket(&self, req: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
        self.blocking(move |store| store.bucket(&req.input.bucket)).await?;
        Ok(S3Response::new(HeadBucketOutput::default()))
    }

    async fn delete_bucket(&self, req: S3Request<DeleteBucketInput>) -> S3Result<S3Response<DeleteBucketOutput>> {
        self.blocking(move |store| store.delete_bucket(&req.input.bucket)).await?;
        Ok(S3Response::new(DeleteBucketOutput {}))
    }

    async fn get_bucket_location(
        &self,
        req: S3Request<GetBucketLocationInput>,
    ) -> S3Result<S3Response<GetBucketLocationOutput>> {
        self.blocking(move |store| store.bucket(&req.input.bucket)).await?;
        Ok(S3Response::new(GetBucketLocationOutput::default()))
    }

    async fn list_buckets(&self, _: S3Request<ListBucketsInput>) -> S3Result<S3Response<ListBucketsOutput>> {
        let found = self.blocking(|store| store.buckets()).await?;
        let buckets = found.into_iter().map(|(name, created)| Bucket {
            name: Some(name),
            creation_date: Some(created.into()),
            ..Bucket::default()
        });
        Ok(S3Response::new(ListBucketsOutput { buckets: Some(buckets.collect()), ..Default::default() }))
    }

    async fn put_object(&self, req: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let input = req.input;
        let overwrite = overwrite(input.if_none_match.as_ref(), input.if_match.as_ref())?;
        // Before the body is read: a missing bucket should not cost an upload.
        let (bucket, key) = (input.bucket, input.key);
        let there = bucket.clone();
        self.blocking(move |store| store.bucket(&there)).await?;
        let headers = Checksum {
            checksum_crc32: input.checksum_crc32,
            checksum_crc32c: input.checksum_crc32c,
            checksum_sha1: input.checksum_sha1,
            checksum_sha256: input.checksum_sha256,
            checksum_crc64nvme: input.checksum_crc64nvme,
            ..Checksum::default()
        };
        let sums = Sums::new(input.content_md5, input.checksum_algorithm, headers, req.trailing_headers);
        let (body, md5) = self.receive(input.body, sums).await?;
        let attributes = Attributes {
            length: body.length,
            etag: md5.clone(),
            content_type: input.content_type,
            content_encoding: input.content_encoding,
            content_disposition: input.content_disposition,
            content_language: input.content_language,
            cache_control: input.cache_control,
            metadata: input.metadata.unwrap_or_default().into_iter().collect(),
        };
        self.blocking(move |store| store.commit(&bucket, &key, body, attributes, overwrite)).await?;
        Ok(S3Response::new(PutObjectOutput { e_tag: Some(ETag::Strong(md5)), ..Default::default() }))
    }

    async fn get_object(&self, req: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let GetObjectInput { bucket, key, range, .. } = req.input;
        let opened = self.blocking(move |store| store.open_object(&bucket, &key)).await?;
        let Opened { file, length, modified, attributes } = opened;
        let wanted = match range {
            Some(range) => range.check(length)?,
            None => 0..length,
        };
        let content_range = range.map(|_| format!("bytes {}-{}/{length}", wanted.start, wanted.end.saturating_sub(1)));
        let start = wanted.start;
        let file = self
            .blocking(move |_| {
                use std::io::{Seek, SeekFrom};
                let mut file = file;
                file.seek(SeekFrom::Start(start))?;
                Ok(file)
            })
            .await?;
        let count = wanted.end - wanted.start;
        Ok(S3Response::new(GetObjectOutput {
            body: Some(stream_of(file, count)),
            accept_ranges: Some("bytes".to_owned()),
            content_length: Some(signed(count)),
            content_range,
            last_modified: Some(modified.into()),
            e_tag: etag(&attributes),
            content_type: attributes.content_type,
            content_encoding: attributes.content_encoding,
            content_disposition: attributes.content_disposition,
            content_language: attributes.content_language,
            cache_control: attributes.cache_control,
            metadata: Some(attributes.metadata.into_iter().collect()),
            ..Default::default()
        }))
    }

    async fn head_object(&self, req: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let HeadObjectInput { bucket, key, .. } = req.input;
        let opened = self.blocking(move |store| store.open_object(&bucket, &key)).await?;
        let attributes = opened.attributes;
        Ok(S3Response::new(HeadObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            content_length: Some(signed(opened.length)),
            last_modified: Some(opened.modified.into()),
            e_tag: etag(&attributes),
            content_type: attributes.content_type,
            content_encoding: attributes.content_encoding,
            content_disposition: attributes.content_disposition,
            content_language: attributes.content_language,
            cache_control: attributes.cache_control,
            metadata: Some(attributes.metadata.into_iter().collect()),
            ..Default::default()
        }))
    }

    async fn delete_object(&self, req: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
        self.blocking(move |store| store.delete(&req.input.bucket, &req.input.key)).await?;
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    async fn delete_objects(&self, req: S3Request<DeleteObjectsInput>) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let DeleteObjectsInput { bucket, delete, .. } = req.input;
        let deleted = self
            .blocking(move |store| {
                let mut deleted = Vec::new();
                for object in delete.objects {
                    store.delete(&bucket, &object.key)?;
                    deleted.push(DeletedObject { key: Some(object.key), ..Default::default() });
                }
                Ok(deleted)
            })
            .await?;
        Ok(S3Response::new(DeleteObjectsOutput { deleted: Some(deleted), ..Default::default() }))
    }

    async fn list_objects(&self, req: S3Request<ListObjectsInput>) -> S3Result<S3Response<ListObjectsOutput>> {
        let marker = req.input.marker.clone();
        let page = self.list_objects_v2(req.map_input(Into::into)).await?;
        Ok(page.map_output(|page| ListObjectsOutput {
            name: page.name,
            prefix: page.prefix,
            marker,
            delimiter: page.delimiter,
            max_keys: page.max_keys,
            is_truncated: page.is_truncated,
            next_marker: page.next_continuation_token,
            contents: page.contents,
            common_prefixes: page.common_prefixes,
            ..Default::default()
        }))
    }

    async fn list_objects_v2(&self, req: S3Request<ListObjectsV2Input>) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = req.input;
        let most = input.max_keys.and_then(|most| usize::try_from(most).ok()).unwrap_or(MOST_KEYS).min(MOST_KEYS);
        let after = input.continuation_token.clone().or(input.start_after.clone()).unwrap_or_default();
        let (bucket, prefix) = (input.bucket.clone(), input.prefix.clone().unwrap_or_default());
        let delimiter = input.delimiter.clone().filter(|delimiter| !delimiter.is_empty());
        let (contents, common, next) = self
            .blocking(move |store| {
                // One more than asked for tells whether there is more.
                let mut page = store.list(&bucket, &prefix, delimiter.as_deref(), &after, most + 1)?;
                let more = page.len() > most && page.pop_last().is_some();
                let next = if more { page.last_key_value().map(|(key, _)| key.clone()) } else { None };
                let (mut contents, mut common) = (Vec::new(), Vec::new());
                for (key, entry) in page {
                    match entry {
                        Entry::Common => common.push(CommonPrefix { prefix: Some(key) }),
                        Entry::Object { length, modified } => contents.push(Object {
                            e_tag: etag(&store.attributes(&bucket, &key, length)?),
                            key: Some(key),
                            size: Some(signed(length)),
                            last_modified: Some(modified.into()),
                            ..Default::default()
                        }),
                    }
                }
                Ok((contents, common, next))
            })
            .await?;
        Ok(S3Response::new(ListObjectsV2Output {
            name: Some(input.bucket),
            prefix: input.prefix,
            delimiter: input.delimiter,
            max_keys: i32::try_from(most).ok(),
            key_count: i32::try_from(contents.len() + common.len()).ok(),
            continuation_token: input.continuation_token,
            start_after: input.start_after,
            is_truncated: Some(next.is_some()),
            next_continuation_token: next,
            contents: Some(contents),
            common_prefixes: Some(common),
            ..Default::default()
        }))
    }

    async fn create_multipart_upload(
        &self,
        req: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let input = req.input;
        let id = self.random.uuid();
        let upload = Upload {
            bucket: input.bucket.clone(),
            key: input.key.clone(),
            attributes: Attributes {
                content_type: input.content_type,
                content_encoding: input.content_encoding,
                content_disposition: input.content_disposition,
                content_language: input.content_language,
                cache_control: input.cache_control,
                metadata: input.metadata.unwrap_or_default().into_iter().collect(),
                ..Attributes::default()
            },
        };
        self.blocking(move |store| store.begin_upload(id, &upload)).await?;
        Ok(S3Response::new(CreateMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(id.to_string()),
            ..Default::default()
        }))
    }

    async fn upload_part(&self, req: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
        let input = req.input;
        let id = upload_id(&input.upload_id)?;
        let number = match u32::try_from(input.part_number) {
            Ok(number) if (1..=MOST_PARTS).contains(&input.part_number) => number,
            _ => return Err(s3_error!(InvalidArgument)),
        };
        let (bucket, key) = (input.bucket, input.key);
        self.blocking(move |store| store.upload(id, &bucket, &key)).await?;
        let headers = Checksum {
            checksum_crc32: input.checksum_crc32,
            checksum_crc32c: input.checksum_crc32c,
            checksum_sha1: input.checksum_sha1,
            checksum_sha256: input.checksum_sha256,
            checksum_crc64nvme: input.checksum_crc64nvme,
            ..Checksum::default()
        };
        let sums = Sums::new(input.content_md5, input.checksum_algorithm, headers, req.trailing_headers);
        let (body, md5) = self.receive(input.body, sums).await?;
        let etag = md5.clone();
        self.blocking(move |store| store.keep_part(id, number, &etag, body)).await?;
        Ok(S3Response::new(UploadPartOutput { e_tag: Some(ETag::Strong(md5)), ..Default::default() }))
    }

    async fn complete_multipart_upload(
        &self,
        req: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let input = req.input;
        let id = upload_id(&input.upload_id)?;
        let overwrite = overwrite(input.if_none_match.as_ref(), input.if_match.as_ref())?;
        let mut parts: Vec<(u32, String)> = Vec::new();
        for part in input.multipart_upload.and_then(|upload| upload.parts).unwrap_or_default() {
            let number = part.part_number.and_then(|number| u32::try_from(number).ok());
            let (Some(number), Some(etag)) = (number, part.e_tag) else { return Err(s3_error!(InvalidPart)) };
            if parts.last().is_some_and(|(before, _)| *before >= number) {
                return Err(s3_error!(InvalidPartOrder));
            }
            parts.push((number, etag.into_value()));
        }
        if parts.is_empty() {
            return Err(s3_error!(MalformedXML));
        }
        let (bucket, key) = (input.bucket.clone(), input.key.clone());
        let etag = self.blocking(move |store| store.complete_upload(id, &bucket, &key, &parts, overwrite)).await?;
        Ok(S3Response::new(CompleteMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            e_tag: Some(ETag::Strong(etag)),
            ..Default::default()
        }))
    }

    async fn abort_multipart_upload(
        &self,
        req: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        let id = upload_id(&req.input.upload_id)?;
        self.blocking(move |store| store.abort_upload(id, &req.input.bucket, &req.input.key)).await?;
        Ok(S3Response::new(AbortMultipartUploadOutput::default()))
    }

    async fn list_multipart_uploads(
        &self,
        req: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        let input = req.input;
        let most = input.max_uploads.and_then(|most| usize::try_from(most).ok()).unwrap_or(MOST_KEYS).min(MOST_KEYS);
        let (bucket, prefix) = (input.bucket.clone(), input.prefix.clone().unwrap_or_default());
        let found = self.blocking(move |store| store.uploads(&bucket, &prefix, most)).await?;
        let uploads = found.into_iter().map(|(id, upload, begun)| MultipartUpload {
            key: Some(upload.key),
            upload_id: Some(id.to_string()),
            initiated: Some(begun.into()),
            ..Default::default()
        });
        Ok(S3Response::new(ListMultipartUploadsOutput {
            bucket: Some(input.bucket),
            prefix: input.prefix,
            uploads: Some(uploads.collect()),
            is_truncated: Some(false),
            ..Default::default()
        }))
    }
}
