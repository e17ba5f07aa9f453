//! What a dump holds and in which format it is written.

use backup_core::DumperInfo;

/// The format of a dump.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// SQL text: opened by any `psql`, every statement is checked as it passes, its tables are counted.
    #[default]
    Plain,
    /// `pg_dump`'s own archive: single objects can be restored from it.
    Custom,
    /// Several jobs dump at once, into a folder that is then packed as a tar archive.
    ///
    /// The one format for which a temporary copy is made; see [`PgDump::staging`](crate::PgDump::staging).
    Directory {
        /// How many tables are dumped at once; each job has a connection of its own.
        jobs: u16,
    },
}

impl Format {
    /// The names of the format in manifests and files.
    pub(crate) fn info(self) -> DumperInfo {
        match self {
            Self::Plain => DumperInfo::new(ENGINE, PLAIN, "sql"),
            Self::Custom => DumperInfo::new(ENGINE, CUSTOM, "dump"),
            Self::Directory { .. } => DumperInfo::new(ENGINE, DIRECTORY, "tar"),
        }
    }
}

pub(crate) const ENGINE: &str = "postgresql";
pub(crate) const PLAIN: &str = "plain";
pub(crate) const CUSTOM: &str = "custom";
pub(crate) const DIRECTORY: &str = "directory";

/// Who compresses an archive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ArchiveCompression {
    /// The pipeline: `pg_dump` writes it uncompressed, because compressing twice costs time and saves nothing.
    #[default]
    Pipeline,
    /// `pg_dump`, by its own default.
    PgDump,
}

/// Which part of the database is dumped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Content {
    /// Definitions and rows.
    #[default]
    All,
    /// Definitions alone.
    SchemaOnly,
    /// Rows alone: cannot be restored into an empty database.
    DataOnly,
}

/// Whether the dump says who owns an object.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ownership {
    /// It does; the restore needs the roles.
    #[default]
    Include,
    /// It does not; the restoring user owns everything.
    Omit,
}

/// Whether the dump holds grants.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Privileges {
    /// It does; the restore needs the roles.
    #[default]
    Include,
    /// It does not.
    Omit,
}

/// Whether large objects are dumped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum LargeObjects {
    /// As `pg_dump` does: unless schemas or tables were chosen.
    #[default]
    Default,
    /// Always.
    Include,
    /// Never.
    Exclude,
}

/// How rows are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rows {
    /// As `COPY`: compact and fast.
    #[default]
    Copy,
    /// As `INSERT`: slow to restore, for other databases.
    Inserts,
    /// As `INSERT` with the names of the columns.
    ColumnInserts,
}

/// Whether the passwords of roles are part of the globals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Globals {
    /// They are, as hashes; only a superuser may read them.
    WithPasswords,
    /// They are not.
    WithoutPasswords,
}
