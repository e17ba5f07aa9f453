use std::time::Duration;

use crate::{Kind, Level, Pipeline, Schedule, digest::number_of, pipeline::BackupRequest};

/// A backup that is made again and again.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Job {
    /// Its name, by convention that of the database: part of the [key](crate::Alert::key) of its alerts, and the seed of its
    /// delay.
    pub name: String,
    /// What makes the backups.
    pub pipeline: Pipeline,
    /// When they are due.
    pub schedule: Schedule,
    /// What they are made as. The kind `manual`, which no scheduled backup has, stands for that which fits the time: see
    /// [`kind_at`](crate::schedule::kind_at).
    pub request: BackupRequest,
    /// How deep each is verified afterwards, beside what the pipeline checks before it exists.
    pub verify: Option<Level>,
    /// The longest [delay](crate::schedule::Jitter).
    pub jitter: Duration,
}

impl Job {
    /// Backups of kind daily, weekly or monthly as fits the time, without delay or further verification.
    pub fn new(name: impl Into<String>, pipeline: Pipeline, schedule: Schedule) -> Self {
        Self {
            name: name.into(),
            pipeline,
            schedule,
            request: BackupRequest::new(),
            verify: None,
            jitter: Duration::ZERO,
        }
    }

    /// Makes the backups so. A kind other than `manual` is that of all of them, and only those of that kind count as made: a weekly
    /// job is not content with daily backups.
    #[must_use]
    pub fn with_request(mut self, request: BackupRequest) -> Self {
        self.request = request;
        self
    }

    /// Verifies each backup so deep once it was made; the run fails where it does not pass.
    #[must_use]
    pub fn with_verify(mut self, level: Level) -> Self {
        self.verify = Some(level);
        self
    }

    /// Delays each run by the same time up to `max`, which depends on environment and name.
    #[must_use]
    pub fn with_jitter(mut self, max: Duration) -> Self {
        self.jitter = max;
        self
    }

    /// The kinds of backups that count as made by it.
    pub(super) fn kinds(&self) -> &[Kind] {
        match self.request.kind {
            Kind::Manual => &[Kind::Daily, Kind::Weekly, Kind::Monthly],
            _ => std::slice::from_ref(&self.request.kind),
        }
    }
}

/// The pauses after failures that may pass by themselves: each twice as long as the one before, less up to half of it, so that
/// jobs that failed together do not come back together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Backoff {
    /// The pause after the first failure.
    pub first: Duration,
    /// The longest pause.
    pub longest: Duration,
}

impl Default for Backoff {
    /// From a minute to an hour.
    fn default() -> Self {
        Self { first: Duration::from_secs(60), longest: Duration::from_secs(60 * 60) }
    }
}

impl Backoff {
    /// Pauses from `first` to `longest`.
    #[must_use]
    pub fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest }
    }

    /// The pause of a series after so many failures in a row.
    pub(super) fn pause(&self, series: &str, failures: u32) -> Duration {
        let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
        let whole = self.first.saturating_mul(doubled).min(self.longest);
        let half = u64::try_from(whole.as_millis() / 2).unwrap_or(u64::MAX - 1);
        whole.saturating_sub(Duration::from_millis(number_of(&format!("{series} {failures}")) % (half + 1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_differ_between_series() {
        let backoff = Backoff::new(Duration::from_secs(10), Duration::from_secs(100));
        for (failures, whole) in [(1, 10), (2, 20), (3, 40), (4, 80), (5, 100), (60, 100), (u32::MAX, 100)] {
            let whole = Duration::from_secs(whole);
            let pauses: Vec<_> = (0..20).map(|job| backoff.pause(&format!("a/{job}"), failures)).collect();
            assert!(pauses.iter().all(|pause| (whole / 2..=whole).contains(pause)), "{pauses:?}");
            assert!(pauses.windows(2).any(|pair| pair[0] != pair[1]));
        }
        assert!(Backoff::new(Duration::MAX, Duration::MAX).pause("a/b", 9) >= Duration::MAX / 2);
    }
}
