//! What was proven, what is held, and what that is worth in an emergency.

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    Check, CheckStatus, HealthPolicy, RecoveryTarget,
    backups::Backups,
    words::{count, seconds, span},
};
use crate::{Entry, Level, catalog::Recovery};

pub(super) fn checks(backups: &Backups<'_>, policy: &HealthPolicy) -> Vec<Check> {
    let mut checks: Vec<_> =
        policy.proven_within_days.iter().map(|(level, days)| proven(backups, *level, *days)).collect();
    checks.push(holds(backups, policy));
    checks.extend(locks(backups));
    if let Some(target) = policy.target {
        let recovery = Recovery::of(backups.good.iter().copied(), policy.good_level, backups.now);
        checks.extend([loss(backups, &recovery, target), outage(backups, &recovery, target)]);
    }
    checks
}

fn proven(backups: &Backups<'_>, level: Level, days: u32) -> Check {
    let name = format!("proven-{level}");
    let Some(oldest) = backups.all.last() else {
        return backups.check(name, CheckStatus::NotChecked, "there is no backup");
    };
    let limit = TimeDelta::days(i64::from(days));
    let last = backups.all.iter().filter_map(|entry| entry.proven_at(level)).max();
    // A young series has as long as any other.
    let since = (backups.now - last.unwrap_or(oldest.manifest.created_at)).max(TimeDelta::zero());
    let status = if since >= limit { CheckStatus::Warning } else { CheckStatus::Ok };
    let message = match (last, status) {
        (Some(_), _) => format!("the last proof at level {level} or deeper is {} old", span(since)),
        (None, CheckStatus::Ok) => {
            format!("the first proof at level {level} is due in {}", span(limit - since))
        }
        (None, _) => format!("no backup was ever proven at level {level} or deeper"),
    };
    backups
        .check(name, status, message)
        .with_detail("limit", count(days as usize, "day"))
        .with_action(format!("verify the newest backup at level {level}, and schedule drills"))
}

fn holds(backups: &Backups<'_>, policy: &HealthPolicy) -> Check {
    const NAME: &str = "holds";
    let held: Vec<_> = backups.all.iter().filter(|entry| entry.is_held()).collect();
    let limit = TimeDelta::days(i64::from(policy.old_hold_days));
    let old: Vec<_> =
        held.iter().filter(|entry| held_at(entry).is_some_and(|at| backups.now - at >= limit)).collect();
    if old.is_empty() {
        return backups.check(NAME, CheckStatus::Ok, format!("{} held", count(held.len(), "backup")));
    }
    let message = format!("{} held for more than {}", count(old.len(), "backup"), span(limit));
    backups
        .check(NAME, CheckStatus::Info, message)
        .with_list("backup", old.iter().map(|entry| entry.manifest.backup_ref()))
        .with_action("release those that nobody needs any more")
}

/// Where some are locked: how many, and until when; each costs space until then, whatever retention says.
fn locks(backups: &Backups<'_>) -> Option<Check> {
    let locks = backups.all.iter().filter_map(|entry| entry.manifest.lock);
    let active: Vec<_> = locks.filter(|lock| lock.is_active(backups.now)).map(|lock| lock.until).collect();
    let last = active.iter().max()?;
    let message = format!(
        "{} locked by the store, the last until {}",
        count(active.len(), "backup"),
        last.format("%Y-%m-%d %H:%M UTC")
    );
    Some(backups.check("locks", CheckStatus::Ok, message))
}

fn held_at(entry: &Entry) -> Option<DateTime<Utc>> {
    let mut notes = entry.annotations.iter().rev();
    notes.find(|annotation| annotation.note.name() == "held").map(|annotation| annotation.at)
}

fn loss(backups: &Backups<'_>, recovery: &Recovery, target: RecoveryTarget) -> Check {
    const NAME: &str = "rpo";
    let check = match recovery.rpo_seconds {
        None => backups.check(NAME, CheckStatus::Critical, "everything would be lost: no backup is good"),
        Some(loss) => {
            let is_met = loss <= target.rpo_seconds;
            let status = if is_met { CheckStatus::Ok } else { CheckStatus::Critical };
            backups.check(NAME, status, format!("{} of work would be lost", seconds(loss)))
        }
    };
    check
        .with_detail("target", seconds(target.rpo_seconds))
        .with_action("make a backup now; make them more often, or keep a standby or the log of changes")
}

fn outage(backups: &Backups<'_>, recovery: &Recovery, target: RecoveryTarget) -> Check {
    const NAME: &str = "rto";
    let check = match recovery.rto_ms.map(|ms| ms.div_ceil(1000)) {
        None => backups.check(NAME, CheckStatus::Unknown, "how long a restore takes was never measured"),
        Some(time) => {
            let is_met = time <= target.rto_seconds;
            let status = if is_met { CheckStatus::Ok } else { CheckStatus::Warning };
            backups.check(NAME, status, format!("a restore takes {}", seconds(time)))
        }
    };
    check
        .with_detail("target", seconds(target.rto_seconds))
        .with_action("measure it: verify the newest backup at level restored, and look at what takes so long")
}
