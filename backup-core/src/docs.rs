//! Pages on the code and on the files in a store.

#[doc = include_str!("../docs/architecture.md")]
pub mod architecture {}

#[doc = include_str!("../docs/format.md")]
pub mod format {}
