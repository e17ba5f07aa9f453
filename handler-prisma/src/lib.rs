#![doc = include_str!("../README.md")]

#[cfg(feature = "sqlite")]
pub mod sqlite;

#[cfg(feature = "sqlite")]
pub use sqlite::{Check, SqliteBackupLog, SqliteDump, SqliteLogDatabase, SqliteRestore, SqliteScratch};
