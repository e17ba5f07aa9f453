use chrono::{DateTime, Datelike, NaiveDate, Utc};
use chrono_tz::Tz;

use super::civil::local;
use crate::{Entry, Kind};

/// The kind of a scheduled backup that is made now: monthly where the local month has no monthly backup yet, else weekly
/// where the ISO week has neither a weekly nor a monthly one, else daily.
///
/// `entries` are the backups of one series; those that are [no good](Entry::is_good), or are dated after `at`, count for nothing.
///
/// # Examples
///
/// ```
/// use backup_core::{Kind, schedule::kind_at};
///
/// let at = "2026-11-20T02:00:00Z".parse().unwrap();
/// assert_eq!(kind_at(&[], chrono_tz::UTC, at), Kind::Monthly);
/// ```
#[must_use]
pub fn kind_at(entries: &[Entry], zone: Tz, at: DateTime<Utc>) -> Kind {
    let today = local(zone, at).date();
    let has = |kind: Kind, same: fn(NaiveDate, NaiveDate) -> bool| {
        entries.iter().filter(|entry| entry.is_good()).map(|entry| &entry.manifest).any(|manifest| {
            manifest.kind == kind
                && manifest.created_at <= at
                && same(local(zone, manifest.created_at).date(), today)
        })
    };
    let same_month =
        |one: NaiveDate, other: NaiveDate| (one.year(), one.month()) == (other.year(), other.month());
    let same_week = |one: NaiveDate, other: NaiveDate| one.iso_week() == other.iso_week();
    if !has(Kind::Monthly, same_month) {
        Kind::Monthly
    } else if !has(Kind::Weekly, same_week) && !has(Kind::Monthly, same_week) {
        Kind::Weekly
    } else {
        Kind::Daily
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::sample_manifest;

    fn entry(at: &str, kind: Kind) -> Entry {
        let mut manifest = sample_manifest("production", "shop", at.parse().unwrap());
        manifest.kind = kind;
        Entry::new(manifest, Vec::new())
    }

    #[test]
    fn a_year_of_nights_has_a_monthly_a_month_and_a_weekly_a_week() {
        for (year, zone) in [(2026, chrono_tz::UTC), (2020, chrono_tz::Europe::Berlin)] {
            let mut entries = Vec::new();
            let first = NaiveDate::from_ymd_opt(year, 1, 1).unwrap();
            // Both years have an ISO week 53, which 1 January of the next year is in too.
            for day in first.iter_days().take_while(|day| day.year() == year) {
                let at = day.and_hms_opt(12, 0, 0).unwrap().and_utc();
                let kind = kind_at(&entries, zone, at);
                assert_eq!(kind == Kind::Monthly, day.day() == 1, "{day}");
                let monday = day.weekday() == chrono::Weekday::Mon;
                assert_eq!(kind == Kind::Weekly, monday && day.day() != 1, "{day}");
                entries.push(entry(&at.to_rfc3339(), kind));
            }
            let new_year = NaiveDate::from_ymd_opt(year + 1, 1, 1).unwrap().and_hms_opt(12, 0, 0).unwrap();
            assert_eq!(kind_at(&entries, zone, new_year.and_utc()), Kind::Monthly);
        }
    }

    #[test]
    fn iso_week_53_is_one_week_across_the_new_year() {
        let entries = [
            entry("2026-12-01T02:00:00Z", Kind::Monthly),
            entry("2026-12-28T02:00:00Z", Kind::Weekly),
            entry("2027-01-01T02:00:00Z", Kind::Monthly),
        ];
        for (at, kind) in [
            ("2026-12-31T02:00:00Z", Kind::Daily),
            ("2027-01-02T02:00:00Z", Kind::Daily),
            ("2027-01-03T02:00:00Z", Kind::Daily),
            ("2027-01-04T02:00:00Z", Kind::Weekly),
        ] {
            assert_eq!(kind_at(&entries, chrono_tz::UTC, at.parse().unwrap()), kind, "{at}");
        }
    }

    #[test]
    fn the_month_is_that_of_the_zone() {
        let entries = [entry("2026-11-30T23:30:00Z", Kind::Monthly)];
        let at = "2026-12-01T02:00:00Z".parse().unwrap();
        assert_eq!(kind_at(&entries, chrono_tz::UTC, at), Kind::Monthly);
        assert_eq!(kind_at(&entries, chrono_tz::Europe::Berlin, at), Kind::Daily);
    }

    #[test]
    fn future_and_failed_backups_are_not_the_monthly_one() {
        let at = "2026-11-20T02:00:00Z".parse().unwrap();
        let future = entry("2026-11-20T02:00:01Z", Kind::Monthly);
        assert_eq!(kind_at(&[future], chrono_tz::UTC, at), Kind::Monthly);
        let mut failed = entry("2026-11-01T02:00:00Z", Kind::Monthly);
        assert_eq!(kind_at(std::slice::from_ref(&failed), chrono_tz::UTC, at), Kind::Weekly);
        let note = serde_json::json!({"at": "2026-11-02T02:00:00Z", "note": "verified", "level": "digest",
            "result": "failed", "started_at": "2026-11-02T02:00:00Z", "duration_ms": 1, "bytes_read": 1,
            "library_version": "0.1.0"});
        failed.annotations.push(serde_json::from_value(note).unwrap());
        assert_eq!(kind_at(&[failed], chrono_tz::UTC, at), Kind::Monthly);
    }
}
