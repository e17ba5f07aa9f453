//! Back up on a host that cannot read its own backups, and prove and restore them where the identity is.
//!
//! It makes a small SQLite database and a key, in a temporary folder that is gone afterwards. A real key is made once, by
//! `age-keygen`, and its identity is kept away from the host that backs up.

use std::process::ExitCode;

use backup_core::{
    Encryptor, Error, ErrorKind, Filter, Level, Pipeline, Result,
    encrypt::{Age, NoIdentity},
    pipeline::{BackupRequest, RestoreRequest},
};
use examples::{
    output::{self, Style, count, print},
    shop,
};
use handler_prisma::sqlite::{SqliteDump, SqliteRestore};
use storage_local::LocalStore;

#[tokio::main]
async fn main() -> ExitCode {
    output::log();
    tour().await.map_or_else(|err| Style::Text.error("encrypted", &err), |()| ExitCode::SUCCESS)
}

async fn tour() -> Result<()> {
    let folder = tempfile::Builder::new().prefix("encrypted-").tempdir()?;
    let source = folder.path().join("shop.sqlite");
    shop::make(&source).await?;
    let store = LocalStore::open(folder.path().join("backups")).await?;

    let identity = Age::generate_identity();
    let elsewhere = Age::for_identities(&identity)?;
    let on_the_host = Age::for_recipients(elsewhere.recipients())?;

    let host = Pipeline::new(SqliteDump::new(&source), store.clone()).with_encryptor(on_the_host);
    let report = host.backup(BackupRequest::new()).await?;
    let recipients = report.manifest.encryption.iter().flat_map(|used| &used.recipients);
    print(&format!("1. backed up {}, encrypted", report.backup))?;
    recipients.into_iter().try_for_each(|recipient| print(&format!("             for {recipient}")))?;

    host.verify(&report.backup, Level::Digest).await?.ensure_passed()?;
    match host.verify(&report.backup, Level::Decoded).await {
        Err(err) if NoIdentity::is_cause_of(&err) => {
            print(&format!("2. the host can check its digest, and not read it:\n             {err}"))?;
        }
        _ => return Err(Error::new(ErrorKind::Unexpected, "the host could read what it encrypted")),
    }

    let keeper = Pipeline::for_store(store).with_encryptor(elsewhere);
    let keys = keeper.test_keys(&Filter::all()).await?.ensure_opened()?;
    let read: u64 = keys.tests.iter().map(|test| test.bytes_read).sum();
    print(&format!("3. keys test passed: the identity opens the newest backup ({read} bytes read)"))?;
    keeper.verify(&report.backup, Level::Decoded).await?.ensure_passed()?;
    let target = SqliteRestore::new(folder.path().join("restored.sqlite"));
    let restored = keeper.restore(&report.backup, &target, RestoreRequest::new().confirmed()).await?;
    print(&format!(
        "4. verified and restored with it: {}, {}",
        count(restored.tables, "table"),
        count(restored.rows, "row")
    ))
}
