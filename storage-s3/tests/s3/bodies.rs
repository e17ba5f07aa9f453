//! Large bodies, spools, signatures.

use backup_core::{Digest, ErrorKind, PutOptions, Store, StoreExt};
use storage_s3::Checksums;

use crate::fixture::{
    MIB, body, in_process, key,
    moto::{self, Has},
    open, options, pattern,
    proxy::{Proxy, Step},
};

/// Parts that grow beyond the memory wait in files, and come back as they were; no file is left.
#[tokio::test]
async fn parts_too_large_for_memory_are_spooled_and_come_back() {
    for checksums in [Checksums::Sha256, Checksums::Signature] {
        let (url, _dir) = in_process::start();
        let spool = tempfile::tempdir().unwrap();
        let store = open(
            options(&url, "bucket")
                .with_checksums(checksums)
                // Of four parts all but the first few have to be very large.
                .with_max_parts(4)
                .with_spool(spool.path()),
        )
        .await;
        let bytes = pattern(9 * MIB + 17);
        let announced = PutOptions::default().with_digest(Digest::sha256(&bytes));
        store.put(&key("a/spooled"), body(&bytes), announced).await.unwrap();
        assert!(store.get_bytes(&key("a/spooled"), 20 * MIB).await.unwrap() == bytes);
        assert_eq!(std::fs::read_dir(spool.path()).unwrap().count(), 0);
    }
}

/// Where the spool cannot be written to, the error says which folder.
#[tokio::test]
async fn a_spool_that_is_missing_is_named() {
    let (url, _dir) = in_process::start();
    let store = open(options(&url, "bucket").with_max_parts(4).with_spool("/nowhere/at/all")).await;
    let err = store.put(&key("a/b"), body(&pattern(MIB)), PutOptions::default()).await.unwrap_err();
    assert!(err.to_string().contains("/nowhere/at/all"), "{err}");
    assert!(err.suggestions()[0].contains("with_spool"));
}

/// Both kinds of checksum are accepted by a server that checks, for small and for large objects.
#[tokio::test]
async fn every_kind_of_checksum_is_accepted_by_a_server_that_checks() {
    for checksums in [Checksums::Sha256, Checksums::Signature] {
        let (url, _dir) = in_process::start();
        let store = open(options(&url, "bucket").with_checksums(checksums)).await;
        for bytes in [pattern(0), pattern(10_000), pattern(12 * MIB)] {
            let key = key(&format!("a/{}", bytes.len()));
            store.put(&key, body(&bytes), PutOptions::default()).await.unwrap();
            assert!(store.get_bytes(&key, 20 * MIB).await.unwrap() == bytes);
        }
    }
}

/// A small object is one request and the question what became of it; a large one is made of parts.
#[tokio::test]
async fn small_objects_are_one_request() {
    let bucket = moto::bucket(Has::Nothing).await;
    let proxy = Proxy::start(moto::url()).await;
    let store = open(options(&proxy.url, &bucket)).await;
    store.put_bytes(&key("a/small"), pattern(5 * MIB)).await.unwrap();
    assert_eq!((proxy.seen(Step::Put), proxy.seen(Step::Create)), (1, 0));
    store.put_bytes(&key("a/large"), pattern(5 * MIB + 1)).await.unwrap();
    assert_eq!((proxy.seen(Step::Put), proxy.seen(Step::Part), proxy.seen(Step::Complete)), (1, 2, 1));
}

/// A digest that is wrong is found before the object is made of its parts.
#[tokio::test]
async fn a_wrong_digest_is_found_before_the_last_step() {
    let bucket = moto::bucket(Has::Nothing).await;
    let proxy = Proxy::start(moto::url()).await;
    let store = open(options(&proxy.url, &bucket)).await;
    let announced = PutOptions::default().with_digest(Digest::sha256(b"other bytes"));
    let err = store.put(&key("a/large"), body(&pattern(11 * MIB)), announced).await.unwrap_err();
    assert_eq!((err.kind(), proxy.seen(Step::Complete)), (ErrorKind::Corrupt, 0));
    assert_eq!(moto::uploads(&bucket).await, [""; 0]);
}
