//! Pipelines with keys, and without.

use std::sync::Arc;

use backup_core::{
    Catalog, DumperInfo, ErrorKind, Filter, Kind, Level, MemoryStore, Note, Pipeline, Rehearsal, Retention,
    StoreCatalog, compress,
    encrypt::{Age, NoIdentity},
    pipeline::{BackupRequest, Confirmation, KeyTestResult, RestoreRequest},
    retention::Count,
    testkit::{clock::ManualClock, fake::FakeDumper, fake_restorer::FakeRestorer},
};

use super::keys::Keys;

fn info() -> DumperInfo {
    DumperInfo::new("postgresql", "plain", "sql")
}

fn dumper() -> FakeDumper {
    let row = |rows: String, row: u32| rows + &format!("{row}\ta row that nobody may see\n");
    let rows = (0..20_000).fold(String::new(), row);
    FakeDumper::new(format!(
        "CREATE TABLE public.rows (a int, b text);\nCOPY public.rows (a, b) FROM stdin;\n{rows}\\.\n\n\
         --\n-- PostgreSQL database dump complete\n--\n"
    ))
    .with_info(info())
}

fn pipeline(store: &MemoryStore, age: Age) -> Pipeline {
    Pipeline::new(dumper(), store.clone()).with_environment("production").with_encryptor(age)
}

#[tokio::test]
async fn public_keys_suffice_to_back_up_list_prune_and_verify_digests() {
    let (keys, store, clock) = (Keys::age(), MemoryStore::new(), ManualClock::at("2026-11-20T02:00:00Z"));
    let policy = Retention::new().keep_kind(Kind::Daily, Count::Last(1));
    let host = pipeline(&store, keys.sealing()).with_clock(clock.clone()).with_retention(policy).unwrap();
    let request = || BackupRequest::new().with_kind(Kind::Daily);
    let first = host.backup(request()).await.unwrap();
    let encryption = first.manifest.encryption.clone().unwrap();
    assert_eq!((encryption.scheme.as_str(), &encryption.recipients), ("age", &vec![keys.public.clone()]));
    assert!(
        first.manifest.artifact.key.as_str().ends_with(".sql.zst.age"),
        "{}",
        first.manifest.artifact.key
    );
    clock.advance(chrono::TimeDelta::days(1));
    let second = host.backup(request()).await.unwrap();
    assert_eq!(second.retention.unwrap().deleted.len(), 1);
    let listing = host.list(&Filter::all()).await.unwrap();
    assert_eq!(listing.entries.len(), 1);
    let proof = host.verify(&second.backup, Level::Digest).await.unwrap();
    assert!(proof.evidence.passed());

    let err = host.verify(&second.backup, Level::Decoded).await.unwrap_err();
    assert!(NoIdentity::is_cause_of(&err) && err.to_string().contains(&keys.public), "{err}");
    let target = FakeRestorer::new(info());
    let err = host.restore(&second.backup, &target, RestoreRequest::new().confirmed()).await.unwrap_err();
    assert!(NoIdentity::is_cause_of(&err) && err.to_string().contains(&keys.public), "{err}");
    assert_eq!(target.held(), None);
    // What could not be checked is neither passed nor failed.
    let entry = host.entry(&second.backup).await.unwrap();
    let notes = entry.annotations.iter().filter(|note| matches!(note.note, Note::Verified(_))).count();
    assert_eq!(notes, 2, "one of the backup, one of its verification by digest");

    let elsewhere = Pipeline::for_store(store).with_encryptor(Age::for_identities(&keys.private).unwrap());
    let proof = elsewhere.verify(&second.backup, Level::Decoded).await.unwrap();
    assert!(proof.evidence.passed());
    elsewhere.restore(&second.backup, &target, RestoreRequest::new().confirmed()).await.unwrap();
    assert!(target.held().unwrap().starts_with(b"CREATE TABLE public.rows"));
    elsewhere.delete(&second.backup, Confirmation::Confirmed).await.unwrap();
}

#[tokio::test]
async fn a_level_that_needs_a_key_which_is_not_here_is_refused_before_the_dump() {
    let (keys, other) = (Keys::age(), Keys::age());
    let wrong = keys.sealing().with_identities(&other.private).unwrap();
    for (age, level) in
        [(keys.sealing(), Level::Decoded), (keys.sealing(), Level::Restored), (wrong, Level::Decoded)]
    {
        let store = MemoryStore::new();
        let fake = dumper().fail_probe(ErrorKind::Unexpected);
        let pipeline = Pipeline::new(fake, store.clone())
            .with_encryptor(age)
            .with_level(level)
            .with_rehearsal(Rehearsal::new(FakeRestorer::new(info())));
        let err = pipeline.backup(BackupRequest::new()).await.unwrap_err();
        assert_eq!(err.kind(), ErrorKind::InvalidInput, "{err}");
        assert!(err.to_string().contains(&keys.public), "{err}");
    }
    for level in [Level::Decoded, Level::Restored] {
        let store = MemoryStore::new();
        let pipeline = pipeline(&store, keys.both())
            .with_level(level)
            .with_rehearsal(Rehearsal::new(FakeRestorer::new(info())));
        assert!(pipeline.backup(BackupRequest::new()).await.unwrap().evidence.passed());
    }
}

#[tokio::test]
async fn the_test_of_keys_reads_little_and_names_whom_a_backup_was_sealed_for() {
    let (keys, other, store) = (Keys::age(), Keys::ssh("ed25519", ""), MemoryStore::new());
    let pipeline = pipeline(&store, keys.both()).with_compressor(compress::parse("none").unwrap());
    let err = pipeline.test_keys(&Filter::all()).await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::NotFound, "nothing tested is nothing proven");

    let made = pipeline.backup(BackupRequest::new()).await.unwrap();
    let report = pipeline.test_keys(&Filter::all()).await.unwrap().ensure_opened().unwrap();
    let [test] = &report.tests[..] else { panic!("{report:?}") };
    assert_eq!((&test.backup, &test.result), (&made.backup, &KeyTestResult::Opened));
    assert!(test.bytes_read > 0 && test.bytes_read < made.manifest.artifact.size / 5, "{report:?}");

    // A newer backup of the same database is what counts; one of another environment counts beside it.
    let newer = pipeline.clone().with_encryptor(other.sealing());
    let newer = newer.backup(BackupRequest::new().with_label("newer")).await.unwrap();
    pipeline.clone().with_environment("staging").backup(BackupRequest::new()).await.unwrap();
    let report = pipeline.test_keys(&Filter::all()).await.unwrap();
    let results: Vec<_> = report.tests.iter().map(|test| &test.result).collect();
    assert_eq!(results, [&KeyTestResult::NoIdentity, &KeyTestResult::Opened]);
    assert_eq!(report.tests[0].recipients, [other.fingerprint()]);
    let err = report.ensure_opened().unwrap_err();
    assert!(NoIdentity::is_cause_of(&err) && err.to_string().contains(&other.fingerprint()), "{err}");
    assert!(err.to_string().contains(newer.backup.id.as_str()), "{err}");
    let json = serde_json::to_value(pipeline.test_keys(&Filter::all()).await.unwrap()).unwrap();
    assert_eq!(json["tests"][0]["result"], "no-identity");

    let without = Pipeline::for_store(store).with_encryptor(keys.sealing());
    let report = without.test_keys(&Filter::all()).await.unwrap();
    assert!(report.tests.iter().all(|test| test.result == KeyTestResult::NoIdentity), "{report:?}");
}

#[tokio::test]
async fn after_a_change_of_keys_old_backups_open_with_the_old_identity() {
    let (old, new, store) = (Keys::age(), Keys::age(), MemoryStore::new());
    let before = pipeline(&store, old.both()).backup(BackupRequest::new()).await.unwrap();
    let after = pipeline(&store, new.both());
    let later = after.backup(BackupRequest::new().with_label("later")).await.unwrap();
    assert!(NoIdentity::is_cause_of(&after.verify(&before.backup, Level::Decoded).await.unwrap_err()));
    let both = after.clone().with_encryptor(new.both().with_identities(&old.private).unwrap());
    for backup in [&before.backup, &later.backup] {
        assert!(both.verify(backup, Level::Decoded).await.unwrap().evidence.passed());
    }
    assert_eq!(later.manifest.encryption.unwrap().recipients, [new.public]);
}

#[tokio::test]
async fn a_passphrase_is_named_by_its_scheme_alone() {
    let store = MemoryStore::new();
    let pipeline = pipeline(&store, Age::for_passphrase(&"correct horse".into()).unwrap());
    let made = pipeline.with_level(Level::Decoded).backup(BackupRequest::new()).await.unwrap();
    assert_eq!(made.manifest.encryption.as_ref().unwrap().recipients, ["scrypt"]);
    assert!(!String::from_utf8(made.manifest.to_json().unwrap()).unwrap().contains("horse"));
}

#[tokio::test]
async fn a_pipeline_without_encryptor_says_whom_a_backup_was_sealed_for() {
    let (keys, store) = (Keys::age(), MemoryStore::new());
    let made = pipeline(&store, keys.sealing()).backup(BackupRequest::new()).await.unwrap();
    let without = Pipeline::for_store(Arc::new(store));
    let err = without.verify(&made.backup, Level::Decoded).await.unwrap_err();
    assert!(err.kind() == ErrorKind::Unsupported && err.to_string().contains(&keys.public), "{err}");
}

#[tokio::test]
async fn a_backup_of_another_scheme_is_not_opened_with_these_keys() {
    let (keys, store) = (Keys::age(), MemoryStore::new());
    let pipeline = pipeline(&store, keys.both());
    let made = pipeline.backup(BackupRequest::new()).await.unwrap();
    let (catalog, mut manifest) = (StoreCatalog::new(store), made.manifest);
    manifest.encryption.as_mut().unwrap().scheme = "other".to_owned();
    catalog.remove(&made.backup).await.unwrap();
    catalog.insert(&manifest).await.unwrap();
    let err = pipeline.verify(&made.backup, Level::Decoded).await.unwrap_err();
    assert!(err.kind() == ErrorKind::Unsupported && err.to_string().contains("scheme: other"), "{err}");
    assert!(pipeline.verify(&made.backup, Level::Digest).await.unwrap().evidence.passed());
}
