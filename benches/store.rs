//! `LocalStore` against what the disk can do: a plain write with one sync at its end (`dd conv=fsync`), and a
//! plain read.
//!
//! `TMPDIR` says which disk. The paced group shows what is left to wait for after the last byte of a dump that
//! comes more slowly than the disk writes.
// A benchmark may block, and has nobody to report an error to.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs)]

use std::{
    fs::{self, File},
    io::{Read, Write},
    path::Path,
    time::{Duration, Instant},
};

use backup_core::{ByteStream, GetOptions, Key, PutOptions, Store, StoreExt};
use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use futures::{StreamExt, TryStreamExt};
use storage_local::LocalStore;
use tokio::runtime::Runtime;

const MIB: usize = 1024 * 1024;
const OBJECT: usize = 256 * MIB;
const CHUNK: usize = 256 * 1024;

fn body(bytes: usize) -> ByteStream {
    let chunk = Bytes::from(vec![7; CHUNK.min(bytes)]);
    ByteStream::new(futures::stream::iter((0..bytes / chunk.len()).map(move |_| Ok(chunk.clone()))))
}

/// A body that comes at 200 MiB a second.
fn paced(bytes: usize) -> ByteStream {
    let mut due = tokio::time::Instant::now();
    ByteStream::new(body(bytes).and_then(move |chunk| {
        due += Duration::from_secs(1) / 800;
        async move {
            tokio::time::sleep_until(due).await;
            Ok(chunk)
        }
    }))
}

/// The time of `rounds` puts, without the deleting between them.
async fn put(store: &LocalStore, rounds: u64, body: impl Fn() -> ByteStream) -> Duration {
    let key = Key::parse("production/shop/object").unwrap();
    let mut spent = Duration::ZERO;
    for _ in 0..rounds {
        let start = Instant::now();
        store.put(&key, body(), PutOptions::default()).await.unwrap();
        spent += start.elapsed();
        store.delete(&key).await.unwrap();
    }
    spent
}

/// What `dd conv=fsync` does.
fn write_and_sync(path: &Path, rounds: u64, bytes: usize) -> Duration {
    let chunk = vec![7; CHUNK.min(bytes)];
    let mut spent = Duration::ZERO;
    for _ in 0..rounds {
        let start = Instant::now();
        let mut file = File::create(path).unwrap();
        for _ in 0..bytes / chunk.len() {
            file.write_all(&chunk).unwrap();
        }
        file.sync_all().unwrap();
        spent += start.elapsed();
        fs::remove_file(path).unwrap();
    }
    spent
}

fn stores(c: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let plain = dir.path().join("plain");
    let store = runtime.block_on(LocalStore::open(dir.path().join("store"))).unwrap();

    let mut group = c.benchmark_group("put");
    group.sample_size(10);
    for bytes in [4096, OBJECT] {
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function(BenchmarkId::new("local_store", bytes), |b| {
            b.iter_custom(|rounds| runtime.block_on(put(&store, rounds, || body(bytes))));
        });
        group.bench_function(BenchmarkId::new("write_and_sync", bytes), |b| {
            b.iter_custom(|rounds| write_and_sync(&plain, rounds, bytes));
        });
    }
    group.finish();

    let mut group = c.benchmark_group("put_paced");
    group.sample_size(10);
    group.throughput(Throughput::Bytes(OBJECT as u64));
    group.bench_function("local_store_200_mib_per_second", |b| {
        b.iter_custom(|rounds| runtime.block_on(put(&store, rounds, || paced(OBJECT))));
    });
    group.finish();

    let key = Key::parse("object").unwrap();
    runtime.block_on(store.put(&key, body(OBJECT), PutOptions::default())).unwrap();
    let mut group = c.benchmark_group("get");
    group.sample_size(10);
    group.throughput(Throughput::Bytes(OBJECT as u64));
    group.bench_function("local_store", |b| {
        b.to_async(&runtime).iter(async || {
            let got = store.get(&key, GetOptions::default()).await.unwrap();
            got.body.fold(0, async |sum, chunk| sum + chunk.unwrap().len()).await
        });
    });
    group.bench_function("read", |b| {
        let mut buffer = vec![0; 512 * 1024];
        b.iter(|| {
            let mut file = File::open(store.path().join(key.as_str())).unwrap();
            let mut sum = 0;
            while let got @ 1.. = file.read(&mut buffer).unwrap() {
                sum += got;
            }
            sum
        });
    });
    group.finish();

    let mut group = c.benchmark_group("list");
    group.sample_size(10);
    group.throughput(Throughput::Elements(1000));
    let many = |number| Key::parse(format!("many/object-{number}")).unwrap();
    runtime.block_on(async {
        for number in 0..1000 {
            store.put_bytes(&many(number), "x").await.unwrap();
        }
    });
    let prefix = backup_core::Prefix::parse("many").unwrap();
    group.bench_function("local_store", |b| {
        b.to_async(&runtime).iter(async || store.list(&prefix).count().await);
    });
    group.finish();
}

criterion_group!(benches, stores);
criterion_main!(benches);
