//! The migrations in a project's folder.

use std::path::{Path, PathBuf};

use backup_core::{Digest, Error, ErrorKind, Result};
use serde::Serialize;

use super::MigrationsFolder;
use crate::project::files;

/// The largest script that is read, in bytes.
const LARGEST_SCRIPT: u64 = 256 * 1024 * 1024;

/// The script of a migration, in its folder.
const SCRIPT: &str = "migration.sql";

/// Says the provider of the migrations.
const LOCK: &str = "migration_lock.toml";

/// A migration in the project's folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LocalMigration {
    /// The name of its folder.
    pub name: String,
    /// The checksums that the engine takes for equal: of the script as it is, with `\n`, and with `\r\n`.
    checksums: Vec<String>,
}

impl LocalMigration {
    /// A migration with this script; `None` for a folder without one.
    pub fn new(name: impl Into<String>, script: Option<&[u8]>) -> Self {
        Self { name: name.into(), checksums: script.map(checksums).unwrap_or_default() }
    }

    /// Whether its folder has a script; a deploy stops at one without.
    #[must_use]
    pub fn has_script(&self) -> bool {
        !self.checksums.is_empty()
    }

    /// The SHA-256 of the script as it is, in hexadecimal digits.
    #[must_use]
    pub fn checksum(&self) -> Option<&str> {
        self.checksums.first().map(String::as_str)
    }

    /// Whether a checksum in the database is of this script, whatever its line breaks.
    #[must_use]
    pub fn matches(&self, recorded: &str) -> bool {
        self.checksums.iter().any(|checksum| {
            // Old engines left out the zero before a byte of one digit.
            checksum == recorded || (recorded.len() != 64 && unpadded(checksum) == recorded)
        })
    }
}

fn checksums(script: &[u8]) -> Vec<String> {
    let hash = |bytes: &[u8]| Digest::sha256(bytes).hex();
    let mut found = vec![hash(script)];
    let lf = without_returns(script);
    let mut crlf = Vec::with_capacity(lf.len());
    for line in lf.split_inclusive(|byte| *byte == b'\n') {
        match line.strip_suffix(b"\n") {
            Some(line) => {
                crlf.extend_from_slice(line);
                crlf.extend_from_slice(b"\r\n");
            }
            None => crlf.extend_from_slice(line),
        }
    }
    for variant in [hash(&lf), hash(&crlf)] {
        if !found.contains(&variant) {
            found.push(variant);
        }
    }
    found
}

/// The text with `\n` for every `\r\n`.
fn without_returns(text: &[u8]) -> Vec<u8> {
    let mut found = Vec::with_capacity(text.len());
    let mut bytes = text.iter().peekable();
    while let Some(byte) = bytes.next() {
        if !(*byte == b'\r' && bytes.peek() == Some(&&b'\n')) {
            found.push(*byte);
        }
    }
    found
}

fn unpadded(checksum: &str) -> String {
    let pairs = checksum.as_bytes().chunks(2).filter_map(|pair| std::str::from_utf8(pair).ok());
    pairs.map(|pair| pair.strip_prefix('0').unwrap_or(pair)).collect()
}

/// What a folder of migrations holds.
#[derive(Debug, Default)]
pub(super) struct Folder {
    pub(super) found: MigrationsFolder,
    pub(super) migrations: Vec<LocalMigration>,
    pub(super) provider: Option<String>,
}

/// Reads the folder of migrations; one that is not there holds none.
pub(super) async fn read(path: &Path) -> Result<Folder> {
    let path = path.to_owned();
    tokio::task::spawn_blocking(move || read_blocking(&path)).await.map_err(|err| {
        Error::new(ErrorKind::Unexpected, "reading the migrations was cut off").with_source(err)
    })?
}

fn read_blocking(path: &Path) -> Result<Folder> {
    let Some(entries) = files::entries(path)? else { return Ok(Folder::default()) };
    let mut folder = Folder { found: MigrationsFolder::Present, ..Folder::default() };
    for entry in entries {
        // Every folder is a migration, and a symbolic link to one is none.
        let kind =
            entry.file_type().map_err(|err| Error::from(err).with_context("path", entry.path().display()))?;
        if !kind.is_dir() {
            continue;
        }
        let name = entry.file_name().into_string().map_err(|name| {
            Error::new(ErrorKind::InvalidInput, "the name of a migration is not UTF-8")
                .with_context("migration", name.display())
        })?;
        let script: PathBuf = entry.path().join(SCRIPT);
        let script = match files::bytes(&script, LARGEST_SCRIPT) {
            Ok(script) => Some(script),
            Err(err) if err.kind() == ErrorKind::NotFound => None,
            Err(err) => return Err(err),
        };
        folder.migrations.push(LocalMigration::new(name, script.as_deref()));
    }
    if let Some(text) = files::read_if_there(&path.join(LOCK))? {
        folder.provider = provider(&text);
    }
    Ok(folder)
}

/// `provider = "…"` of a lock file.
fn provider(text: &str) -> Option<String> {
    let value = |line: &str| {
        let rest = line.trim().strip_prefix("provider")?.trim_start().strip_prefix('=')?.trim_start();
        let quote = rest.chars().next().filter(|letter| matches!(letter, '"' | '\''))?;
        rest.get(1..)?.split_once(quote).map(|(value, _)| value.to_owned())
    };
    text.lines().find_map(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_breaks_do_not_make_another_script() {
        let unix = LocalMigration::new("a", Some(b"CREATE TABLE a;\nDROP TABLE a;\n"));
        let dos = LocalMigration::new("a", Some(b"CREATE TABLE a;\r\nDROP TABLE a;\r\n"));
        assert!(unix.matches(dos.checksum().unwrap()) && dos.matches(unix.checksum().unwrap()));
        let other = LocalMigration::new("a", Some(b"CREATE TABLE b;\n"));
        assert!(!unix.matches(other.checksum().unwrap()));
    }

    #[test]
    fn checksums_of_old_engines_are_known_too() {
        let script = (0..100_000).map(|number: u32| format!("SELECT {number};")).find(|script| {
            LocalMigration::new("a", Some(script.as_bytes())).checksum().unwrap().starts_with('0')
        });
        let local = LocalMigration::new("a", Some(script.unwrap().as_bytes()));
        let old = unpadded(local.checksum().unwrap());
        assert!(old.len() < 64 && local.matches(&old));
        assert!(!local.matches(old.get(1..).unwrap()));
    }

    #[test]
    fn the_provider_of_a_lock_file_is_read() {
        let text = "# Please do not edit\n# It should be added\nprovider = \"postgresql\"\n";
        assert_eq!(provider(text).as_deref(), Some("postgresql"));
        assert_eq!(provider("# provider = \"x\"\n"), None);
    }
}
