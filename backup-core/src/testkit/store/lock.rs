use std::sync::Arc;

use chrono::{SubsecRound, TimeDelta};

use super::{assert_absent, body, key, names, read};
use crate::{
    ErrorKind, LockMode, ObjectLock, PutMode, PutOptions, Store, StoreExt,
    clock::{Clock, SystemClock},
};

/// Long enough for a slow test, and short enough that nobody minds what is left in a bucket.
fn lock() -> ObjectLock {
    ObjectLock::new(LockMode::Governance, (SystemClock.now() + TimeDelta::minutes(10)).trunc_subsecs(0))
}

/// A store without [`object_lock`](crate::store::StoreCapabilities::object_lock) refuses a lock and stores nothing; one with it
/// says until when, and only of what was locked.
pub async fn a_lock_is_kept_or_refused(store: &Arc<dyn Store>) {
    let (locked, free) = (key("lock/locked"), key("lock/free"));
    let lock = lock();
    let put = store.put(&locked, body(vec!["bytes".into()]), PutOptions::default().with_lock(lock)).await;
    if !store.capabilities().object_lock {
        assert_eq!(put.unwrap_err().kind(), ErrorKind::Unsupported);
        assert_absent(&**store, &locked).await;
        return;
    }
    assert_eq!(put.unwrap().lock, Some(lock));
    assert_eq!(store.head(&locked).await.unwrap().lock, Some(lock));
    store.put_bytes(&free, "bytes").await.unwrap();
    assert_eq!(store.head(&free).await.unwrap().lock, None);
    store.delete(&free).await.unwrap();
}

/// Where a store keeps locks, neither a delete nor an overwrite touches a locked object, and both say so.
pub async fn a_locked_object_is_neither_deleted_nor_replaced(store: &Arc<dyn Store>) {
    if !store.capabilities().object_lock {
        return;
    }
    let locked = key("lock/locked");
    let options = PutOptions::default().with_lock(lock());
    store.put(&locked, body(vec!["first".into()]), options).await.unwrap();
    assert_eq!(store.delete(&locked).await.unwrap_err().kind(), ErrorKind::PermissionDenied);
    let overwrite = PutOptions::default().with_mode(PutMode::Overwrite);
    let err = store.put(&locked, body(vec!["second".into()]), overwrite).await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::PermissionDenied);
    assert_eq!(store.put_bytes(&locked, "third").await.unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(read(&**store, &locked).await, "first");
    assert_eq!(names(&**store, "lock").await, ["lock/locked"]);
}
