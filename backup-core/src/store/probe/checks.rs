use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, future::join_all};

use super::{Probe, ProbeCheck, ProbeOutcome, too_long};
use crate::{
    ByteStream, Digest, ErrorKind, GetOptions, Key, LockMode, ObjectLock, Prefix, PutMode, PutOptions,
    Result, Store, StoreExt,
};

/// For how long a put is left without bytes before it is dropped.
const STALL: Duration = Duration::from_millis(300);
/// How many objects are put at once.
const PUTS: usize = 16;
/// The largest object of a probe, in bytes.
const LARGEST: usize = 256 * 1024;

/// What a check found, in a sentence; an error is a promise broken too.
enum Found {
    Kept(String),
    Broken(String),
    NotChecked(String),
}

use Found::{Broken, Kept, NotChecked};

fn kept(message: &str) -> Found {
    Kept(message.to_owned())
}

fn broken(message: &str) -> Found {
    Broken(message.to_owned())
}

impl<S: Store + ?Sized> Probe<'_, S> {
    /// Makes every check, each after the other, whatever came of those before.
    pub(super) async fn run(&mut self) {
        let found = self.bounded(self.write()).await;
        if self.note("write", found) != ProbeOutcome::Passed {
            for name in
                ["create-race", "overwrite", "range", "list", "digest", "abort", "delete", "clock", "lock"]
            {
                self.note(name, Ok(NotChecked("nothing can be written and read".to_owned())));
            }
            return;
        }
        let found = self.bounded(self.race()).await;
        self.note("create-race", found);
        let found = self.bounded(self.overwrite()).await;
        self.note("overwrite", found);
        let found = self.bounded(self.range()).await;
        self.note("range", found);
        let found = self.bounded(self.list()).await;
        self.note("list", found);
        let found = self.bounded(self.digest()).await;
        self.note("digest", found);
        let found = self.bounded(self.abort()).await;
        self.note("abort", found);
        let found = self.bounded(self.delete()).await;
        self.note("delete", found);
        let found = self.bounded(self.clock()).await;
        self.note("clock", found);
        let found = match self.options.lock {
            None => Ok(NotChecked("nobody asked for it: it keeps an object for a time".to_owned())),
            Some(_) if !self.store.capabilities().object_lock => {
                Ok(NotChecked("the store does not declare that it can lock objects".to_owned()))
            }
            Some(time) => {
                let time = chrono::Duration::from_std(time).unwrap_or(chrono::Duration::minutes(1));
                let until = self.options.clock.now() + time;
                self.locked_until = Some(until);
                self.bounded(self.lock(ObjectLock::new(LockMode::Governance, until))).await
            }
        };
        self.note("lock", found);
    }

    async fn bounded(&self, check: impl Future<Output = Result<Found>>) -> Result<Found> {
        tokio::time::timeout(self.options.limit, check).await.unwrap_or_else(|_| Err(too_long()))
    }

    fn note(&mut self, name: &str, found: Result<Found>) -> ProbeOutcome {
        let (outcome, message) = match found {
            Ok(Kept(message)) => (ProbeOutcome::Passed, message),
            Ok(Broken(message)) => (ProbeOutcome::Failed, message),
            Ok(NotChecked(message)) => (ProbeOutcome::NotChecked, message),
            Err(err) => (ProbeOutcome::Failed, err.to_string()),
        };
        self.checks.push(ProbeCheck { name: name.to_owned(), outcome, message });
        outcome
    }

    async fn create(&self, key: &Key, bytes: impl Into<Bytes>) -> Result<()> {
        self.store.put(key, bytes.into().into(), PutOptions::default()).await.map(drop)
    }

    async fn overwriting(&self, key: &Key, bytes: impl Into<Bytes>) -> Result<()> {
        let options = PutOptions::default().with_mode(PutMode::Overwrite);
        self.store.put(key, bytes.into().into(), options).await.map(drop)
    }

    async fn read(&self, key: &Key) -> Result<Bytes> {
        self.store.get(key, GetOptions::default()).await?.body.collect_bytes(LARGEST).await
    }

    async fn is_listed(&self, key: &Key) -> Result<bool> {
        let mut objects = self.store.list(&Prefix::parse(&*self.folder)?);
        while let Some(object) = objects.try_next().await? {
            if object.key == *key {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn is_absent(&self, key: &Key) -> Result<bool> {
        match self.store.head(key).await {
            Ok(_) => Ok(false),
            Err(err) if err.kind() == ErrorKind::NotFound => Ok(!self.is_listed(key).await?),
            Err(err) => Err(err),
        }
    }

    /// What was stored is read, found and listed at once, and a second create is refused.
    async fn write(&self) -> Result<Found> {
        let key = self.key("write")?;
        self.create(&key, "first").await?;
        if self.read(&key).await? != "first" || self.store.head(&key).await?.size != 5 {
            return Ok(broken("what was stored is not what is read"));
        }
        if !self.is_listed(&key).await? {
            return Ok(broken("what was stored is not listed at once"));
        }
        match self.create(&key, "second").await {
            Err(err) if err.kind() == ErrorKind::AlreadyExists && self.read(&key).await? == "first" => {
                Ok(kept("what was stored is read and listed at once, and is not created again"))
            }
            Err(err) if err.kind() == ErrorKind::AlreadyExists => {
                Ok(broken("a refused create changed the object"))
            }
            Err(err) => Err(err),
            Ok(()) => Ok(broken("an object that exists was created again")),
        }
    }

    /// Of racing creates one wins, and the object is the winner's.
    async fn race(&self) -> Result<Found> {
        let key = self.key("race")?;
        let racers = self.options.racers.max(2);
        let puts = join_all((0..racers).map(|racer| self.create(&key, format!("racer {racer}")))).await;
        let mut winners = Vec::new();
        for (racer, put) in puts.into_iter().enumerate() {
            match put {
                Ok(()) => winners.push(racer),
                Err(err) if err.kind() == ErrorKind::AlreadyExists => {}
                Err(err) => return Err(err),
            }
        }
        let found = self.read(&key).await?;
        match winners.as_slice() {
            [winner] if found == format!("racer {winner}") => {
                Ok(Kept(format!("of {racers} racing creates one won, and the object is the winner's")))
            }
            [_] => Ok(broken("one of racing creates won, and the object is another's")),
            several if self.store.capabilities().atomic_create => {
                Ok(Broken(format!("of {racers} racing creates {} won", several.len())))
            }
            several => {
                Ok(NotChecked(format!("the store does not promise one winner, and {} won", several.len())))
            }
        }
    }

    async fn overwrite(&self) -> Result<Found> {
        let key = self.key("overwrite")?;
        self.create(&key, "an old object").await?;
        self.overwriting(&key, "new").await?;
        if self.read(&key).await? == "new" {
            Ok(kept("an overwrite is seen at once"))
        } else {
            Ok(broken("an overwrite is not seen"))
        }
    }

    async fn range(&self) -> Result<Found> {
        let key = self.key("range")?;
        let bytes: Bytes = (0..=u8::MAX).cycle().take(10_000).collect::<Vec<_>>().into();
        self.create(&key, bytes.clone()).await?;
        for (start, end) in [(0, 1), (9_999, 10_000), (1_000, 7_777), (5, 5)] {
            let got = self.store.get(&key, GetOptions::range(start as u64..end as u64)).await?;
            if got.body.collect_bytes(LARGEST).await? != bytes.slice(start..end) {
                return Ok(Broken(format!("the bytes {start} to {end} are others")));
            }
        }
        match self.store.get(&key, GetOptions::range(5..10_001)).await {
            Err(err) if err.kind() == ErrorKind::InvalidInput => {
                Ok(kept("ranges are read, and one beyond the end is refused"))
            }
            _ => Ok(broken("a range beyond the end is not refused as invalid")),
        }
    }

    async fn list(&self) -> Result<Found> {
        let number = self.options.listed_objects as usize;
        let keys: Vec<Key> =
            (0..number).map(|at| self.key(&format!("list/{at:06}"))).collect::<Result<_>>()?;
        let mut puts = futures::stream::iter(&keys).map(|key| self.create(key, "x")).buffer_unordered(PUTS);
        while let Some(put) = puts.next().await {
            put?;
        }
        let objects = self.store.list(&Prefix::parse(format!("{}/list", self.folder))?);
        let mut found: Vec<Key> = objects.map_ok(|object| object.key).try_collect().await?;
        found.sort_unstable();
        if found == keys {
            let pages = if number > 1000 { "" } else { "; more than 1000 would tell of paging" };
            return Ok(Kept(format!("all of {number} objects are listed, each once{pages}")));
        }
        Ok(Broken(format!("of {number} objects {} are listed", found.len())))
    }

    async fn digest(&self) -> Result<Found> {
        let key = self.key("digest")?;
        let options = PutOptions::default().with_digest(Digest::sha256(b"other bytes"));
        let put = self.store.put(&key, Bytes::from_static(b"bytes").into(), options).await;
        match put {
            Err(err) if err.kind() == ErrorKind::Corrupt && self.is_absent(&key).await? => {
                Ok(kept("other bytes than were announced are refused"))
            }
            Err(err) if err.kind() == ErrorKind::Corrupt => {
                Ok(broken("refused bytes are stored all the same"))
            }
            Err(err) => Err(err),
            Ok(_) => Ok(broken("other bytes than were announced were stored")),
        }
    }

    async fn abort(&self) -> Result<Found> {
        let key = self.key("abort")?;
        let first = futures::stream::iter([Ok(Bytes::from(vec![7; 64 * 1024]))]);
        let body = ByteStream::new(first.chain(futures::stream::pending()));
        let put = self.store.put(&key, body, PutOptions::default());
        if tokio::time::timeout(STALL, put).await.is_ok_and(|put| put.is_ok()) {
            return Ok(broken("a body without an end was stored"));
        }
        if self.is_absent(&key).await? {
            Ok(kept("of an upload that was cut off nothing is seen"))
        } else {
            Ok(broken("an upload that was cut off is seen"))
        }
    }

    async fn delete(&self) -> Result<Found> {
        let key = self.key("delete")?;
        self.create(&key, "x").await?;
        self.store.delete(&key).await?;
        if !self.is_absent(&key).await? {
            return Ok(broken("what was deleted is still there"));
        }
        self.store.delete(&key).await?;
        Ok(kept("what was deleted is gone at once, and is deleted again without an error"))
    }

    async fn clock(&self) -> Result<Found> {
        let key = self.key("clock")?;
        let before = self.options.clock.now();
        self.create(&key, "x").await?;
        let after = self.options.clock.now();
        let theirs = self.store.head(&key).await?.last_modified;
        let off = (before - theirs).max(theirs - after).max(chrono::Duration::zero());
        let message = format!("the clock of the store is off by {} s at most", off.num_seconds() + 1);
        let is_well = off.to_std().unwrap_or_default() <= self.options.clock_tolerance;
        Ok(if is_well { Kept(message) } else { Broken(message) })
    }

    async fn lock(&self, lock: ObjectLock) -> Result<Found> {
        let key = self.key("lock")?;
        self.store.put(&key, Bytes::from_static(b"x").into(), PutOptions::default().with_lock(lock)).await?;
        match self.store.delete(&key).await {
            Err(err) if err.kind() == ErrorKind::PermissionDenied && self.store.exists(&key).await? => {
                Ok(kept("a locked object is not deleted"))
            }
            Err(err) if err.kind() == ErrorKind::PermissionDenied => Ok(broken("a locked object is gone")),
            Err(err) => Err(err),
            Ok(()) => Ok(broken("a locked object was deleted")),
        }
    }
}
