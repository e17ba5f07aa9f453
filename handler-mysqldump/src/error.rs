//! The messages of the client programs, folded into kinds.

mod classify;

pub(crate) use classify::{classify, mentions};
