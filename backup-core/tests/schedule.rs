//! What holds for every schedule, zone and year.
#![cfg(feature = "schedule")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::time::Duration;

use backup_core::schedule::{Due, Jitter, Schedule};
use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::{TZ_VARIANTS, Tz};
use proptest::{prelude::*, sample::select};

/// From 1970, when zones were whole minutes from UTC, to the end of the known rules.
fn instants() -> impl Strategy<Value = DateTime<Utc>> {
    (0..3_900_000_000_i64, 0..1000_u32)
        .prop_map(|(at, millis)| DateTime::from_timestamp(at, millis * 1_000_000).unwrap())
}

fn zones() -> impl Strategy<Value = Tz> {
    select(&TZ_VARIANTS[..])
}

fn times() -> impl Strategy<Value = String> {
    // Clocks are mostly changed at night.
    (prop_oneof![0..4_u32, 22..24_u32, 0..24_u32], prop_oneof![Just(0_u32), Just(30), 0..60_u32])
        .prop_map(|(hour, minute)| format!("{hour:02}:{minute:02}"))
}

fn schedules() -> impl Strategy<Value = Schedule> {
    let weekdays = select(&["monday", "wednesday", "saturday", "sunday"][..]);
    let crons = &[
        "*/15 0-3 * * *",
        "0,30 1,2,23 * * *",
        "0 */2 * * *",
        "0 */12 * * *",
        "5 * * * *",
        "* 2 * * *",
        "0 3 31 * *",
        "30 2 L * *",
        "0 0 1 1 *",
        "15 2 13 * 5",
        "0 1 29 2 *",
    ][..];
    let text = prop_oneof![
        times().prop_map(|at| format!("daily at {at}")),
        (weekdays, times()).prop_map(|(day, at)| format!("weekly on {day} at {at}")),
        (1..32, times()).prop_map(|(day, at)| format!("monthly on {day} at {at}")),
        select(crons).prop_map(str::to_owned),
        Just("hourly".to_owned()),
    ];
    let zoned = (text, zones()).prop_map(|(text, zone)| format!("{text} in {zone}"));
    let interval = (1..100, select(&["seconds", "minutes", "hours", "days"][..]));
    prop_oneof![9 => zoned, 1 => interval.prop_map(|(count, unit)| format!("every {count} {unit}"))]
        .prop_map(|text| text.parse().unwrap())
}

proptest! {
    #[test]
    fn occurrences_strictly_increase_and_are_found_from_both_sides(schedule in schedules(), from in instants()) {
        let mut at = from;
        for _ in 0..40 {
            let next = schedule.next_after(at).unwrap();
            prop_assert!(next > at, "{schedule}: {next} after {at}");
            prop_assert_eq!(schedule.last_until(next), Some(next), "{}", schedule);
            // Nothing lies between the two.
            let before = schedule.last_until(next - TimeDelta::seconds(1)).unwrap();
            prop_assert!(before <= at, "{schedule}: {before} between {at} and {next}");
            prop_assert_eq!(schedule.next_after(before), Some(next), "{}", schedule);
            at = next;
        }
    }

    #[test]
    fn a_daily_schedule_runs_exactly_once_each_local_day(at in times(), zone in zones(), from in instants()) {
        let schedule: Schedule = format!("daily at {at} in {zone}").parse().unwrap();
        let local = |at: DateTime<Utc>| at.with_timezone(&zone).date_naive();
        let mut last = schedule.next_after(from).unwrap();
        for _ in 0..2 * 366 {
            let next = schedule.next_after(last).unwrap();
            prop_assert!(local(next) > local(last), "{schedule}: {next} after {last}");
            let between = local(last).iter_days().skip(1).take_while(|day| *day < local(next));
            for day in between {
                prop_assert!(is_left_out(zone, day), "{schedule}: none on {day}");
            }
            last = next;
        }
    }

    #[test]
    fn a_daily_schedule_in_cron_is_the_same(at in times(), zone in zones(), from in instants()) {
        let time: NaiveTime = at.parse().unwrap();
        let cron: Schedule = format!("{} in {zone}", time.format("%-M %-H * * *")).parse().unwrap();
        let simple: Schedule = format!("daily at {at} in {zone}").parse().unwrap();
        let mut last = from;
        for _ in 0..100 {
            let next = simple.next_after(last).unwrap();
            prop_assert_eq!(cron.next_after(last), Some(next));
            last = next;
        }
    }

    #[test]
    fn after_a_run_nothing_is_due_until_the_next_occurrence(
        schedule in schedules(),
        from in instants(),
        late in 0..100_000_i64,
        max in 0..10_000_u64,
        series in "[a-z]{1,8}",
    ) {
        let jitter = Jitter::of(&series, Duration::from_secs(max));
        let mut run = from;
        for _ in 0..10 {
            let Due::NotBefore(next) = schedule.due([run], &jitter, run) else {
                return Err(TestCaseError::fail(format!("{schedule}: due again after {run}")));
            };
            prop_assert!(next > run);
            let sooner = schedule.due([run], &jitter, next - TimeDelta::milliseconds(1));
            prop_assert_eq!(sooner, Due::NotBefore(next), "{}", schedule);
            let Due::Now { scheduled_for, missed: 0 } = schedule.due([run], &jitter, next) else {
                return Err(TestCaseError::fail(format!("{schedule}: not due at {next}")));
            };
            prop_assert!(run < scheduled_for && scheduled_for <= next);
            prop_assert!(next - scheduled_for <= TimeDelta::seconds(i64::try_from(max).unwrap()));
            // Late or not, one run is enough.
            run = next + TimeDelta::seconds(late);
        }
    }
}

/// Whether a zone has no moment of this day.
fn is_left_out(zone: Tz, day: NaiveDate) -> bool {
    (0..24 * 60).all(|minute| {
        let time = day.and_time(NaiveTime::MIN) + TimeDelta::minutes(minute);
        zone.from_local_datetime(&time).earliest().is_none()
    })
}
