//! What the stored bytes of an encrypted backup tell of its rows to somebody without identity.

use std::collections::BTreeSet;

use backup_core::{
    Digest, DumperInfo, ErrorKind, Key, Level, Manifest, MemoryStore, Pipeline, Prefix, PutMode, PutOptions,
    Rehearsal, Store, StoreExt,
    digest::Algorithm,
    encrypt::NoIdentity,
    manifest::Layout,
    pipeline::{BackupRequest, DiffSide, VerifyReport},
    testkit::{fake::FakeDumper, fake_restorer::FakeRestorer},
};
use bytes::Bytes;
use futures::StreamExt;
use serde_json::Value;

use super::keys::Keys;

fn info() -> DumperInfo {
    DumperInfo::new("postgresql", "plain", "sql")
}

/// A dump of one row, whose text is always as long.
fn dump(row: &str) -> String {
    format!(
        "CREATE TABLE public.people (name text);\nCOPY public.people (name) FROM stdin;\n{row}\n\\.\n\n\
         --\n-- PostgreSQL database dump complete\n--\n"
    )
}

fn dumper(row: &str) -> FakeDumper {
    FakeDumper::new(dump(row)).with_info(info())
}

async fn stored(store: &MemoryStore, key: &Key) -> Bytes {
    store.get_bytes(key, 1 << 20).await.unwrap()
}

/// Each text of a manifest that is long enough to be a hash, without what it is said to be.
fn hashes(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => {
            let hash = text.rsplit(':').next().unwrap();
            if hash.len() >= 32 && hash.chars().all(|digit| digit.is_ascii_hexdigit()) {
                found.insert(hash.to_owned());
            }
        }
        Value::Array(items) => items.iter().for_each(|item| hashes(item, found)),
        Value::Object(fields) => fields.values().for_each(|field| hashes(field, found)),
        _ => {}
    }
}

#[tokio::test]
async fn no_stored_byte_confirms_a_guess_of_a_row() {
    let (keys, store, row) = (Keys::age(), MemoryStore::new(), "Ada Lovelace");
    // What somebody who guesses the row can compute: everything that a backup of it in clear says.
    let guessed = Pipeline::new(dumper(row), MemoryStore::new()).backup(BackupRequest::new()).await.unwrap();
    let mut guesses = BTreeSet::new();
    let mut clear = guessed.manifest.clone();
    clear.artifact.digest = Digest::sha256(b"of stored bytes");
    hashes(&serde_json::to_value(&clear).unwrap(), &mut guesses);
    assert!(guesses.len() >= 4, "plain digest, checksum, definition: {guesses:?}");
    for bytes in [dump(row).as_bytes(), row.as_bytes(), format!("{row}\n").as_bytes()] {
        for algorithm in [Algorithm::Sha256, Algorithm::Blake3] {
            guesses.insert(Digest::of(algorithm, bytes).unwrap().hex());
        }
        guesses.insert(format!("{:032x}", xxhash_rust::xxh3::xxh3_128(bytes)));
    }

    let pipeline = Pipeline::new(dumper(row), store.clone()).with_encryptor(keys.both());
    let pipeline = pipeline.with_rehearsal(Rehearsal::new(FakeRestorer::new(info())));
    let report = pipeline.backup(BackupRequest::new()).await.unwrap();
    for level in [Level::Digest, Level::Decoded, Level::Restored, Level::Equal] {
        pipeline.verify(&report.backup, level).await.unwrap().ensure_passed().unwrap();
    }
    let mut objects = store.list(&Prefix::root());
    let mut notes = 0;
    while let Some(object) = objects.next().await {
        let key = object.unwrap().key;
        let text = String::from_utf8_lossy(&stored(&store, &key).await).into_owned();
        for guess in &guesses {
            assert!(!text.contains(guess), "{key} confirms the row by {guess}");
        }
        notes += u32::from(key.as_str().contains(".notes/"));
    }
    assert!(notes >= 4);
    let tables = report.manifest.inventory.unwrap().tables;
    assert_eq!((tables[0].name.as_str(), tables[0].rows), ("public.people", 1));
}

#[tokio::test]
async fn backups_that_differ_in_a_row_differ_in_nothing_that_is_shown() {
    let (keys, store) = (Keys::age(), MemoryStore::new());
    let mut shown = Vec::new();
    let mut backups = Vec::new();
    for row in ["Ada Lovelace", "Alan Mathews"] {
        let pipeline = Pipeline::new(dumper(row), store.clone()).with_encryptor(keys.sealing());
        let pipeline = pipeline.with_compressor(backup_core::compress::parse("none").unwrap());
        let mut manifest = pipeline.backup(BackupRequest::new()).await.unwrap().manifest;
        backups.push(manifest.backup_ref());
        let sealed = manifest.encryption.as_mut().unwrap().sealed.take().unwrap();
        assert!(sealed.len() > 300);
        // What differs in any two backups of the same rows; headers of age hold some noise of random length.
        manifest.artifact.size = 0;
        manifest.id = "backup-1".parse().unwrap();
        manifest.artifact.key = Key::parse("artifact").unwrap();
        manifest.artifact.digest = Digest::sha256(b"sealed");
        manifest.finished_at = manifest.created_at;
        let mut value = serde_json::to_value(&manifest).unwrap();
        for at in ["created_at", "finished_at", "label"] {
            value.as_object_mut().unwrap().remove(at);
        }
        shown.push(value);
    }
    assert_eq!(shown[0], shown[1]);

    let sides = [DiffSide::from(&backups[0]), DiffSide::from(&backups[1])];
    let opening = Pipeline::for_store(store.clone()).with_encryptor(keys.both());
    let diff = opening.diff(&sides[0], &sides[1]).await.unwrap();
    assert_eq!(diff.to_string(), "~ public.people: other rows, 1 as before\n");
    let sealing = Pipeline::for_store(store).with_encryptor(keys.sealing());
    let err = sealing.diff(&sides[0], &sides[1]).await.unwrap_err();
    assert!(NoIdentity::is_cause_of(&err), "{err:?}");
}

#[tokio::test]
async fn the_sealed_part_of_another_manifest_is_noticed() {
    let (keys, store) = (Keys::age(), MemoryStore::new());
    let mut manifests: Vec<Manifest> = Vec::new();
    for row in ["Ada Lovelace", "Alan Mathews"] {
        let pipeline = Pipeline::new(dumper(row), store.clone()).with_encryptor(keys.sealing());
        manifests.push(pipeline.backup(BackupRequest::new()).await.unwrap().manifest);
    }
    let pipeline = Pipeline::for_store(store.clone()).with_encryptor(keys.both());
    let backup = manifests[0].backup_ref();
    let key = Layout::of(&backup).manifest().unwrap();
    let other = manifests[1].encryption.clone().unwrap().sealed;
    for sealed in [other, Some("AAAA".to_owned()), Some("not Base64".to_owned()), None] {
        let mut changed = manifests[0].clone();
        changed.encryption.as_mut().unwrap().sealed = sealed.clone();
        let json = Bytes::from(changed.to_json().unwrap());
        let overwrite = PutOptions::default().with_mode(PutMode::Overwrite);
        store.put(&key, json.into(), overwrite).await.unwrap();
        pipeline.verify(&backup, Level::Digest).await.unwrap().ensure_passed().unwrap();
        let found = pipeline.verify(&backup, Level::Decoded).await;
        let err = found.and_then(VerifyReport::ensure_passed).unwrap_err();
        assert_eq!(err.kind(), ErrorKind::Corrupt, "{sealed:?}: {err:?}");
    }
}
