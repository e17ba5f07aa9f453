//! [`PrivateMysql`]: a MariaDB or MySQL server that a test starts for itself, and that is gone afterwards.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use tokio::sync::OnceCell;

use super::server::{HOST, Recipe, Supervised, encoded};
use crate::{ByteStream, Secret, process::Tool};

const SUPERUSER: &str = "root";
const NOT_INSTALLED: &str = "the test needs a MariaDB or MySQL server: run `apt-get install mariadb-server`, or \
    set BACKUP_TEST_MYSQL_BIN to the directory that holds `mariadbd` or `mysqld` and the client programs";

/// Where distributions keep the server, which is not always in `PATH`.
const SERVER_FOLDERS: &[&str] = &["/usr/sbin", "/usr/libexec", "/usr/bin", "/usr/local/sbin"];

/// The most that [`PrivateMysql::sql`] returns, in bytes.
const PRINTED: usize = 64 * 1024 * 1024;

/// What the server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Flavour {
    /// MariaDB.
    MariaDb,
    /// MySQL of Oracle.
    MySql,
}

/// A MariaDB or MySQL server of a test's own: private directory, free port, random password, binary log on.
///
/// # Contract
///
/// Neither a process nor a file of it is left when this is dropped (the drop waits for that), when the test
/// panics, and soon after the test's process is killed. No other server is ever touched. The server is the one
/// in `BACKUP_TEST_MYSQL_BIN`, else a `mariadbd`, else a `mysqld` of the usual folders; as both refuse to run as
/// root, it runs as `mysql` or `nobody` then. Its superuser has a password with characters that need care in URLs,
/// option files and shells, over TCP and over the socket.
///
/// # Examples
///
/// ```no_run
/// use backup_core::testkit::mysql::PrivateMysql;
///
/// # async fn example() {
/// let server = PrivateMysql::start().await;
/// server.create_database("app").await;
/// assert_eq!(server.sql("app", "select 1").await, "1");
/// # }
/// ```
#[derive(Debug)]
pub struct PrivateMysql {
    server: Supervised,
    programs: Programs,
}

/// The programs of one installation.
#[derive(Debug, Clone)]
struct Programs {
    flavour: Flavour,
    server: PathBuf,
    /// `mariadb` or `mysql`; the other clients are beside it.
    client: PathBuf,
}

impl PrivateMysql {
    /// Starts a server, which takes some seconds.
    ///
    /// # Panics
    ///
    /// When no server is installed, saying what to install, or when it does not start, with its log.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: a server whose start was dropped is stopped once it runs.
    pub async fn start() -> Self {
        let arguments = |port: u16| -> Vec<OsString> {
            let programs = Programs::find();
            let flavour = if programs.flavour == Flavour::MariaDb { "mariadb" } else { "mysql" };
            vec![flavour.into(), programs.server.into(), port.to_string().into(), SUPERUSER.into()]
        };
        let recipe = Recipe {
            name: "my",
            script: include_str!("mysql.sh"),
            users: &["mysql"],
            port_taken: "Bind on TCP/IP port",
            arguments,
        };
        Self { server: recipe.start().await, programs: Programs::find() }
    }

    /// One server for all tests of a process, started by the first that asks.
    ///
    /// It ends with the process. Tests that share it must use databases of their own.
    ///
    /// # Panics
    ///
    /// Like [`start`](Self::start).
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn shared() -> &'static Self {
        static SHARED: OnceCell<PrivateMysql> = OnceCell::const_new();
        SHARED.get_or_init(Self::start).await
    }

    /// What the server is.
    #[must_use]
    pub fn flavour(&self) -> Flavour {
        self.programs.flavour
    }

    /// The server's TCP address.
    #[must_use]
    #[allow(clippy::unused_self)] // A test asks the server, wherever it listens.
    pub fn host(&self) -> &str {
        HOST
    }

    /// The server's port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.server.port
    }

    /// Its Unix socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.server.directory().join("socket/s")
    }

    /// The directory that holds all of it, and that is removed at the end.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.server.directory()
    }

    /// The name of the superuser.
    #[must_use]
    #[allow(clippy::unused_self)] // As with `host`.
    pub fn superuser(&self) -> &str {
        SUPERUSER
    }

    /// The superuser's password.
    #[must_use]
    pub fn password(&self) -> Secret {
        self.server.password.clone()
    }

    /// `mysql://user:password@host:port/database` of the superuser, percent-encoded.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        let (password, database) = (encoded(self.password().expose()), encoded(database));
        format!("mysql://{SUPERUSER}:{password}@{HOST}:{}/{database}", self.port())
    }

    /// The server's own client program that reads SQL: `mariadb` or `mysql`.
    #[must_use]
    pub fn client(&self) -> &Path {
        &self.programs.client
    }

    /// Another client program of the same installation, such as `mysqldump`.
    #[must_use]
    pub fn bin(&self, name: &str) -> PathBuf {
        self.programs.client.with_file_name(name)
    }

    /// The process id of the server.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.server.pid()
    }

    /// Creates a database of exactly this name, with utf8mb4.
    ///
    /// # Panics
    ///
    /// When the server refuses.
    ///
    /// # Cancel safety
    ///
    /// A dropped call may have created it.
    pub async fn create_database(&self, name: &str) {
        let name = name.replace('`', "``");
        self.sql("", &format!("CREATE DATABASE `{name}` CHARACTER SET utf8mb4;")).await;
    }

    /// Runs statements up to the first error, and returns rows as lines, with tabs between columns.
    ///
    /// # Panics
    ///
    /// With the client's message when a statement fails.
    ///
    /// # Cancel safety
    ///
    /// A dropped call may have run any of the statements.
    pub async fn sql(&self, database: &str, sql: &str) -> String {
        let client = Tool::new("mysql", &self.programs.client)
            .args(["--no-defaults", "--batch", "--raw", "--skip-column-names", "--binary-mode"])
            .args(["--default-character-set=utf8mb4", "--max-allowed-packet=1G", "--protocol=socket", "-S"])
            .arg(self.socket())
            .args(["-u", SUPERUSER, "--", database])
            .secret_env("MYSQL_PWD", self.password());
        match client.feed(ByteStream::from(Bytes::from(sql.to_owned())), PRINTED).await {
            Ok(output) => String::from_utf8(output.stdout.to_vec()).expect("UTF-8").trim_end().to_owned(),
            Err(err) => panic!("in {database}: {err}"),
        }
    }

    /// Kills (`SIGKILL`) the server; it does not come back.
    ///
    /// # Panics
    ///
    /// When it was dead already.
    pub fn kill_server(&self) {
        self.server.kill();
    }

    /// What the server logged so far.
    ///
    /// # Panics
    ///
    /// When the log cannot be read.
    #[must_use]
    pub fn log(&self) -> String {
        self.server.log()
    }
}

impl Programs {
    /// Those of `BACKUP_TEST_MYSQL_BIN`, else the first that is installed, MariaDB before MySQL.
    fn find() -> Self {
        if let Some(folder) = std::env::var_os("BACKUP_TEST_MYSQL_BIN") {
            let folder = PathBuf::from(folder);
            let found = Self::of(std::slice::from_ref(&folder), std::slice::from_ref(&folder));
            return found.unwrap_or_else(|| panic!("no server in BACKUP_TEST_MYSQL_BIN; {NOT_INSTALLED}"));
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        let clients: Vec<PathBuf> = std::env::split_paths(&path).collect();
        let mut servers: Vec<PathBuf> = SERVER_FOLDERS.iter().map(PathBuf::from).collect();
        servers.extend_from_slice(&clients);
        Self::of(&servers, &clients).expect(NOT_INSTALLED)
    }

    fn of(servers: &[PathBuf], clients: &[PathBuf]) -> Option<Self> {
        let find = |folders: &[PathBuf], name: &str| {
            folders.iter().map(|folder| folder.join(name)).find(|program| program.is_file())
        };
        let mariadb = || Some((Flavour::MariaDb, find(servers, "mariadbd")?, find(clients, "mariadb")?));
        let mysql = || Some((Flavour::MySql, find(servers, "mysqld")?, find(clients, "mysql")?));
        let (flavour, server, client) = mariadb().or_else(mysql)?;
        Some(Self { flavour, server, client })
    }
}
