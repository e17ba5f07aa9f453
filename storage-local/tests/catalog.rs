//! A `StoreCatalog` over a `LocalStore` keeps the contract of a catalog.
#![allow(clippy::unwrap_used)]

use std::{fs, time::Instant};

use backup_core::{BackupId, Catalog, Filter, StoreCatalog, manifest::Layout, testkit::sample_manifest};
use chrono::DateTime;
use futures::TryStreamExt;
use storage_local::LocalStore;
use tempfile::TempDir;

async fn catalog() -> (StoreCatalog, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    (StoreCatalog::new(LocalStore::open(dir.path().join("store")).await.unwrap()), dir)
}
backup_core::catalog_conformance!(catalog);

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_backups_are_listed_in_seconds() {
    let (catalog, dir) = catalog().await;
    // Written past the store, which would sync each file to the disk.
    for number in 0..10_000 {
        let mut manifest = sample_manifest("prod", "shop", DateTime::from_timestamp(number, 0).unwrap());
        manifest.id = BackupId::parse(format!("backup-{number}")).unwrap();
        manifest.artifact.key = Layout::of(&manifest.backup_ref()).artifact(&["sql"]).unwrap();
        manifest.companions.clear();
        let key = Layout::of(&manifest.backup_ref()).manifest().unwrap();
        let path = dir.path().join("store").join(key.as_str());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, manifest.to_json().unwrap()).unwrap();
    }
    let started = Instant::now();
    let entries: Vec<_> = catalog.list(&Filter::all()).try_collect().await.unwrap();
    let took = started.elapsed();
    println!("10,000 backups in {took:?}");
    assert_eq!(entries.len(), 10_000);
    // Far from the aim of two seconds: tests are not optimised and share the machine.
    assert!(took.as_secs() < 30, "{took:?}");
}
