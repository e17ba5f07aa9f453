//! From the times that clocks show to instants.

use chrono::{DateTime, NaiveDateTime, TimeDelta, TimeZone, Utc, offset::LocalResult};
use chrono_tz::Tz;

/// No zone is further from UTC.
const DAY_SECONDS: i64 = 24 * 60 * 60;

/// What clocks show.
pub(super) fn local(zone: Tz, at: DateTime<Utc>) -> NaiveDateTime {
    at.with_timezone(&zone).naive_local()
}

/// When that which is to run at this local time does run; `None` for a day that the zone left out.
///
/// Never earlier for a later local time.
pub(super) fn instant(zone: Tz, civil: NaiveDateTime) -> Option<DateTime<Utc>> {
    match zone.from_local_datetime(&civil) {
        LocalResult::Single(at) => Some(at.to_utc()),
        LocalResult::Ambiguous(one, other) => Some(one.min(other).to_utc()),
        LocalResult::None => {
            let end = gap_end(zone, civil)?;
            let same_day = |at: &DateTime<Utc>| local(zone, *at).date() == civil.date();
            Some(end).filter(same_day).or_else(|| Some(end - TimeDelta::minutes(1)).filter(same_day))
        }
    }
}

/// The first instant at which clocks show more than a local time that they skip.
fn gap_end(zone: Tz, civil: NaiveDateTime) -> Option<DateTime<Utc>> {
    let middle = civil.and_utc().timestamp();
    let (mut before, mut after) = (middle - DAY_SECONDS, middle + DAY_SECONDS);
    while after - before > 1 {
        let between = before + (after - before) / 2;
        if local(zone, DateTime::from_timestamp(between, 0)?) > civil {
            after = between;
        } else {
            before = between;
        }
    }
    DateTime::from_timestamp(after, 0)
}
