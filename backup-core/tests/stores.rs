//! The stores and wrappers of this crate keep the contract of a store, and do what they are for.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::missing_panics_doc
)]

#[path = "stores/backup.rs"]
mod backup;
#[path = "stores/copy.rs"]
mod copy;
#[path = "stores/fan_out.rs"]
mod fan_out;
#[path = "stores/observed.rs"]
mod observed;
#[path = "stores/prefixed.rs"]
mod prefixed;
#[path = "stores/probe.rs"]
mod probe;
#[path = "stores/rate_limit.rs"]
mod rate_limit;
#[path = "stores/read_only.rs"]
mod read_only;
#[path = "stores/retry.rs"]
mod retry;

use backup_core::{Key, MemoryStore, Prefix, Store, testkit::store::StoreFixture};
use futures::TryStreamExt;

/// A fixture of what `wrap` makes of one memory store.
fn wrapped<S: Store>(wrap: impl Fn(MemoryStore) -> S + Send + Sync + 'static) -> StoreFixture {
    let store = MemoryStore::new();
    StoreFixture::new(move || std::future::ready(wrap(store.clone())))
}

fn key(text: &str) -> Key {
    Key::parse(text).unwrap()
}

async fn names(store: &dyn Store) -> Vec<String> {
    let mut names: Vec<String> =
        store.list(&Prefix::root()).map_ok(|object| object.key.to_string()).try_collect().await.unwrap();
    // What is left of a lease on purpose, so that its numbers go on.
    names.retain(|name| !name.starts_with("leases/"));
    names.sort_unstable();
    names
}

mod memory {
    use super::*;

    backup_core::store_conformance!(wrapped(|store| store));
}
