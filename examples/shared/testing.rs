//! What the tests of the examples share: the programs that Cargo built beside them, run as a user runs them.
#![allow(clippy::missing_panics_doc, clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

use std::{
    path::Path,
    process::{Command, Output, Stdio},
};

use serde_json::Value;

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
