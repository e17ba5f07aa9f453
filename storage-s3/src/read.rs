//! Asking for an object, and reading it.

use std::{collections::HashMap, ops::Range, sync::Arc};

use aws_sdk_s3::{
    operation::get_object::GetObjectOutput,
    primitives::DateTime as SdkTime,
    types::{ObjectLockLegalHoldStatus, ObjectLockMode},
};
use backup_core::{
    ByteStream, Clock, Error, ErrorKind, GetOptions, GetResult, Key, LockMode, ObjectLock, ObjectMeta,
    Result, SystemClock,
};
use chrono::{DateTime, Utc};

use crate::{bucket::Bucket, error::Failure, put::with_customer_key};

mod resume;
use resume::Resumed;

/// Under which name of its metadata an object says which put made it.
pub(crate) const MARKER: &str = "backup-put";

/// What a `HEAD` tells.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) meta: ObjectMeta,
    pub(crate) etag: Option<String>,
    /// Which put made it.
    pub(crate) marker: Option<String>,
    pub(crate) held: bool,
    pub(crate) version: Option<String>,
    pub(crate) metadata: Option<HashMap<String, String>>,
    pub(crate) content_type: Option<String>,
}

impl Head {
    /// The error for an attempt to delete or replace it, where its service keeps it.
    pub(crate) fn refusal(&self) -> Option<Error> {
        if let Some(lock) = self.meta.lock.filter(|lock| lock.until > SystemClock.now()) {
            return Some(lock.refusal(&self.meta.key));
        }
        self.held.then(|| {
            Error::new(ErrorKind::PermissionDenied, "the object is under a legal hold")
                .with_context("key", &self.meta.key)
                .with_suggestion("lift the hold with `S3Store::set_legal_hold`, once whoever set it agrees")
        })
    }
}

/// Asks for an object; the caller says what its absence means.
pub(crate) async fn ask(bucket: &Bucket, key: &Key, version: Option<&str>) -> Result<Head, Failure> {
    let secret = bucket.customer_key();
    let answer = bucket
        .call(0, || {
            let request = bucket
                .client
                .head_object()
                .bucket(bucket.name())
                .key(bucket.path(key))
                .set_version_id(version.map(str::to_owned));
            with_customer_key!(request, secret.as_ref()).send()
        })
        .await?;
    let size = size(answer.content_length())?;
    let lock = lock(answer.object_lock_mode(), answer.object_lock_retain_until_date());
    let meta = ObjectMeta::new(key.clone(), size, time(answer.last_modified())?).with_lock(lock);
    Ok(Head {
        meta,
        etag: answer.e_tag().map(str::to_owned),
        marker: answer.metadata().and_then(|all| all.get(MARKER)).cloned(),
        version: answer.version_id().map(str::to_owned),
        content_type: answer.content_type().map(str::to_owned),
        held: answer.object_lock_legal_hold_status() == Some(&ObjectLockLegalHoldStatus::On),
        metadata: answer.metadata,
    })
}

pub(crate) async fn head(bucket: &Bucket, key: &Key) -> Result<Head> {
    match ask(bucket, key, None).await {
        Ok(head) => Ok(head),
        Err(failure) => Err(bucket.failed(failure, key).await),
    }
}

pub(crate) async fn get(bucket: Arc<Bucket>, key: &Key, options: &GetOptions) -> Result<GetResult> {
    let Some(asked) = options.range.clone().filter(|range| range.start >= range.end || range.end > 1 << 62)
    else {
        return open(bucket, key, options).await;
    };
    // No request can ask for nothing, nor for the impossible.
    let head = head(&bucket, key).await?;
    let options = GetOptions::range(asked);
    let range = options.resolve(key, head.meta.size)?;
    Ok(GetResult::new(head.meta, range, ByteStream::empty()))
}

async fn open(bucket: Arc<Bucket>, key: &Key, options: &GetOptions) -> Result<GetResult> {
    let answer = match fetch(&bucket, key, options.range.as_ref(), None).await {
        Ok(answer) => answer,
        // The range begins beyond the end.
        Err(failure) if failure.status() == 416 => {
            let head = head(&bucket, key).await?;
            let refused = options.resolve(key, head.meta.size);
            return Err(refused.err().unwrap_or_else(|| failure.into_error(&bucket.location, Some(key))));
        }
        Err(failure) => return Err(bucket.failed(failure, key).await),
    };
    let folded = |failure: Failure| failure.into_error(&bucket.location, Some(key));
    let total = match &options.range {
        None => size(answer.content_length()),
        // `bytes 0-9/2000`
        Some(_) => answer
            .content_range()
            .and_then(|range| range.rsplit('/').next()?.parse().ok())
            .ok_or_else(|| Failure::senseless("no range")),
    };
    let total = total.map_err(folded)?;
    let lock = lock(answer.object_lock_mode(), answer.object_lock_retain_until_date());
    let modified = time(answer.last_modified()).map_err(folded)?;
    let range = options.resolve(key, total)?;
    check_range(&answer, &range).map_err(folded)?;
    let meta = ObjectMeta::new(key.clone(), total, modified).with_lock(lock);
    let etag = answer.e_tag().map(str::to_owned);
    let body = Resumed::new(bucket, key.clone(), range.clone(), etag, answer.body).into_stream();
    Ok(GetResult::new(meta, range, body))
}

/// Sends one `GET`; with an `etag` only of that very object.
pub(super) async fn fetch(
    bucket: &Bucket,
    key: &Key,
    range: Option<&Range<u64>>,
    etag: Option<&str>,
) -> Result<GetObjectOutput, Failure> {
    let secret = bucket.customer_key();
    let bytes = range.map(|range| format!("bytes={}-{}", range.start, range.end.saturating_sub(1)));
    let send = || {
        let request = bucket
            .client
            .get_object()
            .bucket(bucket.name())
            .key(bucket.path(key))
            .set_range(bytes.clone())
            .set_if_match(etag.map(str::to_owned));
        with_customer_key!(request, secret.as_ref()).send()
    };
    bucket.call(0, send).await
}

/// A service that ignores the range, or sends another one, would be read as damage, or worse as nothing.
pub(super) fn check_range(answer: &GetObjectOutput, range: &Range<u64>) -> Result<(), Failure> {
    let length = size(answer.content_length())?;
    let starts = match answer.content_range() {
        None => range.start == 0,
        Some(said) => said.strip_prefix("bytes ").is_some_and(|said| {
            said.split('-').next().and_then(|start| start.parse::<u64>().ok()) == Some(range.start)
        }),
    };
    if starts && length == range.end - range.start {
        Ok(())
    } else {
        Err(Failure::senseless("another range than was asked for"))
    }
}

pub(crate) fn size(length: Option<i64>) -> Result<u64, Failure> {
    length.and_then(|length| u64::try_from(length).ok()).ok_or_else(|| Failure::senseless("no length"))
}

/// In whole seconds, which is what `HEAD` tells; listings tell more.
pub(crate) fn time(modified: Option<&SdkTime>) -> Result<DateTime<Utc>, Failure> {
    modified
        .and_then(|time| DateTime::from_timestamp(time.secs(), 0))
        .ok_or_else(|| Failure::senseless("no time"))
}

fn lock(mode: Option<&ObjectLockMode>, until: Option<&SdkTime>) -> Option<ObjectLock> {
    let mode = match mode? {
        ObjectLockMode::Governance => LockMode::Governance,
        _ => LockMode::Compliance,
    };
    Some(ObjectLock::new(mode, DateTime::from_timestamp(until?.secs(), 0)?))
}
