//! What is done while a system call fails.

use std::{path::PathBuf, time::Duration};

use backup_core::{
    BackupRef, ByteStream, Filter, GetOptions, Key, Level, Pipeline, Prefix, PutMode, PutOptions, Result,
    Retention, Store, StoreExt,
    lease::LEASE_TTL,
    pipeline::{BackupRequest, Confirmation},
    retention::Period,
    testkit::{clock::ManualClock, fake::FakeDumper},
};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::TryStreamExt;

use crate::LocalStore;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scenario {
    Open,
    Create,
    CreateByLink,
    Overwrite,
    Delete,
    Get,
    GetRange,
    Head,
    List,
    Space,
    Sweep,
    Backup,
    Verify,
    Prune,
    DeleteBackup,
}

pub(super) const SCENARIOS: [Scenario; 15] = [
    Scenario::Open,
    Scenario::Create,
    Scenario::CreateByLink,
    Scenario::Overwrite,
    Scenario::Delete,
    Scenario::Get,
    Scenario::GetRange,
    Scenario::Head,
    Scenario::List,
    Scenario::Space,
    Scenario::Sweep,
    Scenario::Backup,
    Scenario::Verify,
    Scenario::Prune,
    Scenario::DeleteBackup,
];

impl Scenario {
    /// Whether it is one of a pipeline.
    pub(super) fn is_of_backups(self) -> bool {
        matches!(self, Self::Backup | Self::Verify | Self::Prune | Self::DeleteBackup)
    }
}

/// Something to do in a store.
pub(super) struct Operation {
    pub(super) scenario: Scenario,
    pub(super) store: LocalStore,
    pub(super) clock: ManualClock,
    /// What the store holds at first, the oldest first.
    pub(super) backups: Vec<BackupRef>,
    pub(super) lease_ttl: Duration,
}

pub(super) fn key(text: &str) -> Key {
    Key::parse(text).unwrap()
}

/// Three chunks that are written each for itself.
pub(super) fn body() -> ByteStream {
    let chunks = (1..4).map(|nth| Ok(Bytes::from(vec![nth; 150_000])));
    ByteStream::new(futures::stream::iter(chunks))
}

pub(super) fn whole() -> Bytes {
    (1..4).flat_map(|nth| vec![nth; 150_000]).collect()
}

impl Operation {
    /// In the store that lies at `path`.
    pub(super) async fn at(scenario: Scenario, path: PathBuf, now: DateTime<Utc>) -> Self {
        let store = LocalStore::open(path).await.unwrap();
        let mut operation =
            Self { scenario, store, clock: ManualClock::new(now), backups: Vec::new(), lease_ttl: LEASE_TTL };
        let listing = operation.pipeline().list(&Filter::all()).await.unwrap();
        operation.backups.extend(listing.entries.iter().map(|entry| entry.manifest.backup_ref()));
        operation.backups.sort();
        operation
    }

    pub(super) fn pipeline(&self) -> Pipeline {
        Pipeline::new(FakeDumper::new("all the rows"), self.store.clone())
            .with_clock(self.clock.clone())
            .with_lease_ttl(self.lease_ttl)
    }

    /// Does it, the whole of its answer looked at; what it warns of.
    pub(super) async fn run(&self) -> Result<Vec<String>> {
        let overwrite = PutOptions::default().with_mode(PutMode::Overwrite);
        match self.scenario {
            Scenario::Open => {
                LocalStore::open(self.store.path().with_file_name("one").join("two/store")).await?;
            }
            Scenario::Create | Scenario::CreateByLink => {
                self.store.put(&key("a/new/object"), body(), PutOptions::default()).await?;
            }
            Scenario::Overwrite => {
                self.store.put(&key("a/c/old"), body(), overwrite).await?;
            }
            Scenario::Delete => self.store.delete(&key("a/c/old")).await?,
            Scenario::Get => {
                let bytes = self.store.get_bytes(&key("a/b/kept"), 1_000_000).await?;
                assert_eq!(bytes, whole(), "a part of an object is taken for all of it");
            }
            Scenario::GetRange => {
                let range = GetOptions::range(100_000..200_000);
                let got = self.store.get(&key("a/b/kept"), range).await?;
                let bytes: Vec<Bytes> = got.body.try_collect().await?;
                assert_eq!(bytes.concat(), whole()[100_000..200_000]);
            }
            Scenario::Head => assert_eq!(self.store.head(&key("a/b/kept")).await?.size, 450_000),
            Scenario::List => {
                let listed: Vec<_> = self.store.list(&Prefix::root()).try_collect().await?;
                assert_eq!(listed.len(), 2, "a part of a listing is taken for all of it");
            }
            Scenario::Space => assert!(self.store.space().await?.is_some()),
            Scenario::Sweep => {
                self.store.sweep(Duration::ZERO).await?;
            }
            Scenario::Backup => {
                return Ok(self.pipeline().backup(BackupRequest::new()).await?.warnings);
            }
            Scenario::Verify => {
                let report = self.pipeline().verify(&self.backups[0], Level::Decoded).await?;
                return Ok(report.ensure_passed()?.warnings);
            }
            Scenario::Prune => {
                let pipeline = self.pipeline();
                let policy = Retention::new().keep_last_of(Period::Each, 1).with_max_deleted_percent(100);
                let plan = pipeline.plan_prune(&policy, &Filter::all()).await?;
                return Ok(pipeline.prune(&plan, Confirmation::Confirmed).await?.warnings);
            }
            Scenario::DeleteBackup => {
                self.pipeline().delete(&self.backups[0], Confirmation::Confirmed).await?;
            }
        }
        Ok(Vec::new())
    }
}
