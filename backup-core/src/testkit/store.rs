//! The clauses of the contract of a [`Store`], one function each.
//!
//! [`store_conformance!`](crate::store_conformance) makes a test of every clause. A clause takes an empty
//! store; those that open it twice take the [`StoreFixture`]. A clause fails by panicking, and its name is
//! the claim that does not hold.
//!
//! # Examples
//!
//! ```
//! use backup_core::{MemoryStore, testkit::store::StoreFixture};
//!
//! fn memory() -> StoreFixture {
//!     let store = MemoryStore::new();
//!     StoreFixture::new(move || {
//!         let store = store.clone();
//!         async move { store }
//!     })
//! }
//!
//! backup_core::store_conformance!(memory());
//! # fn main() {}
//! ```

use std::{any::Any, fmt, future::Future, sync::Arc};

use bytes::Bytes;
use futures::{FutureExt, StreamExt, TryStreamExt, future::BoxFuture};

use crate::{ByteStream, ErrorKind, GetOptions, Key, ObjectMeta, Prefix, Store, StoreExt};

mod list;
mod lock;
mod put;
mod read;

pub use list::*;
pub use lock::*;
pub use put::*;
pub use read::*;

/// The largest body that a clause stores, in bytes.
const LARGEST: usize = 5 * 1024 * 1024 + 3;

/// An empty store that a clause can open, several times where it has to.
pub struct StoreFixture {
    open: Box<dyn Fn() -> BoxFuture<'static, Arc<dyn Store>> + Send + Sync>,
    guard: Option<Box<dyn Any + Send + Sync>>,
}

impl StoreFixture {
    /// `open` opens the same storage each time, which is empty at first.
    pub fn new<S, F>(open: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        S: Store,
        F: Future<Output = S> + Send + 'static,
    {
        let open = move || {
            let opening = open();
            async move { Arc::new(opening.await) as Arc<dyn Store> }.boxed()
        };
        Self { open: Box::new(open), guard: None }
    }

    /// Keeps `guard` (a temporary directory, a server) until the clause is over.
    #[must_use]
    pub fn with_guard(mut self, guard: impl Any + Send + Sync) -> Self {
        self.guard = Some(Box::new(guard));
        self
    }

    /// Opens the store, as another process would.
    ///
    /// # Cancel safety
    ///
    /// As the function that the fixture was made of.
    pub async fn open(&self) -> Arc<dyn Store> {
        (self.open)().await
    }
}

impl fmt::Debug for StoreFixture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreFixture").field("guarded", &self.guard.is_some()).finish_non_exhaustive()
    }
}

/// Makes a module `store_conformance` with one `#[tokio::test]` per clause of the contract of
/// [`Store`](crate::Store).
///
/// The argument is an expression that makes a [`StoreFixture`](crate::testkit::store::StoreFixture); it is
/// evaluated once per clause. The crate that uses the macro needs `tokio` with its features `macros`, `rt`
/// and `time`.
#[macro_export]
macro_rules! store_conformance {
    ($fixture:expr) => {
        $crate::store_conformance!(@each $fixture;
            open:
                round_trip_of_any_size,
                meta_is_the_same_from_put_head_get_and_list,
                failing_body_publishes_nothing,
                failing_body_leaves_the_old_object,
                dropped_put_publishes_nothing,
                dropped_overwrite_leaves_the_old_object,
                create_refuses_existing_and_leaves_it_untouched,
                overwrite_replaces_and_creates,
                overwrite_is_seen_whole_or_not_at_all,
                exactly_one_of_racing_creates_wins,
                wrong_digest_is_refused_and_not_stored,
                two_puts_run_at_the_same_time,
                object_and_folder_of_one_name_are_both_kept_or_refused,
                range_reads_yield_just_the_range,
                range_beyond_the_object_is_invalid,
                missing_object_is_not_found,
                dropped_read_is_harmless,
                delete_is_idempotent,
                delete_removes_just_that_object,
                deleted_key_can_be_created_again,
                list_is_segment_wise,
                list_sees_everything_over_1000_objects,
                list_never_shows_unfinished_uploads,
                list_below_nothing_is_empty,
                every_allowed_key_is_kept,
                space_is_reported_where_declared,
                largest_object_is_plausible,
                a_lock_is_kept_or_refused,
                a_locked_object_is_neither_deleted_nor_replaced,
                sweep_within_the_grace_harms_nothing,
                sweep_keeps_finished_objects;
            fixture:
                objects_are_there_after_opening_again,
                creates_race_across_two_handles
        );
    };
    (@each $fixture:expr; open: $($clause:ident),+; fixture: $($reopening:ident),+) => {
        mod store_conformance {
            #[allow(unused_imports)]
            use super::*;
            $(
                #[tokio::test]
                async fn $clause() {
                    let fixture: $crate::testkit::store::StoreFixture = $fixture;
                    let store = fixture.open().await;
                    $crate::testkit::store::$clause(&store).await;
                }
            )+
            $(
                #[tokio::test]
                async fn $reopening() {
                    let fixture: $crate::testkit::store::StoreFixture = $fixture;
                    $crate::testkit::store::$reopening(&fixture).await;
                }
            )+
        }
    };
}

fn key(text: &str) -> Key {
    Key::parse(text).unwrap()
}

/// Bytes that repeat nowhere nearby, so that a lost, doubled or moved chunk is seen.
fn pattern(len: usize, seed: u64) -> Bytes {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes.into()
}

/// `bytes` cut into chunks of `size`.
fn cut(bytes: &Bytes, size: usize) -> Vec<Bytes> {
    (0..bytes.len()).step_by(size).map(|at| bytes.slice(at..(at + size).min(bytes.len()))).collect()
}

fn body(chunks: Vec<Bytes>) -> ByteStream {
    ByteStream::new(futures::stream::iter(chunks.into_iter().map(Ok)))
}

async fn read(store: &dyn Store, key: &Key) -> Bytes {
    store.get_bytes(key, 2 * LARGEST).await.unwrap_or_else(|err| panic!("{key} cannot be read: {err}"))
}

async fn listed(store: &dyn Store, prefix: &str) -> Vec<ObjectMeta> {
    let prefix = Prefix::parse(prefix).unwrap();
    let mut all: Vec<_> = store.list(&prefix).try_collect().await.unwrap();
    all.sort_by(|a, b| a.key.cmp(&b.key));
    all
}

async fn names(store: &dyn Store, prefix: &str) -> Vec<String> {
    listed(store, prefix).await.into_iter().map(|meta| meta.key.into()).collect()
}

/// Neither `head`, nor `get`, nor `list` knows `key`.
async fn assert_absent(store: &dyn Store, key: &Key) {
    assert_eq!(store.head(key).await.unwrap_err().kind(), ErrorKind::NotFound, "head of {key}");
    let got = store.get(key, GetOptions::default()).await;
    assert_eq!(got.unwrap_err().kind(), ErrorKind::NotFound, "get of {key}");
    let mut list = store.list(&Prefix::root());
    while let Some(meta) = list.next().await {
        assert_ne!(&meta.unwrap().key, key, "listed");
    }
}
