//! Damage to what is stored is found, named, and never handed to a restore.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::time::Duration;

use backup_core::{
    BackupRef, DumperInfo, ErrorKind, Filter, Key, Level, MemoryStore, Pipeline, PutMode, PutOptions,
    Rehearsal, Store, StoreExt, Verdict,
    compress::{self},
    pipeline::{BackupRequest, RestoreRequest},
    testkit::{
        fake::FakeDumper,
        fake_restorer::FakeRestorer,
        faults::{FaultyStore, StoreOp},
    },
};
use bytes::Bytes;

const LIMIT: usize = 1 << 20;

async fn stored(compression: &str, label: &str, store: &MemoryStore) -> (Pipeline, BackupRef, Key) {
    let text = (0..20_000).fold(String::new(), |text, row| text + &format!("{row}\t{label}\n"));
    let pipeline = Pipeline::new(FakeDumper::new(text), store.clone())
        .with_compressor(compress::parse(compression).unwrap())
        .with_rehearsal(Rehearsal::new(FakeRestorer::new(DumperInfo::new("fake", "blob", "blob"))));
    let report = pipeline.backup(BackupRequest::new().with_label(label)).await.unwrap();
    (pipeline, report.backup, report.manifest.artifact.key)
}

async fn overwrite(store: &MemoryStore, key: &Key, bytes: impl Into<Bytes>) {
    store.put(key, bytes.into().into(), PutOptions::default().with_mode(PutMode::Overwrite)).await.unwrap();
}

async fn verdict(pipeline: &Pipeline, backup: &BackupRef, level: Level) -> Verdict {
    pipeline.verify(backup, level).await.unwrap().evidence.result
}

#[tokio::test]
async fn a_flipped_bit_is_found_by_digest_and_by_decoding() {
    for compression in ["zstd", "gzip", "none"] {
        let store = MemoryStore::new();
        let (pipeline, backup, key) = stored(compression, "a", &store).await;
        let good = store.get_bytes(&key, LIMIT).await.unwrap();
        for at in [0, good.len() / 2, good.len() - 1] {
            let mut bytes = good.to_vec();
            bytes[at] ^= 1;
            overwrite(&store, &key, bytes).await;
            assert_eq!(verdict(&pipeline, &backup, Level::Present).await, Verdict::Passed);
            assert_eq!(
                verdict(&pipeline, &backup, Level::Digest).await,
                Verdict::Failed,
                "{compression} at {at}"
            );
            let decoded = pipeline.verify(&backup, Level::Decoded).await.unwrap().evidence;
            assert_eq!(decoded.result, Verdict::Failed, "{compression} at {at}");
            assert!(decoded.bytes_read <= good.len() as u64, "{compression} at {at}: {decoded:?}");
            assert!(
                pipeline.entry(&backup).await.unwrap().proven().is_none(),
                "a failure revokes older proofs"
            );
        }
        overwrite(&store, &key, good).await;
        assert_eq!(verdict(&pipeline, &backup, Level::Decoded).await, Verdict::Passed);
    }
}

#[tokio::test]
async fn a_cut_extended_emptied_or_swapped_artifact_is_found_at_every_level() {
    let store = MemoryStore::new();
    let (pipeline, backup, key) = stored("zstd", "a", &store).await;
    let (_, _, other) = stored("zstd", "another", &store).await;
    let good = store.get_bytes(&key, LIMIT).await.unwrap();
    let swapped = store.get_bytes(&other, LIMIT).await.unwrap();
    let longer = [&good[..], b"x"].concat();
    for bad in [good.slice(..good.len() - 1), Bytes::new(), longer.into(), swapped] {
        overwrite(&store, &key, bad.clone()).await;
        for level in Level::ALL {
            assert_eq!(
                verdict(&pipeline, &backup, level).await,
                Verdict::Failed,
                "{level}, {} bytes",
                bad.len()
            );
        }
    }
}

#[tokio::test]
async fn a_manifest_without_artifact_is_corrupt() {
    let store = MemoryStore::new();
    let (pipeline, backup, key) = stored("zstd", "a", &store).await;
    store.delete(&key).await.unwrap();
    for level in Level::ALL {
        let report = pipeline.verify(&backup, level).await.unwrap();
        assert!(report.evidence.findings[0].contains("missing"), "{:?}", report.evidence.findings);
        let err = report.ensure_passed().unwrap_err();
        assert_eq!(err.code(), "backup_corrupted");
        assert!(!err.suggestions().is_empty());
    }
}

#[tokio::test]
async fn an_artifact_without_manifest_is_no_backup_and_says_so() {
    let store = MemoryStore::new();
    let (pipeline, backup, _) = stored("zstd", "a", &store).await;
    let manifest = Key::parse(format!("{backup}.manifest.json")).unwrap();
    store.delete(&manifest).await.unwrap();
    assert!(pipeline.list(&Filter::all()).await.unwrap().entries.is_empty());
    let err = pipeline.verify(&backup, Level::Present).await.unwrap_err();
    assert_eq!(err.code(), "not_found");
    assert!(err.to_string().contains("an object without manifest is no backup"), "{err}");
}

#[tokio::test]
async fn rows_that_are_not_the_recorded_ones_are_findings_of_their_own() {
    let tables: Vec<String> = (10..40)
        .map(|n| format!("CREATE TABLE `t{n}` (`a` int);\nINSERT INTO `t{n}` VALUES (1);\n"))
        .collect();
    let dump = format!("-- MySQL dump\n{}-- Dump completed\n", tables.concat());
    let info = backup_core::DumperInfo::new("mysql", "plain", "sql");
    let store = MemoryStore::new();
    let pipeline = Pipeline::new(FakeDumper::new(dump).with_info(info), store.clone());
    let backup = pipeline.backup(BackupRequest::new()).await.unwrap().backup;
    let key = Key::parse(format!("{backup}.manifest.json")).unwrap();
    let json = String::from_utf8(store.get_bytes(&key, LIMIT).await.unwrap().to_vec()).unwrap();
    overwrite(&store, &key, json.replace("\"rows\": 1", "\"rows\": 2")).await;

    let found = pipeline.verify(&backup, Level::Decoded).await.unwrap().evidence.findings;
    assert_eq!(found.len(), 22, "{found:?}");
    assert_eq!(found[1], "table t10 has 1 rows, 2 expected");
    assert_eq!(found[21], "and 10 more");
}

#[tokio::test]
async fn a_manifest_moved_elsewhere_is_refused() {
    let store = MemoryStore::new();
    let (pipeline, backup, _) = stored("zstd", "a", &store).await;
    let json = store.get_bytes(&Key::parse(format!("{backup}.manifest.json")).unwrap(), LIMIT).await.unwrap();
    let moved = BackupRef::new("production", backup.database.clone(), backup.id.clone());
    overwrite(&store, &Key::parse(format!("{moved}.manifest.json")).unwrap(), json).await;
    assert_eq!(pipeline.verify(&moved, Level::Present).await.unwrap_err().code(), "backup_corrupted");
    let listing = pipeline.list(&Filter::all()).await.unwrap();
    assert_eq!((listing.entries.len(), listing.damaged.len()), (1, 1), "the good one is still listed");
}

#[tokio::test]
async fn a_damaged_manifest_hides_no_other_backup() {
    let store = MemoryStore::new();
    let (pipeline, good, _) = stored("zstd", "good", &store).await;
    let (_, bad, _) = stored("zstd", "bad", &store).await;
    overwrite(&store, &Key::parse(format!("{bad}.manifest.json")).unwrap(), "{\"schema_version\": 1").await;
    let listing = pipeline.list(&Filter::all()).await.unwrap();
    assert_eq!(listing.entries[0].manifest.backup_ref(), good);
    assert_eq!(listing.damaged[0].code(), "backup_corrupted");
}

#[tokio::test]
async fn what_could_not_be_read_is_neither_passed_nor_failed() {
    let store = MemoryStore::new();
    let (pipeline, backup, _) = stored("zstd", "a", &store).await;
    let before = pipeline.entry(&backup).await.unwrap().annotations.len();
    let faulty = FaultyStore::new(store).fail_on(StoreOp::Get, 3, ErrorKind::Unavailable);
    let err = Pipeline::for_store(faulty).verify(&backup, Level::Digest).await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::Unavailable);
    assert_eq!(pipeline.entry(&backup).await.unwrap().annotations.len(), before, "no evidence was recorded");
}

#[tokio::test]
async fn a_store_that_changes_bytes_is_caught_before_the_backup_exists() {
    let store = MemoryStore::new();
    let text = "rows ".repeat(10_000);
    let faulty = FaultyStore::new(store.clone()).corrupt_read(10);
    let err = Pipeline::new(FakeDumper::new(text), faulty).backup(BackupRequest::new()).await.unwrap_err();
    assert_eq!(err.code(), "backup_corrupted");
    assert!(Pipeline::for_store(store).list(&Filter::all()).await.unwrap().entries.is_empty());
}

#[tokio::test]
async fn a_dry_run_says_that_the_last_check_failed_until_one_passes() {
    let store = MemoryStore::new();
    let (pipeline, backup, key) = stored("zstd", "a", &store).await;
    let target = FakeRestorer::new(DumperInfo::new("fake", "blob", "blob"));
    let good = store.get_bytes(&key, LIMIT).await.unwrap();
    let mut bad = good.to_vec();
    bad[100] ^= 1;
    for (bytes, blocked) in [(good.clone(), false), (bad.into(), true), (good, false)] {
        overwrite(&store, &key, bytes).await;
        // Of two records of one millisecond the doubt counts as the later.
        tokio::time::sleep(Duration::from_millis(2)).await;
        let _found = verdict(&pipeline, &backup, Level::Digest).await;
        let plan = pipeline.plan_restore(&backup, &target, &RestoreRequest::new()).await.unwrap();
        let kinds: Vec<ErrorKind> = plan.blockers.iter().map(backup_core::Error::kind).collect();
        assert_eq!(kinds, if blocked { vec![ErrorKind::Corrupt] } else { vec![] });
    }
}
