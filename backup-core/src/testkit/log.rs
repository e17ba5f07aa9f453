//! The clauses that every [`BackupLog`] keeps beside those of a [`Catalog`], one function each.
//!
//! [`log_conformance!`](crate::log_conformance) runs them all; each gets a database of its own, which is empty.

use chrono::{DateTime, TimeDelta, Utc};
use futures::{TryStreamExt, future::join_all};

use super::{fake::FakeDumper, sample_manifest};
use crate::{
    Annotation, BackupLog, Catalog, Entry, Error, ErrorKind, Evidence, Filter, Kind, Level, Manifest,
    MemoryStore, Note, Pipeline, Secret, Verdict,
    catalog::log::{Dialect, FailedAttempt, LogDatabase},
    pipeline::{BackupRequest, Confirmation},
};

/// Expands to one `#[tokio::test]` per clause of a [`BackupLog`](crate::BackupLog), and those of the catalog that it is.
///
/// The argument is an async function that returns a [`LogDatabase`](crate::catalog::log::LogDatabase) that is empty and
/// can be cloned, and a guard, whatever has to live as long.
#[macro_export]
macro_rules! log_conformance {
    ($fixture:expr) => {
        async fn conforming_catalog() -> (
            impl $crate::Catalog + Clone,
            impl Sized,
        ) {
            let (database, guard) = ($fixture)().await;
            ($crate::BackupLog::new(database), guard)
        }
        $crate::catalog_conformance!(conforming_catalog);
        $crate::log_conformance!(@each $fixture,
            any_name_is_kept_as_it_is,
            a_zero_byte_in_a_name_is_refused,
            a_deleted_backup_stays_in_the_log,
            the_status_is_what_the_notes_say_together,
            concurrent_notes_leave_the_status_of_all_of_them,
            a_failed_attempt_is_a_row_and_no_backup,
            the_last_good_one_is_the_newest_that_was_proven,
            tables_are_made_once_by_many_at_once,
            logs_in_other_tables_are_others,
            a_damaged_row_hides_no_other,
            the_documented_questions_are_answered);
    };
    (@each $fixture:expr, $($clause:ident),+) => {
        mod log_conformance {
            use super::*;
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $clause() {
                    let (database, _guard) = ($fixture)().await;
                    $crate::testkit::log::$clause(database).await;
                }
            )+
        }
    };
}

/// Texts that some client, server or mode reads as more than text.
pub const NASTY: &[&str] = &[
    "it's",
    "''",
    "\"quoted\"",
    "back\\slash",
    "ends in \\",
    "\\' OR 1=1 --",
    "'; DROP TABLE backup_log; --",
    "`tick`",
    "line\nbreak\r\n\\! touch /tmp/owned",
    "\\! id",
    "\\C latin1",
    "DELIMITER //\nx//",
    ":'name' :name :\"name\"",
    "$$dollar$$ $create$ END $create$",
    "/*!99999 x */ /* -- # */",
    "tab\tand|bar",
    "%s %' {} ${x}",
    "ünïcödé 日本語 😀 \u{202e}\u{2028}",
    "e\u{301} \u{e9}",
    "\u{1}\u{7f}\u{85}\u{fffd}",
    " blanks around ",
    "case CASE",
    "\u{feff}bom",
];

/// Names and texts come back as they were, as columns too, and are part of no statement.
pub async fn any_name_is_kept_as_it_is<D: LogDatabase + Clone>(database: D) {
    let log = BackupLog::new(database.clone());
    for (number, text) in (0..).zip(NASTY) {
        let mut manifest = sample_manifest(text, text, time(number));
        manifest.reason = Some((*text).to_owned());
        manifest.warnings = vec![(*text).to_owned()];
        manifest.tags.insert((*text).to_owned(), (*text).to_owned());
        log.insert(&manifest).await.unwrap();
        let note = Annotation::new(time(number), Note::Held { reason: (*text).to_owned() });
        log.annotate(&manifest.backup_ref(), &note).await.unwrap();
        let entry = Entry::new(manifest, vec![note]);
        assert_eq!(log.get(&entry.manifest.backup_ref()).await.unwrap(), entry, "{text:?}");
        let filter = Filter::all().with_environment(*text).with_database(*text);
        let found: Vec<_> = log.list(&filter).try_collect().await.unwrap();
        assert_eq!(found, [entry], "{text:?}");
        let columns =
            [hex(&database, "environment"), hex(&database, "database_name"), hex(&database, "details")];
        let sql =
            format!("SELECT {} FROM {} WHERE id = {}", columns.join(", "), table(&database), number + 1);
        let rows = database.run(&format!("{sql};")).await.unwrap();
        let details = format!("{text}\nwarning: {text}");
        assert_eq!(rows, [[hex::encode(text), hex::encode(text), hex::encode(details)]], "{text:?}");
    }
    assert_eq!(log.list(&Filter::all()).try_collect::<Vec<_>>().await.unwrap().len(), NASTY.len());
}

/// What no server could keep is refused, not cut.
pub async fn a_zero_byte_in_a_name_is_refused<D: LogDatabase + Clone>(database: D) {
    let log = BackupLog::new(database);
    for (environment, name) in [("a\0b", "shop"), ("production", "shop\0")] {
        let manifest = sample_manifest(environment, name, time(0));
        assert_eq!(log.insert(&manifest).await.unwrap_err().kind(), ErrorKind::InvalidInput);
        let attempt = FailedAttempt::new(environment, name, time(0), time(1), &refused());
        assert_eq!(log.record_failure(&attempt).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    }
}

/// A removed backup is gone for the catalog, and its row says when it was deleted.
pub async fn a_deleted_backup_stays_in_the_log<D: LogDatabase + Clone>(database: D) {
    let log = BackupLog::new(database.clone()).with_store("/srv/backups/");
    let manifest = sample_manifest("production", "shop", time(0));
    let backup = manifest.backup_ref();
    for _ in 0..2 {
        log.insert(&manifest).await.unwrap();
        log.annotate(&backup, &passed(1, Level::Decoded)).await.unwrap();
        log.remove(&backup).await.unwrap();
        log.remove(&backup).await.unwrap();
        assert_eq!(log.get(&backup).await.unwrap_err().kind(), ErrorKind::NotFound);
    }
    let columns = "backup, type, path, size, status, (deleted IS NOT NULL)";
    let sql = format!("SELECT {columns} FROM {} ORDER BY id;", table(&database));
    let path = format!("/srv/backups/{}", manifest.artifact.key);
    for row in database.run(&sql).await.unwrap() {
        let found: Vec<&str> = row.iter().map(String::as_str).collect();
        let yes = if database.dialect() == Dialect::PostgreSql { "t" } else { "1" };
        assert_eq!(found, [&backup.to_string(), "daily", &path, "6", "deleted", yes]);
    }
    assert_eq!(statuses(&database).await, ["deleted decoded", "deleted decoded"]);
}

/// The status follows the same rules as [`Entry::standing`].
pub async fn the_status_is_what_the_notes_say_together<D: LogDatabase + Clone>(database: D) {
    let log = BackupLog::new(database.clone());
    let manifest = sample_manifest("production", "shop", time(0));
    log.insert(&manifest).await.unwrap();
    assert_eq!(statuses(&database).await, ["completed"]);
    let held = Annotation::new(time(6), Note::Held { reason: "audit".to_owned() });
    let pruning = Annotation::new(time(7), Note::Pruning { reason: "old".to_owned() });
    for (note, expected) in [
        (passed(1, Level::Digest), "verified digest"),
        (passed(2, Level::Restored), "verified restored"),
        (failed(3, Level::Decoded), "damaged decoded"),
        (passed(4, Level::Digest), "damaged decoded"),
        (passed(5, Level::Decoded), "verified decoded"),
        (held, "verified decoded"),
        (pruning, "pruning"),
    ] {
        log.annotate(&manifest.backup_ref(), &note).await.unwrap();
        assert_eq!(statuses(&database).await, [expected], "{note:?}");
    }
}

/// Of notes that are added at once none is left out of the status.
pub async fn concurrent_notes_leave_the_status_of_all_of_them<D: LogDatabase + Clone>(database: D) {
    let log = BackupLog::new(database.clone());
    let manifest = sample_manifest("production", "shop", time(0));
    log.insert(&manifest).await.unwrap();
    let notes = (0..12).map(|number| {
        let note = if number == 5 { failed(5, Level::Decoded) } else { passed(number, Level::Digest) };
        let (log, backup) = (log.clone(), manifest.backup_ref());
        tokio::spawn(async move { log.annotate(&backup, &note).await })
    });
    for added in join_all(notes).await {
        added.unwrap().unwrap();
    }
    assert_eq!(statuses(&database).await, ["damaged decoded"]);
    let noted = database.run(&format!("SELECT noted FROM {};", table(&database))).await.unwrap();
    assert_eq!(noted, [["12"]]);
}

/// Failed attempts are in the log, with their error, and no backup for the catalog, also of an equal name.
pub async fn a_failed_attempt_is_a_row_and_no_backup<D: LogDatabase + Clone>(database: D) {
    let log = BackupLog::new(database.clone());
    let manifest = sample_manifest("production", "shop", time(0));
    let backup = manifest.backup_ref();
    let attempt = FailedAttempt::new("production", "shop", time(0), time(1), &refused());
    log.record_failure(&attempt).await.unwrap();
    for _ in 0..2 {
        let named = attempt.clone().with_backup(backup.clone()).with_kind(Kind::PreMigration);
        log.record_failure(&named).await.unwrap();
    }
    assert_eq!(log.get(&backup).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert!(log.list(&Filter::all()).try_next().await.unwrap().is_none());
    log.insert(&manifest).await.unwrap();
    assert_eq!(log.get(&backup).await.unwrap().manifest, manifest);
    assert_eq!(statuses(&database).await, ["failed", "failed", "failed", "completed"]);
    let sql = format!("SELECT {} FROM {} WHERE id = 2;", hex(&database, "details"), table(&database));
    let details = hex::encode("database_connection_failed: nothing listens at the server's address");
    assert_eq!(database.run(&sql).await.unwrap(), [[details]]);
}

/// Unproven, damaged, deleted and failed ones are not good, nor are those of other databases.
pub async fn the_last_good_one_is_the_newest_that_was_proven<D: LogDatabase + Clone>(database: D) {
    let log = BackupLog::new(database);
    assert_eq!(log.last_good("production", "shop").await.unwrap(), None);
    let good = fill(&log).await;
    assert_eq!(log.last_good("production", "shop").await.unwrap().unwrap().manifest, good);
    assert_eq!(log.last_good("production", "SHOP").await.unwrap(), None);
    assert_eq!(log.last_good("production", "shop ").await.unwrap(), None);
}

/// Both tables are made by whoever comes first, and nobody fails for another's doing so.
pub async fn tables_are_made_once_by_many_at_once<D: LogDatabase + Clone>(database: D) {
    let inserts = (0..12).map(|number| {
        let (log, manifest) =
            (BackupLog::new(database.clone()), sample_manifest("production", "shop", time(number)));
        tokio::spawn(async move { log.insert(&manifest).await })
    });
    for inserted in join_all(inserts).await {
        inserted.unwrap().unwrap();
    }
    assert_eq!(
        BackupLog::new(database).list(&Filter::all()).try_collect::<Vec<_>>().await.unwrap().len(),
        12
    );
}

/// Two logs in one database do not see each other.
pub async fn logs_in_other_tables_are_others<D: LogDatabase + Clone>(database: D) {
    let (one, other) =
        (BackupLog::new(database.clone()), BackupLog::new(database).with_table("Select").unwrap());
    let manifest = sample_manifest("production", "shop", time(0));
    one.insert(&manifest).await.unwrap();
    assert!(other.list(&Filter::all()).try_next().await.unwrap().is_none());
    other.insert(&manifest).await.unwrap();
    other.remove(&manifest.backup_ref()).await.unwrap();
    assert_eq!(one.get(&manifest.backup_ref()).await.unwrap().manifest, manifest);
}

/// A row whose manifest somebody changed is an error, and the others are listed.
pub async fn a_damaged_row_hides_no_other<D: LogDatabase + Clone>(database: D) {
    let log = BackupLog::new(database.clone());
    for number in 0..3 {
        log.insert(&sample_manifest("production", "shop", time(number))).await.unwrap();
    }
    let table = table(&database);
    let damage = format!("UPDATE {table} SET manifest = '{{}}' WHERE id = 2;");
    database.run(&damage).await.unwrap();
    let listed: Vec<_> = futures::StreamExt::collect::<Vec<_>>(log.list(&Filter::all())).await;
    let damaged: Vec<_> = listed.iter().filter_map(|entry| entry.as_ref().err()).collect();
    assert_eq!((listed.len(), damaged.len()), (3, 1));
    assert_eq!(damaged[0].kind(), ErrorKind::Corrupt);
}

/// The statements of the documentation of [`BackupLog`] find the last good backup.
pub async fn the_documented_questions_are_answered<D: LogDatabase + Clone>(database: D) {
    let good = fill(&BackupLog::new(database.clone())).await.backup_ref().to_string();
    let text: String = include_str!("../catalog/log.rs")
        .lines()
        .filter_map(|line| line.strip_prefix("/// "))
        .collect::<Vec<_>>()
        .join("\n");
    let questions: Vec<&str> =
        text.split("```sql\n").skip(1).filter_map(|block| block.split("```").next()).collect();
    assert_eq!(questions.len(), 2);
    let prelude =
        database.schema().map(|schema| format!("SET search_path = {schema};\n")).unwrap_or_default();
    let per_database = database.run(&format!("{prelude}{}", questions[0])).await.unwrap();
    let mut found: Vec<(&str, &str)> =
        per_database.iter().map(|row| (row[1].as_str(), row[2].as_str())).collect();
    found.sort_unstable();
    assert_eq!(found, [("crm", "production/crm/backup-20261120-020109"), ("shop", &good)]);
    let of_one = database.run(&format!("{prelude}{}", questions[1])).await.unwrap();
    assert_eq!((of_one.len(), of_one[0][0].as_str()), (1, good.as_str()));
}

/// A database that is gone, here by `stop`, costs a pipeline warnings and never a backup, nor the password; not one of
/// the clauses of [`log_conformance!`](crate::log_conformance), as it takes a server of its own.
pub async fn a_database_that_is_down_costs_a_warning_and_no_backup<D: LogDatabase>(
    database: D,
    password: &Secret,
    stop: impl FnOnce(),
) {
    let log = BackupLog::new(database);
    let failures = log.failures("production", "fake");
    let pipeline = |dumper| {
        let pipeline = Pipeline::new(dumper, MemoryStore::new()).with_environment("production");
        pipeline.with_mirror(log.clone()).with_observer(failures.clone())
    };
    let good = pipeline(FakeDumper::new("rows"));
    let first = good.backup(BackupRequest::new()).await.unwrap();
    assert_eq!(first.warnings, Vec::<String>::new());
    assert_eq!(log.get(&first.backup).await.unwrap(), good.entry(&first.backup).await.unwrap());
    stop();
    let second = good.backup(BackupRequest::new()).await.unwrap();
    assert!(second.warnings[0].contains("a mirror of the catalog did not take the backup"), "{second:?}");
    assert!(!format!("{:?}", second.warnings).contains(password.expose()));
    let proof = good.verify(&second.backup, Level::Decoded).await.unwrap();
    assert!(proof.evidence.passed());
    for report in [&first, &second] {
        good.delete(&report.backup, Confirmation::Confirmed).await.unwrap();
    }
    let failing = pipeline(FakeDumper::new("rows").fail_probe(ErrorKind::ConnectionFailed));
    failing.backup(BackupRequest::new()).await.unwrap_err();
    failures.settle().await;
    assert_eq!(failures.lost(), 1);
}

/// Backups of which the third newest of the shop is the newest good one.
async fn fill<D: LogDatabase>(log: &BackupLog<D>) -> Manifest {
    let mut good = None;
    for (at, name, note) in [
        (5, "shop", Some(passed(99, Level::Digest))),
        (9, "shop", Some(passed(99, Level::Restored))),
        (7, "shop", Some(passed(99, Level::Equal))),
        (10, "shop", Some(failed(99, Level::Digest))),
        (11, "shop", None),
        (12, "shop", Some(passed(99, Level::Digest))),
        (69, "crm", Some(passed(99, Level::Digest))),
    ] {
        let manifest = sample_manifest("production", name, time(at));
        log.insert(&manifest).await.unwrap();
        if let Some(note) = note {
            log.annotate(&manifest.backup_ref(), &note).await.unwrap();
        }
        match at {
            9 => good = Some(manifest),
            12 => log.remove(&manifest.backup_ref()).await.unwrap(),
            _ => {}
        }
    }
    log.record_failure(&FailedAttempt::new("production", "shop", time(20), time(21), &refused()))
        .await
        .unwrap();
    good.unwrap()
}

/// Status and level of every row.
async fn statuses(database: &impl LogDatabase) -> Vec<String> {
    let sql = format!("SELECT status, COALESCE(level, '') FROM {} ORDER BY id;", table(database));
    database.run(&sql).await.unwrap().iter().map(|row| row.join(" ").trim().to_owned()).collect()
}

fn table(database: &impl LogDatabase) -> String {
    database.schema().map_or_else(|| "backup_log".to_owned(), |schema| format!("{schema}.backup_log"))
}

fn hex(database: &impl LogDatabase, column: &str) -> String {
    match database.dialect() {
        Dialect::PostgreSql => format!("encode(convert_to({column}, 'UTF8'), 'hex')"),
        _ => format!("lower(hex({column}))"),
    }
}

fn refused() -> Error {
    Error::new(ErrorKind::ConnectionFailed, "nothing listens at the server's address")
}

fn passed(seconds: i64, level: Level) -> Annotation {
    verified(seconds, level, Verdict::Passed)
}

fn failed(seconds: i64, level: Level) -> Annotation {
    verified(seconds, level, Verdict::Failed)
}

fn verified(seconds: i64, level: Level, result: Verdict) -> Annotation {
    let evidence = Evidence {
        level,
        result,
        at: time(seconds),
        duration_ms: 1,
        bytes_read: 6,
        findings: vec!["a finding".to_owned()],
        rehearsed: None,
        library_version: "0.1.0".to_owned(),
    };
    Annotation::new(time(seconds), Note::Verified(evidence))
}

fn time(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_140_000, 123_000_000).unwrap() + TimeDelta::seconds(seconds)
}
