//! Tells people of the failures of a job, and of their end.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use tokio_util::task::AbortOnDropHandle;

use crate::{Alert, AlertState, Error, ErrorKind, Notifier, Severity};

/// After so many failures in a row somebody else should know.
const ESCALATES_AT: u32 = 3;
/// How long a notifier may take, whose contract is to give up by itself.
const DELIVERY_LIMIT: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Alarm {
    notifier: Option<Arc<dyn Notifier>>,
    key: String,
    job: String,
    /// What the notifier has taken last, while the trouble lasts.
    told: Option<AlertState>,
}

impl Alarm {
    pub(super) fn new(notifier: Option<Arc<dyn Notifier>>, series: &str, job: &str) -> Self {
        Self { notifier, key: format!("{series}/backup"), job: job.to_owned(), told: None }
    }

    /// # Cancel safety
    ///
    /// What was not delivered is told again at the next failure.
    pub(super) async fn failed(&mut self, failures: u32, error: &Error, at: DateTime<Utc>) {
        let (state, severity) = if failures >= ESCALATES_AT {
            (AlertState::Escalated, Severity::Critical)
        } else {
            (AlertState::Firing, severity(error))
        };
        if self.told == Some(state) {
            return;
        }
        let mut alert = Alert::of_error(&self.key, severity, error, at).in_state(state);
        alert.details.push(("job".to_owned(), self.job.clone()));
        alert.details.push(("failures_in_a_row".to_owned(), failures.to_string()));
        if self.deliver(alert).await {
            self.told = Some(state);
        }
    }

    /// # Cancel safety
    ///
    /// What was not delivered is told again at the next success.
    pub(super) async fn recovered(&mut self, at: DateTime<Utc>) {
        if self.told.is_none() {
            return;
        }
        let summary = format!("backups of {} are made again", self.job);
        let mut alert = Alert::new(&self.key, Severity::Info, "recovered", summary, at);
        alert.details.push(("job".to_owned(), self.job.clone()));
        if self.deliver(alert.in_state(AlertState::Resolved)).await {
            self.told = None;
        }
    }

    /// Whether it was taken. On a task of its own: a notifier that panics must not end the job.
    async fn deliver(&self, alert: Alert) -> bool {
        let Some(notifier) = self.notifier.clone() else { return true };
        let delivery = AbortOnDropHandle::new(tokio::spawn(async move { notifier.notify(&alert).await }));
        let why = match tokio::time::timeout(DELIVERY_LIMIT, delivery).await {
            Ok(Ok(Ok(()))) => return true,
            Ok(Ok(Err(err))) => err.to_string(),
            Ok(Err(err)) => err.to_string(),
            Err(err) => err.to_string(),
        };
        tracing::error!(key = self.key, "an alert was not delivered: {why}");
        false
    }
}

/// How bad one failure is: some pass by themselves, the others last until somebody changes something.
fn severity(error: &Error) -> Severity {
    let may_pass = error.is_retryable()
        || matches!(error.kind(), ErrorKind::ToolFailed | ErrorKind::Incomplete | ErrorKind::Unexpected);
    if may_pass { Severity::Warning } else { Severity::Critical }
}
