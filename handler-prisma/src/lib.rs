#![doc = include_str!("../README.md")]

pub mod project;
pub mod schema;
#[cfg(feature = "sqlite")]
pub mod sqlite;
pub mod url;

pub use backup_core::Secret;
pub use project::{ConfigCode, Discovery, Finding, PrismaProject, PrismaVersion};
#[cfg(feature = "sqlite")]
pub use sqlite::{Check, SqliteBackupLog, SqliteDump, SqliteLogDatabase, SqliteRestore, SqliteScratch};
pub use url::Connection;
