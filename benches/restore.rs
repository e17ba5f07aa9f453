//! Whole restores and rehearsals against the stock programs, in one run, alternating.
//!
//! `cargo bench --package benches --bench restore` starts a PostgreSQL of its own, fills it and prints the
//! medians. `BACKUP_BENCH_MB` (1000 unless said) is the size of the dump, `BACKUP_BENCH_ROUNDS` (3) the rounds;
//! `BACKUP_BENCH_REHEARSALS=0` leaves the rehearsals out.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::indexing_slicing
)]

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use backup_core::{
    BackupRef, Pipeline, Rehearsal, compress,
    pipeline::{BackupRequest, RestoreRequest},
    testkit::postgres::PrivatePostgres,
};
use benches::{fill, run, setting, table, this_program};
use handler_pgdump::{Format, PgDump, PgRestore};
use storage_local::LocalStore;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    match args.get(1).map(String::as_str) {
        Some("restore") => runtime.block_on(restore(&args[2], &args[3], &args[4], args[5].parse().unwrap())),
        Some("rehearse") => runtime.block_on(rehearse(&args[2], &args[3], &args[4], &args[5])),
        _ => runtime.block_on(compare()),
    }
}

/// One restore in a process of its own, so that its memory and processor time are measured alone.
async fn restore(url: &str, store: &str, backup: &str, jobs: u16) {
    let pipeline = Pipeline::for_store(LocalStore::open(store).await.unwrap());
    let restorer = PgRestore::from_url(url).unwrap().jobs(jobs);
    let request = RestoreRequest::new().confirmed();
    pipeline.restore(&backup.parse().unwrap(), &restorer, request).await.unwrap();
}

/// One rehearsal; says how much of it the restore was.
async fn rehearse(url: &str, store: &str, backup: &str, level: &str) {
    let pipeline = Pipeline::for_store(LocalStore::open(store).await.unwrap())
        .with_rehearsal(Rehearsal::new(PgRestore::from_url(url).unwrap()));
    let report = pipeline.verify(&backup.parse().unwrap(), level.parse().unwrap()).await.unwrap();
    let evidence = report.ensure_passed().unwrap().evidence;
    let restore_ms = evidence.rehearsed.unwrap().restore_ms;
    eprintln!("rehearsal {level}: {} ms, of which restoring took {restore_ms} ms", evidence.duration_ms);
}

struct Bench {
    server: PrivatePostgres,
    folder: PathBuf,
}

async fn compare() {
    let (megabytes, rounds) = (setting("BACKUP_BENCH_MB", 1000), setting("BACKUP_BENCH_ROUNDS", 3));
    let server = PrivatePostgres::start().await;
    server.create_database("bench").await;
    server.psql("bench", &fill::postgresql(megabytes)).await;
    let at = std::env::current_exe().unwrap().ancestors().nth(3).unwrap().to_owned();
    let folder = tempfile::Builder::new().prefix("bench-").tempdir_in(at).unwrap();
    let bench = Bench { server, folder: folder.path().to_owned() };
    let (plain, plain_file) = bench.backup(Format::Plain).await;
    let (custom, custom_file) = bench.backup(Format::Custom).await;

    let names = [
        "zstdcat \\| psql",
        "this library, plain",
        "zstd -d, pg_restore -j2",
        "this library, custom, 2 jobs",
        "the same, in the place of an empty one",
        "rehearsal, level restored",
        "rehearsal, level equal",
    ];
    let mut rows = names.map(table::Row::new);
    let psql = "$B/psql -X -q -v ON_ERROR_STOP=1 --single-transaction -d target > /dev/null";
    for round in 0..rounds {
        bench.fresh().await;
        rows[0].add(run(bench.shell(&format!("zstdcat {} | {psql}", plain_file.display()))), 0);
        bench.fresh().await;
        rows[1].add(
            run(this_program(&["restore", &bench.target(), &bench.store(), &plain.to_string(), "1"])),
            0,
        );
        bench.gone().await;
        let script = format!(
            "$B/createdb target && zstd -q -d -f {} -o archive && $B/pg_restore --exit-on-error -j2 -d target archive && rm archive",
            custom_file.display()
        );
        rows[2].add(run(bench.shell(&script)), 0);
        for row in [3, 4] {
            if row == 3 {
                bench.gone().await;
            } else {
                bench.fresh().await;
            }
            rows[row].add(
                run(this_program(&["restore", &bench.target(), &bench.store(), &custom.to_string(), "2"])),
                0,
            );
        }
        for (row, level) in [(5, "restored"), (6, "equal")] {
            if setting("BACKUP_BENCH_REHEARSALS", 1) == 0 {
                continue;
            }
            let args = ["rehearse", &bench.server.url("bench"), &bench.store(), &plain.to_string(), level];
            rows[row].add(run(this_program(&args)), 0);
        }
        eprintln!("round {} of {rounds} done", round + 1);
    }
    table::print("restore", rows[..2].iter(), 0);
    table::print("restore into a new database by two jobs", rows[2..5].iter(), 0);
    if setting("BACKUP_BENCH_REHEARSALS", 1) != 0 {
        table::print(
            "rehearsal, against restoring into an empty database",
            [&rows[1], &rows[5], &rows[6]].into_iter(),
            0,
        );
    }
}

impl Bench {
    fn store(&self) -> String {
        self.folder.join("store").display().to_string()
    }

    fn target(&self) -> String {
        self.server.url("target")
    }

    async fn backup(&self, format: Format) -> (BackupRef, PathBuf) {
        let dump = PgDump::from_url(&self.server.url("bench")).unwrap().format(format);
        let pipeline = Pipeline::new(dump, LocalStore::open(self.store()).await.unwrap())
            .with_compressor(compress::parse("zstd:1").unwrap());
        let report = pipeline.backup(BackupRequest::new()).await.unwrap();
        (report.backup, Path::new(&self.store()).join(report.manifest.artifact.key.as_str()))
    }

    /// An empty target, and nothing dirty that the last run left.
    async fn fresh(&self) {
        self.server.psql("postgres", "drop database if exists target").await;
        self.server.create_database("target").await;
        self.settled().await;
    }

    /// No target, and nothing dirty that the last run left.
    async fn gone(&self) {
        self.server.psql("postgres", "drop database if exists target").await;
        self.settled().await;
    }

    async fn settled(&self) {
        self.server.psql("postgres", "checkpoint").await;
        assert!(Command::new("sync").status().unwrap().success());
    }

    fn shell(&self, script: &str) -> Command {
        let programs = self.server.bin("psql").parent().unwrap().display().to_string();
        let mut command = Command::new("bash");
        command.args(["-o", "pipefail", "-c", &script.replace("$B", &programs)]).current_dir(&self.folder);
        command
            .env("PGHOST", self.server.socket_dir())
            .env("PGPORT", self.server.port().to_string())
            .env("PGUSER", self.server.superuser())
            .env("PGPASSWORD", self.server.password().expose());
        command
    }
}
