//! A service on fakes, and what is sent to it.

use backup_core::{
    BackupRef, DumperInfo, Filter, MemoryStore, Pipeline, Retention, Store,
    health::HealthPolicy,
    protocol::{Environment, Service},
    retention::Period,
    testkit::{clock::ManualClock, fake::FakeDumper, fake_restorer::FakeRestorer},
};
use chrono::TimeDelta;
use serde_json::{Value, json};

pub(crate) const REQUESTS: &str = include_str!("../golden/protocol-requests.ndjson");

/// The requests of the golden file.
pub(crate) fn golden() -> Vec<Value> {
    REQUESTS.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

pub(crate) fn restorer() -> FakeRestorer {
    FakeRestorer::new(DumperInfo::new("fake", "blob", "blob"))
}

pub(crate) fn dumper() -> FakeDumper {
    FakeDumper::new("all the rows")
}

pub(crate) struct World<S> {
    pub(crate) service: Service,
    pub(crate) store: S,
    pub(crate) clock: ManualClock,
    pub(crate) production: FakeRestorer,
    pub(crate) staging: FakeRestorer,
}

impl World<MemoryStore> {
    pub(crate) fn new() -> Self {
        Self::on(MemoryStore::new())
    }
}

impl<S: Store + Clone> World<S> {
    /// Production and staging on one store, each with a target `shop`.
    pub(crate) fn on(store: S) -> Self {
        let clock = ManualClock::at("2026-11-20T02:00:00Z");
        let (production, staging) = (restorer(), restorer());
        let environment = |target: &FakeRestorer| {
            let pipeline = Pipeline::new(dumper(), store.clone()).with_clock(clock.clone());
            let policy = Retention::new().keep_last_of(Period::Each, 2).with_max_deleted_percent(60);
            let mut health = HealthPolicy::new();
            health.proven_within_days.clear();
            Environment::new(pipeline)
                .with_target("shop", target.clone())
                .with_retention(policy)
                .unwrap()
                .with_health(health)
        };
        let service = Service::new()
            .with_clock(clock.clone())
            .with_environment("production", environment(&production))
            .with_environment("staging", environment(&staging));
        Self { service, store, clock, production, staging }
    }

    pub(crate) async fn send(&self, request: Value) -> Value {
        send(&self.service, request).await
    }

    /// Makes a backup a day, and gives their names, the oldest first.
    pub(crate) async fn backups(&self, environment: &str, count: usize) -> Vec<String> {
        let mut names = Vec::new();
        for _ in 0..count {
            let made = self.send(json!({ "operation": "create-backup", "environment": environment })).await;
            assert_eq!(made["status"], "ok", "{made}");
            names.push(made["result"]["backup"].as_str().unwrap().to_owned());
            self.clock.advance(TimeDelta::days(1));
        }
        names
    }

    /// What the store holds, whoever asks.
    pub(crate) async fn listed(&self) -> Vec<BackupRef> {
        let listing = Pipeline::for_store(self.store.clone()).list(&Filter::all()).await.unwrap();
        assert!(listing.damaged.is_empty(), "{:?}", listing.damaged);
        listing.entries.iter().map(|entry| entry.manifest.backup_ref()).collect()
    }
}

/// The one line that answers a request.
pub(crate) async fn send(service: &Service, request: Value) -> Value {
    answer(&service.handle_json(request.to_string()).await)
}

/// An answer as it was written, which keeps the rules that all answers keep.
pub(crate) fn answer(line: &str) -> Value {
    assert!(!line.contains('\n'), "{line}");
    let answer: Value = serde_json::from_str(line).unwrap();
    match answer["status"].as_str().unwrap() {
        "ok" => assert!(answer["result"].is_object() && answer["error"].is_null(), "{line}"),
        "warning" => assert!(!answer["warnings"].as_array().unwrap().is_empty(), "{line}"),
        "refused" | "error" => {
            assert!(!answer["error"].as_str().unwrap().is_empty(), "{line}");
            assert!(answer["code"].is_string() && answer["retry_recommended"].is_boolean(), "{line}");
            assert!(answer["recovery"]["suggestions"].is_array(), "{line}");
        }
        other => panic!("{other} is no status"),
    }
    answer
}

/// Its status and code.
pub(crate) fn code(answer: &Value) -> (&str, &str) {
    (answer["status"].as_str().unwrap(), answer["code"].as_str().unwrap_or_default())
}

pub(crate) fn suggestions(answer: &Value) -> String {
    answer["recovery"]["suggestions"].to_string()
}
