//! Whether retention ran.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    Check, CheckStatus, HealthPolicy, Series,
    backups::Backups,
    words::{bytes, count, span},
};
use crate::{Entry, retention::Planned};

/// Where a policy is known: backups that it would have deleted a while ago, and that are still there.
pub(super) fn check(backups: &Backups<'_>, entries: &[Entry], policy: &HealthPolicy) -> Option<Check> {
    const NAME: &str = "retention";
    let retention = policy.retention.as_ref()?;
    let grace = TimeDelta::hours(i64::from(policy.retention_grace_hours));
    let ours = || entries.iter().filter(|entry| Series::of(entry) == backups.series);
    let known_then: Vec<Entry> = ours().filter_map(|entry| as_of(entry, backups.now - grace)).collect();
    let plan = match retention.plan(&known_then, backups.now - grace) {
        Ok(plan) => plan,
        Err(err) => {
            let check = backups.check(NAME, CheckStatus::Unknown, format!("cannot be planned: {err}"));
            return Some(check.with_action("mend the policy"));
        }
    };
    let held: HashSet<_> =
        ours().filter(|entry| entry.is_held()).map(|entry| entry.manifest.backup_ref()).collect();
    let left: Vec<&Planned> = plan.deletions().filter(|planned| !held.contains(&planned.backup)).collect();
    if left.is_empty() {
        return Some(backups.check(NAME, CheckStatus::Ok, "nothing is left that should be gone"));
    }
    let freed = left.iter().fold(0_u64, |sum, planned| sum.saturating_add(planned.bytes));
    let action = if plan.excess.is_empty() {
        "prune, and find out why that is not part of each backup"
    } else {
        "look at the plan: it deletes more at once than the policy allows, and is refused until that is confirmed"
    };
    let message = format!("{} should be gone for more than {}", count(left.len(), "backup"), span(grace));
    Some(
        backups
            .check(NAME, CheckStatus::Warning, message)
            .with_detail("would free", bytes(freed))
            .with_list("backup", left.iter().map(|planned| &planned.backup))
            .with_action(action),
    )
}

/// The backup as it was known then: a proof of today is no reason to have deleted anything yesterday.
fn as_of(entry: &Entry, then: DateTime<Utc>) -> Option<Entry> {
    (entry.manifest.created_at <= then).then(|| {
        let mut entry = entry.clone();
        entry.annotations.retain(|annotation| annotation.at <= then);
        entry
    })
}
