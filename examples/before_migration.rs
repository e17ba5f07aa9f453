//! A program that migrates its own database as it starts, with the gate in front: what goes before `sqlx::migrate!().run()`,
//! `refinery`'s runner or diesel's `run_pending_migrations`.
//!
//! It makes a small SQLite shop in a temporary folder, applies one migration that works, and one that fails in its middle and
//! leaves half of itself behind; then it rolls back, and applies the mended one.
//!
//! Exit codes: 0 all as expected, 2 failed.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use backup_core::{
    Error, ErrorKind, Level, Pipeline, Result,
    pipeline::{
        Confirmation, GateRequest,
        gate::{GuardError, guard},
    },
};
use examples::{
    output::{self, Style, print},
    shop,
};
use handler_prisma::{SqliteDump, SqliteRestore};
use storage_local::LocalStore;

/// Migrations as a tool keeps them: a name and a script.
type Migration = (&'static str, &'static str);

const COUPONS: Migration =
    ("0001_coupons", "CREATE TABLE coupons (code TEXT PRIMARY KEY, percent INTEGER NOT NULL);");
/// Fails in its second statement. SQLite has run the first by then, as MySQL would.
const BROKEN: Migration =
    ("0002_ratings", "ALTER TABLE products ADD COLUMN rating REAL; UPDATE product SET rating = 5;");
const MENDED: Migration =
    ("0002_ratings", "ALTER TABLE products ADD COLUMN rating REAL; UPDATE products SET rating = 5;");

#[tokio::main]
async fn main() -> ExitCode {
    output::log();
    run().await.map_or_else(|err| Style::Text.error("migrate", &err), |()| ExitCode::SUCCESS)
}

async fn run() -> Result<()> {
    let folder = tempfile::Builder::new().prefix("before-migration-").tempdir()?;
    let database = folder.path().join("shop.sqlite");
    shop::make(&database).await?;
    let store = LocalStore::open(folder.path().join("backups")).await?;
    let pipeline = Pipeline::new(SqliteDump::new(&database).with_checksums(), store)
        .with_environment("production")
        .with_level(Level::Decoded);

    migrate(&pipeline, &database, COUPONS).await?;
    if migrate(&pipeline, &database, BROKEN).await.is_ok() {
        return Err(Error::new(ErrorKind::Unexpected, "the broken migration worked"));
    }
    migrate(&pipeline, &database, MENDED).await
}

/// Applies one migration behind the gate, and takes the way back where it fails.
async fn migrate(pipeline: &Pipeline, database: &Path, migration: Migration) -> Result<()> {
    let (name, _) = migration;
    let request = GateRequest::new()
        .with_reason(format!("before {name}"))
        // The program that is started again at once needs no second backup.
        .with_max_age(Duration::from_secs(600))
        .with_state(name);
    match guard(pipeline, request, || apply(database.to_owned(), migration)).await {
        Ok(done) => {
            let backup = done.gate.backup.map(|backup| backup.to_string()).unwrap_or_default();
            print(&format!("applied      {name}, behind {backup} ({:?})", done.gate.source))
        }
        // Nothing was changed.
        Err(GuardError::Gate(err)) => Err(err),
        Err(GuardError::Migration(failed)) => {
            print(&format!("failed       {name}: {}", failed.error))?;
            let Some(rollback) = failed.rollback else { return Err(failed.error) };
            // A service would rather stop here and let somebody decide; a person says the word, or a job of CI.
            let report = rollback.carry_out(&SqliteRestore::new(database), Confirmation::Confirmed).await?;
            print(&format!("rolled back  to {}: {} rows", report.backup, report.rows))?;
            Err(failed.error)
        }
        Err(err) => Err(Error::new(ErrorKind::Unexpected, err.to_string())),
    }
}

/// What `sqlx::migrate!().run(&pool)` is in a program that uses sqlx.
async fn apply(database: PathBuf, (name, script): Migration) -> Result<()> {
    let work = move || -> rusqlite::Result<()> {
        let connection = rusqlite::Connection::open(database)?;
        connection.execute_batch("CREATE TABLE IF NOT EXISTS _migrations (name TEXT PRIMARY KEY);")?;
        connection.execute_batch(script)?;
        connection.execute("INSERT INTO _migrations VALUES (?1)", [name]).map(drop)
    };
    let done = tokio::task::spawn_blocking(work).await;
    let done =
        done.map_err(|err| Error::new(ErrorKind::Unexpected, "the migration was cut off").with_source(err))?;
    done.map_err(|err| Error::new(ErrorKind::ToolFailed, err.to_string()))
}
