use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::{
    StreamExt,
    future::{BoxFuture, join_all},
    stream::BoxStream,
};

use super::{GetOptions, GetResult, ObjectMeta, PutOptions, Space, Store, StoreCapabilities, SweepReport};
use crate::{ByteStream, Error, ErrorKind, Key, Prefix, Result};

mod failed;
mod lane;
mod pass;
mod publish;
mod read;

pub use failed::CopiesFailed;

/// How many bytes a copy may be behind the fastest one, unless said.
const BUFFER_BYTES: usize = 16 * 1024 * 1024;
/// How long a store may not move, unless said.
const STALL_TIMEOUT: Duration = Duration::from_secs(2 * 60);

/// Stores one body in several stores at once, reading it once.
///
/// # What is stored where
///
/// Each store gets every byte through a buffer of its own, and has an outcome of its own, which
/// [`ObjectMeta::copies`] tells. The [policy](CopyPolicy) says how many must succeed. The slowest of those that it needs
/// sets the pace; a store that it can do without may hold the others up for its stall timeout in all, and is dropped from
/// the pass then, as is one that fails: nothing is stored there. A put that misses the policy stores nothing anywhere.
///
/// # One winner
///
/// Two creates that race could each win in another store. So the first store decides: the end of the body is held back
/// from all others until it has published, and as no store publishes a body whose end it has not seen, whoever loses in
/// the first store is stored in none. Where the first store fails and the policy can do without it, the next one decides.
/// Another create that could reach the first one is then refused by that one, and gives back what it stored; so there is
/// one winner, or in the worst case of two that see different stores fail at the same moment none, as long as the policy
/// demands more than half of the stores, and [`atomic_create`](StoreCapabilities::atomic_create) is declared just then.
/// It all rests on the order of the stores: name them in the same one everywhere.
///
/// An object that any of the stores holds exists: a create of it is refused. An overwrite that misses the policy cannot
/// be undone: it may have replaced some of the copies.
///
/// # What is read, and deleted
///
/// - `head` and `get` ask one store after the other, and take the first answer. An object is
///   [`NotFound`](ErrorKind::NotFound) only where every store says so: a store that could not be asked may hold it. What
///   breaks while it is read goes on at the same byte of another copy of the same size.
/// - `list` shows what any store holds. Where a store could not be listed to its end, the others still are, and the last
///   item is an error, of which [`CopiesFailed::is_partial`] is true: who reads can go on, who deletes must not.
/// - `delete` and `sweep` reach every store, or fail and name those that were not reached; call them again.
///
/// # Examples
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// use backup_core::{Key, MemoryStore, StoreExt, store::{CopyPolicy, CopyTo, FanOut}};
///
/// let (here, there) = (MemoryStore::new(), MemoryStore::new());
/// let both = FanOut::new(CopyPolicy::All, vec![CopyTo::new(here.clone()), CopyTo::new(there.clone())])?;
/// let stored = both.put_bytes(&Key::parse("object")?, "1").await?;
/// assert!(stored.copies.iter().all(|copy| copy.is_stored()));
/// assert!(there.exists(&Key::parse("object")?).await?);
/// # Ok::<(), backup_core::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct FanOut {
    copies: Arc<[CopyTo]>,
    policy: CopyPolicy,
}

/// How many copies a put must make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CopyPolicy {
    /// One in every store.
    All,
    /// One in so many of the stores, whichever they are.
    AtLeast(usize),
    /// One in the first store; the others as far as they can.
    Primary,
}

impl CopyPolicy {
    /// How many stores have to be there, of `stores`.
    pub(super) fn needed(self, stores: usize) -> usize {
        match self {
            Self::All => stores,
            Self::AtLeast(number) => number,
            Self::Primary => 1,
        }
    }

    /// Whether copies in these of `stores` stores are enough.
    fn is_met(self, stores: usize, has: impl Fn(usize) -> bool) -> bool {
        match self {
            Self::Primary => has(0),
            _ => (0..stores).filter(|index| has(*index)).count() >= self.needed(stores),
        }
    }
}

/// A store that shall get a copy.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CopyTo {
    pub(super) store: Arc<dyn Store>,
    pub(super) name: String,
    buffer_bytes: usize,
    pub(crate) stall_timeout: Duration,
}

impl CopyTo {
    /// A store that may be 16 MiB behind the fastest, and stand still for two minutes.
    pub fn new(store: impl Store) -> Self {
        let name = store.location();
        Self { store: Arc::new(store), name, buffer_bytes: BUFFER_BYTES, stall_timeout: STALL_TIMEOUT }
    }

    /// Says how many bytes it may be behind the fastest store; at least a chunk of 256 KiB.
    #[must_use]
    pub fn with_buffer_bytes(mut self, bytes: usize) -> Self {
        self.buffer_bytes = bytes;
        self
    }

    /// Says how long it may stand still before it is given up, while it stores and while it is read.
    #[must_use]
    pub fn with_stall_timeout(mut self, limit: Duration) -> Self {
        self.stall_timeout = limit;
        self
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// By which name outcomes tell of it: its location, and a number where others have the same.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The answer of this store, or that it took too long.
    async fn within<T>(&self, call: impl Future<Output = Result<T>>) -> Result<T> {
        // Stores in memory answer at once, and who asks again and again would keep the puts, on tasks of their own, from
        // ever running.
        tokio::task::consume_budget().await;
        tokio::time::timeout(self.stall_timeout, call).await.unwrap_or_else(|_| Err(self.stalled()))
    }

    fn stalled(&self) -> Error {
        Error::new(ErrorKind::Timeout, "the store stood still for too long")
            .with_context("store", &self.name)
            .with_context("limit_seconds", self.stall_timeout.as_secs_f64())
    }
}

/// What became of one copy of an object that was put.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredCopy {
    /// In which store: its location, without secrets.
    pub location: String,
    /// What became of it.
    pub outcome: CopyOutcome,
}

/// What became of a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CopyOutcome {
    /// It is stored.
    Stored,
    /// It is not.
    Failed {
        /// The [code](ErrorKind::code) of the error.
        code: &'static str,
        /// The error in one line.
        message: String,
    },
}

impl StoredCopy {
    /// Whether it is stored.
    #[must_use]
    pub fn is_stored(&self) -> bool {
        self.outcome == CopyOutcome::Stored
    }
}

impl FanOut {
    /// The stores, of which the first is the primary one and decides who wins a create.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](ErrorKind::InvalidInput) without a store, and for a policy that no put could meet or that asks for
    /// no copy at all.
    pub fn new(policy: CopyPolicy, mut copies: Vec<CopyTo>) -> Result<Self> {
        let needed = policy.needed(copies.len());
        if copies.is_empty() || needed == 0 || needed > copies.len() {
            return Err(Error::new(ErrorKind::InvalidInput, "these stores cannot meet the policy of copies")
                .with_context("stores", copies.len())
                .with_context("needed", needed)
                .with_suggestion(
                    "name at least one store, and ask for one copy at least and one a store at most",
                ));
        }
        let mut seen = BTreeMap::new();
        for copy in &mut copies {
            let number = seen.entry(copy.name.clone()).or_insert(0_u32);
            *number += 1;
            if *number > 1 {
                copy.name = format!("{} ({number})", copy.name);
            }
        }
        Ok(Self { copies: copies.into(), policy })
    }

    /// The stores, in the order in which they were named.
    #[must_use]
    pub fn copies(&self) -> &[CopyTo] {
        &self.copies
    }

    /// How many copies a put must make.
    #[must_use]
    pub fn policy(&self) -> CopyPolicy {
        self.policy
    }

    /// How many stores may lack what a single one promises, so that those that a put needs still promise it.
    fn spare(&self, lacks: impl Fn(StoreCapabilities) -> bool) -> bool {
        let lacking = |copy: &&CopyTo| lacks(copy.store.capabilities());
        match self.policy {
            CopyPolicy::Primary => !self.copies.first().as_ref().is_some_and(lacking),
            policy => self.copies.iter().filter(lacking).count() < policy.needed(self.copies.len()),
        }
    }

    /// Makes the same call of every store, and fails where one fails.
    async fn each<'a, T>(
        &'a self,
        message: &str,
        suggestion: &str,
        call: impl Fn(&'a CopyTo) -> BoxFuture<'a, Result<T>>,
    ) -> Result<Vec<T>> {
        let results = join_all(self.copies.iter().map(|copy| copy.within(call(copy)))).await;
        let mut done = Vec::with_capacity(results.len());
        let mut failures = Vec::new();
        for (copy, result) in self.copies.iter().zip(results) {
            match result {
                Ok(value) => done.push(value),
                Err(err) => failures.push((copy.name.clone(), err)),
            }
        }
        if failures.is_empty() {
            return Ok(done);
        }
        Err(CopiesFailed::error(message, failures).with_suggestion(suggestion))
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Store for FanOut {
    fn location(&self) -> String {
        let names: Vec<&str> = self.copies.iter().map(CopyTo::name).collect();
        names.join(" + ")
    }

    fn capabilities(&self) -> StoreCapabilities {
        let each = || self.copies.iter().map(|copy| copy.store.capabilities());
        let majority = match self.policy {
            CopyPolicy::AtLeast(number) => 2 * number > self.copies.len(),
            _ => true,
        };
        StoreCapabilities {
            // Of all but the first the next one may have to decide.
            atomic_create: majority
                && match self.policy {
                    CopyPolicy::AtLeast(_) => each().all(|store| store.atomic_create),
                    _ => each().next().is_some_and(|store| store.atomic_create),
                },
            durable: self.spare(|store| !store.durable),
            reports_space: self.spare(|store| !store.reports_space),
            object_lock: each().all(|store| store.object_lock),
            max_object_size: each().filter_map(|store| store.max_object_size).min(),
        }
    }

    async fn put(&self, key: &Key, body: ByteStream, options: PutOptions) -> Result<ObjectMeta> {
        pass::put(self, key, body, options).await
    }

    async fn get(&self, key: &Key, options: GetOptions) -> Result<GetResult> {
        read::get(self, key, options).await
    }

    async fn head(&self, key: &Key) -> Result<ObjectMeta> {
        read::first(&self.copies, key, |copy| copy.store.head(key)).await.map(|(_, meta)| meta)
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        let deleted = self
            .each(
                "an object could not be deleted in every store",
                "delete it again once the stores named can be reached",
                |copy| copy.store.delete(key),
            )
            .await;
        deleted.map(|_| ()).map_err(|err| err.with_context("key", key))
    }

    fn list(&self, prefix: &Prefix) -> BoxStream<'static, Result<ObjectMeta>> {
        read::list(self.clone(), prefix.clone()).boxed()
    }

    async fn space(&self) -> Result<Option<Space>> {
        if self.policy == CopyPolicy::Primary {
            return match self.copies.first() {
                Some(primary) => primary.within(primary.store.space()).await,
                None => Ok(None),
            };
        }
        let needed = self.policy.needed(self.copies.len());
        let answers = join_all(self.copies.iter().map(|copy| copy.within(copy.store.space()))).await;
        let mut spaces = Vec::new();
        let mut failed = None;
        for answer in answers {
            match answer {
                Ok(space) => spaces.push(space),
                Err(err) => failed = failed.or(Some(err)),
            }
        }
        if let Some(err) = failed.filter(|_| spaces.len() < needed) {
            return Err(err);
        }
        // One that cannot tell is taken to have room; so many others have as much as the last of those needed.
        spaces.sort_by_key(|space| std::cmp::Reverse(space.map_or(u64::MAX, |space| space.free_bytes)));
        Ok(spaces.get(needed.saturating_sub(1)).copied().flatten())
    }

    async fn sweep(&self, grace: Duration) -> Result<SweepReport> {
        let swept = self
            .each(
                "not every store could be swept",
                "sweep again once the stores named can be reached",
                |copy| copy.store.sweep(grace),
            )
            .await?;
        Ok(swept.into_iter().fold(SweepReport::default(), |mut all, one| {
            all.removed += one.removed;
            all.freed_bytes += one.freed_bytes;
            all.too_young += one.too_young;
            all.next_at = [all.next_at, one.next_at].into_iter().flatten().min();
            all
        }))
    }
}

impl fmt::Debug for FanOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FanOut")
            .field("copies", &self.location())
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}
