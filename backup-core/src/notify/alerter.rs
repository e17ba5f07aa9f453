//! [`Alerter`]: tells people what they should hear, once.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{
    pauses::Pauses,
    troubles::{AlertPolicy, Due, Reach, Route, Troubles},
};
use crate::{Alert, Error, ErrorKind, Notifier, Result, Severity, health::HealthReport};

/// How long the deliveries to one notifier may take together.
const TIME_LIMIT: Duration = Duration::from_secs(60);

/// Passes alerts on to several notifiers, each trouble once.
///
/// - A trouble of the same key and severity is told again only after
///   [`repeat_after_minutes`](AlertPolicy::repeat_after_minutes).
/// - That it is over is told once, to those who were told of it.
/// - A trouble that lasts for too long escalates: everybody is told so, and from then on those who are only told of
///   [such troubles](Self::with_escalation).
/// - A notifier that fails harms no other. It is tried three times as long as its error is
///   [retryable](Error::is_retryable), within a minute; what it did not take is due again with the next alert or report
///   on it.
///
/// What was told is kept in memory: after a restart each trouble that is still there is told once more.
///
/// # Examples
///
/// ```
/// use backup_core::{Severity, notify::{AlertPolicy, Alerter, Notifier}};
///
/// fn alerter(chat: impl Notifier, pager: impl Notifier) -> Alerter {
///     Alerter::new(AlertPolicy::new().with_escalate_after_minutes(60))
///         .with_notifier(chat, Severity::Warning)
///         .with_escalation(pager, Severity::Critical)
/// }
/// ```
#[derive(Debug)]
pub struct Alerter {
    routes: Vec<Route>,
    notifiers: Vec<Arc<dyn Notifier>>,
    troubles: Mutex<Troubles>,
    time_limit: Duration,
}

impl Alerter {
    /// Tells nobody yet.
    #[must_use]
    pub fn new(policy: AlertPolicy) -> Self {
        Self {
            routes: Vec::new(),
            notifiers: Vec::new(),
            troubles: Mutex::new(Troubles::new(policy)),
            time_limit: TIME_LIMIT,
        }
    }

    /// Tells `notifier` of troubles of this severity and worse.
    #[must_use]
    pub fn with_notifier(self, notifier: impl Notifier, least: Severity) -> Self {
        self.with_route(notifier, Route { least, reach: Reach::All })
    }

    /// Tells `notifier` of troubles of this severity and worse once they have escalated.
    #[must_use]
    pub fn with_escalation(self, notifier: impl Notifier, least: Severity) -> Self {
        self.with_route(notifier, Route { least, reach: Reach::Escalated })
    }

    /// Says how long the deliveries to one notifier may take together; a minute unless said.
    #[must_use]
    pub fn with_time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    fn with_route(mut self, notifier: impl Notifier, route: Route) -> Self {
        self.routes.push(route);
        self.notifiers.push(Arc::new(notifier));
        self
    }

    /// Tells what a report found, and what is well again.
    ///
    /// # Errors
    ///
    /// As those of [`notify`](Notifier::notify) of an alerter: where something was to be told and nobody took it.
    ///
    /// # Cancel safety
    ///
    /// As [`Notifier::notify`].
    pub async fn report(&self, report: &HealthReport) -> Result<()> {
        self.tell(report.alerts().iter().flat_map(|alert| self.observe(alert)).collect()).await
    }

    /// Tells again of troubles that are not over, and lets them escalate, though nothing new came in; to be called
    /// every few minutes by who makes few backups and no reports.
    ///
    /// # Errors
    ///
    /// As [`report`](Self::report).
    ///
    /// # Cancel safety
    ///
    /// As [`Notifier::notify`].
    pub async fn remind(&self, now: DateTime<Utc>) -> Result<()> {
        let due = self.troubles().remind(&self.routes, now);
        self.tell(self.promised(due)).await
    }

    fn observe(&self, alert: &Alert) -> Vec<Promise<'_>> {
        let due = self.troubles().observe(alert, &self.routes);
        self.promised(due)
    }

    fn promised(&self, due: Vec<Due>) -> Vec<Promise<'_>> {
        due.into_iter().map(|due| Promise { alerter: self, due, is_kept: false }).collect()
    }

    /// All notifiers side by side, to each one alert after the other.
    async fn tell(&self, promises: Vec<Promise<'_>>) -> Result<()> {
        if promises.is_empty() {
            return Ok(());
        }
        let mut of_routes: Vec<Vec<Promise<'_>>> = self.routes.iter().map(|_| Vec::new()).collect();
        for promise in promises {
            if let Some(of_route) = of_routes.get_mut(promise.due.route) {
                of_route.push(promise);
            }
        }
        let deliveries = self.notifiers.iter().zip(of_routes).map(async |(notifier, promises)| {
            let mut told = Told::default();
            let all = tell_all(&**notifier, promises, &mut told);
            if tokio::time::timeout(self.time_limit, all).await.is_err() {
                told.error = Some(too_slow(self.time_limit));
            }
            if let Some(err) = &told.error {
                tracing::warn!(?notifier, code = err.code(), "an alert was not delivered: {err}");
            }
            told
        });
        let told = futures::future::join_all(deliveries).await;
        if told.iter().any(|told| told.delivered > 0) {
            return Ok(());
        }
        told.into_iter().find_map(|told| told.error).map_or(Ok(()), Err)
    }

    fn troubles(&self) -> MutexGuard<'_, Troubles> {
        self.troubles.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Notifier for Alerter {
    async fn notify(&self, alert: &Alert) -> Result<()> {
        self.tell(self.observe(alert)).await
    }
}

/// What came of the deliveries to one notifier.
#[derive(Debug, Default)]
struct Told {
    delivered: usize,
    error: Option<Error>,
}

async fn tell_all(notifier: &dyn Notifier, promises: Vec<Promise<'_>>, told: &mut Told) {
    for promise in promises {
        match tell_one(notifier, &promise.due.alert).await {
            Ok(()) => {
                told.delivered += 1;
                promise.keep();
            }
            Err(err) => told.error = Some(err),
        }
    }
}

async fn tell_one(notifier: &dyn Notifier, alert: &Alert) -> Result<()> {
    let mut pauses = Pauses::default();
    loop {
        let Err(err) = notifier.notify(alert).await else { return Ok(()) };
        let pause = if err.is_retryable() { pauses.next(None) } else { None };
        let Some(pause) = pause else { return Err(err) };
        tokio::time::sleep(pause).await;
    }
}

fn too_slow(limit: Duration) -> Error {
    Error::new(ErrorKind::Timeout, "the notifier took too long")
        .with_context("limit_seconds", limit.as_secs())
        .with_suggestion("check whether the receiving service hangs")
}

/// Something that counts as told; taken back unless it is kept, also when a call is dropped.
struct Promise<'a> {
    alerter: &'a Alerter,
    due: Due,
    is_kept: bool,
}

impl Promise<'_> {
    fn keep(mut self) {
        self.is_kept = true;
    }
}

impl Drop for Promise<'_> {
    fn drop(&mut self) {
        let mut troubles = self.alerter.troubles();
        if self.is_kept {
            troubles.delivered(&self.due);
        } else {
            troubles.failed(&self.due);
        }
    }
}
