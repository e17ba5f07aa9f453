//! The objects of a lease in a store.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use serde::{Deserialize, Serialize};

use super::{
    failure::LeaseHeld,
    owner::{Owner, random},
};
use crate::{
    Error, ErrorKind, Key, ObjectMeta, Prefix, PutMode, PutOptions, Result, Store, StoreExt,
    pipeline::host_name,
};

/// The folder of all leases: its objects lie one level higher than those of backups, and are none.
pub(crate) const FOLDER: &str = "leases";
/// The largest record that is read, in bytes.
const MAX_BYTES: usize = 64 * 1024;

/// What is written in an object of the chain.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct LeaseRecord {
    state: LeaseState,
    owner: String,
    host: Option<String>,
    pid: u32,
    /// By the clock of the host, for people alone.
    taken_at: DateTime<Utc>,
    ttl_ms: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum LeaseState {
    Held,
    Released,
}

impl LeaseRecord {
    pub(super) fn new(owner: &Owner, state: LeaseState, ttl: Duration) -> Self {
        Self {
            state,
            owner: owner.token().to_owned(),
            host: host_name(),
            pid: std::process::id(),
            taken_at: owner.since(),
            ttl_ms: u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

/// The object that counts.
#[derive(Debug)]
pub(super) struct Newest {
    pub(super) generation: u64,
    /// When it was stored, by the store's clock.
    stored_at: DateTime<Utc>,
}

#[derive(Debug)]
pub(super) struct Chain {
    store: Arc<dyn Store>,
    name: String,
}

impl Chain {
    pub(super) fn new(store: Arc<dyn Store>, name: &str) -> Self {
        Self { store, name: name.to_owned() }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    fn key(&self, generation: u64) -> Result<Key> {
        // As wide as the largest number, so that names sort as numbers do.
        Key::parse(format!("{FOLDER}/{}.{generation:020}.json", self.name))
    }

    async fn objects(&self) -> Result<Vec<ObjectMeta>> {
        let own = format!("{}.", self.name);
        let objects = self.store.list(&Prefix::parse(FOLDER)?);
        objects
            .try_filter(|object| std::future::ready(object.key.name().starts_with(&own)))
            .try_collect()
            .await
    }

    fn generation(&self, key: &Key) -> Option<u64> {
        key.name().strip_prefix(&self.name)?.strip_prefix('.')?.strip_suffix(".json")?.parse().ok()
    }

    fn newest_of(&self, objects: &[ObjectMeta]) -> Option<Newest> {
        let newest = objects.iter().filter_map(|object| {
            let generation = self.generation(&object.key)?;
            Some(Newest { generation, stored_at: object.last_modified })
        });
        newest.max_by_key(|newest| newest.generation)
    }

    pub(super) async fn newest(&self) -> Result<Option<Newest>> {
        Ok(self.newest_of(&self.objects().await?))
    }

    /// What an object says; `None` where it is gone, or is nothing that we wrote.
    async fn record(&self, generation: u64) -> Result<Option<LeaseRecord>> {
        match self.store.get_bytes(&self.key(generation)?, MAX_BYTES).await {
            Ok(json) => Ok(serde_json::from_slice(&json).ok()),
            Err(err) if matches!(err.kind(), ErrorKind::NotFound | ErrorKind::Corrupt) => Ok(None),
            Err(err) => Err(err),
        }
    }

    /// Fails where somebody holds the lease; `ttl` counts where the object does not tell its own.
    pub(super) async fn check_free(&self, newest: &Newest, ttl: Duration) -> Result<()> {
        let record = self.record(newest.generation).await?;
        let ttl = match &record {
            Some(record) if record.state == LeaseState::Released => return Ok(()),
            Some(record) if Owner::was_dropped(&record.owner) => return Ok(()),
            Some(record) => Duration::from_millis(record.ttl_ms),
            None => ttl,
        };
        match self.age(newest).await? {
            Some(age) if age > ttl => Ok(()),
            age => {
                let free_after = ttl.saturating_sub(age.unwrap_or_default());
                Err(self.held(newest.generation, record, free_after))
            }
        }
    }

    fn held(&self, generation: u64, record: Option<LeaseRecord>, free_after: Duration) -> Error {
        let (pid, since) = (record.as_ref().map(|it| it.pid), record.as_ref().map(|it| it.taken_at));
        LeaseHeld { host: record.and_then(|it| it.host), pid, since, generation, free_after }
            .into_error(&self.name)
    }

    /// How long ago the newest object was stored, by the store's clock; `None` where it is no longer the newest.
    async fn age(&self, newest: &Newest) -> Result<Option<Duration>> {
        let now = Key::parse(format!("{FOLDER}/{}.now-{}.json", self.name, random()?))?;
        self.store.put_bytes(&now, "{}").await?;
        let listed = self.objects().await;
        self.remove(&now).await;
        let listed = listed?;
        let is_newest = self.newest_of(&listed).is_some_and(|other| other.generation == newest.generation);
        let stored_now = listed.iter().find(|object| object.key == now).filter(|_| is_newest);
        Ok(stored_now.map(|object| (object.last_modified - newest.stored_at).to_std().unwrap_or_default()))
    }

    /// Creates an object of the chain, and makes sure that it is the newest.
    ///
    /// The one before it stays: a listing of a folder may miss what is made and what is removed while it goes on, but not
    /// two in a row. What is older goes.
    pub(super) async fn create(&self, generation: u64, record: &LeaseRecord) -> Result<()> {
        let key = self.key(generation)?;
        let ttl = Duration::from_millis(record.ttl_ms);
        let created = self.store.put_bytes(&key, to_json(record)?).await;
        let is_own = match &created {
            Ok(_) => self.store.capabilities().atomic_create,
            Err(err) if err.kind() == ErrorKind::AlreadyExists => false,
            Err(_) => return created.map(drop),
        };
        if !is_own {
            // Ours all the same where the store's answer to an earlier try was lost.
            let found = self.record(generation).await?;
            if found.as_ref().is_none_or(|found| found.owner != record.owner) {
                return Err(self.held(generation, found, ttl));
            }
        }
        let objects = self.objects().await?;
        if let Some(newest) = self.newest_of(&objects).filter(|newest| newest.generation > generation) {
            // It was used before, and removed by those that came after it.
            self.remove(&key).await;
            let found = self.record(newest.generation).await?;
            return Err(self.held(newest.generation, found, ttl));
        }
        for object in objects {
            if self.generation(&object.key).is_some_and(|older| older + 1 < generation) {
                self.remove(&object.key).await;
            }
        }
        Ok(())
    }

    /// Marks the newest object as released, where it is of this owner.
    pub(super) async fn release(&self, owner: &Owner, record: &LeaseRecord) -> Result<()> {
        let Some(newest) = self.newest().await? else { return Ok(()) };
        let is_own = |found: &LeaseRecord| found.owner == owner.token();
        if !self.record(newest.generation).await?.as_ref().is_some_and(is_own) {
            return Ok(());
        }
        // Where another took over just now this is older than the newest, and means nothing.
        let options = PutOptions::default().with_mode(PutMode::Overwrite);
        let json = Bytes::from(to_json(record)?);
        self.store.put(&self.key(newest.generation)?, json.into(), options).await.map(drop)
    }

    /// Removes what nobody needs; where that fails the next holder does it.
    async fn remove(&self, key: &Key) {
        if let Err(err) = self.store.delete(key).await {
            tracing::debug!(%key, %err, "an object of a lease stays");
        }
    }
}

fn to_json(record: &LeaseRecord) -> Result<Vec<u8>> {
    serde_json::to_vec(record)
        .map_err(|err| Error::new(ErrorKind::Unexpected, "cannot write the lease").with_source(err))
}
