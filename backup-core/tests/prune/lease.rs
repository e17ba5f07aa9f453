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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_prunes_at_once_and_a_prune_during_a_backup_lose_nothing() {
    let (base, clock, backups) = made(8).await;
    for round in 0..25 {
        let store = copy(&base).await;
        let slow = FakeDumper::new("all the rows".repeat(50)).slow(100, Duration::from_millis(1));
        let backing =
            Pipeline::new(slow, store.clone()).with_environment("production").with_clock(clock.clone());
        let prune = |keep: u32| {
            let pipeline = pipeline(store.clone(), &clock);
            tokio::spawn(async move {
                let plan = pipeline.plan_prune(&last(keep), &Filter::all()).await?;
                pipeline.prune(&plan, CONFIRMED).await
            })
        };
        let (one, two, made) = tokio::join!(prune(3), prune(2), backing.backup(BackupRequest::new()));
        let made = made.unwrap().backup;
        for err in [one.unwrap(), two.unwrap()].into_iter().filter_map(Result::err) {
            // A catalog that the other one changed meanwhile is no longer that of the plan.
            let is_late = err.kind() == ErrorKind::InvalidInput;
            assert!(is_late || LeaseHeld::of(&err).is_some(), "round {round}: {err}");
        }
        let pipeline = pipeline(store.clone(), &clock);
        let last_plan = pipeline.plan_prune(&last(2), &Filter::all()).await.unwrap();
        pipeline.prune(&last_plan, CONFIRMED).await.unwrap();
        check_only(&store, &[backups[7].clone(), made], &format!("round {round}")).await;
        check_whole(&store, &[], "after two prunes").await;
    }
}

#[tokio::test(start_paused = true)]
async fn retention_that_waited_for_another_says_who_it_is_however_short_the_stall_timeout() {
    let (store, clock, backups) = made(3).await;
    let day = Duration::from_secs(24 * 60 * 60);
    let other = Lease::take(Arc::new(store.clone()), "prune", day).await.unwrap();
    let waiting = pipeline(store.clone(), &clock)
        .with_retention(last(2))
        .unwrap()
        .with_stall_timeout(Duration::from_secs(5))
        .with_lease_ttl(Duration::from_secs(60));
    let asked = tokio::time::Instant::now();
    let report = waiting.backup(BackupRequest::new()).await.unwrap();
    assert!(asked.elapsed() >= Duration::from_secs(60), "{:?}", asked.elapsed());
    let [warning] = &report.warnings[..] else { panic!("{:?}", report.warnings) };
    let pid = format!("pid: {}", std::process::id());
    for said in ["another process is at work in this store", "since: ", "free_after_seconds: 86", &pid] {
        assert!(warning.contains(said), "{said}: {warning}");
    }
    other.release().await;
    waiting.backup(BackupRequest::new()).await.unwrap();
    let left = listed(&store).await;
    assert!(left.len() == 2 && !left.contains(&backups[2]), "{left:?}");
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
