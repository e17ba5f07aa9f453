//! [`check`]: whether the backups are as they should be, and what to do where they are not; pure.

use std::{collections::BTreeSet, fmt};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{Entry, Key};

mod backups;
mod copies;
mod facts;
mod fresh;
mod place;
mod policy;
mod proof;
mod pruned;
mod report;
mod runs;
mod usual;
mod words;

pub use facts::{Attempt, AttemptOutcome, CopyFacts, Fact, HealthFacts, MissingCopy};
pub use policy::{CopyRule, ExpectedSeries, HealthPolicy, RecoveryTarget};
pub use report::{Check, CheckStatus, HealthReport, Status};

use self::backups::Backups;

/// Says how the backups are.
///
/// The report holds a check for everything that the policy asks for. What could not be looked at, because the fact
/// behind it is unknown, is in it too, and is never well.
///
/// # Examples
///
/// ```
/// use backup_core::health::{self, ExpectedSeries, HealthFacts, HealthPolicy, Status};
///
/// let policy = HealthPolicy::new().with_series(ExpectedSeries::new("production", "shop"));
/// let report = health::check(&HealthFacts::new(Vec::new()), &policy, chrono::DateTime::UNIX_EPOCH);
/// assert_eq!((report.status, report.exit_code()), (Status::Critical, 2));
/// assert!(report.summary().starts_with("BACKUP CRITICAL - production/shop: there is no backup"));
/// ```
#[must_use]
pub fn check(facts: &HealthFacts, policy: &HealthPolicy, now: DateTime<Utc>) -> HealthReport {
    let found: BTreeSet<Series> = facts.entries.iter().map(Series::of).collect();
    let expected: Vec<ExpectedSeries> = if policy.series.is_empty() {
        found.iter().cloned().map(ExpectedSeries::from).collect()
    } else {
        policy.series.clone()
    };
    let mut checks = Vec::new();
    let mut last_round_bytes = 0_u64;
    for expected in &expected {
        let backups = Backups::of(expected.series(), facts, policy, now);
        last_round_bytes = last_round_bytes.saturating_add(backups.last_stored_bytes());
        checks.extend(fresh::checks(&backups, expected, policy));
        checks.extend(runs::checks(&backups, facts, policy));
        checks.extend(usual::checks(&backups, policy));
        checks.extend(proof::checks(&backups, policy));
        checks.extend(pruned::check(&backups, &facts.entries, policy));
        checks.extend(copies::check(&backups, &facts.copies, policy));
    }
    if expected.is_empty() {
        checks.push(fresh::nothing_at_all());
    }
    checks.extend(place::checks(facts, policy, last_round_bytes, now));
    checks.extend(place::unwatched(&found, policy));
    HealthReport::new(now, checks)
}

/// The backups of one database in one environment.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Series {
    /// The environment.
    pub environment: String,
    /// The database's name.
    pub database: String,
}

impl Series {
    /// Names a series.
    pub fn new(environment: impl Into<String>, database: impl Into<String>) -> Self {
        Self { environment: environment.into(), database: database.into() }
    }

    /// The series that a backup is of.
    #[must_use]
    pub fn of(entry: &Entry) -> Self {
        Self::new(entry.manifest.environment.clone(), entry.manifest.database.clone())
    }
}

/// As in the full name of a backup: `production/shop`.
impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Key::escape(&self.environment), Key::escape(&self.database))
    }
}

#[cfg(test)]
mod tests;
