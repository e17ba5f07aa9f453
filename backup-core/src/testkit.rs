//! Conformance kits, fakes and faults, for tests of this project and of third parties.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

pub mod catalog;
pub mod compressor;
pub mod dumper;
pub mod store;
