//! The last look before each deletion, and what comes of deletions that fail.

use std::error::Error as _;

use backup_core::{Error, Manifest, manifest::Layout, pipeline::PruneReport};

use super::*;

/// Prunes all but the newest of five backups; once the oldest is gone, `act` has its turn. What is spared, and why.
async fn pruned_with(act: impl Fn(&StoreCatalog, &[BackupRef]) + Send + Sync + 'static) -> Spares {
    let (store, clock, backups) = made(5).await;
    let (catalog, all) = (StoreCatalog::new(store.clone()), backups.clone());
    let acted = std::sync::Once::new();
    let observer = move |event: &Event<'_>| {
        if let Event::Deleted { .. } = event {
            acted.call_once(|| act(&catalog, &all));
        }
    };
    let pipeline = pipeline(store.clone(), &clock).with_observer(observer);
    let report = pipeline.prune(&plan(&pipeline, &last(1)).await, CONFIRMED).await.unwrap();
    let spared = report.spared.iter().map(|spared| (number(&backups, &spared.backup), spared.reason));
    let deleted = report.deleted.iter().map(|pruned| number(&backups, &pruned.backup));
    Spares { spared: spared.collect(), deleted: deleted.collect() }
}

#[derive(Debug, PartialEq)]
struct Spares {
    spared: Vec<(usize, SpareReason)>,
    deleted: Vec<usize>,
}

fn number(backups: &[BackupRef], backup: &BackupRef) -> usize {
    backups.iter().position(|one| one == backup).unwrap()
}

/// A store in memory never waits.
fn now<T>(future: impl Future<Output = backup_core::Result<T>>) -> T {
    future.now_or_never().unwrap().unwrap()
}

/// Puts another manifest in the place of one; what is known of that is gone with it.
fn replace(catalog: &StoreCatalog, backup: &BackupRef, change: impl Fn(&mut Manifest)) {
    let Entry { mut manifest, annotations, .. } = now(catalog.get(backup));
    change(&mut manifest);
    now(catalog.remove(backup));
    now(catalog.insert(&manifest));
    for annotation in annotations {
        now(catalog.annotate(backup, &annotation));
    }
}

fn note(catalog: &StoreCatalog, backup: &BackupRef, note: Note) {
    now(catalog.annotate(backup, &Annotation::new("2026-03-07T00:00:00Z".parse().unwrap(), note)));
}

fn proof(level: &str) -> Note {
    let evidence = serde_json::json!({
        "level": level, "result": "passed", "started_at": "2026-03-07T00:00:00Z", "duration_ms": 1,
        "bytes_read": 1, "library_version": "0"
    });
    Note::Verified(serde_json::from_value(evidence).unwrap())
}

#[tokio::test]
async fn what_another_deleted_meanwhile_is_no_failure() {
    let gone = pruned_with(|catalog, backups| now(catalog.remove(&backups[2]))).await;
    assert_eq!(gone, Spares { spared: vec![(2, SpareReason::Gone)], deleted: vec![0, 1, 3] });
}

#[tokio::test]
async fn what_another_deletes_right_after_the_look_is_no_failure_and_leaves_nothing() {
    let mut spared = Vec::new();
    for nth in 1..=12 {
        let (store, clock, backups) = made(3).await;
        let planned = plan(&pipeline(store.clone(), &clock), &last(1)).await;
        let faulty = FaultyStore::new(store.clone()).fail_on(StoreOp::Head, nth, ErrorKind::NotFound);
        let report = pipeline(faulty, &clock).prune(&planned, CONFIRMED).await.unwrap();
        spared.extend(report.spared.iter().map(|spared| spared.reason));
        let stays = report.spared.iter().any(|spared| spared.reason == SpareReason::NoSuccessor);
        if !stays {
            check_only(&store, &backups[2..], &format!("head {nth}")).await;
        }
    }
    assert!(spared.contains(&SpareReason::Gone) && spared.contains(&SpareReason::NoSuccessor), "{spared:?}");
}

#[tokio::test]
async fn a_backup_that_took_the_name_of_another_is_spared() {
    let expected = || Spares { spared: vec![(2, SpareReason::Another)], deleted: vec![0, 1, 3] };
    let of_another_time = pruned_with(|catalog, backups| {
        replace(catalog, &backups[2], |manifest| manifest.created_at += TimeDelta::milliseconds(1));
    });
    assert_eq!(of_another_time.await, expected());
    let of_another_size = pruned_with(|catalog, backups| {
        replace(catalog, &backups[2], |manifest| manifest.artifact.size += 1);
    });
    assert_eq!(of_another_size.await, expected());
}

#[tokio::test]
async fn without_a_good_successor_nothing_more_goes() {
    let all = |reason| Spares { spared: vec![(1, reason), (2, reason), (3, reason)], deleted: vec![0] };
    let acts: [fn(&StoreCatalog, &BackupRef); 5] = [
        |catalog, newest| now(catalog.remove(newest)),
        |catalog, newest| note(catalog, newest, Note::Pruning { reason: "by hand".to_owned() }),
        |catalog, newest| {
            note(catalog, newest, Note::Verified(failed("2026-03-07T00:00:00Z".parse().unwrap())));
        },
        // Dated before what it would stand for, or in the future of the plan.
        |catalog, newest| replace(catalog, newest, |manifest| manifest.created_at -= TimeDelta::days(30)),
        |catalog, newest| replace(catalog, newest, |manifest| manifest.created_at += TimeDelta::days(30)),
    ];
    for (number, act) in acts.into_iter().enumerate() {
        let spares = pruned_with(move |catalog, backups| act(catalog, &backups[4])).await;
        assert_eq!(spares, all(SpareReason::NoSuccessor), "act {number}");
    }
}

#[tokio::test]
async fn a_backup_that_was_proven_deeper_meanwhile_outlasts_a_successor_that_was_not() {
    let deeper = pruned_with(|catalog, backups| note(catalog, &backups[2], proof("equal"))).await;
    assert_eq!(deeper, Spares { spared: vec![(2, SpareReason::NoSuccessor)], deleted: vec![0, 1, 3] });
    let as_deep = pruned_with(|catalog, backups| {
        for backup in [&backups[2], &backups[4]] {
            note(catalog, backup, proof("equal"));
        }
    });
    assert_eq!(as_deep.await, Spares { spared: vec![], deleted: vec![0, 1, 2, 3] });
}

/// Prunes all but one of `days` backups where each deletion fails so.
async fn failing(days: usize, kind: ErrorKind) -> (Error, Plan) {
    let (store, clock, _) = made(days).await;
    let planned = plan(&pipeline(store.clone(), &clock), &last(1)).await;
    // The first deletion of each; of the lease nothing is deleted before it is renewed.
    let faulty =
        (1..500).fold(FaultyStore::new(store), |store, nth| store.fail_on(StoreOp::Delete, nth, kind));
    (pipeline(faulty, &clock).prune(&planned, CONFIRMED).await.unwrap_err(), planned)
}

fn interrupted(err: &Error) -> &PruneReport {
    PruneInterrupted::report(err).unwrap()
}

#[tokio::test]
async fn one_that_fails_keeps_no_other_from_being_tried_until_twenty_did() {
    let (few, plan) = failing(4, ErrorKind::PermissionDenied).await;
    let report = interrupted(&few);
    let mut oldest_first: Vec<_> = plan.deletions().map(|planned| planned.backup.clone()).collect();
    oldest_first.reverse();
    assert_eq!((&report.failed, report.left), (&oldest_first, 0));
    assert_eq!(report.warnings.len(), 3);
    let (many, _) = failing(26, ErrorKind::PermissionDenied).await;
    assert_eq!((interrupted(&many).failed.len(), interrupted(&many).left), (20, 5));
}

#[tokio::test]
async fn a_store_that_is_away_is_asked_once_and_not_for_each() {
    let (away, _) = failing(5, ErrorKind::Unavailable).await;
    assert_eq!((interrupted(&away).failed.len(), interrupted(&away).left), (1, 3));
    assert!(away.is_retryable() && away.kind() == ErrorKind::Unavailable, "{away}");
    // Whoever prints the chain of causes learns of both.
    let done = away.source().unwrap();
    assert_eq!(done.to_string(), "0 backups were deleted before");
    assert!(done.source().unwrap().downcast_ref::<Error>().is_some(), "{away:?}");
}

#[tokio::test]
async fn what_a_deletion_left_is_counted_and_a_backup_under_way_is_left_alone() {
    let (store, clock, backups) = made(4).await;
    let pipeline = pipeline(store.clone(), &clock);
    let artifacts = pipeline.list(&Filter::all()).await.unwrap().entries;
    let artifact = |backup: usize| {
        let of = |entry: &&Entry| entry.manifest.backup_ref() == backups[backup];
        artifacts.iter().find(of).unwrap().manifest.artifact.clone()
    };
    // One was cut off once its manifest was gone; one is under way; one was deleted and is there again.
    for (backup, state, stays) in [(0, "deleting", false), (1, "creating", false), (2, "deleting", true)] {
        let backup = &backups[backup];
        if !stays {
            store.delete(&Layout::of(backup).manifest().unwrap()).await.unwrap();
        }
        let claim = format!(r#"{{"state":"{state}","at":"2026-03-04T02:00:00Z","host":null,"pid":1}}"#);
        store.put_bytes(&Layout::of(backup).claim().unwrap(), claim).await.unwrap();
    }
    let before = keys(&store).await;
    let left = before.iter().filter(|key| key.starts_with(&format!("{}.", backups[0]))).count();
    let report = pipeline.prune(&plan(&pipeline, &last(2)).await, CONFIRMED).await.unwrap();
    assert_eq!(report.deleted.len(), 0, "{report:?}");
    assert_eq!(report.remains.removed, left as u64 - 1, "all but the claim: {before:?}");
    assert!(report.remains.freed_bytes > artifact(0).size, "{report:?}");
    for (backup, there) in [(0, false), (1, true), (2, true), (3, true)] {
        assert_eq!(store.exists(&artifact(backup).key).await.unwrap(), there, "{backup}");
    }
}

#[tokio::test]
async fn retention_after_a_backup_is_of_its_own_series() {
    let (store, clock, backups) = made(4).await;
    let elsewhere = pipeline(store.clone(), &clock).with_environment("staging");
    let report = elsewhere.with_retention(last(1)).unwrap().backup(BackupRequest::new()).await.unwrap();
    assert_eq!(report.retention.unwrap().deleted, []);
    assert!(listed(&store).await.is_superset(&backups.into_iter().collect()));
}
