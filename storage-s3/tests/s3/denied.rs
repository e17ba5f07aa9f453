//! Credentials that may little, and services that are not there.

use std::time::Duration;

use backup_core::{Error, ErrorKind, GetOptions, PutOptions, Secret, Store, StoreExt};
use storage_s3::{Creates, Retries, S3Credentials};
use tokio::io::AsyncReadExt;

use crate::fixture::{
    ACCESS, MIB, SECRET, body, in_process, key,
    moto::{self, Has},
    open, options, pattern,
    proxy::{Fault, Proxy, Step},
};

/// Who may only write stores backups all the same, small and large.
#[tokio::test]
async fn write_only_credentials_suffice_for_a_put() {
    let bucket = moto::bucket(Has::Nothing).await;
    let proxy = Proxy::start(moto::url()).await;
    let denied = Fault::Answer(403, "AccessDenied");
    for step in [Step::Head, Step::Get, Step::List, Step::Delete, Step::Other] {
        proxy.from(step, 1, denied);
    }
    let store = open(options(&proxy.url, &bucket)).await;
    for bytes in [pattern(1000), pattern(6 * MIB)] {
        let key = key(&format!("a/{}", bytes.len()));
        let meta = store.put(&key, body(&bytes), PutOptions::default()).await.unwrap();
        assert_eq!(meta.size, bytes.len() as u64);
        // Never over another one.
        let again = store.put(&key, body(&bytes), PutOptions::default()).await;
        assert_eq!(again.unwrap_err().kind(), ErrorKind::AlreadyExists);
        let err = store.head(&key).await.unwrap_err();
        assert_eq!(err.kind(), ErrorKind::PermissionDenied);
        assert!(err.suggestions()[0].contains("s3:ListBucket"));
    }
    // Where the service knows no condition, reading is needed, and its lack is an error instead of a guess.
    let asking = open(options(&proxy.url, &bucket).with_creates(Creates::Asked)).await;
    let err = asking.put_bytes(&key("a/b"), "x").await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::PermissionDenied);
}

/// A bucket that is not there is never "no such object", which would read as "no backups".
#[tokio::test]
async fn a_missing_bucket_is_not_a_missing_object() {
    use futures::StreamExt;

    let store = open(options(moto::url(), "no-such-bucket")).await;
    let root = backup_core::Prefix::root();
    let errors: [Error; 5] = [
        store.head(&key("a")).await.unwrap_err(),
        store.get(&key("a"), GetOptions::default()).await.unwrap_err(),
        store.put_bytes(&key("a"), "x").await.unwrap_err(),
        store.list(&root).next().await.unwrap().unwrap_err(),
        store.sweep(Duration::ZERO).await.unwrap_err(),
    ];
    for err in errors {
        assert_eq!((err.kind(), err.is_retryable()), (ErrorKind::Unavailable, false), "{err:?}");
        assert!(err.to_string().contains("the bucket does not exist"), "{err}");
    }
}

#[tokio::test]
async fn wrong_credentials_are_named_and_never_shown() {
    let (url, _dir) = in_process::start();
    let wrong = [
        S3Credentials::new("AKIAUNKNOWNACCESS", Secret::new(SECRET)),
        S3Credentials::new(ACCESS, Secret::new("wr0ng-s3cret")).with_session_token(Secret::new("t0ken")),
    ];
    for credentials in wrong {
        let options = options(&url, "bucket").with_credentials(credentials);
        let mut said = format!("{options:?}");
        let store = open(options).await;
        said += &format!("{store:?}");
        let err = store.put_bytes(&key("a/b"), "x").await.unwrap_err();
        assert_eq!(err.kind(), ErrorKind::PermissionDenied, "{err:?}");
        said += &format!("{err:?} {err} {:?}", err.suggestions());
        for secret in [SECRET, ACCESS, "AKIAUNKNOWNACCESS", "wr0ng-s3cret", "t0ken", "Signature="] {
            assert!(!said.contains(secret), "{secret} in {said}");
        }
    }
}

#[tokio::test]
async fn a_service_that_is_not_there_is_unavailable() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let quick = Retries::default().with_attempts(2).with_first_pause(Duration::from_millis(1));
    for url in [format!("http://{free}"), "http://no-such-host.invalid:9".to_owned()] {
        let store = open(options(&url, "bucket").with_retries(quick)).await;
        let err = store.head(&key("a")).await.unwrap_err();
        assert_eq!((err.kind(), err.is_retryable()), (ErrorKind::Unavailable, true), "{url}: {err:?}");
        assert!(err.to_string().contains("cannot be reached"), "{err:?}");
    }
}

/// An archived object says that it has to be restored first.
#[tokio::test]
async fn an_archived_object_says_how_to_get_at_it() {
    let bucket = moto::bucket(Has::Nothing).await;
    let proxy = Proxy::start(moto::url()).await;
    proxy.from(Step::Get, 1, Fault::Answer(403, "InvalidObjectState"));
    let store = open(options(&proxy.url, &bucket)).await;
    let err = store.get(&key("a"), GetOptions::default()).await.unwrap_err();
    assert_eq!((err.kind(), err.is_retryable()), (ErrorKind::Unavailable, false));
    assert!(err.suggestions()[0].contains("restore-object"), "{err:?}");
}

/// The client speaks TLS: without the feature that brings it all compiles, and no request is ever sent.
#[tokio::test]
async fn an_encrypted_request_leaves_this_process() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let store = open(options(&url, "bucket").with_retries(Retries::none())).await;
    let hello = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut start = [0; 3];
        stream.read_exact(&mut start).await.unwrap();
        start
    };
    let (key, asked) = (key("a"), tokio::time::timeout(Duration::from_secs(10), hello));
    let (err, hello) = tokio::join!(store.head(&key), asked);
    // A handshake of TLS 1.x.
    assert_eq!(hello.unwrap()[..2], [0x16, 0x03]);
    assert_eq!(err.unwrap_err().kind(), ErrorKind::Unavailable);
}
