use std::num::NonZeroU64;

use backup_core::{ByteStream, MemoryStore, PutOptions, Store, StoreExt, store::RateLimit};
use bytes::Bytes;
use tokio::time::Instant;

use super::{key, wrapped};

const FAST: NonZeroU64 = NonZeroU64::new(1 << 40).unwrap();
const SLOW: NonZeroU64 = NonZeroU64::new(1000).unwrap();

backup_core::store_conformance!(wrapped(|store| RateLimit::new(store, FAST)));

/// So many bytes in chunks of a hundred.
fn body(bytes: usize) -> ByteStream {
    let chunks = vec![Bytes::from(vec![7; 100]); bytes / 100];
    ByteStream::new(futures::stream::iter(chunks.into_iter().map(Ok)))
}

#[tokio::test(start_paused = true)]
async fn each_direction_keeps_its_rate_however_many_share_it() {
    let store = RateLimit::new(MemoryStore::new(), SLOW);
    let started = Instant::now();
    let (a, b) = (key("a"), key("b"));
    let clone = store.clone();
    let (one, other) = futures::join!(
        store.put(&a, body(2000), PutOptions::default()),
        clone.put(&b, body(2000), PutOptions::default()),
    );
    one.unwrap();
    other.unwrap();
    // The last chunk passes before it is paid for.
    let stored = started.elapsed().as_secs_f64();
    assert!((3.8..=4.1).contains(&stored), "{stored}");
    let started = Instant::now();
    store.get_bytes(&a, 10_000).await.unwrap();
    let first = started.elapsed().as_secs_f64();
    assert!(first < 0.1, "reads do not wait for puts: {first}");
    store.get_bytes(&b, 10_000).await.unwrap();
    let second = started.elapsed().as_secs_f64();
    assert!((1.9..=2.1).contains(&second), "a chunk of two seconds is paid by the next read: {second}");
}
