use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::Schedule;
use crate::digest::number_of;

/// Up to how many missed occurrences are counted.
pub const MAX_MISSED: u32 = 1000;

/// What a [schedule](Schedule) says now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Due {
    /// It is due: one run makes up for all that were missed.
    Now {
        /// The newest occurrence whose time has come.
        scheduled_for: DateTime<Utc>,
        /// How many occurrences before it have passed without a run, at most [`MAX_MISSED`]; 0 where there never was a run.
        missed: u32,
    },
    /// It is not, until then.
    NotBefore(DateTime<Utc>),
}

/// A delay that spreads what is scheduled for the same time: the same for a series at each of its occurrences, and different
/// for different series.
///
/// It takes from 0 to the given maximum, and never more than half the time to the next occurrence.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Jitter(TimeDelta);

impl Jitter {
    /// No delay.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// The delay of a series, such as `production/shop`, up to `max`, in whole milliseconds.
    #[must_use]
    pub fn of(series: &str, max: Duration) -> Self {
        let max =
            i64::try_from(max.as_millis()).unwrap_or(i64::MAX).min(TimeDelta::days(366).num_milliseconds());
        let delay = number_of(series) % (max.unsigned_abs() + 1);
        Self(TimeDelta::milliseconds(i64::try_from(delay).unwrap_or(max)))
    }
}

impl Schedule {
    /// Says whether a run is due, given when runs were started before, in any order.
    ///
    /// An occurrence is done by each run that started at or after it. Those after `now`, as a clock that was wrong leaves
    /// them, count for nothing. Where there never was a run one is due at once, for the last occurrence.
    #[must_use]
    pub fn due(
        &self,
        started: impl IntoIterator<Item = DateTime<Utc>>,
        jitter: &Jitter,
        now: DateTime<Utc>,
    ) -> Due {
        let last_run = started.into_iter().filter(|at| *at <= now).max();
        match (self.newest_begun(jitter, now), last_run) {
            (Some(scheduled_for), None) => Due::Now { scheduled_for, missed: 0 },
            (Some(scheduled_for), Some(last_run)) if last_run < scheduled_for => {
                Due::Now { scheduled_for, missed: self.missed(last_run, scheduled_for) }
            }
            (_, last_run) => {
                let next = self.next_after(last_run.unwrap_or(now));
                Due::NotBefore(next.map_or(DateTime::<Utc>::MAX_UTC, |next| self.begins(next, jitter)))
            }
        }
    }

    /// The newest occurrence that begins, with its delay, at or before `now`.
    fn newest_begun(&self, jitter: &Jitter, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let newest = self.last_until(now)?;
        if self.begins(newest, jitter) <= now {
            return Some(newest);
        }
        // No delay reaches into the next occurrence, so the one before has begun.
        self.last_until(newest - TimeDelta::seconds(1))
    }

    fn begins(&self, occurrence: DateTime<Utc>, Jitter(delay): &Jitter) -> DateTime<Utc> {
        if delay.is_zero() {
            return occurrence;
        }
        let half = self.next_after(occurrence).map_or(*delay, |next| (next - occurrence) / 2);
        occurrence + half.min(*delay)
    }

    fn missed(&self, last_run: DateTime<Utc>, scheduled_for: DateTime<Utc>) -> u32 {
        let mut missed = 0;
        let mut at = last_run;
        while let Some(next) = self.next_after(at)
            && next < scheduled_for
            && missed < MAX_MISSED
        {
            (at, missed) = (next, missed + 1);
        }
        missed
    }
}
