use std::{collections::BTreeSet, time::Duration};

use chrono::TimeDelta;

use super::*;
use crate::{
    Annotation, Error, ErrorKind, Evidence, Inventory, Kind, Level, Note, TableInventory, Verdict,
    pipeline::Orphans, store::Space, testkit::sample_manifest, verify::Rehearsed,
};

mod copies;
mod place;
mod properties;
mod report;

/// 2026-11-20, 06:00 UTC.
fn now() -> DateTime<Utc> {
    "2026-11-20T06:00:00Z".parse().unwrap()
}

fn shop() -> Series {
    Series::new("production", "shop")
}

fn hours(hours: i64) -> TimeDelta {
    TimeDelta::hours(hours)
}

fn verified(at: DateTime<Utc>, level: Level, result: Verdict, restore_ms: Option<u64>) -> Annotation {
    let evidence = Evidence {
        level,
        result,
        at,
        duration_ms: 1,
        bytes_read: 1,
        findings: Vec::new(),
        rehearsed: restore_ms.map(|restore_ms| Box::new(Rehearsed { restore_ms, ..Rehearsed::default() })),
        library_version: "0.1.0".to_owned(),
    };
    Annotation::new(at, Note::Verified(evidence))
}

/// A backup that is that old and was found well when it was made.
fn good(age: TimeDelta) -> Entry {
    let at = now() - age;
    let mut manifest = sample_manifest("production", "shop", at);
    manifest.expires_at = None;
    Entry::new(manifest, vec![verified(at, Level::Digest, Verdict::Passed, None)])
}

/// One a day at 02:00, the newest of them today, all of them restored.
fn sound() -> Vec<Entry> {
    (0..40)
        .map(|day| {
            let mut entry = good(hours(4 + 24 * day));
            let at = entry.manifest.created_at;
            entry.annotations.push(verified(at + hours(1), Level::Restored, Verdict::Passed, Some(90_000)));
            entry
        })
        .collect()
}

fn fail(entry: &mut Entry) {
    let at = now() - hours(1);
    entry.annotations.push(verified(at, Level::Equal, Verdict::Failed, None));
}

fn with_rows(entry: &mut Entry, rows: u64) {
    entry.manifest.inventory = Some(Inventory::new(vec![TableInventory::new("orders", rows, rows)]));
}

fn facts(entries: Vec<Entry>) -> HealthFacts {
    HealthFacts::new(entries)
        .with_space(Fact::Known(Space::new(1_000_000_000_000, 500_000_000_000)))
        .with_orphans(Fact::Known(Orphans::default()))
        .with_incomplete(Fact::Known(BTreeSet::new()))
        .with_attempts(vec![Attempt::succeeded(shop(), now() - hours(4))])
        .with_missing_copies(Vec::new())
        .with_standby_lag(Fact::Known(Duration::from_secs(1)))
}

fn looked_at(facts: &HealthFacts, policy: &HealthPolicy) -> HealthReport {
    check(facts, policy, now())
}

fn found<'a>(report: &'a HealthReport, name: &str) -> &'a Check {
    let mut named = report.checks.iter().filter(|check| check.name == name);
    let first = named.next().unwrap_or_else(|| panic!("no check {name} in\n{report}"));
    assert_eq!(named.next(), None, "{name} is there twice");
    first
}

/// What a check finds once the sound facts were changed.
#[track_caller]
fn finds(name: &str, change: impl FnOnce(&mut HealthFacts), expected: CheckStatus) -> Check {
    let mut facts = facts(sound());
    change(&mut facts);
    let report = looked_at(&facts, &HealthPolicy::new());
    let check = found(&report, name).clone();
    assert_eq!(check.status, expected, "{report}");
    assert_eq!(
        check.actions.is_empty(),
        check.status.severity().is_none() || expected == CheckStatus::Unknown
    );
    check
}

#[test]
fn backups_as_they_should_be_are_well() {
    let report = looked_at(&facts(sound()), &HealthPolicy::new().with_target(RecoveryTarget::TIER_3));
    let not_ok: Vec<_> = report.checks.iter().filter(|check| check.status != CheckStatus::Ok).collect();
    assert_eq!((report.status, report.exit_code(), not_ok), (Status::Ok, 0, vec![]));
    assert_eq!(report.summary(), format!("BACKUP OK - {} ok", report.checks.len()));
}

#[test]
fn nothing_is_well_of_which_nothing_is_known() {
    let report = looked_at(&HealthFacts::new(sound()), &HealthPolicy::new());
    assert_eq!(report.status, Status::Ok);
    for name in ["space", "orphans", "artifacts", "attempts", "copies", "standby-lag"] {
        assert_eq!(found(&report, name).status, CheckStatus::NotChecked);
    }
    let facts = HealthFacts::new(sound()).with_space(Fact::Unknown("access denied".to_owned()));
    let report = looked_at(&facts, &HealthPolicy::new());
    assert_eq!((report.status, report.exit_code()), (Status::Unknown, 3));
    assert_eq!(report.summary(), "BACKUP UNKNOWN - store: could not be told: access denied");
}

#[test]
fn no_backup_at_all_is_critical_also_of_a_series_that_never_had_one() {
    assert_eq!(looked_at(&HealthFacts::default(), &HealthPolicy::new()).exit_code(), 2);
    let policy = HealthPolicy::new()
        .with_series(ExpectedSeries::new("production", "shop"))
        .with_series(ExpectedSeries::new("production", "billing"));
    let report = looked_at(&facts(sound()), &policy);
    assert_eq!(report.status, Status::Critical);
    let missing = report.checks.iter().find(|check| check.name == "good-backup").unwrap();
    assert_eq!(missing.series, Some(Series::new("production", "billing")));
}

#[test]
fn a_series_that_nobody_expects_is_named_and_does_not_make_others_well() {
    let policy = HealthPolicy::new().with_series(ExpectedSeries::new("staging", "shop"));
    let report = looked_at(&facts(sound()), &policy);
    assert_eq!(report.status, Status::Critical);
    let unwatched = found(&report, "unwatched");
    assert_eq!(unwatched.details, [("series".to_owned(), "production/shop".to_owned())]);
}

#[test]
fn backups_that_failed_or_prove_nothing_are_no_good_backups() {
    let all_failed =
        finds("good-backup", |facts| facts.entries.iter_mut().for_each(fail), CheckStatus::Critical);
    assert_eq!(all_failed.message, "no backup is good: each of 40 failed its last check");
    let unproven = |facts: &mut HealthFacts| {
        facts.entries.iter_mut().for_each(|entry| entry.annotations.clear());
    };
    finds("good-backup", unproven, CheckStatus::Critical);
    finds("age", unproven, CheckStatus::Critical);
    let deleted = |facts: &mut HealthFacts| {
        let pruning = Annotation::new(now(), Note::Pruning { reason: "old".to_owned() });
        facts.entries.iter_mut().for_each(|entry| entry.annotations.push(pruning.clone()));
    };
    finds("good-backup", deleted, CheckStatus::Critical);
}

#[test]
fn the_age_of_the_newest_good_backup_is_told() {
    for (age, minutes, expected) in [
        (hours(25), None, CheckStatus::Ok),
        (hours(26), None, CheckStatus::Warning),
        (hours(47), None, CheckStatus::Warning),
        (hours(48), None, CheckStatus::Critical),
        (TimeDelta::minutes(64), Some(60), CheckStatus::Ok),
        (TimeDelta::minutes(65), Some(60), CheckStatus::Warning),
        (TimeDelta::minutes(120), Some(60), CheckStatus::Critical),
        (hours(7 * 24 + 13), Some(7 * 24 * 60), CheckStatus::Ok),
    ] {
        let mut series = ExpectedSeries::new("production", "shop");
        if let Some(minutes) = minutes {
            series = series.every(Duration::from_secs(minutes * 60));
        }
        let report = looked_at(&facts(vec![good(age)]), &HealthPolicy::new().with_series(series));
        assert_eq!(found(&report, "age").status, expected, "{age} {minutes:?}");
    }
    // A newer one that failed does not hide that the good one is old.
    let mut failed = good(hours(1));
    fail(&mut failed);
    let report = looked_at(&facts(vec![failed, good(hours(50))]), &HealthPolicy::new());
    assert_eq!(found(&report, "age").message, "the newest good backup is 2 days 2 h old");
}

#[test]
fn the_day_begins_in_the_time_zone_and_ends_when_the_backup_is_due() {
    let cases = [
        // (now, backup, time zone, expected)
        ("2026-11-20T11:59:00Z", "2026-11-19T22:00:00Z", "UTC", CheckStatus::Ok),
        ("2026-11-20T12:00:00Z", "2026-11-19T22:00:00Z", "UTC", CheckStatus::Warning),
        ("2026-11-20T12:00:00Z", "2026-11-20T00:00:00Z", "UTC", CheckStatus::Ok),
        // Where it is tomorrow already when it is 22:00 in UTC.
        ("2026-11-20T03:30:00Z", "2026-11-19T22:00:00Z", "Asia/Tokyo", CheckStatus::Ok),
        // Before it is due, the one of yesterday is enough; the one of the day before is not.
        ("2026-11-20T03:00:00Z", "2026-11-18T23:00:00Z", "UTC", CheckStatus::Warning),
        // The night in which clocks go back has two hours of one name.
        ("2026-10-25T12:00:00Z", "2026-10-25T00:30:00Z", "Europe/Berlin", CheckStatus::Ok),
        ("2026-10-25T12:00:00Z", "2026-10-24T21:30:00Z", "Europe/Berlin", CheckStatus::Warning),
    ];
    for (now, backup, zone, expected) in cases {
        let at: DateTime<Utc> = backup.parse().unwrap();
        let passed = verified(at, Level::Digest, Verdict::Passed, None);
        let entry = Entry::new(sample_manifest("production", "shop", at), vec![passed]);
        let policy = HealthPolicy::new().with_time_zone(zone.parse().unwrap());
        let report = check(&facts(vec![entry]), &policy, now.parse().unwrap());
        assert_eq!(found(&report, "today").status, expected, "{now} {backup} {zone}\n{report}");
    }
}

#[test]
fn a_weekly_or_monthly_schedule_that_stopped_is_told() {
    let with = |kind: Kind, day: usize| {
        let mut facts = facts(sound());
        facts.entries[day].manifest.kind = kind;
        looked_at(&facts, &HealthPolicy::new())
    };
    assert_eq!(found(&with(Kind::Weekly, 7), "weekly").status, CheckStatus::Ok);
    assert_eq!(found(&with(Kind::Weekly, 8), "weekly").status, CheckStatus::Warning);
    assert_eq!(found(&with(Kind::Monthly, 31), "monthly").status, CheckStatus::Ok);
    assert_eq!(found(&with(Kind::Monthly, 32), "monthly").status, CheckStatus::Warning);
    // Without any, nobody is known to want them, unless the policy says so.
    let mut policy = HealthPolicy::new();
    let has_weekly = |report: &HealthReport| report.checks.iter().any(|check| check.name == "weekly");
    assert!(!has_weekly(&looked_at(&facts(sound()), &policy)));
    policy.weekly_within_days = Some(9);
    assert_eq!(found(&looked_at(&facts(sound()), &policy), "weekly").status, CheckStatus::Warning);
}

#[test]
fn a_dump_that_suddenly_shrinks_or_grows_is_told() {
    for (size, expected) in [
        (5000, CheckStatus::Ok),
        (2500, CheckStatus::Ok),
        (2449, CheckStatus::Warning),
        (10_000, CheckStatus::Ok),
        (10_100, CheckStatus::Warning),
        (0, CheckStatus::Warning),
    ] {
        finds("size", |facts| facts.entries[0].manifest.plain.size = size, expected);
    }
    // Another format is another size.
    let other_format = |facts: &mut HealthFacts| {
        facts.entries[0].manifest.plain.size = 1;
        facts.entries[0].manifest.format = "custom".to_owned();
    };
    finds("size", other_format, CheckStatus::NotChecked);
    finds("size", |facts| facts.entries.truncate(3), CheckStatus::NotChecked);
}

#[test]
fn rows_that_are_all_gone_are_critical_and_no_good_backup() {
    let emptied = |facts: &mut HealthFacts| with_rows(&mut facts.entries[0], 0);
    finds("rows", emptied, CheckStatus::Critical);
    let age = finds("age", emptied, CheckStatus::Warning);
    assert_eq!(age.message, "the newest good backup is 28 h old");
    // A second one that is empty makes the first no better.
    let twice =
        |facts: &mut HealthFacts| facts.entries.iter_mut().take(2).for_each(|entry| with_rows(entry, 0));
    finds("age", twice, CheckStatus::Critical);
    let always = |facts: &mut HealthFacts| facts.entries.iter_mut().for_each(|entry| with_rows(entry, 0));
    finds("rows", always, CheckStatus::Ok);
    finds("rows", |facts| facts.entries[0].manifest.inventory = None, CheckStatus::NotChecked);
}

#[test]
fn a_backup_that_took_much_longer_is_told() {
    let take = |seconds: i64| {
        move |facts: &mut HealthFacts| {
            let manifest = &mut facts.entries[0].manifest;
            manifest.finished_at = manifest.created_at + TimeDelta::seconds(seconds);
        }
    };
    // Usual are 1.5 seconds: three times as much is nothing yet.
    finds("duration", take(30), CheckStatus::Ok);
    finds("duration", take(120), CheckStatus::Warning);
}

#[test]
fn runs_that_failed_are_told_with_what_the_error_says() {
    let error = Error::new(ErrorKind::ToolFailed, "pg_dump failed").with_context("exit", 1);
    let runs = |failed: &[(i64, bool)]| {
        let attempts: Vec<_> = failed
            .iter()
            .map(|(age, failed)| match failed {
                true => Attempt::failed(shop(), now() - hours(*age), &error),
                false => Attempt::succeeded(shop(), now() - hours(*age)),
            })
            .chain([Attempt::failed(Series::new("production", "billing"), now(), &error)])
            .collect();
        move |facts: &mut HealthFacts| facts.attempts = Fact::Known(attempts)
    };
    finds("attempts", runs(&[(1, false), (30, true)]), CheckStatus::Ok);
    finds("attempts", runs(&[(1, false), (5, true)]), CheckStatus::Info);
    let last = finds("attempts", runs(&[(9, false), (1, true)]), CheckStatus::Warning);
    assert_eq!(last.message, "the last run failed");
    assert_eq!(last.details[0], ("code".to_owned(), "tool_failed".to_owned()));
    assert_eq!(last.details[1], ("error".to_owned(), "pg_dump failed, exit: 1".to_owned()));
    finds("attempts", runs(&[(50, true), (26, true), (2, true)]), CheckStatus::Critical);
    finds("attempts", runs(&[]), CheckStatus::NotChecked);
}

#[test]
fn damaged_backups_are_a_warning_and_the_newest_is_critical() {
    let old = finds("failed-backups", |facts| fail(&mut facts.entries[3]), CheckStatus::Warning);
    assert_eq!(old.message, "1 backup failed a check");
    finds("failed-backups", |facts| fail(&mut facts.entries[0]), CheckStatus::Critical);
}

#[test]
fn what_was_not_proven_for_too_long_is_told_level_by_level() {
    // The proofs of the last n days are missing; Restored may be 30 days old, Decoded 7.
    for (days, decoded, restored) in [
        (0, CheckStatus::Ok, CheckStatus::Ok),
        (6, CheckStatus::Ok, CheckStatus::Ok),
        (8, CheckStatus::Warning, CheckStatus::Ok),
        (31, CheckStatus::Warning, CheckStatus::Warning),
        (40, CheckStatus::Warning, CheckStatus::Warning),
    ] {
        let unproven = |facts: &mut HealthFacts| {
            facts.entries.iter_mut().take(days).for_each(|entry| entry.annotations.truncate(1));
        };
        finds("proven-decoded", unproven, decoded);
        finds("proven-restored", unproven, restored);
    }
    // A proof of an old backup that is of today counts, one that a failure took back does not.
    let late = |facts: &mut HealthFacts| {
        facts.entries.iter_mut().for_each(|entry| entry.annotations.truncate(1));
        facts.entries[39].annotations.push(verified(now(), Level::Equal, Verdict::Passed, None));
    };
    finds("proven-restored", late, CheckStatus::Ok);
    let taken_back = |facts: &mut HealthFacts| {
        late(facts);
        facts.entries[39].annotations.push(verified(now(), Level::Equal, Verdict::Failed, None));
    };
    finds("proven-restored", taken_back, CheckStatus::Warning);
    // A young series has time.
    let young = looked_at(&facts(vec![good(hours(4))]), &HealthPolicy::new());
    assert_eq!(
        found(&young, "proven-decoded").message,
        "the first proof at level decoded is due in 6 days 20 h"
    );
}

#[test]
fn old_holds_are_good_to_know() {
    let hold = |age: i64| {
        move |facts: &mut HealthFacts| {
            let at = now() - TimeDelta::days(age);
            let held = Annotation::new(at, Note::Held { reason: "audit".to_owned() });
            facts.entries[5].annotations.insert(0, held);
        }
    };
    finds("holds", hold(3), CheckStatus::Ok);
    finds("holds", hold(200), CheckStatus::Info);
}

#[test]
fn locked_backups_are_told_as_long_as_they_are_locked() {
    let locked = |until: TimeDelta| {
        let mut facts = facts(sound());
        facts.entries[5].manifest.lock =
            Some(crate::ObjectLock::new(crate::LockMode::Compliance, now() + until));
        looked_at(&facts, &HealthPolicy::new())
    };
    let report = locked(TimeDelta::days(3));
    let check = found(&report, "locks");
    assert_eq!(check.status, CheckStatus::Ok);
    assert!(check.message.starts_with("1 backup locked by the store, the last until "), "{}", check.message);
    assert!(locked(TimeDelta::days(-3)).checks.iter().all(|check| check.name != "locks"));
}

#[test]
fn loss_and_outage_are_measured_against_the_target() {
    let report = |target, restore_ms| {
        let mut facts = facts(sound());
        let last = facts.entries[0].annotations.last_mut().unwrap();
        *last = verified(now(), Level::Restored, Verdict::Passed, restore_ms);
        if restore_ms.is_none() {
            facts.entries.truncate(1);
        }
        looked_at(&facts, &HealthPolicy::new().with_target(target))
    };
    let slow = Some(5 * 3600 * 1000);
    for (target, restore_ms, rpo, rto) in [
        (RecoveryTarget::TIER_3, Some(1), CheckStatus::Ok, CheckStatus::Ok),
        (RecoveryTarget::TIER_2, Some(1), CheckStatus::Critical, CheckStatus::Ok),
        (RecoveryTarget::TIER_2, slow, CheckStatus::Critical, CheckStatus::Warning),
        (RecoveryTarget::TIER_3, slow, CheckStatus::Ok, CheckStatus::Ok),
        (RecoveryTarget::TIER_3, None, CheckStatus::Ok, CheckStatus::Unknown),
    ] {
        let report = report(target, restore_ms);
        assert_eq!((found(&report, "rpo").status, found(&report, "rto").status), (rpo, rto), "{report}");
    }
}
