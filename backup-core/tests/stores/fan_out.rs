use std::time::Duration;

use backup_core::{
    ByteStream, Digest, Error, ErrorKind, GetOptions, MemoryStore, Prefix, PutMode, PutOptions, Result,
    Store, StoreExt,
    store::{CopiesFailed, CopyPolicy, CopyTo, FanOut},
    testkit::{
        faults::{FaultyStore, StoreOp, broken_body},
        store::StoreFixture,
    },
};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, future::join_all};
use tokio::time::Instant;

use super::{key, names};

type Faulty = FaultyStore<MemoryStore>;

const MIB: usize = 1024 * 1024;

fn stores() -> [Faulty; 3] {
    std::array::from_fn(|_| FaultyStore::new(MemoryStore::new()))
}

fn copy_to(store: &Faulty) -> CopyTo {
    CopyTo::new(store.clone()).with_buffer_bytes(MIB).with_stall_timeout(Duration::from_secs(5))
}

fn fan_out(policy: CopyPolicy, stores: &[Faulty]) -> FanOut {
    FanOut::new(policy, stores.iter().map(copy_to).collect()).unwrap()
}

fn fixture(policy: CopyPolicy) -> StoreFixture {
    let stores = stores();
    StoreFixture::new(move || std::future::ready(fan_out(policy, &stores)))
}

mod all {
    use super::*;
    backup_core::store_conformance!(fixture(CopyPolicy::All));
}

mod two_of_three {
    use super::*;
    backup_core::store_conformance!(fixture(CopyPolicy::AtLeast(2)));
}

mod primary {
    use super::*;
    backup_core::store_conformance!(fixture(CopyPolicy::Primary));
}

/// `mib` MiB in chunks of 100,000 bytes.
fn body(mib: usize) -> ByteStream {
    let bytes = Bytes::from(vec![7; mib * MIB]);
    let chunks: Vec<_> = (0..bytes.len())
        .step_by(100_000)
        .map(|at| Ok(bytes.slice(at..(at + 100_000).min(bytes.len()))))
        .collect();
    ByteStream::new(futures::stream::iter(chunks))
}

async fn put(store: &FanOut, name: &str) -> Result<Vec<bool>> {
    let stored = store.put(&key(name), body(4), PutOptions::default()).await?;
    Ok(stored.copies.iter().map(backup_core::store::StoredCopy::is_stored).collect())
}

async fn holding(stores: &[Faulty], name: &str) -> Vec<bool> {
    join_all(stores.iter().map(async |store| store.inner().exists(&key(name)).await.unwrap())).await
}

const T: bool = true;
const F: bool = false;

#[tokio::test(start_paused = true)]
async fn a_copy_that_fails_in_the_middle_is_left_out_where_the_policy_can_do_without_it() {
    for fault in ["breaks", "hangs", "refuses"] {
        for policy in [CopyPolicy::Primary, CopyPolicy::AtLeast(2)] {
            let [a, b, c] = stores();
            let b = match fault {
                "breaks" => b.fail_body_after(2 * MIB as u64),
                "hangs" => b.hang(StoreOp::Put, 1),
                _ => b.fail_on(StoreOp::Put, 1, ErrorKind::StorageFull),
            };
            let all = [a, b, c];
            assert_eq!(put(&fan_out(policy, &all), "object").await.unwrap(), [T, F, T], "{fault} {policy:?}");
            assert_eq!(holding(&all, "object").await, [T, F, T], "{fault} {policy:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_put_that_misses_the_policy_is_stored_nowhere() {
    for policy in [CopyPolicy::All, CopyPolicy::AtLeast(3), CopyPolicy::Primary] {
        for fault in ["breaks", "hangs", "full at the end"] {
            let [a, b, c] = stores();
            let faulty = |store: Faulty| match fault {
                "breaks" => store.fail_body_after(2 * MIB as u64),
                "hangs" => store.hang(StoreOp::Put, 1),
                _ => store.fail_on(StoreOp::Put, 1, ErrorKind::StorageFull),
            };
            let all = if policy == CopyPolicy::Primary { [faulty(a), b, c] } else { [a, b, faulty(c)] };
            let err = put(&fan_out(policy, &all), "object").await.unwrap_err();
            let expected = match fault {
                "breaks" => ErrorKind::Unavailable,
                "hangs" => ErrorKind::Timeout,
                _ => ErrorKind::StorageFull,
            };
            assert_eq!(err.kind(), expected, "{policy:?} {fault}: {err}");
            assert_eq!(CopiesFailed::of(&err).unwrap().failures().next().unwrap().1.kind(), expected);
            assert_eq!(holding(&all, "object").await, [F, F, F], "{policy:?} {fault}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_can_be_spared_holds_the_others_up_for_its_limit_at_most() {
    let [a, b, c] = stores();
    let all = [a, b.hang(StoreOp::Put, 1), c];
    let started = Instant::now();
    assert_eq!(put(&fan_out(CopyPolicy::Primary, &all), "object").await.unwrap(), [T, F, T]);
    let took = started.elapsed().as_secs_f64();
    assert!((5.0..5.5).contains(&took), "{took}");
}

/// A store that takes its time for each chunk.
fn slow(store: &Faulty, pause: Duration) -> CopyTo {
    #[derive(Debug)]
    struct Slow(Faulty, Duration);
    #[async_trait::async_trait]
    impl Store for Slow {
        fn location(&self) -> String {
            self.0.location()
        }
        fn capabilities(&self) -> backup_core::store::StoreCapabilities {
            self.0.capabilities()
        }
        async fn put(
            &self,
            key: &backup_core::Key,
            body: ByteStream,
            options: PutOptions,
        ) -> Result<backup_core::ObjectMeta> {
            let pause = self.1;
            let body = ByteStream::new(body.then(move |chunk| async move {
                tokio::time::sleep(pause).await;
                chunk
            }));
            self.0.put(key, body, options).await
        }
        async fn get(&self, key: &backup_core::Key, options: GetOptions) -> Result<backup_core::GetResult> {
            self.0.get(key, options).await
        }
        async fn head(&self, key: &backup_core::Key) -> Result<backup_core::ObjectMeta> {
            self.0.head(key).await
        }
        async fn delete(&self, key: &backup_core::Key) -> Result<()> {
            self.0.delete(key).await
        }
        fn list(
            &self,
            prefix: &Prefix,
        ) -> futures::stream::BoxStream<'static, Result<backup_core::ObjectMeta>> {
            self.0.list(prefix)
        }
        async fn space(&self) -> Result<Option<backup_core::store::Space>> {
            self.0.space().await
        }
        async fn sweep(&self, grace: Duration) -> Result<backup_core::store::SweepReport> {
            self.0.sweep(grace).await
        }
    }
    CopyTo::new(Slow(store.clone(), pause)).with_buffer_bytes(MIB).with_stall_timeout(Duration::from_secs(5))
}

#[tokio::test(start_paused = true)]
async fn the_slowest_store_that_is_needed_sets_the_pace_and_is_never_dropped() {
    let all = stores();
    let second = Duration::from_secs(1);
    // 42 chunks of a second each: far more than the stall timeout in all, and never as long at a time.
    let copies = || vec![copy_to(&all[0]), slow(&all[1], second), copy_to(&all[2])];
    let both = FanOut::new(CopyPolicy::All, copies()).unwrap();
    let started = Instant::now();
    assert_eq!(put(&both, "needed").await.unwrap(), [T, T, T]);
    assert!(started.elapsed() >= 42 * second);
    // The same store is dropped where it only holds the others up.
    let spared = FanOut::new(CopyPolicy::Primary, copies()).unwrap();
    let started = Instant::now();
    assert_eq!(put(&spared, "spared").await.unwrap(), [T, F, T]);
    assert!(started.elapsed() < 10 * second);
    assert_eq!(holding(&all, "spared").await, [T, F, T]);
}

#[tokio::test]
async fn of_racing_creates_with_stores_that_disagree_one_wins_everywhere() {
    for policy in [CopyPolicy::All, CopyPolicy::AtLeast(2), CopyPolicy::Primary] {
        for round in 0..20 {
            let all = stores();
            let name = format!("race-{round}");
            // Each racer has its own handle, and meets the stores at other moments.
            let racers = (0..8_u8).map(|racer| {
                let (store, name) = (fan_out(policy, &all), key(&name));
                tokio::spawn(async move {
                    store.put(&name, Bytes::from(vec![racer; 1000]).into(), PutOptions::default()).await
                })
            });
            let results: Vec<_> = join_all(racers).await.into_iter().map(Result::unwrap).collect();
            let winners: Vec<_> = (0..8_u8).filter(|racer| results[usize::from(*racer)].is_ok()).collect();
            assert_eq!(winners.len(), 1, "{policy:?} {results:?}");
            for lost in results.iter().filter_map(|result| result.as_ref().err()) {
                assert_eq!(lost.kind(), ErrorKind::AlreadyExists);
            }
            for store in &all {
                let kept = store.inner().get_bytes(&key(&name), 1000).await.unwrap();
                assert_eq!(kept, vec![winners[0]; 1000], "{policy:?}: the copies are one winner's");
            }
        }
    }
}

#[tokio::test]
async fn an_object_that_any_store_holds_exists() {
    for (policy, holder) in [(CopyPolicy::Primary, 2), (CopyPolicy::AtLeast(2), 0), (CopyPolicy::All, 1)] {
        let all = stores();
        all[holder].inner().put_bytes(&key("object"), "theirs").await.unwrap();
        let err = put(&fan_out(policy, &all), "object").await.unwrap_err();
        assert_eq!(err.kind(), ErrorKind::AlreadyExists, "{err}");
        let mut expected = [F, F, F];
        expected[holder] = T;
        assert_eq!(holding(&all, "object").await, expected, "what was created on the way is taken back");
        assert_eq!(all[holder].inner().get_bytes(&key("object"), 10).await.unwrap(), "theirs");
    }
}

#[tokio::test]
async fn a_second_store_decides_where_the_first_fails_and_can_be_spared() {
    let [a, b, c] = stores();
    let all = [a.fail_on(StoreOp::Put, 1, ErrorKind::Unavailable), b, c];
    let store = fan_out(CopyPolicy::AtLeast(2), &all);
    assert_eq!(put(&store, "object").await.unwrap(), [F, T, T]);
    // Who reaches the first store meets the object in the others, and gives back what it stored.
    assert_eq!(put(&store, "object").await.unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(holding(&all, "object").await, [F, T, T]);
}

#[tokio::test]
async fn the_digest_and_the_body_are_checked_in_each_store() {
    let all = stores();
    let store = fan_out(CopyPolicy::AtLeast(1), &all);
    let wrong = PutOptions::default().with_digest(Digest::sha256(b"other"));
    let err = store.put(&key("wrong"), body(1), wrong).await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::Corrupt);
    let broken = broken_body(["a", "b"], ErrorKind::ToolFailed);
    let err = store.put(&key("broken"), broken, PutOptions::default()).await.unwrap_err();
    assert_eq!(
        (err.kind(), CopiesFailed::of(&err).is_none()),
        (ErrorKind::ToolFailed, true),
        "it comes out as it was"
    );
    for store in &all {
        assert_eq!(names(store.inner()).await, [""; 0]);
    }
}

#[tokio::test]
async fn a_put_dropped_while_the_stores_publish_is_given_back() {
    let [a, b, c] = stores();
    // The first one has published when the second one hangs.
    let all = [a, b.hang(StoreOp::Put, 1), c];
    let copies =
        all.iter().map(|store| CopyTo::new(store.clone()).with_stall_timeout(Duration::from_millis(300)));
    let store = FanOut::new(CopyPolicy::Primary, copies.collect()).unwrap();
    let name = key("object");
    let put = store.put(&name, Bytes::from_static(b"1").into(), PutOptions::default());
    tokio::time::timeout(Duration::from_millis(100), put).await.unwrap_err();
    assert!(all[0].inner().exists(&name).await.unwrap(), "the case is the one that is meant");
    for _ in 0..50 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        if holding(&all, "object").await == [F, F, F] {
            return;
        }
    }
    panic!("a copy remains");
}

#[tokio::test]
async fn a_store_that_is_left_out_gets_nothing_and_counts_for_nothing() {
    let all = stores();
    let store = fan_out(CopyPolicy::AtLeast(2), &all);
    let names: Vec<_> = store.copies().iter().map(|copy| copy.name().to_owned()).collect();
    assert_eq!(names, ["memory:", "memory: (2)", "memory: (3)"]);
    let without = |names: &[String]| PutOptions::default().with_excluded(names.to_vec());
    let stored = store.put(&key("object"), body(1), without(&names[1..2])).await.unwrap();
    assert_eq!(
        stored.copies.iter().map(|copy| &*copy.location).collect::<Vec<_>>(),
        ["memory:", "memory: (3)"]
    );
    assert_eq!(holding(&all, "object").await, [T, F, T]);
    let err = store.put(&key("other"), body(1), without(&names[1..])).await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::Unavailable);
    assert_eq!(holding(&all, "other").await, [F, F, F]);
}

#[tokio::test(start_paused = true)]
async fn reading_goes_on_while_a_store_is_away_and_never_says_that_nothing_is_there() {
    for fault in ["unavailable", "hangs"] {
        let break_it = |store: Faulty| {
            [StoreOp::Get, StoreOp::Head, StoreOp::List].into_iter().fold(store, |store, op| {
                (1..20).fold(store, |store, nth| match fault {
                    "hangs" => store.hang(op, nth),
                    _ => store.fail_on(op, nth, ErrorKind::Unavailable),
                })
            })
        };
        let [a, b, c] = stores();
        b.inner().put_bytes(&key("object"), "1").await.unwrap();
        c.inner().put_bytes(&key("other"), "1").await.unwrap();
        let store = fan_out(CopyPolicy::Primary, &[break_it(a), b, c]);
        assert_eq!(store.get_bytes(&key("object"), 10).await.unwrap(), "1");
        store.head(&key("other")).await.unwrap();
        for missing in
            [store.head(&key("no")).await.map(|_| ()), store.get_bytes(&key("no"), 1).await.map(|_| ())]
        {
            let err = missing.unwrap_err();
            assert!(CopiesFailed::is_partial(&err) && err.is_retryable(), "{err}");
        }
        let listed: Vec<_> = store.list(&Prefix::root()).collect().await;
        assert_eq!(listed.len(), 3);
        assert!(listed[0].is_ok() && listed[1].is_ok());
        assert!(CopiesFailed::is_partial(listed[2].as_ref().unwrap_err()));
    }
}

#[tokio::test]
async fn nothing_is_there_only_where_every_store_says_so() {
    let store = fan_out(CopyPolicy::All, &stores());
    assert_eq!(store.head(&key("no")).await.unwrap_err().kind(), ErrorKind::NotFound);
    let [a, b, c] = stores();
    let down = |store: Faulty| store.fail_on(StoreOp::Head, 1, ErrorKind::PermissionDenied);
    let err = fan_out(CopyPolicy::All, &[down(a), down(b), down(c)]).head(&key("no")).await.unwrap_err();
    assert_eq!((err.kind(), CopiesFailed::is_partial(&err)), (ErrorKind::PermissionDenied, false));
}

#[tokio::test]
async fn what_breaks_while_it_is_read_goes_on_in_another_copy_of_the_same_size() {
    let bytes: Bytes = (0..MIB).map(|at| u8::try_from(at % 251).unwrap()).collect::<Vec<_>>().into();
    let [a, b, c] = stores();
    for store in [&a, &c] {
        store.inner().put_bytes(&key("object"), bytes.clone()).await.unwrap();
    }
    b.inner().put_bytes(&key("object"), "another size").await.unwrap();
    let all = [a.truncate_read(1000), b, c];
    let store = fan_out(CopyPolicy::All, &all);
    assert!(store.get_bytes(&key("object"), MIB).await.unwrap() == bytes);
    let part = store.get(&key("object"), GetOptions::range(500..5000)).await.unwrap();
    assert!(part.body.collect_bytes(MIB).await.unwrap() == bytes.slice(500..5000));
    // Without another one the read fails, and does not end short.
    let alone = fan_out(CopyPolicy::All, &all[..1]);
    assert_eq!(alone.get_bytes(&key("object"), MIB).await.unwrap_err().kind(), ErrorKind::Corrupt);
}

#[tokio::test]
async fn a_delete_and_a_sweep_reach_every_store_or_say_which_not() {
    let [a, b, c] = stores();
    let b = b.fail_on(StoreOp::Delete, 1, ErrorKind::Unavailable).fail_on(
        StoreOp::Sweep,
        1,
        ErrorKind::Unavailable,
    );
    let all = [a, b, c];
    let store = fan_out(CopyPolicy::Primary, &all);
    put(&store, "object").await.unwrap();
    let err = store.delete(&key("object")).await.unwrap_err();
    let failed = CopiesFailed::of(&err).unwrap();
    assert_eq!(failed.failures().map(|(name, _)| name).collect::<Vec<_>>(), ["memory: (2)"]);
    assert!(!CopiesFailed::is_partial(&err) && err.is_retryable());
    assert_eq!(holding(&all, "object").await, [F, T, F]);
    store.delete(&key("object")).await.unwrap();
    assert_eq!(holding(&all, "object").await, [F, F, F]);
    store.sweep(Duration::ZERO).await.unwrap_err();
    assert!(all.iter().all(|store| store.calls(StoreOp::Sweep) == 1), "the others are swept all the same");
}

#[test]
fn a_policy_that_no_put_can_meet_is_refused() {
    let copies = |number| (0..number).map(|_| CopyTo::new(MemoryStore::new())).collect::<Vec<_>>();
    let cases = [
        (CopyPolicy::All, 0),
        (CopyPolicy::Primary, 0),
        (CopyPolicy::AtLeast(0), 2),
        (CopyPolicy::AtLeast(3), 2),
    ];
    for (policy, stores) in cases {
        let err: Error = FanOut::new(policy, copies(stores)).unwrap_err();
        assert_eq!(err.kind(), ErrorKind::InvalidInput, "{policy:?} {stores}");
    }
}

#[tokio::test]
async fn an_overwrite_replaces_every_copy() {
    let all = stores();
    let store = fan_out(CopyPolicy::All, &all);
    store.put_bytes(&key("object"), "old").await.unwrap();
    let options = PutOptions::default().with_mode(PutMode::Overwrite);
    store.put(&key("object"), Bytes::from_static(b"new").into(), options).await.unwrap();
    for one in &all {
        assert_eq!(one.inner().get_bytes(&key("object"), 10).await.unwrap(), "new");
    }
    assert_eq!(
        store.list(&Prefix::root()).try_collect::<Vec<_>>().await.unwrap().len(),
        1,
        "once, not thrice"
    );
}
