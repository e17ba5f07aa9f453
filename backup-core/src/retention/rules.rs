//! The rules of a policy: how they are said, and looked up.

use chrono_tz::Tz;

use super::{Count, Period, Retention, Span};
use crate::{Kind, Manifest};

impl Retention {
    /// Says whose clock and calendar count.
    #[must_use]
    pub fn in_time_zone(mut self, zone: Tz) -> Self {
        self.time_zone = zone;
        self
    }

    /// Keeps the newest of each of the last `count` periods that have backups; [`Period::Each`] is the last `count`.
    #[must_use]
    pub fn keep_last_of(mut self, period: Period, count: u32) -> Self {
        match period {
            Period::Each => self.keep_last = count,
            Period::Hourly => self.keep_hourly = count,
            Period::Daily => self.keep_daily = count,
            Period::Weekly => self.keep_weekly = count,
            Period::Monthly => self.keep_monthly = count,
            Period::Yearly => self.keep_yearly = count,
        }
        self
    }

    /// Keeps the newest of each period, of those within `span` of the newest good backup; [`Period::Each`] keeps all.
    #[must_use]
    pub fn keep_within(mut self, period: Period, span: Span) -> Self {
        let within = match period {
            Period::Each => &mut self.keep_within,
            Period::Hourly => &mut self.keep_within_hourly,
            Period::Daily => &mut self.keep_within_daily,
            Period::Weekly => &mut self.keep_within_weekly,
            Period::Monthly => &mut self.keep_within_monthly,
            Period::Yearly => &mut self.keep_within_yearly,
        };
        *within = Some(span);
        self
    }

    /// Keeps the last so many of a kind.
    #[must_use]
    pub fn keep_kind(mut self, kind: Kind, count: Count) -> Self {
        self.kinds.insert(kind, count);
        self
    }

    /// Keeps everything of an environment for so many days.
    #[must_use]
    pub fn keep_days(mut self, environment: impl Into<String>, days: u32) -> Self {
        self.environments.insert(environment.into(), days);
        self
    }

    /// Keeps safety backups for so many days at least.
    #[must_use]
    pub fn keep_safety_days(mut self, days: u32) -> Self {
        self.safety_days = days;
        self
    }

    /// Never deletes backups with a tag: `key`, or `key=value`.
    #[must_use]
    pub fn exempt_tag(mut self, tag: impl Into<String>) -> Self {
        self.exempt_tags.insert(tag.into());
        self
    }

    /// Never deletes backups with a label.
    #[must_use]
    pub fn exempt_label(mut self, label: impl Into<String>) -> Self {
        self.exempt_labels.insert(label.into());
        self
    }

    /// Always keeps so many of the newest good ones.
    #[must_use]
    pub fn with_minimum_good(mut self, minimum: u32) -> Self {
        self.minimum_good = minimum;
        self
    }

    /// Lets a plan delete so many percent of a series.
    #[must_use]
    pub fn with_max_deleted_percent(mut self, percent: u8) -> Self {
        self.max_deleted_percent = percent;
        self
    }

    pub(super) fn last_of(&self, period: Period) -> u32 {
        match period {
            Period::Each => self.keep_last,
            Period::Hourly => self.keep_hourly,
            Period::Daily => self.keep_daily,
            Period::Weekly => self.keep_weekly,
            Period::Monthly => self.keep_monthly,
            Period::Yearly => self.keep_yearly,
        }
    }

    pub(super) fn within_of(&self, period: Period) -> Option<Span> {
        match period {
            Period::Each => self.keep_within,
            Period::Hourly => self.keep_within_hourly,
            Period::Daily => self.keep_within_daily,
            Period::Weekly => self.keep_within_weekly,
            Period::Monthly => self.keep_within_monthly,
            Period::Yearly => self.keep_within_yearly,
        }
    }

    /// The tag or label by which a backup is never deleted.
    pub(super) fn exempted_by(&self, manifest: &Manifest) -> Option<String> {
        let label = manifest.label.as_ref().filter(|label| self.exempt_labels.contains(*label));
        if let Some(label) = label {
            return Some(format!("label {label}"));
        }
        let tag = self.exempt_tags.iter().find(|exempt| match exempt.split_once('=') {
            Some((key, value)) => manifest.tags.get(key).is_some_and(|is| is == value),
            None => manifest.tags.contains_key(*exempt),
        });
        tag.map(|tag| format!("tag {tag}"))
    }
}
