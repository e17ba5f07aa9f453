//! Deleting objects, and their versions.

use backup_core::{Error, Key, Result};

use crate::{
    bucket::Bucket,
    error::Failure,
    options::Deletes,
    read::{self, Head},
};

pub(crate) async fn delete(bucket: &Bucket, key: &Key) -> Result<()> {
    if bucket.options.object_lock {
        // In a bucket with versions a plain delete "succeeds" on a locked object: it hides its name.
        match read::ask(bucket, key, None).await {
            Ok(head) => refuse(&head)?,
            Err(failure) if failure.is_not_found() => {}
            Err(failure) => return Err(bucket.failed(failure, key).await),
        }
    }
    match bucket.options.deletes {
        Deletes::Name => match remove(bucket, key, None).await {
            Err(failure) if failure.is_not_found() => Ok(()),
            Err(failure) => Err(denied(bucket, key, failure, None).await),
            Ok(()) => Ok(()),
        },
        Deletes::EveryVersion => every_version(bucket, key).await,
    }
}

pub(crate) fn refuse(head: &Head) -> Result<()> {
    head.refusal().map_or(Ok(()), Err)
}

pub(crate) async fn remove(bucket: &Bucket, key: &Key, version: Option<&str>) -> Result<(), Failure> {
    let path = bucket.path(key);
    let send = || {
        let request = bucket.client.delete_object().bucket(bucket.name()).key(&path);
        request.set_version_id(version.map(str::to_owned)).send()
    };
    bucket.call(0, send).await.map(drop)
}

/// The oldest version goes first, so that a call that is cut off leaves the name as it was.
async fn every_version(bucket: &Bucket, key: &Key) -> Result<()> {
    let folded = |failure: Failure| failure.into_error(&bucket.location, Some(key));
    for version in versions(bucket, key).await.map_err(folded)?.iter().rev() {
        match remove(bucket, key, Some(version)).await {
            Ok(()) => {}
            Err(failure) if failure.is_not_found() => {}
            Err(failure) => return Err(denied(bucket, key, failure, Some(version)).await),
        }
    }
    Ok(())
}

/// The ids of all versions and delete markers of just this key, the newest first.
async fn versions(bucket: &Bucket, key: &Key) -> Result<Vec<String>, Failure> {
    let path = bucket.path(key);
    let mut found = Vec::new();
    let mut markers: (Option<String>, Option<String>) = (None, None);
    loop {
        let send = || {
            let request = bucket.client.list_object_versions().bucket(bucket.name()).prefix(&path);
            request.set_key_marker(markers.0.clone()).set_version_id_marker(markers.1.clone()).send()
        };
        let page = bucket.call(0, send).await?;
        let objects =
            page.versions().iter().map(|it| (it.key(), it.version_id(), it.last_modified(), it.is_latest()));
        let hidden = page
            .delete_markers()
            .iter()
            .map(|it| (it.key(), it.version_id(), it.last_modified(), it.is_latest()));
        for (name, version, modified, latest) in objects.chain(hidden) {
            if name == Some(path.as_str()) {
                let at = modified.map_or((0, 0), |time| (time.secs(), time.subsec_nanos()));
                found.push((latest == Some(true), at, version.unwrap_or("null").to_owned()));
            }
        }
        let next =
            (page.next_key_marker().map(str::to_owned), page.next_version_id_marker().map(str::to_owned));
        // Versions of a key come before those of the keys that it begins.
        let beyond = next.0.as_deref().is_some_and(|next| next != path);
        if page.is_truncated() != Some(true) || beyond {
            found.sort_by(|a, b| b.cmp(a));
            return Ok(found.into_iter().map(|(_, _, version)| version).collect());
        }
        if next.0.is_none() || next == markers {
            return Err(Failure::senseless("more pages and no way to them"));
        }
        markers = next;
    }
}

/// The error for a delete that was denied: the object's lock, where it has one.
async fn denied(bucket: &Bucket, key: &Key, failure: Failure, version: Option<&str>) -> Error {
    if failure.status() == 403
        && bucket.options.object_lock
        && let Ok(head) = read::ask(bucket, key, version).await
        && let Some(refusal) = head.refusal()
    {
        return refusal.with_source(failure);
    }
    bucket.failed(failure, key).await
}
