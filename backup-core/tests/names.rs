//! Backups that are named by a template.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::time::Duration;

use backup_core::{
    BackupRef, ErrorKind, Key, Kind, Level, MemoryStore, Pipeline, Prefix, Retention, SourceInfo, Store,
    catalog,
    manifest::IdTemplate,
    pipeline::{BackupRequest, Confirmation},
    retention::Period,
    testkit::{
        clock::ManualClock,
        fake::FakeDumper,
        faults::{FaultyStore, StoreOp},
    },
};
use chrono::TimeDelta;
use futures::TryStreamExt;

fn pipeline(store: impl Store, clock: &ManualClock, database: &str, template: &str) -> Pipeline {
    Pipeline::new(FakeDumper::new("rows").with_source(SourceInfo::new(database)), store)
        .with_environment("production")
        .with_clock(clock.clone())
        .with_name_template(template.parse().unwrap())
}

fn clock() -> ManualClock {
    ManualClock::at("2026-11-20T02:03:04Z")
}

async fn keys(store: &MemoryStore) -> Vec<String> {
    let mut keys: Vec<_> =
        store.list(&Prefix::root()).map_ok(|object| object.key.to_string()).try_collect().await.unwrap();
    // What is left of a lease on purpose, so that its numbers go on.
    keys.retain(|key| !key.starts_with("leases/"));
    keys
}

#[tokio::test]
async fn objects_bear_the_name_that_the_template_makes() {
    for (template, database, label, expected) in [
        ("{database}-{date}-{kind}", "shop", None, "shop-20261120-daily"),
        ("{environment}_{database}_{date}_{time}", "shop", None, "production_shop_20261120_020304"),
        ("v2-{date}-{label}", "shop", Some("big"), "v2-20261120-big"),
        ("v2-{date}-{label}", "shop", None, "v2-20261120"),
        ("{database}-{label}-{date}", "shop", None, "shop-20261120"),
        ("{database}-{date}", "my shop/ä.1", None, "my_20shop_2F_C3_A4_2E1-20261120"),
        ("{database}-{date}", "-rf", None, "rf-20261120"),
    ] {
        let (store, clock) = (MemoryStore::new(), clock());
        let pipeline = pipeline(store.clone(), &clock, database, template);
        let mut request = BackupRequest::new().with_kind(Kind::Daily);
        request.label = label.map(str::to_owned);
        let backup = pipeline.backup(request).await.unwrap().backup;
        assert_eq!(backup.id.as_str(), expected, "{template}");
        let found = catalog::find(&**pipeline.catalog(), expected).await.unwrap();
        assert_eq!(found.manifest.backup_ref(), backup);
        assert!(found.manifest.artifact.key.name().starts_with(&format!("{expected}.blob")), "{template}");
        assert!(pipeline.verify(&backup, Level::Decoded).await.unwrap().evidence.passed());
        // Without its manifest it is an orphan by its name: the artifact and two notes.
        store.delete(&Key::parse(format!("{backup}.manifest.json")).unwrap()).await.unwrap();
        assert_eq!(pipeline.orphans().await.unwrap().objects, 3, "{template}");
        let other = Pipeline::for_store(store).with_name_template("x-{date}".parse().unwrap());
        assert_eq!(other.orphans().await.unwrap().objects, 0, "somebody's own");
    }
}

#[tokio::test]
async fn several_of_one_day_are_numbered_and_a_number_is_not_given_again() {
    let (store, clock) = (MemoryStore::new(), clock());
    let pipeline = pipeline(store.clone(), &clock, "shop", "{database}-{date}");
    let mut ids = Vec::new();
    for hour in 0..3 {
        ids.push(pipeline.backup(BackupRequest::new()).await.unwrap().backup.id.to_string());
        clock.advance(TimeDelta::hours(1) + TimeDelta::seconds(hour));
    }
    assert_eq!(ids, ["shop-20261120", "shop-20261120-2", "shop-20261120-3"]);
    let first: BackupRef = "production/shop/shop-20261120".parse().unwrap();
    pipeline.delete(&first, Confirmation::Confirmed).await.unwrap();
    assert_eq!(pipeline.backup(BackupRequest::new()).await.unwrap().backup.id.as_str(), "shop-20261120-4");
    // Retention orders by time, where `-10` would come before `-2` by name.
    let policy = Retention::new().keep_last_of(Period::Each, 2);
    let pipeline = pipeline.with_retention(policy).unwrap();
    for _ in 0..8 {
        clock.advance(TimeDelta::minutes(1));
        pipeline.backup(BackupRequest::new()).await.unwrap();
    }
    let mut left: Vec<_> =
        keys(&store).await.into_iter().filter(|key| key.ends_with(".manifest.json")).collect();
    left.sort();
    assert_eq!(left, ["11", "12"].map(|n| format!("production/shop/shop-20261120-{n}.manifest.json")));
    assert_eq!(pipeline.orphans().await.unwrap().objects, 0);
}

#[tokio::test]
async fn ten_at_once_get_ten_names() {
    let (store, clock) = (MemoryStore::new(), clock());
    let pipeline = pipeline(store.clone(), &clock, "shop", "{database}-{date}-{kind}");
    let made = futures::future::join_all((0..10).map(|_| pipeline.backup(BackupRequest::new()))).await;
    let ids: std::collections::BTreeSet<_> = made.into_iter().map(|made| made.unwrap().backup.id).collect();
    assert_eq!(ids.len(), 10);
}

#[tokio::test]
async fn what_a_cut_off_backup_left_is_swept_under_any_name() {
    let (store, clock) = (MemoryStore::new(), clock());
    let locked = (1..20).fold(FaultyStore::new(store.clone()), |store, nth| {
        store.fail_on(StoreOp::Delete, nth, ErrorKind::PermissionDenied)
    });
    // What is read back is not what was written, and nothing can be removed.
    let failing = pipeline(locked.corrupt_read(2), &clock, "shop", "{database}-{date}");
    failing.backup(BackupRequest::new()).await.unwrap_err();
    assert!(keys(&store).await.iter().any(|key| key.starts_with("production/shop/shop-20261120.blob")));
    let healthy = pipeline(store.clone(), &clock, "shop", "{database}-{date}");
    assert_eq!(healthy.orphans().await.unwrap().objects, 0, "a claim explains it");
    // By the clock of the store, which is the system's.
    Pipeline::for_store(store.clone()).sweep(Duration::ZERO).await.unwrap();
    let left = keys(&store).await;
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_template_that_can_be_misunderstood_is_refused() {
    for template in [
        "",
        "{database}",
        "{database}-{kind}-{time}",
        "{database}-{day}",
        "{database}-{date",
        "{database}/{date}",
        "{database}.{date}",
        "{date}}",
        "{{date}}",
        "-{date}",
        "_{date}",
        "{label}-{date}",
        "ä-{date}",
        "{Database}-{date}",
    ] {
        let err = template.parse::<IdTemplate>().unwrap_err();
        assert!(err.kind() == ErrorKind::InvalidInput && !err.suggestions().is_empty(), "{template}: {err}");
    }
}

#[tokio::test]
async fn a_name_that_is_too_long_is_refused_before_anything_is_done() {
    let (store, clock) = (MemoryStore::new(), clock());
    let long = format!("{}-{{date}}-{{label}}", "x".repeat(100));
    let pipeline = pipeline(store.clone(), &clock, "shop", &long);
    let err = pipeline.backup(BackupRequest::new().with_label("a-long-label")).await.unwrap_err();
    assert!(err.kind() == ErrorKind::InvalidInput && err.to_string().contains("template"), "{err}");
    assert!(keys(&store).await.is_empty());
}
