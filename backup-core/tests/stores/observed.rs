use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use backup_core::{
    ByteStream, ErrorKind, GetOptions, MemoryStore, Prefix, PutOptions, Store, StoreExt,
    store::{CallOutcome, Observed, StoreCall, StoreObserver},
    testkit::faults::{FaultyStore, StoreOp},
};
use futures::StreamExt;

use super::{key, names, wrapped};

type Told = (StoreOp, String, u64, CallOutcome);

#[derive(Debug, Clone, Default)]
struct Seen(Arc<Mutex<Vec<Told>>>);

impl StoreObserver for Seen {
    fn observe(&self, call: &StoreCall<'_>) {
        self.0.lock().unwrap().push((call.op, call.key.to_owned(), call.amount, call.outcome));
    }
}

impl Seen {
    fn take(&self) -> Vec<Told> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

backup_core::store_conformance!(wrapped(|store| Observed::new(store, Seen::default())));

#[tokio::test]
async fn every_call_is_told_once_with_what_came_of_it() {
    let seen = Seen::default();
    let inner = FaultyStore::new(MemoryStore::new()).fail_on(StoreOp::Delete, 1, ErrorKind::PermissionDenied);
    let store = Observed::new(inner, seen.clone());
    store.put_bytes(&key("a"), "12345").await.unwrap();
    store.get_bytes(&key("a"), 10).await.unwrap();
    store.get(&key("no"), GetOptions::default()).await.unwrap_err();
    store.head(&key("a")).await.unwrap();
    names(&store).await;
    store.delete(&key("a")).await.unwrap_err();
    store.space().await.unwrap();
    store.sweep(Duration::ZERO).await.unwrap();
    let expected = [
        (StoreOp::Put, "a", 5, CallOutcome::Done),
        (StoreOp::Get, "a", 5, CallOutcome::Done),
        (StoreOp::Get, "no", 0, CallOutcome::Failed("not_found")),
        (StoreOp::Head, "a", 0, CallOutcome::Done),
        (StoreOp::List, "", 1, CallOutcome::Done),
        (StoreOp::Delete, "a", 0, CallOutcome::Failed("permission_denied")),
        (StoreOp::Space, "", 0, CallOutcome::Done),
        (StoreOp::Sweep, "", 0, CallOutcome::Done),
    ];
    assert_eq!(seen.take(), expected.map(|(op, key, amount, outcome)| (op, key.to_owned(), amount, outcome)));
}

#[tokio::test]
async fn what_is_dropped_under_way_is_told_too() {
    let seen = Seen::default();
    let store = Observed::new(MemoryStore::new(), seen.clone());
    let endless = ByteStream::new(futures::stream::pending());
    let a = key("a");
    let put = store.put(&a, endless, PutOptions::default());
    tokio::time::timeout(Duration::from_millis(10), put).await.unwrap_err();
    store.put_bytes(&key("b"), "12345").await.unwrap();
    drop(store.get(&key("b"), GetOptions::default()).await.unwrap());
    drop(store.list(&Prefix::root()).next().await);
    let outcomes: Vec<_> = seen.take().into_iter().map(|(op, _, _, outcome)| (op, outcome)).collect();
    let dropped = |op| (op, CallOutcome::Dropped);
    let expected = [
        dropped(StoreOp::Put),
        (StoreOp::Put, CallOutcome::Done),
        dropped(StoreOp::Get),
        dropped(StoreOp::List),
    ];
    assert_eq!(outcomes, expected);
}
