//! The shortest service: a MySQL or MariaDB database into a local folder, proven before it counts.
//!
//! ```sh
//! DATABASE_URL=mysql://backup:secret@db.example/shop cargo run --package examples --example mysql_to_local
//! ```

use backup_core::{Error, ErrorKind, Kind, Level, Pipeline, Result, pipeline::BackupRequest};
use examples::output::{Style, print};
use handler_mysqldump::MysqlDump;
use storage_local::LocalStore;

async fn nightly(database_url: &str) -> Result<()> {
    let database = MysqlDump::from_url(database_url)?;
    let store = LocalStore::open("backups").await?;
    let pipeline = Pipeline::new(database, store).with_environment("production");

    let report = pipeline.backup(BackupRequest::new().with_kind(Kind::Daily)).await?;
    pipeline.verify(&report.backup, Level::Decoded).await?.ensure_passed()?;
    report.warnings.iter().try_for_each(|warning| print(&format!("warning: {warning}")))?;
    print(&format!("{} is in ./backups, and proven", report.backup))
}

#[tokio::main]
async fn main() -> std::process::ExitCode {
    let url = std::env::var("DATABASE_URL").map_err(|_| {
        Error::new(ErrorKind::InvalidInput, "DATABASE_URL is not set")
            .with_suggestion("set it to the database to back up: mysql://user:password@host/database")
    });
    let result = match url {
        Ok(url) => nightly(&url).await,
        Err(err) => Err(err),
    };
    result.map_or_else(|err| Style::Text.error("backup", &err), |()| std::process::ExitCode::SUCCESS)
}
