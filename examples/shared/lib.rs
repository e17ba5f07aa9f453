//! What the examples share: databases named by a URL, progress on a terminal, signals, exit codes.

pub mod database;
pub mod output;
pub mod progress;
pub mod shop;
pub mod signal;
pub mod testing;

/// Compiles what the project's front page shows.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct FrontPage;
