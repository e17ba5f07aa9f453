//! `MemoryStore` keeps the contract of a store.
#![allow(missing_docs)]

use backup_core::{MemoryStore, testkit::store::StoreFixture};

fn memory() -> StoreFixture {
    let store = MemoryStore::new();
    StoreFixture::new(move || {
        let store = store.clone();
        async move { store }
    })
}

backup_core::store_conformance!(memory());
