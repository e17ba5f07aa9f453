//! A whole backup against the shell pipes that it replaces, in one run, alternating.
//!
//! `cargo bench --package benches --bench pipeline` starts a PostgreSQL of its own, fills it and prints the
//! medians. `BACKUP_BENCH_MB` (1200 unless said) is the size of the dump, `BACKUP_BENCH_ROUNDS` (5) the rounds.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::indexing_slicing
)]

use std::{path::Path, process::Command};

use backup_core::{Pipeline, compress, pipeline::BackupRequest, testkit::postgres::PrivatePostgres};
use benches::{fill, run, setting, table, this_program};
use handler_pgdump::PgDump;
use storage_local::LocalStore;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    if args.get(1).is_some_and(|arg| arg == "one-backup") {
        runtime.block_on(one_backup(&args[2], Path::new(&args[3]), &args[4], &args[5]));
    } else {
        runtime.block_on(compare());
    }
}

/// One backup in a process of its own, so that its memory and processor time are measured alone.
async fn one_backup(url: &str, store: &Path, compression: &str, level: &str) {
    let pipeline = Pipeline::new(PgDump::from_url(url).unwrap(), LocalStore::open(store).await.unwrap())
        .with_compressor(compress::parse(compression).unwrap())
        .with_level(level.parse().unwrap());
    pipeline.backup(BackupRequest::new()).await.unwrap();
}

async fn compare() {
    let (megabytes, rounds) = (setting("BACKUP_BENCH_MB", 1200), setting("BACKUP_BENCH_ROUNDS", 5));
    let server = PrivatePostgres::start().await;
    server.create_database("bench").await;
    server.psql("bench", &fill::postgresql(megabytes)).await;
    let folder = tempfile::Builder::new().prefix("bench-").tempdir_in(target()).unwrap();
    let bench = Bench { server, folder: folder.path().to_owned() };

    let mut rows = vec![
        Row::new("pg_dump > /dev/null", Way::Shell("$D > /dev/null")),
        Row::new("pg_dump \\| gzip", Way::Shell("$D | gzip > out && sync out")),
        Row::new("pg_dump \\| pigz", Way::Shell("$D | pigz > out && sync out")),
        Row::new("pg_dump \\| zstd -1 -T0", Way::Shell("$D | zstd -q -1 -T0 -f -o out && sync out")),
        Row::new("this library, zstd:1", Way::Ours("zstd:1", "present")),
        Row::new("this library, zstd:1, read back", Way::Ours("zstd:1", "digest")),
        Row::new("this library, gzip:6", Way::Ours("gzip:6", "present")),
    ];
    for round in 0..rounds {
        for row in &mut rows {
            row.measure(&bench).await;
        }
        eprintln!("backup round {} of {rounds} done", round + 1);
    }
    table::print("backup", rows.iter().map(|row| &row.table), 3);
}

/// The build folder: on the disk that is measured, and ignored by Git.
fn target() -> std::path::PathBuf {
    std::env::current_exe().unwrap().ancestors().nth(3).unwrap().to_owned()
}

struct Bench {
    server: PrivatePostgres,
    folder: std::path::PathBuf,
}

impl Bench {
    fn shell(&self, script: &str) -> Command {
        let script = script.replace("$D", &format!("{} bench", self.server.bin("pg_dump").display()));
        let mut command = Command::new("bash");
        command.args(["-o", "pipefail", "-c", &script]).current_dir(&self.folder);
        command
            .env("PGHOST", self.server.socket_dir())
            .env("PGPORT", self.server.port().to_string())
            .env("PGUSER", self.server.superuser())
            .env("PGPASSWORD", self.server.password().expose());
        command
    }
}

enum Way {
    Shell(&'static str),
    Ours(&'static str, &'static str),
}

struct Row {
    way: Way,
    table: table::Row,
}

impl Row {
    fn new(name: &'static str, way: Way) -> Self {
        Self { way, table: table::Row::new(name) }
    }

    async fn measure(&mut self, bench: &Bench) {
        // What the last run left dirty must not be paid for by this one.
        assert!(Command::new("sync").status().unwrap().success());
        match self.way {
            Way::Shell(script) => {
                let out = bench.folder.join("out");
                let run = run(bench.shell(script));
                let bytes = std::fs::metadata(&out).map_or(0, |meta| meta.len());
                self.table.add(run, bytes);
                let _nothing_written = std::fs::remove_file(out);
            }
            Way::Ours(compression, level) => {
                let store = bench.folder.join("store");
                let url = bench.server.url("bench");
                let args = ["one-backup", &url, &store.display().to_string(), compression, level];
                let run = run(this_program(&args));
                let pipeline = Pipeline::for_store(LocalStore::open(&store).await.unwrap());
                let listing = pipeline.list(&backup_core::Filter::all()).await.unwrap();
                self.table.add(run, listing.entries[0].manifest.artifact.size);
                std::fs::remove_dir_all(store).unwrap();
            }
        }
    }
}
