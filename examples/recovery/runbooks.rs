//! Each command of each runbook is run, against the disaster that it is for, and the database works afterwards.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    fmt::Write as _,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

/// Every page, and so every test of this module and the ones below it.
const PAGES: [&str; 6] =
    ["catalog-lost", "data-deleted", "database-corrupted", "host-lost", "key-lost", "ransomware"];

fn pages() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../backup-core/docs/runbooks")
}

/// A place where something happens, and where a page is followed.
pub(crate) struct Stage {
    folder: TempDir,
    path: Vec<PathBuf>,
}

impl Stage {
    /// An empty one, whose commands find these programs first.
    pub(crate) fn new(programs: Option<PathBuf>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bin = folder.path().join("bin");
        std::fs::create_dir(&bin).unwrap();
        // What `cargo backup` runs, without the build that it would look at first.
        let backup = examples::testing::example("backup");
        let script = format!(
            "#!/bin/sh\n[ \"$1\" = backup ] || {{ echo \"not a command of the runbooks: cargo $1\" >&2; exit 99; }}\nshift\nexec '{}' \"$@\"\n",
            backup.get_program().display()
        );
        std::fs::write(bin.join("cargo"), script).unwrap();
        std::fs::set_permissions(bin.join("cargo"), std::fs::Permissions::from_mode(0o755)).unwrap();
        let path = std::iter::once(bin).chain(programs).collect();
        Self { folder, path }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Lets clients of PostgreSQL find a password.
    pub(crate) fn password(&self, password: &str) {
        let escaped = password.replace('\\', "\\\\").replace(':', "\\:");
        let file = self.path(".pgpass");
        std::fs::write(&file, format!("*:*:*:*:{escaped}\n")).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// Runs commands in a shell, up to the first that fails; what they printed.
    pub(crate) fn sh(&self, commands: &str, names: &BTreeMap<&str, String>) -> String {
        let inherited = std::env::var_os("PATH").unwrap();
        let path =
            std::env::join_paths(self.path.iter().cloned().chain(std::env::split_paths(&inherited))).unwrap();
        let mut shell = Command::new("bash");
        shell.args(["-euo", "pipefail", "-c", commands]).current_dir(self.folder.path());
        shell.env_clear().env("PATH", path).env("HOME", self.folder.path()).env("LC_ALL", "C.UTF-8");
        for kept in ["TMPDIR", "USER"].into_iter().filter_map(|name| Some((name, std::env::var_os(name)?))) {
            shell.env(kept.0, kept.1);
        }
        let output =
            shell.envs(names.iter().map(|(name, value)| (name, OsStr::new(value)))).output().unwrap();
        let mut said = String::from_utf8_lossy(&output.stdout).into_owned();
        write!(said, "{}", String::from_utf8_lossy(&output.stderr)).unwrap();
        assert!(output.status.success(), "{}: {commands}\n{said}", output.status);
        said
    }

    /// Follows a page: all of its commands, in one shell, with the names that it tells to set and no others.
    pub(crate) fn follow(&self, page: &str, names: &[(&'static str, String)]) -> String {
        let text = std::fs::read_to_string(pages().join(format!("{page}.md"))).unwrap();
        let Page { named, commands } = Page::read(&text);
        let names: BTreeMap<&str, String> = names.iter().cloned().collect();
        assert_eq!(named, names.keys().map(|name| (*name).to_owned()).collect(), "the names of {page}");
        self.sh(&commands, &names)
    }
}

/// What stands in the blocks of a page.
struct Page {
    named: BTreeSet<String>,
    commands: String,
}

impl Page {
    fn read(text: &str) -> Self {
        let mut page = Self { named: BTreeSet::new(), commands: String::new() };
        let mut block = None;
        for line in text.lines() {
            match (block, line.strip_prefix("```")) {
                (None, Some(language)) => block = Some(language),
                (Some(_), Some(_)) => block = None,
                (Some("sh"), None) => page.commands.extend([line, "\n"]),
                (Some("text"), None) => {
                    page.named.extend(line.split_once('=').map(|(name, _)| name.to_owned()));
                }
                (Some(other), None) => panic!("a block of {other:?} is run by nobody"),
                (None, None) => {}
            }
        }
        assert!(!page.commands.is_empty() && !page.named.is_empty());
        page
    }
}

#[test]
fn every_page_is_followed_by_a_test_and_says_what_a_person_needs() {
    let there =
        std::fs::read_dir(pages()).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let there: BTreeSet<String> = there.collect();
    assert_eq!(there, PAGES.iter().map(|page| format!("{page}.md")).collect());
    let tests = concat!(include_str!("runbooks_sqlite.rs"), include_str!("runbooks_servers.rs"));
    for page in PAGES {
        assert!(tests.contains(&format!("stage.follow(\"{page}\", &names)")), "no test follows {page}");
        let text = std::fs::read_to_string(pages().join(format!("{page}.md"))).unwrap();
        for part in [
            "**Situation.**",
            "**First, do no harm.**",
            "**Decide.**",
            "\n1. ",
            "**It worked when**",
            "**It takes**",
            "**Afterwards.**",
        ] {
            assert!(text.contains(part), "{page} does not say {part}");
        }
    }
}
