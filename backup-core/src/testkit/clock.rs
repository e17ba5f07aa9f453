//! [`ManualClock`]: a clock that a test moves.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use crate::Clock;

/// A clock that stands still until it is told to move; clones are the same clock.
///
/// # Examples
///
/// ```
/// use backup_core::{Clock, testkit::clock::ManualClock};
/// use chrono::TimeDelta;
///
/// let clock = ManualClock::at("2026-11-20T02:00:00Z");
/// clock.advance(TimeDelta::days(1));
/// assert_eq!(clock.now().to_rfc3339(), "2026-11-21T02:00:00+00:00");
/// ```
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<Mutex<DateTime<Utc>>>);

impl ManualClock {
    /// A clock that stands at `now`.
    #[must_use]
    pub fn new(now: DateTime<Utc>) -> Self {
        Self(Arc::new(Mutex::new(now)))
    }

    /// A clock that stands at an RFC 3339 time, such as `2026-11-20T02:00:00Z`.
    ///
    /// # Panics
    ///
    /// When `now` is no such time.
    #[must_use]
    pub fn at(now: &str) -> Self {
        Self::new(now.parse().expect("an RFC 3339 time"))
    }

    /// Moves the clock; backwards where `by` is negative.
    pub fn advance(&self, by: TimeDelta) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) += by;
    }

    /// Puts the clock to another time.
    pub fn set(&self, now: DateTime<Utc>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
