//! Reads inventories out of dumps as they pass; one scanner a format.

use super::Inspector;

/// The inspector for `engine` and `format`.
pub(super) fn inspector(engine: &str, format: &str) -> Inspector {
    let _ = (engine, format);
    Inspector::blind()
}
