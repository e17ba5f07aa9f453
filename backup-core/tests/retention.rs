//! Retention as a pure plan: against a slow and obvious oracle, and by tables of the calendar's odd days.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use backup_core::{
    Annotation, BackupId, BackupRef, Entry, Evidence, Inventory, Kind, Level, LockMode, Manifest, Note,
    ObjectLock, Retention, TableInventory, Verdict,
    manifest::Layout,
    retention::{Count, Period, Plan, Span},
    testkit::sample_manifest,
};
use chrono::{DateTime, Datelike, TimeDelta, Timelike, Utc};
use chrono_tz::Tz;
use proptest::prelude::*;

/// What a test says of a backup.
#[derive(Debug, Clone)]
struct Case {
    database: &'static str,
    hour: i64,
    kind: Kind,
    /// Checks, oldest first: how deep, and whether they passed.
    checks: Vec<(Level, bool)>,
    rows: Option<u64>,
    is_held: bool,
    is_marked: bool,
    has_tag: bool,
    expires: Option<i64>,
    locked_until: Option<i64>,
}

impl Case {
    fn at(hour: i64) -> Self {
        Self {
            database: "shop",
            hour,
            kind: Kind::Daily,
            checks: vec![(Level::Digest, true)],
            rows: Some(5),
            is_held: false,
            is_marked: false,
            has_tag: false,
            expires: None,
            locked_until: None,
        }
    }

    fn time(&self) -> DateTime<Utc> {
        start() + TimeDelta::hours(self.hour)
    }

    fn entry(&self, number: usize) -> Entry {
        entry(self, number, self.time())
    }
}

fn start() -> DateTime<Utc> {
    "2026-01-01T00:30:00Z".parse().unwrap()
}

fn entry(case: &Case, number: usize, at: DateTime<Utc>) -> Entry {
    // Made once: ten thousand cases are to be quick.
    static SAMPLE: LazyLock<Manifest> = LazyLock::new(|| sample_manifest("production", "shop", start()));
    let sample = &*SAMPLE;
    let id = BackupId::parse(format!("backup-{number}")).unwrap();
    let backup = BackupRef::new("production", case.database, id);
    let mut artifact = sample.artifact.clone();
    artifact.key = Layout::of(&backup).artifact(&["sql"]).unwrap();
    let mut manifest = Manifest::new(backup, at, sample.source.clone(), artifact, sample.plain.clone());
    manifest.kind = case.kind;
    manifest.inventory =
        case.rows.map(|rows| Inventory::new(vec![TableInventory::new("public.orders", rows, rows)]));
    manifest.expires_at = case.expires.map(|hour| start() + TimeDelta::hours(hour));
    manifest.lock =
        case.locked_until.map(|hour| ObjectLock::new(LockMode::Compliance, start() + TimeDelta::hours(hour)));
    if case.has_tag {
        manifest.tags.insert("audit".to_owned(), "2026".to_owned());
    }
    let mut notes: Vec<Note> = case.checks.iter().map(|check| verified(*check)).collect();
    if case.is_held {
        notes.push(Note::Held { reason: "audit".to_owned() });
    }
    if case.is_marked {
        notes.push(Note::Pruning { reason: "test".to_owned() });
    }
    let later = |n: usize| at + TimeDelta::seconds(i64::try_from(n).unwrap() + 1);
    let notes = notes.into_iter().enumerate().map(|(n, note)| Annotation::new(later(n), note));
    Entry::new(manifest, notes.collect())
}

fn verified((level, passed): (Level, bool)) -> Note {
    static SAMPLE: LazyLock<Evidence> = LazyLock::new(|| {
        serde_json::from_value(serde_json::json!({
            "level": "digest", "result": "passed", "started_at": start(), "duration_ms": 1, "bytes_read": 1,
            "library_version": "0"
        }))
        .unwrap()
    });
    let mut evidence = SAMPLE.clone();
    (evidence.level, evidence.result) = (level, if passed { Verdict::Passed } else { Verdict::Failed });
    Note::Verified(evidence)
}

type Name = (&'static str, usize);

fn kept(plan: &Plan, cases: &[Case]) -> BTreeSet<Name> {
    let number = |id: &BackupId| id.as_str().strip_prefix("backup-").unwrap().parse::<usize>().unwrap();
    plan.kept().map(|kept| number(&kept.backup.id)).map(|number| (cases[number].database, number)).collect()
}

fn entries(cases: &[Case]) -> Vec<Entry> {
    cases.iter().enumerate().map(|(number, case)| case.entry(number)).collect()
}

/// The rules said once more, as plainly as can be, without a thought for time.
mod oracle {
    use super::*;

    struct Backup<'a> {
        name: Name,
        case: &'a Case,
        proven: Option<Level>,
        good: bool,
    }

    pub(super) fn kept(policy: &Retention, cases: &[Case], now: DateTime<Utc>) -> BTreeSet<Name> {
        let mut kept = BTreeSet::new();
        for database in ["shop", "crm"] {
            let of: Vec<_> = cases.iter().enumerate().filter(|(_, case)| case.database == database).collect();
            let has_rows = of.iter().any(|(_, case)| case.time() <= now && case.rows != Some(0));
            let backups: Vec<Backup> = of
                .into_iter()
                .map(|(number, case)| {
                    let proven = proven(&case.checks);
                    let good = proven.is_some()
                        && case.time() <= now
                        && !case.is_marked
                        && !(has_rows && case.rows == Some(0));
                    Backup { name: (database, number), case, proven, good }
                })
                .collect();
            kept.extend(backups.iter().filter(|backup| stays(policy, backup, &backups, now)).map(|b| b.name));
        }
        kept
    }

    fn proven(checks: &[(Level, bool)]) -> Option<Level> {
        let failed = checks.iter().enumerate().any(|(n, (level, passed))| {
            !passed && !checks[n + 1..].iter().any(|(later, passed)| *passed && later >= level)
        });
        let since = checks.iter().rposition(|(_, passed)| !passed).map_or(0, |at| at + 1);
        if failed { None } else { checks[since..].iter().map(|(level, _)| *level).max() }
    }

    fn is_newer(a: &Backup, b: &Backup) -> bool {
        let name = |backup: &Backup| BackupId::parse(format!("backup-{}", backup.name.1)).unwrap();
        (a.case.hour, name(a)) > (b.case.hour, name(b))
    }

    fn stays(policy: &Retention, backup: &Backup, all: &[Backup], now: DateTime<Utc>) -> bool {
        let case = backup.case;
        let newer_good: Vec<_> = all.iter().filter(|other| other.good && is_newer(other, backup)).collect();
        let deep = |other: &&&Backup| backup.proven.is_none_or(|level| other.proven.unwrap() >= level);
        if case.is_held
            || (case.has_tag && policy.exempt_tags.contains("audit"))
            || case.time() > now
            || case.locked_until.is_some_and(|hour| start() + TimeDelta::hours(hour) > now)
            || newer_good.iter().filter(deep).count() == 0
            || (backup.good && newer_good.len() < policy.minimum_good as usize)
        {
            return true;
        }
        if case.is_marked {
            return false;
        }
        let anchor = all.iter().filter(|other| other.good).map(|other| other.case.time()).max().unwrap();
        if let Some(expires) = case.expires {
            // No rule keeps what is over.
            return start() + TimeDelta::hours(expires) > anchor;
        }
        ruled(policy, backup, all, anchor)
    }

    fn ruled(policy: &Retention, backup: &Backup, all: &[Backup], anchor: DateTime<Utc>) -> bool {
        let zone = policy.time_zone;
        // Those that take places: what expired takes none; what is to expire does.
        let takes = |other: &&Backup| {
            other.good && other.case.expires.is_none_or(|at| start() + TimeDelta::hours(at) > anchor)
        };
        let newest_of_last = |period: Period, count: u32, kind: Option<Kind>| {
            if count == 0 {
                return false;
            }
            let newer: Vec<_> = all
                .iter()
                .filter(takes)
                .filter(|other| kind.is_none_or(|kind| other.case.kind == kind) && is_newer(other, backup))
                .collect();
            let of = |other: &Backup| label(period, other, zone);
            let periods: BTreeSet<_> = newer.iter().map(|other| of(other)).collect();
            !periods.contains(&of(backup)) && periods.len() < count as usize
        };
        let age = anchor - backup.case.time();
        let counts = [
            (Period::Each, policy.keep_last),
            (Period::Hourly, policy.keep_hourly),
            (Period::Daily, policy.keep_daily),
            (Period::Weekly, policy.keep_weekly),
            (Period::Monthly, policy.keep_monthly),
            (Period::Yearly, policy.keep_yearly),
        ];
        let mut is_ruled = counts.iter().any(|(_, count)| *count > 0);
        let mut keeps = counts.iter().any(|(period, count)| newest_of_last(*period, *count, None));
        for (period, span) in [(Period::Each, policy.keep_within), (Period::Daily, policy.keep_within_daily)]
        {
            if let Some(span) = span {
                is_ruled = true;
                keeps |= age <= hours(span) && newest_of_last(period, u32::MAX, None);
            }
        }
        if let Some(count) = policy.kinds.get(&backup.case.kind) {
            is_ruled = true;
            keeps |= match count {
                Count::Last(count) => newest_of_last(Period::Each, *count, Some(backup.case.kind)),
                _ => true,
            };
        }
        if let Some(days) = policy.environments.get("production") {
            is_ruled = true;
            keeps |= *days > 0 && age <= TimeDelta::days(i64::from(*days));
        }
        if policy.safety_days > 0 && matches!(backup.case.kind, Kind::PreRollback | Kind::PreOperation) {
            is_ruled = true;
            keeps |= age <= TimeDelta::days(i64::from(policy.safety_days));
        }
        keeps || !is_ruled
    }

    /// The tests write spans in hours alone.
    fn hours(span: Span) -> TimeDelta {
        TimeDelta::hours(span.to_string().trim_end_matches('h').parse().unwrap())
    }

    fn label(period: Period, backup: &Backup, zone: Tz) -> String {
        let local = backup.case.time().with_timezone(&zone);
        match period {
            Period::Hourly => format!("{} {} {}", local.date_naive(), local.hour(), local.offset()),
            Period::Daily => local.date_naive().to_string(),
            Period::Weekly => format!("{:?}", local.iso_week()),
            Period::Monthly => format!("{}-{}", local.year(), local.month()),
            Period::Yearly => local.year().to_string(),
            _ => backup.name.1.to_string(),
        }
    }
}

fn levels() -> impl Strategy<Value = Level> {
    prop_oneof![Just(Level::Present), Just(Level::Digest), Just(Level::Decoded), Just(Level::Restored)]
}

fn cases() -> impl Strategy<Value = Vec<Case>> {
    let kind = prop_oneof![
        4 => Just(Kind::Daily), 1 => Just(Kind::Weekly), 1 => Just(Kind::Manual), 1 => Just(Kind::PreRollback)
    ];
    let hour = prop_oneof![0..48_i64, 0..2400_i64, (0..100_i64).prop_map(|day| day * 24 + 2)];
    let checks = prop_oneof![
        6 => Just(vec![(Level::Digest, true)]),
        3 => proptest::collection::vec((levels(), proptest::bool::weighted(0.7)), 0..4),
    ];
    let rows = prop_oneof![6 => Just(Some(5)), 1 => Just(Some(0)), 1 => Just(None)];
    let flags = (0..16_u8, 0..16_u8, 0..16_u8, proptest::bool::weighted(0.8));
    let time = || proptest::option::weighted(0.15, 0..2600_i64);
    let times = (time(), time());
    let case = (hour, kind, checks, rows, flags, times).prop_map(
        |(hour, kind, checks, rows, (held, marked, tag, shop), (expires, locked_until))| Case {
            database: if shop { "shop" } else { "crm" },
            hour,
            kind,
            checks,
            rows,
            is_held: held == 0,
            is_marked: marked == 0,
            has_tag: tag == 0,
            expires,
            locked_until,
        },
    );
    proptest::collection::vec(case, 0..11)
}

fn policies() -> impl Strategy<Value = Retention> {
    let figure = || prop_oneof![3 => Just(0_u32), 2 => 1..5_u32];
    let counts = proptest::array::uniform6(figure());
    let within = (proptest::option::weighted(0.3, 1..200_u32), proptest::option::weighted(0.3, 1..500_u32));
    let kinds = proptest::collection::btree_map(
        prop_oneof![Just(Kind::Daily), Just(Kind::Weekly), Just(Kind::Manual)],
        prop_oneof![4 => (0..4_u32).prop_map(Count::Last), 1 => Just(Count::Forever)],
        0..3,
    );
    let more = (proptest::option::weighted(0.3, 0..60_u32), 0..100_u32, 0..4_u32, any::<bool>());
    let zone = prop_oneof![Just(Tz::UTC), Just(Tz::Europe__Berlin), Just(Tz::America__New_York)];
    (counts, within, kinds, more, zone)
        .prop_map(|(counts, (within, daily), kinds, (days, safety, minimum, exempt), zone)| {
            let mut policy = Period::ALL
                .into_iter()
                .zip(counts)
                .fold(Retention::new().in_time_zone(zone), |policy, (period, count)| {
                    policy.keep_last_of(period, count)
                });
            policy.keep_within = within.map(Span::hours);
            policy.keep_within_daily = daily.map(Span::hours);
            policy.kinds = kinds;
            policy.environments = days.map(|days| ("production".to_owned(), days)).into_iter().collect();
            policy.minimum_good = minimum;
            let policy = policy.keep_safety_days(safety);
            if exempt { policy.exempt_tag("audit") } else { policy }
        })
        .prop_filter("a policy without rules is refused", |policy| policy.check().is_ok())
}

/// The same rules with larger figures.
fn loosened(policy: &Retention, by: u32) -> Retention {
    let larger = |figure: u32| if figure == 0 { 0 } else { figure + by };
    let mut looser = policy.clone();
    for figure in [
        &mut looser.keep_last,
        &mut looser.keep_hourly,
        &mut looser.keep_daily,
        &mut looser.keep_weekly,
        &mut looser.keep_monthly,
        &mut looser.keep_yearly,
        &mut looser.safety_days,
    ] {
        *figure = larger(*figure);
    }
    let longer = |span: Option<Span>| {
        span.map(|span| Span::hours(span.to_string().trim_end_matches('h').parse::<u32>().unwrap() + by))
    };
    (looser.keep_within, looser.keep_within_daily) =
        (longer(policy.keep_within), longer(policy.keep_within_daily));
    looser.kinds.values_mut().for_each(|count| {
        if let Count::Last(count) = count {
            *count += by;
        }
    });
    looser.environments.values_mut().for_each(|days| *days += by);
    looser.minimum_good += by;
    looser.exempt_tag("audit")
}

fn is_subset(a: &BTreeSet<Name>, b: &BTreeSet<Name>) -> bool {
    a.is_subset(b)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, ..ProptestConfig::default() })]

    #[test]
    fn plans_agree_with_the_oracle_and_keep_their_promises(
        cases in cases(), policy in policies(), now in 1200..2600_i64, by in 0..3_u32, seed in any::<u64>(),
    ) {
        // A day in hours is one only without a change of the clock.
        let policy = if policy.environments.is_empty() { policy } else { policy.in_time_zone(Tz::UTC) };
        let policy = if policy.time_zone == Tz::UTC { policy } else { policy.keep_safety_days(0) };
        let now = start() + TimeDelta::hours(now);
        let entries = entries(&cases);
        let plan = policy.plan(&entries, now).unwrap();
        let stay = kept(&plan, &cases);
        prop_assert_eq!(&stay, &oracle::kept(&policy, &cases, now));
        prop_assert_eq!(plan.entries.len(), entries.len());

        // Every keep has a reason, and every deletion a successor that is good, kept, and proven as deep.
        let by_name: BTreeMap<_, _> = plan.entries.iter().map(|planned| (&planned.backup, planned)).collect();
        for planned in &plan.entries {
            match &planned.decision {
                backup_core::retention::Decision::Keep { reasons } => prop_assert!(!reasons.is_empty()),
                backup_core::retention::Decision::Delete { successor, .. } => {
                    let successor = BackupRef::new("production", planned.backup.database.clone(), successor.clone());
                    let successor = by_name[&successor];
                    prop_assert!(!successor.is_deleted() && successor.doubt.is_none());
                    prop_assert!(successor.created_at >= planned.created_at && successor.proven >= planned.proven);
                }
                _ => unreachable!(),
            }
        }
        // Never empty, and the newest proven one stays.
        for database in ["shop", "crm"] {
            let of = |planned: &&backup_core::retention::Planned| planned.backup.database == database;
            let newest = plan.entries.iter().filter(of).find(|planned| planned.doubt.is_none());
            prop_assert!(newest.is_none_or(|newest| !newest.is_deleted()));
            prop_assert!(plan.entries.iter().filter(of).count() == 0 || plan.kept().filter(of).count() > 0);
        }
        // Planning what is kept deletes nothing more.
        let left = entries.iter().filter(|entry| !by_name[&entry.manifest.backup_ref()].is_deleted()).cloned();
        let left: Vec<Entry> = left.collect();
        prop_assert_eq!(policy.plan(&left, now).unwrap().deletions().count(), 0);
        // The order of the input does not matter.
        let mut shuffled = entries.clone();
        let mut random = seed;
        for at in (1..shuffled.len()).rev() {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            shuffled.swap(at, (random >> 33) as usize % (at + 1));
        }
        prop_assert_eq!(&policy.plan(&shuffled, now).unwrap(), &plan);
        // A looser policy keeps a superset.
        let more = kept(&loosened(&policy, by).plan(&entries, now).unwrap(), &cases);
        prop_assert!(is_subset(&stay, &more), "{:?} of {:?}", stay, more);
        // Another series does not matter.
        let alone: Vec<_> = entries.iter().filter(|entry| entry.manifest.database == "shop").cloned().collect();
        let alone = kept(&policy.plan(&alone, now).unwrap(), &cases);
        prop_assert_eq!(alone, stay.into_iter().filter(|(database, _)| *database == "shop").collect());
    }
}

proptest! {
    #[test]
    fn a_plan_survives_being_written_down(cases in cases(), policy in policies()) {
        let plan = policy.plan(&entries(&cases), start() + TimeDelta::days(60)).unwrap();
        let written = serde_json::to_string(&plan).unwrap();
        prop_assert_eq!(serde_json::from_str::<Plan>(&written).unwrap(), plan);
    }
}

#[path = "retention/tables.rs"]
mod tables;

#[path = "retention/words.rs"]
mod words;
