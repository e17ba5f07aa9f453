//! An upload that is aborted unless it was completed.

use std::{sync::Arc, time::Duration};

use aws_sdk_s3::operation::create_multipart_upload::builders::CreateMultipartUploadFluentBuilder;
use backup_core::Key;
use tokio::{runtime::Handle, sync::oneshot, task::JoinHandle};

use crate::{bucket::Bucket, error::Failure};

/// How long an abort may take, with all its attempts. It has this time of its own, whatever became of the put.
const LIMIT: Duration = Duration::from_mins(2);

/// A multipart upload; dropped, it is aborted.
#[derive(Debug)]
pub(crate) struct Upload {
    bucket: Arc<Bucket>,
    key: Key,
    id: Option<String>,
}

impl Upload {
    /// Begins an upload in a task of its own: dropped in the middle, its answer still leads to an abort.
    pub(crate) async fn begin(
        bucket: &Arc<Bucket>,
        key: &Key,
        request: CreateMultipartUploadFluentBuilder,
    ) -> Result<Self, Failure> {
        let (bucket, key) = (Arc::clone(bucket), key.clone());
        let (tell, told) = oneshot::channel();
        tokio::spawn(async move {
            let attempt = || {
                let request = request.clone();
                async move {
                    let id = request.send().await?.upload_id().unwrap_or_default().to_owned();
                    if id.is_empty() { Err(Failure::senseless("no upload id")) } else { Ok(id) }
                }
            };
            let begun = bucket.call(0, attempt).await;
            let begun = begun.map(|id| Self { bucket: Arc::clone(&bucket), key, id: Some(id) });
            let _nobody_waits_so_it_is_aborted = tell.send(begun);
        });
        told.await.unwrap_or_else(|_| Err(Failure::senseless("the task of the store stopped early")))
    }

    pub(crate) fn id(&self) -> &str {
        self.id.as_deref().unwrap_or_default()
    }

    /// There is nothing left to abort.
    pub(crate) fn completed(mut self) {
        self.id = None;
    }

    /// Aborts, and waits for it; it goes on should nobody wait any longer.
    pub(crate) async fn abort(mut self) {
        if let Some(task) = self.detach() {
            let _logged_there = task.await;
        }
    }

    fn detach(&mut self) -> Option<JoinHandle<()>> {
        let id = self.id.take()?;
        let (bucket, key) = (Arc::clone(&self.bucket), self.key.clone());
        let Ok(runtime) = Handle::try_current() else {
            tracing::warn!(%key, "an upload is left to be swept: it was dropped outside of a runtime");
            return None;
        };
        Some(runtime.spawn(async move {
            match tokio::time::timeout(LIMIT, abort(&bucket, &key, &id)).await {
                Ok(Ok(())) => {}
                Ok(Err(failure)) if failure.status() == 404 => {}
                Ok(Err(failure)) => tracing::warn!(%key, %failure, "an upload is left to be swept"),
                Err(_) => tracing::warn!(%key, "an upload is left to be swept: its abort took too long"),
            }
        }))
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let _goes_on_by_itself = self.detach();
    }
}

/// Aborts an upload.
pub(crate) async fn abort(bucket: &Bucket, key: &Key, id: &str) -> Result<(), Failure> {
    let send = || {
        let request = bucket.client.abort_multipart_upload().bucket(bucket.name());
        request.key(bucket.path(key)).upload_id(id).send()
    };
    bucket.call(0, send).await.map(drop)
}
