//! Retention on a real pipeline: carried out, cut off at each step, by two at once, and through a bad year.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use backup_core::{
    Annotation, BackupRef, Catalog, Clock, Entry, ErrorKind, Event, Evidence, Filter, GetOptions, Key, Lease,
    LeaseHeld, Level, MemoryStore, Note, Operation, Pipeline, Prefix, PutOptions, Retention, Store,
    StoreCatalog, StoreExt, Verdict,
    compress::Identity,
    health::{CheckStatus, HealthPolicy},
    pipeline::{BackupRequest, Confirmation, PruneInterrupted, SpareReason},
    retention::{Period, Plan},
    testkit::{
        clock::ManualClock,
        fake::FakeDumper,
        faults::{FaultyStore, StoreOp},
    },
};
use chrono::{DateTime, TimeDelta, Utc};
use futures::{FutureExt, TryStreamExt};

#[path = "prune/lease.rs"]
mod lease;
#[path = "prune/look.rs"]
mod look;
#[path = "prune/meanwhile.rs"]
mod meanwhile;

const CONFIRMED: Confirmation = Confirmation::Confirmed;

fn clock() -> ManualClock {
    ManualClock::at("2026-03-01T02:00:00Z")
}

fn pipeline(store: impl Store, clock: &ManualClock) -> Pipeline {
    Pipeline::new(FakeDumper::new("all the rows"), store)
        .with_environment("production")
        .with_compressor(Identity)
        .with_clock(clock.clone())
        .with_stall_timeout(Duration::from_secs(30))
}

fn last(count: u32) -> Retention {
    Retention::new().keep_last_of(Period::Each, count).with_max_deleted_percent(100)
}

/// A store with a backup of each of `days` days, the oldest first.
async fn made(days: usize) -> (MemoryStore, ManualClock, Vec<BackupRef>) {
    let (store, clock) = (MemoryStore::new(), clock());
    let mut backups = Vec::new();
    for _ in 0..days {
        backups.push(pipeline(store.clone(), &clock).backup(BackupRequest::new()).await.unwrap().backup);
        clock.advance(TimeDelta::days(1));
    }
    (store, clock, backups)
}

async fn copy(store: &MemoryStore) -> MemoryStore {
    let copy = MemoryStore::new();
    for key in keys(store).await {
        let key = Key::parse(key).unwrap();
        let body = store.get(&key, GetOptions::default()).await.unwrap().body;
        copy.put(&key, body, PutOptions::default()).await.unwrap();
    }
    copy
}

async fn keys(store: &MemoryStore) -> Vec<String> {
    let mut keys: Vec<_> =
        store.list(&Prefix::root()).map_ok(|object| object.key.to_string()).try_collect().await.unwrap();
    // What is left of a lease on purpose, so that its numbers go on.
    keys.retain(|key| !key.starts_with("leases/"));
    keys
}

async fn listed(store: &MemoryStore) -> BTreeSet<BackupRef> {
    let listing = Pipeline::for_store(store.clone()).list(&Filter::all()).await.unwrap();
    assert!(listing.damaged.is_empty(), "{:?}", listing.damaged);
    listing.entries.iter().map(|entry| entry.manifest.backup_ref()).collect()
}

async fn plan(pipeline: &Pipeline, policy: &Retention) -> Plan {
    pipeline.plan_prune(policy, &Filter::all()).await.unwrap()
}

/// Each backup that is listed is whole, and these are among them.
async fn check_whole(store: &MemoryStore, needed: &[BackupRef], case: &str) {
    let listed = listed(store).await;
    assert!(needed.iter().all(|backup| listed.contains(backup)), "{case}: {listed:?}");
    for backup in listed {
        let proof = Pipeline::for_store(store.clone()).verify(&backup, Level::Decoded).await.unwrap();
        assert!(proof.evidence.passed(), "{case}: {:?}", proof.evidence.findings);
    }
}

/// Just these are there, and nothing else is in the store.
async fn check_only(store: &MemoryStore, expected: &[BackupRef], case: &str) {
    assert_eq!(listed(store).await, expected.iter().cloned().collect(), "{case}");
    let keys = keys(store).await;
    let belongs = |key: &String| expected.iter().any(|backup| key.starts_with(&format!("{backup}.")));
    assert!(keys.iter().all(belongs), "{case}: {keys:?}");
}

#[tokio::test]
async fn a_plan_changes_nothing_and_is_carried_out_only_when_confirmed() {
    let (store, clock, backups) = made(5).await;
    let deleted = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&deleted);
    let mirror = StoreCatalog::new(copy(&store).await);
    let pipeline = pipeline(store.clone(), &clock).with_mirror(mirror.clone()).with_observer(
        move |event: &Event<'_>| {
            if let Event::Deleted { operation: Operation::Prune, backup, bytes } = event {
                seen.lock().unwrap().push(((*backup).clone(), *bytes));
            }
        },
    );
    let before = keys(&store).await;
    let plan = plan(&pipeline, &last(2)).await;
    assert_eq!(plan.deletions().count(), 3);
    let err = pipeline.prune(&plan, Confirmation::Missing).await.unwrap_err();
    assert_eq!((err.kind(), keys(&store).await), (ErrorKind::NotConfirmed, before));

    let report = pipeline.prune(&plan, CONFIRMED).await.unwrap();
    let names: Vec<_> = report.deleted.iter().map(|pruned| pruned.backup.clone()).collect();
    assert_eq!(names, backups[..3], "the oldest first");
    assert_eq!(
        *deleted.lock().unwrap(),
        report.deleted.iter().map(|p| (p.backup.clone(), p.bytes)).collect::<Vec<_>>()
    );
    assert!(report.freed_bytes > 0 && report.freed_bytes == plan.freed_bytes());
    check_only(&store, &backups[3..], "pruned").await;
    let mirrored: Vec<_> = mirror.list(&Filter::all()).try_collect().await.unwrap();
    assert_eq!(mirrored.len(), 2);
    let again = pipeline.plan_prune(&last(2), &Filter::all()).await.unwrap();
    assert_eq!(again.deletions().count(), 0);
}

#[tokio::test]
async fn a_plan_that_is_not_of_this_catalog_or_too_large_deletes_nothing() {
    let (store, clock, _) = made(6).await;
    let pipeline = pipeline(store.clone(), &clock);
    let old = plan(&pipeline, &last(3)).await;
    let forged = serde_json::to_value(&old).unwrap();
    let forged: Plan =
        serde_json::from_str(&forged.to_string().replace("\"keep_last\":3", "\"keep_last\":1")).unwrap();
    let large = plan(&pipeline, &last(1).with_max_deleted_percent(50)).await;
    let before = keys(&store).await;
    assert_eq!(pipeline.prune(&forged, CONFIRMED).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(pipeline.prune(&large, CONFIRMED).await.unwrap_err().kind(), ErrorKind::NotConfirmed);
    assert_eq!(keys(&store).await, before);
    let newest = pipeline.backup(BackupRequest::new()).await.unwrap().backup;
    let before = keys(&store).await;
    let err = pipeline.prune(&old, CONFIRMED).await.unwrap_err();
    assert!(err.kind() == ErrorKind::InvalidInput && PruneInterrupted::report(&err).is_none(), "{err}");
    assert_eq!(keys(&store).await, before);
    // By the word of a plan that was looked at.
    pipeline.prune(&plan(&pipeline, &last(1)).await, CONFIRMED).await.unwrap();
    check_only(&store, &[newest], "all but one").await;
}

#[tokio::test]
async fn a_listing_that_is_not_whole_is_no_ground_for_a_plan() {
    let (store, clock, backups) = made(4).await;
    let broken = FaultyStore::new(store.clone()).lose_ack(StoreOp::List, 1);
    let err = pipeline(broken, &clock).plan_prune(&last(1), &Filter::all()).await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::Unavailable);

    let manifest = Key::parse(format!("{}.manifest.json", backups[3])).unwrap();
    store.delete(&manifest).await.unwrap();
    store.put_bytes(&manifest, "{").await.unwrap();
    let pipeline = pipeline(store.clone(), &clock);
    let err = pipeline.plan_prune(&last(1), &Filter::all()).await.unwrap_err();
    assert!(err.kind() == ErrorKind::Corrupt && err.to_string().contains(manifest.as_str()), "{err}");
    // Another series is not concerned.
    let other = Filter::all().with_environment("staging");
    pipeline.plan_prune(&last(1), &other).await.unwrap();
    let kind = Filter::all().with_kind(backup_core::Kind::Daily);
    assert_eq!(pipeline.plan_prune(&last(1), &kind).await.unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[tokio::test]
async fn what_changes_between_two_deletions_is_seen() {
    for case in ["held", "failed"] {
        let (store, clock, backups) = made(5).await;
        let catalog = StoreCatalog::new(store.clone());
        let (held, newest, now) = (backups[2].clone(), backups[4].clone(), clock.now());
        // As soon as the first one is gone.
        let observer = move |event: &Event<'_>| {
            if let Event::Deleted { .. } = event {
                let (backup, note) = match case {
                    "held" => (&held, Note::Held { reason: "audit".to_owned() }),
                    _ => (&newest, Note::Verified(failed(now))),
                };
                catalog.annotate(backup, &Annotation::new(now, note)).now_or_never().unwrap().unwrap();
            }
        };
        let pipeline = pipeline(store.clone(), &clock).with_observer(observer);
        let report = pipeline.prune(&plan(&pipeline, &last(1)).await, CONFIRMED).await.unwrap();
        let spared: Vec<_> =
            report.spared.iter().map(|spared| (spared.backup.clone(), spared.reason)).collect();
        if case == "held" {
            assert_eq!(spared, [(backups[2].clone(), SpareReason::Held)]);
            check_only(&store, &[backups[2].clone(), backups[4].clone()], case).await;
        } else {
            let all = backups[1..4].iter().map(|backup| (backup.clone(), SpareReason::NoSuccessor));
            assert_eq!(spared, all.collect::<Vec<_>>());
        }
    }
}

fn failed(at: DateTime<Utc>) -> Evidence {
    serde_json::from_value(serde_json::json!({
        "level": "equal", "result": "failed", "started_at": at, "duration_ms": 1, "bytes_read": 1,
        "library_version": "0"
    }))
    .unwrap()
}

#[tokio::test]
async fn a_prune_that_is_cut_off_at_any_call_loses_nothing_good_and_a_rerun_completes_it() {
    let (base, clock, backups) = made(5).await;
    let (mut failed, mut partial) = (0, 0);
    for op in [StoreOp::Put, StoreOp::Get, StoreOp::Head, StoreOp::Delete, StoreOp::List] {
        for nth in 1..=24 {
            for fault in ["unavailable", "denied", "killed", "lost acknowledgement"] {
                let case = format!("call {nth} of {op:?}: {fault}");
                let store = copy(&base).await;
                let plan = plan(&pipeline(store.clone(), &clock), &last(2)).await;
                let faulty = FaultyStore::new(store.clone());
                let faulty = match fault {
                    "unavailable" => faulty.fail_on(op, nth, ErrorKind::Unavailable),
                    "denied" => faulty.fail_on(op, nth, ErrorKind::PermissionDenied),
                    "killed" => faulty.hang(op, nth),
                    _ => faulty.lose_ack(op, nth),
                };
                let pruning = pipeline(faulty.clone(), &clock);
                let pruned = pruning.prune(&plan, CONFIRMED);
                // What hangs is dropped where it hangs, as a killed process is.
                if let Ok(Err(err)) = tokio::time::timeout(Duration::from_millis(60), pruned).await {
                    failed += 1;
                    assert_ne!(err.kind(), ErrorKind::Unexpected, "{case}: {err}");
                    let done = PruneInterrupted::report(&err).map_or(0, |report| report.deleted.len());
                    let left = listed(&store).await.len();
                    assert!(left <= 5 - done, "{case}: {left} are left, {done} were reported as deleted");
                    partial += usize::from(done > 0);
                }
                check_whole(&store, &backups[3..], &case).await;
                let healthy = pipeline(store.clone(), &clock);
                let rerun = healthy.plan_prune(&last(2), &Filter::all()).await.unwrap();
                healthy.prune(&rerun, CONFIRMED).await.unwrap();
                check_only(&store, &backups[3..], &case).await;
            }
        }
    }
    assert!(failed > 60 && partial > 20, "the faults must hit: {failed}, {partial}");
}

#[tokio::test]
async fn retention_follows_a_backup_and_its_failure_is_a_warning() {
    let (store, clock, backups) = made(3).await;
    let report = pipeline(store.clone(), &clock)
        .with_retention(last(3))
        .unwrap()
        .backup(BackupRequest::new())
        .await
        .unwrap();
    let pruned = report.retention.unwrap();
    assert_eq!(pruned.deleted[0].backup, backups[0]);
    assert_eq!((pruned.deleted.len(), report.warnings.len()), (1, 0));

    clock.advance(TimeDelta::days(1));
    let locked = (2..40).fold(FaultyStore::new(store.clone()), |store, nth| {
        store.fail_on(StoreOp::Delete, nth, ErrorKind::PermissionDenied)
    });
    let report =
        pipeline(locked, &clock).with_retention(last(1)).unwrap().backup(BackupRequest::new()).await.unwrap();
    assert!(report.warnings[0].starts_with("retention did not run to its end"), "{:?}", report.warnings);
    let partial = report.retention.unwrap();
    assert_eq!((partial.deleted.len(), partial.failed.len(), partial.left), (0, 3, 0));
    check_whole(&store, &[report.backup], "locked").await;
    assert_eq!(listed(&store).await.len(), 4, "locked objects stay, with their manifests");
    let err = pipeline(store, &clock).with_retention(Retention::new()).unwrap_err();
    assert_eq!(err.kind(), ErrorKind::InvalidInput);
}

struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// The newest backup that is proven, as deep as each level, by the annotations alone.
fn proofs(entries: &[Entry], now: DateTime<Utc>) -> BTreeSet<BackupRef> {
    let is_good = |entry: &&Entry| {
        let rows = entry.manifest.inventory.as_ref().map(backup_core::Inventory::rows);
        entry.manifest.created_at <= now && rows != Some(0) && !entry.is_being_deleted()
    };
    let newest = |level: Level| {
        let proven = entries.iter().filter(is_good).filter(|entry| {
            let last = entry.annotations.iter().rev().find_map(|annotation| match &annotation.note {
                Note::Verified(evidence) => Some(evidence),
                _ => None,
            });
            // In this year a failed backup never passes again.
            last.is_some_and(|evidence| evidence.result == Verdict::Passed)
                && entry.proven().is_some_and(|evidence| evidence.level >= level)
        });
        proven.max_by_key(|entry| entry.manifest.created_at).map(|entry| entry.manifest.backup_ref())
    };
    [Level::Present, Level::Digest, Level::Decoded].into_iter().filter_map(newest).collect()
}

#[tokio::test]
async fn a_bad_year_never_loses_the_newest_proven_backup_and_ends_as_the_policy_says() {
    for seed in [1, 2, 3] {
        bad_year(seed).await;
    }
}

async fn bad_year(seed: u64) {
    let (mut random, store, clock) = (Random(seed), MemoryStore::new(), clock());
    let policy = Retention::new()
        .keep_last_of(Period::Daily, 7)
        .keep_last_of(Period::Weekly, 4)
        .keep_last_of(Period::Monthly, 6)
        .with_max_deleted_percent(100);
    let mut stopped = 0;
    let mut deleted = 0;
    for day in 0..365 {
        let case = format!("seed {seed}, day {day}");
        clock.advance(TimeDelta::hours(24) + TimeDelta::minutes(random.below(40).cast_signed() - 20));
        if random.below(40) == 0 {
            clock.advance(TimeDelta::days([-2, -1, 40, 3][usize::try_from(random.below(4)).unwrap()]));
        }
        if random.below(60) == 0 {
            stopped = 10 + random.below(40);
        }
        stopped = stopped.saturating_sub(1);
        if stopped == 0 {
            let rows = if random.below(12) == 0 { 0 } else { 5 };
            let table = backup_core::TableInventory::new("public.orders", rows, rows);
            let dumper =
                FakeDumper::new("all the rows").with_inventory(backup_core::Inventory::new(vec![table]));
            let fails = random.below(5) == 0;
            let dumper = if fails { dumper.fail_after(3, ErrorKind::ToolFailed) } else { dumper };
            let made = Pipeline::new(dumper, store.clone())
                .with_environment("production")
                .with_compressor(Identity)
                .with_clock(clock.clone())
                .backup(BackupRequest::new())
                .await;
            assert_eq!(made.is_err(), fails, "{case}");
        }
        let healthy = pipeline(store.clone(), &clock);
        let entries = healthy.list(&Filter::all()).await.unwrap().entries;
        if let Some(entry) = entries.get(usize::try_from(random.below(8)).unwrap()) {
            let backup = entry.manifest.backup_ref();
            match random.below(10) {
                0 => {
                    // The disk forgets a bit, and somebody notices.
                    store.delete(&entry.manifest.artifact.key).await.unwrap();
                    let bytes = vec![0; usize::try_from(entry.manifest.artifact.size).unwrap()];
                    store.put_bytes(&entry.manifest.artifact.key, bytes).await.unwrap();
                    let proof = healthy.verify(&backup, Level::Digest).await.unwrap();
                    assert!(!proof.evidence.passed(), "{case}");
                }
                1 | 2 if entry.proven().is_some() => {
                    healthy.verify(&backup, Level::Decoded).await.unwrap();
                }
                _ => {}
            }
        }
        let before = healthy.list(&Filter::all()).await.unwrap().entries;
        let needed = proofs(&before, clock.now());
        let plan = plan(&healthy, &policy).await;
        if random.below(4) == 0 {
            let op = [StoreOp::Put, StoreOp::Delete, StoreOp::Get, StoreOp::List]
                [usize::try_from(random.below(4)).unwrap()];
            let faulty =
                FaultyStore::new(store.clone()).fail_on(op, 1 + random.below(8), ErrorKind::Unavailable);
            if let Err(err) = pipeline(faulty, &clock).prune(&plan, CONFIRMED).await {
                assert_eq!(err.kind(), ErrorKind::Unavailable, "{case}: {err}");
            }
        } else {
            deleted += healthy.prune(&plan, CONFIRMED).await.unwrap().deleted.len();
            let expected: BTreeSet<_> = plan.kept().map(|planned| planned.backup.clone()).collect();
            assert_eq!(listed(&store).await, expected, "{case}");
            assert_eq!(self::plan(&healthy, &policy).await.deletions().count(), 0, "{case}");
        }
        let left = listed(&store).await;
        assert!(needed.is_subset(&left), "{case}: {needed:?} of {left:?}");
        assert_eq!(healthy.orphans().await.unwrap().objects, 0, "{case}");
    }
    assert!(deleted > 50, "seed {seed}: {deleted}");
    a_good_time(&store, &clock, &policy).await;
}

/// Some two hundred quiet days later only what the policy says is left of them.
async fn a_good_time(store: &MemoryStore, clock: &ManualClock, policy: &Retention) {
    // Past whatever a clock that ran ahead has dated in the future.
    clock.advance(TimeDelta::days(90));
    let pipeline = pipeline(store.clone(), clock).with_retention(policy.clone()).unwrap();
    let from = clock.now();
    let mut days = Vec::new();
    for _ in 0..220 {
        let report = pipeline.backup(BackupRequest::new()).await.unwrap();
        assert!(report.warnings.is_empty(), "{:?}", report.warnings);
        days.push(report.manifest.created_at);
        clock.advance(TimeDelta::days(1));
    }
    let newest_of = |count: usize, period: &dyn Fn(&DateTime<Utc>) -> String| {
        let mut seen = BTreeSet::new();
        let newest = days.iter().rev().filter(|day| seen.insert(period(day)));
        newest.take(count).copied().collect::<BTreeSet<_>>()
    };
    let mut expected = newest_of(7, &|day| day.format("%F").to_string());
    expected.append(&mut newest_of(4, &|day| day.format("%G-%V").to_string()));
    expected.append(&mut newest_of(6, &|day| day.format("%Y-%m").to_string()));
    let entries = pipeline.list(&Filter::all()).await.unwrap().entries;
    let of_these_days = entries.iter().map(|entry| entry.manifest.created_at).filter(|at| *at >= from);
    assert_eq!(of_these_days.collect::<BTreeSet<_>>(), expected);
    // Of the bad year stays at most what is proven deeper.
    let older = entries.iter().filter(|entry| entry.manifest.created_at < from);
    assert!(
        older.clone().count() <= 1,
        "{:?}",
        older.map(|e| (e.manifest.created_at, e.standing())).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn a_successor_whose_bytes_are_gone_makes_no_deletion_safe() {
    for damage in ["missing", "cut short"] {
        let (store, clock, backups) = made(3).await;
        let pipeline = pipeline(store.clone(), &clock);
        let artifact = pipeline.entry(&backups[2]).await.unwrap().manifest.artifact.key;
        store.delete(&artifact).await.unwrap();
        if damage == "cut short" {
            store.put_bytes(&artifact, "all").await.unwrap();
        }
        let plan = plan(&pipeline, &last(1)).await;
        assert_eq!(plan.deletions().count(), 2, "the catalog knows nothing of it");
        let report = pipeline.prune(&plan, CONFIRMED).await.unwrap();
        assert_eq!(report.deleted.len(), 0, "{damage}");
        assert!(report.spared.iter().all(|spared| spared.reason == SpareReason::NoSuccessor), "{report:?}");
        assert_eq!(listed(&store).await.len(), 3, "{damage}");

        let health = pipeline.health(&HealthPolicy::new()).await.unwrap();
        let check = health.checks.iter().find(|check| check.name == "artifacts").unwrap();
        assert_eq!((health.exit_code(), check.status), (2, CheckStatus::Critical), "{damage}");
        assert!(check.details.iter().any(|(_, text)| *text == backups[2].to_string()), "{check:?}");
    }
}

#[tokio::test]
async fn nothing_is_well_once_every_artifact_is_gone() {
    let (store, clock, backups) = made(3).await;
    let pipeline = pipeline(store.clone(), &clock);
    for backup in &backups {
        store.delete(&pipeline.entry(backup).await.unwrap().manifest.artifact.key).await.unwrap();
    }
    let report = pipeline.health(&HealthPolicy::new()).await.unwrap();
    let good = report.checks.iter().find(|check| check.name == "good-backup").unwrap();
    assert_eq!(good.status, CheckStatus::Critical, "{report}");
}
