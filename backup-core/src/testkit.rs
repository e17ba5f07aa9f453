//! Conformance kits, fakes and faults, for tests of this project and of third parties.
// A clause fails by panicking, and all of them are `async`, so that one macro can call them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::unused_async
)]

pub mod catalog;
pub mod clock;
pub mod compressor;
pub mod dumper;
pub mod encryptor;
pub mod fake;
pub mod fake_restorer;
pub mod faults;
#[doc(hidden)]
pub mod fuzz;
pub mod log;
#[cfg(unix)]
pub mod mysql;
#[cfg(unix)]
pub mod postgres;
pub mod rehearsal;
pub mod restorer;
#[cfg(unix)]
mod server;
#[cfg(unix)]
pub mod sshd;
pub mod store;

pub use catalog::sample_manifest;
