//! Every operation, dropped at every await.

use std::time::Instant;

use backup_core::{
    Annotation, Catalog, Clock, Filter, JsonCatalog, Note, Pipeline, Result, SystemClock,
    catalog::find,
    health::HealthPolicy,
    pipeline::{DiffSide, RestoreRequest},
    testkit::faults::polled,
};
use futures::{StreamExt, TryStreamExt};
use tokio::sync::oneshot;

use crate::{
    PATIENT,
    invariant::{self, Outcome},
    is_long, next_run,
    scenario::{Scenario, World, policy},
    seam::{Fault, Site, Step},
};

/// What only looks at what there is: names of functions.
pub(crate) const LOOKS: &str =
    "probe list entry health health_facts orphans diff test_keys plan_prune plan_restore find";

/// After how many of the `all` polls to drop: every one, or a spread of `few`.
pub(crate) fn places(all: u64, few: u64) -> impl Iterator<Item = u64> {
    let stride = if is_long() { 1 } else { all.div_ceil(few).max(1) };
    (1..=all).step_by(usize::try_from(stride).unwrap())
}

pub(crate) async fn at_every_await(scenario: Scenario) {
    let started = Instant::now();
    let world = World::new(scenario).await;
    let (told, _) = oneshot::channel();
    let (done, all) = polled(u64::MAX, Box::pin(world.run(PATIENT, told))).await;
    done.unwrap().unwrap();
    assert!(all > 20, "{scenario:?} has but {all} places to be dropped at");
    let runs: Vec<_> = futures::stream::iter(places(all, 12))
        .map(|most| async move {
            let run = tokio::spawn(tokio::time::timeout(PATIENT, dropped_after(scenario, most)));
            match run.await {
                Ok(Ok(was_dropped)) => Ok(was_dropped),
                Ok(Err(_)) => Err(format!("after {most} of {all} polls: hangs")),
                Err(err) => Err(format!("after {most} of {all} polls: {}", crate::message(err))),
            }
        })
        .buffer_unordered(4)
        .collect()
        .await;
    let failed: Vec<_> = runs.iter().filter_map(|run| run.as_ref().err()).collect();
    assert!(failed.is_empty(), "{scenario:?}: {failed:#?}");
    let dropped = runs.iter().filter(|run| **run == Ok(true)).count();
    println!(
        "{scenario:?}: dropped in {dropped} of {} runs of {all} places, {:.1} s",
        runs.len(),
        started.elapsed().as_secs_f64()
    );
    // How often it is polled varies with the threads that it waits for.
    assert!(dropped * 2 > runs.len(), "only {dropped} of {} runs of {scenario:?} were dropped", runs.len());
}

/// Whether the operation was dropped before it ended.
async fn dropped_after(scenario: Scenario, most: u64) -> bool {
    let mut world = World::new(scenario).await;
    let (told, pipeline) = oneshot::channel();
    let (ended, _) = polled(most, Box::pin(world.run(PATIENT, told))).await;
    let was_dropped = ended.is_none();
    let outcome = ended.map_or(Outcome::Dropped, Outcome::Returned);
    let pipeline = pipeline.await.unwrap();
    let step = Step { name: String::new(), nth: 0 };
    invariant::settle(&world, &pipeline, Fault::DropAfter).await;
    let newest = invariant::check(&world, (Site::Tool, &step), Fault::DropAfter, &outcome).await;
    world.start_again();
    if scenario == Scenario::BackupThenRetention {
        world.needed = newest.into_iter().collect();
    }
    next_run(&world).await;
    was_dropped
}

/// What only looks, by its name.
async fn look(name: &str, world: &World, pipeline: &Pipeline) -> Result<()> {
    let newest = &world.good[2];
    match name {
        "probe" => pipeline.probe().await.map(drop),
        "list" => pipeline.list(&Filter::all()).await.map(drop),
        "entry" => pipeline.entry(newest).await.map(drop),
        "health" => pipeline.health(&HealthPolicy::new()).await.map(drop),
        "health_facts" => pipeline.health_facts().await.map(drop),
        "orphans" => pipeline.orphans().await.map(drop),
        "diff" => {
            let database = DiffSide::Database(world.dumper());
            pipeline.diff(&DiffSide::from(newest), &database).await.map(drop)
        }
        "test_keys" => pipeline.test_keys(&Filter::all()).await.map(drop),
        "plan_prune" => pipeline.plan_prune(&policy(1), &Filter::all()).await.map(drop),
        "plan_restore" => {
            let request = RestoreRequest::new().replacing();
            pipeline.plan_restore(newest, &world.target, &request).await.map(drop)
        }
        "find" => find(&**pipeline.catalog(), newest.id.as_str()).await.map(drop),
        _ => unreachable!("{name}"),
    }
}

#[tokio::test]
async fn what_only_looks_changes_nothing_wherever_it_is_dropped() {
    let world = World::new(Scenario::Verify).await;
    let before = invariant::keys(&world.here).await;
    for name in LOOKS.split_whitespace() {
        let pipeline = world.pipeline(PATIENT);
        let (done, all) = polled(u64::MAX, Box::pin(look(name, &world, &pipeline))).await;
        done.unwrap().unwrap_or_else(|err| panic!("{name}: {err:?}"));
        for most in places(all, 12) {
            let _dropped = polled(most, Box::pin(look(name, &world, &pipeline))).await;
            pipeline.settle().await;
            assert_eq!(
                invariant::keys(&world.here).await,
                before,
                "{name}, dropped after {most} of {all} polls"
            );
        }
        look(name, &world, &pipeline).await.unwrap();
    }
}

/// What a catalog in a file is asked for, by its name.
async fn change(name: &str, catalog: &JsonCatalog, world: &World, from: &Pipeline) -> Result<()> {
    let (kept, new) = (&world.good[0], &world.good[1]);
    match name {
        "insert" => catalog.insert(&from.entry(new).await?.manifest).await.map(drop),
        "annotate" => {
            let note = Note::Held { reason: "audit".to_owned() };
            catalog.annotate(kept, &Annotation::new(SystemClock.now(), note)).await
        }
        "remove" => catalog.remove(kept).await,
        "rebuild" => {
            let copy = catalog.path().with_file_name("rebuilt.json");
            JsonCatalog::rebuild(copy, &**from.catalog()).await.map(drop)
        }
        _ => unreachable!("{name}"),
    }
}

#[tokio::test]
async fn a_catalog_in_a_file_is_the_old_one_or_the_new_one_wherever_a_change_is_dropped() {
    let world = World::new(Scenario::Verify).await;
    let clean = world.clean_to(world.here.clone());
    let kept = clean.entry(&world.good[0]).await.unwrap().manifest;
    for (name, entries) in [("insert", 2), ("annotate", 1), ("remove", 0), ("rebuild", 1)] {
        for most in 1.. {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("backups.json");
            let catalog = JsonCatalog::open(&path).await.unwrap();
            catalog.insert(&kept).await.unwrap();
            let (done, _) = polled(most, change(name, &catalog, &world, &clean)).await;
            for file in ["backups.json", "rebuilt.json"] {
                let read = JsonCatalog::open(folder.path().join(file)).await.unwrap();
                let read: Vec<_> = read.list(&Filter::all()).try_collect().await.unwrap();
                assert!(read.len() <= 3, "{name}, dropped after {most} polls: {read:?}");
            }
            // Another process goes on after it.
            let other = JsonCatalog::open(&path).await.unwrap();
            match change(name, &other, &world, &clean).await {
                Ok(()) => {}
                Err(err) => assert_eq!(err.kind(), backup_core::ErrorKind::AlreadyExists, "{err:?}"),
            }
            let listed: Vec<_> = other.list(&Filter::all()).try_collect().await.unwrap();
            assert_eq!(listed.len(), entries, "{name}, dropped after {most} polls");
            assert_eq!(listed.iter().any(backup_core::Entry::is_held), name == "annotate");
            if let Some(done) = done {
                done.unwrap();
                assert!(most > 1, "{name} never waits");
                break;
            }
        }
    }
}
