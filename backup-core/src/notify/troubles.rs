//! [`Troubles`]: which of the alerts that come in are told to whom; pure.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::{Alert, AlertState, Severity};

/// How many troubles are kept in mind; beyond that the one that was not met for longest is forgotten.
const MAX_TROUBLES: usize = 1024;

/// When people are told again, and when somebody else is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct AlertPolicy {
    /// After how many minutes a trouble of the same severity is told again; 240 unless said.
    pub repeat_after_minutes: u32,
    /// After how many minutes a trouble that is not over escalates; 240 unless said, never where `None`.
    pub escalate_after_minutes: Option<u32>,
    /// When it was met so many times, a trouble that is not over escalates; never unless said.
    pub escalate_after_times: Option<u32>,
}

impl Default for AlertPolicy {
    fn default() -> Self {
        Self { repeat_after_minutes: 240, escalate_after_minutes: Some(240), escalate_after_times: None }
    }
}

impl AlertPolicy {
    /// Tells a trouble every four hours, and escalates it after four.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Says after how many minutes a trouble is told again.
    #[must_use]
    pub fn with_repeat_after_minutes(mut self, minutes: u32) -> Self {
        self.repeat_after_minutes = minutes;
        self
    }

    /// Says after how many minutes a trouble escalates.
    #[must_use]
    pub fn with_escalate_after_minutes(mut self, minutes: u32) -> Self {
        self.escalate_after_minutes = Some(minutes);
        self
    }

    /// Says how often a trouble must be met to escalate.
    #[must_use]
    pub fn with_escalate_after_times(mut self, times: u32) -> Self {
        self.escalate_after_times = Some(times);
        self
    }
}

/// Whom a notifier serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Route {
    /// It is told of troubles of this severity and worse.
    pub(super) least: Severity,
    pub(super) reach: Reach,
}

/// Which troubles a notifier is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    All,
    Escalated,
}

/// Something to be told to the notifier of one route; it counts as told, until [`Troubles::failed`] takes that back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) route: usize,
    pub(super) alert: Alert,
    before: Told,
}

/// The troubles that are not over, and those whose end could not be told yet.
#[derive(Debug)]
pub(super) struct Troubles {
    policy: AlertPolicy,
    known: HashMap<String, Trouble>,
    limit: usize,
}

#[derive(Debug)]
struct Trouble {
    last: Alert,
    since: DateTime<Utc>,
    times: u32,
    is_escalated: bool,
    is_over: bool,
    /// How many deliveries are under way.
    pending: u32,
    /// One for each route.
    told: Vec<Told>,
}

/// What a notifier was told of a trouble.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Told {
    /// When last, by severity.
    at: [Option<DateTime<Utc>>; 3],
    is_escalated: bool,
}

impl Troubles {
    pub(super) fn new(policy: AlertPolicy) -> Self {
        Self { policy, known: HashMap::new(), limit: MAX_TROUBLES }
    }

    /// Takes an alert in, and says what is to be told at its time.
    pub(super) fn observe(&mut self, alert: &Alert, routes: &[Route]) -> Vec<Due> {
        if alert.state == AlertState::Resolved {
            return self.resolve(alert);
        }
        if !self.known.contains_key(&alert.key) {
            self.make_room();
        }
        let trouble =
            self.known.entry(alert.key.clone()).or_insert_with(|| Trouble::new(alert.clone(), routes.len()));
        if trouble.is_over {
            // Who was not told that the last one is over goes on from there.
            (trouble.since, trouble.times) = (alert.at, 0);
            (trouble.is_escalated, trouble.is_over) = (false, false);
        }
        trouble.times = trouble.times.saturating_add(1);
        trouble.last = alert.clone();
        trouble.is_escalated |= alert.state == AlertState::Escalated;
        trouble.due(&self.policy, routes, alert.at)
    }

    /// Says what is to be told of troubles that were met before, though nothing new came in.
    pub(super) fn remind(&mut self, routes: &[Route], now: DateTime<Utc>) -> Vec<Due> {
        let open = self.known.values_mut().filter(|trouble| !trouble.is_over);
        let mut due: Vec<_> = open.flat_map(|trouble| trouble.due(&self.policy, routes, now)).collect();
        due.sort_by(|a, b| (&a.alert.key, a.route).cmp(&(&b.alert.key, b.route)));
        due
    }

    /// A delivery came to its end.
    pub(super) fn delivered(&mut self, due: &Due) {
        self.end(due, None);
    }

    /// A delivery failed: it is due again at the next occasion.
    pub(super) fn failed(&mut self, due: &Due) {
        self.end(due, Some(due.before));
    }

    fn end(&mut self, due: &Due, take_back: Option<Told>) {
        let Some(trouble) = self.known.get_mut(&due.alert.key) else { return };
        trouble.pending = trouble.pending.saturating_sub(1);
        if let (Some(before), Some(told)) = (take_back, trouble.told.get_mut(due.route)) {
            *told = before;
        }
        self.forget_if_told(&due.alert.key);
    }

    fn resolve(&mut self, alert: &Alert) -> Vec<Due> {
        let Some(trouble) = self.known.get_mut(&alert.key) else { return Vec::new() };
        trouble.is_over = true;
        let mut alert = alert.clone();
        alert.severity = trouble.last.severity;
        let mut due = Vec::new();
        for (route, told) in trouble.told.iter_mut().enumerate().filter(|(_, told)| told.has_any()) {
            let before = std::mem::take(told);
            due.push(Due { route, alert: alert.clone(), before });
        }
        trouble.pending = trouble.pending.saturating_add(u32::try_from(due.len()).unwrap_or(u32::MAX));
        self.forget_if_told(&alert.key);
        due
    }

    fn forget_if_told(&mut self, key: &str) {
        let is_done = |trouble: &Trouble| {
            trouble.is_over && trouble.pending == 0 && !trouble.told.iter().any(Told::has_any)
        };
        if self.known.get(key).is_some_and(is_done) {
            self.known.remove(key);
        }
    }

    fn make_room(&mut self) {
        if self.known.len() < self.limit {
            return;
        }
        let oldest = self.known.values().min_by_key(|trouble| (!trouble.is_over, trouble.last.at));
        if let Some(key) = oldest.map(|trouble| trouble.last.key.clone()) {
            tracing::warn!(key, limit = self.limit, "too many troubles at once: one is forgotten");
            self.known.remove(&key);
        }
    }
}

impl Trouble {
    fn new(first: Alert, routes: usize) -> Self {
        Self {
            since: first.at,
            last: first,
            times: 0,
            is_escalated: false,
            is_over: false,
            pending: 0,
            told: vec![Told::default(); routes],
        }
    }

    fn due(&mut self, policy: &AlertPolicy, routes: &[Route], now: DateTime<Utc>) -> Vec<Due> {
        self.is_escalated |= self.last.severity >= Severity::Warning
            && (policy.escalate_after_minutes.is_some_and(|limit| now - self.since >= minutes(limit))
                || policy.escalate_after_times.is_some_and(|limit| self.times >= limit));
        let mut alert = self.last.clone();
        alert.at = now;
        alert.state = if self.is_escalated { AlertState::Escalated } else { AlertState::Firing };
        if self.times > 1 {
            alert.details.push(("met".to_owned(), format!("{} times", self.times)));
        }
        if now != self.since {
            alert.details.push(("since".to_owned(), self.since.format("%Y-%m-%d %H:%M:%S UTC").to_string()));
        }
        let mut due = Vec::new();
        for (route, (served, told)) in routes.iter().zip(&mut self.told).enumerate() {
            let is_served =
                alert.severity >= served.least && (served.reach == Reach::All || self.is_escalated);
            let last = *told.last(alert.severity);
            // A clock that was set back must not silence a trouble.
            let is_news = last.is_none_or(|last| (now - last).abs() >= minutes(policy.repeat_after_minutes))
                || (self.is_escalated && !told.is_escalated);
            if is_served && is_news {
                let before = *told;
                *told.last(alert.severity) = Some(now);
                told.is_escalated = self.is_escalated;
                due.push(Due { route, alert: alert.clone(), before });
            }
        }
        self.pending = self.pending.saturating_add(u32::try_from(due.len()).unwrap_or(u32::MAX));
        due
    }
}

impl Told {
    fn has_any(&self) -> bool {
        self.at.iter().any(Option::is_some)
    }

    fn last(&mut self, severity: Severity) -> &mut Option<DateTime<Utc>> {
        let [info, warning, critical] = &mut self.at;
        match severity {
            Severity::Info => info,
            Severity::Warning => warning,
            Severity::Critical => critical,
        }
    }
}

fn minutes(minutes: u32) -> TimeDelta {
    TimeDelta::minutes(i64::from(minutes))
}

#[cfg(test)]
mod tests;
