//! Judges the backups of one series.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{
    Count, Decision, DeleteReason, Doubt, KeepReason, Period, Planned, Retention, Span,
    bucket::{Periods, Places},
    facts::Facts,
};
use crate::{BackupId, Kind, Level};

/// Decides on each of `series`, which is all of it, the newest first.
pub(super) fn judge(
    policy: &Retention,
    name: (&str, &str),
    mut series: Vec<Facts<'_>>,
    planned: &mut Vec<Planned>,
) {
    doubt_empty_ones(&mut series);
    let newest_good = series.iter().find(|facts| facts.is_good());
    let mut rules = newest_good.map(|good| Rules::of(policy, name.0, good.created_at));
    let minimum = policy.minimum_good.max(1);
    let (mut good, mut successors) = (0, Successors::default());
    for (nth, facts) in series.into_iter().enumerate() {
        let mut reasons = Vec::new();
        if facts.is_held {
            reasons.push(KeepReason::Held);
        }
        reasons.extend(facts.locked_until.map(|until| KeepReason::Locked { until }));
        let exempted_by = facts.exempt.and_then(|manifest| policy.exempted_by(manifest));
        reasons.extend(exempted_by.map(|by| KeepReason::Exempt { by }));
        if facts.is_future {
            reasons.push(KeepReason::Future);
        }
        let proven = facts.proven;
        let successor = successors.of(proven);
        if facts.is_good() && good == 0 {
            reasons.push(KeepReason::Newest);
        } else if successor.is_none() {
            reasons.push(proven.map_or(KeepReason::Unreplaced, |level| KeepReason::Proof { level }));
        }
        if facts.is_good() && (1..minimum).contains(&good) {
            reasons.push(KeepReason::Minimum { minimum });
        }
        if let Some(rules) = &mut rules {
            rules.apply(policy, nth, &facts, &mut reasons);
        }
        let decision = match successor {
            Some(successor) if reasons.is_empty() => {
                Decision::Delete { reason: delete_reason(&facts), successor: successor.clone() }
            }
            _ => Decision::Keep { reasons },
        };
        if facts.is_good() {
            good += 1;
            successors.add(&facts);
        }
        planned.push(facts.planned(name, decision));
    }
}

/// Also where the one with rows is newer: which of them are empty must not depend on what was deleted before.
fn doubt_empty_ones(series: &mut [Facts<'_>]) {
    if series.iter().any(|facts| !facts.is_empty && !facts.is_future) {
        for facts in series.iter_mut().filter(|facts| facts.is_empty && facts.is_good()) {
            facts.doubt = Some(Doubt::Empty);
        }
    }
}

fn delete_reason(facts: &Facts<'_>) -> DeleteReason {
    match (&facts.doubt, facts.expires_at) {
        (Some(Doubt::BeingDeleted), _) => DeleteReason::BeingDeleted,
        // One that is not over would have kept it.
        (_, Some(at)) => DeleteReason::Expired { at },
        (_, None) => DeleteReason::NoLongerKept,
    }
}

/// The newest good backup of each depth of proof.
///
/// All of these are kept whatever the policy: each is the first that is proven so deep.
#[derive(Default)]
struct Successors(Vec<(Level, BackupId)>);

impl Successors {
    fn of(&self, proven: Option<Level>) -> Option<&BackupId> {
        let deep_enough = |level: Level| proven.is_none_or(|proven| level >= proven);
        self.0.iter().find(|(level, _)| deep_enough(*level)).map(|(_, id)| id)
    }

    fn add(&mut self, good: &Facts<'_>) {
        if let Some(level) = good.proven
            && self.0.last().is_none_or(|(deepest, _)| level > *deepest)
        {
            self.0.push((level, good.id.clone()));
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
    fn of(policy: &Retention, environment: &str, newest_good_at: DateTime<Utc>) -> Self {
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
            days: policy.environments.get(environment).copied().map(days),
            safety: Some(policy.safety_days).filter(|days| *days > 0).map(days),
        }
    }

    /// Adds what keeps the backup by rules, or by its own time.
    fn apply(&mut self, policy: &Retention, nth: usize, facts: &Facts<'_>, reasons: &mut Vec<KeepReason>) {
        if facts.doubt == Some(Doubt::BeingDeleted) {
            return;
        }
        let (at, is_good) = (facts.created_at, facts.is_good());
        match facts.expires_at {
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
        if let Some((count, places)) = self.kinds.get_mut(&facts.kind) {
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
        let is_safety = matches!(facts.kind, Kind::PreRollback | Kind::PreOperation);
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
