//! What the tests of the examples share: the programs that Cargo built beside them, run as a user runs them.
#![allow(clippy::missing_panics_doc, clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

use std::{
    path::Path,
    process::{Command, Output, Stdio},
    sync::Arc,
};

use backup_core::{
    Dumper, Filter, Level, Pipeline, Store, compress,
    copy::{self, Copied, CopyOptions},
    pipeline::BackupRequest,
    store::{CopyPolicy, CopyTo, FanOut},
    testkit::faults::FaultyStore,
};
use serde_json::Value;
use storage_local::LocalStore;

/// An example as a program, in an environment that says nothing about databases; its standard input is empty.
#[must_use]
pub fn example(name: &str) -> Command {
    let test = std::env::current_exe().unwrap();
    let path = test.parent().unwrap().parent().unwrap().join("examples").join(name);
    assert!(path.exists(), "{} is not built: run cargo build --examples first", path.display());
    let mut command = Command::new(path);
    command.env_remove("BACKUP_DATABASE_URL").env_remove("BACKUP_TARGET_URL").env_remove("RUST_LOG");
    command.stdin(Stdio::null());
    command
}

/// `backup --json create` of the database at `url`.
#[must_use]
pub fn create(url: &str, store: &Path) -> Command {
    let mut command = example("backup");
    command.args(["--json", "create", "--store"]).arg(store).env("BACKUP_DATABASE_URL", url);
    command
}

/// `backup --json` with these arguments; has to succeed.
#[must_use]
pub fn run(args: &[&str], store: &Path, target: Option<&str>) -> Value {
    let mut command = example("backup");
    command.arg("--json").args(args).arg("--store").arg(store);
    if let Some(target) = target {
        command.env("BACKUP_TARGET_URL", target);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{args:?}: {output:?}");
    json(&output)
}

/// The one document on standard output.
#[must_use]
pub fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|err| panic!("{err}: {output:?}"))
}

/// Every file below a folder.
#[must_use]
pub fn files(folder: &Path) -> Vec<String> {
    let output = Command::new("find").arg(folder).args(["-type", "f"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// Backs a database up into two folders at once, the second of which fails in the middle of the dump; then repairs it.
///
/// The first copy has to be whole all the while, the report has to say what became of the second, and in the end both are
/// proven, and nothing is left to sync.
pub async fn one_of_two_copies_fails(database: Arc<dyn Dumper>) {
    /// More than a claim has, and less than any dump.
    const BYTES: u64 = 400;
    let folder = tempfile::tempdir().unwrap();
    let first = LocalStore::open(folder.path().join("first")).await.unwrap();
    let second = LocalStore::open(folder.path().join("second")).await.unwrap();
    let faulty = FaultyStore::new(second.clone()).fail_body_after(BYTES);
    let fan_out =
        FanOut::new(CopyPolicy::Primary, vec![CopyTo::new(first.clone()), CopyTo::new(faulty)]).unwrap();
    let pipeline =
        Pipeline::new(database, fan_out.clone()).with_compressor(compress::Identity).with_copies(&fan_out);
    let report = pipeline.backup(BackupRequest::new()).await.unwrap();
    assert!(report.manifest.artifact.size > BYTES, "the fault has to hit");
    let errors: Vec<_> = report.copies.iter().map(|copy| copy.error.as_deref()).collect();
    assert_eq!(errors, [None, Some("unavailable")]);
    assert!(
        report.warnings.iter().any(|warning| warning.contains("/second failed")),
        "{:?}",
        report.warnings
    );
    let is_proven = async |store: &LocalStore| {
        let alone = Pipeline::for_store(store.clone());
        alone.verify(&report.backup, Level::Decoded).await.unwrap().ensure_passed().unwrap();
    };
    is_proven(&first).await;
    assert!(Pipeline::for_store(second.clone()).list(&Filter::all()).await.unwrap().entries.is_empty());

    let (from, to): (Arc<dyn Store>, Arc<dyn Store>) = (Arc::new(first.clone()), Arc::new(second.clone()));
    let options = CopyOptions::default();
    let repaired = copy::copy(&report.backup, &from, &to, &options).await.unwrap();
    assert_eq!(repaired.outcome, Copied::Copied);
    let synced = copy::sync(&from, &to, &Filter::all(), &options).await.unwrap();
    assert_eq!((synced.equal, synced.copied.len()), (1, 0));
    is_proven(&first).await;
    is_proven(&second).await;
}
