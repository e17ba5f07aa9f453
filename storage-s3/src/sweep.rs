//! Sweeping: aborting uploads that were cut off.

use std::time::Duration;

use aws_sdk_s3::types::MultipartUpload;
use backup_core::{Clock, Key, Prefix, Result, SystemClock, store::SweepReport};
use chrono::{DateTime, TimeDelta, Utc};

use crate::{bucket::Bucket, error::Failure, put::abort, read};

/// Aborts the uploads below the store's prefix that began more than `grace` ago.
pub(crate) async fn sweep(bucket: &Bucket, grace: Duration) -> Result<SweepReport> {
    let folded = |failure: Failure, key| failure.into_error(&bucket.location, key);
    let grace = TimeDelta::from_std(grace).unwrap_or(TimeDelta::MAX);
    let now = SystemClock.now();
    let mut report = SweepReport::default();
    let uploads = match unfinished(bucket).await {
        Ok(uploads) => uploads,
        Err(failure) if failure.is_unsupported() => {
            // A backup shall not fail over it: what was cut off by an error or a drop was aborted at once.
            tracing::warn!(
                store = bucket.location,
                "the service lists no uploads, so none can be swept; let a rule of the bucket's lifecycle do it"
            );
            return Ok(report);
        }
        Err(failure) => return Err(folded(failure, None)),
    };
    for (key, id, begun) in uploads {
        if now.signed_duration_since(begun) < grace {
            report.keep(begun.checked_add_signed(grace));
            continue;
        }
        let bytes = held_bytes(bucket, &key, &id).await;
        match abort::abort(bucket, &key, &id).await {
            Ok(()) => {
                report.removed += 1;
                report.freed_bytes += bytes;
            }
            // Finished or aborted by somebody else.
            Err(failure) if failure.status() == 404 => {}
            Err(failure) => return Err(folded(failure, Some(&key))),
        }
    }
    Ok(report)
}

/// All uploads of keys of this store.
async fn unfinished(bucket: &Bucket) -> Result<Vec<(Key, String, DateTime<Utc>)>, Failure> {
    let below = bucket.below(&Prefix::root());
    let mut found = Vec::new();
    let mut markers: (Option<String>, Option<String>) = (None, None);
    loop {
        let send = || {
            let request = bucket.client.list_multipart_uploads().bucket(bucket.name()).prefix(&below);
            request.set_key_marker(markers.0.clone()).set_upload_id_marker(markers.1.clone()).send()
        };
        let page = bucket.call(0, send).await?;
        found.extend(page.uploads().iter().filter_map(|upload| ours(bucket, upload)));
        if page.is_truncated() != Some(true) {
            return Ok(found);
        }
        let next =
            (page.next_key_marker().map(str::to_owned), page.next_upload_id_marker().map(str::to_owned));
        if next.0.is_none() || next == markers {
            return Err(Failure::senseless("more pages and no way to them"));
        }
        markers = next;
    }
}

fn ours(bucket: &Bucket, upload: &MultipartUpload) -> Option<(Key, String, DateTime<Utc>)> {
    let key = bucket.key_of(upload.key()?)?;
    Some((key, upload.upload_id()?.to_owned(), read::time(upload.initiated()).ok()?))
}

/// How many bytes the parts of an upload hold; none where the service does not tell.
async fn held_bytes(bucket: &Bucket, key: &Key, id: &str) -> u64 {
    let mut bytes = 0;
    let mut marker: Option<String> = None;
    loop {
        let send = || {
            let request =
                bucket.client.list_parts().bucket(bucket.name()).key(bucket.path(key)).upload_id(id);
            request.set_part_number_marker(marker.clone()).send()
        };
        let page = match bucket.call(0, send).await {
            Ok(page) => page,
            Err(failure) => {
                tracing::debug!(%key, %failure, "the size of an upload is not known");
                return bytes;
            }
        };
        bytes += page.parts().iter().filter_map(|part| u64::try_from(part.size()?).ok()).sum::<u64>();
        let next = page.next_part_number_marker().map(str::to_owned);
        if page.is_truncated() != Some(true) || next.is_none() || next == marker {
            return bytes;
        }
        marker = next;
    }
}
