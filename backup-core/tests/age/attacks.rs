//! What somebody can do to a store, and that it is noticed before a restorer gets a byte.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;
use backup_core::{
    ByteStream, Companion, Dump, Dumper, DumperInfo, ErrorKind, Filter, Key, Level, MemoryStore, Pipeline,
    Prefix, PutMode, PutOptions, RestoreOptions, RestoreOutcome, Restorer, Result, Scratch, ScratchLike,
    Selected, SourceInfo, Store, StoreExt, TargetInfo, Verdict,
    pipeline::{BackupReport, BackupRequest, RestoreRequest},
    testkit::{fake::FakeDumper, fake_restorer::FakeRestorer},
};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};

use super::keys::Keys;

/// Text that stands in rows, and in nothing else.
const MARKER: &str = "zq-private-row";
const CHUNK: usize = 65_552;

fn info() -> DumperInfo {
    DumperInfo::new("fake", "blob", "blob")
}

/// A database whose dumps are noise, so that they stay large, and that has globals.
#[derive(Debug, Clone)]
struct Database(FakeDumper);

impl Database {
    fn new(seed: u64) -> Self {
        let mut noise = seed;
        let rows = (0..30_000).map(|_| {
            noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            format!("{MARKER} {noise:016x}\n")
        });
        Self(FakeDumper::new(rows.collect::<String>()).with_info(info()))
    }
}

#[async_trait]
impl Dumper for Database {
    fn info(&self) -> DumperInfo {
        self.0.info()
    }

    async fn probe(&self) -> Result<SourceInfo> {
        self.0.probe().await
    }

    async fn dump(&self) -> Result<Dump> {
        let mut dump = self.0.dump().await?;
        let globals = Bytes::from(format!("CREATE ROLE {MARKER};\n"));
        dump.companions.push(Companion::new("globals", "sql", globals.into()));
        Ok(dump)
    }
}

/// Counts the bytes that it is fed.
#[derive(Debug)]
struct Target(FakeRestorer, Arc<AtomicU64>);

#[async_trait]
impl Restorer for Target {
    fn supports(&self, engine: &str, format: &str) -> bool {
        self.0.supports(engine, format)
    }

    async fn probe(&self) -> Result<TargetInfo> {
        self.0.probe().await
    }

    async fn restore(&self, body: ByteStream, options: RestoreOptions) -> Result<RestoreOutcome> {
        let fed = Arc::clone(&self.1);
        let body = body.inspect_ok(move |chunk| {
            fed.fetch_add(chunk.len() as u64, Ordering::Relaxed);
        });
        self.0.restore(ByteStream::new(body), options).await
    }

    async fn select(&self, body: ByteStream, options: &RestoreOptions) -> Result<Selected> {
        self.0.select(body, options).await
    }

    fn target_dumper(&self) -> Result<Arc<dyn Dumper>> {
        self.0.target_dumper()
    }

    async fn scratch(&self, like: &ScratchLike) -> Result<Box<dyn Scratch>> {
        self.0.scratch(like).await
    }
}

async fn made(store: &MemoryStore, keys: &Keys, seed: u64) -> (Pipeline, BackupReport) {
    let pipeline = Pipeline::new(Database::new(seed), store.clone())
        .with_environment("production")
        .with_encryptor(keys.both());
    let report = pipeline.backup(BackupRequest::new().with_label(format!("n{seed}"))).await.unwrap();
    (pipeline, report)
}

async fn bytes(store: &MemoryStore, key: &Key) -> Bytes {
    store.get_bytes(key, usize::MAX).await.unwrap()
}

async fn replace(store: &MemoryStore, key: &Key, bytes: impl Into<Bytes>) {
    let overwrite = PutOptions::default().with_mode(PutMode::Overwrite);
    store.put(key, bytes.into().into(), overwrite).await.unwrap();
}

/// The check fails, and a restore is refused before the target gets a byte.
async fn assert_noticed(pipeline: &Pipeline, report: &BackupReport, case: &str) {
    for level in [Level::Digest, Level::Decoded] {
        let evidence = pipeline.clone().verify(&report.backup, level).await.unwrap().evidence;
        assert_eq!(evidence.result, Verdict::Failed, "{case} at the level {level}");
    }
    let target = Target(FakeRestorer::new(info()), Arc::default());
    let restored = pipeline.restore(&report.backup, &target, RestoreRequest::new().confirmed()).await;
    let err = restored.unwrap_err();
    assert!(matches!(err.kind(), ErrorKind::Corrupt), "{case}: {err}");
    assert_eq!(target.1.load(Ordering::Relaxed), 0, "{case}: bytes were handed over");
}

/// The version, whom it is for, the code of the header, the nonce, and chunks; each flipped, and cut there; and longer.
fn damages(good: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mac = good.windows(4).position(|window| window == b"--- ").unwrap();
    let content = mac + "--- ".len() + 43 + 1 + 16;
    let end = good.len() - 1;
    let mut cases = vec![("longer".to_owned(), [good, b"\0"].concat())];
    for at in [5, 40, 80, mac + 10, content - 10, content, content + CHUNK, content + 2 * CHUNK, end] {
        let mut flipped = good.to_vec();
        flipped[at] ^= 1;
        cases.push((format!("a bit at {at}"), flipped));
        cases.push((format!("cut at {at}"), good[..at].to_vec()));
    }
    cases
}

#[tokio::test]
async fn flipped_cut_and_longer_artifacts_are_noticed_before_a_restorer_gets_a_byte() {
    let keys = Keys::age();
    for case in 0..19 {
        // What was found once stays with a backup, so that each case has one of its own.
        let store = MemoryStore::new();
        let (pipeline, report) = made(&store, &keys, 1).await;
        let key = &report.manifest.artifact.key;
        let good = bytes(&store, key).await;
        assert!(good.len() > 3 * CHUNK + 2000, "{} bytes", good.len());
        let (case, bad) = damages(&good).remove(case);
        replace(&store, key, bad).await;
        assert_noticed(&pipeline, &report, &case).await;
    }
}

#[tokio::test]
async fn artifacts_that_changed_places_are_noticed_though_the_same_key_opens_both() {
    let (keys, store) = (Keys::age(), MemoryStore::new());
    let (pipeline, older) = made(&store, &keys, 1).await;
    let (_, newer) = made(&store, &keys, 2).await;
    let (old_key, new_key) = (&older.manifest.artifact.key, &newer.manifest.artifact.key);
    let (old, new) = (bytes(&store, old_key).await, bytes(&store, new_key).await);
    // An older artifact in the place of the newer one, which would bring back rows that were deleted.
    replace(&store, new_key, old.clone()).await;
    assert_noticed(&pipeline, &newer, "replayed").await;
    replace(&store, old_key, new).await;
    assert_noticed(&pipeline, &older, "exchanged").await;
    let report = pipeline.test_keys(&Filter::all()).await.unwrap();
    assert_eq!(report.tests.len(), 1);
}

#[tokio::test]
async fn a_rehearsal_restores_nothing_of_an_artifact_of_another_backup() {
    let (keys, store) = (Keys::age(), MemoryStore::new());
    let (pipeline, older) = made(&store, &keys, 1).await;
    let (_, newer) = made(&store, &keys, 2).await;
    let old = bytes(&store, &older.manifest.artifact.key).await;
    replace(&store, &newer.manifest.artifact.key, old).await;
    let rehearsal = backup_core::Rehearsal::new(FakeRestorer::new(info()));
    let evidence =
        pipeline.with_rehearsal(rehearsal).verify(&newer.backup, Level::Restored).await.unwrap().evidence;
    assert_eq!(evidence.result, Verdict::Failed);
    assert_eq!(evidence.rehearsed.unwrap().restore_ms, 0, "nothing was restored");
}

#[tokio::test]
async fn a_backup_that_was_renamed_to_another_series_is_corrupt() {
    let (keys, store) = (Keys::age(), MemoryStore::new());
    let (pipeline, report) = made(&store, &keys, 1).await;
    let objects: Vec<_> = store.list(&Prefix::root()).try_collect::<Vec<_>>().await.unwrap();
    for to in ["staging/fake", "production/crm"] {
        for object in &objects {
            let name = object.key.as_str().rsplit_once("/backup-").unwrap().1;
            let moved = Key::parse(format!("{to}/backup-{name}")).unwrap();
            replace(&store, &moved, bytes(&store, &object.key).await).await;
        }
    }
    let listing = pipeline.list(&Filter::all()).await.unwrap();
    assert_eq!(listing.entries.len(), 1, "the one in its place");
    assert_eq!((&listing.entries[0].manifest.id, listing.damaged.len()), (&report.backup.id, 2));
    assert!(listing.damaged.iter().all(|err| err.kind() == ErrorKind::Corrupt));
}

#[tokio::test]
async fn no_stored_byte_shows_a_row() {
    let (keys, store) = (Keys::age(), MemoryStore::new());
    let (pipeline, report) = made(&store, &keys, 1).await;
    let pipeline = pipeline.with_compressor(backup_core::compress::parse("none").unwrap());
    let plain = pipeline.backup(BackupRequest::new().with_label("none")).await.unwrap();
    for backup in [&report.backup, &plain.backup] {
        pipeline.verify(backup, Level::Decoded).await.unwrap().ensure_passed().unwrap();
    }
    let mut objects = store.list(&Prefix::root());
    let mut seen = Vec::new();
    while let Some(object) = objects.next().await {
        let key = object.unwrap().key;
        let bytes = bytes(&store, &key).await;
        assert!(!bytes.windows(MARKER.len()).any(|window| window == MARKER.as_bytes()), "{key} shows a row");
        seen.push(key.to_string());
    }
    let count = |ending: &str| seen.iter().filter(|key| key.ends_with(ending)).count();
    assert_eq!(
        (count(".age"), count(".globals.sql.zst.age"), count(".manifest.json")),
        (4, 1, 2),
        "{seen:?}"
    );
    assert!(seen.iter().any(|key| key.contains(".notes/")), "{seen:?}");
}
