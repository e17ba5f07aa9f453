//! What a restore of chosen tables reads.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;
use backup_core::{
    ByteStream, Dumper, DumperInfo, ErrorKind, Event, Inventory, MemoryStore, Operation, Pipeline, PutMode,
    PutOptions, RestoreOptions, RestoreOutcome, Restorer, Result, Scratch, ScratchLike, Selected, Store,
    StoreExt, TableInventory, TargetInfo, compress,
    pipeline::{BackupRequest, RestoreRequest},
    testkit::fake::FakeDumper,
};

/// Takes everything, and says that it restored the small table.
#[derive(Debug)]
struct Target;

#[async_trait]
impl Restorer for Target {
    fn supports(&self, _: &str, _: &str) -> bool {
        true
    }

    async fn probe(&self) -> Result<TargetInfo> {
        Ok(TargetInfo::new("target"))
    }

    async fn restore(&self, body: ByteStream, _: RestoreOptions) -> Result<RestoreOutcome> {
        body.collect_bytes(usize::MAX).await?;
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

#[tokio::test]
async fn a_restore_of_a_small_table_reads_little_of_a_large_backup_and_notices_damage_in_it() {
    let read = Arc::new(AtomicU64::new(0));
    let observed = Arc::clone(&read);
    let store = MemoryStore::new();
    let dumper = FakeDumper::new(dump()).with_info(DumperInfo::new("postgresql", "plain", "sql"));
    let pipeline = Pipeline::new(dumper, store.clone())
        .with_compressor(compress::parse("none").unwrap())
        .with_observer(move |event: &Event<'_>| {
            if let Event::Progress { operation: Operation::Restore, progress, .. } = event {
                observed.fetch_max(progress.stored_bytes, Ordering::Relaxed);
            }
        });
    let report = pipeline.backup(BackupRequest::new()).await.unwrap();
    let artifact = report.manifest.artifact;
    let request = RestoreRequest::new().tables(["public.small"]).confirmed();
    let restored = pipeline.restore(&report.backup, &Target, request.clone()).await.unwrap();
    assert_eq!((restored.tables, restored.rows), (1, 2));
    let read = read.load(Ordering::Relaxed);
    assert!(read > 0 && read < artifact.size / 20, "{read} of {} bytes", artifact.size);

    let good = store.get_bytes(&artifact.key, usize::MAX).await.unwrap();
    let text = String::from_utf8(good.to_vec()).unwrap();
    let bad = text.replace("\n1\n2\n\\.", "\n1\n3\n\\.");
    assert_ne!(bad, text);
    let overwrite = PutOptions::default().with_mode(PutMode::Overwrite);
    store.put(&artifact.key, bytes::Bytes::from(bad).into(), overwrite).await.unwrap();
    let err = pipeline.restore(&report.backup, &Target, request).await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::Corrupt, "{err}");
}
