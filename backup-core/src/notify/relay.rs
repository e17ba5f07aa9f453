//! [`Relay`]: from an observer, which must not block, to a task that may.

use std::{fmt, future::Future};

use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot},
};

use crate::{Error, ErrorKind, Result};

/// How much may wait for delivery.
const CAPACITY: usize = 64;

/// Hands things over to a task, which ends once all clones are gone.
pub(super) struct Relay<T>(mpsc::Sender<Item<T>>);

enum Item<T> {
    Work(T),
    /// Told when everything before it is done.
    Mark(oneshot::Sender<()>),
}

impl<T: Send + 'static> Relay<T> {
    /// Starts the task.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](ErrorKind::InvalidInput) outside a runtime of tokio.
    pub(super) fn start<W>(mut work: impl FnMut(T) -> W + Send + 'static) -> Result<Self>
    where
        W: Future<Output = ()> + Send,
    {
        let runtime = Handle::try_current().map_err(|err| {
            Error::new(ErrorKind::InvalidInput, "alerts need a runtime of tokio to be sent from")
                .with_suggestion("make the observer inside `async` code")
                .with_source(err)
        })?;
        let (sender, mut items) = mpsc::channel(CAPACITY);
        runtime.spawn(async move {
            while let Some(item) = items.recv().await {
                match item {
                    Item::Work(item) => work(item).await,
                    // Whoever asked may have gone away meanwhile.
                    Item::Mark(done) => drop(done.send(())),
                }
            }
        });
        Ok(Self(sender))
    }

    /// Hands something over, or drops it with a line in the log where too much is waiting.
    pub(super) fn hand_over(&self, item: T) {
        if self.0.try_send(Item::Work(item)).is_err() {
            tracing::warn!(waiting = CAPACITY, "too many alerts are waiting to be sent: one is lost");
        }
    }

    /// Waits until everything that was handed over is done.
    pub(super) async fn settle(&self) {
        let (done, told) = oneshot::channel();
        // Where the task is gone, nothing is left to wait for.
        if self.0.send(Item::Mark(done)).await.is_ok() {
            told.await.ok();
        }
    }
}

impl<T> Clone for Relay<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> fmt::Debug for Relay<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay").finish_non_exhaustive()
    }
}
