//! Locks and legal holds of objects.

use aws_sdk_s3::{
    primitives::DateTime as SdkTime,
    types::{
        ObjectLockLegalHold, ObjectLockLegalHoldStatus, ObjectLockMode, ObjectLockRetention,
        ObjectLockRetentionMode,
    },
};
use backup_core::{
    Clock, Error, ErrorKind, Key, LockMode, ObjectLock, PutOptions, Result, SystemClock, manifest::Layout,
};
use chrono::TimeDelta;

use crate::{LegalHold, bucket::Bucket, error::Failure, read};

/// The lock that a put shall give its object.
pub(crate) fn wanted(bucket: &Bucket, key: &Key, options: &PutOptions) -> Result<Option<ObjectLock>> {
    let Some(lock) = options.lock else {
        let default = bucket.options.default_lock.filter(|_| !is_passing(key));
        return Ok(default.map(|(mode, days)| {
            ObjectLock::new(mode, whole_second(SystemClock.now() + TimeDelta::days(days.into())))
        }));
    };
    if !bucket.options.object_lock {
        return Err(ObjectLock::unsupported(&bucket.location)
            .with_suggestion("declare with `S3Options::with_object_lock` that the bucket has it"));
    }
    Ok(Some(ObjectLock::new(lock.mode, whole_second(lock.until))))
}

/// Whether an object is one of those that a pipeline removes long before the backup itself: locked, the claim of each
/// backup and what was noted about it would outlive the backup.
pub(crate) fn is_passing(key: &Key) -> bool {
    [Layout::CLAIM, Layout::SWEPT].iter().any(|ending| key.as_str().ends_with(ending))
        || key.segments().rev().skip(1).any(|folder| folder.ends_with(Layout::NOTES))
}

/// The next whole second: services keep no fractions, and a lock must not end too early.
fn whole_second(time: chrono::DateTime<chrono::Utc>) -> chrono::DateTime<chrono::Utc> {
    let seconds = time.timestamp() + i64::from(time.timestamp_subsec_nanos() > 0);
    chrono::DateTime::from_timestamp(seconds, 0).unwrap_or(time)
}

pub(crate) fn until(lock: &ObjectLock) -> SdkTime {
    SdkTime::from_secs(lock.until.timestamp())
}

pub(crate) fn mode(lock: &ObjectLock) -> ObjectLockMode {
    match lock.mode {
        LockMode::Governance => ObjectLockMode::Governance,
        _ => ObjectLockMode::Compliance,
    }
}

pub(crate) async fn set_legal_hold(bucket: &Bucket, key: &Key, wanted: LegalHold) -> Result<()> {
    check(bucket)?;
    match hold(bucket, key, wanted).await {
        Ok(()) => Ok(()),
        Err(failure) => Err(bucket.failed(failure, key).await),
    }
}

pub(crate) async fn hold(bucket: &Bucket, key: &Key, hold: LegalHold) -> Result<(), Failure> {
    let status = match hold {
        LegalHold::On => ObjectLockLegalHoldStatus::On,
        LegalHold::Off => ObjectLockLegalHoldStatus::Off,
    };
    let hold = ObjectLockLegalHold::builder().status(status).build();
    let send = || {
        let request = bucket.client.put_object_legal_hold().bucket(bucket.name()).key(bucket.path(key));
        request.legal_hold(hold.clone()).send()
    };
    bucket.call(0, send).await.map(drop)
}

/// Locks an object that exists, or locks it for longer.
pub(crate) async fn retain(bucket: &Bucket, key: &Key, lock: &ObjectLock) -> Result<(), Failure> {
    let mode = match lock.mode {
        LockMode::Governance => ObjectLockRetentionMode::Governance,
        _ => ObjectLockRetentionMode::Compliance,
    };
    let retention = ObjectLockRetention::builder().mode(mode).retain_until_date(until(lock)).build();
    let send = || {
        let request = bucket.client.put_object_retention().bucket(bucket.name()).key(bucket.path(key));
        request.retention(retention.clone()).send()
    };
    bucket.call(0, send).await.map(drop)
}

pub(crate) async fn extend(bucket: &Bucket, key: &Key, lock: ObjectLock) -> Result<ObjectLock> {
    check(bucket)?;
    let lock = ObjectLock::new(lock.mode, whole_second(lock.until));
    if let Some(old) = read::head(bucket, key).await?.meta.lock
        && (lock.until < old.until || (old.mode == LockMode::Compliance && lock.mode != old.mode))
    {
        return Err(Error::new(ErrorKind::InvalidInput, "a lock is only ever made longer and stricter")
            .with_context("key", key)
            .with_context("locked_until", old.until.to_rfc3339())
            .with_suggestion("choose a later time"));
    }
    match retain(bucket, key, &lock).await {
        Ok(()) => Ok(lock),
        Err(failure) => Err(bucket.failed(failure, key).await),
    }
}

fn check(bucket: &Bucket) -> Result<()> {
    if bucket.options.object_lock { Ok(()) } else { Err(ObjectLock::unsupported(&bucket.location)) }
}
