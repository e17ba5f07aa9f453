//! Writes the golden backups of a release, once, as any application would; then they are frozen.
//!
//! Runs in a folder of the workspace, on a machine with PostgreSQL and MariaDB, and with a newer PostgreSQL and a MySQL:
//!
//! ```text
//! cargo test --package examples --all-features --test recovery --no-run        # says where the program is
//! as_app() { BACKUP_GOLDEN_WRITE=1 unshare --uts --mount sh -c 'hostname app-1; mount -t tmpfs none /srv; exec "$@"' sh "$@"; }
//! as_app target/debug/deps/recovery-… --ignored --exact golden_write::what_is_installed
//! BACKUP_TEST_PG_BIN=… BACKUP_TEST_MYSQL_BIN=… as_app target/debug/deps/recovery-… --ignored --exact golden_write::newer_servers
//! as_app target/debug/deps/recovery-… --ignored --exact golden_write_sealed::sealed_manifests
//! ```
//!
//! What is there already is never written again: each run adds to what the ones before it wrote.

use std::path::{Path, PathBuf};

use backup_core::{
    Annotation, BackupRef, Dumper, Kind, Level, Note, Pipeline, Rehearsal, Restorer,
    catalog::JsonCatalog,
    compress::{Gzip, Identity, Zstd},
    encrypt::Age,
    pipeline::{BackupRequest, Confirmation},
    store::{CopyPolicy, CopyTo, FanOut},
    testkit::{
        clock::ManualClock,
        faults::{FaultyStore, StoreOp},
        mysql::{Flavour, PrivateMysql},
        postgres::PrivatePostgres,
    },
};
use handler_mysqldump::{MysqlDump, MysqlRestore, Position};
use handler_pgdump::{Format, Globals, PgDump, PgRestore, Rows};
use handler_prisma::{
    Discovery, PrismaDumper, PrismaGuard,
    sqlite::{SqliteDump, SqliteRestore},
};
use rusqlite::Connection;
use storage_local::LocalStore;

use super::golden_facts::{PASSPHRASE, copy_folder, release};

/// Where they are written to, so that this is what they tell of the machine.
const STORE: &str = "/srv/backups";
const OFFSITE: &str = "/srv/offsite";
pub(crate) const SHOP: &str = "/srv/shop";

pub(crate) struct Writer {
    clock: ManualClock,
    store: LocalStore,
    offsite: LocalStore,
    pub(crate) key: Age,
}

impl Writer {
    pub(crate) async fn open() -> Self {
        assert!(
            std::env::var_os("BACKUP_GOLDEN_WRITE").is_some(),
            "the head of this file says how it is run"
        );
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
        assert_eq!(host.trim(), "app-1", "no machine's name belongs into the golden backups");
        assert!(!Path::new(STORE).exists());
        std::fs::create_dir_all(SHOP).unwrap();
        let release = release();
        let identity = release.join("identity.txt");
        if !release.exists() {
            std::fs::create_dir_all(&release).unwrap();
            let key = Age::generate_identity();
            let note = "# A key for tests, known to everybody: nothing else may be encrypted for it.\n";
            std::fs::write(&identity, format!("{note}{}", key.expose())).unwrap();
        }
        for (name, at) in [("store", STORE), ("offsite", OFFSITE)] {
            let written = release.join(name);
            if written.exists() {
                copy_folder(&written, Path::new(at));
            }
        }
        Self {
            clock: ManualClock::at("2026-10-20T02:00:00Z"),
            store: LocalStore::open(STORE).await.unwrap(),
            offsite: LocalStore::open(OFFSITE).await.unwrap(),
            key: Age::for_identities(&std::fs::read_to_string(identity).unwrap().into()).unwrap(),
        }
    }

    pub(crate) fn at(&self, time: &str) {
        self.clock.set(format!("2026-10-{time}:00Z").parse().unwrap());
    }

    pub(crate) fn pipeline(&self, dumper: impl Dumper, environment: &str) -> Pipeline {
        Pipeline::new(dumper, self.store.clone()).with_environment(environment).with_clock(self.clock.clone())
    }

    async fn note(&self, backup: &BackupRef, note: Note) {
        let annotation = Annotation::new(backup_core::Clock::now(&self.clock), note);
        let catalog = Pipeline::for_store(self.store.clone());
        catalog.catalog().annotate(backup, &annotation).await.unwrap();
    }

    /// Takes what was written into the release.
    pub(crate) async fn keep(self) {
        let release = release();
        for (name, at) in [("store", STORE), ("offsite", OFFSITE)] {
            let kept = release.join(name);
            let _nothing_at_first = std::fs::remove_dir_all(&kept);
            copy_folder(Path::new(at), &kept);
        }
        let file = release.join("backups.json");
        let _nothing_at_first = std::fs::remove_file(&file);
        let pipeline = Pipeline::for_store(self.store);
        JsonCatalog::rebuild(&file, &**pipeline.catalog()).await.unwrap();
        std::fs::remove_file(release.join("backups.json.lock")).unwrap();
    }
}

/// Backs up, which has to work without a warning, and proves what came of it.
pub(crate) async fn made(pipeline: &Pipeline, request: BackupRequest, level: Level) -> BackupRef {
    let report = pipeline.backup(request).await.unwrap();
    assert!(report.warnings.is_empty(), "{:?}", report.warnings);
    if level > Level::Digest {
        pipeline.verify(&report.backup, level).await.unwrap().ensure_passed().unwrap();
    }
    report.backup
}

pub(crate) fn rehearsal(restorer: impl Restorer) -> Rehearsal {
    Rehearsal::new(restorer)
}

#[tokio::test]
#[ignore = "writes the golden backups: see the head of the file"]
async fn what_is_installed() {
    let writer = Writer::open().await;
    sqlite(&writer).await;
    prisma(&writer).await;
    postgresql(&writer).await;
    frames(&writer).await;
    mariadb(&writer).await;
    writer.keep().await;
}

#[tokio::test]
#[ignore = "writes the golden backups: see the head of the file"]
async fn newer_servers() {
    let writer = Writer::open().await;
    postgresql_18(&writer).await;
    mysql(&writer).await;
    writer.keep().await;
}

pub(crate) async fn filled_postgresql(database: &str, sql: &str) -> PrivatePostgres {
    let server = PrivatePostgres::start().await;
    server.create_database(database).await;
    server.psql(database, sql).await;
    server
}

async fn postgresql(writer: &Writer) {
    let server = filled_postgresql("shop", include_str!("golden_postgresql.sql")).await;
    let dump = || PgDump::from_url(&server.url("shop")).unwrap();
    let pipeline = |dump: PgDump| writer.pipeline(dump, "production");

    writer.at("20T02:00");
    let nightly = BackupRequest::new()
        .with_kind(Kind::Daily)
        .with_label("nightly")
        .with_reason("a night like any other")
        .with_tag("release", "2026.10")
        .with_git_commit("0f1e2d3c4b5a69788796a5b4c3d2e1f000112233")
        .with_expires_at("2027-01-18T02:00:00Z".parse().unwrap());
    let plain = pipeline(dump().globals(Globals::WithoutPasswords))
        .with_rehearsal(rehearsal(PgRestore::rehearsals()));
    made(&plain, nightly, Level::Equal).await;

    writer.at("21T02:00");
    let custom = pipeline(dump().format(Format::Custom).source_checksums()).with_compressor(Identity);
    let custom = custom.with_rehearsal(rehearsal(PgRestore::rehearsals()));
    let held = made(&custom, BackupRequest::new().with_kind(Kind::Daily), Level::Equal).await;
    writer.at("21T09:30");
    writer.note(&held, Note::Held { reason: "before the audit".to_owned() }).await;

    writer.at("22T02:00");
    let directory = pipeline(dump().format(Format::Directory { jobs: 1 }));
    let released = made(&directory, BackupRequest::new().with_kind(Kind::Weekly), Level::Decoded).await;
    writer.at("22T09:30");
    writer.note(&released, Note::Held { reason: "to be looked at".to_owned() }).await;
    writer.at("22T10:30");
    writer.note(&released, Note::Released { reason: "was looked at".to_owned() }).await;

    writer.at("23T02:00");
    let sealed = pipeline(dump()).with_compressor(Gzip::default()).with_encryptor(writer.key.clone());
    made(&sealed, BackupRequest::new().with_kind(Kind::Monthly), Level::Decoded).await;

    writer.at("24T02:00");
    let by_word = pipeline(dump())
        .with_compressor(Identity)
        .with_encryptor(Age::for_passphrase(&PASSPHRASE.into()).unwrap());
    made(&by_word, BackupRequest::new(), Level::Digest).await;

    writer.at("25T02:00");
    made(
        &pipeline(dump().rows(Rows::ColumnInserts)).with_compressor(Gzip::default()),
        BackupRequest::new(),
        Level::Decoded,
    )
    .await;
}

/// Dumps that are long enough for an index of their frames.
async fn frames(writer: &Writer) {
    let server = filled_postgresql("archive", include_str!("golden_archive.sql")).await;
    let pipeline = || writer.pipeline(PgDump::from_url(&server.url("archive")).unwrap(), "production");
    writer.at("25T03:00");
    made(&pipeline().with_compressor(Zstd::default()), BackupRequest::new(), Level::Decoded).await;
    writer.at("26T03:00");
    let sealed = pipeline().with_compressor(Gzip::default()).with_encryptor(writer.key.clone());
    made(&sealed, BackupRequest::new(), Level::Decoded).await;
}

async fn postgresql_18(writer: &Writer) {
    let server = filled_postgresql("shop", include_str!("golden_postgresql.sql")).await;
    assert!(server.psql("shop", "show server_version").await.starts_with("18"), "set BACKUP_TEST_PG_BIN");
    let bin = server.bin("");
    let dump = || PgDump::from_url(&server.url("shop")).unwrap().client_dir(&bin);
    writer.at("24T03:00");
    let plain = writer.pipeline(dump(), "staging");
    made(&plain, BackupRequest::new().with_kind(Kind::Daily), Level::Decoded).await;
    writer.at("25T03:00");
    let custom = writer.pipeline(dump().format(Format::Custom), "staging").with_compressor(Identity);
    made(&custom, BackupRequest::new().with_kind(Kind::Daily), Level::Decoded).await;
}

async fn filled_mysql(database: &str) -> PrivateMysql {
    let server = PrivateMysql::start().await;
    server.create_database(database).await;
    server.sql(database, include_str!("golden_mysql.sql")).await;
    server
}

pub(crate) async fn filled_mariadb() -> PrivateMysql {
    let server = filled_mysql("my shop").await;
    assert_eq!(server.flavour(), Flavour::MariaDb, "leave BACKUP_TEST_MYSQL_BIN unset");
    server.create_database("my stock").await;
    server.sql("my stock", "CREATE TABLE articles (id int PRIMARY KEY, name text); INSERT INTO articles VALUES (1, 'tea'), (2, 'cup');").await;
    server
}

async fn mariadb(writer: &Writer) {
    let server = filled_mariadb().await;
    let dump = || MysqlDump::from_url(&server.url("my shop")).unwrap();

    writer.at("20T02:30");
    let plain = writer.pipeline(dump().position(Position::Record), "production");
    let plain = plain.with_rehearsal(rehearsal(MysqlRestore::rehearsals()));
    made(&plain, BackupRequest::new().with_kind(Kind::Daily), Level::Equal).await;
    writer.at("21T02:30");
    let several = writer.pipeline(dump().also("my stock"), "production").with_compressor(Gzip::default());
    made(&several, BackupRequest::new(), Level::Decoded).await;
    writer.at("22T02:30");
    let sealed = writer.pipeline(dump(), "production").with_encryptor(writer.key.clone());
    made(&sealed, BackupRequest::new(), Level::Decoded).await;
}

async fn mysql(writer: &Writer) {
    let server = filled_mysql("ledger").await;
    assert_eq!(server.flavour(), Flavour::MySql, "set BACKUP_TEST_MYSQL_BIN");
    let bin = server.bin("");
    let dump = || MysqlDump::from_url(&server.url("ledger")).unwrap().client_dir(&bin);
    writer.at("24T03:30");
    let plain = writer.pipeline(dump().position(Position::Record), "staging");
    made(&plain, BackupRequest::new().with_kind(Kind::Daily), Level::Decoded).await;
    writer.at("25T03:30");
    made(&writer.pipeline(dump(), "staging").with_compressor(Identity), BackupRequest::new(), Level::Decoded)
        .await;
}

pub(crate) fn filled_sqlite(path: &Path) {
    let database = Connection::open(path).unwrap();
    database.execute_batch(include_str!("golden_sqlite.sql")).unwrap();
}

async fn sqlite(writer: &Writer) {
    let path = PathBuf::from(SHOP).join("notes.sqlite");
    filled_sqlite(&path);
    let dump = || SqliteDump::new(&path).with_checksums();
    let both = FanOut::new(
        CopyPolicy::All,
        vec![CopyTo::new(writer.store.clone()), CopyTo::new(writer.offsite.clone())],
    )
    .unwrap();
    let twice = Pipeline::new(dump(), both.clone())
        .with_copies(&both)
        .with_environment("production")
        .with_clock(writer.clock.clone());
    writer.at("26T04:00");
    let plain = twice
        .with_compressor(Identity)
        .with_rehearsal(rehearsal(SqliteRestore::new("/srv/shop/rehearsal.sqlite")));
    made(&plain, BackupRequest::new(), Level::Equal).await;
    writer.at("27T04:00");
    let sealed = writer.pipeline(dump(), "production").with_encryptor(writer.key.clone());
    made(&sealed, BackupRequest::new(), Level::Decoded).await;

    // One whose deletion was cut off before anything of it was gone.
    writer.at("28T04:00");
    let last = made(
        &writer.pipeline(dump(), "production").with_compressor(Gzip::default()),
        BackupRequest::new(),
        Level::Digest,
    )
    .await;
    writer.at("28T05:00");
    let away = FaultyStore::new(writer.store.clone()).fail_on(
        StoreOp::Delete,
        1,
        backup_core::ErrorKind::PermissionDenied,
    );
    let cut_off = Pipeline::for_store(away).with_clock(writer.clock.clone());
    cut_off.delete(&last, Confirmation::Confirmed).await.unwrap_err();
}

async fn prisma(writer: &Writer) {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../handler-prisma/tests/fixture/prisma");
    let project = PathBuf::from(SHOP).join("project");
    copy_folder(&fixture.join("v6-sqlite"), &project);
    std::fs::copy(fixture.join("v6-sqlite-applied3.db"), project.join("prisma/dev.db")).unwrap();
    let database = format!("file:{}", project.join("prisma/dev.db").display());
    let project = Discovery::new(&project).with_url(database).run().await.unwrap();
    writer.at("28T03:00");
    let pipeline =
        writer.pipeline(PrismaDumper::new(&project).unwrap(), "production").with_level(Level::Decoded);
    let report = PrismaGuard::new(project, pipeline).check().await.unwrap();
    assert!(report.gate.decision.lets_through(), "{report:?}");
}
