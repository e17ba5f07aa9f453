//! A server of our own, with the fixtures of these tests.

use std::{
    ops::Deref,
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use backup_core::testkit::mysql::{Flavour, PrivateMysql};
use handler_mysqldump::{MysqlConfig, MysqlDump, MysqlRestore};

/// A server, and what these tests ask of it; each test has databases of its own.
pub enum Server {
    Shared(&'static PrivateMysql),
    Own(PrivateMysql),
}

impl Deref for Server {
    type Target = PrivateMysql;

    fn deref(&self) -> &PrivateMysql {
        match self {
            Self::Shared(server) => server,
            Self::Own(server) => server,
        }
    }
}

impl Server {
    pub async fn shared() -> Self {
        Self::Shared(PrivateMysql::shared().await)
    }

    pub async fn start() -> Self {
        Self::Own(PrivateMysql::start().await)
    }

    pub fn is_mariadb(&self) -> bool {
        self.flavour() == Flavour::MariaDb
    }

    pub fn config(&self, database: &str) -> MysqlConfig {
        MysqlConfig::from_url(&self.url(database)).unwrap()
    }

    /// Where the client programs of these tests are; `BACKUP_TEST_MYSQL_CLIENTS` names others than the server's own.
    pub fn clients(&self) -> PathBuf {
        std::env::var_os("BACKUP_TEST_MYSQL_CLIENTS")
            .map_or_else(|| self.client().parent().unwrap().to_owned(), PathBuf::from)
    }

    pub fn dump(&self, database: &str) -> MysqlDump {
        MysqlDump::new(self.config(database)).client_dir(self.clients())
    }

    pub fn restore(&self, database: &str) -> MysqlRestore {
        MysqlRestore::new(self.config(database)).client_dir(self.clients())
    }

    /// A stock dump, without what differs from run to run or from database to database.
    pub fn stock_dump(&self, database: &str) -> String {
        let name = if self.is_mariadb() { "mariadb-dump" } else { "mysqldump" };
        let mut command = Command::new(self.bin(name));
        command.args(["--no-defaults", "--single-transaction", "--routines", "--triggers", "--events"]);
        command.args([
            "--hex-blob",
            "--skip-dump-date",
            "--no-tablespaces",
            "--default-character-set=utf8mb4",
        ]);
        if !self.is_mariadb() {
            command.arg("--set-gtid-purged=OFF");
        }
        let output = command
            .args(["-uroot", "-S"])
            .arg(self.socket())
            .args(["--", database])
            .env("MYSQL_PWD", self.password().expose())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let dump = String::from_utf8(output.stdout).unwrap();
        let lines = dump.lines().filter(|line| {
            !["-- Host:", "-- Dumping", "ALTER DATABASE "].iter().any(|start| line.starts_with(start))
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    /// The checksum of every table, made by the server.
    pub async fn checksums(&self, database: &str) -> String {
        let tables = "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() \
                      AND TABLE_TYPE NOT LIKE '%VIEW' AND TABLE_TYPE <> 'SEQUENCE' ORDER BY 1;";
        let names = self.sql(database, tables).await;
        let quoted: Vec<String> = names.lines().map(quoted).collect();
        let sums = self.sql(database, &format!("CHECKSUM TABLE {} EXTENDED;", quoted.join(", "))).await;
        sums.lines()
            .map(|line| line.rsplit_once('.').map_or(line, |(_, tail)| tail))
            .collect::<Vec<_>>()
            .join("\n")
    }

    pub async fn databases(&self) -> Vec<String> {
        let names = self.sql("", "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA ORDER BY 1;").await;
        names.lines().map(str::to_owned).collect()
    }

    /// The databases that a restore or a rehearsal of `name` left behind.
    pub async fn leftovers(&self, name: &str) -> Vec<String> {
        let left = |other: &String| {
            let parts = ["_restoring_", "_replaced_", "_rehearsal_"];
            other.starts_with(name) && parts.iter().any(|part| other.contains(part))
        };
        self.databases().await.into_iter().filter(left).collect()
    }

    /// Waits until the server answers `expected` to `question`.
    pub async fn wait_for(&self, question: &str, expected: &str) {
        let limit = Instant::now() + Duration::from_secs(60);
        while self.sql("", question).await != expected {
            assert!(Instant::now() < limit, "{question}");
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }

    /// The nasty database of these tests, with `rows` rows in its largest table.
    pub async fn fill(&self, database: &str, rows: u32) {
        self.create_database(database).await;
        self.sql(database, &include_str!("fixture.sql").replace(":rows", &rows.to_string())).await;
    }
}

pub fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}
