use super::*;

#[tokio::test]
async fn of_two_prunes_at_once_one_works_and_the_other_is_told_by_whom_while_backups_go_on() {
    let (store, clock, backups) = made(6).await;
    // Stands still at its first deletion, with the lease.
    let slow = FaultyStore::new(store.clone()).hang(StoreOp::Delete, 1);
    let first = pipeline(slow, &clock);
    let plan = plan(&first, &last(2)).await;
    let pruning = {
        let (first, plan) = (first.clone(), plan.clone());
        tokio::spawn(async move { first.prune(&plan, CONFIRMED).await })
    };
    while !keys_of_lease(&store).await {
        tokio::task::yield_now().await;
    }
    let second = pipeline(store.clone(), &clock);
    let refusals = [
        second.prune(&plan, CONFIRMED).await.map(drop).unwrap_err(),
        second.sweep(Duration::ZERO).await.map(drop).unwrap_err(),
    ];
    for err in refusals {
        assert!(err.kind() == ErrorKind::Unavailable && err.is_retryable(), "{err}");
        let held = LeaseHeld::of(&err).unwrap();
        assert!(held.pid == Some(std::process::id()) && held.since.is_some(), "{held:?}");
    }
    assert!(listed(&store).await.is_superset(&backups[2..].iter().cloned().collect()));
    // Neither a backup nor a proof nor a deletion by hand waits for it.
    let made = second.backup(BackupRequest::new()).await.unwrap().backup;
    second.verify(&made, Level::Decoded).await.unwrap().ensure_passed().unwrap();
    second.delete(&backups[5], CONFIRMED).await.unwrap();
    pruning.abort();
    assert!(pruning.await.unwrap_err().is_cancelled());
    first.settle().await;
    let rerun = super::plan(&second, &last(2)).await;
    second.prune(&rerun, CONFIRMED).await.unwrap();
    check_only(&store, &[backups[4].clone(), made], "after the rerun").await;
}

async fn keys_of_lease(store: &MemoryStore) -> bool {
    let leases = Prefix::parse("leases").unwrap();
    !store.list(&leases).try_collect::<Vec<_>>().await.unwrap().is_empty()
}

#[tokio::test]
async fn the_lease_is_given_back_when_a_prune_returns() {
    let (store, clock, _) = made(3).await;
    let pipeline = pipeline(store.clone(), &clock);
    pipeline.prune(&plan(&pipeline, &last(2)).await, CONFIRMED).await.unwrap();
    let leases = Prefix::parse("leases").unwrap();
    let kept = store.list(&leases).try_collect::<Vec<_>>().now_or_never().unwrap().unwrap();
    let newest = kept.iter().map(|object| &object.key).max().unwrap();
    let record = store.get_bytes(newest, 1000).now_or_never().unwrap().unwrap();
    assert!(record.escape_ascii().to_string().contains("released"), "{record:?}");
}
