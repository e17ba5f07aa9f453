use std::time::Instant;

use bytes::Bytes;
use chrono::DateTime;
use proptest::prelude::*;

use super::*;
use crate::{
    BackupId, ByteStream, GetOptions, MemoryStore, Note, PutMode, PutOptions,
    store::MockStore,
    testkit::{
        faults::{FaultyStore, StoreOp},
        sample_manifest,
    },
};

fn manifest(environment: &str, database: &str, second: u32) -> Manifest {
    let at = DateTime::from_timestamp(1_795_140_000 + i64::from(second), 0).unwrap();
    sample_manifest(environment, database, at)
}

fn held() -> Annotation {
    let at = DateTime::from_timestamp(1_795_140_000, 5_000_000).unwrap();
    Annotation::new(at, Note::Held { reason: "audit".to_owned() })
}

fn key(text: &str) -> Key {
    Key::parse(text).unwrap()
}

async fn keys(store: &MemoryStore) -> Vec<String> {
    store.list(&Prefix::root()).map_ok(|object| object.key.to_string()).try_collect().await.unwrap()
}

async fn listed(catalog: &StoreCatalog) -> (Vec<Manifest>, Vec<Error>) {
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for item in catalog.list(&Filter::all()).collect::<Vec<_>>().await {
        match item {
            Ok(entry) => good.push(entry.manifest),
            Err(err) => bad.push(err),
        }
    }
    (good, bad)
}

async fn move_object(store: &MemoryStore, from: &str, to: &str) {
    let bytes = store.get_bytes(&key(from), usize::MAX).await.unwrap();
    store.put_bytes(&key(to), bytes).await.unwrap();
    store.delete(&key(from)).await.unwrap();
}

#[tokio::test]
async fn manifests_and_notes_lie_where_the_layout_says() {
    let store = MemoryStore::new();
    let catalog = StoreCatalog::new(store.clone());
    let manifest = manifest("prod", "my shop", 0);
    catalog.insert(&manifest).await.unwrap();
    catalog.annotate(&manifest.backup_ref(), &held()).await.unwrap();
    let keys = keys(&store).await;
    assert_eq!(keys[0], "prod/my%20shop/backup-20261120-020000.manifest.json");
    let note =
        keys[1].strip_prefix("prod/my%20shop/backup-20261120-020000.notes/20261120T020000.005Z-").unwrap();
    assert_eq!(note.len(), "0123456789abcdef.json".len());
    assert_eq!(store.get_bytes(&key(&keys[0]), usize::MAX).await.unwrap(), manifest.to_json().unwrap());
}

#[tokio::test]
async fn claims_artifacts_and_strangers_are_no_backups() {
    let store = MemoryStore::new();
    for name in [
        "prod/shop/backup-1.claim.json",
        "prod/shop/backup-1.sql.zst",
        "prod/shop/backup-2.notes/20261120T020000.005Z-0123456789abcdef.json",
        "prod/readme.manifest.json",
        "prod/shop/old/backup-1.manifest.json",
    ] {
        store.put_bytes(&key(name), "{}").await.unwrap();
    }
    let (good, bad) = listed(&StoreCatalog::new(store)).await;
    assert!(good.is_empty() && bad.is_empty(), "{bad:?}");
}

#[tokio::test]
async fn a_damaged_manifest_is_named_and_hides_no_other() {
    let store = MemoryStore::new();
    let catalog = StoreCatalog::new(store.clone());
    let (good, cut) = (manifest("prod", "shop", 0), manifest("prod", "shop", 1));
    catalog.insert(&good).await.unwrap();
    let json = cut.to_json().unwrap();
    let place = Layout::of(&cut.backup_ref()).manifest().unwrap();
    for half in [&b""[..], &json[..json.len() / 2], b"[]", b"\xff"] {
        let options = PutOptions::default().with_mode(PutMode::Overwrite);
        store.put(&place, Bytes::copy_from_slice(half).into(), options).await.unwrap();
        let (listed, bad) = listed(&catalog).await;
        assert_eq!(listed, std::slice::from_ref(&good));
        assert_eq!(bad.len(), 1);
        for err in [&bad[0], &catalog.get(&cut.backup_ref()).await.unwrap_err()] {
            assert_eq!(err.kind(), ErrorKind::Corrupt);
            assert!(err.to_string().contains(place.as_str()), "{err}");
        }
    }
}

#[tokio::test]
async fn a_damaged_note_damages_its_backup_alone() {
    let store = MemoryStore::new();
    let catalog = StoreCatalog::new(store.clone());
    let (good, doubtful) = (manifest("prod", "shop", 0), manifest("prod", "shop", 1));
    for manifest in [&good, &doubtful] {
        catalog.insert(manifest).await.unwrap();
    }
    let note = key("prod/shop/backup-20261120-020001.notes/x.json");
    store.put_bytes(&note, r#"{"at":"2026"#).await.unwrap();
    let (listed, bad) = listed(&catalog).await;
    assert_eq!(listed, [good]);
    assert_eq!(bad.len(), 1);
    assert_eq!(bad[0].kind(), ErrorKind::Corrupt);
    assert!(bad[0].to_string().contains(note.as_str()));
}

#[tokio::test]
async fn a_manifest_moved_to_another_name_is_corrupt() {
    for to in [
        "staging/shop/backup-20261120-020000.manifest.json",
        "prod/crm/backup-20261120-020000.manifest.json",
        "prod/shop/backup-20261120-020001.manifest.json",
        "prod/shop/not.an.id.manifest.json",
    ] {
        let store = MemoryStore::new();
        let catalog = StoreCatalog::new(store.clone());
        catalog.insert(&manifest("prod", "shop", 0)).await.unwrap();
        move_object(&store, "prod/shop/backup-20261120-020000.manifest.json", to).await;
        let (good, bad) = listed(&catalog).await;
        assert!(good.is_empty(), "{to}");
        assert_eq!(bad[0].kind(), ErrorKind::Corrupt);
        assert!(bad[0].to_string().contains(to));
    }
}

#[tokio::test]
async fn a_manifest_that_leads_to_another_artifact_is_refused_and_corrupt() {
    for elsewhere in [
        "staging/shop/backup-20261120-020000.sql.zst",
        "prod/shop/backup-20261120-020001.sql.zst",
        "prod/shop/backup-20261120-020000-v1.sql.zst",
        "prod/shop/backup-20261120-020000.manifest.json",
        "prod/shop/backup-20261120-020000.notes/x",
        "backup-20261120-020000.sql.zst",
    ] {
        let store = MemoryStore::new();
        let catalog = StoreCatalog::new(store.clone());
        let mut artifact = manifest("prod", "shop", 0);
        artifact.artifact.key = key(elsewhere);
        let mut companion = manifest("prod", "shop", 0);
        companion.companions.get_mut("globals").unwrap().artifact.key = key(elsewhere);
        for bad in [artifact, companion] {
            assert_eq!(
                catalog.insert(&bad).await.unwrap_err().kind(),
                ErrorKind::InvalidInput,
                "{elsewhere}"
            );
            assert!(keys(&store).await.is_empty());
            let place = Layout::of(&bad.backup_ref()).manifest().unwrap();
            store.put_bytes(&place, bad.to_json().unwrap()).await.unwrap();
            let err = catalog.get(&bad.backup_ref()).await.unwrap_err();
            assert_eq!(err.kind(), ErrorKind::Corrupt, "{elsewhere}");
            store.delete(&place).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_removal_cut_short_leaves_no_backup_and_is_completed_by_the_next() {
    let store = MemoryStore::new();
    let catalog = StoreCatalog::new(store.clone());
    let manifest = manifest("prod", "shop", 0);
    let backup = manifest.backup_ref();
    catalog.insert(&manifest).await.unwrap();
    catalog.annotate(&backup, &held()).await.unwrap();
    // As a crash after the first deletion leaves it.
    store.delete(&Layout::of(&backup).manifest().unwrap()).await.unwrap();
    assert_eq!(catalog.get(&backup).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert!(listed(&catalog).await.0.is_empty());
    // What is left must not speak of another backup.
    assert_eq!(catalog.insert(&manifest).await.unwrap_err().kind(), ErrorKind::AlreadyExists);
    catalog.remove(&backup).await.unwrap();
    assert!(keys(&store).await.is_empty());
    catalog.insert(&manifest).await.unwrap();
}

#[tokio::test]
async fn removal_starts_with_the_manifest() {
    let mut store = MockStore::new();
    let manifest = manifest("prod", "shop", 0);
    let place = Layout::of(&manifest.backup_ref()).manifest().unwrap();
    store
        .expect_delete()
        .once()
        .withf(move |key| *key == place)
        .returning(|_| Err(Error::new(ErrorKind::Unavailable, "the store is out of reach")));
    store.expect_list().never();
    let err = StoreCatalog::new(store).remove(&manifest.backup_ref()).await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::Unavailable);
}

/// A store whose whole listing shows the manifest, then breaks before the note; a listing of the notes shows it.
fn store_with_broken_listing(manifest: &Manifest, notes_listing_works: bool) -> MockStore {
    let place = Layout::of(&manifest.backup_ref()).manifest().unwrap();
    let json = Bytes::from(manifest.to_json().unwrap());
    let note = Bytes::from(held().to_json().unwrap());
    let mut store = MockStore::new();
    let (at, size) = (manifest.created_at, json.len() as u64);
    let meta = crate::ObjectMeta::new(place.clone(), size, at);
    let unavailable = || Error::new(ErrorKind::Unavailable, "the store is out of reach");
    store.expect_list().returning(move |prefix| {
        let items = if prefix.as_str().is_empty() {
            vec![Ok(meta.clone()), Err(unavailable())]
        } else if notes_listing_works {
            vec![Ok(crate::ObjectMeta::new(key(&format!("{prefix}/x.json")), 1, at))]
        } else {
            vec![Err(unavailable())]
        };
        stream::iter(items).boxed()
    });
    store.expect_get().returning(move |key, _: GetOptions| {
        let bytes = if *key == place { json.clone() } else { note.clone() };
        let size = bytes.len() as u64;
        Ok(crate::store::GetResult::new(
            crate::ObjectMeta::new(key.clone(), size, at),
            0..size,
            ByteStream::from(bytes),
        ))
    });
    store
}

#[tokio::test]
async fn a_listing_error_is_yielded_and_hides_no_hold() {
    let manifest = manifest("prod", "shop", 0);
    let catalog = StoreCatalog::new(store_with_broken_listing(&manifest, true));
    let items: Vec<_> = catalog.list(&Filter::all()).collect().await;
    assert_eq!(items.len(), 2);
    assert_eq!(items[0].as_ref().unwrap_err().kind(), ErrorKind::Unavailable);
    assert!(items[1].as_ref().unwrap().is_held());

    let catalog = StoreCatalog::new(store_with_broken_listing(&manifest, false));
    let items: Vec<_> = catalog.list(&Filter::all()).collect().await;
    assert_eq!(items.len(), 2);
    assert!(items.iter().all(Result::is_err));
}

#[tokio::test]
async fn a_backup_that_vanishes_while_it_is_listed_is_no_error() {
    let place = Layout::of(&manifest("prod", "shop", 0).backup_ref()).manifest().unwrap();
    let mut store = MockStore::new();
    let meta = crate::ObjectMeta::new(place, 1, DateTime::from_timestamp(0, 0).unwrap());
    store.expect_list().returning(move |_| stream::iter([Ok(meta.clone())]).boxed());
    store.expect_get().returning(|_, _| Err(Error::new(ErrorKind::NotFound, "no such object")));
    assert!(StoreCatalog::new(store).list(&Filter::all()).next().await.is_none());
}

#[tokio::test]
async fn a_note_that_vanishes_while_it_is_listed_is_no_error_and_hides_no_other() {
    let store = MemoryStore::new();
    let catalog = StoreCatalog::new(store.clone());
    let manifest = manifest("prod", "shop", 0);
    catalog.insert(&manifest).await.unwrap();
    for _ in 0..2 {
        catalog.annotate(&manifest.backup_ref(), &held()).await.unwrap();
    }
    // The manifest is read first.
    for note in [2, 3] {
        let vanishing = FaultyStore::new(store.clone()).fail_on(StoreOp::Get, note, ErrorKind::NotFound);
        let entry = StoreCatalog::new(vanishing).list(&Filter::all()).next().await.unwrap().unwrap();
        assert_eq!(entry.annotations.len(), 2);
    }
}

#[tokio::test]
async fn a_note_on_a_backup_that_was_removed_meanwhile_does_not_stay() {
    let mut store = MockStore::new();
    let mut looks = 0;
    let meta = |key: &Key| crate::ObjectMeta::new(key.clone(), 1, DateTime::from_timestamp(0, 0).unwrap());
    store.expect_head().times(2).returning(move |key| {
        looks += 1;
        if looks == 1 { Ok(meta(key)) } else { Err(Error::new(ErrorKind::NotFound, "no such object")) }
    });
    store.expect_put().once().returning(move |key, _, _| Ok(meta(key)));
    store.expect_delete().once().withf(|key| key.as_str().contains(".notes/")).returning(|_| Ok(()));
    let backup = manifest("prod", "shop", 0).backup_ref();
    let err = StoreCatalog::new(store).annotate(&backup, &held()).await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn ten_thousand_backups_are_listed_in_seconds() {
    let store = MemoryStore::new();
    for number in 0..10_000 {
        let mut manifest = manifest("prod", "shop", number);
        manifest.id = BackupId::parse(format!("backup-{number}")).unwrap();
        manifest.artifact.key = Layout::of(&manifest.backup_ref()).artifact(&["sql"]).unwrap();
        manifest.companions.clear();
        let place = Layout::of(&manifest.backup_ref()).manifest().unwrap();
        store.put_bytes(&place, manifest.to_json().unwrap()).await.unwrap();
    }
    let started = Instant::now();
    let (good, bad) = listed(&StoreCatalog::new(store)).await;
    assert!(bad.is_empty(), "{bad:?}");
    assert_eq!(good.len(), 10_000);
    // Far from the aim of two seconds, since tests share the machine.
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
    println!("10,000 backups in {:?}", started.elapsed());
}

#[tokio::test]
async fn a_listing_asks_once_for_all_names_and_once_for_each_manifest_and_note() {
    let store = FaultyStore::new(MemoryStore::new());
    for number in 0..100 {
        let manifest = manifest("prod", if number % 2 == 0 { "shop" } else { "stock" }, number);
        let catalog = StoreCatalog::new(store.inner().clone());
        catalog.insert(&manifest).await.unwrap();
        catalog.annotate(&manifest.backup_ref(), &held()).await.unwrap();
    }
    let store = Arc::new(store);
    let (good, _) = listed(&StoreCatalog::new(Arc::clone(&store))).await;
    assert_eq!(good.len(), 100);
    let asked = [StoreOp::List, StoreOp::Get, StoreOp::Head].map(|op| store.calls(op));
    assert_eq!(asked, [1, 200, 0]);
}

proptest! {
    #[test]
    fn any_bytes_in_place_of_a_manifest_are_an_error_and_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let store = MemoryStore::new();
            let backup = manifest("prod", "shop", 0).backup_ref();
            store.put_bytes(&Layout::of(&backup).manifest().unwrap(), bytes).await.unwrap();
            let err = StoreCatalog::new(store).get(&backup).await.unwrap_err();
            assert_eq!(err.kind(), ErrorKind::Corrupt);
        });
    }
}
