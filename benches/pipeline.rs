//! A whole backup and a whole restore against the shell pipes that they replace, in one run, alternating.
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

use backup_core::{
    BackupRef, Level, Pipeline, compress,
    pipeline::{BackupRequest, RestoreRequest},
    testkit::postgres::PrivatePostgres,
};
use benches::{run, setting, table};
use handler_pgdump::{PgDump, PgRestore};
use storage_local::LocalStore;

/// Plain bytes that one generated row takes in a dump, about.
const ROW_BYTES: u64 = 300;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    match args.get(1).map(String::as_str) {
        Some("one-backup") => runtime.block_on(one_backup(&args[2], Path::new(&args[3]), &args[4], &args[5])),
        Some("one-restore") => runtime.block_on(one_restore(&args[2], Path::new(&args[3]), &args[4])),
        _ => runtime.block_on(compare()),
    }
}

/// One backup in a process of its own, so that its memory and processor time are measured alone.
async fn one_backup(url: &str, store: &Path, compression: &str, level: &str) {
    let pipeline = Pipeline::new(PgDump::from_url(url).unwrap(), LocalStore::open(store).await.unwrap())
        .with_compressor(compress::parse(compression).unwrap())
        .with_level(level.parse().unwrap());
    pipeline.backup(BackupRequest::new()).await.unwrap();
}

async fn one_restore(url: &str, store: &Path, backup: &str) {
    let pipeline = Pipeline::for_store(LocalStore::open(store).await.unwrap());
    let backup: BackupRef = backup.parse().unwrap();
    let restorer = PgRestore::from_url(url).unwrap();
    pipeline.restore(&backup, &restorer, RestoreRequest::new().confirmed()).await.unwrap();
}

async fn compare() {
    let (megabytes, rounds) = (setting("BACKUP_BENCH_MB", 1200), setting("BACKUP_BENCH_ROUNDS", 5));
    let server = PrivatePostgres::start().await;
    server.create_database("bench").await;
    server.psql("bench", &fill(megabytes * 1_000_000 / ROW_BYTES)).await;
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
    bench.compare_restores(rounds.min(3)).await;
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

    async fn compare_restores(&self, rounds: u64) {
        let store = self.folder.join("to-restore");
        let url = self.server.url("bench");
        let pipeline =
            Pipeline::new(PgDump::from_url(&url).unwrap(), LocalStore::open(&store).await.unwrap())
                .with_compressor(compress::parse("zstd:1").unwrap())
                .with_level(Level::Digest);
        let report = pipeline.backup(BackupRequest::new()).await.unwrap();
        let artifact = store.join(report.manifest.artifact.key.as_str()).canonicalize().unwrap();
        let psql = self.server.bin("psql");
        let script = format!(
            "zstdcat {} | {} -X -q -v ON_ERROR_STOP=1 --single-transaction -d target_shell > /dev/null",
            artifact.display(),
            psql.display()
        );
        let mut rows = [
            Row::new("zstdcat \\| psql", Way::Shell("")),
            Row::new("this library, digest checked first, rows counted after", Way::Shell("")),
        ];
        for round in 0..rounds {
            self.server.psql("postgres", "drop database if exists target_shell").await;
            self.server.psql("postgres", "drop database if exists target_ours").await;
            self.server.create_database("target_shell").await;
            self.server.create_database("target_ours").await;
            rows[0].table.add(run(self.shell(&script)), 0);
            let (target, store) = (self.server.url("target_ours"), store.display().to_string());
            let args = ["one-restore", &target, &store, &report.backup.to_string()];
            rows[1].table.add(run(this_program(&args)), 0);
            eprintln!("restore round {} of {rounds} done", round + 1);
        }
        table::print("restore", rows.iter().map(|row| &row.table), 0);
    }
}

fn this_program(args: &[&str]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(args);
    command
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

/// Mixed rows: text, jsonb, timestamps, numerics, and a few small tables.
fn fill(rows: u64) -> String {
    format!(
        "create table customers (id bigint primary key, name text, email text, profile jsonb, created_at timestamptz);
         create table orders (id bigint primary key, customer_id bigint, total numeric(12,2), note text, lines jsonb,
                              ordered_at timestamp, paid boolean, token uuid);
         insert into customers
           select i, 'Customer ' || md5(i::text), 'c' || i || '@shop.example',
                  jsonb_build_object('city', (array['Berlin','Porto','Oslo','Kyoto'])[1 + i % 4], 'visits', i % 97,
                                     'tags', jsonb_build_array('a' || i % 7, 'b' || i % 11)),
                  timestamptz '2024-01-01 00:00+00' + i * interval '1 minute'
           from generate_series(1, {customers}) i;
         insert into orders
           select i, 1 + i % {customers}, (i % 100000)::numeric / 7,
                  repeat('the quick brown fox ' || (i % 13) || ' jumps over ', 1 + (i % 5)::int),
                  jsonb_build_array(jsonb_build_object('sku', 'P-' || i % 5003, 'qty', 1 + i % 9, 'price', i % 10007)),
                  timestamp '2025-01-01' + i * interval '7 seconds', i % 3 = 0, md5(i::text)::uuid
           from generate_series(1, {orders}) i;
         create index on orders (customer_id);
         vacuum analyze;",
        customers = rows / 5 + 1,
        orders = rows * 4 / 5,
    )
}
