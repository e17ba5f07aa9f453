//! What fails, who is told, and what is left behind.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::Duration,
};

use backup_core::{
    Alert, AlertState, ErrorKind, Event, Kind, Level, MemoryStore, Notifier, Operation, Pipeline, Scheduler,
    Severity,
    pipeline::BackupRequest,
    scheduler::{Backoff, Job, SchedulerOptions},
    testkit::faults::{FaultyStore, StoreOp},
};

use crate::setup::*;

const CRITICAL: Severity = Severity::Critical;
const WARNING: Severity = Severity::Warning;

fn quick() -> Backoff {
    Backoff::new(minutes(2), minutes(10))
}

#[tokio::test(start_paused = true)]
async fn failures_that_may_pass_are_retried_escalated_and_resolved() {
    let store = MemoryStore::new();
    let shop = Shop::new((0..5).map(|_| failing(ErrorKind::ConnectionFailed)));
    let clock = TestClock::at("2026-11-20T02:00:00Z");
    let pipeline = pipeline(&shop, &store, &clock);
    let ears = Ears::default();
    let options = SchedulerOptions::new().with_notifier(ears.clone()).with_backoff(quick());
    let scheduler = Scheduler::start([job(&pipeline, "daily at 02:00")], &options).unwrap();

    pass(Duration::from_secs(10)).await;
    assert_eq!(ears.heard(), [(AlertState::Firing, WARNING)]);
    let status = &scheduler.status()[0];
    assert_eq!((status.failures_in_a_row, outcomes(&scheduler.status()).len()), (1, 1));
    assert!(status.next_run.unwrap() <= utc("2026-11-20T02:03:00Z"), "{status:?}");

    pass(hours(1)).await;
    assert_eq!(
        ears.heard(),
        [
            (AlertState::Firing, WARNING),
            (AlertState::Escalated, CRITICAL),
            (AlertState::Resolved, Severity::Info)
        ]
    );
    let status = scheduler.status();
    let mut expected = vec!["database_connection_failed"; 5];
    expected.push("made");
    assert_eq!(outcomes(&status), expected);
    assert_eq!(status[0].failures_in_a_row, 0);
    assert_eq!(status[0].next_run, Some(utc("2026-11-21T02:00:00Z")));
    let starts: Vec<_> = status[0].runs.iter().map(|run| run.started).collect();
    let pauses: Vec<_> = starts.windows(2).map(|pair| (pair[1] - pair[0]).num_seconds()).collect();
    for (pause, whole) in pauses.iter().zip([120, 240, 480, 600, 600]) {
        assert!((whole / 2..=whole + 1).contains(pause), "{pauses:?}");
    }
    assert!(status[0].runs.iter().all(|run| run.scheduled_for == utc("2026-11-20T02:00:00Z")));

    let alerts = ears.alerts();
    assert!(alerts.iter().all(|alert| alert.key == "production/shop/backup"));
    assert_eq!(alerts[0].code, "database_connection_failed");
    assert!(!alerts[0].actions.is_empty());
    assert!(alerts[1].details.contains(&("failures_in_a_row".to_owned(), "3".to_owned())));
    assert_eq!(strays(&store, &pipeline).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn failures_that_last_wait_for_the_next_occurrence() {
    let store = MemoryStore::new();
    let shop = Shop::new((0..4).map(|_| failing(ErrorKind::AuthenticationFailed)));
    let clock = TestClock::at("2026-11-20T02:00:00Z");
    let pipeline = pipeline(&shop, &store, &clock);
    let ears = Ears::default();
    let options = SchedulerOptions::new().with_notifier(ears.clone()).with_backoff(quick());
    let scheduler = Scheduler::start([job(&pipeline, "daily at 02:00")], &options).unwrap();
    for nights in 1..=5 {
        pass(hours(23)).await;
        assert_eq!(shop.dumps.load(Ordering::SeqCst), nights);
        pass(hours(1)).await;
    }
    assert_eq!(
        ears.heard(),
        [
            (AlertState::Firing, CRITICAL),
            (AlertState::Escalated, CRITICAL),
            (AlertState::Resolved, Severity::Info)
        ]
    );
    let runs = scheduler.status()[0].runs.clone();
    assert_eq!(runs[3].scheduled_for, utc("2026-11-23T02:00:00Z"));
    assert!(scheduler.status()[0].last_failure.unwrap() < runs[4].started);
}

#[tokio::test(start_paused = true)]
async fn a_notifier_that_fails_fails_nothing_and_is_told_again() {
    let store = MemoryStore::new();
    let shop = Shop::new((0..2).map(|_| failing(ErrorKind::Timeout)));
    let clock = TestClock::at("2026-11-20T02:00:00Z");
    let pipeline = pipeline(&shop, &store, &clock);
    let ears = Ears::deaf_for(1);
    let options = SchedulerOptions::new().with_notifier(ears.clone()).with_backoff(quick());
    let scheduler = Scheduler::start([job(&pipeline, "daily at 02:00")], &options).unwrap();
    pass(hours(1)).await;
    assert_eq!(ears.heard(), [(AlertState::Firing, WARNING), (AlertState::Resolved, Severity::Info)]);
    assert_eq!(outcomes(&scheduler.status()), ["timeout", "timeout", "made"]);
}

/// Panics, or never comes back.
#[derive(Debug)]
enum Bad {
    Panics,
    Hangs,
}

#[async_trait::async_trait]
impl Notifier for Bad {
    async fn notify(&self, _: &Alert) -> backup_core::Result<()> {
        match self {
            Self::Panics => panic!("on purpose"),
            Self::Hangs => std::future::pending().await,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn neither_a_bad_notifier_nor_a_panic_ends_a_job() {
    for bad in [Bad::Panics, Bad::Hangs] {
        let store = MemoryStore::new();
        let shop = Shop::new([failing(ErrorKind::Timeout)]);
        let clock = TestClock::at("2026-11-20T02:00:00Z");
        let starts = AtomicUsize::new(0);
        let pipeline = pipeline(&shop, &store, &clock).with_observer(move |event: &Event<'_>| {
            let second = matches!(event, Event::Started { .. }) && starts.fetch_add(1, Ordering::SeqCst) == 1;
            assert!(!second, "on purpose");
        });
        let options = SchedulerOptions::new().with_notifier(bad).with_backoff(quick());
        let scheduler = Scheduler::start([job(&pipeline, "daily at 02:00")], &options).unwrap();
        pass(hours(25)).await;
        assert_eq!(outcomes(&scheduler.status()), ["timeout", "unexpected", "made"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_catalog_out_of_reach_at_the_start_is_a_failure_that_is_retried() {
    let store = FaultyStore::new(MemoryStore::new());
    let shop = Shop::new([]);
    let clock = TestClock::at("2026-11-20T02:00:00Z");
    let pipeline = pipeline(&shop, &store, &clock);
    pipeline.backup(BackupRequest::new().with_kind(Kind::Daily)).await.unwrap();
    let listed = store.calls(StoreOp::List);
    let store = store.fail_on(StoreOp::List, listed + 1, ErrorKind::Unavailable);
    let ears = Ears::default();
    let options = SchedulerOptions::new().with_notifier(ears.clone()).with_backoff(quick());
    let scheduler = Scheduler::start([job(&pipeline, "daily at 02:00")], &options).unwrap();
    pass(hours(1)).await;
    // The second look finds that all is well, so nothing is made.
    assert_eq!(outcomes(&scheduler.status()), ["unavailable"]);
    assert_eq!(ears.heard(), [(AlertState::Firing, WARNING), (AlertState::Resolved, Severity::Info)]);
    assert_eq!(shop.dumps.load(Ordering::SeqCst), 1);
    assert!(store.calls(StoreOp::List) > listed + 1);
}

#[tokio::test(start_paused = true)]
async fn a_verification_that_could_not_be_carried_out_is_tried_again_without_another_backup() {
    let store = FaultyStore::new(MemoryStore::new());
    let shop = Shop::new([]);
    let clock = TestClock::at("2026-11-20T02:00:00Z");
    let pipeline = verification_fails_once(&pipeline(&shop, &store, &clock), &store);
    let ears = Ears::default();
    let options = SchedulerOptions::new().with_notifier(ears.clone()).with_backoff(quick());
    let verified = job(&pipeline, "daily at 02:00").with_verify(Level::Decoded);
    let scheduler = Scheduler::start([verified], &options).unwrap();
    pass(hours(1)).await;
    assert_eq!(outcomes(&scheduler.status()), ["unproven: unavailable", "made"]);
    assert_eq!(shop.dumps.load(Ordering::SeqCst), 1);
    let newest = backups(&pipeline).await.pop().unwrap();
    assert_eq!(newest.proven().unwrap().level, Level::Decoded);
    assert_eq!(scheduler.status()[0].last_success, Some(newest.manifest.created_at));
}

#[tokio::test(start_paused = true)]
async fn an_occurrence_that_comes_while_a_verification_waits_is_not_lost() {
    let store = FaultyStore::new(MemoryStore::new());
    let (shop, other) = (Shop::new([]), Shop::new([slow(0), slow(2 * 3600)]).named("other"));
    let clock = TestClock::at("2026-11-20T02:00:00Z");
    let long = pipeline(&other, &store, &clock).with_stall_timeout(hours(24));
    long.backup(BackupRequest::new().with_kind(Kind::Daily)).await.unwrap();
    let pipeline = verification_fails_once(&pipeline(&shop, &store, &clock), &store);
    let verified = job(&pipeline, "hourly").with_verify(Level::Decoded);
    // Takes the only slot from 02:01 to 04:01, when the verification is to be tried again.
    let long = Job::new("other", long, "daily at 02:01".parse().unwrap());
    let options = SchedulerOptions::new().with_at_once(1).with_backoff(Backoff::new(minutes(4), minutes(10)));
    let scheduler = Scheduler::start([verified, long], &options).unwrap();
    pass(minutes(130)).await;
    assert_eq!(outcomes(&scheduler.status()), ["unproven: unavailable", "made", "made"]);
    assert_eq!(shop.dumps.load(Ordering::SeqCst), 2);
    assert_eq!(scheduler.status()[0].runs[2].scheduled_for, utc("2026-11-20T04:00:00Z"));
}

#[tokio::test(start_paused = true)]
async fn shutting_down_lets_a_run_end_in_time() {
    let (store, shop) = (MemoryStore::new(), Shop::new([slow(60)]));
    let clock = TestClock::at("2026-11-20T02:00:00Z");
    let pipeline = pipeline(&shop, &store, &clock);
    let scheduler = Scheduler::start([job(&pipeline, "hourly")], &SchedulerOptions::new()).unwrap();
    pass(Duration::from_secs(10)).await;
    assert!(scheduler.status()[0].running_since.is_some());
    let status = scheduler.shutdown(minutes(5)).await;
    assert_eq!(outcomes(&status), ["made"]);
    assert_eq!(made(&pipeline).await.len(), 1);
    pass(hours(5)).await;
    assert_eq!(shop.dumps.load(Ordering::SeqCst), 1);
}

// In time as it passes, because the body hangs.
#[tokio::test]
async fn shutting_down_cancels_what_does_not_end_and_leaves_nothing_of_it() {
    let store = MemoryStore::new();
    let shop = Shop::new([hanging()]);
    let clock = TestClock::at("2026-11-20T02:00:00Z");
    let pipeline = pipeline(&shop, &store, &clock);
    let ears = Ears::default();
    let options = SchedulerOptions::new().with_notifier(ears.clone());
    let scheduler = Scheduler::start([job(&pipeline, "hourly")], &options).unwrap();
    pass(Duration::from_millis(200)).await;
    assert!(!strays(&store, &pipeline).await.is_empty());
    let status = scheduler.shutdown(Duration::from_millis(100)).await;
    assert_eq!(outcomes(&status), ["cancelled"]);
    assert_eq!((status[0].running_since, status[0].failures_in_a_row), (None, 0));
    assert!(made(&pipeline).await.is_empty());
    assert_eq!(strays(&store, &pipeline).await, [""; 0]);
    assert!(ears.heard().is_empty());
}

// In time as it passes, because the body hangs.
#[tokio::test]
async fn a_dropped_scheduler_leaves_nothing_of_its_runs() {
    let store = MemoryStore::new();
    let shop = Shop::new([hanging()]);
    let clock = TestClock::at("2026-11-20T02:00:00Z");
    let pipeline = pipeline(&shop, &store, &clock);
    let scheduler = Scheduler::start([job(&pipeline, "hourly")], &SchedulerOptions::new()).unwrap();
    pass(Duration::from_millis(200)).await;
    assert!(!strays(&store, &pipeline).await.is_empty());
    drop(scheduler);
    pass(Duration::from_millis(200)).await;
    pipeline.settle().await;
    assert_eq!(strays(&store, &pipeline).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn those_who_watch_see_a_failure() {
    let store = MemoryStore::new();
    let shop = Shop::new([failing(ErrorKind::StorageFull)]);
    let clock = TestClock::at("2026-11-20T02:00:00Z");
    let pipeline = pipeline(&shop, &store, &clock);
    let scheduler = Scheduler::start([job(&pipeline, "daily at 02:00")], &SchedulerOptions::new()).unwrap();
    let mut watch = scheduler.watch();
    let failed = watch.wait_for(|jobs| jobs[0].failures_in_a_row == 1).await.unwrap().clone();
    assert_eq!(outcomes(&failed), ["insufficient_disk_space"]);
    shop.then([failing(ErrorKind::StorageFull)]);
    watch.wait_for(|jobs| jobs[0].failures_in_a_row == 2).await.unwrap();
}

/// The first verification finds the store out of reach.
fn verification_fails_once(pipeline: &Pipeline, store: &FaultyStore<MemoryStore>) -> Pipeline {
    let (faults, broken) = (store.clone(), AtomicBool::new(false));
    pipeline.clone().with_observer(move |event: &Event<'_>| {
        let verifies = matches!(event, Event::Started { operation: Operation::Verify, .. });
        if verifies && !broken.swap(true, Ordering::SeqCst) {
            let next = faults.calls(StoreOp::Get) + 1;
            drop(faults.clone().fail_on(StoreOp::Get, next, ErrorKind::Unavailable));
        }
    })
}
