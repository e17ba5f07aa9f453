//! Limits of the process: open files, the size of a file, memory. A run that meets one names it, or dies; it never says
//! that it made a backup which is not there, and nothing of it stands in the way of the next one.
#![allow(clippy::case_sensitive_file_extension_comparisons)] // The store itself made the names.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use examples::testing::{self, example, json};
use rusqlite::Connection;

use crate::swept;

/// A public key of age, whose identity nobody has: what is stored is larger than the database by what sealing adds.
const RECIPIENT: &str = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let shop = Connection::open(folder.path().join("shop.sqlite")).unwrap();
        shop.execute_batch(
            "create table orders (token blob); with recursive n(i) as (select 1 union all select i + 1 from n where i < 2000)
             insert into orders select randomblob(2000) from n;",
        )
        .unwrap();
        Self { folder }
    }

    fn database(&self) -> PathBuf {
        self.folder.path().join("shop.sqlite")
    }

    fn store(&self) -> PathBuf {
        self.folder.path().join("backups")
    }

    /// `backup --json create` with `args` after what a shell did before.
    fn limited(&self, before: &str, args: &[&str]) -> Output {
        let create = example("backup");
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("{before}; exec \"$@\""), "sh"]).arg(create.get_program());
        shell.args(["--json", "create", "--store"]).arg(self.store()).args(args);
        shell
            .env("BACKUP_DATABASE_URL", self.url())
            .env("RUST_BACKTRACE", "0")
            .current_dir(self.folder.path());
        shell.output().unwrap()
    }

    fn url(&self) -> String {
        format!("sqlite:{}", self.database().display())
    }

    /// What the run said is what is there, and an error is one of a kind, with advice; and then nothing is in the way of the
    /// next one.
    fn check(&self, output: &Output) -> Option<String> {
        let succeeded = output.status.code().is_some_and(|code| code < 2);
        let code = (!succeeded && !output.stdout.is_empty()).then(|| {
            let error = json(output);
            assert_ne!(error["code"], "unexpected", "{error}");
            assert!(!error["recovery"]["suggestions"].as_array().unwrap().is_empty(), "{error}");
            error["code"].as_str().unwrap().to_owned()
        });
        assert_eq!(listed(&self.store()), usize::from(succeeded), "{output:?}");
        let next = testing::create(&self.url(), &self.store()).output().unwrap();
        assert!(next.status.success(), "the next run fails: {next:?}");
        let (backups, left) = swept(&self.store());
        assert_eq!(backups, 1 + usize::from(succeeded), "{left:?}");
        assert!(!left.iter().any(|file| file.contains(".part") || file.ends_with(".claim.json")), "{left:?}");
        let beside = fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
        let beside: Vec<_> = beside.filter(|name| name != "backups" && name != "shop.sqlite").collect();
        assert!(beside.is_empty(), "{beside:?}");
        code
    }
}

/// How many backups are listed; none where the folder was not even made.
fn listed(store: &Path) -> usize {
    if !store.exists() {
        return 0;
    }
    testing::run(&["list"], store, None)["result"]["backups"].as_array().unwrap().len()
}

#[test]
fn a_process_without_file_descriptors_names_that_or_makes_a_backup() {
    let mut codes = Vec::new();
    for limit in [8, 10, 12, 13, 14, 15, 16, 24] {
        let place = Place::new();
        let output = place.limited(&format!("ulimit -n {limit}"), &[]);
        let code = place.check(&output);
        println!("{limit} files: {:?}, {code:?}", output.status);
        codes.extend(code);
    }
    assert!(!codes.is_empty() && codes.iter().all(|code| code == "unavailable"), "{codes:?}");
}

#[test]
fn a_limit_of_the_size_of_a_file_is_named_and_leaves_nothing_to_see() {
    let args = ["--compression", "none", "--recipient", RECIPIENT];
    // Before the dump, which makes a copy of the database, and in the store, which takes some bytes more than the database has.
    for part in [2, 1] {
        for ignored in [true, false] {
            let place = Place::new();
            let blocks = fs::metadata(place.database()).unwrap().len() / 512 / part;
            let before = if ignored { "trap '' XFSZ" } else { "ulimit -c 0" };
            let output = place.limited(&format!("{before}; ulimit -f {blocks}"), &args);
            let code = place.check(&output);
            println!("1/{part} of it, ignored: {ignored}: {:?}, {code:?}", output.status);
            // The signal that comes with it does not end the program.
            assert_eq!(code.as_deref(), Some("insufficient_disk_space"), "{output:?}");
            assert!(String::from_utf8_lossy(&output.stdout).contains("`ulimit -f`"), "{output:?}");
        }
    }
}

#[test]
fn a_process_without_memory_may_die_and_does_not_lie() {
    let mut died = 0;
    for mebibytes in [30, 60, 120, 300, 1000] {
        let place = Place::new();
        // Without room for a thread, what one of tokio's pool was to do waits behind what waits for it, until the stall
        // timeout: half an hour.
        let killed = "set -- timeout -s KILL 60 \"$@\"";
        let output = place.limited(&format!("ulimit -c 0; {killed}; ulimit -v {}", mebibytes * 1024), &[]);
        let code = place.check(&output);
        println!("{mebibytes} MiB: {:?}, {code:?}", output.status);
        died += u32::from(!output.status.success());
    }
    assert!(died > 0, "no limit was met");
}

#[test]
#[cfg(target_os = "linux")]
fn a_store_on_a_disk_that_is_read_only_is_listed_copied_verified_and_restored_from() {
    let place = Place::new();
    let created = json(&testing::create(&place.url(), &place.store()).output().unwrap());
    let id = created["result"]["backup"]["id"].as_str().unwrap();
    let at = |name: &str| place.folder.path().join(name).display().to_string();
    let target = format!("sqlite:{}", at("restored.sqlite"));
    let (copy, catalog) = (at("copy"), at("catalog.json"));
    for (args, code) in [
        (vec!["list"], 0),
        // What was proven cannot be noted there, which is a warning.
        (vec!["verify", id, "--level", "decoded"], 1),
        (vec!["copy", "--to", &copy], 0),
        (vec!["export-catalog", "--to", &catalog], 0),
        (vec!["restore", id, "--target", &target, "--confirm"], 0),
        (vec!["delete", id, "--confirm"], 2),
        (vec!["sweep"], 2),
    ] {
        let output = read_only(&place.store(), &args);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {output:?}");
        if code == 2 {
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(said.contains("read"), "{args:?}: {said}");
        }
    }
    let restored = Connection::open(at("restored.sqlite")).unwrap();
    let rows: u64 = restored.query_row("select count(*) from orders", [], |row| row.get(0)).unwrap();
    assert_eq!((rows, listed(Path::new(&copy))), (2000, 1));
}

/// Runs `backup --json` with a store that nobody can write to, as on a disk that was attached read-only.
#[cfg(target_os = "linux")]
fn read_only(store: &Path, args: &[&str]) -> Output {
    let script = "set -e; store=$1; shift; mount --bind \"$store\" \"$store\"; mount -o remount,bind,ro \"$store\"; exec \"$@\"";
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    let flags = if is_root { "-m" } else { "-rm" };
    let mut shell = Command::new("unshare");
    shell.args([flags, "--", "sh", "-c", script, "sh"]).arg(store).arg(example("backup").get_program());
    shell.arg("--json").args(args).arg("--store").arg(store).output().unwrap()
}
