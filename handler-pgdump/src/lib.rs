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
mod source;
mod version;

pub use config::{PasswordVia, PgConfig};
pub use dumper::PgDump;
pub use format::{ArchiveCompression, Content, Format, Globals, LargeObjects, Ownership, Privileges, Rows};
pub use lock::{PgAdvisoryLock, PgLockHeld};
pub use log::{PgBackupLog, PgLogDatabase};
pub use restorer::PgRestore;
pub use scratch::{PgScratch, Rehearse};
pub use version::{ClientSafety, Version};
