//! [`Retention`]: which backups are kept, by rules and by what was proven of them.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::{Entry, Error, ErrorKind, Kind, Result};

mod bucket;
mod count;
mod facts;
mod parallel;
mod plan;
mod rules;
mod series;
mod span;
mod table;

pub use bucket::Period;
pub use count::Count;
pub use plan::{Decision, DeleteReason, Doubt, Excess, KeepReason, Plan, Planned};
pub use span::Span;

/// How many days safety backups stay at least, unless a policy says otherwise.
const SAFETY_DAYS: u32 = 90;
/// How many percent of a series one plan may delete, unless a policy says otherwise.
const MAX_DELETED_PERCENT: u8 = 50;

/// The rules by which backups are kept or deleted.
///
/// Works on series: the backups of one database in one environment. Each series is planned on its own.
///
/// # How rules combine
///
/// A backup is kept if *any* rule keeps it, and deleted only if none does. So the days of an environment are a least
/// age for all of its backups, and counts keep more beyond that. A backup to which no rule applies, such as a manual one
/// where rules speak of daily ones alone, is kept. Rules:
///
/// - the newest of each of the last so many hours, days, weeks (ISO 8601), months and years that have backups, and the
///   last so many of all; one backup can be the newest of its day, week and month at once;
/// - all, or the newest of each period, [within](Self::keep_within) a span of time;
/// - so many of a [kind](Self::kinds), so many days in an [environment](Self::environments), so many
///   [days of safety backups](Self::safety_days).
///
/// A backup's own [`expires_at`](crate::Manifest::expires_at) comes before the rules: until then it is kept, and from
/// then on no rule keeps it, only guards do.
///
/// # Guards
///
/// Whatever the rules say:
///
/// - What is held or exempt by tag or label stays, and so does what its store keeps
///   [locked](crate::Pipeline::with_object_lock), as long as the lock lasts.
/// - *Good* are backups that are committed, proven, not dated in the future, not being deleted, and not
///   [empty](Doubt::Empty) while others are not. The others are *doubtful*: they take no place of a rule and push nothing
///   out. Those are judged beside the good ones: one stays as long as a good one in its place would, and until a newer
///   good one is there.
/// - The newest good backups of a series stay, [so many](Self::minimum_good), at least one.
/// - Ages count up to the newest good backup and not to now: a series that stopped loses nothing.
/// - A proven backup is deleted only if a newer good one, proven at least as deep, stays.
/// - What is dated in the future stays until its time has come.
/// - A deletion that was cut off is completed, under the same guards.
/// - A policy without any rule is refused, and so is a plan that would delete
///   [more than a share](Self::max_deleted_percent) of a series.
///
/// Order is by the manifests' [`created_at`](crate::Manifest::created_at), never by name.
///
/// # Configuration
///
/// What serde reads has the names of the fields; unknown ones are errors:
///
/// ```toml
/// time_zone = "Europe/Berlin"
/// keep_last = 3
/// keep_daily = 14
/// keep_within = "2d"
/// exempt_tags = ["audit", "release=1.0"]
/// kinds = { daily = 7, manual = "forever" }
/// environments = { production = 90 }
/// ```
///
/// # Examples
///
/// ```
/// use backup_core::{Kind, retention::{Count, Period, Retention, Span}};
///
/// let policy = Retention::new()
///     .keep_last_of(Period::Daily, 7)
///     .keep_within(Period::Each, Span::hours(48))
///     .keep_kind(Kind::Manual, Count::Forever);
/// let plan = policy.plan(&[], chrono::DateTime::UNIX_EPOCH)?;
/// assert_eq!(plan.deletions().count(), 0);
/// assert!(Retention::new().plan(&[], chrono::DateTime::UNIX_EPOCH).is_err(), "a policy without rules");
/// # Ok::<(), backup_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Retention {
    /// Whose clock and calendar count; UTC unless said.
    pub time_zone: Tz,
    /// How many of the last backups are kept.
    pub keep_last: u32,
    /// Of how many of the last hours that have backups the newest is kept.
    pub keep_hourly: u32,
    /// Of how many days.
    pub keep_daily: u32,
    /// Of how many weeks.
    pub keep_weekly: u32,
    /// Of how many months.
    pub keep_monthly: u32,
    /// Of how many years.
    pub keep_yearly: u32,
    /// Every backup is kept that is so much older than the newest good one at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_within: Option<Span>,
    /// The newest of each hour, within this span.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_within_hourly: Option<Span>,
    /// The newest of each day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_within_daily: Option<Span>,
    /// The newest of each week.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_within_weekly: Option<Span>,
    /// The newest of each month.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_within_monthly: Option<Span>,
    /// The newest of each year.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_within_yearly: Option<Span>,
    /// How many of a kind are kept.
    pub kinds: BTreeMap<Kind, Count>,
    /// For how many days everything of an environment is kept; others than these have no such days.
    pub environments: BTreeMap<String, u32>,
    /// For how many days at least safety backups are kept: those of the kinds
    /// [pre-rollback](Kind::PreRollback) and [pre-operation](Kind::PreOperation); 90 unless said.
    pub safety_days: u32,
    /// Backups with one of these tags are never deleted: `key`, or `key=value`.
    pub exempt_tags: BTreeSet<String>,
    /// Backups with one of these labels are never deleted.
    pub exempt_labels: BTreeSet<String>,
    /// How many of the newest good ones of a series always stay; one unless said, and at least one.
    pub minimum_good: u32,
    /// A plan that deletes more than so many percent of a series is refused; 50 unless said, 100 to allow it.
    pub max_deleted_percent: u8,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            time_zone: Tz::UTC,
            keep_last: 0,
            keep_hourly: 0,
            keep_daily: 0,
            keep_weekly: 0,
            keep_monthly: 0,
            keep_yearly: 0,
            keep_within: None,
            keep_within_hourly: None,
            keep_within_daily: None,
            keep_within_weekly: None,
            keep_within_monthly: None,
            keep_within_yearly: None,
            kinds: BTreeMap::new(),
            environments: BTreeMap::new(),
            safety_days: SAFETY_DAYS,
            exempt_tags: BTreeSet::new(),
            exempt_labels: BTreeSet::new(),
            minimum_good: 1,
            max_deleted_percent: MAX_DELETED_PERCENT,
        }
    }
}

impl Retention {
    /// A policy without rules, which is refused until it gets one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Seven daily, four weekly and twelve monthly backups, manual ones and those before migrations for ever; everything
    /// for 30 days in the environments `dev` and `development`, 60 in `staging`, 90 in `production`; safety backups for
    /// 90 days.
    #[must_use]
    pub fn recommended() -> Self {
        let kinds = [
            (Kind::Daily, Count::Last(7)),
            (Kind::Weekly, Count::Last(4)),
            (Kind::Monthly, Count::Last(12)),
            (Kind::Manual, Count::Forever),
            (Kind::PreMigration, Count::Forever),
        ];
        let environments = [("dev", 30), ("development", 30), ("staging", 60), ("production", 90)];
        let policy =
            kinds.into_iter().fold(Self::new(), |policy, (kind, count)| policy.keep_kind(kind, count));
        environments.into_iter().fold(policy, |policy, (name, days)| policy.keep_days(name, days))
    }

    /// Says which backups to keep, and which to delete, and why.
    ///
    /// Pure: reads no clock and changes nothing. `entries` may be of several series, in any order, and have to be *all* of
    /// theirs.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](ErrorKind::InvalidInput) as [`check`](Self::check), and where a backup is there twice.
    pub fn plan(&self, entries: &[Entry], now: DateTime<Utc>) -> Result<Plan> {
        self.check()?;
        Plan::make(self, entries, now)
    }

    /// Refuses a policy without any rule, which would keep next to nothing, and figures that make no sense.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](ErrorKind::InvalidInput).
    pub fn check(&self) -> Result<()> {
        let refuse = |message: &str| Err(Error::new(ErrorKind::InvalidInput, message.to_owned()));
        if self.is_empty() {
            return refuse("the retention policy has no rule, and would delete nearly everything").map_err(
                |err| err.with_suggestion("say what is kept: keep_last, keep_daily, kinds, environments, …"),
            );
        }
        if self.max_deleted_percent > 100 {
            return refuse("a share of more than 100 percent")
                .map_err(|err| err.with_context("max_deleted_percent", self.max_deleted_percent));
        }
        Ok(())
    }

    fn is_empty(&self) -> bool {
        Period::ALL.iter().all(|period| self.last_of(*period) == 0 && self.within_of(*period).is_none())
            && self.kinds.values().all(|count| *count == Count::Last(0))
            && self.environments.values().all(|days| *days == 0)
    }
}
