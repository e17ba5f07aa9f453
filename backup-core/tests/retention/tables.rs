//! Days that calendars and clocks make odd, and what people write into policies.

use backup_core::{
    ErrorKind,
    retention::{Decision, DeleteReason, Doubt, KeepReason},
};

use super::*;

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn plan_of(policy: &Retention, times: &[&str]) -> Plan {
    let entries: Vec<_> =
        times.iter().enumerate().map(|(number, at)| entry(&Case::at(0), number, time(at))).collect();
    policy.plan(&entries, time("2040-01-01T00:00:00Z")).unwrap()
}

/// The times of those that stay, the oldest first.
fn stay(policy: &Retention, times: &[&str]) -> Vec<String> {
    let mut stay: Vec<_> = plan_of(policy, times)
        .kept()
        .map(|kept| kept.created_at.format("%Y-%m-%dT%H:%M:%SZ").to_string())
        .collect();
    stay.sort();
    stay
}

fn berlin(period: Period, count: u32) -> Retention {
    Retention::new().in_time_zone(Tz::Europe__Berlin).keep_last_of(period, count)
}

#[test]
fn the_two_hours_of_one_name_are_two_when_clocks_are_set_back() {
    let times =
        ["2026-10-24T23:30:00Z", "2026-10-25T00:30:00Z", "2026-10-25T00:45:00Z", "2026-10-25T01:30:00Z"];
    assert_eq!(stay(&berlin(Period::Hourly, 3), &times), [times[0], times[2], times[3]]);
    assert_eq!(stay(&berlin(Period::Hourly, 2), &times), [times[2], times[3]]);
}

#[test]
fn days_begin_at_midnight_of_the_zone_on_both_sides_of_a_change_of_the_clock() {
    // 23:30 of the 28th, 00:30 and 23:30 of the 29th, 00:30 of the 30th: a day of 23 hours.
    let spring =
        ["2026-03-28T22:30:00Z", "2026-03-28T23:30:00Z", "2026-03-29T21:30:00Z", "2026-03-29T22:30:00Z"];
    assert_eq!(stay(&berlin(Period::Daily, 3), &spring), [spring[0], spring[2], spring[3]]);
    // 23:30 of the 24th, 00:30 and 23:30 of the 25th, 00:30 of the 26th: one of 25 hours.
    let autumn =
        ["2026-10-24T21:30:00Z", "2026-10-24T22:30:00Z", "2026-10-25T22:30:00Z", "2026-10-25T23:30:00Z"];
    assert_eq!(stay(&berlin(Period::Daily, 3), &autumn), [autumn[0], autumn[2], autumn[3]]);
    let utc = Retention::new().keep_last_of(Period::Daily, 3);
    assert_eq!(stay(&utc, &autumn), [autumn[1], autumn[3]]);
}

#[test]
fn a_clock_that_is_set_back_over_midnight_makes_no_third_day() {
    // At 00:01 of the 29th it was set back to 23:01 of the 28th.
    let policy = Retention::new().in_time_zone(Tz::America__St_Johns).keep_last_of(Period::Daily, 2);
    let times =
        ["2006-10-29T02:00:00Z", "2006-10-29T02:30:30Z", "2006-10-29T03:00:00Z", "2006-10-29T04:00:00Z"];
    assert_eq!(stay(&policy, &times), [times[2], times[3]]);
    let before = ["2006-10-28T02:00:00Z", times[0], times[1], times[2], times[3]];
    assert_eq!(stay(&policy.keep_last_of(Period::Daily, 3), &before), [before[0], times[2], times[3]]);
}

#[test]
fn a_day_before_is_the_same_time_of_the_clock() {
    let day = |times: &[&str]| {
        let policy =
            Retention::new().in_time_zone(Tz::Europe__Berlin).keep_within(Period::Each, Span::days(1));
        stay(&policy, times)
    };
    // 25 hours; of the two times 02:30 the first one.
    let autumn = ["2026-10-25T00:29:59Z", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"];
    assert_eq!(day(&autumn), autumn[1..]);
    // 02:30 was not shown: the last quarter of an hour before the leap.
    let spring = ["2026-03-29T00:44:59Z", "2026-03-29T00:45:00Z", "2026-03-30T00:30:00Z"];
    assert_eq!(day(&spring), spring[1..]);
    // A whole day was not shown: 23:45 of the one before it.
    let apia = Retention::new().in_time_zone(Tz::Pacific__Apia).keep_within(Period::Each, Span::days(1));
    let skipped = ["2011-12-30T09:44:59Z", "2011-12-30T09:45:00Z", "2011-12-31T09:00:00Z"];
    assert_eq!(stay(&apia, &skipped), skipped[1..]);
    // Hours are hours.
    let hours = Retention::new().in_time_zone(Tz::Europe__Berlin).keep_within(Period::Each, Span::hours(24));
    assert_eq!(stay(&hours, &["2026-10-25T01:29:59Z", "2026-10-26T01:30:00Z"]), ["2026-10-26T01:30:00Z"]);
    // Also before the second of two times that a clock shows alike.
    let hour = hours.keep_within(Period::Each, Span::hours(1));
    let alike = ["2026-10-25T00:29:59Z", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"];
    assert_eq!(stay(&hour, &alike), alike[1..]);
}

#[test]
fn months_and_years_end_where_calendars_end_them() {
    for (span, anchor, oldest, too_old) in [
        ("1m", "2026-03-31T02:00:00Z", "2026-02-28T02:00:00Z", "2026-02-28T01:59:59Z"),
        ("1m", "2028-03-31T02:00:00Z", "2028-02-29T02:00:00Z", "2028-02-29T01:59:59Z"),
        ("1y", "2028-02-29T02:00:00Z", "2027-02-28T02:00:00Z", "2027-02-28T01:59:59Z"),
        ("4y", "2028-02-29T02:00:00Z", "2024-02-29T02:00:00Z", "2024-02-29T01:59:59Z"),
        ("1m1d", "2026-05-31T02:00:00Z", "2026-04-29T02:00:00Z", "2026-04-29T01:59:59Z"),
        ("2w", "2026-01-05T02:00:00Z", "2025-12-22T02:00:00Z", "2025-12-22T01:59:59Z"),
    ] {
        let policy = Retention::new().keep_within(Period::Each, span.parse().unwrap());
        assert_eq!(stay(&policy, &[too_old, oldest, anchor]), [oldest, anchor], "{span} before {anchor}");
    }
    let leap = ["2028-02-28T02:00:00Z", "2028-02-29T02:00:00Z", "2028-03-01T02:00:00Z"];
    assert_eq!(stay(&Retention::new().keep_last_of(Period::Daily, 3), &leap), leap);
    assert_eq!(stay(&Retention::new().keep_last_of(Period::Monthly, 2), &leap), leap[1..]);
    let ends =
        ["2026-01-31T23:59:59Z", "2026-02-01T00:00:00Z", "2026-02-28T23:59:59Z", "2026-03-01T00:00:00Z"];
    assert_eq!(stay(&Retention::new().keep_last_of(Period::Monthly, 3), &ends), [ends[0], ends[2], ends[3]]);
    assert_eq!(
        stay(
            &Retention::new().keep_last_of(Period::Yearly, 2),
            &["2026-12-31T23:59:59Z", "2027-01-01T00:00:00Z"]
        )
        .len(),
        2
    );
}

#[test]
fn a_month_of_another_year_is_another_month() {
    // What lies between was not backed up.
    let policy = Retention::new().keep_last_of(Period::Monthly, 4);
    let januaries =
        ["2024-01-15T02:00:00Z", "2025-01-15T02:00:00Z", "2026-01-15T02:00:00Z", "2027-02-15T02:00:00Z"];
    assert_eq!(stay(&policy, &januaries), januaries);
    let eleven_months = ["2023-03-15T02:00:00Z", "2024-02-15T02:00:00Z", "2025-01-15T02:00:00Z"];
    assert_eq!(stay(&policy, &eleven_months), eleven_months);
}

#[test]
fn week_53_goes_over_the_end_of_the_year() {
    let policy = Retention::new().keep_last_of(Period::Weekly, 3);
    let times = [
        "2026-12-27T12:00:00Z",
        "2026-12-28T12:00:00Z",
        "2026-12-31T12:00:00Z",
        "2027-01-03T23:00:00Z",
        "2027-01-04T00:00:00Z",
    ];
    assert_eq!(stay(&policy, &times), [times[0], times[3], times[4]]);
}

#[test]
fn a_series_that_stopped_loses_nothing() {
    let policy = Retention::new().keep_within(Period::Each, Span::days(30));
    let mut cases: Vec<_> = (0..30).map(|day| Case::at(day * 24)).collect();
    for case in &mut cases {
        case.expires = Some(case.hour + 24 * 30);
    }
    let ten_years_later = start() + TimeDelta::days(3650);
    assert_eq!(policy.plan(&entries(&cases), ten_years_later).unwrap().deletions().count(), 0);
    // Failed and unproven ones that go on coming do not move the window.
    for checks in [vec![], vec![(Level::Digest, false)]] {
        let later = (100..200).map(|day| Case { checks: checks.clone(), ..Case::at(day * 24) });
        let all: Vec<_> = cases.iter().cloned().chain(later).collect();
        assert_eq!(policy.plan(&entries(&all), ten_years_later).unwrap().deletions().count(), 0);
    }
}

#[test]
fn a_clock_that_was_stepped_back_two_days_evicts_nothing_by_what_lies_ahead() {
    let policy = Retention::new().keep_last_of(Period::Each, 2);
    // Days 1 to 5; then the clock shows day 3 again, and the backups of its hours 74 and 75 come.
    let mut cases: Vec<_> = (1..=5).map(|day| Case::at(day * 24)).collect();
    cases.extend([Case::at(74), Case::at(75)]);
    let plan = policy.plan(&entries(&cases), start() + TimeDelta::hours(75)).unwrap();
    let stay: Vec<_> = kept(&plan, &cases).into_iter().map(|(_, number)| number).collect();
    assert_eq!(stay, [3, 4, 5, 6], "those ahead stay beside the last two");
    // Once their time has come they are the newest.
    let plan = policy.plan(&entries(&cases), start() + TimeDelta::hours(130)).unwrap();
    assert_eq!(kept(&plan, &cases).into_iter().map(|(_, number)| number).collect::<Vec<_>>(), [3, 4]);
}

#[test]
fn what_does_not_count_pushes_nothing_out_and_stays_until_a_good_one_replaces_it() {
    let policy = Retention::new().keep_last_of(Period::Each, 1);
    for (bad, doubt) in [
        (Case { checks: vec![], ..Case::at(20) }, Doubt::Unproven),
        (
            Case { checks: vec![(Level::Digest, false)], ..Case::at(20) },
            Doubt::Failed { level: "digest".into() },
        ),
        (Case { rows: Some(0), ..Case::at(20) }, Doubt::Empty),
        (Case::at(20_000), Doubt::Future),
        (Case { is_marked: true, ..Case::at(20) }, Doubt::BeingDeleted),
    ] {
        let now = start() + TimeDelta::hours(10_000);
        let cases = [Case::at(1), Case::at(2), bad.clone()];
        let plan = policy.plan(&entries(&cases), now).unwrap();
        assert_eq!(kept(&plan, &cases), [("shop", 1), ("shop", 2)].into(), "{doubt:?}");
        assert_eq!(plan.entries[0].doubt, Some(doubt.clone()));
        let cases = [Case::at(1), Case::at(2), bad, Case::at(40)];
        let stay = kept(&policy.plan(&entries(&cases), now).unwrap(), &cases);
        let is_future = doubt == Doubt::Future;
        assert_eq!(stay, (2..4).filter(|n| *n == 3 || is_future).map(|n| ("shop", n)).collect(), "{doubt:?}");
    }
}

#[test]
fn rows_that_are_gone_are_no_good_backup_and_an_empty_database_may_be_one() {
    let policy = Retention::new().keep_last_of(Period::Each, 1);
    let empty = |hour| Case { rows: Some(0), ..Case::at(hour) };
    let now = start() + TimeDelta::hours(100);
    let cases = [Case::at(1), empty(2), empty(3)];
    assert_eq!(policy.plan(&entries(&cases), now).unwrap().deletions().count(), 0);
    let cases = [empty(1), empty(2), empty(3)];
    assert_eq!(policy.plan(&entries(&cases), now).unwrap().deletions().count(), 2);
}

#[test]
fn a_deeper_proof_is_not_given_up_for_a_shallower_one() {
    let policy = Retention::new().keep_last_of(Period::Each, 2);
    let rehearsed = |hour| Case { checks: vec![(Level::Restored, true)], ..Case::at(hour) };
    let now = start() + TimeDelta::hours(100);
    let mut cases = vec![rehearsed(1), Case::at(2), Case::at(3), Case::at(4)];
    let plan = policy.plan(&entries(&cases), now).unwrap();
    assert_eq!(kept(&plan, &cases), [("shop", 0), ("shop", 2), ("shop", 3)].into());
    let oldest = plan.entries.last().unwrap();
    let reasons = vec![KeepReason::Proof { level: Level::Restored }];
    assert_eq!(oldest.decision, Decision::Keep { reasons });
    cases.push(rehearsed(5));
    assert_eq!(kept(&policy.plan(&entries(&cases), now).unwrap(), &cases), [("shop", 3), ("shop", 4)].into());
}

#[test]
fn an_own_time_comes_before_the_rules() {
    let policy = Retention::new().keep_last_of(Period::Each, 3);
    let cases = [
        Case { expires: Some(5000), ..Case::at(1) },
        Case::at(2),
        Case::at(3),
        Case { expires: Some(20), ..Case::at(4) },
        Case::at(50),
        Case::at(60),
    ];
    let plan = policy.plan(&entries(&cases), start() + TimeDelta::hours(100)).unwrap();
    assert_eq!(kept(&plan, &cases), [0, 2, 4, 5].map(|n| ("shop", n)).into());
    let expired = plan.deletions().next().unwrap();
    assert!(matches!(&expired.decision, Decision::Delete { reason: DeleteReason::Expired { .. }, .. }));
}

#[test]
fn a_lock_keeps_a_backup_as_long_as_it_lasts_whatever_the_rules_say() {
    let policy = Retention::new().keep_last_of(Period::Each, 1);
    let cases = [Case { locked_until: Some(500), expires: Some(2), ..Case::at(1) }, Case::at(2), Case::at(3)];
    let plan = policy.plan(&entries(&cases), start() + TimeDelta::hours(499)).unwrap();
    assert_eq!(kept(&plan, &cases), [0, 2].map(|n| ("shop", n)).into());
    let until = start() + TimeDelta::hours(500);
    assert_eq!(plan.entries[2].decision, Decision::Keep { reasons: vec![KeepReason::Locked { until }] });
    let later = policy.plan(&entries(&cases), until).unwrap();
    assert_eq!(kept(&later, &cases), [("shop", 2)].into());
    let unlocked = [Case { locked_until: None, ..cases[0].clone() }, Case::at(2), Case::at(3)];
    assert_ne!(policy.plan(&entries(&unlocked), until).unwrap().fingerprint, later.fingerprint);
}

#[test]
fn a_policy_that_says_nothing_is_refused_and_one_that_says_nothing_of_a_backup_keeps_it() {
    for empty in [
        Retention::new(),
        Retention::new().with_minimum_good(5).exempt_tag("audit"),
        Retention::new().keep_kind(Kind::Daily, Count::Last(0)).keep_days("production", 0),
    ] {
        let err = empty.plan(&[], start()).unwrap_err();
        assert!(err.kind() == ErrorKind::InvalidInput && err.suggestions()[0].contains("keep_last"), "{err}");
    }
    let policy = Retention::new().keep_kind(Kind::Daily, Count::Last(1));
    let manual = |hour| Case { kind: Kind::Manual, ..Case::at(hour) };
    let cases = [manual(1), manual(2), Case::at(3), Case::at(4)];
    let plan = policy.plan(&entries(&cases), start() + TimeDelta::days(900)).unwrap();
    assert_eq!(kept(&plan, &cases), [0, 1, 3].map(|n| ("shop", n)).into());
    let twice = [Case::at(1).entry(0), Case::at(2).entry(0)];
    assert_eq!(policy.plan(&twice, start()).unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[test]
fn the_recommended_figures_are_these() {
    let policy = Retention::recommended();
    let expected = serde_json::json!({
        "kinds": {"daily": 7, "weekly": 4, "monthly": 12, "manual": "forever", "pre-migration": "forever"},
        "environments": {"dev": 30, "development": 30, "staging": 60, "production": 90},
        "safety_days": 90
    });
    assert_eq!(serde_json::from_value::<Retention>(expected).unwrap(), policy);
    let daily: Vec<_> = (0..400).map(|day| Case::at(day * 24)).collect();
    let plan = policy.plan(&entries(&daily), start() + TimeDelta::days(400)).unwrap();
    assert_eq!(plan.kept().count(), 91, "the newest, and those that are up to 90 days older");
}

#[test]
fn a_policy_is_read_from_what_people_write_and_typing_errors_are_errors() {
    let text = serde_json::json!({
        "time_zone": "Europe/Berlin", "keep_last": 3, "keep_within": "1y6m", "keep_within_weekly": "8w",
        "exempt_tags": ["audit", "release=1.0"], "kinds": {"manual": "forever", "daily": 14}
    });
    let policy: Retention = serde_json::from_value(text).unwrap();
    assert_eq!(policy.time_zone, Tz::Europe__Berlin);
    assert_eq!(policy.keep_within, Some("1y6m".parse().unwrap()));
    assert_eq!(policy.kinds[&Kind::Daily], Count::Last(14));
    let written = serde_json::to_value(&policy).unwrap();
    assert_eq!(serde_json::from_value::<Retention>(written).unwrap(), policy);
    for wrong in [
        serde_json::json!({"keep_dayly": 7}),
        serde_json::json!({"keep_daily": -1}),
        serde_json::json!({"keep_within": "0d"}),
        serde_json::json!({"keep_within": "30"}),
        serde_json::json!({"keep_within": "30x"}),
        serde_json::json!({"kinds": {"dayly": 7}}),
        serde_json::json!({"kinds": {"daily": "always"}}),
        serde_json::json!({"time_zone": "Europe/Nowhere"}),
    ] {
        assert!(serde_json::from_value::<Retention>(wrong.clone()).is_err(), "{wrong}");
    }
}

#[test]
fn too_large_a_share_is_refused_without_an_explicit_word() {
    let policy = Retention::new().keep_last_of(Period::Each, 4);
    let cases: Vec<_> = (0..9).map(Case::at).collect();
    let now = start() + TimeDelta::days(900);
    let plan = policy.plan(&entries(&cases), now).unwrap();
    assert_eq!((plan.excess[0].deleted, plan.excess[0].of), (5, 9));
    let all = |percent| policy.clone().with_max_deleted_percent(percent).check().map_err(|err| err.kind());
    assert_eq!((all(100), all(101)), (Ok(()), Err(ErrorKind::InvalidInput)), "no share is more than all");
    let err = plan.check_share().unwrap_err();
    assert_eq!(err.kind(), ErrorKind::NotConfirmed);
    assert!(plan.to_string().contains("refused: 5 of 9"), "{plan}");
    policy.with_max_deleted_percent(56).plan(&entries(&cases), now).unwrap().check_share().unwrap();
    Retention::new()
        .keep_last_of(Period::Each, 4)
        .plan(&entries(&cases[1..]), now)
        .unwrap()
        .check_share()
        .unwrap();
}

#[test]
fn the_fingerprint_tells_states_apart_and_the_table_can_be_read() {
    let policy = Retention::new().keep_last_of(Period::Each, 1).keep_last_of(Period::Daily, 2);
    let now = start() + TimeDelta::days(900);
    let cases = [Case::at(1), Case::at(2), Case { is_held: true, ..Case::at(30) }, Case::at(60)];
    let plan = policy.plan(&entries(&cases), now).unwrap();
    for changed in [
        vec![Case::at(1), Case::at(2), Case::at(30), Case::at(60)],
        cases[1..].to_vec(),
        cases.iter().map(|case| Case { checks: vec![(Level::Digest, false)], ..case.clone() }).collect(),
        cases.iter().map(|case| Case { expires: Some(1), ..case.clone() }).collect(),
    ] {
        assert_ne!(policy.plan(&entries(&changed), now).unwrap().fingerprint, plan.fingerprint);
    }
    // What is only a word of difference: another id, another record, another depth, another series.
    let of = |entry: Entry| policy.plan(&[entry], now).unwrap().fingerprint;
    let one = || entry(&Case::at(0), 1, start());
    let (mut elsewhere, mut released, mut held) = (one(), one(), one());
    "e".clone_into(&mut elsewhere.manifest.environment);
    let reason = || "why".to_owned();
    released.annotations.push(Annotation::new(start(), Note::Released { reason: reason() }));
    held.annotations.push(Annotation::new(start(), Note::Held { reason: reason() }));
    let checked = |level| entry(&Case { checks: vec![(level, true)], ..Case::at(0) }, 1, start());
    let all = [
        one(),
        entry(&Case::at(0), 2, start()),
        elsewhere,
        released,
        held,
        checked(Level::Decoded),
        checked(Level::Restored),
    ];
    let count = all.len();
    assert_eq!(all.into_iter().map(of).collect::<BTreeSet<_>>().len(), count);
    let table = plan.to_string();
    let lines: Vec<_> = table.lines().collect();
    assert_eq!(lines[0], "2 of 4 backups would be deleted, which frees 12 B", "{table}");
    assert_eq!(lines[2], "production / shop");
    assert!(
        lines[3].contains("keep    2026-01-03 12:30  daily")
            && lines[3].contains("the newest good one; one of the last 1; daily, of the last 2"),
        "{table}"
    );
    assert!(lines[4].contains("held; daily, of the last 2"), "{table}");
    assert!(
        lines[5].contains("DELETE") && lines[5].contains("no rule keeps it; there is backup-3"),
        "{table}"
    );
    assert_eq!(format!("{plan:#}").lines().count(), 5);
}
