use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::{FutureExt, StreamExt, stream::BoxStream};

use super::{GetOptions, GetResult, ObjectMeta, PutOptions, Space, Store, StoreCapabilities, SweepReport};
use crate::{ByteStream, Error, Key, Prefix, Result};

/// How often and how soon a call is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryOptions {
    /// How often a call is made at most, the first time included; at least once.
    pub attempts: u32,
    /// How long to wait before the second time; each further pause is twice as long.
    pub first_pause: Duration,
    /// The longest pause.
    pub longest_pause: Duration,
}

impl Default for RetryOptions {
    /// Five attempts over some ten seconds.
    fn default() -> Self {
        Self { attempts: 5, first_pause: Duration::from_millis(500), longest_pause: Duration::from_secs(30) }
    }
}

impl RetryOptions {
    /// Says how often a call is made at most.
    #[must_use]
    pub fn with_attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// Says how long to wait before the second time, and at most before any.
    #[must_use]
    pub fn with_pauses(mut self, first: Duration, longest: Duration) -> Self {
        (self.first_pause, self.longest_pause) = (first, longest);
        self
    }

    /// The pause after so many failures: between half of what is due and all of it, so that those who failed together
    /// do not come back together.
    fn pause(&self, failures: u32) -> Duration {
        let factor = 2_u32.saturating_pow(failures.saturating_sub(1));
        let due = self.first_pause.saturating_mul(factor).min(self.longest_pause);
        let mut random = [0; 4];
        // Without random numbers the pause is the shortest: still a pause.
        let share = getrandom::fill(&mut random).map_or(0, |()| u32::from_le_bytes(random));
        due / 2 + (due / 2).mul_f64(f64::from(share) / f64::from(u32::MAX))
    }
}

/// Repeats calls of another store whose error [may pass](Error::is_retryable).
///
/// `head`, `delete`, `space` and `sweep` are repeated as they are; of `get` only the opening, as what was read cannot
/// be taken back; a listing until it yielded its first object, as a second one would yield some twice. `put` never is:
/// its body is gone, and the store itself repeats the parts of an upload.
#[derive(Debug)]
pub struct Retry<S> {
    inner: Arc<S>,
    options: RetryOptions,
}

impl<S> Clone for Retry<S> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner), options: self.options }
    }
}

impl<S: Store> Retry<S> {
    /// `inner`, asked again as `options` say.
    pub fn new(inner: S, options: RetryOptions) -> Self {
        Self { inner: Arc::new(inner), options }
    }

    async fn repeat<T, F>(&self, what: &'static str, call: impl Fn() -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let mut failures = 0;
        loop {
            let err = match call().await {
                Ok(done) => return Ok(done),
                Err(err) => err,
            };
            failures += 1;
            wait(&self.options, what, failures, err).await?;
        }
    }
}

/// Waits before the next attempt, or gives the error back where there is none.
async fn wait(options: &RetryOptions, what: &'static str, failures: u32, err: Error) -> Result<()> {
    if !err.is_retryable() {
        return Err(err);
    }
    if failures >= options.attempts {
        return Err(if failures > 1 { err.with_context("attempts", failures) } else { err });
    }
    let pause = options.pause(failures);
    tracing::debug!(what, failures, ?pause, "trying again: {err}");
    tokio::time::sleep(pause).await;
    Ok(())
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Store> Store for Retry<S> {
    fn location(&self) -> String {
        self.inner.location()
    }

    fn capabilities(&self) -> StoreCapabilities {
        self.inner.capabilities()
    }

    async fn put(&self, key: &Key, body: ByteStream, options: PutOptions) -> Result<ObjectMeta> {
        self.inner.put(key, body, options).await
    }

    async fn get(&self, key: &Key, options: GetOptions) -> Result<GetResult> {
        self.repeat("get", || self.inner.get(key, options.clone())).await
    }

    async fn head(&self, key: &Key) -> Result<ObjectMeta> {
        self.repeat("head", || self.inner.head(key)).await
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        self.repeat("delete", || self.inner.delete(key)).await
    }

    fn list(&self, prefix: &Prefix) -> BoxStream<'static, Result<ObjectMeta>> {
        let (inner, options, prefix) = (Arc::clone(&self.inner), self.options, prefix.clone());
        async move {
            let mut failures = 0;
            loop {
                let mut objects = inner.list(&prefix);
                let first = match objects.next().await {
                    Some(Err(err)) => err,
                    Some(Ok(object)) => {
                        return futures::stream::iter([Ok(object)]).chain(objects).boxed();
                    }
                    None => return futures::stream::empty().boxed(),
                };
                failures += 1;
                if let Err(err) = wait(&options, "list", failures, first).await {
                    // A store may go on after an error, and so does this.
                    return futures::stream::iter([Err(err)]).chain(objects).boxed();
                }
            }
        }
        .flatten_stream()
        .boxed()
    }

    async fn space(&self) -> Result<Option<Space>> {
        self.repeat("space", || self.inner.space()).await
    }

    async fn sweep(&self, grace: Duration) -> Result<SweepReport> {
        self.repeat("sweep", || self.inner.sweep(grace)).await
    }
}
