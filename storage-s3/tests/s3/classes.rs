//! Storage classes, encryption by the service, tags, transitions and presigned URLs.

use std::time::Duration;

use aws_smithy_types::base64;
use backup_core::{
    ErrorKind, Filter, Level, LockMode, Pipeline, PutOptions, Secret, Store, StoreExt, compress::Identity,
    pipeline::BackupRequest, testkit::fake::FakeDumper,
};
use chrono::TimeDelta;
use storage_s3::{
    Encryption, StorageClass,
    transition::{self, Candidate, Rules},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::fixture::{
    MIB, body, client, key,
    moto::{self, Has},
    open, options, pattern,
    proxy::{Proxy, Step},
};

#[tokio::test]
async fn artifacts_get_class_tags_and_encryption_and_records_stay_hot() {
    let bucket = moto::bucket(Has::Nothing).await;
    let store = open(
        options(moto::url(), &bucket)
            .with_storage_class(StorageClass::StandardIa)
            .with_encryption(Encryption::Kms(Some("key-id".into())))
            .with_tag("team", "shop + co=1")
            .with_tag("kind", "backup"),
    )
    .await;
    let client = client(moto::url());
    for (name, bytes, class) in [
        ("a/b/c.zst", 1000, Some("STANDARD_IA")),
        ("a/b/large.zst", 6 * MIB, Some("STANDARD_IA")),
        ("a/b/c.manifest.json", 1000, None),
    ] {
        store.put(&key(name), body(&pattern(bytes)), PutOptions::default()).await.unwrap();
        let head = client.head_object().bucket(&bucket).key(name).send().await.unwrap();
        assert_eq!(head.storage_class().map(aws_sdk_s3::types::StorageClass::as_str), class, "{name}");
        assert_eq!(head.server_side_encryption().unwrap().as_str(), "aws:kms", "{name}");
        assert_eq!(head.ssekms_key_id(), Some("key-id"), "{name}");
        let tags = client.get_object_tagging().bucket(&bucket).key(name).send().await.unwrap();
        let mut tags: Vec<_> = tags.tag_set().iter().map(|tag| (tag.key(), tag.value())).collect();
        tags.sort_unstable();
        assert_eq!(tags, [("kind", "backup"), ("team", "shop + co=1")], "{name}");
    }
}

/// A customer's key goes with every request for an object, and is shown nowhere.
#[tokio::test]
async fn a_customers_key_goes_with_every_request_and_is_never_shown() {
    let bucket = moto::bucket(Has::Nothing).await;
    let proxy = Proxy::start(moto::url()).await;
    let secret = base64::encode([7; 32]);
    let options = options(&proxy.url, &bucket).with_encryption(Encryption::CustomerKey(Secret::new(&secret)));
    assert!(!format!("{options:?}").contains(&secret));
    let store = open(options).await;
    assert!(!format!("{store:?}").contains(&secret));
    for bytes in [pattern(1000), pattern(6 * MIB)] {
        let key = key(&format!("a/{}", bytes.len()));
        store.put(&key, body(&bytes), PutOptions::default()).await.unwrap();
        assert!(store.get_bytes(&key, 10 * MIB).await.unwrap() == bytes);
    }
    for step in [Step::Put, Step::Create, Step::Part, Step::Complete, Step::Head, Step::Get] {
        let heads = proxy.heads(step);
        assert!(!heads.is_empty(), "{step:?}");
        for head in heads {
            let sent = |name: &str, value: &str| head.contains(&format!("{name}: {value}"));
            assert!(sent("x-amz-server-side-encryption-customer-key", &secret), "{step:?}: {head}");
            // The MD5 of 32 times 7.
            assert!(
                sent("x-amz-server-side-encryption-customer-key-md5", &md5_of_sevens()),
                "{step:?}: {head}"
            );
        }
    }
    let url = store.presigned_get(&key("a/1000"), Duration::from_mins(1)).await;
    assert_eq!(url.unwrap_err().kind(), ErrorKind::Unsupported);
}

fn md5_of_sevens() -> String {
    use md5::Digest;

    base64::encode(md5::Md5::digest([7; 32]))
}

/// A move keeps bytes, metadata, tags and lock; large objects are copied in parts.
#[tokio::test]
async fn a_transition_keeps_bytes_tags_and_lock() {
    let bucket = moto::bucket(Has::Lock).await;
    let store = open(
        options(moto::url(), &bucket)
            .with_tag("team", "shop")
            .with_copy_part_bytes(5 * MIB as u64)
            .with_default_lock(LockMode::Governance, 3),
    )
    .await;
    let client = client(moto::url());
    let now = chrono::DateTime::from_timestamp(1_900_000_000, 0).unwrap();
    let mut candidates = Vec::new();
    for bytes in [200_000, 6 * MIB] {
        let key = key(&format!("a/b/{bytes}.zst"));
        store.put(&key, body(&pattern(bytes)), PutOptions::default()).await.unwrap();
        candidates.push(Candidate::new(key, bytes as u64, now - TimeDelta::days(45), StorageClass::Standard));
    }
    let rules = Rules::new().cool_after(30, StorageClass::StandardIa);
    let plan = transition::plan(candidates.clone(), &rules, now);
    let report = store.transition(&plan).await.ensure_complete().unwrap();
    assert_eq!((report.moved.len(), report.moved_bytes), (2, 200_000 + 6 * MIB as u64));
    for Candidate { key, bytes, .. } in &candidates {
        let head = client.head_object().bucket(&bucket).key(key.as_str()).send().await.unwrap();
        assert_eq!(head.storage_class().unwrap().as_str(), "STANDARD_IA", "{key}");
        assert!(head.metadata().unwrap().contains_key("backup-put"), "{key}");
        let tags = client.get_object_tagging().bucket(&bucket).key(key.as_str()).send().await.unwrap();
        assert_eq!(tags.tag_set().first().map(aws_sdk_s3::types::Tag::value), Some("shop"), "{key}");
        assert!(store.head(key).await.unwrap().lock.is_some(), "{key}");
        assert!(store.get_bytes(key, 10 * MIB).await.unwrap() == pattern(usize::try_from(*bytes).unwrap()));
    }
    assert_eq!(moto::uploads(&bucket).await, [""; 0]);
    // What is not what was planned for is left alone, and the rest still moves.
    candidates[0].bytes += 1;
    let archive = Rules::new().archive_after(30, StorageClass::Glacier);
    let report = store.transition(&transition::plan(candidates, &archive, now)).await;
    assert_eq!((report.moved.len(), report.failed.len()), (1, 1));
    assert!(report.ensure_complete().is_err());
}

/// Only the artifacts of catalogued backups are candidates, by the age of the backup.
#[tokio::test]
async fn only_artifacts_of_catalogued_backups_move() {
    let bucket = moto::bucket(Has::Nothing).await;
    let store = open(options(moto::url(), &bucket)).await;
    store.put_bytes(&key("production/shop/strange.zst"), pattern(300_000)).await.unwrap();
    let dumper = FakeDumper::new(pattern(300_000));
    let pipeline = Pipeline::new(dumper, store.clone()).with_compressor(Identity);
    let report = pipeline.backup(BackupRequest::new()).await.unwrap();
    let entries = pipeline.list(&Filter::all()).await.unwrap().entries;
    let rules = Rules::new().cool_after(30, StorageClass::StandardIa);
    let young = store.plan_transition(&entries, &rules, report.manifest.created_at).await.unwrap();
    assert_eq!((young.objects.len(), young.moves().count()), (1, 0));
    let later = report.manifest.created_at + TimeDelta::days(31);
    let plan = store.plan_transition(&entries, &rules, later).await.unwrap();
    assert_eq!(plan.objects[0].object.key, report.manifest.artifact.key);
    store.transition(&plan).await.ensure_complete().unwrap();
    assert_eq!(store.plan_transition(&entries, &rules, later).await.unwrap().moves().count(), 0);
    pipeline.verify(&report.backup, Level::Digest).await.unwrap().ensure_passed().unwrap();
}

/// Anybody with the URL reads the object, and the URL is shown nowhere.
#[tokio::test]
async fn a_presigned_url_reads_the_object_and_hides_its_signature() {
    let bucket = moto::bucket(Has::Nothing).await;
    let store = open(options(moto::url(), &bucket)).await;
    store.put_bytes(&key("a/b.txt"), "what it holds").await.unwrap();
    let url = store.presigned_get(&key("a/b.txt"), Duration::from_mins(1)).await.unwrap();
    for shown in [format!("{url:?}"), url.to_string()] {
        assert!(shown.contains("a/b.txt?***") && !shown.contains("Signature"), "{shown}");
    }
    let rest = url.expose().strip_prefix("http://").unwrap();
    let (host, path) = rest.split_once('/').unwrap();
    let mut stream = tokio::net::TcpStream::connect(host).await.unwrap();
    let request = format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("what it holds"), "{answer}");
    for wrong in [Duration::ZERO, Duration::from_hours(8 * 24)] {
        let err = store.presigned_get(&key("a"), wrong).await.unwrap_err();
        assert_eq!(err.kind(), ErrorKind::InvalidInput);
    }
}
