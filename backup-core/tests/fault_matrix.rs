//! Every step of every operation × every fault: what must hold does, and the next run works.
//!
//! The steps are not written down: a first run without faults tells them. Each of them is then run into each fault
//! that there is [of its kind](seam::Site::faults), in stores of its own, and a pair whose fault was not met fails.
//!
//! All pairs are run where `BACKUP_TEST_LONG` is set; else every eighth, so chosen that no step and no fault is left out.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
// The times are told; and nothing waits while the sources are read.
#![allow(clippy::print_stdout, clippy::disallowed_methods)]

use std::{sync::Once, time::Duration};

use futures::StreamExt;
use tokio::sync::oneshot;

use self::{
    invariant::Outcome,
    scenario::{Scenario, World},
    seam::{Fault, Seam, Site, Step},
};

#[path = "fault_matrix/dropped.rs"]
mod dropped;
#[path = "fault_matrix/dump.rs"]
mod dump;
#[path = "fault_matrix/invariant.rs"]
mod invariant;
#[path = "fault_matrix/named.rs"]
mod named;
#[path = "fault_matrix/parts.rs"]
mod parts;
#[path = "fault_matrix/scenario.rs"]
mod scenario;
#[path = "fault_matrix/seam.rs"]
mod seam;

/// How many pairs run at once: most of them wait.
const AT_ONCE: usize = 32;

/// Long enough for a busy machine where nothing hangs.
const PATIENT: Duration = Duration::from_secs(20);

macro_rules! scenarios {
    ($($(#[$meta:meta])* $name:ident: $scenario:ident, at least $pairs:literal;)*) => {
        $(
        $(#[$meta])*
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            matrix(Scenario::$scenario, $pairs).await;
        }
    )*
        mod dropped_at_every_await {
            use super::{Scenario, dropped};
            $(
                $(#[$meta])*
                #[tokio::test]
                async fn $name() {
                    dropped::at_every_await(Scenario::$scenario).await;
                }
            )*
        }
    };
}

scenarios! {
    backup: Backup, at least 200;
    backup_compressed: BackupCompressed, at least 200;
    #[cfg(feature = "age")]
    backup_encrypted: BackupEncrypted, at least 200;
    backup_of_two: BackupOfTwo, at least 300;
    backup_then_retention: BackupThenRetention, at least 400;
    ensure_fresh: EnsureFresh, at least 200;
    gate: Gate, at least 200;
    verify: Verify, at least 50;
    rehearse: Rehearse, at least 100;
    drill: Drill, at least 100;
    copy: Copy, at least 100;
    sync: Sync, at least 200;
    prune: Prune, at least 300;
    prune_of_two: PruneOfTwo, at least 500;
    delete: Delete, at least 100;
    delete_of_two: DeleteOfTwo, at least 200;
    sweep: Sweep, at least 50;
    restore: Restore, at least 100;
    restore_over: RestoreOver, at least 200;
}

/// Runs every pair of a scenario, and tells all that failed.
async fn matrix(scenario: Scenario, at_least: usize) {
    silence_panics_on_purpose();
    let started = std::time::Instant::now();
    let world = World::new(scenario).await;
    let (told, _) = oneshot::channel();
    world.run(PATIENT, told).await.unwrap();
    let (pairs, all) = pairs(&world.seam);
    let count = pairs.len();
    let failed: Vec<String> = futures::stream::iter(pairs)
        .map(|(site, step, fault)| async move {
            let case = format!("{scenario:?}, {step}, {fault:?}");
            let pair = tokio::spawn(tokio::time::timeout(PATIENT, pair(scenario, site, step, fault)));
            match pair.await {
                Ok(Ok(())) => None,
                Ok(Err(_)) => Some(format!("{case}: hangs")),
                Err(err) => Some(format!("{case}: {}", message(err))),
            }
        })
        .buffer_unordered(AT_ONCE)
        .filter_map(std::future::ready)
        .collect()
        .await;
    println!("{scenario:?}: {count} of {all} pairs in {:.1} s", started.elapsed().as_secs_f64());
    assert!(failed.is_empty(), "{} of {count} pairs:\n{}", failed.len(), failed.join("\n"));
    assert!(all >= at_least, "only {all} pairs of {scenario:?}");
}

/// The pairs to run: all of them, or every eighth, in which each step and each fault occurs.
fn pairs(seam: &Seam) -> (Vec<(Site, Step, Fault)>, usize) {
    let stride = if is_long() { 1 } else { 8 };
    let steps = seam.steps().into_iter().filter(|(site, step)| *site != Site::Transform || step.nth < 4);
    let (mut pairs, mut all) = (Vec::new(), 0);
    for (number, (site, step)) in steps.enumerate() {
        all += site.faults().len();
        let faults = site.faults().into_iter().enumerate();
        let chosen = faults.filter(|(fault, _)| (number + fault) % stride == 0);
        pairs.extend(chosen.map(|(_, fault)| (site, step.clone(), fault)));
    }
    (pairs, all)
}

/// Whether everything is to be run.
fn is_long() -> bool {
    std::env::var_os("BACKUP_TEST_LONG").is_some()
}

fn message(err: tokio::task::JoinError) -> String {
    let panic = err.into_panic();
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default()
}

async fn pair(scenario: Scenario, site: Site, step: Step, fault: Fault) {
    let mut stall = if fault == Fault::Hang { Duration::from_millis(400) } else { PATIENT };
    let (mut world, outcome) = loop {
        let world = World::new(scenario).await;
        world.seam.plan(Some((step.clone(), fault)));
        let (outcome, pipeline) = run(&world, stall).await;
        let fired = world.seam.fired();
        if !fired && fault == Fault::Hang && stall < PATIENT {
            // Given up before it came there: a machine that is this busy needs more time.
            stall *= 4;
            continue;
        }
        assert!(fired, "the fault was not met: {outcome:?}");
        invariant::settle(&world, &pipeline, fault).await;
        break (world, outcome);
    };
    let newest = invariant::check(&world, (site, &step), fault, &outcome).await;
    // What a killed process would still do goes on being dead.
    world.start_again();
    if scenario == Scenario::BackupThenRetention {
        world.needed = newest.into_iter().collect();
    }
    next_run(&world).await;
}

/// Runs the operation until it ends, or until the fault cuts it off.
async fn run(world: &World, stall: Duration) -> (Outcome, backup_core::Pipeline) {
    let (told, pipeline) = oneshot::channel();
    let running = world.clone();
    let mut operation = tokio::spawn(async move { running.run(stall, told).await });
    let pipeline = pipeline.await.unwrap();
    let ended = tokio::select! {
        ended = &mut operation => ended,
        () = world.seam.cut() => {
            operation.abort();
            operation.await
        }
    };
    let outcome = match ended {
        Ok(result) => Outcome::Returned(result),
        Err(err) if err.is_cancelled() => Outcome::Dropped,
        Err(_) => Outcome::Panicked,
    };
    (outcome, pipeline)
}

/// The same once more, with nothing in its way.
async fn next_run(world: &World) {
    let (told, _) = oneshot::channel();
    match world.run(PATIENT, told).await {
        Ok(done) => {
            let step = Step { name: String::new(), nth: 0 };
            invariant::check(world, (Site::Tool, &step), Fault::Slow, &Outcome::Returned(Ok(done))).await;
        }
        Err(err) => {
            let gone = matches!(world.scenario, Scenario::Delete | Scenario::DeleteOfTwo);
            assert!(gone && err.kind() == backup_core::ErrorKind::NotFound, "the next run fails: {err:?}");
        }
    }
}

/// Keeps the log readable: hundreds of panics are part of the test, and those of a pair are told at its end.
fn silence_panics_on_purpose() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let on_main = std::thread::current().name().is_some_and(|name| !name.starts_with("tokio"));
            if on_main {
                hook(info);
            }
        }));
    });
}
