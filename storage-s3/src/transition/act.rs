//! Finding what may move, and carrying a plan out.

use std::{collections::HashMap, sync::Arc};

use backup_core::{Entry, Error, Key, Prefix, Result};
use futures::TryStreamExt;

use super::{Candidate, Plan, copy};
use crate::{StorageClass, bucket::Bucket, list};

/// What a transition did.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct TransitionReport {
    /// What moved, and where to.
    pub moved: Vec<(Key, StorageClass)>,
    /// How many bytes moved.
    pub moved_bytes: u64,
    /// What stayed where it was, and why.
    pub failed: Vec<(Key, Error)>,
}

impl TransitionReport {
    /// Fails with the first error, where there was one.
    pub fn ensure_complete(mut self) -> Result<Self> {
        if self.failed.is_empty() {
            return Ok(self);
        }
        let left = self.failed.len();
        let (key, err) = self.failed.swap_remove(0);
        Err(err.with_context("not_moved", left).with_context("first", key))
    }
}

/// The artifacts and companions of these backups that are in the bucket.
pub(crate) async fn candidates(bucket: &Arc<Bucket>, entries: &[Entry]) -> Result<Vec<Candidate>> {
    let mut created: HashMap<Key, _> = HashMap::new();
    for entry in entries {
        let manifest = &entry.manifest;
        let companions = manifest.companions.values().map(|companion| &companion.artifact);
        for artifact in std::iter::once(&manifest.artifact).chain(companions) {
            created.insert(artifact.key.clone(), manifest.created_at);
        }
    }
    let mut listed = list::list(Arc::clone(bucket), &Prefix::root());
    let mut found = Vec::new();
    while let Some(object) = listed.try_next().await? {
        if let Some(at) = created.get(&object.meta.key) {
            found.push(Candidate::new(object.meta.key, object.meta.size, *at, object.class));
        }
    }
    Ok(found)
}

pub(crate) async fn carry_out(bucket: &Arc<Bucket>, plan: &Plan) -> TransitionReport {
    let mut report = TransitionReport::default();
    for (object, to) in plan.moves() {
        match copy::copy(bucket, object, to).await {
            Ok(()) => {
                report.moved.push((object.key.clone(), to.clone()));
                report.moved_bytes += object.bytes;
            }
            Err(err) => report.failed.push((object.key.clone(), err.with_operation("transition"))),
        }
    }
    report
}
