//! What lies in a store and is no backup.

use backup_core::pipeline::Orphans;

use crate::output::count;

/// What is said of objects without a manifest.
#[must_use]
pub fn without_manifest(orphans: &Orphans) -> Vec<String> {
    if orphans.objects == 0 {
        return Vec::new();
    }
    let mut lines = vec![format!(
        "{} without a manifest ({} bytes): no backup, and never swept, because nothing says that they may go; \
         bring their manifests back from a copy of the store, or remove them by hand",
        count(orphans.objects, "object"),
        orphans.bytes
    )];
    lines.extend(orphans.keys.iter().map(|key| format!("  {key}")));
    if orphans.objects > orphans.keys.len() as u64 {
        lines.push(format!("  and {} more", orphans.objects - orphans.keys.len() as u64));
    }
    lines
}
