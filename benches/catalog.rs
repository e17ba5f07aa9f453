//! How long the list of a local store's backups takes.
//!
//! `cargo bench --package benches --bench catalog`; `BACKUP_BENCH_ENTRIES` is the number of backups (10,000 unless said),
//! `BACKUP_BENCH_ROUNDS` the rounds (7). Each backup has a small artifact and one note. `BACKUP_BENCH_STORE` names a new folder
//! for the store, which is kept then: for `backup list`, for example.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

use std::{path::PathBuf, time::Instant};

use backup_core::{
    Annotation, BackupId, BackupRef, Catalog, Digest, Evidence, Filter, Manifest, Note, Pipeline, Store,
    StoreExt, catalog::StoreCatalog, manifest::Layout, testkit::sample_manifest,
};
use benches::{median, setting};
use chrono::{DateTime, TimeDelta, Utc};
use futures::{StreamExt, TryStreamExt, stream};
use storage_local::LocalStore;

const ARTIFACT: &[u8] = b"a small artifact";
const SERIES: u64 = 10;

async fn insert(store: &LocalStore, number: u64) {
    let start: DateTime<Utc> = "2016-01-01T00:30:00Z".parse().unwrap();
    let at = start + TimeDelta::hours((number / SERIES).cast_signed());
    let sample = sample_manifest("production", "shop", at);
    let id = BackupId::generate(at, None, 1).unwrap();
    let backup = BackupRef::new("production", format!("shop_{}", number % SERIES), id);
    let mut artifact = sample.artifact.clone();
    artifact.key = Layout::of(&backup).artifact(&["sql", "zst"]).unwrap();
    artifact.size = ARTIFACT.len() as u64;
    artifact.digest = Digest::sha256(ARTIFACT);
    store.put_bytes(&artifact.key, ARTIFACT).await.unwrap();
    let mut manifest = Manifest::new(backup.clone(), at, sample.source, artifact, sample.plain);
    manifest.inventory = sample.inventory;
    let catalog = StoreCatalog::new(store.clone());
    catalog.insert(&manifest).await.unwrap();
    let evidence = format!(
        r#"{{"level":"digest","result":"passed","started_at":"{at:?}","duration_ms":1,"bytes_read":16,"library_version":"0"}}"#
    );
    let evidence: Evidence = serde_json::from_str(&evidence).unwrap();
    catalog.annotate(&backup, &Annotation::new(at, Note::Verified(evidence))).await.unwrap();
}

#[tokio::main]
async fn main() {
    let count = setting("BACKUP_BENCH_ENTRIES", 10_000);
    let temporary = tempfile::tempdir().unwrap();
    let kept = std::env::var_os("BACKUP_BENCH_STORE").map(PathBuf::from);
    let store = LocalStore::open(kept.unwrap_or_else(|| temporary.path().join("store"))).await.unwrap();
    let pipeline = Pipeline::for_store(store.clone());
    println!("| backups | of | ms | the fastest |\n|---|---|---|---|");
    let mut there = 0;
    for upto in [count / 10, count] {
        stream::iter(there..upto)
            .map(|number| insert(&store, number))
            .buffer_unordered(64)
            .collect::<()>()
            .await;
        there = upto;
        let (mut objects, mut backups) = (Vec::new(), Vec::new());
        for _ in 0..setting("BACKUP_BENCH_ROUNDS", 7) {
            let started = Instant::now();
            let all: Vec<_> = store.list(&backup_core::Prefix::root()).try_collect().await.unwrap();
            objects.push(started.elapsed().as_secs_f64() * 1e3);
            assert_eq!(all.len() as u64, 3 * upto);
            let started = Instant::now();
            let listing = pipeline.list(&Filter::all()).await.unwrap();
            backups.push(started.elapsed().as_secs_f64() * 1e3);
            assert_eq!(listing.entries.len() as u64, upto);
        }
        for (name, took) in [("names of objects", objects), ("backups with their notes", backups)] {
            let fastest = took.iter().copied().fold(f64::INFINITY, f64::min);
            println!("| {upto} | {name} | {:.1} | {fastest:.1} |", median(took));
        }
    }
}
