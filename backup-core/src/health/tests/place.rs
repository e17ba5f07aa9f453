//! Retention, the store, and what lies in it.

use super::*;
use crate::{Retention, retention::Period};

#[test]
fn what_retention_should_have_deleted_is_told_after_a_while() {
    let keep_last = |count| Retention::new().keep_last_of(Period::Each, count).with_max_deleted_percent(100);
    let retention = |count, facts: &HealthFacts| {
        let report = looked_at(facts, &HealthPolicy::new().with_retention(keep_last(count)));
        found(&report, "retention").clone()
    };
    let mut facts = facts(sound());
    assert_eq!(retention(40, &facts).status, CheckStatus::Ok);
    // 26 hours ago, the one of today was not there yet.
    assert_eq!(retention(39, &facts).status, CheckStatus::Ok);
    let late = retention(30, &facts);
    assert_eq!(late.status, CheckStatus::Warning);
    assert_eq!(late.message, "9 backups should be gone for more than 26 h");
    // What is held now need not be gone.
    for entry in &mut facts.entries[31..] {
        entry.annotations.push(Annotation::new(now(), Note::Held { reason: "audit".to_owned() }));
    }
    assert_eq!(retention(30, &facts).status, CheckStatus::Ok);
    assert_eq!(retention(0, &facts).status, CheckStatus::Unknown);
    let report = looked_at(&facts, &HealthPolicy::new());
    assert!(!report.checks.iter().any(|check| check.name == "retention"));
}

#[test]
fn a_proof_of_today_is_no_reason_to_have_deleted_anything_yesterday() {
    let mut facts = facts(sound());
    facts.entries[0].annotations.clear();
    let newest_then = &mut facts.entries[2];
    newest_then.annotations = vec![verified(now(), Level::Equal, Verdict::Passed, None)];
    for entry in &mut facts.entries[3..] {
        entry.annotations.clear();
    }
    facts.entries.remove(1);
    let policy = HealthPolicy::new()
        .with_retention(Retention::new().keep_last_of(Period::Each, 1).with_max_deleted_percent(100));
    assert_eq!(found(&looked_at(&facts, &policy), "retention").status, CheckStatus::Ok);
    let report = check(&facts, &policy, now() + hours(26));
    assert_eq!(found(&report, "retention").status, CheckStatus::Warning);
}

#[test]
fn a_store_that_is_nearly_full_is_told_before_the_next_backup_fails() {
    for (free, last, expected) in [
        (10_000_000_000, 1000, CheckStatus::Ok),
        (9_999_999_999, 1000, CheckStatus::Warning),
        (30_000_000_000, 10_000_000_000, CheckStatus::Ok),
        (29_999_999_999, 10_000_000_000, CheckStatus::Warning),
        (9_999_999_999, 10_000_000_000, CheckStatus::Critical),
    ] {
        let change = |facts: &mut HealthFacts| {
            facts.space = Fact::Known(Space::new(100_000_000_000, free));
            facts.entries[0].manifest.artifact.size = last;
            facts.entries[0].manifest.companions.clear();
        };
        finds("space", change, expected);
    }
}

#[test]
fn what_lies_in_the_store_and_beside_it_is_told() {
    let orphans = |facts: &mut HealthFacts| {
        let orphans = Orphans { objects: 2, bytes: 1500, ..Orphans::default() };
        facts.orphans = Fact::Known(orphans);
    };
    let check = finds("orphans", orphans, CheckStatus::Warning);
    assert_eq!(check.message, "2 objects with 1.5 kB belong to no backup");
    let damaged = |facts: &mut HealthFacts| {
        let errors: Vec<_> =
            (0..9).map(|n| Error::new(ErrorKind::Corrupt, "damaged").with_context("n", n)).collect();
        *facts = facts.clone().with_damaged(&errors);
    };
    let check = finds("damaged-manifests", damaged, CheckStatus::Warning);
    assert_eq!(check.details.last().unwrap().1, "and 4 more");
    let copies = |facts: &mut HealthFacts| {
        let backup = facts.entries[0].manifest.backup_ref();
        facts.missing_copies = Fact::Known(vec![MissingCopy::new(backup, "s3://other")]);
    };
    finds("copies", copies, CheckStatus::Warning);
    for (seconds, expected) in
        [(59, CheckStatus::Ok), (60, CheckStatus::Warning), (300, CheckStatus::Critical)]
    {
        let lag = |facts: &mut HealthFacts| {
            facts.standby_lag = Fact::Known(Duration::from_secs(seconds));
        };
        finds("standby-lag", lag, expected);
    }
}

#[test]
fn a_backup_of_the_future_is_told_and_counts_for_nothing() {
    let ahead = |facts: &mut HealthFacts| {
        facts.entries = vec![good(hours(50)), good(-hours(48))];
    };
    finds("future-dated", ahead, CheckStatus::Warning);
    finds("age", ahead, CheckStatus::Critical);
    // Clocks of two hosts are never quite the same.
    let slightly = |facts: &mut HealthFacts| facts.entries.push(good(-TimeDelta::minutes(4)));
    finds("future-dated", slightly, CheckStatus::Ok);
}
