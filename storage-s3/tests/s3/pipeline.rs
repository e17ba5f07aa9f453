//! A whole life of backups in a bucket.

use backup_core::{
    DumperInfo, ErrorKind, Filter, Level, LockMode, Pipeline, Prefix, Retention,
    compress::Identity,
    pipeline::{BackupRequest, Confirmation, RestoreRequest},
    retention::Period,
    testkit::{clock::ManualClock, fake::FakeDumper, fake_restorer::FakeRestorer},
};
use chrono::TimeDelta;
use storage_s3::{Deletes, S3Store};

use crate::fixture::{
    MIB, client, in_process,
    moto::{self, Has},
    names, open, options, pattern,
};

fn pipeline(store: &S3Store, clock: &ManualClock) -> Pipeline {
    Pipeline::new(FakeDumper::new(pattern(5 * MIB + 1)), store.clone())
        .with_environment("production")
        .with_compressor(Identity)
        .with_clock(clock.clone())
}

/// Backed up, listed, proven, restored, pruned: nothing is left of what was pruned.
#[tokio::test]
async fn backups_live_and_end_in_a_bucket() {
    let (url, _dir) = in_process::start();
    let in_process = open(options(&url, "bucket").with_prefix(Prefix::parse("databases").unwrap())).await;
    let bucket = moto::bucket(Has::Versions).await;
    let versions = open(options(moto::url(), &bucket).with_deletes(Deletes::EveryVersion)).await;
    for store in [in_process, versions] {
        let clock = ManualClock::at("2026-11-20T02:00:00Z");
        let pipeline = pipeline(&store, &clock);
        let mut backups = Vec::new();
        for _ in 0..2 {
            backups.push(pipeline.backup(BackupRequest::new()).await.unwrap().backup);
            clock.advance(TimeDelta::days(1));
        }
        let newest = backups.last().unwrap();
        assert_eq!(pipeline.list(&Filter::all()).await.unwrap().entries.len(), 2);
        pipeline.verify(newest, Level::Decoded).await.unwrap().ensure_passed().unwrap();
        let restorer = FakeRestorer::new(DumperInfo::new("fake", "blob", "blob"));
        pipeline.restore(newest, &restorer, RestoreRequest::new().confirmed()).await.unwrap();
        assert!(restorer.held().unwrap() == pattern(5 * MIB + 1));

        let policy = Retention::new().keep_last_of(Period::Each, 1).with_max_deleted_percent(100);
        let plan = pipeline.plan_prune(&policy, &Filter::all()).await.unwrap();
        pipeline.prune(&plan, Confirmation::Confirmed).await.unwrap();
        let mut left = names(&store).await;
        // What is left of the prune's lease on purpose, so that its numbers go on.
        left.retain(|name| !name.starts_with("leases/"));
        assert!(left.iter().all(|name| name.contains(newest.id.as_str())), "{left:?}");
        assert!(left.len() >= 2, "{left:?}");
    }
    let left = client(moto::url()).list_object_versions().bucket(&bucket).send().await.unwrap();
    assert_eq!(left.delete_markers().len(), 0);
    // The release of a lease replaces its newest object.
    let of_lease = |key: Option<&str>| key.is_some_and(|key| key.contains("leases/"));
    let mut of_backups = left.versions().iter().filter(|version| !of_lease(version.key()));
    assert!(of_backups.all(|version| version.is_latest() == Some(true)));
}

/// With a default lock backups go on, and their deletion is refused until the lock ends.
#[tokio::test]
async fn a_locked_backup_is_made_and_its_deletion_is_refused() {
    let bucket = moto::bucket(Has::Lock).await;
    let store = open(options(moto::url(), &bucket).with_default_lock(LockMode::Compliance, 30)).await;
    let clock = ManualClock::at("2026-11-20T02:00:00Z");
    let pipeline = pipeline(&store, &clock);
    let report = pipeline.backup(BackupRequest::new()).await.unwrap();
    assert!(names(&store).await.iter().all(|name| !name.ends_with(".claim.json")));
    let err = pipeline.delete(&report.backup, Confirmation::Confirmed).await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::PermissionDenied, "{err:?}");
    pipeline.verify(&report.backup, Level::Digest).await.unwrap().ensure_passed().unwrap();
}
