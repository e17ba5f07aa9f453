//! The store, what lies in it, and what stands beside it.

use std::{collections::BTreeSet, time::Duration};

use chrono::{DateTime, Utc};

use super::{
    Check, CheckStatus, Fact, HealthFacts, HealthPolicy, Series,
    backups::is_of_the_future,
    words::{bytes, count, seconds},
};
use crate::{BackupRef, pipeline::Orphans, store::Space};

pub(super) fn checks(
    facts: &HealthFacts,
    policy: &HealthPolicy,
    last_round_bytes: u64,
    now: DateTime<Utc>,
) -> Vec<Check> {
    vec![
        told("space", &facts.space, "the store does not tell its free space", |facts| {
            space(*facts, policy, last_round_bytes)
        }),
        told("orphans", &facts.orphans, "nobody looked for objects of no backup", orphans),
        told(
            "artifacts",
            &facts.incomplete,
            "nobody looked whether the backups' objects are there",
            incomplete,
        ),
        told("copies", &facts.missing_copies, "nobody compared the copies", |missing| {
            let status = if missing.is_empty() { CheckStatus::Ok } else { CheckStatus::Warning };
            let message = match missing.len() {
                0 => "no copy is missing".to_owned(),
                1 => "1 copy is missing".to_owned(),
                number => format!("{number} copies are missing"),
            };
            Check::new("copies", status, message)
                .with_list("copy", missing.iter().map(|copy| format!("{} in {}", copy.backup, copy.place)))
                .with_action("copy them again, and find out why that store did not take them")
        }),
        told("standby-lag", &facts.standby_lag, "nobody asked a standby", |lag| standby(*lag, policy)),
        damaged(facts),
        future_dated(facts, now),
    ]
}

/// Series that are there, but that nobody asked for.
pub(super) fn unwatched(found: &BTreeSet<Series>, policy: &HealthPolicy) -> Option<Check> {
    let watched: BTreeSet<Series> = policy.series.iter().map(super::ExpectedSeries::series).collect();
    let others: Vec<_> = found.difference(&watched).collect();
    (!watched.is_empty() && !others.is_empty()).then(|| {
        let message = format!("the backups of {} other databases are not checked", others.len());
        Check::new("unwatched", CheckStatus::Info, message).with_list("series", others)
    })
}

/// The check of a fact, where it is known.
fn told<T>(name: &str, fact: &Fact<T>, unasked: &str, check: impl FnOnce(&T) -> Check) -> Check {
    match fact {
        Fact::Known(known) => check(known),
        Fact::Unasked => Check::new(name, CheckStatus::NotChecked, unasked),
        Fact::Unknown(why) => Check::new(name, CheckStatus::Unknown, format!("could not be told: {why}")),
    }
}

fn space(space: Space, policy: &HealthPolicy, last_round_bytes: u64) -> Check {
    let free = space.free_bytes;
    let rounds = last_round_bytes.saturating_mul(u64::from(policy.min_free_rounds));
    let status = if free < last_round_bytes {
        CheckStatus::Critical
    } else if free < policy.min_free_bytes.max(rounds) {
        CheckStatus::Warning
    } else {
        CheckStatus::Ok
    };
    let message = match status {
        CheckStatus::Critical => format!("the next backups do not fit: {} free", bytes(free)),
        _ => format!("{} free", bytes(free)),
    };
    Check::new("space", status, message)
        .with_detail("total", bytes(space.total_bytes))
        .with_detail("last backups", bytes(last_round_bytes))
        .with_detail("wanted", bytes(policy.min_free_bytes.max(rounds)))
        .with_action("free space on the store, make it larger, or keep fewer backups")
}

fn orphans(orphans: &Orphans) -> Check {
    let status = if orphans.objects == 0 { CheckStatus::Ok } else { CheckStatus::Warning };
    let message = match orphans.objects {
        0 => "every object belongs to a backup".to_owned(),
        number => format!("{number} objects with {} belong to no backup", bytes(orphans.bytes)),
    };
    Check::new("orphans", status, message)
        .with_list("object", &orphans.keys)
        .with_action("bring their manifests back from a copy, or delete them once nobody needs them")
}

fn incomplete(incomplete: &BTreeSet<BackupRef>) -> Check {
    let status = if incomplete.is_empty() { CheckStatus::Ok } else { CheckStatus::Critical };
    let message = match incomplete.len() {
        0 => "the objects of all backups are there".to_owned(),
        number => format!("the objects of {} are missing or cut short", count(number, "backup")),
    };
    Check::new("artifacts", status, message).with_list("backup", incomplete).with_action(
        "bring them back from a copy of the store, or make a new backup now; then find out who removed them",
    )
}

fn standby(lag: Duration, policy: &HealthPolicy) -> Check {
    let lag = lag.as_secs();
    let status = if lag >= policy.critical_lag_seconds {
        CheckStatus::Critical
    } else if lag >= policy.warning_lag_seconds {
        CheckStatus::Warning
    } else {
        CheckStatus::Ok
    };
    Check::new("standby-lag", status, format!("the standby is {} behind", seconds(lag)))
        .with_action("check that the standby runs and that replication goes on")
}

fn damaged(facts: &HealthFacts) -> Check {
    let status = if facts.damaged.is_empty() { CheckStatus::Ok } else { CheckStatus::Warning };
    let message = match facts.damaged.len() {
        0 => "every manifest can be read".to_owned(),
        number => format!("{} cannot be read", count(number, "manifest")),
    };
    Check::new("damaged-manifests", status, message).with_list("manifest", &facts.damaged).with_action(
        "bring them back from a copy of the store: without its manifest a backup cannot be restored",
    )
}

fn future_dated(facts: &HealthFacts, now: DateTime<Utc>) -> Check {
    let ahead = facts.entries.iter().filter(|entry| is_of_the_future(entry, now));
    let mut ahead: Vec<_> = ahead.map(|entry| entry.manifest.backup_ref()).collect();
    ahead.sort_unstable();
    let status = if ahead.is_empty() { CheckStatus::Ok } else { CheckStatus::Warning };
    let message = match ahead.len() {
        0 => "no backup is dated in the future".to_owned(),
        number => format!("{} dated in the future", count(number, "backup")),
    };
    Check::new("future-dated", status, message).with_list("backup", ahead).with_action(
        "set the clock of the host that made them, and of this one; they do not count until then",
    )
}
