//! Finds the installed client programs, and chooses among them.

use std::{cmp::Reverse, path::PathBuf};

use backup_core::{
    Error, ErrorKind, Result,
    process::{Host, Places},
};

use super::{Flavour, Version};

/// Where packages keep their clients that are not in `PATH`.
const FOLDERS: &[&str] = &[
    "/usr/bin",
    "/usr/local/bin",
    "/usr/local/mysql/bin",
    "/usr/local/mariadb/bin",
    "/opt/mysql/*/bin",
    "/opt/homebrew/opt/mysql-client*/bin",
    "/opt/homebrew/opt/mysql*/bin",
    "/opt/homebrew/opt/mariadb*/bin",
    "/usr/local/opt/mysql-client*/bin",
    "/usr/local/opt/mysql*/bin",
    "/usr/local/opt/mariadb*/bin",
    "C:\\Program Files\\MySQL\\*\\bin",
    "C:\\Program Files\\MariaDB *\\bin",
];

/// The names of the program that dumps, MariaDB's own first: where it is called by its old name, it says so.
const DUMP: &[&str] = &["mariadb-dump", "mysqldump"];

/// The names of the program that runs SQL.
const SQL: &[&str] = &["mariadb", "mysql"];

/// A client program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Client {
    pub(crate) path: PathBuf,
    pub(crate) version: Version,
    /// The version as the program prints it.
    pub(crate) printed: String,
}

/// The installed client programs; of each kind at least one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Clients {
    pub(crate) dump: Vec<Client>,
    pub(crate) sql: Vec<Client>,
}

/// Where clients are looked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Installed {
    pub(crate) host: Host,
    /// These folders alone; the usual ones and `PATH` where there are none.
    pub(crate) folders: Vec<PathBuf>,
}

impl Installed {
    /// All programs, in one go.
    ///
    /// # Errors
    ///
    /// [`ToolNotFound`](ErrorKind::ToolNotFound) where there is none that runs SQL, or none that dumps.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub(crate) async fn clients(&self) -> Result<Clients> {
        let names: Vec<&str> = DUMP.iter().chain(SQL).copied().collect();
        let said = match self.said(&names).await {
            Ok(said) => said,
            Err(err) if matches!(err.kind(), ErrorKind::ToolFailed | ErrorKind::ToolNotFound) => {
                return Err(self.none("mysql").with_source(err));
            }
            Err(err) => return Err(err),
        };
        let mut clients = Clients::default();
        for (path, printed) in said {
            let Some(version) = Version::of_client(&printed) else { continue };
            let dumps =
                path.file_stem().and_then(|name| name.to_str()).is_some_and(|name| DUMP.contains(&name));
            let client = Client { path, version, printed };
            if dumps { clients.dump.push(client) } else { clients.sql.push(client) }
        }
        if clients.sql.is_empty() {
            return Err(self.none("mysql"));
        }
        if clients.dump.is_empty() {
            return Err(self.none("mysqldump"));
        }
        Ok(clients)
    }

    /// The programs of these names, and what they say of their version.
    async fn said(&self, names: &[&str]) -> Result<Vec<(PathBuf, String)>> {
        if self.folders.is_empty() {
            return self.host.installed(names, Places::FoldersAndPath(FOLDERS)).await;
        }
        let folders: Vec<&str> = self.folders.iter().filter_map(|folder| folder.to_str()).collect();
        self.host.installed(names, Places::Folders(&folders)).await
    }

    fn none(&self, tool: &str) -> Error {
        let mut err =
            Error::new(ErrorKind::ToolNotFound, "a client program of MySQL or MariaDB is not installed")
                .with_context("tool", tool);
        if let Some(host) = self.host.name() {
            err = err.with_context("host", host);
        }
        for folder in &self.folders {
            err = err.with_context("folder", folder.display());
        }
        err.with_suggestion(Flavour::MariaDb.install_hint()).with_suggestion(Flavour::MySql.install_hint())
    }
}

/// The clients in the order in which they fit the server: its own flavour, not older, as near as possible.
pub(crate) fn choose(mut clients: Vec<Client>, server: Version) -> Vec<Client> {
    let number = |version: Version| version.major * 100 + version.minor;
    clients.sort_by_key(|client| {
        let version = client.version;
        (
            version.flavour != server.flavour,
            number(version) < number(server),
            number(version).abs_diff(number(server)),
            Reverse(version.patch),
        )
    });
    clients
}

/// What a program that is not the server's own may not do as well.
pub(crate) fn misfit(client: &Client, server: Version) -> Option<String> {
    let version = client.version;
    if version.flavour != server.flavour {
        return Some(format!(
            "the dump of {server} is made by {version}'s program, because the server's own is not installed: {}",
            server.flavour.install_hint()
        ));
    }
    ((version.major, version.minor) < (server.major, server.minor) && server.flavour == Flavour::MySql).then(
        || {
            format!(
                "the program that dumps is {version}, older than the server, {server}: {}",
                server.flavour.install_hint()
            )
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(flavour: Flavour, major: u32, minor: u32, patch: u32) -> Client {
        let version = Version::new(flavour, major, minor, patch);
        Client { path: version.to_string().into(), version, printed: version.to_string() }
    }

    #[test]
    fn the_servers_own_flavour_and_the_nearest_version_that_is_not_older_come_first() {
        use Flavour::{MariaDb, MySql};
        let installed = [
            client(MySql, 8, 0, 36),
            client(MySql, 9, 7, 4),
            client(MySql, 8, 4, 2),
            client(MariaDb, 10, 11, 19),
            client(MariaDb, 11, 8, 2),
        ];
        for (server, expected) in [
            (Version::new(MySql, 8, 0, 40), "MySQL 8.0.36"),
            (Version::new(MySql, 8, 3, 0), "MySQL 8.4.2"),
            (Version::new(MySql, 5, 7, 44), "MySQL 8.0.36"),
            (Version::new(MariaDb, 10, 6, 1), "MariaDB 10.11.19"),
            (Version::new(MariaDb, 12, 0, 1), "MariaDB 11.8.2"),
        ] {
            assert_eq!(choose(installed.to_vec(), server)[0].printed, expected, "{server}");
        }
        let foreign = choose(vec![client(MariaDb, 10, 11, 19)], Version::new(MySql, 9, 7, 4));
        let warning = misfit(&foreign[0], Version::new(MySql, 9, 7, 4)).unwrap();
        assert!(warning.contains("mysql-client"), "{warning}");
        assert_eq!(misfit(&client(MySql, 9, 7, 4), Version::new(MySql, 9, 7, 1)), None);
    }
}
