//! An upload that is aborted unless it was completed.

use std::{sync::Arc, time::Duration};

use backup_core::Key;
use tokio::{runtime::Handle, task::JoinHandle};

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
    pub(crate) fn new(bucket: Arc<Bucket>, key: Key, id: String) -> Self {
        Self { bucket, key, id: Some(id) }
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
