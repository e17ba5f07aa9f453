use std::sync::Arc;

use super::relay::Relay;
use crate::{Alert, AlertState, Clock, Event, Notifier, Observer, Operation, Result, Severity};

/// Makes alerts of what a [`Pipeline`](crate::Pipeline) tells: critical where a backup fails, resolved where one
/// succeeds.
///
/// It never waits for the notifier, which a task of its own calls; 64 alerts may be waiting, one more is lost with a line
/// in the log. Every success is passed on: put an [`Alerter`](super::Alerter) between, which tells it only to
/// those who know of a failure.
///
/// # Examples
///
/// ```
/// # async fn example() -> backup_core::Result<()> {
/// use backup_core::{
///     MemoryStore, Pipeline, Severity, SystemClock,
///     notify::{AlertObserver, AlertPolicy, Alerter, Notifier},
///     pipeline::BackupRequest,
///     testkit::fake::FakeDumper,
/// };
///
/// # #[derive(Debug)] struct Pager;
/// # #[async_trait::async_trait] impl Notifier for Pager {
/// #     async fn notify(&self, _: &backup_core::Alert) -> backup_core::Result<()> { Ok(()) }
/// # }
/// let alerter = Alerter::new(AlertPolicy::new()).with_notifier(Pager, Severity::Critical);
/// let alerts = AlertObserver::new("production/shop", alerter, SystemClock)?;
/// let pipeline = Pipeline::new(FakeDumper::new("rows"), MemoryStore::new()).with_observer(alerts.clone());
/// pipeline.backup(BackupRequest::new()).await?;
/// alerts.settle().await;
/// # Ok(())
/// # }
/// # tokio::runtime::Runtime::new().unwrap().block_on(example()).unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct AlertObserver {
    key: String,
    clock: Arc<dyn Clock>,
    relay: Relay<Alert>,
}

impl AlertObserver {
    /// Tells `notifier` of the backups of a series, which alerts name so: `production/shop`.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) outside a runtime of tokio.
    pub fn new(series: impl Into<String>, notifier: impl Notifier, clock: impl Clock) -> Result<Self> {
        let notifier = Arc::new(notifier);
        let relay = Relay::start(move |alert: Alert| {
            let notifier = Arc::clone(&notifier);
            async move {
                if let Err(err) = notifier.notify(&alert).await {
                    tracing::warn!(key = alert.key, code = err.code(), "an alert was not delivered: {err}");
                }
            }
        })?;
        let key = format!("{}/{}", series.into(), Operation::Backup.name());
        Ok(Self { key, clock: Arc::new(clock), relay })
    }

    /// Waits until all alerts so far are delivered or given up; to be called before the process ends.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn settle(&self) {
        self.relay.settle().await;
    }
}

impl Observer for AlertObserver {
    fn observe(&self, event: &Event<'_>) {
        let alert = match event {
            Event::Failed { operation: Operation::Backup, error, .. } => {
                Alert::of_error(&self.key, Severity::Critical, error, self.clock.now())
            }
            Event::Finished { operation: Operation::Backup, backup } => {
                let summary = format!("{backup} was made");
                Alert::new(&self.key, Severity::Info, "finished", summary, self.clock.now())
                    .in_state(AlertState::Resolved)
            }
            _ => return,
        };
        self.relay.hand_over(alert);
    }
}
