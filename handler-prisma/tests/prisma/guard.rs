//! No deploy gets past the guard, and each has a way back.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use backup_core::{
    Dump, Dumper, DumperInfo, ErrorKind, Filter, Kind, Level, MemoryStore, Pipeline, Result, SourceInfo,
    Store, StoreCatalog,
    pipeline::{
        Confirmation,
        gate::{Decision, GateBackup, GuardError, MissingDatabase, exit_code},
    },
    testkit::{
        clock::ManualClock,
        fake::FakeDumper,
        faults::{FaultyStore, StoreOp},
    },
};
use futures::future::BoxFuture;
use handler_mysqldump::MysqlNamedLock;
use handler_pgdump::PgAdvisoryLock;
use handler_prisma::{Connection, NextDeploy, PrismaDumper, PrismaGuard, PrismaProject, PrismaRestorer};

use super::live::{BAD, ENGINES, Engine, INIT, Live, NAME, POSTS, State};

fn pipeline(project: &PrismaProject) -> Pipeline {
    Pipeline::new(PrismaDumper::new(project).unwrap(), MemoryStore::new()).with_level(Level::Decoded)
}

fn guard(live: &Live) -> PrismaGuard {
    PrismaGuard::new(live.project.clone(), pipeline(&live.project))
}

async fn backups(pipeline: &Pipeline) -> usize {
    pipeline.list(&Filter::all()).await.unwrap().entries.len()
}

/// Records a migration as the engine does.
async fn record(live: &Live, id: &str, name: &str, finished: bool) {
    let (finished, steps) = if finished { ("'2026-11-21 08:00:00.000'", 1) } else { ("NULL", 0) };
    live.sql(&format!(
        "INSERT INTO _prisma_migrations (id, checksum, finished_at, migration_name, started_at, applied_steps_count) \
         VALUES ('{id}', '{}', {finished}, '{name}', '2026-11-21 07:59:59.000', {steps});",
        "0".repeat(64)
    ))
    .await;
}

/// What a migration leaves that fails in its middle.
async fn fail_in_the_middle(live: &Live) -> std::result::Result<(), String> {
    let user = if live.engine == Engine::MariaDb { "`User`" } else { "\"User\"" };
    live.sql("CREATE TABLE half_done (id INTEGER PRIMARY KEY);").await;
    live.sql(&format!("ALTER TABLE {user} ADD COLUMN half TEXT;")).await;
    live.sql(&format!("DELETE FROM {user} WHERE name IS NULL;")).await;
    record(live, "failed", BAD, false).await;
    Err("P3018: a migration failed to apply".to_owned())
}

#[tokio::test]
async fn what_breaks_is_rolled_back_and_a_second_attempt_works() {
    for engine in ENGINES {
        let live = Live::new(engine, State::Applied3).await;
        let guard = guard(&live).with_lock_wait(Duration::from_secs(5));
        let (content, history) = (live.content().await, live.history().await);
        let failed = guard.run(|| fail_in_the_middle(&live)).await.unwrap_err();
        let GuardError::Migration(failed) = failed else { panic!("{engine:?}: {failed}") };
        assert_ne!(live.content().await, content, "{engine:?}: it did break something");
        // Now every deploy stops, and so does the guard.
        let stopped = guard.check().await.unwrap_err();
        assert!(stopped.to_string().contains("P3009"), "{engine:?}: {stopped}");

        let rollback = failed.rollback.unwrap();
        let restorer = PrismaRestorer::new(&live.project).unwrap();
        let plan = rollback.plan(&restorer).await.unwrap();
        assert!(plan.blockers.is_empty(), "{engine:?}: {:?}", plan.blockers);
        assert!(rollback.carry_out(&restorer, Confirmation::Missing).await.is_err());
        rollback.carry_out(&restorer, Confirmation::Confirmed).await.unwrap();
        assert_eq!(live.content().await, content, "{engine:?}: rows and tables are as before");
        assert_eq!(live.history().await, history, "{engine:?}");

        let work = || async {
            live.sql("CREATE TABLE half_done (id INTEGER PRIMARY KEY);").await;
            record(&live, "second", BAD, true).await;
            Ok::<_, String>("All migrations have been successfully applied.")
        };
        let done = guard.run(work).await.unwrap();
        assert!(done.value.is_some() && done.report.gate.decision == Decision::Go, "{engine:?}");
        assert_eq!(live.history().await.next_deploy(), NextDeploy::Nothing, "{engine:?}");
        let after = guard.run(|| async { Err::<(), _>("it ran") }).await.unwrap();
        assert_eq!((after.value, after.report.gate.decision), (None, Decision::NothingToDo), "{engine:?}");
    }
}

#[tokio::test]
async fn each_state_has_its_answer() {
    for engine in ENGINES {
        // Pending: a backup before the migration, with the migrations in it.
        let live = Live::new(engine, State::RolledBack4).await;
        let pipeline = pipeline(&live.project);
        let guard = PrismaGuard::new(live.project.clone(), pipeline.clone());
        let report = guard.check().await.unwrap();
        assert_eq!(
            (report.gate.decision, &report.pending),
            (Decision::Go, &vec![BAD.to_owned()]),
            "{engine:?}"
        );
        assert_eq!(report.applied, [INIT, NAME, POSTS]);
        let entry = pipeline.entry(report.gate.backup.as_ref().unwrap()).await.unwrap();
        assert_eq!(entry.manifest.kind, Kind::PreMigration);
        assert_eq!(entry.manifest.migrations.as_ref().map(|migrations| migrations.applied), Some(3));
        assert!(entry.manifest.reason.as_ref().unwrap().contains(BAD));
        let shown = format!("{report:?} {} {:?}", serde_json::to_string(&report).unwrap(), pipeline);
        assert!(
            live.password().await.is_none_or(|password| !shown.contains(&password)),
            "{engine:?}: {shown}"
        );

        // Nothing pending: no backup. What was edited or is missing stops nothing.
        record(&live, "applied", BAD, true).await;
        record(&live, "stranger", "20250101000000_gone", true).await;
        let report = guard.check().await.unwrap();
        assert_eq!((report.gate.decision, report.gate.backup), (Decision::NothingToDo, None), "{engine:?}");
        assert_eq!((report.edited.len(), report.missing_locally.len()), (1, 1), "{engine:?}");
        assert_eq!(backups(&pipeline).await, 1);

        // Failed: refused, with the way out.
        let live = Live::new(engine, State::Failed4).await;
        let pipeline = super::guard::pipeline(&live.project);
        let refused = PrismaGuard::new(live.project.clone(), pipeline.clone()).check().await.unwrap_err();
        assert!(
            refused.to_string().contains(BAD)
                && refused.suggestions().join(" ").contains("resolve --rolled-back")
        );
        assert_eq!(exit_code(&Err(refused)), 3);
        assert_eq!(backups(&pipeline).await, 0, "{engine:?}");

        // No history beside tables: refused.
        live.sql("DROP TABLE _prisma_migrations;").await;
        let refused = PrismaGuard::new(live.project.clone(), pipeline.clone()).check().await.unwrap_err();
        assert!(refused.to_string().contains("P3005"), "{engine:?}: {refused}");

        // A folder that is not there is no folder without migrations.
        let live = Live::new(engine, State::Applied3).await;
        std::fs::remove_dir_all(live.project.migrations()).unwrap();
        let refused = super::guard::guard(&live).check().await.unwrap_err();
        assert!(refused.to_string().contains("folder of migrations is not there"), "{engine:?}: {refused}");
    }
}

#[tokio::test]
async fn a_database_that_is_not_there_has_nothing_to_back_up() {
    let live = Live::new(Engine::Sqlite, State::Applied3).await;
    std::fs::remove_file(live.files.root().join("prisma/dev.db")).unwrap();
    let done = guard(&live).run(|| async { Ok::<_, String>("made") }).await.unwrap();
    assert_eq!((done.value, done.report.gate.decision), (Some("made"), Decision::NothingToBackUp));
    let has_to_exist = guard(&live).with_missing_database(MissingDatabase::Refuse);
    let refused = has_to_exist.check().await.unwrap_err();
    assert!(refused.to_string().contains("dev.db") && exit_code(&Err(refused)) == 3);
    // An empty file is no database that nobody has made yet: it may be one that somebody has lost.
    live.files.write("prisma/dev.db", "");
    assert_eq!(exit_code(&guard(&live).check().await.map(|report| report.gate.decision)), 3);
}

#[tokio::test]
async fn a_job_that_is_run_again_does_not_back_up_again() {
    let live = Live::new(Engine::Sqlite, State::Applied3).await;
    let guard = guard(&live).with_max_age(Duration::from_secs(600));
    let first = guard.check().await.unwrap();
    let second = guard.check().await.unwrap();
    assert_eq!((second.gate.source, &second.gate.backup), (GateBackup::Reused, &first.gate.backup));
    // With another row it is another database.
    live.sql("UPDATE _prisma_migrations SET finished_at = 1795211508999").await;
    assert_eq!(guard.check().await.unwrap().gate.source, GateBackup::Made);
    assert_eq!(guard.check().await.unwrap().gate.source, GateBackup::Reused);
    // And so it is with a script that was mended.
    live.files.write(&format!("prisma/migrations/{BAD}/migration.sql"), "SELECT 'mended';");
    assert_eq!(guard.check().await.unwrap().gate.source, GateBackup::Made);
}

/// A lock of somebody else.
enum Elsewhere {
    None,
    Pg(handler_pgdump::PgLockHeld),
    My(handler_mysqldump::MysqlLockHeld),
}

/// Takes Prisma's lock as a deploy does.
async fn take(project: &PrismaProject, wait: Duration) -> Result<Elsewhere> {
    Ok(match project.connection() {
        Connection::PostgreSql(url) => {
            Elsewhere::Pg(PgAdvisoryLock::new(72_707_369).take(&url.config()?, wait).await?)
        }
        Connection::MySql(url) => {
            Elsewhere::My(MysqlNamedLock::new("prisma_migrate").take(&url.config(), wait).await?)
        }
        _ => Elsewhere::None,
    })
}

#[tokio::test]
async fn while_a_deploy_runs_nobody_is_let_through() {
    for engine in [Engine::PostgreSql, Engine::MariaDb] {
        // A deploy under way: its row looks like one that has failed, and its lock is held.
        for state in [State::Applied3, State::Failed4] {
            let live = Live::new(engine, state).await;
            let pipeline = pipeline(&live.project);
            let guard = PrismaGuard::new(live.project.clone(), pipeline.clone())
                .with_lock_wait(Duration::from_millis(300));
            let deploy = take(&live.project, Duration::from_secs(60)).await.unwrap();
            let refused = guard.check().await.unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Unavailable, "{engine:?} {state:?}: {refused}");
            assert_eq!(backups(&pipeline).await, 0);
            match deploy {
                Elsewhere::Pg(held) => held.release().await.unwrap(),
                Elsewhere::My(held) => held.release().await.unwrap(),
                Elsewhere::None => panic!("{engine:?} has a lock"),
            }
            if state == State::Applied3 {
                let patient = guard.with_lock_wait(Duration::from_secs(60));
                assert_eq!(patient.check().await.unwrap().gate.decision, Decision::Go, "{engine:?}");
            }
        }
    }
}

type Hook = Box<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

/// Does something else when a dump starts.
struct Disturbed {
    inner: PrismaDumper,
    hook: Hook,
}

impl std::fmt::Debug for Disturbed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl Dumper for Disturbed {
    fn info(&self) -> DumperInfo {
        self.inner.info()
    }

    async fn probe(&self) -> Result<SourceInfo> {
        self.inner.probe().await
    }

    async fn dump(&self) -> Result<Dump> {
        (self.hook)().await;
        self.inner.dump().await
    }
}

#[tokio::test]
async fn a_deploy_waits_while_the_backup_is_made() {
    for engine in [Engine::PostgreSql, Engine::MariaDb] {
        let live = Live::new(engine, State::Applied3).await;
        let seen = Arc::new(Mutex::new(None));
        let (project, told) = (live.project.clone(), Arc::clone(&seen));
        let hook: Hook = Box::new(move || {
            let (project, told) = (project.clone(), Arc::clone(&told));
            Box::pin(async move {
                let deploy = take(&project, Duration::from_millis(200)).await;
                *told.lock().unwrap() = Some(deploy.err().map(|err| err.kind()));
            })
        });
        let dumper = Disturbed { inner: PrismaDumper::new(&live.project).unwrap(), hook };
        let pipeline = Pipeline::new(dumper, MemoryStore::new());
        let guard = PrismaGuard::new(live.project.clone(), pipeline).with_lock_wait(Duration::from_secs(60));
        assert_eq!(guard.check().await.unwrap().gate.decision, Decision::Go);
        assert_eq!(
            *seen.lock().unwrap(),
            Some(Some(ErrorKind::Unavailable)),
            "{engine:?}: the lock was ours"
        );
        // And is no more.
        drop(take(&live.project, Duration::from_secs(60)).await.unwrap());
    }
}

#[tokio::test]
async fn a_deploy_that_came_between_is_noticed() {
    let live = Live::new(Engine::Sqlite, State::Applied3).await;
    let path = live.files.root().join("prisma/dev.db");
    let hook: Hook = Box::new(move || {
        let path = path.clone();
        Box::pin(async move {
            super::live::sqlite(&path, "DELETE FROM _prisma_migrations WHERE migration_name LIKE '%posts'")
                .unwrap();
        })
    });
    let dumper = Disturbed { inner: PrismaDumper::new(&live.project).unwrap(), hook };
    let guard = PrismaGuard::new(live.project.clone(), Pipeline::new(dumper, MemoryStore::new()));
    let refused = guard.run(|| async { Ok::<_, String>(()) }).await.unwrap_err();
    assert!(refused.to_string().contains("came between"), "{refused}");
}

#[tokio::test]
async fn no_fault_lets_a_deploy_through() {
    let live = Live::new(Engine::Sqlite, State::Applied3).await;
    let store = || FaultyStore::new(MemoryStore::new());
    let named = |dumper: FakeDumper| dumper.with_source(SourceInfo::new("dev"));
    let by = |dumper: FakeDumper| PrismaDumper::by(&live.project, dumper);
    let real = || PrismaDumper::new(&live.project).unwrap();
    let cases: Vec<(&str, Pipeline)> = vec![
        (
            "dump killed",
            Pipeline::new(
                by(named(FakeDumper::new("rows")).fail_after(2, ErrorKind::ToolFailed)),
                MemoryStore::new(),
            ),
        ),
        (
            "dump killed at once",
            Pipeline::new(
                by(named(FakeDumper::new("rows")).fail_after(0, ErrorKind::ToolFailed)),
                MemoryStore::new(),
            ),
        ),
        ("store full", Pipeline::new(real(), store().fail_on(StoreOp::Put, 2, ErrorKind::StorageFull))),
        ("store full in the middle", Pipeline::new(real(), store().fail_body_after(500))),
        (
            "catalog unwritable",
            Pipeline::new(real(), MemoryStore::new()).with_catalog(StoreCatalog::new(store().fail_on(
                StoreOp::Put,
                1,
                ErrorKind::PermissionDenied,
            ))),
        ),
        ("verification failed", Pipeline::new(real(), store().corrupt_read(40))),
        ("another database", Pipeline::new(FakeDumper::new("rows"), MemoryStore::new())),
        (
            "no database",
            Pipeline::new(
                FakeDumper::new("rows").fail_probe(ErrorKind::DatabaseNotFound),
                MemoryStore::new(),
            ),
        ),
    ];
    for (name, pipeline) in cases {
        let guard = PrismaGuard::new(live.project.clone(), pipeline.with_level(Level::Decoded));
        let result = guard.run(|| async { Ok::<_, String>(()) }).await;
        assert!(matches!(result, Err(GuardError::Gate(_))), "{name}: {result:?}");
    }
    // A clock that jumps back makes a new backup, and only then lets through.
    let clock = ManualClock::at("2026-11-20T02:00:00Z");
    let pipeline = pipeline(&live.project).with_clock(clock.clone());
    let guard =
        PrismaGuard::new(live.project.clone(), pipeline.clone()).with_max_age(Duration::from_secs(3600));
    guard.check().await.unwrap();
    clock.advance(-chrono::TimeDelta::days(2));
    assert_eq!(guard.check().await.unwrap().gate.source, GateBackup::Made);
    assert_eq!(backups(&pipeline).await, 2);
    // A database that is locked all the time.
    let locked = rusqlite::Connection::open(live.files.root().join("prisma/dev.db")).unwrap();
    locked.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; SELECT 1;").unwrap();
    let check = tokio::time::timeout(Duration::from_secs(1), guard.check()).await;
    assert!(check.is_err() || check.unwrap().is_err(), "a lock lets nobody through");
}

#[tokio::test]
async fn no_secret_is_in_what_a_failure_says() {
    for engine in [Engine::PostgreSql, Engine::MariaDb] {
        let live = Live::new(engine, State::Applied3).await;
        let url = match engine {
            Engine::PostgreSql => {
                backup_core::testkit::postgres::PrivatePostgres::shared().await.url(&live.database)
            }
            _ => backup_core::testkit::mysql::PrivateMysql::shared()
                .await
                .url(&live.database)
                .replacen("mariadb:", "mysql:", 1),
        };
        let (before, host) = url.rsplit_once('@').unwrap();
        let user = before.rsplit_once(':').unwrap().0;
        let url = format!("{user}:%70%40%2F%25%23%3Fw%C3%BCrz%22%27@{host}");
        let project = live.files.search().with_url(url).run().await.unwrap();
        let guard = PrismaGuard::new(project.clone(), pipeline(&project));
        let err = guard.check().await.unwrap_err();
        assert_eq!(err.kind(), ErrorKind::AuthenticationFailed, "{engine:?}: {err}");
        let shown = format!("{err} {err:?} {guard:?} {:?}", err.suggestions());
        assert!(!shown.contains("würz") && !shown.contains("p@/%#?"), "{shown}");
    }
}

/// The shortest of some runs, as a busy machine makes single ones long.
async fn shortest<Work: Future>(mut work: impl FnMut() -> Work) -> Duration {
    let mut shortest = Duration::MAX;
    for _ in 0..6 {
        let started = Instant::now();
        work().await;
        shortest = shortest.min(started.elapsed());
    }
    shortest
}

#[tokio::test]
async fn with_nothing_pending_the_guard_costs_little_more_than_a_client() {
    use backup_core::catalog::log::LogDatabase;
    for engine in [Engine::Sqlite, Engine::PostgreSql] {
        let live = Live::new(engine, State::Applied3).await;
        record(&live, "applied", BAD, true).await;
        let guard = guard(&live);
        let client = match live.project.connection() {
            Connection::PostgreSql(url) => {
                let database = handler_pgdump::PgLogDatabase::new(url.config().unwrap());
                shortest(|| database.run("SELECT 1;")).await
            }
            _ => Duration::ZERO,
        };
        let guarded = shortest(|| guard.check()).await;
        println!("{engine:?}: client {client:?}, guard {guarded:?}");
        assert!(
            guarded.saturating_sub(client) <= Duration::from_millis(100),
            "{engine:?}: {guarded:?}, client {client:?}"
        );
    }
}

/// Also a store that is a folder: nothing of the guard depends on memory.
#[tokio::test]
async fn backups_of_the_guard_are_found_by_the_next_process() {
    let live = Live::new(Engine::Sqlite, State::Applied3).await;
    let folder = tempfile::tempdir().unwrap();
    let open = || async { storage_local::LocalStore::open(folder.path()).await.unwrap() };
    let first = Pipeline::new(PrismaDumper::new(&live.project).unwrap(), open().await);
    let report = PrismaGuard::new(live.project.clone(), first).check().await.unwrap();
    let backup = report.gate.backup.unwrap();
    let (content, restorer) = (live.content().await, PrismaRestorer::new(&live.project).unwrap());
    live.sql("DROP TABLE \"Post\"; DELETE FROM \"User\"").await;
    let second: Arc<dyn Store> = Arc::new(open().await);
    let guard = PrismaGuard::new(live.project.clone(), Pipeline::for_store(second));
    guard.rollback(backup).carry_out(&restorer, Confirmation::Confirmed).await.unwrap();
    assert_eq!(live.content().await, content);
}
