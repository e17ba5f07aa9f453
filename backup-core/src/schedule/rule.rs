//! [`Rule`]: what a schedule says, but for its time zone.

use std::fmt;

use chrono::{Datelike, Days, NaiveDate, NaiveDateTime, NaiveTime, Weekday};
use croner::{
    Cron,
    parser::{CronParser, Seconds, Year},
};

use crate::{Error, ErrorKind, Result};

/// The longest interval, in seconds.
const MAX_INTERVAL: i64 = 366 * 24 * 60 * 60;
/// More days than between two of any rule.
const SEARCHED_DAYS: usize = 64;
/// Units of intervals in seconds, the largest first.
const UNITS: [(&str, i64); 4] = [("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1)];

const WEEKDAYS: [(&str, Weekday); 7] = [
    ("monday", Weekday::Mon),
    ("tuesday", Weekday::Tue),
    ("wednesday", Weekday::Wed),
    ("thursday", Weekday::Thu),
    ("friday", Weekday::Fri),
    ("saturday", Weekday::Sat),
    ("sunday", Weekday::Sun),
];

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Rule {
    /// At multiples of an interval since 1970 in UTC.
    Every { seconds: i64 },
    /// At a time of day.
    At { day: Day, time: NaiveTime },
    /// By a cron expression.
    Cron {
        /// As it was written.
        text: String,
        pattern: Box<Cron>,
        /// Whether it runs every hour, and so follows time as it passes.
        every_hour: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Day {
    Each,
    Week(Weekday),
    /// Of the month, from 1; its last where it is shorter.
    Month(u32),
}

impl Rule {
    pub(super) fn each_midnight() -> Self {
        Self::At { day: Day::Each, time: NaiveTime::MIN }
    }

    pub(super) fn parse(words: &[&str]) -> Result<Self> {
        let lower: Vec<String> = words.iter().map(|word| word.to_ascii_lowercase()).collect();
        let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
        match lower.as_slice() {
            ["hourly"] => Self::cron("hourly".to_owned(), "0 * * * *"),
            ["every", count, unit] => every(count, unit),
            ["daily", "at", at] => Ok(Self::At { day: Day::Each, time: time(at)? }),
            ["weekly", "on", day, "at", at] => Ok(Self::At { day: Day::Week(weekday(day)?), time: time(at)? }),
            ["monthly", "on", day, "at", at] => {
                Ok(Self::At { day: Day::Month(day_of_month(day)?), time: time(at)? })
            }
            [_, _, _, _, _] if !lower.iter().any(|word| word.contains('@')) => {
                let text = words.join(" ");
                Self::cron(text.clone(), &text)
            }
            _ => Err(Error::new(ErrorKind::InvalidInput, "not a schedule").with_suggestion(
                "write daily at 02:00, weekly on sunday at 03:00, monthly on 1 at 04:00, hourly, every 6 hours, or five \
                 fields of cron, each but intervals with a zone if you like: in Europe/Berlin",
            )),
        }
    }

    fn cron(text: String, pattern: &str) -> Result<Self> {
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let invalid = |message, err| {
            Error::new(ErrorKind::InvalidInput, message)
                .with_suggestion(
                    "fields are minute, hour, day of the month, month and day of the week: 0 2 * * *",
                )
                .with_source(err)
        };
        let every_hour = pattern.split(' ').nth(1) == Some("*");
        let pattern = parser.parse(pattern).map_err(|err| invalid("not a cron expression", err))?;
        pattern
            .find_next_occurrence(&NaiveDate::default().and_time(NaiveTime::MIN), true)
            .map_err(|err| invalid("a cron expression that never runs", err))?;
        Ok(Self::Cron { text, pattern: Box::new(pattern), every_hour })
    }

    /// The first local time after another one, as if clocks were never changed; intervals name none.
    pub(super) fn next_civil(&self, after: NaiveDateTime) -> Option<NaiveDateTime> {
        match self {
            Self::Every { .. } => None,
            Self::Cron { pattern, .. } => pattern.find_next_occurrence(&after, false).ok(),
            Self::At { day, time } => {
                let mut dates = after.date().iter_days().take(SEARCHED_DAYS);
                let date = dates.find(|date| day.is(*date) && date.and_time(*time) > after)?;
                Some(date.and_time(*time))
            }
        }
    }

    /// The last local time at or before another one, as if clocks were never changed; intervals name none.
    pub(super) fn last_civil(&self, until: NaiveDateTime) -> Option<NaiveDateTime> {
        match self {
            Self::Every { .. } => None,
            Self::Cron { pattern, .. } => pattern.find_previous_occurrence(&until, true).ok(),
            Self::At { day, time } => {
                let mut dates = (0..SEARCHED_DAYS as u64)
                    .map_while(|back| until.date().checked_sub_days(Days::new(back)));
                let date = dates.find(|date| day.is(*date) && date.and_time(*time) <= until)?;
                Some(date.and_time(*time))
            }
        }
    }
}

impl Day {
    fn is(self, date: NaiveDate) -> bool {
        match self {
            Self::Each => true,
            Self::Week(day) => date.weekday() == day,
            Self::Month(day) => date.day() == day.min(u32::from(date.num_days_in_month())),
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Every { seconds } => {
                let (unit, size) =
                    UNITS.into_iter().find(|(_, size)| seconds % size == 0).unwrap_or(("second", 1));
                let count = seconds / size;
                write!(f, "every {count} {unit}{}", if count == 1 { "" } else { "s" })
            }
            Self::At { day, time } => {
                match day {
                    Day::Each => write!(f, "daily")?,
                    Day::Week(day) => {
                        let name =
                            WEEKDAYS.iter().find(|(_, known)| known == day).map_or("", |(name, _)| name);
                        write!(f, "weekly on {name}")?;
                    }
                    Day::Month(day) => write!(f, "monthly on {day}")?,
                }
                write!(f, " at {}", time.format("%H:%M"))
            }
            Self::Cron { text, .. } => f.write_str(text),
        }
    }
}

fn invalid(what: &'static str, text: &str, suggestion: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, what)
        .with_context("text", text.escape_debug())
        .with_suggestion(suggestion)
}

fn time(text: &str) -> Result<NaiveTime> {
    NaiveTime::parse_from_str(text, "%H:%M")
        .map_err(|err| invalid("not a time of day", text, "write it from 00:00 to 23:59").with_source(err))
}

fn weekday(text: &str) -> Result<Weekday> {
    WEEKDAYS
        .into_iter()
        .find(|(name, _)| *name == text)
        .map(|(_, day)| day)
        .ok_or_else(|| invalid("not a day of the week", text, "write it in full: sunday"))
}

fn day_of_month(text: &str) -> Result<u32> {
    text.parse().ok().filter(|day| (1..=31).contains(day)).ok_or_else(|| {
        invalid("not a day of the month", text, "write it from 1 to 31; short months use their last day")
    })
}

fn every(count: &str, unit: &str) -> Result<Rule> {
    let singular = unit.strip_suffix('s').unwrap_or(unit);
    let size = UNITS.into_iter().find(|(name, _)| *name == singular).map(|(_, size)| size);
    let seconds = size.zip(count.parse::<i64>().ok()).and_then(|(size, count)| size.checked_mul(count));
    seconds
        .filter(|seconds| (1..=MAX_INTERVAL).contains(seconds))
        .map(|seconds| Rule::Every { seconds })
        .ok_or_else(|| {
            invalid(
                "not an interval",
                &format!("{count} {unit}"),
                "write a number from 1 and seconds, minutes, hours or days, at most 366 days: every 6 hours",
            )
        })
}
