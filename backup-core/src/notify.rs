//! [`Notifier`] and [`Alert`]: telling people that something needs them.

use std::{fmt::Debug, sync::Arc};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

mod alerter;
#[cfg(feature = "webhook")]
mod healthchecks;
#[cfg(feature = "webhook")]
mod http;
#[cfg(feature = "mail")]
mod mail;
mod observer;
#[cfg(feature = "webhook")]
mod pagerduty;
mod pauses;
mod relay;
#[cfg(feature = "webhook")]
mod slack;
#[cfg(any(feature = "webhook", feature = "mail"))]
mod text;
mod troubles;
#[cfg(feature = "webhook")]
mod webhook;

pub use alerter::Alerter;
#[cfg(feature = "webhook")]
pub use healthchecks::{Healthchecks, HealthchecksObserver, Ping};
#[cfg(feature = "mail")]
pub use mail::{Mail, MailServer, MailTls};
pub use observer::AlertObserver;
#[cfg(feature = "webhook")]
pub use pagerduty::PagerDuty;
#[cfg(feature = "webhook")]
pub use slack::Slack;
pub use troubles::AlertPolicy;
#[cfg(feature = "webhook")]
pub use webhook::Webhook;

/// Delivers alerts to people, or to what wakes them.
///
/// # Contract
///
/// - `notify` returns once the receiving service has taken the alert, or an error that says why not; it gives up in
///   bounded time.
/// - No secret, such as a webhook's URL, is in an error or in `Debug`.
/// - An alert that cannot be delivered never fails what it tells of: callers log the error and go on.
#[async_trait]
pub trait Notifier: Send + Sync + Debug + 'static {
    /// Delivers one alert.
    ///
    /// # Cancel safety
    ///
    /// A dropped call may or may not have delivered; delivering again does no harm, as alerts have a [key](Alert::key).
    async fn notify(&self, alert: &Alert) -> Result<()>;
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<T: Notifier + ?Sized> Notifier for Arc<T> {
    async fn notify(&self, alert: &Alert) -> Result<()> {
        (**self).notify(alert).await
    }
}

/// Something that people are told of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Alert {
    /// What it is about, the same for each alert on the same trouble: `production/shop/backup`.
    pub key: String,
    /// Whether the trouble begins, goes on for too long, or is over.
    pub state: AlertState,
    /// How bad it is.
    pub severity: Severity,
    /// A stable word for programs: an [error code](crate::ErrorKind::code), or the name of a health check.
    pub code: String,
    /// One line for people.
    pub summary: String,
    /// What else is known, as pairs of name and text.
    pub details: Vec<(String, String)>,
    /// What to do, one sentence each, the best first.
    pub actions: Vec<String>,
    /// When it was noticed, UTC.
    pub at: DateTime<Utc>,
}

/// Where a trouble stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum AlertState {
    /// It is there.
    Firing,
    /// It is there for so long, or was met so often, that somebody else should know.
    Escalated,
    /// It is over.
    Resolved,
}

/// How bad something is; the order is that of urgency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Severity {
    /// Good to know.
    Info,
    /// To be looked at in working hours.
    Warning,
    /// To be looked at now.
    Critical,
}

impl Alert {
    /// A trouble that begins.
    #[must_use]
    pub fn new(
        key: impl Into<String>,
        severity: Severity,
        code: impl Into<String>,
        summary: impl Into<String>,
        at: DateTime<Utc>,
    ) -> Self {
        Self {
            key: key.into(),
            state: AlertState::Firing,
            severity,
            code: code.into(),
            summary: summary.into(),
            details: Vec::new(),
            actions: Vec::new(),
            at,
        }
    }

    /// What an error tells: its code, its line, its context and its suggestions.
    #[must_use]
    pub fn of_error(key: impl Into<String>, severity: Severity, error: &Error, at: DateTime<Utc>) -> Self {
        let mut alert = Self::new(key, severity, error.code(), error.to_string(), at);
        alert.details = error.context().map(|(name, text)| (name.to_owned(), text.to_owned())).collect();
        alert.actions = error.suggestions().into_iter().map(str::to_owned).collect();
        alert
    }

    /// The same trouble in another state.
    #[must_use]
    pub fn in_state(mut self, state: AlertState) -> Self {
        self.state = state;
        self
    }
}
