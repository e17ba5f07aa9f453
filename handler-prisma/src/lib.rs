#![doc = include_str!("../README.md")]
// Without any engine there is nothing to read a project for.
#![cfg_attr(
    not(any(feature = "sqlite", feature = "postgresql", feature = "mysql")),
    allow(dead_code, unused_imports, clippy::unused_async)
)]

mod dumper;
mod guard;
mod lock;
pub mod migrations;
pub mod project;
mod restorer;
pub mod schema;
#[cfg(feature = "sqlite")]
pub mod sqlite;
pub mod url;

use backup_core::{Error, ErrorKind};

pub use backup_core::Secret;
pub use dumper::PrismaDumper;
pub use guard::{PrismaGuard, PrismaGuarded, PrismaReport};
pub use migrations::{History, NextDeploy, Obstacle};
pub use project::{ConfigCode, Discovery, Finding, GivenUrl, PrismaProject, PrismaVersion};
pub use restorer::PrismaRestorer;
#[cfg(feature = "sqlite")]
pub use sqlite::{Check, SqliteBackupLog, SqliteDump, SqliteLogDatabase, SqliteRestore, SqliteScratch};
pub use url::Connection;

/// What is said where the feature of an engine is off.
fn missing(connection: &Connection) -> Error {
    let feature = connection.engine();
    Error::new(ErrorKind::Unsupported, "this build does not dump databases of the project's engine")
        .with_context("engine", feature)
        .with_suggestion(format!("enable the feature `{feature}` of handler-prisma"))
}
