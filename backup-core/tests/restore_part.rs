//! What a restore of chosen tables reads.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;
use backup_core::{
    ByteStream, Dumper, DumperInfo, ErrorKind, Event, Inventory, Key, MemoryStore, Operation, Pipeline,
    PutMode, PutOptions, RestoreOptions, RestoreOutcome, Restorer, Result, Scratch, ScratchLike, Selected,
    Store, StoreExt, TableInventory, TargetInfo, compress,
    pipeline::{BackupRequest, RestoreRequest},
    testkit::fake::FakeDumper,
};

/// Takes everything, and says that it restored the small table.
#[derive(Debug, Default)]
struct Target(Mutex<Vec<bytes::Bytes>>);

#[async_trait]
impl Restorer for Target {
    fn supports(&self, _: &str, _: &str) -> bool {
        true
    }

    async fn probe(&self) -> Result<TargetInfo> {
        Ok(TargetInfo::new("target"))
    }

    async fn restore(&self, body: ByteStream, _: RestoreOptions) -> Result<RestoreOutcome> {
        let body = body.collect_bytes(usize::MAX).await?;
        self.0.lock().unwrap().push(body);
        Ok(RestoreOutcome::new(Inventory::new(vec![TableInventory::new("public.small", 2, 0)])))
    }

    async fn select(&self, definitions: ByteStream, _: &RestoreOptions) -> Result<Selected> {
        definitions.collect_bytes(usize::MAX).await?;
        Ok(Selected::new(vec!["public.small".to_owned()]))
    }

    fn target_dumper(&self) -> Result<Arc<dyn Dumper>> {
        Ok(Arc::new(FakeDumper::new("")))
    }

    async fn scratch(&self, _: &ScratchLike) -> Result<Box<dyn Scratch>> {
        panic!("nothing is rehearsed here")
    }
}

/// A plain dump of a large table and a small one behind it.
fn dump() -> String {
    let rows = (0..400_000).fold(String::new(), |rows, row| rows + &format!("{row}\tabcdefghijklmnop\n"));
    format!(
        "CREATE TABLE public.large (a int, b text);\nCREATE TABLE public.small (a int);\n\
         COPY public.large (a, b) FROM stdin;\n{rows}\\.\n\nCOPY public.small (a) FROM stdin;\n1\n2\n\\.\n\n\
         --\n-- PostgreSQL database dump complete\n--\n"
    )
}

/// A pipeline over a store, and how many bytes its restores read.
fn pipeline(store: &MemoryStore) -> (Pipeline, Arc<AtomicU64>) {
    let read = Arc::new(AtomicU64::new(0));
    let observed = Arc::clone(&read);
    let dumper = FakeDumper::new(dump()).with_info(DumperInfo::new("postgresql", "plain", "sql"));
    let pipeline = Pipeline::new(dumper, store.clone())
        .with_compressor(compress::parse("none").unwrap())
        .with_observer(move |event: &Event<'_>| {
            if let Event::Progress { operation: Operation::Restore, progress, .. } = event {
                observed.fetch_max(progress.stored_bytes, Ordering::Relaxed);
            }
        });
    (pipeline, read)
}

fn request() -> RestoreRequest {
    RestoreRequest::new().tables(["public.small"]).confirmed()
}

async fn replace(store: &MemoryStore, key: &Key, bytes: impl Into<bytes::Bytes>) {
    let overwrite = PutOptions::default().with_mode(PutMode::Overwrite);
    store.put(key, bytes.into().into(), overwrite).await.unwrap();
}

#[tokio::test]
async fn a_restore_of_a_small_table_reads_little_of_a_large_backup_and_notices_damage_in_it() {
    let store = MemoryStore::new();
    let (pipeline, read) = pipeline(&store);
    let report = pipeline.backup(BackupRequest::new()).await.unwrap();
    let artifact = report.manifest.artifact;
    let restored = pipeline.restore(&report.backup, &Target::default(), request()).await.unwrap();
    assert_eq!((restored.tables, restored.rows), (1, 2));
    let read = read.load(Ordering::Relaxed);
    assert!(read > 0 && read < artifact.size / 20, "{read} of {} bytes", artifact.size);

    let good = store.get_bytes(&artifact.key, usize::MAX).await.unwrap();
    let text = String::from_utf8(good.to_vec()).unwrap();
    let bad = text.replace("\n1\n2\n\\.", "\n1\n3\n\\.");
    assert_ne!(bad, text);
    replace(&store, &artifact.key, bad).await;
    let err = pipeline.restore(&report.backup, &Target::default(), request()).await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::Corrupt, "{err}");
}

#[tokio::test]
#[cfg(feature = "age")]
async fn of_an_encrypted_backup_a_table_is_read_alone_too_and_is_what_it_is_of_one_that_is_not() {
    const IDENTITY: &str = "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33";
    /// A chunk of age, of 64 KiB and its tag.
    const CHUNK: usize = 65_552;

    let (store, target) = (MemoryStore::new(), Target::default());
    let (plain, _) = pipeline(&store);
    let report = plain.backup(BackupRequest::new()).await.unwrap();
    plain.restore(&report.backup, &target, request()).await.unwrap();

    let (pipeline, read) = pipeline(&store);
    let age = backup_core::encrypt::Age::for_identities(&IDENTITY.into()).unwrap();
    let pipeline = pipeline.with_encryptor(age);
    let report = pipeline.backup(BackupRequest::new().with_label("sealed")).await.unwrap();
    let artifact = report.manifest.artifact;
    pipeline.restore(&report.backup, &target, request()).await.unwrap();
    let read = read.load(Ordering::Relaxed);
    assert!(read > 0 && read < artifact.size / 20, "{read} of {} bytes", artifact.size);
    {
        let restored = target.0.lock().unwrap();
        assert!(restored.len() == 2 && restored[0] == restored[1], "{restored:?}");
    }

    let good = store.get_bytes(&artifact.key, usize::MAX).await.unwrap();
    let len = good.len();
    let swapped = [
        &good[..200],
        &good[200 + CHUNK..200 + 2 * CHUNK],
        &good[200..200 + CHUNK],
        &good[200 + 2 * CHUNK..],
    ];
    let mut flipped = good.to_vec();
    flipped[len - 60] ^= 1;
    for (case, bad) in [
        ("chunks that changed places", swapped.concat()),
        ("cut between chunks", good[..len - len % CHUNK].to_vec()),
        ("cut", good[..len - 1].to_vec()),
        ("longer", [&good[..], b"x"].concat()),
        ("a bit", flipped),
    ] {
        replace(&store, &artifact.key, bad).await;
        let err = pipeline.restore(&report.backup, &target, request()).await.unwrap_err();
        assert_eq!(err.kind(), ErrorKind::Corrupt, "{case}: {err}");
    }
    assert_eq!(target.0.lock().unwrap().len(), 2, "nothing of them was taken");
}
