//! [`Pipeline::health`]: gathers what is known, and checks it.

use super::Pipeline;
use crate::{
    Filter, Result,
    health::{self, Fact, HealthFacts, HealthPolicy, HealthReport},
};

impl Pipeline {
    /// Says how the backups of the store are.
    ///
    /// # Errors
    ///
    /// Those of the catalog: a list that could not be read to its end says nothing of the backups. Damaged manifests
    /// are part of the report, and so is a store that cannot be asked for more.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn health(&self, policy: &HealthPolicy) -> Result<HealthReport> {
        let facts = self.health_facts().await?;
        let mut policy = policy.clone();
        policy.retention = policy.retention.or_else(|| self.retention.as_deref().cloned());
        Ok(health::check(&facts, &policy, self.clock.now()))
    }

    /// What is known of the backups and of the store, for a caller that [knows more](HealthFacts) and calls
    /// [`health::check`].
    ///
    /// # Errors
    ///
    /// As [`health`](Self::health).
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn health_facts(&self) -> Result<HealthFacts> {
        let listing = self.within("list", self.list(&Filter::all())).await;
        let listing = listing.map_err(|err| err.with_operation("health"))?;
        let space = match self.within("space", self.store.space()).await {
            Ok(space) => space.map_or(Fact::Unasked, Fact::Known),
            Err(err) => Fact::Unknown(err.to_string()),
        };
        let orphans = match self.within("orphans", self.orphans()).await {
            Ok(orphans) => Fact::Known(orphans),
            Err(err) => Fact::Unknown(err.to_string()),
        };
        Ok(HealthFacts::new(listing.entries)
            .with_damaged(&listing.damaged)
            .with_space(space)
            .with_orphans(orphans))
    }
}
