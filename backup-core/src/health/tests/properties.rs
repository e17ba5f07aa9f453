//! What holds whatever the facts are.

use proptest::prelude::*;

use super::*;
use crate::BackupId;

/// Any backup of three days around now, with any evidence.
fn any_entry() -> impl Strategy<Value = Entry> {
    (-4000_i64..4000, proptest::option::of(any::<bool>()), 0..3_u64, any::<bool>()).prop_map(
        |(minutes, passed, rows, pruned)| {
            let at = now() - TimeDelta::minutes(minutes);
            let mut entry = Entry::new(sample_manifest("production", "shop", at), Vec::new());
            entry.manifest.id = BackupId::parse(format!("backup-{}", minutes + 5000)).unwrap();
            with_rows(&mut entry, rows);
            if let Some(passed) = passed {
                let verdict = if passed { Verdict::Passed } else { Verdict::Failed };
                entry.annotations.push(verified(at, Level::Digest, verdict, None));
            }
            if pruned && minutes % 5 == 0 {
                entry.annotations.push(Annotation::new(at, Note::Pruning { reason: String::new() }));
            }
            entry
        },
    )
}

proptest! {
    #[test]
    fn the_report_is_never_ok_without_a_good_backup(entries in prop::collection::vec(any_entry(), 0..8)) {
        let report = looked_at(&facts(entries.clone()), &HealthPolicy::new());
        let has_good = entries.iter().any(|entry| {
            entry.proven().is_some()
                && !entry.is_being_deleted()
                && entry.manifest.created_at <= now() + TimeDelta::minutes(5)
        });
        if !has_good {
            prop_assert_eq!(report.status, Status::Critical);
        }
    }

    #[test]
    fn more_age_never_makes_it_better(
        entries in prop::collection::vec(any_entry(), 0..8),
        later in 0_i64..100_000,
    ) {
        // Those of the future come of age.
        let entries: Vec<_> =
            entries.into_iter().filter(|entry| entry.manifest.created_at <= now()).collect();
        let facts = facts(entries);
        let policy = HealthPolicy::new().with_target(RecoveryTarget::TIER_3);
        let (before, after) = (check(&facts, &policy, now()), check(&facts, &policy, now() + TimeDelta::minutes(later)));
        for name in ["good-backup", "age", "today", "proven-decoded", "proven-restored", "rpo"] {
            let status = |report: &HealthReport| {
                report.checks.iter().find(|check| check.name == name).map(|check| check.status)
            };
            prop_assert!(status(&after) >= status(&before), "{name}\n{before}\n{after}");
        }
    }

    #[test]
    fn the_order_of_the_facts_does_not_matter(entries in prop::collection::vec(any_entry(), 0..8)) {
        let mut entries = entries;
        entries.sort_by(|a, b| a.manifest.id.cmp(&b.manifest.id));
        entries.dedup_by(|a, b| a.manifest.id == b.manifest.id);
        let mut reversed = entries.clone();
        reversed.reverse();
        let policy = HealthPolicy::new();
        let there = looked_at(&facts(entries), &policy);
        let back = looked_at(&facts(reversed), &policy);
        prop_assert_eq!(there, back);
    }
}
