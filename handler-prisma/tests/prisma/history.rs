//! What databases that the real CLI worked on say of their migrations.

use backup_core::{MemoryStore, Pipeline, manifest::MigrationState, pipeline::BackupRequest};
use handler_prisma::{History, NextDeploy, Obstacle, PrismaDumper, PrismaProject};

use super::{
    live::{BAD, ENGINES, Engine, INIT, Live, NAME, POSTS, State, sqlite},
    setup::{Project, fixture},
};

const FIRST: [&str; 3] = [INIT, NAME, POSTS];

fn applies(history: &History) -> Vec<String> {
    match history.next_deploy() {
        NextDeploy::Applies { migrations } => migrations,
        NextDeploy::Nothing => Vec::new(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_state_is_what_the_cli_left_in_every_engine() {
    for engine in ENGINES {
        let live = Live::new(engine, State::Applied3).await;
        let history = live.history().await;
        assert_eq!(history.applied(), FIRST, "{engine:?}");
        assert_eq!(applies(&history), [BAD], "{engine:?}");
        assert_eq!((history.edited(), history.missing_locally()), (vec![], vec![]), "{engine:?}");
        let first = &history.rows[0];
        assert_eq!((first.applied_steps, first.state()), (1, MigrationState::Applied), "{engine:?}");
        let started = first.started_at.unwrap().to_rfc3339();
        assert!(started.starts_with("2026-11-20T21:5"), "{engine:?}: {started}");

        let live = Live::new(engine, State::Failed4).await;
        let history = live.history().await;
        assert_eq!((history.applied(), history.failed()), (FIRST.to_vec(), vec![BAD]), "{engine:?}");
        let failed = NextDeploy::Stops(Obstacle::Failed { migrations: vec![BAD.to_owned()] });
        assert_eq!(history.next_deploy(), failed, "{engine:?}");
        if engine != Engine::MariaDb {
            assert_eq!(history.edited(), [BAD], "{engine:?}: the script was mended since");
            let logs = history.rows[3].logs.as_ref().unwrap();
            assert!(logs.contains("rror") && logs.chars().count() <= 2000, "{engine:?}: {logs}");
        }

        let live = Live::new(engine, State::RolledBack4).await;
        let history = live.history().await;
        assert_eq!((history.failed(), history.rolled_back()), (vec![], vec![BAD]), "{engine:?}");
        assert_eq!(applies(&history), [BAD], "{engine:?}");
    }
}

async fn of_file(name: &str, folder: &str) -> (Project, PrismaProject) {
    let files = Project::of_fixture(folder).installed("7.10.1");
    if folder == "v6-sqlite" {
        files.write("node_modules/prisma/package.json", "{\"version\":\"6.19.3\"}");
    }
    std::fs::copy(fixture(name), files.root().join("state.db")).unwrap();
    let url = format!("file:{}", files.real("state.db").display());
    let project = files.search().with_url(url).run().await.unwrap();
    (files, project)
}

#[tokio::test]
async fn all_forms_of_time_in_sqlite_are_read() {
    for (name, folder, pending) in [
        ("v7-sqlite-applied3.db", "v7-sqlite", &[] as &[&str]),
        ("synthetic-native-ts-applied3.db", "v6-sqlite", &[BAD]),
    ] {
        let (_files, project) = of_file(name, folder).await;
        let history = History::read(&project).await.unwrap().unwrap();
        assert_eq!(
            (history.applied(), applies(&history)),
            (FIRST.to_vec(), pending.iter().map(ToString::to_string).collect())
        );
    }
    // As the native engine writes it, and as the column's default does.
    let (files, project) = of_file("synthetic-native-ts-applied3.db", "v6-sqlite").await;
    let native = History::read(&project).await.unwrap().unwrap().rows[0].started_at.unwrap();
    assert_eq!(native.timestamp_millis(), 1_795_211_508_465);
    sqlite(
        &files.root().join("state.db"),
        "UPDATE _prisma_migrations SET started_at = datetime(started_at / 1000, 'unixepoch')",
    )
    .unwrap();
    let by_default = History::read(&project).await.unwrap().unwrap().rows[0].started_at.unwrap();
    assert_eq!(by_default.timestamp(), native.timestamp());
}

#[tokio::test]
async fn databases_without_the_table_are_told_apart() {
    for engine in ENGINES {
        let live = Live::new(engine, State::Applied3).await;
        live.sql("DROP TABLE _prisma_migrations;").await;
        assert_eq!(live.history().await.next_deploy(), NextDeploy::Stops(Obstacle::NoBaseline), "{engine:?}");
        let drop = match engine {
            Engine::MariaDb => "DROP TABLE `Post`; DROP TABLE `User`;",
            _ => "DROP TABLE \"Post\"; DROP TABLE \"User\";",
        };
        live.sql(drop).await;
        assert_eq!(applies(&live.history().await), [INIT, NAME, POSTS, BAD], "{engine:?}");
    }
}

#[tokio::test]
async fn a_database_that_is_not_there_is_no_error() {
    let sqlite = Live::new(Engine::Sqlite, State::Applied3).await;
    std::fs::remove_file(sqlite.files.root().join("prisma/dev.db")).unwrap();
    assert_eq!(History::read(&sqlite.project).await.unwrap(), None);
    for engine in [Engine::PostgreSql, Engine::MariaDb] {
        let live = Live::new(engine, State::Applied3).await;
        let url = match engine {
            Engine::PostgreSql => {
                backup_core::testkit::postgres::PrivatePostgres::shared().await.url("notthere")
            }
            _ => backup_core::testkit::mysql::PrivateMysql::shared()
                .await
                .url("notthere")
                .replacen("mariadb:", "mysql:", 1),
        };
        let project = live.files.search().with_url(url).run().await.unwrap();
        assert_eq!(History::read(&project).await.unwrap(), None, "{engine:?}");
    }
}

#[tokio::test]
async fn migrations_are_in_the_manifest() {
    for engine in ENGINES {
        let live = Live::new(engine, State::RolledBack4).await;
        let pipeline = Pipeline::new(PrismaDumper::new(&live.project).unwrap(), MemoryStore::new());
        let report = pipeline.backup(BackupRequest::new()).await.unwrap();
        let migrations = report.manifest.migrations.as_ref().unwrap();
        assert_eq!((migrations.applied, migrations.last.as_deref()), (3, Some(POSTS)), "{engine:?}");
        assert_eq!(migrations.list.len(), 4);
        assert_eq!(migrations.list[0].checksum.as_deref().map(str::len), Some(64));
        assert_eq!(migrations.pending, [BAD]);
        let json = String::from_utf8(report.manifest.to_json().unwrap()).unwrap();
        let password = live.password().await;
        assert!(password.is_none_or(|password| !json.contains(&password)), "{engine:?}");
        assert!(report.manifest.inventory.is_some(), "{engine:?}");
    }
}

#[tokio::test]
async fn a_table_that_is_not_prismas_stops_no_dump() {
    let live = Live::new(Engine::Sqlite, State::Applied3).await;
    live.sql("UPDATE _prisma_migrations SET started_at = 'yesterday'").await;
    assert_eq!(History::read(&live.project).await.unwrap_err().code(), "backup_corrupted");
    let pipeline = Pipeline::new(PrismaDumper::new(&live.project).unwrap(), MemoryStore::new());
    let report = pipeline.backup(BackupRequest::new()).await.unwrap();
    assert!(
        report.warnings.iter().any(|warning| warning.contains("migrations could not be read")),
        "{:?}",
        report.warnings
    );
}
