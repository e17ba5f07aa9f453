//! What the examples share: databases named by a URL, progress on a terminal, exit codes.

pub mod database;
pub mod output;
pub mod progress;

/// Compiles what the project's front page shows.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct FrontPage;
