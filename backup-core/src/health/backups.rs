use chrono::{DateTime, TimeDelta, Utc};

use super::{Check, CheckStatus, Fact, HealthFacts, HealthPolicy, Series};
use crate::{Entry, Kind, catalog::Standing};

/// How far the clock of another host may be ahead.
const CLOCK_DIFFERENCE: TimeDelta = TimeDelta::minutes(5);

/// How many earlier backups one is compared with.
pub(super) const COMPARED: usize = 30;

/// The backups of one series at one time; those that are being deleted, and those of the future, are left out.
pub(super) struct Backups<'a> {
    pub(super) series: Series,
    pub(super) now: DateTime<Utc>,
    /// The newest first.
    pub(super) all: Vec<&'a Entry>,
    /// Those that somebody can rely on: proven, and not emptied.
    pub(super) good: Vec<&'a Entry>,
}

impl<'a> Backups<'a> {
    pub(super) fn of(
        series: Series,
        facts: &'a HealthFacts,
        policy: &HealthPolicy,
        now: DateTime<Utc>,
    ) -> Self {
        let mut all: Vec<&Entry> = facts
            .entries
            .iter()
            .filter(|entry| Series::of(entry) == series)
            .filter(|entry| !entry.is_being_deleted() && !is_of_the_future(entry, now))
            .collect();
        all.sort_by(|a, b| {
            (b.manifest.created_at, &b.manifest.id).cmp(&(a.manifest.created_at, &a.manifest.id))
        });
        let is_proven =
            |entry: &Entry| entry.proven().is_some_and(|evidence| evidence.level >= policy.good_level);
        let is_whole = |entry: &Entry| match &facts.incomplete {
            Fact::Known(incomplete) => !incomplete.contains(&entry.manifest.backup_ref()),
            _ => true,
        };
        let good = all
            .iter()
            .enumerate()
            .filter(|(at, entry)| {
                is_proven(entry)
                    && is_whole(entry)
                    && !is_emptied(entry, all.get(at + 1..).unwrap_or_default())
            })
            .map(|(_, entry)| *entry)
            .collect();
        Self { series, now, all, good }
    }

    pub(super) fn check(
        &self,
        name: impl Into<String>,
        status: CheckStatus,
        message: impl Into<String>,
    ) -> Check {
        Check::new(name, status, message).of(&self.series)
    }

    pub(super) fn age(&self, entry: &Entry) -> TimeDelta {
        (self.now - entry.manifest.created_at).max(TimeDelta::zero())
    }

    /// The newest one, where it is emptied.
    pub(super) fn emptied(&self) -> Option<&'a Entry> {
        let (newest, earlier) = self.all.split_first()?;
        is_emptied(newest, earlier).then_some(newest)
    }

    pub(super) fn newest_good_of(&self, kind: Kind) -> Option<&'a Entry> {
        self.good.iter().copied().find(|entry| entry.manifest.kind == kind)
    }

    pub(super) fn last_stored_bytes(&self) -> u64 {
        self.all.first().map_or(0, |entry| entry.manifest.stored_bytes())
    }
}

pub(super) fn is_of_the_future(entry: &Entry, now: DateTime<Utc>) -> bool {
    entry.manifest.created_at > now + CLOCK_DIFFERENCE
}

pub(super) fn has_failed(entry: &Entry) -> bool {
    matches!(entry.standing(), Standing::Failed { .. })
}

/// How many rows it holds, where its format shows them.
pub(super) fn rows(entry: &Entry) -> Option<u64> {
    entry.manifest.inventory.as_ref().map(crate::Inventory::rows)
}

/// Whether it holds no rows where there were rows before: that is no good backup, unless it has been so for long.
fn is_emptied(entry: &Entry, earlier: &[&Entry]) -> bool {
    rows(entry) == Some(0)
        && earlier.iter().take(COMPARED).any(|entry| rows(entry).is_some_and(|rows| rows > 0))
}
