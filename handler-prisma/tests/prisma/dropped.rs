//! Calls that are dropped wherever they wait.

use std::time::Duration;

use backup_core::{
    Filter, Level, MemoryStore, Pipeline,
    testkit::{clock::ManualClock, faults::polled},
};
use handler_prisma::{History, PrismaDumper, PrismaGuard};

use super::live::{ENGINES, Engine, Live, State};

/// Polls to drop after: each of the first ones, then every `stride`th.
fn places(stride: usize) -> impl Iterator<Item = u64> {
    (1..12).chain((12..).step_by(stride))
}

#[tokio::test]
async fn a_look_at_a_project_that_is_dropped_anywhere_changes_nothing() {
    for engine in ENGINES {
        let live = Live::new(engine, State::Applied3).await;
        let before = live.content().await;
        for most in 1.. {
            let looks = async {
                live.files.search().with_url(live.url.as_str()).run().await.unwrap();
                History::read(&live.project).await.unwrap().unwrap();
            };
            let (ended, _) = polled(most, looks).await;
            if ended.is_some() {
                assert!(most > 1, "{engine:?}: nothing waits");
                break;
            }
        }
        assert_eq!(live.content().await, before, "{engine:?}");
    }
}

#[tokio::test]
async fn a_guard_that_is_dropped_anywhere_leaves_a_whole_backup_or_none_and_no_deploy_in_the_dark() {
    for engine in ENGINES {
        let live = Live::new(engine, State::RolledBack4).await;
        let before = live.content().await;
        let stride = if engine == Engine::Sqlite { 5 } else { 25 };
        for most in places(stride) {
            let store = MemoryStore::new();
            let pipeline = Pipeline::new(PrismaDumper::new(&live.project).unwrap(), store.clone())
                .with_level(Level::Decoded);
            let guard = PrismaGuard::new(live.project.clone(), pipeline.clone());
            let deploy = async || {
                let listing = pipeline.list(&Filter::all()).await.unwrap();
                assert_eq!(listing.entries.len(), 1, "a deploy without its backup");
                tokio::task::yield_now().await;
                Ok::<_, String>(())
            };
            let (ended, _) = polled(most, guard.run(deploy)).await;
            let case = format!("{engine:?}, dropped after {most} polls");
            tokio::time::timeout(Duration::from_secs(30), pipeline.settle()).await.unwrap();
            let listing = pipeline.list(&Filter::all()).await.unwrap();
            assert!(listing.damaged.is_empty() && listing.entries.len() <= 1, "{case}: {listing:?}");
            for entry in listing.entries {
                let proof = pipeline.verify(&entry.manifest.backup_ref(), Level::Decoded).await.unwrap();
                proof.ensure_passed().unwrap();
            }
            assert_eq!(live.content().await, before, "{case}");
            if let Some(ended) = ended {
                ended.unwrap();
                assert!(most > 3, "{case}: hardly anything waits");
                break;
            }
            // The same once more, and nothing is in its way: no lock is held that nobody gives back.
            let later = ManualClock::at("2126-01-01T00:00:00Z");
            let again = PrismaGuard::new(live.project.clone(), pipeline.clone().with_clock(later));
            let done = tokio::time::timeout(Duration::from_secs(60), again.run(async || Ok::<_, String>(())));
            done.await.unwrap_or_else(|_| panic!("{case}: the next one hangs")).unwrap();
        }
    }
}
