//! Projects with a database of each engine, in the states that the real CLI left them in.

use std::sync::atomic::{AtomicU32, Ordering};

use backup_core::testkit::{mysql::PrivateMysql, postgres::PrivatePostgres};
use handler_prisma::{History, PrismaProject};

use super::setup::{Project, fixture};

pub(crate) const INIT: &str = "20260101000000_init";
pub(crate) const NAME: &str = "20260102000000_add_name";
pub(crate) const POSTS: &str = "20260103000000_add_posts";
pub(crate) const BAD: &str = "20260104000000_bad";

/// The table as Prisma makes it in MySQL and MariaDB.
const MYSQL_TABLE: &str = "CREATE TABLE _prisma_migrations (
    id VARCHAR(36) PRIMARY KEY NOT NULL, checksum VARCHAR(64) NOT NULL, finished_at DATETIME(3),
    migration_name VARCHAR(255) NOT NULL, logs TEXT, rolled_back_at DATETIME(3),
    started_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3), applied_steps_count INTEGER UNSIGNED NOT NULL DEFAULT 0
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;";

/// The tables of the fixtures, for MySQL and MariaDB.
const MYSQL_SCHEMA: &str = "CREATE TABLE `User` (id INTEGER PRIMARY KEY AUTO_INCREMENT, email VARCHAR(191) NOT NULL UNIQUE, name TEXT);
    CREATE TABLE `Post` (id INTEGER PRIMARY KEY AUTO_INCREMENT, title TEXT NOT NULL, authorId INTEGER NOT NULL,
      FOREIGN KEY (authorId) REFERENCES `User`(id));";

/// The engines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    Sqlite,
    PostgreSql,
    MariaDb,
}

pub(crate) const ENGINES: [Engine; 3] = [Engine::Sqlite, Engine::PostgreSql, Engine::MariaDb];

/// A project with its database.
pub(crate) struct Live {
    pub(crate) engine: Engine,
    pub(crate) files: Project,
    pub(crate) project: PrismaProject,
    /// The name of the database on its server.
    pub(crate) database: String,
    pub(crate) url: String,
}

/// What the CLI had done last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Applied3,
    Failed4,
    RolledBack4,
}

impl Live {
    /// The project of the fixtures, with three users in it.
    pub(crate) async fn new(engine: Engine, state: State) -> Self {
        let suffix = match state {
            State::Applied3 => "applied3",
            State::Failed4 => "failed4",
            State::RolledBack4 => "rolledback4",
        };
        let live = match engine {
            Engine::Sqlite => {
                let files = Project::of_fixture("v6-sqlite");
                let database = files.root().join("prisma/dev.db");
                std::fs::copy(fixture(&format!("v6-sqlite-{suffix}.db")), &database).unwrap();
                Self::found(engine, files, "file:./dev.db", "dev".to_owned()).await
            }
            Engine::PostgreSql => {
                let server = PrivatePostgres::shared().await;
                let database = name();
                server.create_database(&database).await;
                let sql = std::fs::read_to_string(fixture(&format!("v6-pg-{suffix}.sql"))).unwrap();
                server.psql(&database, &sql).await;
                let url = format!("{}?schema=public&connection_limit=2", server.url(&database));
                Self::found(engine, Project::of_fixture("v6-pg"), &url, database).await
            }
            Engine::MariaDb => {
                let server = PrivateMysql::shared().await;
                let database = name();
                server.create_database(&database).await;
                server.sql(&database, &format!("{MYSQL_TABLE}\n{MYSQL_SCHEMA}")).await;
                let files = Project::of_fixture("v6-sqlite");
                files.write(
                    "prisma/schema.prisma",
                    "datasource db { provider = \"mysql\"\n url = env(\"DATABASE_URL\") }",
                );
                files.write("prisma/migrations/migration_lock.toml", "provider = \"mysql\"\n");
                let url =
                    format!("{}?connection_limit=2", server.url(&database).replacen("mariadb:", "mysql:", 1));
                let live = Self::found(engine, files, &url, database).await;
                live.fill_mysql(state).await;
                live
            }
        };
        let insert = match engine {
            Engine::MariaDb => {
                "INSERT INTO `User` (email, name) VALUES ('a@x', 'A'), ('ü@x', NULL), ('c@x', 'C');"
            }
            _ => "INSERT INTO \"User\" (email, name) VALUES ('a@x', 'A'), ('ü@x', NULL), ('c@x', 'C');",
        };
        live.sql(insert).await;
        live
    }

    async fn found(engine: Engine, files: Project, url: &str, database: String) -> Self {
        let files = files.installed("6.19.3");
        let project = files.search().with_url(url).run().await.unwrap();
        let project = match engine {
            Engine::MariaDb => {
                project.with_client_dir(PrivateMysql::shared().await.client().parent().unwrap())
            }
            _ => project,
        };
        Self { engine, files, project, database, url: url.to_owned() }
    }

    async fn fill_mysql(&self, state: State) {
        let history = History::read(&self.project).await.unwrap().unwrap();
        let mut rows = Vec::new();
        for (at, local) in history.local.iter().enumerate() {
            let (finished, rolled_back, steps) = match (local.name == BAD, state) {
                (true, State::Applied3) => continue,
                (true, State::Failed4) => ("NULL", "NULL", 0),
                (true, State::RolledBack4) => ("NULL", "'2026-11-20 21:51:50.856'", 0),
                (false, _) => ("'2026-11-20 21:51:49.525'", "NULL", 1),
            };
            rows.push(format!(
                "('id-{at}', '{}', {finished}, '{}', NULL, {rolled_back}, '2026-11-20 21:51:4{at}.465', {steps})",
                local.checksum().unwrap(),
                local.name
            ));
        }
        let columns = "id, checksum, finished_at, migration_name, logs, rolled_back_at, started_at, applied_steps_count";
        self.sql(&format!("INSERT INTO _prisma_migrations ({columns}) VALUES {};", rows.join(", "))).await;
    }

    /// Runs SQL in the database, as a migration does, and returns what it prints.
    pub(crate) async fn sql(&self, sql: &str) -> String {
        match self.engine {
            Engine::Sqlite => sqlite(&self.files.root().join("prisma/dev.db"), sql).unwrap(),
            Engine::PostgreSql => PrivatePostgres::shared().await.psql(&self.database, sql).await,
            Engine::MariaDb => PrivateMysql::shared().await.sql(&self.database, sql).await,
        }
    }

    /// Everything that the database holds, as text.
    pub(crate) async fn content(&self) -> String {
        match self.engine {
            Engine::Sqlite => {
                let tables = self
                    .sql("SELECT name || ' ' || coalesce(sql, '') FROM sqlite_schema ORDER BY name")
                    .await;
                let rows = self.sql("SELECT id, checksum, migration_name, started_at, finished_at, rolled_back_at FROM _prisma_migrations ORDER BY id").await;
                let users = self.sql("SELECT * FROM \"User\" ORDER BY id").await;
                format!("{tables}\n{rows}\n{users}")
            }
            Engine::PostgreSql => {
                let tables = self.sql("SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2").await;
                let rows = self.sql("SELECT * FROM _prisma_migrations ORDER BY id").await;
                let users = self.sql("SELECT * FROM \"User\" ORDER BY id").await;
                format!("{tables}\n{rows}\n{users}")
            }
            Engine::MariaDb => {
                let tables = self.sql("SELECT TABLE_NAME, COLUMN_NAME, COLUMN_TYPE FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() ORDER BY 1, 2;").await;
                let rows = self.sql("SELECT * FROM _prisma_migrations ORDER BY id;").await;
                let users = self.sql("SELECT * FROM `User` ORDER BY id;").await;
                format!("{tables}\n{rows}\n{users}")
            }
        }
    }

    pub(crate) async fn history(&self) -> History {
        History::read(&self.project).await.unwrap().unwrap()
    }

    /// The secret of its URL, which nothing may show.
    pub(crate) async fn password(&self) -> Option<String> {
        match self.engine {
            Engine::Sqlite => None,
            Engine::PostgreSql => Some(PrivatePostgres::shared().await.password().expose().to_owned()),
            Engine::MariaDb => Some(PrivateMysql::shared().await.password().expose().to_owned()),
        }
    }
}

/// A name that no other test uses, of letters that no URL encodes: Prisma does not decode it.
fn name() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("shop{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// What SQL prints in a file of SQLite.
pub(crate) fn sqlite(path: &std::path::Path, sql: &str) -> Result<String, rusqlite::Error> {
    use rusqlite::fallible_iterator::FallibleIterator;
    let connection = rusqlite::Connection::open(path)?;
    let mut printed = String::new();
    let mut statements = rusqlite::Batch::new(&connection, sql);
    while let Some(mut statement) = statements.next()? {
        let columns = statement.column_count();
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            for column in 0..columns {
                printed.push_str(&format!("{:?}|", row.get_ref(column)?));
            }
            printed.push('\n');
        }
    }
    Ok(printed)
}
