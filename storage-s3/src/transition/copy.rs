//! Moving one object: the service copies it onto itself.

use std::sync::Arc;

use aws_sdk_s3::types::{
    CompletedMultipartUpload, CompletedPart, MetadataDirective, ObjectLockLegalHoldStatus,
    StorageClass as SdkClass, TaggingDirective,
};
use aws_smithy_types::base64;
use backup_core::{Error, ErrorKind, Key, Result};
use md5::{Digest, Md5};

use super::Candidate;
use crate::{
    StorageClass,
    bucket::Bucket,
    delete,
    error::Failure,
    lock,
    options::Deletes,
    put::{Upload, encryption, tagging, with_customer_key, with_source_key},
    read::{self, Head},
};

/// Copies an object onto itself, into another class.
pub(super) async fn copy(bucket: &Arc<Bucket>, object: &Candidate, to: &StorageClass) -> Result<()> {
    let key = &object.key;
    let head = read::head(bucket, key).await?;
    let Some(etag) = head.etag.clone().filter(|_| head.meta.size == object.bytes) else {
        return Err(Error::new(ErrorKind::Unavailable, "the object is not the one that was planned for")
            .with_context("key", key)
            .with_suggestion("plan again"));
    };
    let copying = Copying {
        bucket,
        key,
        head: &head,
        etag,
        source: format!("{}/{}", bucket.name(), escaped(&bucket.path(key))),
        class: SdkClass::from(to.as_str()),
    };
    let copied = if head.meta.size <= bucket.options.copy_part_bytes {
        copying.at_once().await
    } else {
        copying.in_parts().await
    };
    if let Err(failure) = copied {
        return Err(bucket.failed(failure, key).await);
    }
    copying.ensure_locked().await?;
    if let (Deletes::EveryVersion, Some(old)) = (bucket.options.deletes, &head.version)
        // Without versions, or while they are suspended, the copy bears the same one.
        && old != "null"
        && let Err(failure) = delete::remove(bucket, key, Some(old)).await
    {
        // Locked, for instance; every version goes with the backup.
        tracing::warn!(%key, %failure, "moved, and the old version stays");
    }
    Ok(())
}

/// A path in a header: everything but what keys and folders are made of is percent-encoded.
fn escaped(path: &str) -> String {
    path.split('/').map(Key::escape).collect::<Vec<_>>().join("/")
}

struct Copying<'a> {
    bucket: &'a Arc<Bucket>,
    key: &'a Key,
    head: &'a Head,
    etag: String,
    source: String,
    class: SdkClass,
}

/// Says of the copy what the original was, and what a copy does not keep by itself.
macro_rules! like_original {
    ($request:expr, $copying:expr) => {{
        let copying: &Copying<'_> = $copying;
        let lock = copying.head.meta.lock.as_ref();
        let (encryption, kms_key) = encryption(copying.bucket);
        let request = $request
            .bucket(copying.bucket.name())
            .key(copying.bucket.path(copying.key))
            .storage_class(copying.class.clone())
            .set_server_side_encryption(encryption)
            .set_ssekms_key_id(kms_key)
            .set_object_lock_mode(lock.map(lock::mode))
            .set_object_lock_retain_until_date(lock.map(lock::until))
            .set_object_lock_legal_hold_status(copying.head.held.then_some(ObjectLockLegalHoldStatus::On));
        with_customer_key!(request, copying.bucket.customer_key())
    }};
}

impl Copying<'_> {
    async fn at_once(&self) -> Result<(), Failure> {
        let attempt = || async {
            let request = like_original!(self.bucket.client.copy_object(), self);
            let request = with_source_key!(request, self.bucket.customer_key())
                .copy_source(&self.source)
                .copy_source_if_match(&self.etag)
                .if_match(&self.etag)
                .metadata_directive(MetadataDirective::Copy)
                .tagging_directive(TaggingDirective::Copy);
            // With a lock some services demand the hash of the body, here of none.
            let hash = self.head.meta.lock.is_some().then(|| base64::encode(Md5::digest(b"")));
            let request = request.customize().mutate_request(move |request| {
                if let Some(hash) = hash.clone() {
                    request.headers_mut().insert("content-md5", hash);
                }
            });
            match request.send().await?.copy_object_result().and_then(|copied| copied.e_tag()) {
                None | Some("") => Err(Failure::senseless("no ETag")),
                Some(_) => Ok(()),
            }
        };
        self.bucket.call(self.head.meta.size, attempt).await
    }

    /// Locks once more what shows no lock any longer.
    async fn ensure_locked(&self) -> Result<()> {
        let Some(lock) = &self.head.meta.lock else { return Ok(()) };
        if read::head(self.bucket, self.key).await?.meta.lock.is_some() {
            return Ok(());
        }
        match lock::retain(self.bucket, self.key, lock).await {
            Ok(()) => Ok(()),
            Err(failure) => Err(self.bucket.failed(failure, self.key).await),
        }
    }

    /// A copy of many parts keeps neither metadata nor tags, so both are asked for and said again.
    async fn in_parts(&self) -> Result<(), Failure> {
        let bucket = self.bucket;
        let tags = self.tags().await?;
        let request = like_original!(bucket.client.create_multipart_upload(), self)
            .set_metadata(self.head.metadata.clone())
            .set_content_type(self.head.content_type.clone())
            .set_tagging(tags);
        let upload = Upload::begin(bucket, self.key, request).await?;
        match self.fill(&upload).await {
            Ok(()) => {
                upload.completed();
                Ok(())
            }
            Err(failure) => {
                upload.abort().await;
                Err(failure)
            }
        }
    }

    async fn fill(&self, upload: &Upload) -> Result<(), Failure> {
        let (bucket, size) = (self.bucket, self.head.meta.size);
        let step = bucket.options.copy_part_bytes.max(size.div_ceil(u64::from(bucket.options.max_parts)));
        let mut parts = Vec::new();
        let mut start = 0;
        while start < size {
            let end = size.min(start + step);
            let number = i32::try_from(parts.len() + 1).unwrap_or(i32::MAX);
            let attempt = || async {
                let request =
                    bucket.client.upload_part_copy().bucket(bucket.name()).key(bucket.path(self.key));
                let request = with_customer_key!(request, bucket.customer_key());
                let request = with_source_key!(request, bucket.customer_key())
                    .upload_id(upload.id())
                    .part_number(number)
                    .copy_source(&self.source)
                    .copy_source_if_match(&self.etag)
                    .copy_source_range(format!("bytes={start}-{}", end - 1));
                let answer = request.send().await?;
                let etag = answer.copy_part_result().and_then(|part| part.e_tag());
                etag.map(str::to_owned).ok_or_else(|| Failure::senseless("no ETag"))
            };
            let etag = bucket.call(end - start, attempt).await?;
            parts.push(CompletedPart::builder().part_number(number).e_tag(etag).build());
            start = end;
        }
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let attempt = || async {
            let request = bucket.client.complete_multipart_upload().bucket(bucket.name());
            let request = with_customer_key!(request, bucket.customer_key())
                .key(bucket.path(self.key))
                .upload_id(upload.id())
                .multipart_upload(parts.clone())
                .if_match(&self.etag);
            match request.send().await?.e_tag() {
                None | Some("") => Err(Failure::senseless("no ETag")),
                Some(_) => Ok(()),
            }
        };
        bucket.call(0, attempt).await
    }

    async fn tags(&self) -> Result<Option<String>, Failure> {
        let send = || {
            self.bucket
                .client
                .get_object_tagging()
                .bucket(self.bucket.name())
                .key(self.bucket.path(self.key))
                .send()
        };
        let answer = self.bucket.call(0, send).await?;
        Ok(tagging(answer.tag_set().iter().map(|tag| (tag.key(), tag.value()))))
    }
}
