use std::sync::atomic::{AtomicU64, Ordering};

use chrono::TimeDelta;
use futures::{FutureExt, TryStreamExt, future::join_all};

use super::*;
use crate::{
    Error, ErrorKind, Key, MemoryStore, Prefix, StoreExt,
    testkit::{
        clock::ManualClock,
        faults::{FaultyStore, StoreOp},
    },
};

const TTL: Duration = Duration::from_secs(180);

async fn take(store: &(impl Store + Clone)) -> Result<Lease> {
    Lease::take(Arc::new(store.clone()), "prune", TTL).await
}

fn clock() -> ManualClock {
    ManualClock::at("2026-03-01T02:00:00Z")
}

async fn keys(store: &MemoryStore) -> Vec<String> {
    store.list(&Prefix::root()).map_ok(|object| object.key.to_string()).try_collect().await.unwrap()
}

fn key(generation: u64) -> String {
    format!("leases/prune.{generation:020}.json")
}

/// Makes the newest object one of another process, on another host.
async fn as_of_another_process(store: &MemoryStore) {
    let newest = Key::parse(keys(store).await.pop().unwrap()).unwrap();
    let mut record: serde_json::Value =
        serde_json::from_slice(&store.get_bytes(&newest, 1000).await.unwrap()).unwrap();
    record["owner"] = "another-process".into();
    record["host"] = "db2.example".into();
    record["pid"] = 4711.into();
    store.delete(&newest).await.unwrap();
    store.put_bytes(&newest, record.to_string()).await.unwrap();
}

fn held(err: &Error) -> &LeaseHeld {
    assert!(err.kind() == ErrorKind::Unavailable && err.is_retryable(), "{err}");
    LeaseHeld::of(err).unwrap()
}

#[tokio::test]
async fn one_at_a_time_holds_it_and_generations_go_on_after_a_release() {
    let store = MemoryStore::new();
    for round in 1..=4 {
        let lease = take(&store).await.unwrap();
        assert_eq!(lease.generation().await, round);
        let err = take(&store).await.unwrap_err();
        assert_eq!(held(&err).pid, Some(std::process::id()));
        lease.check().await.unwrap();
        assert_eq!(format!("{lease:?}"), r#"Lease { name: "prune", ttl: 180s, .. }"#);
        lease.release().await;
    }
    assert_eq!(keys(&store).await, [key(3), key(4)], "what stays");
}

#[tokio::test]
async fn who_is_refused_learns_who_holds_it_and_when_to_try_again() {
    let clock = clock();
    let store = MemoryStore::new().with_clock(clock.clone());
    drop(take(&store).await.unwrap());
    as_of_another_process(&store).await;
    clock.advance(TimeDelta::seconds(60));
    let err = take(&store).await.unwrap_err();
    let found = held(&err);
    assert_eq!((found.host.as_deref(), found.pid), (Some("db2.example"), Some(4711)));
    assert!(found.since.is_some() && found.generation == 1, "{found:?}");
    assert_eq!(found.free_after, Duration::from_secs(120));
    let said = err.to_string();
    for word in ["prune", "db2.example", "4711", "since", "121"] {
        assert!(said.contains(word), "{word}: {said}");
    }
    assert!(err.suggestions().iter().any(|advice| advice.contains("121 seconds")), "{err:?}");
    assert_eq!(keys(&store).await, [key(1)], "asking leaves nothing");
    assert_eq!(found.to_string(), "the lease is held in generation 1");
}

#[tokio::test]
async fn a_killed_holder_keeps_others_out_for_the_ttl_by_the_stores_clock_and_no_longer() {
    let clock = clock();
    let store = MemoryStore::new().with_clock(clock.clone());
    std::mem::forget(take(&store).await.unwrap());
    for (advance, free) in [(100, false), (80, false), (1, true)] {
        clock.advance(TimeDelta::seconds(advance));
        match take(&store).await {
            Ok(lease) => assert!(free && lease.generation().await == 2),
            Err(err) => assert!(!free, "{err}"),
        }
    }
}

async fn take_in_turn(store: &MemoryStore, ttl: Duration, patience: Duration) -> (Result<Lease>, Duration) {
    let store: Arc<dyn Store> = Arc::new(store.clone());
    let started = tokio::time::Instant::now();
    let ask = || Lease::take(Arc::clone(&store), "prune", ttl);
    let taken = Lease::take_in_turn(ttl, patience, ask).await;
    (taken, started.elapsed())
}

#[tokio::test(start_paused = true)]
async fn who_waits_gets_it_soon_after_the_other_ended() {
    for (ttl, soon) in [(TTL, 1100), (Duration::from_millis(300), 150)] {
        let store = MemoryStore::new();
        let other = take(&store).await.unwrap();
        let working = async {
            tokio::time::sleep(Duration::from_millis(10_010)).await;
            other.release().await;
        };
        let ((taken, waited), ()) = tokio::join!(take_in_turn(&store, ttl, Duration::from_secs(60)), working);
        assert_eq!(taken.unwrap().generation().await, 2);
        assert!((10_010..10_010 + soon).contains(&waited.as_millis()), "{waited:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_in_vain_learns_by_whom_when_the_patience_ends() {
    let store = MemoryStore::new();
    let _other = take(&store).await.unwrap();
    for seconds in [0, 30] {
        let (refused, waited) = take_in_turn(&store, TTL, Duration::from_secs(seconds)).await;
        assert_eq!(held(&refused.unwrap_err()).pid, Some(std::process::id()));
        assert_eq!(waited.as_secs(), seconds);
    }
    // What is no matter of patience is told at once.
    let away = FaultyStore::new(store).fail_on(StoreOp::List, 1, ErrorKind::PermissionDenied);
    let away: Arc<dyn Store> = Arc::new(away);
    let ask = || Lease::take(Arc::clone(&away), "prune", TTL);
    let refused = Lease::take_in_turn(TTL, TTL, ask).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::PermissionDenied);
}

#[tokio::test]
async fn an_object_that_nobody_can_read_counts_as_held_for_a_while() {
    let clock = clock();
    let store = MemoryStore::new().with_clock(clock.clone());
    for (generation, bytes) in [(7, "torn".to_owned()), (9, "large".repeat(100_000))] {
        store.put_bytes(&Key::parse(key(generation)).unwrap(), bytes).await.unwrap();
        assert_eq!(held(&take(&store).await.unwrap_err()).host, None);
        clock.advance(TimeDelta::seconds(181));
        let lease = take(&store).await.unwrap();
        assert_eq!(lease.generation().await, generation + 1);
        lease.release().await;
        store.delete(&Key::parse(key(generation + 1)).unwrap()).await.unwrap();
    }
}

#[tokio::test]
async fn an_object_that_is_gone_counts_as_held_and_a_store_that_is_away_is_no_holder() {
    let store = MemoryStore::new();
    std::mem::forget(take(&store).await.unwrap());
    let failing = |kind| FaultyStore::new(store.clone()).fail_on(StoreOp::Get, 1, kind);
    held(&take(&failing(ErrorKind::NotFound)).await.unwrap_err());
    let err = take(&failing(ErrorKind::PermissionDenied)).await.unwrap_err();
    assert!(err.kind() == ErrorKind::PermissionDenied && LeaseHeld::of(&err).is_none(), "{err}");
}

#[tokio::test]
async fn a_release_is_done_when_it_returns() {
    let store = MemoryStore::new();
    take(&store).await.unwrap().release().await;
    let record = store.get_bytes(&Key::parse(key(1)).unwrap(), 1000).now_or_never().unwrap().unwrap();
    let record: serde_json::Value = serde_json::from_slice(&record).unwrap();
    assert_eq!(record["state"], "released");
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_lost_it_is_told_so_and_never_has_it_again() {
    let clock = clock();
    let store = MemoryStore::new().with_clock(clock.clone());
    let first = take(&store).await.unwrap();
    clock.advance(TimeDelta::seconds(181));
    let second = take(&store).await.unwrap();
    // Nothing was asked of the store yet: for two thirds of the ttl it is certain that nobody could follow.
    for seconds in [119, 1] {
        first.check().await.unwrap();
        tokio::time::advance(Duration::from_secs(seconds)).await;
    }
    for _ in 0..2 {
        let err = first.check().await.unwrap_err();
        assert!(err.kind() == ErrorKind::Unavailable && err.is_retryable(), "{err}");
        assert_eq!(LeaseLost::of(&err).unwrap().generation, 1);
        assert!(err.message().contains("nothing more is deleted"), "{err}");
        let lost = std::error::Error::source(&err).map(ToString::to_string);
        assert_eq!(lost.unwrap(), "the lease was lost after generation 1");
    }
    // The release of a lost lease changes nothing.
    first.release().await;
    held(&take(&store).await.unwrap_err());
    second.check().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn work_goes_on_to_its_next_check_when_the_lease_is_lost() {
    let clock = clock();
    let store = MemoryStore::new().with_clock(clock.clone());
    let first = take(&store).await.unwrap();
    clock.advance(TimeDelta::seconds(181));
    let _second = take(&store).await.unwrap();
    let work = async {
        tokio::time::sleep(TTL * 2).await;
        first.check().await
    };
    assert!(LeaseLost::of(&first.during(work).await.unwrap_err()).is_some());
}

#[tokio::test(start_paused = true)]
async fn who_was_away_for_longer_than_several_others_gives_way_too() {
    let clock = clock();
    let store = MemoryStore::new().with_clock(clock.clone());
    let first = take(&store).await.unwrap();
    clock.advance(TimeDelta::seconds(181));
    for _ in 0..5 {
        take(&store).await.unwrap().release().await;
    }
    assert_eq!(keys(&store).await, [key(5), key(6)]);
    tokio::time::advance(Duration::from_secs(500)).await;
    // The next number of the first one is free again, and still not to be had.
    assert!(LeaseLost::of(&first.check().await.unwrap_err()).is_some());
    assert_eq!(keys(&store).await, [key(5), key(6)]);
    assert_eq!(take(&store).await.unwrap().generation().await, 7);
}

#[tokio::test(start_paused = true)]
async fn it_is_renewed_while_work_goes_on_and_by_a_check_that_comes_late() {
    let store = MemoryStore::new();
    let lease = take(&store).await.unwrap();
    lease.during(tokio::time::sleep(TTL * 2)).await;
    let renewed = lease.generation().await;
    assert!((5..=7).contains(&renewed), "{renewed} renewals in twice the ttl");
    tokio::time::advance(TTL * 3).await;
    // Late, and nobody was quicker: it was the only holder all the time.
    lease.check().await.unwrap();
    assert_eq!(lease.generation().await, renewed + 1);
    assert_eq!(keys(&store).await, [key(renewed), key(renewed + 1)]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_the_store_that_was_lost_loses_no_lease() {
    for (op, nth) in [(StoreOp::Put, 2), (StoreOp::List, 3)] {
        let faulty = FaultyStore::new(MemoryStore::new()).lose_ack(op, nth);
        let lease = take(&faulty).await.unwrap();
        lease.during(tokio::time::sleep(TTL)).await;
        lease.check().await.unwrap();
        assert!(lease.generation().await >= 3, "{op:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_hangs_or_fails_is_tried_again_in_time() {
    let store = || FaultyStore::new(MemoryStore::new());
    for faulty in [store().hang(StoreOp::Put, 2), store().fail_on(StoreOp::Put, 2, ErrorKind::Unavailable)] {
        let lease = take(&faulty).await.unwrap();
        // Right before it would be too late.
        lease.during(tokio::time::sleep(Duration::from_secs(119))).await;
        assert_eq!(lease.generation().await, 2);
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_renewal_in_time_nothing_is_deleted() {
    let faulty = FaultyStore::new(MemoryStore::new());
    let lease = take(&faulty).await.unwrap();
    let away = (2..40).fold(faulty, |store, nth| store.fail_on(StoreOp::Put, nth, ErrorKind::Unavailable));
    lease.during(tokio::time::sleep(TTL / 2)).await;
    lease.check().await.unwrap();
    lease.during(tokio::time::sleep(TTL / 4)).await;
    let err = lease.check().await.unwrap_err();
    assert!(err.is_retryable() && LeaseLost::of(&err).is_none(), "nobody took it: {err}");
    drop(away);
}

#[tokio::test]
async fn a_dropped_lease_is_free_in_this_process_at_once_and_for_others_soon() {
    let store = MemoryStore::new();
    let tasks = TaskTracker::new();
    let lease = Lease::take_with(Arc::new(store.clone()), "prune", TTL, tasks.clone()).await.unwrap();
    drop(lease);
    assert_eq!(take(&store).await.unwrap().generation().await, 2);
    tasks.close();
    tasks.wait().await;
    let store = MemoryStore::new();
    drop(Lease::take_with(Arc::new(store.clone()), "prune", TTL, tasks.clone()).await.unwrap());
    tasks.wait().await;
    as_of_another_process(&store).await;
    take(&store).await.unwrap();
}

#[tokio::test]
async fn a_take_that_is_dropped_anywhere_blocks_nobody_in_this_process() {
    for op in [StoreOp::Put, StoreOp::List, StoreOp::Get] {
        for nth in 1..=4 {
            let store = MemoryStore::new();
            take(&store).await.unwrap().release().await;
            let hanging = FaultyStore::new(store.clone()).hang(op, nth);
            drop(tokio::time::timeout(Duration::from_millis(5), take(&hanging)).await);
            take(&store).await.unwrap().release().await;
        }
    }
}

#[tokio::test]
async fn two_leases_of_one_store_have_nothing_to_do_with_each_other() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let _one = Lease::take(Arc::clone(&store), "prune", TTL).await.unwrap();
    let other = Lease::take(Arc::clone(&store), "prune-2", TTL).await.unwrap();
    assert_eq!(other.generation().await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn generations_increase_and_holders_exclude_each_other_under_contention() {
    let store = MemoryStore::new();
    let (last, taken) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let takers = (0..5).map(|_| {
        let (store, last, taken) = (store.clone(), Arc::clone(&last), Arc::clone(&taken));
        tokio::spawn(async move {
            while taken.load(Ordering::SeqCst) < 100 {
                match take(&store).await {
                    Ok(lease) => {
                        let generation = lease.generation().await;
                        let before = last.swap(generation, Ordering::SeqCst);
                        assert!(before < generation, "{generation} after {before}");
                        tokio::task::yield_now().await;
                        assert_eq!(last.load(Ordering::SeqCst), generation, "two hold it at once");
                        taken.fetch_add(1, Ordering::SeqCst);
                        lease.release().await;
                    }
                    Err(err) => {
                        held(&err);
                        tokio::task::yield_now().await;
                    }
                }
            }
        })
    });
    for taker in join_all(takers).await {
        taker.unwrap();
    }
}
