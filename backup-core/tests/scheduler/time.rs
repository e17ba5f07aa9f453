//! When runs are made.

use std::{sync::atomic::Ordering, time::Duration};

use backup_core::{
    ErrorKind, Kind, MemoryStore, Scheduler,
    pipeline::BackupRequest,
    scheduler::{Job, RUNS_KEPT, SchedulerOptions},
};
use chrono::TimeDelta;

use crate::setup::*;

#[tokio::test(start_paused = true)]
async fn a_job_runs_at_each_occurrence_and_says_so() {
    let (store, shop) = (MemoryStore::new(), Shop::new([]));
    let clock = TestClock::at("2026-11-20T01:00:00Z");
    let pipeline = pipeline(&shop, &store, &clock);
    pipeline.backup(BackupRequest::new().with_kind(Kind::Monthly)).await.unwrap();
    clock.jump(TimeDelta::milliseconds(1));

    let scheduler = Scheduler::start([job(&pipeline, "daily at 02:00")], &SchedulerOptions::new()).unwrap();
    pass(minutes(1)).await;
    let status = &scheduler.status()[0];
    assert_eq!(status.next_run, Some(utc("2026-11-20T02:00:00Z")));
    assert_eq!(status.last_success, Some(utc("2026-11-20T01:00:00Z")));
    assert_eq!((status.job.as_str(), status.environment.as_str()), ("shop", "production"));
    assert!(status.runs.is_empty());

    pass(hours(72)).await;
    assert_eq!(made(&pipeline).await, ["11-20 01:00", "11-20 02:00", "11-21 02:00", "11-22 02:00"]);
    let kinds: Vec<_> = backups(&pipeline).await.iter().map(|entry| entry.manifest.kind).collect();
    assert_eq!(kinds, [Kind::Monthly, Kind::Daily, Kind::Daily, Kind::Daily]);
    let status = &scheduler.shutdown(Duration::ZERO).await[0];
    assert_eq!((status.runs.len(), status.failures_in_a_row, status.last_failure), (3, 0, None));
    let run = status.runs.back().unwrap();
    assert_eq!((run.scheduled_for, run.missed), (utc("2026-11-22T02:00:00Z"), 0));
    assert!(run.scheduled_for <= run.started && run.started <= run.ended);
    let newest = backups(&pipeline).await.pop().unwrap();
    assert_eq!(run.outcome.backup(), Some(&newest.manifest.backup_ref()));
    assert_eq!(status.last_success, Some(newest.manifest.created_at));
    let json = serde_json::to_value(status).unwrap();
    assert_eq!(json["schedule"], "daily at 02:00");
    assert_eq!(json["runs"][0]["outcome"]["outcome"], "made");
}

#[tokio::test(start_paused = true)]
async fn what_was_missed_is_caught_up_at_the_start_by_one_run() {
    let (store, shop) = (MemoryStore::new(), Shop::new([]));
    let clock = TestClock::at("2026-11-10T02:00:00Z");
    let pipeline = pipeline(&shop, &store, &clock);
    pipeline.backup(BackupRequest::new().with_kind(Kind::Daily)).await.unwrap();
    clock.jump(TimeDelta::days(10) + TimeDelta::hours(3));
    let scheduler = Scheduler::start([job(&pipeline, "daily at 02:00")], &SchedulerOptions::new()).unwrap();
    pass(hours(1)).await;
    assert_eq!(made(&pipeline).await, ["11-10 02:00", "11-20 05:00"]);
    let run = scheduler.status()[0].runs[0].clone();
    assert_eq!((run.scheduled_for, run.missed), (utc("2026-11-20T02:00:00Z"), 9));
    // A scheduler that starts anew knows of it.
    scheduler.shutdown(Duration::ZERO).await;
    let scheduler = Scheduler::start([job(&pipeline, "daily at 02:00")], &SchedulerOptions::new()).unwrap();
    pass(hours(1)).await;
    assert!(scheduler.status()[0].runs.is_empty());
    assert_eq!(shop.dumps.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn the_first_backup_of_a_series_is_made_at_once_and_other_kinds_are_not_it() {
    let (store, shop) = (MemoryStore::new(), Shop::new([]));
    let clock = TestClock::at("2026-11-20T01:00:00Z");
    let pipeline = pipeline(&shop, &store, &clock);
    // By hand, and by another job: neither is a weekly backup.
    pipeline.backup(BackupRequest::new()).await.unwrap();
    pipeline.backup(BackupRequest::new().with_kind(Kind::Daily)).await.unwrap();
    let weekly = job(&pipeline, "weekly on sunday at 03:00")
        .with_request(BackupRequest::new().with_kind(Kind::Weekly).with_label("w"));
    let scheduler = Scheduler::start([weekly], &SchedulerOptions::new()).unwrap();
    pass(hours(72)).await;
    let weeklies: Vec<_> =
        backups(&pipeline).await.into_iter().filter(|entry| entry.manifest.kind == Kind::Weekly).collect();
    assert_eq!(weeklies.len(), 2);
    assert!(weeklies.iter().all(|entry| entry.manifest.label.as_deref() == Some("w")));
    let runs = &scheduler.status()[0].runs;
    assert_eq!((runs[0].scheduled_for, runs[0].missed), (utc("2026-11-15T03:00:00Z"), 0));
}

#[tokio::test(start_paused = true)]
async fn a_job_never_overlaps_with_itself() {
    // Each dump takes two and a half hours.
    let (store, shop) = (MemoryStore::new(), Shop::new((0..3).map(|_| slow(9000))));
    let clock = TestClock::at("2026-11-20T00:00:00Z");
    let pipeline = pipeline(&shop, &store, &clock).with_stall_timeout(hours(24));
    let scheduler = Scheduler::start([job(&pipeline, "hourly")], &SchedulerOptions::new()).unwrap();
    pass(hours(9)).await;
    let runs = scheduler.status()[0].runs.clone();
    assert!(runs.len() >= 3);
    for (one, next) in runs.iter().zip(runs.iter().skip(1)) {
        assert!(one.ended <= next.started, "{runs:?}");
        assert!(one.scheduled_for < next.scheduled_for, "{runs:?}");
    }
    // What came while it ran is made up for by one run.
    assert_eq!((runs[1].scheduled_for, runs[1].missed), (utc("2026-11-20T02:00:00Z"), 1));
}

#[tokio::test(start_paused = true)]
async fn no_more_jobs_run_at_once_than_allowed() {
    let clock = TestClock::at("2026-11-20T00:00:00Z");
    let store = MemoryStore::new();
    let jobs: Vec<Job> = (0..5)
        .map(|number| {
            let shop = Shop::new([slow(60)]).named(&format!("shop{number}"));
            let schedule = "daily at 00:00".parse().unwrap();
            Job::new(format!("shop{number}"), pipeline(&shop, &store, &clock), schedule)
        })
        .collect();
    let scheduler = Scheduler::start(jobs, &SchedulerOptions::new().with_at_once(2)).unwrap();
    let mut most = 0;
    for _ in 0..400 {
        pass(Duration::from_secs(1)).await;
        most = most.max(scheduler.status().iter().filter(|job| job.running_since.is_some()).count());
    }
    assert_eq!(most, 2);
    assert!(scheduler.status().iter().all(|job| job.runs.len() == 1 && job.failures_in_a_row == 0));
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_put_forward_is_noticed_within_a_minute() {
    let (store, shop) = (MemoryStore::new(), Shop::new([]));
    let clock = TestClock::at("2026-11-20T02:00:00Z");
    let pipeline = pipeline(&shop, &store, &clock);
    let scheduler = Scheduler::start([job(&pipeline, "daily at 02:00")], &SchedulerOptions::new()).unwrap();
    pass(minutes(5)).await;
    // The host sleeps for three days; paused time does not see it.
    clock.jump(TimeDelta::days(3));
    pass(Duration::from_secs(61)).await;
    assert_eq!(made(&pipeline).await.len(), 2);
    assert_eq!(scheduler.status()[0].runs[1].missed, 2);
    assert_eq!(scheduler.status()[0].next_run, Some(utc("2026-11-24T02:00:00Z")));
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_put_back_loses_no_run_and_starts_no_storm() {
    let (store, shop) = (MemoryStore::new(), Shop::new([]));
    let clock = TestClock::at("2026-11-20T02:00:00Z");
    let pipeline = pipeline(&shop, &store, &clock);
    let scheduler = Scheduler::start([job(&pipeline, "daily at 02:00")], &SchedulerOptions::new()).unwrap();
    pass(hours(24) + minutes(1)).await;
    assert_eq!(made(&pipeline).await, ["11-20 02:00", "11-21 02:00"]);
    // A year ahead by mistake: one backup is dated so.
    clock.jump(TimeDelta::days(365));
    pass(minutes(5)).await;
    clock.jump(TimeDelta::days(-365));
    pass(minutes(30)).await;
    assert_eq!(made(&pipeline).await.len(), 3);
    pass(hours(48)).await;
    assert_eq!(
        made(&pipeline).await,
        ["11-20 02:00", "11-21 02:00", "11-22 02:00", "11-23 02:00", "11-21 02:01"]
    );
    // Two days back: the days that come again are backed up again, once each.
    clock.jump(TimeDelta::days(-2));
    pass(hours(48)).await;
    assert_eq!(shop.dumps.load(Ordering::SeqCst), 7);
    assert_eq!(scheduler.status()[0].failures_in_a_row, 0);
}

#[tokio::test(start_paused = true)]
async fn a_delay_is_kept() {
    let (store, shop) = (MemoryStore::new(), Shop::new([]));
    let clock = TestClock::at("2026-11-20T01:00:00Z");
    let pipeline = pipeline(&shop, &store, &clock);
    pipeline.backup(BackupRequest::new().with_kind(Kind::Daily)).await.unwrap();
    let delayed = job(&pipeline, "daily at 02:00").with_jitter(hours(4));
    let scheduler = Scheduler::start([delayed], &SchedulerOptions::new()).unwrap();
    pass(hours(48)).await;
    let runs = scheduler.status()[0].runs.clone();
    assert_eq!(runs.len(), 2);
    let late = |at: usize| (runs[at].started - runs[at].scheduled_for).num_seconds();
    assert_eq!(late(0), late(1));
    assert!((60..4 * 3600).contains(&late(0)), "{}", late(0));
}

#[tokio::test(start_paused = true)]
async fn only_the_last_runs_are_kept() {
    let clock = TestClock::at("2026-11-20T00:00:30Z");
    let store = MemoryStore::new();
    let pipeline = pipeline(&Shop::new([]), &store, &clock);
    let scheduler = Scheduler::start([job(&pipeline, "every 1 minute")], &SchedulerOptions::new()).unwrap();
    pass(minutes(40)).await;
    let status = &scheduler.status()[0];
    assert_eq!(status.runs.len(), RUNS_KEPT);
    assert!(backups(&pipeline).await.len() > RUNS_KEPT);
    assert_eq!(status.runs.back().unwrap().scheduled_for, utc("2026-11-20T00:40:00Z"));
}

#[tokio::test(start_paused = true)]
async fn jobs_that_cannot_be_told_apart_or_have_nothing_to_do_are_refused() {
    let clock = TestClock::at("2026-11-20T00:00:00Z");
    let store = MemoryStore::new();
    let pipeline = pipeline(&Shop::new([]), &store, &clock);
    let named = |name: &str| Job::new(name, pipeline.clone(), "hourly".parse().unwrap());
    let without =
        Job::new("shop", backup_core::Pipeline::for_store(store.clone()), "hourly".parse().unwrap());
    for jobs in [vec![], vec![named("")], vec![named("a"), named("a")], vec![without]] {
        let err = Scheduler::start(jobs, &SchedulerOptions::new()).unwrap_err();
        assert_eq!(err.kind(), ErrorKind::InvalidInput);
    }
    let staging = Job::new("a", pipeline.clone().with_environment("staging"), "hourly".parse().unwrap());
    Scheduler::start([named("a"), staging], &SchedulerOptions::new()).unwrap();
}
