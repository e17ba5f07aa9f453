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

/// Two folders that get a copy each.
mod fan_out {
    use backup_core::store::{CopyPolicy, CopyTo, FanOut};

    use super::*;

    fn two_folders() -> StoreFixture {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().to_owned();
        StoreFixture::new(move || {
            let path = path.clone();
            async move {
                let mut copies = Vec::new();
                for name in ["first", "second"] {
                    copies.push(CopyTo::new(LocalStore::open(path.join(name)).await.unwrap()));
                }
                FanOut::new(CopyPolicy::All, copies).unwrap()
            }
        })
        .with_guard(dir)
    }

    backup_core::store_conformance!(two_folders());
}
