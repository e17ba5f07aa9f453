//! Alerts and health on a pipeline: what people get, and that no notifier harms a backup.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use backup_core::{
    Alert, AlertState, Error, ErrorKind, MemoryStore, Notifier, Pipeline, Result, Severity,
    health::{CheckStatus, HealthPolicy, Status},
    notify::{AlertObserver, AlertPolicy, Alerter},
    pipeline::BackupRequest,
    testkit::{
        clock::ManualClock,
        fake::FakeDumper,
        faults::{FaultyStore, StoreOp},
    },
};
use chrono::{DateTime, TimeDelta};

#[cfg(feature = "webhook")]
#[path = "alerts/http.rs"]
mod http;
#[cfg(feature = "mail")]
#[path = "alerts/mail.rs"]
mod mail;
#[cfg(any(feature = "webhook", feature = "mail"))]
#[path = "alerts/server.rs"]
mod server;

/// Takes alerts, after as many failures as it was told; hangs after that, if it was told so.
#[derive(Debug, Clone, Default)]
struct Chat {
    taken: Arc<Mutex<Vec<Alert>>>,
    failures: Arc<Mutex<VecDeque<ErrorKind>>>,
    calls: Arc<Mutex<u32>>,
    hangs: bool,
}

impl Chat {
    fn failing(kinds: impl IntoIterator<Item = ErrorKind>) -> Self {
        Self { failures: Arc::new(Mutex::new(kinds.into_iter().collect())), ..Self::default() }
    }

    fn hanging() -> Self {
        Self { hangs: true, ..Self::default() }
    }

    fn taken(&self) -> Vec<(AlertState, Severity)> {
        self.taken.lock().unwrap().iter().map(|alert| (alert.state, alert.severity)).collect()
    }

    fn calls(&self) -> u32 {
        *self.calls.lock().unwrap()
    }
}

#[async_trait]
impl Notifier for Chat {
    async fn notify(&self, alert: &Alert) -> Result<()> {
        *self.calls.lock().unwrap() += 1;
        let failure = self.failures.lock().unwrap().pop_front();
        if let Some(kind) = failure {
            return Err(Error::new(kind, "the chat is away"));
        }
        if self.hangs {
            std::future::pending::<()>().await;
        }
        self.taken.lock().unwrap().push(alert.clone());
        Ok(())
    }
}

fn alert(minute: i64, state: AlertState) -> Alert {
    let at = DateTime::UNIX_EPOCH + TimeDelta::minutes(minute);
    Alert::new("production/shop/backup", Severity::Critical, "tool_failed", "pg_dump failed", at)
        .in_state(state)
}

const FIRING: (AlertState, Severity) = (AlertState::Firing, Severity::Critical);
const RESOLVED: (AlertState, Severity) = (AlertState::Resolved, Severity::Critical);

#[tokio::test(start_paused = true)]
async fn a_notifier_that_fails_does_not_stop_the_others_and_gets_it_later() {
    let (works, fails) = (Chat::default(), Chat::failing([ErrorKind::PermissionDenied]));
    let alerter = Alerter::new(AlertPolicy::new())
        .with_notifier(fails.clone(), Severity::Info)
        .with_notifier(works.clone(), Severity::Info);
    alerter.notify(&alert(0, AlertState::Firing)).await.unwrap();
    assert_eq!((works.taken(), fails.taken(), fails.calls()), (vec![FIRING], vec![], 1));
    alerter.notify(&alert(1, AlertState::Firing)).await.unwrap();
    assert_eq!((works.taken(), fails.taken()), (vec![FIRING], vec![FIRING]));
    alerter.notify(&alert(2, AlertState::Resolved)).await.unwrap();
    assert_eq!((works.taken(), fails.taken()), (vec![FIRING, RESOLVED], vec![FIRING, RESOLVED]));
}

#[tokio::test(start_paused = true)]
async fn passing_trouble_is_retried_within_bounds_and_nobody_is_an_error() {
    let unsteady = Chat::failing([ErrorKind::Unavailable, ErrorKind::Timeout]);
    let alerter = Alerter::new(AlertPolicy::new()).with_notifier(unsteady.clone(), Severity::Info);
    alerter.notify(&alert(0, AlertState::Firing)).await.unwrap();
    assert_eq!((unsteady.taken(), unsteady.calls()), (vec![FIRING], 3));

    let away = Chat::failing([ErrorKind::Unavailable; 9]);
    let alerter = Alerter::new(AlertPolicy::new()).with_notifier(away.clone(), Severity::Info);
    let err = alerter.notify(&alert(0, AlertState::Firing)).await.unwrap_err();
    assert_eq!((err.kind(), away.calls()), (ErrorKind::Unavailable, 3));
}

#[tokio::test(start_paused = true)]
async fn a_notifier_that_hangs_takes_bounded_time_and_holds_up_no_other() {
    let (works, hangs) = (Chat::default(), Chat::hanging());
    let alerter = Alerter::new(AlertPolicy::new())
        .with_notifier(hangs.clone(), Severity::Info)
        .with_notifier(works.clone(), Severity::Info);
    let started = tokio::time::Instant::now();
    alerter.notify(&alert(0, AlertState::Firing)).await.unwrap();
    assert_eq!(started.elapsed(), Duration::from_secs(60));
    assert_eq!(works.taken(), [FIRING]);
    // What it did not take is due again.
    alerter.notify(&alert(1, AlertState::Firing)).await.unwrap_err();
    assert_eq!(hangs.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_delivery_is_due_again() {
    let hangs = Chat::hanging();
    let alerter = Alerter::new(AlertPolicy::new()).with_notifier(hangs.clone(), Severity::Info);
    for calls in 1..4 {
        let alert = alert(0, AlertState::Firing);
        assert!(tokio::time::timeout(Duration::from_secs(1), alerter.notify(&alert)).await.is_err());
        assert_eq!(hangs.calls(), calls);
    }
}

#[tokio::test(start_paused = true)]
async fn alerts_at_the_same_moment_are_told_once() {
    let chat = Chat::default();
    let alerter = Alerter::new(AlertPolicy::new()).with_notifier(chat.clone(), Severity::Info);
    let alerts: Vec<_> = (0..20).map(|_| alert(0, AlertState::Firing)).collect();
    futures::future::join_all(alerts.iter().map(|alert| alerter.notify(alert))).await;
    assert_eq!(chat.taken(), [FIRING]);
}

#[tokio::test(start_paused = true)]
async fn a_notifier_that_fails_or_hangs_never_fails_or_slows_a_backup() {
    for chat in [Chat::failing([ErrorKind::PermissionDenied; 99]), Chat::hanging()] {
        let alerter = Alerter::new(AlertPolicy::new()).with_notifier(chat.clone(), Severity::Info);
        let clock = ManualClock::at("2026-11-20T02:00:00Z");
        let alerts = AlertObserver::new("production/fake", alerter, clock.clone()).unwrap();
        let store = MemoryStore::new();
        let broken =
            Pipeline::new(FakeDumper::new("rows").fail_after(2, ErrorKind::ToolFailed), store.clone())
                .with_observer(alerts.clone());
        let err = broken.backup(BackupRequest::new()).await.unwrap_err();
        assert_eq!(err.kind(), ErrorKind::ToolFailed);
        let works = Pipeline::new(FakeDumper::new("rows"), store)
            .with_observer(alerts.clone())
            .with_clock(clock.clone());
        let started = tokio::time::Instant::now();
        for _ in 0..200 {
            clock.advance(TimeDelta::seconds(1));
            works.backup(BackupRequest::new()).await.unwrap();
        }
        assert!(started.elapsed() < Duration::from_secs(50));
        alerts.settle().await;
        assert!(chat.calls() > 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_backup_that_fails_is_told_and_so_is_the_next_that_succeeds() {
    let chat = Chat::default();
    let alerter = Alerter::new(AlertPolicy::new()).with_notifier(chat.clone(), Severity::Warning);
    let clock = ManualClock::at("2026-11-20T02:00:00Z");
    let alerts = AlertObserver::new("production/fake", alerter, clock.clone()).unwrap();
    let run = async |dumper: FakeDumper| {
        let pipeline = Pipeline::new(dumper, MemoryStore::new()).with_observer(alerts.clone());
        let made = pipeline.backup(BackupRequest::new()).await.is_ok();
        alerts.settle().await;
        made
    };
    assert!(run(FakeDumper::new("rows")).await);
    assert!(!run(FakeDumper::new("rows").fail_probe(ErrorKind::ConnectionFailed)).await);
    assert!(!run(FakeDumper::new("rows").fail_after(1, ErrorKind::ConnectionFailed)).await);
    assert!(run(FakeDumper::new("rows")).await);
    assert!(run(FakeDumper::new("rows")).await);
    assert_eq!(chat.taken(), [FIRING, RESOLVED]);
    let told = chat.taken.lock().unwrap();
    assert_eq!(
        (told[0].key.as_str(), told[0].code.as_str()),
        ("production/fake/backup", "database_connection_failed")
    );
    assert!(told[0].actions[0].starts_with("check that the server runs"), "{:?}", told[0].actions);
}

#[test]
fn an_observer_without_a_runtime_is_refused_and_does_not_panic() {
    let err =
        AlertObserver::new("a/b", Chat::default(), ManualClock::at("2026-11-20T02:00:00Z")).unwrap_err();
    assert_eq!(err.kind(), ErrorKind::InvalidInput);
}

#[tokio::test(start_paused = true)]
async fn a_report_is_told_and_what_is_well_again_too() {
    let clock = ManualClock::at("2026-11-20T02:00:00Z");
    let pipeline = Pipeline::new(FakeDumper::new("rows"), MemoryStore::new())
        .with_environment("production")
        .with_clock(clock.clone());
    pipeline.backup(BackupRequest::new()).await.unwrap();
    let policy = HealthPolicy::new();
    let chat = Chat::default();
    let alerter = Alerter::new(AlertPolicy::new()).with_notifier(chat.clone(), Severity::Critical);
    let report = async || {
        let report = pipeline.health(&policy).await.unwrap();
        alerter.report(&report).await.unwrap();
        report
    };
    assert_eq!(report().await.exit_code(), 0);
    assert_eq!(chat.taken(), []);
    clock.advance(TimeDelta::hours(49));
    assert_eq!(report().await.status, Status::Critical);
    report().await;
    assert_eq!(chat.taken(), [FIRING]);
    assert_eq!(chat.taken.lock().unwrap()[0].key, "production/fake/health/age");
    pipeline.backup(BackupRequest::new()).await.unwrap();
    assert_eq!(report().await.status, Status::Ok);
    report().await;
    assert_eq!(chat.taken(), [FIRING, RESOLVED]);
}

#[tokio::test]
async fn a_listing_that_breaks_off_is_an_error_and_never_no_backups() {
    for fault in ["fail", "break off"] {
        let store = FaultyStore::new(MemoryStore::new());
        let pipeline = Pipeline::new(FakeDumper::new("rows"), store.clone());
        pipeline.backup(BackupRequest::new()).await.unwrap();
        let next = store.calls(StoreOp::List) + 1;
        let store = match fault {
            "fail" => store.fail_on(StoreOp::List, next, ErrorKind::PermissionDenied),
            _ => store.lose_ack(StoreOp::List, next),
        };
        let err = pipeline.health(&HealthPolicy::new()).await.unwrap_err();
        let expected = if fault == "fail" { ErrorKind::PermissionDenied } else { ErrorKind::Unavailable };
        assert_eq!(err.kind(), expected, "{fault}");
        store.heal();
        assert_eq!(pipeline.health(&HealthPolicy::new()).await.unwrap().exit_code(), 0);
    }
}

#[tokio::test]
async fn a_store_that_cannot_be_asked_for_its_space_makes_the_report_unknown() {
    let store = FaultyStore::new(MemoryStore::new());
    let pipeline = Pipeline::new(FakeDumper::new("rows"), store.clone());
    pipeline.backup(BackupRequest::new()).await.unwrap();
    let next = store.calls(StoreOp::Space) + 1;
    let _store = store.fail_on(StoreOp::Space, next, ErrorKind::PermissionDenied);
    let report = pipeline.health(&HealthPolicy::new()).await.unwrap();
    let space = report.checks.iter().find(|check| check.name == "space").unwrap();
    assert_eq!((space.status, report.exit_code()), (CheckStatus::Unknown, 3), "{report}");
}
