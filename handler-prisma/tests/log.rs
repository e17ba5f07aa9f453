//! A log in SQLite keeps the contract of a catalog.
#![cfg(feature = "sqlite")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use handler_prisma::SqliteLogDatabase;
use tempfile::TempDir;

#[allow(clippy::unused_async)] // As the kit wants it.
async fn log() -> (SqliteLogDatabase, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (SqliteLogDatabase::new(folder.path().join("log.sqlite")), folder)
}

backup_core::log_conformance!(log);

mod pipeline {
    use backup_core::{
        BackupLog, Catalog, ErrorKind, Filter, MemoryStore, Pipeline,
        catalog::log::LogDatabase,
        pipeline::BackupRequest,
        testkit::{fake::FakeDumper, sample_manifest},
    };
    use futures::StreamExt;
    use proptest::prelude::*;

    use super::{SqliteLogDatabase, log};

    #[tokio::test]
    async fn failed_backups_of_a_pipeline_are_in_the_log() {
        let (database, _folder) = log().await;
        let failures = BackupLog::new(database.clone()).failures("production", "shop");
        let dumpers = [
            FakeDumper::new("rows").fail_probe(ErrorKind::ConnectionFailed),
            FakeDumper::new("all the rows").fail_after(3, ErrorKind::ToolFailed),
            FakeDumper::new("rows"),
        ];
        for dumper in dumpers {
            let pipeline = Pipeline::new(dumper, MemoryStore::new()).with_environment("staging");
            let _expected = pipeline.with_observer(failures.clone()).backup(BackupRequest::new()).await;
        }
        failures.settle().await;
        assert_eq!(failures.lost(), 0);
        let question = "SELECT environment || ' ' || database_name || ' ' || (backup IS NULL) || ' ' || status || ' ' \
                        || substr(details, 1, instr(details, ':')) FROM backup_log ORDER BY environment;";
        let rows = database.run(question).await.unwrap().concat();
        assert_eq!(
            rows,
            ["production shop 1 failed database_connection_failed:", "staging fake 0 failed tool_failed:"]
        );
    }

    #[tokio::test]
    async fn a_missing_folder_is_an_error_and_is_not_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("missing/log.sqlite");
        let log = BackupLog::new(SqliteLogDatabase::new(path));
        let manifest = sample_manifest("production", "shop", "2026-11-20T02:00:00Z".parse().unwrap());
        log.insert(&manifest).await.unwrap_err();
        assert!(log.list(&Filter::all()).next().await.unwrap().is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Any text without zero bytes comes back from a real database as it was.
        #[test]
        fn any_text_survives(environment in "[^\0]{1,20}", name in "[^\0]{1,20}", reason in any::<String>()) {
            let mut manifest = sample_manifest(&environment, &name, "2026-11-20T02:00:00Z".parse().unwrap());
            manifest.reason = Some(reason);
            let found = tokio::runtime::Runtime::new().unwrap().block_on(async {
                let (database, _folder) = log().await;
                let log = BackupLog::new(database.clone());
                log.insert(&manifest).await.unwrap();
                let columns = database
                    .run("SELECT lower(hex(environment)), lower(hex(database_name)) FROM backup_log;")
                    .await
                    .unwrap();
                assert_eq!(columns.concat(), [hex(&environment), hex(&name)]);
                log.get(&manifest.backup_ref()).await.unwrap().manifest
            });
            prop_assert_eq!(found, manifest);
        }
    }

    fn hex(text: &str) -> String {
        text.bytes()
            .flat_map(|byte| [byte >> 4, byte & 15])
            .map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)]))
            .collect()
    }
}
