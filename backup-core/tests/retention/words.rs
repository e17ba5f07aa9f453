//! What a plan says, and the words by which a backup is exempt.

use backup_core::retention::{Decision, Doubt, KeepReason, Planned};

use super::*;

fn last_one() -> Retention {
    Retention::new().keep_last_of(Period::Each, 1)
}

fn far() -> DateTime<Utc> {
    start() + TimeDelta::days(900)
}

#[test]
fn sizes_are_written_as_people_read_them() {
    let mut plan = last_one().plan(&entries(&[Case::at(1), Case::at(2)]), far()).unwrap();
    for (bytes, written) in [
        (0, " 0 B "),
        (999, " 999 B "),
        (1000, " 1.0 kB "),
        (1550, " 1.5 kB "),
        (999_999, " 999.9 kB "),
        (1_000_000, " 1.0 MB "),
        (12_345_678_901, " 12.3 GB "),
        (2_000_000_000_000, " 2.0 TB "),
        (1_000_000_000_000_000, " 1.0 PB "),
        (u64::MAX, " 18446.7 PB "),
    ] {
        plan.entries[1].bytes = bytes;
        let table = plan.to_string();
        let lines: Vec<_> = table.lines().collect();
        assert!(lines[0].ends_with(&format!("which frees{}", written.trim_end())), "{table}");
        assert!(lines[4].contains(written), "{table}");
    }
}

#[test]
fn a_table_says_of_each_backup_what_it_is_and_of_each_series_which() {
    let cases = [
        Case::at(1),
        Case { is_marked: true, ..Case::at(2) },
        Case { checks: vec![(Level::Decoded, false)], ..Case::at(3) },
        Case { checks: vec![], ..Case::at(4) },
        Case { rows: Some(0), ..Case::at(5) },
        Case::at(6),
        Case::at(90_000),
        Case { database: "crm", ..Case::at(1) },
    ];
    let plan = last_one().with_max_deleted_percent(100).plan(&entries(&cases), far()).unwrap();
    let table = plan.to_string();
    let lines: Vec<_> = table.lines().collect();
    assert_eq!(lines[1..3].join("|"), "|production / crm");
    assert_eq!(lines[4..6].join("|"), "|production / shop");
    for (line, state) in lines[6..].iter().zip([
        "in the future",
        "digest",
        "no rows",
        "unproven",
        "failed decoded",
        "being deleted",
    ]) {
        assert!(line.contains(state), "{state}: {table}");
    }
    assert_eq!(lines.len(), 13, "{table}");
    let deleted = format!("{plan:#}");
    assert!(!deleted.contains("crm") && !deleted.contains("  keep "), "{deleted}");
    assert_eq!(deleted.lines().filter(|line| line.contains("DELETE")).count(), 5, "{deleted}");
}

#[test]
fn a_tag_with_its_value_or_a_label_exempts_those_that_have_just_that() {
    let with = |change: fn(&mut Manifest)| {
        let mut old = Case::at(1).entry(0);
        change(&mut old.manifest);
        [old, Case::at(2).entry(1)]
    };
    let tagged = with(|manifest| drop(manifest.tags.insert("release".to_owned(), "1.0".to_owned())));
    let labelled = with(|manifest| manifest.label = Some("v1".to_owned()));
    for (policy, entries, by) in [
        (last_one().exempt_tag("release"), &tagged, Some("tag release")),
        (last_one().exempt_tag("release=1.0"), &tagged, Some("tag release=1.0")),
        (last_one().exempt_tag("release=1.1"), &tagged, None),
        (last_one().exempt_tag("audit"), &tagged, None),
        (last_one().exempt_tag("v1"), &labelled, None),
        (last_one().exempt_label("v1"), &labelled, Some("label v1")),
        (last_one().exempt_label("v2"), &labelled, None),
        (last_one().exempt_label("release"), &tagged, None),
    ] {
        let plan = policy.plan(entries, far()).unwrap();
        let reasons = by.map(|by| vec![KeepReason::Exempt { by: by.to_owned() }]);
        match (&plan.entries[1].decision, reasons) {
            (Decision::Keep { reasons }, Some(expected)) => assert_eq!(reasons, &expected),
            (Decision::Delete { .. }, None) => {}
            (decision, _) => panic!("{policy:?}: {decision:?}"),
        }
    }
}

#[test]
fn each_that_stays_says_by_what() {
    let cases: Vec<_> = (0..5).map(Case::at).collect();
    let policy = last_one().with_minimum_good(3).with_max_deleted_percent(100).keep_days("production", 0);
    let plan = policy.plan(&entries(&cases), far()).unwrap();
    let reasons = |planned: &Planned| match &planned.decision {
        Decision::Keep { reasons } => reasons.clone(),
        decision => panic!("{decision:?}"),
    };
    assert_eq!(plan.kept().count(), 3);
    // No days are no reason.
    let last = KeepReason::Last { period: Period::Each, count: 1 };
    assert_eq!(reasons(&plan.entries[0]), [KeepReason::Newest, last]);
    for other in &plan.entries[1..3] {
        assert_eq!(reasons(other), [KeepReason::Minimum { minimum: 3 }]);
    }
}

#[test]
fn what_a_plan_keeps_and_deletes_is_all_there_is() {
    let cases: Vec<_> = (0..5).map(Case::at).collect();
    let plan = last_one().with_max_deleted_percent(100).plan(&entries(&cases), far()).unwrap();
    assert_eq!((plan.kept().count(), plan.deletions().count()), (1, 4));
    assert!(plan.kept().all(|kept| !kept.is_deleted()) && plan.deletions().all(Planned::is_deleted));
    assert_eq!(plan.freed_bytes(), plan.deletions().map(|gone| gone.bytes).sum::<u64>());
    assert_eq!(plan.entries[4].doubt, None::<Doubt>);
}
