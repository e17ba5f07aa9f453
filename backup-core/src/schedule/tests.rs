use chrono::{Datelike, Timelike};

use super::*;

fn schedule(text: &str) -> Schedule {
    text.parse().unwrap()
}

fn utc(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// The local times at which it runs from `from` on until before `to`, and backwards the same.
fn runs(text: &str, from: &str, to: &str) -> Vec<String> {
    let schedule = schedule(text);
    let (from, to) = (utc(from), utc(to));
    let mut forth = Vec::new();
    let mut at = from - TimeDelta::seconds(1);
    while let Some(next) = schedule.next_after(at).filter(|next| *next < to) {
        forth.push(next);
        at = next;
    }
    let mut back = Vec::new();
    let mut at = to - TimeDelta::seconds(1);
    while let Some(last) = schedule.last_until(at).filter(|last| *last >= from) {
        back.push(last);
        at = last - TimeDelta::seconds(1);
    }
    back.reverse();
    assert_eq!(forth, back, "{text}");
    let local = |at: DateTime<Utc>| at.with_timezone(&schedule.zone()).format("%m-%d %H:%M %z").to_string();
    forth.into_iter().map(local).collect()
}

#[test]
fn a_skipped_time_runs_once_at_the_end_of_the_gap() {
    for (text, from, to, expected) in [
        (
            "daily at 02:30 in America/New_York",
            "2027-03-13T05:00:00Z",
            "2027-03-16T04:00:00Z",
            ["03-13 02:30 -0500", "03-14 03:00 -0400", "03-15 02:30 -0400"].as_slice(),
        ),
        (
            "30 2 * * * in Europe/Berlin",
            "2027-03-27T00:00:00Z",
            "2027-03-29T12:00:00Z",
            &["03-27 02:30 +0100", "03-28 03:00 +0200", "03-29 02:30 +0200"],
        ),
        (
            "daily at 02:15 in Australia/Lord_Howe",
            "2026-10-02T14:00:00Z",
            "2026-10-05T12:00:00Z",
            &["10-03 02:15 +1030", "10-04 02:30 +1100", "10-05 02:15 +1100"],
        ),
        // Several times of one gap run once, and with one that is named at its end.
        (
            "0,15,45 2,3 * * * in Europe/Berlin",
            "2027-03-27T23:00:00Z",
            "2027-03-28T12:00:00Z",
            &["03-28 03:00 +0200", "03-28 03:15 +0200", "03-28 03:45 +0200"],
        ),
        // The gap ends at midnight: the day before has its run before it.
        (
            "daily at 23:30 in America/Nuuk",
            "2027-03-27T03:00:00Z",
            "2027-03-29T03:00:00Z",
            &["03-27 22:59 -0200", "03-28 23:30 -0100"],
        ),
        // The gap begins at midnight.
        (
            "daily at 00:00 in Asia/Beirut",
            "2027-03-26T22:00:00Z",
            "2027-03-29T00:00:00Z",
            &["03-27 00:00 +0200", "03-28 01:00 +0300", "03-29 00:00 +0300"],
        ),
        (
            "weekly on sunday at 02:30 in Europe/Berlin",
            "2027-03-20T00:00:00Z",
            "2027-04-05T00:00:00Z",
            &["03-21 02:30 +0100", "03-28 03:00 +0200", "04-04 02:30 +0200"],
        ),
    ] {
        assert_eq!(runs(text, from, to), expected, "{text}");
    }
}

#[test]
fn a_repeated_time_runs_once_the_first_time() {
    for (text, from, to, expected) in [
        (
            "daily at 01:30 in America/New_York",
            "2026-10-31T04:00:00Z",
            "2026-11-02T12:00:00Z",
            ["10-31 01:30 -0400", "11-01 01:30 -0400", "11-02 01:30 -0500"].as_slice(),
        ),
        (
            "15,45 2 * * * in Europe/Berlin",
            "2026-10-24T22:00:00Z",
            "2026-10-25T12:00:00Z",
            &["10-25 02:15 +0200", "10-25 02:45 +0200"],
        ),
        // 01:30 to 02:00 are shown twice.
        (
            "daily at 01:45 in Australia/Lord_Howe",
            "2027-04-02T14:00:00Z",
            "2027-04-04T20:00:00Z",
            &["04-03 01:45 +1100", "04-04 01:45 +1100", "04-05 01:45 +1030"],
        ),
    ] {
        assert_eq!(runs(text, from, to), expected, "{text}");
    }
}

#[test]
fn a_day_that_a_zone_left_out_has_no_run() {
    assert_eq!(
        runs("daily at 02:00 in Pacific/Apia", "2011-12-29T10:00:00Z", "2012-01-01T00:00:00Z"),
        ["12-29 02:00 -1000", "12-31 02:00 +1400", "01-01 02:00 +1400"]
    );
    // As a cron expression too, and where only that day is named.
    assert_eq!(
        runs("0 2 29-31 12 * in Pacific/Apia", "2011-12-29T10:00:00Z", "2012-01-05T00:00:00Z"),
        ["12-29 02:00 -1000", "12-31 02:00 +1400"]
    );
    assert_eq!(
        schedule("0 2 30 12 * in Pacific/Apia").next_after(utc("2011-01-01T00:00:00Z")),
        Some(utc("2012-12-29T12:00:00Z"))
    );
}

#[test]
fn hours_are_counted_as_they_pass() {
    assert_eq!(
        runs("hourly in Europe/Berlin", "2026-10-24T23:00:00Z", "2026-10-25T03:00:00Z"),
        ["10-25 01:00 +0200", "10-25 02:00 +0200", "10-25 02:00 +0100", "10-25 03:00 +0100"]
    );
    assert_eq!(
        runs("30 * * * * in Europe/Berlin", "2027-03-27T23:00:00Z", "2027-03-28T03:00:00Z"),
        ["03-28 00:30 +0100", "03-28 01:30 +0100", "03-28 03:30 +0200", "03-28 04:30 +0200"]
    );
    assert_eq!(
        runs("every 6 hours", "2027-03-28T00:00:00Z", "2027-03-28T20:00:00Z"),
        ["03-28 00:00 +0000", "03-28 06:00 +0000", "03-28 12:00 +0000", "03-28 18:00 +0000"]
    );
}

#[test]
fn short_months_and_leap_days() {
    assert_eq!(
        runs("monthly on 31 at 04:00", "2028-01-01T00:00:00Z", "2028-05-01T00:00:00Z"),
        ["01-31 04:00 +0000", "02-29 04:00 +0000", "03-31 04:00 +0000", "04-30 04:00 +0000"]
    );
    assert_eq!(
        runs("monthly on 29 at 04:00", "2027-02-01T00:00:00Z", "2027-04-01T00:00:00Z"),
        ["02-28 04:00 +0000", "03-29 04:00 +0000"]
    );
    // Cron runs only on the day that it names.
    assert_eq!(
        runs("0 4 31 * *", "2028-01-01T00:00:00Z", "2028-05-01T00:00:00Z"),
        ["01-31 04:00 +0000", "03-31 04:00 +0000"]
    );
    let leap = schedule("0 4 29 2 *");
    assert_eq!(leap.next_after(utc("2096-03-01T00:00:00Z")), Some(utc("2104-02-29T04:00:00Z")));
    assert_eq!(leap.last_until(utc("2104-02-28T00:00:00Z")), Some(utc("2096-02-29T04:00:00Z")));
}

#[test]
fn what_is_written_is_what_is_read() {
    for (text, written) in [
        ("daily at 02:00", "daily at 02:00"),
        ("  Daily  AT 02:00 IN UTC ", "daily at 02:00"),
        ("weekly on Sunday at 03:00 in Europe/Berlin", "weekly on sunday at 03:00 in Europe/Berlin"),
        ("monthly on 1 at 04:00", "monthly on 1 at 04:00"),
        ("hourly in Asia/Kolkata", "hourly in Asia/Kolkata"),
        ("every 90 minutes", "every 90 minutes"),
        ("every 60 minutes", "every 1 hour"),
        ("every 1 day", "every 1 day"),
        ("*/15 2 * * MON-FRI in Asia/Tokyo", "*/15 2 * * MON-FRI in Asia/Tokyo"),
        ("0 2 L * *", "0 2 L * *"),
    ] {
        let read = schedule(text);
        assert_eq!(read.to_string(), written);
        assert_eq!(schedule(written), read);
        let json = serde_json::to_string(&read).unwrap();
        assert_eq!(serde_json::from_str::<Schedule>(&json).unwrap(), read);
    }
}

#[test]
fn what_is_no_schedule_is_refused() {
    for text in [
        "",
        "daily",
        "daily at 24:00",
        "daily at 2",
        "daily at 02:00 in Europe/Atlantis",
        "daily at 02:00 in",
        "weekly on someday at 03:00",
        "monthly on 0 at 04:00",
        "monthly on 32 at 04:00",
        "every 0 hours",
        "every -1 hours",
        "every 400 days",
        "every 9223372036854775807 days",
        "every 6 hours in Europe/Berlin",
        "every 2 fortnights",
        "@daily",
        "0 0 2 * * *",
        "0 2 * *",
        "61 2 * * *",
        "0 2 30 2 *",
        "* * * * @",
    ] {
        let err = text.parse::<Schedule>().unwrap_err();
        assert_eq!(err.kind(), ErrorKind::InvalidInput, "{text}");
        assert!(!err.suggestions().is_empty(), "{text}");
    }
    assert!(serde_json::from_str::<Schedule>("\"sometimes\"").is_err());
}

#[test]
fn one_run_makes_up_for_all_that_were_missed() {
    let nightly = schedule("daily at 02:00");
    let now = utc("2026-11-20T12:00:00Z");
    let due = |runs: &[&str], now| nightly.due(runs.iter().map(|at| utc(at)), &Jitter::none(), now);
    let today = utc("2026-11-20T02:00:00Z");
    assert_eq!(due(&["2026-11-10T02:00:03Z"], now), Due::Now { scheduled_for: today, missed: 9 });
    assert_eq!(due(&["2026-11-19T02:00:03Z"], now), Due::Now { scheduled_for: today, missed: 0 });
    assert_eq!(due(&["2026-11-20T02:00:00Z"], now), Due::NotBefore(utc("2026-11-21T02:00:00Z")));
    assert_eq!(due(&["1990-01-01T00:00:00Z"], now), Due::Now { scheduled_for: today, missed: MAX_MISSED });
    assert_eq!(due(&[], now), Due::Now { scheduled_for: today, missed: 0 });
    // A run that a wrong clock dated into the future hides no missed one.
    let future = ["2026-12-24T02:00:00Z", "2026-11-18T02:00:00Z"];
    assert_eq!(due(&future, now), Due::Now { scheduled_for: today, missed: 1 });
}

#[test]
fn a_delay_is_that_of_its_series_and_bounded() {
    let nightly = schedule("daily at 02:00");
    let max = std::time::Duration::from_secs(3600);
    let begin = |series: &str, text: &str| {
        let Due::NotBefore(at) = schedule(text).due(
            [utc("2026-11-19T02:00:00Z")],
            &Jitter::of(series, max),
            utc("2026-11-19T02:00:00Z"),
        ) else {
            panic!("due at once")
        };
        at
    };
    let mut delays = std::collections::BTreeSet::new();
    for number in 0..50 {
        let series = format!("production/shop{number}");
        let delay = begin(&series, "daily at 02:00") - utc("2026-11-20T02:00:00Z");
        assert!((TimeDelta::zero()..=TimeDelta::hours(1)).contains(&delay), "{delay}");
        assert_eq!(begin(&series, "daily at 02:00") - utc("2026-11-20T02:00:00Z"), delay);
        delays.insert(delay);
        // Never beyond half the time to the next occurrence.
        let soon = begin(&series, "every 1 minute") - utc("2026-11-19T02:01:00Z");
        assert!(soon <= TimeDelta::seconds(30), "{soon}");
    }
    assert!(delays.len() > 45);
    // While the delay runs the occurrence before is the one that counts.
    let jitter = Jitter::of("production/shop1", max);
    let at = begin("production/shop1", "daily at 02:00");
    let before = at - TimeDelta::milliseconds(1);
    assert_eq!(nightly.due([utc("2026-11-19T09:00:00Z")], &jitter, before), Due::NotBefore(at));
    let missed = nightly.due([utc("2026-11-18T09:00:00Z")], &jitter, before);
    assert_eq!(missed, Due::Now { scheduled_for: utc("2026-11-19T02:00:00Z"), missed: 0 });
}

#[test]
fn the_first_of_a_day_is_due_until_one_was_made_today() {
    let today = Schedule::each_day(chrono_tz::America::New_York);
    let due =
        |run: &str, now: &str| matches!(today.due([utc(run)], &Jitter::none(), utc(now)), Due::Now { .. });
    assert!(!due("2026-11-20T05:00:00Z", "2026-11-21T04:59:59Z"));
    assert!(due("2026-11-20T05:00:00Z", "2026-11-21T05:00:00Z"));
    assert!(due("2026-11-20T04:59:59Z", "2026-11-20T05:00:00Z"));
}

/// Each minute of two days around each change of clocks, looked at one by one.
#[test]
fn what_runs_every_hour_runs_at_each_minute_that_it_names() {
    for (zone, from) in [
        ("America/New_York", "2027-03-13T12:00:00Z"),
        ("America/New_York", "2026-10-31T12:00:00Z"),
        ("Australia/Lord_Howe", "2026-10-03T00:00:00Z"),
        ("Australia/Lord_Howe", "2027-04-03T00:00:00Z"),
        ("Pacific/Apia", "2011-12-29T12:00:00Z"),
        ("Africa/Cairo", "2026-10-29T00:00:00Z"),
        ("Asia/Kathmandu", "2026-10-29T00:00:00Z"),
    ] {
        for (minutes, named) in [("0", &[0][..]), ("20", &[20]), ("*/15", &[0, 15, 30, 45])] {
            let schedule = schedule(&format!("{minutes} * * * * in {zone}"));
            let from = utc(from);
            for minute in 0..2 * 24 * 60 {
                let at = from + TimeDelta::minutes(minute);
                let names = named.contains(&at.with_timezone(&schedule.zone()).minute());
                let before = at - TimeDelta::seconds(1);
                assert_eq!(schedule.next_after(before) == Some(at), names, "{schedule} {at}");
                assert_eq!(schedule.last_until(at) == Some(at), names, "{schedule} {at}");
            }
        }
    }
}

#[test]
fn weekdays_are_those_of_the_zone() {
    let sunday = schedule("weekly on sunday at 00:30 in Pacific/Auckland");
    let at = sunday.next_after(utc("2026-11-20T00:00:00Z")).unwrap();
    assert_eq!(at.weekday(), chrono::Weekday::Sat);
    assert_eq!(at.with_timezone(&sunday.zone()).weekday(), chrono::Weekday::Sun);
}
