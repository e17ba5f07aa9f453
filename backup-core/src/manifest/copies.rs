use serde::{Deserialize, Serialize};

use crate::store::{CopyOutcome, StoredCopy};

/// One of several stores that a backup went into, as it was when the backup was made.
///
/// What became of a copy since then only its store can tell: one that failed may have been repaired, one that was stored
/// may be lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CopyRecord {
    /// The store's location, without secrets.
    pub location: String,
    /// The [code](crate::ErrorKind::code) of the error where the copy is not whole; none where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Fields that a later version of the format added.
    #[serde(flatten)]
    pub extra: serde_json::Map<String, serde_json::Value>,
}

impl CopyRecord {
    /// A copy that is whole.
    pub fn stored(location: impl Into<String>) -> Self {
        Self { location: location.into(), error: None, extra: serde_json::Map::new() }
    }

    /// A copy that is not.
    pub fn failed(location: impl Into<String>, code: impl Into<String>) -> Self {
        Self { error: Some(code.into()), ..Self::stored(location) }
    }

    /// Adds what became of the copies of one more object of the backup, and tells of those that failed in a sentence each.
    pub(crate) fn add(records: &mut Vec<Self>, object: &str, copies: &[StoredCopy]) -> Vec<String> {
        let mut warnings = Vec::new();
        for copy in copies {
            let error = match &copy.outcome {
                CopyOutcome::Stored => None,
                CopyOutcome::Failed { code, message } => {
                    warnings.push(format!(
                        "the copy of the {object} in {} failed, and is to be made by a sync: {message}",
                        copy.location
                    ));
                    Some((*code).to_owned())
                }
            };
            match records.iter_mut().find(|record| record.location == copy.location) {
                Some(record) => record.error = record.error.take().or(error),
                None => records.push(Self { error, ..Self::stored(&copy.location) }),
            }
        }
        warnings
    }
}
