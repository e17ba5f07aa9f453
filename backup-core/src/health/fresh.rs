//! Whether there is a good backup, and how old it is.

use chrono::{Days, TimeDelta};

use super::{
    Check, CheckStatus, ExpectedSeries, HealthPolicy,
    backups::{Backups, has_failed},
    words::{count, span},
};
use crate::Kind;

const BACK_UP_NOW: &str = "make a backup now, and find out why the scheduled one was not made";

pub(super) fn checks(backups: &Backups<'_>, expected: &ExpectedSeries, policy: &HealthPolicy) -> Vec<Check> {
    let mut checks = vec![good(backups), age(backups, expected, policy)];
    checks.extend(today(backups, expected, policy));
    checks.extend(kind(backups, Kind::Weekly, policy.weekly_within_days, 8));
    checks.extend(kind(backups, Kind::Monthly, policy.monthly_within_days, 32));
    checks
}

/// What is said where no series is expected, and none is there.
pub(super) fn nothing_at_all() -> Check {
    Check::new("good-backup", CheckStatus::Critical, "there is no backup of any database")
        .with_action("make a first backup, or check that this is the right store")
}

fn good(backups: &Backups<'_>) -> Check {
    const NAME: &str = "good-backup";
    let (all, good) = (backups.all.len(), backups.good.len());
    if all == 0 {
        return backups
            .check(NAME, CheckStatus::Critical, "there is no backup")
            .with_action("make a first backup, or check the names of environment and database");
    }
    if good > 0 {
        let message = format!("{good} of {} can be relied on", count(all, "backup"));
        return backups.check(NAME, CheckStatus::Ok, message);
    }
    let failed = backups.all.iter().filter(|entry| has_failed(entry)).count();
    let why = match (failed, all - failed) {
        (_, 0) => format!("each of {all} failed its last check"),
        (0, _) => format!("none of {all} was proven and holds its rows"),
        (failed, others) => {
            format!("{failed} failed their last check, {others} were not proven or hold no rows")
        }
    };
    let message = format!("no backup is good: {why}");
    backups
        .check(NAME, CheckStatus::Critical, message)
        .with_action("make a new backup now, and verify it")
        .with_action("keep the old ones until it is proven: parts of them may still be readable")
}

fn age(backups: &Backups<'_>, expected: &ExpectedSeries, policy: &HealthPolicy) -> Check {
    const NAME: &str = "age";
    let Some(newest) = backups.good.first() else {
        return backups
            .check(NAME, CheckStatus::Critical, "no good backup has an age")
            .with_action(BACK_UP_NOW);
    };
    let (warning, critical) = expected.ages(policy);
    let minutes = |minutes: u32| TimeDelta::minutes(i64::from(minutes));
    let age = backups.age(newest);
    let (status, limit) = if age >= minutes(critical) {
        (CheckStatus::Critical, critical)
    } else if age >= minutes(warning) {
        (CheckStatus::Warning, warning)
    } else {
        (CheckStatus::Ok, warning)
    };
    backups
        .check(NAME, status, format!("the newest good backup is {} old", span(age)))
        .with_detail("backup", newest.manifest.backup_ref())
        .with_detail("limit", span(minutes(limit)))
        .with_action(BACK_UP_NOW)
}

/// Of series that are backed up at least once a day.
fn today(backups: &Backups<'_>, expected: &ExpectedSeries, policy: &HealthPolicy) -> Option<Check> {
    const NAME: &str = "today";
    let by = policy.today_by.filter(|_| expected.every_minutes.is_none_or(|every| every <= 24 * 60))?;
    let local = backups.now.with_timezone(&policy.time_zone);
    let today = local.date_naive();
    // Until then, the backup of yesterday is the one that must be there.
    let is_due = local.time() >= by;
    let due = if is_due { today } else { today.checked_sub_days(Days::new(1))? };
    let newest = backups
        .good
        .first()
        .map(|entry| entry.manifest.created_at.with_timezone(&policy.time_zone).date_naive());
    let check = match newest {
        Some(day) if day >= today => backups.check(NAME, CheckStatus::Ok, "there is a good backup of today"),
        Some(day) if day >= due => {
            backups.check(NAME, CheckStatus::Ok, format!("a good backup of today is due by {by}"))
        }
        _ => backups.check(NAME, CheckStatus::Warning, format!("there is no good backup of {due}")),
    };
    Some(check.with_detail("time zone", policy.time_zone).with_action(BACK_UP_NOW))
}

fn kind(backups: &Backups<'_>, kind: Kind, asked: Option<u32>, default: u32) -> Option<Check> {
    let newest = backups.newest_good_of(kind);
    let has_any = backups.all.iter().any(|entry| entry.manifest.kind == kind);
    if asked.is_none() && !has_any {
        return None;
    }
    let limit = asked.unwrap_or(default);
    let check = match newest.map(|entry| backups.age(entry)) {
        None => backups.check(kind.name(), CheckStatus::Warning, format!("there is no good {kind} backup")),
        Some(age) => {
            let is_old = age >= TimeDelta::days(i64::from(limit));
            let status = if is_old { CheckStatus::Warning } else { CheckStatus::Ok };
            let message = format!("the newest good {kind} backup is {} old", span(age));
            backups.check(kind.name(), status, message)
        }
    };
    Some(
        check
            .with_detail("limit", count(limit as usize, "day"))
            .with_action(format!("find out why the {kind} backup was not made")),
    )
}
