use std::collections::HashSet;

use chrono::TimeDelta;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{Digest, Key, TableInventory, digest::Algorithm};

const FULL: &str = include_str!("../../tests/golden/manifest-v1.json");
const MINIMAL: &str = include_str!("../../tests/golden/manifest-v1-minimal.json");
/// With the place in the source's log of changes.
const POSITION: &str = include_str!("../../tests/golden/manifest-v1-position.json");
/// Of a backup that went into several stores.
const COPIES: &str = include_str!("../../tests/golden/manifest-v1-copies.json");
/// Of a project whose schema is made by migrations.
const MIGRATIONS: &str = include_str!("../../tests/golden/manifest-v1-migrations.json");
/// As a later version of this library may write it, without a new version of the format.
const LATER: &str = include_str!("../../tests/golden/manifest-v1-later.json");

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn key(text: &str) -> Key {
    Key::parse(text).unwrap()
}

fn blake3_of_nothing() -> Digest {
    "blake3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262".parse().unwrap()
}

/// What `manifest-v1.json` says.
fn full() -> Manifest {
    let backup =
        BackupRef::new("production", "my shop", BackupId::parse("backup-20261120-020000-v1").unwrap());
    let mut source = SourceInfo::new("my shop");
    source.location = "db.example:5432".into();
    source.tool = "pg_dump".into();
    source.tool_version = "17.2".into();
    source.server_version = "16.4".into();
    source.size_bytes = Some((1 << 53) + 1);
    source.encoding = Some("UTF8".to_owned());
    source.extensions = vec!["plpgsql 1.0".to_owned()];
    let artifact = Artifact::new(
        key("production/my%20shop/backup-20261120-020000-v1.sql.zst.age"),
        u64::MAX,
        Digest::sha256(b""),
    );
    let plain = Plain::new(5000, blake3_of_nothing());
    let mut manifest = Manifest::new(backup, time("2026-11-20T02:00:00.123Z"), source, artifact, plain);
    manifest.engine = "postgresql".into();
    manifest.kind = Kind::PreMigration;
    manifest.label = Some("v1".to_owned());
    manifest.reason = Some("before migration 42".to_owned());
    manifest.tags.insert("team".to_owned(), "orders".to_owned());
    manifest.tags.insert("release".to_owned(), "2026.11".to_owned());
    manifest.finished_at = time("2026-11-20T02:01:30Z");
    manifest.format = "plain".into();
    manifest.compression = "zstd".into();
    manifest.encryption = Some(Encryption::new("age", vec!["age1example".to_owned()]));
    manifest.inventory = Some(Inventory::new(vec![
        TableInventory::new("public.users", 0, 0),
        TableInventory::new("public.orders", 1000, 4000),
    ]));
    let globals = key("production/my%20shop/backup-20261120-020000-v1.globals.sql.zst.age");
    manifest.companions.insert(
        "globals".to_owned(),
        CompanionObject::new(
            Artifact::new(globals, 90, Digest::sha256(b"")),
            Plain::new(70, blake3_of_nothing()),
        ),
    );
    manifest.warnings = vec!["the server's clock is 3 seconds ahead".to_owned()];
    manifest.expires_at = Some(time("2027-02-18T02:00:00Z"));
    manifest.host = Some("app-1".to_owned());
    manifest.git_commit = Some("0f1e2d3c".to_owned());
    manifest.library_version = "0.1.0".into();
    manifest
}

#[test]
fn the_format_is_frozen() {
    let manifest = Manifest::from_json(FULL.as_bytes()).unwrap();
    assert_eq!(manifest, full());
    manifest.check_layout().unwrap();
    for golden in [FULL, MINIMAL, POSITION, COPIES, MIGRATIONS, LATER] {
        let written = Manifest::from_json(golden.as_bytes()).unwrap().to_json().unwrap();
        assert_eq!(String::from_utf8(written).unwrap(), golden);
    }
}

#[test]
fn a_lock_says_against_whom_and_until_when() {
    let mut manifest = full();
    manifest.lock = Some(ObjectLock::new(crate::LockMode::Compliance, time("2026-12-20T02:00:00Z")));
    let json = manifest.to_json().unwrap();
    let value: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(value["lock"], json!({"mode": "compliance", "until": "2026-12-20T02:00:00Z"}));
    assert_eq!(Manifest::from_json(&json).unwrap(), manifest);
    assert_eq!(full().lock, None);
}

#[test]
fn what_a_minimal_manifest_leaves_out_is_absent() {
    let manifest = Manifest::from_json(MINIMAL.as_bytes()).unwrap();
    assert_eq!((manifest.kind, manifest.artifact.size), (Kind::Manual, 8192));
    assert_eq!(manifest.plain.digest.unwrap().algorithm(), Algorithm::Sha256);
    assert_eq!(
        (manifest.label, manifest.reason, manifest.host, manifest.git_commit),
        (None, None, None, None)
    );
    assert_eq!((manifest.inventory, manifest.encryption, manifest.expires_at), (None, None, None));
    assert!(manifest.tags.is_empty() && manifest.companions.is_empty() && manifest.warnings.is_empty());
    assert!(manifest.extra.is_empty());
}

#[test]
fn the_position_is_read_and_left_out_where_there_is_none() {
    let position = Manifest::from_json(POSITION.as_bytes()).unwrap().position.unwrap();
    let gtid = "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5,3e11fa47-71ca-11e1-9e33-c80aa9429563:1-3";
    let mut expected = SourcePosition::binlog("binlog.000003", (1 << 53) + 1).with_gtid(gtid);
    expected.extra.insert("server_id".to_owned(), json!(7));
    assert_eq!(position, expected);
    assert_eq!(full().position, None);
    assert!(!FULL.contains("position"));
    let lsn = SourcePosition { wal_lsn: Some("0/16B3748".to_owned()), ..SourcePosition::default() };
    assert_eq!(serde_json::to_value(lsn).unwrap(), json!({"wal_lsn": "0/16B3748"}));
}

#[test]
fn the_copies_are_read_and_left_out_where_there_is_one_store() {
    let copies = Manifest::from_json(COPIES.as_bytes()).unwrap().copies;
    let mut failed = CopyRecord::failed("s3://backups", "unavailable");
    failed.extra.insert("attempts".to_owned(), json!(3));
    assert_eq!(copies, [CopyRecord::stored("file:///srv/backups"), failed]);
    assert!(full().copies.is_empty() && !FULL.contains("stored_in"));
    assert!(Manifest::from_json(LATER.as_bytes()).unwrap().copies.is_empty());
}

#[test]
fn migrations_are_read_and_left_out_where_there_are_none() {
    let migrations = Manifest::from_json(MIGRATIONS.as_bytes()).unwrap().migrations.unwrap();
    let mut expected = Migrations::new("prisma", migrations.list.clone());
    assert_eq!((expected.applied, expected.last.as_deref()), (1, Some("20260101000000_init")));
    expected.tool_version = Some("6.19".to_owned());
    expected.pending = vec!["20260104000000_bad".to_owned()];
    expected.extra.insert("folder".to_owned(), json!("prisma/migrations"));
    assert_eq!(migrations, expected);
    assert_eq!(migrations.list[0].extra["applied_steps"], json!(1));
    assert_eq!(migrations.list[1].state, MigrationState::RolledBack);
    assert!(full().migrations.is_none() && !FULL.contains("migrations"));
}

#[test]
fn a_template_knows_its_ids_of_names_without_letters_too() {
    for (template, id) in [
        ("{database}-{date}", "19700101"),
        ("{database}-{label}-{database}-x{time}{date}", "x00000019700101"),
        ("{database}_a-{label}{date}", "a19700101"),
    ] {
        let template: IdTemplate = template.parse().unwrap();
        let at = chrono::DateTime::UNIX_EPOCH;
        let named = Named { environment: "e", database: "--_", kind: Kind::Manual, label: None, at };
        let made = template.id(&named, 1).unwrap();
        assert_eq!(made.as_str(), id);
        assert!(template.matches(id), "{template} does not know {id}");
    }
}

#[test]
fn fractions_in_fields_of_later_versions_keep_their_last_digit() {
    for fraction in ["1.33333333333333333333333333333333333333333333333333335", "25.23456789012345678e-300"] {
        let open = MINIMAL.trim_end().trim_end_matches('}');
        let manifest = Manifest::from_json(format!("{open}, \"seconds\": {fraction}}}").as_bytes()).unwrap();
        assert_eq!(manifest.extra["seconds"].as_f64(), fraction.parse().ok());
        assert_eq!(Manifest::from_json(&manifest.to_json().unwrap()).unwrap(), manifest);
    }
}

#[test]
fn fields_of_later_versions_are_kept_where_they_were() {
    let manifest = Manifest::from_json(LATER.as_bytes()).unwrap();
    assert_eq!(manifest.extra["position"]["offset"], json!((1_u64 << 53) + 1));
    assert_eq!(manifest.extra["copies"][1]["outcome"], "failed");
    assert_eq!(manifest.artifact.extra["storage_class"], "cold");
    let table = &manifest.inventory.unwrap().tables[0];
    assert_eq!((&table.extra["partitions"], table.checksum.as_deref()), (&json!(3), Some("crc32:00000000")));
}

#[test]
fn a_newer_format_is_unsupported_whatever_else_it_says() {
    for newer in
        [FULL.replace("\"schema_version\": 1", "\"schema_version\": 2"), r#"{"schema_version":99}"#.into()]
    {
        assert_eq!(Manifest::from_json(newer.as_bytes()).unwrap_err().kind(), ErrorKind::Unsupported);
    }
}

#[test]
fn garbage_is_corrupt() {
    let changed = |from: &str, to: &str| {
        assert!(FULL.contains(from), "{from}");
        FULL.replacen(from, to, 1)
    };
    for garbage in [
        String::new(),
        "null".to_owned(),
        "[]".to_owned(),
        r#"{"schema_version":1}"#.to_owned(),
        "[".repeat(100_000),
        FULL.trim_end().trim_end_matches('}').to_owned(),
        format!("{FULL}x"),
        changed("\"schema_version\": 1", "\"schema_version\": 0"),
        changed("\"schema_version\": 1", "\"schema_version\": \"1\""),
        changed("\"kind\": \"pre-migration\"", "\"kind\": \"PreMigration\""),
        changed("\"id\": \"backup-", "\"id\": \"../backup-"),
        changed("\"size\": 18446744073709551615", "\"size\": 18446744073709551616"),
        changed("\"size\": 90", "\"size\": -1"),
        changed("\"sha256:e3", "\"sha256:zz"),
        changed("\"sha256:e3", "\"md5:e3"),
        changed("02:01:30Z", "02:01:30"),
        changed("\"host\"", "\"engine\""),
    ] {
        let err = Manifest::from_json(garbage.as_bytes()).unwrap_err();
        assert_eq!(err.kind(), ErrorKind::Corrupt, "{err}");
    }
}

#[test]
fn times_are_written_in_utc() {
    let local = FULL.replace("2026-11-20T02:01:30Z", "2026-11-20T03:31:30.5+01:30");
    let manifest = Manifest::from_json(local.as_bytes()).unwrap();
    assert_eq!(manifest.finished_at, time("2026-11-20T02:01:30.5Z"));
    let written = String::from_utf8(manifest.to_json().unwrap()).unwrap();
    assert!(written.contains("\"finished_at\": \"2026-11-20T02:01:30.500Z\""));
    let finer = full().created_at + TimeDelta::nanoseconds(1_234_567);
    let manifest = full();
    let rebuilt =
        Manifest::new(manifest.backup_ref(), finer, manifest.source, manifest.artifact, manifest.plain);
    assert_eq!(rebuilt.created_at, time("2026-11-20T02:00:00.124Z"));
}

#[test]
fn kinds_are_written_as_they_are_named() {
    let names = ["daily", "weekly", "monthly", "manual", "pre-migration", "pre-rollback", "pre-operation"];
    for (kind, name) in Kind::ALL.into_iter().zip(names) {
        assert_eq!(serde_json::to_value(kind).unwrap(), name);
        assert_eq!((kind.name(), kind.to_string().parse::<Kind>().unwrap()), (name, kind));
    }
    assert_eq!("hourly".parse::<Kind>().unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[test]
fn ids_take_label_and_number() {
    let at = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
    assert_eq!(BackupId::generate(at, None, 1).unwrap().as_str(), "backup-20231114-221320");
    assert_eq!(BackupId::generate(at, Some("v1"), 2).unwrap().as_str(), "backup-20231114-221320-v1-2");
    for label in ["", "-x", "_x", "a b", "a.b", "a/b", "é", &"x".repeat(61)] {
        let err = BackupId::generate(at, Some(label), 1).unwrap_err();
        assert_eq!(err.kind(), ErrorKind::InvalidInput, "{label:?}");
    }
    let far = DateTime::from_timestamp(300_000_000_000, 0).unwrap();
    assert_eq!(BackupId::generate(far, None, 1).unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[test]
fn a_folder_of_no_name_is_not_the_whole_store() {
    for (environment, database) in [("", None), ("", Some("shop")), ("prod", Some(""))] {
        assert_eq!(Layout::folder(environment, database).unwrap_err().kind(), ErrorKind::InvalidInput);
    }
    assert_eq!(Layout::folder("prod", None).unwrap().as_str(), "prod");
    assert_eq!(Layout::folder("prod", Some("a/b")).unwrap().as_str(), "prod/a%2Fb");
}

/// Texts with everything that means something in paths, keys and percent-encoding.
fn nasty() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z0-9._%/ -]{1,12}",
        "(\\.|%2F|%2f|%25|/|\\.notes|\\.manifest\\.json){1,4}",
        "\\PC{1,12}",
        any::<char>().prop_map(String::from),
    ]
}

proptest! {
    #[test]
    fn generated_ids_are_valid_and_tell_backups_apart(
        seconds in 0_i64..250_000_000_000,
        later in 1_i64..100_000,
        label in prop::option::of("[A-Za-z0-9][A-Za-z0-9_-]{0,59}"),
        attempt in 1_u32..u32::MAX,
    ) {
        let at = |seconds| DateTime::from_timestamp(seconds, 999_000_000).unwrap();
        let label = label.as_deref();
        let id = BackupId::generate(at(seconds), label, attempt).unwrap();
        prop_assert_eq!(&BackupId::parse(id.as_str()).unwrap(), &id);
        let layout = Layout::of(&BackupRef::new("prod", "shop", id.clone()));
        prop_assert!(layout.manifest().is_ok() && layout.notes().is_ok() && layout.claim().is_ok());
        prop_assert_ne!(&BackupId::generate(at(seconds + later), label, attempt).unwrap(), &id);
        prop_assert_ne!(&BackupId::generate(at(seconds), label, attempt + 1).unwrap(), &id);
    }

    #[test]
    fn full_names_read_back_whatever_they_are_made_of(environment in nasty(), database in nasty()) {
        let backup = BackupRef::new(environment, database, BackupId::parse("backup-1").unwrap());
        prop_assert_eq!(backup.to_string().parse::<BackupRef>().unwrap(), backup.clone());
        let json = serde_json::to_string(&backup).unwrap();
        prop_assert_eq!(serde_json::from_str::<BackupRef>(&json).unwrap(), backup);
    }

    #[test]
    fn reading_a_full_name_never_panics(text in "\\PC{0,30}") {
        if let Ok(backup) = text.parse::<BackupRef>() {
            prop_assert_eq!(backup.to_string().parse::<BackupRef>().unwrap(), backup);
        }
    }

    #[test]
    fn layouts_of_different_backups_share_no_key(
        names in prop::collection::hash_set((nasty(), nasty(), "[a-z-]{1,3}"), 2..6)
    ) {
        let count = names.len();
        let layouts: Vec<_> = names
            .into_iter()
            .map(|(environment, database, id)| {
                Layout::of(&BackupRef::new(environment, database, BackupId::parse(id).unwrap()))
            })
            .collect();
        let keys: HashSet<_> = layouts
            .iter()
            .flat_map(|layout| {
                let notes = Key::parse(format!("{}/note.json", layout.notes().unwrap())).unwrap();
                let artifact = layout.artifact(&["sql", "zst"]).unwrap();
                [layout.manifest().unwrap(), layout.claim().unwrap(), artifact, notes]
            })
            .collect();
        prop_assert_eq!(keys.len(), 4 * count);
        for (index, layout) in layouts.iter().enumerate() {
            let artifact = layout.artifact(&["sql", "zst"]).unwrap();
            for (other, stranger) in layouts.iter().enumerate() {
                prop_assert_eq!(stranger.holds(&artifact), other == index);
            }
            prop_assert!(!layout.holds(&layout.manifest().unwrap()));
            prop_assert!(!layout.holds(&layout.claim().unwrap()));
        }
    }
}
