//! [`Period`]: the hours, days, weeks, months and years of which a rule keeps the last backup.

use chrono::{DateTime, Datelike, NaiveDateTime, Offset, TimeZone, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

/// A period of which a rule keeps the newest backup, by clock and calendar of the policy's time zone.
///
/// One backup can be the newest of its day, its week and its month at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Period {
    /// Each backup for itself.
    Each,
    /// An hour of the clock; the two of one name, when clocks are set back, are two.
    Hourly,
    /// A day of the calendar.
    Daily,
    /// A week by ISO 8601, from Monday to Sunday, also across the end of a year.
    Weekly,
    /// A month.
    Monthly,
    /// A year.
    Yearly,
}

impl Period {
    /// All periods, the shortest first.
    pub const ALL: [Self; 6] =
        [Self::Each, Self::Hourly, Self::Daily, Self::Weekly, Self::Monthly, Self::Yearly];

    /// The period as it is written: `daily`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Each => "each",
            Self::Hourly => "hourly",
            Self::Daily => "daily",
            Self::Weekly => "weekly",
            Self::Monthly => "monthly",
            Self::Yearly => "yearly",
        }
    }
}

/// Which period of each length a time belongs to, as numbers.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Periods([i64; 6]);

impl Periods {
    /// The periods of a backup that is the `nth` of its series.
    pub(super) fn of(nth: usize, at: DateTime<Utc>, zone: Tz) -> Self {
        let offset = i64::from(zone.offset_from_utc_datetime(&at.naive_utc()).fix().local_minus_utc());
        let local = at.timestamp() + offset;
        let day = local.div_euclid(DAY);
        // Times that no calendar has are all of one month.
        let (year, month) = DateTime::from_timestamp(local, 0)
            .map_or((0, 0), |shown| (i64::from(shown.year()), i64::from(shown.month0())));
        Self([
            i64::try_from(nth).unwrap_or(i64::MAX),
            // Its beginning in UTC, which no two hours share.
            local - local.rem_euclid(HOUR) - offset,
            day,
            // The first of January 1970 was a Thursday.
            (day + 3).div_euclid(7),
            year * 12 + month,
            year,
        ])
    }

    /// Those of a backup of which only [`Period::Each`] is asked for.
    pub(super) fn only(nth: usize) -> Self {
        let mut periods = Self::default();
        periods.0[0] = i64::try_from(nth).unwrap_or(i64::MAX);
        periods
    }

    pub(super) fn number(&self, period: Period) -> i64 {
        self.0.get(period as usize).copied().unwrap_or_default()
    }
}

/// What the clocks of `zone` show; `None` where no calendar goes that far.
pub(super) fn local(at: DateTime<Utc>, zone: Tz) -> Option<NaiveDateTime> {
    let offset = zone.offset_from_utc_datetime(&at.naive_utc()).fix();
    at.naive_utc().checked_add_offset(offset)
}

/// Walks the backups of a series from the newest on, and tells which of them a rule keeps.
///
/// Good backups take the places. A doubtful one is judged as if it were good, beside them: it stays where a good one
/// in its place would, and takes no place away.
#[derive(Debug)]
pub(super) struct Places {
    pub(super) period: Period,
    free: u64,
    since: Option<DateTime<Utc>>,
    /// The last two periods with a good one. Two, because a clock that is set back over midnight shows the new day,
    /// the old one, and the new one again.
    taken: [Option<i64>; 2],
}

impl Places {
    /// The newest of each of the last `count` periods that have any.
    pub(super) fn last(period: Period, count: u64) -> Self {
        Self { period, free: count, since: None, taken: [None; 2] }
    }

    /// The newest of each period, of those from `since` on.
    pub(super) fn within(period: Period, since: DateTime<Utc>) -> Self {
        Self { since: Some(since), ..Self::last(period, u64::MAX) }
    }

    pub(super) fn keeps(&mut self, at: DateTime<Utc>, periods: &Periods, is_good: bool) -> bool {
        if self.free == 0 || self.since.is_some_and(|since| at < since) {
            return false;
        }
        let number = Some(periods.number(self.period));
        if self.taken.contains(&number) {
            return false;
        }
        if is_good {
            self.free -= 1;
            self.taken = [number, self.taken[0]];
        }
        true
    }
}
