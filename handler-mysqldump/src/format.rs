//! What a dump holds, and how it is made and restored.

use backup_core::DumperInfo;

/// The engine's name in manifests: both flavours speak the same protocol and write the same format; which of
/// them it was is in the server's version.
pub(crate) const ENGINE: &str = "mysql";
/// The same, as another dumper may have written it.
pub(crate) const MARIADB: &str = "mariadb";
/// SQL text of one database, without its name.
pub(crate) const PLAIN: &str = "plain";

/// SQL text of several databases, which makes them by their names.
pub(crate) const DATABASES: &str = "databases";

pub(crate) fn info(format: &str) -> DumperInfo {
    DumperInfo::new(ENGINE, format, "sql")
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

/// Whether routines, triggers or events are dumped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stored {
    /// They are; the user needs the right to see them.
    #[default]
    Include,
    /// They are not.
    Omit,
}

/// How all tables come to be seen as of one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Consistency {
    /// One transaction that sees the moment at which it began (`--single-transaction`).
    ///
    /// Nothing is locked. Tables without transactions (`MyISAM`, Aria, MEMORY) are seen as of the moment at which
    /// each is read; the manifest warns of those that the database has.
    #[default]
    SingleTransaction,
    /// The database's tables are locked against writing while they are dumped (`--lock-tables`).
    LockTables,
    /// All tables of the server are locked against writing by one lock (`--lock-all-tables`).
    LockServer,
}

/// Whether the position in the binary log is written into dump and manifest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Position {
    /// It is not.
    #[default]
    Omit,
    /// File, position and GTIDs of the moment that the dump shows, as comments; the start of a replay of binary logs.
    ///
    /// The server must write a binary log, and the user needs RELOAD and BINLOG MONITOR (MariaDB) or REPLICATION
    /// CLIENT (MySQL): the tables are locked for a moment.
    Record,
}

/// Whether the server's users and their grants are dumped too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Grants {
    /// Every user and role, with password hashes.
    All,
}

/// What becomes of the `DEFINER` of views, triggers, routines and events on restore.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Definers {
    /// It stays as it was dumped. A restore whose definers do not exist on the target is refused at the first.
    #[default]
    Require,
    /// It is left out: the restoring user becomes the definer.
    Strip,
}
