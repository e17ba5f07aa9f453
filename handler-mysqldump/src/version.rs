//! [`Version`] of servers and client programs, and which client fits which server.

use std::fmt;

mod clients;

pub(crate) use clients::{Client, Clients, Installed, choose, misfit};

/// Which of the two families a server or a client program belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Flavour {
    /// MySQL of Oracle, and what is built from it, such as Percona Server.
    MySql,
    /// MariaDB.
    MariaDb,
}

impl Flavour {
    /// Its name, for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::MySql => "MySQL",
            Self::MariaDb => "MariaDB",
        }
    }

    /// How to get its client programs.
    pub(crate) fn install_hint(self) -> &'static str {
        match self {
            Self::MySql => {
                "install MySQL's client programs: the package mysql-client (Ubuntu, Homebrew), mysql-community-client \
                 (MySQL's own repositories for Debian and Red Hat), or name their folder"
            }
            Self::MariaDb => {
                "install MariaDB's client programs: the package mariadb-client (Debian, Ubuntu), mariadb (Red Hat, \
                 Homebrew), mariadb-client (Alpine), or name their folder"
            }
        }
    }
}

/// A version of a server or a client program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Version {
    /// The family.
    pub flavour: Flavour,
    /// 10 of 10.11.14.
    pub major: u32,
    /// 11 of 10.11.14.
    pub minor: u32,
    /// 14 of 10.11.14.
    pub patch: u32,
}

impl Version {
    /// A version.
    #[must_use]
    pub fn new(flavour: Flavour, major: u32, minor: u32, patch: u32) -> Self {
        Self { flavour, major, minor, patch }
    }

    /// Reads what `SELECT VERSION()` says: `10.11.14-MariaDB-log`, `8.0.36-28`, `9.7.4`.
    #[must_use]
    pub fn of_server(text: &str) -> Option<Self> {
        // What MariaDB puts before its version for old replicas.
        let text = text.trim();
        let own = text.strip_prefix("5.5.5-").filter(|_| text.contains("MariaDB")).unwrap_or(text);
        Self::read(flavour(text), own)
    }

    /// Reads what a client program says for `--version`.
    ///
    /// The number behind `Ver` is that of the program's protocol in old versions and in MariaDB's; the one of the
    /// distribution counts.
    #[must_use]
    pub fn of_client(text: &str) -> Option<Self> {
        let flavour = flavour(text);
        let behind = |word: &str| text.split_once(word).map(|(_, rest)| rest);
        [" Distrib ", " from ", " Ver "]
            .into_iter()
            .filter_map(behind)
            .find_map(|rest| Self::read(flavour, rest.trim_start()))
    }

    fn read(flavour: Flavour, text: &str) -> Option<Self> {
        let end = text.find(|ch: char| !ch.is_ascii_digit() && ch != '.').unwrap_or(text.len());
        let mut numbers = text.get(..end)?.split('.').map(str::parse::<u32>);
        let major = numbers.next()?.ok()?;
        let minor = numbers.next()?.ok()?;
        let patch = numbers.next().and_then(Result::ok).unwrap_or(0);
        Some(Self { flavour, major, minor, patch })
    }

    /// Whether it is of this flavour, and this version or a later one.
    pub(crate) fn is_at_least(self, flavour: Flavour, major: u32, minor: u32, patch: u32) -> bool {
        self.flavour == flavour && (self.major, self.minor, self.patch) >= (major, minor, patch)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}.{}.{}", self.flavour.name(), self.major, self.minor, self.patch)
    }
}

fn flavour(text: &str) -> Flavour {
    if text.contains("MariaDB") { Flavour::MariaDb } else { Flavour::MySql }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_they_are_printed() {
        use Flavour::{MariaDb, MySql};
        for (text, flavour, expected) in [
            (
                "mysqldump  Ver 10.19 Distrib 10.11.19-MariaDB, for debian-linux-gnu (x86_64)",
                MariaDb,
                (10, 11, 19),
            ),
            (
                "mariadb-dump from 11.8.2-MariaDB, client 10.19 for debian-linux-gnu (x86_64)",
                MariaDb,
                (11, 8, 2),
            ),
            (
                "mariadb  Ver 15.1 Distrib 10.11.19-MariaDB, for debian-linux-gnu (x86_64)",
                MariaDb,
                (10, 11, 19),
            ),
            ("mysqldump  Ver 9.7.4-2 for Linux on x86_64 ((Debian))", MySql, (9, 7, 4)),
            ("mysqldump  Ver 10.13 Distrib 5.7.44, for Linux (x86_64)", MySql, (5, 7, 44)),
            (
                "mysql  Ver 14.14 Distrib 5.7.44, for Linux (x86_64) using  EditLine wrapper",
                MySql,
                (5, 7, 44),
            ),
            (
                "mysqldump  Ver 8.0.36-28 for Linux on x86_64 (Percona Server (GPL), Release 28)",
                MySql,
                (8, 0, 36),
            ),
        ] {
            let expected = Version::new(flavour, expected.0, expected.1, expected.2);
            assert_eq!(Version::of_client(text), Some(expected), "{text}");
        }
        for (text, flavour, expected) in [
            ("10.11.19-MariaDB-0+deb12u1-log", MariaDb, (10, 11, 19)),
            ("5.5.5-10.6.12-MariaDB", MariaDb, (10, 6, 12)),
            ("9.7.4-2", MySql, (9, 7, 4)),
            ("8.0.mysql_aurora.3.04.0", MySql, (8, 0, 0)),
        ] {
            let expected = Version::new(flavour, expected.0, expected.1, expected.2);
            assert_eq!(Version::of_server(text), Some(expected), "{text}");
        }
        assert_eq!(Version::of_client("not found"), None);
    }
}
