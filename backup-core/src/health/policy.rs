use std::{collections::BTreeMap, time::Duration};

use chrono::NaiveTime;
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::Series;
use crate::{Level, Retention};

/// What the backups should be like; the default suits a backup a day.
///
/// # Examples
///
/// ```
/// use backup_core::health::{HealthPolicy, RecoveryTarget};
///
/// let policy: HealthPolicy = serde_json::from_str(
///     r#"{ "time_zone": "Europe/Berlin", "series": [{ "environment": "production", "database": "shop" }] }"#,
/// )?;
/// let policy = policy.with_target(RecoveryTarget::TIER_3);
/// assert_eq!(policy.critical_age_minutes, 48 * 60);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct HealthPolicy {
    /// The series that must have backups; where none is named, those of which there are any.
    pub series: Vec<ExpectedSeries>,
    /// The time zone in which days begin.
    pub time_zone: Tz,
    /// By when each day's backup must be there, in local time; until then the one of the day before is enough.
    pub today_by: Option<NaiveTime>,
    /// How deep a backup must be proven to count as good.
    pub good_level: Level,
    /// From which age on the newest good backup is a warning.
    pub warning_age_minutes: u32,
    /// From which age on it is critical.
    pub critical_age_minutes: u32,
    /// How old the newest weekly backup may be; unless said 8 days, of series that have any.
    pub weekly_within_days: Option<u32>,
    /// How old the newest monthly backup may be; unless said 32 days, of series that have any.
    pub monthly_within_days: Option<u32>,
    /// Within how many days something must have been proven so deep.
    pub proven_within_days: BTreeMap<Level, u32>,
    /// How small the newest dump may be, in percent of the median of those before it.
    pub min_size_percent: u32,
    /// How large it may be.
    pub max_size_percent: u32,
    /// How long the newest backup may have taken, in percent of the median; less than a minute more is never told.
    pub max_duration_percent: u32,
    /// For how long a failed run is told that was followed by one that succeeded.
    pub attempts_within_hours: u32,
    /// How many runs that failed one after the other are critical.
    pub critical_failures: u32,
    /// From which age on a hold is told.
    pub old_hold_days: u32,
    /// How much space must be free in the store.
    pub min_free_bytes: u64,
    /// How many further rounds of backups, each as large as the last, must fit into the store.
    pub min_free_rounds: u32,
    /// From when on a standby server that is behind is a warning; it is told only where its lag was asked for.
    pub warning_lag_seconds: u64,
    /// From when on it is critical.
    pub critical_lag_seconds: u64,
    /// What may be lost, and how long it may take to go on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<RecoveryTarget>,
    /// What retention should have deleted; of a [`Pipeline`](crate::Pipeline) its own policy, unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention: Option<Retention>,
    /// For how long that may still be there.
    pub retention_grace_hours: u32,
    /// In how many stores the newest good backup must be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub copies: Option<CopyRule>,
}

/// In how many stores a backup must be, of how many kinds, and how many of them elsewhere: the rule 3-2-1.
///
/// The database itself is not counted: the rule is of backups.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct CopyRule {
    /// In how many stores.
    pub copies: u32,
    /// Of how many kinds: the schemes of their locations, such as `file` and `s3`.
    pub kinds: u32,
    /// How many of them are off-site.
    pub off_site: u32,
    /// The locations of the stores that are off-site, as they call themselves.
    pub off_site_locations: Vec<String>,
}

impl Default for CopyRule {
    /// Three copies, two kinds of stores, one off-site.
    fn default() -> Self {
        Self { copies: 3, kinds: 2, off_site: 1, off_site_locations: Vec::new() }
    }
}

impl CopyRule {
    /// Three copies in two kinds of stores, one of them in a store that is off-site.
    #[must_use]
    pub fn three_two_one(off_site_locations: Vec<String>) -> Self {
        Self { off_site_locations, ..Self::default() }
    }

    /// Asks for so many copies, kinds of stores and copies off-site.
    #[must_use]
    pub fn with_counts(mut self, copies: u32, kinds: u32, off_site: u32) -> Self {
        (self.copies, self.kinds, self.off_site) = (copies, kinds, off_site);
        self
    }
}

impl Default for HealthPolicy {
    fn default() -> Self {
        Self {
            series: Vec::new(),
            time_zone: Tz::UTC,
            today_by: NaiveTime::from_hms_opt(12, 0, 0),
            good_level: Level::Digest,
            warning_age_minutes: 26 * 60,
            critical_age_minutes: 48 * 60,
            weekly_within_days: None,
            monthly_within_days: None,
            proven_within_days: BTreeMap::from([(Level::Decoded, 7), (Level::Restored, 30)]),
            min_size_percent: 50,
            max_size_percent: 200,
            max_duration_percent: 300,
            attempts_within_hours: 24,
            critical_failures: 3,
            old_hold_days: 180,
            min_free_bytes: 10_000_000_000,
            min_free_rounds: 3,
            warning_lag_seconds: 60,
            critical_lag_seconds: 300,
            target: None,
            retention: None,
            retention_grace_hours: 26,
            copies: None,
        }
    }
}

impl HealthPolicy {
    /// What suits a backup a day.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a series that must have backups; from then on others are only named.
    #[must_use]
    pub fn with_series(mut self, series: ExpectedSeries) -> Self {
        self.series.push(series);
        self
    }

    /// Says in which time zone days begin.
    #[must_use]
    pub fn with_time_zone(mut self, time_zone: Tz) -> Self {
        self.time_zone = time_zone;
        self
    }

    /// Says what may be lost, and how long it may take to go on.
    #[must_use]
    pub fn with_target(mut self, target: RecoveryTarget) -> Self {
        self.target = Some(target);
        self
    }

    /// Says in how many stores the newest good backup must be.
    #[must_use]
    pub fn with_copies(mut self, rule: CopyRule) -> Self {
        self.copies = Some(rule);
        self
    }

    /// Says what retention should have deleted.
    #[must_use]
    pub fn with_retention(mut self, retention: Retention) -> Self {
        self.retention = Some(retention);
        self
    }
}

/// A series that must have backups.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ExpectedSeries {
    /// The environment.
    pub environment: String,
    /// The database's name.
    pub database: String,
    /// How often it is backed up. A twelfth more is a warning and twice as much critical, in place of the ages of the
    /// policy: of 24 hours, 26 and 48.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every_minutes: Option<u32>,
}

impl ExpectedSeries {
    /// A series that is backed up as often as the policy says.
    pub fn new(environment: impl Into<String>, database: impl Into<String>) -> Self {
        Self { environment: environment.into(), database: database.into(), every_minutes: None }
    }

    /// Says how often it is backed up, in whole minutes.
    #[must_use]
    pub fn every(mut self, interval: Duration) -> Self {
        self.every_minutes = Some(u32::try_from(interval.as_secs() / 60).unwrap_or(u32::MAX).max(1));
        self
    }

    pub(super) fn series(&self) -> Series {
        Series::new(self.environment.clone(), self.database.clone())
    }

    /// The ages in minutes that are a warning and critical.
    pub(super) fn ages(&self, policy: &HealthPolicy) -> (u32, u32) {
        match self.every_minutes {
            None => (policy.warning_age_minutes, policy.critical_age_minutes),
            Some(every) => (every.saturating_add((every / 12).max(1)), every.saturating_mul(2)),
        }
    }
}

impl From<Series> for ExpectedSeries {
    fn from(series: Series) -> Self {
        Self::new(series.environment, series.database)
    }
}

/// What may be lost, and how long it may take to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct RecoveryTarget {
    /// How much of the newest work may be lost, in seconds: the RPO.
    pub rpo_seconds: u64,
    /// How long a restore may take, in seconds: the RTO.
    pub rto_seconds: u64,
}

impl RecoveryTarget {
    /// What the business stands still without: 15 minutes, 1 hour.
    pub const TIER_1: Self = Self { rpo_seconds: 15 * 60, rto_seconds: 3600 };
    /// What is missed on the same day: 1 hour, 4 hours.
    pub const TIER_2: Self = Self { rpo_seconds: 3600, rto_seconds: 4 * 3600 };
    /// What can wait for the next day: 4 hours, 24 hours.
    pub const TIER_3: Self = Self { rpo_seconds: 4 * 3600, rto_seconds: 24 * 3600 };

    /// A target of one's own, in whole seconds.
    #[must_use]
    pub fn new(rpo: Duration, rto: Duration) -> Self {
        Self { rpo_seconds: rpo.as_secs(), rto_seconds: rto.as_secs() }
    }
}
