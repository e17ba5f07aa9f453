//! What holds whatever happened.

use std::{collections::BTreeSet, time::Duration};

use backup_core::{
    BackupRef, Error, ErrorKind, Filter, Kind, Level, MemoryStore, Pipeline, Prefix, Result, Store,
    testkit::clock::ManualClock,
};
use futures::TryStreamExt;

use crate::{
    scenario::{DUMP, Done, OTHER, Scenario, World},
    seam::{Fault, Site, Step},
};

/// How the operation ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    Returned(Result<Done>),
    Dropped,
    Panicked,
}

pub(crate) async fn keys(store: &MemoryStore) -> Vec<String> {
    let mut keys: Vec<_> =
        store.list(&Prefix::root()).map_ok(|object| object.key.to_string()).try_collect().await.unwrap();
    // What is left of a lease on purpose, so that its numbers go on.
    keys.retain(|key| !key.starts_with("leases/"));
    keys
}

/// The backups of a store alone, each of which has to be whole there.
async fn whole(world: &World, store: &MemoryStore) -> Vec<(BackupRef, Kind)> {
    let pipeline = world.clean_to(store.clone());
    let listing = pipeline.list(&Filter::all()).await.unwrap();
    assert!(listing.damaged.is_empty() && listing.unreachable.is_empty(), "{listing:?}");
    for entry in &listing.entries {
        let proof = pipeline.verify(&entry.manifest.backup_ref(), Level::Decoded).await.unwrap();
        assert!(proof.evidence.passed(), "a manifest without its artifact: {:?}", proof.evidence.findings);
    }
    listing.entries.iter().map(|entry| (entry.manifest.backup_ref(), entry.manifest.kind)).collect()
}

/// What lies in a store beside the backups that it lists.
async fn beside(store: &MemoryStore, backups: &[(BackupRef, Kind)]) -> Vec<String> {
    let mut left = keys(store).await;
    left.retain(|key| {
        let is_claim = key.ends_with(".claim.json");
        is_claim || !backups.iter().any(|(backup, _)| key.starts_with(&format!("{backup}.")))
    });
    left
}

async fn listed(world: &World, store: &MemoryStore) -> Vec<(BackupRef, Kind)> {
    let listing = world.clean_to(store.clone()).list(&Filter::all()).await.unwrap();
    listing.entries.iter().map(|entry| (entry.manifest.backup_ref(), entry.manifest.kind)).collect()
}

async fn sweep(world: &World, store: &MemoryStore) {
    // Every claim is old by then.
    let pipeline = world.clean_to(store.clone()).with_clock(ManualClock::at("2126-01-01T00:00:00Z"));
    pipeline.sweep(Duration::ZERO).await.unwrap();
}

/// Checks everything but what the next run has to show; which backup is the newest.
pub(crate) async fn check(
    world: &World,
    (site, step): (Site, &Step),
    fault: Fault,
    outcome: &Outcome,
) -> Option<BackupRef> {
    let before = whole(world, &world.here).await;
    let there = whole(world, &world.there).await;
    let backups: BTreeSet<&BackupRef> = before.iter().map(|(backup, _)| backup).collect();
    for needed in &world.needed {
        assert!(backups.contains(needed), "a good backup is gone: {needed}");
    }
    match outcome {
        Outcome::Returned(Ok(done)) => {
            // What never came back cannot have been waited for; what is slow, or out of time, is no failure.
            check_done(world, done, &before, &there, (step, fault));
        }
        Outcome::Returned(Err(err)) => {
            let expected = matches!(fault, Fault::Error(ErrorKind::Unexpected) | Fault::Panic);
            assert!(expected || err.kind() != ErrorKind::Unexpected, "an error without a type: {err:?}");
            assert!(!err.message().is_empty() && !err.operation().is_empty(), "{err:?}");
            let unknown = is_unknown(err);
            let is_new = |(backup, kind): &&(BackupRef, Kind)| {
                !world.good.contains(backup) && *kind != Kind::PreRollback
            };
            let new = before.iter().find(is_new);
            // A gate that cannot look at what it made does not let through, and names it.
            let named = |new: &&(BackupRef, Kind)| {
                world.scenario == Scenario::Gate
                    && err.context().any(|(key, name)| key == "backup" && name == new.0.to_string())
            };
            let cut_off = err.message().contains("cut off");
            let told = new.as_ref().is_none_or(named) || unknown || cut_off || site == Site::Event;
            assert!(told, "failed, and is there: {err:?}");
        }
        Outcome::Dropped | Outcome::Panicked => {}
    }
    check_target(world, &before);
    let unknown = matches!(outcome, Outcome::Returned(Err(err)) if is_unknown(err));
    if leaves_nothing(world, site, step, fault) && !unknown {
        let left = beside(&world.here, &before).await;
        assert!(left.is_empty(), "left before any sweep: {left:?}");
    }
    for (store, backups) in [(&world.here, &before), (&world.there, &there)] {
        let objects = keys(store).await;
        sweep(world, store).await;
        assert_eq!(&listed(world, store).await, backups, "a sweep changes nothing that is listed");
        let mut of_backups = objects;
        let left = beside(store, backups).await;
        assert!(left.is_empty(), "left after a sweep: {left:?}");
        of_backups.retain(|key| !key.ends_with(".claim.json"));
        of_backups.retain(|key| backups.iter().any(|(backup, _)| key.starts_with(&format!("{backup}."))));
        assert_eq!(keys(store).await, of_backups, "a sweep took something of a backup");
    }
    before.into_iter().next().map(|(backup, _)| backup)
}

/// Whether an error says that nobody knows what came of it.
fn is_unknown(err: &Error) -> bool {
    err.suggestions().iter().any(|text| text.contains("unknown"))
}

/// Whether a failed or dropped backup must have tidied up behind itself.
fn leaves_nothing(world: &World, site: Site, step: &Step, fault: Fault) -> bool {
    let is_backup = matches!(
        world.scenario,
        Scenario::Backup | Scenario::BackupCompressed | Scenario::BackupOfTwo | Scenario::Gate
    );
    // Whoever cannot delete leaves something, as may a panic of a store; and whoever does not know whether the claim is
    // its own leaves it alone.
    let unknown = step.name.contains("put claim") && fault == Fault::LostAck;
    let could_not = step.name.contains("delete") || site == Site::Store && fault == Fault::Panic || unknown;
    is_backup && !could_not && !fault.is_kill()
}

/// Waits until what a dropped or failed operation still does of itself is done.
pub(crate) async fn settle(world: &World, pipeline: &Pipeline, fault: Fault) {
    if fault.is_kill() {
        // What another store was already at when the process was killed it still does.
        tokio::time::sleep(Duration::from_millis(20)).await;
        return;
    }
    tokio::time::timeout(Duration::from_secs(30), pipeline.settle())
        .await
        .expect("remains are removed in time");
    // A commit that was under way goes on by itself, and so does what is taken back of several stores.
    let mut quiet = 0;
    for _ in 0..250 {
        let is_claimed = keys(&world.here).await.iter().any(|key| key.ends_with(".claim.json"));
        quiet = if is_claimed || world.seam.is_busy() { 0 } else { quiet + 1 };
        if quiet == 3 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn check_done(
    world: &World,
    done: &Done,
    here: &[(BackupRef, Kind)],
    there: &[(BackupRef, Kind)],
    (step, fault): (&Step, Fault),
) {
    let is_in = |backups: &[(BackupRef, Kind)], backup| backups.iter().any(|(listed, _)| listed == backup);
    match done {
        Done::Backup(backup) => {
            assert!(is_in(here, backup), "reported, and not there: {backup}");
            assert!(!world.is_of_two() || is_in(there, backup), "reported, and not in both");
        }
        Done::Verified { passed } => {
            let tool_stopped =
                fault == Fault::Error(ErrorKind::ToolFailed) && step.name.starts_with("scratch");
            assert!(*passed || tool_stopped, "what could not be looked at was called bad");
        }
        Done::Copied => {
            let wanted = if world.scenario == Scenario::Copy { &world.good[2..] } else { &world.good };
            assert!(wanted.iter().all(|backup| is_in(there, backup)), "copied, and not there");
        }
        // A plan that was made in the morning of another day deletes less.
        Done::Pruned if matches!(fault, Fault::Clock(_)) => {}
        Done::Pruned => assert_eq!(here.len(), 1, "pruned, and there"),
        Done::Deleted => assert!(!is_in(here, &world.good[0]), "deleted, and there"),
        Done::Swept => {}
        Done::Restored => assert_eq!(world.target.held().as_deref(), Some(DUMP), "restored, and not there"),
    }
}

/// The target holds what it held before, or the backup; then what it held before is in a backup of its own.
fn check_target(world: &World, here: &[(BackupRef, Kind)]) {
    if world.scenario != Scenario::RestoreOver {
        return;
    }
    let held = world.target.held().unwrap();
    if held != OTHER {
        assert_eq!(held, DUMP, "the target is neither old nor new");
        assert!(here.iter().any(|(_, kind)| *kind == Kind::PreRollback), "replaced without a safety backup");
    }
}
