//! `LocalStore` keeps the contract of a store.
#![allow(clippy::unwrap_used, missing_docs)]

use backup_core::testkit::store::StoreFixture;
use storage_local::LocalStore;

fn local() -> StoreFixture {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    StoreFixture::new(move || {
        let path = path.clone();
        async move { LocalStore::open(path).await.unwrap() }
    })
    .with_guard(dir)
}

backup_core::store_conformance!(local());
