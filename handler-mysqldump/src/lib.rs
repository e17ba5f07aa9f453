#![doc = include_str!("../README.md")]

mod command;
mod config;
mod dumper;
mod error;
mod format;
mod lock;
mod log;
mod restorer;
mod scratch;
mod server;
mod version;

pub use config::{MysqlConfig, Tls};
pub use dumper::MysqlDump;
pub use format::{Consistency, Content, Definers, Grants, Position, Stored};
pub use lock::{MysqlLockHeld, MysqlNamedLock};
pub use log::{MysqlBackupLog, MysqlLogDatabase};
pub use restorer::MysqlRestore;
pub use scratch::{MysqlScratch, Rehearse};
pub use version::{Flavour, Version};
