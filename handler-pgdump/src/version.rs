//! [`Version`] of servers and client programs, and which client fits which server.

use std::fmt;

use backup_core::{Error, ErrorKind, Result};

mod clients;
mod restore;

pub(crate) use clients::{Client, Installed, Program};
pub use restore::ClientSafety;
pub(crate) use restore::{RestoreNeeds, client_for_restore};

/// A version of PostgreSQL, of a server or a client program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// The major version: 17 of 17.6, and 9 of 9.6.
    pub major: u32,
    /// The minor version: 6 of 17.6; 0 of a version before its first release.
    pub minor: u32,
}

/// The first minor versions whose clients are safe against a hostile dump (CVE-2025-8714, CVE-2025-8715: a
/// superuser of the dumped server could run code where the dump is restored), by the release notes of
/// 2025-08-14. Majors that are older never got the fix, newer ones had it from the start.
const SAFE: &[(u32, u32)] = &[(13, 22), (14, 19), (15, 14), (16, 10), (17, 6)];

impl Version {
    /// A version.
    #[must_use]
    pub fn new(major: u32, minor: u32) -> Self {
        Self { major, minor }
    }

    /// Reads what `pg_dump --version` prints, `server_version`, or a bare `15.14`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let words = text.split_whitespace().filter(|word| word.starts_with(|ch: char| ch.is_ascii_digit()));
        words.map(Self::parse_word).find(Option::is_some).flatten()
    }

    fn parse_word(word: &str) -> Option<Self> {
        let digits = |text: &str| {
            let end = text.find(|ch: char| !ch.is_ascii_digit()).unwrap_or(text.len());
            text.get(..end).and_then(|digits| digits.parse().ok())
        };
        let (major, minor) = match word.split_once('.') {
            Some((major, minor)) => (major.parse().ok()?, digits(minor)?),
            // `17beta1`, `18devel`.
            None => (digits(word)?, 0),
        };
        Some(Self { major, minor })
    }

    /// Reads `server_version_num`.
    pub(crate) fn from_number(number: u32) -> Self {
        let major = number / 10_000;
        Self { major, minor: if major < 10 { number / 100 % 100 } else { number % 10_000 } }
    }

    /// Whether clients of this version are safe to feed a dump to; see the table of this crate's front page.
    #[must_use]
    pub fn restores_safely(self) -> bool {
        match SAFE.iter().find(|(major, _)| *major == self.major) {
            Some((_, minor)) => self.minor >= *minor,
            None => self.major > 17,
        }
    }

    /// The first safe version of this one's major, or of the oldest major that has one.
    pub(crate) fn safe_version(self) -> Self {
        let newest = Self::new(self.major, 0);
        let listed = SAFE.iter().find(|(major, _)| *major >= self.major);
        listed.map_or(newest, |(major, minor)| Self::new(*major, *minor))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// Chooses the clients that dump a server: of the same major version, else of the next newer one.
///
/// The nearest, because a newer `pg_dump` writes statements that an older server does not know.
pub(crate) fn client_for_dump(installed: &[Client], server: Version) -> Result<&Client> {
    let fitting = installed.iter().filter(|client| client.version.major >= server.major);
    fitting
        .min_by_key(|client| (client.version.major, std::cmp::Reverse(client.version.minor)))
        .ok_or_else(|| too_old("pg_dump", installed, server))
}

fn too_old(tool: &'static str, installed: &[Client], server: Version) -> Error {
    Error::new(ErrorKind::ToolVersion, "every installed client is older than the server")
        .with_context("tool", tool)
        .with_context("installed", list(installed))
        .with_context("server", server)
        .with_suggestion(install_hint(server.major))
}

/// The versions, in words.
pub(crate) fn list(installed: &[Client]) -> String {
    let versions: Vec<_> = installed.iter().map(|client| client.version.to_string()).collect();
    versions.join(", ")
}

/// How to get the clients of a major version.
pub(crate) fn install_hint(major: u32) -> String {
    format!(
        "install the clients of version {major} or newer: the package postgresql-client-{major} (Debian, \
         Ubuntu), postgresql{major} (Red Hat), postgresql@{major} (Homebrew), or name their folder"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clients(versions: &[(u32, u32)]) -> Vec<Client> {
        versions.iter().map(|(major, minor)| Client::of(Version::new(*major, *minor))).collect()
    }

    #[test]
    fn versions_are_read_as_they_are_printed() {
        for (text, expected) in [
            ("pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)", (15, 18)),
            ("psql (PostgreSQL) 17beta1", (17, 0)),
            ("psql (PostgreSQL) 18devel", (18, 0)),
            ("pg_dump (PostgreSQL) 9.6.24", (9, 6)),
            ("16.10", (16, 10)),
        ] {
            assert_eq!(Version::parse(text), Some(Version::new(expected.0, expected.1)), "{text}");
        }
        assert_eq!(Version::parse("not found"), None);
        assert_eq!(Version::from_number(170_006), Version::new(17, 6));
        assert_eq!(Version::from_number(90_624), Version::new(9, 6));
    }

    #[test]
    fn the_nearest_client_that_is_not_older_dumps() {
        let installed = clients(&[(13, 22), (15, 1), (15, 14), (17, 6), (18, 0)]);
        for (server, expected) in [(15, (15, 14)), (16, (17, 6)), (14, (15, 14)), (9, (13, 22))] {
            let chosen = client_for_dump(&installed, Version::new(server, 3)).unwrap();
            assert_eq!(chosen.version, Version::new(expected.0, expected.1), "server {server}");
        }
    }

    #[test]
    fn a_server_newer_than_every_client_is_refused_with_the_package() {
        let err = client_for_dump(&clients(&[(13, 22), (15, 14)]), Version::new(17, 2)).unwrap_err();
        assert_eq!(err.kind(), ErrorKind::ToolVersion);
        assert!(err.to_string().contains("installed: 13.22, 15.14, server: 17.2"), "{err}");
        assert!(err.suggestions()[0].contains("postgresql-client-17"), "{err:?}");
    }

    #[test]
    fn clients_from_before_the_fix_are_not_safe() {
        for (major, minor, safe) in [
            (12, 22, false),
            (13, 21, false),
            (13, 22, true),
            (14, 18, false),
            (14, 19, true),
            (15, 13, false),
            (15, 14, true),
            (16, 9, false),
            (16, 10, true),
            (17, 5, false),
            (17, 6, true),
            (18, 0, true),
            (19, 0, true),
        ] {
            assert_eq!(Version::new(major, minor).restores_safely(), safe, "{major}.{minor}");
        }
        assert_eq!(Version::new(15, 2).safe_version(), Version::new(15, 14));
        assert_eq!(Version::new(9, 6).safe_version(), Version::new(13, 22));
    }
}
