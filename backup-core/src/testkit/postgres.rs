//! [`PrivatePostgres`]: a PostgreSQL server that a test starts for itself, and that is gone afterwards.

use std::{
    fs,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::OnceCell;

use super::server::{HOST, Recipe, Supervised, encoded};
use crate::{ByteStream, Secret, process::Tool};

const SUPERUSER: &str = "postgres";
const NOT_INSTALLED: &str = "the test needs a PostgreSQL server: run `apt-get install postgresql`, or set \
    BACKUP_TEST_PG_BIN to the directory that holds `initdb` and `postgres`";

/// The most that [`PrivatePostgres::psql`] returns, in bytes.
const PRINTED: usize = 64 * 1024 * 1024;

/// A PostgreSQL server of a test's own: private directory, free port, random password.
///
/// # Contract
///
/// Neither a process nor a file of it is left when this is dropped (the drop waits for that), when the test
/// panics, and soon after the test's process is killed. No other server is ever touched. The server is the
/// newest in `/usr/lib/postgresql`, or the one in `BACKUP_TEST_PG_BIN` or `PATH`; as PostgreSQL refuses to
/// run as root, it runs as `postgres` or `nobody` then. It asks for a password (SCRAM) on every connection,
/// one with characters that need care in URLs, password files and shells. Encoding UTF-8, locale `C`.
///
/// # Examples
///
/// ```no_run
/// use backup_core::testkit::postgres::PrivatePostgres;
///
/// # async fn example() {
/// let server = PrivatePostgres::start().await;
/// server.create_database("app").await;
/// assert_eq!(server.psql("app", "select 1").await, "1");
/// # }
/// ```
#[derive(Debug)]
pub struct PrivatePostgres {
    server: Supervised,
    bin: PathBuf,
}

impl PrivatePostgres {
    /// Starts a server, which takes one or two seconds.
    ///
    /// # Panics
    ///
    /// When no server is installed, saying what to install, or when it does not start, with its log.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: a server whose start was dropped is stopped once it runs.
    pub async fn start() -> Self {
        let arguments =
            |port: u16| vec![find_bin().into_os_string(), port.to_string().into(), SUPERUSER.into()];
        let recipe = Recipe {
            name: "pg",
            script: include_str!("postgres.sh"),
            users: &["postgres"],
            port_taken: "could not bind",
            arguments,
        };
        Self { server: recipe.start().await, bin: find_bin() }
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
        static SHARED: OnceCell<PrivatePostgres> = OnceCell::const_new();
        SHARED.get_or_init(Self::start).await
    }

    /// The server's TCP address.
    #[must_use]
    #[allow(clippy::unused_self)] // A test asks the server, wherever it listens.
    pub fn host(&self) -> &str {
        HOST
    }

    /// The server's port, also in the name of its socket.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.server.port
    }

    /// The directory of its Unix socket.
    #[must_use]
    pub fn socket_dir(&self) -> PathBuf {
        self.server.directory().join("socket")
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

    /// `postgresql://user:password@host:port/database` of the superuser, percent-encoded.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        let (password, database) = (encoded(self.server.password.expose()), encoded(database));
        format!("postgresql://{SUPERUSER}:{password}@{HOST}:{}/{database}", self.server.port)
    }

    /// A program of this server's version, such as `pg_dump`.
    #[must_use]
    pub fn bin(&self, name: &str) -> PathBuf {
        self.bin.join(name)
    }

    /// The process id of the server.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.server.pid()
    }

    /// Creates a database of exactly this name.
    ///
    /// # Panics
    ///
    /// When the server refuses.
    ///
    /// # Cancel safety
    ///
    /// A dropped call may have created it.
    pub async fn create_database(&self, name: &str) {
        self.psql(SUPERUSER, &format!("create database \"{}\"", name.replace('"', "\"\""))).await;
    }

    /// Runs statements in `psql` up to the first error, and returns rows as lines, with `|` between columns.
    ///
    /// # Panics
    ///
    /// With psql's message when a statement fails.
    ///
    /// # Cancel safety
    ///
    /// A dropped call may have run any of the statements.
    pub async fn psql(&self, database: &str, sql: &str) -> String {
        let psql = Tool::new("psql", self.bin("psql"))
            .args(["-X", "-q", "-A", "-t", "-w", "-v", "ON_ERROR_STOP=1", "-f", "-", "-h", HOST])
            .args(["-p", &self.server.port.to_string(), "-U", SUPERUSER])
            .env("PGDATABASE", database)
            .env("PGCLIENTENCODING", "UTF8")
            .secret_env("PGPASSWORD", self.password());
        match psql.feed(ByteStream::from(Bytes::from(sql.to_owned())), PRINTED).await {
            Ok(output) => String::from_utf8(output.stdout.to_vec()).expect("UTF-8").trim_end().to_owned(),
            Err(err) => panic!("in {database}: {err}"),
        }
    }

    /// Kills (`SIGKILL`) the sessions of an application, `pg_dump` for example, and returns how many there were.
    ///
    /// The server then breaks all other connections too, and recovers.
    ///
    /// # Panics
    ///
    /// When the server cannot be asked.
    ///
    /// # Cancel safety
    ///
    /// A dropped call may have killed some.
    pub async fn kill9_backend(&self, application_name: &str) -> usize {
        let name = application_name.replace('\'', "''");
        let sessions = format!("select pid from pg_stat_activity where application_name = '{name}'");
        let sessions = self.psql(SUPERUSER, &sessions).await;
        let pids = sessions.lines().map(|pid| pid.parse().ok().and_then(Pid::from_raw).expect("a pid"));
        pids.filter(|pid| kill_process(*pid, Signal::KILL).is_ok()).count()
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

/// The directory of the newest server's programs.
fn find_bin() -> PathBuf {
    if let Some(bin) = std::env::var_os("BACKUP_TEST_PG_BIN") {
        assert!(is_server(Path::new(&bin)), "no server in BACKUP_TEST_PG_BIN; {NOT_INSTALLED}");
        return bin.into();
    }
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions
        .filter_map(|version| Some((version.file_name().to_str()?.parse::<u32>().ok()?, version.path())))
        .map(|(version, path)| (version, path.join("bin")))
        .filter(|(_, bin)| is_server(bin))
        .max();
    if let Some((_, bin)) = newest {
        return bin;
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).find(|bin| is_server(bin)).expect(NOT_INSTALLED)
}

fn is_server(bin: &Path) -> bool {
    ["initdb", "postgres", "psql"].iter().all(|program| bin.join(program).is_file())
}
