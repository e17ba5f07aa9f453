//! What `PutObject`, `CreateMultipartUpload` and `CopyObject` say alike of a new object.

use aws_sdk_s3::types::{ObjectLockLegalHoldStatus, ServerSideEncryption, StorageClass as SdkClass};
use backup_core::Key;

use crate::{Encryption, LegalHold, bucket::Bucket, lock, transition};

/// The tags of an object, as a header has them.
pub(crate) fn tagging<'a>(tags: impl Iterator<Item = (&'a str, &'a str)>) -> Option<String> {
    let pairs: Vec<_> =
        tags.map(|(name, value)| format!("{}={}", Key::escape(name), Key::escape(value))).collect();
    (!pairs.is_empty()).then(|| pairs.join("&"))
}

pub(super) fn tags(bucket: &Bucket) -> Option<String> {
    tagging(bucket.options.tags.iter().map(|(name, value)| (name.as_str(), value.as_str())))
}

/// The storage class of a new object; records are read at every turn, and stay where that is cheap.
pub(super) fn class(bucket: &Bucket, key: &Key) -> Option<SdkClass> {
    let class = bucket.options.storage_class.as_ref()?;
    (!transition::is_record(key)).then(|| SdkClass::from(class.as_str()))
}

/// How the service is to encrypt, other than by SSE-C, and with which key of KMS.
pub(crate) fn encryption(bucket: &Bucket) -> (Option<ServerSideEncryption>, Option<String>) {
    match &bucket.options.encryption {
        Some(Encryption::ServiceKey) => (Some(ServerSideEncryption::Aes256), None),
        Some(Encryption::Kms(key)) => (Some(ServerSideEncryption::AwsKms), key.clone()),
        Some(Encryption::CustomerKey(_)) | None => (None, None),
    }
}

pub(super) fn legal_hold(bucket: &Bucket, key: &Key) -> Option<ObjectLockLegalHoldStatus> {
    let wanted = bucket.options.legal_hold == LegalHold::On && !lock::is_passing(key);
    wanted.then_some(ObjectLockLegalHoldStatus::On)
}

/// Says of a new object what every kind of request says of it.
macro_rules! describe {
    ($request:expr, $putting:expr) => {{
        let putting: &crate::put::Putting = $putting;
        let bucket = &putting.bucket;
        let (encryption, kms_key) = crate::put::fields::encryption(bucket);
        let request = $request
            .bucket(bucket.name())
            .key(bucket.path(&putting.key))
            .metadata(crate::read::MARKER, &putting.marker)
            .set_tagging(crate::put::fields::tags(bucket))
            .set_storage_class(crate::put::fields::class(bucket, &putting.key))
            .set_server_side_encryption(encryption)
            .set_ssekms_key_id(kms_key)
            .set_object_lock_mode(putting.lock.as_ref().map(crate::lock::mode))
            .set_object_lock_retain_until_date(putting.lock.as_ref().map(crate::lock::until))
            .set_object_lock_legal_hold_status(crate::put::fields::legal_hold(bucket, &putting.key));
        crate::put::fields::with_customer_key!(request, bucket.customer_key())
    }};
}

/// Adds the key of SSE-C, where there is one.
macro_rules! with_customer_key {
    ($request:expr, $secret:expr) => {
        match $secret {
            None => $request,
            Some(secret) => $request
                .sse_customer_algorithm("AES256")
                .sse_customer_key(secret.key.expose())
                .sse_customer_key_md5(&secret.md5),
        }
    };
}

/// The same for the object that is copied.
macro_rules! with_source_key {
    ($request:expr, $secret:expr) => {
        match $secret {
            None => $request,
            Some(secret) => $request
                .copy_source_sse_customer_algorithm("AES256")
                .copy_source_sse_customer_key(secret.key.expose())
                .copy_source_sse_customer_key_md5(&secret.md5),
        }
    };
}

/// Sends a body with its checksum. A signature over the header that holds a SHA-256 makes another one over the bytes
/// needless.
macro_rules! send_with_sum {
    ($request:expr, $sum:expr) => {
        match $sum {
            Sum::Sha256(sum) => {
                $request.checksum_sha256(sum).customize().disable_payload_signing().send().await
            }
            Sum::Md5(sum) => $request.content_md5(sum).send().await,
            Sum::None => $request.send().await,
        }
    };
}
pub(crate) use {describe, send_with_sum, with_customer_key, with_source_key};
