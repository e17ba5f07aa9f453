use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{Entry, Note};
use crate::{BackupRef, Level, verify::Rehearsed};

/// How much would be lost, and how long it would take to go on, as far as that was measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Recovery {
    /// The newest backup that was proven as deep as asked for.
    pub backup: Option<BackupRef>,
    /// How old it is, in seconds: what came since would be lost, the RPO.
    pub rpo_seconds: Option<u64>,
    /// How long the last rehearsal took to restore, in milliseconds: the RTO, without what people take.
    pub rto_ms: Option<u64>,
}

impl Recovery {
    /// Sums up what is known of the backups of one database; what is dated later than `now` does not count.
    ///
    /// # Examples
    ///
    /// ```
    /// use backup_core::{Level, catalog::Recovery};
    ///
    /// let recovery = Recovery::of(&[], Level::Restored, chrono::DateTime::UNIX_EPOCH);
    /// assert_eq!(recovery.rpo_seconds, None);
    /// ```
    #[must_use]
    pub fn of<'a>(entries: impl IntoIterator<Item = &'a Entry>, level: Level, now: DateTime<Utc>) -> Self {
        let entries: Vec<&Entry> =
            entries.into_iter().filter(|entry| entry.manifest.created_at <= now).collect();
        let proven = entries
            .iter()
            .copied()
            .filter(|entry| entry.proven().is_some_and(|evidence| evidence.level >= level));
        let newest = proven.max_by_key(|entry| entry.manifest.created_at);
        let rehearsals = entries.iter().filter_map(|entry| entry.rehearsed());
        let last = rehearsals.max_by_key(|(at, _)| *at);
        Self {
            backup: newest.map(|entry| entry.manifest.backup_ref()),
            rpo_seconds: newest
                .map(|entry| u64::try_from((now - entry.manifest.created_at).num_seconds()).unwrap_or(0)),
            rto_ms: last.map(|(_, rehearsed)| rehearsed.restore_ms),
        }
    }
}

impl Entry {
    /// The last rehearsal that passed, and when it was.
    #[must_use]
    pub fn rehearsed(&self) -> Option<(DateTime<Utc>, &Rehearsed)> {
        self.annotations.iter().rev().find_map(|annotation| match &annotation.note {
            Note::Verified(evidence) if evidence.passed() => {
                evidence.rehearsed.as_deref().map(|rehearsed| (annotation.at, rehearsed))
            }
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::{Annotation, Evidence, Verdict, testkit::sample_manifest};

    fn rehearsed(at: DateTime<Utc>, restore_ms: u64, result: Verdict) -> Annotation {
        let rehearsed = Rehearsed { restore_ms, ..Rehearsed::default() };
        let evidence = Evidence {
            level: Level::Restored,
            result,
            at,
            duration_ms: 1,
            bytes_read: 1,
            findings: Vec::new(),
            rehearsed: Some(Box::new(rehearsed)),
            library_version: "0.1.0".to_owned(),
        };
        Annotation::new(at, Note::Verified(evidence))
    }

    #[test]
    fn loss_counts_from_the_newest_proven_backup_and_time_from_the_last_rehearsal() {
        let hour = |hour| DateTime::UNIX_EPOCH + TimeDelta::hours(hour);
        let entry =
            |at: i64, annotations| Entry::new(sample_manifest("production", "shop", hour(at)), annotations);
        let entries = [
            entry(1, vec![rehearsed(hour(9), 900, Verdict::Passed)]),
            entry(2, vec![rehearsed(hour(8), 800, Verdict::Passed)]),
            entry(3, vec![rehearsed(hour(10), 1000, Verdict::Failed)]),
            entry(4, vec![]),
            entry(13, vec![rehearsed(hour(7), 700, Verdict::Passed)]),
        ];
        let recovery = Recovery::of(&entries, Level::Restored, hour(12));
        assert_eq!(recovery.backup, Some(entries[1].manifest.backup_ref()));
        assert_eq!((recovery.rpo_seconds, recovery.rto_ms), (Some(10 * 3600), Some(900)));
        assert_eq!(Recovery::of(&entries, Level::Equal, hour(12)).rpo_seconds, None);
    }
}
