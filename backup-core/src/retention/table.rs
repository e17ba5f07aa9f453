//! A plan and its reasons in words.

use std::fmt;

use chrono_tz::Tz;

use super::{Count, Decision, DeleteReason, Doubt, KeepReason, Period, Plan, Planned, bucket};

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (going, all) = (self.deletions().count(), self.entries.len());
        let bytes = Bytes(self.freed_bytes());
        writeln!(f, "{going} of {all} backups would be deleted, which frees {bytes}")?;
        let mut series = None;
        let with_kept = !f.alternate();
        for planned in self.entries.iter().filter(|planned| with_kept || planned.is_deleted()) {
            let backup = &planned.backup;
            let of = (&backup.environment, &backup.database);
            if series.replace(of) != Some(of) {
                writeln!(f, "\n{} / {}", backup.environment.escape_debug(), backup.database.escape_debug())?;
            }
            Row(planned, self.policy.time_zone).fmt(f)?;
        }
        for excess in &self.excess {
            writeln!(
                f,
                "\nrefused: {} of {} backups of {} / {} are more than {} percent",
                excess.deleted,
                excess.of,
                excess.environment.escape_debug(),
                excess.database.escape_debug(),
                self.policy.max_deleted_percent
            )?;
        }
        Ok(())
    }
}

struct Row<'a>(&'a Planned, Tz);

impl fmt::Display for Row<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(planned, zone) = self;
        let word = if planned.is_deleted() { "DELETE" } else { "keep" };
        let time = bucket::local(planned.created_at, *zone).unwrap_or(planned.created_at.naive_utc());
        let state = match (&planned.doubt, planned.proven) {
            (Some(doubt), _) => doubt.to_string(),
            (None, Some(level)) => level.to_string(),
            (None, None) => String::new(),
        };
        let (time, kind) = (time.format("%Y-%m-%d %H:%M"), planned.kind.name());
        let bytes = Bytes(planned.bytes).to_string();
        write!(f, "  {word:6}  {time}  {kind:13}  {bytes:>9}  {state:16}  {}  ", planned.backup.id)?;
        match &planned.decision {
            Decision::Keep { reasons } => {
                let reasons: Vec<_> = reasons.iter().map(ToString::to_string).collect();
                writeln!(f, "{}", reasons.join("; "))
            }
            Decision::Delete { reason, successor } => writeln!(f, "{reason}; there is {successor}"),
        }
    }
}

/// Bytes as people read them.
struct Bytes(u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut tenths = u128::from(self.0) * 10;
        let mut units = ["B", "kB", "MB", "GB", "TB", "PB"].into_iter();
        let mut unit = units.next().unwrap_or_default();
        while tenths >= 10_000
            && let Some(larger) = units.next()
        {
            (tenths, unit) = (tenths / 1000, larger);
        }
        if unit == "B" {
            write!(f, "{} B", self.0)
        } else {
            write!(f, "{}.{} {unit}", tenths / 10, tenths % 10)
        }
    }
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BeingDeleted => f.write_str("being deleted"),
            Self::Future => f.write_str("in the future"),
            Self::Failed { level } => write!(f, "failed {}", level.escape_debug()),
            Self::Unproven => f.write_str("unproven"),
            Self::Empty => f.write_str("no rows"),
        }
    }
}

impl fmt::Display for KeepReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held => f.write_str("held"),
            Self::Locked { until } => write!(f, "locked until {}", until.format("%Y-%m-%d %H:%M UTC")),
            Self::Exempt { by } => write!(f, "exempt by {}", by.escape_debug()),
            Self::Future => f.write_str("dated in the future"),
            Self::Newest => f.write_str("the newest good one"),
            Self::Minimum { minimum } => write!(f, "one of the {minimum} newest good ones"),
            Self::Proof { level } => write!(f, "no newer one is proven {level}"),
            Self::Unreplaced => f.write_str("no newer good one is there"),
            Self::NotExpired { until } => {
                write!(f, "to be kept until {}", until.format("%Y-%m-%d %H:%M UTC"))
            }
            Self::Last { period: Period::Each, count } => write!(f, "one of the last {count}"),
            Self::Last { period, count } => write!(f, "{period}, of the last {count}"),
            Self::Within { period: Period::Each, span } => write!(f, "within {span}"),
            Self::Within { period, span } => write!(f, "{period}, within {span}"),
            Self::Kind { count: Count::Forever } => f.write_str("its kind is kept for ever"),
            Self::Kind { count: Count::Last(count) } => write!(f, "one of the last {count} of its kind"),
            Self::Days { days } => write!(f, "environment kept for {days} days"),
            Self::Safety { days } => write!(f, "safety backups kept for {days} days"),
            Self::NoRule => f.write_str("no rule applies to it"),
        }
    }
}

impl fmt::Display for DeleteReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BeingDeleted => f.write_str("its deletion was cut off"),
            Self::Expired { at } => write!(f, "expired {}", at.format("%Y-%m-%d %H:%M UTC")),
            Self::NoLongerKept => f.write_str("no rule keeps it"),
        }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
