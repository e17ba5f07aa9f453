//! Options that can be known to be wrong, and clients that the application brings.

use backup_core::{ErrorKind, Prefix, Secret, Store, StoreExt};
use storage_s3::{Encryption, S3Options, S3Store};

use crate::fixture::{client, in_process, key, names, open, options};

#[tokio::test]
async fn what_is_known_to_be_wrong_is_refused_before_any_request() {
    let fine = || S3Options::new("bucket").with_endpoint("http://127.0.0.1:9");
    for (what, wrong) in [
        ("no bucket", S3Options::new("")),
        ("a folder", S3Options::new("bucket/folder")),
        ("no scheme", fine().with_endpoint("minio:9000")),
        ("a user", fine().with_endpoint("http://user:p@minio:9000")),
        ("a small part", fine().with_part_bytes(1_000_000)),
        ("no parallel parts", fine().with_parallel(0)),
        ("no parts", fine().with_max_parts(0)),
        ("a short key", fine().with_encryption(Encryption::CustomerKey(Secret::new("c2hvcnQ=")))),
        ("a lock of no days", fine().with_default_lock(backup_core::LockMode::Governance, 0)),
    ] {
        let err = S3Store::open(wrong).await.unwrap_err();
        assert_eq!((err.kind(), err.operation()), (ErrorKind::InvalidInput, "open store"), "{what}");
    }
}

/// Two stores below prefixes of one bucket know nothing of each other.
#[tokio::test]
async fn prefixes_keep_stores_apart() {
    let (url, _dir) = in_process::start();
    let below = |prefix: &str| options(&url, "bucket").with_prefix(Prefix::parse(prefix).unwrap());
    let (a, ab) = (open(below("a")).await, open(below("ab")).await);
    assert_eq!(a.location(), "s3://bucket/a");
    a.put_bytes(&key("x"), "1").await.unwrap();
    ab.put_bytes(&key("x"), "2").await.unwrap();
    assert_eq!(names(&a).await, ["x"]);
    assert_eq!(a.get_bytes(&key("x"), 9).await.unwrap(), "1");
    let whole = open(options(&url, "bucket")).await;
    assert_eq!(names(&whole).await, ["a/x", "ab/x"]);
    let long = open(below(&["s".repeat(200), "t".repeat(200)].join("/"))).await;
    let key = key(&["a".repeat(200), "b".repeat(200), "c".repeat(200), "d".repeat(200)].join("/"));
    assert_eq!(long.put_bytes(&key, "x").await.unwrap_err().kind(), ErrorKind::InvalidInput);
}

/// A client of the application keeps its endpoint and its credentials.
#[cfg(feature = "sdk-client")]
#[tokio::test]
async fn a_client_of_the_application_is_used_as_it_is() {
    let (url, _dir) = in_process::start();
    let store = S3Store::from_client(&client(&url), S3Options::new("bucket").with_endpoint(&url)).unwrap();
    store.put_bytes(&key("a/b"), "x").await.unwrap();
    assert_eq!(names(&store).await, ["a/b"]);
}
