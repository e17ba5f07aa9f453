//! The store of a case, and what has to be there afterwards.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use backup_core::{
    Clock, ErrorKind, Filter, Level, Prefix, PutOptions, Result, Store, StoreExt, pipeline::BackupRequest,
    testkit::clock::ManualClock,
};
use bytes::Bytes;
use chrono::TimeDelta;
use futures::TryStreamExt;

use super::{
    super::{files, power_cut::scratch},
    operation::{Operation, Scenario, body, key, whole},
};
use crate::LocalStore;

/// What a store holds at first: made once, and copied for each case.
pub(super) struct Template {
    dir: tempfile::TempDir,
    clock: ManualClock,
    /// But for leases.
    holds: BTreeMap<String, Bytes>,
}

/// A store in a folder of its own, with objects or backups in it.
pub(super) struct World {
    pub(super) operation: Operation,
    before: BTreeMap<String, Bytes>,
    _dir: tempfile::TempDir,
}

impl Template {
    pub(super) async fn new(scenario: Scenario) -> Self {
        let dir = scratch();
        let now = ManualClock::at("2026-03-01T02:00:00Z").now();
        let Operation { store, clock, .. } = &Operation::at(scenario, dir.path().join("store"), now).await;
        if scenario.is_of_backups() {
            for _ in 0..2 {
                let pipeline = Operation::at(scenario, store.path().into(), clock.now()).await.pipeline();
                pipeline.backup(BackupRequest::new()).await.unwrap();
                clock.advance(TimeDelta::days(1));
            }
        } else {
            store.put(&key("a/b/kept"), body(), PutOptions::default()).await.unwrap();
            store.put_bytes(&key("a/c/old"), "old").await.unwrap();
            fs::write(store.path().join("a/b/.cut-off.0123456789abcdef.part"), "a half").unwrap();
        }
        let holds = holds(store).await;
        Self { clock: clock.clone(), holds, dir }
    }
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

async fn holds(store: &LocalStore) -> BTreeMap<String, Bytes> {
    let mut holds = BTreeMap::new();
    let objects: Vec<_> = store.list(&Prefix::root()).try_collect().await.unwrap();
    for object in objects.into_iter().filter(|object| !object.key.as_str().starts_with("leases/")) {
        match store.get_bytes(&object.key, 1_000_000).await {
            Ok(bytes) => drop(holds.insert(object.key.to_string(), bytes)),
            // A thread may still be at the deletion of it, beside one that failed.
            Err(err) => assert_eq!(err.kind(), ErrorKind::NotFound, "{err:?}"),
        }
    }
    holds
}

impl World {
    pub(super) async fn new(scenario: Scenario, template: &Template) -> Self {
        let dir = scratch();
        let path = dir.path().join("store");
        copy(&template.dir.path().join("store"), &path);
        let operation = Operation::at(scenario, path, template.clock.now()).await;
        Self { operation, before: template.holds.clone(), _dir: dir }
    }

    /// Looks at everything that is there; `clean` where nothing hidden may be left.
    pub(super) async fn check(&self, result: &Result<Vec<String>>, clean: bool) {
        let holds = holds(&self.operation.store).await;
        let may_change = match self.operation.scenario {
            Scenario::Create | Scenario::CreateByLink => "a/new/object",
            Scenario::Overwrite | Scenario::Delete => "a/c/old",
            _ => "",
        };
        for (key, bytes) in &self.before {
            let kept = holds.get(key) == Some(bytes);
            assert!(kept || key == may_change || self.may_be_deleted(key), "{key} is gone or changed");
        }
        match (self.operation.scenario, holds.get(may_change), result) {
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
        let hidden = || files(self.operation.store.path()).into_iter().filter(|name| name.contains("/."));
        let at_first = usize::from(!self.operation.scenario.is_of_backups());
        assert!(!clean || hidden().count() <= at_first, "left over: {:?}", hidden().collect::<Vec<_>>());
        if self.operation.scenario.is_of_backups() {
            let listing = self.operation.pipeline().list(&Filter::all()).await.unwrap();
            assert!(listing.damaged.is_empty() && listing.unreachable.is_empty(), "{listing:?}");
            let more = usize::from(self.operation.scenario == Scenario::Backup && result.is_ok());
            let fewer = match self.operation.scenario {
                Scenario::Prune | Scenario::DeleteBackup => 1,
                _ => 0,
            };
            let left = self.operation.backups.len() + more - if result.is_ok() { fewer } else { 0 };
            let lost_ack = matches!(self.operation.scenario, Scenario::Backup) && result.is_err();
            let found = listing.entries.len();
            assert!(result.is_err() || found == left, "{found} backups instead of {left}");
            assert!(found <= left + usize::from(lost_ack), "{found} backups, {left} were there");
            for entry in listing.entries {
                let backup = entry.manifest.backup_ref();
                let proof = self.operation.pipeline().verify(&backup, Level::Decoded).await.unwrap();
                proof.ensure_passed().unwrap();
            }
        }
        self.operation.store.sweep(Duration::ZERO).await.unwrap();
        assert_eq!(hidden().count(), 0, "a sweep leaves something");
    }

    fn may_be_deleted(&self, key: &str) -> bool {
        let goes = match self.operation.scenario {
            Scenario::Prune | Scenario::DeleteBackup => &self.operation.backups[..1],
            _ => &[],
        };
        goes.iter().any(|backup| key.starts_with(&format!("{backup}.")))
    }

    /// The same once more, on a disk that is well again.
    pub(super) async fn again(&self, before: &Result<Vec<String>>) {
        self.operation.clock.advance(TimeDelta::hours(2));
        match self.operation.run().await {
            Ok(_) => {}
            // It was stored, or deleted, although it was said to have failed; or it was done at the first time.
            Err(err) if matches!(self.operation.scenario, Scenario::Create | Scenario::CreateByLink) => {
                assert_eq!(err.kind(), ErrorKind::AlreadyExists, "after {before:?}: {err:?}");
            }
            Err(err) if self.operation.scenario == Scenario::DeleteBackup => {
                assert_eq!(err.kind(), ErrorKind::NotFound, "after {before:?}: {err:?}");
            }
            Err(err) => panic!("after {before:?}, on a disk that is well: {err:?}"),
        }
    }
}
