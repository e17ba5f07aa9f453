//! [`Lease`]: one at a time deletes in a store, across processes and hosts, with nothing but the store between them.
//!
//! [`Pipeline::prune`](crate::Pipeline::prune), the retention after a backup and [`Pipeline::sweep`](crate::Pipeline::sweep)
//! take it. Backups, verification and restores need none and run beside it, and so does a
//! [deletion by hand](crate::Pipeline::delete), which can be repeated and names what it deletes.
//!
//! # How it works
//!
//! A lease is a chain of small objects `leases/<name>.<generation>.json`, of which the highest generation counts. To take the
//! lease is to create the next one, which of any number of racing creates one wins; to renew it is the same. Whoever finds
//! that another was quicker has lost it. A generation is never used twice: the last two stay in the store, the last one marked as
//! released, and whoever creates one that was used and removed before finds a higher one beside it and gives way.
//!
//! A lease that is not renewed ends after its `ttl`. The holder renews it after a third of that, and deletes nothing once two
//! thirds are over without a renewal, counted from before that was sent. So a third is left for the one deletion that may be
//! on its way, and for clocks that run at different speeds. How long ago the last renewal was is told by the store's clock
//! alone: whoever wants to follow stores a small object and compares the two times, so that clocks of hosts may be wrong.
//! Only where a [`FanOut`](crate::store::FanOut) is asked it is the clocks of its stores, which should agree to within that
//! third.
//!
//! A process that was stopped and continues finds its last renewal too long ago, however it was stopped: the larger of what the
//! monotonic clock and the wall clock say counts. It asks the store, and deletes nothing more where another took over.
//!
//! # What it cannot do
//!
//! - A store that does not declare [`atomic_create`](crate::store::StoreCapabilities::atomic_create) may let two
//!   creates win. The winner reads back whether the object is its own, which finds most such cases and not all: there the
//!   lease is advisory.
//! - A single call to the store that is already on its way is not called back: a process that is stopped for longer than the ttl between
//!   the last look at its lease and the system call that deletes one object still deletes that object.
//! - There is no lock of the operating system beside it. Where a holder is killed that would free it a moment earlier;
//!   where it is merely stopped it would keep everybody else out for ever.

use std::{fmt, sync::Arc, time::Duration};

use tokio::sync::Mutex;
use tokio_util::task::TaskTracker;

use crate::{Error, ErrorKind, Result, Store};

mod chain;
mod failure;
mod owner;
#[cfg(test)]
mod tests;

pub use failure::{LeaseHeld, LeaseLost};

use chain::{Chain, LeaseRecord, LeaseState};
use owner::{Moment, Owner};

/// How long a lease that is not renewed keeps others out, unless said otherwise: three minutes.
pub const LEASE_TTL: Duration = Duration::from_secs(180);
/// How often a lease is asked for again while it is waited for.
const POLL: Duration = Duration::from_secs(1);
/// How long the release of a dropped lease may take.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(10);

/// The right to delete in a store, which one at a time has.
///
/// Dropping it lets others in this process take it at once. It is also released in the store, where a runtime is there to do it;
/// else others wait until it ended.
pub struct Lease {
    held: Arc<Held>,
    removals: TaskTracker,
    /// False once it was released.
    armed: bool,
}

struct Held {
    chain: Chain,
    owner: Owner,
    ttl: Duration,
    standing: Mutex<Standing>,
}

/// Where the holder stands.
#[derive(Debug, Clone, Copy)]
struct Standing {
    generation: u64,
    /// Before the last renewal was sent.
    renewed: Moment,
    lost: bool,
}

impl Lease {
    /// Takes the lease `name` of a store, or says who holds it.
    ///
    /// `name` is one segment of a [key](crate::Key).
    ///
    /// # Errors
    ///
    /// [`Unavailable`](crate::ErrorKind::Unavailable) where another holds it: [`LeaseHeld::of`] tells who, since when, and when it
    /// ends unless it is renewed. Those of the store.
    ///
    /// # Cancel safety
    ///
    /// A dropped call may have taken the lease, which then ends after its ttl; for this process at once.
    pub async fn take(store: Arc<dyn Store>, name: &str, ttl: Duration) -> Result<Self> {
        Self::take_with(store, name, ttl, TaskTracker::new()).await
    }

    /// The same, with the tracker of the tasks that release a dropped one.
    pub(crate) async fn take_with(
        store: Arc<dyn Store>,
        name: &str,
        ttl: Duration,
        removals: TaskTracker,
    ) -> Result<Self> {
        let (chain, owner) = (Chain::new(store, name), Owner::new()?);
        let generation = match chain.newest().await? {
            None => 1,
            Some(newest) => {
                chain.check_free(&newest, ttl).await?;
                newest.generation + 1
            }
        };
        let renewed = Moment::now();
        chain.create(generation, &LeaseRecord::new(&owner, LeaseState::Held, ttl)).await?;
        let standing = Mutex::new(Standing { generation, renewed, lost: false });
        tracing::debug!(name, generation, "took the lease");
        Ok(Self { held: Arc::new(Held { chain, owner, ttl, standing }), removals, armed: true })
    }

    /// Asks again while another holds the lease, for `patience`.
    pub(crate) async fn take_in_turn<Asked: Future<Output = Result<Self>>>(
        ttl: Duration,
        patience: Duration,
        ask: impl Fn() -> Asked,
    ) -> Result<Self> {
        let until = tokio::time::Instant::now() + patience;
        loop {
            match ask().await {
                Err(err) if LeaseHeld::of(&err).is_some() && tokio::time::Instant::now() < until => {
                    tokio::time::sleep(POLL.min(ttl / 3)).await;
                }
                taken => return taken,
            }
        }
    }

    /// The number of the last renewal, higher than that of any holder before.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn generation(&self) -> u64 {
        self.held.standing.lock().await.generation
    }

    /// Fails unless the lease is still held; to be called right before each deletion.
    ///
    /// Asks the store only where the last renewal is too long ago.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](crate::ErrorKind::Unavailable) where another took the lease over, of which [`LeaseLost::of`] tells; those
    /// of the store where it cannot be renewed in time.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn check(&self) -> Result<()> {
        let mut standing = self.held.standing.lock().await;
        if !standing.lost && standing.renewed.elapsed() < self.held.ttl * 2 / 3 {
            return Ok(());
        }
        self.held.renew(&mut standing).await
    }

    /// Renews the lease as long as `work` runs.
    ///
    /// Work is not interrupted where the lease is lost: it stops at its next [`check`](Self::check), and can say how far it came.
    ///
    /// # Cancel safety
    ///
    /// As `work`.
    pub async fn during<T>(&self, work: impl Future<Output = T>) -> T {
        tokio::select! {
            biased;
            done = work => done,
            never = self.held.keep_renewing() => match never {},
        }
    }

    /// Lets others have it.
    ///
    /// # Cancel safety
    ///
    /// A dropped call goes on in the background, as that of a dropped lease.
    pub async fn release(mut self) {
        self.held.release().await;
        self.armed = false;
    }
}

impl Held {
    async fn renew(&self, standing: &mut Standing) -> Result<()> {
        if standing.lost {
            return Err(LeaseLost::new(standing.generation).into_error());
        }
        let renewed = Moment::now();
        let record = LeaseRecord::new(&self.owner, LeaseState::Held, self.ttl);
        match self.chain.create(standing.generation + 1, &record).await {
            Ok(()) => {
                standing.generation += 1;
                standing.renewed = renewed;
                Ok(())
            }
            Err(err) if LeaseHeld::of(&err).is_some() => {
                standing.lost = true;
                Err(LeaseLost::new(standing.generation).into_error().with_context("holder", err))
            }
            Err(err) => Err(err),
        }
    }

    /// Renews until it is dropped; what is lost is left to the next check.
    async fn keep_renewing(&self) -> std::convert::Infallible {
        loop {
            let elapsed = self.standing.lock().await.renewed.elapsed();
            tokio::time::sleep((self.ttl / 3).saturating_sub(elapsed)).await;
            let mut standing = self.standing.lock().await;
            // A call that hangs keeps nobody from trying again in time.
            let renewed = tokio::time::timeout(self.ttl / 6, self.renew(&mut standing)).await;
            match renewed.unwrap_or_else(|_| Err(Error::new(ErrorKind::Timeout, "the store did not answer")))
            {
                Ok(()) => {}
                Err(_) if standing.lost => {
                    tracing::warn!(generation = standing.generation, "the lease was lost");
                    drop(standing);
                    return std::future::pending().await;
                }
                Err(err) => {
                    drop(standing);
                    tracing::warn!(%err, "the lease could not be renewed, and is tried again");
                    tokio::time::sleep(self.ttl / 12).await;
                }
            }
        }
    }

    async fn release(&self) {
        let record = LeaseRecord::new(&self.owner, LeaseState::Released, self.ttl);
        match self.chain.release(&self.owner, &record).await {
            Ok(()) => {}
            Err(err) => tracing::warn!(%err, "the lease could not be released, and ends by itself"),
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if !self.armed {
            return;
        }
        self.held.owner.is_gone();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let held = Arc::clone(&self.held);
            let release = async move {
                if tokio::time::timeout(RELEASE_TIMEOUT, held.release()).await.is_err() {
                    tracing::warn!("the release of a dropped lease took too long; it ends by itself");
                }
            };
            self.removals.spawn_on(release, &runtime);
        }
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("name", &self.held.chain.name())
            .field("ttl", &self.held.ttl)
            .finish_non_exhaustive()
    }
}
