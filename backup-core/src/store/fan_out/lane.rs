//! One copy while it is being put.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures::{FutureExt, StreamExt};
use tokio::{
    task::JoinHandle,
    time::{Duration, Instant},
};

use super::{
    super::{ObjectMeta, PutOptions},
    CopyTo,
};
use crate::{ByteSender, ByteStream, Error, ErrorKind, Key, ReaderGone, Result};

/// The largest chunk that a lane takes at once, so that its buffer is counted in bytes.
pub(super) const PIECE: usize = 256 * 1024;

/// A put that is under way in one store, on a task of its own; dropping it drops the put.
pub(super) struct Lane {
    pub(super) copy: CopyTo,
    /// How long it has held up the others that it could be spared for.
    pub(super) held_up: Duration,
    /// Open until the store may see the end of the body.
    sender: Option<ByteSender>,
    taken_at: Arc<Mutex<Instant>>,
    put: Put,
}

enum Put {
    Running(JoinHandle<Result<ObjectMeta>>),
    Ended(Result<ObjectMeta>),
}

impl Lane {
    pub(super) fn open(copy: &CopyTo, key: &Key, options: &PutOptions) -> Self {
        let (sender, body) = ByteStream::channel(copy.buffer_bytes.div_ceil(PIECE));
        let taken_at = Arc::new(Mutex::new(Instant::now()));
        let seen = Arc::clone(&taken_at);
        let body = ByteStream::new(body.inspect(move |_| {
            *seen.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        }));
        let (store, key, options) = (Arc::clone(&copy.store), key.clone(), options.clone());
        let put = tokio::spawn(async move { store.put(&key, body, options).await });
        Self {
            copy: copy.clone(),
            held_up: Duration::ZERO,
            sender: Some(sender),
            taken_at,
            put: Put::Running(put),
        }
    }

    /// Whether it still takes bytes.
    pub(super) fn is_open(&self) -> bool {
        self.sender.is_some()
    }

    /// Hands a chunk over, waiting for room.
    pub(super) async fn send(&self, chunk: Bytes) -> Result<(), ReaderGone> {
        match &self.sender {
            Some(sender) => sender.send(chunk).await,
            None => Err(ReaderGone),
        }
    }

    /// The store ended its put before the body ended: it takes no more. An error that is known already is returned.
    pub(super) fn leave(&mut self) -> Option<&Error> {
        self.sender = None;
        if let Put::Running(task) = &mut self.put
            && let Some(ended) = task.now_or_never()
        {
            self.put = Put::Ended(early(joined(ended), &self.copy));
        }
        match &self.put {
            Put::Ended(Err(err)) => Some(err),
            _ => None,
        }
    }

    /// Gives the copy up, which drops the put.
    pub(super) fn give_up(&mut self, err: Error) {
        self.sender = None;
        if let Put::Running(task) = &self.put {
            task.abort();
        }
        self.put = Put::Ended(Err(err));
    }

    /// Lets the store see the end of the body, and waits for what becomes of the put.
    pub(super) async fn finish(&mut self) {
        if let Some(sender) = self.sender.take()
            && tokio::time::timeout(self.copy.stall_timeout, sender.finish()).await.is_err()
        {
            self.give_up(self.copy.stalled());
        }
        self.settle().await;
    }

    /// Waits for the end of the put: as long as the store takes bytes, and then for its stall timeout.
    ///
    /// A body that was not [finished](Self::finish) ends in an error, and the put with it.
    pub(super) async fn settle(&mut self) {
        self.sender = None;
        let Put::Running(task) = &mut self.put else { return };
        let taken_at = || *self.taken_at.lock().unwrap_or_else(PoisonError::into_inner);
        let mut since = Instant::now();
        let ended = loop {
            match tokio::time::timeout_at(since + self.copy.stall_timeout, &mut *task).await {
                Ok(ended) => break joined(ended),
                Err(_) if taken_at() > since => since = taken_at(),
                Err(_) => {
                    task.abort();
                    break Err(self.copy.stalled());
                }
            }
        };
        self.put = Put::Ended(ended);
    }

    /// What became of the put, where that is known.
    pub(super) fn outcome(&self) -> Option<&Result<ObjectMeta>> {
        match &self.put {
            Put::Ended(outcome) => Some(outcome),
            Put::Running(_) => None,
        }
    }

    pub(super) fn is_stored(&self) -> bool {
        matches!(self.outcome(), Some(Ok(_)))
    }

    /// The end of a lane.
    pub(super) fn into_outcome(mut self) -> (CopyTo, Result<ObjectMeta>) {
        let given_up = || Err(Error::new(ErrorKind::Cancelled, "given up, as the others failed"));
        let outcome = match std::mem::replace(&mut self.put, Put::Ended(given_up())) {
            Put::Ended(outcome) => outcome,
            Put::Running(task) => {
                task.abort();
                given_up()
            }
        };
        (self.copy.clone(), outcome)
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        if let Put::Running(task) = &self.put {
            task.abort();
        }
    }
}

fn joined(ended: Result<Result<ObjectMeta>, tokio::task::JoinError>) -> Result<ObjectMeta> {
    ended.unwrap_or_else(|err| {
        Err(Error::new(ErrorKind::Unexpected, "the task that stores a copy was cut off").with_source(err))
    })
}

/// No store may say that it stored a body whose end it has not seen.
fn early(ended: Result<ObjectMeta>, copy: &CopyTo) -> Result<ObjectMeta> {
    ended.and_then(|_| {
        Err(Error::new(ErrorKind::Unexpected, "the store reported success before the body had ended")
            .with_context("store", &copy.name))
    })
}
