//! A whole backup, encrypted by age and not, in one run, alternating.
//!
//! `cargo bench --package benches --bench encrypt` starts a PostgreSQL of its own, fills it and prints the medians.
//! `BACKUP_BENCH_MB` (1200 unless said) is the size of the dump, `BACKUP_BENCH_ROUNDS` (5) the rounds.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::indexing_slicing
)]

use std::path::Path;

use backup_core::{
    Encryptor, Filter, Pipeline, compress, encrypt::Age, pipeline::BackupRequest,
    testkit::postgres::PrivatePostgres,
};
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

/// One backup in a process of its own, for a recipient unless that is empty.
async fn one_backup(url: &str, store: &Path, compression: &str, recipient: &str) {
    let mut pipeline = Pipeline::new(PgDump::from_url(url).unwrap(), LocalStore::open(store).await.unwrap())
        .with_compressor(compress::parse(compression).unwrap());
    if !recipient.is_empty() {
        pipeline = pipeline.with_encryptor(Age::for_recipients([recipient]).unwrap());
    }
    pipeline.backup(BackupRequest::new()).await.unwrap();
}

async fn compare() {
    let (megabytes, rounds) = (setting("BACKUP_BENCH_MB", 1200), setting("BACKUP_BENCH_ROUNDS", 5));
    let server = PrivatePostgres::start().await;
    server.create_database("bench").await;
    server.psql("bench", &fill::postgresql(megabytes)).await;
    // In the build folder: on the disk that is measured, and ignored by Git.
    let target = std::env::current_exe().unwrap().ancestors().nth(3).unwrap().to_owned();
    let folder = tempfile::Builder::new().prefix("bench-").tempdir_in(target).unwrap();
    let recipient = Age::for_identities(&Age::generate_identity()).unwrap().recipients().remove(0);

    let mut tables = Vec::new();
    for compression in ["zstd:1", "none"] {
        let mut rows = [("not encrypted", ""), ("encrypted", recipient.as_str())]
            .map(|(name, recipient)| (table::Row::new(name), recipient));
        for round in 0..rounds {
            for (row, recipient) in &mut rows {
                // What the last run left dirty must not be paid for by this one.
                assert!(std::process::Command::new("sync").status().unwrap().success());
                let store = folder.path().join("store");
                let url = server.url("bench");
                let args = ["one-backup", &url, &store.display().to_string(), compression, recipient];
                let run = run(this_program(&args));
                let pipeline = Pipeline::for_store(LocalStore::open(&store).await.unwrap());
                let listing = pipeline.list(&Filter::all()).await.unwrap();
                row.add(run, listing.entries[0].manifest.artifact.size);
                std::fs::remove_dir_all(store).unwrap();
            }
            eprintln!("{compression}: round {} of {rounds} done", round + 1);
        }
        tables.push((compression, rows));
    }
    for (compression, rows) in &tables {
        table::print(&format!("backup, {compression}"), rows.iter().map(|(row, _)| row), 0);
    }
}
