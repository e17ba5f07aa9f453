//! A clock that goes with paused time and can be set, a database that fails as told, and people who listen.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use backup_core::{
    Alert, AlertState, Clock, Dump, Dumper, DumperInfo, Entry, Error, ErrorKind, Filter, MemoryStore,
    Notifier, Pipeline, Prefix, Result, Schedule, Severity, SourceInfo, Store,
    compress::Identity,
    scheduler::{Job, JobStatus},
    testkit::fake::FakeDumper,
};
use chrono::{DateTime, TimeDelta, Utc};
use futures::TryStreamExt;
use tokio::time::Instant;

/// Shows a given time at its start, and then goes as fast as Tokio's time does.
#[derive(Debug, Clone)]
pub(crate) struct TestClock {
    start: Instant,
    base: Arc<Mutex<DateTime<Utc>>>,
}

impl TestClock {
    pub(crate) fn at(now: &str) -> Self {
        Self { start: Instant::now(), base: Arc::new(Mutex::new(utc(now))) }
    }

    /// Sets the clock, as an administrator does.
    pub(crate) fn jump(&self, by: TimeDelta) {
        *self.base.lock().unwrap() += by;
    }
}

impl Clock for TestClock {
    fn now(&self) -> DateTime<Utc> {
        *self.base.lock().unwrap() + TimeDelta::from_std(self.start.elapsed()).unwrap()
    }
}

/// A dump, and how long it takes until its first byte. Its body must not wait: time that is paused stands still while a
/// blocking thread waits for bytes.
pub(crate) type Next = (Duration, FakeDumper);

/// A database whose first dumps are as they were told, and all others good.
#[derive(Debug, Clone)]
pub(crate) struct Shop {
    name: String,
    next: Arc<Mutex<VecDeque<Next>>>,
    pub(crate) dumps: Arc<AtomicUsize>,
}

pub(crate) fn good() -> FakeDumper {
    FakeDumper::new("all the rows of the shop")
}

pub(crate) fn failing(kind: ErrorKind) -> Next {
    (Duration::ZERO, good().fail_after(5, kind))
}

pub(crate) fn hanging() -> Next {
    (Duration::ZERO, good().hang_after(5))
}

pub(crate) fn slow(seconds: u64) -> Next {
    (Duration::from_secs(seconds), good())
}

impl Shop {
    pub(crate) fn new(dumps: impl IntoIterator<Item = Next>) -> Self {
        Self {
            name: "shop".to_owned(),
            next: Arc::new(Mutex::new(dumps.into_iter().collect())),
            dumps: Arc::default(),
        }
    }

    pub(crate) fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// Adds what the next dumps are like.
    pub(crate) fn then(&self, dumps: impl IntoIterator<Item = Next>) {
        self.next.lock().unwrap().extend(dumps);
    }
}

#[async_trait]
impl Dumper for Shop {
    fn info(&self) -> DumperInfo {
        good().info()
    }

    async fn probe(&self) -> Result<SourceInfo> {
        Ok(SourceInfo::new(&*self.name))
    }

    async fn dump(&self) -> Result<Dump> {
        self.dumps.fetch_add(1, Ordering::SeqCst);
        let next = self.next.lock().unwrap().pop_front();
        let (delay, dumper) = next.unwrap_or_else(|| slow(0));
        tokio::time::sleep(delay).await;
        dumper.with_source(SourceInfo::new(&*self.name)).dump().await
    }
}

/// Writes down what it is told; fails so often first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ears {
    heard: Arc<Mutex<Vec<Alert>>>,
    deaf: Arc<AtomicUsize>,
}

impl Ears {
    pub(crate) fn deaf_for(times: usize) -> Self {
        Self { heard: Arc::default(), deaf: Arc::new(AtomicUsize::new(times)) }
    }

    pub(crate) fn alerts(&self) -> Vec<Alert> {
        self.heard.lock().unwrap().clone()
    }

    pub(crate) fn heard(&self) -> Vec<(AlertState, Severity)> {
        self.alerts().iter().map(|alert| (alert.state, alert.severity)).collect()
    }
}

#[async_trait]
impl Notifier for Ears {
    async fn notify(&self, alert: &Alert) -> Result<()> {
        if self.deaf.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
            return Err(Error::new(ErrorKind::Unavailable, "nobody listens"));
        }
        self.heard.lock().unwrap().push(alert.clone());
        Ok(())
    }
}

pub(crate) fn utc(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

pub(crate) fn pipeline(shop: &Shop, store: &(impl Store + Clone), clock: &TestClock) -> Pipeline {
    Pipeline::new(shop.clone(), store.clone())
        .with_environment("production")
        .with_compressor(Identity)
        .with_clock(clock.clone())
}

pub(crate) fn job(pipeline: &Pipeline, schedule: &str) -> Job {
    Job::new("shop", pipeline.clone(), schedule.parse::<Schedule>().unwrap())
}

/// The backups of a store, the oldest first.
pub(crate) async fn backups(pipeline: &Pipeline) -> Vec<Entry> {
    let mut entries = pipeline.list(&Filter::all()).await.unwrap().entries;
    entries.reverse();
    entries
}

/// When the dumps of all backups were started, to the minute.
pub(crate) async fn made(pipeline: &Pipeline) -> Vec<String> {
    let minute = |entry: Entry| entry.manifest.created_at.format("%m-%d %H:%M").to_string();
    backups(pipeline).await.into_iter().map(minute).collect()
}

/// Every key that belongs to no backup.
pub(crate) async fn strays(store: &MemoryStore, pipeline: &Pipeline) -> Vec<String> {
    let ids: Vec<_> =
        backups(pipeline).await.into_iter().map(|entry| entry.manifest.id.to_string()).collect();
    let keys: Vec<String> =
        store.list(&Prefix::root()).map_ok(|object| object.key.to_string()).try_collect().await.unwrap();
    keys.into_iter().filter(|key| key.contains(".claim.") || !ids.iter().any(|id| key.contains(id))).collect()
}

pub(crate) async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}

pub(crate) fn hours(hours: u64) -> Duration {
    Duration::from_secs(hours * 3600)
}

pub(crate) fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(minutes * 60)
}

/// What came of each run of the only job: `made`, the code of the error, or `cancelled`.
pub(crate) fn outcomes(status: &[JobStatus]) -> Vec<String> {
    let outcome = |run: &backup_core::scheduler::Run| match (run.outcome.error(), run.outcome.backup()) {
        (Some(error), None) => error.code().to_owned(),
        (Some(error), Some(_)) => format!("unproven: {}", error.code()),
        (None, Some(_)) => "made".to_owned(),
        (None, None) => "cancelled".to_owned(),
    };
    status[0].runs.iter().map(outcome).collect()
}
