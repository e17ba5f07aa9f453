//! What the examples share: databases named by a URL or in a configuration file, progress on a terminal, signals, exit codes.

pub mod database;
pub mod doctor;
pub mod folder;
pub mod gate;
pub mod http_server;
pub mod orphans;
pub mod output;
pub mod parts;
pub mod progress;
pub mod shop;
pub mod signal;
pub mod testing;

/// Compiles what the project's front page shows, which is more than the examples need.
#[cfg(all(doctest, feature = "s3"))]
#[doc = include_str!("../../README.md")]
pub struct FrontPage;
