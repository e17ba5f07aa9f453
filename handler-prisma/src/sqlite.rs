//! SQLite: dumps by the online backup API, restores that replace a file whole or not at all.
//!
//! No part of this module ever opens a database by other means than SQLite itself, not even to look at its
//! first bytes: on Unix a process that closes *any* descriptor of a file loses *all* its POSIX locks on that
//! file, also those that a connection of the application, in this same process, relies on. Before SQLite
//! opens a file, only its metadata is read.

pub(crate) mod blocking;
mod check;
mod copy;
mod dumper;
mod error;
mod inventory;
mod log;
pub(crate) mod open;
mod part;
mod publish;
mod receive;
mod restorer;
mod scratch;
mod staging;
mod target;

use std::time::Duration;

pub use check::Check;
pub use dumper::SqliteDump;
pub use log::{SqliteBackupLog, SqliteLogDatabase};
pub use restorer::SqliteRestore;
pub use scratch::SqliteScratch;

/// The engine, as manifests name it.
pub const ENGINE: &str = "sqlite";

/// The format of a dump: a database file, as `sqlite3` opens it.
pub const FORMAT: &str = "database";

/// The file extension of a dump.
pub const EXTENSION: &str = "sqlite";

/// The first bytes of every database.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// How long to wait for a lock unless told otherwise.
pub(crate) const LOCK_TIMEOUT: Duration = Duration::from_secs(30);
