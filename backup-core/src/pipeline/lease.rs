//! The lease under which the pipeline deletes what nobody named.

use std::{sync::Arc, time::Duration};

use super::{Pipeline, claim::CLEAN_UP_TIMEOUT};
use crate::{Key, Lease, Result};

/// One lease for all of it: a sweep and a prune remove the same things.
const PRUNE: &str = "prune";

impl Pipeline {
    /// Takes the lease, or says who holds it.
    pub(super) async fn lease(&self) -> Result<Lease> {
        self.lease_in_turn(Duration::ZERO).await
    }

    /// Takes the lease, waiting for whoever holds it: where another database was backed up at the same time, it is its
    /// retention, and soon done.
    pub(super) async fn lease_in_turn(&self, patience: Duration) -> Result<Lease> {
        let ask = || {
            let (store, removals) = (Arc::clone(&self.store), self.removals.clone());
            // The stall timeout is for a store that hangs: that another is at work is none, however long it takes.
            self.within("lease", Lease::take_with(store, PRUNE, self.lease_ttl, removals))
        };
        Lease::take_in_turn(self.lease_ttl, patience, ask).await
    }

    /// Lets others have the lease; a store that hangs is not waited for.
    pub(super) async fn give_back(&self, lease: Lease) {
        let limit = self.stall_timeout.min(CLEAN_UP_TIMEOUT);
        if tokio::time::timeout(limit, lease.release()).await.is_err() {
            tracing::warn!("the store did not answer to the release of a lease");
        }
    }

    /// Deletes an object, where there is a lease under it.
    pub(super) async fn delete_object(&self, key: &Key, lease: Option<&Lease>) -> Result<()> {
        check(lease).await?;
        self.store.delete(key).await
    }
}

/// Fails where there is a lease and it is lost.
pub(super) async fn check(lease: Option<&Lease>) -> Result<()> {
    match lease {
        Some(lease) => lease.check().await,
        None => Ok(()),
    }
}
