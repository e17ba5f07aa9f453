//! A backup is made only where none is new enough.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::time::Duration;

use backup_core::{
    Annotation, Clock, Filter, Kind, MemoryStore, Note, Pipeline, SourceInfo, Verdict,
    pipeline::{BackupRequest, FreshnessReport},
    testkit::{
        clock::ManualClock,
        fake::FakeDumper,
        faults::{FaultyStore, StoreOp},
    },
};
use chrono::TimeDelta;

const HOUR: Duration = Duration::from_secs(3600);

fn pipeline(clock: &ManualClock, store: &MemoryStore) -> Pipeline {
    let dumper = FakeDumper::new("rows").with_source(SourceInfo::new("shop"));
    Pipeline::new(dumper, store.clone()).with_environment("production").with_clock(clock.clone())
}

fn made(report: &FreshnessReport) -> bool {
    matches!(report, FreshnessReport::Made(_))
}

async fn count(pipeline: &Pipeline) -> usize {
    pipeline.list(&Filter::all()).await.unwrap().entries.len()
}

#[tokio::test]
async fn a_backup_is_fresh_until_its_dump_is_older_than_asked_for() {
    let clock = ManualClock::at("2026-11-20T02:00:00Z");
    let pipeline = pipeline(&clock, &MemoryStore::new());
    let first = pipeline.ensure_fresh(HOUR, BackupRequest::new().with_kind(Kind::Daily)).await.unwrap();
    assert!(made(&first));
    clock.advance(TimeDelta::hours(1));
    let second = pipeline.ensure_fresh(HOUR, BackupRequest::new()).await.unwrap();
    assert!(!made(&second));
    assert_eq!(second.backup(), first.backup());
    clock.advance(TimeDelta::milliseconds(1));
    let third = pipeline.ensure_fresh(HOUR, BackupRequest::new()).await.unwrap();
    assert!(made(&third) && third.backup() != first.backup());
    assert!(!made(&pipeline.ensure_fresh(Duration::MAX, BackupRequest::new()).await.unwrap()));
    assert_eq!(count(&pipeline).await, 2);
}

#[tokio::test]
async fn other_series_and_backups_of_the_future_are_not_fresh() {
    let clock = ManualClock::at("2026-11-20T02:00:00Z");
    let store = MemoryStore::new();
    let pipeline = pipeline(&clock, &store);
    pipeline.clone().with_environment("staging").backup(BackupRequest::new()).await.unwrap();
    let neighbour = FakeDumper::new("rows").with_source(SourceInfo::new("shop2"));
    let neighbour = Pipeline::new(neighbour, store).with_environment("production").with_clock(clock.clone());
    neighbour.backup(BackupRequest::new()).await.unwrap();
    assert!(made(&pipeline.ensure_fresh(HOUR, BackupRequest::new()).await.unwrap()));
    clock.advance(TimeDelta::days(-2));
    let now = pipeline.ensure_fresh(HOUR, BackupRequest::new()).await.unwrap();
    assert!(made(&now));
    // Of the two the one that is not of the future is found.
    let again = pipeline.ensure_fresh(HOUR, BackupRequest::new()).await.unwrap();
    assert!(!made(&again) && again.backup() == now.backup());
}

#[tokio::test]
async fn failed_and_pruned_backups_are_not_fresh() {
    let clock = ManualClock::at("2026-11-20T02:00:00Z");
    let pipeline = pipeline(&clock, &MemoryStore::new());
    let report = pipeline.backup(BackupRequest::new()).await.unwrap();
    let mut evidence = report.evidence;
    evidence.result = Verdict::Failed;
    clock.advance(TimeDelta::seconds(1));
    let failed = Annotation::new(clock.now(), Note::Verified(evidence));
    pipeline.catalog().annotate(&report.backup, &failed).await.unwrap();
    let second = pipeline.ensure_fresh(HOUR, BackupRequest::new()).await.unwrap();
    assert!(made(&second));
    let pruning = Annotation::new(clock.now(), Note::Pruning { reason: "old".to_owned() });
    pipeline.catalog().annotate(second.backup(), &pruning).await.unwrap();
    assert!(made(&pipeline.ensure_fresh(HOUR, BackupRequest::new()).await.unwrap()));
}

#[tokio::test]
async fn where_the_list_fails_nothing_counts_as_fresh() {
    let store = FaultyStore::new(MemoryStore::new());
    let pipeline = Pipeline::new(FakeDumper::new("rows"), store.clone());
    pipeline.backup(BackupRequest::new()).await.unwrap();
    let broken = store.clone().fail_on(
        StoreOp::List,
        store.calls(StoreOp::List) + 1,
        backup_core::ErrorKind::Unavailable,
    );
    let err = pipeline.ensure_fresh(HOUR, BackupRequest::new()).await.unwrap_err();
    assert_eq!(err.kind(), backup_core::ErrorKind::Unavailable);
    broken.heal();
    assert!(!made(&pipeline.ensure_fresh(HOUR, BackupRequest::new()).await.unwrap()));
}

#[cfg(feature = "schedule")]
#[tokio::test]
async fn the_first_session_of_a_local_day_makes_the_backup_of_the_day() {
    use chrono_tz::America::New_York;

    let clock = ManualClock::at("2026-11-20T05:00:00Z");
    let pipeline = pipeline(&clock, &MemoryStore::new());
    assert!(made(&pipeline.ensure_today(New_York, BackupRequest::new()).await.unwrap()));
    clock.set("2026-11-21T04:59:59Z".parse().unwrap());
    assert!(!made(&pipeline.ensure_today(New_York, BackupRequest::new()).await.unwrap()));
    clock.set("2026-11-21T05:00:00Z".parse().unwrap());
    assert!(made(&pipeline.ensure_today(New_York, BackupRequest::new()).await.unwrap()));
    assert_eq!(count(&pipeline).await, 2);
}

#[path = "pipeline_fresh/gate.rs"]
mod gate;
