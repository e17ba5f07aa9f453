//! Every later version lists, verifies and deletes what this release wrote; no server is needed for it.

use std::{collections::BTreeSet, path::Path};

use backup_core::{
    Catalog, Entry, ErrorKind, Filter, Level, Store,
    catalog::{JsonCatalog, Standing},
    copy::{CopyOptions, sync},
    pipeline::Confirmation,
};
use futures::TryStreamExt;
use storage_local::LocalStore;

use super::golden_facts::{FACTS, Fact, Golden, Sealed, entries, release};

#[tokio::test]
async fn every_backup_is_listed_with_what_was_recorded() {
    let golden = Golden::copied();
    let listed = entries(&golden.pipeline().await).await;
    let names: Vec<_> = listed.iter().map(|entry| entry.manifest.backup_ref().to_string()).collect();
    assert_eq!(names, FACTS.iter().map(|fact| fact.name).collect::<Vec<_>>());
    for (entry, fact) in listed.iter().zip(FACTS) {
        let manifest = &entry.manifest;
        let name = fact.name;
        assert_eq!(manifest.engine, fact.engine, "{name}");
        assert_eq!((&*manifest.format, &*manifest.compression), fact.form, "{name}");
        assert_eq!(manifest.kind, fact.kind, "{name}");
        let tables = manifest.inventory.iter().flat_map(|inventory| &inventory.tables);
        let tables: Vec<_> = tables.map(|table| (&*table.name, table.rows)).collect();
        assert_eq!(tables, fact.tables, "{name}");
        let recipients =
            manifest.encryption.as_ref().map(|used| (&*used.scheme, used.recipients[0].as_str()));
        assert_eq!(
            recipients.map(|(scheme, _)| scheme),
            (fact.sealed != Sealed::Not).then_some("age"),
            "{name}"
        );
        assert_eq!(
            recipients.is_some_and(|(_, recipient)| recipient == "scrypt"),
            fact.sealed == Sealed::ByPassphrase,
            "{name}"
        );
        let Standing::Proven { level } = entry.standing() else { panic!("{name}: {:?}", entry.standing()) };
        assert_eq!(level.name(), fact.proven, "{name}");
        assert_eq!(manifest.host.as_deref(), Some("app-1"), "{name}");
        assert!(manifest.extra.is_empty(), "a field that is not understood any more: {:?}", manifest.extra);
    }
}

#[tokio::test]
async fn what_single_backups_have_beside_is_understood() {
    let golden = Golden::copied();
    let listed = entries(&golden.pipeline().await).await;
    let entry =
        |name: &str| listed.iter().find(|entry| entry.manifest.backup_ref().to_string() == name).unwrap();

    let nightly = &entry("production/shop/backup-20261020-020000-nightly").manifest;
    assert_eq!((nightly.label.as_deref(), nightly.tags["release"].as_str()), (Some("nightly"), "2026.10"));
    assert_eq!(nightly.reason.as_deref(), Some("a night like any other"));
    assert_eq!(nightly.expires_at.unwrap().to_rfc3339(), "2027-01-18T02:00:00+00:00");
    assert_eq!(nightly.git_commit.as_deref(), Some("0f1e2d3c4b5a69788796a5b4c3d2e1f000112233"));
    assert_eq!(nightly.companions.keys().collect::<Vec<_>>(), ["globals"]);

    let held: Vec<_> =
        listed.iter().filter(|entry| entry.is_held()).map(|entry| entry.manifest.id.as_str()).collect();
    assert_eq!(held, ["backup-20261021-020000"], "one that was released is not held");
    let going = listed.iter().filter(|entry| entry.is_being_deleted());
    let going: Vec<_> = going.map(|entry| entry.manifest.backup_ref().to_string()).collect();
    assert_eq!(going, ["production/notes/backup-20261028-040000"]);

    for name in ["production/my%20shop/backup-20261020-023000", "staging/ledger/backup-20261024-033000"] {
        let position = entry(name).manifest.position.as_ref().unwrap();
        assert!(position.binlog_file.is_some() && position.gtid.is_some(), "{name}: {position:?}");
    }
    for name in ["production/archive/backup-20261025-030000", "production/archive/backup-20261026-030000"] {
        assert_eq!(entry(name).manifest.frames.as_ref().unwrap().frames.len(), 3, "{name}");
    }
    let migrations = entry("production/dev/backup-20261028-030000").manifest.migrations.as_ref().unwrap();
    assert_eq!((migrations.tool.as_str(), migrations.applied), ("prisma", 3));
    assert_eq!(migrations.pending, ["20260104000000_bad"]);
    let twice = &entry("production/notes/backup-20261026-040000").manifest.copies;
    assert!(twice.len() == 2 && twice.iter().all(|copy| copy.error.is_none()), "{twice:?}");
    let rehearsed = listed.iter().filter_map(|entry| entry.rehearsed());
    assert_eq!(rehearsed.map(|(_, rehearsed)| rehearsed.rows).collect::<Vec<_>>(), [7; 8]);
}

#[tokio::test]
async fn a_catalog_file_that_was_deleted_is_rebuilt_from_the_store_and_says_the_same() {
    let golden = Golden::copied();
    let pipeline = golden.pipeline().await;
    let path = golden.path("backups.json");
    let by_name = |mut entries: Vec<Entry>| {
        entries.sort_by_key(|entry| entry.manifest.backup_ref());
        entries
    };
    let all =
        async |catalog: &JsonCatalog| by_name(catalog.list(&Filter::all()).try_collect().await.unwrap());

    let kept = all(&JsonCatalog::open(&path).await.unwrap()).await;
    assert_eq!(kept, by_name(entries(&pipeline).await), "holds, evidence and marks included");
    std::fs::remove_file(&path).unwrap();
    let rebuilt = JsonCatalog::rebuild(&path, &**pipeline.catalog()).await.unwrap();
    assert_eq!(all(&rebuilt).await, kept);
}

#[tokio::test]
async fn every_backup_is_decoded_and_found_as_recorded() {
    let golden = Golden::copied();
    for fact in FACTS {
        let report = golden.opening(fact).await.verify(&fact.backup(), Level::Decoded).await.unwrap();
        assert!(report.evidence.passed() && report.warnings.is_empty(), "{}: {report:?}", fact.name);
    }
}

/// The artifact of a backup, and its companions.
async fn artifacts(golden: &Golden, fact: &Fact) -> Vec<std::path::PathBuf> {
    let manifest = golden.pipeline().await.entry(&fact.backup()).await.unwrap().manifest;
    let companions = manifest.companions.values().map(|companion| &companion.artifact.key);
    let keys = std::iter::once(&manifest.artifact.key).chain(companions);
    keys.map(|key| golden.path("store").join(key.as_str())).collect()
}

#[tokio::test]
async fn one_other_bit_anywhere_is_found_in_every_artifact() {
    let golden = Golden::copied();
    let mut seen = BTreeSet::new();
    for fact in FACTS {
        let pipeline = golden.opening(fact).await;
        for path in artifacts(&golden, fact).await {
            let whole = std::fs::read(&path).unwrap();
            for at in [0, whole.len() / 2, whole.len() - 1] {
                let mut flipped = whole.clone();
                flipped[at] ^= 1;
                std::fs::write(&path, &flipped).unwrap();
                // To open with a passphrase takes a second: once is enough.
                let levels = if fact.sealed == Sealed::ByPassphrase && at > 0 {
                    &[Level::Digest][..]
                } else {
                    &[Level::Digest, Level::Decoded]
                };
                for level in levels {
                    let found = pipeline.verify(&fact.backup(), *level).await.unwrap();
                    assert!(!found.evidence.passed(), "{} {} at {at}, {level}", fact.name, path.display());
                }
                seen.insert(fact.name);
            }
            std::fs::write(&path, &whole).unwrap();
        }
    }
    assert_eq!(seen.len(), FACTS.len());
}

#[tokio::test]
async fn the_second_store_holds_the_same_copy_and_gives_it_back() {
    let golden = Golden::copied();
    let store = |name: &'static str| {
        let path = golden.path(name);
        async move { std::sync::Arc::new(LocalStore::open(path).await.unwrap()) as std::sync::Arc<dyn Store> }
    };
    let (here, there) = (store("store").await, store("offsite").await);
    let synced = sync(&there, &here, &Filter::all(), &CopyOptions::default()).await.unwrap();
    assert_eq!((synced.equal, synced.copied.len()), (1, 0), "{synced:?}");
    let name = "production/notes/backup-20261026-040000";
    for file in ["sqlite", "manifest.json"] {
        std::fs::remove_file(golden.path("store").join(format!("{name}.{file}"))).unwrap();
    }
    let synced = sync(&there, &here, &Filter::all(), &CopyOptions::default()).await.unwrap();
    assert_eq!(synced.copied.len(), 1, "{synced:?}");
    golden
        .pipeline()
        .await
        .verify(&name.parse().unwrap(), Level::Decoded)
        .await
        .unwrap()
        .ensure_passed()
        .unwrap();
}

#[tokio::test]
async fn a_hold_is_kept_and_a_deletion_that_was_begun_is_completed() {
    let golden = Golden::copied();
    let pipeline = golden.pipeline().await;
    let held = "production/shop/backup-20261021-020000".parse().unwrap();
    let refused = pipeline.delete(&held, Confirmation::Confirmed).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::PermissionDenied);

    let going = "production/notes/backup-20261028-040000".parse().unwrap();
    pipeline.delete(&going, Confirmation::Confirmed).await.unwrap();
    let left = std::fs::read_dir(golden.path("store/production/notes")).unwrap();
    let left: Vec<_> = left.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    assert!(!left.iter().any(|name| name.starts_with("backup-20261028-040000.")), "{left:?}");
    assert_eq!(entries(&pipeline).await.len(), FACTS.len() - 1);
}

#[test]
fn what_is_frozen_is_small_and_tells_of_no_machine() {
    fn walk(folder: &Path, found: &mut Vec<(u64, String)>) {
        for file in std::fs::read_dir(folder).unwrap() {
            let file = file.unwrap();
            if file.file_type().unwrap().is_dir() {
                walk(&file.path(), found);
            } else {
                let text = String::from_utf8_lossy(&std::fs::read(file.path()).unwrap()).into_owned();
                found.push((file.metadata().unwrap().len(), text));
            }
        }
    }
    let mut found = Vec::new();
    walk(&release(), &mut found);
    assert!(found.iter().map(|(bytes, _)| bytes).sum::<u64>() < 300_000);
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let machine = format!("\"{}\"", machine.trim());
    assert!(found.iter().all(|(_, text)| !text.contains(&machine)));
}
