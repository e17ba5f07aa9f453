//! Storing an object.

use std::sync::Arc;

use backup_core::{
    ByteStream, Clock, Error, ErrorKind, Key, ObjectLock, ObjectMeta, PutMode, PutOptions, Result,
    SystemClock,
};
use chrono::SubsecRound;

use crate::{
    LegalHold,
    bucket::Bucket,
    delete,
    error::Failure,
    lock,
    read::{self, Head},
};

pub(crate) mod abort;
mod body;
mod fields;
mod multipart;
mod piece;
mod single;

pub(crate) use abort::Upload;
use body::Body;
pub(crate) use fields::{encryption, tagging, with_customer_key, with_source_key};

/// The longest full name of an object, in bytes.
const MAX_PATH: usize = 1024;

/// What is being stored, whichever way.
#[derive(Debug)]
struct Putting {
    bucket: Arc<Bucket>,
    key: Key,
    mode: PutMode,
    lock: Option<ObjectLock>,
    /// Says in the object's metadata that this put made it, for when an acknowledgement is lost.
    marker: String,
}

pub(crate) async fn put(
    bucket: Arc<Bucket>,
    key: &Key,
    body: ByteStream,
    options: PutOptions,
) -> Result<ObjectMeta> {
    if bucket.path(key).len() > MAX_PATH {
        return Err(Error::new(ErrorKind::InvalidInput, "with its prefix the key is longer than S3 takes")
            .with_context("key", key)
            .with_suggestion("choose a shorter prefix"));
    }
    let lock = lock::wanted(&bucket, key, &options)?;
    look_first(&bucket, key, options.mode).await?;
    let plan = bucket.parts(options.size_hint);
    let mut marker = [0; 16];
    getrandom::fill(&mut marker).map_err(|err| {
        Error::new(ErrorKind::Unexpected, "the operating system gives no random numbers").with_source(err)
    })?;
    let marker = hex::encode(marker);
    let putting = Putting { bucket, key: key.clone(), mode: options.mode, lock, marker };
    let mut body = Body::new(body, options.digest_check()?);
    let first = body.part(plan.size(0).unwrap_or(crate::part::MIN_BYTES), &putting.bucket).await?;
    let stored = if body.is_ended() {
        body.check(key)?;
        Box::pin(single::put(&putting, first)).await
    } else {
        Box::pin(multipart::put(&putting, first, body, &plan)).await
    };
    let size = stored?;
    putting.describe(size).await
}

/// Asks before, where the service itself would not refuse.
async fn look_first(bucket: &Bucket, key: &Key, mode: PutMode) -> Result<()> {
    let needed = match mode {
        PutMode::Overwrite => bucket.options.object_lock,
        _ => !bucket.is_conditional(),
    };
    if !needed {
        return Ok(());
    }
    match read::ask(bucket, key, None).await {
        Ok(head) if mode == PutMode::Overwrite => delete::refuse(&head),
        Ok(_) => Err(exists(key)),
        Err(failure) if failure.is_not_found() => Ok(()),
        Err(failure) => Err(bucket.failed(failure, key).await),
    }
}

fn exists(key: &Key) -> Error {
    Error::new(ErrorKind::AlreadyExists, "the object exists already").with_context("key", key)
}

impl Putting {
    /// The condition that keeps an object from being replaced.
    fn condition(&self) -> Option<String> {
        (self.mode != PutMode::Overwrite && self.bucket.is_conditional()).then(|| "*".to_owned())
    }

    fn is_ours(&self, head: &Head) -> bool {
        head.marker.as_ref() == Some(&self.marker)
    }

    /// Decides what a last step that failed has done: `Ok` where the object is there all the same.
    async fn settle(&self, failure: Failure, size: u64) -> Result<()> {
        if failure.code() != "ConditionalRequestConflict" && !failure.is_unclear() {
            return Err(if failure.is_condition() {
                exists(&self.key).with_source(failure)
            } else {
                self.bucket.failed(failure, &self.key).await
            });
        }
        match read::ask(&self.bucket, &self.key, None).await {
            Ok(head) if self.is_ours(&head) && head.meta.size == size => {
                tracing::debug!(key = %self.key, %failure, "stored, though the acknowledgement was lost");
                Ok(())
            }
            Ok(_) if self.mode != PutMode::Overwrite => Err(exists(&self.key).with_source(failure)),
            Ok(_) => Err(self.bucket.failed(failure, &self.key).await),
            Err(asked) if asked.is_not_found() => {
                Err(failure.into_error(&self.bucket.location, Some(&self.key)))
            }
            Err(asked) => {
                tracing::debug!(key = %self.key, failure = %asked, "nobody can tell what was stored");
                Err(failure
                    .into_error(&self.bucket.location, Some(&self.key))
                    .with_context("stored", "unknown")
                    .with_suggestion("look whether the object is there before it is stored again"))
            }
        }
    }

    /// What was stored, as the service tells it.
    async fn describe(&self, size: u64) -> Result<ObjectMeta> {
        // Who may only write learns the time from the own clock.
        let assumed = || {
            ObjectMeta::new(self.key.clone(), size, SystemClock.now().trunc_subsecs(0)).with_lock(self.lock)
        };
        match read::ask(&self.bucket, &self.key, None).await {
            Ok(head) if self.is_ours(&head) && head.meta.size != size => Err(Error::new(
                ErrorKind::Corrupt,
                "the service kept another number of bytes than it was sent",
            )
            .with_context("key", &self.key)
            .with_context("sent", size)
            .with_context("kept", head.meta.size)),
            Ok(head) if self.is_ours(&head) => {
                self.ensure_locked(&head).await?;
                let lock = head.meta.lock.or(self.lock);
                Ok(head.meta.with_lock(lock))
            }
            // Replaced meanwhile.
            Ok(_) => Ok(assumed()),
            Err(failure) => {
                if !failure.is_denied() {
                    tracing::warn!(key = %self.key, %failure, "stored, but the service does not tell about it");
                }
                Ok(assumed())
            }
        }
    }

    /// Locks once more what shows no lock: a service may have passed it over without a word, and who may not ask for
    /// locks is not told of them.
    async fn ensure_locked(&self, head: &Head) -> Result<()> {
        let (bucket, key) = (&self.bucket, &self.key);
        let mut locked = Ok(());
        if let (Some(lock), None) = (&self.lock, &head.meta.lock) {
            locked = lock::retain(bucket, key, lock).await;
        }
        if fields::legal_hold(bucket, key).is_some() && !head.held {
            locked = locked.and(lock::hold(bucket, key, LegalHold::On).await);
        }
        match locked {
            Ok(()) => Ok(()),
            Err(failure) if failure.is_denied() => {
                tracing::warn!(%key, "stored with a lock, and the credentials may not look whether it holds");
                Ok(())
            }
            Err(failure) => {
                let err = failure.into_error(&bucket.location, Some(key));
                Err(err
                    .with_suggestion("the object is stored and not locked: check the bucket's Object Lock"))
            }
        }
    }
}
