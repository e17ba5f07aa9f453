//! [`Span`]: a length of time on the calendar, such as `1y6m`.

use std::{fmt, str::FromStr};

use chrono::{DateTime, Days, LocalResult, Months, NaiveDateTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::{Error, ErrorKind, Result};

/// How far the search for a time that a clock shows goes back: longer than any leap of a zone, in quarters of an hour.
const GAP_QUARTERS: i32 = 4 * 49;

/// A length of time on the calendar: `12h`, `30d`, `2w`, `1y6m`.
///
/// Years, months, weeks and days are those of a calendar in the policy's time zone, so that a day is one also where a
/// change of the clock makes it 23 or 25 hours long; hours are hours. A month before the 31st of March is the last day
/// of February.
///
/// # Examples
///
/// ```
/// use backup_core::retention::Span;
///
/// let span: Span = "1y6m".parse()?;
/// assert_eq!(span.to_string(), "1y6m");
/// assert_eq!(Span::days(30), "30d".parse()?);
/// assert!("0d".parse::<Span>().is_err());
/// # Ok::<(), backup_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span {
    years: u32,
    months: u32,
    days: u32,
    hours: u32,
}

impl Span {
    /// So many hours.
    #[must_use]
    pub const fn hours(hours: u32) -> Self {
        Self { years: 0, months: 0, days: 0, hours }
    }

    /// So many days.
    #[must_use]
    pub const fn days(days: u32) -> Self {
        Self { years: 0, months: 0, days, hours: 0 }
    }

    /// So many months.
    #[must_use]
    pub const fn months(months: u32) -> Self {
        Self { years: 0, months, days: 0, hours: 0 }
    }

    /// The time that lies so far before `anchor`, on the clocks of `zone`.
    ///
    /// Of two times that a clock shows alike the earlier one, and before a leap of the clock where it shows that time not
    /// at all: what is kept is rather more.
    pub(super) fn before(self, anchor: DateTime<Utc>, zone: Tz) -> DateTime<Utc> {
        self.checked_before(anchor, zone).unwrap_or(DateTime::<Utc>::MIN_UTC)
    }

    fn checked_before(self, anchor: DateTime<Utc>, zone: Tz) -> Option<DateTime<Utc>> {
        let months = self.years.checked_mul(12)?.checked_add(self.months)?;
        let mut at = anchor;
        if months > 0 || self.days > 0 {
            let local = super::bucket::local(anchor, zone)?
                .checked_sub_months(Months::new(months))?
                .checked_sub_days(Days::new(u64::from(self.days)))?;
            at = earliest(local, zone)?;
        }
        at.checked_sub_signed(TimeDelta::hours(i64::from(self.hours)))
    }
}

/// The earliest time at which clocks show `local`, or the last one before it that they show.
fn earliest(local: NaiveDateTime, zone: Tz) -> Option<DateTime<Utc>> {
    (0..GAP_QUARTERS).find_map(|quarters| {
        let shown = local.checked_sub_signed(TimeDelta::minutes(15 * i64::from(quarters)))?;
        match zone.offset_from_local_datetime(&shown) {
            LocalResult::None => None,
            LocalResult::Single(offset) | LocalResult::Ambiguous(offset, _) => {
                let offset = chrono::Offset::fix(&offset);
                shown.checked_sub_offset(offset).map(|at| at.and_utc())
            }
        }
    })
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (figure, unit) in [(self.years, 'y'), (self.months, 'm'), (self.days, 'd'), (self.hours, 'h')] {
            if figure > 0 {
                write!(f, "{figure}{unit}")?;
            }
        }
        Ok(())
    }
}

impl FromStr for Span {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let invalid = || {
            Error::new(ErrorKind::InvalidInput, "not a length of time")
                .with_context("text", text.escape_debug())
                .with_suggestion("write it like 12h, 30d, 2w, 6m (months) or 1y6m, and more than nothing")
        };
        let mut span = Self::hours(0);
        let mut figure = String::new();
        for character in text.chars() {
            if character.is_ascii_digit() {
                figure.push(character);
                continue;
            }
            let number: u32 = figure.parse().map_err(|_| invalid())?;
            figure.clear();
            let (part, number) = match character {
                'y' => (&mut span.years, Some(number)),
                'm' => (&mut span.months, Some(number)),
                'w' => (&mut span.days, number.checked_mul(7)),
                'd' => (&mut span.days, Some(number)),
                'h' => (&mut span.hours, Some(number)),
                _ => return Err(invalid()),
            };
            *part = number.and_then(|number| part.checked_add(number)).ok_or_else(invalid)?;
        }
        if !figure.is_empty() || span == Self::hours(0) {
            return Err(invalid());
        }
        Ok(span)
    }
}

impl TryFrom<String> for Span {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Span> for String {
    fn from(span: Span) -> Self {
        span.to_string()
    }
}
