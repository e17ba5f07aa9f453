use chrono::{DateTime, TimeDelta};
use futures::{StreamExt, stream};
use serde_json::json;

use super::*;
use crate::{BackupId, Evidence, Level, MemoryStore, Verdict, testkit::sample_manifest};

fn time(seconds: i64) -> DateTime<chrono::Utc> {
    DateTime::from_timestamp(1_795_140_000, 0).unwrap() + TimeDelta::seconds(seconds)
}

fn verified(at: i64, level: Level, result: Verdict) -> Annotation {
    let evidence = Evidence {
        level,
        result,
        at: time(at),
        duration_ms: 1,
        bytes_read: 1,
        findings: Vec::new(),
        rehearsed: None,
        library_version: "0.1.0".to_owned(),
    };
    Annotation::new(time(at + 1), Note::Verified(evidence))
}

fn other(at: i64, fields: &serde_json::Value) -> Annotation {
    Annotation::new(time(at), Note::Other(fields.as_object().unwrap().clone()))
}

fn entry(annotations: Vec<Annotation>) -> Entry {
    Entry::new(sample_manifest("production", "shop", time(0)), annotations)
}

#[test]
fn annotations_of_every_kind_read_back_from_json() {
    let all = [
        verified(1, Level::Decoded, Verdict::Failed),
        Annotation::new(time(2), Note::Held { reason: "audit".to_owned() }),
        Annotation::new(time(3), Note::Released { reason: "over".to_owned() }),
        Annotation::new(time(4), Note::Pruning { reason: "old".to_owned() }),
        other(
            5,
            &json!({ "note": "copied", "large": 9_007_199_254_740_993_u64, "deep": { "a": [1, null] } }),
        ),
    ];
    for annotation in all {
        let json = annotation.to_json().unwrap();
        assert_eq!(serde_json::from_str::<Annotation>(&json).unwrap(), annotation, "{json}");
    }
    let held = Annotation::new(time(2), Note::Held { reason: "audit".to_owned() });
    assert_eq!(held.to_json().unwrap(), r#"{"at":"2026-11-20T02:00:02Z","note":"held","reason":"audit"}"#);
}

#[test]
fn a_note_that_would_read_back_as_another_is_refused() {
    for fields in [json!({ "note": "held", "reason": "x" }), json!({ "note": "copied", "at": "never" })] {
        assert_eq!(other(1, &fields).to_json().unwrap_err().kind(), ErrorKind::InvalidInput, "{fields}");
    }
}

#[test]
fn a_hold_of_a_later_version_is_a_hold() {
    let held = other(1, &json!({ "note": "held", "until": "2030-01-01T00:00:00Z" }));
    assert!(entry(vec![held.clone()]).is_held());
    let released = Annotation::new(time(2), Note::Released { reason: "over".to_owned() });
    assert!(!entry(vec![released, held]).is_held());
}

#[test]
fn of_a_hold_and_a_release_at_once_the_hold_counts() {
    let held = Annotation::new(time(1), Note::Held { reason: "audit".to_owned() });
    let released = Annotation::new(time(1), Note::Released { reason: "over".to_owned() });
    assert!(entry(vec![held.clone(), released.clone()]).is_held());
    assert!(entry(vec![released, held]).is_held());
}

#[test]
fn a_failure_takes_away_what_was_proven_before() {
    let passed = verified(1, Level::Decoded, Verdict::Passed);
    let failed = verified(5, Level::Present, Verdict::Failed);
    let shallow = verified(9, Level::Digest, Verdict::Passed);
    let level = |annotations| entry(annotations).proven().map(|evidence| evidence.level);
    assert_eq!(level(vec![passed.clone()]), Some(Level::Decoded));
    assert_eq!(level(vec![failed.clone(), passed.clone()]), None);
    assert_eq!(level(vec![shallow.clone(), passed.clone()]), Some(Level::Decoded));
    assert_eq!(level(vec![shallow, failed, passed.clone()]), Some(Level::Digest));
    let deeper = |result| other(8, &json!({ "note": "verified", "level": "restored", "result": result }));
    assert_eq!(level(vec![passed.clone(), deeper("passed")]), Some(Level::Decoded));
    assert_eq!(level(vec![passed.clone(), deeper("failed")]), None);
    assert_eq!(level(vec![passed, deeper("inconclusive")]), None);
}

#[test]
fn a_failure_stands_until_a_check_as_deep_passes() {
    use Level::{Decoded, Digest, Present};
    use Verdict::{Failed, Passed};
    let failed = |level| Standing::Failed { level };
    let proven = |level| Standing::Proven { level };
    let table: &[(&[(Level, Verdict)], Standing<'_>)] = &[
        (&[], Standing::Unproven),
        (&[(Digest, Passed)], proven(Digest)),
        (&[(Decoded, Failed)], failed("decoded")),
        (&[(Decoded, Failed), (Present, Passed)], failed("decoded")),
        (&[(Decoded, Failed), (Digest, Passed), (Present, Passed)], failed("decoded")),
        (&[(Decoded, Failed), (Decoded, Passed)], proven(Decoded)),
        (&[(Present, Failed), (Decoded, Passed)], proven(Decoded)),
        (&[(Present, Failed), (Present, Passed)], proven(Present)),
        (&[(Decoded, Passed), (Present, Failed)], failed("present")),
        // What was proven before a failure is not proven any more.
        (&[(Decoded, Passed), (Present, Failed), (Present, Passed)], proven(Present)),
        (&[(Decoded, Failed), (Present, Failed), (Digest, Passed)], failed("decoded")),
        (&[(Decoded, Passed), (Decoded, Failed), (Digest, Passed)], failed("decoded")),
        (&[(Decoded, Failed), (Decoded, Passed), (Digest, Failed), (Digest, Passed)], proven(Digest)),
        (&[(Digest, Failed), (Decoded, Failed)], failed("decoded")),
        (&[(Decoded, Failed), (Digest, Failed)], failed("digest")),
    ];
    for (checks, expected) in table {
        let notes = (1..).zip(*checks).map(|(at, (level, verdict))| verified(at * 10, *level, *verdict));
        let entry = entry(notes.collect());
        assert_eq!(entry.standing(), *expected, "{checks:?}");
        assert_eq!(
            entry.proven().map(|evidence| evidence.level),
            if let Standing::Proven { level } = expected { Some(*level) } else { None },
            "{checks:?}"
        );
    }
}

#[test]
fn a_failure_of_a_later_version_stands_until_that_level_passes() {
    let deeper =
        |at, result: &str| other(at, &json!({ "note": "verified", "level": "restored", "result": result }));
    let pass = verified(50, Level::Decoded, Verdict::Passed);
    let standing = |notes: Vec<Annotation>| serde_json::to_value(entry(notes).standing()).unwrap();
    let failed = json!({ "state": "failed", "level": "restored" });
    assert_eq!(standing(vec![deeper(8, "failed"), pass.clone()]), failed);
    assert_eq!(standing(vec![deeper(8, "failed"), deeper(9, "passed"), pass])["state"], "proven");
    let nameless = other(8, &json!({ "note": "verified" }));
    assert_eq!(standing(vec![nameless, deeper(9, "passed")])["level"], "unknown");
}

#[test]
fn a_manifest_that_could_not_be_read_back_is_refused() {
    let manifest = sample_manifest("production", "shop", time(0));
    assert!(encode(&manifest).is_ok());
    let mut shadowed = manifest.clone();
    shadowed.extra.insert("id".to_owned(), json!("other"));
    let mut newer = manifest.clone();
    newer.schema_version += 1;
    let mut elsewhere = manifest.clone();
    elsewhere.artifact.key = crate::Key::parse("production/crm/backup-20261120-020000.sql.zst").unwrap();
    let mut nameless = manifest;
    nameless.environment = String::new();
    for bad in [shadowed, newer, elsewhere, nameless] {
        assert_eq!(encode(&bad).unwrap_err().kind(), ErrorKind::InvalidInput, "{bad:?}");
    }
}

#[tokio::test]
async fn find_takes_full_names_and_unambiguous_ids() {
    let catalog = StoreCatalog::new(MemoryStore::new());
    let (shop, crm, old) = (
        sample_manifest("production", "my shop", time(0)),
        sample_manifest("production", "crm", time(0)),
        sample_manifest("production", "crm", time(-60)),
    );
    for manifest in [&shop, &crm, &old] {
        catalog.insert(manifest).await.unwrap();
    }
    let found = find(&catalog, "production/my%20shop/backup-20261120-020000").await.unwrap();
    assert_eq!(found.manifest, shop);
    let catalog: Arc<dyn Catalog> = Arc::new(catalog);
    assert_eq!(find(&*catalog, "backup-20261120-015900").await.unwrap().manifest, old);

    let err = find(&catalog, "backup-20261120-020000").await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::InvalidInput);
    assert_eq!(
        err.suggestions(),
        [
            "name it in full: production/crm/backup-20261120-020000",
            "name it in full: production/my%20shop/backup-20261120-020000",
        ]
    );
    for missing in ["backup-20200101-000000", "production/crm/backup-20200101-000000"] {
        let err = find(&catalog, missing).await.unwrap_err();
        assert_eq!(err.kind(), ErrorKind::NotFound);
        assert!(!err.suggestions().is_empty());
    }
    let err = find(&catalog, "backup-20261120-015901").await.unwrap_err();
    assert_eq!(err.suggestions(), ["did you mean production/crm/backup-20261120-015900?"]);
    for invalid in ["", "a/b", "a/b/c/d", "a//backup-20200101-000000", "../x", "production/a%2/x", "x y"] {
        assert_eq!(find(&catalog, invalid).await.unwrap_err().kind(), ErrorKind::InvalidInput, "{invalid:?}");
    }
}

#[tokio::test]
async fn a_label_and_an_id_without_its_label_lead_to_the_backup_that_has_it() {
    let catalog = StoreCatalog::new(MemoryStore::new());
    let labelled = |database: &str, seconds| {
        let mut manifest = sample_manifest("production", database, time(seconds));
        manifest.label = Some("nightly".to_owned());
        let id = BackupId::generate(manifest.created_at, Some("nightly"), 1).unwrap();
        let backup = BackupRef::new("production", database, id);
        let mut moved = Manifest::new(
            backup.clone(),
            manifest.created_at,
            manifest.source,
            crate::manifest::Artifact {
                key: crate::manifest::Layout::of(&backup).artifact(&["sql"]).unwrap(),
                ..manifest.artifact
            },
            manifest.plain,
        );
        moved.label = manifest.label;
        moved
    };
    let (old, new) = (labelled("shop", -86_400), labelled("shop", 0));
    // Only a letter away, and of another series.
    let near = sample_manifest("production", "crm", time(1));
    for manifest in [&old, &new, &near] {
        catalog.insert(manifest).await.unwrap();
    }
    for (text, meant) in [
        ("backup-20261120-020000", &new),
        ("nightly", &new),
        ("backup-20261119-020000", &old),
        ("backup-20261119-020000-nightly-9", &old),
    ] {
        let err = find(&catalog, text).await.unwrap_err();
        assert_eq!(err.kind(), ErrorKind::NotFound, "{text}");
        assert_eq!(err.suggestions(), [format!("did you mean {}?", meant.backup_ref())], "{text}");
    }
}

/// Lists one good entry and one error.
fn catalog_with(error: fn() -> Error) -> MockCatalog {
    let mut catalog = MockCatalog::new();
    catalog.expect_list().returning(move |_| {
        let good = Entry::new(sample_manifest("production", "shop", time(0)), Vec::new());
        stream::iter([Err(error()), Ok(good)]).boxed()
    });
    catalog
}

#[tokio::test]
async fn find_passes_over_damage_elsewhere_and_reports_damage_of_what_was_asked_for() {
    let catalog = catalog_with(|| {
        Error::new(ErrorKind::Corrupt, "damaged")
            .with_context("key", "production/shop/backup-1.manifest.json")
    });
    let good = BackupId::generate(time(0), None, 1).unwrap();
    assert_eq!(find(&catalog, good.as_str()).await.unwrap().manifest.id, good);
    assert_eq!(find(&catalog, "backup-1").await.unwrap_err().kind(), ErrorKind::Corrupt);
    assert_eq!(find(&catalog, "backup").await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn find_never_answers_from_half_a_list() {
    let catalog = catalog_with(|| Error::new(ErrorKind::Unavailable, "the store is out of reach"));
    let err = find(&catalog, "backup-20261120-020000").await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::Unavailable);
}

#[test]
fn a_number_is_the_name_of_no_record() {
    let json = r#"{"at":"2026-11-20T02:00:00Z","note":1,"reason":"x"}"#;
    let annotation: Annotation = serde_json::from_str(json).unwrap();
    assert!(matches!(&annotation.note, Note::Other(_)), "{annotation:?}");
    assert_eq!(
        serde_json::to_value(&annotation).unwrap(),
        serde_json::from_str::<serde_json::Value>(json).unwrap()
    );
}

#[tokio::test]
async fn backups_of_one_second_are_listed_in_one_order_however_they_come() {
    let made = |environment: &str, database: &str, number| {
        let mut manifest = sample_manifest(environment, database, time(0));
        manifest.id = BackupId::generate(time(0), None, number).unwrap();
        Entry::new(manifest, Vec::new())
    };
    let entries = [
        made("production", "shop", 2),
        made("production", "orders", 1),
        made("production", "shop", 1),
        made("staging", "orders", 1),
    ];
    let names = |entries: &[Entry]| -> Vec<_> {
        entries.iter().map(|entry| entry.manifest.backup_ref().to_string()).collect()
    };
    // Every order in which four may come: each number says which of those that are left is next.
    for order in 0..24 {
        let (mut left, mut come) = (entries.to_vec(), Vec::new());
        let mut order = order;
        while !left.is_empty() {
            come.push(left.remove(order % left.len()));
            order /= left.len() + 1;
        }
        let mut catalog = MockCatalog::new();
        catalog.expect_list().return_once(move |_| stream::iter(come).map(Ok).boxed());
        let pipeline = crate::Pipeline::for_store(MemoryStore::new()).with_catalog(catalog);
        let listing = pipeline.list(&Filter::all()).await.unwrap();
        assert_eq!(names(&listing.entries), names(&entries));
    }
}
