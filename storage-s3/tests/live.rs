//! `S3Store` against a bucket of AWS, or of any service, that the environment names.
//!
//! `STORAGE_S3_TEST_BUCKET` names the bucket, `STORAGE_S3_TEST_ENDPOINT` a service other than AWS; region and
//! credentials come from where the SDK finds them. All objects lie below `storage-s3-live-tests/` and are removed. It
//! is never skipped in silence: without a bucket it fails.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::time::Duration;

use backup_core::{ByteStream, ErrorKind, Key, Prefix, PutOptions, Store, StoreExt};
use bytes::Bytes;
use futures::TryStreamExt;
use storage_s3::{Addressing, Deletes, S3Options, S3Store};

async fn store(test: &str) -> S3Store {
    let bucket = std::env::var("STORAGE_S3_TEST_BUCKET").expect(
        "STORAGE_S3_TEST_BUCKET names a bucket to test against; build without `live-tests` otherwise",
    );
    let prefix = Prefix::parse(format!("storage-s3-live-tests/{test}")).unwrap();
    let mut options = S3Options::new(bucket).with_prefix(prefix).with_deletes(Deletes::EveryVersion);
    if let Ok(url) = std::env::var("STORAGE_S3_TEST_ENDPOINT") {
        options = options.with_endpoint(url).with_addressing(Addressing::Path);
    }
    let store = S3Store::open(options).await.unwrap();
    let left: Vec<_> = store.list(&Prefix::root()).try_collect().await.unwrap();
    for object in left {
        store.delete(&object.key).await.unwrap();
    }
    store
}

#[tokio::test]
async fn objects_of_one_part_and_of_many_come_back() {
    let store = store("round-trip").await;
    for len in [0, 1000, 20_000_000] {
        let key = Key::parse(format!("object-{len}")).unwrap();
        let bytes = Bytes::from(vec![7; len]);
        let put = store.put(&key, ByteStream::from(bytes.clone()), PutOptions::default()).await.unwrap();
        assert_eq!(store.head(&key).await.unwrap(), put);
        assert!(store.get_bytes(&key, len + 1).await.unwrap() == bytes);
        let again = store.put_bytes(&key, bytes).await.unwrap_err();
        assert_eq!(again.kind(), ErrorKind::AlreadyExists);
        store.delete(&key).await.unwrap();
        assert_eq!(store.head(&key).await.unwrap_err().kind(), ErrorKind::NotFound);
    }
    store.sweep(Duration::from_hours(24)).await.unwrap();
}
