//! [`Schedule`]: when something is due, pure; in a time zone, correct where clocks are changed.

use std::{fmt, str::FromStr};

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::{Error, ErrorKind, Result};

mod civil;
mod due;
mod kind;
mod rule;

pub use due::{Due, Jitter, MAX_MISSED};
pub use kind::kind_at;
use rule::Rule;

/// How far before an instant a local time can lie that is shown again later: zones that moved across the date line
/// repeated a whole day.
const LONGEST_OVERLAP: TimeDelta = TimeDelta::hours(25);

/// When something runs, written as text, in a time zone; UTC unless said.
///
/// | text | runs |
/// |---|---|
/// | `daily at 02:00 in Europe/Berlin` | every day |
/// | `weekly on sunday at 03:00` | every week |
/// | `monthly on 31 at 04:00` | every month; on its last day where it is shorter |
/// | `hourly` | at minute 0 of every hour |
/// | `every 6 hours` | each multiple of 6 hours since 1970 in UTC, so at 00:00, 06:00, …; also seconds, minutes, days |
/// | `30 2 * * 1-5 in America/New_York` | a cron expression: minute, hour, day of the month, month, day of the week |
///
/// A cron expression that names both days of the month and of the week runs on either, as cron does; it runs in no month
/// that lacks the day it names. `L`, `W` and `#` are understood as [croner](https://docs.rs/croner) does.
///
/// # Contract
///
/// - Each local time that the text names runs exactly once. One that clocks skip in spring runs at the end of the gap, or,
///   if that is the next day already, a minute before it; several of one gap run once. One that clocks show twice in autumn
///   runs the first time. A day that a zone left out has no run.
/// - What runs *every* hour (`hourly`, or a cron expression with the hour `*`) follows time as it passes instead: it runs in both
///   hours of the same name, and a skipped hour owes it nothing. `every …` knows no time zone at all.
///
/// # Examples
///
/// ```
/// use backup_core::schedule::Schedule;
///
/// let nightly: Schedule = "daily at 02:30 in America/New_York".parse()?;
/// // On 14 March 2027 clocks go from 02:00 to 03:00 there.
/// let next = nightly.next_after("2027-03-14T00:00:00Z".parse().unwrap()).unwrap();
/// assert_eq!(next.to_rfc3339(), "2027-03-14T07:00:00+00:00");
/// # Ok::<(), backup_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Schedule {
    rule: Rule,
    zone: Tz,
}

impl Schedule {
    /// What happens once each local day, at its first moment: [`due`](Self::due) says whether it happened today.
    ///
    /// # Examples
    ///
    /// ```
    /// use backup_core::schedule::{Due, Jitter, Schedule};
    ///
    /// // The first session of a day makes a backup.
    /// let today = Schedule::each_day(chrono_tz::Europe::Berlin);
    /// let yesterday = "2026-11-19T22:30:00Z".parse().unwrap();
    /// let now = "2026-11-19T23:30:00Z".parse().unwrap();
    /// assert!(matches!(today.due([yesterday], &Jitter::none(), now), Due::Now { missed: 0, .. }));
    /// ```
    #[must_use]
    pub fn each_day(zone: Tz) -> Self {
        Self { rule: Rule::each_midnight(), zone }
    }

    /// The time zone whose clocks it follows.
    #[must_use]
    pub fn zone(&self) -> Tz {
        self.zone
    }

    /// The first occurrence after an instant; `None` only at the end of the calendar.
    #[must_use]
    pub fn next_after(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let after = floor(after);
        match &self.rule {
            Rule::Every { seconds } => {
                let steps = after.timestamp().div_euclid(*seconds).checked_add(1)?;
                DateTime::from_timestamp(steps.checked_mul(*seconds)?, 0)
            }
            Rule::Cron { pattern, every_hour: true, .. } => {
                let next = pattern.find_next_occurrence(&after.with_timezone(&self.zone), false).ok()?;
                Some(next.to_utc())
            }
            rule => {
                let mut civil = civil::local(self.zone, after);
                loop {
                    civil = rule.next_civil(civil)?;
                    if let Some(at) = civil::instant(self.zone, civil).filter(|at| *at > after) {
                        return Some(at);
                    }
                }
            }
        }
    }

    /// The last occurrence at or before an instant; `None` only at the beginning of the calendar.
    #[must_use]
    pub fn last_until(&self, until: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let until = floor(until);
        match &self.rule {
            Rule::Every { seconds } => {
                let steps = until.timestamp().div_euclid(*seconds);
                DateTime::from_timestamp(steps.checked_mul(*seconds)?, 0)
            }
            Rule::Cron { pattern, every_hour: true, .. } => {
                let last = pattern.find_previous_occurrence(&until.with_timezone(&self.zone), true).ok()?;
                Some(last.to_utc())
            }
            rule => {
                let mut civil = civil::local(self.zone, until).checked_add_signed(LONGEST_OVERLAP)?;
                loop {
                    civil = rule.last_civil(civil)?;
                    if let Some(at) = civil::instant(self.zone, civil).filter(|at| *at <= until) {
                        return Some(at);
                    }
                    civil = civil.checked_sub_signed(TimeDelta::seconds(1))?;
                }
            }
        }
    }
}

/// Occurrences are whole seconds, so nothing lies between this one and the given one.
fn floor(at: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp(at.timestamp(), 0).unwrap_or(at)
}

impl FromStr for Schedule {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let (rule, zone) = match words.as_slice() {
            [rule @ .., word, zone] if word.eq_ignore_ascii_case("in") => (rule, Some(*zone)),
            rule => (rule, None),
        };
        let rule = Rule::parse(rule).map_err(|err| err.with_context("schedule", text.escape_debug()))?;
        let zone = match zone {
            None => Tz::UTC,
            Some(_) if matches!(rule, Rule::Every { .. }) => {
                return Err(Error::new(ErrorKind::InvalidInput, "an interval follows no time zone")
                    .with_context("schedule", text.escape_debug())
                    .with_suggestion("leave the zone out, or say at what time of day: daily at 02:00"));
            }
            Some(name) => name.parse().map_err(|_| {
                Error::new(ErrorKind::InvalidInput, "no such time zone")
                    .with_context("zone", name.escape_debug())
                    .with_suggestion("use a name of the tz database, such as Europe/Berlin or UTC")
            })?,
        };
        Ok(Self { rule, zone })
    }
}

/// Writes what [`FromStr`] reads.
impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.rule)?;
        if self.zone != Tz::UTC {
            write!(f, " in {}", self.zone)?;
        }
        Ok(())
    }
}

impl TryFrom<String> for Schedule {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Schedule> for String {
    fn from(schedule: Schedule) -> Self {
        schedule.to_string()
    }
}

#[cfg(test)]
mod tests;
