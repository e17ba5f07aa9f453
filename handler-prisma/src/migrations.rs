//! [`History`]: what was applied to the database, what the project has, and what `migrate deploy` would do.

use backup_core::{
    Error, ErrorKind, Result,
    manifest::{Migration, MigrationState, Migrations},
};
use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::PrismaProject;

mod folder;
mod next;
mod read;

pub use folder::LocalMigration;
pub use next::{NextDeploy, Obstacle};
pub(crate) use read::Reader;

/// The migrations of a project, in its database and in its folder.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct History {
    /// Whether the database has the table `_prisma_migrations`.
    pub table: MigrationsTable,
    /// Its rows, in the order in which they were started.
    pub rows: Vec<MigrationRow>,
    /// The migrations in the project's folder, in the order in which they are applied.
    pub local: Vec<LocalMigration>,
    /// Whether the project has that folder.
    pub folder: MigrationsFolder,
    /// The provider that the project's `migration_lock.toml` names, where there is one.
    pub lock_provider: Option<String>,
    /// The provider of the datasource.
    pub provider: String,
}

/// Whether a project has the folder of migrations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum MigrationsFolder {
    /// It has.
    Present,
    /// It has not.
    #[default]
    Missing,
}

/// Whether a database has the table of migrations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum MigrationsTable {
    /// It has.
    Present,
    /// It has not, and holds nothing else either.
    MissingInEmpty,
    /// It has not, and holds other tables.
    MissingBesideOthers,
}

/// A row of `_prisma_migrations`; of one migration there may be several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MigrationRow {
    /// The row's id.
    pub id: String,
    /// The SHA-256 of the script as it was then, in hexadecimal digits.
    pub checksum: String,
    /// The migration's name.
    pub name: String,
    /// When it was started.
    pub started_at: Option<DateTime<Utc>>,
    /// When it was finished.
    pub finished_at: Option<DateTime<Utc>>,
    /// When it was marked as rolled back.
    pub rolled_back_at: Option<DateTime<Utc>>,
    /// The start of what the engine wrote of a failure.
    pub logs: Option<String>,
    /// How many steps were applied: 0 or 1.
    pub applied_steps: u64,
}

impl MigrationRow {
    /// What became of it; a migration that runs at this moment looks like one that has failed.
    #[must_use]
    pub fn state(&self) -> MigrationState {
        match (self.rolled_back_at, self.finished_at) {
            (Some(_), _) => MigrationState::RolledBack,
            (None, None) => MigrationState::Failed,
            (None, Some(_)) => MigrationState::Applied,
        }
    }
}

impl History {
    /// Reads table and folder; `None` where the database does not exist.
    ///
    /// # Errors
    ///
    /// Those of the server and of the file system; [`Corrupt`](ErrorKind::Corrupt) for a table that cannot be read.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn read(project: &PrismaProject) -> Result<Option<Self>> {
        let reader = Reader::new(project)?;
        Self::read_by(&reader, project).await
    }

    pub(crate) async fn read_by(reader: &Reader, project: &PrismaProject) -> Result<Option<Self>> {
        let content = match reader.read().await {
            Ok(content) => content,
            Err(err) if err.kind() == ErrorKind::DatabaseNotFound => return Ok(None),
            Err(err) => return Err(err.with_operation("migrations")),
        };
        let folder = folder::read(project.migrations()).await?;
        Ok(Some(Self {
            table: content.table,
            rows: content.rows,
            local: folder.migrations,
            folder: folder.found,
            lock_provider: folder.provider,
            provider: project.provider().to_owned(),
        }))
    }

    /// The names in one state, each once.
    fn names(&self, state: MigrationState) -> Vec<&str> {
        let mut names = Vec::new();
        for row in self.rows.iter().filter(|row| row.state() == state) {
            if !names.contains(&row.name.as_str()) {
                names.push(row.name.as_str());
            }
        }
        names
    }

    /// Those that are applied.
    #[must_use]
    pub fn applied(&self) -> Vec<&str> {
        self.names(MigrationState::Applied)
    }

    /// Those that have failed, or are running: they stop every deploy.
    #[must_use]
    pub fn failed(&self) -> Vec<&str> {
        self.names(MigrationState::Failed)
    }

    /// Those that were rolled back; a deploy applies them again unless another row of theirs was not.
    #[must_use]
    pub fn rolled_back(&self) -> Vec<&str> {
        self.names(MigrationState::RolledBack)
    }

    /// Those of the folder that a deploy would apply: no row of theirs stands.
    #[must_use]
    pub fn pending(&self) -> Vec<&str> {
        let stands =
            |name: &str| self.rows.iter().any(|row| row.name == name && row.rolled_back_at.is_none());
        self.local.iter().map(|local| local.name.as_str()).filter(|name| !stands(name)).collect()
    }

    /// Those that were applied with another script than the folder has now; they never stop a deploy.
    #[must_use]
    pub fn edited(&self) -> Vec<&str> {
        let is_edited = |local: &&LocalMigration| {
            let mut rows =
                self.rows.iter().filter(|row| row.name == local.name && row.rolled_back_at.is_none());
            rows.any(|row| local.has_script() && !local.matches(&row.checksum))
        };
        self.local.iter().filter(is_edited).map(|local| local.name.as_str()).collect()
    }

    /// Those in the database that the folder has not; they never stop a deploy.
    #[must_use]
    pub fn missing_locally(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for row in self.rows.iter().filter(|row| row.rolled_back_at.is_none()) {
            if !self.local.iter().any(|local| local.name == row.name) && !names.contains(&row.name.as_str()) {
                names.push(&row.name);
            }
        }
        names
    }

    /// What a manifest says of it.
    #[must_use]
    pub fn to_manifest(&self, project: &PrismaProject) -> Migrations {
        let mut migrations = Migrations::new("prisma", self.rows.iter().map(in_manifest).collect());
        migrations.tool_version = project.version().map(|version| version.to_string());
        migrations.pending = self.pending().into_iter().map(str::to_owned).collect();
        migrations.extra.insert("provider".to_owned(), self.provider.clone().into());
        let local =
            self.local.iter().filter_map(|local| Some((local.name.clone(), local.checksum()?.into())));
        let local: serde_json::Map<String, serde_json::Value> = local.collect();
        migrations.extra.insert("local_checksums".to_owned(), local.into());
        migrations
    }

    /// A digest of the rows: two histories with the same one have come to the same schema by the same way.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let rows = self.rows.iter().map(|row| {
            let times = [row.started_at, row.finished_at, row.rolled_back_at];
            let times = times.map(|time| time.map_or(0, |time| time.timestamp_millis()));
            format!("{}\0{}\0{}\0{times:?}\0", row.id, row.name, row.checksum)
        });
        backup_core::Digest::sha256(rows.collect::<String>().as_bytes()).to_string()
    }

    /// A digest of the rows, and of the scripts that are pending: after a script was mended, a deploy is a new one.
    pub(crate) fn state(&self) -> String {
        let mut text = self.fingerprint();
        let pending = self.pending();
        for local in self.local.iter().filter(|local| pending.contains(&local.name.as_str())) {
            text.push_str(&format!("\0{}\0{}", local.name, local.checksum().unwrap_or_default()));
        }
        backup_core::Digest::sha256(text.as_bytes()).to_string()
    }
}

fn in_manifest(row: &MigrationRow) -> Migration {
    let mut migration = Migration::new(&row.name, row.state());
    migration.checksum = Some(row.checksum.clone());
    migration.started_at = row.started_at;
    migration.finished_at = row.finished_at;
    let mut extra = |key: &str, value: serde_json::Value| {
        migration.extra.insert(key.to_owned(), value);
    };
    extra("id", row.id.clone().into());
    extra("applied_steps", row.applied_steps.into());
    if let Some(time) = row.rolled_back_at {
        extra("rolled_back_at", time.to_rfc3339().into());
    }
    if let Some(logs) = &row.logs {
        extra("logs", logs.clone().into());
    }
    migration
}

/// A table that is not as Prisma makes it.
pub(crate) fn unreadable(what: &'static str) -> Error {
    Error::new(ErrorKind::Corrupt, "the table of Prisma's migrations cannot be read")
        .with_context("reason", what)
        .with_suggestion("look at the table _prisma_migrations: it is not as Prisma makes it")
}

#[cfg(test)]
mod tests;
