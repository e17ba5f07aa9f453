//! Judges the backups of one series.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{
    Count, Decision, DeleteReason, Doubt, KeepReason, Period, Planned, Retention, Span,
    bucket::{Periods, Places},
};
use crate::{Entry, Kind, Level, Manifest, catalog::Standing};

/// Decides on each of `series`, which is all of it, the newest first.
pub(super) fn judge(policy: &Retention, series: &[&Entry], now: DateTime<Utc>) -> Vec<Planned> {
    let facts = facts(series, now);
    let newest_good = facts.iter().find(|facts| facts.is_good());
    let mut rules = newest_good.map(|good| Rules::of(policy, good.manifest()));
    let minimum = policy.minimum_good.max(1);
    let (mut good, mut successors) = (0, Successors::default());
    let mut planned = Vec::with_capacity(facts.len());
    for (nth, facts) in facts.into_iter().enumerate() {
        let mut reasons = Vec::new();
        if facts.entry.is_held() {
            reasons.push(KeepReason::Held);
        }
        reasons.extend(policy.exempted_by(facts.manifest()).map(|by| KeepReason::Exempt { by }));
        if facts.doubt == Some(Doubt::Future) {
            reasons.push(KeepReason::Future);
        }
        if facts.is_good() && good == 0 {
            reasons.push(KeepReason::Newest);
        } else {
            let successor = successors.of(facts.proven);
            if successor.is_none() {
                reasons
                    .push(facts.proven.map_or(KeepReason::Unreplaced, |level| KeepReason::Proof { level }));
            }
            if facts.is_good() && good < minimum {
                reasons.push(KeepReason::Minimum { minimum });
            }
        }
        if let Some(rules) = &mut rules {
            rules.apply(policy, nth, &facts, &mut reasons);
        }
        let decision = match successors.of(facts.proven) {
            Some(successor) if reasons.is_empty() => {
                Decision::Delete { reason: facts.delete_reason(), successor: successor.backup_ref() }
            }
            _ => Decision::Keep { reasons },
        };
        if facts.is_good() {
            good += 1;
            successors.add(&facts);
        }
        planned.push(facts.planned(decision));
    }
    planned
}

/// What is known of a backup before any rule.
struct Facts<'a> {
    entry: &'a Entry,
    proven: Option<Level>,
    doubt: Option<Doubt>,
}

fn facts<'a>(series: &[&'a Entry], now: DateTime<Utc>) -> Vec<Facts<'a>> {
    let is_empty = |entry: &Entry| entry.manifest.inventory.as_ref().is_some_and(|found| found.rows() == 0);
    let is_future = |entry: &Entry| entry.manifest.created_at > now;
    // Also where the one with rows is newer: which of them are empty must not depend on what was deleted before.
    let has_rows = series.iter().any(|entry| !is_future(entry) && !is_empty(entry));
    let facts = series.iter().map(|entry| {
        let (proven, doubt) = match entry.standing() {
            Standing::Proven { level } => (Some(level), None),
            Standing::Failed { level } => (None, Some(Doubt::Failed { level: level.to_owned() })),
            Standing::Unproven => (None, Some(Doubt::Unproven)),
        };
        let doubt = if entry.is_being_deleted() {
            Some(Doubt::BeingDeleted)
        } else if is_future(entry) {
            Some(Doubt::Future)
        } else {
            doubt.or_else(|| (has_rows && is_empty(entry)).then_some(Doubt::Empty))
        };
        Facts { entry, proven, doubt }
    });
    facts.collect()
}

impl Facts<'_> {
    fn manifest(&self) -> &Manifest {
        &self.entry.manifest
    }

    fn is_good(&self) -> bool {
        self.doubt.is_none()
    }

    fn delete_reason(&self) -> DeleteReason {
        match (&self.doubt, self.manifest().expires_at) {
            (Some(Doubt::BeingDeleted), _) => DeleteReason::BeingDeleted,
            // One that is not over would have kept it.
            (_, Some(at)) => DeleteReason::Expired { at },
            (_, None) => DeleteReason::NoLongerKept,
        }
    }

    fn planned(self, decision: Decision) -> Planned {
        let manifest = &self.entry.manifest;
        Planned {
            backup: manifest.backup_ref(),
            created_at: manifest.created_at,
            kind: manifest.kind,
            bytes: manifest.stored_bytes(),
            proven: self.proven,
            doubt: self.doubt,
            decision,
        }
    }
}

/// The newest good backup of each depth of proof.
///
/// All of these are kept whatever the policy: each is the first that is proven so deep.
#[derive(Default)]
struct Successors<'a>(Vec<(Level, &'a Manifest)>);

impl<'a> Successors<'a> {
    fn of(&self, proven: Option<Level>) -> Option<&'a Manifest> {
        self.0
            .iter()
            .find(|(level, _)| proven.is_none_or(|proven| *level >= proven))
            .map(|(_, manifest)| *manifest)
    }

    fn add(&mut self, facts: &Facts<'a>) {
        if let Some(level) = facts.proven
            && self.0.last().is_none_or(|(deepest, _)| level > *deepest)
        {
            self.0.push((level, &facts.entry.manifest));
        }
    }
}

/// The rules of a policy for one series.
struct Rules {
    newest_good_at: DateTime<Utc>,
    periods: Vec<(KeepReason, Places)>,
    kinds: BTreeMap<Kind, (Count, Places)>,
    days: Option<(u32, DateTime<Utc>)>,
    safety: Option<(u32, DateTime<Utc>)>,
}

impl Rules {
    fn of(policy: &Retention, newest_good: &Manifest) -> Self {
        let newest_good_at = newest_good.created_at;
        let since = |span: Span| span.before(newest_good_at, policy.time_zone);
        let mut periods = Vec::new();
        for period in Period::ALL {
            let count = policy.last_of(period);
            if count > 0 {
                periods.push((KeepReason::Last { period, count }, Places::last(period, count.into())));
            }
            if let Some(span) = policy.within_of(period) {
                periods.push((KeepReason::Within { period, span }, Places::within(period, since(span))));
            }
        }
        let places = |count: &Count| match count {
            Count::Last(count) => Places::last(Period::Each, u64::from(*count)),
            Count::Forever => Places::last(Period::Each, u64::MAX),
        };
        let kinds = policy.kinds.iter().map(|(kind, count)| (*kind, (*count, places(count)))).collect();
        let days = |days: u32| (days, since(Span::days(days)));
        Self {
            newest_good_at,
            periods,
            kinds,
            days: policy.environments.get(&newest_good.environment).copied().map(days),
            safety: Some(policy.safety_days).filter(|days| *days > 0).map(days),
        }
    }

    /// Adds what keeps the backup by rules, or by its own time.
    fn apply(&mut self, policy: &Retention, nth: usize, facts: &Facts<'_>, reasons: &mut Vec<KeepReason>) {
        if facts.doubt == Some(Doubt::BeingDeleted) {
            return;
        }
        let (manifest, is_good) = (facts.manifest(), facts.is_good());
        let at = manifest.created_at;
        match manifest.expires_at {
            Some(until) if until > self.newest_good_at => reasons.push(KeepReason::NotExpired { until }),
            // It takes no place of a rule either.
            Some(_) => return,
            None => {}
        }
        let mut is_ruled = !self.periods.is_empty();
        if is_ruled {
            let periods = Periods::of(nth, at, policy.time_zone);
            for (reason, places) in &mut self.periods {
                if places.keeps(at, &periods, is_good) {
                    reasons.push(reason.clone());
                }
            }
        }
        if let Some((count, places)) = self.kinds.get_mut(&manifest.kind) {
            is_ruled = true;
            if places.keeps(at, &Periods::only(nth), is_good) {
                reasons.push(KeepReason::Kind { count: *count });
            }
        }
        if let Some((days, since)) = self.days {
            is_ruled = true;
            if days > 0 && at >= since {
                reasons.push(KeepReason::Days { days });
            }
        }
        let is_safety = matches!(manifest.kind, Kind::PreRollback | Kind::PreOperation);
        if let Some((days, since)) = self.safety.filter(|_| is_safety) {
            is_ruled = true;
            if at >= since {
                reasons.push(KeepReason::Safety { days });
            }
        }
        if !is_ruled {
            reasons.push(KeepReason::NoRule);
        }
    }
}
