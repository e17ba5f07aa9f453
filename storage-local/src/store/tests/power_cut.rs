//! A power cut between any two changes to the disk, with whatever the disk may then hold.
//!
//! A store runs while every change that it makes is [recorded](record). After each change the power is cut: a
//! [model](disk) says what may be on the disk, of what is not synced any part in any order, and a store is opened
//! on it. It takes some seconds, and every crash of these histories is tried.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    path::Path,
    time::Duration,
};

use backup_core::{Catalog, Filter, Key, PutMode, PutOptions, Store, StoreCatalog, StoreExt};
use bytes::Bytes;
use futures::TryStreamExt;

use super::files;
use crate::{LocalStore, step::Synced};

mod disk;
mod history;
mod record;
mod watched;

use disk::Disk;
use record::Event;
pub(super) use record::changing;

/// Where the store is below the recorded folder; neither folder is there at first.
const STORE: &str = "backups/store";

/// What each key may hold after a crash.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
struct Promised {
    keys: BTreeMap<Key, BTreeSet<Option<Bytes>>>,
    asked: Option<Key>,
}

impl Promised {
    fn advance(&mut self, event: &Event) {
        match event {
            Event::Asked(key, holds) => {
                self.asked = Some(key.clone());
                self.keys.entry(key.clone()).or_insert_with(|| [None].into()).insert(holds.clone());
            }
            Event::Done(key, holds) => drop(self.keys.insert(key.clone(), [holds.clone()].into())),
            Event::Refused(key, holds) => drop(self.keys.get_mut(key).unwrap().remove(holds)),
            Event::New(..) | Event::Names(..) | Event::Appended(..) | Event::Synced(..) => {}
        }
    }

    fn check(&self, key: &Key, found: Option<&Bytes>) -> Result<(), String> {
        let fits = self.keys.get(key).map_or(found.is_none(), |may| may.contains(&found.cloned()));
        let found = found.map(Bytes::len);
        if fits { Ok(()) } else { Err(format!("{key} holds {found:?} bytes")) }
    }
}

/// How many crashes were tried, and how many of them left different disks or promises.
#[derive(Debug, Default)]
struct Tried {
    crashes: usize,
    distinct: usize,
}

/// Cuts the power after every event; the first promise that is broken is the error.
async fn cut_anywhere(events: &[Event], without: Option<Synced>) -> Result<Tried, String> {
    let (mut disk, mut promised) = (Disk::new(without), Promised::default());
    let (mut tried, mut seen) = (Tried::default(), HashSet::new());
    for (at, event) in events.iter().enumerate() {
        disk.advance(event);
        promised.advance(event);
        for found in disk.crashes() {
            tried.crashes += 1;
            if seen.insert(found.hash_with(&promised)) {
                let dir = scratch();
                disk.make(&found, dir.path());
                let checked = check(&dir.path().join(STORE), &promised).await;
                let event = || format!("{event:?}").chars().take(100).collect::<String>();
                checked.map_err(|broken| format!("{broken}, after event {at} ({}): {found:?}", event()))?;
            }
        }
    }
    tried.distinct = seen.len();
    Ok(tried)
}

/// A folder in memory where there is one, as a sync of the many stores to check takes no time there.
fn scratch() -> tempfile::TempDir {
    let shm = Path::new("/dev/shm");
    if shm.is_dir() { tempfile::tempdir_in(shm).unwrap() } else { tempfile::tempdir().unwrap() }
}

/// Opens a store on what a crash left, and looks at every promise.
async fn check(path: &Path, promised: &Promised) -> Result<(), String> {
    let store = LocalStore::open(path).await.unwrap();
    let listed: Vec<_> = store.list(&backup_core::Prefix::root()).try_collect().await.unwrap();
    let mut found = BTreeMap::new();
    for meta in listed {
        let bytes = store.get_bytes(&meta.key, 1_000_000).await.unwrap();
        assert_eq!(meta.size, bytes.len() as u64);
        promised.check(&meta.key, Some(&bytes))?;
        found.insert(meta.key, bytes);
    }
    for key in promised.keys.keys().filter(|key| !found.contains_key(*key)) {
        assert!(!store.exists(key).await.unwrap(), "{key} is there and not listed");
        promised.check(key, None)?;
    }
    // A manifest means an artifact, whole.
    let backups: Vec<_> = StoreCatalog::new(store.clone()).list(&Filter::all()).try_collect().await.unwrap();
    for artifact in backups.iter().map(|entry| &entry.manifest.artifact) {
        let size = found.get(&artifact.key).map(|bytes| bytes.len() as u64);
        if size != Some(artifact.size) {
            return Err(format!("a manifest without its artifact {}", artifact.key));
        }
    }
    let names: Vec<_> = found.keys().map(Key::as_str).collect();
    store.sweep(Duration::ZERO).await.unwrap();
    assert_eq!(files(path), names, "a sweep leaves the objects and nothing else");
    if let Some(key) = &promised.asked {
        let mode = if found.contains_key(key) { PutMode::Overwrite } else { PutMode::Create };
        store.put(key, Bytes::from("next").into(), PutOptions::default().with_mode(mode)).await.unwrap();
        assert_eq!(store.get_bytes(key, 4).await.unwrap(), "next");
        store.delete(key).await.unwrap();
        assert!(!store.exists(key).await.unwrap());
    }
    Ok(())
}

/// No crash of a history breaks a promise; there are at least so many that leave different things.
async fn survives(events: Vec<Event>, at_least: usize) {
    let tried = cut_anywhere(&events, None).await.unwrap();
    println!("{} crashes, {} of them distinct", tried.crashes, tried.distinct);
    assert!(tried.distinct >= at_least, "{tried:?} is less than there was to try");
}

#[tokio::test]
async fn a_create_is_whole_or_absent_and_stays_once_it_returned() {
    survives(history::created().await, 20).await;
}

#[tokio::test]
async fn an_overwrite_leaves_the_old_or_the_new() {
    survives(history::replaced().await, 25).await;
}

#[tokio::test]
async fn what_was_deleted_stays_deleted_once_the_call_returned() {
    survives(history::deleted().await, 35).await;
}

#[tokio::test]
async fn a_backup_is_there_with_its_artifact_or_not_at_all() {
    survives(history::backed_up().await, 80).await;
}

#[tokio::test]
async fn a_sweep_removes_leftovers_and_no_object() {
    survives(history::swept().await, 30).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_at_the_same_time_keep_the_promises_of_each() {
    survives(history::at_once().await, 20).await;
}

#[tokio::test]
async fn a_store_whose_maker_was_killed_is_made_durable_by_the_next() {
    survives(history::made_by_another().await, 8).await;
}

#[tokio::test]
async fn a_deletion_that_another_began_is_durable_once_it_returned() {
    survives(history::deleted_by_another().await, 10).await;
}

#[tokio::test]
async fn a_store_without_any_one_of_its_syncs_is_caught() {
    for (without, events) in [
        (Synced::File, history::created().await),
        (Synced::Folder, history::created().await),
        (Synced::Way, history::created().await),
        (Synced::Root, history::created().await),
        (Synced::Deletion, history::deleted().await),
        (Synced::Deletion, history::backed_up().await),
        (Synced::File, history::replaced().await),
        (Synced::Folder, history::replaced().await),
        (Synced::Folder, history::backed_up().await),
        (Synced::Way, history::at_once().await),
    ] {
        let broken = cut_anywhere(&events, Some(without)).await.err();
        println!("without {without:?}: {}", broken.as_deref().unwrap_or("nothing"));
        assert!(broken.is_some(), "the model does not notice that {without:?} is not synced");
    }
}
