use std::time::Duration;

use super::{
    http::{Http, TEXT},
    relay::Relay,
    text::shortened,
};
use crate::{ErrorKind, Event, Observer, Operation, Result, Secret};

/// How much is sent with a signal, in characters; the service keeps 100 kB.
const MAX_BODY: usize = 10_000;

/// Tells healthchecks.io, or a server of one's own, that a job runs: it raises the alarm when nothing is heard.
///
/// That finds what no alert of a process can tell: that the process itself is gone. Tried three times, each
/// for 10 seconds.
///
/// # Examples
///
/// ```no_run
/// # async fn example() -> backup_core::Result<()> {
/// use backup_core::notify::{Healthchecks, Ping};
///
/// let checks = Healthchecks::new("https://hc-ping.com/6f5c…")?;
/// checks.ping(Ping::Start, "").await?;
/// // … the backup …
/// checks.ping(Ping::Success, "production/shop/backup-20261120-020000").await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Healthchecks(Http);

/// What is signalled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ping {
    /// The job starts; from then on the service measures how long it takes.
    Start,
    /// It succeeded.
    Success,
    /// It failed.
    Fail,
    /// It ended with this exit status; 0 is a success.
    ExitStatus(u8),
}

impl Healthchecks {
    /// Signals to the check that has this URL: `https://hc-ping.com/<uuid>`.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](ErrorKind::InvalidInput) for what is no URL of HTTP.
    pub fn new(url: impl Into<Secret>) -> Result<Self> {
        Ok(Self(Http::new("healthchecks", url.into())?))
    }

    /// Says how long one attempt may take; 10 seconds unless said.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self(self.0.with_timeout(timeout))
    }

    /// Signals, with a text that the service keeps, at most 10,000 characters of it.
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) where the service knows no such check, also where it answers that with 200.
    ///
    /// # Cancel safety
    ///
    /// A dropped call may or may not have signalled.
    pub async fn ping(&self, ping: Ping, body: &str) -> Result<()> {
        let below = match ping {
            Ping::Start => "start".to_owned(),
            Ping::Success => String::new(),
            Ping::Fail => "fail".to_owned(),
            Ping::ExitStatus(status) => status.to_string(),
        };
        let answer = self.0.post(&below, TEXT, shortened(body, MAX_BODY).into_bytes()).await?;
        if answer.windows(NOT_FOUND.len()).any(|part| part == NOT_FOUND) {
            return Err(self
                .0
                .error(ErrorKind::NotFound, "the service knows no such check")
                .with_suggestion("copy the URL of the check again"));
        }
        Ok(())
    }

    /// Signals start, success and failure of the backups of a [`Pipeline`](crate::Pipeline), from a task of its own.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](ErrorKind::InvalidInput) outside a runtime of tokio.
    pub fn observer(self) -> Result<HealthchecksObserver> {
        let relay = Relay::start(move |(ping, body): (Ping, String)| {
            let checks = self.clone();
            async move {
                if let Err(err) = checks.ping(ping, &body).await {
                    tracing::warn!(?ping, code = err.code(), "a signal was not delivered: {err}");
                }
            }
        })?;
        Ok(HealthchecksObserver(relay))
    }
}

/// What a check that does not exist is answered with, together with status 200.
const NOT_FOUND: &[u8] = b"(not found)";

/// Signals what a pipeline does; see [`Healthchecks::observer`].
#[derive(Debug, Clone)]
pub struct HealthchecksObserver(Relay<(Ping, String)>);

impl HealthchecksObserver {
    /// Waits until all signals so far are delivered or given up; to be called before the process ends.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn settle(&self) {
        self.0.settle().await;
    }
}

impl Observer for HealthchecksObserver {
    fn observe(&self, event: &Event<'_>) {
        let signal = match event {
            Event::Started { operation: Operation::Backup, backup } => (Ping::Start, backup.to_string()),
            Event::Finished { operation: Operation::Backup, backup } => (Ping::Success, backup.to_string()),
            Event::Failed { operation: Operation::Backup, error, .. } => (Ping::Fail, error.to_string()),
            _ => return,
        };
        self.0.hand_over(signal);
    }
}
