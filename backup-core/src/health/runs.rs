//! Whether runs failed, and backups that were made.

use chrono::TimeDelta;

use super::{
    Attempt, AttemptOutcome, Check, CheckStatus, Fact, HealthFacts, HealthPolicy,
    backups::{Backups, has_failed},
    words::{count, span},
};

pub(super) fn checks(backups: &Backups<'_>, facts: &HealthFacts, policy: &HealthPolicy) -> Vec<Check> {
    vec![attempts(backups, facts, policy), failed_backups(backups)]
}

fn attempts(backups: &Backups<'_>, facts: &HealthFacts, policy: &HealthPolicy) -> Check {
    const NAME: &str = "attempts";
    let attempts = match &facts.attempts {
        Fact::Known(attempts) => attempts,
        Fact::Unasked => return backups.check(NAME, CheckStatus::NotChecked, "no runs are known"),
        Fact::Unknown(why) => {
            return backups.check(NAME, CheckStatus::Unknown, format!("recent runs are unknown: {why}"));
        }
    };
    let mut ours: Vec<&Attempt> = attempts
        .iter()
        .filter(|attempt| attempt.series == backups.series && attempt.at <= backups.now)
        .collect();
    ours.sort_by_key(|attempt| std::cmp::Reverse(attempt.at));
    if ours.is_empty() {
        return backups.check(NAME, CheckStatus::NotChecked, "no run is known of this series");
    }
    let in_a_row = ours.iter().take_while(|attempt| failure(attempt).is_some()).count();
    let window = TimeDelta::hours(i64::from(policy.attempts_within_hours));
    let recent: Vec<_> = ours
        .iter()
        .filter(|attempt| backups.now - attempt.at < window)
        .filter_map(|attempt| failure(attempt).map(|error| (attempt, error)))
        .collect();
    let last_error = ours.iter().find_map(|attempt| failure(attempt));
    let check = match (in_a_row, recent.len()) {
        (0, 0) => backups.check(NAME, CheckStatus::Ok, "no run failed of late"),
        (0, failed) => {
            let message =
                format!("{} failed within {}, the last one succeeded", count(failed, "run"), span(window));
            backups.check(NAME, CheckStatus::Info, message)
        }
        (in_a_row, _) => {
            let is_critical = in_a_row >= policy.critical_failures.max(1) as usize;
            let status = if is_critical { CheckStatus::Critical } else { CheckStatus::Warning };
            let message = match in_a_row {
                1 => "the last run failed".to_owned(),
                runs => format!("the last {runs} runs failed"),
            };
            backups.check(NAME, status, message)
        }
    };
    match last_error.filter(|_| check.status.severity().is_some()) {
        None => check,
        Some((code, message)) => check
            .with_detail("code", code)
            .with_detail("error", message)
            .with_action("do what the error says, then make a backup by hand"),
    }
}

fn failure(attempt: &Attempt) -> Option<(&str, &str)> {
    match &attempt.outcome {
        AttemptOutcome::Succeeded => None,
        AttemptOutcome::Failed { code, message } => Some((code, message)),
    }
}

fn failed_backups(backups: &Backups<'_>) -> Check {
    const NAME: &str = "failed-backups";
    let failed: Vec<_> = backups.all.iter().filter(|entry| has_failed(entry)).collect();
    if failed.is_empty() {
        return backups.check(NAME, CheckStatus::Ok, "no backup has failed a check");
    }
    let is_newest = backups.all.first().is_some_and(|newest| has_failed(newest));
    let (status, which) = if is_newest {
        (CheckStatus::Critical, ", the newest among them")
    } else {
        (CheckStatus::Warning, "")
    };
    backups
        .check(NAME, status, format!("{} failed a check{which}", count(failed.len(), "backup")))
        .with_list("backup", failed.iter().map(|entry| entry.manifest.backup_ref()))
        .with_action("do not restore from them; make a new backup if the newest is among them")
        .with_action("verify the others, and look for faults of the disk or of whoever else writes there")
}
