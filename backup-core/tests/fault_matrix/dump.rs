//! Dumps that end as they should not, at any byte.

use std::time::Duration;

use backup_core::{ErrorKind, MemoryStore, Pipeline, pipeline::BackupRequest, testkit::fake::FakeDumper};

use crate::invariant::keys;

fn database() -> FakeDumper {
    FakeDumper::new("rows ".repeat(40_000)).slow(16 * 1024, Duration::from_millis(1))
}

#[tokio::test]
async fn a_dump_that_fails_at_any_byte_leaves_nothing() {
    for at in [0, 1, 16 * 1024, 100_000, 199_999, 200_000] {
        let store = MemoryStore::new();
        let dumper = database().fail_after(at, ErrorKind::ToolFailed);
        let err = Pipeline::new(dumper, store.clone()).backup(BackupRequest::new()).await.unwrap_err();
        assert_eq!(err.kind(), ErrorKind::ToolFailed, "at {at}");
        assert_eq!(keys(&store).await, Vec::<String>::new(), "at {at}, before any sweep");
    }
}

#[tokio::test]
async fn an_empty_dump_is_no_backup() {
    let store = MemoryStore::new();
    let err =
        Pipeline::new(FakeDumper::new(""), store.clone()).backup(BackupRequest::new()).await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::Incomplete);
    assert_eq!(keys(&store).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_hanging_dump_is_given_up_and_ended() {
    let store = MemoryStore::new();
    let dumper = database().hang_after(50_000);
    let pipeline =
        Pipeline::new(dumper.clone(), store.clone()).with_stall_timeout(Duration::from_millis(300));
    let err = pipeline.backup(BackupRequest::new()).await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::Timeout);
    assert_eq!(keys(&store).await, Vec::<String>::new());
    while dumper.running() > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
