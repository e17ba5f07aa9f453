use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Series;
use crate::{Alert, AlertState, Severity};

/// How the backups are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HealthReport {
    /// All checks together.
    pub status: Status,
    /// When it was looked at, UTC.
    pub at: DateTime<Utc>,
    /// What was checked, the worst first.
    pub checks: Vec<Check>,
}

/// How everything is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Status {
    /// Everything that was checked is well.
    Ok,
    /// Something is to be looked at in working hours.
    Warning,
    /// Something is to be looked at now.
    Critical,
    /// Nothing is known to be wrong, but something that was asked for could not be told.
    Unknown,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Check {
    /// Its stable name: `age`.
    pub name: String,
    /// The series that it is about; none where it is about the store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub series: Option<Series>,
    /// What was found.
    pub status: CheckStatus,
    /// One line for people.
    pub message: String,
    /// What else is known, as pairs of name and text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<(String, String)>,
    /// What to do, one sentence each, the best first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<String>,
}

/// What a check found; the order is that of urgency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum CheckStatus {
    /// It is well.
    Ok,
    /// The fact behind it is unknown, and nobody asked for it.
    NotChecked,
    /// Good to know.
    Info,
    /// The fact behind it was asked for, and is unknown.
    Unknown,
    /// To be looked at in working hours.
    Warning,
    /// To be looked at now.
    Critical,
}

impl CheckStatus {
    /// The status as it is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::NotChecked => "not checked",
            Self::Info => "info",
            Self::Unknown => "unknown",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }

    /// How bad it is, where it is not well. What is unknown though it was asked for is a warning.
    #[must_use]
    pub fn severity(self) -> Option<Severity> {
        match self {
            Self::Ok | Self::NotChecked => None,
            Self::Info => Some(Severity::Info),
            Self::Unknown | Self::Warning => Some(Severity::Warning),
            Self::Critical => Some(Severity::Critical),
        }
    }
}

impl Status {
    /// The status as it is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Critical => "critical",
            Self::Unknown => "unknown",
        }
    }
}

impl HealthReport {
    pub(super) fn new(at: DateTime<Utc>, mut checks: Vec<Check>) -> Self {
        checks.sort_by_key(|check| std::cmp::Reverse(check.status));
        let status = match checks.first().map(|check| check.status) {
            Some(CheckStatus::Critical) => Status::Critical,
            Some(CheckStatus::Warning) => Status::Warning,
            Some(CheckStatus::Unknown) | None => Status::Unknown,
            Some(_) => Status::Ok,
        };
        Self { status, at, checks }
    }

    /// The exit code of a Nagios plugin: 0 ok, 1 warning, 2 critical, 3 unknown.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self.status {
            Status::Ok => 0,
            Status::Warning => 1,
            Status::Critical => 2,
            Status::Unknown => 3,
        }
    }

    /// One line as Nagios plugins print it: `BACKUP CRITICAL - production/shop: …`.
    #[must_use]
    pub fn summary(&self) -> String {
        let troubles = self.checks.iter().filter(|check| check.status >= CheckStatus::Unknown).count();
        let text = match self.checks.first() {
            Some(worst) if troubles > 0 => {
                let more = match troubles - 1 {
                    0 => String::new(),
                    more => format!(" (and {more} more)"),
                };
                format!("{}: {}{more}", worst.subject(), worst.message)
            }
            _ => self.counts(),
        };
        // What stands behind a bar is performance data.
        format!("BACKUP {} - {text}", self.status.name().to_uppercase()).replace('|', "/")
    }

    /// An alert for each check that found something, [resolved](AlertState::Resolved) where it is well. What was not
    /// checked is neither.
    #[must_use]
    pub fn alerts(&self) -> Vec<Alert> {
        self.checks.iter().filter_map(|check| check.alert(self.at)).collect()
    }

    fn counts(&self) -> String {
        use CheckStatus::{Critical, Info, NotChecked, Ok, Unknown, Warning};
        let count = |status| self.checks.iter().filter(|check| check.status == status).count();
        let told: Vec<String> = [Critical, Warning, Unknown, Info, Ok, NotChecked]
            .into_iter()
            .map(|status| (count(status), status.name()))
            .filter(|(count, _)| *count > 0)
            .map(|(count, name)| format!("{count} {name}"))
            .collect();
        told.join(", ")
    }
}

/// A line that sums up, then a few for each check.
impl fmt::Display for HealthReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} at {}: {}",
            self.status.name(),
            self.at.format("%Y-%m-%d %H:%M:%S UTC"),
            self.counts()
        )?;
        for check in &self.checks {
            writeln!(f, "[{}] {} {}: {}", check.status.name(), check.subject(), check.name, check.message)?;
            for (name, text) in &check.details {
                writeln!(f, "    {name}: {text}")?;
            }
            for action in &check.actions {
                writeln!(f, "    -> {action}")?;
            }
        }
        Ok(())
    }
}

impl Check {
    pub(super) fn new(name: impl Into<String>, status: CheckStatus, message: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            series: None,
            status,
            message: message.into(),
            details: Vec::new(),
            actions: Vec::new(),
        }
    }

    pub(super) fn of(mut self, series: &Series) -> Self {
        self.series = Some(series.clone());
        self
    }

    pub(super) fn with_detail(mut self, name: &str, text: impl fmt::Display) -> Self {
        self.details.push((name.to_owned(), text.to_string()));
        self
    }

    /// The first few of many, one detail each.
    pub(super) fn with_list<T: fmt::Display>(mut self, name: &str, all: impl IntoIterator<Item = T>) -> Self {
        const SHOWN: usize = 5;
        let mut all = all.into_iter();
        for item in all.by_ref().take(SHOWN) {
            self = self.with_detail(name, item);
        }
        match all.count() {
            0 => self,
            more => self.with_detail(name, format!("and {more} more")),
        }
    }

    /// What to do, told only where something is wrong.
    pub(super) fn with_action(mut self, action: impl Into<String>) -> Self {
        if self.status.severity().is_some() {
            self.actions.push(action.into());
        }
        self
    }

    fn subject(&self) -> String {
        self.series.as_ref().map_or_else(|| "store".to_owned(), ToString::to_string)
    }

    fn alert(&self, at: DateTime<Utc>) -> Option<Alert> {
        let (severity, state) = match (self.status.severity(), self.status) {
            (Some(severity), _) => (severity, AlertState::Firing),
            (None, CheckStatus::Ok) => (Severity::Info, AlertState::Resolved),
            (None, _) => return None,
        };
        let key = format!("{}/health/{}", self.subject(), self.name);
        let mut alert = Alert::new(key, severity, &self.name, &self.message, at).in_state(state);
        alert.details.clone_from(&self.details);
        alert.actions.clone_from(&self.actions);
        Some(alert)
    }
}
