//! The clauses of the contract of a [`Catalog`], one function each, and manifests to try it with.
//!
//! [`catalog_conformance!`](crate::catalog_conformance) runs them all; each gets a catalog of its own, which is
//! empty.

use std::{collections::BTreeSet, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};
use futures::{TryStreamExt, future::join_all};
use serde_json::json;

use crate::{
    Annotation, BackupId, BackupRef, Catalog, Digest, Entry, ErrorKind, Evidence, Filter, Inventory, Kind,
    Level, Manifest, Note, Result, SourceInfo, TableInventory, Verdict,
    manifest::{Artifact, CompanionObject, Encryption, Layout, Plain},
};

/// Expands to one `#[tokio::test]` per clause of the contract of [`Catalog`](crate::Catalog).
///
/// The argument is an async function that returns an empty catalog and a guard, whatever has to live as long.
///
/// ```
/// # use backup_core::{MemoryStore, catalog::StoreCatalog};
/// async fn catalog() -> (StoreCatalog, ()) {
///     (StoreCatalog::new(MemoryStore::new()), ())
/// }
/// backup_core::catalog_conformance!(catalog);
/// ```
#[macro_export]
macro_rules! catalog_conformance {
    ($fixture:expr) => {
        $crate::catalog_conformance!(@each $fixture,
            an_inserted_backup_reads_back_equal,
            a_second_insert_is_refused_and_changes_nothing,
            exactly_one_of_racing_inserts_wins,
            the_same_id_in_two_databases_names_two_backups,
            annotations_are_kept_in_order_of_time,
            concurrent_annotations_are_all_kept,
            annotating_what_is_not_there_is_not_found,
            getting_what_is_not_there_is_not_found,
            a_removed_backup_is_forgotten_with_its_annotations,
            removing_what_is_not_there_succeeds,
            an_empty_catalog_lists_nothing,
            a_list_yields_every_backup_once,
            filters_select_by_whole_names,
            unknown_fields_survive,
            unknown_annotations_survive);
    };
    (@each $fixture:expr, $($clause:ident),+) => {
        mod catalog_conformance {
            use super::*;
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $clause() {
                    let (catalog, _guard) = ($fixture)().await;
                    $crate::testkit::catalog::$clause(std::sync::Arc::new(catalog)).await;
                }
            )+
        }
    };
}

/// A manifest as a backup of a PostgreSQL database leaves it, with every field set; change what matters.
///
/// # Examples
///
/// ```
/// use backup_core::{Kind, testkit};
///
/// let at = "2026-11-20T02:00:00Z".parse()?;
/// let mut manifest = testkit::sample_manifest("production", "shop", at);
/// assert_eq!(manifest.backup_ref().to_string(), "production/shop/backup-20261120-020000");
/// manifest.kind = Kind::PreMigration;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn sample_manifest(environment: &str, database: &str, at: DateTime<Utc>) -> Manifest {
    let backup = BackupRef::new(environment, database, BackupId::generate(at, None, 1).unwrap());
    let layout = Layout::of(&backup);
    let object = |extensions: &[&str], bytes: &[u8]| {
        Artifact::new(layout.artifact(extensions).unwrap(), bytes.len() as u64, Digest::sha256(bytes))
    };
    let mut source = SourceInfo::new(database);
    source.location = "db.example:5432".into();
    source.tool = "pg_dump".into();
    source.tool_version = "17.2".into();
    source.server_version = "16.4".into();
    source.size_bytes = Some(30_000_000);
    source.encoding = Some("UTF8".to_owned());
    source.extensions = vec!["plpgsql 1.0".to_owned()];
    let plain = Plain::new(5000, Digest::sha256(b"plain"));
    let mut manifest = Manifest::new(backup.clone(), at, source, object(&["sql", "zst"], b"stored"), plain);
    manifest.engine = "postgresql".into();
    manifest.kind = Kind::Daily;
    manifest.label = Some("v1".to_owned());
    manifest.reason = Some("nightly run".to_owned());
    manifest.tags.insert("release".to_owned(), "2026.11".to_owned());
    manifest.finished_at = manifest.created_at + TimeDelta::milliseconds(1500);
    manifest.format = "plain".into();
    manifest.compression = "zstd".into();
    manifest.encryption = Some(Encryption::new("age", vec!["age1example".to_owned()]));
    manifest.inventory = Some(Inventory::new(vec![
        TableInventory::new("public.orders", 1000, 4000),
        TableInventory::new("public.users", 0, 0),
    ]));
    let globals = object(&["globals", "sql", "zst"], b"globals");
    manifest.companions.insert(
        "globals".to_owned(),
        CompanionObject::new(globals, Plain::new(70, Digest::sha256(b"roles"))),
    );
    manifest.warnings = vec!["the server's clock is 3 seconds ahead".to_owned()];
    manifest.expires_at = Some(manifest.created_at + TimeDelta::days(90));
    manifest.host = Some("app-1".to_owned());
    manifest.git_commit = Some("0f1e2d3c".to_owned());
    manifest
}

/// `get` returns what was inserted, in every field, without annotations.
pub async fn an_inserted_backup_reads_back_equal(catalog: Arc<dyn Catalog>) {
    let full = sample(0);
    let mut least = sample(1);
    least.inventory = None;
    least.encryption = None;
    least.companions.clear();
    least.tags.clear();
    let mut nasty = sample_manifest("my prod/../.", "SHOP%2F.é ", time(2));
    nasty.reason = Some("\"quoted\"\n\u{0}\u{2028}😀".to_owned());
    nasty.artifact.size = u64::MAX;
    for manifest in [full, least, nasty] {
        catalog.insert(&manifest).await.unwrap();
        assert_eq!(catalog.get(&manifest.backup_ref()).await.unwrap(), Entry::new(manifest, Vec::new()));
    }
}

/// A second `insert` is `AlreadyExists`; the first one and its annotations stay as they are.
pub async fn a_second_insert_is_refused_and_changes_nothing(catalog: Arc<dyn Catalog>) {
    let first = sample(0);
    catalog.insert(&first).await.unwrap();
    catalog.annotate(&first.backup_ref(), &held(1, "audit")).await.unwrap();
    let before = catalog.get(&first.backup_ref()).await.unwrap();
    let mut second = first.clone();
    second.reason = Some("another one".to_owned());
    for manifest in [&first, &second] {
        assert_eq!(catalog.insert(manifest).await.unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(catalog.get(&first.backup_ref()).await.unwrap(), before);
    }
    assert_eq!(all(&*catalog, &Filter::all()).await, [before]);
}

/// Of 16 inserts of one backup at once one succeeds, the others are `AlreadyExists`, and what is read is the winner's.
pub async fn exactly_one_of_racing_inserts_wins(catalog: Arc<dyn Catalog>) {
    let attempts = join_all((0..16).map(|number| {
        let (catalog, mut manifest) = (Arc::clone(&catalog), sample(0));
        manifest.reason = Some(format!("attempt {number}"));
        tokio::spawn(async move { catalog.insert(&manifest).await.map(|_| manifest) })
    }))
    .await;
    let (won, lost): (Vec<_>, Vec<_>) =
        attempts.into_iter().map(|attempt| attempt.unwrap()).partition(Result::is_ok);
    assert_eq!(won.len(), 1);
    for err in lost {
        assert_eq!(err.unwrap_err().kind(), ErrorKind::AlreadyExists);
    }
    let winner = won.into_iter().next().unwrap().unwrap();
    assert_eq!(catalog.get(&winner.backup_ref()).await.unwrap().manifest, winner);
}

/// Backups of the same id in other databases or environments are other backups.
pub async fn the_same_id_in_two_databases_names_two_backups(catalog: Arc<dyn Catalog>) {
    let names = [("production", "shop"), ("production", "crm"), ("staging", "shop")];
    let manifests = names.map(|(environment, database)| sample_manifest(environment, database, time(0)));
    for manifest in &manifests {
        catalog.insert(manifest).await.unwrap();
    }
    let [shop, crm, staging] = manifests;
    catalog.annotate(&shop.backup_ref(), &held(1, "audit")).await.unwrap();
    catalog.remove(&staging.backup_ref()).await.unwrap();
    assert!(catalog.get(&shop.backup_ref()).await.unwrap().is_held());
    assert_eq!(catalog.get(&crm.backup_ref()).await.unwrap(), Entry::new(crm, Vec::new()));
}

/// Annotations come back as they were recorded, the oldest first, whatever the order in which they were added.
pub async fn annotations_are_kept_in_order_of_time(catalog: Arc<dyn Catalog>) {
    let manifest = sample(0);
    let backup = manifest.backup_ref();
    catalog.insert(&manifest).await.unwrap();
    let verified = Annotation::new(time(2), Note::Verified(evidence(Level::Decoded, Verdict::Passed)));
    let failed = Annotation::new(time(9), Note::Verified(evidence(Level::Digest, Verdict::Failed)));
    let released = Annotation::new(time(5), Note::Released { reason: "audit is over".to_owned() });
    let pruning = Annotation::new(time(7), Note::Pruning { reason: "older than 90 days".to_owned() });
    let sorted = [held(1, "audit"), verified.clone(), released.clone(), pruning.clone(), failed.clone()];
    for annotation in [failed, verified, pruning, held(1, "audit"), released] {
        catalog.annotate(&backup, &annotation).await.unwrap();
    }
    let entry = catalog.get(&backup).await.unwrap();
    assert_eq!(entry, Entry { manifest, annotations: sorted.to_vec() });
    assert_eq!(all(&*catalog, &Filter::all()).await, [entry]);
}

/// Of 16 annotations added at once, even of equal time and content, none is lost.
pub async fn concurrent_annotations_are_all_kept(catalog: Arc<dyn Catalog>) {
    let manifest = sample(0);
    catalog.insert(&manifest).await.unwrap();
    let added = join_all((0..16).map(|number| {
        let (catalog, backup) = (Arc::clone(&catalog), manifest.backup_ref());
        let annotation = held(1, &format!("reason {}", number / 2));
        tokio::spawn(async move { catalog.annotate(&backup, &annotation).await })
    }))
    .await;
    for result in added {
        result.unwrap().unwrap();
    }
    let entry = catalog.get(&manifest.backup_ref()).await.unwrap();
    let mut reasons: Vec<_> =
        entry.annotations.iter().map(|annotation| format!("{:?}", annotation.note)).collect();
    assert_eq!(reasons.len(), 16);
    reasons.sort();
    reasons.dedup();
    assert_eq!(reasons.len(), 8);
}

/// Annotating a backup that is not there is `NotFound`, and makes none.
pub async fn annotating_what_is_not_there_is_not_found(catalog: Arc<dyn Catalog>) {
    let (there, missing) = (sample(0), sample(1).backup_ref());
    catalog.insert(&there).await.unwrap();
    let err = catalog.annotate(&missing, &held(1, "audit")).await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::NotFound);
    assert_eq!(catalog.get(&missing).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(all(&*catalog, &Filter::all()).await, [Entry::new(there, Vec::new())]);
}

/// Looking up a backup that is not there is `NotFound`.
pub async fn getting_what_is_not_there_is_not_found(catalog: Arc<dyn Catalog>) {
    let missing = sample(1).backup_ref();
    assert_eq!(catalog.get(&missing).await.unwrap_err().kind(), ErrorKind::NotFound);
    catalog.insert(&sample(0)).await.unwrap();
    assert_eq!(catalog.get(&missing).await.unwrap_err().kind(), ErrorKind::NotFound);
}

/// `remove` forgets one backup with its annotations: one that comes later under the name inherits none.
pub async fn a_removed_backup_is_forgotten_with_its_annotations(catalog: Arc<dyn Catalog>) {
    let (gone, stays) = (sample(0), sample(1));
    for manifest in [&gone, &stays] {
        catalog.insert(manifest).await.unwrap();
        catalog.annotate(&manifest.backup_ref(), &held(1, "audit")).await.unwrap();
    }
    catalog.remove(&gone.backup_ref()).await.unwrap();
    assert_eq!(catalog.get(&gone.backup_ref()).await.unwrap_err().kind(), ErrorKind::NotFound);
    let left = Entry::new(stays, vec![held(1, "audit")]);
    assert_eq!(all(&*catalog, &Filter::all()).await, [left]);
    catalog.insert(&gone).await.unwrap();
    assert_eq!(catalog.get(&gone.backup_ref()).await.unwrap(), Entry::new(gone, Vec::new()));
}

/// Removing a backup that is not there, or not any more, succeeds.
pub async fn removing_what_is_not_there_succeeds(catalog: Arc<dyn Catalog>) {
    let (there, backup) = (sample(0), sample(1).backup_ref());
    catalog.remove(&backup).await.unwrap();
    catalog.insert(&there).await.unwrap();
    catalog.remove(&backup).await.unwrap();
    assert_eq!(all(&*catalog, &Filter::all()).await.len(), 1);
    catalog.remove(&there.backup_ref()).await.unwrap();
    catalog.remove(&there.backup_ref()).await.unwrap();
    assert!(all(&*catalog, &Filter::all()).await.is_empty());
}

/// A catalog without backups yields neither entries nor errors.
pub async fn an_empty_catalog_lists_nothing(catalog: Arc<dyn Catalog>) {
    assert!(all(&*catalog, &Filter::all()).await.is_empty());
    assert!(all(&*catalog, &Filter::all().with_environment("production")).await.is_empty());
}

/// A list of 300 backups yields each once, with its annotations.
pub async fn a_list_yields_every_backup_once(catalog: Arc<dyn Catalog>) {
    let mut expected = BTreeSet::new();
    for number in 0..300 {
        let manifest =
            sample_manifest("production", if number % 3 == 0 { "crm" } else { "shop" }, time(number));
        catalog.insert(&manifest).await.unwrap();
        let is_held = number % 50 == 0;
        if is_held {
            catalog.annotate(&manifest.backup_ref(), &held(number + 1, "audit")).await.unwrap();
        }
        expected.insert((manifest.backup_ref(), is_held));
    }
    let listed = all(&*catalog, &Filter::all()).await;
    assert_eq!(listed.len(), 300);
    let found: BTreeSet<_> =
        listed.iter().map(|entry| (entry.manifest.backup_ref(), entry.is_held())).collect();
    assert_eq!(found, expected);
}

/// A filter selects by environment, database and kind, together or alone; a name that begins alike is another.
pub async fn filters_select_by_whole_names(catalog: Arc<dyn Catalog>) {
    let names =
        [("production", "app"), ("production", "app_staging"), ("production2", "app"), ("my prod", "a/p p")];
    for (environment, database) in names {
        for (number, kind) in [(0, Kind::Daily), (1, Kind::PreMigration)] {
            let mut manifest = sample_manifest(environment, database, time(number));
            manifest.kind = kind;
            catalog.insert(&manifest).await.unwrap();
        }
    }
    let production = Filter::all().with_environment("production");
    let app = Filter::all().with_database("app");
    let odd = Filter::all().with_environment("my prod");
    for (filter, count) in [
        (Filter::all(), 8),
        (production.clone(), 4),
        (app.clone(), 4),
        (production.clone().with_database("app"), 2),
        (odd.clone(), 2),
        (odd.with_database("a/p p"), 2),
        (Filter::all().with_kind(Kind::Daily), 4),
        (production.with_database("app").with_kind(Kind::PreMigration), 1),
        (Filter::all().with_environment("prod"), 0),
        (Filter::all().with_environment("produktion"), 0),
        (Filter::all().with_database("ap"), 0),
        (app.with_kind(Kind::Weekly), 0),
    ] {
        let found = all(&*catalog, &filter).await;
        assert!(found.iter().all(|entry| filter.selects(&entry.manifest)), "{filter:?}");
        assert_eq!(found.len(), count, "{filter:?}");
    }
}

/// Fields of later versions, at every place of a manifest, come back, also after other changes.
pub async fn unknown_fields_survive(catalog: Arc<dyn Catalog>) {
    let mut manifest = sample(0);
    let later =
        json!({ "position": { "gtid": [1, "a", null] }, "large": u64::MAX, "small": i64::MIN, "half": 0.5 });
    let later = later.as_object().unwrap();
    let (encryption, inventory) =
        (manifest.encryption.as_mut().unwrap(), manifest.inventory.as_mut().unwrap());
    let globals = manifest.companions.get_mut("globals").unwrap();
    for extra in [
        &mut manifest.extra,
        &mut manifest.source.extra,
        &mut manifest.artifact.extra,
        &mut manifest.plain.extra,
        &mut encryption.extra,
        &mut inventory.extra,
        &mut inventory.tables[0].extra,
        &mut globals.artifact.extra,
        &mut globals.plain.extra,
    ] {
        extra.extend(later.clone());
    }
    catalog.insert(&manifest).await.unwrap();
    catalog.insert(&sample(1)).await.unwrap();
    catalog.annotate(&manifest.backup_ref(), &held(1, "audit")).await.unwrap();
    catalog.remove(&sample(1).backup_ref()).await.unwrap();
    let entry = Entry::new(manifest, vec![held(1, "audit")]);
    assert_eq!(catalog.get(&entry.manifest.backup_ref()).await.unwrap(), entry);
    assert_eq!(all(&*catalog, &Filter::all()).await, [entry]);
}

/// Annotations that only a later version understands come back, and so do their fields in known ones.
pub async fn unknown_annotations_survive(catalog: Arc<dyn Catalog>) {
    let manifest = sample(0);
    catalog.insert(&manifest).await.unwrap();
    let unknown = json!({ "note": "copied", "store": { "region": "eu" }, "bytes": u64::MAX });
    let mut extended = held(2, "audit");
    extended.extra.insert("until".to_owned(), json!("2027-01-01T00:00:00Z"));
    let mut verified = Annotation::new(time(3), Note::Verified(evidence(Level::Decoded, Verdict::Passed)));
    verified.extra.insert("server_version".to_owned(), json!("17.2"));
    let deeper = json!({ "note": "verified", "level": "restored", "result": "passed" });
    let annotations = vec![
        Annotation::new(time(1), Note::Other(unknown.as_object().unwrap().clone())),
        extended,
        verified,
        Annotation::new(time(4), Note::Other(deeper.as_object().unwrap().clone())),
    ];
    for annotation in &annotations {
        catalog.annotate(&manifest.backup_ref(), annotation).await.unwrap();
    }
    let entry = catalog.get(&manifest.backup_ref()).await.unwrap();
    assert_eq!(entry, Entry::new(manifest, annotations));
}

fn sample(number: u32) -> Manifest {
    sample_manifest("production", "shop", time(number))
}

fn time(seconds: u32) -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_140_000 + i64::from(seconds), 123_000_000).unwrap()
}

fn held(seconds: u32, reason: &str) -> Annotation {
    Annotation::new(time(seconds), Note::Held { reason: reason.to_owned() })
}

fn evidence(level: Level, result: Verdict) -> Evidence {
    Evidence {
        level,
        result,
        at: time(1),
        duration_ms: 1500,
        bytes_read: 6,
        findings: vec!["table public.orders has 999 rows, 1000 expected".to_owned()],
        rehearsed: None,
        library_version: "0.1.0".to_owned(),
    }
}

async fn all(catalog: &dyn Catalog, filter: &Filter) -> Vec<Entry> {
    catalog.list(filter).try_collect().await.unwrap()
}
