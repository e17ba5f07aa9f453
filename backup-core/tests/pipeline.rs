//! What the pipeline promises while nothing goes wrong.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::sync::{Arc, Mutex};

use backup_core::{
    Catalog, DumperInfo, ErrorKind, Event, Filter, Inventory, Key, Kind, Level, MemoryStore, Note, Pipeline,
    Prefix, SourceInfo, SourcePosition, Store, TableInventory,
    catalog::JsonCatalog,
    compress::{Gzip, Identity},
    pipeline::{BackupRequest, Confirmation, SpaceCheck},
    store::Space,
    testkit::{clock::ManualClock, fake::FakeDumper},
};
use futures::TryStreamExt;

fn database() -> FakeDumper {
    FakeDumper::new("all the rows of the shop\n".repeat(10_000)).with_source(source())
}

fn source() -> SourceInfo {
    let mut source = SourceInfo::new("my shop");
    source.size_bytes = Some(250_000);
    source
}

async fn keys(store: &MemoryStore) -> Vec<String> {
    let mut keys: Vec<String> =
        store.list(&Prefix::root()).map_ok(|object| object.key.to_string()).try_collect().await.unwrap();
    keys.sort();
    keys
}

#[tokio::test]
async fn a_backup_says_everything_in_its_manifest() {
    let store = MemoryStore::new();
    let clock = ManualClock::at("2026-11-20T02:00:00Z");
    let inventory = Inventory::new(vec![TableInventory::new("orders", 3, 0)]);
    let pipeline = Pipeline::new(database().with_inventory(inventory.clone()), store.clone())
        .with_environment("production")
        .with_clock(clock);
    let request = BackupRequest::new()
        .with_kind(Kind::Daily)
        .with_label("v2")
        .with_reason("every night")
        .with_tag("team", "shop")
        .with_git_commit("0123abc");
    let report = pipeline.backup(request).await.unwrap();

    let manifest = pipeline.entry(&report.backup).await.unwrap().manifest;
    assert_eq!(manifest, report.manifest);
    assert_eq!(manifest.backup_ref().to_string(), "production/my%20shop/backup-20261120-020000-v2");
    assert_eq!((manifest.kind, manifest.label.as_deref()), (Kind::Daily, Some("v2")));
    assert_eq!((manifest.reason.as_deref(), manifest.tags["team"].as_str()), (Some("every night"), "shop"));
    assert_eq!((manifest.engine.as_str(), manifest.format.as_str()), ("fake", "blob"));
    assert_eq!((manifest.plain.size, manifest.compression.as_str()), (250_000, "zstd"));
    assert_eq!(manifest.inventory, Some(inventory));
    assert_eq!(manifest.git_commit.as_deref(), Some("0123abc"));
    assert!(manifest.artifact.size < 10_000);
    assert_eq!(
        keys(&store).await.iter().filter(|key| !key.contains(".notes/")).collect::<Vec<_>>(),
        [
            "production/my%20shop/backup-20261120-020000-v2.blob.zst",
            "production/my%20shop/backup-20261120-020000-v2.manifest.json"
        ]
    );
}

#[tokio::test]
async fn two_backups_of_one_second_get_two_names() {
    let pipeline =
        Pipeline::new(database(), MemoryStore::new()).with_clock(ManualClock::at("2026-11-20T02:00:00Z"));
    let both = futures::future::join_all((0..8).map(|_| pipeline.backup(BackupRequest::new()))).await;
    let mut names: Vec<_> = both.into_iter().map(|report| report.unwrap().backup.id.to_string()).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 8);
    assert_eq!(names[0], "backup-20261120-020000");
    assert_eq!(names[1], "backup-20261120-020000-2");
    assert_eq!(pipeline.list(&Filter::all()).await.unwrap().entries.len(), 8);
}

#[tokio::test]
async fn every_codec_verifies_to_every_level() {
    for compressed in ["zstd", "gzip", "none"] {
        let pipeline = Pipeline::new(database(), MemoryStore::new());
        let pipeline = match compressed {
            "gzip" => pipeline.with_compressor(Gzip::default()),
            "none" => pipeline.with_compressor(Identity),
            _ => pipeline,
        };
        let report = pipeline.backup(BackupRequest::new()).await.unwrap();
        assert_eq!(report.manifest.compression, compressed);
        for level in Level::ALL.into_iter().filter(|level| !level.is_rehearsed()) {
            let proof = pipeline.verify(&report.backup, level).await.unwrap().ensure_passed().unwrap();
            assert_eq!(proof.evidence.level, level);
        }
        let entry = pipeline.entry(&report.backup).await.unwrap();
        assert_eq!(entry.proven().unwrap().level, Level::Decoded);
        // One from the backup's own read-back, one a level.
        assert_eq!(entry.annotations.len(), 4);
    }
}

#[tokio::test]
async fn a_list_is_newest_first_and_filtered() {
    let store = MemoryStore::new();
    let clock = ManualClock::at("2026-11-20T02:00:00Z");
    for environment in ["staging", "production", "staging"] {
        let pipeline =
            Pipeline::new(database(), store.clone()).with_environment(environment).with_clock(clock.clone());
        pipeline.backup(BackupRequest::new()).await.unwrap();
        clock.advance(chrono::TimeDelta::days(1));
    }
    let pipeline = Pipeline::for_store(store);
    let all = pipeline.list(&Filter::all()).await.unwrap().entries;
    let days: Vec<_> = all.iter().map(|entry| entry.manifest.created_at.to_rfc3339()).collect();
    assert!(days.windows(2).all(|pair| pair[0] > pair[1]), "{days:?}");
    assert_eq!(pipeline.list(&Filter::all().with_environment("staging")).await.unwrap().entries.len(), 2);
    assert_eq!(pipeline.list(&Filter::all().with_environment("stag")).await.unwrap().entries.len(), 0);
}

#[tokio::test]
async fn deleting_needs_a_word_and_leaves_nothing() {
    let store = MemoryStore::new();
    let pipeline = Pipeline::new(database(), store.clone());
    let kept = pipeline.backup(BackupRequest::new().with_label("kept")).await.unwrap().backup;
    let backup = pipeline.backup(BackupRequest::new()).await.unwrap().backup;

    let err = pipeline.delete(&backup, Confirmation::Missing).await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::NotConfirmed);
    pipeline.verify(&backup, Level::Decoded).await.unwrap().ensure_passed().unwrap();

    pipeline.delete(&backup, Confirmation::Confirmed).await.unwrap();
    assert_eq!(pipeline.entry(&backup).await.unwrap_err().kind(), ErrorKind::NotFound);
    let left = keys(&store).await;
    assert!(left.iter().all(|key| key.contains(kept.id.as_str())), "{left:?}");
    pipeline.verify(&kept, Level::Decoded).await.unwrap().ensure_passed().unwrap();
}

#[tokio::test]
async fn a_held_backup_is_not_deleted() {
    let pipeline = Pipeline::new(database(), MemoryStore::new());
    let backup = pipeline.backup(BackupRequest::new()).await.unwrap().backup;
    let at = "2026-11-20T02:00:00Z".parse().unwrap();
    let note = |note| backup_core::Annotation::new(at, note);
    let held = note(Note::Held { reason: "audit".to_owned() });
    pipeline.catalog().annotate(&backup, &held).await.unwrap();
    let err = pipeline.delete(&backup, Confirmation::Confirmed).await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::PermissionDenied);
    pipeline.verify(&backup, Level::Decoded).await.unwrap().ensure_passed().unwrap();
}

#[tokio::test]
async fn a_mirror_holds_what_the_store_holds() {
    let folder = tempfile::tempdir().unwrap();
    let mirror = Arc::new(JsonCatalog::open(folder.path().join("backups.json")).await.unwrap());
    let pipeline = Pipeline::new(database(), MemoryStore::new()).with_mirror(Arc::clone(&mirror));
    let first = pipeline.backup(BackupRequest::new()).await.unwrap();
    let second = pipeline.backup(BackupRequest::new()).await.unwrap();
    assert!(second.warnings.is_empty());
    pipeline.delete(&first.backup, Confirmation::Confirmed).await.unwrap();
    let entries: Vec<_> = mirror.list(&Filter::all()).try_collect().await.unwrap();
    assert_eq!(entries, pipeline.list(&Filter::all()).await.unwrap().entries);
}

#[tokio::test]
async fn the_observer_sees_the_bytes_and_the_commit() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&seen);
    let pipeline = Pipeline::new(database(), MemoryStore::new()).with_observer(move |event: &Event<'_>| {
        sink.lock().unwrap().push(match event {
            Event::Started { .. } => "started".to_owned(),
            Event::Progress { progress, .. } => {
                assert_eq!(progress.estimated_plain_bytes, Some(250_000));
                format!("{} bytes", progress.plain_bytes)
            }
            Event::Committed { .. } => "committed".to_owned(),
            Event::Finished { .. } => "finished".to_owned(),
            other => format!("{other:?}"),
        });
    });
    pipeline.backup(BackupRequest::new()).await.unwrap();
    let seen = seen.lock().unwrap();
    let at = |what: &str| {
        seen.iter().position(|event| event == what).unwrap_or_else(|| panic!("{what}: {seen:?}"))
    };
    assert!(at("started") < at("250000 bytes"));
    assert!(at("250000 bytes") < at("committed"));
    assert!(at("committed") < at("finished"));
}

#[tokio::test]
async fn every_observer_is_told_everything_in_turn() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let mut pipeline = Pipeline::new(database(), MemoryStore::new());
    for number in 0..3 {
        let sink = Arc::clone(&seen);
        pipeline = pipeline.with_observer(move |_: &Event<'_>| sink.lock().unwrap().push(number));
    }
    pipeline.backup(BackupRequest::new()).await.unwrap();
    let seen = seen.lock().unwrap();
    assert!(seen.len() >= 9);
    assert!(seen.chunks(3).all(|told| told == [0, 1, 2]), "{seen:?}");
}

#[tokio::test]
async fn what_the_dumper_noticed_is_in_manifest_report_and_events() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&seen);
    let dumper = database().with_warning("table a has no transactions").with_warning("so has b");
    let pipeline = Pipeline::new(dumper, MemoryStore::new()).with_observer(move |event: &Event<'_>| {
        if let Event::Warning { message, .. } = event {
            sink.lock().unwrap().push((*message).to_owned());
        }
    });
    let report = pipeline.backup(BackupRequest::new()).await.unwrap();
    let expected = ["table a has no transactions", "so has b"];
    assert_eq!(report.warnings, expected);
    assert_eq!(pipeline.entry(&report.backup).await.unwrap().manifest.warnings, expected);
    assert_eq!(*seen.lock().unwrap(), expected);
}

#[tokio::test]
async fn the_position_that_a_dump_states_is_in_the_manifest() {
    let dump = |gtid: &str| {
        let text = format!(
            "-- MySQL dump\nSET @@GLOBAL.GTID_PURGED=/*!80000 '+'*/ '{gtid}';\n\
             -- CHANGE MASTER TO MASTER_LOG_FILE='binlog.000003', MASTER_LOG_POS=157;\n\
             CREATE TABLE `t` (`a` int);\nINSERT INTO `t` VALUES (1),(2);\n-- Dump completed\n"
        );
        let info = DumperInfo::new("mysql", "plain", "sql");
        Pipeline::new(FakeDumper::new(text).with_info(info), MemoryStore::new())
    };
    let report = dump("3e11fa47:1-5,\n3e11fa48:1").backup(BackupRequest::new()).await.unwrap();
    let position = SourcePosition::binlog("binlog.000003", 157);
    assert_eq!(report.manifest.position, Some(position.clone().with_gtid("3e11fa47:1-5,3e11fa48:1")));
    assert_eq!(report.manifest.inventory.unwrap().rows(), 2);
    assert!(report.warnings.is_empty());

    let report = dump(&"3e11fa47:1-5,".repeat(10_000)).backup(BackupRequest::new()).await.unwrap();
    assert_eq!(report.manifest.position, Some(position));
    assert!(report.warnings.len() == 1 && report.warnings[0].contains("64 KiB"), "{:?}", report.warnings);
    assert_eq!(report.manifest.warnings, report.warnings);
}

#[tokio::test]
async fn a_store_without_room_is_refused_before_the_dump() {
    #[derive(Debug)]
    struct Small(MemoryStore);
    // Only the free space differs from the store inside.
    #[async_trait::async_trait]
    impl Store for Small {
        fn location(&self) -> String {
            self.0.location()
        }
        fn capabilities(&self) -> backup_core::store::StoreCapabilities {
            self.0.capabilities().with_space()
        }
        async fn put(
            &self,
            key: &Key,
            body: backup_core::ByteStream,
            options: backup_core::PutOptions,
        ) -> backup_core::Result<backup_core::ObjectMeta> {
            self.0.put(key, body, options).await
        }
        async fn get(
            &self,
            key: &Key,
            options: backup_core::GetOptions,
        ) -> backup_core::Result<backup_core::GetResult> {
            self.0.get(key, options).await
        }
        async fn head(&self, key: &Key) -> backup_core::Result<backup_core::ObjectMeta> {
            self.0.head(key).await
        }
        async fn delete(&self, key: &Key) -> backup_core::Result<()> {
            self.0.delete(key).await
        }
        fn list(
            &self,
            prefix: &Prefix,
        ) -> futures::stream::BoxStream<'static, backup_core::Result<backup_core::ObjectMeta>> {
            self.0.list(prefix)
        }
        async fn space(&self) -> backup_core::Result<Option<Space>> {
            Ok(Some(Space::new(100_000, 80_000)))
        }
        async fn sweep(
            &self,
            grace: std::time::Duration,
        ) -> backup_core::Result<backup_core::store::SweepReport> {
            self.0.sweep(grace).await
        }
    }
    let store = MemoryStore::new();
    let dumper = database();
    let pipeline = Pipeline::new(dumper.clone(), Small(store.clone()));
    // 250,000 bytes, + 20 %, × 0.3.
    let err = pipeline.backup(BackupRequest::new()).await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::StorageFull);
    assert!(err.to_string().contains("estimated_bytes: 90000"), "{err}");
    assert!(keys(&store).await.is_empty());
    let report = pipeline.backup(BackupRequest::new().with_space_check(SpaceCheck::Warn)).await.unwrap();
    assert_eq!(report.warnings.len(), 1);
}

#[tokio::test]
async fn wrong_requests_are_refused_before_anything_is_done() {
    let store = MemoryStore::new();
    let pipeline = Pipeline::new(database(), store.clone());
    for request in [
        BackupRequest::new().with_label("../x"),
        BackupRequest::new().with_label(""),
        BackupRequest::new().with_label("a".repeat(61)),
        BackupRequest::new().with_reason("x".repeat(5000)),
    ] {
        assert_eq!(pipeline.backup(request).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    }
    let nameless = pipeline.clone().with_environment("");
    assert_eq!(nameless.backup(BackupRequest::new()).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    let without_database = Pipeline::for_store(store.clone());
    assert_eq!(
        without_database.backup(BackupRequest::new()).await.unwrap_err().kind(),
        ErrorKind::InvalidInput
    );
    assert!(keys(&store).await.is_empty());
}
