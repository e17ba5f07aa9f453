//! [`Pipeline::health`]: gathers what is known, and checks it.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use futures::{TryStreamExt, future::join_all};

use super::Pipeline;
use crate::{
    BackupRef, Entry, Error, ErrorKind, Filter, Key, Manifest, Prefix, Result, StoreCatalog,
    health::{self, CopyFacts, Fact, HealthFacts, HealthPolicy, HealthReport},
    store::CopyTo,
    verify::stored,
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
        let incomplete = match self.within("artifacts", self.incomplete(&listing.entries)).await {
            Ok(incomplete) => Fact::Known(incomplete),
            Err(err) => Fact::Unknown(err.to_string()),
        };
        let mut facts = HealthFacts::new(listing.entries)
            .with_incomplete(incomplete)
            .with_damaged(&listing.damaged)
            .with_space(space)
            .with_orphans(orphans);
        if !self.copies.is_empty() {
            let copies = join_all(self.copies.iter().map(|copy| self.look_into(copy))).await;
            facts = facts.with_copies(copies);
        } else if let Some(err) = listing.unreachable.first() {
            facts.missing_copies = Fact::Unknown(err.to_string());
        }
        Ok(facts)
    }

    /// What one of several stores holds, by its own listing.
    async fn look_into(&self, copy: &CopyTo) -> CopyFacts {
        let alone =
            Pipeline { catalog: Arc::new(StoreCatalog::new(Arc::clone(copy.store()))), ..self.clone() };
        let alone = Pipeline { store: Arc::clone(copy.store()), ..alone };
        let whole = async {
            let entries = alone.list(&Filter::all()).await?.entries;
            let incomplete = alone.incomplete(&entries).await?;
            let backups = entries.iter().map(|entry| entry.manifest.backup_ref());
            Ok(backups.filter(|backup| !incomplete.contains(backup)).collect())
        };
        let limit = self.stall_timeout.min(copy.stall_timeout);
        let whole = tokio::time::timeout(limit, whole).await.unwrap_or_else(|_| {
            Err(Error::new(ErrorKind::Timeout, "the store took too long")
                .with_context("limit_seconds", limit.as_secs()))
        });
        CopyFacts::new(copy.name(), whole.map_err(|err: Error| err.to_string()))
    }

    /// The backups whose objects are not all in the store, or not of the recorded size.
    async fn incomplete(&self, entries: &[Entry]) -> Result<BTreeSet<BackupRef>> {
        let mut missing: HashMap<&Key, (u64, &Manifest)> = HashMap::new();
        for Entry { manifest, .. } in entries {
            missing.extend(manifest.artifacts().map(|artifact| (&artifact.key, (artifact.size, manifest))));
        }
        let mut objects = self.store.list(&Prefix::root());
        while let Some(object) = objects.try_next().await? {
            if missing.get(&object.key).is_some_and(|(size, _)| *size == object.size) {
                missing.remove(&object.key);
            }
        }
        let mut incomplete = BTreeSet::new();
        for (_, manifest) in missing.into_values() {
            let backup = manifest.backup_ref();
            // A listing is no single moment: one that came or went meanwhile is no trouble.
            if incomplete.contains(&backup) || self.is_whole(manifest).await? {
                continue;
            }
            match self.catalog.get(&backup).await {
                Ok(_) => drop(incomplete.insert(backup)),
                Err(err) if err.kind() == ErrorKind::NotFound => {}
                Err(err) => return Err(err),
            }
        }
        Ok(incomplete)
    }

    /// Whether the objects of a backup are all in the store, with the recorded sizes.
    pub(super) async fn is_whole(&self, manifest: &Manifest) -> Result<bool> {
        for artifact in manifest.artifacts() {
            match stored::check_present(&*self.store, artifact).await {
                Ok(()) => {}
                Err(err) if matches!(err.kind(), ErrorKind::NotFound | ErrorKind::Corrupt) => {
                    return Ok(false);
                }
                Err(err) => return Err(err),
            }
        }
        Ok(true)
    }
}
