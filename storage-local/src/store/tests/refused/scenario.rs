//! What is done while a system call fails, and what has to be there afterwards.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use backup_core::{
    BackupRef, ByteStream, Clock, ErrorKind, Filter, GetOptions, Key, Level, Pipeline, Prefix, PutMode,
    PutOptions, Result, Retention, Store, StoreExt,
    pipeline::{BackupRequest, Confirmation},
    retention::Period,
    testkit::{clock::ManualClock, fake::FakeDumper},
};
use bytes::Bytes;
use chrono::TimeDelta;
use futures::TryStreamExt;

use super::super::{files, power_cut::scratch};
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

const DUMP: &str = "all the rows";

/// What a store holds at first: made once, and copied for each case.
pub(super) struct Template {
    dir: tempfile::TempDir,
    /// But for leases.
    holds: BTreeMap<String, Bytes>,
    /// The oldest first.
    backups: Vec<BackupRef>,
    /// When the next operation begins.
    clock: ManualClock,
}

/// A store in a folder of its own, with objects or backups in it.
pub(super) struct World {
    scenario: Scenario,
    dir: tempfile::TempDir,
    store: LocalStore,
    clock: ManualClock,
    before: BTreeMap<String, Bytes>,
    backups: Vec<BackupRef>,
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

fn key(text: &str) -> Key {
    Key::parse(text).unwrap()
}

/// Three chunks that are written each for itself.
fn body() -> ByteStream {
    let chunks = (1..4).map(|nth| Ok(Bytes::from(vec![nth; 150_000])));
    ByteStream::new(futures::stream::iter(chunks))
}

fn whole() -> Bytes {
    (1..4).flat_map(|nth| vec![nth; 150_000]).collect()
}

impl Scenario {
    /// Whether it is one of a pipeline.
    pub(super) fn is_of_backups(self) -> bool {
        matches!(self, Self::Backup | Self::Verify | Self::Prune | Self::DeleteBackup)
    }

    pub(super) async fn template(self) -> Template {
        let clock = ManualClock::at("2026-03-01T02:00:00Z");
        let dir = scratch();
        let store = LocalStore::open(dir.path().join("store")).await.unwrap();
        let (before, backups) = (BTreeMap::new(), Vec::new());
        let mut world = World { scenario: self, dir, store, clock, before, backups };
        if self.is_of_backups() {
            for _ in 0..2 {
                world.backups.push(world.pipeline().backup(BackupRequest::new()).await.unwrap().backup);
                world.clock.advance(TimeDelta::days(1));
            }
        } else {
            world.store.put(&key("a/b/kept"), body(), PutOptions::default()).await.unwrap();
            world.store.put_bytes(&key("a/c/old"), "old").await.unwrap();
            fs::write(world.path("a/b/.cut-off.0123456789abcdef.part"), "a half").unwrap();
        }
        let holds = world.holds().await;
        Template { dir: world.dir, holds, backups: world.backups, clock: world.clock }
    }
}

impl World {
    pub(super) async fn new(scenario: Scenario, template: &Template) -> Self {
        let dir = scratch();
        copy(&template.dir.path().join("store"), &dir.path().join("store"));
        Self {
            scenario,
            store: LocalStore::open(dir.path().join("store")).await.unwrap(),
            dir,
            clock: ManualClock::new(template.clock.now()),
            before: template.holds.clone(),
            backups: template.backups.clone(),
        }
    }

    fn path(&self, below: &str) -> PathBuf {
        self.store.path().join(below)
    }

    fn pipeline(&self) -> Pipeline {
        Pipeline::new(FakeDumper::new(DUMP), self.store.clone()).with_clock(self.clock.clone())
    }

    async fn holds(&self) -> BTreeMap<String, Bytes> {
        let mut holds = BTreeMap::new();
        let objects: Vec<_> = self.store.list(&Prefix::root()).try_collect().await.unwrap();
        for object in objects.into_iter().filter(|object| !object.key.as_str().starts_with("leases/")) {
            match self.store.get_bytes(&object.key, 1_000_000).await {
                Ok(bytes) => drop(holds.insert(object.key.to_string(), bytes)),
                // A thread may still be at the deletion of it, beside one that failed.
                Err(err) => assert_eq!(err.kind(), ErrorKind::NotFound, "{err:?}"),
            }
        }
        holds
    }

    /// The operation, the whole of its answer looked at; what it warns of.
    pub(super) async fn run(&self) -> Result<Vec<String>> {
        let overwrite = PutOptions::default().with_mode(PutMode::Overwrite);
        match self.scenario {
            Scenario::Open => {
                LocalStore::open(self.dir.path().join("one/two/store")).await?;
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

    /// Looks at everything that is there; `clean` where nothing hidden may be left.
    pub(super) async fn check(&self, result: &Result<Vec<String>>, clean: bool) {
        let holds = self.holds().await;
        let may_change = match self.scenario {
            Scenario::Create | Scenario::CreateByLink => "a/new/object",
            Scenario::Overwrite | Scenario::Delete => "a/c/old",
            _ => "",
        };
        for (key, bytes) in &self.before {
            let kept = holds.get(key) == Some(bytes);
            assert!(kept || key == may_change || self.may_be_deleted(key), "{key} is gone or changed");
        }
        match (self.scenario, holds.get(may_change), result) {
            (Scenario::Create | Scenario::CreateByLink | Scenario::Overwrite, Some(bytes), Ok(_)) => {
                assert_eq!(*bytes, whole());
            }
            (Scenario::Create | Scenario::CreateByLink | Scenario::Overwrite, None, Ok(_)) => {
                panic!("what was put is not there")
            }
            (Scenario::Create | Scenario::CreateByLink, found, Err(_)) => {
                assert!(found.is_none_or(|bytes| *bytes == whole()), "half an object");
                assert!(found.is_none() || !clean, "an object of a put that failed");
            }
            (Scenario::Overwrite, Some(bytes), Err(_)) => assert!(bytes == "old" || *bytes == whole()),
            (Scenario::Overwrite, None, Err(_)) => panic!("the old object is lost"),
            (Scenario::Delete, Some(_), Ok(_)) => panic!("it is still there"),
            (Scenario::Delete, Some(bytes), Err(_)) => assert_eq!(bytes, "old"),
            _ => {}
        }
        let hidden = || files(self.store.path()).into_iter().filter(|name| name.contains("/."));
        let at_first = usize::from(!self.scenario.is_of_backups());
        assert!(!clean || hidden().count() <= at_first, "left over: {:?}", hidden().collect::<Vec<_>>());
        if self.scenario.is_of_backups() {
            let listing = self.pipeline().list(&Filter::all()).await.unwrap();
            assert!(listing.damaged.is_empty() && listing.unreachable.is_empty(), "{listing:?}");
            let more = usize::from(self.scenario == Scenario::Backup && result.is_ok());
            let fewer = match self.scenario {
                Scenario::Prune | Scenario::DeleteBackup => 1,
                _ => 0,
            };
            let left = self.backups.len() + more - if result.is_ok() { fewer } else { 0 };
            let lost_ack = matches!(self.scenario, Scenario::Backup) && result.is_err();
            let found = listing.entries.len();
            assert!(result.is_err() || found == left, "{found} backups instead of {left}");
            assert!(found <= left + usize::from(lost_ack), "{found} backups, {left} were there");
            for entry in listing.entries {
                let backup = entry.manifest.backup_ref();
                let proof = self.pipeline().verify(&backup, Level::Decoded).await.unwrap();
                proof.ensure_passed().unwrap();
            }
        }
        self.store.sweep(Duration::ZERO).await.unwrap();
        assert_eq!(hidden().count(), 0, "a sweep leaves something");
    }

    fn may_be_deleted(&self, key: &str) -> bool {
        let goes = match self.scenario {
            Scenario::Prune | Scenario::DeleteBackup => &self.backups[..1],
            _ => &[],
        };
        goes.iter().any(|backup| key.starts_with(&format!("{backup}.")))
    }

    /// The same once more, on a disk that is well again.
    pub(super) async fn again(&self, before: &Result<Vec<String>>) {
        self.clock.advance(TimeDelta::hours(2));
        match self.run().await {
            Ok(_) => {}
            // It was stored, or deleted, although it was said to have failed; or it was done at the first time.
            Err(err) if matches!(self.scenario, Scenario::Create | Scenario::CreateByLink) => {
                assert_eq!(err.kind(), ErrorKind::AlreadyExists, "after {before:?}: {err:?}");
            }
            Err(err) if self.scenario == Scenario::DeleteBackup => {
                assert_eq!(err.kind(), ErrorKind::NotFound, "after {before:?}: {err:?}");
            }
            Err(err) => panic!("after {before:?}, on a disk that is well: {err:?}"),
        }
    }
}
