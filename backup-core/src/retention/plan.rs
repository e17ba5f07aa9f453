//! [`Plan`]: what a policy says now, with all reasons.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{
    Count, Period, Retention, Span,
    facts::{FETCHED, Facts, State, fetch},
    parallel, series,
};
use crate::{BackupId, BackupRef, Entry, Error, ErrorKind, Kind, Level, Result};

/// How many entries one thread takes at a time.
const PART: usize = 8192;

/// What a policy says now of each backup; made by [`Retention::plan`], carried out by
/// [`Pipeline::prune`](crate::Pipeline::prune).
///
/// `Display` is a table for whoever has to agree, in the policy's time zone; `{plan:#}` leaves out what is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Plan {
    /// The time it was made for, UTC.
    pub made_at: DateTime<Utc>,
    /// The policy it was made by.
    pub policy: Retention,
    /// A digest of what the catalog held, as far as the plan depends on it; equal for equal states.
    pub fingerprint: String,
    /// All backups, series by series, the newest first.
    pub entries: Vec<Planned>,
    /// The series of which more than the allowed share would go: the plan is refused for them.
    pub excess: Vec<Excess>,
}

/// One backup of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Planned {
    /// Its full name.
    pub backup: BackupRef,
    /// When its dump was started, UTC.
    pub created_at: DateTime<Utc>,
    /// Why it was made.
    pub kind: Kind,
    /// How many stored bytes its deletion would free.
    pub bytes: u64,
    /// How deep it is proven.
    pub proven: Option<Level>,
    /// Why it does not count as good.
    pub doubt: Option<Doubt>,
    /// What becomes of it.
    #[serde(flatten)]
    pub decision: Decision,
}

/// Why a backup neither counts for a rule nor pushes another one out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Doubt {
    /// A deletion of it was cut off.
    BeingDeleted,
    /// It is dated in the future: by a clock that was wrong, or is.
    Future,
    /// Its last check failed.
    Failed {
        /// How deep that check went.
        level: String,
    },
    /// It was never checked.
    Unproven,
    /// Its inventory has no rows, and another backup of the series has some, or does not tell.
    Empty,
}

/// What becomes of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "decision", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Decision {
    /// It stays.
    Keep {
        /// Each thing that keeps it, at least one.
        reasons: Vec<KeepReason>,
    },
    /// It goes.
    Delete {
        /// Why.
        reason: DeleteReason,
        /// The good backup of its series for whose sake it may: newer, proven at least as deep, and kept.
        successor: BackupId,
    },
}

/// What keeps a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum KeepReason {
    /// It is held.
    Held,
    /// Its store lets nobody delete it.
    Locked {
        /// Until when.
        until: DateTime<Utc>,
    },
    /// It has an exempt tag or label.
    Exempt {
        /// Which: `tag audit`, `label v1`.
        by: String,
    },
    /// It is dated in the future.
    Future,
    /// It is the newest good one of its series.
    Newest,
    /// It is one of the newest good ones, of which so many always stay.
    Minimum {
        /// How many.
        minimum: u32,
    },
    /// No newer good one is proven as deep.
    Proof {
        /// How deep it is proven.
        level: Level,
    },
    /// It is not proven, but no newer good one is there either.
    Unreplaced,
    /// Its own time is not over, counted up to the newest good backup.
    NotExpired {
        /// Until when it stays.
        until: DateTime<Utc>,
    },
    /// It is the newest of one of the last periods.
    Last {
        /// Of which length.
        period: Period,
        /// How many periods.
        count: u32,
    },
    /// It is the newest of a period, and young enough.
    Within {
        /// Of which length.
        period: Period,
        /// How much older than the newest good one it may be.
        span: Span,
    },
    /// It is one of the last of its kind.
    Kind {
        /// How many stay.
        count: Count,
    },
    /// Everything of its environment stays for so many days.
    Days {
        /// How many.
        days: u32,
    },
    /// Safety backups stay for so many days.
    Safety {
        /// How many.
        days: u32,
    },
    /// No rule of the policy applies to its kind and environment.
    NoRule,
}

/// Why a backup goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum DeleteReason {
    /// A deletion of it was cut off, and is completed.
    BeingDeleted,
    /// Its own time is over, counted up to the newest good backup.
    Expired {
        /// Since when.
        at: DateTime<Utc>,
    },
    /// No rule keeps it.
    NoLongerKept,
}

/// A series of which a plan would delete more than the allowed share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Excess {
    /// The environment.
    pub environment: String,
    /// The database.
    pub database: String,
    /// How many backups would go, not counting deletions that were cut off.
    pub deleted: u64,
    /// Of how many.
    pub of: u64,
}

impl Planned {
    /// Whether it goes.
    #[must_use]
    pub fn is_deleted(&self) -> bool {
        matches!(self.decision, Decision::Delete { .. })
    }
}

impl Plan {
    pub(super) fn make(policy: &Retention, entries: &[Entry], now: DateTime<Utc>) -> Result<Self> {
        let mut by_series: BTreeMap<(&str, &str), Vec<Facts>> = BTreeMap::new();
        let mut state = State::default();
        let parts = entries.chunks(PART).collect();
        for (series, part_state) in parallel::map(parts, |part| facts_of(policy, part, now)) {
            state.add(&part_state);
            for (name, mut facts) in series {
                by_series.entry(name).or_default().append(&mut facts);
            }
        }
        let mut plan = Self {
            made_at: now,
            policy: policy.clone(),
            fingerprint: state.fingerprint(),
            entries: Vec::new(),
            excess: Vec::new(),
        };
        let series = by_series.into_iter().collect();
        for judged in parallel::map(series, |(name, series)| judge(policy, name, series)) {
            let (mut judged, excess) = judged?;
            if plan.entries.is_empty() {
                plan.entries = judged;
                plan.entries.reserve_exact(entries.len() - plan.entries.len());
            } else {
                plan.entries.append(&mut judged);
            }
            plan.excess.extend(excess);
        }
        Ok(plan)
    }

    /// The backups that would go.
    pub fn deletions(&self) -> impl Iterator<Item = &Planned> {
        self.entries.iter().filter(|planned| planned.is_deleted())
    }

    /// The backups that stay.
    pub fn kept(&self) -> impl Iterator<Item = &Planned> {
        self.entries.iter().filter(|planned| !planned.is_deleted())
    }

    /// How many stored bytes would be freed.
    #[must_use]
    pub fn freed_bytes(&self) -> u64 {
        self.deletions().map(|planned| planned.bytes).fold(0, u64::saturating_add)
    }

    /// Refuses a plan that would delete more of a series than the policy allows.
    ///
    /// # Errors
    ///
    /// [`NotConfirmed`](ErrorKind::NotConfirmed), with the series.
    pub fn check_share(&self) -> Result<()> {
        let Some(excess) = self.excess.first() else { return Ok(()) };
        Err(Error::new(
            ErrorKind::NotConfirmed,
            "the plan would delete more of a series than is allowed at once",
        )
        .with_context("environment", &excess.environment)
        .with_context("database", &excess.database)
        .with_context("backups", format!("{} of {}", excess.deleted, excess.of))
        .with_context("max_deleted_percent", self.policy.max_deleted_percent)
        .with_suggestion("look at the plan; if it is right, plan once with a higher max_deleted_percent"))
    }
}

type Series<'a> = BTreeMap<(&'a str, &'a str), Vec<Facts<'a>>>;

fn facts_of<'a>(policy: &Retention, part: &'a [Entry], now: DateTime<Utc>) -> (Series<'a>, State) {
    let (mut by_series, mut state) = (Series::new(), State::default());
    for some in part.chunks(FETCHED) {
        fetch(some);
        for entry in some {
            let name = (entry.manifest.environment.as_str(), entry.manifest.database.as_str());
            by_series.entry(name).or_default().push(Facts::of(entry, policy, now, &mut state));
        }
    }
    (by_series, state)
}

fn judge(
    policy: &Retention,
    name: (&str, &str),
    mut series: Vec<Facts<'_>>,
) -> Result<(Vec<Planned>, Option<Excess>)> {
    series.sort_unstable_by(Facts::newest_first);
    if let Some(twice) = twin(&series) {
        return Err(Error::new(ErrorKind::InvalidInput, "a backup is in the list twice")
            .with_context("backup", BackupRef::new(name.0, name.1, twice.clone())));
    }
    let mut planned = Vec::with_capacity(series.len());
    series::judge(policy, name, series, &mut planned);
    let excess = excess(policy, name, &planned);
    Ok((planned, excess))
}

fn excess(policy: &Retention, (environment, database): (&str, &str), judged: &[Planned]) -> Option<Excess> {
    let (mut deleted, mut of) = (0_u64, 0_u64);
    // A deletion that was cut off was agreed to before.
    let begun = |planned: &&Planned| planned.is_deleted() && planned.doubt == Some(Doubt::BeingDeleted);
    for planned in judged.iter().filter(|planned| !begun(planned)) {
        deleted += u64::from(planned.is_deleted());
        of += 1;
    }
    let is_too_much =
        deleted * 100 > of * u64::from(policy.max_deleted_percent) || (deleted > 0 && deleted == of);
    is_too_much.then(|| Excess {
        environment: environment.to_owned(),
        database: database.to_owned(),
        deleted,
        of,
    })
}

/// The backup that is there twice: counted twice, it would push out another.
fn twin<'a>(series: &'a [Facts<'_>]) -> Option<&'a BackupId> {
    let mut digests: Vec<_> = series.iter().map(|facts| facts.id_digest).collect();
    digests.sort_unstable();
    let (twice, _) = digests.iter().zip(digests.iter().skip(1)).find(|(one, other)| one == other)?;
    series.iter().find(|facts| facts.id_digest == *twice).map(|facts| &facts.id)
}
